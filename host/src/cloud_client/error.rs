//! What can go wrong between here and the cloud.

use std::error::Error;

use thiserror::Error as ThisError;

/// The most of an answer's text that goes into an error.
const EXCERPT: usize = 300;

/// A call that did not work. `what` says what it was for.
#[derive(Debug, Clone, ThisError, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloudError {
    /// The client cannot be set up.
    #[error("cannot set up the connection to Raito Cloud: {reason}")]
    Setup {
        /// Why not.
        reason: String,
    },
    /// The identity provider refused the user or the password, or wants more than these.
    #[error("sign-in failed for {user}: {reason}")]
    SignIn {
        /// The API user.
        user: String,
        /// The name of the refusal, such as `NotAuthorizedException`.
        kind: String,
        /// Its text.
        reason: String,
    },
    /// There is nobody to sign in as, or no organisation.
    #[error("cannot sign in: {missing} is missing")]
    NoCredentials {
        /// What is missing.
        missing: &'static str,
    },
    /// No connection, or one that broke.
    #[error("cannot reach {host} for {what}: {reason}")]
    Unreachable {
        /// What the call was for.
        what: &'static str,
        /// The host and port.
        host: String,
        /// What happened.
        reason: String,
    },
    /// An HTTP status that is no success.
    #[error("{what} was answered with HTTP status {status}{}{body}", if body.is_empty() { "" } else { ": " })]
    Status {
        /// What the call was for.
        what: &'static str,
        /// The status.
        status: u16,
        /// The beginning of the answer's text.
        body: String,
    },
    /// The API took the request and answered with errors.
    #[error("{what} was refused: {}", messages.join("; "))]
    Graphql {
        /// What the call was for.
        what: &'static str,
        /// All messages.
        messages: Vec<String>,
    },
    /// The user lacks a permission.
    #[error("{what} was refused: {reason}")]
    Denied {
        /// What the call was for.
        what: &'static str,
        /// What the cloud says.
        reason: String,
    },
    /// An answer that makes no sense.
    #[error("{what} was answered with something unexpected: {reason}")]
    BadAnswer {
        /// What the call was for.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// What would be sent makes no sense.
    #[error("{what} cannot be sent: {reason}")]
    Invalid {
        /// What the call was for.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A file could not be read or written here.
    #[error("cannot {action} {path}: {reason}")]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: String,
        /// Why not.
        reason: String,
    },
    /// An upload failed three times.
    #[error("upload of {file} failed {attempts} times: {last}")]
    Upload {
        /// The file.
        file: String,
        /// How often it was tried.
        attempts: usize,
        /// The last failure.
        last: Box<Self>,
    },
    /// The cloud's part of a job failed.
    #[error("Raito Cloud could not process the data: {}", errors.join("; "))]
    JobFailed {
        /// What the cloud says.
        errors: Vec<String>,
    },
    /// The cloud gave up on a job.
    #[error("Raito Cloud's processing timed out")]
    TimedOut,
    /// The state of a job could not be asked too often.
    #[error("lost track of the processing in Raito Cloud after {failures} failed queries: {last}")]
    LostTrack {
        /// How many queries failed.
        failures: usize,
        /// The last failure.
        last: Box<Self>,
    },
    /// The cloud does not talk to this version.
    #[error("version {version} is not supported by Raito Cloud (supported: {supported})")]
    UnsupportedVersion {
        /// This version.
        version: String,
        /// The versions that are.
        supported: String,
    },
}

impl CloudError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Setup { .. } => "check raito-url-override and the system's certificates",
            Self::SignIn { kind, .. } => match kind.as_str() {
                "NotAuthorizedException" | "UserNotFoundException" => "check api-user, api-secret and domain",
                "PasswordResetRequiredException" | "NEW_PASSWORD_REQUIRED" => {
                    "sign in to the web application once and set a new password for this user"
                }
                "UserNotConfirmedException" => "confirm the user in the web application first",
                "TooManyRequestsException" => "wait a minute and try again",
                "ResourceNotFoundException" => {
                    "check domain, and where the sign-in goes if it is not Raito's own cloud"
                }
                _ => "use a user for the API that signs in with a password alone",
            },
            Self::NoCredentials { .. } => "set domain, api-user and api-secret",
            Self::Unreachable { .. } => "check the network, the proxy settings and raito-url-override",
            Self::Status { status: 401 | 403, .. } | Self::Denied { .. } => {
                "check that the user belongs to the domain and has the Integrator role"
            }
            Self::Status { status: 429, .. } => "too many requests: wait a while and try again",
            Self::Status { status: 404, .. } => "check domain and raito-url-override",
            Self::Status { status: 500.., .. } => "try again later",
            Self::Graphql { .. } => {
                "check the ids of data source and identity store, and the roles of the API user"
            }
            Self::Upload { last, .. } | Self::LostTrack { last, .. } => return last.hint(),
            Self::File { .. } => "check the disk and the permissions",
            Self::TimedOut => "try again; if it stays so, the data may be too large for one import",
            Self::UnsupportedVersion { .. } => "install a supported version",
            Self::Status { .. } | Self::BadAnswer { .. } | Self::Invalid { .. } | Self::JobFailed { .. } => {
                return None;
            }
        })
    }

    /// An error of the HTTP client before there was a status.
    pub(super) fn unreachable(what: &'static str, error: reqwest::Error) -> Self {
        let host = error.url().and_then(|url| {
            let host = url.host_str()?;
            Some(url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
        });
        let host = host.unwrap_or_else(|| "the server".to_owned());
        Self::Unreachable { what, host, reason: text(error) }
    }
}

/// The innermost cause, without the address: its query may be a signature.
pub(super) fn text(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// The beginning of an answer's text, on one line.
pub(super) fn excerpt(body: &str) -> String {
    let line: Vec<&str> = body.split_whitespace().collect();
    let line = line.join(" ");
    match line.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
