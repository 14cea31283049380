//! What the cloud and the catalogue are compared in.

use std::collections::{BTreeMap, BTreeSet};

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub name: String,
    pub account: String,
    pub email: Option<String>,
    pub machine: Option<bool>,
    /// Key and value.
    pub tags: BTreeMap<String, String>,
}

/// A data object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataObject {
    pub full_name: String,
    pub name: String,
    pub kind: String,
    pub description: String,
    /// Full name of the parent; empty at the top.
    pub parent: String,
    pub data_type: Option<String>,
}

/// An access control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccessControl {
    pub name: String,
    pub naming_hint: String,
    pub actual_name: String,
    pub kind: String,
    pub action: String,
    pub policy: String,
    pub complete: bool,
    pub not_internalizable: bool,
    /// `user <name>` and `access control <external id>`.
    pub who: BTreeSet<String>,
    /// Permissions by `<type> <full name>`.
    pub what: What,
    /// Reasons by what is locked.
    pub locks: BTreeMap<String, String>,
}

/// Permissions by `<type> <full name>`.
pub(crate) type What = BTreeMap<String, BTreeSet<String>>;

/// Records by their external id.
pub(crate) type Records<T> = BTreeMap<String, T>;

/// Asserts that two sets of records are equal, and says where they are not.
#[track_caller]
pub(crate) fn assert_same<T: PartialEq + std::fmt::Debug>(found: &Records<T>, expected: &Records<T>) {
    let mut differences = Vec::new();
    let ids: BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
    for id in ids {
        match (found.get(id), expected.get(id)) {
            (Some(found), Some(expected)) if found == expected => {}
            (found, expected) => {
                differences.push(format!("{id}\n  found:    {found:?}\n  expected: {expected:?}"));
            }
        }
    }
    assert!(differences.is_empty(), "{} records differ:\n{}", differences.len(), differences.join("\n"));
}
