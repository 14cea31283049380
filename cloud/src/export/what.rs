//! What an access provider is for, unpacked into permissions of the source.
//!
//! Read, write and admin on a data object stand for the permissions of its own type that carry that word,
//! and for those of every data object below it, by its type. A permission is left out below a parent whose
//! type has a permission of the same name for the same word: it includes the child already, as `SELECT` on a
//! table includes the columns. Permissions that cannot be granted, and deleted data objects, are left out.
//!
//! A word on a high object may stand for very many permissions. Words are unpacked into a temporary table, one
//! access provider at a time, and go from there into the file row by row, ordered by full name, type and
//! permission. What is remembered of an export is what was granted, and a fingerprint of what it was unpacked to.
//! The removals are therefore found by unpacking what was granted before on the data objects that were there when
//! it was applied, also those that have gone since.

use std::collections::BTreeSet;
use std::io::Write;

use futures::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Row};

use super::document::{Entry, WhatEntry};
use super::session::Session;
use crate::ids::now;
use crate::import::WorkError;
use crate::import::staging::{ContentHash, create};
use crate::records::DataObjectReference;
use crate::rules::WhatRule;
use crate::store::bulk::Bulk;
use crate::store::sql::Sql;

/// The tables of this module.
pub(super) const TABLES: &[&str] = &["export_words", "export_grants", "export_items"];

/// How many words that stand for nothing are shown for one access provider.
const SHOWN: i64 = 20;

/// Creates the tables, and fills in what words stand for.
pub(super) async fn prepare(session: &mut Session<'_>) -> Result<(), sqlx::Error> {
    let connection = &mut session.connection;
    // Which permission on a type of data objects carries which word.
    create(
        connection,
        "export_words",
        "type TEXT NOT NULL, word TEXT NOT NULL, permission TEXT NOT NULL, PRIMARY KEY (type, word, permission)",
    )
    .await?;
    // What was granted: side 0 is wanted now, side 1 was applied before. In `permission`, a word if `global` is 1.
    create(
        connection,
        "export_grants",
        "ap TEXT NOT NULL, side BIGINT NOT NULL, full_name TEXT NOT NULL, type TEXT NOT NULL, \
         permission TEXT NOT NULL, global BIGINT NOT NULL, PRIMARY KEY (ap, side, full_name, type, permission, global)",
    )
    .await?;
    // What that is unpacked to. A data object without any permission has a row with an empty one.
    create(
        connection,
        "export_items",
        "ap TEXT NOT NULL, side BIGINT NOT NULL, full_name TEXT NOT NULL, type TEXT NOT NULL, \
         permission TEXT NOT NULL, PRIMARY KEY (ap, side, full_name, type, permission)",
    )
    .await?;
    let columns = ["type", "word", "permission"];
    let mut words = Bulk::new(session.store.dialect(), "export_words", &columns, "ON CONFLICT DO NOTHING");
    if let Some(metadata) = &session.metadata {
        for (object_type, word, permission) in metadata.global_meanings() {
            words.value(object_type)?.value(word.to_uppercase())?.value(permission)?;
            words.end_row(&mut session.connection).await?;
        }
    }
    words.flush(&mut session.connection).await
}

/// Reads what the page is for, and was for when it was applied.
pub(super) async fn load(session: &mut Session<'_>) -> Result<(), sqlx::Error> {
    session.execute("DELETE FROM export_grants".to_owned()).await?;
    session.execute("DELETE FROM export_items".to_owned()).await?;
    load_lists(session).await?;
    load_rules(session).await?;
    session
        .run(
            "INSERT INTO export_grants (ap, side, full_name, type, permission, global) \
             SELECT s.access_provider_id, 1, s.full_name, s.type, s.permission, s.global FROM export_page p \
             JOIN access_snapshot_what s ON s.data_source_id = $1 AND s.access_provider_id = p.id \
             AND s.side = 'applied'"
                .to_owned(),
        )
        .await?;
    session
        .execute(
            "UPDATE export_page SET words = 1 WHERE EXISTS (SELECT 1 FROM export_grants g \
             WHERE g.ap = export_page.id AND g.global = 1)"
                .to_owned(),
        )
        .await?;
    session
        .execute(
            "INSERT INTO export_items (ap, side, full_name, type, permission) \
             SELECT g.ap, g.side, g.full_name, g.type, g.permission FROM export_grants g \
             JOIN export_page p ON p.id = g.ap WHERE g.global = 0 AND p.words = 0"
                .to_owned(),
        )
        .await
}

/// The lists that were given. The permissions are JSON, which the database does not read.
async fn load_lists(session: &mut Session<'_>) -> Result<(), sqlx::Error> {
    let rows = sqlx::query("SELECT id FROM export_page WHERE gone = 0 ORDER BY id")
        .fetch_all(&mut *session.connection)
        .await?;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(()) };
    let (first, last): (String, String) = (first.try_get(0)?, last.try_get(0)?);
    let page: BTreeSet<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let columns = ["ap", "side", "full_name", "type", "permission", "global"];
    let mut grants = Bulk::new(session.store.dialect(), "export_grants", &columns, "ON CONFLICT DO NOTHING");
    let mut rows = sqlx::query(
        "SELECT w.access_provider_id, w.full_name, w.type, w.permissions, w.global_permissions \
         FROM access_provider_what w JOIN access_providers p ON p.id = w.access_provider_id \
         WHERE w.access_provider_id BETWEEN $1 AND $2 AND w.data_source_id = $3 AND p.what_type <> 'Dynamic' \
         AND (w.expires_at IS NULL OR w.expires_at > $4)",
    )
    .bind(first)
    .bind(last)
    .bind(session.data_source)
    .bind(now())
    .fetch(session.store.pool());
    while let Some(row) = rows.try_next().await? {
        let id: String = row.try_get(0)?;
        if !page.contains(&id) {
            continue;
        }
        let (name, kind): (String, String) = (row.try_get(1)?, row.try_get(2)?);
        let words = |index: usize| -> Result<Vec<String>, sqlx::Error> {
            Ok(serde_json::from_str(row.try_get(index)?).unwrap_or_default())
        };
        let (permissions, global) = (words(3)?, words(4)?);
        let nothing = (permissions.is_empty() && global.is_empty()).then(|| (String::new(), 0_i64));
        let all = permissions.into_iter().map(|permission| (permission, 0));
        let all = all.chain(global.into_iter().map(|word| (word.to_uppercase(), 1))).chain(nothing);
        for (permission, global) in all {
            grants
                .value(id.as_str())?
                .value(0_i64)?
                .value(name.as_str())?
                .value(kind.as_str())?
                .value(permission)?
                .value(global)?;
            grants.end_row(&mut session.connection).await?;
        }
    }
    drop(rows);
    grants.flush(&mut session.connection).await
}

/// The data objects that rules find.
async fn load_rules(session: &mut Session<'_>) -> Result<(), sqlx::Error> {
    let rows = sqlx::query(
        "SELECT a.id, a.what_rule FROM export_page p JOIN access_providers a ON a.id = p.id \
         WHERE p.gone = 0 AND a.what_type = 'Dynamic' AND a.what_rule IS NOT NULL",
    )
    .fetch_all(&mut *session.connection)
    .await?;
    for row in rows {
        let id: String = row.try_get(0)?;
        let Ok(rule) = serde_json::from_str::<WhatRule>(row.try_get(1)?) else { continue };
        let permissions = rule.permissions.iter().map(|permission| (permission.as_str(), 0_i64));
        let mut all: Vec<(&str, i64)> =
            permissions.chain(rule.global_permissions.iter().map(|word| (word.as_str(), 1))).collect();
        if all.is_empty() {
            all.push(("", 0));
        }
        for (permission, global) in all {
            let mut sql =
                Sql::new("INSERT INTO export_grants (ap, side, full_name, type, permission, global) SELECT ");
            sql.bind(id.as_str())?.push(", 0, o.full_name, o.type, ").bind(permission)?;
            sql.push(if global == 1 { ", 1" } else { ", 0" }).push(" FROM data_objects o WHERE ");
            rule.push(&mut sql, &id)?;
            sql.push(" AND o.data_source_id = ").bind(session.data_source)?.push(" ON CONFLICT DO NOTHING");
            sql.rows(&mut *session.connection).await?;
        }
    }
    Ok(())
}

/// Unpacks the words of one access provider. `UNION` ends also where parents go in a circle.
pub(super) async fn unpack(session: &mut Session<'_>, id: &str) -> Result<(), sqlx::Error> {
    let own = [
        "INSERT INTO export_items (ap, side, full_name, type, permission) \
         SELECT g.ap, g.side, g.full_name, g.type, g.permission FROM export_grants g \
         WHERE g.ap = $1 AND g.global = 0 AND g.permission <> '' ON CONFLICT DO NOTHING",
        "INSERT INTO export_items (ap, side, full_name, type, permission) \
         SELECT g.ap, g.side, g.full_name, g.type, w.permission FROM export_grants g \
         JOIN export_words w ON w.type = g.type AND w.word = g.permission \
         WHERE g.ap = $1 AND g.global = 1 ON CONFLICT DO NOTHING",
        "INSERT INTO export_items (ap, side, full_name, type, permission) \
         SELECT DISTINCT g.ap, g.side, g.full_name, g.type, '' FROM export_grants g WHERE g.ap = $1 \
         AND NOT EXISTS (SELECT 1 FROM export_items i WHERE i.ap = g.ap AND i.side = g.side \
         AND i.full_name = g.full_name AND i.type = g.type) ON CONFLICT DO NOTHING",
    ];
    for statement in own {
        sqlx::query(statement).bind(id).execute(&mut *session.connection).await?;
    }
    // Side 1 sees the objects that were there when it was applied.
    let alive = |object: &str, side: &str, applied_at: &str| {
        format!("({object}.deleted = 0 OR ({side} = 1 AND {object}.deleted_at > {applied_at}))")
    };
    let below = format!(
        "INSERT INTO export_items (ap, side, full_name, type, permission) \
         WITH RECURSIVE below (side, word, applied_at, external_id, full_name, type, parent_type) AS (\
         SELECT g.side, g.permission, p.applied_at, c.external_id, c.full_name, c.type, o.type FROM export_grants g \
         JOIN export_page p ON p.id = g.ap JOIN data_objects o ON o.data_source_id = $1 AND o.full_name = g.full_name \
         AND o.type = g.type JOIN data_objects c ON c.data_source_id = $1 AND c.parent_external_id = o.external_id \
         WHERE g.ap = $2 AND g.global = 1 AND {} AND {} \
         UNION SELECT b.side, b.word, b.applied_at, c.external_id, c.full_name, c.type, b.type FROM below b \
         JOIN data_objects c ON c.data_source_id = $1 AND c.parent_external_id = b.external_id WHERE {}) \
         SELECT $2, b.side, b.full_name, b.type, w.permission FROM below b JOIN export_words w \
         ON w.type = b.type AND w.word = b.word WHERE NOT EXISTS (SELECT 1 FROM export_words v \
         WHERE v.type = b.parent_type AND v.word = w.word AND v.permission = w.permission) ON CONFLICT DO NOTHING",
        alive("o", "g.side", "p.applied_at"),
        alive("c", "g.side", "p.applied_at"),
        alive("c", "b.side", "b.applied_at"),
    );
    sqlx::query(AssertSqlSafe(below))
        .bind(session.data_source)
        .bind(id)
        .execute(&mut *session.connection)
        .await?;
    Ok(())
}

/// Drops what one access provider was unpacked to.
pub(super) async fn forget(session: &mut Session<'_>, id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM export_items WHERE ap = $1").bind(id).execute(&mut *session.connection).await?;
    Ok(())
}

/// Warnings about words that stand for nothing, neither on their object nor below it.
pub(super) async fn empty_words(
    session: &mut Session<'_>,
    entry: &Entry,
) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT g.permission, g.full_name, g.type FROM export_grants g WHERE g.ap = $1 AND g.side = 0 AND g.global = 1 \
         AND EXISTS (SELECT 1 FROM export_items i WHERE i.ap = g.ap AND i.side = 0 AND i.full_name = g.full_name \
         AND i.type = g.type AND i.permission = '') AND NOT EXISTS (SELECT 1 FROM (\
         WITH RECURSIVE below (external_id, type) AS (\
         SELECT external_id, type FROM data_objects o WHERE o.data_source_id = $2 AND o.full_name = g.full_name \
         AND o.type = g.type AND o.deleted = 0 UNION SELECT c.external_id, c.type FROM below b \
         JOIN data_objects c ON c.data_source_id = $2 AND c.parent_external_id = b.external_id AND c.deleted = 0) \
         SELECT type FROM below) x JOIN export_words w ON w.type = x.type AND w.word = g.permission) LIMIT $3",
    )
    .bind(entry.document.id.as_str())
    .bind(session.data_source)
    .bind(SHOWN)
    .fetch_all(&mut *session.connection)
    .await?;
    rows.iter()
        .map(|row| {
            let word: String = row.try_get(0)?;
            let (full_name, kind): (String, String) = (row.try_get(1)?, row.try_get(2)?);
            let name = &entry.document.name;
            Ok(format!("{name}: {word} stands for no permission on {full_name} of type {kind}, nor below it"))
        })
        .collect()
}

/// Adds what is wanted to the hash, and writes it as a JSON array where there is a file.
pub(super) async fn write_wanted(
    session: &mut Session<'_>,
    entry: &Entry,
    mut hash: ContentHash,
    mut file: Option<&mut impl Write>,
) -> Result<ContentHash, WorkError> {
    let locked = entry.document.what_locked == Some(true);
    let mut list = List::default();
    let mut rows = sqlx::query(
        "SELECT w.full_name, w.type, w.permission FROM export_items w WHERE w.ap = $1 AND w.side = 0 \
         ORDER BY w.full_name, w.type, w.permission",
    )
    .bind(entry.document.id.as_str())
    .fetch(&mut *session.connection);
    while let Some(row) = rows.try_next().await? {
        if !locked {
            for column in 0..3 {
                hash = hash.text(row.try_get(column)?);
            }
        }
        if let Some(file) = file.as_deref_mut() {
            list.add(file, row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)?;
        }
    }
    if let Some(file) = file {
        list.finish(file)?;
    }
    Ok(hash)
}

/// Writes what was applied and is no longer wanted as a JSON array.
pub(super) async fn write_removed(
    session: &mut Session<'_>,
    entry: &Entry,
    file: &mut impl Write,
) -> Result<(), WorkError> {
    let mut list = List::default();
    if entry.document.what_locked != Some(true) {
        let mut rows = sqlx::query(
            "SELECT w.full_name, w.type, w.permission FROM export_items w WHERE w.ap = $1 AND w.side = 1 \
             AND NOT EXISTS (SELECT 1 FROM export_items n WHERE n.ap = w.ap AND n.side = 0 \
             AND n.full_name = w.full_name AND n.type = w.type AND (n.permission = w.permission OR w.permission = '')) \
             ORDER BY w.full_name, w.type, w.permission",
        )
        .bind(entry.document.id.as_str())
        .fetch(&mut *session.connection);
        while let Some(row) = rows.try_next().await? {
            list.add(file, row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)?;
        }
    }
    list.finish(file)
}

/// A list that is written element by element.
#[derive(Default)]
struct List {
    open: Option<WhatEntry>,
    some: bool,
}

impl List {
    fn add(
        &mut self,
        file: &mut impl Write,
        full_name: String,
        object_type: String,
        permission: String,
    ) -> Result<(), WorkError> {
        let data_object = DataObjectReference { full_name, object_type };
        if self.open.as_ref().is_none_or(|entry| entry.data_object != data_object) {
            let next = WhatEntry { data_object, permissions: BTreeSet::new() };
            if let Some(done) = self.open.replace(next) {
                self.write(file, &done)?;
            }
        }
        if let Some(entry) = self.open.as_mut().filter(|_| !permission.is_empty()) {
            entry.permissions.insert(permission);
        }
        Ok(())
    }

    fn write(&mut self, file: &mut impl Write, entry: &WhatEntry) -> Result<(), WorkError> {
        file.write_all(if self.some { b"," } else { b"[" })?;
        self.some = true;
        serde_json::to_writer(file, entry).map_err(std::io::Error::from)?;
        Ok(())
    }

    fn finish(mut self, file: &mut impl Write) -> Result<(), WorkError> {
        if let Some(last) = self.open.take() {
            self.write(file, &last)?;
        }
        Ok(file.write_all(if self.some { b"]" } else { b"[]" })?)
    }
}
