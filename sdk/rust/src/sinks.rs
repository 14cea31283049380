//! Sinks that collect records and hand them to the host in batches.
//!
//! A crossing of the sandbox's border has a price, so records cross it in batches of [`BATCH_RECORDS`]; nothing
//! is gained by larger ones. A batch is also closed when its texts reach [`BATCH_BYTES`], which keeps it
//! well below what the host accepts in one call.

use crate::bindings::imports::raito::connector as contract;
use crate::{
    AccessControl, AccessControlFeedback, AccessControlPlan, DataObject, Group, Result, RootObject,
    SinkError, Statement, TagAssignment, Tagged, User, WhatItem, Who,
};

/// Records in a batch.
const BATCH_RECORDS: usize = 256;
/// Bytes of text after which a batch is closed early.
const BATCH_BYTES: usize = 1 << 20;

/// What kind of records a host resource takes. Implemented for the resources of the contract.
pub trait Target {
    /// The record.
    type Record;
    /// Hands a batch to the host; returns when the host has taken it.
    fn send(&self, batch: &[Self::Record]) -> Result<(), SinkError>;
    /// Bytes of text in a record, approximately.
    fn size(record: &Self::Record) -> usize;
}

/// Collects records for the host. What is left at the end of a call is sent when the call returns.
pub struct Sink<'a, T: Target> {
    target: &'a T,
    batch: Vec<T::Record>,
    bytes: usize,
}

impl<'a, T: Target> Sink<'a, T> {
    pub(crate) fn new(target: &'a T) -> Self {
        Sink { target, batch: Vec::with_capacity(BATCH_RECORDS), bytes: 0 }
    }

    /// Adds a record. An error means that the host refused records and that the step has failed: return it.
    pub fn push(&mut self, record: T::Record) -> Result<()> {
        self.bytes += T::size(&record);
        self.batch.push(record);
        if self.batch.len() >= BATCH_RECORDS || self.bytes >= BATCH_BYTES { self.flush() } else { Ok(()) }
    }

    /// Sends what was collected. The adapter calls it at the end; a connector need not.
    pub fn flush(&mut self) -> Result<()> {
        if !self.batch.is_empty() {
            self.target.send(&self.batch)?;
            self.batch.clear();
            self.bytes = 0;
        }
        Ok(())
    }
}

/// Takes users.
pub type Users<'a> = Sink<'a, contract::identities::UserSink>;
/// Takes groups.
pub type Groups<'a> = Sink<'a, contract::identities::GroupSink>;
/// Takes data objects.
pub type DataObjects<'a> = Sink<'a, contract::data_objects::DataObjectSink>;
/// Takes access controls.
pub type AccessControls<'a> = Sink<'a, contract::access_controls::AccessControlSink>;
/// Takes feedback on applied access controls.
pub type Feedback<'a> = Sink<'a, contract::access_controls::FeedbackSink>;
/// Takes plans.
pub type Plans<'a> = Sink<'a, contract::access_controls::PlanSink>;
/// Takes statements.
pub type Statements<'a> = Sink<'a, contract::statements::StatementSink>;
/// Takes tags on data objects and users.
pub type TagAssignments<'a> = Sink<'a, contract::tag_assignments::TagSink>;

impl DataObjects<'_> {
    /// Names the root of the data source. Call it before the first `push`.
    pub fn set_root(&mut self, root: &RootObject) -> Result<()> {
        Ok(self.target.set_root(root)?)
    }
}

macro_rules! target {
    ($resource:path, $record:ty, $argument:ident => $size:expr) => {
        impl Target for $resource {
            type Record = $record;
            fn send(&self, batch: &[$record]) -> Result<(), SinkError> {
                self.write(batch)
            }
            fn size($argument: &$record) -> usize {
                $size
            }
        }
    };
}

target!(contract::identities::UserSink, User, user => {
    user.external_id.len() + user.name.len() + user.user_name.len() + user.email.len() + texts(&user.group_external_ids)
});
target!(contract::identities::GroupSink, Group, group => {
    group.external_id.len() + group.name.len() + group.description.len() + texts(&group.parent_group_external_ids)
});
target!(contract::data_objects::DataObjectSink, DataObject, object => {
    object.external_id.len() + object.full_name.len() + object.parent_external_id.len() + object.description.len()
});
target!(contract::access_controls::AccessControlSink, AccessControl, control => {
    control.external_id.len() + control.policy.len() + control.who.as_ref().map_or(0, who) + what(&control.what)
});
target!(contract::access_controls::FeedbackSink, AccessControlFeedback, feedback => {
    feedback.id.len() + feedback.actual_name.len() + texts(&feedback.errors) + texts(&feedback.warnings)
});
target!(contract::access_controls::PlanSink, AccessControlPlan, plan => {
    who(&plan.added_who)
        + who(&plan.removed_who)
        + what(&plan.added_what)
        + what(&plan.removed_what)
        + plan.operations.iter().map(|step| step.summary.len() + step.statement.as_deref().map_or(0, str::len)).sum::<usize>()
});
target!(contract::statements::StatementSink, Statement, statement => {
    statement.query.len()
        + statement.error.len()
        + statement.accessed.iter().map(|accessed| 32 + accessed.object.full_name.len()).sum::<usize>()
});
target!(contract::tag_assignments::TagSink, TagAssignment, tag => {
    let on = match &tag.on {
        Tagged::DataObject(name) | Tagged::User(name) => name,
    };
    on.len() + tag.key.len() + tag.value.len()
});

fn texts(list: &[String]) -> usize {
    list.iter().map(String::len).sum()
}

fn who(who: &Who) -> usize {
    texts(&who.users) + texts(&who.groups) + texts(&who.access_controls) + texts(&who.recipients)
}

fn what(items: &[WhatItem]) -> usize {
    items.iter().map(|item| 32 + item.object.full_name.len() + texts(&item.permissions)).sum()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::{BATCH_BYTES, BATCH_RECORDS, Sink, Target};
    use crate::{Result, SinkError};

    #[derive(Default)]
    struct Batches(RefCell<Vec<usize>>);

    impl Target for Batches {
        type Record = String;
        fn send(&self, batch: &[String]) -> Result<(), SinkError> {
            self.0.borrow_mut().push(batch.len());
            Ok(())
        }
        fn size(record: &String) -> usize {
            record.len()
        }
    }

    #[test]
    fn batches_are_bounded_by_records_and_by_bytes() {
        let batches = Batches::default();
        let mut sink = Sink::new(&batches);
        for _ in 0..=BATCH_RECORDS {
            assert!(sink.push(String::new()).is_ok());
        }
        assert!(sink.push("x".repeat(BATCH_BYTES)).is_ok());
        assert!(sink.push(String::new()).is_ok());
        assert!(sink.flush().is_ok());
        assert!(sink.flush().is_ok());
        assert_eq!(*batches.0.borrow(), [BATCH_RECORDS, 2, 1]);
    }
}
