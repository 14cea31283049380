//! What a reviewer should look at twice: who loses access, what is removed, who gets to administer, how many people it
//! concerns.
//!
//! People are counted through inheritance, as the access file has it: who is a user of an access control, or of one that
//! it inherits from. Members of groups are known to the target alone: groups that a plan adds or removes are counted as groups.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Display;

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
#[derive(Clone, Default)]
struct Concerned {
    /// Users of the access file, by number.
    known: HashSet<u32>,
    /// Users that do not stand in the access file any more.
    others: BTreeSet<String>,
    groups: BTreeSet<String>,
}

impl Concerned {
    fn people(&self) -> usize {
        self.known.len() + self.others.len()
    }

    fn is_empty(&self) -> bool {
        self.people() + self.groups.len() == 0
    }

    fn join(&mut self, other: &Concerned) {
        self.known.extend(&other.known);
        self.others.extend(other.others.iter().cloned());
        self.groups.extend(other.groups.iter().cloned());
    }
}

impl std::fmt::Display for Concerned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let people = counted(self.people(), "person", "people");
        match (self.people(), self.groups.len()) {
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
        let holders = Concerned { known: self.index.people(&record.id), ..Concerned::default() };
        let mut lose = self.beneficiaries(&record.who.removed);
        if record.change == ChangeKind::Delete || !record.what.removed.is_empty() {
            lose.join(&holders);
        }
        let mut gain = self.beneficiaries(&record.who.added);
        if !record.what.added.is_empty() {
            gain.join(&holders);
        }
        let mut concerned = lose.clone();
        concerned.join(&gain);
        let count = |concerned: &Concerned| concerned.people() as u64;
        let mut add = |kind, people, message| risks.push(Risk { kind, people, message });
        if record.change == ChangeKind::Delete {
            let message = format!("removes {} from the target", record.actual_name);
            add(RiskKind::RemovesAccessControl, count(&lose), message);
        }
        if !lose.is_empty() {
            add(RiskKind::RemovesAccess, count(&lose), format!("takes access from {lose}"));
        }
        let administers = record.what.added.iter().any(|item| self.is_admin(item))
            || self.administering.contains(&record.id);
        if administers && !gain.is_empty() {
            let words = self.admin_words(record);
            add(
                RiskKind::GrantsAdmin,
                count(&gain),
                format!("gives {gain} permissions to administer{words}"),
            );
        }
        if count(&concerned) > self.many {
            add(RiskKind::ManyPeople, count(&concerned), format!("concerns {concerned}"));
        }
        let explained =
            lose.is_empty() && record.what.removed.is_empty() && record.change != ChangeKind::Delete;
        if let (true, Some(operation)) =
            (explained, record.operations.iter().find(|operation| operation.destructive))
        {
            add(RiskKind::OtherDestructive, count(&concerned), operation.summary.clone());
        }
        risks
    }

    /// The people that a plan names, those of inherited access controls included.
    fn beneficiaries(&self, who: &Beneficiaries) -> Concerned {
        let mut concerned =
            Concerned { groups: who.groups.iter().cloned().collect(), ..Concerned::default() };
        for user in &who.users {
            match self.index.user_number(user) {
                Some(number) => {
                    concerned.known.insert(number);
                }
                None => {
                    concerned.others.insert(user.clone());
                }
            }
        }
        for id in who.inherit_from.iter().filter_map(|name| self.actual_names.get(name)) {
            concerned.known.extend(self.index.people(id));
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
pub(super) fn counted<N: Display + PartialEq + From<u8>>(count: N, one: &str, several: &str) -> String {
    if count == N::from(1) { format!("1 {one}") } else { format!("{count} {several}") }
}
