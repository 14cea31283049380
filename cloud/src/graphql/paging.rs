//! Pages of lists.
//!
//! A list is ordered by one column and then by id; a cursor holds both values of a row, so a page starts
//! where the last one ended whatever was added in between, and costs the same at any depth.

use async_graphql::{Enum, SimpleObject, Union};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::access::{AccessProvider, AccessWhatAccessProviderItem, AccessWhatItem, AccessWhoItem};
use super::data_objects::DataObject;
use super::errors::{InvalidInputError, NotFoundError, PermissionDeniedError};
use super::identities::{Group, User};
use super::internal;
use super::sources::{DataSource, IdentityStore};
use super::usage::QueryHistoryStatement;
use crate::store::Store;
use crate::store::sql::Sql;

const DEFAULT_LIMIT: i32 = 100;
const LARGEST_LIMIT: i32 = 1000;

/// What can be in a page.
#[derive(Union)]
#[graphql(name = "Item")]
pub(crate) enum Item {
    AccessProvider(AccessProvider),
    AccessWhatAccessProviderItem(AccessWhatAccessProviderItem),
    AccessWhatItem(AccessWhatItem),
    AccessWhoItem(AccessWhoItem),
    DataObject(DataObject),
    DataSource(DataSource),
    Group(Group),
    IdentityStore(IdentityStore),
    QueryHistoryStatement(QueryHistoryStatement),
    User(User),
}

/// A page of a list.
#[derive(SimpleObject)]
pub(crate) struct PagedResult {
    page_info: PageInfo,
    edges: Vec<Edge>,
}

/// Where a page is in its list.
#[derive(SimpleObject)]
struct PageInfo {
    has_next_page: bool,
    start_cursor: Option<String>,
}

/// An element of a page.
#[derive(SimpleObject)]
struct Edge {
    cursor: Option<String>,
    node: Option<Item>,
}

/// A page, or why there is none.
#[derive(Union)]
pub(crate) enum PagedResults {
    Page(PagedResult),
    PermissionDenied(PermissionDeniedError),
    NotFound(NotFoundError),
    InvalidInput(InvalidInputError),
}

/// Direction of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(rename_items = "lowercase")]
pub(crate) enum Sort {
    /// Ascending.
    Asc,
    /// Descending.
    Desc,
}

/// Which part of a list is wanted.
pub(crate) struct Window {
    pub(crate) after: Option<String>,
    pub(crate) limit: Option<i32>,
    /// The column, and its direction; by id if nothing is wanted.
    pub(crate) order: Option<(&'static str, Sort)>,
}

impl Window {
    /// Ends `sql`, which selects `id_column` first and has a `WHERE`, and runs it. The order column must be
    /// text and not null.
    pub(crate) async fn page(
        self,
        store: &Store,
        mut sql: Sql,
        id_column: &'static str,
        item: impl Fn(&AnyRow) -> Result<Item, sqlx::Error>,
    ) -> async_graphql::Result<PagedResult> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, LARGEST_LIMIT);
        let (column, sort) = self.order.unwrap_or((id_column, Sort::Asc));
        let (comparison, direction) = match sort {
            Sort::Asc => (">", "ASC"),
            Sort::Desc => ("<", "DESC"),
        };
        if let Some(after) = &self.after {
            let (key, id) =
                read_cursor(after).ok_or_else(|| async_graphql::Error::new("`after` is not a cursor"))?;
            sql.push(&format!(" AND ({column}, {id_column}) {comparison} ("));
            sql.bind(key).and_then(|sql| sql.push(", ").bind(id)).map_err(internal)?;
            sql.push(")");
        }
        sql.push(&format!(" ORDER BY {column} {direction}, {id_column} {direction} LIMIT "));
        sql.bind(i64::from(limit) + 1).map_err(internal)?;
        // The order column travels with each row.
        let sql = sql.with_first_column(column);
        let rows = sql.rows(store.pool()).await.map_err(internal)?;
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_next_page = rows.len() > wanted;
        let mut edges = Vec::with_capacity(rows.len().min(wanted));
        for row in rows.iter().take(wanted) {
            let cursor = cursor(row).map_err(internal)?;
            edges.push(Edge { cursor: Some(cursor), node: Some(item(row).map_err(internal)?) });
        }
        let start_cursor = edges.first().and_then(|edge| edge.cursor.clone());
        Ok(PagedResult { page_info: PageInfo { has_next_page, start_cursor }, edges })
    }
}

/// The first two columns are the order column and the id.
fn cursor(row: &AnyRow) -> Result<String, sqlx::Error> {
    let (key, id): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    Ok(URL_SAFE_NO_PAD.encode(serde_json::json!([key, id]).to_string()))
}

fn read_cursor(cursor: &str) -> Option<(String, String)> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}
