//! Backups: everything that a server holds, in one file that any engine can take back.
//!
//! # The archive
//!
//! A tar file with these entries, in this order:
//!
//! * `files/KEY`: stored files that are still needed,
//! * `tables/TABLE/NNNNNN.ndjson`: the rows of a table in pieces of some megabytes. A line is a row: a JSON array of
//!   texts, numbers and nulls, in the order of the columns in the manifest,
//! * `manifest.json`: what the archive is, the columns and the number of rows of each table, and the length and the
//!   SHA-256 of each entry before it. An archive without it was cut off.
//!
//! Rows are read in one transaction that sees one moment, also while servers work on the database. Files are
//! copied first: work that is queued at that moment needs them, and ends at the earliest afterwards.
//!
//! Which tables there are is asked of the database, so that none is forgotten. Tokens stay out: who uses a restored
//! server signs in again.

mod archive;
mod catalogue;
mod restore;

use std::path::{Path, PathBuf};

use futures::TryStreamExt as _;
use serde::Serialize;
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use crate::CloudError;
use crate::files::{Files, StorageAddress, is_key};
use crate::ids::now;
use crate::lock::DataLock;
use crate::store::{Connection, Database, Store};
use archive::{Manifest, TableEntry, Writer};
use catalogue::{Kind, Table};
pub use restore::restore;

/// Pieces of a table are this long at least, except the last.
const PIECE: usize = 4 * 1024 * 1024;

/// Where a server keeps what it holds.
#[derive(Debug, Clone)]
pub struct Location {
    /// The folder of the database and, unless they are elsewhere, of the files.
    pub data_dir: PathBuf,
    /// The database.
    pub database: Database,
    /// Where files are kept; a folder in the data folder if missing.
    pub storage: Option<StorageAddress>,
}

impl Location {
    /// Keeps others from a database in the folder.
    pub(crate) fn lock(&self) -> Result<Option<DataLock>, CloudError> {
        (self.database == Database::Folder).then(|| DataLock::take(&self.data_dir)).transpose()
    }

    /// The storage of files.
    pub(crate) fn storage(&self) -> StorageAddress {
        self.storage.clone().unwrap_or_else(|| StorageAddress::Folder(self.data_dir.join("files")))
    }
}

/// What a backup holds, or what was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupReport {
    /// The domain of the organisation.
    pub domain: String,
    /// Tables.
    pub tables: u64,
    /// Rows of all tables.
    pub rows: u64,
    /// Stored files.
    pub files: u64,
}

/// Writes a backup into a new file, which appears when it is complete. The server may run.
pub async fn backup(location: &Location, target: &Path) -> Result<BackupReport, CloudError> {
    let store = Store::open_read_only(&location.data_dir, &location.database).await?;
    let report = write(&store, location, target).await;
    store.close().await;
    report
}

async fn write(store: &Store, location: &Location, target: &Path) -> Result<BackupReport, CloudError> {
    let files = Files::open(&location.storage(), false).await?;
    let domain = store.setting("domain").await?.unwrap_or_default();
    let mut writer = Writer::create(target)?;
    let mut snapshot = store.pool().begin_with(catalogue::begin_snapshot(store).await?).await?;
    let keys = needed_files(&mut snapshot).await?;
    let mut report = BackupReport { domain: domain.clone(), tables: 0, rows: 0, files: 0 };
    for key in keys {
        let found = files.storage().get(&key).await.map_err(|source| CloudError::Storage {
            address: location.storage(),
            source: Box::new(source),
        })?;
        // Announced but not uploaded, or imported and removed a moment ago.
        let Some(found) = found else { continue };
        writer = writer.add_file(&format!("files/{key}"), found).await?;
        report.files += 1;
    }
    let mut tables = Vec::new();
    for table in catalogue::tables(&mut snapshot).await? {
        let rows = write_table(&mut snapshot, &table, &mut writer).await?;
        report.tables += 1;
        report.rows += rows;
        tables.push(TableEntry {
            columns: table.columns.iter().map(|(name, _)| name.clone()).collect(),
            name: table.name,
            rows,
        });
    }
    let schema_version = catalogue::schema_version(&mut snapshot).await?;
    let engine = catalogue::engine(&snapshot).to_owned();
    snapshot.rollback().await?;
    writer.finish(Manifest::new(schema_version, engine, domain, now(), tables))?;
    Ok(report)
}

/// The files that somebody may still ask for.
async fn needed_files(connection: &mut Connection) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT file_key FROM uploads WHERE state IN ('stored', 'direct') \
         UNION SELECT file_key FROM downloads WHERE expires_at > $1 ORDER BY 1",
    )
    .bind(now())
    .fetch_all(connection)
    .await?;
    let keys: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
    Ok(keys?.into_iter().filter(|key| is_key(key)).collect())
}

async fn write_table(
    connection: &mut Connection,
    table: &Table,
    writer: &mut Writer,
) -> Result<u64, CloudError> {
    let columns: Vec<String> = table.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let select = format!("SELECT {} FROM \"{}\"", columns.join(", "), table.name);
    let mut rows = sqlx::query(AssertSqlSafe(select)).persistent(false).fetch(connection);
    let (mut piece, mut pieces, mut count) = (Vec::new(), 0_u32, 0_u64);
    loop {
        let row = rows.try_next().await?;
        if let Some(row) = &row {
            let values: Result<Vec<Value>, sqlx::Error> =
                table.columns.iter().enumerate().map(|(index, (_, kind))| value(row, index, *kind)).collect();
            piece.extend_from_slice(Value::Array(values?).to_string().as_bytes());
            piece.push(b'\n');
            count += 1;
        }
        if piece.len() >= PIECE || (row.is_none() && !piece.is_empty()) {
            pieces += 1;
            writer.add(&format!("tables/{}/{pieces:06}.ndjson", table.name), &piece)?;
            piece.clear();
        }
        if row.is_none() {
            return Ok(count);
        }
    }
}

fn value(row: &AnyRow, index: usize, kind: Kind) -> Result<Value, sqlx::Error> {
    Ok(match kind {
        Kind::Text => row.try_get::<Option<String>, _>(index)?.into(),
        Kind::Number => row.try_get::<Option<i64>, _>(index)?.into(),
        Kind::Fraction => row.try_get::<Option<f64>, _>(index)?.into(),
    })
}
