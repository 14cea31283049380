//! The GraphQL schema.
//!
//! Names are those that the existing clients use; argument types are declared exactly as their documents
//! declare their variables. Operations whose result can be an error in the schema answer refusals there;
//! the others answer them as GraphQL errors. Every resolver of a root field asks [`allow`] or [`permit`].

mod access;
mod access_category;
mod access_change;
mod access_enums;
mod access_filter;
mod access_input;
mod access_lists;
mod access_members;
mod access_objects;
mod access_parts;
mod access_rules;
mod access_write;
mod announced;
mod data_objects;
mod errors;
mod filter_criteria;
mod grant_categories;
mod groups;
mod identities;
mod identity_stores;
mod imports;
mod items;
mod job_history;
mod jobs;
mod loaders;
mod object_filter;
mod paging;
mod role_assignments;
mod roles;
mod scalars;
mod source_changes;
mod sources;
mod tags;
mod triggers;
mod usage;
mod users;

use std::sync::Arc;

use async_graphql::{Context, EmptySubscription, MergedObject, SDLExportOptions, SchemaBuilder};
use tokio::sync::Notify;

use crate::auth::roles::Resource;
use crate::auth::{self, Permission, Principal};
use crate::jobs::sightings::Sightings;
use crate::store::Store;
use crate::triggers::Triggers;
use errors::{BaseError, PermissionDeniedError, Refused};

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
    /// Which jobs were asked about.
    pub(crate) sightings: Sightings,
    /// Where clients reach the server, with a slash at the end.
    pub(crate) base_url: String,
    pub(crate) triggers: Arc<Triggers>,
}

/// Everything that can be asked.
#[derive(MergedObject, Default)]
pub(crate) struct Query(
    access::AccessQuery,
    data_objects::DataObjectQuery,
    grant_categories::GrantCategoryQuery,
    groups::GroupQuery,
    identities::UserQuery,
    identity_stores::IdentityStoreQuery,
    imports::ExportQuery,
    job_history::JobHistoryQuery,
    jobs::JobQuery,
    role_assignments::RoleAssignmentQuery,
    roles::RoleQuery,
    sources::SourceQuery,
    triggers::TriggerQuery,
    usage::UsageQuery,
);

/// Everything that can be changed.
#[derive(MergedObject, Default)]
pub(crate) struct Mutation(
    access_write::AccessMutation,
    grant_categories::GrantCategoryMutation,
    identity_stores::IdentityStoreMutation,
    imports::ImportMutation,
    jobs::JobMutation,
    roles::RoleMutation,
    source_changes::SourceMutation,
    triggers::TriggerMutation,
    users::UserMutation,
);

/// Builds the schema.
pub(crate) fn schema(cloud: Cloud) -> Schema {
    let access_parts = access::collector(&cloud.store);
    builder().data(loaders::loading(cloud.store.clone())).data(access_parts).data(cloud).finish()
}

fn builder() -> SchemaBuilder<Query, Mutation, EmptySubscription> {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .register_output_type::<BaseError>()
        .limit_depth(DEPTH)
        .limit_complexity(COMPLEXITY)
}

/// The schema in the schema definition language, as it is published in `docs/schema/raito-cloud.graphql`.
#[doc(hidden)]
pub fn sdl() -> String {
    builder()
        .finish()
        .sdl_with_options(SDLExportOptions::new().sorted_fields().sorted_arguments().sorted_enum_items())
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

/// The same where the owners of a resource need no role.
async fn permit_on<'c>(
    context: &Context<'c>,
    permission: Permission,
    resource: &Resource,
) -> async_graphql::Result<Result<&'c Principal, PermissionDeniedError>> {
    match demand_on(context, permission, resource).await {
        Ok(principal) => Ok(Ok(principal)),
        Err(Refused::Denied(denied)) => Ok(Err(denied)),
        Err(refused) => Err(refused.into_error()),
    }
}

/// Like [`permit`] for operations that end in a [`Refused`].
fn demand<'c>(context: &Context<'c>, permission: Permission) -> Result<&'c Principal, Refused> {
    let principal = context.data::<Principal>()?;
    auth::authorize(principal, permission)?;
    Ok(principal)
}

/// Like [`permit_on`] for operations that end in a [`Refused`].
async fn demand_on<'c>(
    context: &Context<'c>,
    permission: Permission,
    resource: &Resource,
) -> Result<&'c Principal, Refused> {
    let principal = context.data::<Principal>()?;
    auth::authorize_on(&cloud(context)?.store, principal, permission, resource).await??;
    Ok(principal)
}

/// Keeps what went wrong inside out of the answer, and in the log.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn internal(error: sqlx::Error) -> async_graphql::Error {
    tracing::error!(%error, "a query failed");
    async_graphql::Error::new("the server failed; its log has the cause")
}
