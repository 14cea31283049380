//! The host's side of the sinks: what becomes of a record on its way from the connector to the spool file.
//!
//! A batch arrives as typed records. Each is checked, given the operator's locks and tag rules, written as JSON
//! into a buffer, and hashed and stored by a thread of its own ([`spool`]). The call of the connector returns when
//! the batch is in the buffer, and waits while the thread is behind: that is the back-pressure.
//!
//! A refused record fails the step: the first refusal is kept in the [`Progress`] of the step and reported
//! whatever the connector makes of the error.

mod access_controls;
mod data_objects;
mod identities;
mod plans;
mod progress;
pub mod spool;
mod statements;
mod tag_rules;
mod tags;
mod tally;

use std::sync::Arc;

use serde::Serialize;

pub use access_controls::{AccessControlSink, AccessControlSource, FeedbackSink, FeedbackTotals};
pub(crate) use access_controls::{FeedbackError, FeedbackReport};
pub use data_objects::{DataObjectRules, DataObjectSink, DataObjectSource};
pub use identities::{GroupSink, UserSink};
pub use plans::{PlanSink, PlanTotals};
pub use progress::{Progress, Refusal};
pub use statements::StatementSink;
pub use tag_rules::TagRules;
pub use tags::TagSink;
pub use tally::Tally;

use crate::contract::types::{RecordProblem, SinkError};
use spool::{Spool, SpoolFile};

/// Writes records of one kind into files.
pub struct RecordWriter {
    spool: Spool,
    progress: Arc<Progress>,
    /// Records taken so far.
    position: u64,
}

impl RecordWriter {
    /// A writer into a spool.
    pub fn new(spool: Spool, progress: Arc<Progress>) -> Self {
        RecordWriter { spool, progress, position: 0 }
    }

    /// Takes a batch: `write` checks one record and hands its shape to the [`Item`].
    fn batch<R>(
        &mut self,
        records: &[R],
        mut write: impl FnMut(&R, &mut Item<'_>) -> Result<(), Invalid>,
    ) -> Result<(), SinkError> {
        if let Some(why) = self.progress.closed() {
            return Err(SinkError::Closed(why));
        }
        for record in records {
            let mut item = Item { spool: &mut self.spool, failed: None };
            let outcome = write(record, &mut item);
            let failed = item.failed.take();
            if let Err(invalid) = outcome {
                let problem = invalid.at(self.position);
                self.progress.refuse(Refusal::Record(problem.clone()));
                return Err(SinkError::InvalidRecord(problem));
            }
            if let Some(why) = failed {
                self.progress.refuse(Refusal::Spool(why.clone()));
                return Err(SinkError::Closed(why));
            }
            self.position += 1;
        }
        self.progress.add(records.len());
        Ok(())
    }

    /// Writes what the host itself adds, which counts as a record but has no position.
    fn add(&mut self, shape: &impl Serialize) -> Result<(), SinkError> {
        let mut item = Item { spool: &mut self.spool, failed: None };
        item.put(shape);
        if let Some(why) = item.failed {
            self.progress.refuse(Refusal::Spool(why.clone()));
            return Err(SinkError::Closed(why));
        }
        self.progress.add(1);
        Ok(())
    }

    /// Ends the file, or the files if it was split.
    ///
    /// # Errors
    /// If the file could not be written.
    pub fn finish(self) -> std::io::Result<Vec<SpoolFile>> {
        self.spool.finish()
    }
}

/// Where the shape of one record goes.
struct Item<'a> {
    spool: &'a mut Spool,
    failed: Option<String>,
}

impl Item<'_> {
    fn put(&mut self, shape: &impl Serialize) {
        if let Err(error) = self.spool.push(shape) {
            self.failed = Some(error.to_string());
        }
    }
}

/// A record that breaks a rule of its format.
struct Invalid {
    id: String,
    field: &'static str,
    message: String,
}

impl Invalid {
    fn new(id: &str, field: &'static str, message: impl Into<String>) -> Self {
        Invalid { id: id.chars().take(200).collect(), field, message: message.into() }
    }

    fn at(self, position: u64) -> RecordProblem {
        RecordProblem { position, id: self.id, field: self.field.into(), message: self.message }
    }
}

/// A field that must not be empty.
fn filled(id: &str, field: &'static str, value: &str) -> Result<(), Invalid> {
    if value.is_empty() { Err(Invalid::new(id, field, "must not be empty")) } else { Ok(()) }
}
