//! From the desired access controls and what stands in the target to a plan.
//!
//! `plan` and `apply` both come here: what the one prints is what the other runs.

use std::collections::{BTreeSet, HashMap};

use raito_connector::{Action, ApplyOptions, Change, DesiredAccessControl, Result};

use super::naming::{self, Naming};
use super::object::Object;
use super::state::{Dependencies, Grants, State};
use super::step::{Draft, Phase, Step};
use super::{filters, members, privileges};
use crate::cluster::{Cluster, role_id};
use crate::metadata::{POLICY, ROLE};
use crate::ownership_mark::Mark;
use crate::quote::{identifier, literal};
use crate::settings::Settings;

/// What the parts of a plan look things up in.
pub(super) struct Context<'a> {
    pub(super) settings: &'a Settings,
    pub(super) cluster: &'a Cluster,
    pub(super) own_role: &'a str,
    pub(super) memberships_by_grantor: bool,
    databases: Vec<String>,
    /// The access control of each role, by its position, and its name.
    namings: HashMap<usize, Naming>,
    /// Positions by the names of roles, the present ones and those to come.
    names: HashMap<String, usize>,
    /// Raito's roles in the target, by the id in their mark, in lower case.
    marked: HashMap<String, String>,
    /// Positions by id, in lower case.
    positions: HashMap<String, usize>,
    desired: &'a [DesiredAccessControl],
    renamed: HashMap<String, String>,
}

impl Context<'_> {
    pub(super) fn database(&self, session: usize) -> &str {
        self.databases.get(session).map_or("", String::as_str)
    }

    /// The database and the full name of an object.
    pub(super) fn place(&self, object: &Object) -> (&str, String) {
        let database = self.database(object.session);
        (database, object.full_name(database))
    }

    /// What a role is called once roles have been renamed.
    pub(super) fn final_name<'b>(&'b self, role: &'b str) -> &'b str {
        self.renamed.get(role).map_or(role, String::as_str)
    }

    /// The role that a reference of a who-list stands for, and the position of the access control that makes it.
    pub(super) fn role_of(&self, reference: &str) -> Result<(String, Option<usize>), String> {
        let id = reference.get(..3).filter(|start| start.eq_ignore_ascii_case("ID:")).and(reference.get(3..));
        if let Some(id) = id {
            if let Some(at) = self.positions.get(&id.to_lowercase()) {
                let is_role =
                    self.desired.get(*at).is_some_and(|one| one.action == Action::Grant && !one.delete);
                return match self.namings.get(at) {
                    Some(naming) if is_role && naming.error.is_none() => Ok((naming.name.clone(), Some(*at))),
                    _ => Err(format!("the access control {id:?} is no role that could be a member")),
                };
            }
            return match self.marked.get(&id.to_lowercase()) {
                Some(role) => Ok((role.clone(), None)),
                None => Err(format!("there is no access control {id:?}")),
            };
        }
        let maker = self.names.get(reference).copied();
        if let Some((at, naming)) = maker.and_then(|at| Some((at, self.namings.get(&at)?))) {
            return Ok((naming.name.clone(), Some(at)));
        }
        match self.cluster.roles.get(reference) {
            Some(role) if !role.login && self.settings.covers_role(reference) => {
                Ok((reference.to_owned(), None))
            }
            _ => Err(format!("there is no role {reference:?} that could be a member")),
        }
    }
}

/// Plans everything. `desired` is sorted by id.
pub(super) fn plan(
    desired: &[DesiredAccessControl],
    options: &ApplyOptions,
    settings: &Settings,
    state: &mut State,
) -> Result<Vec<Draft>> {
    let mut desired = desired.to_vec();
    if options.authoritative && !options.prefix.is_empty() {
        desired.extend(left_over(&desired, options, settings, state)?);
    }
    let desired = desired.as_slice();
    let role_positions: Vec<usize> = desired
        .iter()
        .enumerate()
        .filter(|(_, control)| control.action == Action::Grant && is_role_type(control))
        .map(|(at, _)| at)
        .collect();
    let role_controls: Vec<&DesiredAccessControl> =
        role_positions.iter().filter_map(|at| desired.get(*at)).collect();
    let namings = naming::assign(&role_controls, &state.cluster, settings, &options.prefix)?;

    let current: BTreeSet<String> = namings.iter().filter_map(|naming| naming.current.clone()).collect();
    let deleted: BTreeSet<String> = role_controls
        .iter()
        .zip(&namings)
        .filter(|(control, _)| control.delete)
        .filter_map(|(_, naming)| naming.current.clone())
        .collect();
    let grants = state.grants(&current)?;
    let dependencies = state.dependencies(&deleted)?;

    let mut drafts: Vec<Draft> = desired
        .iter()
        .map(|control| {
            let control_type = if control.action == Action::Filtered { POLICY } else { ROLE };
            Draft::new(&control.id, &control.name, control_type)
        })
        .collect();
    let mut wanted = HashMap::new();
    let mut objects = BTreeSet::new();
    for at in &role_positions {
        let (Some(control), Some(draft)) = (desired.get(*at), drafts.get_mut(*at)) else { continue };
        if !control.delete && !control.locks.what {
            let of_control = privileges::wanted(control, state, draft)?;
            objects.extend(of_control.keys().cloned());
            wanted.insert(*at, of_control);
        }
    }
    let found = state.find(&objects)?;
    let filters = filters::read(desired, options, state)?;

    let by_position: HashMap<usize, Naming> = role_positions.iter().copied().zip(namings).collect();
    let context = Context {
        settings,
        cluster: &state.cluster,
        own_role: &state.own_role,
        memberships_by_grantor: state.memberships_by_grantor(),
        databases: state.sessions.iter().map(|session| session.database().to_owned()).collect(),
        names: by_position
            .iter()
            .filter(|(at, naming)| {
                naming.error.is_none() && desired.get(**at).is_some_and(|control| !control.delete)
            })
            .flat_map(|(at, naming)| {
                naming.current.iter().chain([&naming.name]).map(|name| (name.clone(), *at))
            })
            .collect(),
        marked: naming::marked(&state.cluster)
            .into_iter()
            .map(|(id, role)| (id.to_lowercase(), role.name.clone()))
            .collect(),
        positions: desired.iter().enumerate().map(|(at, one)| (one.id.to_lowercase(), at)).collect(),
        desired,
        renamed: by_position
            .values()
            .filter_map(|naming| Some((naming.current.clone()?, naming.name.clone())))
            .collect(),
        namings: by_position,
    };
    for ((at, control), draft) in desired.iter().enumerate().zip(&mut drafts) {
        match control.action {
            Action::Grant if is_role_type(control) => {
                let naming = context.namings.get(&at).cloned().unwrap_or_default();
                let standing = naming.current.as_ref().and_then(|name| grants.get(name));
                if let Some(error) = naming.error {
                    draft.errors.push(error);
                } else if control.delete {
                    let dependencies = naming.current.as_ref().and_then(|name| dependencies.get(name));
                    plan_removal(control, naming.current, dependencies, standing, &context, draft);
                } else {
                    let wanted = wanted.remove(&at).map(|wanted| {
                        privileges::complete(wanted, &found, naming.current.as_deref(), &context, draft)
                    });
                    plan_role(control, &naming, wanted.as_ref(), standing, &context, draft);
                }
            }
            Action::Filtered => filters::plan(at, control, &filters, &context, draft),
            _ if control.delete => {}
            Action::Grant => draft.errors.push(format!(
                "only roles can be applied to PostgreSQL, not access controls of the type {:?}",
                control.control_type.as_deref().unwrap_or_default()
            )),
            Action::Mask => draft.errors.push("column masks are not supported by PostgreSQL".into()),
            Action::Share => draft.errors.push("shares are not supported by PostgreSQL".into()),
            Action::Deny => draft.errors.push("denying access is not supported by PostgreSQL".into()),
        }
        draft.finish();
    }
    Ok(drafts)
}

fn is_role_type(control: &DesiredAccessControl) -> bool {
    control.control_type.as_deref().is_none_or(|kind| kind == ROLE)
}

fn plan_role(
    control: &DesiredAccessControl,
    naming: &Naming,
    wanted: Option<&privileges::Wanted>,
    standing: Option<&Grants>,
    context: &Context<'_>,
    draft: &mut Draft,
) {
    let name = &naming.name;
    let identity = |summary: String, statement: String| Step::new(Phase::Identity, 0, summary, statement);
    let mark = Mark { id: control.id.clone(), digest: None }.comment();
    let set_mark = identity(
        format!("mark role {name} as made by Raito"),
        format!("COMMENT ON ROLE {} IS {}", identifier(name), literal(&mark)),
    );
    match &naming.current {
        None if control.locks.delete && control.actual_name.is_some() => {
            draft
                .warnings
                .push("the role is gone from the target and locked, so it is not made again".into());
            return;
        }
        None => {
            draft.change = Change::Create;
            let create = format!("CREATE ROLE {} NOLOGIN", identifier(name));
            draft.steps.push(identity(format!("create role {name}"), create));
            draft.steps.push(set_mark);
        }
        Some(current) => {
            if current != name {
                draft.steps.push(identity(
                    format!("rename role {current} to {name}"),
                    format!("ALTER ROLE {} RENAME TO {}", identifier(current), identifier(name)),
                ));
            }
            let comment = context.cluster.roles.get(current).and_then(|role| role.comment.as_deref());
            let somebody_elses = |comment: &str| !comment.is_empty() && Mark::parse(comment).is_none();
            if comment != Some(mark.as_str()) && !comment.is_some_and(somebody_elses) {
                draft.steps.push(set_mark);
            }
        }
    }
    draft.actual_name.clone_from(name);
    draft.external_id = Some(role_id(name));
    members::plan(control, naming.current.as_deref(), name, context, draft);
    if let Some(wanted) = wanted {
        privileges::plan(wanted, standing.unwrap_or(&Grants::new()), name, context, draft);
    }
}

fn plan_removal(
    control: &DesiredAccessControl,
    current: Option<String>,
    dependencies: Option<&Dependencies>,
    standing: Option<&Grants>,
    context: &Context<'_>,
    draft: &mut Draft,
) {
    let Some(name) = current else { return };
    draft.actual_name.clone_from(&name);
    draft.external_id = Some(role_id(&name));
    if control.locks.delete {
        draft.warnings.push("the role is locked and stays in the target".into());
        return;
    }
    let role = identifier(&name);
    if let Some(dependencies) = dependencies {
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
        let member = context.cluster.members(&name).any(|(member, _)| member.name == context.own_role);
        // From 16 on who makes a role is a member who does not inherit.
        let (inherits, how) =
            if context.memberships_by_grantor { (false, " WITH INHERIT TRUE") } else { (member, "") };
        if !superuser && !inherits && !sessions.is_empty() {
            let statement = format!("GRANT {role} TO {}{how}", identifier(context.own_role));
            let summary = format!("become a member of {name}");
            draft.steps.push(Step::new(Phase::Identity, 0, summary, statement));
        }
        for session in sessions {
            draft.steps.push(
                Step::new(
                    Phase::Revoke,
                    session,
                    format!("revoke everything from {name} in the database {}", context.database(session)),
                    format!("DROP OWNED BY {role}"),
                )
                .destructive(),
            );
        }
    }
    for (member, _) in context.cluster.members(&name) {
        let removed = &mut draft.removed_who;
        if member.login { &mut removed.users } else { &mut removed.access_controls }
            .push(member.name.clone());
    }
    for (object, privileges) in standing.into_iter().flatten() {
        let (_, full_name) = context.place(object);
        let words = privileges.keys().cloned().collect();
        draft.removed_what.push(super::step::item(full_name, object.kind.name(), words));
    }
    draft.change = Change::Delete;
    draft.steps.push(
        Step::new(Phase::Drop, 0, format!("drop role {name}"), format!("DROP ROLE {role}")).destructive(),
    );
}

/// Deletions for what carries Raito's mark and the prefix, and is not desired any more.
fn left_over(
    desired: &[DesiredAccessControl],
    options: &ApplyOptions,
    settings: &Settings,
    state: &mut State,
) -> Result<Vec<DesiredAccessControl>> {
    let prefix = naming::translated_prefix(&options.prefix);
    let known: BTreeSet<&str> = desired.iter().map(|control| control.id.as_str()).collect();
    let mut removals = Vec::new();
    for (id, role) in naming::marked(&state.cluster) {
        if role.name.starts_with(&prefix) && !known.contains(id.as_str()) && settings.covers_role(&role.name)
        {
            removals.push(removal(id, &role.name, Action::Grant));
        }
    }
    for policy in state.policies()? {
        if policy.name.starts_with(&prefix) && !known.contains(policy.mark.id.as_str()) {
            removals.push(removal(policy.mark.id, &policy.name, Action::Filtered));
        }
    }
    removals.sort_by(|one, other| one.id.cmp(&other.id));
    removals.dedup_by(|one, other| one.id == other.id);
    Ok(removals)
}

fn removal(id: String, name: &str, action: Action) -> DesiredAccessControl {
    let nobody = super::step::nobody;
    DesiredAccessControl {
        id,
        name: name.into(),
        description: String::new(),
        naming_hint: String::new(),
        control_type: None,
        external_id: None,
        actual_name: Some(name.into()),
        action,
        who: nobody(),
        deleted_who: nobody(),
        delete: true,
        locks: raito_connector::ApplyLocks { who: false, inheritance: false, what: false, delete: false },
        policy_rule: None,
        filter_criteria: None,
        what: Vec::new(),
        deleted_what: Vec::new(),
        common_what_object: None,
        owners: Vec::new(),
    }
}

impl Context<'_> {
    fn session_of(&self, database: &str) -> Option<usize> {
        self.databases.iter().position(|known| known == database)
    }
}
