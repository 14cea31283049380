//! The HTTP surface. Every answer names the server, so that clients can tell it from the service and poll
//! more often.

mod body;
mod files;
pub(crate) mod health;
pub(crate) mod limits;
pub(crate) mod listener;
pub(crate) mod metrics;
mod query;
mod sign_in;
mod trigger;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post, put};
use axum::{Extension, Router};
use serde_json::json;

use crate::auth::{self, Permission, Principal, tokens};
use crate::files::Files;
use crate::graphql::Schema;
use crate::metrics::Metrics;
use crate::operations::Limits;
use crate::store::Store;
use crate::triggers::Triggers;

/// The header with the organisation's domain.
pub(crate) const DOMAIN_HEADER: &str = "raito-domain";
/// What the server calls itself.
const SERVER: &str = concat!("raito-cloud/", env!("CARGO_PKG_VERSION"));
/// The largest GraphQL document or sign-in.
const LARGEST_BODY: usize = 8 * 1024 * 1024;

/// What every request needs.
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) files: Files,
    pub(crate) schema: Schema,
    pub(crate) domain: String,
    /// The id that clients quote when they sign in.
    pub(crate) client_id: String,
    /// Where clients reach the server, with a slash at the end.
    pub(crate) base_url: String,
    pub(crate) readiness: health::Readiness,
    pub(crate) metrics: Arc<Metrics>,
    /// Whether metrics have an address of their own.
    pub(crate) metrics_elsewhere: bool,
    pub(crate) limits: Limits,
    pub(crate) gate: limits::Gate,
    pub(crate) sign_ins: limits::SignInGuard,
    pub(crate) trusted_proxies: Vec<IpAddr>,
    pub(crate) triggers: Arc<Triggers>,
}

/// The route of uploads, which take as long as they take.
const UPLOAD: &str = "/file/upload/{key}/{secret}";

/// All routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", post(sign_in::sign_in))
        .route("/admin/org/{domain}", get(organisation))
        .route("/query", post(query::query))
        .route("/file/upload/signed-url", get(files::upload_address))
        .route("/file/upload/logs/signed-url", get(files::upload_address))
        .route(UPLOAD, put(files::upload).layer(DefaultBodyLimit::disable()))
        .route("/file/download/{secret}", get(files::download))
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .route("/metrics", get(metrics::local))
        .route("/triggers/{domain}/{secret}", any(trigger::listen))
        .fallback(post_anywhere)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), metrics::observe))
        .layer(axum::middleware::map_response(name_server))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(app)
}

async fn name_server(mut response: Response) -> Response {
    response.headers_mut().insert(header::SERVER, HeaderValue::from_static(SERVER));
    response
}

/// Clients may have a path in the address of the identity provider: what they ask for is in a header.
async fn post_anywhere(
    state: State<Arc<App>>,
    client: Option<Extension<metrics::ClientAddress>>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    if headers.contains_key(sign_in::TARGET_HEADER) {
        return sign_in::sign_in(state, client, headers, body).await;
    }
    refuse(StatusCode::NOT_FOUND, "there is nothing at this address")
}

async fn organisation(State(app): State<Arc<App>>, Path(domain): Path<String>) -> Response {
    if !domain.eq_ignore_ascii_case(&app.domain) {
        return refuse(StatusCode::NOT_FOUND, "there is no such organisation");
    }
    axum::Json(json!({ "AuthOrgId": app.domain, "ClientAppId": app.client_id })).into_response()
}

/// An answer that is only a message.
fn refuse(status: StatusCode, message: &str) -> Response {
    (status, axum::Json(json!({ "message": message }))).into_response()
}

/// The server failed, not the client.
fn failed(error: &dyn std::error::Error) -> Response {
    tracing::error!(error = crate::error::chain(error), "a request failed");
    refuse(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; its log has the cause")
}

/// The caller of a request. The answer in the error case is ready to send.
async fn caller(app: &App, headers: &HeaderMap) -> Result<Principal, Response> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let domain = text(&HeaderName::from_static(DOMAIN_HEADER));
    if !domain.is_some_and(|domain| domain.eq_ignore_ascii_case(&app.domain)) {
        return Err(refuse(StatusCode::FORBIDDEN, "the header Raito-Domain does not name this organisation"));
    }
    holder(app, headers).await
}

/// Whose token a request carries. The answer in the error case is ready to send.
async fn holder(app: &App, headers: &HeaderMap) -> Result<Principal, Response> {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("token"))
        .map(|(_, token)| token.trim());
    let Some(token) = token else {
        return Err(refuse(StatusCode::UNAUTHORIZED, "the header Authorization must be: token <id token>"));
    };
    match tokens::principal(&app.store, token).await {
        Ok(Some(principal)) => Ok(principal),
        Ok(None) => Err(refuse(StatusCode::UNAUTHORIZED, "the token is unknown or has expired")),
        Err(error) => Err(failed(&error)),
    }
}

/// The caller, who must have a permission.
async fn permitted(app: &App, headers: &HeaderMap, permission: Permission) -> Result<Principal, Response> {
    let principal = caller(app, headers).await?;
    auth::authorize(&principal, permission)
        .map_err(|denied| refuse(StatusCode::FORBIDDEN, &denied.to_string()))?;
    Ok(principal)
}
