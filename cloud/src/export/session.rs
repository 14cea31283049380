//! One connection with temporary tables, through which the access providers of a data source go in pages.

use std::io::Write;

use futures::TryStreamExt as _;
use sqlx::any::AnyRow;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AssertSqlSafe, Connection as _, Row};

use super::document::{Document, Entry, WhoLists};
use super::{what, who};
use crate::ids::now;
use crate::import::WorkError;
use crate::import::staging::{ContentHash, create, drop_table};
use crate::metadata::Metadata;
use crate::store::Store;
use crate::store::bulk::Bulk;

/// How many access providers are resolved at once.
const PAGE: i64 = 200;

/// The access providers of the page; `type` is the one that they have or get, `words` is set when read, write or
/// admin have to be unpacked.
pub(super) const PAGE_TABLE: &str = "export_page";
/// What is in the file.
const INCLUDED: &str = "export_included";
/// What was written: the fingerprint and the version.
const WRITTEN: &str = "export_written";

/// What is remembered instead of a fingerprint when an export asked for the removal.
const GONE: &str = "gone";

/// Those that never reached the target need no mention once they are gone.
const WANTED: &str = "y.data_source_id = $1 AND p.external = 0 \
    AND ((p.state = 'Active' AND y.leaving = 0) OR y.actual_name IS NOT NULL OR y.external_id IS NOT NULL \
    OR y.exported IS NOT NULL)";

/// A data source whose access file is written.
pub(super) struct Session<'s> {
    pub(super) connection: PoolConnection<Any>,
    pub(super) store: &'s Store,
    pub(super) data_source: &'s str,
    /// What the connector announced, if it has.
    pub(super) metadata: Option<Metadata>,
}

impl<'s> Session<'s> {
    /// Creates the tables.
    pub(super) async fn open(store: &'s Store, data_source: &'s str) -> Result<Self, WorkError> {
        let row = sqlx::query("SELECT metadata FROM data_sources WHERE id = $1")
            .bind(data_source)
            .fetch_optional(store.pool())
            .await?
            .ok_or_else(|| WorkError::NoDataSource { id: data_source.to_owned() })?;
        let metadata = match row.try_get::<Option<String>, _>(0)? {
            Some(text) => Some(serde_json::from_str::<Metadata>(&text).map_err(WorkError::Metadata)?),
            None => None,
        };
        let connection = store.pool().acquire().await?;
        let mut session = Self { connection, store, data_source, metadata };
        create(
            &mut session.connection,
            PAGE_TABLE,
            "id TEXT NOT NULL PRIMARY KEY, type TEXT NOT NULL, gone BIGINT NOT NULL, words BIGINT NOT NULL, \
             applied_at BIGINT NOT NULL",
        )
        .await?;
        create(&mut session.connection, INCLUDED, "id TEXT NOT NULL PRIMARY KEY").await?;
        create(
            &mut session.connection,
            WRITTEN,
            "id TEXT NOT NULL PRIMARY KEY, fingerprint TEXT NOT NULL, version BIGINT NOT NULL",
        )
        .await?;
        who::prepare(&mut session).await?;
        what::prepare(&mut session).await?;
        Ok(session)
    }

    /// Removes the tables.
    pub(super) async fn close(mut self) -> Result<(), sqlx::Error> {
        for table in [PAGE_TABLE, INCLUDED, WRITTEN].iter().chain(who::TABLES).chain(what::TABLES) {
            drop_table(&mut self.connection, table).await?;
        }
        Ok(())
    }

    /// Runs a statement of this program.
    pub(super) async fn execute(&mut self, statement: String) -> Result<(), sqlx::Error> {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *self.connection).await?;
        Ok(())
    }

    /// Runs a statement whose first argument is the data source.
    pub(super) async fn run(&mut self, statement: String) -> Result<u64, sqlx::Error> {
        let query = sqlx::query(AssertSqlSafe(statement)).bind(self.data_source);
        Ok(query.execute(&mut *self.connection).await?.rows_affected())
    }

    /// Puts an access provider into the file.
    pub(super) async fn include(&mut self, id: &str) -> Result<(), sqlx::Error> {
        sqlx::query(AssertSqlSafe(format!("INSERT INTO {INCLUDED} (id) VALUES ($1)")))
            .bind(id)
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    /// Puts everything into the file.
    pub(super) async fn include_all(&mut self) -> Result<(), sqlx::Error> {
        self.run(format!(
            "INSERT INTO {INCLUDED} (id) SELECT p.id FROM access_provider_sync y \
             JOIN access_providers p ON p.id = y.access_provider_id WHERE {WANTED}"
        ))
        .await?;
        Ok(())
    }

    /// The next access providers after an id, resolved; `included`: only those in the file. None at the end.
    pub(super) async fn page(
        &mut self,
        after: &str,
        included: bool,
    ) -> Result<Option<Vec<Entry>>, WorkError> {
        let only = if included { format!(" AND p.id IN (SELECT id FROM {INCLUDED})") } else { String::new() };
        let statement = format!(
            "SELECT p.id, p.name, p.description, p.naming_hint, y.type, y.external_id, p.action, p.state, p.policy_rule, \
             p.filter_criteria, y.actual_name, p.common_what_data_object, p.version, y.synced_version, y.applied, \
             y.leaving, y.sync_status, y.applied_at \
             FROM access_provider_sync y JOIN access_providers p ON p.id = y.access_provider_id \
             WHERE {WANTED} AND p.id > $2{only} ORDER BY p.id LIMIT $3"
        );
        let rows = sqlx::query(AssertSqlSafe(statement))
            .bind(self.data_source)
            .bind(after)
            .bind(PAGE)
            .fetch_all(&mut *self.connection)
            .await?;
        let mut entries = rows.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        if entries.is_empty() {
            return Ok(None);
        }
        self.execute(format!("DELETE FROM {PAGE_TABLE}")).await?;
        let columns = ["id", "type", "gone", "words", "applied_at"];
        let mut bulk = Bulk::new(self.store.dialect(), PAGE_TABLE, &columns, "");
        let default = self.metadata.as_ref().and_then(Metadata::default_kind).unwrap_or_default().to_owned();
        for (entry, row) in entries.iter().zip(&rows) {
            let document = &entry.document;
            let grant = document.action == "grant" || document.action == "purpose";
            let kind = match &document.kind {
                Some(kind) => kind.clone(),
                None if grant => default.clone(),
                None => String::new(),
            };
            bulk.value(document.id.as_str())?
                .value(kind)?
                .value(i64::from(document.delete))?
                .value(0_i64)?
                .value(row.try_get::<Option<i64>, _>(17)?.unwrap_or(i64::MAX))?;
            bulk.end_row(&mut self.connection).await?;
        }
        bulk.flush(&mut self.connection).await?;
        self.locks(&mut entries).await?;
        who::resolve(self).await?;
        what::load(self).await?;
        let words = sqlx::query(AssertSqlSafe(format!("SELECT id FROM {PAGE_TABLE} WHERE words = 1")))
            .fetch_all(&mut *self.connection)
            .await?;
        for row in words {
            let id: String = row.try_get(0)?;
            if let Some(entry) = entries.iter_mut().find(|entry| entry.document.id == id) {
                entry.words = true;
            }
        }
        Ok(Some(entries))
    }

    async fn locks(&mut self, entries: &mut [Entry]) -> Result<(), sqlx::Error> {
        let rows = sqlx::query(
            "SELECT l.access_provider_id, l.lock_key FROM access_provider_locks l JOIN export_page p \
             ON p.id = l.access_provider_id WHERE l.lock_type = 'ImportExport'",
        )
        .fetch_all(&mut *self.connection)
        .await?;
        for row in rows {
            let id: String = row.try_get(0)?;
            let Some(entry) = entries.iter_mut().find(|entry| entry.document.id == id) else { continue };
            match row.try_get::<String, _>(1)?.as_str() {
                "WhoLock" => entry.document.who_locked = Some(true),
                "InheritanceLock" => entry.document.inheritance_locked = Some(true),
                "WhatLock" => entry.document.what_locked = Some(true),
                "DeleteLock" => entry.document.delete_locked = Some(true),
                _ => {}
            }
        }
        Ok(())
    }

    /// What was left out of the who-lists of the page.
    pub(super) async fn warnings(&mut self) -> Result<Vec<String>, sqlx::Error> {
        who::warnings(self).await
    }

    /// A fingerprint of what the file will say about who and what. Locked parts are what the data source
    /// says, and always in step.
    pub(super) async fn fingerprint(&mut self, entry: &Entry) -> Result<String, WorkError> {
        if entry.words {
            what::unpack(self, &entry.document.id).await?;
        }
        let hash = self.hash_who(entry).await?;
        let hash = what::write_wanted(self, entry, hash, None::<&mut Vec<u8>>).await?;
        if entry.words {
            what::forget(self, &entry.document.id).await?;
        }
        Ok(format!("{:016x}", hash.finish()))
    }

    async fn hash_who(&mut self, entry: &Entry) -> Result<ContentHash, sqlx::Error> {
        let mut hash = ContentHash::default();
        let mut rows = sqlx::query("SELECT list, stable FROM export_who WHERE ap = $1 ORDER BY list, stable")
            .bind(entry.document.id.as_str())
            .fetch(&mut *self.connection);
        while let Some(row) = rows.try_next().await? {
            let list: String = row.try_get(0)?;
            if !entry.is_locked(&list) {
                hash = hash.text(&list).text(row.try_get(1)?);
            }
        }
        Ok(hash.text("what"))
    }

    /// Writes an access provider; returns its fingerprint.
    pub(super) async fn write(
        &mut self,
        entry: &Entry,
        file: &mut impl Write,
        warnings: &mut Vec<String>,
    ) -> Result<String, WorkError> {
        let id = entry.document.id.as_str();
        if entry.words {
            what::unpack(self, id).await?;
            warnings.append(&mut what::empty_words(self, entry).await?);
        }
        let head = serde_json::to_vec(&entry.document).map_err(std::io::Error::from)?;
        file.write_all(head.strip_suffix(b"}").unwrap_or(&head))?;
        let lists = who::wanted(self, id).await?;
        file.write_all(b",\"who\":")?;
        serde_json::to_writer(&mut *file, &lists).map_err(std::io::Error::from)?;
        drop(lists);
        file.write_all(b",\"deletedWho\":")?;
        let removed = who::removed(self, entry).await?;
        let removed = (removed != WhoLists::default()).then_some(removed);
        serde_json::to_writer(&mut *file, &removed).map_err(std::io::Error::from)?;
        drop(removed);
        file.write_all(b",\"what\":")?;
        let hash = self.hash_who(entry).await?;
        let hash = what::write_wanted(self, entry, hash, Some(&mut *file)).await?;
        file.write_all(b",\"deleteWhat\":")?;
        what::write_removed(self, entry, file).await?;
        file.write_all(b"}")?;
        if entry.words {
            what::forget(self, id).await?;
        }
        Ok(format!("{:016x}", hash.finish()))
    }

    /// Remembers what the file says of the page, for the feedback.
    pub(super) async fn note_exported(&mut self, entries: &[(Entry, String)]) -> Result<(), sqlx::Error> {
        self.execute(format!("DELETE FROM {WRITTEN}")).await?;
        let columns = ["id", "fingerprint", "version"];
        let mut bulk = Bulk::new(self.store.dialect(), WRITTEN, &columns, "");
        for (entry, fingerprint) in entries {
            let said = if entry.document.delete { GONE } else { fingerprint.as_str() };
            bulk.value(entry.document.id.as_str())?.value(said)?.value(entry.version)?;
            bulk.end_row(&mut self.connection).await?;
        }
        bulk.flush(&mut self.connection).await?;
        let begin = self.store.dialect().begin_write();
        let mut transaction = self.connection.begin_with(begin).await?;
        sqlx::query(
            "UPDATE access_provider_sync AS y SET exported_version = w.version, exported = w.fingerprint, \
             exported_at = $2 FROM export_written AS w WHERE y.data_source_id = $1 AND y.access_provider_id = w.id",
        )
        .bind(self.data_source)
        .bind(now())
        .execute(&mut *transaction)
        .await?;
        for statement in [
            "DELETE FROM access_snapshot_who WHERE data_source_id = $1 AND side = 'exported' \
             AND access_provider_id IN (SELECT id FROM export_written)",
            "DELETE FROM access_snapshot_what WHERE data_source_id = $1 AND side = 'exported' \
             AND access_provider_id IN (SELECT id FROM export_written)",
            "INSERT INTO access_snapshot_who (data_source_id, access_provider_id, side, list, name) \
             SELECT $1, w.ap, 'exported', w.list, w.stable FROM export_who w \
             WHERE w.ap IN (SELECT id FROM export_written)",
            "INSERT INTO access_snapshot_what (data_source_id, access_provider_id, side, full_name, type, permission, \
             global) SELECT $1, g.ap, 'exported', g.full_name, g.type, g.permission, g.global FROM export_grants g \
             WHERE g.side = 0 AND g.ap IN (SELECT id FROM export_written)",
        ] {
            sqlx::query(statement).bind(self.data_source).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }
}

impl Entry {
    /// Whether a who-list is what the data source says.
    pub(super) fn is_locked(&self, list: &str) -> bool {
        let locked =
            if list == "inheritFrom" { self.document.inheritance_locked } else { self.document.who_locked };
        locked == Some(true)
    }
}

fn entry(row: &AnyRow) -> Result<Entry, sqlx::Error> {
    let json = |index: usize| -> Result<Option<String>, sqlx::Error> { row.try_get(index) };
    let gone = row.try_get::<String, _>(7)? != "Active" || row.try_get::<i64, _>(15)? == 1;
    Ok(Entry {
        document: Document {
            id: row.try_get(0)?,
            name: row.try_get(1)?,
            description: row.try_get(2)?,
            naming_hint: row.try_get(3)?,
            kind: row.try_get(4)?,
            external_id: row.try_get(5)?,
            action: row.try_get::<String, _>(6)?.to_lowercase(),
            delete: gone,
            who_locked: None,
            inheritance_locked: None,
            what_locked: None,
            delete_locked: None,
            policy_rule: row.try_get(8)?,
            filter_criteria: json(9)?.and_then(|text| serde_json::from_str(&text).ok()),
            actual_name: row.try_get(10)?,
            common_data_object: row.try_get(11)?,
        },
        version: row.try_get(12)?,
        synced_version: row.try_get(13)?,
        applied: json(14)?,
        status: row.try_get(16)?,
        words: false,
    })
}
