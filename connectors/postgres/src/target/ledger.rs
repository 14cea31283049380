//! What has become of each access control while they are applied, and the feedback that says so.
//!
//! A few bytes for each access control; texts only where there are errors or warnings.

use std::collections::{BTreeMap, HashSet};

use raito_connector::{AccessControlFeedback, Result};

use super::planner::{Context, Recording};
use super::step::{Draft, Phase};
use super::survey::Shape;
use crate::cluster::role_id;
use crate::metadata::{POLICY, ROLE};

/// A phase in one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) session: usize,
    pub(super) phase: Phase,
}

/// A set of turns; the sessions after the first one are not told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Turns(u16);

impl Turns {
    fn of(turn: Turn) -> Self {
        Turns(1 << (turn.phase as u16 + if turn.session == 0 { 0 } else { 7 }))
    }

    fn has(self, turn: Turn) -> bool {
        self.0 & Turns::of(turn).0 != 0
    }

    fn add(&mut self, turn: Turn) {
        self.0 |= Turns::of(turn).0;
    }
}

/// One access control.
#[derive(Clone, Debug, Default)]
struct Account {
    planned: Turns,
    done: Turns,
    /// Sessions with steps, one bit for each; those beyond share the last one.
    sessions: u64,
    /// Steps that changed the target.
    operations: u32,
    /// A statement did not succeed: what remains is left out.
    failed: bool,
}

/// What there is to be said about an access control.
#[derive(Clone, Debug, Default)]
struct Notes {
    errors: Vec<String>,
    warnings: Vec<String>,
}

/// All access controls.
pub(super) struct Ledger {
    accounts: Vec<Account>,
    notes: BTreeMap<usize, Notes>,
    /// What the open transaction has done.
    open: Vec<(usize, Turn, u32)>,
    /// Access controls whose role could not be made.
    unmade: HashSet<usize>,
}

impl Ledger {
    pub(super) fn new(entries: usize) -> Self {
        Ledger {
            accounts: vec![Account::default(); entries],
            notes: BTreeMap::new(),
            open: Vec::new(),
            unmade: HashSet::new(),
        }
    }

    /// Writes down what is going to be done.
    pub(super) fn enter(&mut self, at: usize, draft: Draft) {
        if let Some(account) = self.accounts.get_mut(at) {
            for step in &draft.steps {
                account.planned.add(Turn { session: step.session, phase: step.phase });
                account.sessions |= bit(step.session);
            }
        }
        if !draft.errors.is_empty() || !draft.warnings.is_empty() {
            self.notes.insert(at, Notes { errors: draft.errors, warnings: draft.warnings });
        }
    }

    /// Whether any access control has an error.
    pub(super) fn has_errors(&self) -> bool {
        self.notes.values().any(|notes| !notes.errors.is_empty())
    }

    fn has_error(&self, at: usize) -> bool {
        self.notes.get(&at).is_some_and(|notes| !notes.errors.is_empty())
    }

    /// Whether an access control has something to do in a turn.
    pub(super) fn is_pending(&self, at: usize, turn: Turn) -> bool {
        let has = |account: &Account| account.planned.has(turn) && account.sessions & bit(turn.session) != 0;
        // What was not wholly applied is not recorded as applied.
        let is_void = turn.phase == Phase::Record && self.has_error(at);
        !is_void && self.accounts.get(at).is_some_and(|account| !account.failed && has(account))
    }

    /// When what was applied is to be recorded.
    pub(super) fn recording(&self, at: usize) -> Recording {
        let last = Turn { session: 0, phase: Phase::Record };
        if self.accounts.get(at).is_some_and(|account| account.planned.has(last)) {
            Recording::Last
        } else if self.has_error(at) {
            Recording::Never
        } else {
            Recording::AtOnce
        }
    }

    /// Every turn with something to do, in the order in which they are to come.
    pub(super) fn turns(&self, sessions: usize) -> Vec<Turn> {
        let mut turns: Vec<Turn> = (0..sessions)
            .flat_map(|session| Phase::ALL.into_iter().map(move |phase| Turn { session, phase }))
            .filter(|turn| (0..self.accounts.len()).any(|at| self.is_pending(at, *turn)))
            .collect();
        turns.sort_by_key(|turn| (turn.phase.part(turn.session), turn.session, turn.phase));
        turns
    }

    /// Whether the role of an access control could not be made.
    pub(super) fn is_unmade(&self, at: usize) -> bool {
        self.unmade.contains(&at)
    }

    /// The open transaction has carried out so many steps.
    pub(super) fn carried_out(&mut self, at: usize, turn: Turn, steps: u32) {
        self.open.push((at, turn, steps));
    }

    /// Adds an error.
    pub(super) fn error(&mut self, at: usize, message: String) {
        self.notes.entry(at).or_default().errors.push(message);
    }

    /// What remains of an access control is left out.
    pub(super) fn fail(&mut self, at: usize, turn: Turn) {
        if let Some(account) = self.accounts.get_mut(at) {
            account.failed = true;
        }
        if turn.phase == Phase::Identity {
            self.unmade.insert(at);
        }
    }

    /// The open transaction stands.
    pub(super) fn commit(&mut self) {
        for (at, turn, steps) in self.open.drain(..) {
            if let Some(account) = self.accounts.get_mut(at) {
                account.done.add(turn);
                account.operations += steps;
            }
        }
    }

    /// The open transaction is as if it had not been.
    pub(super) fn roll_back(&mut self) {
        self.open.clear();
    }

    /// A transaction could not be carried through: whoever had something to do in it has the error.
    pub(super) fn lose(&mut self, turns: &[Turn], message: &str) {
        self.roll_back();
        for at in 0..self.accounts.len() {
            if let Some(turn) = turns.iter().find(|turn| self.is_pending(at, **turn)) {
                self.fail(at, *turn);
                self.error(at, message.to_owned());
            }
        }
    }

    /// Another access control ended the run: says so for each that was not carried through.
    pub(super) fn leave_out(&mut self) {
        for (at, account) in self.accounts.iter().enumerate() {
            if account.planned == account.done {
                continue;
            }
            let notes = self.notes.entry(at).or_default();
            if notes.errors.is_empty() {
                let how = if account.done == Turns::default() { "not applied" } else { "applied in part" };
                notes.warnings.push(format!("{how}, because another access control could not be applied"));
            }
        }
    }

    /// Hands over what became of each access control.
    pub(super) fn feedback(
        mut self,
        context: &Context<'_>,
        mut take: impl FnMut(AccessControlFeedback) -> Result<()>,
    ) -> Result<()> {
        for (at, entry) in context.entries.iter().enumerate() {
            let identity = match entry.shape {
                Shape::Filter => self.policy(at, context),
                _ => self.role(at, context).map(|name| (name.to_owned(), role_id(name))),
            };
            let (actual_name, external_id) =
                identity.map_or((String::new(), None), |(name, id)| (name, Some(id)));
            let Notes { errors, warnings } = self.notes.remove(&at).unwrap_or_default();
            take(AccessControlFeedback {
                id: entry.id.clone(),
                actual_name,
                external_id,
                control_type: Some(if entry.shape == Shape::Filter { POLICY } else { ROLE }.to_owned()),
                operations: self.accounts.get(at).map_or(0, |account| account.operations),
                errors,
                warnings,
            })?;
        }
        Ok(())
    }

    /// What the role of an access control is called now. None: it has none.
    fn role<'b>(&self, at: usize, context: &'b Context<'_>) -> Option<&'b str> {
        let (entry, account) = (context.entries.get(at)?, self.accounts.get(at)?);
        let did = |phase| account.done.has(Turn { session: 0, phase });
        let plans = |phase| account.planned.has(Turn { session: 0, phase });
        let naming = &entry.naming;
        if naming.error.is_some() {
            return None;
        }
        match &naming.current {
            Some(_) if entry.delete && did(Phase::Drop) => None,
            Some(current) if plans(Phase::Identity) && !did(Phase::Identity) => Some(current),
            None if !did(Phase::Identity) => None,
            _ => Some(naming.name.as_str()),
        }
    }

    /// What the policy of an access control is called now, and its external id. None: there is none.
    fn policy(&self, at: usize, context: &Context<'_>) -> Option<(String, String)> {
        let (entry, account) = (context.entries.get(at)?, self.accounts.get(at)?);
        let [standing, wanted] = context.filters.identities(at, &context.databases);
        let is_all_done = account.planned == account.done;
        if account.planned == Turns::default() {
            standing
        } else if is_all_done {
            if entry.delete { None } else { wanted }
        } else {
            // What is made beside nothing stands, even if row security could not be switched on.
            let made = account.done.has(Turn { session: 1, phase: Phase::Grant });
            standing.or(wanted.filter(|_| made))
        }
    }
}

fn bit(session: usize) -> u64 {
    1 << session.min(63)
}
