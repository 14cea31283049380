//! From one desired access control and what stands in the target to a plan.
//!
//! `plan` and `apply` both come here: what the one prints is what the other runs.

use std::collections::{HashMap, HashSet};

use raito_connector::{Action, ApplyOptions, Change, DesiredAccessControl, Result};

use super::databases::Databases;
use super::naming;
use super::object::Object;
use super::privileges::{self, Wanted};
use super::removal::{self, Dependencies};
use super::source::Source;
use super::standing::Grants;
use super::step::{Draft, Phase, Step};
use super::survey::{Entry, Shape, Survey};
use super::{content, filters, members};
use crate::cluster::{Cluster, Role};
use crate::ownership_mark::Mark;
use crate::quote::{identifier, literal};
use crate::session::get;
use crate::settings::Settings;

/// What the parts of a plan look things up in: what is known after the first round. It does not change while access
/// controls are planned and applied.
pub(super) struct Context<'a> {
    pub(super) settings: &'a Settings,
    /// Whose access controls these are.
    pub(super) prefix: &'a str,
    pub(super) cluster: Cluster,
    /// The connector's own role.
    pub(super) own_role: &'a str,
    pub(super) memberships_by_grantor: bool,
    pub(super) databases: Vec<String>,
    pub(super) entries: Vec<Entry>,
    pub(super) filters: filters::Filters,
    pub(super) dependencies: HashMap<String, Dependencies>,
    /// Positions by the names of roles, the present ones and those to come.
    names: HashMap<String, usize>,
    /// Roles with the owner's mark, by the id in it, in lower case.
    marked: HashMap<String, String>,
    /// Positions by id, in lower case.
    positions: HashMap<String, usize>,
    /// New names of roles by the present ones.
    renamed: HashMap<String, String>,
    /// Names of roles that are going to be dropped.
    leaving: HashSet<String>,
    /// Names of roles by their object ids.
    roles: HashMap<u32, String>,
    /// For each position its place among the roles that stand, from 1.
    places: Vec<Option<u32>>,
}

/// What an access control is about, in the databases that are open.
pub(super) struct Objects<'a> {
    /// What it wants; none: that is left as it is.
    pub(super) wanted: Option<Wanted>,
    /// Those of the wanted objects that exist.
    pub(super) found: &'a HashMap<Object, u32>,
    /// What its role has.
    pub(super) standing: &'a Grants,
}

/// The connector's own role.
pub(super) fn own_role(databases: &mut Databases) -> Result<String> {
    let rows = databases.session(0)?.query("SELECT current_user::text", &[])?;
    rows.first().map_or(Ok(String::new()), |row| get(row, 0))
}

impl<'a> Context<'a> {
    /// Goes through the source once. Every database must have a transaction.
    pub(super) fn read(
        source: &mut impl Source,
        options: &'a ApplyOptions,
        settings: &'a Settings,
        own_role: &'a str,
        databases: &mut Databases,
    ) -> Result<Self> {
        let cluster = Cluster::read(databases.session(0)?)?;
        let Survey { entries, filters } = Survey::read(source, options, settings, &cluster, databases)?;
        let deleted: Vec<&str> = entries
            .iter()
            .filter(|entry| entry.delete)
            .filter_map(|entry| entry.naming.current.as_deref())
            .collect();
        let dependencies = databases.dependencies(&deleted)?;

        let mut names = HashMap::new();
        let mut renamed = HashMap::new();
        let mut places = Vec::with_capacity(entries.len());
        let mut place = 0;
        for (at, Entry { naming, delete, .. }) in entries.iter().enumerate() {
            places.push(naming.current.as_ref().map(|_| {
                place += 1;
                place
            }));
            if naming.error.is_some() || naming.name.is_empty() {
                continue;
            }
            if !delete {
                names.extend(naming.current.iter().chain([&naming.name]).map(|name| (name.clone(), at)));
            }
            if let Some(current) = naming.current.as_ref().filter(|current| **current != naming.name) {
                renamed.insert(current.clone(), naming.name.clone());
            }
        }
        let leaving =
            entries.iter().filter(|entry| entry.leaves()).filter_map(|entry| entry.naming.current.as_ref());
        let marked = naming::marked(&cluster, &options.prefix);
        Ok(Context {
            settings,
            prefix: &options.prefix,
            own_role,
            memberships_by_grantor: databases.memberships_by_grantor(),
            databases: databases.names(),
            dependencies,
            names,
            marked: marked.into_iter().map(|(id, role)| (id.to_lowercase(), role.name.clone())).collect(),
            positions: entries.iter().enumerate().map(|(at, one)| (one.id.to_lowercase(), at)).collect(),
            renamed,
            leaving: leaving.cloned().collect(),
            roles: cluster.roles.values().map(|role| (role.oid, role.name.clone())).collect(),
            places,
            cluster,
            entries,
            filters,
        })
    }

    /// The object ids of the roles that stand, in the order of the access controls.
    pub(super) fn standing_roles(&self) -> Vec<u32> {
        self.entries.iter().filter_map(|entry| Some(self.current_role(entry)?.oid)).collect()
    }

    /// The place of a role among [`Self::standing_roles`], from 1.
    pub(super) fn place_of(&self, at: usize) -> Option<i64> {
        self.places.get(at).copied().flatten().map(i64::from)
    }

    fn current_role(&self, entry: &Entry) -> Option<&Role> {
        self.cluster.roles.get(entry.naming.current.as_ref()?)
    }

    pub(super) fn database(&self, session: usize) -> &str {
        self.databases.get(session).map_or("", String::as_str)
    }

    pub(super) fn session_of(&self, database: &str) -> Option<usize> {
        self.databases.iter().position(|known| known == database)
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

    /// What a role is called now.
    pub(super) fn role_name(&self, oid: u32) -> Option<&str> {
        self.roles.get(&oid).map(String::as_str)
    }

    /// The role that a reference of a who-list stands for, and the position of the access control that makes it.
    pub(super) fn role_of(&self, reference: &str) -> Result<(String, Option<usize>), String> {
        let id = reference.get(..3).filter(|start| start.eq_ignore_ascii_case("ID:")).and(reference.get(3..));
        if let Some(id) = id {
            if let Some(at) = self.positions.get(&id.to_lowercase()) {
                return match self.entries.get(*at) {
                    Some(entry)
                        if entry.shape == Shape::Role && !entry.delete && entry.naming.error.is_none() =>
                    {
                        Ok((entry.naming.name.clone(), Some(*at)))
                    }
                    _ => Err(format!("the access control {id:?} is no role that could be a member")),
                };
            }
            return match self.marked.get(&id.to_lowercase()) {
                Some(role) => Ok((self.final_name(role).to_owned(), None)),
                None => Err(format!("there is no access control {id:?}")),
            };
        }
        let maker = self.names.get(reference).copied();
        if let Some((at, entry)) = maker.and_then(|at| Some((at, self.entries.get(at)?))) {
            return Ok((entry.naming.name.clone(), Some(at)));
        }
        match self.cluster.roles.get(reference) {
            Some(_) if self.leaving.contains(reference) => {
                Err(format!("the role {reference:?} is going to be removed"))
            }
            Some(role) if !role.login && self.settings.covers_role(reference) => {
                Ok((reference.to_owned(), None))
            }
            _ => Err(format!("there is no role {reference:?} that could be a member")),
        }
    }

    /// What an access control wants of objects; none: that is left as it is. The draft is its own.
    pub(super) fn wanted(
        &self,
        at: usize,
        control: &DesiredAccessControl,
        databases: &mut Databases,
        draft: &mut Draft,
    ) -> Result<Option<Wanted>> {
        let entry = self.entries.get(at);
        if entry.is_none_or(|entry| {
            entry.shape != Shape::Role || entry.delete || control.locks.what || entry.naming.error.is_some()
        }) {
            return Ok(None);
        }
        privileges::wanted(control, databases, draft).map(Some)
    }

    /// Plans one access control. `recording` is known once all of it has been planned.
    pub(super) fn plan(
        &self,
        at: usize,
        control: &DesiredAccessControl,
        objects: Objects<'_>,
        recording: Option<Recording>,
        draft: &mut Draft,
    ) {
        let Objects { wanted, found, standing } = objects;
        let Some(entry) = self.entries.get(at) else { return };
        if let Some(error) = &entry.naming.error {
            return draft.errors.push(error.clone());
        }
        match (entry.shape, control.action) {
            (Shape::Role, _) if control.delete => {
                if let Some(current) = &entry.naming.current {
                    removal::plan(control, current, standing, self, draft);
                }
                let known = !self.prefix.is_empty() && !draft.steps.is_empty();
                draft.changed_in_target = known.then_some(false);
            }
            (Shape::Role, _) => {
                let role = self.current_role(entry).map(|role| role.oid);
                let wanted = wanted.map(|wanted| privileges::complete(wanted, found, role, self, draft));
                self.plan_role(control, entry, wanted.as_ref(), standing, recording, draft);
            }
            (Shape::Filter, _) => filters::plan(at, control, &self.filters, self, draft),
            _ if control.delete => {}
            (_, Action::Mask) => draft.errors.push("column masks are not supported by PostgreSQL".into()),
            (_, Action::Share) => draft.errors.push("shares are not supported by PostgreSQL".into()),
            (_, Action::Deny) => draft.errors.push("denying access is not supported by PostgreSQL".into()),
            _ => draft.errors.push(format!(
                "only roles can be applied to PostgreSQL, not access controls of the type {:?}",
                control.control_type.as_deref().unwrap_or_default()
            )),
        }
        draft.finish();
    }

    fn plan_role(
        &self,
        control: &DesiredAccessControl,
        entry: &Entry,
        wanted: Option<&Wanted>,
        standing: &Grants,
        recording: Option<Recording>,
        draft: &mut Draft,
    ) {
        let name = &entry.naming.name;
        let identity = |summary: String, statement: String| Step::new(Phase::Identity, 0, summary, statement);
        draft.warnings.extend(entry.naming.warning.clone());
        match &entry.naming.current {
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
            }
            Some(current) if current != name => draft.steps.push(identity(
                format!("rename role {current} to {name}"),
                format!("ALTER ROLE {} RENAME TO {}", identifier(current), identifier(name)),
            )),
            Some(_) => {}
        }
        draft.actual_name.clone_from(name);
        members::plan(control, entry.naming.current.as_deref(), name, self, draft);
        if let Some(wanted) = wanted {
            privileges::plan(wanted, standing, name, self, draft);
        }
        self.plan_mark(control, entry, recording, draft);
    }

    /// Plans the mark of a role. A new one comes with the role; what was applied is written into it at the end, when it
    /// has been.
    fn plan_mark(
        &self,
        control: &DesiredAccessControl,
        entry: &Entry,
        recording: Option<Recording>,
        draft: &mut Draft,
    ) {
        let name = &entry.naming.name;
        let comment = self.current_role(entry).and_then(|role| role.comment.as_deref());
        let somebody_elses =
            comment.is_some_and(|comment| !comment.is_empty() && Mark::parse(comment).is_none());
        if self.prefix.is_empty() && somebody_elses {
            return;
        }
        let standing = comment.and_then(Mark::parse).filter(|mark| mark.id == control.id);
        let digest = (!self.prefix.is_empty()).then(|| content::digest(control));
        let recorded = standing.as_ref().and_then(|mark| mark.digest.clone());
        let mark = |phase: Phase, digest: Option<String>, summary: String| {
            let mark = Mark { prefix: self.prefix.to_owned(), id: control.id.clone(), digest };
            let comment = literal(&mark.comment_after(comment));
            Step::new(phase, 0, summary, format!("COMMENT ON ROLE {} IS {comment}", identifier(name)))
        };
        let recording = recording.unwrap_or_else(|| {
            if !draft.errors.is_empty() || digest == recorded {
                Recording::Never
            } else if standing.is_none() && draft.steps.iter().all(|step| step.phase == Phase::Identity) {
                Recording::AtOnce
            } else {
                Recording::Last
            }
        });
        if standing.is_none() {
            let digest = digest.clone().filter(|_| recording == Recording::AtOnce);
            draft.steps.push(mark(Phase::Identity, digest, format!("mark role {name} as made by Raito")));
        }
        if recording == Recording::Last {
            let summary = format!("record what was applied to role {name}");
            draft.steps.push(mark(Phase::Record, digest.clone(), summary));
        }
        if let (Some(recorded), false) = (recorded, draft.steps.is_empty()) {
            draft.changed_in_target = Some(Some(recorded) == digest);
        }
    }
}

/// When the digest of what was applied is written into the mark of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recording {
    /// With the mark: nothing else is to be done.
    AtOnce,
    /// When everything else has been done.
    Last,
    /// It stands, or not all can be applied, or there is none.
    Never,
}
