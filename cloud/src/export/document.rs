//! The shape of an access provider in the access file.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::records::DataObjectReference;

/// An access provider of the file, without `who`, `deletedWho`, `what` and `deleteWhat`, which may be too long to
/// be held for a whole page; member names are those of the format.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) naming_hint: String,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) action: String,
    pub(super) delete: bool,
    pub(super) who_locked: Option<bool>,
    pub(super) inheritance_locked: Option<bool>,
    pub(super) what_locked: Option<bool>,
    pub(super) delete_locked: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) policy_rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) filter_criteria: Option<serde_json::Value>,
    pub(super) actual_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) common_data_object: Option<String>,
}

/// Who, in the words of the target. Sets, so that the order is always the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WhoLists {
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) users: BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) groups: BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) inherit_from: BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) recipients: BTreeSet<String>,
}

impl WhoLists {
    /// Adds a name to one of the lists.
    pub(super) fn insert(&mut self, list: &str, name: String) {
        match list {
            "users" => self.users.insert(name),
            "groups" => self.groups.insert(name),
            "inheritFrom" => self.inherit_from.insert(name),
            _ => self.recipients.insert(name),
        };
    }
}

/// A data object with permissions of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WhatEntry {
    pub(super) data_object: DataObjectReference,
    pub(super) permissions: BTreeSet<String>,
}

/// An access provider on its way into the file.
pub(super) struct Entry {
    pub(super) document: Document,
    pub(super) version: i64,
    pub(super) synced_version: i64,
    pub(super) status: String,
    /// The fingerprint of what was applied.
    pub(super) applied: Option<String>,
    /// Whether read, write or admin have to be unpacked, which is done one access provider at a time.
    pub(super) words: bool,
}

impl Entry {
    /// Whether the target may differ: it was changed here, or what it resolves to has changed.
    pub(super) fn out_of_sync(&self, fingerprint: &str) -> bool {
        self.document.delete
            || self.synced_version < self.version
            || self.applied.as_deref() != Some(fingerprint)
    }
}
