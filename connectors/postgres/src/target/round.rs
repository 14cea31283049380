//! A round: every access control is planned, one after the other, and forgotten.
//!
//! Access controls are taken in groups, so that their objects can be looked up at once. A group ends when it names enough
//! objects, so what is held follows neither the number of access controls nor that of their permissions.

use std::ops::ControlFlow;

use raito_connector::{DesiredAccessControl, Error, Result};

use super::databases::Databases;
use super::object::Object;
use super::planner::{Context, Objects, Recording};
use super::privileges::{self, Wanted};
use super::source::Source;
use super::standing::Grants;
use super::step::Draft;
use super::survey;

/// Access controls in a group.
const CONTROLS: usize = 128;

/// Objects to look up, after which a group ends.
const OBJECTS: usize = 4096;

/// What a round is for.
pub(super) trait Visitor {
    /// Whether the access control at a position is to be planned.
    fn wants(&self, at: usize) -> bool;

    /// When what was applied is to be recorded. None: that is for the plan to say. A plan of a part of the databases, or
    /// of what an earlier transaction has left to be done, cannot.
    fn recording(&self, _at: usize) -> Option<Recording> {
        None
    }

    /// Takes the plan of an access control.
    ///
    /// # Errors
    /// What ends the run. A break ends the round.
    fn take(&mut self, databases: &mut Databases, at: usize, draft: Draft) -> Result<ControlFlow<()>>;
}

/// An access control of a group.
struct Member {
    at: usize,
    control: DesiredAccessControl,
    wanted: Option<Wanted>,
    draft: Draft,
}

/// Goes through the access controls once more: those of the source in its order, then what is left over.
pub(super) fn run(
    source: &mut impl Source,
    context: &Context<'_>,
    databases: &mut Databases,
    visitor: &mut impl Visitor,
) -> Result<()> {
    source.restart()?;
    databases.rewind()?;
    let left_over = context.entries.iter().filter(|entry| entry.left_over);
    let controls = source.by_ref().chain(left_over.map(|entry| Ok(survey::removal(entry))));
    let mut group = Vec::new();
    let mut objects = 0;
    let mut count = 0;
    for (at, control) in controls.enumerate() {
        let control = control?;
        let entry = context.entries.get(at).filter(|entry| entry.id == control.id);
        let entry =
            entry.ok_or_else(|| Error::other("the access controls are not the same ones in every round"))?;
        count += 1;
        if !visitor.wants(at) {
            continue;
        }
        let mut draft = Draft::new(&control.id, &entry.name);
        let wanted = context.wanted(at, &control, databases, &mut draft)?;
        objects += wanted.iter().flat_map(privileges::unknown).count();
        group.push(Member { at, control, wanted, draft });
        if group.len() >= CONTROLS || objects >= OBJECTS {
            objects = 0;
            if plan(std::mem::take(&mut group), context, databases, visitor)?.is_break() {
                return Ok(());
            }
        }
    }
    if count != context.entries.len() {
        return Err(Error::other("the access controls are not the same ones in every round"));
    }
    plan(group, context, databases, visitor).map(|_| ())
}

fn plan(
    group: Vec<Member>,
    context: &Context<'_>,
    databases: &mut Databases,
    visitor: &mut impl Visitor,
) -> Result<ControlFlow<()>> {
    let mut objects: Vec<&Object> =
        group.iter().filter_map(|member| member.wanted.as_ref()).flat_map(privileges::unknown).collect();
    objects.sort_unstable();
    objects.dedup();
    let found = databases.find(&objects)?;
    for Member { at, control, wanted, mut draft } in group {
        let standing = match context.place_of(at) {
            Some(place) => databases.standing(place)?,
            None => Grants::new(),
        };
        let objects = Objects { wanted, found: &found, standing: &standing };
        context.plan(at, &control, objects, visitor.recording(at), &mut draft);
        if visitor.take(databases, at, draft)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}
