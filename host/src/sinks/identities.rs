//! Users and groups.

use wasmtime::component::{Resource, ResourceTable};

use super::{RecordWriter, TagRules, filled};
use crate::contract::identities::{Group, Host, HostGroupSink, HostUserSink, User};
use crate::contract::types::SinkError;
use crate::records::identity::{GroupShape, UserShape};

/// Takes users.
pub struct UserSink {
    writer: RecordWriter,
    rules: TagRules,
}

impl UserSink {
    /// A sink that writes into a file.
    pub fn new(writer: RecordWriter, rules: TagRules) -> Self {
        UserSink { writer, rules }
    }

    /// What is left to do: ending the file.
    pub fn into_writer(self) -> RecordWriter {
        self.writer
    }

    /// Takes a batch.
    ///
    /// # Errors
    /// The first record that breaks a rule.
    pub fn take(&mut self, mut batch: Vec<User>) -> Result<(), SinkError> {
        for user in &mut batch {
            self.rules.user(user);
        }
        self.writer.batch(&batch, |user, item| {
            filled(&user.user_name, "external-id", &user.external_id)?;
            filled(&user.external_id, "user-name", &user.user_name)?;
            item.put(&UserShape::from(user));
            Ok(())
        })
    }
}

/// Takes groups.
pub struct GroupSink {
    writer: RecordWriter,
}

impl GroupSink {
    /// A sink that writes into a file.
    pub fn new(writer: RecordWriter) -> Self {
        GroupSink { writer }
    }

    /// What is left to do: ending the file.
    pub fn into_writer(self) -> RecordWriter {
        self.writer
    }

    /// Takes a batch.
    ///
    /// # Errors
    /// The first record that breaks a rule.
    pub fn take(&mut self, batch: &[Group]) -> Result<(), SinkError> {
        self.writer.batch(batch, |group, item| {
            filled(&group.name, "external-id", &group.external_id)?;
            filled(&group.external_id, "name", &group.name)?;
            item.put(&GroupShape::from(group));
            Ok(())
        })
    }
}

impl Host for ResourceTable {}

impl HostUserSink for ResourceTable {
    fn write(
        &mut self,
        sink: Resource<UserSink>,
        batch: Vec<User>,
    ) -> wasmtime::Result<Result<(), SinkError>> {
        Ok(self.get_mut(&sink)?.take(batch))
    }

    fn drop(&mut self, sink: Resource<UserSink>) -> wasmtime::Result<()> {
        self.delete(sink)?;
        Ok(())
    }
}

impl HostGroupSink for ResourceTable {
    fn write(
        &mut self,
        sink: Resource<GroupSink>,
        batch: Vec<Group>,
    ) -> wasmtime::Result<Result<(), SinkError>> {
        Ok(self.get_mut(&sink)?.take(&batch))
    }

    fn drop(&mut self, sink: Resource<GroupSink>) -> wasmtime::Result<()> {
        self.delete(sink)?;
        Ok(())
    }
}
