//! `GET /metrics`, and what is noted of every request: its metrics, its id and its line in the log.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tracing::Instrument as _;

use super::limits::{client_address, timed};
use super::{App, refuse};
use crate::ids::new_id;

/// Names a request in the logs of all who handle it.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Paths that are answered whatever else goes on.
const UNLIMITED: [&str; 3] = ["/health", "/ready", "/metrics"];
/// What requests to addresses that do not exist, and to any address of the identity provider, are counted as.
const OTHER: &str = "other";

/// Where a request came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

/// Metrics on an address of their own.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new().route("/metrics", get(serve)).with_state(app)
}

async fn serve(State(app): State<Arc<App>>) -> Response {
    let text = app.metrics.encode(&app.store).await;
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// Metrics on the main address, for programs of this machine: others, and those behind a proxy of this machine, find
/// nothing here.
pub(super) async fn local(
    state: State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    let forwarded = headers.contains_key("x-forwarded-for") || headers.contains_key(header::FORWARDED);
    if state.metrics_elsewhere || forwarded || !peer.ip().to_canonical().is_loopback() {
        return refuse(StatusCode::NOT_FOUND, "there is nothing at this address");
    }
    serve(state).await
}

/// Around every request.
pub(super) async fn observe(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = request_id(request.headers());
    let route = request.extensions().get::<MatchedPath>().map_or(OTHER, MatchedPath::as_str).to_owned();
    let method = known_method(request.method());
    let client = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|ConnectInfo(peer)| client_address(*peer, request.headers(), &app.trusted_proxies));
    if let Some(client) = client {
        request.extensions_mut().insert(ClientAddress(client));
    }
    let limits = &app.limits;
    let whole = (route != super::UPLOAD).then_some(limits.body);
    let request = request.map(|body| timed(body, limits.pause, whole));
    let trace = trace_id(request.headers());
    let span = tracing::info_span!(target: "raito_cloud::request", "request", id = %id, trace);
    async {
        let unlimited = UNLIMITED.contains(&route.as_str());
        let place = if unlimited { None } else { app.gate.enter() };
        let mut response = if unlimited || place.is_some() {
            next.run(request).await
        } else {
            let busy = refuse(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once; try again");
            ([(header::RETRY_AFTER, HeaderValue::from_static("1"))], busy).into_response()
        };
        drop(place);
        let status = response.status().as_u16();
        let seconds = begun.elapsed().as_secs_f64();
        app.metrics.request(method, &route, status, seconds);
        // The route, not the path: a path may carry the secret of a signed address.
        let client = client.map(tracing::field::display);
        let milliseconds = (seconds * 1000.0).round();
        if unlimited {
            tracing::debug!(target: "raito_cloud::request", method, route, status, milliseconds, client, "request");
        } else {
            tracing::info!(target: "raito_cloud::request", method, route, status, milliseconds, client, "request");
        }
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }
    .instrument(span)
    .await
}

/// The id that the client or a proxy gave the request if it is plain, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let plain = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
    };
    let given = headers.get(&REQUEST_ID).and_then(|id| id.to_str().ok()).filter(plain);
    given.map_or_else(new_id, str::to_owned)
}

/// The trace that the request is a part of, from the header of W3C Trace Context: it goes into the log, where it joins
/// what all who handled the request wrote.
fn trace_id(headers: &HeaderMap) -> Option<String> {
    let parent = headers.get("traceparent")?.to_str().ok()?;
    let parts: Vec<&str> = parent.split('-').collect();
    let hex = |text: &str, digits: usize| {
        text.len() == digits && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let [version, trace, span, flags, ..] = parts.as_slice() else { return None };
    let sound = hex(version, 2) && *version != "ff" && hex(trace, 32) && hex(span, 16) && hex(flags, 2);
    let given = trace.bytes().any(|b| b != b'0') && span.bytes().any(|b| b != b'0');
    (sound && given && (parts.len() == 4 || *version != "00")).then(|| (*trace).to_owned())
}

/// Methods are text that a client chooses.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::HEAD => "HEAD",
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

    use super::*;

    #[test]
    fn only_a_sound_trace_is_taken_over() {
        let of = |parent: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", parent.parse().unwrap());
            trace_id(&headers)
        };
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(of(&format!("00-{trace}-00f067aa0ba902b7-01")).as_deref(), Some(trace));
        assert_eq!(of(&format!("cc-{trace}-00f067aa0ba902b7-01-later")).as_deref(), Some(trace));
        for wrong in [
            trace.to_owned(),
            format!("00-{trace}-00f067aa0ba902b7"),
            format!("00-{trace}-00f067aa0ba902b7-01-more"),
            format!("ff-{trace}-00f067aa0ba902b7-01"),
            format!("00-{trace}-0000000000000000-01"),
            format!("00-{}-00f067aa0ba902b7-01", trace.to_uppercase()),
        ] {
            assert_eq!(of(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn plain_ids_are_taken_over() {
        let of = |id: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, id.parse().unwrap());
            request_id(&headers)
        };
        assert_eq!(of("4bf92f35-77b3.4da6:a"), "4bf92f35-77b3.4da6:a");
        for strange in ["", "a b", "a\"b", &"x".repeat(65)] {
            assert_ne!(of(strange), strange);
        }
    }
}
