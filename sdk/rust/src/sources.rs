//! What the host hands in, as iterators that fetch batches.

use std::collections::VecDeque;

use crate::bindings::imports::raito::connector::{access_controls, data_objects};
use crate::{DataObject, DesiredAccessControl, Result};

/// Records asked for at once.
const BATCH: u32 = 128;

macro_rules! source {
    ($(#[$doc:meta])* $name:ident, $resource:path, $record:ty) => {
        $(#[$doc])*
        pub struct $name<'a> {
            resource: &'a $resource,
            fetched: VecDeque<$record>,
            ended: bool,
        }

        impl<'a> $name<'a> {
            pub(crate) fn new(resource: &'a $resource) -> Self {
                $name { resource, fetched: VecDeque::new(), ended: false }
            }
        }

        impl Iterator for $name<'_> {
            type Item = Result<$record>;

            fn next(&mut self) -> Option<Self::Item> {
                if self.fetched.is_empty() && !self.ended {
                    match self.resource.next(BATCH) {
                        Ok(batch) => self.fetched = batch.into(),
                        Err(error) => {
                            self.ended = true;
                            return Some(Err(error));
                        }
                    }
                    self.ended = self.fetched.is_empty();
                }
                self.fetched.pop_front().map(Ok)
            }
        }
    };
}

source!(
    /// The access controls to apply, one after the other.
    DesiredAccessControls,
    access_controls::AccessControlSource,
    DesiredAccessControl
);

impl DesiredAccessControls<'_> {
    /// Begins a new round, which gives the same access controls in the same order.
    ///
    /// # Errors
    /// What the host says.
    pub fn restart(&mut self) -> Result<()> {
        self.resource.restart()?;
        self.fetched.clear();
        self.ended = false;
        Ok(())
    }
}

source!(
    /// The data objects to enrich, one after the other.
    DataObjectSource,
    data_objects::DataObjectSource,
    DataObject
);
