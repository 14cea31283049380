//! What a role may do with which objects: the difference between what stands and what is desired.
//!
//! A permission that the type of the object does not know, but types below it do, is granted on everything that stands
//! below now (`SELECT` on a schema: on its tables and views). Whoever may use an object gets CONNECT on its database
//! and USAGE on its schema too; they go when nothing needs them any more.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use raito_connector::{DesiredAccessControl, Result};

use super::databases::Databases;
use super::object::Object;
use super::planner::Context;
use super::standing::Grants;
use super::step::{Draft, Phase, Step, item};
use crate::quote::identifier;
use crate::vocabulary::{Kind, OWNERSHIP};

/// Objects and the privileges that a role is to have on them.
pub(super) type Wanted = BTreeMap<Object, Want>;

/// What a role is to have on an object.
#[derive(Clone, Debug, Default)]
pub(super) struct Want {
    pub(super) words: BTreeSet<&'static str>,
    /// Object id of the owner of the object; none: it has not been looked up.
    pub(super) owner: Option<u32>,
}

/// Reads the what-list of an access control, without looking whether the objects exist. What is in databases that are
/// not open is left out.
pub(super) fn wanted(
    control: &DesiredAccessControl,
    databases: &mut Databases,
    draft: &mut Draft,
) -> Result<Wanted> {
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
        let Some(session) = databases.session_of(&database) else {
            draft.errors.push(format!(
                "{full_name}: the target does not cover the database {database:?} (pg-databases)"
            ));
            continue;
        };
        if !databases.is_open(session) {
            continue;
        }
        let object = Object { session, ..object };
        for permission in &what.permissions {
            // Ownership is no grant: it is reported with what a role has, and comes back from there.
            if permission == OWNERSHIP {
                continue;
            }
            if let Some(word) = kind.privilege(permission) {
                wanted.entry(object.clone()).or_default().words.insert(word);
                continue;
            }
            if !known_below(kind, permission) {
                draft.errors.push(format!("{full_name}: {permission:?} is no privilege on a {object_type}"));
                continue;
            }
            if !matches!(kind, Kind::Database | Kind::Schema) {
                continue;
            }
            for (object, owner) in databases.below(&object)?.iter() {
                if let Some(word) = object.kind.privilege(permission) {
                    let want = wanted.entry(object.clone()).or_default();
                    want.words.insert(word);
                    want.owner = Some(*owner);
                }
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

/// The objects that have to be looked up.
pub(super) fn unknown(wanted: &Wanted) -> impl Iterator<Item = &Object> {
    wanted.iter().filter(|(_, want)| want.owner.is_none()).map(|(object, _)| object)
}

/// Drops what does not exist or belongs to the role itself, and adds what the rest needs of databases and schemas.
/// `role` is the object id of the role, where it stands.
pub(super) fn complete(
    wanted: Wanted,
    found: &HashMap<Object, u32>,
    role: Option<u32>,
    context: &Context<'_>,
    draft: &mut Draft,
) -> Wanted {
    let mut complete = Wanted::new();
    for (object, want) in wanted {
        let full_name = object.full_name(context.database(object.session));
        let Some(owner) = want.owner.or_else(|| found.get(&object).copied()) else {
            draft
                .errors
                .push(format!("there is no {} {full_name} that the target covers", object.kind.name()));
            continue;
        };
        if object.kind != Kind::Database {
            complete.entry(object.database()).or_default().words.insert("CONNECT");
        }
        if !matches!(object.kind, Kind::Database | Kind::Schema) {
            complete.entry(object.in_schema()).or_default().words.insert("USAGE");
        }
        if Some(owner) != role {
            complete.entry(object).or_default().words.extend(want.words);
        }
    }
    complete
}

/// Plans the grants of a role. What is wanted and stands is never revoked, with one exception: the server takes a
/// privilege that is revoked on a table from all its columns, too. Those that stay are granted again in the same phase,
/// so in the same transaction and savepoint.
pub(super) fn plan(wanted: &Wanted, standing: &Grants, name: &str, context: &Context<'_>, draft: &mut Draft) {
    let role = identifier(name);
    let mut swept: HashMap<TableKey<'_>, BTreeSet<&str>> = HashMap::new();
    for (object, privileges) in standing {
        let keep = wanted.get(object);
        let gone: Vec<(&'static str, &BTreeSet<u32>)> = privileges
            .iter()
            .filter(|(word, _)| !keep.is_some_and(|keep| keep.words.contains(*word)))
            .map(|(word, held)| (*word, &held.grantors))
            .collect();
        // What stays may not be passed on: the file says who has it.
        let options: Vec<(&'static str, &BTreeSet<u32>)> = privileges
            .iter()
            .filter(|(word, held)| {
                !held.passed_on.is_empty() && keep.is_some_and(|keep| keep.words.contains(*word))
            })
            .map(|(word, held)| (*word, &held.passed_on))
            .collect();
        if !options.is_empty() {
            draft.steps.push(revoke(object, &options, name, context, Phase::Revoke, Taking::Option));
            let words = options.iter().map(|(word, _)| format!("{word} WITH GRANT OPTION")).collect();
            draft.removed_what.push(item(context.place(object).1, object.kind.name(), words));
        }
        if gone.is_empty() {
            continue;
        }
        let words: Vec<&str> = gone.iter().map(|(word, _)| *word).collect();
        let (_, full_name) = context.place(object);
        draft.steps.push(revoke(object, &gone, name, context, Phase::Revoke, Taking::Privilege));
        let removed = words.iter().map(|&word| word.to_owned()).collect();
        draft.removed_what.push(item(full_name, object.kind.name(), removed));
        if object.kind.is_relation() {
            swept.insert(table_of(object), words.into_iter().collect());
        }
    }
    for (object, want) in wanted {
        let of_table = (object.kind == Kind::Column).then(|| swept.get(&table_of(object))).flatten();
        let is_swept = |word: &str| of_table.is_some_and(|words| words.contains(word));
        let stands = |word: &str| standing.get(object).is_some_and(|held| held.contains_key(word));
        let (again, first): (Vec<&str>, Vec<&str>) = want
            .words
            .iter()
            .copied()
            .filter(|word| is_swept(word) || !stands(word))
            .partition(|word| is_swept(word));
        for (phase, words) in [(Phase::Grant, first), (Phase::Revoke, again)] {
            if words.is_empty() {
                continue;
            }
            let (database, full_name) = context.place(object);
            draft.steps.push(Step::new(
                phase,
                object.session,
                format!("grant {} on {full_name} to {name}", words.join(", ")),
                format!("GRANT {} TO {role}", object.clause(database, &words)),
            ));
            let added: Vec<String> =
                words.iter().filter(|word| !stands(word)).map(|&word| word.to_owned()).collect();
            if !added.is_empty() {
                draft.added_what.push(item(full_name, object.kind.name(), added));
            }
        }
    }
}

/// What is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taking {
    /// The privilege.
    Privilege,
    /// That it can be passed on.
    Option,
}

/// Takes privileges back from a role, from each of those who granted them. The server refuses what others depend on.
pub(super) fn revoke(
    object: &Object,
    gone: &[(&'static str, &BTreeSet<u32>)],
    name: &str,
    context: &Context<'_>,
    phase: Phase,
    taking: Taking,
) -> Step {
    let role = identifier(name);
    let (database, full_name) = context.place(object);
    let mut statements = Vec::new();
    let grantors: BTreeSet<u32> = gone.iter().flat_map(|(_, grantors)| grantors.iter().copied()).collect();
    for grantor in grantors {
        let granted: Vec<&str> =
            gone.iter().filter(|(_, grantors)| grantors.contains(&grantor)).map(|(word, _)| *word).collect();
        let option = if taking == Taking::Option { "GRANT OPTION FOR " } else { "" };
        let revoke = format!("REVOKE {option}{} FROM {role}", object.clause(database, &granted));
        // The server takes back the owner's grants for whoever may act as the owner, else one's own.
        match context.role_name(grantor).filter(|name| *name != context.own_role) {
            None => statements.push(revoke),
            Some(other) => {
                let become_other = format!("SET LOCAL ROLE {}", identifier(context.final_name(other)));
                statements.extend([become_other, revoke, "RESET ROLE".to_owned()]);
            }
        }
    }
    let words: Vec<&str> = gone.iter().map(|(word, _)| *word).collect();
    Step {
        session: object.session,
        phase,
        summary: match taking {
            Taking::Privilege => format!("revoke {} on {full_name} from {name}", words.join(", ")),
            Taking::Option => {
                format!("revoke the grant option for {} on {full_name} from {name}", words.join(", "))
            }
        },
        statements,
        destructive: true,
        needs: None,
    }
}

/// A table, by its session, schema and name.
type TableKey<'a> = (usize, &'a str, &'a str);

/// The table that an object is or belongs to.
fn table_of(object: &Object) -> TableKey<'_> {
    (object.session, &object.schema, &object.name)
}
