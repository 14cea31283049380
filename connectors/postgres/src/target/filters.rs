//! Row filters: one permissive SELECT policy for each, on one table.
//!
//! The server gives a condition back in words of its own, so whether a policy is the desired one is told by the digest
//! in its mark, and by everything else that the catalogue says about it. A policy that is not is dropped and made
//! again, in one step. Row security is switched on with the first filter of a table, and off when the last policy of
//! the table was Raito's and goes: a table with row security and no policy shows nothing to anybody but its owner.
//!
//! In another database than the first one, a policy cannot change in the same transaction as memberships. There the new
//! one is made beside the old one, which goes last, so that nobody is without rows in between.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use raito_connector::naming::NameGenerator;
use raito_connector::{Change, DesiredAccessControl, Result};

use super::condition;
use super::databases::Databases;
use super::members::{self, Members};
use super::naming::{self, Request};
use super::object::Object;
use super::planner::Context;
use super::policies::{Policy, Secured, Table};
use super::step::{Draft, Phase, Step, item};
use super::survey::{self, Entry, Shape};
use crate::names;
use crate::ownership_mark::{Mark, digest};
use crate::quote::{check_new_name, identifier, literal, qualified};
use crate::read::policy_id;
use crate::vocabulary::Kind;

/// What stands, and where each filter is to go.
pub(super) struct Filters {
    by_position: BTreeMap<usize, Filter>,
    tables: HashMap<Table, Secured>,
    /// For each table the filter that switches row security on.
    first: HashMap<Table, usize>,
    /// For each table where no policy then remains the filter that leaves it last.
    last: HashMap<Table, usize>,
}

struct Filter {
    standing: Vec<Policy>,
    target: Result<Table, String>,
    /// Empty: it is to go.
    name: String,
    warning: Option<String>,
}

/// The table that a filter is to be on.
pub(super) fn table_of(control: &DesiredAccessControl, databases: &Databases) -> Result<Table, String> {
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
    let session = databases
        .session_of(&database)
        .ok_or(format!("{name}: the target does not cover the database {database:?} (pg-databases)"))?;
    if databases.covers_schema(session, &object.schema) {
        Ok((session, object.schema, object.name))
    } else {
        Err(format!("there is no table {name} that the target covers"))
    }
}

impl Filters {
    /// Reads the tables of the filters and finds the name of each. `policies` are those that stand, by id.
    pub(super) fn read(
        entries: &[Entry],
        requests: &[Request],
        mut targets: BTreeMap<usize, Result<Table, String>>,
        mut policies: BTreeMap<String, Vec<Policy>>,
        prefix: &str,
        databases: &mut Databases,
    ) -> Result<Self> {
        let mut read = Filters {
            by_position: BTreeMap::new(),
            tables: HashMap::new(),
            first: HashMap::new(),
            last: HashMap::new(),
        };
        let order: Vec<(usize, &Entry)> = survey::by_id(entries)
            .into_iter()
            .filter_map(|at| Some((at, entries.get(at)?)))
            .filter(|(_, entry)| entry.shape == Shape::Filter)
            .collect();
        let mut generator = NameGenerator::new(naming::constraints(), prefix)?;
        for (at, entry) in &order {
            let standing = policies.remove(&entry.id).unwrap_or_default();
            let target = targets.remove(at).unwrap_or_else(|| Err("the filter has no table".into()));
            let filter = Filter { standing, target, name: String::new(), warning: None };
            read.by_position.insert(*at, filter);
        }
        let tables = read.by_position.values().flat_map(Filter::tables).cloned().collect();
        read.tables = databases.secured(&tables)?;

        // Names on a table that are not free: those of others' policies, and of ours that stay.
        let mut taken: HashSet<(Table, String)> = HashSet::new();
        for (table, secured) in &read.tables {
            taken.extend(secured.policies.iter().map(|name| (table.clone(), name.clone())));
        }
        let standing = read.by_position.values().flat_map(|filter| &filter.standing);
        let mut ours: HashSet<(Table, String)> =
            standing.map(|policy| (policy.table.clone(), policy.name.clone())).collect();
        for (at, entry) in &order {
            let Some(filter) = read.by_position.get_mut(at).filter(|_| !entry.delete) else { continue };
            let hint = requests.get(*at).map_or("", |request| request.naming_hint.as_str());
            let own: Vec<(Table, String)> =
                filter.standing.iter().map(|policy| (policy.table.clone(), policy.name.clone())).collect();
            let is_free = |name: &str| match &filter.target {
                Ok(table) => {
                    let place = (table.clone(), name.to_owned());
                    own.contains(&place) || !taken.contains(&place)
                }
                Err(_) => true,
            };
            let actual = filter.standing.first().map(|policy| policy.name.as_str());
            let from = if hint.is_empty() { entry.name.as_str() } else { hint };
            let kept = actual.filter(|name| naming::can_stay(name, from, prefix) && is_free(name));
            let first = kept.map_or_else(|| generator.generate(hint, &entry.name, None), str::to_owned);
            let mut name = first.clone();
            for _ in 0..=taken.len() {
                if is_free(&name) {
                    break;
                }
                name = generator.generate(hint, &entry.name, None);
            }
            if let Ok(table) = &filter.target {
                if name != first && !ours.contains(&(table.clone(), first.clone())) {
                    filter.warning =
                        Some(format!("the name {first:?} is taken by another policy: this one is {name:?}"));
                }
                ours.insert((table.clone(), name.clone()));
                taken.insert((table.clone(), name.clone()));
            }
            filter.name = name;
        }
        read.find_switches();
        Ok(read)
    }

    /// Finds who switches row security on and off.
    fn find_switches(&mut self) {
        let mut leaving: HashMap<Table, usize> = HashMap::new();
        for (at, filter) in &self.by_position {
            for policy in &filter.standing {
                *leaving.entry(policy.table.clone()).or_default() += 1;
                self.last.insert(policy.table.clone(), *at);
            }
            if let (false, Ok(table)) = (filter.name.is_empty(), &filter.target) {
                self.first.entry(table.clone()).or_insert(*at);
            }
        }
        let Filters { tables, first, last, .. } = self;
        last.retain(|table, _| {
            let all = tables.get(table).map_or(usize::MAX, |secured| secured.policies.len());
            !first.contains_key(table) && leaving.get(table).is_some_and(|leaving| *leaving >= all)
        });
    }

    /// The name and the external id of a filter: as it stands, and as it is going to be.
    pub(super) fn identities(&self, at: usize, databases: &[String]) -> [Option<(String, String)>; 2] {
        let Some(filter) = self.by_position.get(&at) else { return [None, None] };
        let identity = |table: &Table, name: &str| {
            let database = databases.get(table.0).map_or("", String::as_str);
            (name.to_owned(), policy_id(database, &table.1, &table.2, name))
        };
        let standing = filter.standing.first().map(|policy| identity(&policy.table, &policy.name));
        let wanted = filter.target.as_ref().ok().filter(|_| !filter.name.is_empty());
        [standing, wanted.map(|table| identity(table, &filter.name))]
    }
}

impl Filter {
    /// A name for the new policy while the old one stands: the digest makes one that fits. A run that was cut short may
    /// have left one.
    fn name_beside(&self, id: &str) -> String {
        let mut name = format!("raito_{}", digest(id));
        while self.standing.iter().any(|policy| policy.name == name) {
            name.push('_');
        }
        name
    }

    fn tables(&self) -> impl Iterator<Item = &Table> {
        self.target.iter().chain(self.standing.iter().map(|policy| &policy.table))
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
    let Some(filter) = filters.by_position.get(&at) else { return };
    let [standing, wanted] = filters.identities(at, &context.databases);
    if let Some((name, _)) = standing {
        draft.actual_name = name;
    }
    if control.delete {
        return plan_removal(at, control, filter, filters, context, draft);
    }
    if control.locks.what && !filter.standing.is_empty() {
        return;
    }
    let checked = filter.target.clone().and_then(|table| {
        let secured = filters.tables.get(&table);
        let name = table_name(&table, context);
        let secured = secured.ok_or(format!("there is no table {name} that the target covers"))?;
        check_new_name(&filter.name).map_err(|problem| problem.about(&filter.name))?;
        Ok((table, secured, condition::of(control)?))
    });
    let (table, secured, condition) = match checked {
        Ok(checked) => checked,
        Err(error) => return draft.errors.push(error),
    };
    draft.warnings.extend(filter.warning.clone());
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
    let mark =
        Mark { prefix: context.prefix.to_owned(), id: control.id.clone(), digest: Some(digest(&definition)) };
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
            && standing.table == table
            && now == roles
    };
    let (right, wrong): (Vec<&Policy>, Vec<&Policy>) = filter.standing.iter().partition(|one| is_right(one));
    let full_name = table_name(&table, context);
    if right.is_empty() {
        draft.change = if wrong.is_empty() { Change::Create } else { Change::Update };
        let beside = table.0 != 0 && wrong.iter().any(|one| one.table == table && one.name == filter.name);
        let first_name = if beside { filter.name_beside(&control.id) } else { filter.name.clone() };
        let policy = identifier(&first_name);
        let phase = if table.0 == 0 { Phase::Settle } else { Phase::Grant };
        let mut make = Step::new(
            phase,
            table.0,
            format!("create policy {first_name} on {full_name}"),
            format!("CREATE POLICY {policy} {definition}"),
        );
        make.statements.push(format!("COMMENT ON POLICY {policy} ON {on} IS {}", literal(&mark.comment())));
        make.needs = members.roles.values().flatten().next().copied();
        let rename = beside.then(|| {
            Step::new(
                Phase::Settle,
                table.0,
                format!("rename policy {first_name} on {full_name} to {}", filter.name),
                format!("ALTER POLICY {policy} ON {on} RENAME TO {}", identifier(&filter.name)),
            )
        });
        // In the first database all of it is one phase: the old policy goes in the step that makes the new one.
        let drops = wrong.iter().map(|policy| drop_policy(policy, Phase::Settle, context, draft));
        let mut steps: Vec<Step> = drops.collect();
        steps.push(make);
        steps.extend(rename);
        draft.steps.extend(steps);
        draft.added_who.users = members.users.into_iter().collect();
        draft.added_who.access_controls = members.roles.into_keys().collect();
        draft.added_what.push(item(full_name.clone(), Kind::Table.name(), Vec::new()));
    } else {
        for policy in &wrong {
            let step = drop_policy(policy, Phase::Settle, context, draft);
            draft.steps.push(step);
        }
    }
    if !secured.enabled && filters.first.get(&table) == Some(&at) {
        let mut step = Step::new(
            Phase::Settle,
            table.0,
            format!("switch row security on for {full_name}"),
            format!("ALTER TABLE {on} ENABLE ROW LEVEL SECURITY"),
        );
        // From here on, whoever no policy is for sees nothing.
        step.destructive = true;
        draft.steps.push(step);
    }
    if let (false, Some(first)) = (draft.steps.is_empty(), filter.standing.first()) {
        draft.changed_in_target = Some(first.mark.digest == mark.digest);
    }
    if let Some((name, _)) = wanted {
        draft.actual_name = name;
    }
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
    let mut left = BTreeSet::new();
    for policy in &filter.standing {
        let step = drop_policy(policy, Phase::Revoke, context, draft);
        draft.steps.push(step);
        draft.change = Change::Delete;
        draft.changed_in_target = Some(false);
        if filters.last.get(&policy.table) == Some(&at) && left.insert(&policy.table) {
            let name = table_name(&policy.table, context);
            draft.steps.push(Step::new(
                Phase::Settle,
                policy.table.0,
                format!("switch row security off for {name}"),
                format!(
                    "ALTER TABLE {} DISABLE ROW LEVEL SECURITY",
                    qualified(&policy.table.1, &policy.table.2)
                ),
            ));
            draft.warnings.push(format!("{name} has no other policy: it shows all rows again"));
        }
    }
}

fn drop_policy(policy: &Policy, phase: Phase, context: &Context<'_>, draft: &mut Draft) -> Step {
    let full_name = table_name(&policy.table, context);
    draft.removed_what.push(item(full_name.clone(), Kind::Table.name(), Vec::new()));
    Step::new(
        phase,
        policy.table.0,
        format!("drop policy {} on {full_name}", policy.name),
        format!(
            "DROP POLICY {} ON {}",
            identifier(&policy.name),
            qualified(&policy.table.1, &policy.table.2)
        ),
    )
    .destructive()
}

fn table_name((session, schema, table): &Table, context: &Context<'_>) -> String {
    names::path([context.database(*session), schema, table])
}
