//! The shape of an access provider in the access file.

use std::collections::BTreeSet;
use std::io::Write;

use serde::{Deserialize, Serialize};

use super::what::Unpacked;
use crate::import::WorkError;
use crate::records::DataObjectReference;

/// An access provider of the file, without `what` and `deleteWhat`, which may be too long to be held; member
/// names are those of the format.
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
    pub(super) who: WhoLists,
    pub(super) deleted_who: Option<WhoLists>,
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
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
    /// What is here and not in `other`.
    fn without(&self, other: &Self) -> Self {
        let minus = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect();
        Self {
            users: minus(&self.users, &other.users),
            groups: minus(&self.groups, &other.groups),
            inherit_from: minus(&self.inherit_from, &other.inherit_from),
            recipients: minus(&self.recipients, &other.recipients),
        }
    }
}

/// A data object with permissions of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WhatEntry {
    pub(super) data_object: DataObjectReference,
    pub(super) permissions: BTreeSet<String>,
}

/// A what-item as it was granted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Granted {
    pub(super) data_object: DataObjectReference,
    pub(super) permissions: Vec<String>,
    pub(super) global_permissions: Vec<String>,
}

/// What was handed out: kept to tell later what has gone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Snapshot {
    pub(super) who: WhoLists,
    pub(super) what: Vec<Granted>,
    /// Of what it was unpacked to.
    pub(super) what_hash: i64,
}

/// An access provider on its way into the file.
pub(super) struct Entry {
    pub(super) document: Document,
    /// `inheritFrom` with `ID:` for everything managed here, whether or not it is in this file, so that
    /// partial and complete files can be compared.
    pub(super) inherits: BTreeSet<String>,
    pub(super) granted: Vec<Granted>,
    pub(super) version: i64,
    pub(super) synced_version: i64,
    pub(super) applied: Option<Snapshot>,
    pub(super) warnings: Vec<String>,
}

impl Entry {
    /// What the file will say about who and what.
    pub(super) fn snapshot(&self, what_hash: i64) -> Snapshot {
        let who = WhoLists { inherit_from: self.inherits.clone(), ..self.document.who.clone() };
        Snapshot { who, what: self.granted.clone(), what_hash }
    }

    /// Whether the target may differ: it was changed here, or what it resolves to has changed.
    pub(super) fn out_of_sync(&self, what_hash: i64) -> bool {
        let wanted = self.snapshot(what_hash);
        self.document.delete
            || self.synced_version < self.version
            || self
                .applied
                .as_ref()
                .is_none_or(|applied| applied.who != wanted.who || applied.what_hash != wanted.what_hash)
    }

    /// Fills in who was applied before and is no longer wanted.
    pub(super) fn fill_removed(&mut self) {
        let Some(applied) = &self.applied else { return };
        let gone = applied.who.without(&self.snapshot(0).who);
        self.document.deleted_who = (gone != WhoLists::default()).then_some(gone);
    }

    /// Writes the access provider, whose what-lists were unpacked before.
    pub(super) async fn write(
        &self,
        file: &mut impl Write,
        what: &mut Unpacked<'_>,
    ) -> Result<(), WorkError> {
        let head = serde_json::to_vec(&self.document).map_err(std::io::Error::from)?;
        file.write_all(head.strip_suffix(b"}").unwrap_or(&head))?;
        file.write_all(b",\"what\":")?;
        what.write_wanted(file).await?;
        file.write_all(b",\"deleteWhat\":")?;
        what.write_removed(file).await?;
        Ok(file.write_all(b"}")?)
    }
}
