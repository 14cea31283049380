//! What is going to be done: steps, each a statement or a few that belong together, and the plan of one access control.

use raito_connector::{AccessControlPlan, Change, DataObjectReference, Operation, WhatItem, Who};

/// The order in which steps run, over all access controls: nothing is granted to a role that is yet to be made, and
/// nothing is taken away or dropped while somebody who is to have it from another role would lose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Create, rename and mark roles.
    Identity,
    /// Give privileges, and make policies in other databases than the first one.
    Grant,
    /// Take privileges and memberships away, and drop policies.
    Revoke,
    /// Give memberships, make the policies of the first database, put those of others in their place, and switch row
    /// security.
    Settle,
    /// Take everything from roles that are to be dropped.
    Strip,
    /// Write down what was applied.
    Record,
    /// Drop roles.
    Drop,
}

impl Phase {
    /// All of them, in their order.
    pub(super) const ALL: [Phase; 7] = [
        Phase::Identity,
        Phase::Grant,
        Phase::Revoke,
        Phase::Settle,
        Phase::Strip,
        Phase::Record,
        Phase::Drop,
    ];

    /// The part of a run that the phase belongs to in a session. In several databases there are several transactions,
    /// and they follow these parts: what is given stands everywhere before anything is taken away anywhere.
    pub(super) fn part(self, session: usize) -> u8 {
        match (self, session) {
            (Phase::Identity, _) | (Phase::Grant, 0) => 0,
            (Phase::Grant, _) => 1,
            (Phase::Revoke | Phase::Settle | Phase::Strip, 0) => 2,
            (Phase::Revoke | Phase::Settle | Phase::Strip, _) => 3,
            (Phase::Record | Phase::Drop, _) => 4,
        }
    }
}

/// Something to do in one database.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Position among the target's sessions; 0 carries what belongs to the whole cluster.
    pub(super) session: usize,
    pub(super) phase: Phase,
    /// For people.
    pub(super) summary: String,
    /// In their order.
    pub(super) statements: Vec<String>,
    /// Takes access away or drops something.
    pub(super) destructive: bool,
    /// Position of the access control whose role must be there.
    pub(super) needs: Option<usize>,
}

impl Step {
    /// One statement that takes nothing away.
    pub(super) fn new(phase: Phase, session: usize, summary: String, statement: String) -> Self {
        Step { session, phase, summary, statements: vec![statement], destructive: false, needs: None }
    }

    /// Marks it as taking something away.
    pub(super) fn destructive(mut self) -> Self {
        self.destructive = true;
        self
    }
}

/// What is going to be done for one access control.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) actual_name: String,
    pub(super) change: Change,
    pub(super) added_who: Who,
    pub(super) removed_who: Who,
    pub(super) added_what: Vec<WhatItem>,
    pub(super) removed_what: Vec<WhatItem>,
    pub(super) steps: Vec<Step>,
    pub(super) changed_in_target: Option<bool>,
    pub(super) errors: Vec<String>,
    pub(super) warnings: Vec<String>,
}

impl Draft {
    /// Nothing to do yet.
    pub(super) fn new(id: &str, name: &str) -> Self {
        Draft {
            id: id.to_owned(),
            name: name.to_owned(),
            actual_name: String::new(),
            change: Change::None,
            added_who: nobody(),
            removed_who: nobody(),
            added_what: Vec::new(),
            removed_what: Vec::new(),
            steps: Vec::new(),
            changed_in_target: None,
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Puts the steps into their order, and says `update` where there are some.
    pub(super) fn finish(&mut self) {
        self.steps.sort_by_key(|step| (step.phase.part(step.session), step.session, step.phase));
        if self.steps.is_empty() {
            self.change = Change::None;
        } else if self.change == Change::None {
            self.change = Change::Update;
        }
    }

    /// As `plan` shows it.
    pub(super) fn into_plan(self) -> AccessControlPlan {
        let operations = self.steps.into_iter().map(|step| Operation {
            summary: step.summary,
            statement: Some(step.statements.join(";\n")),
            destructive: step.destructive,
        });
        AccessControlPlan {
            operations: operations.collect(),
            id: self.id,
            name: self.name,
            actual_name: self.actual_name,
            change: self.change,
            added_who: self.added_who,
            removed_who: self.removed_who,
            added_what: self.added_what,
            removed_what: self.removed_what,
            changed_in_target: self.changed_in_target,
            errors: self.errors,
            warnings: self.warnings,
        }
    }
}

/// No beneficiaries.
pub(super) fn nobody() -> Who {
    Who { users: vec![], groups: vec![], access_controls: vec![], recipients: vec![] }
}

/// An object and permissions on it.
pub(super) fn item(full_name: String, object_type: &str, permissions: Vec<String>) -> WhatItem {
    WhatItem { object: DataObjectReference { full_name, object_type: object_type.to_owned() }, permissions }
}
