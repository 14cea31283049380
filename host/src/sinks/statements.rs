//! Usage statements.

use wasmtime::component::{Resource, ResourceTable};

use super::{Invalid, RecordWriter, filled};
use crate::contract::statements::{Host, HostStatementSink, Statement};
use crate::contract::types::SinkError;
use crate::records::statement::StatementShape;

/// The last moment that RFC 3339 can write, in milliseconds.
const LAST_MOMENT: u64 = 253_402_300_799_999;

/// Takes statements.
pub struct StatementSink {
    writer: RecordWriter,
}

impl StatementSink {
    /// A sink that writes into a file.
    pub fn new(writer: RecordWriter) -> Self {
        StatementSink { writer }
    }

    /// What is left to do: ending the file.
    pub fn into_writer(self) -> RecordWriter {
        self.writer
    }

    /// Takes a batch.
    ///
    /// # Errors
    /// The first record that breaks a rule.
    pub fn take(&mut self, batch: &[Statement]) -> Result<(), SinkError> {
        self.writer.batch(batch, |statement, item| {
            let id = &statement.external_id;
            filled("", "external-id", id)?;
            for (field, time) in [("start-time", statement.start_time), ("end-time", statement.end_time)] {
                if time.is_some_and(|time| time > LAST_MOMENT) {
                    return Err(Invalid::new(
                        id,
                        field,
                        "lies after the year 9999; the unit is milliseconds",
                    ));
                }
            }
            if statement.credits.is_some_and(|credits| !credits.is_finite()) {
                return Err(Invalid::new(id, "credits", "must be a finite number"));
            }
            for accessed in &statement.accessed {
                filled(id, "accessed.object.full-name", &accessed.object.full_name)?;
            }
            item.put(&StatementShape::from(statement));
            Ok(())
        })
    }
}

impl Host for ResourceTable {}

impl HostStatementSink for ResourceTable {
    fn write(
        &mut self,
        sink: Resource<StatementSink>,
        batch: Vec<Statement>,
    ) -> wasmtime::Result<Result<(), SinkError>> {
        Ok(self.get_mut(&sink)?.take(&batch))
    }

    fn drop(&mut self, sink: Resource<StatementSink>) -> wasmtime::Result<()> {
        self.delete(sink)?;
        Ok(())
    }
}
