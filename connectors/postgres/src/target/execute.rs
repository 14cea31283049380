//! Carries a plan out.
//!
//! One transaction for each database: first what belongs to the cluster together with the first database, then the
//! others, then, where there are others, the dropping of roles. In a transaction each access control has a savepoint
//! of its own, so that one that cannot be applied is undone alone. Before anything is read, a lock is taken that
//! another run on the same cluster waits for.

use std::collections::{BTreeMap, BTreeSet};

use raito_connector::{Change, Error, Result};
use tokio_postgres::error::SqlState;

use super::step::{Draft, Phase, Step};
use crate::session::Session;

/// The advisory lock of everybody who applies access controls: "raito" in ASCII.
const LOCK: i64 = 0x72_6169_746f;

/// How long a statement waits for somebody else's lock.
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

/// Carries the steps out, and writes down in each draft what became of it.
///
/// # Errors
/// If the first transaction could not be carried through: then nothing has changed.
pub(super) fn run(sessions: &mut [Session], drafts: &mut [Draft]) -> Result<()> {
    // In a stage the order is that of the phases, and in a phase that of the access controls.
    let mut stages: BTreeMap<(Stage, usize), BTreeSet<(Phase, usize)>> = BTreeMap::new();
    let alone = sessions.len() == 1;
    for (at, draft) in drafts.iter().enumerate() {
        for step in &draft.steps {
            let stage = match (step.session, step.phase) {
                (0, Phase::Drop) if !alone => Stage::Last,
                (0, _) => Stage::First,
                _ => Stage::Other,
            };
            stages.entry((stage, step.session)).or_default().insert((step.phase, at));
        }
    }
    let mut unmade = BTreeSet::new();
    for ((stage, at), parts) in stages {
        let Some(session) = sessions.get_mut(at) else { continue };
        match transaction(session, at, &parts, &mut unmade, drafts) {
            Err(error) if stage == Stage::First => return Err(error),
            // What was committed before stays, and its feedback must reach Raito.
            Err(error) => {
                for (_, of) in parts {
                    if let Some(draft) = drafts.get_mut(of).filter(|draft| !draft.failed) {
                        draft.failed = true;
                        draft.errors.push(format!("in the database {:?}: {error}", session.database()));
                    }
                }
            }
            Ok(()) => {}
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    First,
    Other,
    Last,
}

/// Runs the steps of one database. `unmade` collects the access controls whose role could not be made.
fn transaction(
    session: &mut Session,
    at: usize,
    parts: &BTreeSet<(Phase, usize)>,
    unmade: &mut BTreeSet<usize>,
    drafts: &mut [Draft],
) -> Result<()> {
    session.execute("BEGIN")?;
    session.execute(&format!("SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))?;
    let mut done: BTreeMap<usize, u32> = BTreeMap::new();
    for (phase, of) in parts {
        let Some(draft) = drafts.get_mut(*of).filter(|draft| !draft.failed) else { continue };
        let steps: Vec<Step> =
            draft.steps.iter().filter(|step| step.phase == *phase && step.session == at).cloned().collect();
        session.execute("SAVEPOINT access_control")?;
        if let Some(count) = attempt(session, &steps, unmade, draft)? {
            *done.entry(*of).or_default() += count;
        } else {
            session.execute("ROLLBACK TO SAVEPOINT access_control")?;
            draft.failed = true;
            if *phase == Phase::Identity {
                unmade.insert(*of);
            }
            undone(draft, *phase);
        }
        session.execute("RELEASE SAVEPOINT access_control")?;
    }
    session.execute("COMMIT")?;
    for (of, count) in done {
        if let Some(draft) = drafts.get_mut(of) {
            draft.done += count;
        }
    }
    Ok(())
}

/// Runs the steps of one access control. None: one did not succeed, and the draft says why.
fn attempt(
    session: &mut Session,
    steps: &[Step],
    unmade: &BTreeSet<usize>,
    draft: &mut Draft,
) -> Result<Option<u32>> {
    let mut count = 0;
    for step in steps {
        if step.needs.is_some_and(|maker| unmade.contains(&maker)) {
            draft.errors.push(format!("{}: the role to be a member could not be made", step.summary));
            continue;
        }
        for statement in &step.statements {
            if let Err(failure) = session.execute(statement) {
                if failure.is_broken() {
                    return Err(failure.into());
                }
                draft.errors.push(format!("{}: {failure}", step.summary));
                return Ok(None);
            }
        }
        count += 1;
    }
    Ok(Some(count))
}

/// What did not come about has no name in the target.
fn undone(draft: &mut Draft, phase: Phase) {
    let never_made = match draft.control_type {
        crate::metadata::ROLE => phase == Phase::Identity,
        _ => phase == Phase::Grant,
    };
    if never_made && draft.change == Change::Create {
        draft.actual_name.clear();
        draft.external_id = None;
    }
}
