//! Where command lines listen for triggers, and synchronisations that people ask for.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject, Union};

use super::errors::{InvalidInputError, NotFoundError, PermissionDeniedError};
use super::{cloud, internal, permit};
use crate::auth::Permission;
use crate::triggers::address;
use crate::triggers::event::{LARGEST, SyncTrigger};

/// Where a client listens for triggers.
#[derive(SimpleObject)]
struct CliTriggerUrl {
    /// Empty: there are no triggers.
    url: String,
}

/// The trigger address, or why it was refused.
#[derive(Union)]
enum CliTriggerUrlResult {
    Url(CliTriggerUrl),
    PermissionDenied(PermissionDeniedError),
}

/// What a command line is to synchronise at once, whatever its own configuration leaves out.
#[derive(InputObject)]
struct SyncTriggerInput {
    /// Targets of this data source alone.
    data_source: Option<ID>,
    /// Targets of this identity store alone.
    identity_store: Option<ID>,
    /// Users and groups.
    #[graphql(default)]
    identity_store_sync: bool,
    /// Data objects.
    #[graphql(default)]
    data_source_sync: bool,
    /// Access controls, in both directions.
    #[graphql(default)]
    access_sync: bool,
    /// Usage.
    #[graphql(default)]
    usage_sync: bool,
    /// Resource providers.
    #[graphql(default)]
    resource_provider_sync: bool,
    /// Full name of the data object below which to read data objects; nothing else is then removed.
    data_object_parent: Option<String>,
    /// Names below it that are left out.
    data_object_excludes: Option<Vec<String>>,
}

/// A synchronisation that was asked for.
#[derive(SimpleObject)]
struct SyncTriggerRequest {
    /// The request.
    id: ID,
    /// Whether a command line listens right now. If none does, the request waits a quarter of an hour for one that
    /// listens for the data source; without a data source it ends here.
    listening: bool,
}

/// What became of a request, or why it was refused.
#[derive(Union)]
enum TriggerSyncResult {
    Request(SyncTriggerRequest),
    PermissionDenied(PermissionDeniedError),
    NotFound(NotFoundError),
    InvalidInput(InvalidInputError),
}

#[derive(Default)]
pub(super) struct TriggerQuery;

#[Object]
impl TriggerQuery {
    /// Where to listen for triggers.
    async fn cli_trigger_url(&self, context: &Context<'_>) -> async_graphql::Result<CliTriggerUrlResult> {
        let principal = match permit(context, Permission::Synchronize)? {
            Ok(principal) => principal,
            Err(denied) => return Ok(CliTriggerUrlResult::PermissionDenied(denied)),
        };
        let cloud = cloud(context)?;
        let url =
            address::make(&cloud.store, &cloud.base_url, &cloud.triggers.domain, &principal.user_id).await;
        Ok(CliTriggerUrlResult::Url(CliTriggerUrl { url: url.map_err(internal)? }))
    }
}

#[derive(Default)]
pub(super) struct TriggerMutation;

#[Object]
impl TriggerMutation {
    /// Asks the command lines that listen to synchronise now.
    async fn trigger_sync(
        &self,
        context: &Context<'_>,
        input: SyncTriggerInput,
    ) -> async_graphql::Result<TriggerSyncResult> {
        let principal = match permit(context, Permission::TriggerSync)? {
            Ok(principal) => principal,
            Err(denied) => return Ok(TriggerSyncResult::PermissionDenied(denied)),
        };
        let cloud = cloud(context)?;
        let invalid = |message: &str| {
            Ok(TriggerSyncResult::InvalidInput(InvalidInputError { message: message.to_owned() }))
        };
        for (id, find, what) in [
            (&input.data_source, "SELECT 1 FROM data_sources WHERE id = $1", "data source"),
            (&input.identity_store, "SELECT 1 FROM identity_stores WHERE id = $1", "identity store"),
        ] {
            let Some(id) = id else { continue };
            let found = sqlx::query(find).bind(id.as_str()).fetch_optional(cloud.store.pool()).await;
            if found.map_err(internal)?.is_none() {
                let message = format!("there is no {what} `{}`", id.as_str());
                return Ok(TriggerSyncResult::NotFound(NotFoundError { message }));
            }
        }
        let excludes = input.data_object_excludes.filter(|names| !names.is_empty());
        let trigger = SyncTrigger {
            domain: cloud.triggers.domain.clone(),
            data_source: input.data_source.map(String::from),
            identity_store: input.identity_store.map(String::from),
            identity_store_sync: input.identity_store_sync,
            data_source_sync: input.data_source_sync,
            access_sync: input.access_sync,
            usage_sync: input.usage_sync,
            resource_provider_sync: input.resource_provider_sync,
            data_object_parent: input.data_object_parent.filter(|name| !name.is_empty()),
            data_object_excludes: excludes,
        };
        let steps = [
            trigger.identity_store_sync,
            trigger.data_source_sync,
            trigger.access_sync,
            trigger.usage_sync,
            trigger.resource_provider_sync,
        ];
        if !steps.contains(&true) {
            return invalid(
                "nothing is to be synchronised: set at least one of the members that end in Sync",
            );
        }
        let partial = trigger.data_object_parent.is_some() || trigger.data_object_excludes.is_some();
        if partial && !(trigger.data_source_sync && trigger.data_source.is_some()) {
            return invalid("dataObjectParent and dataObjectExcludes need dataSource and dataSourceSync");
        }
        if trigger.message().len() > LARGEST {
            return invalid("dataObjectExcludes is too long: a command line accepts 32768 bytes in all");
        }
        let (id, listening) = cloud.triggers.request(&trigger, &principal.user_id).await.map_err(internal)?;
        Ok(TriggerSyncResult::Request(SyncTriggerRequest { id: id.into(), listening }))
    }
}
