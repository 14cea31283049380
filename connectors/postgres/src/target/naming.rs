//! Which role each access control is, and what it is going to be called.
//!
//! A role belongs to an access control by its mark; else by the external id or the actual name under which the access
//! control was reported, which is how a role that somebody made by hand becomes Raito's. A role that neither leads to
//! is never touched: a new one gets another name.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use raito_connector::naming::{NameConstraints, NameGenerator};
use raito_connector::{DesiredAccessControl, Result};

use crate::cluster::{Cluster, Role};
use crate::ownership_mark::Mark;
use crate::quote;
use crate::settings::Settings;

/// The role of an access control.
#[derive(Clone, Debug, Default)]
pub(crate) struct Naming {
    /// Its name in the target now.
    pub(crate) current: Option<String>,
    /// Its name when the plan has been carried out.
    pub(crate) name: String,
    /// Why the access control cannot have a role.
    pub(crate) error: Option<String>,
}

/// What names PostgreSQL's roles and policies get.
pub(crate) fn constraints() -> NameConstraints {
    NameConstraints { upper_case: false, lower_case: true, numbers: true, special: vec!['_'], max_length: 63 }
}

/// The beginning of all names that are made with a prefix.
pub(crate) fn translated_prefix(prefix: &str) -> String {
    let mut with_end = constraints().translate(&format!("{prefix}x"));
    with_end.pop();
    with_end
}

/// Roles with Raito's mark, by the id in it.
pub(crate) fn marked(cluster: &Cluster) -> BTreeMap<String, &Role> {
    let mark = |role: &Role| Some(Mark::parse(role.comment.as_deref()?)?.id);
    cluster.roles.values().filter(|role| !role.login).filter_map(|role| Some((mark(role)?, role))).collect()
}

/// Finds or makes the name of each role, in the order of `desired`, which is ascending by id.
pub(crate) fn assign(
    desired: &[&DesiredAccessControl],
    cluster: &Cluster,
    settings: &Settings,
    prefix: &str,
) -> Result<Vec<Naming>> {
    let marked = marked(cluster);
    let ids: HashSet<&str> = desired.iter().map(|control| control.id.as_str()).collect();
    let mut claimed = BTreeSet::new();
    let mut namings: Vec<Naming> = desired
        .iter()
        .map(|control| {
            let mut naming = Naming::default();
            match current(control, cluster, settings, &marked, &ids) {
                Ok(Some(role)) if !claimed.insert(role.to_owned()) => {
                    naming.error = Some(format!("the role {role:?} belongs to another access control too"));
                }
                Ok(role) => naming.current = role.map(str::to_owned),
                Err(error) => naming.error = Some(error),
            }
            naming
        })
        .collect();

    let mut generator = NameGenerator::new(constraints(), prefix)?;
    let mut taken: HashSet<String> = HashSet::new();
    // Names that stand in the target come first: a new role does not push another one out of its name.
    for existing in [true, false] {
        for (control, naming) in desired.iter().zip(&mut namings) {
            if naming.current.is_some() != existing || naming.error.is_some() {
                continue;
            }
            if control.delete {
                naming.name = naming.current.clone().unwrap_or_default();
                continue;
            }
            let free = |name: &str| {
                naming.current.as_deref() == Some(name)
                    || !cluster.roles.contains_key(name) && !taken.contains(name)
            };
            let mut name = generator.generate(&control.naming_hint, &control.name, naming.current.as_deref());
            // One role more than there are names in the way leaves a free one.
            for _ in 0..=cluster.roles.len() + desired.len() {
                if free(&name) {
                    break;
                }
                name = generator.generate(&control.naming_hint, &control.name, None);
            }
            let checked = if naming.current.as_deref() == Some(name.as_str()) {
                quote::check_name(&name)
            } else {
                quote::check_new_name(&name)
            };
            match checked {
                Ok(()) => {
                    taken.insert(name.clone());
                    naming.name = name;
                }
                Err(problem) => naming.error = Some(problem.about(&name)),
            }
        }
    }
    Ok(namings)
}

fn current<'a>(
    control: &DesiredAccessControl,
    cluster: &'a Cluster,
    settings: &Settings,
    marked: &BTreeMap<String, &'a Role>,
    ids: &HashSet<&str>,
) -> Result<Option<&'a str>, String> {
    let by_external_id = || control.external_id.as_deref()?.strip_prefix("role:");
    let role = marked.get(&control.id).copied().or_else(|| {
        let name = by_external_id().or(control.actual_name.as_deref())?;
        cluster.roles.get(name)
    });
    let Some(role) = role else { return Ok(None) };
    let refused = |why: &str| Err(format!("the role {:?} {why}", role.name));
    let mark = role.comment.as_deref().and_then(Mark::parse);
    if mark.is_some_and(|mark| mark.id != control.id && ids.contains(mark.id.as_str())) {
        // It was reported for this access control once, and has become another one's since.
        return Ok(None);
    }
    if role.login {
        refused("can log in: it is a user")
    } else if role.predefined() {
        refused("belongs to the server")
    } else if role.superuser {
        refused("is a superuser")
    } else if !settings.covers_role(&role.name) {
        refused("is one that the target leaves alone (pg-excluded-roles)")
    } else {
        Ok(Some(&role.name))
    }
}
