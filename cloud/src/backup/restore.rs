//! Takes a backup back.
//!
//! The archive is read twice: first whole, to be compared with its manifest, and only then to be taken over. Tables
//! are made as they were when the archive was written, filled, and brought up to date by the migrations. All of it is
//! one transaction: a failure leaves the database as it was, and removes the files that were written until then.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use serde_json::Value;
use sqlx::any::AnyArguments;
use sqlx::{Arguments as _, AssertSqlSafe};
use tokio::sync::mpsc;

use super::archive::{self, Manifest};
use super::catalogue::{self, Kind, Table};
use super::{BackupReport, Location};
use crate::CloudError;
use crate::files::{Draft, Files, is_key};
use crate::lock;
use crate::store::{self, Connection, Store};

/// Values in one statement.
const VALUES: usize = 900;

/// A part of the archive on its way from the thread that reads it.
enum Part {
    File { key: String, draft: Draft },
    Rows { table: String, text: String },
}

/// Takes over a backup. Unless `force` is given, the place must be empty; with it, what is there is replaced.
pub async fn restore(location: &Location, source: &Path, force: bool) -> Result<BackupReport, CloudError> {
    let failed = |error| CloudError::Io { action: "read", path: source.to_owned(), source: error };
    let mut file = File::open(source).map_err(failed)?;
    let refused = |reason| CloudError::Archive { path: source.to_owned(), reason };
    let (file, manifest) = blocking(move || archive::verify(&mut file).map(|manifest| (file, manifest)))
        .await?
        .map_err(refused)?;
    if manifest.schema_version > store::schema_version() {
        return Err(refused("a newer version of this program wrote it".to_owned()));
    }
    lock::create(&location.data_dir)?;
    let lock = location.lock()?;
    let store = Store::open(&location.data_dir, &location.database).await?;
    let outcome = take_over(&store, location, file, &manifest, force).await;
    store.close().await;
    drop(lock);
    match outcome {
        Err(CloudError::Archive { reason, .. }) => Err(refused(reason)),
        outcome => outcome,
    }
}

async fn take_over(
    store: &Store,
    location: &Location,
    file: File,
    manifest: &Manifest,
    force: bool,
) -> Result<BackupReport, CloudError> {
    if !force && !catalogue::is_empty(&mut *store.pool().acquire().await?).await? {
        return Err(CloudError::NotEmpty { folder: location.data_dir.clone() });
    }
    let files = Files::open(&location.storage(), false).await?;
    let mut written = Vec::new();
    let outcome = replace(store, &files, file, manifest, &mut written).await;
    if outcome.is_err() {
        for key in &written {
            if let Err(error) = files.storage().remove(key).await {
                tracing::warn!(key, %error, "a file of the failed restore could not be removed");
            }
        }
    }
    outcome
}

async fn replace(
    store: &Store,
    files: &Files,
    file: File,
    manifest: &Manifest,
    written: &mut Vec<String>,
) -> Result<BackupReport, CloudError> {
    let mut transaction = store.begin().await?;
    for name in catalogue::names(&mut transaction).await? {
        execute(&mut transaction, format!("DROP TABLE \"{name}\"")).await?;
    }
    store::migrate_to(&mut transaction, manifest.schema_version).await?;
    // The first step may have filled tables.
    let tables = catalogue::tables(&mut transaction).await?;
    for table in &tables {
        execute(&mut transaction, format!("DELETE FROM \"{}\"", table.name)).await?;
    }
    let mut report = BackupReport { domain: manifest.domain.clone(), tables: 0, rows: 0, files: 0 };
    report.tables = manifest.tables.len() as u64;
    let mut loads = Vec::with_capacity(manifest.tables.len());
    for entry in &manifest.tables {
        loads.push(Load::new(entry, &tables)?);
    }
    let mut parts = parts(file, files.clone());
    while let Some(part) = parts.recv().await {
        match part.map_err(|error| broken(format!("it cannot be read: {error}")))? {
            Part::File { key, draft } => {
                written.push(key);
                files.publish(draft).await.map_err(|error| broken(crate::error::chain(&error)))?;
                report.files += 1;
            }
            Part::Rows { table, text } => {
                let load = loads.iter_mut().find(|load| load.name == table);
                let load =
                    load.ok_or_else(|| broken(format!("it has rows of `{table}`, which is not listed")))?;
                load.insert(&mut transaction, &text).await?;
            }
        }
    }
    for load in &loads {
        if load.rows != load.announced {
            return Err(broken(format!(
                "it has {} rows of `{}`, not {}",
                load.rows, load.name, load.announced
            )));
        }
        report.rows += load.rows;
    }
    // Nobody works on what was claimed when the backup was made.
    execute(&mut transaction, "UPDATE work_queue SET claimed_by = NULL".to_owned()).await?;
    store::migrate_to(&mut transaction, store::schema_version()).await?;
    transaction.commit().await?;
    Ok(report)
}

/// Reads the archive on a thread of its own. Files are written there as drafts.
fn parts(mut file: File, files: Files) -> mpsc::Receiver<io::Result<Part>> {
    let (sender, receiver) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        let send = |part| {
            let gone = || io::Error::other("the restore was given up");
            sender.blocking_send(Ok(part)).map_err(|_| gone())
        };
        let outcome = archive::read(&mut file, |name, _, content| {
            if let Some(key) = name.strip_prefix("files/").filter(|key| is_key(key)) {
                let mut draft = files.draft()?;
                key.clone_into(&mut draft.key);
                let mut target = File::create(draft.path())?;
                io::copy(content, &mut target)?;
                target.flush()?;
                return send(Part::File { key: key.to_owned(), draft });
            }
            let table = name.strip_prefix("tables/").and_then(|rest| rest.split_once('/'));
            let Some((table, _)) = table else {
                return Err(io::Error::other(format!("`{name}` is nothing that a backup holds")));
            };
            let mut text = String::new();
            content.read_to_string(&mut text)?;
            send(Part::Rows { table: table.to_owned(), text })
        });
        if let Err(error) = outcome {
            let _ = sender.blocking_send(Err(error));
        }
    });
    receiver
}

/// A table that is being filled.
struct Load {
    name: String,
    head: String,
    kinds: Vec<Kind>,
    announced: u64,
    rows: u64,
}

impl Load {
    fn new(entry: &archive::TableEntry, tables: &[Table]) -> Result<Self, CloudError> {
        let table = tables.iter().find(|table| table.name == entry.name).ok_or_else(|| {
            broken(format!("it has a table `{}`, which the schema does not have", entry.name))
        })?;
        let kind = |wanted: &String| {
            let found = table.columns.iter().find(|(name, _)| name == wanted);
            found.map(|(_, kind)| *kind).ok_or_else(|| {
                broken(format!("it has a column `{}.{wanted}`, which the schema does not have", entry.name))
            })
        };
        let kinds = entry.columns.iter().map(kind).collect::<Result<Vec<_>, _>>()?;
        let columns: Vec<String> = entry.columns.iter().map(|name| format!("\"{name}\"")).collect();
        Ok(Self {
            name: entry.name.clone(),
            head: format!("INSERT INTO \"{}\" ({}) VALUES ", entry.name, columns.join(", ")),
            kinds,
            announced: entry.rows,
            rows: 0,
        })
    }

    /// Inserts rows, one to a line.
    async fn insert(&mut self, connection: &mut Connection, text: &str) -> Result<(), CloudError> {
        let at_once = (VALUES / self.kinds.len().max(1)).max(1);
        let mut lines = text.lines().peekable();
        while lines.peek().is_some() {
            let mut sql = self.head.clone();
            let mut arguments = AnyArguments::default();
            for (row, line) in lines.by_ref().take(at_once).enumerate() {
                self.rows += 1;
                sql.push_str(if row == 0 { "(" } else { ", (" });
                self.bind(line, &mut sql, &mut arguments)?;
                sql.push(')');
            }
            sqlx::query_with(AssertSqlSafe(sql), arguments)
                .persistent(false)
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }

    fn bind(&self, line: &str, sql: &mut String, arguments: &mut AnyArguments) -> Result<(), CloudError> {
        use std::fmt::Write as _;
        let wrong = || broken(format!("row {} of `{}` is not one of that table", self.rows, self.name));
        let values: Vec<Value> = serde_json::from_str(line).map_err(|_| wrong())?;
        if values.len() != self.kinds.len() {
            return Err(wrong());
        }
        for (index, (value, kind)) in values.into_iter().zip(&self.kinds).enumerate() {
            let null = value.is_null();
            let added = match (kind, value) {
                (Kind::Text, Value::String(text)) => arguments.add(Some(text)),
                (Kind::Text, Value::Null) => arguments.add(None::<String>),
                (Kind::Number, value) if null || value.is_i64() => arguments.add(value.as_i64()),
                (Kind::Fraction, value) if null || value.is_number() => arguments.add(value.as_f64()),
                _ => return Err(wrong()),
            };
            added.map_err(sqlx::Error::Encode)?;
            let _ = write!(sql, "{}${}", if index == 0 { "" } else { ", " }, arguments.len());
        }
        Ok(())
    }
}

async fn execute(connection: &mut Connection, sql: String) -> Result<(), sqlx::Error> {
    sqlx::query(AssertSqlSafe(sql)).persistent(false).execute(connection).await.map(|_| ())
}

/// Something about the archive; its path is added where it is known.
fn broken(reason: String) -> CloudError {
    CloudError::Archive { path: std::path::PathBuf::new(), reason }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, CloudError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| CloudError::Invalid { reason: format!("the restore was interrupted: {error}") })
}
