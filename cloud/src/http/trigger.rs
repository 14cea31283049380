//! The address under which command lines listen for triggers: a WebSocket.
//!
//! The handshake carries the token and nothing else of ours; the organisation is in the address.

use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::{App, failed, holder, refuse};
use crate::auth::{self, Permission};
use crate::triggers::{address, connection};

/// Heartbeats name data sources, and there are not that many.
const LARGEST_HEARTBEAT: usize = 1024 * 1024;
/// Messages are small, and there may be many connections.
const BUFFER: usize = 4 * 1024;

pub(super) async fn listen(
    State(app): State<Arc<App>>,
    Path((domain, secret)): Path<(String, String)>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !domain.eq_ignore_ascii_case(&app.domain) {
        return refuse(StatusCode::NOT_FOUND, "there is no such organisation");
    }
    let principal = match holder(&app, &headers).await {
        Ok(principal) => principal,
        Err(answer) => return answer,
    };
    if let Err(denied) = auth::authorize(&principal, Permission::Synchronize) {
        return refuse(StatusCode::FORBIDDEN, &denied.to_string());
    }
    match address::accept(&app.store, &secret, &principal.user_id).await {
        Ok(true) => {}
        Ok(false) => {
            return refuse(StatusCode::NOT_FOUND, "this address is unknown or has ended; ask for a new one");
        }
        Err(error) => return failed(&error),
    }
    let triggers = Arc::clone(&app.triggers);
    upgrade
        .max_message_size(LARGEST_HEARTBEAT)
        .max_frame_size(LARGEST_HEARTBEAT)
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .on_upgrade(move |socket| connection::serve(triggers, socket, principal.user_id))
        .into_response()
}
