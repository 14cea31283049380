//! Which role each access control is, and what it is going to be called.
//!
//! A role belongs to an access control by its mark; else by the external id or the actual name under which the access
//! control was reported, which is how a role that somebody made by hand becomes Raito's. A role that neither leads to
//! is never touched: a new one gets another name. Nor is one with the mark of another owner.

use std::collections::{BTreeMap, HashSet};

use raito_connector::Result;
use raito_connector::naming::{NameConstraints, NameGenerator};

use super::survey::{self, Entry, Shape};
use crate::cluster::{Cluster, Role};
use crate::ownership_mark::{self, Mark};
use crate::quote;
use crate::settings::Settings;

/// The role of an access control.
#[derive(Clone, Debug, Default)]
pub(super) struct Naming {
    /// Its name in the target now.
    pub(super) current: Option<String>,
    /// Its name when the plan has been carried out; empty: it has none.
    pub(super) name: String,
    /// Why the access control cannot have a role.
    pub(super) error: Option<String>,
    /// What is to be known about the name.
    pub(super) warning: Option<String>,
}

/// What a name is found by, beside the id and the display name.
pub(super) struct Request {
    pub(super) naming_hint: String,
    pub(super) external_id: Option<String>,
    pub(super) actual_name: Option<String>,
}

/// What names PostgreSQL's roles and policies get.
pub(super) fn constraints() -> NameConstraints {
    NameConstraints { upper_case: false, lower_case: true, numbers: true, special: vec!['_'], max_length: 63 }
}

/// The beginning of all names that are made with a prefix.
fn translated_prefix(prefix: &str) -> String {
    let mut with_end = constraints().translate(&format!("{prefix}x"));
    with_end.pop();
    with_end
}

/// Whether a name that stands can stay: it is the hint itself, or it was made from it, with or without a number. Which
/// of several access controls with the same hint came first is no matter then.
pub(super) fn can_stay(name: &str, hint: &str, prefix: &str) -> bool {
    let base = constraints().translate(&format!("{prefix}{hint}"));
    // As much as the generator leaves for a number.
    let base = base.get(..constraints().max_length - NUMBER).unwrap_or(&base);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    name == hint
        || name.strip_prefix(base).is_some_and(|rest| {
            rest.is_empty() && !base.is_empty() || rest.strip_prefix("__").is_some_and(is_number)
        })
}

/// Bytes of the number that makes a name unique: `__` and four digits.
const NUMBER: usize = 6;

/// Roles whose mark carries a prefix, by the id in it.
pub(super) fn marked<'a>(cluster: &'a Cluster, prefix: &str) -> BTreeMap<String, &'a Role> {
    let id = |role: &Role| Some(mark(role)?).filter(|mark| mark.prefix == prefix).map(|mark| mark.id);
    cluster.roles.values().filter(|role| !role.login).filter_map(|role| Some((id(role)?, role))).collect()
}

fn mark(role: &Role) -> Option<Mark> {
    role.comment.as_deref().and_then(Mark::parse)
}

/// Finds or makes the name of each role.
pub(super) fn assign(
    entries: &mut [Entry],
    requests: &[Request],
    cluster: &Cluster,
    settings: &Settings,
    prefix: &str,
) -> Result<()> {
    let order = survey::by_id(entries);
    find(entries, requests, &order, cluster, settings, prefix);

    let beginning = translated_prefix(prefix);
    let mut generator = NameGenerator::new(constraints(), prefix)?;
    let mut taken: HashSet<String> = HashSet::new();
    let ours: HashSet<String> = entries.iter().filter_map(|entry| entry.naming.current.clone()).collect();
    let limit = cluster.roles.len() + entries.len();
    // Names that stand in the target come first: a new role does not push another one out of its name.
    for existing in [true, false] {
        for at in &order {
            let (Some(entry), Some(request)) = (entries.get_mut(*at), requests.get(*at)) else { continue };
            let Entry { name: display_name, shape, delete, naming, .. } = entry;
            if *shape != Shape::Role || naming.current.is_some() != existing || naming.error.is_some() {
                continue;
            }
            let current = naming.current.as_deref();
            // A role that was taken over keeps the name that people know it by.
            let keeps = current.filter(|name| *delete || !prefix.is_empty() && !name.starts_with(&beginning));
            if let Some(name) = keeps {
                naming.name = name.to_owned();
                continue;
            }
            if *delete {
                continue;
            }
            let hint = if request.naming_hint.is_empty() { &*display_name } else { &request.naming_hint };
            if let Some(name) = current.filter(|name| can_stay(name, hint, prefix)) {
                naming.error = quote::check_name(name).err().map(|problem| problem.about(name));
                naming.name = name.to_owned();
                continue;
            }
            let free = |name: &str| !cluster.roles.contains_key(name) && !taken.contains(name);
            let first = generator.generate(&request.naming_hint, display_name, None);
            let mut name = first.clone();
            // One role more than there are names in the way leaves a free one.
            for _ in 0..=limit {
                if free(&name) {
                    break;
                }
                name = generator.generate(&request.naming_hint, display_name, None);
            }
            match quote::check_new_name(&name) {
                Ok(()) => {
                    if cluster.roles.contains_key(&first) && !ours.contains(&first) {
                        naming.warning = Some(format!(
                            "the name {first:?} is taken by another role: this one is {name:?}"
                        ));
                    }
                    taken.insert(name.clone());
                    naming.name = name;
                }
                Err(problem) => naming.error = Some(problem.about(&name)),
            }
        }
    }
    Ok(())
}

/// Finds the role of each access control, where it stands.
fn find(
    entries: &mut [Entry],
    requests: &[Request],
    order: &[usize],
    cluster: &Cluster,
    settings: &Settings,
    prefix: &str,
) {
    let marked = marked(cluster, prefix);
    let ids: HashSet<String> = entries.iter().map(|entry| entry.id.clone()).collect();
    let mut claimed = HashSet::new();
    for at in order {
        let (Some(entry), Some(request)) = (entries.get_mut(*at), requests.get(*at)) else { continue };
        if entry.shape != Shape::Role {
            continue;
        }
        let by_external_id = || request.external_id.as_deref()?.strip_prefix("role:");
        let role = marked.get(&entry.id).copied().or_else(|| {
            let name = by_external_id().or(request.actual_name.as_deref())?;
            cluster.roles.get(name)
        });
        let Some(role) = role else {
            if let (Some(name), false, false) = (by_external_id(), prefix.is_empty(), entry.delete) {
                entry.naming.warning = Some(format!("there is no role {name:?}: a new one is made"));
            }
            continue;
        };
        let mark = mark(role);
        if let Some(other) = mark.as_ref().filter(|mark| mark.prefix != prefix) {
            let owner = ownership_mark::owner(&other.prefix);
            entry.naming.error = Some(format!("the role {:?} belongs to {owner}", role.name));
        } else if mark.is_some_and(|mark| mark.id != entry.id && ids.contains(&mark.id)) {
            // It was reported for this access control once, and has become another one's since.
        } else if let Some(refusal) = refusal(role, settings) {
            entry.naming.error = Some(refusal);
        } else if claimed.insert(role.name.as_str()) {
            entry.naming.current = Some(role.name.clone());
        } else {
            entry.naming.error =
                Some(format!("the role {:?} belongs to another access control too", role.name));
        }
    }
}

/// Why a role cannot be an access control's.
pub(super) fn refusal(role: &Role, settings: &Settings) -> Option<String> {
    let why = if role.login {
        "can log in: it is a user"
    } else if role.predefined() {
        "belongs to the server"
    } else if role.superuser {
        "is a superuser"
    } else if !settings.covers_role(&role.name) {
        "is one that the target leaves alone (pg-excluded-roles)"
    } else {
        return None;
    };
    Some(format!("the role {:?} {why}", role.name))
}
