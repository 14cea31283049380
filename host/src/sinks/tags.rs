//! Tags that a catalogue puts on data objects and users.

use wasmtime::component::{Resource, ResourceTable};

use super::{RecordWriter, filled};
use crate::contract::tag_assignments::{Host, HostTagSink, TagAssignment, Tagged};
use crate::contract::types::SinkError;
use crate::records::tag::TagAssignmentShape;

/// Takes tags.
pub struct TagSink {
    writer: RecordWriter,
}

impl TagSink {
    /// A sink that writes into a file.
    pub fn new(writer: RecordWriter) -> Self {
        TagSink { writer }
    }

    /// What is left to do: ending the file.
    pub fn into_writer(self) -> RecordWriter {
        self.writer
    }

    /// Takes a batch.
    ///
    /// # Errors
    /// The first record that breaks a rule.
    pub fn take(&mut self, batch: &[TagAssignment]) -> Result<(), SinkError> {
        self.writer.batch(batch, |tag, item| {
            let (on, field) = match &tag.on {
                Tagged::DataObject(name) => (name, "on.data-object"),
                Tagged::User(id) => (id, "on.user"),
            };
            filled(&tag.key, field, on)?;
            filled(on, "key", &tag.key)?;
            item.put(&TagAssignmentShape::from(tag));
            Ok(())
        })
    }
}

impl Host for ResourceTable {}

impl HostTagSink for ResourceTable {
    fn write(
        &mut self,
        sink: Resource<TagSink>,
        batch: Vec<TagAssignment>,
    ) -> wasmtime::Result<Result<(), SinkError>> {
        Ok(self.get_mut(&sink)?.take(&batch))
    }

    fn drop(&mut self, sink: Resource<TagSink>) -> wasmtime::Result<()> {
        self.delete(sink)?;
        Ok(())
    }
}
