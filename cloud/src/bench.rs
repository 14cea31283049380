//! What the benchmark of this crate calls: the work of the import worker on a file, without HTTP in between.
//!
//! Not part of the interface of the crate.

use std::path::Path;

use crate::files::{Files, StorageAddress};
use crate::import::data_objects;
use crate::jobs::outcome::Outcome;
use crate::sources;
use crate::store::Store;

const DATA_SOURCE: &str = "warehouse";

/// A store with one data source.
#[derive(Debug)]
pub struct Bench {
    store: Store,
    files: Files,
}

impl Bench {
    /// Creates a store in an empty folder.
    pub async fn open(folder: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let store = Store::open(folder).await?;
        let files = Files::open(&StorageAddress::Folder(folder.join("files")), false).await?;
        sources::ensure_data_source(&store, DATA_SOURCE, DATA_SOURCE, None).await?;
        Ok(Self { store, files })
    }

    /// Imports a file of data objects as the worker does: read, stage, merge, commit. Returns how many were
    /// added, updated and removed.
    pub async fn import(&self, file: &Path) -> Result<[u64; 3], Box<dyn std::error::Error>> {
        let draft = self.files.draft()?;
        std::fs::remove_file(draft.path())?;
        std::fs::hard_link(file, draft.path())?;
        let key = draft.key.clone();
        self.files.publish(draft).await?;
        sqlx::query(
            "INSERT INTO uploads (file_key, secret_hash, content_length, sha256, expires_at, state) \
             VALUES ($1, '', 0, '', 0, 'stored')",
        )
        .bind(&key)
        .execute(self.store.pool())
        .await?;
        let outcome = data_objects::run(&self.store, &self.files, DATA_SOURCE, &key, true, &[]).await?;
        self.files.remove(&self.store, &key).await;
        match outcome {
            Outcome::DataSource { objects, .. } => Ok([objects.added, objects.updated, objects.removed]),
            _ => Err("the import had the outcome of other work".into()),
        }
    }

    /// Closes the store.
    pub async fn close(self) {
        self.store.close().await;
    }
}
