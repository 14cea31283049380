//! What a reviewer should look at twice: who loses access, what is removed, who gets to administer, how many people it
//! concerns.
//!
//! People are counted through inheritance, as the access file has it: who is a user of an access control, or of one that
//! it inherits from. Members of groups are known to the target alone, so groups are counted as groups.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::access_file::{Index, Vocabulary};
use crate::records::plan::{Beneficiaries, ChangeKind, PlanRecord, WhatRecord};

/// Something to look at twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Risk {
    /// What kind.
    pub(super) kind: RiskKind,
    /// How many people it concerns.
    pub(super) people: u64,
    /// One line.
    pub(super) message: String,
}

/// Kinds of risks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RiskKind {
    /// An access control is removed from the target.
    RemovesAccessControl,
    /// People or groups lose something.
    RemovesAccess,
    /// Somebody gets a permission to administer.
    GrantsAdmin,
    /// More people are concerned than usual.
    ManyPeople,
    /// Something else is taken away or switched over.
    OtherDestructive,
}

/// What risks are told from.
pub(super) struct Assessor<'a> {
    pub(super) index: &'a Index,
    pub(super) vocabulary: Option<&'a Vocabulary>,
    /// Ids of access controls with a permission to administer.
    pub(super) administering: &'a HashSet<String>,
    /// Ids by actual name.
    pub(super) actual_names: &'a HashMap<String, String>,
    /// More people than this are many.
    pub(super) many: u64,
}

/// People, and groups whose members are not known.
#[derive(Default)]
struct Concerned<'a> {
    people: BTreeSet<&'a str>,
    groups: BTreeSet<&'a str>,
}

impl Concerned<'_> {
    fn count(&self) -> u64 {
        self.people.len() as u64
    }

    fn is_empty(&self) -> bool {
        self.people.is_empty() && self.groups.is_empty()
    }
}

impl std::fmt::Display for Concerned<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let people = counted(self.people.len(), "person", "people");
        match (self.people.len(), self.groups.len()) {
            (_, 0) => f.write_str(&people),
            (0, groups) => f.write_str(&counted(groups, "group", "groups")),
            (_, groups) => write!(f, "{people} and {}", counted(groups, "group", "groups")),
        }
    }
}

impl Assessor<'_> {
    /// The risks of what would be done to one access control.
    pub(super) fn assess(&self, record: &PlanRecord) -> Vec<Risk> {
        let mut risks = Vec::new();
        if !record.changes() {
            return risks;
        }
        let holders = self.holders(record);
        let mut lose = self.beneficiaries(&record.who.removed);
        if record.change == ChangeKind::Delete || !record.what.removed.is_empty() {
            lose.people.extend(&holders.people);
            lose.groups.extend(&holders.groups);
        }
        let mut gain = self.beneficiaries(&record.who.added);
        if !record.what.added.is_empty() {
            gain.people.extend(&holders.people);
            gain.groups.extend(&holders.groups);
        }
        let mut add = |kind, people, message| risks.push(Risk { kind, people, message });
        if record.change == ChangeKind::Delete {
            let message = format!("removes {} from the target", record.actual_name);
            add(RiskKind::RemovesAccessControl, lose.count(), message);
        }
        if !lose.is_empty() {
            add(RiskKind::RemovesAccess, lose.count(), format!("takes access from {lose}"));
        }
        let administers = record.what.added.iter().any(|item| self.is_admin(item))
            || self.administering.contains(&record.id);
        if administers && !gain.is_empty() {
            let words = self.admin_words(record);
            add(
                RiskKind::GrantsAdmin,
                gain.count(),
                format!("gives {gain} permissions to administer{words}"),
            );
        }
        let concerned = lose.people.union(&gain.people).count() as u64;
        if concerned > self.many {
            add(RiskKind::ManyPeople, concerned, format!("concerns {concerned} people"));
        }
        let explained =
            lose.is_empty() && record.what.removed.is_empty() && record.change != ChangeKind::Delete;
        if let (true, Some(operation)) =
            (explained, record.operations.iter().find(|operation| operation.destructive))
        {
            add(RiskKind::OtherDestructive, concerned, operation.summary.clone());
        }
        risks
    }

    /// Who has the access control when everything is applied.
    fn holders<'a>(&'a self, record: &PlanRecord) -> Concerned<'a> {
        Concerned {
            people: self.index.people(&record.id).collect(),
            groups: self.index.groups(&record.id).collect(),
        }
    }

    fn beneficiaries<'a>(&'a self, who: &'a Beneficiaries) -> Concerned<'a> {
        let mut concerned = Concerned {
            people: who.users.iter().map(String::as_str).collect(),
            groups: who.groups.iter().map(String::as_str).collect(),
        };
        for id in who.inherit_from.iter().filter_map(|name| self.actual_names.get(name)) {
            concerned.people.extend(self.index.people(id));
            concerned.groups.extend(self.index.groups(id));
        }
        concerned
    }

    fn is_admin(&self, item: &WhatRecord) -> bool {
        self.admin_permissions(item).next().is_some()
    }

    fn admin_permissions<'i>(&self, item: &'i WhatRecord) -> impl Iterator<Item = &'i str> {
        let vocabulary = self.vocabulary;
        let object_type = &item.data_object.object_type;
        item.permissions.iter().map(String::as_str).filter(move |permission| {
            vocabulary.is_some_and(|vocabulary| vocabulary.is_admin(object_type, permission))
        })
    }

    /// Which permissions, where the plan adds them.
    fn admin_words(&self, record: &PlanRecord) -> String {
        let words: BTreeSet<&str> =
            record.what.added.iter().flat_map(|item| self.admin_permissions(item)).collect();
        if words.is_empty() {
            String::new()
        } else {
            format!(" ({})", words.into_iter().collect::<Vec<_>>().join(", "))
        }
    }
}

/// `1 person`, `2 people`.
pub(super) fn counted(count: usize, one: &str, several: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {several}") }
}
