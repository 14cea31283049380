//! What a reviewer should look at twice: who loses access, what is removed, who gets to administer, how many people it
//! concerns.
//!
//! People are counted through inheritance, as the access file has it: who is a user of an access control, or of one that
//! it inherits from. Members of groups, and of what stands in the target alone, are not known here: groups that a plan adds or
//! removes are counted as groups, and where there may be others, a risk says so.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::{self, Display};

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
    /// Ids of access controls whose members have a permission to administer, from them or from what they are a source of.
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
    /// There may be more, who are known to the target alone.
    unknown: bool,
}

impl Concerned {
    fn people(&self) -> usize {
        self.known.len() + self.others.len()
    }

    fn is_empty(&self) -> bool {
        self.people() + self.groups.len() == 0 && !self.unknown
    }

    fn join(&mut self, other: &Concerned) {
        self.known.extend(&other.known);
        self.others.extend(other.others.iter().cloned());
        self.groups.extend(other.groups.iter().cloned());
        self.unknown |= other.unknown;
    }
}

impl Display for Concerned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.people() > 0 || self.groups.is_empty() && !self.unknown {
            parts.push(counted(self.people(), "person", "people"));
        }
        if !self.groups.is_empty() {
            parts.push(counted(self.groups.len(), "group", "groups"));
        }
        if self.unknown {
            parts.push("others whom the access file does not name".to_owned());
        }
        f.write_str(&parts.join(" and "))
    }
}

impl Assessor<'_> {
    /// The risks of what would be done to one access control.
    pub(super) fn assess(&self, record: &PlanRecord) -> Vec<Risk> {
        let mut risks = Vec::new();
        if !record.changes() {
            return risks;
        }
        let holders = Concerned {
            known: self.index.people(&record.id),
            unknown: self.index.has_others(&record.id),
            ..Concerned::default()
        };
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
        for name in &who.inherit_from {
            match self.actual_names.get(name) {
                Some(id) => {
                    concerned.known.extend(self.index.people(id));
                    concerned.unknown |= self.index.has_others(id);
                }
                None => concerned.unknown = true,
            }
        }
        concerned.unknown |= !who.recipients.is_empty();
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
pub(super) fn counted<N: Display + PartialEq + From<u8> + Copy>(
    count: N,
    one: &str,
    several: &str,
) -> String {
    if count == N::from(1) { format!("1 {one}") } else { format!("{count} {several}") }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

    use std::collections::{HashMap, HashSet};

    use super::{Assessor, Risk, RiskKind};
    use crate::access_file;
    use crate::records::plan::{Beneficiaries, ChangeKind, PlanRecord, WhatRecord};

    const FILE: &str = "accessProviders:
  - { name: Foreign, who: { inheritFrom: [elsewhere] }, what: [{ dataObject: { fullName: d.t, type: table }, permissions: [R] }] }
  - { name: Base, who: { users: [ann, bob] }, what: [{ dataObject: { fullName: d.t, type: table }, permissions: [R] }] }
  - name: Derived
    who: { users: [bob, carl], inheritFrom: [Base] }
    what: [{ dataObject: { fullName: d.t, type: table }, permissions: [R] }]
";

    fn record(id: &str, change: ChangeKind) -> PlanRecord {
        PlanRecord {
            id: id.into(),
            name: id.into(),
            actual_name: format!("r_{id}"),
            change,
            changed_in_target: None,
            who: crate::records::plan::WhoDifference::default(),
            what: crate::records::plan::WhatDifference::default(),
            operations: Vec::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn users(names: &[&str]) -> Beneficiaries {
        Beneficiaries {
            users: names.iter().map(|&name| name.to_owned()).collect(),
            ..Beneficiaries::default()
        }
    }

    fn item() -> WhatRecord {
        serde_json::from_str(r#"{"dataObject":{"fullName":"d.t","type":"table"},"permissions":["R"]}"#)
            .unwrap()
    }

    fn assess(record: &PlanRecord, administering: &[&str], many: u64) -> Vec<Risk> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.yml");
        std::fs::write(&path, FILE).unwrap();
        let file = access_file::load(&path, None, &folder.path().join("spool")).unwrap();
        Assessor {
            index: &file.index,
            vocabulary: None,
            administering: &administering.iter().map(|&id| id.to_owned()).collect::<HashSet<_>>(),
            actual_names: &HashMap::from([("r_Base".to_owned(), "Base".to_owned())]),
            many,
        }
        .assess(record)
    }

    fn told(risks: &[Risk]) -> Vec<(RiskKind, u64)> {
        risks.iter().map(|risk| (risk.kind, risk.people)).collect()
    }

    #[test]
    fn people_are_counted_through_inheritance_and_once() {
        let mut revoked = record("Derived", ChangeKind::Update);
        revoked.what.removed.push(item());
        let risks = assess(&revoked, &[], 20);
        assert_eq!(told(&risks), [(RiskKind::RemovesAccess, 3)]);
        assert_eq!(risks[0].message, "takes access from 3 people");
        // Who left the file counts too, and members of what is no member any more.
        revoked.what.removed.clear();
        revoked.who.removed = Beneficiaries { inherit_from: vec!["r_Base".into()], ..users(&["dora"]) };
        assert_eq!(told(&assess(&revoked, &[], 20)), [(RiskKind::RemovesAccess, 3)]);
    }

    #[test]
    fn what_is_only_given_takes_nothing() {
        let mut more = record("Base", ChangeKind::Update);
        more.who.added = users(&["ann"]);
        more.what.added.push(item());
        assert_eq!(told(&assess(&more, &[], 20)), []);
        assert_eq!(told(&assess(&more, &["Base"], 20)), [(RiskKind::GrantsAdmin, 2)]);
        assert_eq!(told(&assess(&more, &[], 1)), [(RiskKind::ManyPeople, 2)]);
    }

    #[test]
    fn removal_is_told_whoever_had_it() {
        let gone = record("Gone", ChangeKind::Delete);
        assert_eq!(told(&assess(&gone, &[], 20)), [(RiskKind::RemovesAccessControl, 0)]);
        let mut gone = gone;
        gone.who.removed = users(&["eve"]);
        gone.who.removed.groups.push("all".into());
        let risks = assess(&gone, &[], 20);
        assert_eq!(told(&risks), [(RiskKind::RemovesAccessControl, 1), (RiskKind::RemovesAccess, 1)]);
        assert_eq!(risks[1].message, "takes access from 1 person and 1 group");
    }

    #[test]
    fn people_whom_the_access_file_does_not_name_are_not_passed_over() {
        let mut foreign = record("Foreign", ChangeKind::Update);
        foreign.what.removed.push(item());
        let risks = assess(&foreign, &[], 20);
        assert_eq!(told(&risks), [(RiskKind::RemovesAccess, 0)]);
        assert_eq!(risks[0].message, "takes access from others whom the access file does not name");
        foreign.what.removed.clear();
        foreign.what.added.push(item());
        assert_eq!(told(&assess(&foreign, &["Foreign"], 20)), [(RiskKind::GrantsAdmin, 0)]);
        let mut base = record("Base", ChangeKind::Update);
        base.who.removed.inherit_from.push("unheard_of".into());
        base.who.removed.users.push("ann".into());
        let risks = assess(&base, &[], 20);
        assert_eq!(
            risks[0].message,
            "takes access from 1 person and others whom the access file does not name"
        );
    }

    #[test]
    fn nothing_is_told_of_what_does_not_change() {
        assert_eq!(told(&assess(&record("Base", ChangeKind::None), &["Base"], 0)), []);
    }
}
