//! Data objects, as they are written and as they are read again for an enricher.

use serde::{Deserialize, Serialize};

use super::tags;
use crate::contract::data_objects::DataObject;
use crate::contract::types::Tag;

/// A data object.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataObjectShape<'a> {
    /// Unique in the data source.
    pub external_id: &'a str,
    /// Last part of the name.
    pub name: &'a str,
    /// Full path.
    pub full_name: &'a str,
    /// Type of the metadata.
    #[serde(rename = "type")]
    pub object_type: &'a str,
    /// For people.
    pub description: &'a str,
    /// External id of the parent; empty for the root alone.
    pub parent_external_id: &'a str,
    /// Its tags.
    #[serde(serialize_with = "tags")]
    pub tags: &'a [Tag],
    /// Data type of a column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_type: Option<&'a str>,
    /// Account that shares it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_provider_identifier: Option<&'a str>,
    /// Share that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_identifier: Option<&'a str>,
}

impl<'a> DataObjectShape<'a> {
    /// The shape of an object whose parent may have been filled in.
    pub fn new(object: &'a DataObject, parent: &'a str) -> Self {
        DataObjectShape {
            external_id: &object.external_id,
            name: &object.name,
            full_name: &object.full_name,
            object_type: &object.object_type,
            description: &object.description,
            parent_external_id: parent,
            tags: &object.tags,
            data_type: object.data_type.as_deref(),
            share_provider_identifier: object.share_provider_identifier.as_deref(),
            share_identifier: object.share_identifier.as_deref(),
        }
    }
}

/// A data object that was written before.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WrittenDataObject {
    external_id: String,
    name: String,
    full_name: String,
    #[serde(rename = "type")]
    object_type: String,
    description: String,
    parent_external_id: String,
    tags: Option<Vec<WrittenTag>>,
    data_type: Option<String>,
    share_provider_identifier: Option<String>,
    share_identifier: Option<String>,
}

#[derive(Deserialize)]
struct WrittenTag {
    key: String,
    value: String,
    source: String,
}

impl From<WrittenDataObject> for DataObject {
    fn from(written: WrittenDataObject) -> Self {
        let tag = |tag: WrittenTag| Tag { key: tag.key, value: tag.value, source: tag.source };
        DataObject {
            external_id: written.external_id,
            name: written.name,
            full_name: written.full_name,
            object_type: written.object_type,
            description: written.description,
            parent_external_id: written.parent_external_id,
            tags: written.tags.unwrap_or_default().into_iter().map(tag).collect(),
            data_type: written.data_type,
            share_provider_identifier: written.share_provider_identifier,
            share_identifier: written.share_identifier,
        }
    }
}
