//! Signed upload addresses, uploads and downloads.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{App, failed, permitted, refuse};
use crate::auth::Permission;
use crate::files::{Place, Shared, TicketError, UploadError};

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
            let (url, headers) = match ticket.place {
                Place::Here { secret } => {
                    (format!("{}file/upload/{}/{secret}", app.base_url, ticket.key), Map::new())
                }
                Place::Store(signed) => {
                    let header = |(name, value): (&str, String)| (name.to_owned(), Value::from(vec![value]));
                    (signed.url, signed.headers.into_iter().map(header).collect())
                }
            };
            axum::Json(json!({ "URL": url, "Key": ticket.key, "signedHeaders": headers })).into_response()
        }
        Err(error @ (TicketError::Database(_) | TicketError::Sign(_))) => failed(&error),
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
    match app.files.shared(&app.store, &secret).await {
        Ok(Some(Shared::File(found))) => {
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
                (header::CONTENT_LENGTH, HeaderValue::from(found.meta.size)),
            ];
            (headers, Body::from_stream(found.into_stream())).into_response()
        }
        Ok(Some(Shared::At(address))) => Redirect::to(&address).into_response(),
        Ok(None) => refuse(StatusCode::NOT_FOUND, "this address is unknown or has ended"),
        Err(error) => failed(&error),
    }
}
