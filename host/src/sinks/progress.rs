//! What a step has done so far, for those who watch it, and the first reason to refuse more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::contract::types::RecordProblem;

/// Shared between the sinks of a step and whoever shows its progress.
#[derive(Debug, Default)]
pub struct Progress {
    records: AtomicU64,
    refusal: Mutex<Option<Refusal>>,
}

/// Why a sink takes no more.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// A record broke a rule of its format.
    Record(RecordProblem),
    /// A record has the id that was configured for the data source itself.
    RootId(String),
    /// A lock pattern of the operator is not a regular expression.
    Pattern(String),
    /// The spool file could not be written.
    Spool(String),
}

impl Progress {
    /// Records taken so far.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// The first refusal, if there was one.
    pub fn refusal(&self) -> Option<Refusal> {
        self.lock().clone()
    }

    pub(super) fn add(&self, records: usize) {
        self.records.fetch_add(records as u64, Ordering::Relaxed);
    }

    pub(super) fn refuse(&self, refusal: Refusal) {
        self.lock().get_or_insert(refusal);
    }

    /// After a refusal every batch is refused.
    pub(super) fn closed(&self) -> Option<String> {
        self.lock().as_ref().map(|_| "an earlier batch was refused".to_owned())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Refusal>> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
