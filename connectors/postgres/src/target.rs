//! To the target: makes PostgreSQL match the desired access controls.
//!
//! Planning and applying share one planner; applying runs exactly the statements that planning shows, each as one
//! command that the server would refuse if it held two. What is right already yields no statement. An access control
//! that cannot be applied, or not wholly, says so itself and does not stop the others.

mod condition;
mod execute;
mod filters;
mod members;
mod naming;
mod object;
mod planner;
mod privileges;
mod state;
mod step;

use raito_connector::{
    AccessCapabilities, AccessControlFeedback, AccessControlPlan, ApplyOptions, DesiredAccessControl, Result,
};

use self::state::State;
use crate::session::Session;
use crate::settings::Settings;

/// What the connector can do beyond reading.
pub fn capabilities() -> AccessCapabilities {
    AccessCapabilities { apply: true, partial_apply: true }
}

/// Works out what [`apply`] would do, and touches nothing.
pub fn plan(
    settings: &Settings,
    options: &ApplyOptions,
    desired: impl Iterator<Item = Result<DesiredAccessControl>>,
    mut take: impl FnMut(AccessControlPlan) -> Result<()>,
) -> Result<()> {
    let desired = in_order(desired)?;
    let first = Session::open(settings, &settings.database)?;
    let mut state = State::open(settings, first)?;
    for draft in planner::plan(&desired, options, settings, &mut state)? {
        take(draft.into_plan())?;
    }
    Ok(())
}

/// Makes the target match. One feedback for each access control that was handed in, and for each that is removed
/// because it left the file.
pub fn apply(
    settings: &Settings,
    options: &ApplyOptions,
    desired: impl Iterator<Item = Result<DesiredAccessControl>>,
    mut take: impl FnMut(AccessControlFeedback) -> Result<()>,
) -> Result<()> {
    let desired = in_order(desired)?;
    let mut first = Session::open(settings, &settings.database)?;
    execute::lock(&mut first)?;
    let mut state = State::open(settings, first)?;
    let mut drafts = planner::plan(&desired, options, settings, &mut state)?;
    execute::run(&mut state.sessions, &mut drafts)?;
    for draft in drafts {
        take(draft.into_feedback())?;
    }
    Ok(())
}

/// Ascending by id, on which the names that are made depend.
fn in_order(
    desired: impl Iterator<Item = Result<DesiredAccessControl>>,
) -> Result<Vec<DesiredAccessControl>> {
    let mut desired = desired.collect::<Result<Vec<_>>>()?;
    desired.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(desired)
}
