//! Users: the roles that can log in.
//!
//! The name is the id: object ids do not survive a dump and restore. There are no groups, since what PostgreSQL calls
//! so are roles, which carry access of their own and are access controls here.

use raito_connector::{IdentityStoreMetadata, Result, Tag, User};

use crate::cluster::{Cluster, Role};
use crate::session::Session;
use crate::settings::Settings;

/// Source of the tags that this connector delivers.
pub(crate) const TAG_SOURCE: &str = "PostgreSQL";

/// What the store is.
pub fn metadata() -> IdentityStoreMetadata {
    IdentityStoreMetadata {
        store_type: "postgresql".into(),
        icon: "postgresql".into(),
        can_be_linked: false,
        can_be_master: false,
    }
}

/// Reads the users, ordered by name.
pub fn users(settings: &Settings, mut take: impl FnMut(User) -> Result<()>) -> Result<()> {
    let cluster = Cluster::read(&mut Session::open(settings, &settings.database)?)?;
    for role in cluster.roles.into_values() {
        if role.login && !role.predefined() && settings.covers_role(&role.name) {
            take(user(role, settings))?;
        }
    }
    Ok(())
}

fn user(role: Role, settings: &Settings) -> User {
    let mut tags = Vec::new();
    let mut tag = |key: &str, value: String| {
        tags.push(Tag { key: key.into(), value, source: TAG_SOURCE.into() });
    };
    if role.superuser {
        tag("superuser", "true".into());
    }
    if role.bypasses_row_security {
        tag("bypasses-row-security", "true".into());
    }
    if let Some(until) = role.valid_until {
        tag("password-valid-until", until);
    }
    User {
        external_id: role.name.clone(),
        name: role.name.clone(),
        email: if is_address(&role.name) { role.name.clone() } else { String::new() },
        group_external_ids: Vec::new(),
        tags,
        is_machine: (!settings.machine_users.is_empty()).then(|| settings.machine_users.matches(&role.name)),
        user_name: role.name,
    }
}

/// Servers that sign people in through their company's directory name roles by e-mail address.
fn is_address(name: &str) -> bool {
    name.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.contains(['@', ' ']) && !local.contains(' ') && domain.contains('.')
    })
}

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn addresses() {
        assert!(is_address("ann@example.com"));
        for name in ["ann", "@example.com", "ann@localhost", "a b@example.com", "a@b@example.com"] {
            assert!(!is_address(name), "{name}");
        }
    }
}
