//! What an access control says, as a digest: equal for equal contents, in whatever order they stand.
//!
//! It goes into the role's mark when the content has been applied. When the target differs from the access control later, it tells
//! whether the one or the other has changed. The description is no part of it.

use std::collections::{BTreeMap, BTreeSet};

use raito_connector::DesiredAccessControl;

use crate::ownership_mark::Digest;

/// The digest of a role's content.
pub(super) fn digest(control: &DesiredAccessControl) -> String {
    let mut digest = Digest::new();
    let hint = if control.naming_hint.is_empty() { &control.name } else { &control.naming_hint };
    digest.add_part(hint);
    let who = &control.who;
    for names in [&who.users, &who.groups, &who.access_controls, &who.recipients] {
        add_set(&mut digest, names.iter().map(|name| reference(name)));
    }
    let mut what: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    for item in &control.what {
        let object = (item.object.full_name.as_str(), item.object.object_type.as_str());
        let permissions = item.permissions.iter().map(|permission| permission.to_ascii_uppercase());
        what.entry(object).or_default().extend(permissions);
    }
    digest.add_part(&what.len().to_string());
    for ((full_name, object_type), permissions) in what {
        digest.add_part(full_name);
        digest.add_part(object_type);
        add_set(&mut digest, permissions.into_iter());
    }
    let locks = &control.locks;
    for lock in [locks.who, locks.inheritance, locks.what, locks.delete] {
        digest.add_part(if lock { "locked" } else { "" });
    }
    digest.finish()
}

fn add_set(digest: &mut Digest, names: impl Iterator<Item = String>) {
    let names: BTreeSet<String> = names.collect();
    digest.add_part(&names.len().to_string());
    for name in names {
        digest.add_part(&name);
    }
}

/// The id in a reference counts without regard to letter case.
fn reference(name: &str) -> String {
    match name.get(..3) {
        Some(start) if start.eq_ignore_ascii_case("ID:") => name.to_lowercase(),
        _ => name.to_owned(),
    }
}
