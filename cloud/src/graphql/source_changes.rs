//! Creating, changing and deleting data sources, and linking identity stores to them.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject, Union};
use sqlx::Row;

use super::errors::{InvalidInputError, NotFoundError, PermissionDeniedError, Refused, answer};
use super::identity_stores;
use super::sources::{DataSource, DataSourceResult, DataSourceSyncMethod, require};
use super::{cloud, demand, demand_on};
use crate::auth::Permission;
use crate::auth::roles::{self, Resource, ResourceKind};
use crate::ids::{new_id, now};
use crate::jobs::to_json;
use crate::metadata::Metadata;
use crate::sources;
use crate::store::Connection;

/// Members that are left out or null stay as they are; a parent is taken away by null.
#[derive(InputObject)]
struct DataSourceInput {
    name: Option<String>,
    description: Option<String>,
    parent: MaybeUndefined<ID>,
    sync_method: Option<DataSourceSyncMethod>,
    can_request_access: Option<bool>,
    /// Empty: all types.
    can_request_access_to_types: Option<Vec<String>>,
}

/// A data source is gone.
#[derive(SimpleObject)]
struct DeleteDataSource {
    success: bool,
}

/// A data source is gone, or why not.
#[derive(Union)]
enum DeleteDataSourceResult {
    Done(DeleteDataSource),
    PermissionDenied(PermissionDeniedError),
    NotFound(NotFoundError),
    InvalidInput(InvalidInputError),
}

#[derive(Default)]
pub(super) struct SourceMutation;

#[Object]
impl SourceMutation {
    /// Creates a data source with its native identity store. The caller owns it.
    async fn create_data_source(
        &self,
        context: &Context<'_>,
        input: DataSourceInput,
    ) -> async_graphql::Result<DataSourceResult> {
        answer(create(context, &input).await)
    }

    /// Changes a data source.
    async fn update_data_source(
        &self,
        context: &Context<'_>,
        id: ID,
        input: DataSourceInput,
    ) -> async_graphql::Result<DataSourceResult> {
        answer(update(context, &id, &input).await)
    }

    /// Deletes a data source with everything that was imported into it. Access controls that live nowhere else
    /// are deleted with it.
    async fn delete_data_source(
        &self,
        context: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<DeleteDataSourceResult> {
        answer(delete(context, &id).await.map(|()| DeleteDataSource { success: true }))
    }

    /// Links an identity store, so that its groups can be used in the data source.
    async fn add_identity_store_to_data_source(
        &self,
        context: &Context<'_>,
        ds_id: ID,
        is_id: ID,
    ) -> async_graphql::Result<DataSourceResult> {
        answer(link(context, &ds_id, &is_id, true).await)
    }

    /// Ends the link to an identity store. The native one stays.
    async fn remove_identity_store_from_data_source(
        &self,
        context: &Context<'_>,
        ds_id: ID,
        is_id: ID,
    ) -> async_graphql::Result<DataSourceResult> {
        answer(link(context, &ds_id, &is_id, false).await)
    }

    /// Stores what a connector says about its data source.
    async fn set_data_source_meta_data(
        &self,
        context: &Context<'_>,
        id: ID,
        input: Metadata,
    ) -> async_graphql::Result<DataSourceResult> {
        answer(set_metadata(context, &id, &input).await)
    }
}

fn checked_name(name: &str) -> Result<&str, Refused> {
    let name = name.trim();
    if name.is_empty() { Err(Refused::invalid("name is missing")) } else { Ok(name) }
}

async fn create(context: &Context<'_>, input: &DataSourceInput) -> Result<DataSource, Refused> {
    let caller = demand(context, Permission::ManageDataSources)?;
    let name = checked_name(input.name.as_deref().unwrap_or_default())?;
    let store = &cloud(context)?.store;
    let parent = input.parent.value().map(|parent| parent.as_str());
    if let Some(parent) = parent {
        require(store, parent).await?;
    }
    let mut transaction = store.begin().await?;
    let description = input.description.as_deref().unwrap_or_default();
    let id = new_id();
    sources::create_data_source(&mut transaction, &id, name, description, "", parent).await?;
    write_settings(&mut transaction, &id, input).await?;
    roles::own(&mut transaction, ResourceKind::DataSource, &id, &caller.user_id).await?;
    transaction.commit().await?;
    require(store, &id).await
}

async fn update(context: &Context<'_>, id: &str, input: &DataSourceInput) -> Result<DataSource, Refused> {
    let store = &cloud(context)?.store;
    let resource = manageable(context, id).await?;
    let name = input.name.as_deref().map(checked_name).transpose()?;
    let mut transaction = store.begin().await?;
    if let Some(parent) = input.parent.as_opt_ref() {
        if let Some(parent) = parent {
            require(store, parent).await?;
            refuse_circle(&mut transaction, id, parent).await?;
        }
        sqlx::query("UPDATE data_sources SET parent_id = $2 WHERE id = $1")
            .bind(id)
            .bind(parent.map(|parent| parent.to_string()))
            .execute(&mut *transaction)
            .await?;
    }
    sqlx::query(
        "UPDATE data_sources SET name = COALESCE($2, name), description = COALESCE($3, description), \
         modified_at = $4 WHERE id = $1",
    )
    .bind(&resource.id)
    .bind(name)
    .bind(input.description.clone())
    .bind(now())
    .execute(&mut *transaction)
    .await?;
    write_settings(&mut transaction, id, input).await?;
    transaction.commit().await?;
    require(store, id).await
}

/// The data source if it exists and the caller may change it.
async fn manageable(context: &Context<'_>, id: &str) -> Result<Resource, Refused> {
    demand(context, Permission::ViewData)?;
    require(&cloud(context)?.store, id).await?;
    let resource = Resource::new(ResourceKind::DataSource, id);
    demand_on(context, Permission::ManageDataSources, &resource).await?;
    Ok(resource)
}

async fn write_settings(
    connection: &mut Connection,
    id: &str,
    input: &DataSourceInput,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE data_sources SET sync_method = COALESCE($2, sync_method), \
         can_request_access = COALESCE($3, can_request_access), \
         can_request_types = COALESCE($4, can_request_types) WHERE id = $1",
    )
    .bind(id)
    .bind(input.sync_method.map(DataSourceSyncMethod::word))
    .bind(input.can_request_access.map(i64::from))
    .bind(input.can_request_access_to_types.as_ref().map(to_json))
    .execute(connection)
    .await?;
    Ok(())
}

/// A data source is not a part of itself.
async fn refuse_circle(connection: &mut Connection, id: &str, parent: &str) -> Result<(), Refused> {
    let circle = sqlx::query(
        "WITH RECURSIVE up (id) AS (SELECT $1 UNION SELECT d.parent_id FROM up JOIN data_sources d ON d.id = up.id \
         WHERE d.parent_id IS NOT NULL) SELECT 1 FROM up WHERE id = $2",
    )
    .bind(parent)
    .bind(id)
    .fetch_optional(connection)
    .await?;
    match circle {
        Some(_) => Err(Refused::invalid("parent: a data source cannot be a part of itself")),
        None => Ok(()),
    }
}

async fn delete(context: &Context<'_>, id: &str) -> Result<(), Refused> {
    manageable(context, id).await?;
    let store = &cloud(context)?.store;
    let mut transaction = store.begin().await?;
    let part = sqlx::query("SELECT name FROM data_sources WHERE parent_id = $1 LIMIT 1")
        .bind(id)
        .fetch_optional(&mut *transaction)
        .await?;
    if let Some(part) = part {
        let name: String = part.try_get(0)?;
        return Err(Refused::invalid(format!(
            "the data source `{name}` is a part of it: delete that one first"
        )));
    }
    let native = sqlx::query(
        "SELECT s.id FROM identity_stores s JOIN data_source_identity_stores l ON l.identity_store_id = s.id \
         WHERE l.data_source_id = $1 AND s.native = 1",
    )
    .bind(id)
    .fetch_all(&mut *transaction)
    .await?;
    for row in native {
        let store_id: String = row.try_get(0)?;
        identity_stores::erase(&mut transaction, &store_id).await?;
    }
    sources::delete_data_source(&mut transaction, id).await?;
    transaction.commit().await?;
    Ok(())
}

async fn link(context: &Context<'_>, id: &str, store_id: &str, add: bool) -> Result<DataSource, Refused> {
    manageable(context, id).await?;
    let store = &cloud(context)?.store;
    let found = identity_stores::require(store, store_id).await?;
    let linked = sqlx::query(
        "SELECT 1 FROM data_source_identity_stores WHERE data_source_id = $1 AND identity_store_id = $2",
    )
    .bind(id)
    .bind(store_id)
    .fetch_optional(store.pool())
    .await?
    .is_some();
    if found.is_native() && add != linked {
        return Err(Refused::denied(if add {
            "the native identity store of another data source cannot be linked"
        } else {
            "the native identity store of a data source cannot be removed from it"
        }));
    }
    if add {
        sources::link(store, id, store_id).await?;
    } else {
        sources::unlink(store, id, store_id).await?;
    }
    require(store, id).await
}

async fn set_metadata(context: &Context<'_>, id: &str, input: &Metadata) -> Result<DataSource, Refused> {
    demand(context, Permission::Synchronize)?;
    input.check().map_err(Refused::invalid)?;
    let store = &cloud(context)?.store;
    sqlx::query("UPDATE data_sources SET metadata = $1, type = $2, modified_at = $3 WHERE id = $4")
        .bind(to_json(input))
        .bind(&input.source_type)
        .bind(now())
        .bind(id)
        .execute(store.pool())
        .await?;
    require(store, id).await
}
