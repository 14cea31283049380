//! How much memory, how many tables and instances a connector may have.

use wasmtime::{Error, ResourceLimiter, Result};

/// Entries in all tables of an instance together.
const TABLE_ENTRIES: usize = 1 << 20;
/// Core instances in a component.
const INSTANCES: usize = 64;
/// Memories and tables in a component.
const MEMORIES_AND_TABLES: usize = 64;

/// A limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitHit {
    /// `memory`, in bytes.
    Memory(u64),
    /// Entries in tables; not configurable.
    TableEntries,
    /// What one call may hand over, in bytes; not configurable.
    Call(u64),
}

/// Counts what an instance has and refuses more. A refusal ends the call.
#[derive(Debug)]
pub(super) struct Limits {
    memory: u64,
    memory_used: u64,
    table_entries: usize,
    hit: Option<LimitHit>,
}

impl Limits {
    pub(super) fn new(memory: u64) -> Self {
        Limits { memory, memory_used: 0, table_entries: 0, hit: None }
    }

    /// The limit that ended the call, if one did.
    pub(super) fn hit(&self) -> Option<LimitHit> {
        self.hit
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let used = self.memory_used.saturating_add(desired.saturating_sub(current) as u64);
        if used > self.memory {
            self.hit = Some(LimitHit::Memory(self.memory));
            return Err(Error::msg("the memory limit is reached"));
        }
        self.memory_used = used;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        self.table_entries += desired.saturating_sub(current);
        if self.table_entries > TABLE_ENTRIES {
            self.hit = Some(LimitHit::TableEntries);
            return Err(Error::msg("the limit of table entries is reached"));
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        MEMORIES_AND_TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES_AND_TABLES
    }
}
