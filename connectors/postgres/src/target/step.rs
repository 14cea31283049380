//! What is going to be done: steps, each a statement or a few that belong together, and the plan of one access control.

use raito_connector::{
    AccessControlFeedback, AccessControlPlan, Change, DataObjectReference, Operation, WhatItem, Who,
};

/// The order in which steps run, over all access controls: nothing is granted to a role that is yet to be made, and
/// nothing is dropped that is still used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Create, rename and mark roles.
    Identity,
    /// Take access away.
    Revoke,
    /// Give access, and replace policies.
    Grant,
    /// Drop roles.
    Drop,
}

/// Something to do in one database.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Position among the target's sessions; 0 carries what belongs to the whole cluster.
    pub(crate) session: usize,
    pub(crate) phase: Phase,
    /// For people.
    pub(crate) summary: String,
    /// In their order.
    pub(crate) statements: Vec<String>,
    /// Takes access away or drops something.
    pub(crate) destructive: bool,
    /// Position of the access control whose role must be there.
    pub(crate) needs: Option<usize>,
}

impl Step {
    /// One statement that takes nothing away.
    pub(crate) fn new(phase: Phase, session: usize, summary: String, statement: String) -> Self {
        Step { session, phase, summary, statements: vec![statement], destructive: false, needs: None }
    }

    /// Marks it as taking something away.
    pub(crate) fn destructive(mut self) -> Self {
        self.destructive = true;
        self
    }
}

/// What is going to be done for one access control, and later what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) actual_name: String,
    pub(crate) external_id: Option<String>,
    pub(crate) control_type: &'static str,
    pub(crate) change: Change,
    pub(crate) added_who: Who,
    pub(crate) removed_who: Who,
    pub(crate) added_what: Vec<WhatItem>,
    pub(crate) removed_what: Vec<WhatItem>,
    pub(crate) steps: Vec<Step>,
    pub(crate) errors: Vec<String>,
    pub(crate) warnings: Vec<String>,
    /// A statement did not succeed: what remains is left out.
    pub(crate) failed: bool,
    /// Steps that changed the target.
    pub(crate) done: u32,
}

impl Draft {
    /// Nothing to do yet.
    pub(crate) fn new(id: &str, name: &str, control_type: &'static str) -> Self {
        Draft {
            id: id.to_owned(),
            name: name.to_owned(),
            actual_name: String::new(),
            external_id: None,
            control_type,
            change: Change::None,
            added_who: nobody(),
            removed_who: nobody(),
            added_what: Vec::new(),
            removed_what: Vec::new(),
            steps: Vec::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
            failed: false,
            done: 0,
        }
    }

    /// Puts the steps into their order, and says `update` where there are some.
    pub(crate) fn finish(&mut self) {
        self.steps.sort_by_key(|step| (step.phase, step.session));
        if self.steps.is_empty() {
            self.change = Change::None;
        } else if self.change == Change::None {
            self.change = Change::Update;
        }
    }

    /// As `plan` shows it.
    pub(crate) fn into_plan(self) -> AccessControlPlan {
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
            changed_in_target: None,
            errors: self.errors,
            warnings: self.warnings,
        }
    }

    /// As `apply` reports it.
    pub(crate) fn into_feedback(mut self) -> AccessControlFeedback {
        if matches!(self.change, Change::Delete) && !self.failed {
            self.actual_name.clear();
            self.external_id = None;
        }
        AccessControlFeedback {
            id: self.id,
            actual_name: self.actual_name,
            external_id: self.external_id,
            control_type: Some(self.control_type.to_owned()),
            operations: self.done,
            errors: self.errors,
            warnings: self.warnings,
        }
    }
}

/// No beneficiaries.
pub(crate) fn nobody() -> Who {
    Who { users: vec![], groups: vec![], access_controls: vec![], recipients: vec![] }
}

/// An object and permissions on it.
pub(crate) fn item(full_name: String, object_type: &str, permissions: Vec<String>) -> WhatItem {
    WhatItem { object: DataObjectReference { full_name, object_type: object_type.to_owned() }, permissions }
}
