//! Data objects, to read.
//!
//! A list goes through the data sources in question in the order of an index of each, see
//! [`paging`](super::paging); what few objects can satisfy is found first instead, see
//! [`object_filter`](super::object_filter).

use async_graphql::{ComplexObject, Context, ID, InputObject, Object, SimpleObject};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::errors::Refused;
use super::identities::Tag;
use super::loaders::{self, DataSourceId, ParentOf};
use super::object_filter::{DataObjectFilterInput, Selection};
use super::paging::{Item, List, PagedResult, Sort, Window};
use super::role_assignments::{self, RoleAssignmentFilterInput, RoleAssignmentOrderInput, Scope};
use super::sources::DataSource;
use super::{allow, cloud, internal};
use crate::auth::Permission;
use crate::auth::roles::{Resource, ResourceKind};
use crate::store::Store;
use crate::store::sql::Sql;

/// The columns of a data object, `o` in the statement.
pub(super) const COLUMNS: &str = "o.id, o.name, o.full_name, o.type, o.data_type, o.deleted, o.description, \
    o.external_id, o.data_source_id";

/// The start of a statement that selects them.
pub(super) const DATA_OBJECT: &str = "SELECT o.id, o.name, o.full_name, o.type, o.data_type, o.deleted, o.description, \
    o.external_id, o.data_source_id FROM data_objects o WHERE ";

/// A table, a column, a file, …
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub(crate) struct DataObject {
    id: ID,
    name: String,
    full_name: String,
    #[graphql(name = "type")]
    object_type: String,
    data_type: Option<String>,
    deleted: bool,
    description: String,
    external_id: String,
    #[graphql(skip)]
    source: String,
}

#[ComplexObject]
impl DataObject {
    /// Where the object is.
    async fn data_source(&self, context: &Context<'_>) -> async_graphql::Result<Option<DataSource>> {
        loaders::of(context)?.load_one(DataSourceId(self.source.clone())).await
    }

    /// The object that this one is in.
    async fn parent(&self, context: &Context<'_>) -> async_graphql::Result<Option<DataObject>> {
        loaders::of(context)?.load_one(ParentOf(self.id.to_string())).await
    }

    /// The tags of the object itself.
    async fn tags(&self, context: &Context<'_>) -> async_graphql::Result<Vec<Tag>> {
        super::tags::load(loaders::of(context)?, &self.id).await
    }

    /// Who owns the object, also as an owner of what it is in.
    async fn role_assignments(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
        filter: Option<RoleAssignmentFilterInput>,
        order: Option<Vec<RoleAssignmentOrderInput>>,
    ) -> async_graphql::Result<PagedResult> {
        let scope = Scope::On(Resource::new(ResourceKind::DataObject, &self.id));
        role_assignments::page(context, scope, (after, limit), filter, order).await
    }
}

impl DataObject {
    /// Reads a row whose columns start at `first`.
    pub(super) fn read(row: &AnyRow, first: usize) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get::<String, _>(first)?.into(),
            name: row.try_get(first + 1)?,
            full_name: row.try_get(first + 2)?,
            object_type: row.try_get(first + 3)?,
            data_type: row.try_get(first + 4)?,
            deleted: row.try_get::<i64, _>(first + 5)? == 1,
            description: row.try_get(first + 6)?,
            external_id: row.try_get(first + 7)?,
            source: row.try_get(first + 8)?,
        })
    }
}

/// The object of this name. Of several types with one name, the wanted one or any.
pub(super) async fn by_name(
    store: &Store,
    data_source: &str,
    full_name: &str,
    object_type: &str,
) -> Result<Option<DataObject>, sqlx::Error> {
    let mut sql = Sql::new("SELECT ");
    sql.push(COLUMNS).push(" FROM data_objects o WHERE o.data_source_id = ").bind(data_source)?;
    sql.push(" AND o.full_name = ").bind(full_name)?;
    if !object_type.is_empty() {
        sql.push(" AND o.type = ").bind(object_type)?;
    }
    sql.push(" ORDER BY o.deleted, o.id LIMIT 1");
    sql.rows(store.pool()).await?.first().map(|row| DataObject::read(row, 0)).transpose()
}

#[derive(InputObject)]
struct DataObjectOrderByInput {
    name: Option<Sort>,
    full_name: Option<Sort>,
    #[graphql(name = "type")]
    object_type: Option<Sort>,
}

#[derive(Default)]
pub(super) struct DataObjectQuery;

#[Object]
impl DataObjectQuery {
    /// A data object.
    async fn data_object(&self, context: &Context<'_>, id: ID) -> async_graphql::Result<DataObject> {
        allow(context, Permission::ViewData)?;
        let mut sql = Sql::new("SELECT ");
        sql.push(COLUMNS).push(" FROM data_objects o WHERE o.id = ").bind(id.as_str()).map_err(internal)?;
        let rows = sql.rows(cloud(context)?.store.pool()).await.map_err(internal)?;
        match rows.first() {
            Some(row) => DataObject::read(row, 0).map_err(internal),
            None => Err(Refused::not_found("data object", &id).into_error()),
        }
    }

    /// Data objects, by full name unless ordered otherwise; those of given parents by name. The root of a data
    /// source is left out unless asked for.
    async fn data_objects(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
        filter: Option<DataObjectFilterInput>,
        order: Option<Vec<DataObjectOrderByInput>>,
    ) -> async_graphql::Result<PagedResult> {
        let caller = allow(context, Permission::ViewData)?;
        let store = &cloud(context)?.store;
        let filter = filter.unwrap_or_default();
        let selection = Selection::new(store, caller, &filter).await.map_err(Refused::into_error)?;
        let push = |sql: &mut Sql| selection.push(sql);
        let list = List {
            columns: COLUMNS,
            from: "data_objects o",
            scopes: selection.scopes(),
            filter: &push,
            order: if filter.parents.is_some() { "o.name" } else { "o.full_name" },
            candidates: selection.candidates(),
            at_once: false,
        };
        let order = order.into_iter().flatten().find_map(|order| {
            order
                .name
                .map(|sort| ("o.name", sort))
                .or(order.full_name.map(|sort| ("o.full_name", sort)))
                .or(order.object_type.map(|sort| ("o.type", sort)))
        });
        let item = |row: &AnyRow| Ok(Item::DataObject(DataObject::read(row, 1)?));
        let window = Window { after, limit, order };
        if list.scopes.is_empty() {
            return window.page_from(Vec::new());
        }
        window.page_of(store, &list, item).await
    }
}
