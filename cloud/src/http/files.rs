//! Signed upload addresses, uploads and downloads.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use tokio_util::io::ReaderStream;

use super::{App, failed, permitted, refuse};
use crate::auth::Permission;
use crate::files::{TicketError, UploadError};

/// What a client announces. A task may be named as well, for logs; it makes no difference here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Announcement {
    content_length: i64,
    sha256: String,
}

pub(super) async fn upload_address(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(announcement): Query<Announcement>,
) -> Response {
    if let Err(answer) = permitted(&app, &headers, Permission::Synchronize).await {
        return answer;
    }
    match app.files.ticket(&app.store, announcement.content_length, &announcement.sha256).await {
        Ok(ticket) => {
            let url = format!("{}file/upload/{}/{}", app.base_url, ticket.key, ticket.secret);
            axum::Json(json!({ "URL": url, "Key": ticket.key, "signedHeaders": {} })).into_response()
        }
        Err(TicketError::Database(error)) => failed(&error),
        Err(error) => refuse(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

pub(super) async fn upload(
    State(app): State<Arc<App>>,
    Path((key, secret)): Path<(String, String)>,
    body: Body,
) -> Response {
    match app.files.receive(&app.store, &key, &secret, body.into_data_stream()).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error @ UploadError::Address) => refuse(StatusCode::FORBIDDEN, &error.to_string()),
        Err(error @ (UploadError::Length { .. } | UploadError::Hash | UploadError::Interrupted)) => {
            refuse(StatusCode::BAD_REQUEST, &error.to_string())
        }
        Err(error @ (UploadError::Write(_) | UploadError::Database(_))) => failed(&error),
    }
}

pub(super) async fn download(State(app): State<Arc<App>>, Path(secret): Path<String>) -> Response {
    let path = match app.files.shared(&app.store, &secret).await {
        Ok(Some(path)) => path,
        Ok(None) => return refuse(StatusCode::NOT_FOUND, "this address is unknown or has ended"),
        Err(error) => return failed(&error),
    };
    match tokio::fs::File::open(&path).await {
        Ok(file) => {
            let kind = [(header::CONTENT_TYPE, "application/json")];
            (kind, Body::from_stream(ReaderStream::with_capacity(file, 64 * 1024))).into_response()
        }
        Err(error) => failed(&error),
    }
}
