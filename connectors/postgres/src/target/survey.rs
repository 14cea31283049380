//! The first round: what is kept of each access control, so that the others can be planned one by one.
//!
//! Kept are its id, its name, its role with the name that this is going to have, and for a filter its table. What it
//! grants and to whom is not: memory follows the number of access controls and not that of their permissions.

use std::collections::{BTreeMap, HashMap, HashSet};

use raito_connector::{Action, ApplyLocks, ApplyOptions, DesiredAccessControl, Result};

use super::databases::Databases;
use super::filters::{self, Filters};
use super::naming::{self, Naming, Request};
use super::policies::{Policy, Table};
use super::source::Source;
use super::step::nobody;
use crate::cluster::Cluster;
use crate::metadata::ROLE;
use crate::settings::Settings;

/// What an access control becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Role,
    Filter,
    /// Nothing: PostgreSQL knows no such thing.
    Unknown,
}

impl Shape {
    fn of(control: &DesiredAccessControl) -> Self {
        match control.action {
            Action::Grant if control.control_type.as_deref().is_none_or(|kind| kind == ROLE) => Shape::Role,
            Action::Filtered => Shape::Filter,
            _ => Shape::Unknown,
        }
    }
}

/// What is kept of an access control.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) shape: Shape,
    pub(super) delete: bool,
    /// It stays in the target even if it is to be deleted.
    pub(super) delete_locked: bool,
    /// It is not in the source: it stands in the target and is to go.
    pub(super) left_over: bool,
    /// The role. For other shapes it holds an error at most.
    pub(super) naming: Naming,
}

impl Entry {
    /// Whether it is going to be removed.
    pub(super) fn leaves(&self) -> bool {
        self.delete && !self.delete_locked
    }
}

/// All access controls of a run.
pub(super) struct Survey {
    /// Those of the source in its order, then what is left over, by id.
    pub(super) entries: Vec<Entry>,
    pub(super) filters: Filters,
}

impl Survey {
    /// Reads the source once and finds the name of everything.
    pub(super) fn read(
        source: &mut impl Source,
        options: &ApplyOptions,
        settings: &Settings,
        cluster: &Cluster,
        databases: &mut Databases,
    ) -> Result<Self> {
        let mut entries = Vec::new();
        let mut requests = Vec::new();
        let mut tables: BTreeMap<usize, Result<Table, String>> = BTreeMap::new();
        for (at, control) in source.enumerate() {
            let control = control?;
            let shape = Shape::of(&control);
            if shape == Shape::Filter {
                tables.insert(at, filters::table_of(&control, databases));
            }
            let DesiredAccessControl { id, name, naming_hint, external_id, actual_name, .. } = control;
            requests.push(Request { naming_hint, external_id, actual_name });
            entries.push(Entry {
                id,
                name,
                shape,
                delete: control.delete,
                delete_locked: control.locks.delete,
                left_over: false,
                naming: Naming::default(),
            });
        }
        entries.shrink_to_fit();
        naming::assign(&mut entries, &requests, cluster, settings, &options.prefix)?;

        let mut policies: BTreeMap<String, Vec<Policy>> = BTreeMap::new();
        let authoritative = options.authoritative && !options.prefix.is_empty();
        if authoritative || !tables.is_empty() {
            for policy in databases.policies(&options.prefix)? {
                policies.entry(policy.mark.id.clone()).or_default().push(policy);
            }
        }
        if authoritative {
            left_over(&mut entries, &policies, options, settings, cluster);
        }
        let filters = Filters::read(&entries, &requests, tables, policies, &options.prefix, databases)?;
        Ok(Survey { entries, filters })
    }
}

/// Adds deletions for what carries the mark of these access controls and is not desired any more.
fn left_over(
    entries: &mut Vec<Entry>,
    policies: &BTreeMap<String, Vec<Policy>>,
    options: &ApplyOptions,
    settings: &Settings,
    cluster: &Cluster,
) {
    let known: HashMap<String, usize> =
        entries.iter().enumerate().map(|(at, entry)| (entry.id.clone(), at)).collect();
    // A role that another access control has taken over is not left over.
    let taken: HashSet<String> = entries.iter().filter_map(|entry| entry.naming.current.clone()).collect();
    let mut rest = BTreeMap::new();
    for (id, role) in naming::marked(cluster, &options.prefix) {
        if taken.contains(&role.name) || !settings.covers_role(&role.name) {
            continue;
        }
        if let Some(at) = known.get(&id) {
            refuse_other_shape(entries, *at, Shape::Role, "role", &role.name);
            continue;
        }
        let naming = Naming {
            current: Some(role.name.clone()),
            name: role.name.clone(),
            error: naming::refusal(role, settings),
            ..Naming::default()
        };
        rest.insert(id, (Shape::Role, naming));
    }
    for (id, standing) in policies {
        match (known.get(id), standing.first()) {
            (Some(at), Some(policy)) => {
                refuse_other_shape(entries, *at, Shape::Filter, "policy", &policy.name);
            }
            _ => {
                rest.entry(id.clone()).or_insert((Shape::Filter, Naming::default()));
            }
        }
    }
    entries.extend(rest.into_iter().map(|(id, (shape, naming))| Entry {
        name: id.clone(),
        id,
        shape,
        delete: true,
        delete_locked: false,
        left_over: true,
        naming,
    }));
}

/// An id stands for one thing: what was made as another one must go first, which needs an id that is not desired.
fn refuse_other_shape(entries: &mut [Entry], at: usize, standing: Shape, what: &str, name: &str) {
    if let Some(entry) = entries.get_mut(at).filter(|entry| entry.shape != standing) {
        let error = format!("the {what} {name:?} stands for this id: what is no {what} needs another id");
        entry.naming.error.get_or_insert(error);
    }
}

/// The access control that stands for something left over.
pub(super) fn removal(entry: &Entry) -> DesiredAccessControl {
    DesiredAccessControl {
        id: entry.id.clone(),
        name: entry.name.clone(),
        description: String::new(),
        naming_hint: String::new(),
        control_type: None,
        external_id: None,
        actual_name: None,
        action: if entry.shape == Shape::Filter { Action::Filtered } else { Action::Grant },
        who: nobody(),
        deleted_who: nobody(),
        delete: true,
        locks: ApplyLocks { who: false, inheritance: false, what: false, delete: false },
        policy_rule: None,
        filter_criteria: None,
        what: Vec::new(),
        deleted_what: Vec::new(),
        common_what_object: None,
        owners: Vec::new(),
    }
}

/// The positions of the entries, ascending by id, on which the names that are made depend.
pub(super) fn by_id(entries: &[Entry]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(|at| entries.get(*at).map(|entry| entry.id.as_str()));
    order
}
