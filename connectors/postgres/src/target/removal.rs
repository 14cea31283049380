//! Removing a role: everything that it has goes first, in every database, then the role.

use std::collections::{BTreeSet, HashMap};

use raito_connector::{Change, DesiredAccessControl, Result};
use tokio_postgres::types::Type;

use super::databases::Databases;
use super::planner::Context;
use super::privileges::{self, Taking};
use super::standing::{Grants, OWNER};
use super::step::{Draft, Phase, Step, item};
use crate::quote::identifier;
use crate::session::get;

/// What stands in the way of dropping a role.
#[derive(Clone, Debug, Default)]
pub(super) struct Dependencies {
    /// Objects that it owns.
    owned: i64,
    /// Where something else depends on it. An empty name stands for what belongs to the whole cluster.
    databases: BTreeSet<String>,
}

impl Databases {
    /// What depends on each of these roles.
    pub(super) fn dependencies(&mut self, roles: &[&str]) -> Result<HashMap<String, Dependencies>> {
        let mut all: HashMap<String, Dependencies> = HashMap::new();
        if roles.is_empty() {
            return Ok(all);
        }
        self.session(0)?.for_each(
            "SELECT r.rolname::text, coalesce(b.datname::text, ''), count(*) FILTER (WHERE d.deptype = 'o') \
             FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid LEFT JOIN pg_database b ON b.oid = d.dbid \
             WHERE d.refclassid = 'pg_authid'::regclass AND r.rolname = ANY ($1::text[]) GROUP BY 1, 2",
            &[(&roles, Type::TEXT_ARRAY)],
            |row| {
                let dependencies = all.entry(get(row, 0)?).or_default();
                dependencies.databases.insert(get(row, 1)?);
                dependencies.owned += get::<i64>(row, 2)?;
                Ok(())
            },
        )?;
        Ok(all)
    }
}

/// Plans it. `name` is the role as it stands.
pub(super) fn plan(
    control: &DesiredAccessControl,
    name: &str,
    standing: &Grants,
    context: &Context<'_>,
    draft: &mut Draft,
) {
    name.clone_into(&mut draft.actual_name);
    if control.locks.delete {
        draft.warnings.push("the role is locked and stays in the target".into());
        return;
    }
    let role = identifier(name);
    if let Some(dependencies) = context.dependencies.get(name) {
        if dependencies.owned > 0 {
            draft.errors.push(format!("the role owns {} objects, so it is not dropped", dependencies.owned));
            return;
        }
        let mut sessions = BTreeSet::new();
        for database in &dependencies.databases {
            // An empty name is what belongs to the cluster, such as the access list of a database.
            let session = if database.is_empty() { Some(0) } else { context.session_of(database) };
            let Some(session) = session else {
                draft.errors.push(format!(
                    "the role has privileges in the database {database:?}, which the target does not cover"
                ));
                return;
            };
            sessions.insert(session);
        }
        // Only somebody who inherits from the role may take everything from it. The membership goes with the role.
        let superuser = context.cluster.roles.get(context.own_role).is_some_and(|own| own.superuser);
        let member = context.cluster.members(name).any(|(member, _)| member.name == context.own_role);
        // From 16 on who makes a role is a member who does not inherit.
        let (inherits, how) =
            if context.memberships_by_grantor { (false, " WITH INHERIT TRUE") } else { (member, "") };
        if !superuser && !inherits && !sessions.is_empty() {
            // Without its name, so that a plan is the same for whoever makes it.
            let statement = format!("GRANT {role} TO CURRENT_USER{how}");
            let summary = format!("become a member of {name}");
            draft.steps.push(Step::new(Phase::Identity, 0, summary, statement));
        }
        // What is below takes back what the owners granted, and without a word what somebody else got from the role. What
        // others granted would stay, and keep the role from being dropped.
        for (object, privileges) in standing {
            let gone: Vec<_> = privileges
                .iter()
                .filter(|(_, held)| {
                    !held.passed_on.is_empty() || held.grantors.iter().any(|grantor| *grantor != OWNER)
                })
                .map(|(word, held)| (*word, &held.grantors))
                .collect();
            if !gone.is_empty() {
                let taking = Taking::Privilege;
                draft.steps.push(privileges::revoke(object, &gone, name, context, Phase::Strip, taking));
            }
        }
        for session in sessions {
            draft.steps.push(
                Step::new(
                    Phase::Strip,
                    session,
                    format!("revoke everything from {name} in the database {}", context.database(session)),
                    format!("DROP OWNED BY {role}"),
                )
                .destructive(),
            );
        }
    }
    for (member, _) in context.cluster.members(name) {
        let removed = &mut draft.removed_who;
        if member.login { &mut removed.users } else { &mut removed.access_controls }
            .push(member.name.clone());
    }
    for (object, privileges) in standing {
        let (_, full_name) = context.place(object);
        let words = privileges.keys().map(|&word| word.to_owned()).collect();
        draft.removed_what.push(item(full_name, object.kind.name(), words));
    }
    draft.change = Change::Delete;
    draft.steps.push(
        Step::new(Phase::Drop, 0, format!("drop role {name}"), format!("DROP ROLE {role}")).destructive(),
    );
}
