//! `POST query`: all GraphQL.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::{App, body, caller, refuse};
use crate::records::nul;

pub(super) async fn query(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Response {
    let principal = match caller(&app, &headers).await {
        Ok(principal) => principal,
        Err(answer) => return answer,
    };
    let mut request: async_graphql::Request = match body::first_json(&body) {
        Ok(request) => request,
        Err(error) => {
            return refuse(StatusCode::BAD_REQUEST, &format!("the body is not a GraphQL request: {error}"));
        }
    };
    // Some clients send the name of the operation beside a document in which it has none.
    if request.operation_name.as_ref().is_some_and(String::is_empty) {
        request.operation_name = None;
    }
    if nul::replace_escapes_in(&mut request.query) {
        tracing::warn!("NUL characters in the texts of a GraphQL document were replaced");
    }
    let answer = app.schema.execute(request.data(principal)).await;
    axum::Json(answer).into_response()
}
