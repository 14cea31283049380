//! Who is a member of a role: the difference between what stands and what is desired.
//!
//! All memberships are taken before any is given, in one transaction: where two roles change sides, the server would
//! refuse the circle, and nobody sees the moment in between.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use raito_connector::DesiredAccessControl;

use super::planner::Context;
use super::step::{Draft, Phase, Step};
use crate::quote::identifier;

/// The members that an access control is to have.
#[derive(Debug, Default)]
pub(super) struct Members {
    pub(super) users: BTreeSet<String>,
    /// Roles by their final name, with the position of the access control that makes them.
    pub(super) roles: BTreeMap<String, Option<usize>>,
}

/// Finds the beneficiaries of an access control. What cannot be found is an error of the access control; the others
/// stay.
pub(super) fn desired(control: &DesiredAccessControl, context: &Context<'_>, draft: &mut Draft) -> Members {
    let mut members = Members::default();
    for user in &control.who.users {
        match context.cluster.roles.get(user) {
            Some(role) if role.login && !role.predefined() => {
                if context.settings.covers_role(user) {
                    members.users.insert(user.clone());
                } else {
                    draft.errors.push(format!("the user {user:?} is one that the target leaves alone"));
                }
            }
            _ => draft.errors.push(format!("there is no user {user:?}")),
        }
    }
    for reference in &control.who.access_controls {
        match context.role_of(reference) {
            Ok((name, maker)) => {
                members.roles.insert(name, maker);
            }
            Err(why) => draft.errors.push(why),
        }
    }
    if !control.who.groups.is_empty() {
        draft.errors.push("PostgreSQL has no groups: only users and roles can be members".into());
    }
    if !control.who.recipients.is_empty() {
        draft.errors.push("PostgreSQL has no shares: recipients cannot be members".into());
    }
    members
}

/// Plans the memberships of a role.
pub(super) fn plan(
    control: &DesiredAccessControl,
    current: Option<&str>,
    name: &str,
    context: &Context<'_>,
    draft: &mut Draft,
) {
    let wanted = desired(control, context, draft);
    // Somebody named in the wrong list, or who cannot log in any more, is an error, and nobody to take anything from.
    let named: HashSet<&str> =
        control.who.users.iter().chain(&control.who.access_controls).map(String::as_str).collect();
    let mut present = BTreeSet::new();
    for (member, grantors) in current.into_iter().flat_map(|current| context.cluster.members(current)) {
        let member_name = context.final_name(&member.name).to_owned();
        present.insert(member_name.clone());
        let (keep, locked) = if member.login {
            (wanted.users.contains(&member_name), control.locks.who)
        } else {
            (wanted.roles.contains_key(&member_name), control.locks.inheritance)
        };
        // The connector's own membership is how it may change the role at all.
        let is_ours_to_keep = member.name == context.own_role || member.predefined();
        let keep = keep || named.contains(member.name.as_str());
        if locked || is_ours_to_keep || !context.settings.covers_role(&member.name) {
            continue;
        }
        let revoke = |option: &str, grantors: &BTreeSet<String>| -> Vec<String> {
            let revoke = format!("REVOKE {option}{} FROM {}", identifier(name), identifier(&member_name));
            if !context.memberships_by_grantor {
                return vec![revoke];
            }
            let by =
                |grantor: &String| format!("{revoke} GRANTED BY {}", identifier(context.final_name(grantor)));
            grantors.iter().map(by).collect()
        };
        if keep {
            // Who has the role is for the file to say.
            let handed_on = current.and_then(|current| context.cluster.handed_on(current, &member.name));
            if let Some(grantors) = handed_on {
                draft.warnings.push(format!("{member_name} may give the role to others; that is taken back"));
                draft.steps.push(Step {
                    session: 0,
                    phase: Phase::Revoke,
                    summary: format!("revoke the admin option for {name} from {member_name}"),
                    statements: revoke("ADMIN OPTION FOR ", grantors),
                    destructive: true,
                    needs: None,
                });
            }
            continue;
        }
        let statements = revoke("", grantors);
        draft.steps.push(Step {
            session: 0,
            phase: Phase::Revoke,
            summary: format!("revoke {name} from {member_name}"),
            statements,
            destructive: true,
            needs: None,
        });
        let removed = &mut draft.removed_who;
        if member.login { &mut removed.users } else { &mut removed.access_controls }.push(member_name);
    }

    let users = wanted.users.into_iter().map(|user| (user, None, true));
    let roles = wanted.roles.into_iter().map(|(role, maker)| (role, maker, false));
    for (member, maker, is_user) in users.chain(roles) {
        let locked = if is_user { control.locks.who } else { control.locks.inheritance };
        if locked || present.contains(&member) {
            continue;
        }
        let statement = format!("GRANT {} TO {}", identifier(name), identifier(&member));
        let step = Step::new(Phase::Settle, 0, format!("grant {name} to {member}"), statement);
        draft.steps.push(Step { needs: maker, ..step });
        let added = &mut draft.added_who;
        if is_user { &mut added.users } else { &mut added.access_controls }.push(member);
    }
}
