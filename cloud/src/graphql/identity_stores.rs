//! Identity stores.
//!
//! A native store belongs to its data source: it is created and deleted with it. Others stand alone, have names
//! of their own, and can be linked to data sources.

use async_graphql::{ComplexObject, Context, ID, InputObject, Object, SimpleObject, Union};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::errors::{
    AlreadyExistsError, InvalidInputError, NotFoundError, PermissionDeniedError, Refused, answer,
};
use super::paging::{Item, PagedResult, PagedResults, Sort, Window};
use super::role_assignments::{
    self, RoleAssignmentFilterInput, RoleAssignmentOrderInput, Scope, push_owned_by,
};
use super::scalars::Time;
use super::{allow, cloud, demand, demand_on, internal, permit};
use crate::auth::Permission;
use crate::auth::roles::{self, Resource, ResourceKind};
use crate::ids::{new_id, now};
use crate::sources;
use crate::store::sql::Sql;
use crate::store::{Connection, Store};

/// The columns of an identity store, `o` in the statement.
pub(super) const COLUMNS: &str =
    "o.id, o.name, o.type, o.description, o.master, o.native, o.created_at, o.modified_at";

/// Users and groups of one place.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub(crate) struct IdentityStore {
    id: ID,
    name: String,
    #[graphql(name = "type")]
    store_type: String,
    description: String,
    /// Whether its groups can be used everywhere.
    master: bool,
    /// Whether it belongs to a data source.
    native: bool,
    created_at: Time,
    modified_at: Time,
}

#[ComplexObject]
impl IdentityStore {
    /// Who owns the store, also as an owner of the data source that it belongs to.
    async fn role_assignments(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
        filter: Option<RoleAssignmentFilterInput>,
        order: Option<Vec<RoleAssignmentOrderInput>>,
    ) -> async_graphql::Result<PagedResult> {
        let scope = Scope::On(Resource::new(ResourceKind::IdentityStore, &self.id));
        role_assignments::page(context, scope, (after, limit), filter, order).await
    }
}

impl IdentityStore {
    /// Reads a row whose columns start at `first`.
    pub(super) fn read(row: &AnyRow, first: usize) -> Result<Self, sqlx::Error> {
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

    /// Whether it belongs to a data source.
    pub(super) fn is_native(&self) -> bool {
        self.native
    }
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

/// An identity store is gone.
#[derive(SimpleObject)]
struct DeleteIdentityStore {
    success: bool,
}

/// An identity store is gone, or why not.
#[derive(Union)]
enum DeleteIdentityStoreResult {
    Done(DeleteIdentityStore),
    PermissionDenied(PermissionDeniedError),
    NotFound(NotFoundError),
    InvalidInput(InvalidInputError),
}

/// Members that are left out or null stay as they are.
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

/// Which identity stores are wanted. Null and absent mean that the condition is not made.
#[derive(InputObject, Default)]
struct IdentityStoreFilterInput {
    /// A part of the name.
    search: Option<String>,
    master: Option<bool>,
    native: Option<bool>,
    can_be_master: Option<bool>,
    can_be_linked: Option<bool>,
    /// Owned by one of these users or groups.
    owners: Option<Vec<ID>>,
}

#[derive(InputObject)]
struct IdentityStoreOrderByInput {
    name: Option<Sort>,
    description: Option<Sort>,
}

/// The identity store with this id, or the refusal.
pub(super) async fn require(store: &Store, id: &str) -> Result<IdentityStore, Refused> {
    let mut sql = Sql::new("SELECT ");
    sql.push(COLUMNS).push(" FROM identity_stores o WHERE o.id = ").bind(id)?;
    match sql.rows(store.pool()).await?.first() {
        Some(row) => Ok(IdentityStore::read(row, 0)?),
        None => Err(Refused::not_found("identity store", id)),
    }
}

async fn find(context: &Context<'_>, id: &str) -> Result<IdentityStore, Refused> {
    demand(context, Permission::ViewData)?;
    require(&cloud(context)?.store, id).await
}

#[derive(Default)]
pub(super) struct IdentityStoreQuery;

#[Object]
impl IdentityStoreQuery {
    /// An identity store.
    async fn identity_store(
        &self,
        context: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<IdentityStoreResult> {
        answer(find(context, &id).await)
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
        let sql = filter.unwrap_or_default().sql(search.as_deref()).map_err(internal)?;
        let order = order.into_iter().flatten().find_map(|order| {
            order.name.map(|sort| ("o.name", sort)).or(order.description.map(|sort| ("o.description", sort)))
        });
        let window = Window { after, limit, order };
        let item = |row: &AnyRow| Ok(Item::IdentityStore(IdentityStore::read(row, 1)?));
        Ok(PagedResults::Page(window.page(&cloud(context)?.store, sql, "o.id", item).await?))
    }
}

impl IdentityStoreFilterInput {
    fn sql(&self, search: Option<&str>) -> Result<Sql, sqlx::Error> {
        let mut sql = Sql::new("SELECT ");
        sql.push(COLUMNS).push(" FROM identity_stores o WHERE 1 = 1");
        for (column, wanted) in [
            ("o.master", self.master),
            ("o.native", self.native),
            ("o.can_be_master", self.can_be_master),
            ("o.can_be_linked", self.can_be_linked),
        ] {
            if let Some(wanted) = wanted {
                sql.push(" AND ").push(column).push(" = ").bind(i64::from(wanted))?;
            }
        }
        if let Some(owners) = &self.owners {
            push_owned_by(&mut sql, ResourceKind::IdentityStore, owners)?;
        }
        for text in [self.search.as_deref(), search].into_iter().flatten() {
            sql.push(" AND ").bind_contains("o.name", text)?;
        }
        Ok(sql)
    }
}

#[derive(Default)]
pub(super) struct IdentityStoreMutation;

#[Object]
impl IdentityStoreMutation {
    /// Creates an identity store. The caller owns it.
    async fn create_identity_store(
        &self,
        context: &Context<'_>,
        input: IdentityStoreInput,
    ) -> async_graphql::Result<IdentityStoreResult> {
        answer(create(context, &input).await)
    }

    /// Changes an identity store.
    async fn update_identity_store(
        &self,
        context: &Context<'_>,
        id: ID,
        input: IdentityStoreInput,
    ) -> async_graphql::Result<IdentityStoreResult> {
        answer(update(context, &id, &input).await)
    }

    /// Deletes an identity store with its accounts and groups. Users stay.
    async fn delete_identity_store(
        &self,
        context: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<DeleteIdentityStoreResult> {
        answer(delete(context, &id).await.map(|()| DeleteIdentityStore { success: true }))
    }

    /// Says whether the groups of a store can be used everywhere.
    async fn update_identity_store_master_flag(
        &self,
        context: &Context<'_>,
        id: ID,
        master: bool,
    ) -> async_graphql::Result<IdentityStoreResult> {
        answer(set_master(context, &id, master).await)
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
        sqlx::query(
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
        require(store, &id).await.map(IdentityStoreResult::IdentityStore).map_err(Refused::into_error)
    }
}

fn checked_name(name: &str) -> Result<&str, Refused> {
    let name = name.trim();
    if name.is_empty() { Err(Refused::invalid("name is missing")) } else { Ok(name) }
}

/// The error for a name that another store has. Native stores are called as their data sources and do not count.
async fn named(
    connection: &mut Connection,
    name: &str,
    id: &str,
) -> Result<Option<IdentityStoreResult>, sqlx::Error> {
    let row = sqlx::query("SELECT id FROM identity_stores WHERE name = $1 AND native = 0 AND id <> $2")
        .bind(name)
        .bind(id)
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let message = format!("there is an identity store `{name}` already");
    let id = row.try_get::<String, _>(0)?.into();
    Ok(Some(IdentityStoreResult::AlreadyExists(AlreadyExistsError { id, message })))
}

async fn create(context: &Context<'_>, input: &IdentityStoreInput) -> Result<IdentityStoreResult, Refused> {
    let caller = demand(context, Permission::ManageIdentityStores)?;
    let name = checked_name(input.name.as_deref().unwrap_or_default())?;
    let store = &cloud(context)?.store;
    let id = new_id();
    let mut transaction = store.begin().await?;
    if let Some(existing) = named(&mut transaction, name, &id).await? {
        return Ok(existing);
    }
    let description = input.description.as_deref().unwrap_or_default();
    sources::create_identity_store(&mut transaction, &id, name, description, "", false).await?;
    roles::own(&mut transaction, ResourceKind::IdentityStore, &id, &caller.user_id).await?;
    transaction.commit().await?;
    require(store, &id).await.map(Into::into)
}

/// The identity store if it exists and the caller may change it.
async fn manageable(context: &Context<'_>, id: &str) -> Result<IdentityStore, Refused> {
    let found = find(context, id).await?;
    let resource = Resource::new(ResourceKind::IdentityStore, id);
    demand_on(context, Permission::ManageIdentityStores, &resource).await?;
    Ok(found)
}

async fn update(
    context: &Context<'_>,
    id: &str,
    input: &IdentityStoreInput,
) -> Result<IdentityStoreResult, Refused> {
    let found = manageable(context, id).await?;
    let store = &cloud(context)?.store;
    let name = input.name.as_deref().map(checked_name).transpose()?;
    let mut transaction = store.begin().await?;
    if let Some(name) = name.filter(|_| !found.native)
        && let Some(existing) = named(&mut transaction, name, id).await?
    {
        return Ok(existing);
    }
    sqlx::query(
        "UPDATE identity_stores SET name = COALESCE($2, name), description = COALESCE($3, description), \
         modified_at = $4 WHERE id = $1",
    )
    .bind(id)
    .bind(name)
    .bind(input.description.clone())
    .bind(now())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    require(store, id).await.map(Into::into)
}

async fn delete(context: &Context<'_>, id: &str) -> Result<(), Refused> {
    let found = manageable(context, id).await?;
    if found.native {
        return Err(Refused::denied("a native identity store is deleted with its data source"));
    }
    let mut transaction = cloud(context)?.store.begin().await?;
    erase(&mut transaction, id).await?;
    transaction.commit().await?;
    Ok(())
}

/// Deletes a store with everything in it.
pub(super) async fn erase(connection: &mut Connection, id: &str) -> Result<(), sqlx::Error> {
    roles::forget_resource(connection, ResourceKind::IdentityStore, id).await?;
    sources::delete_identity_store(connection, id).await
}

async fn set_master(context: &Context<'_>, id: &str, master: bool) -> Result<IdentityStoreResult, Refused> {
    manageable(context, id).await?;
    let store = &cloud(context)?.store;
    sqlx::query("UPDATE identity_stores SET master = $2, modified_at = $3 WHERE id = $1")
        .bind(id)
        .bind(i64::from(master))
        .bind(now())
        .execute(store.pool())
        .await?;
    require(store, id).await.map(Into::into)
}
