//! `POST query`: all GraphQL.

use std::sync::Arc;
use std::time::Instant;

use async_graphql::parser::types::{DocumentOperations, Selection};
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
    let begun = Instant::now();
    let field = first_field(&mut request);
    let answer = app.schema.execute(request.data(principal)).await;
    app.metrics.operation(field.as_deref(), answer.is_err(), begun.elapsed().as_secs_f64());
    axum::Json(answer).into_response()
}

/// The field that stands first in the operation: what it is about, in all documents in use.
fn first_field(request: &mut async_graphql::Request) -> Option<String> {
    let name = request.operation_name.clone();
    let document = request.parsed_query().ok()?;
    let operation = match &document.operations {
        DocumentOperations::Single(operation) => operation,
        DocumentOperations::Multiple(operations) => {
            operations.iter().find(|(known, _)| Some(known.as_str()) == name.as_deref())?.1
        }
    };
    match &operation.node.selection_set.node.items.first()?.node {
        Selection::Field(field) => Some(field.node.name.node.to_string()),
        _ => None,
    }
}
