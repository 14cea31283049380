//! Errors: the variants of the contract, with constructors and the conversions that `?` needs.

use crate::{Error, ParameterProblem, RateLimit, SinkError};

/// The result of everything that can fail in a connector.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A parameter of the target has a value that cannot be used.
    pub fn bad_parameter(name: impl Into<String>, message: impl Into<String>) -> Self {
        Error::BadParameter(ParameterProblem { name: name.into(), message: message.into() })
    }

    /// A parameter is missing or empty.
    pub fn missing_parameter(name: impl Into<String>, message: impl Into<String>) -> Self {
        Error::MissingParameter(ParameterProblem { name: name.into(), message: message.into() })
    }

    /// The target system refused the credentials.
    pub fn authentication(message: impl Into<String>) -> Self {
        Error::Authentication(message.into())
    }

    /// The credentials do not allow what has to be done.
    pub fn permission(message: impl Into<String>) -> Self {
        Error::Permission(message.into())
    }

    /// The target system cannot be reached.
    pub fn connection(message: impl Into<String>) -> Self {
        Error::Connection(message.into())
    }

    /// The target system asks to come back later.
    pub fn rate_limited(message: impl Into<String>, retry_after: Option<std::time::Duration>) -> Self {
        Error::RateLimited(RateLimit {
            message: message.into(),
            retry_after_ms: retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        })
    }

    /// The target system, or the connector, does not offer this.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Error::Unsupported(message.into())
    }

    /// Anything else.
    pub fn other(message: impl Into<String>) -> Self {
        Error::Other(message.into())
    }
}

/// The host keeps the refusal itself and reports that; what the connector returns only ends the step.
impl From<SinkError> for Error {
    fn from(error: SinkError) -> Self {
        match error {
            SinkError::InvalidRecord(problem) => Error::Other(format!(
                "record {} (id {:?}) was refused: {}: {}",
                problem.position, problem.id, problem.field, problem.message
            )),
            SinkError::Closed(why) => Error::Other(format!("the step was ended: {why}")),
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NotConnected
            | ErrorKind::TimedOut
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof => Error::Connection(error.to_string()),
            ErrorKind::PermissionDenied => Error::Permission(error.to_string()),
            ErrorKind::Unsupported => Error::Unsupported(error.to_string()),
            _ => Error::Other(error.to_string()),
        }
    }
}
