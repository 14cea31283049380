//! Refusals that are part of the schema.

use async_graphql::{ID, Interface, SimpleObject};

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
    AlreadyExists(AlreadyExistsError),
}
