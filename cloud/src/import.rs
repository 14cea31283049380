//! Imports: uploaded files become rows.
//!
//! Every import has two phases on one connection. *Staging* streams the file into temporary tables, which
//! takes no lock on the database and bounds memory; *merging* compares and changes the stored rows as sets,
//! in one transaction, which also ends the subtask and takes the work out of the queue. A process that dies
//! leaves nothing half-imported, and the work is done again from the start. Counts are exact: what did not
//! change is neither written nor counted.

pub(crate) mod access_providers;
pub(crate) mod data_objects;
pub(crate) mod feedback;
pub(crate) mod identities;
pub(crate) mod merge;
mod owners;
mod resolve;
pub(crate) mod staging;
pub(crate) mod tags;
pub(crate) mod usage;

use futures::TryStreamExt as _;
use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, Row};

use crate::files::{Files, StoredFile};
use crate::records::array::ArrayError;
use crate::store::{Connection, Store};

/// Why work failed. The texts reach the client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkError {
    #[error("there is no uploaded file `{key}`")]
    NoFile { key: String },
    #[error("the {what} file was refused")]
    File { what: &'static str, source: ArrayError },
    #[error("there is no data source `{id}`")]
    NoDataSource { id: String },
    #[error("there is no identity store `{id}`")]
    NoIdentityStore { id: String },
    #[error("a tag file names neither a data source nor an identity store")]
    NoPlace,
    #[error("the storage of files failed; the server's log has the cause")]
    Storage,
    #[error("the access file could not be written")]
    Write(#[from] std::io::Error),
    #[error("the stored metadata of the data source is unreadable")]
    Metadata(#[source] serde_json::Error),
    #[error("the lease of the work has run out")]
    Lost,
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl WorkError {
    /// The storage failed: the cause, which may name what is the operator's alone, goes to the log.
    pub(crate) fn storage(error: &crate::files::FileError) -> Self {
        tracing::error!(error = crate::error::chain(error), "the storage of files failed");
        Self::Storage
    }

    /// The message with its causes.
    pub(crate) fn chain(&self) -> String {
        crate::error::chain(self)
    }
}

/// An uploaded file.
async fn uploaded(store: &Store, files: &Files, key: &str) -> Result<StoredFile, WorkError> {
    files
        .uploaded(store, key)
        .await
        .map_err(|error| WorkError::storage(&error))?
        .ok_or_else(|| WorkError::NoFile { key: key.to_owned() })
}

async fn require_data_source(store: &Store, id: &str) -> Result<(), WorkError> {
    let row =
        sqlx::query("SELECT 1 FROM data_sources WHERE id = $1").bind(id).fetch_optional(store.pool()).await?;
    row.map(|_| ()).ok_or_else(|| WorkError::NoDataSource { id: id.to_owned() })
}

async fn require_identity_store(store: &Store, id: &str) -> Result<(), WorkError> {
    let row = sqlx::query("SELECT 1 FROM identity_stores WHERE id = $1")
        .bind(id)
        .fetch_optional(store.pool())
        .await?;
    row.map(|_| ()).ok_or_else(|| WorkError::NoIdentityStore { id: id.to_owned() })
}

/// A number of things, and the first few of them for a warning.
#[derive(Debug, Default)]
struct Examples {
    count: u64,
    first: Vec<String>,
}

impl Examples {
    const SHOWN: usize = 20;

    fn add(&mut self, example: &str) {
        self.count += 1;
        if self.first.len() < Self::SHOWN {
            self.first.push(example.to_owned());
        }
    }

    /// Adds a warning unless there were none.
    fn warn(&self, warnings: &mut Vec<String>, text: &str) {
        if self.count == 0 {
            return;
        }
        let shown = u64::try_from(self.first.len()).unwrap_or(u64::MAX);
        let more =
            if self.count > shown { format!(" and {} more", self.count - shown) } else { String::new() };
        warnings.push(format!("{} {text}: {}{more}", self.count, self.first.join(", ")));
    }

    /// Collects the first column of the rows of a query, without holding more than is shown.
    async fn query(
        connection: &mut Connection,
        query: Query<'_, Any, AnyArguments>,
    ) -> Result<Self, sqlx::Error> {
        let mut examples = Self::default();
        let mut rows = query.persistent(false).fetch(connection);
        while let Some(row) = rows.try_next().await? {
            examples.add(row.try_get(0)?);
        }
        Ok(examples)
    }
}
