//! To the target: what is planned is what is run, running again does nothing, and nothing is touched that is not Raito's.

use raito_connector::{Action, ApplyLocks, Change, DesiredAccessControl};
use raito_connector_postgres::read;

use crate::desired::{apply, catalogue, converge, filter, item, role, shop, who};

#[test]
fn roles_get_their_members_and_privileges_and_lose_them() {
    let (server, settings) = shop();
    let mut desired = vec![
        role(
            "a1",
            "Sales Team",
            who(&["ann"], &["ID:A2", "byhand"]),
            vec![
                item("table", "postgres.sales.orders", &["SELECT", "INSERT"]),
                item("sequence", "postgres.sales.numbers", &["USAGE"]),
                item("function", "postgres.sales.f(integer)", &["EXECUTE"]),
            ],
        ),
        role(
            "a2",
            "SalesLeads",
            who(&["bob", "We\"ird User"], &[]),
            vec![
                item("column", "postgres.sales.orders.card", &["SELECT"]),
                item("table", "postgres.\"Odd.Schema\".\"We\"\"ird (Table)\"", &["UPDATE"]),
                item("column", "postgres.\"Odd.Schema\".\"We\"\"ird (Table)\".\"Ünï.Col\"", &["SELECT"]),
            ],
        ),
    ];
    let (plans, feedback) = converge(&server, &settings, "", &desired);
    assert!(plans.values().all(|plan| matches!(plan.change, Change::Create) && plan.errors.is_empty()));
    assert_eq!(feedback["a1"].actual_name, "sales_team");
    assert_eq!(feedback["a1"].external_id.as_deref(), Some("role:sales_team"));
    let statements: Vec<&str> =
        plans["a1"].operations.iter().filter_map(|operation| operation.statement.as_deref()).collect();
    assert_eq!(
        statements,
        [
            "CREATE ROLE \"sales_team\" NOLOGIN",
            "COMMENT ON ROLE \"sales_team\" IS 'raito:a1'",
            "GRANT CONNECT ON DATABASE \"postgres\" TO \"sales_team\"",
            "GRANT USAGE ON SCHEMA \"sales\" TO \"sales_team\"",
            "GRANT INSERT, SELECT ON TABLE \"sales\".\"orders\" TO \"sales_team\"",
            "GRANT USAGE ON SEQUENCE \"sales\".\"numbers\" TO \"sales_team\"",
            "GRANT EXECUTE ON ROUTINE \"sales\".\"f\"(integer) TO \"sales_team\"",
            "GRANT \"sales_team\" TO \"ann\"",
            "GRANT \"sales_team\" TO \"byhand\"",
            "GRANT \"sales_team\" TO \"sales_leads\"",
        ]
    );
    assert_eq!(server.query_as("ann", "ann", "postgres", "SELECT count(*) FROM sales.orders"), ["2"]);

    // What is read back is what was asked for.
    let mut seen = None;
    read::access_controls(&settings, |control| {
        if control.external_id == "role:sales_team" {
            seen = Some(control);
        }
        Ok(())
    })
    .unwrap();
    let seen = seen.unwrap();
    assert!(!seen.locks.everything);
    let members = seen.who.unwrap();
    assert_eq!(
        (members.users, members.access_controls),
        (vec!["ann".to_owned()], vec!["role:byhand".into(), "role:sales_leads".into()])
    );

    // Less access, another name, another member.
    desired[0] = role(
        "a1",
        "Sales People",
        who(&["bob"], &["ID:a2"]),
        vec![item("column", "postgres.sales.orders.id", &["SELECT"])],
    );
    let (plans, feedback) = converge(&server, &settings, "", &desired);
    assert_eq!(feedback["a1"].actual_name, "sales_people");
    assert_eq!(
        (plans["a1"].removed_who.users.clone(), plans["a1"].added_who.users.clone()),
        (vec!["ann".to_owned()], vec!["bob".into()])
    );
    assert_eq!(plans["a1"].removed_who.access_controls, ["byhand"]);
    assert!(plans["a1"].operations.iter().any(|operation| operation.destructive));
    assert_eq!(plans["a2"].operations.len(), 0);
    assert_eq!(
        server.rows(
            "postgres",
            "SELECT has_table_privilege('sales_people', 'sales.orders', 'SELECT'), \
            has_column_privilege('sales_people', 'sales.orders', 'id', 'SELECT'), \
            has_schema_privilege('sales_people', 'sales', 'USAGE')"
        ),
        ["f|t|t"]
    );

    // A privilege that moves from a table to one of its columns is lost on the column with the table's.
    desired[0].what = vec![
        item("table", "postgres.sales.orders", &["SELECT"]),
        item("column", "postgres.sales.orders.id", &["SELECT"]),
    ];
    converge(&server, &settings, "", &desired);
    desired[0].what = vec![item("column", "postgres.sales.orders.id", &["SELECT"])];
    converge(&server, &settings, "", &desired);
    assert_eq!(
        server
            .rows("postgres", "SELECT has_column_privilege('sales_people', 'sales.orders', 'id', 'SELECT')"),
        ["t"]
    );

    // Nothing left: the schema and the database go too.
    desired[0].what = vec![];
    converge(&server, &settings, "", &desired);
    assert_eq!(
        server.rows("postgres", "SELECT has_schema_privilege('sales_people', 'sales', 'USAGE')"),
        ["f"]
    );

    // Deleted, with everything that it had; deleting what is gone is nothing.
    for control in &mut desired {
        control.delete = true;
    }
    let (plans, feedback) = converge(&server, &settings, "", &desired);
    assert!(plans.values().all(|plan| matches!(plan.change, Change::Delete)));
    assert!(feedback["a1"].errors.is_empty() && feedback["a2"].operations > 0);
    assert!(feedback["a1"].actual_name.is_empty() && feedback["a1"].external_id.is_none());
    assert_eq!(server.rows("postgres", "SELECT rolname FROM pg_roles WHERE rolname LIKE 'sales%'"), [""; 0]);
    assert!(
        apply(&settings, "", &desired)
            .values()
            .all(|outcome| outcome.operations == 0 && outcome.errors.is_empty())
    );
}

#[test]
fn one_access_control_that_fails_does_not_stop_the_others() {
    let (server, settings) = shop();
    server.sql("postgres", "CREATE ROLE clash; COMMENT ON ROLE clash IS 'raito:b9'; GRANT clash TO ann");
    let desired = vec![
        role("b1", "good one", who(&["ann"], &[]), vec![item("table", "postgres.sales.orders", &["SELECT"])]),
        // The server refuses a circle of memberships.
        role("b2", "circle a", who(&[], &["ID:b3"]), vec![]),
        role("b3", "circle b", who(&[], &["ID:b2"]), vec![]),
        role(
            "b4",
            "half right",
            who(&["ann", "nobody"], &[]),
            vec![
                item("table", "postgres.sales.missing", &["SELECT"]),
                item("table", "postgres.sales.orders", &["FLY", "SELECT"]),
                item("table", "hr.public.staff", &["SELECT"]),
            ],
        ),
        DesiredAccessControl { action: Action::Mask, ..role("b5", "mask", who(&[], &[]), vec![]) },
        DesiredAccessControl { action: Action::Share, ..role("b6", "share", who(&[], &[]), vec![]) },
        DesiredAccessControl { action: Action::Deny, ..role("b7", "deny", who(&[], &[]), vec![]) },
        filter("b8", "no_such_column = 1", who(&["ann"], &[]), "postgres.sales.orders"),
    ];
    let feedback = apply(&settings, "", &desired);
    assert!(feedback["b1"].errors.is_empty() && feedback["b1"].operations > 0);
    assert_ne!(feedback["b2"].errors.is_empty(), feedback["b3"].errors.is_empty());
    assert_eq!(feedback["b4"].errors.len(), 4, "{:?}", feedback["b4"].errors);
    assert_eq!(feedback["b4"].actual_name, "half_right");
    for id in ["b5", "b6", "b7"] {
        assert!(feedback[id].errors[0].contains("not supported by PostgreSQL"), "{id}");
    }
    assert_eq!((feedback["b8"].errors.len(), feedback["b8"].actual_name.as_str()), (1, ""));
    assert_eq!(server.rows("postgres", "SELECT count(*) FROM pg_policy"), ["0"]);
    assert_eq!(
        server.rows("postgres", "SELECT has_table_privilege('good_one', 'sales.orders', 'SELECT'), has_table_privilege('half_right', 'sales.orders', 'SELECT')"),
        ["t|t"]
    );
    assert_eq!(
        server.rows("postgres", "SELECT count(*) FROM pg_auth_members WHERE roleid = 'clash'::regrole"),
        ["1"]
    );
}

#[test]
fn only_what_is_raitos_is_touched() {
    let (server, settings) = shop();
    let before = catalogue(&server);
    // The name is taken by a role that somebody made: the new one gets another.
    let mine = role("c1", "byhand", who(&["ann"], &[]), vec![]);
    let (_, feedback) = converge(&server, &settings, "", &[mine]);
    assert_eq!(feedback["c1"].actual_name, "byhand__0");

    // A role that was reported for the access control becomes Raito's, with its name and a comment that was there.
    let adopted = |external: &str, name: &str| DesiredAccessControl {
        external_id: Some(external.into()),
        actual_name: Some(name.into()),
        naming_hint: name.into(),
        ..role("c2", name, who(&["bob"], &[]), vec![])
    };
    let (_, feedback) = converge(&server, &settings, "", &[adopted("role:notes", "notes")]);
    assert_eq!(feedback["c2"].actual_name, "notes");
    assert_eq!(
        server.rows("postgres", "SELECT shobj_description('notes'::regrole, 'pg_authid')"),
        ["kept by the data team"]
    );

    // Users, superusers and the server's own roles never do.
    server.sql("postgres", "CREATE ROLE almighty SUPERUSER");
    for name in ["ann", "pg_monitor", "almighty"] {
        let feedback = apply(&settings, "", &[adopted(&format!("role:{name}"), name)]);
        assert_eq!(feedback["c2"].errors.len(), 1, "{name}");
        assert_eq!(feedback["c2"].operations, 0);
    }

    // What left the file goes, if it carries the prefix and the mark.
    server.sql("postgres", "CREATE ROLE r_foreign");
    let own = [
        role("d1", "keep", who(&[], &[]), vec![]),
        role("d2", "Gone", who(&["ann"], &[]), vec![item("table", "postgres.sales.orders", &["SELECT"])]),
        filter("d3", "{region} = 'EU'", who(&["ann"], &[]), "postgres.sales.orders"),
    ];
    let (_, feedback) = converge(&server, &settings, "R_", &own);
    assert_eq!(feedback["d2"].actual_name, "r_gone");
    let (plans, feedback) = converge(&server, &settings, "R_", &own[..1]);
    assert!(matches!(plans["d2"].change, Change::Delete) && feedback["d2"].errors.is_empty());
    assert!(matches!(plans["d3"].change, Change::Delete));
    assert_eq!(
        server.rows("postgres", "SELECT rolname FROM pg_roles WHERE rolname ~ '^r_' ORDER BY 1"),
        ["r_foreign", "r_keep"]
    );

    // A role that owns something stays, and says why.
    server.sql("postgres", "CREATE TABLE sales.owned (); ALTER TABLE sales.owned OWNER TO r_keep");
    let gone = DesiredAccessControl { delete: true, ..own[0].clone() };
    let feedback = apply(&settings, "R_", &[gone]);
    assert!(feedback["d1"].errors[0].contains("owns 1 objects"), "{:?}", feedback["d1"].errors);
    assert_eq!(feedback["d1"].actual_name, "r_keep");

    let after = catalogue(&server);
    let untouched = before.iter().filter(|line| {
        !line.contains("notes")
            && !line.contains("sales.orders")
            && !line.starts_with("database")
            && !line.starts_with("schema")
    });
    for line in untouched {
        assert!(after.contains(line), "{line} is gone");
    }
}

#[test]
fn locked_parts_stay_as_they_are() {
    let (server, settings) = shop();
    let mut control = role(
        "e1",
        "locked",
        who(&["ann"], &["byhand"]),
        vec![item("table", "postgres.sales.orders", &["SELECT"])],
    );
    converge(&server, &settings, "", std::slice::from_ref(&control));
    let before = catalogue(&server);
    control.who = who(&["bob"], &["notes"]);
    control.what = vec![item("table", "postgres.sales.orders", &["INSERT"])];
    control.locks = ApplyLocks { who: true, inheritance: true, what: true, delete: true };
    let (plans, _) = converge(&server, &settings, "", std::slice::from_ref(&control));
    assert!(plans["e1"].operations.is_empty());
    control.delete = true;
    let feedback = apply(&settings, "", std::slice::from_ref(&control));
    assert_eq!((feedback["e1"].warnings.len(), feedback["e1"].actual_name.as_str()), (1, "locked"));
    assert_eq!(catalogue(&server), before);
    control.delete = false;
    control.locks = ApplyLocks { who: false, inheritance: true, what: true, delete: true };
    let (plans, _) = converge(&server, &settings, "", &[control]);
    assert_eq!(plans["e1"].operations.len(), 2);
}

#[test]
fn filters_are_policies() {
    let (server, settings) = shop();
    let reader = role(
        "f0",
        "reader",
        who(&["ann", "bob"], &[]),
        vec![item("table", "postgres.sales.orders", &["SELECT"])],
    );
    let eu = filter("f1", "{region} = 'EU'", who(&["ann"], &[]), "postgres.sales.orders");
    let all = filter("f2", "true", who(&[], &["ID:f0"]), "postgres.sales.orders");
    let rows =
        |user: &str| server.query_as(user, user, "postgres", "SELECT id FROM sales.orders ORDER BY id");

    let (plans, feedback) = converge(&server, &settings, "", &[reader.clone(), eu.clone()]);
    assert_eq!(feedback["f1"].external_id.as_deref(), Some("policy:postgres.sales.orders.f1"));
    assert!(plans["f1"].operations.iter().any(|operation| operation.summary.contains("row security on")));
    assert_eq!((rows("ann"), rows("bob")), (vec!["1".to_owned()], vec![]));

    converge(&server, &settings, "", &[reader.clone(), eu.clone(), all.clone()]);
    assert_eq!(rows("bob"), ["1", "2"]);

    // Another condition, and a table that lets nobody in.
    let us = DesiredAccessControl { policy_rule: Some("{region} = 'US'".into()), ..eu.clone() };
    let nobody = DesiredAccessControl { who: who(&[], &[]), ..all.clone() };
    converge(&server, &settings, "", &[reader.clone(), us.clone(), nobody]);
    assert_eq!((rows("ann"), rows("bob")), (vec!["2".to_owned()], vec![]));

    // A rule that would leave its condition is refused, and the policy stays.
    let evil = DesiredAccessControl { policy_rule: Some("true) WITH CHECK (true".into()), ..us.clone() };
    assert_eq!(apply(&settings, "", &[evil])["f1"].errors.len(), 1);
    assert_eq!(rows("ann"), ["2"]);

    // The last one that goes switches row security off; a foreign policy keeps it on.
    server.sql("postgres", "CREATE POLICY foreign_one ON sales.orders USING (false)");
    let gone = |control: &DesiredAccessControl| DesiredAccessControl { delete: true, ..control.clone() };
    converge(&server, &settings, "", &[reader.clone(), us.clone(), gone(&all)]);
    apply(&settings, "", &[gone(&us)]);
    assert_eq!(
        server.rows("postgres", "SELECT relrowsecurity FROM pg_class WHERE relname = 'orders'"),
        ["t"]
    );
    converge(&server, &settings, "", &[reader.clone(), us.clone()]);
    server.sql("postgres", "DROP POLICY foreign_one ON sales.orders");
    let feedback = apply(&settings, "", &[reader, gone(&us)]);
    assert_eq!(feedback["f1"].warnings.len(), 1);
    assert_eq!(
        server.rows("postgres", "SELECT relrowsecurity FROM pg_class WHERE relname = 'orders'"),
        ["f"]
    );
    assert_eq!(rows("bob"), ["1", "2"]);
}

#[test]
fn several_databases_are_changed_and_cleaned() {
    let (server, _) = shop();
    server.sql("postgres", "CREATE DATABASE \"H.R\"");
    server.sql("H.R", "CREATE TABLE staff (id int)");
    let settings = server.settings(&[("pg-databases", "postgres,H.R")]);
    let mut control = role(
        "g1",
        "both",
        who(&["ann"], &[]),
        vec![
            item("table", "postgres.sales.orders", &["SELECT"]),
            item("table", "\"H.R\".public.staff", &["SELECT", "DELETE"]),
            // On a schema: everything in it that knows the privilege.
            item("schema", "postgres.sales", &["UPDATE"]),
        ],
    );
    let (plans, _) = converge(&server, &settings, "", std::slice::from_ref(&control));
    assert!(plans["g1"].errors.is_empty());
    let privileges = "SELECT has_table_privilege('both', 'staff', 'DELETE')";
    assert_eq!(server.rows("H.R", privileges), ["t"]);
    assert_eq!(
        server.rows("postgres", "SELECT has_table_privilege('both', 'sales.open', 'UPDATE'), has_sequence_privilege('both', 'sales.numbers', 'UPDATE')"),
        ["t|t"]
    );
    control.delete = true;
    let first_only = server.settings(&[]);
    let feedback = apply(&first_only, "", std::slice::from_ref(&control));
    assert!(feedback["g1"].errors[0].contains("H.R"), "{:?}", feedback["g1"].errors);
    converge(&server, &settings, "", &[control]);
    assert_eq!(server.rows("postgres", "SELECT count(*) FROM pg_roles WHERE rolname = 'both'"), ["0"]);
}

#[test]
fn the_least_rights_are_enough() {
    let (server, _) = shop();
    for statement in [
        "CREATE ROLE raito LOGIN PASSWORD 'raito' CREATEROLE",
        "CREATE ROLE shop_owner",
        "GRANT shop_owner TO raito",
        "ALTER SCHEMA sales OWNER TO shop_owner",
        "ALTER TABLE sales.orders OWNER TO shop_owner",
        "GRANT CONNECT ON DATABASE postgres TO raito WITH GRANT OPTION",
    ] {
        server.sql("postgres", statement);
    }
    let settings = server.settings(&[("pg-user", "raito"), ("pg-password", "raito")]);
    let mut desired = vec![
        role("h1", "team", who(&["ann"], &[]), vec![item("table", "postgres.sales.orders", &["SELECT"])]),
        filter("h2", "{id} > 1", who(&["ann"], &[]), "postgres.sales.orders"),
    ];
    converge(&server, &settings, "", &desired);
    assert_eq!(server.query_as("ann", "ann", "postgres", "SELECT id FROM sales.orders"), ["2"]);
    // What it may not do is said, and the rest is done.
    desired.push(role(
        "h3",
        "other",
        who(&["bob"], &[]),
        vec![item("table", "postgres.\"Odd.Schema\".\"We\"\"ird (Table)\"", &["SELECT"])],
    ));
    let feedback = apply(&settings, "", &desired);
    assert!(feedback["h3"].errors[0].contains("42501"), "{:?}", feedback["h3"].errors);
    for control in &mut desired {
        control.delete = true;
    }
    assert!(apply(&settings, "", &desired).values().all(|outcome| outcome.errors.is_empty()));
    assert_eq!(
        server.rows("postgres", "SELECT count(*) FROM pg_roles WHERE rolname IN ('team', 'other')"),
        ["0"]
    );
}

#[test]
fn a_grant_of_somebody_else_is_taken_back_too() {
    let (server, settings) = shop();
    let control = role("i1", "team", who(&[], &[]), vec![]);
    converge(&server, &settings, "", std::slice::from_ref(&control));
    server.sql(
        "postgres",
        "GRANT USAGE ON SCHEMA sales TO ann; GRANT SELECT ON sales.orders TO ann WITH GRANT OPTION",
    );
    server.query_as("ann", "ann", "postgres", "GRANT SELECT ON sales.orders TO team");
    let (plans, _) = converge(&server, &settings, "", &[control]);
    assert_eq!(plans["i1"].operations.len(), 1);
    assert_eq!(
        server.rows("postgres", "SELECT has_table_privilege('team', 'sales.orders', 'SELECT')"),
        ["f"]
    );
}
