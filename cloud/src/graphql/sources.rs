//! Data sources and identity stores.

use async_graphql::{ComplexObject, Context, ID, InputObject, Object, SimpleObject, Union};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::errors::{AlreadyExistsError, InvalidInputError, NotFoundError, PermissionDeniedError};
use super::paging::{Item, PagedResults, Sort, Window};
use super::scalars::Time;
use super::{allow, cloud, internal, permit};
use crate::auth::Permission;
use crate::ids::{new_id, now};
use crate::jobs::to_json;
use crate::metadata::Metadata;
use crate::sources;
use crate::store::Store;
use crate::store::sql::Sql;

const DATA_SOURCE: &str = "SELECT o.id, o.name, o.type, o.description, o.parent_id, o.usage_first_used, \
    o.usage_last_used, o.created_at, o.modified_at, o.metadata FROM data_sources o WHERE ";
const IDENTITY_STORE: &str = "SELECT o.id, o.name, o.type, o.description, o.master, o.native, o.created_at, \
    o.modified_at FROM identity_stores o WHERE ";

/// A system with data.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(crate) struct DataSource {
    pub(crate) id: ID,
    name: String,
    #[graphql(name = "type")]
    source_type: String,
    description: String,
    usage_first_used: Option<Time>,
    usage_last_used: Option<Time>,
    created_at: Time,
    modified_at: Time,
    #[graphql(skip)]
    metadata: Option<String>,
    #[graphql(skip)]
    parent: Option<String>,
}

/// The masks of a data source.
#[derive(SimpleObject)]
struct MaskingMetadata {
    default_mask_external_name: Option<String>,
    mask_types: Vec<MaskType>,
}

/// A mask.
#[derive(SimpleObject)]
pub(super) struct MaskType {
    external_id: String,
    display_name: String,
    description: Option<String>,
    data_types: Vec<String>,
}

impl MaskType {
    /// A mask as the connector announced it.
    pub(super) fn of(mask: &crate::metadata::MaskType) -> Self {
        Self {
            external_id: mask.external_id.clone(),
            display_name: mask.display_name.clone(),
            description: Some(mask.description.clone()),
            data_types: mask.data_types.clone(),
        }
    }
}

#[ComplexObject]
impl DataSource {
    /// The native identity store first, then the linked ones.
    async fn identity_stores(&self, context: &Context<'_>) -> async_graphql::Result<Vec<IdentityStore>> {
        let mut sql = Sql::new(IDENTITY_STORE);
        sql.push(
            "o.id IN (SELECT identity_store_id FROM data_source_identity_stores WHERE data_source_id = ",
        );
        sql.bind(self.id.as_str()).map_err(internal)?;
        sql.push(") ORDER BY o.native DESC, o.id");
        let rows = sql.rows(cloud(context)?.store.pool()).await.map_err(internal)?;
        rows.iter().map(|row| IdentityStore::read(row, 0).map_err(internal)).collect()
    }

    /// The data source that this one is part of.
    async fn parent(&self, context: &Context<'_>) -> async_graphql::Result<Option<DataSource>> {
        match &self.parent {
            Some(parent) => data_source(&cloud(context)?.store, parent).await.map_err(internal),
            None => Ok(None),
        }
    }

    /// The masks that the source offers.
    async fn masking_metadata(&self) -> Option<MaskingMetadata> {
        let metadata: Metadata = serde_json::from_str(self.metadata.as_ref()?).ok()?;
        let masking = metadata.masking_metadata?;
        Some(MaskingMetadata {
            default_mask_external_name: Some(masking.default_mask_external_name)
                .filter(|name| !name.is_empty()),
            mask_types: masking.mask_types.iter().map(MaskType::of).collect(),
        })
    }
}

impl DataSource {
    /// Reads a row whose columns start at `first`.
    fn read(row: &AnyRow, first: usize) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get::<String, _>(first)?.into(),
            name: row.try_get(first + 1)?,
            source_type: row.try_get(first + 2)?,
            description: row.try_get(first + 3)?,
            parent: row.try_get(first + 4)?,
            usage_first_used: row.try_get::<Option<i64>, _>(first + 5)?.map(Time),
            usage_last_used: row.try_get::<Option<i64>, _>(first + 6)?.map(Time),
            created_at: Time(row.try_get(first + 7)?),
            modified_at: Time(row.try_get(first + 8)?),
            metadata: row.try_get(first + 9)?,
        })
    }
}

/// Users and groups of one place.
#[derive(SimpleObject)]
pub(crate) struct IdentityStore {
    id: ID,
    name: String,
    #[graphql(name = "type")]
    store_type: String,
    description: String,
    master: bool,
    native: bool,
    created_at: Time,
    modified_at: Time,
}

impl IdentityStore {
    fn read(row: &AnyRow, first: usize) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get::<String, _>(first)?.into(),
            name: row.try_get(first + 1)?,
            store_type: row.try_get(first + 2)?,
            description: row.try_get(first + 3)?,
            master: row.try_get::<i64, _>(first + 4)? == 1,
            native: row.try_get::<i64, _>(first + 5)? == 1,
            created_at: Time(row.try_get(first + 6)?),
            modified_at: Time(row.try_get(first + 7)?),
        })
    }
}

/// A data source, or why there is none.
#[derive(Union)]
pub(super) enum DataSourceResult {
    DataSource(DataSource),
    PermissionDenied(PermissionDeniedError),
    NotFound(NotFoundError),
    InvalidInput(InvalidInputError),
}

/// An identity store, or why there is none.
#[derive(Union)]
pub(super) enum IdentityStoreResult {
    IdentityStore(IdentityStore),
    AlreadyExists(AlreadyExistsError),
    PermissionDenied(PermissionDeniedError),
    NotFound(NotFoundError),
    InvalidInput(InvalidInputError),
}

#[derive(InputObject)]
struct DataSourceInput {
    name: Option<String>,
    description: Option<String>,
    parent: Option<ID>,
}

#[derive(InputObject)]
struct IdentityStoreInput {
    name: Option<String>,
    description: Option<String>,
}

#[derive(InputObject)]
struct IdentityStoreMetaDataInput {
    #[graphql(name = "type", default)]
    store_type: String,
    #[graphql(default)]
    icon: String,
    #[graphql(default)]
    can_be_linked: bool,
    #[graphql(default)]
    can_be_master: bool,
}

#[derive(InputObject, Default)]
struct DataSourceFilterInput {
    types: Option<Vec<String>>,
    search: Option<String>,
    parent: Option<ID>,
}

#[derive(InputObject)]
struct DataSourceOrderByInput {
    name: Option<Sort>,
}

#[derive(InputObject, Default)]
struct IdentityStoreFilterInput {
    search: Option<String>,
    master: Option<bool>,
    native: Option<bool>,
    can_be_master: Option<bool>,
    can_be_linked: Option<bool>,
}

#[derive(InputObject)]
struct IdentityStoreOrderByInput {
    name: Option<Sort>,
    description: Option<Sort>,
}

/// The data source with this id.
pub(super) async fn data_source(store: &Store, id: &str) -> Result<Option<DataSource>, sqlx::Error> {
    let mut sql = Sql::new(DATA_SOURCE);
    sql.push("o.id = ").bind(id)?;
    sql.rows(store.pool()).await?.first().map(|row| DataSource::read(row, 0)).transpose()
}

/// The identity store with this id.
pub(super) async fn identity_store(store: &Store, id: &str) -> Result<Option<IdentityStore>, sqlx::Error> {
    let mut sql = Sql::new(IDENTITY_STORE);
    sql.push("o.id = ").bind(id)?;
    sql.rows(store.pool()).await?.first().map(|row| IdentityStore::read(row, 0)).transpose()
}

async fn data_source_result(store: &Store, id: &str) -> async_graphql::Result<DataSourceResult> {
    Ok(match data_source(store, id).await.map_err(internal)? {
        Some(found) => DataSourceResult::DataSource(found),
        None => {
            DataSourceResult::NotFound(NotFoundError { message: format!("there is no data source `{id}`") })
        }
    })
}

async fn identity_store_result(store: &Store, id: &str) -> async_graphql::Result<IdentityStoreResult> {
    Ok(match identity_store(store, id).await.map_err(internal)? {
        Some(found) => IdentityStoreResult::IdentityStore(found),
        None => IdentityStoreResult::NotFound(NotFoundError {
            message: format!("there is no identity store `{id}`"),
        }),
    })
}

#[derive(Default)]
pub(super) struct SourceQuery;

#[Object]
impl SourceQuery {
    /// A data source.
    async fn data_source(&self, context: &Context<'_>, id: ID) -> async_graphql::Result<DataSourceResult> {
        match permit(context, Permission::ViewData)? {
            Ok(_) => data_source_result(&cloud(context)?.store, &id).await,
            Err(denied) => Ok(DataSourceResult::PermissionDenied(denied)),
        }
    }

    /// All data sources.
    async fn data_sources(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
        #[graphql(default)] filter: Option<DataSourceFilterInput>,
        order: Option<Vec<DataSourceOrderByInput>>,
        search: Option<String>,
    ) -> async_graphql::Result<PagedResults> {
        if let Err(denied) = permit(context, Permission::ViewData)? {
            return Ok(PagedResults::PermissionDenied(denied));
        }
        let filter = filter.unwrap_or_default();
        let mut sql = Sql::new(DATA_SOURCE);
        sql.push("1 = 1");
        if let Some(types) = &filter.types {
            sql.push(" AND o.type IN ").bind_list(types).map_err(internal)?;
        }
        if let Some(parent) = &filter.parent {
            sql.push(" AND o.parent_id = ").bind(parent.as_str()).map_err(internal)?;
        }
        for text in [&filter.search, &search].into_iter().flatten() {
            sql.push(" AND ").bind_contains("o.name", text).map_err(internal)?;
        }
        let order = order.into_iter().flatten().find_map(|order| order.name.map(|sort| ("o.name", sort)));
        let window = Window { after, limit, order };
        let item = |row: &AnyRow| Ok(Item::DataSource(DataSource::read(row, 1)?));
        Ok(PagedResults::Page(window.page(&cloud(context)?.store, sql, "o.id", item).await?))
    }

    /// An identity store.
    async fn identity_store(
        &self,
        context: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<IdentityStoreResult> {
        match permit(context, Permission::ViewData)? {
            Ok(_) => identity_store_result(&cloud(context)?.store, &id).await,
            Err(denied) => Ok(IdentityStoreResult::PermissionDenied(denied)),
        }
    }

    /// All identity stores.
    async fn identity_stores(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
        search: Option<String>,
        filter: Option<IdentityStoreFilterInput>,
        order: Option<Vec<IdentityStoreOrderByInput>>,
    ) -> async_graphql::Result<PagedResults> {
        if let Err(denied) = permit(context, Permission::ViewData)? {
            return Ok(PagedResults::PermissionDenied(denied));
        }
        let filter = filter.unwrap_or_default();
        let mut sql = Sql::new(IDENTITY_STORE);
        sql.push("1 = 1");
        for (column, wanted) in [
            ("o.master", filter.master),
            ("o.native", filter.native),
            ("o.can_be_master", filter.can_be_master),
            ("o.can_be_linked", filter.can_be_linked),
        ] {
            if let Some(wanted) = wanted {
                sql.push(" AND ").push(column).push(" = ").bind(i64::from(wanted)).map_err(internal)?;
            }
        }
        for text in [&filter.search, &search].into_iter().flatten() {
            sql.push(" AND ").bind_contains("o.name", text).map_err(internal)?;
        }
        let order = order.into_iter().flatten().find_map(|order| {
            order.name.map(|sort| ("o.name", sort)).or(order.description.map(|sort| ("o.description", sort)))
        });
        let window = Window { after, limit, order };
        let item = |row: &AnyRow| Ok(Item::IdentityStore(IdentityStore::read(row, 1)?));
        Ok(PagedResults::Page(window.page(&cloud(context)?.store, sql, "o.id", item).await?))
    }
}

#[derive(Default)]
pub(super) struct SourceMutation;

#[Object]
impl SourceMutation {
    /// Creates a data source with its native identity store.
    async fn create_data_source(
        &self,
        context: &Context<'_>,
        input: DataSourceInput,
    ) -> async_graphql::Result<DataSourceResult> {
        if let Err(denied) = permit(context, Permission::ManageDataSources)? {
            return Ok(DataSourceResult::PermissionDenied(denied));
        }
        let Some(name) = input.name.filter(|name| !name.trim().is_empty()) else {
            return Ok(DataSourceResult::InvalidInput(InvalidInputError {
                message: "name is missing".to_owned(),
            }));
        };
        let store = &cloud(context)?.store;
        if let Some(parent) = &input.parent
            && data_source(store, parent).await.map_err(internal)?.is_none()
        {
            let message = format!("there is no data source `{}`", parent.as_str());
            return Ok(DataSourceResult::NotFound(NotFoundError { message }));
        }
        let mut transaction = store.begin().await.map_err(internal)?;
        let description = input.description.unwrap_or_default();
        let parent = input.parent.as_ref().map(|parent| parent.as_str());
        let ids = sources::create_data_source(&mut transaction, &new_id(), &name, &description, "", parent)
            .await
            .map_err(internal)?;
        transaction.commit().await.map_err(internal)?;
        data_source_result(store, &ids.data_source_id).await
    }

    /// Stores what a connector says about its data source.
    async fn set_data_source_meta_data(
        &self,
        context: &Context<'_>,
        id: ID,
        input: Metadata,
    ) -> async_graphql::Result<DataSourceResult> {
        if let Err(denied) = permit(context, Permission::Synchronize)? {
            return Ok(DataSourceResult::PermissionDenied(denied));
        }
        if let Err(message) = input.check() {
            return Ok(DataSourceResult::InvalidInput(InvalidInputError { message }));
        }
        let store = &cloud(context)?.store;
        sqlx::query("UPDATE data_sources SET metadata = $1, type = $2, modified_at = $3 WHERE id = $4")
            .bind(to_json(&input))
            .bind(&input.source_type)
            .bind(now())
            .bind(id.as_str())
            .execute(store.pool())
            .await
            .map_err(internal)?;
        data_source_result(store, &id).await
    }

    /// Creates an identity store.
    async fn create_identity_store(
        &self,
        context: &Context<'_>,
        input: IdentityStoreInput,
    ) -> async_graphql::Result<IdentityStoreResult> {
        if let Err(denied) = permit(context, Permission::ManageIdentityStores)? {
            return Ok(IdentityStoreResult::PermissionDenied(denied));
        }
        let Some(name) = input.name.filter(|name| !name.trim().is_empty()) else {
            return Ok(IdentityStoreResult::InvalidInput(InvalidInputError {
                message: "name is missing".to_owned(),
            }));
        };
        let store = &cloud(context)?.store;
        let mut transaction = store.begin().await.map_err(internal)?;
        let existing = sqlx::query("SELECT id FROM identity_stores WHERE name = $1 AND native = 0")
            .bind(&name)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(internal)?;
        if let Some(row) = existing {
            let id: String = row.try_get(0).map_err(internal)?;
            let message = format!("there is an identity store `{name}` already");
            return Ok(IdentityStoreResult::AlreadyExists(AlreadyExistsError { id: id.into(), message }));
        }
        let id = new_id();
        let description = input.description.unwrap_or_default();
        sources::create_identity_store(&mut transaction, &id, &name, &description, "", false)
            .await
            .map_err(internal)?;
        transaction.commit().await.map_err(internal)?;
        identity_store_result(store, &id).await
    }

    /// Stores what a connector says about its identity store.
    async fn set_identity_store_meta_data(
        &self,
        context: &Context<'_>,
        id: String,
        input: IdentityStoreMetaDataInput,
    ) -> async_graphql::Result<IdentityStoreResult> {
        // Clients look at errors only, not into the result.
        allow(context, Permission::Synchronize)?;
        let store = &cloud(context)?.store;
        let done = sqlx::query(
            "UPDATE identity_stores SET type = $1, icon = $2, can_be_linked = $3, can_be_master = $4, modified_at = $5 \
             WHERE id = $6",
        )
        .bind(input.store_type)
        .bind(input.icon)
        .bind(i64::from(input.can_be_linked))
        .bind(i64::from(input.can_be_master))
        .bind(now())
        .bind(&id)
        .execute(store.pool())
        .await
        .map_err(internal)?;
        if done.rows_affected() == 0 {
            return Err(format!("there is no identity store `{id}`").into());
        }
        identity_store_result(store, &id).await
    }
}
