//! Which jobs were asked about.
//!
//! A client that asks for the state of a subtask is alive. Writing that down with every question would make
//! questions wait for imports, so it is noted here and written from time to time by the one who needs it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::ids::now;
use crate::store::Store;

/// When jobs were last asked about; clones share what they know.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sightings(Arc<Mutex<HashMap<String, i64>>>);

impl Sightings {
    /// Notes a question about a job that exists.
    pub(crate) fn note(&self, job_id: &str) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(job_id.to_owned(), now());
    }

    /// Writes down what was noted since the last time.
    pub(crate) async fn write(&self, store: &Store) -> Result<(), sqlx::Error> {
        let seen = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (job_id, time) in seen {
            sqlx::query("UPDATE jobs SET last_seen = $1 WHERE id = $2 AND last_seen < $1")
                .bind(time)
                .bind(job_id)
                .execute(store.pool())
                .await?;
        }
        Ok(())
    }
}
