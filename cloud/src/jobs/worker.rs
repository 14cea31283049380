//! Does the queued work, one piece at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::outcome::Outcome;
use super::queue::{self, Claim, Work};
use crate::export;
use crate::files::Files;
use crate::ids::new_id;
use crate::import::{self, WorkError};
use crate::metrics::Metrics;
use crate::store::Store;

/// How long a stopping server waits for the work at hand before it gives it back to the queue.
const GRACE: Duration = Duration::from_secs(20);
/// How often an idle worker looks without being woken, and cleans up.
const IDLE: Duration = Duration::from_secs(30);

/// What the worker works with.
pub(crate) struct Worker {
    pub(crate) store: Store,
    pub(crate) files: Files,
    pub(crate) metrics: Arc<Metrics>,
    /// Rung when work was queued.
    pub(crate) bell: Arc<Notify>,
    /// True when the server stops.
    pub(crate) stop: watch::Receiver<bool>,
}

impl Worker {
    /// Works until the server stops.
    pub(crate) async fn run(mut self) {
        let name = new_id();
        while !*self.stop.borrow() {
            match queue::claim(&self.store, &name).await {
                Ok(Some(claim)) => self.work(claim).await,
                Ok(None) => self.idle().await,
                Err(error) => {
                    tracing::error!(%error, "the work queue could not be read");
                    self.idle().await;
                }
            }
        }
    }

    async fn idle(&mut self) {
        tokio::select! {
            () = self.bell.notified() => {}
            _ = self.stop.changed() => {}
            () = tokio::time::sleep(IDLE) => {
                if let Err(error) = self.files.sweep(&self.store).await {
                    tracing::warn!(%error, "old exports could not be removed");
                }
            }
        }
    }

    async fn work(&mut self, claim: Claim) {
        let mut stop = self.stop.clone();
        let begun = Instant::now();
        let result = tokio::select! {
            result = perform(&self.store, &self.files, &claim.work) => Some(result),
            () = async {
                let _ = stop.wait_for(|stop| *stop).await;
                tokio::time::sleep(GRACE).await;
            } => None,
        };
        let stored = match result {
            Some(result) => {
                let seconds = begun.elapsed().as_secs_f64();
                self.metrics.work(claim.work.kind(), result.as_ref().ok(), seconds);
                let result = result.map_err(|error| {
                    tracing::warn!(
                        job = claim.job_id,
                        subtask = claim.subtask_id,
                        error = error.chain(),
                        "work failed"
                    );
                    vec![error.chain()]
                });
                let stored = queue::finish(&self.store, &claim, result).await;
                if stored.is_ok() {
                    for file in claim.work.files() {
                        self.files.remove(&self.store, file).await;
                    }
                }
                stored
            }
            None => queue::release(&self.store, &claim).await,
        };
        if let Err(error) = stored {
            // The claim stays and is released by the next start.
            tracing::error!(%error, job = claim.job_id, subtask = claim.subtask_id, "the end of work could not be stored");
        }
    }
}

async fn perform(store: &Store, files: &Files, work: &Work) -> Result<Outcome, WorkError> {
    match work {
        Work::DataSource { data_source, file, delete_untouched, tag_sources } => {
            import::data_objects::run(store, files, data_source, file, *delete_untouched, tag_sources).await
        }
        Work::Identity {
            identity_store,
            users_file,
            groups_file,
            delete_untouched,
            replace_groups,
            tag_sources,
        } => {
            let settings = import::identities::Settings {
                identity_store,
                users_file,
                groups_file,
                delete_untouched: *delete_untouched,
                replace_groups: *replace_groups,
                tag_sources,
            };
            import::identities::run(store, files, &settings).await
        }
        Work::AccessProviders { data_source, file, delete_untouched } => {
            import::access_providers::run(store, files, data_source, file, *delete_untouched).await
        }
        Work::Feedback { data_source, file } => import::feedback::run(store, files, data_source, file).await,
        Work::Usage { data_source, files: keys } => import::usage::run(store, files, data_source, keys).await,
        Work::Tags { data_source, identity_store, file, tag_sources } => {
            let place = import::tags::Place {
                data_source: data_source.as_deref(),
                identity_store: identity_store.as_deref(),
            };
            import::tags::run(store, files, &place, file, tag_sources).await
        }
        Work::Export { data_source, out_of_sync } => {
            export::run(store, files, data_source, *out_of_sync).await
        }
    }
}
