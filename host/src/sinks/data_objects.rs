//! Data objects: the root, the parents of top-level objects, types that the metadata knows; and how enrichers get them.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};

use wasmtime::component::{Resource, ResourceTable};

use super::{Invalid, RecordWriter, Refusal, TagRules, Tally, filled};
use crate::contract::data_objects::{DataObject, Host, HostDataObjectSink, HostDataObjectSource, RootObject};
use crate::contract::types::{self, SinkError};
use crate::records::data_object::{DataObjectShape, WrittenDataObject};
use crate::records::list;

/// Type of the root.
const ROOT: &str = "datasource";

/// Data objects that the reader of a file is ahead of the enricher.
const AHEAD: usize = 256;

/// What data objects are checked against.
#[derive(Clone)]
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
    /// The objects come from a file that has its root.
    enriched: bool,
    /// What was written, if somebody wants to know.
    tally: Option<Tally>,
}

impl DataObjectSink {
    /// A sink that writes into a file.
    pub fn new(writer: RecordWriter, rules: DataObjectRules) -> Self {
        DataObjectSink { writer, rules, root: None, started: false, enriched: false, tally: None }
    }

    /// Remembers what was written, for an enricher to be measured by.
    #[must_use]
    pub fn counted(self) -> Self {
        DataObjectSink { tally: Some(Tally::default()), ..self }
    }

    /// A sink for objects that were read before, their root among them.
    pub fn enriched(writer: RecordWriter, rules: DataObjectRules) -> Self {
        DataObjectSink { started: true, enriched: true, ..DataObjectSink::new(writer, rules).counted() }
    }

    /// What is left to do: ending the file.
    pub fn into_writer(self) -> RecordWriter {
        self.writer
    }

    /// Likewise, with what was written into it.
    pub fn into_parts(self) -> (RecordWriter, Tally) {
        (self.writer, self.tally.unwrap_or_default())
    }

    fn set_root(&mut self, root: RootObject) -> Result<(), SinkError> {
        if self.enriched {
            return Err(SinkError::Closed("the root is not the enricher's to name".into()));
        }
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
            if let Some(tally) = &mut self.tally {
                tally.add(&object.external_id);
            }
        }
        let root_id = |object: &DataObject| {
            object.external_id == rules.data_source_id && !object.object_type.eq_ignore_ascii_case(ROOT)
        };
        if let Some(object) = batch.iter().find(|object| root_id(object)) {
            self.writer.progress.refuse(Refusal::RootId(object.external_id.clone()));
            return Err(SinkError::Closed("an object has the id of the data source itself".into()));
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
        if let Some(tally) = &mut self.tally {
            tally.add(id);
        }
        self.writer.add(&root)
    }
}

/// Hands the objects of a file to an enricher. A thread reads, and is at most a few hundred ahead.
pub struct DataObjectSource {
    objects: Receiver<Result<DataObject, String>>,
}

impl DataObjectSource {
    /// Begins to read.
    pub fn new(file: PathBuf) -> Self {
        let (sender, objects) = sync_channel(AHEAD);
        // The thread ends with the file, or when nobody takes what it reads any more.
        std::thread::spawn(move || {
            let mut left = false;
            let outcome = list::read(&file, |object: WrittenDataObject| {
                left = sender.send(Ok(object.into())).is_err();
                if left { Err(io::Error::other("the enricher took no more")) } else { Ok(()) }
            });
            if let (Err(error), false) = (outcome, left) {
                // Whether somebody still listens is for them to know.
                let _ = sender.send(Err(format!("the data objects cannot be read again: {error}")));
            }
        });
        DataObjectSource { objects }
    }

    fn next(&mut self, max: u32) -> Result<Vec<DataObject>, types::Error> {
        let objects = self.objects.iter().take(max.clamp(1, 1024) as usize);
        objects.collect::<Result<_, _>>().map_err(types::Error::Other)
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
        source: Resource<DataObjectSource>,
        max: u32,
    ) -> wasmtime::Result<Result<Vec<DataObject>, types::Error>> {
        Ok(self.get_mut(&source)?.next(max))
    }

    fn drop(&mut self, source: Resource<DataObjectSource>) -> wasmtime::Result<()> {
        self.delete(source)?;
        Ok(())
    }
}
