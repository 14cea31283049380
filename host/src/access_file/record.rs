//! An access provider of the spool, in Raito's shape.

use serde::{Deserialize, Serialize};

/// An access provider. What is empty is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) naming_hint: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) control_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) external_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) actual_name: Option<String>,
    pub(super) who: Who,
    pub(super) what: Vec<What>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) policy_rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) filter_criteria: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) common_data_object: Option<String>,
    #[serde(skip_serializing_if = "Who::is_empty")]
    pub(super) deleted_who: Who,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) delete_what: Vec<What>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) delete: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) who_locked: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) inheritance_locked: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) what_locked: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) delete_locked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) owners: Option<serde_json::Value>,
}

/// Who has an access control, or loses it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Who {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) users: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) groups: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) inherit_from: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) recipients: Vec<String>,
}

/// A data object and the permissions on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct What {
    pub(super) data_object: DataObject,
    pub(super) permissions: Vec<String>,
}

/// A data object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DataObject {
    pub(super) full_name: String,
    #[serde(rename = "type")]
    pub(super) object_type: String,
}

impl Who {
    fn is_empty(&self) -> bool {
        self.users.is_empty()
            && self.groups.is_empty()
            && self.inherit_from.is_empty()
            && self.recipients.is_empty()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference in")]
fn is_false(flag: &bool) -> bool {
    !flag
}
