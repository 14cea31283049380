//! Access controls: read from the target, handed to it, and what became of them.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::component::{Resource, ResourceTable};

use super::{Invalid, RecordWriter, Refusal, TagRules, filled};
use crate::config::locks::LockRules;
use crate::contract::access_controls::{
    AccessControl, AccessControlFeedback, DesiredAccessControl, Host, HostAccessControlSink,
    HostAccessControlSource, HostFeedbackSink, Lock,
};
use crate::contract::types::{self, SinkError};
use crate::records::access_control::{AccessControlShape, FeedbackShape};
use crate::records::desired::{self, Header};

/// Takes access controls and locks them by the operator's rules.
pub struct AccessControlSink {
    writer: RecordWriter,
    locks: LockRules,
    tags: TagRules,
}

impl AccessControlSink {
    pub(crate) fn new(writer: RecordWriter, locks: LockRules, tags: TagRules) -> Self {
        AccessControlSink { writer, locks, tags }
    }

    pub(crate) fn into_writer(self) -> RecordWriter {
        self.writer
    }

    fn take(&mut self, mut batch: Vec<AccessControl>) -> Result<(), SinkError> {
        for control in &mut batch {
            self.lock(control)?;
            self.tags.access_control(control);
        }
        self.writer.batch(&batch, |control, item| {
            let id = &control.external_id;
            filled(&control.name, "external-id", id)?;
            filled(id, "name", &control.name)?;
            for what in &control.what {
                filled(id, "what.object.full-name", &what.object.full_name)?;
                filled(id, "what.object.object-type", &what.object.object_type)?;
            }
            item.put(&AccessControlShape::from(control));
            Ok(())
        })
    }

    /// Adds the operator's locks to the connector's. The rules see the name that the connector gave.
    fn lock(&self, control: &mut AccessControl) -> Result<(), SinkError> {
        let tags = control.tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str()));
        let decision = self.locks.decide(&control.name, tags, control.incomplete).map_err(|error| {
            self.writer.progress.refuse(Refusal::Pattern(error.to_string()));
            SinkError::Closed(error.to_string())
        })?;
        let locks = &mut control.locks;
        for (wanted, lock) in [
            (decision.who, &mut locks.who),
            (decision.inheritance, &mut locks.inheritance),
            (decision.what, &mut locks.what),
            (decision.name, &mut locks.name),
            (decision.delete, &mut locks.delete),
            (decision.owners, &mut locks.owners),
        ] {
            if wanted {
                lock.get_or_insert(Lock { reason: None });
            }
        }
        locks.everything |= decision.not_internalizable;
        Ok(())
    }
}

/// Access controls that the reader of the access file is ahead of the connector.
const AHEAD: usize = 64;

/// Hands the access controls of an access file to the connector. Each round reads the file again, on a thread that is
/// at most a few dozen ahead.
pub struct AccessControlSource {
    file: PathBuf,
    reading: Arc<Mutex<Reading>>,
    round: Option<Receiver<Result<DesiredAccessControl, String>>>,
}

/// What came to light about an access file while it was handed over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading {
    /// What the file says about itself; known once a round has come to its end.
    pub header: Header,
    /// Why the file cannot be used.
    pub error: Option<String>,
}

impl AccessControlSource {
    pub(crate) fn new(file: PathBuf) -> Self {
        AccessControlSource { file, reading: Arc::default(), round: None }
    }

    /// Where to look, during and after the call, for what came to light about the file.
    pub(crate) fn reading(&self) -> Arc<Mutex<Reading>> {
        Arc::clone(&self.reading)
    }

    fn begin(&self) -> Receiver<Result<DesiredAccessControl, String>> {
        let (controls, round) = sync_channel(AHEAD);
        let (file, reading) = (self.file.clone(), Arc::clone(&self.reading));
        // The thread ends with the file, or when nobody takes what it reads any more.
        std::thread::spawn(move || {
            let mut left = false;
            let outcome = desired::read(&file, |control| {
                left = controls.send(Ok(control)).is_err();
                // A connector that takes no more is not the fault of the file.
                if left { Err("the connector took no more access controls".to_owned()) } else { Ok(()) }
            });
            let mut reading = reading.lock().unwrap_or_else(PoisonError::into_inner);
            match outcome {
                Ok(header) => reading.header = header,
                Err(_) if left => {}
                Err(why) => {
                    reading.error = Some(why.clone());
                    drop(reading);
                    let _ = controls.send(Err(why));
                }
            }
        });
        round
    }

    /// A file that is broken in the middle is an error, never the end of the list: a connector that took it for the end
    /// would apply half of what it should.
    fn next(&mut self, max: u32) -> Result<Vec<DesiredAccessControl>, types::Error> {
        if self.round.is_none() {
            self.round = Some(self.begin());
        }
        let round = self.round.iter().flat_map(Receiver::iter);
        round.take(max.clamp(1, 1024) as usize).collect::<Result<_, _>>().map_err(types::Error::Other)
    }

    fn restart(&mut self) {
        self.round = None;
    }
}

/// What the feedback adds up to.
#[derive(Clone, Copy, Debug, Default)]
pub struct FeedbackTotals {
    /// Access controls with feedback.
    pub controls: u64,
    /// Those that were changed in the target.
    pub changed: u64,
    /// Operations that changed the target.
    pub operations: u64,
    /// Those with errors.
    pub failed: u64,
}

/// Why an access control could not be applied.
#[derive(Clone, Debug)]
pub(crate) struct FeedbackError {
    pub(crate) id: String,
    /// Its name in the target, or its id if it has none.
    pub(crate) name: String,
    pub(crate) message: String,
}

impl std::fmt::Display for FeedbackError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.message)
    }
}

/// What the feedback says, for people.
#[derive(Clone, Debug, Default)]
pub(crate) struct FeedbackReport {
    pub(crate) totals: FeedbackTotals,
    /// The first few errors.
    pub(crate) errors: Vec<FeedbackError>,
    /// The first few access controls that were changed, each with the number of operations.
    pub(crate) changed: Vec<String>,
}

/// Takes feedback.
pub struct FeedbackSink {
    writer: RecordWriter,
    totals: FeedbackTotals,
    /// The first few errors.
    errors: Vec<FeedbackError>,
    /// What was changed, the first few names.
    changed: Vec<String>,
    /// Hashes of the ids seen: eight bytes for each access control, whatever its size.
    seen: HashSet<u64>,
    hasher: Arc<RandomState>,
}

impl FeedbackSink {
    /// Errors and names kept for the report; the feedback file has all of them.
    const KEPT: usize = 20;

    pub(crate) fn new(writer: RecordWriter) -> Self {
        FeedbackSink {
            writer,
            totals: FeedbackTotals::default(),
            errors: Vec::new(),
            changed: Vec::new(),
            seen: HashSet::new(),
            hasher: Arc::default(),
        }
    }

    pub(crate) fn into_parts(self) -> (RecordWriter, FeedbackReport) {
        (self.writer, FeedbackReport { totals: self.totals, errors: self.errors, changed: self.changed })
    }

    fn take(&mut self, batch: &[AccessControlFeedback]) -> Result<(), SinkError> {
        let FeedbackSink { writer, totals, errors, changed, seen, hasher } = self;
        writer.batch(batch, |feedback, item| {
            filled(&feedback.actual_name, "id", &feedback.id)?;
            if !seen.insert(hasher.hash_one(&feedback.id)) {
                return Err(Invalid::new(&feedback.id, "id", "has had its feedback already"));
            }
            totals.controls += 1;
            totals.changed += u64::from(feedback.operations > 0);
            totals.operations += u64::from(feedback.operations);
            totals.failed += u64::from(!feedback.errors.is_empty());
            let room = Self::KEPT.saturating_sub(errors.len());
            let name = if feedback.actual_name.is_empty() { &feedback.id } else { &feedback.actual_name };
            if feedback.operations > 0 && changed.len() < Self::KEPT {
                changed.push(format!("{name} ({})", feedback.operations));
            }
            errors.extend(feedback.errors.iter().take(room).map(|message| FeedbackError {
                id: feedback.id.clone(),
                name: name.clone(),
                message: message.clone(),
            }));
            item.put(&FeedbackShape::from(feedback));
            Ok(())
        })
    }
}

impl Host for ResourceTable {}

impl HostAccessControlSink for ResourceTable {
    fn write(
        &mut self,
        sink: Resource<AccessControlSink>,
        batch: Vec<AccessControl>,
    ) -> wasmtime::Result<Result<(), SinkError>> {
        Ok(self.get_mut(&sink)?.take(batch))
    }

    fn drop(&mut self, sink: Resource<AccessControlSink>) -> wasmtime::Result<()> {
        self.delete(sink)?;
        Ok(())
    }
}

impl HostAccessControlSource for ResourceTable {
    fn next(
        &mut self,
        source: Resource<AccessControlSource>,
        max: u32,
    ) -> wasmtime::Result<Result<Vec<DesiredAccessControl>, types::Error>> {
        Ok(self.get_mut(&source)?.next(max))
    }

    fn restart(
        &mut self,
        source: Resource<AccessControlSource>,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        self.get_mut(&source)?.restart();
        Ok(Ok(()))
    }

    fn drop(&mut self, source: Resource<AccessControlSource>) -> wasmtime::Result<()> {
        self.delete(source)?;
        Ok(())
    }
}

impl HostFeedbackSink for ResourceTable {
    fn write(
        &mut self,
        sink: Resource<FeedbackSink>,
        batch: Vec<AccessControlFeedback>,
    ) -> wasmtime::Result<Result<(), SinkError>> {
        Ok(self.get_mut(&sink)?.take(&batch))
    }

    fn drop(&mut self, sink: Resource<FeedbackSink>) -> wasmtime::Result<()> {
        self.delete(sink)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

    use super::AccessControlSource;

    fn source(text: &str) -> (tempfile::NamedTempFile, AccessControlSource) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let source = AccessControlSource::new(file.path().into());
        (file, source)
    }

    #[test]
    fn a_file_that_breaks_off_is_an_error_and_not_the_end_of_the_list() {
        let whole = r#"{"id":"a1","action":"grant"}"#;
        let (_file, mut source) = source(&format!("{{\"accessProviders\":[{whole},{{\"id\":"));
        assert_eq!(source.next(1).unwrap().len(), 1);
        assert!(source.next(1).is_err());
        assert!(source.reading().lock().unwrap().error.as_ref().unwrap().contains("line 1"));
    }

    #[test]
    fn every_round_gives_the_same() {
        let control = |at| format!("{{\"id\":\"a{at}\",\"action\":\"grant\"}}");
        let list: Vec<_> = (0..500).map(control).collect();
        let (_file, mut source) =
            source(&format!("{{\"accessProviders\":[{}],\"fileBuildTime\":7}}", list.join(",")));
        let ids = |source: &mut AccessControlSource| {
            let mut ids = Vec::new();
            loop {
                let batch = source.next(128).unwrap();
                if batch.is_empty() {
                    return ids;
                }
                ids.extend(batch.into_iter().map(|control| control.id));
            }
        };
        let first = ids(&mut source);
        assert_eq!((first.len(), first[499].as_str()), (500, "a499"));
        assert_eq!(source.reading().lock().unwrap().header.file_build_time, Some(7));
        source.restart();
        // One that is left in the middle has no part in the next.
        source.next(3).unwrap();
        source.restart();
        assert_eq!(ids(&mut source), first);
    }
}
