//! Carries plans out, as they are made.
//!
//! First a round that only looks: it finds every error that can be known without trying, and what there is to do. Then
//! round by round the steps of one phase. Where all of it is in one database, it is one transaction. Several databases
//! have a transaction for each part of [`Phase::part`](super::step::Phase::part), in this order:
//!
//! 1. roles are made, renamed and marked, and privileges are given in the first database;
//! 2. privileges are given in the others;
//! 3. memberships are changed, and what goes in the first database is taken away;
//! 4. what goes in the others is taken away;
//! 5. what was applied is written down, and roles are dropped.
//!
//! So whoever has something from one role and is to have it from another never is without it. Neighbouring parts of one
//! database are one transaction when nothing is to be done between them.
//!
//! All or nothing in one transaction is planned once more before the commit, and undone if anything is left to do: a server
//! takes back what somebody else granted without a word and without effect.
//!
//! Unless it is all or nothing, each access control has a savepoint in each phase, so that one that cannot be applied is
//! undone alone. Before anything is read, a lock is taken that another run on the same cluster waits for.

use std::ops::ControlFlow;

use raito_connector::{ApplyOptions, Error, Result};
use tokio_postgres::error::SqlState;

use super::databases::{Databases, End};
use super::ledger::{Ledger, Turn};
use super::planner::{Context, Recording};
use super::round::{self, Visitor};
use super::source::Source;
use super::step::{Draft, Step};
use crate::session::{Failure, Session};

/// The advisory lock of everybody who applies access controls: "raito" in ASCII.
const LOCK: i64 = 0x72_6169_746f;

/// How long to wait for it.
const LOCK_TIMEOUT: &str = "10s";

/// Takes the lock; it lasts as long as the session.
pub(super) fn lock(session: &mut Session) -> Result<()> {
    session.execute(&format!("SET lock_timeout = '{LOCK_TIMEOUT}'"))?;
    session.execute(&format!("SELECT pg_advisory_lock({LOCK})")).map_err(|failure| {
        if failure.is(&SqlState::LOCK_NOT_AVAILABLE) {
            Error::other(
                "another run has been applying access controls to this server for more than 10 seconds",
            )
        } else {
            failure.into()
        }
    })
}

/// Carries everything out. Every database has a transaction and is open.
///
/// # Errors
/// If the first transaction could not be carried through: then nothing has changed.
pub(super) fn run(
    source: &mut impl Source,
    options: &ApplyOptions,
    context: &Context<'_>,
    databases: &mut Databases,
) -> Result<Ledger> {
    let all_or_nothing = options.all_or_nothing;
    let mut ledger = Ledger::new(context.entries.len());
    round::run(source, context, databases, &mut Look(&mut ledger))?;
    let turns = ledger.turns(databases.len());
    let refused = all_or_nothing && ledger.has_errors();
    let first = turns.first().filter(|_| !refused).map(|turn| turn.session);
    for at in (0..databases.len()).filter(|at| Some(*at) != first) {
        databases.end(at, End::Rollback)?;
    }
    if refused {
        ledger.leave_out();
        return Ok(ledger);
    }
    let roles = context.standing_roles();
    let transactions = turns.chunk_by(|one, other| one.session == other.session);
    let is_one = transactions.clone().count() == 1;
    for (place, turns) in transactions.enumerate() {
        let session = turns.first().map_or(0, |turn| turn.session);
        let mut transaction = || {
            if place > 0 {
                databases.begin(session)?;
                databases.read_grants(session, &roles)?;
            }
            let check = (all_or_nothing && is_one && databases.len() == 1).then_some(options);
            carry_out(turns, source, context, databases, &mut ledger, (all_or_nothing, check))
        };
        match transaction() {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => {
                ledger.leave_out();
                break;
            }
            Err(error) if place == 0 => return Err(error),
            // What was committed before stays, and its feedback must reach Raito.
            Err(error) => {
                // A connection that is gone has undone it already.
                let ended = databases.end(session, End::Rollback).err();
                let more = ended.map_or(String::new(), |_| ", and the connection is gone".to_owned());
                ledger
                    .lose(turns, &format!("in the database {:?}: {error}{more}", context.database(session)));
                if all_or_nothing {
                    ledger.leave_out();
                    break;
                }
            }
        }
    }
    Ok(ledger)
}

/// Runs the turns of one transaction. A break means that it was rolled back, for the sake of all or nothing. With `check`,
/// the target must match before it is committed.
fn carry_out(
    turns: &[Turn],
    source: &mut impl Source,
    context: &Context<'_>,
    databases: &mut Databases,
    ledger: &mut Ledger,
    (all_or_nothing, check): (bool, Option<&ApplyOptions>),
) -> Result<ControlFlow<()>> {
    let session = turns.first().map_or(0, |turn| turn.session);
    for turn in turns {
        let mut run = Run { ledger, turn: *turn, all_or_nothing, stopped: false };
        round::run(source, context, databases, &mut run)?;
        if run.stopped {
            databases.end(session, End::Rollback)?;
            ledger.roll_back();
            return Ok(ControlFlow::Break(()));
        }
    }
    let rest = match check {
        Some(options) => still_to_do(source, options, context, databases)?,
        None => None,
    };
    if let Some((at, summary)) = rest {
        databases.end(session, End::Rollback)?;
        ledger.roll_back();
        ledger.error(
            at,
            format!(
                "{summary}: this had no effect; probably it was granted by somebody whom the connector may not act for"
            ),
        );
        return Ok(ControlFlow::Break(()));
    }
    databases.end(session, End::Commit)?;
    ledger.commit();
    Ok(ControlFlow::Continue(()))
}

/// Plans again in the transaction that has done everything: what a plan still finds is what the server took without a
/// word and did not do.
fn still_to_do(
    source: &mut impl Source,
    options: &ApplyOptions,
    context: &Context<'_>,
    databases: &mut Databases,
) -> Result<Option<(usize, String)>> {
    source.restart()?;
    databases.close(0)?;
    let now = Context::read(source, options, context.settings, context.own_role, databases)?;
    databases.read_grants(0, &now.standing_roles())?;
    let mut rest = Rest(None);
    round::run(source, &now, databases, &mut rest)?;
    Ok(rest.0)
}

/// The round that must find nothing.
struct Rest(Option<(usize, String)>);

impl Visitor for Rest {
    fn wants(&self, _at: usize) -> bool {
        true
    }

    fn take(&mut self, _databases: &mut Databases, at: usize, draft: Draft) -> Result<ControlFlow<()>> {
        self.0 = draft.steps.into_iter().next().map(|step| (at, step.summary));
        Ok(if self.0.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

/// The round that only looks.
struct Look<'a>(&'a mut Ledger);

impl Visitor for Look<'_> {
    fn wants(&self, _at: usize) -> bool {
        true
    }

    fn take(&mut self, _databases: &mut Databases, at: usize, draft: Draft) -> Result<ControlFlow<()>> {
        self.0.enter(at, draft);
        Ok(ControlFlow::Continue(()))
    }
}

/// A round that carries out the steps of one turn.
struct Run<'a> {
    ledger: &'a mut Ledger,
    turn: Turn,
    all_or_nothing: bool,
    stopped: bool,
}

impl Visitor for Run<'_> {
    fn wants(&self, at: usize) -> bool {
        self.ledger.is_pending(at, self.turn)
    }

    fn recording(&self, at: usize) -> Option<Recording> {
        Some(self.ledger.recording(at))
    }

    fn take(&mut self, databases: &mut Databases, at: usize, draft: Draft) -> Result<ControlFlow<()>> {
        let Turn { session, phase } = self.turn;
        let steps: Vec<Step> =
            draft.steps.into_iter().filter(|step| step.phase == phase && step.session == session).collect();
        if steps.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let session = databases.session(session)?;
        if self.all_or_nothing {
            if !self.attempt(session, at, &steps)? {
                self.stopped = true;
                return Ok(ControlFlow::Break(()));
            }
            return Ok(ControlFlow::Continue(()));
        }
        session.execute("SAVEPOINT access_control")?;
        if !self.attempt(session, at, &steps)? {
            session.execute("ROLLBACK TO SAVEPOINT access_control")?;
        }
        session.execute("RELEASE SAVEPOINT access_control")?;
        Ok(ControlFlow::Continue(()))
    }
}

impl Run<'_> {
    /// Runs the steps of one access control. False: one did not succeed, and the ledger says why.
    fn attempt(&mut self, session: &mut Session, at: usize, steps: &[Step]) -> Result<bool> {
        let mut count = 0;
        for step in steps {
            if step.needs.is_some_and(|maker| self.ledger.is_unmade(maker)) {
                let message = format!("{}: the role to be a member could not be made", step.summary);
                self.ledger.error(at, message);
                continue;
            }
            for statement in &step.statements {
                if let Err(failure) = session.execute(statement) {
                    if failure.is_broken() {
                        return Err(failure.into());
                    }
                    self.ledger.error(at, format!("{}: {}", step.summary, explained(&failure)));
                    self.ledger.fail(at, self.turn);
                    return Ok(false);
                }
            }
            count += 1;
        }
        self.ledger.carried_out(at, self.turn, count);
        Ok(true)
    }
}

/// The server's message, and where it says too little, what to do.
fn explained(failure: &Failure) -> String {
    if failure.is(&SqlState::OUT_OF_MEMORY) {
        format!(
            "{failure}: each role that is made or changed in one transaction needs a lock, so the server's \
             max_locks_per_transaction must be larger"
        )
    } else {
        failure.to_string()
    }
}
