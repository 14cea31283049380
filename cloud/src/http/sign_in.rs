//! Sign-in in the wire format of AWS Cognito's `InitiateAuth`, which the existing clients speak.
//!
//! Requests are `POST` with a header that names the operation; errors are status 400 with a member `__type`.
//! Wrong password and unknown user are one error and take equally long.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::metrics::ClientAddress;
use super::{App, body, failed};
use crate::auth::tokens::{self, TokenKind};
use crate::auth::users;

/// Names the operation.
pub(super) const TARGET_HEADER: &str = "x-amz-target";
const INITIATE_AUTH: &str = "AWSCognitoIdentityProviderService.InitiateAuth";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InitiateAuth {
    auth_flow: String,
    client_id: String,
    #[serde(default)]
    auth_parameters: HashMap<String, String>,
}

pub(super) async fn sign_in(
    State(app): State<Arc<App>>,
    client: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if headers.get(TARGET_HEADER).is_none_or(|target| target != INITIATE_AUTH) {
        return refuse("UnknownOperationException", "only InitiateAuth is offered");
    }
    let Ok(request) = body::first_json::<InitiateAuth>(&body) else {
        return refuse("InvalidParameterException", "the body is not an InitiateAuth request");
    };
    if request.client_id != app.client_id {
        return refuse("ResourceNotFoundException", "the client id is unknown");
    }
    // A request without an address, which only a test can make, shares one count with its like.
    let client = client.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Extension(client)| client.0);
    if let Err(seconds) = app.sign_ins.take(client) {
        app.metrics.refused_sign_in("too_many");
        let body = json!({ "__type": "TooManyRequestsException", "message": "Too many failed sign-ins." });
        let wait = [(header::RETRY_AFTER, HeaderValue::from(seconds))];
        return (wait, answer(StatusCode::TOO_MANY_REQUESTS, &body)).into_response();
    }
    let parameter = |name: &str| request.auth_parameters.get(name).cloned();
    let (user, refresh) = match request.auth_flow.as_str() {
        "USER_PASSWORD_AUTH" => {
            let (Some(name), Some(password)) = (parameter("USERNAME"), parameter("PASSWORD")) else {
                app.sign_ins.give_back(client);
                return refuse("InvalidParameterException", "USERNAME and PASSWORD are needed");
            };
            (users::sign_in(&app.store, &name, password).await, false)
        }
        "REFRESH_TOKEN_AUTH" | "REFRESH_TOKEN" => {
            let Some(token) = parameter("REFRESH_TOKEN") else {
                app.sign_ins.give_back(client);
                return refuse("InvalidParameterException", "REFRESH_TOKEN is needed");
            };
            (tokens::holder(&app.store, &token, TokenKind::Refresh).await, true)
        }
        _ => {
            app.sign_ins.give_back(client);
            return refuse("InvalidParameterException", "this AuthFlow is not offered");
        }
    };
    let user = match user {
        Ok(Some(user)) => user,
        Ok(None) => {
            app.metrics.refused_sign_in(if refresh { "token" } else { "password" });
            tracing::warn!(target: "raito_cloud::sign_in", %client, refresh, "a sign-in was refused");
            let message =
                if refresh { "Refresh Token has expired" } else { "Incorrect username or password." };
            return refuse("NotAuthorizedException", message);
        }
        Err(error) => {
            app.sign_ins.give_back(client);
            return failed(&error);
        }
    };
    app.sign_ins.give_back(client);
    match grant(&app, &user, refresh).await {
        Ok(result) => {
            answer(StatusCode::OK, &json!({ "AuthenticationResult": result, "ChallengeParameters": {} }))
        }
        Err(error) => failed(&error),
    }
}

/// A refresh token stays the one that it is.
async fn grant(app: &App, user: &str, refresh: bool) -> Result<Value, sqlx::Error> {
    let id_token = tokens::issue(&app.store, user, TokenKind::Id).await?;
    let mut result = json!({
        "AccessToken": id_token,
        "IdToken": id_token,
        "ExpiresIn": tokens::ID_TOKEN_SECONDS,
        "TokenType": "Bearer",
    });
    if !refresh {
        result["RefreshToken"] = tokens::issue(&app.store, user, TokenKind::Refresh).await?.into();
    }
    Ok(result)
}

fn refuse(kind: &str, message: &str) -> Response {
    answer(StatusCode::BAD_REQUEST, &json!({ "__type": kind, "message": message }))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"))];
    (status, kind, body.to_string()).into_response()
}
