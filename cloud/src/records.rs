//! The records in uploaded files, and how a file is read.
//!
//! A file is one JSON array. Unknown members are ignored, a missing or null list is an empty one, a missing
//! or null text is empty.

pub(crate) mod array;
pub(crate) mod nul;

use serde::{Deserialize, Deserializer, Serialize};

/// Reads null as the default value.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// A tag on another record.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Tag {
    #[serde(deserialize_with = "or_default")]
    pub(crate) key: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) value: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) source: String,
}

/// The key of tags that name owners.
pub(crate) const OWNER_TAG: &str = "raito_owner";

/// The deprecated way to name owners.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Owners {
    #[serde(deserialize_with = "or_default")]
    pub(crate) users: Vec<String>,
}

impl Owners {
    /// Adds the owners as a tag, unless such a tag is there already, which wins.
    fn into_tag(self, tags: &mut Vec<Tag>) {
        if !self.users.is_empty() && !tags.iter().any(|tag| tag.key == OWNER_TAG) {
            tags.push(Tag { key: OWNER_TAG.to_owned(), value: self.users.join(","), source: String::new() });
        }
    }
}

/// An account.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names are those of the format")]
pub(crate) struct User {
    #[serde(deserialize_with = "or_default")]
    pub(crate) external_id: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) name: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) user_name: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) email: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) group_external_ids: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) tags: Vec<Tag>,
    pub(crate) is_machine: Option<bool>,
}

/// A group.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Group {
    #[serde(deserialize_with = "or_default")]
    pub(crate) external_id: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) name: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) display_name: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) description: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) parent_group_external_ids: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) tags: Vec<Tag>,
}

/// A data object.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct DataObject {
    #[serde(deserialize_with = "or_default")]
    pub(crate) external_id: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) name: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) full_name: String,
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub(crate) object_type: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) description: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) parent_external_id: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) tags: Vec<Tag>,
    pub(crate) data_type: Option<String>,
    pub(crate) share_provider_identifier: Option<String>,
    pub(crate) share_identifier: Option<String>,
    owners: Option<Owners>,
}

impl DataObject {
    /// The tags, with the owners among them.
    pub(crate) fn take_tags(&mut self) -> Vec<Tag> {
        let mut tags = std::mem::take(&mut self.tags);
        self.owners.take().unwrap_or_default().into_tag(&mut tags);
        tags
    }
}

/// A data object as named by access providers and usage.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct DataObjectReference {
    #[serde(deserialize_with = "or_default")]
    pub(crate) full_name: String,
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub(crate) object_type: String,
}

/// A data object with permissions.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct WhatItem {
    pub(crate) data_object: Option<DataObjectReference>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) permissions: Vec<String>,
}

/// Who an access provider is for, in the words of the source.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Who {
    #[serde(deserialize_with = "or_default")]
    pub(crate) users: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) groups: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) access_providers: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) recipients: Vec<String>,
}

/// The deprecated way to give a name and a what-list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct LegacyAccess {
    #[serde(deserialize_with = "or_default")]
    pub(crate) actual_name: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) what: Vec<WhatItem>,
}

/// An access provider that was found in the target.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct AccessProvider {
    #[serde(deserialize_with = "or_default")]
    pub(crate) external_id: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) name: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) naming_hint: String,
    #[serde(rename = "type")]
    pub(crate) access_type: Option<String>,
    #[serde(deserialize_with = "or_default")]
    access: Vec<LegacyAccess>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) action: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) policy: String,
    pub(crate) who: Option<Who>,
    owners: Option<Owners>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) not_internalizable: bool,
    #[serde(deserialize_with = "or_default")]
    pub(crate) who_locked: bool,
    #[serde(deserialize_with = "or_default")]
    pub(crate) inheritance_locked: bool,
    #[serde(deserialize_with = "or_default")]
    pub(crate) what_locked: bool,
    #[serde(deserialize_with = "or_default")]
    pub(crate) name_locked: bool,
    #[serde(deserialize_with = "or_default")]
    pub(crate) delete_locked: bool,
    #[serde(deserialize_with = "or_default")]
    pub(crate) owners_locked: bool,
    pub(crate) who_locked_reason: Option<String>,
    pub(crate) inheritance_locked_reason: Option<String>,
    pub(crate) what_locked_reason: Option<String>,
    pub(crate) name_locked_reason: Option<String>,
    pub(crate) delete_locked_reason: Option<String>,
    pub(crate) owners_locked_reason: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) actual_name: String,
    what: Option<Vec<WhatItem>>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) incomplete: bool,
    #[serde(deserialize_with = "or_default")]
    tags: Vec<Tag>,
    pub(crate) common_what_data_object: Option<String>,
}

impl AccessProvider {
    /// The what-list; the deprecated one counts when there is no list at all, and then also gives the name.
    pub(crate) fn take_what(&mut self) -> Vec<WhatItem> {
        let legacy = std::mem::take(&mut self.access).into_iter().next();
        match (self.what.take(), legacy) {
            (Some(what), _) => what,
            (None, Some(legacy)) => {
                self.actual_name = legacy.actual_name;
                legacy.what
            }
            (None, None) => Vec::new(),
        }
    }

    /// The tags, with the owners among them.
    pub(crate) fn take_tags(&mut self) -> Vec<Tag> {
        let mut tags = std::mem::take(&mut self.tags);
        self.owners.take().unwrap_or_default().into_tag(&mut tags);
        tags
    }
}

/// What became of one exported access provider.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Feedback {
    /// The id here.
    #[serde(deserialize_with = "or_default")]
    pub(crate) external_id: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) access: Vec<FeedbackAccess>,
}

/// The inner part of a feedback.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct FeedbackAccess {
    #[serde(deserialize_with = "or_default")]
    pub(crate) actual_name: String,
    pub(crate) external_id: Option<String>,
    #[serde(rename = "type")]
    pub(crate) access_type: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) errors: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) warnings: Vec<String>,
}

/// A statement that was run in the target.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Statement {
    #[serde(deserialize_with = "or_default")]
    pub(crate) external_id: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) accessed_data_objects: Vec<Accessed>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) user: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) role: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) success: bool,
    #[serde(deserialize_with = "or_default")]
    pub(crate) status: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) query: String,
    pub(crate) start_time: Option<i64>,
    pub(crate) end_time: Option<i64>,
    pub(crate) bytes: Option<i64>,
    pub(crate) rows: Option<i64>,
    pub(crate) credits: Option<f64>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) error: String,
}

/// A data object that a statement used.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Accessed {
    #[serde(deserialize_with = "or_default")]
    pub(crate) permissions: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) global_permission: String,
    pub(crate) data_object: Option<DataObjectReference>,
}

/// A tag of a catalogue.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct CatalogueTag {
    #[serde(deserialize_with = "or_default")]
    pub(crate) data_object_full_name: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) user_id: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) key: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) string_value: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) source: String,
}
