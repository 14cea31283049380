//! Data objects.

use async_graphql::{ComplexObject, Context, ID, InputObject, Object, SimpleObject};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::identities::{Tag, tags, texts};
use super::paging::{Item, PagedResult, Sort, Window};
use super::sources::{DataSource, data_source};
use super::{allow, cloud, internal};
use crate::auth::Permission;
use crate::store::Store;
use crate::store::sql::Sql;

pub(super) const DATA_OBJECT: &str = "SELECT o.id, o.name, o.full_name, o.type, o.data_type, o.deleted, o.description, \
    o.external_id, o.data_source_id, o.parent_external_id FROM data_objects o WHERE ";

/// A table, a column, a file, …
#[derive(SimpleObject)]
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
    #[graphql(skip)]
    parent_external_id: String,
}

#[ComplexObject]
impl DataObject {
    /// Where the object is.
    async fn data_source(&self, context: &Context<'_>) -> async_graphql::Result<Option<DataSource>> {
        data_source(&cloud(context)?.store, &self.source).await.map_err(internal)
    }

    /// The object that this one is in.
    async fn parent(&self, context: &Context<'_>) -> async_graphql::Result<Option<DataObject>> {
        let mut sql = Sql::new(DATA_OBJECT);
        sql.push("o.data_source_id = ").bind(self.source.as_str()).map_err(internal)?;
        sql.push(" AND o.external_id = ").bind(self.parent_external_id.as_str()).map_err(internal)?;
        let rows = sql.rows(cloud(context)?.store.pool()).await.map_err(internal)?;
        rows.first().map(|row| DataObject::read(row, 0).map_err(internal)).transpose()
    }

    /// The tags of the object itself.
    async fn tags(&self, context: &Context<'_>) -> async_graphql::Result<Vec<Tag>> {
        tags(&cloud(context)?.store, &self.id).await.map_err(internal)
    }
}

impl DataObject {
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
            parent_external_id: row.try_get(first + 9)?,
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
    let mut sql = Sql::new(DATA_OBJECT);
    sql.push("o.data_source_id = ").bind(data_source)?;
    sql.push(" AND o.full_name = ").bind(full_name)?;
    if !object_type.is_empty() {
        sql.push(" AND o.type = ").bind(object_type)?;
    }
    sql.push(" ORDER BY o.deleted, o.id LIMIT 1");
    sql.rows(store.pool()).await?.first().map(|row| DataObject::read(row, 0)).transpose()
}

#[derive(InputObject)]
pub(super) struct TagFilter {
    pub(super) key: Option<String>,
    pub(super) string_value: Option<String>,
}

#[derive(InputObject, Default)]
struct DataObjectFilterInput {
    data_sources: Option<Vec<ID>>,
    parents: Option<Vec<ID>>,
    types: Option<Vec<String>>,
    full_names: Option<Vec<String>>,
    search: Option<String>,
    include_data_source: Option<bool>,
    include_deleted: Option<bool>,
    data_types: Option<Vec<String>>,
    exclude: Option<Vec<ID>>,
    has_tags: Option<Vec<TagFilter>>,
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
        let mut sql = Sql::new(DATA_OBJECT);
        sql.push("o.id = ").bind(id.as_str()).map_err(internal)?;
        let rows = sql.rows(cloud(context)?.store.pool()).await.map_err(internal)?;
        match rows.first() {
            Some(row) => DataObject::read(row, 0).map_err(internal),
            None => Err(format!("there is no data object `{}`", id.as_str()).into()),
        }
    }

    /// Data objects. The root of a data source is left out unless asked for.
    async fn data_objects(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
        filter: Option<DataObjectFilterInput>,
        order: Option<Vec<DataObjectOrderByInput>>,
    ) -> async_graphql::Result<PagedResult> {
        allow(context, Permission::ViewData)?;
        let sql = filter.unwrap_or_default().sql().map_err(internal)?;
        let order = order.into_iter().flatten().find_map(|order| {
            order
                .name
                .map(|sort| ("o.name", sort))
                .or(order.full_name.map(|sort| ("o.full_name", sort)))
                .or(order.object_type.map(|sort| ("o.type", sort)))
        });
        let item = |row: &AnyRow| Ok(Item::DataObject(DataObject::read(row, 1)?));
        Window { after, limit, order }.page(&cloud(context)?.store, sql, "o.id", item).await
    }
}

impl DataObjectFilterInput {
    fn sql(&self) -> Result<Sql, sqlx::Error> {
        let mut sql = Sql::new(DATA_OBJECT);
        sql.push(if self.include_deleted == Some(true) { "1 = 1" } else { "o.deleted = 0" });
        if self.include_data_source != Some(true) {
            sql.push(" AND o.type <> 'datasource'");
        }
        if let Some(sources) = &self.data_sources {
            sql.push(" AND o.data_source_id IN ").bind_list(&texts(sources))?;
        }
        if let Some(parents) = &self.parents {
            sql.push(
                " AND EXISTS (SELECT 1 FROM data_objects p WHERE p.data_source_id = o.data_source_id \
                 AND p.external_id = o.parent_external_id AND p.id IN ",
            );
            sql.bind_list(&texts(parents))?.push(")");
        }
        for (column, values) in
            [("o.type", &self.types), ("o.full_name", &self.full_names), ("o.data_type", &self.data_types)]
        {
            if let Some(values) = values {
                sql.push(" AND ").push(column).push(" IN ").bind_list(values)?;
            }
        }
        if let Some(exclude) = self.exclude.as_ref().filter(|exclude| !exclude.is_empty()) {
            sql.push(" AND o.id NOT IN ").bind_list(&texts(exclude))?;
        }
        if let Some(text) = &self.search {
            sql.push(" AND ").bind_contains("o.full_name", text)?;
        }
        for tag in self.has_tags.iter().flatten() {
            sql.push(" AND EXISTS (SELECT 1 FROM tags t WHERE t.object_id = o.id");
            for (column, value) in [("t.key", &tag.key), ("t.value", &tag.string_value)] {
                if let Some(value) = value {
                    sql.push(" AND ").push(column).push(" = ").bind(value.as_str())?;
                }
            }
            sql.push(")");
        }
        Ok(sql)
    }
}
