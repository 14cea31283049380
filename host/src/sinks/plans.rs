//! Plans: what the connector would do to each access control.
//!
//! Those that would change nothing are counted and not kept.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use wasmtime::component::{Resource, ResourceTable};

use super::{Invalid, RecordWriter, filled};
use crate::contract::access_controls::{AccessControlPlan, HostPlanSink};
use crate::contract::types::SinkError;
use crate::records::plan::{ChangeKind, PlanRecord};
use crate::sandbox::ConnectorLog;

/// What a plan adds up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanTotals {
    /// Access controls that are made.
    pub create: u64,
    /// Access controls that are changed.
    pub update: u64,
    /// Access controls that are removed.
    pub delete: u64,
    /// Access controls that stand as desired.
    pub unchanged: u64,
    /// Access controls that cannot be applied.
    pub errors: u64,
    /// Access controls that are removed or lose something.
    pub losing: u64,
    /// Things to do in the target.
    pub operations: u64,
}

impl PlanTotals {
    /// Access controls that applying would change.
    pub fn changes(&self) -> u64 {
        self.create + self.update + self.delete
    }

    /// Access controls that stand in the target.
    pub fn standing(&self) -> u64 {
        self.update + self.delete + self.unchanged
    }

    fn add(&mut self, record: &PlanRecord) {
        match record.change {
            ChangeKind::None => self.unchanged += u64::from(record.errors.is_empty()),
            ChangeKind::Create => self.create += 1,
            ChangeKind::Update => self.update += 1,
            ChangeKind::Delete => self.delete += 1,
        }
        self.errors += u64::from(!record.errors.is_empty());
        self.losing += u64::from(record.changes() && record.loses());
        self.operations += record.operations.len() as u64;
    }
}

/// Takes plans.
pub struct PlanSink {
    writer: RecordWriter,
    log: ConnectorLog,
    totals: PlanTotals,
    /// Hashes of the ids seen: eight bytes for each access control, whatever its size.
    seen: HashSet<u64>,
    hasher: RandomState,
    /// Ids by actual name.
    actual_names: HashMap<String, String>,
}

impl PlanSink {
    pub(crate) fn new(writer: RecordWriter, log: ConnectorLog) -> Self {
        PlanSink {
            writer,
            log,
            totals: PlanTotals::default(),
            seen: HashSet::new(),
            hasher: RandomState::new(),
            actual_names: HashMap::new(),
        }
    }

    /// The file, what the plans add up to, and ids by actual name.
    pub(crate) fn into_parts(self) -> (RecordWriter, PlanTotals, HashMap<String, String>) {
        (self.writer, self.totals, self.actual_names)
    }

    fn take(&mut self, batch: Vec<AccessControlPlan>) -> Result<(), SinkError> {
        let PlanSink { writer, log, totals, seen, hasher, actual_names } = self;
        let records: Vec<PlanRecord> = batch.into_iter().map(|plan| PlanRecord::new(plan, log)).collect();
        writer.batch(&records, |record, item| {
            filled(&record.name, "id", &record.id)?;
            if !seen.insert(hasher.hash_one(&record.id)) {
                return Err(Invalid::new(&record.id, "id", "has had its plan already"));
            }
            if record.change == ChangeKind::None && !record.operations.is_empty() {
                return Err(Invalid::new(&record.id, "change", "is `none` beside operations"));
            }
            totals.add(record);
            actual_names.insert(record.actual_name.clone(), record.id.clone());
            if record.changes() || !record.errors.is_empty() || !record.warnings.is_empty() {
                item.put(record);
            }
            Ok(())
        })
    }
}

impl HostPlanSink for ResourceTable {
    fn write(
        &mut self,
        sink: Resource<PlanSink>,
        batch: Vec<AccessControlPlan>,
    ) -> wasmtime::Result<Result<(), SinkError>> {
        Ok(self.get_mut(&sink)?.take(batch))
    }

    fn drop(&mut self, sink: Resource<PlanSink>) -> wasmtime::Result<()> {
        self.delete(sink)?;
        Ok(())
    }
}
