//! What applying would do to one access control, as it stands in plan files and reports.
//!
//! ```json
//! { "id": "Sales readers", "name": "Sales readers", "actualName": "r_sales_readers", "change": "update",
//!   "changedInTarget": false,
//!   "who": { "added": { "users": ["ann"] }, "removed": {} },
//!   "what": { "added": [ { "dataObject": { "fullName": "shop.public.orders", "type": "table" },
//!                          "permissions": ["SELECT"] } ], "removed": [] },
//!   "operations": [ { "summary": "…", "statement": "GRANT …", "destructive": false } ],
//!   "errors": [], "warnings": [] }
//! ```
//!
//! Empty lists are left out.

use serde::{Deserialize, Serialize};

use crate::contract::access_controls::{AccessControlPlan, Change, WhatItem, Who};
use crate::sandbox::ConnectorLog;

/// One access control of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanRecord {
    /// Its id in the access file.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its name in the target.
    pub actual_name: String,
    /// What becomes of it.
    pub change: ChangeKind,
    /// True: somebody changed the target since the same was applied. False: the access file has changed. None: it cannot
    /// be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_in_target: Option<bool>,
    /// Beneficiaries.
    #[serde(default)]
    pub who: WhoDifference,
    /// Permissions on data objects.
    #[serde(default)]
    pub what: WhatDifference,
    /// In their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<OperationRecord>,
    /// Why it cannot be applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
    /// What the connector remarks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What becomes of an access control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// It stands as desired.
    None,
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// It is removed.
    Delete,
}

/// Beneficiaries that are added and removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhoDifference {
    /// They get it.
    #[serde(default, skip_serializing_if = "Beneficiaries::is_empty")]
    pub added: Beneficiaries,
    /// They lose it.
    #[serde(default, skip_serializing_if = "Beneficiaries::is_empty")]
    pub removed: Beneficiaries,
}

/// Beneficiaries by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Beneficiaries {
    /// Account names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// Group names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Actual names of access controls whose members have this one too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inherit_from: Vec<String>,
    /// Recipients of a share.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
}

/// Permissions that are added and removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhatDifference {
    /// Granted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<WhatRecord>,
    /// Revoked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<WhatRecord>,
}

/// Permissions on a data object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhatRecord {
    /// The data object.
    pub data_object: DataObjectRecord,
    /// In the words of the source; empty for masks and filters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<String>,
}

/// A data object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataObjectRecord {
    /// Its full name.
    pub full_name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub object_type: String,
}

/// One thing to do in the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationRecord {
    /// For people.
    pub summary: String,
    /// Exactly what is sent to the target, where that can be written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// It takes access away or drops something.
    #[serde(default)]
    pub destructive: bool,
}

impl Beneficiaries {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many there are, of all kinds.
    pub fn len(&self) -> usize {
        self.users.len() + self.groups.len() + self.inherit_from.len() + self.recipients.len()
    }
}

impl PlanRecord {
    /// The record of a connector's plan, its text made fit to be shown.
    pub fn new(plan: AccessControlPlan, log: &ConnectorLog) -> Self {
        let text = |text: String| log.clean(&text);
        let texts = |texts: Vec<String>| texts.iter().map(|text| log.clean(text)).collect::<Vec<_>>();
        let who = |who: Who| Beneficiaries {
            users: texts(who.users),
            groups: texts(who.groups),
            inherit_from: texts(who.access_controls),
            recipients: texts(who.recipients),
        };
        let what = |what: Vec<WhatItem>| {
            what.into_iter()
                .map(|item| WhatRecord {
                    data_object: DataObjectRecord {
                        full_name: text(item.object.full_name),
                        object_type: text(item.object.object_type),
                    },
                    permissions: texts(item.permissions),
                })
                .collect()
        };
        PlanRecord {
            // The id is compared with the access file's.
            id: plan.id,
            name: text(plan.name),
            actual_name: text(plan.actual_name),
            change: match plan.change {
                Change::None => ChangeKind::None,
                Change::Create => ChangeKind::Create,
                Change::Update => ChangeKind::Update,
                Change::Delete => ChangeKind::Delete,
            },
            changed_in_target: plan.changed_in_target,
            who: WhoDifference { added: who(plan.added_who), removed: who(plan.removed_who) },
            what: WhatDifference { added: what(plan.added_what), removed: what(plan.removed_what) },
            operations: plan
                .operations
                .into_iter()
                .map(|operation| OperationRecord {
                    summary: text(operation.summary),
                    statement: operation.statement.map(|statement| log.clean_lines(&statement)),
                    destructive: operation.destructive,
                })
                .collect(),
            errors: texts(plan.errors),
            warnings: texts(plan.warnings),
        }
    }

    /// Whether applying would change something.
    pub fn changes(&self) -> bool {
        self.change != ChangeKind::None
    }

    /// Whether somebody or something loses access: the access control is removed, or a beneficiary, a permission or
    /// something else of it.
    pub fn loses(&self) -> bool {
        self.change == ChangeKind::Delete
            || !self.who.removed.is_empty()
            || !self.what.removed.is_empty()
            || self.operations.iter().any(|operation| operation.destructive)
    }

    /// How many permissions on data objects are granted and revoked.
    pub fn permissions(&self) -> (usize, usize) {
        let count = |items: &[WhatRecord]| items.iter().map(|item| item.permissions.len().max(1)).sum();
        (count(&self.what.added), count(&self.what.removed))
    }
}
