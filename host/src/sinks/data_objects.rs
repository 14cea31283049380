//! Data objects: the root, the parents of top-level objects, types that the metadata knows.

use std::collections::HashSet;

use wasmtime::component::{Resource, ResourceTable};

use super::{Invalid, NotOffered, RecordWriter, TagRules, filled};
use crate::contract::data_objects::{DataObject, Host, HostDataObjectSink, HostDataObjectSource, RootObject};
use crate::contract::types::{self, SinkError};
use crate::records::data_object::DataObjectShape;

/// Type of the root.
const ROOT: &str = "datasource";

/// What data objects are checked against.
pub struct DataObjectRules {
    /// Id of the data source: the external id of the root.
    pub data_source_id: String,
    /// Type names of the metadata.
    pub types: HashSet<String>,
    /// The operator's rules for tags.
    pub tags: TagRules,
}

/// Takes data objects.
pub struct DataObjectSink {
    writer: RecordWriter,
    rules: DataObjectRules,
    root: Option<RootObject>,
    started: bool,
}

impl DataObjectSink {
    /// A sink that writes into a file.
    pub fn new(writer: RecordWriter, rules: DataObjectRules) -> Self {
        DataObjectSink { writer, rules, root: None, started: false }
    }

    /// What is left to do: ending the file.
    pub fn into_writer(self) -> RecordWriter {
        self.writer
    }

    fn set_root(&mut self, root: RootObject) -> Result<(), SinkError> {
        if self.started {
            return Err(SinkError::Closed("set-root must come before the first write".into()));
        }
        self.root = Some(root);
        Ok(())
    }

    /// Takes a batch.
    ///
    /// # Errors
    /// The first record that breaks a rule.
    pub fn take(&mut self, mut batch: Vec<DataObject>) -> Result<(), SinkError> {
        let Some(first) = batch.first() else { return Ok(()) };
        if !self.started {
            self.started = true;
            if !first.object_type.eq_ignore_ascii_case(ROOT) {
                self.write_root()?;
            }
        }
        let rules = &self.rules;
        for object in &mut batch {
            rules.tags.data_object(object);
        }
        self.writer.batch(&batch, |object, item| {
            let id = &object.external_id;
            filled(&object.full_name, "external-id", id)?;
            filled(id, "full-name", &object.full_name)?;
            filled(id, "object-type", &object.object_type)?;
            if object.object_type != ROOT && !rules.types.contains(&object.object_type) {
                let message = format!("the metadata declares no type {:?}", object.object_type);
                return Err(Invalid::new(id, "object-type", message));
            }
            if *id == rules.data_source_id && object.object_type != ROOT {
                let message =
                    "is the id of the data source itself; give the data source another `data-source-id`";
                return Err(Invalid::new(id, "external-id", message));
            }
            let at_top = object.parent_external_id.is_empty() && object.object_type != ROOT;
            let parent = if at_top { &rules.data_source_id } else { &object.parent_external_id };
            item.put(&DataObjectShape::new(object, parent));
            Ok(())
        })
    }

    fn write_root(&mut self) -> Result<(), SinkError> {
        let id = &self.rules.data_source_id;
        let (name, full_name, description) = match &self.root {
            Some(root) => (root.name.as_str(), root.full_name.as_str(), root.description.as_str()),
            None => (id.as_str(), id.as_str(), ""),
        };
        let root = DataObjectShape {
            external_id: id,
            name,
            full_name,
            object_type: ROOT,
            description,
            parent_external_id: "",
            tags: &[],
            data_type: None,
            share_provider_identifier: None,
            share_identifier: None,
        };
        self.writer.add(&root)
    }
}

impl Host for ResourceTable {}

impl HostDataObjectSink for ResourceTable {
    fn set_root(
        &mut self,
        sink: Resource<DataObjectSink>,
        root: RootObject,
    ) -> wasmtime::Result<Result<(), SinkError>> {
        Ok(self.get_mut(&sink)?.set_root(root))
    }

    fn write(
        &mut self,
        sink: Resource<DataObjectSink>,
        batch: Vec<DataObject>,
    ) -> wasmtime::Result<Result<(), SinkError>> {
        Ok(self.get_mut(&sink)?.take(batch))
    }

    fn drop(&mut self, sink: Resource<DataObjectSink>) -> wasmtime::Result<()> {
        self.delete(sink)?;
        Ok(())
    }
}

impl HostDataObjectSource for ResourceTable {
    fn next(
        &mut self,
        source: Resource<NotOffered>,
        _max: u32,
    ) -> wasmtime::Result<Result<Vec<DataObject>, types::Error>> {
        match *self.get(&source)? {}
    }

    fn drop(&mut self, source: Resource<NotOffered>) -> wasmtime::Result<()> {
        self.delete(source)?;
        Ok(())
    }
}
