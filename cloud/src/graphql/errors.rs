//! Refusals that are part of the schema.
//!
//! Inside, an operation ends in a [`Refused`]; [`answer`] makes the member of its result out of it. What has no
//! place in a result, because the field returns its type directly, becomes a GraphQL error.

use async_graphql::{ID, Interface, SimpleObject};

use super::internal;
use crate::auth::Denied;

/// The caller lacks a permission.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct PermissionDeniedError {
    /// For people.
    pub(crate) message: String,
}

/// There is no such thing.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct NotFoundError {
    /// For people.
    pub(crate) message: String,
}

/// The input makes no sense.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct InvalidInputError {
    /// For people.
    pub(crate) message: String,
}

/// An e-mail address makes no sense, or is somebody else's.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct InvalidEmailError {
    /// The address.
    pub(crate) email: String,
    /// For people.
    pub(crate) message: String,
}

/// There is such a thing already.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct AlreadyExistsError {
    /// The one that exists.
    pub(crate) id: ID,
    /// For people.
    pub(crate) message: String,
}

/// What all refusals have.
#[derive(Interface)]
#[graphql(field(name = "message", ty = "&String", desc = "For people."))]
pub(crate) enum BaseError {
    PermissionDenied(PermissionDeniedError),
    NotFound(NotFoundError),
    InvalidInput(InvalidInputError),
    InvalidEmail(InvalidEmailError),
    AlreadyExists(AlreadyExistsError),
}

/// Why an operation was refused.
pub(super) enum Refused {
    Denied(PermissionDeniedError),
    NotFound(NotFoundError),
    Invalid(InvalidInputError),
    /// It failed inside, or cannot be said in a result.
    Failed(async_graphql::Error),
}

impl Refused {
    /// The rules do not allow it, whoever asks.
    pub(super) fn denied(message: impl Into<String>) -> Self {
        Self::Denied(PermissionDeniedError { message: message.into() })
    }

    /// There is no `what` with this id.
    pub(super) fn not_found(what: &str, id: &str) -> Self {
        Self::NotFound(NotFoundError { message: format!("there is no {what} `{id}`") })
    }

    /// The input makes no sense.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(InvalidInputError { message: message.into() })
    }

    /// For fields that return their type directly.
    pub(super) fn into_error(self) -> async_graphql::Error {
        match self {
            Self::Denied(error) => async_graphql::Error::new(error.message),
            Self::NotFound(error) => async_graphql::Error::new(error.message),
            Self::Invalid(error) => async_graphql::Error::new(error.message),
            Self::Failed(error) => error,
        }
    }
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(internal(error))
    }
}

impl From<async_graphql::Error> for Refused {
    fn from(error: async_graphql::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Denied> for Refused {
    fn from(denied: Denied) -> Self {
        Self::denied(denied.to_string())
    }
}

/// The member of a result for what an operation ended in.
pub(super) fn answer<T, R>(done: Result<T, Refused>) -> async_graphql::Result<R>
where
    R: From<T> + From<PermissionDeniedError> + From<NotFoundError> + From<InvalidInputError>,
{
    Ok(match done {
        Ok(value) => value.into(),
        Err(Refused::Denied(error)) => error.into(),
        Err(Refused::NotFound(error)) => error.into(),
        Err(Refused::Invalid(error)) => error.into(),
        Err(Refused::Failed(error)) => return Err(error),
    })
}
