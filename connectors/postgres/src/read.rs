//! Access controls as they stand in the server.
//!
//! | access control | type | external id |
//! |---|---|---|
//! | role without login | `role` | `role:<name>` |
//! | what is granted to a user directly | `aclSet` | `grants:<user>` |
//! | what is granted to everybody | `aclSet` | `grants:PUBLIC` |
//! | default privileges of a creator, in a schema or everywhere, on a kind of objects, for a grantee | `aclSet` | `default:<path>` |
//! | row security policy of a table | `policy` | `policy:<path>` |
//!
//! `PUBLIC` in the second form cannot be confused with a user: the server refuses a role of that name in lower case,
//! and one in upper case is written with its quotes. Everything but roles, and policies that Raito made, is locked; so is
//! what an access file manages.
//!
//! One connection for each database is open at a time. All of them deliver grants in the order of the grantee's object
//! id, so that only the grants of one role are held.

mod default_privileges;
mod grants;
mod policies;

pub(crate) use self::policies::policy_id;

use raito_connector::{AccessControl, Action, Lock, Locks, Result, WhatItem, Who};

use self::grants::GrantCursor;
use crate::cluster::{self, Cluster, PUBLIC, Role, role_id};
use crate::metadata::{ACL_SET, ROLE};
use crate::ownership_mark::{self, Mark};
use crate::session::Session;
use crate::settings::Settings;
use crate::vocabulary::OWNERSHIP;

/// Reads all access controls.
pub fn access_controls(settings: &Settings, mut take: impl FnMut(AccessControl) -> Result<()>) -> Result<()> {
    let mut first = Session::open(settings, &settings.database)?;
    let cluster = Cluster::read(&mut first)?;
    let databases = cluster::databases(&mut first, settings)?;
    let mut first = Some(first);
    let mut cursors = Vec::with_capacity(databases.len());
    for database in &databases {
        let session = match first.take() {
            Some(session) => cluster::session_to(database, session, settings)?,
            None => Session::open(settings, database)?,
        };
        cursors.push(GrantCursor::open(session, settings)?);
    }

    let mut roles: Vec<&Role> = cluster.roles.values().collect();
    roles.sort_by_key(|role| role.oid);
    let everybody = collect(&mut cursors, PUBLIC)?;
    if !everybody.is_empty() {
        take(granted_to_everybody(&cluster, everybody, settings))?;
    }
    for role in roles {
        let what = collect(&mut cursors, role.oid)?;
        if !settings.covers_role(&role.name) {
            continue;
        }
        let control = if role.login {
            if what.is_empty() {
                continue;
            }
            granted_directly(&cluster, role, what, settings)
        } else {
            match role_control(&cluster, role, what, settings) {
                Some(control) => control,
                None => continue,
            }
        };
        take(control)?;
    }

    for cursor in cursors {
        let (mut session, schemas) = cursor.finish()?;
        default_privileges::read(&mut session, &schemas, &cluster, settings, &mut take)?;
        policies::read(&mut session, &schemas, &cluster, settings, &mut take)?;
    }
    Ok(())
}

/// What a grantee has in all databases.
fn collect(cursors: &mut [GrantCursor], grantee: u32) -> Result<Vec<WhatItem>> {
    let mut what = Vec::new();
    for cursor in cursors {
        cursor.take(grantee, &mut what)?;
    }
    Ok(what)
}

/// A role without login. None for a predefined one that nobody holds.
fn role_control(
    cluster: &Cluster,
    role: &Role,
    what: Vec<WhatItem>,
    settings: &Settings,
) -> Option<AccessControl> {
    if role.predefined() && !is_held(cluster, &role.name, settings) {
        return None;
    }
    let mut holders = cluster.holders(&role.name, settings);
    holders.roles.retain(|name| !is_predefined(cluster, name) || is_held(cluster, name, settings));
    let locks = if role.predefined() {
        locked("the server brought this role along")
    } else if role.superuser {
        locked("a superuser may do everything, whatever is granted")
    } else if let Some(file) = made_by_file(role.comment.as_deref()) {
        locked(&format!("managed by {file}"))
    } else {
        let owns = what.iter().any(|item| item.permissions.iter().any(|permission| permission == OWNERSHIP));
        Locks {
            who: holders.indirect.then(|| because("a member that can log in has members of its own")),
            delete: owns.then(|| because("the role owns objects")),
            ..unlocked()
        }
    };
    let incomplete = role.superuser || role.predefined() || holders.left_out;
    Some(AccessControl {
        external_id: role_id(&role.name),
        who: Some(holders.who()),
        what,
        locks,
        incomplete,
        ..named(&role.name, ROLE)
    })
}

fn is_predefined(cluster: &Cluster, name: &String) -> bool {
    cluster.roles.get(name).is_some_and(Role::predefined)
}

/// Whether anybody holds a predefined role, other than the predefined roles that hold it from the start.
fn is_held(cluster: &Cluster, name: &str, settings: &Settings) -> bool {
    let holders = cluster.holders(name, settings);
    holders.users.iter().chain(&holders.roles).any(|holder| !is_predefined(cluster, holder))
}

fn granted_directly(
    cluster: &Cluster,
    role: &Role,
    what: Vec<WhatItem>,
    settings: &Settings,
) -> AccessControl {
    let holders = cluster.beneficiaries(&[role.oid], settings);
    let user = if role.name == "PUBLIC" { "\"PUBLIC\"" } else { &role.name };
    AccessControl {
        external_id: format!("grants:{user}"),
        incomplete: role.superuser || holders.left_out,
        who: Some(holders.who()),
        what,
        locks: locked("granted to a user directly, not through a role"),
        name: format!("Direct grants to {}", role.name),
        ..named(&role.name, ACL_SET)
    }
}

fn granted_to_everybody(cluster: &Cluster, what: Vec<WhatItem>, settings: &Settings) -> AccessControl {
    AccessControl {
        external_id: "grants:PUBLIC".into(),
        who: Some(cluster.beneficiaries(&[PUBLIC], settings).who()),
        what,
        locks: locked("granted to everybody (PUBLIC)"),
        name: "Grants to PUBLIC".into(),
        ..named("PUBLIC", ACL_SET)
    }
}

/// An access control of a name, with nothing in it.
fn named(name: &str, control_type: &str) -> AccessControl {
    AccessControl {
        external_id: String::new(),
        name: name.into(),
        naming_hint: name.into(),
        actual_name: name.into(),
        control_type: Some(control_type.into()),
        action: Action::Grant,
        policy: String::new(),
        who: Some(Who { users: vec![], groups: vec![], access_controls: vec![], recipients: vec![] }),
        what: Vec::new(),
        locks: unlocked(),
        incomplete: false,
        tags: Vec::new(),
        common_what_object: None,
    }
}

fn because(reason: &str) -> Lock {
    Lock { reason: Some(reason.into()) }
}

fn unlocked() -> Locks {
    Locks {
        who: None,
        inheritance: None,
        what: None,
        name: None,
        delete: None,
        owners: None,
        everything: false,
    }
}

fn locked(reason: &str) -> Locks {
    let lock = || Some(because(reason));
    Locks {
        who: lock(),
        inheritance: lock(),
        what: lock(),
        name: lock(),
        delete: lock(),
        owners: None,
        everything: true,
    }
}

/// The access file that manages the object on which a comment stands.
fn made_by_file(comment: Option<&str>) -> Option<String> {
    let mark = comment.and_then(Mark::parse).filter(|mark| !mark.prefix.is_empty())?;
    Some(ownership_mark::owner(&mark.prefix))
}

/// Whether a comment says that Raito made the object on which it stands.
fn made_by_raito(comment: Option<&str>) -> bool {
    comment.is_some_and(|comment| Mark::parse(comment).is_some())
}
