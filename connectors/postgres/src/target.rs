//! To the target: makes PostgreSQL match the desired access controls.
//!
//! Planning and applying share one planner; applying runs exactly the statements that planning shows, each as one
//! command that the server would refuse if it held two. What is right already yields no statement. An access control
//! that cannot be applied, or not wholly, says so itself and does not stop the others, unless it is all or nothing.
//!
//! The desired access controls are gone through in rounds. The first one keeps what names and references need; the
//! others plan one access control after the other, hand the plan over or carry out a part of it, and forget it. Held
//! are the cluster's roles and memberships, a little for each access control, and for a moment the permissions
//! of a few of them.
//!
//! The prefix is the owner: roles and policies are found by a mark that carries it (`ownership_mark`), whatever they
//! are called, and what carries another mark is never touched.

mod condition;
mod content;
mod databases;
mod execute;
mod filters;
mod ledger;
mod lookup;
mod members;
mod naming;
mod object;
mod planner;
mod policies;
mod privileges;
mod removal;
mod round;
mod source;
mod standing;
mod step;
mod survey;

use std::ops::ControlFlow;

use raito_connector::{AccessCapabilities, AccessControlFeedback, AccessControlPlan, ApplyOptions, Result};

use self::databases::{Databases, Mode};
use self::planner::Context;
use self::round::Visitor;
pub use self::source::Source;
use self::step::Draft;
use crate::session::Session;
use crate::settings::Settings;

/// What the connector can do beyond reading.
pub fn capabilities() -> AccessCapabilities {
    AccessCapabilities { apply: true, partial_apply: true }
}

/// Works out what [`apply`] would do, and touches nothing. Plans come in the order of the access controls, then those
/// of what is removed because it left the file.
pub fn plan(
    settings: &Settings,
    options: &ApplyOptions,
    desired: &mut impl Source,
    take: impl FnMut(AccessControlPlan) -> Result<()>,
) -> Result<()> {
    let first = Session::open(settings, &settings.database)?;
    let mut databases = Databases::open(settings, first, Mode::ReadOnly)?;
    let own_role = planner::own_role(&mut databases)?;
    let context = Context::read(desired, options, settings, &own_role, &mut databases)?;
    read_grants(&context, &mut databases)?;
    round::run(desired, &context, &mut databases, &mut Show(take))
}

/// Makes the target match. One feedback for each access control that was handed in, and for each that is removed
/// because it left the file, in the order of [`plan`].
pub fn apply(
    settings: &Settings,
    options: &ApplyOptions,
    desired: &mut impl Source,
    take: impl FnMut(AccessControlFeedback) -> Result<()>,
) -> Result<()> {
    let mut first = Session::open(settings, &settings.database)?;
    execute::lock(&mut first)?;
    let mut databases = Databases::open(settings, first, Mode::ReadWrite)?;
    let own_role = planner::own_role(&mut databases)?;
    let context = Context::read(desired, options, settings, &own_role, &mut databases)?;
    read_grants(&context, &mut databases)?;
    let ledger = execute::run(desired, options, &context, &mut databases)?;
    ledger.feedback(&context, take)
}

fn read_grants(context: &Context<'_>, databases: &mut Databases) -> Result<()> {
    let roles = context.standing_roles();
    for at in 0..databases.len() {
        databases.read_grants(at, &roles)?;
    }
    Ok(())
}

/// The round of [`plan`].
struct Show<F>(F);

impl<F: FnMut(AccessControlPlan) -> Result<()>> Visitor for Show<F> {
    fn wants(&self, _at: usize) -> bool {
        true
    }

    fn take(&mut self, _databases: &mut Databases, _at: usize, draft: Draft) -> Result<ControlFlow<()>> {
        (self.0)(draft.into_plan())?;
        Ok(ControlFlow::Continue(()))
    }
}
