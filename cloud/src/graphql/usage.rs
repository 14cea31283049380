//! Usage statements.

use async_graphql::{Context, ID, Object, SimpleObject};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::paging::{Item, PagedResults, Window};
use super::scalars::Time;
use super::{cloud, internal, permit};
use crate::auth::Permission;
use crate::records::Accessed;
use crate::store::sql::Sql;

/// A statement that was run in a data source.
#[derive(SimpleObject)]
pub(crate) struct QueryHistoryStatement {
    id: ID,
    external_id: String,
    /// The user as the source knows it.
    user_name: String,
    /// The user here, if known.
    user_id: Option<ID>,
    role: String,
    success: bool,
    status: String,
    query: String,
    start_time: Option<Time>,
    end_time: Option<Time>,
    bytes: Option<i64>,
    rows: Option<i64>,
    credits: Option<f64>,
    error: String,
    data_objects: Vec<QueryHistoryDataObject>,
}

/// A data object that a statement used.
#[derive(SimpleObject)]
pub(crate) struct QueryHistoryDataObject {
    full_name: String,
    #[graphql(name = "type")]
    object_type: String,
    global_permission: Option<String>,
}

impl QueryHistoryStatement {
    fn read(row: &AnyRow, first: usize) -> Result<Self, sqlx::Error> {
        let accessed: Vec<Accessed> = serde_json::from_str(row.try_get(first + 14)?).unwrap_or_default();
        Ok(Self {
            id: row.try_get::<String, _>(first)?.into(),
            external_id: row.try_get(first + 1)?,
            user_name: row.try_get(first + 2)?,
            user_id: row.try_get::<Option<String>, _>(first + 3)?.map(Into::into),
            role: row.try_get(first + 4)?,
            success: row.try_get::<i64, _>(first + 5)? == 1,
            status: row.try_get(first + 6)?,
            query: row.try_get(first + 7)?,
            start_time: row.try_get::<Option<i64>, _>(first + 8)?.map(Time),
            end_time: row.try_get::<Option<i64>, _>(first + 9)?.map(Time),
            bytes: row.try_get(first + 10)?,
            rows: row.try_get(first + 11)?,
            credits: row.try_get(first + 12)?,
            error: row.try_get(first + 13)?,
            data_objects: accessed
                .into_iter()
                .filter_map(|used| {
                    let object = used.data_object?;
                    Some(QueryHistoryDataObject {
                        full_name: object.full_name,
                        object_type: object.object_type,
                        global_permission: Some(used.global_permission).filter(|word| !word.is_empty()),
                    })
                })
                .collect(),
        })
    }
}

#[derive(Default)]
pub(super) struct UsageQuery;

#[Object]
impl UsageQuery {
    /// The statements that were run in a data source, in the order of their import.
    async fn query_history(
        &self,
        context: &Context<'_>,
        data_source: ID,
        after: Option<String>,
        limit: Option<i32>,
    ) -> async_graphql::Result<PagedResults> {
        if let Err(denied) = permit(context, Permission::ViewUsage)? {
            return Ok(PagedResults::PermissionDenied(denied));
        }
        let mut sql = Sql::new(
            "SELECT o.id, o.external_id, o.user_name, o.user_id, o.role, o.success, o.status, o.query, o.start_time, \
             o.end_time, o.bytes, o.row_count, o.credits, o.error, o.accessed FROM usage_statements o \
             WHERE o.data_source_id = ",
        );
        sql.bind(data_source.as_str()).map_err(internal)?;
        let item = |row: &AnyRow| Ok(Item::QueryHistoryStatement(QueryHistoryStatement::read(row, 1)?));
        let page =
            Window { after, limit, order: None }.page(&cloud(context)?.store, sql, "o.id", item).await?;
        Ok(PagedResults::Page(page))
    }
}
