//! What the benchmark of this crate calls: the work of the import worker on a file, without HTTP in between.
//!
//! Not part of the interface of the crate.

use std::path::Path;

use sqlx::Row;

use crate::files::Files;
use crate::import::data_objects;
use crate::jobs::lease::Lease;
use crate::jobs::outcome::Outcome;
use crate::jobs::queue::{self, Work};
use crate::jobs::report;
use crate::server::DEFAULT_LEASE;
use crate::sources;
use crate::store::{Database, Store};

const DATA_SOURCE: &str = "warehouse";

/// A store with one data source.
#[derive(Debug)]
pub struct Bench {
    store: Store,
    files: Files,
}

impl Bench {
    /// Creates a store in an empty folder or an empty database.
    pub async fn open(folder: &Path, database: &Database) -> Result<Self, Box<dyn std::error::Error>> {
        let store = Store::open(folder, database).await?;
        let files = Files::open(folder.join("files"))?;
        sources::ensure_data_source(&store, DATA_SOURCE, DATA_SOURCE, None).await?;
        Ok(Self { store, files })
    }

    /// Imports a file of data objects as the worker does: claim, read, stage, merge, commit. Returns how many were
    /// added, updated and removed.
    pub async fn import(&self, file: &Path) -> Result<[u64; 3], Box<dyn std::error::Error>> {
        let (key, draft) = self.files.draft();
        std::fs::hard_link(file, &draft)?;
        self.files.publish(&key).await?;
        let job = report::create_job(&self.store, Some(DATA_SOURCE.to_owned()), None, 0).await?;
        let work = Work::DataSource {
            data_source: DATA_SOURCE.to_owned(),
            file: key.clone(),
            delete_untouched: true,
            tag_sources: Vec::new(),
        };
        let subtask = queue::enqueue(&self.store, &job, &work).await?;
        let claim = queue::claim(&self.store, "bench", DEFAULT_LEASE).await?.ok_or("no work in the queue")?;
        let lease = Lease::new(self.store.clone(), claim, DEFAULT_LEASE);
        data_objects::run(&self.store, &self.files, &lease, DATA_SOURCE, &key, true, &[]).await?;
        self.files.remove(&key).await;
        let row = sqlx::query("SELECT outcome FROM subtasks WHERE subtask_id = $1")
            .bind(subtask)
            .fetch_one(self.store.pool())
            .await?;
        match serde_json::from_str(row.try_get::<String, _>(0)?.as_str())? {
            Outcome::DataSource { objects, .. } => Ok([objects.added, objects.updated, objects.removed]),
            _ => Err("the import had the outcome of other work".into()),
        }
    }

    /// Closes the store.
    pub async fn close(self) {
        self.store.close().await;
    }
}
