//! Organisation look-up, sign-in and tokens.
//!
//! 1. `GET {base}admin/org/{domain}` gives the id under which the organisation's users sign in; it is asked
//!    once per domain.
//! 2. `InitiateAuth` of the identity provider (Amazon Cognito's format, unsigned) gives an ID token, a
//!    refresh token and a life time. Throttling, server errors and broken connections are tried again, three
//!    attempts in all. A challenge is never answered.
//! 3. The ID token counts until ten seconds before its end. Then the refresh token is used; if that fails,
//!    the password again.
//! 4. A token that the API refuses before its end is dropped, and the password used again.
//!
//! Where the identity provider is: `AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER`, else `AWS_ENDPOINT_URL` (what Amazon's
//! own libraries read), else the API itself if it is a self-hosted server, which says so in its `Server` header,
//! else Amazon's address for `eu-central-1`.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use reqwest::{Method, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex as AsyncMutex;
use tracing::warn;
use url::Url;

use super::{CloudClient, CloudError, error, send};
use crate::config::Environment;
use crate::config::values::is_domain;
use crate::secret::Secret;

/// Amazon's identity provider where Raito's users are.
pub const DEFAULT_ENDPOINT: &str = "https://cognito-idp.eu-central-1.amazonaws.com/";

/// How long before its end a token no longer counts.
const MARGIN: Duration = Duration::from_secs(10);
const WHAT: &str = "sign-in";

/// The identity provider that the environment names, if it names one.
///
/// # Errors
/// It is no address.
pub fn cognito_endpoint(environment: &Environment<'_>) -> Result<Option<Url>, CloudError> {
    let text = ["AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", "AWS_ENDPOINT_URL"]
        .into_iter()
        .find_map(|name| environment(name).filter(|value| !value.is_empty()).map(|value| (name, value)));
    let Some((name, text)) = text else { return Ok(None) };
    match Url::parse(&text) {
        Ok(url) if url.has_host() => Ok(Some(url)),
        _ => Err(CloudError::Setup { reason: format!("{name} is not an address") }),
    }
}

/// What was learned while signing in.
#[derive(Debug, Default)]
pub(super) struct SignIn {
    /// Client ids by domain in lower case.
    organisations: AsyncMutex<HashMap<String, String>>,
    /// Tokens by domain and user. The inner lock makes concurrent calls sign in once.
    tokens: Mutex<HashMap<(String, String), TokenSlot>>,
}

type TokenSlot = Arc<AsyncMutex<Option<Tokens>>>;

#[derive(Debug, Clone)]
struct Tokens {
    id: Secret,
    refresh: Option<Secret>,
    expiry: SystemTime,
}

impl Tokens {
    fn is_valid(&self) -> bool {
        SystemTime::now() + MARGIN <= self.expiry
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InitiateAuthAnswer {
    authentication_result: Option<AuthenticationResult>,
    challenge_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AuthenticationResult {
    id_token: String,
    refresh_token: Option<String>,
    #[serde(default)]
    expires_in: u64,
}

/// One attempt's failure: whether another attempt makes sense, and the error.
struct Failure {
    again: bool,
    error: CloudError,
}

impl CloudClient {
    /// A token that counts now.
    pub(super) async fn token(&self) -> Result<Secret, CloudError> {
        let Some((user, password)) = &self.account.credentials else {
            return Err(CloudError::NoCredentials { missing: "the API user" });
        };
        let domain = self.account.domain.to_lowercase();
        let slot = {
            let mut slots = self.shared.sign_in.tokens.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry((domain, user.clone())).or_default())
        };
        let mut tokens = slot.lock().await;
        if let Some(valid) = tokens.as_ref().filter(|tokens| tokens.is_valid()) {
            return Ok(valid.id.clone());
        }
        let client_id = self.client_id().await?;
        let refresh = tokens.take().and_then(|old| old.refresh);
        let refreshed = match refresh {
            Some(refresh) => self.refresh(&client_id, user, refresh).await,
            None => None,
        };
        let new = if let Some(new) = refreshed {
            new
        } else {
            let parameters = json!({ "USERNAME": user, "PASSWORD": password.expose() });
            self.initiate(&client_id, user, "USER_PASSWORD_AUTH", &parameters).await?
        };
        let id = new.id.clone();
        *tokens = Some(new);
        Ok(id)
    }

    /// Drops a token that the API refused, unless somebody has replaced it since. The next call signs in with the
    /// password: who revoked the token may have revoked its refresh token too.
    pub(super) async fn forget(&self, refused: &Secret) {
        let Some((user, _)) = &self.account.credentials else { return };
        let key = (self.account.domain.to_lowercase(), user.clone());
        let slot = {
            let slots = self.shared.sign_in.tokens.lock().unwrap_or_else(PoisonError::into_inner);
            slots.get(&key).map(Arc::clone)
        };
        if let Some(slot) = slot {
            let mut tokens = slot.lock().await;
            if tokens.as_ref().is_some_and(|tokens| tokens.id == *refused) {
                *tokens = None;
            }
        }
    }

    /// New tokens for a refresh token; nothing if it is no longer good for that.
    async fn refresh(&self, client_id: &str, user: &str, refresh: Secret) -> Option<Tokens> {
        let parameters = json!({ "REFRESH_TOKEN": refresh.expose() });
        match self.initiate(client_id, user, "REFRESH_TOKEN_AUTH", &parameters).await {
            Ok(mut new) => {
                new.refresh.get_or_insert(refresh);
                Some(new)
            }
            Err(error) => {
                warn!(%error, "refreshing the token failed; signing in again");
                None
            }
        }
    }

    /// The id under which the organisation's users sign in.
    async fn client_id(&self) -> Result<String, CloudError> {
        let what = "the organisation look-up";
        let domain = self.account.domain.to_lowercase();
        if !is_domain(&domain) {
            return Err(CloudError::NoCredentials { missing: "a valid domain" });
        }
        // The lock is held while asking, so that concurrent calls ask once.
        let mut known = self.shared.sign_in.organisations.lock().await;
        if let Some(id) = known.get(&domain) {
            return Ok(id.clone());
        }
        let url = self.address(&format!("admin/org/{domain}"))?;
        let mut waits = self.shared.options.timing.request_retry.into_iter();
        let body = loop {
            let error = match self.organisation(what, url.clone()).await {
                Ok(body) => break body,
                Err(error) => error,
            };
            let again = match &error {
                CloudError::Unreachable { .. } => true,
                CloudError::Status { status, .. } => *status == 429 || *status >= 500,
                _ => false,
            };
            match waits.next() {
                Some(wait) if again => tokio::time::sleep(wait).await,
                _ => return Err(error),
            }
        };
        let members: Map<String, Value> = serde_json::from_str(&body)
            .map_err(|error| CloudError::BadAnswer { what, reason: error.to_string() })?;
        let id = members
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("ClientAppId"))
            .and_then(|(_, id)| id.as_str())
            .filter(|id| !id.is_empty())
            .ok_or_else(|| CloudError::BadAnswer { what, reason: "no `ClientAppId`".to_owned() })?;
        known.insert(domain, id.to_owned());
        Ok(id.to_owned())
    }

    /// One attempt at the organisation look-up.
    async fn organisation(&self, what: &'static str, url: Url) -> Result<String, CloudError> {
        let response = send(what, self.bare(Method::GET, url)).await?;
        self.notice_server(&response);
        let status = response.status().as_u16();
        let body = response.text().await.map_err(|error| CloudError::unreachable(what, error))?;
        if status == 200 {
            Ok(body)
        } else {
            Err(CloudError::Status { what, status, body: error::excerpt(&body) })
        }
    }

    /// Where users sign in. The organisation look-up has told by now who serves the API.
    fn identity_provider(&self) -> Result<Url, CloudError> {
        let options = &self.shared.options;
        if let Some(url) = &options.identity_provider {
            return Ok(url.clone());
        }
        if self.shared.self_hosted.load(Ordering::Relaxed) {
            return Ok(options.base.clone());
        }
        Url::parse(DEFAULT_ENDPOINT).map_err(|error| CloudError::Setup { reason: error.to_string() })
    }

    /// One `InitiateAuth`, with its three attempts.
    async fn initiate(
        &self,
        client_id: &str,
        user: &str,
        flow: &str,
        parameters: &Value,
    ) -> Result<Tokens, CloudError> {
        let body = json!({ "AuthFlow": flow, "ClientId": client_id, "AuthParameters": parameters });
        let body = body.to_string();
        let mut waits = self.shared.options.timing.sign_in_retry.into_iter();
        loop {
            match self.attempt(user, body.clone()).await {
                Ok(tokens) => return Ok(tokens),
                Err(failure) => match waits.next() {
                    Some(wait) if failure.again => tokio::time::sleep(wait).await,
                    _ => return Err(failure.error),
                },
            }
        }
    }

    async fn attempt(&self, user: &str, body: String) -> Result<Tokens, Failure> {
        let identity_provider = self.identity_provider().map_err(|error| Failure { again: false, error })?;
        let request = self
            .bare(Method::POST, identity_provider)
            .header(header::CONTENT_TYPE, "application/x-amz-json-1.1")
            .header("X-Amz-Target", "AWSCognitoIdentityProviderService.InitiateAuth")
            .body(body);
        let broken = |error| Failure { again: true, error };
        let final_error = |error| Failure { again: false, error };
        let response = send(WHAT, request).await.map_err(broken)?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(|error| broken(CloudError::unreachable(WHAT, error)))?;
        if status != 200 {
            return Err(refusal(user, status, &text));
        }
        let answer: InitiateAuthAnswer = serde_json::from_str(&text).map_err(|error| {
            // The text holds tokens, of which the parser's message must repeat nothing.
            let reason = format!("not the expected JSON, in column {}", error.column());
            final_error(CloudError::BadAnswer { what: WHAT, reason })
        })?;
        let Some(result) = answer.authentication_result else {
            let kind = answer.challenge_name.unwrap_or_else(|| "no result".to_owned());
            let reason = format!("the identity provider wants `{kind}`, which cannot be answered here");
            return Err(final_error(CloudError::SignIn { user: user.to_owned(), kind, reason }));
        };
        let expiry = SystemTime::now() + Duration::from_secs(result.expires_in);
        Ok(Tokens { id: result.id_token.into(), refresh: result.refresh_token.map(Secret::from), expiry })
    }
}

/// What the identity provider's refusal means.
fn refusal(user: &str, status: u16, text: &str) -> Failure {
    let body: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    let member = |name: &str| {
        let found = body.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| value.as_str()).unwrap_or_default().to_owned()
    };
    let kind = member("__type");
    let kind = kind.rsplit('#').next().unwrap_or_default().to_owned();
    let throttled = status == 429
        || ["TooManyRequestsException", "ThrottlingException", "LimitExceededException"]
            .contains(&kind.as_str());
    if kind.is_empty() {
        let error = CloudError::Status { what: WHAT, status, body: error::excerpt(text) };
        return Failure { again: status >= 500 || throttled, error };
    }
    let message = member("message");
    let reason = if message.is_empty() { kind.clone() } else { format!("{message} ({kind})") };
    let error = CloudError::SignIn { user: user.to_owned(), kind, reason };
    Failure { again: status >= 500 || throttled, error }
}
