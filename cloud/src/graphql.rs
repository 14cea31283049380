//! The GraphQL schema.
//!
//! Names are those that the existing clients use; argument types are declared exactly as their documents
//! declare their variables. Operations whose result can be an error in the schema answer refusals there;
//! the others answer them as GraphQL errors. Every resolver of a root field asks [`allow`] or [`permit`].

mod access;
mod access_input;
mod access_write;
mod data_objects;
mod errors;
mod filter_criteria;
mod identities;
mod imports;
mod jobs;
mod paging;
mod scalars;
mod sources;
mod usage;

use std::sync::Arc;

use async_graphql::{Context, EmptySubscription, MergedObject};
use tokio::sync::Notify;

use crate::auth::{self, Permission, Principal};
use crate::store::Store;
use errors::{BaseError, PermissionDeniedError};

/// The schema of this server.
pub(crate) type Schema = async_graphql::Schema<Query, Mutation, EmptySubscription>;

/// Deeper documents are refused: who-lists can nest without end.
const DEPTH: usize = 16;

/// Documents that ask for more fields are refused, counted after fragments are put in: the largest of the clients in
/// use have some hundreds, an introspection of the schema about a hundred.
const COMPLEXITY: usize = 2000;

/// What resolvers work with.
pub(crate) struct Cloud {
    pub(crate) store: Store,
    /// Rung when work was queued.
    pub(crate) bell: Arc<Notify>,
    /// Where clients reach the server, with a slash at the end.
    pub(crate) base_url: String,
}

/// Everything that can be asked.
#[derive(MergedObject, Default)]
pub(crate) struct Query(
    access::AccessQuery,
    data_objects::DataObjectQuery,
    identities::IdentityQuery,
    imports::ExportQuery,
    jobs::JobQuery,
    sources::SourceQuery,
    usage::UsageQuery,
);

/// Everything that can be changed.
#[derive(MergedObject, Default)]
pub(crate) struct Mutation(
    access_write::AccessMutation,
    imports::ImportMutation,
    jobs::JobMutation,
    sources::SourceMutation,
);

/// Builds the schema.
pub(crate) fn schema(cloud: Cloud) -> Schema {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .register_output_type::<BaseError>()
        .limit_depth(DEPTH)
        .limit_complexity(COMPLEXITY)
        .data(cloud)
        .finish()
}

fn cloud<'c>(context: &Context<'c>) -> async_graphql::Result<&'c Cloud> {
    context.data::<Cloud>()
}

/// The caller, or a GraphQL error if they lack the permission.
fn allow<'c>(context: &Context<'c>, permission: Permission) -> async_graphql::Result<&'c Principal> {
    let principal = context.data::<Principal>()?;
    auth::authorize(principal, permission)?;
    Ok(principal)
}

/// The same for results that can be an error in the schema.
fn permit<'c>(
    context: &Context<'c>,
    permission: Permission,
) -> async_graphql::Result<Result<&'c Principal, PermissionDeniedError>> {
    let principal = context.data::<Principal>()?;
    Ok(auth::authorize(principal, permission)
        .map(|()| principal)
        .map_err(|denied| PermissionDeniedError { message: denied.to_string() }))
}

/// Keeps what went wrong inside out of the answer, and in the log.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn internal(error: sqlx::Error) -> async_graphql::Error {
    tracing::error!(%error, "a query failed");
    async_graphql::Error::new("the server failed; its log has the cause")
}
