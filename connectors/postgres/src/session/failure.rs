//! What the server's errors mean: SQLSTATE to the variants of the contract.

use std::fmt;
use std::io;

use raito_connector::Error;
use tokio_postgres::error::{DbError, SqlState};

use crate::settings::{Settings, TlsMode};

/// A statement that did not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    state: Option<SqlState>,
    message: String,
    broken: bool,
}

impl Failure {
    /// The connection cannot be used any more.
    pub(super) fn broken(error: &io::Error) -> Self {
        Failure { state: None, message: error.to_string(), broken: true }
    }

    /// What the server answered.
    pub(super) fn of_answer(answer: &DbError) -> Self {
        let message = match answer.detail() {
            Some(detail) => format!("{}: {}", answer.message(), detail.replace('\n', "; ")),
            None => answer.message().to_owned(),
        };
        Failure { state: Some(answer.code().clone()), message, broken: false }
    }

    /// Whether the connection is gone, so that no further statement can succeed on it.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Whether the server answered with this SQLSTATE.
    pub(crate) fn is(&self, state: &SqlState) -> bool {
        self.state.as_ref() == Some(state)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        match &self.state {
            Some(state) => write!(formatter, " (SQLSTATE {})", state.code()),
            None => Ok(()),
        }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let answer = error.as_db_error().map(Failure::of_answer);
        // Without an answer of the server it is the connection that failed, or the server that ended it.
        let broken = error.is_closed()
            || error.as_db_error().is_none() && caused_by_io(&error)
            || error.code().is_some_and(|state| state.code().starts_with("57P"));
        match answer {
            Some(answer) => Failure { broken, ..answer },
            None => Failure { state: error.code().cloned(), message: with_causes(&error), broken },
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let message = failure.to_string();
        match &failure.state {
            Some(state) if *state == SqlState::INSUFFICIENT_PRIVILEGE => Error::permission(message),
            _ if failure.broken => Error::connection(message),
            _ => Error::other(message),
        }
    }
}

/// What it means that no session could be opened.
pub(super) fn of_connecting(error: &tokio_postgres::Error, settings: &Settings, database: &str) -> Error {
    let Some(refusal) = error.as_db_error() else {
        if settings.password.is_none() && with_causes(error).contains("password missing") {
            return Error::missing_parameter("pg-password", "the server asks for a password");
        }
        let mut message = format!("{}:{}: {}", settings.host, settings.port, with_causes(error));
        if settings.tls == TlsMode::VerifyFull && message.contains("does not support TLS") {
            message.push_str("; `pg-tls-mode: disable` connects without it");
        }
        return Error::connection(message);
    };
    let state = refusal.code();
    let message = format!("{} (SQLSTATE {})", refusal.message(), state.code());
    if *state == SqlState::INVALID_CATALOG_NAME {
        let parameter = if database == settings.database { "pg-database" } else { "pg-databases" };
        return Error::bad_parameter(parameter, message);
    }
    match state.code().get(..2) {
        Some("28") => Error::authentication(message),
        Some("42") => Error::permission(message),
        _ => Error::connection(message),
    }
}

fn caused_by_io(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<io::Error>)
}

fn with_causes(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}
