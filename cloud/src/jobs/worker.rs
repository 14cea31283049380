//! Does the queued work, one piece at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::lease::Lease;
use super::queue::{self, Work};
use crate::export;
use crate::files::Files;
use crate::ids::new_id;
use crate::import::{self, WorkError};
use crate::metrics::Metrics;
use crate::store::{Store, is_passing};

/// How long a stopping server waits for the work at hand before it gives it back to the queue.
const GRACE: Duration = Duration::from_secs(20);
/// How often an idle worker looks without being woken, where nobody else can have queued work.
const IDLE: Duration = Duration::from_secs(30);
/// The same on a shared database: at first, and after a while without work.
const POLL: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// What the worker works with.
pub(crate) struct Worker {
    pub(crate) store: Store,
    pub(crate) files: Files,
    pub(crate) metrics: Arc<Metrics>,
    /// Rung when work was queued.
    pub(crate) bell: Arc<Notify>,
    /// True when the server stops.
    pub(crate) stop: watch::Receiver<bool>,
    /// After which time without a renewal others take over the work at hand.
    pub(crate) lease: Duration,
}

impl Worker {
    /// Works until the server stops.
    pub(crate) async fn run(mut self) {
        let name = new_id();
        let mut pause = POLL[0];
        while !*self.stop.borrow() {
            match queue::claim(&self.store, &name, self.lease).await {
                Ok(Some(claim)) => {
                    self.work(&Lease::new(self.store.clone(), claim, self.lease)).await;
                    pause = POLL[0];
                }
                Ok(None) => self.idle(&mut pause).await,
                Err(error) => {
                    tracing::error!(%error, "the work queue could not be read");
                    self.idle(&mut pause).await;
                }
            }
        }
    }

    async fn idle(&mut self, pause: &mut Duration) {
        let sleep = if self.store.dialect().is_shared() { *pause } else { IDLE };
        *pause = (*pause * 2).min(POLL[1]);
        tokio::select! {
            () = self.bell.notified() => {}
            _ = self.stop.changed() => {}
            () = tokio::time::sleep(sleep) => {}
        }
    }

    async fn work(&mut self, lease: &Lease) {
        let mut stop = self.stop.clone();
        let begun = Instant::now();
        let result = tokio::select! {
            result = perform(&self.store, &self.files, lease) => Some(result),
            () = lease.keep() => Some(Err(WorkError::Lost)),
            () = async {
                let _ = stop.wait_for(|stop| *stop).await;
                tokio::time::sleep(GRACE).await;
            } => None,
        };
        if let Some(result) = &result {
            let outcome = lease.outcome();
            let outcome = outcome.as_ref().filter(|_| result.is_ok());
            self.metrics.work(lease.work().kind(), outcome, begun.elapsed().as_secs_f64());
        }
        let ended = match result {
            Some(Ok(())) => Ok(true),
            Some(Err(WorkError::Lost)) => Err(WorkError::Lost),
            Some(Err(WorkError::Database(error))) if is_passing(&error) => {
                tracing::warn!(%error, "work was interrupted and will be tried again");
                lease.release(true).await.map(|()| false)
            }
            Some(Err(error)) => {
                let errors = vec![error.chain()];
                tracing::warn!(
                    job = lease.claim().job_id,
                    subtask = lease.claim().subtask_id,
                    error = error.chain(),
                    "work failed"
                );
                lease.fail(errors).await.map(|()| true)
            }
            None => lease.release(false).await.map(|()| false),
        };
        let (job, subtask) = (&lease.claim().job_id, &lease.claim().subtask_id);
        match ended {
            Ok(true) => {
                for file in lease.work().files() {
                    self.files.remove(&self.store, file).await;
                }
                // What the import has marked is looked through again before an export, should this fail.
                if !matches!(lease.work(), Work::Export { .. } | Work::Usage { .. })
                    && let Err(error) = export::refresh_stale(&self.store).await
                {
                    tracing::warn!(error = error.chain(), "access controls could not be looked through");
                }
            }
            Ok(false) => {}
            Err(WorkError::Lost) => {
                tracing::warn!(job, subtask, "the lease of work ran out: somebody else does it");
            }
            // The claim stays until its lease runs out, or until the next start.
            Err(error) => {
                tracing::error!(error = error.chain(), job, subtask, "the end of work could not be stored");
            }
        }
    }
}

/// Does the work and ends its subtask as completed.
async fn perform(store: &Store, files: &Files, lease: &Lease) -> Result<(), WorkError> {
    match lease.work() {
        Work::DataSource { data_source, file, delete_untouched, tag_sources } => {
            import::data_objects::run(store, files, lease, data_source, file, *delete_untouched, tag_sources)
                .await
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
            import::identities::run(store, files, lease, &settings).await
        }
        Work::AccessProviders { data_source, file, delete_untouched } => {
            import::access_providers::run(store, files, lease, data_source, file, *delete_untouched).await
        }
        Work::Feedback { data_source, file } => {
            import::feedback::run(store, files, lease, data_source, file).await
        }
        Work::Usage { data_source, files: keys } => {
            import::usage::run(store, files, lease, data_source, keys).await
        }
        Work::Tags { data_source, identity_store, file, tag_sources } => {
            let place = import::tags::Place {
                data_source: data_source.as_deref(),
                identity_store: identity_store.as_deref(),
            };
            import::tags::run(store, files, lease, &place, file, tag_sources).await
        }
        Work::Export { data_source, out_of_sync } => {
            let outcome = export::run(store, files, data_source, *out_of_sync).await?;
            lease.complete_alone(&outcome).await
        }
    }
}
