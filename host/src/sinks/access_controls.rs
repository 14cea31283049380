//! Access controls: read from the target, handed to it, and what became of them.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use wasmtime::component::{Resource, ResourceTable};

use super::{Invalid, NotOffered, RecordWriter, Refusal, TagRules, filled};
use crate::config::locks::LockRules;
use crate::contract::access_controls::{
    AccessControl, AccessControlFeedback, AccessControlPlan, DesiredAccessControl, Host,
    HostAccessControlSink, HostAccessControlSource, HostFeedbackSink, HostPlanSink, Lock,
};
use crate::contract::types::{self, SinkError};
use crate::records::access_control::{AccessControlShape, FeedbackShape};

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

/// Hands the access controls of an access file to the connector. They are read by a thread that is at most a
/// few dozen ahead.
pub struct AccessControlSource {
    incoming: Receiver<Result<DesiredAccessControl, String>>,
}

impl AccessControlSource {
    pub(crate) fn new(incoming: Receiver<Result<DesiredAccessControl, String>>) -> Self {
        AccessControlSource { incoming }
    }

    /// A file that is broken in the middle is an error, never the end of the list: a connector that took it for the end
    /// would apply half of what it should.
    fn next(&mut self, max: u32) -> Result<Vec<DesiredAccessControl>, types::Error> {
        self.incoming
            .iter()
            .take(max.clamp(1, 1024) as usize)
            .collect::<Result<_, _>>()
            .map_err(types::Error::Other)
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

/// Takes feedback.
pub struct FeedbackSink {
    writer: RecordWriter,
    totals: FeedbackTotals,
    /// Errors for people, the first few.
    errors: Vec<String>,
    /// Hashes of the ids seen: eight bytes for each access control, whatever its size.
    seen: HashSet<u64>,
    hasher: Arc<RandomState>,
}

impl FeedbackSink {
    /// Errors kept for the report; the feedback file has all of them.
    const ERRORS: usize = 20;

    pub(crate) fn new(writer: RecordWriter) -> Self {
        FeedbackSink {
            writer,
            totals: FeedbackTotals::default(),
            errors: Vec::new(),
            seen: HashSet::new(),
            hasher: Arc::default(),
        }
    }

    pub(crate) fn into_parts(self) -> (RecordWriter, FeedbackTotals, Vec<String>) {
        (self.writer, self.totals, self.errors)
    }

    fn take(&mut self, batch: &[AccessControlFeedback]) -> Result<(), SinkError> {
        let FeedbackSink { writer, totals, errors, seen, hasher } = self;
        writer.batch(batch, |feedback, item| {
            filled(&feedback.actual_name, "id", &feedback.id)?;
            if !seen.insert(hasher.hash_one(&feedback.id)) {
                return Err(Invalid::new(&feedback.id, "id", "has had its feedback already"));
            }
            totals.controls += 1;
            totals.changed += u64::from(feedback.operations > 0);
            totals.operations += u64::from(feedback.operations);
            totals.failed += u64::from(!feedback.errors.is_empty());
            let room = Self::ERRORS.saturating_sub(errors.len());
            let name = if feedback.actual_name.is_empty() { &feedback.id } else { &feedback.actual_name };
            errors.extend(feedback.errors.iter().take(room).map(|error| format!("{name}: {error}")));
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

impl HostPlanSink for ResourceTable {
    fn write(
        &mut self,
        sink: Resource<NotOffered>,
        _batch: Vec<AccessControlPlan>,
    ) -> wasmtime::Result<Result<(), SinkError>> {
        match *self.get(&sink)? {}
    }

    fn drop(&mut self, sink: Resource<NotOffered>) -> wasmtime::Result<()> {
        self.delete(sink)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

    use std::sync::mpsc::channel;

    use super::AccessControlSource;
    use crate::records::desired;

    #[test]
    fn a_file_that_breaks_off_is_an_error_and_not_the_end_of_the_list() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let whole = r#"{"id":"a1","action":"grant"}"#;
        std::fs::write(file.path(), format!("{{\"accessProviders\":[{whole},{{\"id\":")).unwrap();
        let (controls, incoming) = channel();
        let broken = desired::read(file.path(), |control| {
            controls.send(Ok(control)).map_err(|error| error.to_string())
        });
        controls.send(Err(broken.unwrap_err())).unwrap();
        drop(controls);
        let mut source = AccessControlSource::new(incoming);
        assert_eq!(source.next(1).unwrap().len(), 1);
        assert!(source.next(1).is_err());
    }
}
