//! An HTTP client over `wasi:http`: one call, one request, one answer.
//!
//! The host sends requests to granted hosts only, resolves the name itself, checks certificates against its own
//! roots and never follows a redirect: an answer of 3xx comes back as it is.
//!
//! ```no_run
//! # fn main() -> raito_connector::Result<()> {
//! use raito_connector::http::{self, Request};
//!
//! let request = Request::get("https://example.okta.com/api/v1/users").body(Vec::new()).expect("a valid request");
//! let users = http::expect_success(http::send(request)?)?.into_body();
//! # Ok(()) }
//! ```
//!
//! For bodies that should not be held in memory use [`wstd`] itself, which this module re-exports.

use std::time::Duration;

pub use wstd;
use wstd::http::{Client, error::ErrorCode};
pub use wstd::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};

use crate::{Error, Result};

/// Time for the connection to stand, and for the first byte of the answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// Sends a request and reads the whole answer, whatever its status.
///
/// # Errors
/// [`Error::Permission`] if the operator has not granted the host, [`Error::Connection`] if it cannot be reached
/// or the answer breaks off.
pub fn send(request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>> {
    let host = request.uri().host().unwrap_or_default().to_owned();
    wstd::runtime::block_on(async {
        let mut client = Client::new();
        client.set_connect_timeout(PATIENCE);
        client.set_first_byte_timeout(PATIENCE);
        let (head, mut body) =
            client.send(request).await.map_err(|error| failure(&host, &error))?.into_parts();
        let body = body.contents().await.map_err(|error| failure(&host, &error))?.to_vec();
        Ok(Response::from_parts(head, body))
    })
}

/// Turns an answer other than 2xx into the error that it means: 401 authentication, 403 permission, 429 rate limit
/// with the `Retry-After` in seconds where there is one.
///
/// # Errors
/// For every status that is no success.
pub fn expect_success(response: Response<Vec<u8>>) -> Result<Response<Vec<u8>>> {
    let status = response.status();
    let message = || format!("the server answered {status}");
    match status {
        _ if status.is_success() => Ok(response),
        StatusCode::UNAUTHORIZED => Err(Error::authentication(message())),
        StatusCode::FORBIDDEN => Err(Error::permission(message())),
        StatusCode::TOO_MANY_REQUESTS => {
            let wait = response
                .headers()
                .get("retry-after")
                .and_then(|value| value.to_str().ok()?.trim().parse().ok());
            Err(Error::rate_limited(message(), wait.map(Duration::from_secs)))
        }
        _ if status.is_server_error() => Err(Error::connection(message())),
        _ => Err(Error::other(message())),
    }
}

fn failure(host: &str, error: &wstd::http::Error) -> Error {
    match error.downcast_ref::<ErrorCode>() {
        Some(ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited) => {
            Error::permission(format!("{host}: the sandbox does not allow it"))
        }
        Some(code) => Error::connection(format!("{host}: {code}")),
        None => Error::other(format!("{host}: {error}")),
    }
}
