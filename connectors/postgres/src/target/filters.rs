//! Row filters: one permissive SELECT policy for each, on one table.
//!
//! The server gives a condition back in words of its own, so whether a policy is the desired one is told by the digest
//! in its mark, and by everything else that the catalogue says about it. A policy that is not is dropped and made
//! again, in one step. Row security is switched on with the first filter of a table, and off when the last policy of the table was
//! Raito's and goes: a table with row security and no policy shows nothing to anybody but its owner.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use raito_connector::naming::NameGenerator;
use raito_connector::{Action, ApplyOptions, Change, DesiredAccessControl, Result};

use super::condition;
use super::members::{self, Members};
use super::naming;
use super::object::Object;
use super::planner::Context;
use super::state::{Policy, State};
use super::step::{Draft, Phase, Step, item};
use crate::names;
use crate::ownership_mark::{Mark, digest};
use crate::quote::{check_new_name, identifier, literal, qualified};
use crate::read::policy_id;
use crate::vocabulary::Kind;

/// A table, by its session, schema and name.
type Table = (usize, String, String);

/// What stands, and where each filter is to go.
pub(super) struct Filters {
    /// Filters by their position among the desired access controls.
    filters: BTreeMap<usize, Filter>,
    /// Whether row security is on, and the number of policies.
    tables: HashMap<Table, (bool, i64)>,
}

struct Filter {
    standing: Vec<Policy>,
    target: Result<Table, String>,
    name: String,
}

/// Reads the policies and the tables of the filters.
pub(super) fn read(
    desired: &[DesiredAccessControl],
    options: &ApplyOptions,
    state: &mut State,
) -> Result<Filters> {
    let mut read = Filters { filters: BTreeMap::new(), tables: HashMap::new() };
    if !desired.iter().any(|control| control.action == Action::Filtered) {
        return Ok(read);
    }
    let mut policies: HashMap<String, Vec<Policy>> = HashMap::new();
    for policy in state.policies()? {
        policies.entry(policy.mark.id.clone()).or_default().push(policy);
    }
    let mut generator = NameGenerator::new(naming::constraints(), options.prefix.as_str())?;
    for (at, control) in desired.iter().enumerate().filter(|(_, control)| control.action == Action::Filtered)
    {
        let standing = policies.remove(&control.id).unwrap_or_default();
        let target = table_of(control, state);
        for table in target.iter().cloned().chain(standing.iter().map(table)) {
            if let Some(row_security) = state.row_security(table.0, &table.1, &table.2)? {
                read.tables.insert(table, row_security);
            }
        }
        let actual = standing.first().map(|policy| policy.name.as_str());
        let name = if control.delete {
            String::new()
        } else {
            generator.generate(&control.naming_hint, &control.name, actual)
        };
        read.filters.insert(at, Filter { standing, target, name });
    }
    Ok(read)
}

fn table(policy: &Policy) -> Table {
    (policy.session, policy.schema.clone(), policy.table.clone())
}

fn table_of(control: &DesiredAccessControl, state: &State) -> Result<Table, String> {
    let [what] = control.what.as_slice() else {
        return Err(format!("a filter must be on one table, not on {} objects", control.what.len()));
    };
    let name = &what.object.full_name;
    if what.object.object_type != Kind::Table.name() {
        return Err(format!(
            "{name}: filters can be put on tables only, not on a {}",
            what.object.object_type
        ));
    }
    let parsed =
        Object::parse(Kind::Table, name).ok_or(format!("{name:?} is not the full name of a table"))?;
    let (database, object) = parsed;
    let session = state
        .session_of(&database)
        .ok_or(format!("{name}: the target does not cover the database {database:?} (pg-databases)"))?;
    if state.covers_schema(session, &object.schema) {
        Ok((session, object.schema, object.name))
    } else {
        Err(format!("there is no table {name} that the target covers"))
    }
}

/// Plans one filter.
pub(super) fn plan(
    at: usize,
    control: &DesiredAccessControl,
    filters: &Filters,
    context: &Context<'_>,
    draft: &mut Draft,
) {
    let Some(filter) = filters.filters.get(&at) else { return };
    if let Some(policy) = filter.standing.first() {
        draft.actual_name.clone_from(&policy.name);
        draft.external_id = Some(id_of(policy, context));
    }
    if control.delete {
        plan_removal(at, control, filter, filters, context, draft);
        return;
    }
    if control.locks.what && !filter.standing.is_empty() {
        return;
    }
    let checked = filter.target.clone().and_then(|table| {
        let row_security = filters.tables.get(&table).copied();
        let name = names::path([context.database(table.0), &table.1, &table.2]);
        let (enabled, _) = row_security.ok_or(format!("there is no table {name} that the target covers"))?;
        check_new_name(&filter.name).map_err(|problem| problem.about(&filter.name))?;
        Ok((table, enabled, condition::of(control)?))
    });
    let (table, enabled, condition) = match checked {
        Ok(checked) => checked,
        Err(error) => return draft.errors.push(error),
    };
    let members = match filter.standing.first() {
        Some(policy) if control.locks.who => {
            let names = policy.roles.iter().flatten();
            let roles = names.map(|name| (context.final_name(name).to_owned(), None)).collect();
            Members { users: BTreeSet::new(), roles }
        }
        _ => members::desired(control, context, draft),
    };
    let names: BTreeSet<&str> =
        members.users.iter().chain(members.roles.keys()).map(String::as_str).collect();
    let on = qualified(&table.1, &table.2);
    // A policy must be for somebody. One that is for nobody lets nobody see anything.
    let (to, condition) = if names.is_empty() {
        ("PUBLIC".to_owned(), "false".to_owned())
    } else {
        (names.iter().map(|name| identifier(name)).collect::<Vec<_>>().join(", "), condition)
    };
    let definition = format!("ON {on} AS PERMISSIVE FOR SELECT TO {to} USING ({condition})");
    let mark = Mark { id: control.id.clone(), digest: Some(digest(&definition)) };
    let policy = identifier(&filter.name);
    let table_name = names::path([context.database(table.0), &table.1, &table.2]);

    let roles: BTreeSet<Option<String>> = if names.is_empty() {
        BTreeSet::from([None])
    } else {
        names.iter().map(|&name| Some(name.to_owned())).collect()
    };
    let is_right = |standing: &Policy| {
        let now: BTreeSet<Option<String>> = standing
            .roles
            .iter()
            .map(|role| role.as_deref().map(|role| context.final_name(role).to_owned()))
            .collect();
        standing.as_made
            && standing.mark == mark
            && standing.name == filter.name
            && self::table(standing) == table
            && now == roles
    };
    let (right, wrong): (Vec<&Policy>, Vec<&Policy>) = filter.standing.iter().partition(|one| is_right(one));
    for standing in &wrong {
        drop_policy(standing, context, draft);
    }
    if right.is_empty() {
        draft.change = if filter.standing.is_empty() { Change::Create } else { Change::Update };
        let step = Step::new(
            Phase::Grant,
            table.0,
            format!("create policy {} on {table_name}", filter.name),
            format!("CREATE POLICY {policy} {definition}"),
        );
        let comment = format!("COMMENT ON POLICY {policy} ON {on} IS {}", literal(&mark.comment()));
        let statements = step.statements.into_iter().chain([comment]).collect();
        let needs = members.roles.values().flatten().next().copied();
        draft.steps.push(Step { statements, needs, ..step });
        draft.added_who.users = members.users.into_iter().collect();
        draft.added_who.access_controls = members.roles.into_keys().collect();
        draft.added_what.push(item(table_name.clone(), Kind::Table.name(), Vec::new()));
    }
    if !enabled && filters.is_first_on(at, &table) {
        let mut step = Step::new(
            Phase::Grant,
            table.0,
            format!("switch row security on for {table_name}"),
            format!("ALTER TABLE {on} ENABLE ROW LEVEL SECURITY"),
        );
        // From here on, whoever no policy is for sees nothing.
        step.destructive = true;
        draft.steps.push(step);
    }
    draft.actual_name.clone_from(&filter.name);
    draft.external_id = Some(policy_id(context.database(table.0), &table.1, &table.2, &filter.name));
}

fn plan_removal(
    at: usize,
    control: &DesiredAccessControl,
    filter: &Filter,
    filters: &Filters,
    context: &Context<'_>,
    draft: &mut Draft,
) {
    if control.locks.delete {
        if !filter.standing.is_empty() {
            draft.warnings.push("the policy is locked and stays in the target".into());
        }
        return;
    }
    for policy in &filter.standing {
        drop_policy(policy, context, draft);
        draft.change = Change::Delete;
        let table = table(policy);
        if filters.is_last_to_leave(at, &table) {
            let name = names::path([context.database(table.0), &table.1, &table.2]);
            draft.steps.push(Step::new(
                Phase::Grant,
                table.0,
                format!("switch row security off for {name}"),
                format!("ALTER TABLE {} DISABLE ROW LEVEL SECURITY", qualified(&table.1, &table.2)),
            ));
            draft.warnings.push(format!("{name} has no other policy: it shows all rows again"));
        }
    }
}

fn drop_policy(policy: &Policy, context: &Context<'_>, draft: &mut Draft) {
    let table_name = names::path([context.database(policy.session), &policy.schema, &policy.table]);
    draft.steps.push(
        Step::new(
            Phase::Revoke,
            policy.session,
            format!("drop policy {} on {table_name}", policy.name),
            format!(
                "DROP POLICY {} ON {}",
                identifier(&policy.name),
                qualified(&policy.schema, &policy.table)
            ),
        )
        .destructive(),
    );
    draft.removed_what.push(item(table_name, Kind::Table.name(), Vec::new()));
}

fn id_of(policy: &Policy, context: &Context<'_>) -> String {
    policy_id(context.database(policy.session), &policy.schema, &policy.table, &policy.name)
}

impl Filters {
    /// Whether a filter is the first that goes to a table: the one that switches row security on.
    fn is_first_on(&self, at: usize, table: &Table) -> bool {
        let first = self.filters.iter().find(|(_, filter)| {
            !filter.name.is_empty() && filter.target.as_ref().is_ok_and(|target| target == table)
        });
        first.is_some_and(|(first, _)| *first == at)
    }

    /// Whether a filter is the last to leave a table where no policy then remains.
    fn is_last_to_leave(&self, at: usize, table: &Table) -> bool {
        let mut leaving = 0;
        let mut last = None;
        for (position, filter) in &self.filters {
            let stays = !filter.name.is_empty() && filter.target.as_ref().is_ok_and(|target| target == table);
            if stays {
                return false;
            }
            let here = filter.standing.iter().filter(|policy| self::table(policy) == *table).count();
            if here > 0 {
                leaving += i64::try_from(here).unwrap_or(i64::MAX);
                last = Some(*position);
            }
        }
        last == Some(at) && self.tables.get(table).is_some_and(|(_, policies)| *policies <= leaving)
    }
}
