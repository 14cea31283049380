//! Writing who-lists.
//!
//! Lists may have very many members: what they refer to is looked up in sets, and rows are written in bulk.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sqlx::Row as _;

use super::access_change::{Editor, Refusal, invalid};
use super::access_enums::AccessWhoItemType;
use super::access_input::WhoItemInput;
use super::scalars::{Duration, Time};
use crate::ids::now;
use crate::store::Connection;
use crate::store::bulk::Bulk;
use crate::store::sql::Sql;

/// How many ids are looked up by one statement.
const LOOKED_UP: usize = 500;

/// A member as it is stored.
pub(super) struct Row<'i> {
    /// user, group, accessProvider, dataSource or recipient
    pub(super) kind: &'static str,
    item: &'i str,
    item_type: AccessWhoItemType,
    expires_at: Option<i64>,
    expires_after: Option<i64>,
    promise_duration: Option<i64>,
}

impl<'i> Row<'i> {
    /// Another access control as a member.
    pub(super) fn link(access_provider: &'i str, expires_at: Option<i64>) -> Self {
        Self {
            kind: "accessProvider",
            item: access_provider,
            item_type: AccessWhoItemType::WhoGrant,
            expires_at,
            expires_after: None,
            promise_duration: None,
        }
    }
}

/// Reads a list; `field` is its name in the input.
pub(super) fn rows<'i>(items: &'i [WhoItemInput], field: &str) -> Result<Vec<Row<'i>>, Refusal> {
    items.iter().enumerate().map(|(index, item)| row(item, &format!("{field}[{index}]"))).collect()
}

fn row<'i>(item: &'i WhoItemInput, place: &str) -> Result<Row<'i>, Refusal> {
    let mut given = [
        ("user", &item.user),
        ("group", &item.group),
        ("accessProvider", &item.access_provider),
        ("dataSource", &item.data_source),
        ("recipient", &item.recipient),
    ]
    .into_iter()
    .filter_map(|(kind, id)| id.as_ref().map(|id| (kind, id.as_str())));
    let (Some((kind, reference)), None) = (given.next(), given.next()) else {
        return invalid(format!(
            "{place}: give exactly one of user, group, accessProvider, dataSource and recipient"
        ));
    };
    let item_type = item.item_type.unwrap_or(AccessWhoItemType::WhoGrant);
    if item.promise_duration.is_some() && item_type == AccessWhoItemType::WhoGrant {
        return invalid(format!("{place}.promiseDuration goes with the type WhoPromise only"));
    }
    let after = item.expires_after.map(|Duration(seconds)| seconds);
    let (expires_at, expires_after) = match (item.expires_at, after) {
        (Some(_), Some(_)) => return invalid(format!("{place}: give either expiresAt or expiresAfter")),
        (Some(Time(moment)), None) => (Some(moment), None),
        (None, Some(seconds)) if seconds <= 0 => {
            return invalid(format!("{place}.expiresAfter is not a positive number of seconds"));
        }
        // The time of a promise runs when it is taken up.
        (None, Some(seconds)) if item_type == AccessWhoItemType::WhoPromise => (None, Some(seconds)),
        (None, Some(seconds)) => (Some(now().saturating_add(seconds.saturating_mul(1000))), Some(seconds)),
        (None, None) => (None, None),
    };
    let promise_duration = item.promise_duration.map(|Duration(seconds)| seconds);
    Ok(Row { kind, item: reference, item_type, expires_at, expires_after, promise_duration })
}

/// Whether users and groups, and whether access controls would be other ones than they are.
pub(super) async fn differences(
    connection: &mut Connection,
    id: &str,
    items: &[WhoItemInput],
) -> Result<[bool; 2], Refusal> {
    let stored =
        sqlx::query("SELECT kind, item, type FROM access_provider_who WHERE access_provider_id = $1")
            .bind(id)
            .fetch_all(connection)
            .await?;
    let mut before: [BTreeSet<(String, String, String)>; 2] = Default::default();
    let mut after = before.clone();
    let part = |kind: &str| usize::from(kind == "accessProvider" || kind == "externalId");
    for row in stored {
        let key: (String, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if let Some(set) = before.get_mut(part(&key.0)) {
            set.insert(key);
        }
    }
    for row in rows(items, "whoItems")? {
        if let Some(set) = after.get_mut(part(row.kind)) {
            set.insert((row.kind.to_owned(), row.item.to_owned(), row.item_type.word().to_owned()));
        }
    }
    let [before_who, before_links] = before;
    let [after_who, after_links] = after;
    Ok([before_who != after_who, before_links != after_links])
}

/// Makes a who-list this one.
pub(super) async fn replace(editor: &mut Editor<'_>, id: &str, rows: &[Row<'_>]) -> Result<(), Refusal> {
    sqlx::query("DELETE FROM access_provider_who WHERE access_provider_id = $1")
        .bind(id)
        .execute(&mut *editor.connection)
        .await?;
    add(editor, id, rows, "whoItems").await?;
    Ok(())
}

/// Adds to a who-list; a member that is there gets the new times. Returns whether anything is different now.
pub(super) async fn add(
    editor: &mut Editor<'_>,
    id: &str,
    rows: &[Row<'_>],
    field: &str,
) -> Result<bool, Refusal> {
    check_known(editor.connection, rows, field).await?;
    let columns = [
        "access_provider_id",
        "kind",
        "item",
        "type",
        "expires_at",
        "expires_after",
        "promise_duration",
        "row_key",
    ];
    let before = fingerprint(editor.connection, id, rows).await?;
    let mut bulk = Bulk::new(
        editor.dialect,
        "access_provider_who",
        &columns,
        "ON CONFLICT (access_provider_id, kind, item, type) DO UPDATE SET expires_at = excluded.expires_at, \
         expires_after = excluded.expires_after, promise_duration = excluded.promise_duration",
    );
    // One statement cannot change a row twice: of equal members the last one counts.
    let mut last: BTreeMap<(&str, &str, &str), &Row<'_>> = BTreeMap::new();
    for row in rows {
        last.insert((row.kind, row.item, row.item_type.word()), row);
    }
    for ((kind, item, item_type), row) in last {
        bulk.value(id)?
            .value(kind)?
            .value(item)?
            .value(item_type)?
            .value(row.expires_at)?
            .value(row.expires_after)?
            .value(row.promise_duration)?
            .value(format!("{kind}/{item}/{item_type}"))?;
        bulk.end_row(editor.connection).await?;
    }
    bulk.flush(editor.connection).await?;
    if rows.iter().any(|row| row.kind == "accessProvider") {
        refuse_circle(editor.connection, id, field).await?;
    }
    Ok(before != fingerprint(editor.connection, id, rows).await?)
}

/// What is stored of one member: enough to tell whether linking changed something.
async fn fingerprint(
    connection: &mut Connection,
    id: &str,
    rows: &[Row<'_>],
) -> Result<Option<Option<i64>>, sqlx::Error> {
    let [row] = rows else { return Ok(None) };
    let stored = sqlx::query(
        "SELECT expires_at FROM access_provider_who WHERE access_provider_id = $1 AND kind = $2 AND item = $3 \
         AND type = $4",
    )
    .bind(id)
    .bind(row.kind)
    .bind(row.item)
    .bind(row.item_type.word())
    .fetch_optional(connection)
    .await?;
    stored.map(|row| row.try_get(0)).transpose()
}

/// Removes members by their ids.
pub(super) async fn remove(connection: &mut Connection, id: &str, items: &[String]) -> Result<(), Refusal> {
    for some in items.chunks(LOOKED_UP) {
        let mut sql = Sql::new("DELETE FROM access_provider_who WHERE access_provider_id = ");
        sql.bind(id)?.push(" AND item IN ").bind_list(some)?;
        sql.rows(&mut *connection).await?;
    }
    Ok(())
}

/// The kinds of members that have these ids.
pub(super) async fn kinds(
    connection: &mut Connection,
    id: &str,
    items: &[String],
) -> Result<Vec<String>, Refusal> {
    let mut kinds = BTreeSet::new();
    for some in items.chunks(LOOKED_UP) {
        let mut sql = Sql::new("SELECT DISTINCT kind FROM access_provider_who WHERE access_provider_id = ");
        sql.bind(id)?.push(" AND item IN ").bind_list(some)?;
        for row in sql.rows(&mut *connection).await? {
            kinds.insert(row.try_get(0)?);
        }
    }
    Ok(kinds.into_iter().collect())
}

async fn check_known(connection: &mut Connection, rows: &[Row<'_>], field: &str) -> Result<(), Refusal> {
    for (kind, look_up) in [
        ("user", "SELECT id FROM users WHERE id IN "),
        ("group", "SELECT id FROM groups WHERE deleted = 0 AND id IN "),
        ("accessProvider", "SELECT id FROM access_providers WHERE state <> 'Deleted' AND id IN "),
        ("dataSource", "SELECT id FROM data_sources WHERE id IN "),
    ] {
        let wanted: Vec<String> =
            rows.iter().filter(|row| row.kind == kind).map(|row| row.item.to_owned()).collect();
        let mut known: HashSet<String> = HashSet::new();
        for some in wanted.chunks(LOOKED_UP) {
            let mut sql = Sql::new(look_up);
            sql.bind_list(some)?;
            for row in sql.rows(&mut *connection).await? {
                known.insert(row.try_get(0)?);
            }
        }
        let lost = rows.iter().position(|row| row.kind == kind && !known.contains(row.item));
        if let Some((index, row)) = lost.and_then(|index| Some((index, rows.get(index)?))) {
            return invalid(format!("{field}[{index}].{kind}: there is no {kind} `{}`", row.item));
        }
    }
    Ok(())
}

/// An access control must not be among its members, however far down.
async fn refuse_circle(connection: &mut Connection, id: &str, field: &str) -> Result<(), Refusal> {
    let circle = sqlx::query(
        "WITH RECURSIVE members (id) AS (SELECT item FROM access_provider_who \
         WHERE access_provider_id = $1 AND kind = 'accessProvider' \
         UNION SELECT w.item FROM members m JOIN access_provider_who w ON w.access_provider_id = m.id \
         AND w.kind = 'accessProvider') SELECT 1 FROM members WHERE id = $2",
    )
    .bind(id)
    .bind(id)
    .fetch_optional(connection)
    .await?;
    if circle.is_some() {
        return invalid(format!("{field}: an access control cannot be a member of itself"));
    }
    Ok(())
}

/// The access controls whose who-lists one is in.
pub(super) async fn holders(connection: &mut Connection, id: &str) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT DISTINCT access_provider_id FROM access_provider_who WHERE kind = 'accessProvider' AND item = $1",
    )
    .bind(id)
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}
