//! Sending requests to the API, and sending them again.
//!
//! | what happened | what is done |
//! |---|---|
//! | no connection | again, up to three attempts: nothing was executed |
//! | the connection broke, the answer was cut off, status 500 to 599 | the same, but only for what reads or may be done twice |
//! | status 401 | once: a new sign-in with the password, as the token may have been revoked |
//! | status 429 | again after `Retry-After`, as long as all waits of a request stay within [`Timing::throttle_limit`] |
//! | everything else | an error |
//!
//! So a request that begins or adds something (a job, an import, an event) is never sent a second time when the first
//! may have been executed. Nobody is waited for without end: a server that says nothing for [`Timing::idle`] has
//! failed. The time starts anew with each part of an answer, so that large ones may take as long as they need.

use std::time::Duration;

use reqwest::{RequestBuilder, Response, header};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::{CloudClient, CloudError, error, user_agent};
use crate::secret::Secret;

#[cfg(doc)]
use super::Timing;

/// How often a request is sent while the server asks for patience.
const THROTTLED: usize = 6;

/// Whether a request may be sent again when nobody knows whether it was executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It reads, or doing it twice is doing it once.
    Safe,
    /// It begins or adds something.
    Never,
}

/// What went wrong with one attempt, as far as it decides about another.
enum Trouble {
    /// The token does not count.
    Unauthorised(Option<Secret>),
    /// The server wants this much patience, if it says how much.
    Throttled(Option<Duration>),
    /// No connection.
    NotSent,
    /// It may have been executed.
    Unknown,
    /// Another attempt would end alike.
    Final,
}

impl CloudClient {
    /// Sends a request to the API with the headers of the account, and gives the text of the answer. Any status below
    /// 300 is success.
    pub(super) async fn call(
        &self,
        what: &'static str,
        repeat: Repeat,
        request: RequestBuilder,
    ) -> Result<String, CloudError> {
        let timing = self.shared.options.timing;
        let mut waits = timing.request_retry.into_iter();
        let mut patience = timing.throttle_limit;
        let (mut throttled, mut renewed) = (0, false);
        loop {
            // Bodies are texts, which can be had again; a stream could not.
            let attempt = request
                .try_clone()
                .ok_or_else(|| CloudError::Setup { reason: "a request cannot be sent again".to_owned() })?;
            let (error, trouble) = match self.attempt_call(what, attempt).await {
                Ok(text) => return Ok(text),
                Err(failed) => failed,
            };
            let wait = match trouble {
                Trouble::Unauthorised(Some(token)) if !renewed => {
                    renewed = true;
                    tracing::debug!(%error, "the token does not count any more; signing in again");
                    self.forget(&token).await;
                    continue;
                }
                Trouble::Throttled(after) if throttled < THROTTLED => {
                    throttled += 1;
                    let wait = after.unwrap_or(timing.throttle_wait).max(timing.throttle_wait);
                    patience = match patience.checked_sub(wait) {
                        Some(left) => left,
                        None => return Err(error),
                    };
                    Some(wait)
                }
                Trouble::NotSent => waits.next(),
                Trouble::Unknown if repeat == Repeat::Safe => waits.next(),
                _ => None,
            };
            let Some(wait) = wait else { return Err(error) };
            tracing::debug!(%error, ?wait, "a request is sent again");
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt_call(
        &self,
        what: &'static str,
        request: RequestBuilder,
    ) -> Result<String, (CloudError, Trouble)> {
        let last = |error| (error, Trouble::Final);
        let mut request =
            request.header("Raito-Domain", &self.account.domain).header(header::USER_AGENT, user_agent());
        let mut used = None;
        if !self.shared.options.skip_authentication {
            let token = self.token().await.map_err(last)?;
            request = request.header(header::AUTHORIZATION, authorization(&token).map_err(last)?);
            used = Some(token);
        }
        let broken = |error: reqwest::Error| {
            let trouble = if error.is_connect() { Trouble::NotSent } else { Trouble::Unknown };
            (CloudError::unreachable(what, error), trouble)
        };
        let response = request.send().await.map_err(broken)?;
        self.notice_server(&response);
        let status = response.status().as_u16();
        let trouble = match status {
            ..300 => return response.text().await.map_err(broken),
            401 => Trouble::Unauthorised(used),
            429 => Trouble::Throttled(retry_after(&response)),
            500.. => Trouble::Unknown,
            _ => Trouble::Final,
        };
        let body = response.text().await.unwrap_or_default();
        Err((CloudError::Status { what, status, body: error::excerpt(&body) }, trouble))
    }
}

/// The header that carries a token.
pub(super) fn authorization(token: &Secret) -> Result<header::HeaderValue, CloudError> {
    let mut value = header::HeaderValue::try_from(format!("token {}", token.expose())).map_err(|_| {
        CloudError::BadAnswer {
            what: "sign-in",
            reason: "the token holds characters that no header may have".to_owned(),
        }
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// How long the server wants to be left alone: seconds, or a moment.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = OffsetDateTime::parse(text, &Rfc2822).ok()?;
    Some(Duration::try_from(moment - OffsetDateTime::now_utc()).unwrap_or_default())
}
