//! Desired access controls, and what becomes of them.

use std::collections::BTreeMap;

use raito_connector::{
    AccessControlFeedback, AccessControlPlan, Action, ApplyLocks, ApplyOptions, Change, DataObjectReference,
    DesiredAccessControl, Result, WhatItem, Who,
};
use raito_connector_postgres::settings::Settings;
use raito_connector_postgres::target;

use crate::server::Server;

pub(crate) fn who(users: &[&str], roles: &[&str]) -> Who {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Who { users: owned(users), groups: vec![], access_controls: owned(roles), recipients: vec![] }
}

pub(crate) fn item(object_type: &str, full_name: &str, permissions: &[&str]) -> WhatItem {
    WhatItem {
        object: DataObjectReference { full_name: full_name.into(), object_type: object_type.into() },
        permissions: permissions.iter().map(|&permission| permission.to_owned()).collect(),
    }
}

pub(crate) fn role(id: &str, name: &str, who: Who, what: Vec<WhatItem>) -> DesiredAccessControl {
    DesiredAccessControl {
        id: id.into(),
        name: name.into(),
        description: String::new(),
        naming_hint: String::new(),
        control_type: Some("role".into()),
        external_id: None,
        actual_name: None,
        action: Action::Grant,
        who,
        deleted_who: self::who(&[], &[]),
        delete: false,
        locks: ApplyLocks { who: false, inheritance: false, what: false, delete: false },
        policy_rule: None,
        filter_criteria: None,
        what,
        deleted_what: Vec::new(),
        common_what_object: None,
        owners: Vec::new(),
    }
}

pub(crate) fn filter(id: &str, rule: &str, who: Who, table: &str) -> DesiredAccessControl {
    DesiredAccessControl {
        action: Action::Filtered,
        policy_rule: Some(rule.into()),
        control_type: None,
        ..role(id, id, who, vec![item("table", table, &[])])
    }
}

/// Everything of the prefix, and others go on where one cannot be applied.
pub(crate) fn options(prefix: &str) -> ApplyOptions {
    ApplyOptions { prefix: prefix.into(), authoritative: !prefix.is_empty(), all_or_nothing: false }
}

/// Access controls that can be gone through again, and count how often they were.
pub(crate) struct Rounds<'a> {
    desired: &'a [DesiredAccessControl],
    next: usize,
    pub(crate) restarts: usize,
}

impl<'a> Rounds<'a> {
    pub(crate) fn of(desired: &'a [DesiredAccessControl]) -> Self {
        Rounds { desired, next: 0, restarts: 0 }
    }
}

impl Iterator for Rounds<'_> {
    type Item = Result<DesiredAccessControl>;

    fn next(&mut self) -> Option<Self::Item> {
        let control = self.desired.get(self.next)?;
        self.next += 1;
        Some(Ok(control.clone()))
    }
}

impl target::Source for Rounds<'_> {
    fn restart(&mut self) -> Result<()> {
        self.next = 0;
        self.restarts += 1;
        Ok(())
    }
}

pub(crate) type Results<T> = BTreeMap<String, T>;

pub(crate) fn plan(
    settings: &Settings,
    prefix: &str,
    desired: &[DesiredAccessControl],
) -> Results<AccessControlPlan> {
    plan_with(settings, &options(prefix), desired)
}

pub(crate) fn plan_with(
    settings: &Settings,
    options: &ApplyOptions,
    desired: &[DesiredAccessControl],
) -> Results<AccessControlPlan> {
    let mut plans = Results::new();
    target::plan(settings, options, &mut Rounds::of(desired), |plan| {
        assert!(plans.insert(plan.id.clone(), plan).is_none());
        Ok(())
    })
    .unwrap();
    plans
}

pub(crate) fn apply(
    settings: &Settings,
    prefix: &str,
    desired: &[DesiredAccessControl],
) -> Results<AccessControlFeedback> {
    apply_with(settings, &options(prefix), desired)
}

pub(crate) fn apply_with(
    settings: &Settings,
    options: &ApplyOptions,
    desired: &[DesiredAccessControl],
) -> Results<AccessControlFeedback> {
    let mut all = Results::new();
    target::apply(settings, options, &mut Rounds::of(desired), |feedback| {
        assert!(all.insert(feedback.id.clone(), feedback).is_none());
        Ok(())
    })
    .unwrap();
    all
}

/// Plans, checks that planning touched nothing, applies, and checks that it did what was planned and that doing it again
/// does nothing.
#[track_caller]
pub(crate) fn converge(
    server: &Server,
    settings: &Settings,
    prefix: &str,
    desired: &[DesiredAccessControl],
) -> (Results<AccessControlPlan>, Results<AccessControlFeedback>) {
    let before = catalogue(server);
    let plans = plan(settings, prefix, desired);
    assert_eq!(catalogue(server), before, "planning changed something");
    let feedback = apply(settings, prefix, desired);
    for (id, outcome) in &feedback {
        assert_eq!(outcome.errors, plans[id].errors, "{id}");
        assert_eq!(outcome.operations as usize, plans[id].operations.len(), "{id}");
    }
    let kept: Vec<DesiredAccessControl> = desired.iter().filter(|one| !one.delete).cloned().collect();
    let again = plan(settings, prefix, &kept);
    for (id, rest) in &again {
        assert!(rest.operations.is_empty(), "{id} is not at rest: {:#?}", rest.operations);
        assert!(matches!(rest.change, Change::None));
    }
    assert!(apply(settings, prefix, &kept).values().all(|outcome| outcome.operations == 0));
    (plans, feedback)
}

/// Everything that applying could change.
pub(crate) fn catalogue(server: &Server) -> Vec<String> {
    server.rows(
        "postgres",
        "SELECT 'role', rolname, coalesce(shobj_description(oid, 'pg_authid'), '') FROM pg_roles WHERE rolname !~ '^pg_' \
         UNION ALL SELECT 'member', roleid::regrole::text, member::regrole::text FROM pg_auth_members \
         UNION ALL SELECT 'table', oid::regclass::text, coalesce(relacl::text, '') || relrowsecurity FROM pg_class \
           WHERE relnamespace::regnamespace::text !~ '^(pg_|information)' \
         UNION ALL SELECT 'column', attrelid::regclass || '.' || attname, attacl::text FROM pg_attribute \
           WHERE attacl IS NOT NULL AND attrelid > 16000 \
         UNION ALL SELECT 'schema', nspname, coalesce(nspacl::text, '') FROM pg_namespace WHERE nspname !~ '^pg_' \
         UNION ALL SELECT 'database', datname, coalesce(datacl::text, '') FROM pg_database \
         UNION ALL SELECT 'routine', proname, coalesce(proacl::text, '') FROM pg_proc WHERE oid > 16000 \
         UNION ALL SELECT 'policy', polname, pg_get_expr(polqual, polrelid) || polroles::regrole[]::text FROM pg_policy \
         ORDER BY 1, 2, 3",
    )
}

pub(crate) fn shop() -> (Server, Settings) {
    let server = Server::start();
    for statement in [
        "CREATE ROLE ann LOGIN PASSWORD 'ann'",
        "CREATE ROLE bob LOGIN PASSWORD 'bob'",
        "CREATE ROLE \"We\"\"ird User\" LOGIN",
        "CREATE ROLE byhand",
        "CREATE ROLE notes",
        "COMMENT ON ROLE notes IS 'kept by the data team'",
        "CREATE SCHEMA sales",
        "CREATE TABLE sales.orders (id int, region text, card text)",
        "INSERT INTO sales.orders VALUES (1, 'EU', 'x'), (2, 'US', 'y')",
        "CREATE VIEW sales.open AS SELECT id FROM sales.orders",
        "CREATE SEQUENCE sales.numbers",
        "CREATE FUNCTION sales.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "REVOKE ALL ON FUNCTION sales.f FROM PUBLIC",
        "CREATE SCHEMA \"Odd.Schema\"",
        "CREATE TABLE \"Odd.Schema\".\"We\"\"ird (Table)\" (\"Ünï.Col\" int)",
    ] {
        server.sql("postgres", statement);
    }
    let settings = server.settings(&[]);
    (server, settings)
}
