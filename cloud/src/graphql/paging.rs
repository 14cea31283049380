//! Pages of lists.
//!
//! A list is ordered by one column and then by id; a cursor holds both values of a row, so a page starts
//! where the last one ended whatever was added in between, and costs the same at any depth.
//!
//! A filter that no index answers, such as a search for a part of a name, is tried on the rows in the order of
//! the list, a [`PIECE`] at a time. When that has taken [`PATIENCE`] and the page is not full, the page
//! ends there: its last edge has a cursor and no node, and there is a next page. Clients that follow cursors get
//! every match, and no request takes long, whatever is searched for and however long the list is.

use std::time::{Duration, Instant};

use async_graphql::{Enum, SimpleObject, Union};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::errors::{InvalidInputError, NotFoundError, PermissionDeniedError};
use super::internal;
pub(super) use super::items::Item;
use crate::store::Store;
use crate::store::sql::Sql;

const DEFAULT_LIMIT: i32 = 100;
const LARGEST_LIMIT: i32 = 1000;
/// How many rows of a list are looked at by one statement.
const PIECE: i64 = 4000;
/// The same where the filter does much for each row.
const COSTLY_PIECE: i64 = 500;
/// How many rows are looked at one by one.
const FEW: i64 = 1000;
/// How long a page is looked for. One more piece may come on top.
const PATIENCE: Duration = Duration::from_millis(20);

/// A page of a list.
#[derive(SimpleObject)]
pub(crate) struct PagedResult {
    page_info: Option<PageInfo>,
    edges: Vec<Edge>,
}

/// Where a page is in its list.
#[derive(SimpleObject)]
struct PageInfo {
    has_next_page: Option<bool>,
    start_cursor: Option<String>,
}

/// An element of a page.
#[derive(SimpleObject)]
struct Edge {
    /// Where to go on after this element.
    cursor: Option<String>,
    /// Null at the end of a page that was not filled in time: to be skipped.
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

impl Sort {
    fn word(self) -> &'static str {
        match self {
            Self::Asc => "ASC",
            Self::Desc => "DESC",
        }
    }

    /// The comparisons for what comes after, and for what comes until.
    fn comparisons(self) -> (&'static str, &'static str) {
        match self {
            Self::Asc => (">", "<="),
            Self::Desc => ("<", ">="),
        }
    }
}

/// Which part of a list is wanted.
pub(crate) struct Window {
    pub(crate) after: Option<String>,
    pub(crate) limit: Option<i32>,
    /// The column, and its direction; by id if nothing is wanted.
    pub(crate) order: Option<(&'static str, Sort)>,
}

/// A row's place in a list: the value of the order column, and the id.
#[derive(Clone)]
struct Place {
    key: String,
    id: String,
}

/// Where the rows of a list are.
pub(super) struct List<'l> {
    /// The columns, the id first.
    pub(super) columns: &'static str,
    /// The table `o`, and what is joined to it.
    pub(super) from: &'l str,
    /// Columns that an index leads with, and their values: the list is the union of these, in order. There is
    /// an index of them and the order column, if the table is long.
    pub(super) scopes: Vec<Vec<(&'static str, String)>>,
    /// Appends ` AND …` for each further condition.
    pub(super) filter: &'l (dyn Fn(&mut Sql) -> Result<(), sqlx::Error> + Send + Sync),
    /// The order column of those who do not choose one.
    pub(super) order: &'static str,
    /// The ids of all rows that can be meant, if they are known and few, see [`few`].
    pub(super) candidates: Option<Vec<String>>,
    /// The filter does much for each row: pieces are smaller.
    pub(super) costly: bool,
    /// An index answers the filter: there is no need to go through the list piece by piece.
    pub(super) at_once: bool,
}

/// The ids that a statement selects, if they are so few that the rows are better looked at one by one.
pub(super) async fn few(store: &Store, mut ids: Sql) -> Result<Option<Vec<String>>, sqlx::Error> {
    ids.push(" LIMIT ").bind(FEW + 1)?;
    let rows = ids.rows(store.pool()).await?;
    if count(rows.len()) > FEW {
        return Ok(None);
    }
    rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map(Some)
}

impl Window {
    fn wanted(&self) -> usize {
        usize::try_from(self.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, LARGEST_LIMIT)).unwrap_or(1)
    }

    fn start(&self) -> async_graphql::Result<Option<Place>> {
        let read = |after: &String| {
            read_cursor(after).ok_or_else(|| async_graphql::Error::new("`after` is not a cursor"))
        };
        self.after.as_ref().map(read).transpose()
    }

    /// Ends `sql`, which selects `id_column` first and has a `WHERE`, and runs it. The order column must be
    /// text and not null.
    pub(crate) async fn page(
        self,
        store: &Store,
        mut sql: Sql,
        id_column: &'static str,
        item: impl Fn(&AnyRow) -> Result<Item, sqlx::Error>,
    ) -> async_graphql::Result<PagedResult> {
        let wanted = self.wanted();
        let (column, sort) = self.order.unwrap_or((id_column, Sort::Asc));
        let (after, _) = sort.comparisons();
        let direction = sort.word();
        if let Some(place) = self.start()? {
            push_place(&mut sql, column, id_column, after, &place).map_err(internal)?;
        }
        sql.push(&format!(" ORDER BY {column} {direction}, {id_column} {direction} LIMIT "));
        sql.bind(count(wanted + 1)).map_err(internal)?;
        // The order column travels with each row.
        let rows = sql.with_first_column(column).rows(store.pool()).await.map_err(internal)?;
        let mut page = Page::new(wanted);
        page.add(&rows, &item).map_err(internal)?;
        Ok(page.finish(None))
    }

    /// A page of a list that may be long.
    pub(super) async fn page_of(
        self,
        store: &Store,
        list: &List<'_>,
        item: impl Fn(&AnyRow) -> Result<Item, sqlx::Error>,
    ) -> async_graphql::Result<PagedResult> {
        let begun = Instant::now();
        let order = self.order.unwrap_or((list.order, Sort::Asc));
        let mut after = self.start()?;
        let mut page = Page::new(self.wanted());
        loop {
            let until = if list.at_once || list.candidates.is_some() {
                None
            } else {
                list.bound(store, order, after.as_ref()).await.map_err(internal)?
            };
            let rows = list.rows(store, order, (after.as_ref(), until.as_ref()), page.missing()).await;
            page.add(&rows.map_err(internal)?, &item).map_err(internal)?;
            if page.is_full() {
                return Ok(page.finish(None));
            }
            let Some(until) = until else { return Ok(page.finish(None)) };
            if begun.elapsed() >= PATIENCE {
                return Ok(page.finish(Some(&until)));
            }
            after = Some(until);
        }
    }

    /// A page of a list that is at hand: the order value, the id and the element of each, in no order.
    pub(super) fn page_from(
        self,
        mut elements: Vec<(String, String, Item)>,
    ) -> async_graphql::Result<PagedResult> {
        let sort = self.order.map_or(Sort::Asc, |(_, sort)| sort);
        elements.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        if sort == Sort::Desc {
            elements.reverse();
        }
        if let Some(place) = self.start()? {
            elements.retain(|(key, id, _)| match sort {
                Sort::Asc => (key, id) > (&place.key, &place.id),
                Sort::Desc => (key, id) < (&place.key, &place.id),
            });
        }
        let mut page = Page::new(self.wanted());
        for (key, id, item) in elements {
            page.push(cursor(&key, &id), item);
        }
        Ok(page.finish(None))
    }
}

impl List<'_> {
    /// Where the piece after a place ends; none when the list does.
    async fn bound(
        &self,
        store: &Store,
        order: (&'static str, Sort),
        after: Option<&Place>,
    ) -> Result<Option<Place>, sqlx::Error> {
        let sql = self.statement(order, (after, None), 1, false)?;
        sql.rows(store.pool()).await?.first().map(place).transpose()
    }

    /// The rows between two places that pass the filter, at most `limit` and one more.
    async fn rows(
        &self,
        store: &Store,
        order: (&'static str, Sort),
        range: (Option<&Place>, Option<&Place>),
        limit: usize,
    ) -> Result<Vec<AnyRow>, sqlx::Error> {
        self.statement(order, range, limit + 1, true)?.rows(store.pool()).await
    }

    /// One statement over all scopes, each ordered and limited by itself, so that it can follow its index: the
    /// rows of a range that pass the filter, or the place of the last row of a piece.
    fn statement(
        &self,
        (column, sort): (&'static str, Sort),
        (after, until): (Option<&Place>, Option<&Place>),
        limit: usize,
        rows: bool,
    ) -> Result<Sql, sqlx::Error> {
        let (direction, (after_sign, until_sign)) = (sort.word(), sort.comparisons());
        let several = self.scopes.len() > 1;
        let mut sql = Sql::new(if several { "SELECT * FROM (" } else { "" });
        for (index, scope) in self.scopes.iter().enumerate() {
            if several {
                sql.push(if index == 0 { "SELECT * FROM (" } else { " UNION ALL SELECT * FROM (" });
            }
            sql.push("SELECT ").push(column).push(" AS order_key, ");
            sql.push(if rows { self.columns } else { "o.id" });
            sql.push(" FROM ").push(self.from).push(" WHERE 1 = 1");
            for (name, value) in scope {
                sql.push(" AND ").push(name).push(" = ").bind(value.as_str())?;
            }
            for (place, sign) in [(after, after_sign), (until, until_sign)] {
                if let Some(place) = place {
                    push_place(&mut sql, column, "o.id", sign, place)?;
                }
            }
            if rows {
                if let Some(candidates) = &self.candidates {
                    sql.push(" AND o.id IN ").bind_list(candidates)?;
                }
                (self.filter)(&mut sql)?;
            }
            sql.push(&format!(" ORDER BY {column} {direction}, o.id {direction} LIMIT "));
            sql.bind(count(limit))?;
            if !rows {
                let piece = if self.costly { COSTLY_PIECE } else { PIECE };
                sql.push(" OFFSET ").bind(piece - 1)?;
            }
            if several {
                sql.push(&format!(") AS scope_{index}"));
            }
        }
        if several {
            sql.push(&format!(") AS list ORDER BY 1 {direction}, 2 {direction} LIMIT "))
                .bind(count(limit))?;
        }
        Ok(sql)
    }
}

/// A page that is being filled.
struct Page {
    wanted: usize,
    edges: Vec<Edge>,
    more: bool,
}

impl Page {
    fn new(wanted: usize) -> Self {
        Self { wanted, edges: Vec::new(), more: false }
    }

    fn missing(&self) -> usize {
        self.wanted - self.edges.len()
    }

    /// Whether it is known that there are more elements than wanted.
    fn is_full(&self) -> bool {
        self.more
    }

    fn push(&mut self, cursor: String, item: Item) {
        if self.missing() == 0 {
            self.more = true;
        } else {
            self.edges.push(Edge { cursor: Some(cursor), node: Some(item) });
        }
    }

    /// The first two columns are the order column and the id.
    fn add(
        &mut self,
        rows: &[AnyRow],
        item: &impl Fn(&AnyRow) -> Result<Item, sqlx::Error>,
    ) -> Result<(), sqlx::Error> {
        for row in rows {
            let Place { key, id } = place(row)?;
            self.push(cursor(&key, &id), item(row)?);
        }
        Ok(())
    }

    /// `until`: the list was looked through up to there only.
    fn finish(mut self, until: Option<&Place>) -> PagedResult {
        if let Some(place) = until {
            self.edges.push(Edge { cursor: Some(cursor(&place.key, &place.id)), node: None });
        }
        let start_cursor = self.edges.first().and_then(|edge| edge.cursor.clone());
        let has_next_page = Some(self.more || until.is_some());
        PagedResult { page_info: Some(PageInfo { has_next_page, start_cursor }), edges: self.edges }
    }
}

fn push_place(
    sql: &mut Sql,
    column: &str,
    id_column: &str,
    comparison: &str,
    place: &Place,
) -> Result<(), sqlx::Error> {
    sql.push(&format!(" AND ({column}, {id_column}) {comparison} ("));
    sql.bind(place.key.as_str())?.push(", ").bind(place.id.as_str())?.push(")");
    Ok(())
}

fn place(row: &AnyRow) -> Result<Place, sqlx::Error> {
    Ok(Place { key: row.try_get(0)?, id: row.try_get(1)? })
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn cursor(key: &str, id: &str) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::json!([key, id]).to_string())
}

fn read_cursor(cursor: &str) -> Option<Place> {
    let (key, id): (String, String) = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    // No column has a NUL, and not every engine takes one.
    (!key.contains('\0') && !id.contains('\0')).then_some(Place { key, id })
}
