//! What an access provider is for, unpacked into permissions of the source.
//!
//! Read, write and admin on a data object stand for the permissions of its own type that carry that word,
//! and for those of every data object below it, by its type. A permission is left out below a parent whose
//! type has a permission of the same name for the same word: it includes the child already, as `SELECT` on a
//! table includes the columns. Permissions that cannot be granted, and deleted data objects, are left out.
//!
//! A word on a high object may stand for very many permissions. They are unpacked into a temporary table, one
//! access provider at a time, and go from there into the file row by row, ordered by full name, type and
//! permission. What is remembered of an export is what was granted, and a hash of what it was unpacked to.
//! The removals are therefore found by unpacking what was granted before on the data objects of today.

use std::collections::BTreeSet;
use std::io::Write;

use futures::TryStreamExt as _;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AssertSqlSafe, Row};

use super::document::{Granted, WhatEntry};
use crate::import::WorkError;
use crate::import::staging::{ContentHash, create, drop_table};
use crate::metadata::Metadata;
use crate::records::DataObjectReference;
use crate::store::Store;
use crate::store::bulk::Bulk;

/// Which permission on a type of data objects carries which word.
const WORDS: &str = "export_words";
/// The unpacked permissions of one access provider. A data object without any has a row with an empty one.
const ITEMS: &str = "export_items";

/// Whose permissions a row of [`ITEMS`] is about.
#[derive(Clone, Copy)]
pub(super) enum Side {
    /// What is wanted now.
    Wanted = 0,
    /// What was applied before.
    Applied = 1,
}

/// A connection with the two tables.
pub(super) struct Unpacked<'s> {
    connection: PoolConnection<Any>,
    store: &'s Store,
    data_source: &'s str,
    metadata: &'s Metadata,
}

impl<'s> Unpacked<'s> {
    /// Creates the tables.
    pub(super) async fn open(
        store: &'s Store,
        data_source: &'s str,
        metadata: &'s Metadata,
    ) -> Result<Self, sqlx::Error> {
        let mut connection = store.pool().acquire().await?;
        create(
            &mut connection,
            WORDS,
            "type TEXT NOT NULL, word TEXT NOT NULL, permission TEXT NOT NULL, PRIMARY KEY (type, word, permission)",
        )
        .await?;
        create(
            &mut connection,
            ITEMS,
            "side BIGINT NOT NULL, full_name TEXT NOT NULL, type TEXT NOT NULL, permission TEXT NOT NULL, \
             PRIMARY KEY (side, full_name, type, permission)",
        )
        .await?;
        let mut words =
            Bulk::new(store.dialect(), WORDS, &["type", "word", "permission"], "ON CONFLICT DO NOTHING");
        for (object_type, word, permission) in metadata.global_meanings() {
            words.value(object_type)?.value(word.to_lowercase())?.value(permission)?;
            words.end_row(&mut connection).await?;
        }
        words.flush(&mut connection).await?;
        Ok(Self { connection, store, data_source, metadata })
    }

    /// Removes the tables.
    pub(super) async fn close(mut self) -> Result<(), sqlx::Error> {
        drop_table(&mut self.connection, WORDS).await?;
        drop_table(&mut self.connection, ITEMS).await
    }

    /// Forgets the access provider before.
    pub(super) async fn clear(&mut self) -> Result<(), sqlx::Error> {
        let statement = sqlx::query(AssertSqlSafe(format!("DELETE FROM {ITEMS}")));
        statement.execute(&mut *self.connection).await.map(|_| ())
    }

    /// Unpacks a what-list; returns those that ask for words which stand for nothing.
    pub(super) async fn unpack<'g>(
        &mut self,
        side: Side,
        list: &'g [Granted],
    ) -> Result<Vec<&'g Granted>, sqlx::Error> {
        let mut empty = Vec::new();
        let columns = ["side", "full_name", "type", "permission"];
        let mut items = Bulk::new(self.store.dialect(), ITEMS, &columns, "ON CONFLICT DO NOTHING");
        for granted in list {
            let object = &granted.data_object;
            let own = granted.global_permissions.iter();
            let own: BTreeSet<&str> =
                own.flat_map(|word| self.metadata.expand(&object.object_type, word)).collect();
            let below = self.unpack_below(side, granted).await?;
            if own.is_empty() && below == 0 && !granted.global_permissions.is_empty() {
                empty.push(granted);
            }
            let nothing = own.is_empty() && granted.permissions.is_empty();
            let all = granted.permissions.iter().map(String::as_str).chain(own);
            for permission in all.chain(nothing.then_some("")) {
                items
                    .value(side as i64)?
                    .value(object.full_name.as_str())?
                    .value(object.object_type.as_str())?
                    .value(permission)?;
                items.end_row(&mut self.connection).await?;
            }
        }
        items.flush(&mut self.connection).await?;
        Ok(empty)
    }

    /// Unpacks the words for everything below a data object. `UNION` ends also where parents go in a circle.
    async fn unpack_below(&mut self, side: Side, granted: &Granted) -> Result<u64, sqlx::Error> {
        let mut rows = 0;
        for word in &granted.global_permissions {
            let statement = format!(
                "INSERT INTO {ITEMS} (side, full_name, type, permission) \
                 WITH RECURSIVE below (external_id, full_name, type, parent_type) AS (\
                 SELECT c.external_id, c.full_name, c.type, o.type FROM data_objects o JOIN data_objects c \
                 ON c.data_source_id = $2 AND c.parent_external_id = o.external_id AND c.deleted = 0 \
                 WHERE o.data_source_id = $2 AND o.full_name = $3 AND o.type = $4 AND o.deleted = 0 \
                 UNION SELECT c.external_id, c.full_name, c.type, b.type FROM below b JOIN data_objects c \
                 ON c.data_source_id = $2 AND c.parent_external_id = b.external_id AND c.deleted = 0) \
                 SELECT $1, b.full_name, b.type, w.permission FROM below b JOIN {WORDS} w \
                 ON w.type = b.type AND w.word = $5 WHERE NOT EXISTS (SELECT 1 FROM {WORDS} p \
                 WHERE p.type = b.parent_type AND p.word = w.word AND p.permission = w.permission) \
                 ON CONFLICT DO NOTHING"
            );
            rows += sqlx::query(AssertSqlSafe(statement))
                .bind(side as i64)
                .bind(self.data_source)
                .bind(granted.data_object.full_name.as_str())
                .bind(granted.data_object.object_type.as_str())
                .bind(word.to_lowercase())
                .execute(&mut *self.connection)
                .await?
                .rows_affected();
        }
        Ok(rows)
    }

    /// A hash of what is wanted.
    pub(super) async fn hash(&mut self) -> Result<i64, sqlx::Error> {
        let statement = format!(
            "SELECT full_name, type, permission FROM {ITEMS} WHERE side = 0 ORDER BY full_name, type, permission"
        );
        let mut rows = sqlx::query(AssertSqlSafe(statement)).fetch(&mut *self.connection);
        let mut hash = ContentHash::default();
        while let Some(row) = rows.try_next().await? {
            for column in 0..3 {
                hash = hash.text(row.try_get(column)?);
            }
        }
        Ok(hash.finish())
    }

    /// Writes what is wanted as a JSON array.
    pub(super) async fn write_wanted(&mut self, file: &mut impl Write) -> Result<(), WorkError> {
        self.write(file, "w.side = 0".to_owned()).await
    }

    /// Writes what was applied and is no longer wanted as a JSON array.
    pub(super) async fn write_removed(&mut self, file: &mut impl Write) -> Result<(), WorkError> {
        let gone = format!(
            "w.side = 1 AND NOT EXISTS (SELECT 1 FROM {ITEMS} n WHERE n.side = 0 AND n.full_name = w.full_name \
             AND n.type = w.type AND (n.permission = w.permission OR w.permission = ''))"
        );
        self.write(file, gone).await
    }

    async fn write(&mut self, file: &mut impl Write, condition: String) -> Result<(), WorkError> {
        let statement = format!(
            "SELECT w.full_name, w.type, w.permission FROM {ITEMS} w WHERE {condition} \
             ORDER BY w.full_name, w.type, w.permission"
        );
        let mut rows = sqlx::query(AssertSqlSafe(statement)).fetch(&mut *self.connection);
        let mut entry: Option<WhatEntry> = None;
        let mut separator: &[u8] = b"[";
        while let Some(row) = rows.try_next().await? {
            let data_object =
                DataObjectReference { full_name: row.try_get(0)?, object_type: row.try_get(1)? };
            let permission: String = row.try_get(2)?;
            if entry.as_ref().is_none_or(|entry| entry.data_object != data_object) {
                let next = WhatEntry { data_object, permissions: BTreeSet::new() };
                if let Some(done) = entry.replace(next) {
                    file.write_all(separator)?;
                    separator = b",";
                    serde_json::to_writer(&mut *file, &done).map_err(std::io::Error::from)?;
                }
            }
            if let Some(entry) = entry.as_mut().filter(|_| !permission.is_empty()) {
                entry.permissions.insert(permission);
            }
        }
        if let Some(done) = entry {
            file.write_all(separator)?;
            separator = b",";
            serde_json::to_writer(&mut *file, &done).map_err(std::io::Error::from)?;
        }
        if separator == b"[" {
            file.write_all(separator)?;
        }
        Ok(file.write_all(b"]")?)
    }
}
