//! What a role may do with which objects: the difference between what stands and what is desired.
//!
//! A permission that the type of the object does not know, but types below it do, is granted on everything that stands
//! below now (`SELECT` on a schema: on its tables and views). Whoever may use an object gets CONNECT on its database
//! and USAGE on its schema too; they go when nothing needs them any more.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use raito_connector::{DesiredAccessControl, Result};

use super::object::Object;
use super::planner::Context;
use super::state::{Grants, State};
use super::step::{Draft, Phase, Step, item};
use crate::quote::identifier;
use crate::vocabulary::{Kind, OWNERSHIP};

/// Objects and the privileges that a role is to have on them.
pub(super) type Wanted = BTreeMap<Object, BTreeSet<&'static str>>;

/// Reads the what-list of an access control, without looking whether the objects exist.
pub(super) fn wanted(control: &DesiredAccessControl, state: &mut State, draft: &mut Draft) -> Result<Wanted> {
    let mut wanted = Wanted::new();
    for what in &control.what {
        let (full_name, object_type) = (&what.object.full_name, &what.object.object_type);
        if object_type == "datasource" {
            draft.errors.push("privileges cannot be granted on the whole data source".into());
            continue;
        }
        let Some(kind) = Kind::from_name(object_type) else {
            draft.errors.push(format!("{full_name}: {object_type:?} is no type of this data source"));
            continue;
        };
        let Some((database, object)) = Object::parse(kind, full_name) else {
            draft.errors.push(format!("{full_name:?} is not the full name of a {object_type}"));
            continue;
        };
        let Some(session) = state.session_of(&database) else {
            draft.errors.push(format!(
                "{full_name}: the target does not cover the database {database:?} (pg-databases)"
            ));
            continue;
        };
        let object = Object { session, ..object };
        for permission in &what.permissions {
            // Ownership is no grant: it is reported with what a role has, and comes back from there.
            if permission == OWNERSHIP {
                continue;
            }
            if let Some(word) = kind.privilege(permission) {
                wanted.entry(object.clone()).or_default().insert(word);
                continue;
            }
            let below = match kind {
                Kind::Database | Kind::Schema => state.below(&object, permission)?,
                _ => Vec::new(),
            };
            if below.is_empty() && !known_below(kind, permission) {
                draft.errors.push(format!("{full_name}: {permission:?} is no privilege on a {object_type}"));
            }
            for (object, word) in below {
                wanted.entry(object).or_default().insert(word);
            }
        }
    }
    Ok(wanted)
}

fn known_below(kind: Kind, permission: &str) -> bool {
    kind.children().iter().any(|child| {
        *child != Kind::Column && (child.privilege(permission).is_some() || known_below(*child, permission))
    })
}

/// Drops what does not exist or belongs to the role itself, and adds what the rest needs of databases and schemas.
pub(super) fn complete(
    wanted: Wanted,
    found: &HashMap<Object, String>,
    current: Option<&str>,
    context: &Context<'_>,
    draft: &mut Draft,
) -> Wanted {
    let mut complete = Wanted::new();
    for (object, words) in wanted {
        let full_name = object.full_name(context.database(object.session));
        let Some(owner) = found.get(&object) else {
            draft
                .errors
                .push(format!("there is no {} {full_name} that the target covers", object.kind.name()));
            continue;
        };
        if object.kind != Kind::Database {
            complete.entry(object.database()).or_default().insert("CONNECT");
        }
        if !matches!(object.kind, Kind::Database | Kind::Schema) {
            complete.entry(object.in_schema()).or_default().insert("USAGE");
        }
        if Some(owner.as_str()) != current {
            complete.entry(object).or_default().extend(words);
        }
    }
    complete
}

/// Plans the grants of a role.
pub(super) fn plan(wanted: &Wanted, standing: &Grants, name: &str, context: &Context<'_>, draft: &mut Draft) {
    let role = identifier(name);
    // A privilege that is revoked on a table goes from all its columns too.
    let mut swept: BTreeMap<Object, BTreeSet<&str>> = BTreeMap::new();
    for (object, privileges) in standing {
        let keep = wanted.get(object);
        let gone = privileges.iter().filter_map(|(word, grantors)| {
            let word = object.kind.privilege(word)?;
            (!keep.is_some_and(|keep| keep.contains(word))).then_some((word, grantors))
        });
        let gone: Vec<(&'static str, &BTreeSet<String>)> = gone.collect();
        if gone.is_empty() {
            continue;
        }
        let words: Vec<&str> = gone.iter().map(|(word, _)| *word).collect();
        let (database, full_name) = context.place(object);
        let mut statements = vec![format!("REVOKE {} FROM {role}", object.clause(database, &words))];
        let others: BTreeSet<&String> = gone.iter().flat_map(|(_, grantors)| grantors.iter()).collect();
        for grantor in others.into_iter().filter(|grantor| **grantor != context.own_role) {
            let granted: Vec<&str> = gone
                .iter()
                .filter(|(_, grantors)| grantors.contains(grantor))
                .map(|(word, _)| *word)
                .collect();
            statements.push(format!("SET LOCAL ROLE {}", identifier(context.final_name(grantor))));
            statements.push(format!("REVOKE {} FROM {role}", object.clause(database, &granted)));
            statements.push("RESET ROLE".into());
        }
        draft.steps.push(Step {
            session: object.session,
            phase: Phase::Revoke,
            summary: format!("revoke {} on {full_name} from {name}", words.join(", ")),
            statements,
            destructive: true,
            needs: None,
        });
        let removed = words.iter().map(|&word| word.to_owned()).collect();
        draft.removed_what.push(item(full_name, object.kind.name(), removed));
        if object.kind.is_relation() {
            swept.insert(object.clone(), words.into_iter().collect());
        }
    }
    for (object, words) in wanted {
        let stands = |word: &str| {
            standing.get(object).is_some_and(|privileges| privileges.contains_key(word))
                && !(object.kind == Kind::Column && is_swept(&swept, object, word))
        };
        let missing: Vec<&str> = words.iter().copied().filter(|word| !stands(word)).collect();
        if missing.is_empty() {
            continue;
        }
        let (database, full_name) = context.place(object);
        draft.steps.push(Step::new(
            Phase::Grant,
            object.session,
            format!("grant {} on {full_name} to {name}", missing.join(", ")),
            format!("GRANT {} TO {role}", object.clause(database, &missing)),
        ));
        let added = missing.iter().map(|&word| word.to_owned()).collect();
        draft.added_what.push(item(full_name, object.kind.name(), added));
    }
}

fn is_swept(swept: &BTreeMap<Object, BTreeSet<&str>>, column: &Object, word: &str) -> bool {
    swept.iter().any(|(table, words)| {
        (table.session, &table.schema, &table.name) == (column.session, &column.schema, &column.name)
            && words.contains(word)
    })
}
