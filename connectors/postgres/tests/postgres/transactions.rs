//! What happens when something cannot be applied, and what others see in the meantime.

use raito_connector::{ApplyOptions, DesiredAccessControl, Error};
use raito_connector_postgres::settings::Settings;
use raito_connector_postgres::target;

use crate::desired::{
    Rounds, apply, apply_with, catalogue, converge, filter, item, options, plan_with, role, shop, who,
};
use crate::server::Server;

fn all_or_nothing() -> ApplyOptions {
    ApplyOptions { all_or_nothing: true, ..options("R_") }
}

fn selects(tables: &[&str]) -> Vec<raito_connector::WhatItem> {
    tables.iter().map(|table| item("table", table, &["SELECT"])).collect()
}

#[test]
fn an_error_that_is_known_before_stops_everything() {
    let (server, settings) = shop();
    let good = role("a", "good", who(&["ann"], &[]), selects(&["postgres.sales.orders"]));
    let old = role("d", "old", who(&["ann"], &[]), vec![]);
    converge(&server, &settings, "R_", std::slice::from_ref(&old));
    let before = catalogue(&server);
    let desired = [
        good.clone(),
        role("b", "bad", who(&["nobody"], &[]), selects(&["postgres.sales.missing"])),
        DesiredAccessControl { name: "older".into(), ..old },
    ];
    let plans = plan_with(&settings, &all_or_nothing(), &desired);
    let feedback = apply_with(&settings, &all_or_nothing(), &desired);
    assert_eq!(catalogue(&server), before);
    assert_eq!(feedback["b"].errors, plans["b"].errors);
    assert_eq!(feedback["b"].errors.len(), 2);
    for (id, name) in [("a", ""), ("d", "r_old")] {
        let outcome = &feedback[id];
        assert!(outcome.errors.is_empty());
        assert_eq!((outcome.operations, outcome.actual_name.as_str()), (0, name));
        assert_eq!(outcome.warnings, ["not applied, because another access control could not be applied"]);
    }
    // All of it, when all of it can be.
    let feedback = apply_with(&settings, &all_or_nothing(), &[good]);
    assert!(feedback.values().all(|outcome| outcome.errors.is_empty() && outcome.warnings.is_empty()));
    assert_eq!(feedback["a"].operations, 7);
}

#[test]
fn an_error_of_the_server_undoes_everything() {
    let (server, _) = shop();
    for statement in [
        "CREATE ROLE raito LOGIN PASSWORD 'raito' CREATEROLE",
        "GRANT CONNECT ON DATABASE postgres TO raito WITH GRANT OPTION",
        "GRANT USAGE ON SCHEMA sales TO raito WITH GRANT OPTION",
        "GRANT SELECT ON sales.orders TO raito WITH GRANT OPTION",
    ] {
        server.sql("postgres", statement);
    }
    let settings = server.settings(&[("pg-user", "raito"), ("pg-password", "raito")]);
    let first = role("z", "first", who(&["ann"], &[]), selects(&["postgres.sales.orders"]));
    apply_with(&settings, &all_or_nothing(), std::slice::from_ref(&first));
    let before = catalogue(&server);
    let desired = [
        role("a", "good", who(&["ann"], &[]), selects(&["postgres.sales.orders"])),
        // The connector may not pass this on. It has another privilege on the table, so the server only warns.
        role("m", "bad", who(&["ann"], &[]), vec![item("table", "postgres.sales.orders", &["INSERT"])]),
        DesiredAccessControl { name: "renamed".into(), who: who(&["bob"], &[]), ..first },
    ];
    let feedback = apply_with(&settings, &all_or_nothing(), &desired);
    assert_eq!(catalogue(&server), before);
    assert!(feedback["m"].errors[0].contains("01007"), "{:?}", feedback["m"].errors);
    assert_eq!((feedback["m"].operations, feedback["m"].actual_name.as_str()), (0, ""));
    assert_eq!((feedback["a"].operations, feedback["a"].actual_name.as_str()), (0, ""));
    assert_eq!((feedback["z"].operations, feedback["z"].actual_name.as_str()), (0, "r_first"));
    assert!(feedback["a"].errors.is_empty() && feedback["a"].warnings.len() == 1);

    // Without it the others go on.
    let feedback = apply(&settings, "R_", &desired);
    assert_eq!((feedback["a"].errors.len(), feedback["m"].errors.len()), (0, 1));
    assert_eq!(feedback["z"].actual_name, "r_renamed");
}

#[test]
fn what_the_server_takes_without_a_word_and_does_not_do_undoes_everything() {
    let (server, _) = shop();
    // A grantor can take back what it gave alone; the server does not say that it did nothing.
    for statement in [
        "CREATE ROLE raito LOGIN PASSWORD 'raito' CREATEROLE",
        "GRANT CONNECT ON DATABASE postgres TO raito WITH GRANT OPTION",
        "GRANT USAGE ON SCHEMA sales TO raito WITH GRANT OPTION",
        "GRANT SELECT, INSERT ON sales.orders TO raito WITH GRANT OPTION",
    ] {
        server.sql("postgres", statement);
    }
    let settings = server.settings(&[("pg-user", "raito"), ("pg-password", "raito")]);
    let readers = role("a", "readers", who(&["ann"], &[]), selects(&["postgres.sales.orders"]));
    let feedback = apply_with(&settings, &all_or_nothing(), std::slice::from_ref(&readers));
    assert!(feedback["a"].errors.is_empty(), "{:?}", feedback["a"].errors);
    server.sql("postgres", "GRANT INSERT ON sales.orders TO r_readers");
    let before = catalogue(&server);
    let more = DesiredAccessControl { who: who(&["ann", "bob"], &[]), ..readers };
    let feedback = apply_with(&settings, &all_or_nothing(), &[more]);
    assert_eq!(catalogue(&server), before, "something was applied");
    assert_eq!(feedback["a"].operations, 0);
    assert_eq!(
        feedback["a"].errors,
        [
            "revoke INSERT on postgres.sales.orders from r_readers: this had no effect; probably it was granted by \
          somebody whom the connector may not act for"
        ]
    );
}

#[test]
fn a_role_goes_whoever_granted_what_it_has() {
    let (server, _) = shop();
    // The connector gives CONNECT in its own name, and DROP OWNED takes back what the owner gave.
    for statement in [
        "CREATE ROLE raito LOGIN PASSWORD 'raito' CREATEROLE",
        "CREATE ROLE owner",
        "GRANT owner TO raito",
        "ALTER DATABASE postgres OWNER TO owner",
        "GRANT CONNECT ON DATABASE postgres TO raito WITH GRANT OPTION",
    ] {
        server.sql("postgres", statement);
    }
    let settings = server.settings(&[("pg-user", "raito"), ("pg-password", "raito")]);
    let connect = vec![item("database", "postgres", &["CONNECT"])];
    let readers = role("a", "readers", who(&["ann"], &[]), connect);
    assert!(apply_with(&settings, &all_or_nothing(), &[readers])["a"].errors.is_empty());
    let feedback = apply_with(&settings, &all_or_nothing(), &[]);
    assert!(feedback["a"].errors.is_empty(), "{:?}", feedback["a"].errors);
    assert_eq!(server.rows("postgres", "SELECT rolname FROM pg_roles WHERE rolname = 'r_readers'").len(), 0);
}

/// The server ends the session that grants something in a database.
fn cut_grants(server: &Server, database: &str) {
    server.sql(
        database,
        "CREATE FUNCTION cut() RETURNS event_trigger LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); END $$",
    );
    server.sql(
        database,
        "CREATE EVENT TRIGGER cut ON ddl_command_start WHEN TAG IN ('GRANT') EXECUTE FUNCTION cut()",
    );
}

#[test]
fn a_run_that_is_cut_short_changes_nothing() {
    let (server, settings) = shop();
    let old = role("a", "old", who(&["ann"], &[]), selects(&["postgres.sales.orders"]));
    converge(&server, &settings, "R_", std::slice::from_ref(&old));
    cut_grants(&server, "postgres");
    let before = catalogue(&server);
    let desired = [
        DesiredAccessControl { name: "renamed".into(), what: vec![], ..old },
        role("b", "new", who(&["ann"], &[]), selects(&["postgres.sales.orders"])),
    ];
    for options in [all_or_nothing(), options("R_")] {
        let outcome = target::apply(&settings, &options, &mut Rounds::of(&desired), |_| Ok(()));
        assert!(matches!(outcome, Err(Error::Connection(_))), "{outcome:?}");
        assert_eq!(catalogue(&server), before);
    }
    server.sql("postgres", "DROP EVENT TRIGGER cut");
    converge(&server, &settings, "R_", &desired);
}

#[test]
fn a_database_that_is_lost_later_is_reported() {
    let (server, settings, [_, after]) = from_one_role_to_another();
    cut_grants(&server, "H.R");
    let feedback = apply_with(&settings, &all_or_nothing(), &after);
    assert!(feedback["b"].errors[0].starts_with("in the database \"H.R\": "), "{:?}", feedback["b"]);
    assert_eq!((feedback["b"].actual_name.as_str(), feedback["b"].operations), ("r_b", 5));
    assert_eq!((feedback["a"].actual_name.as_str(), feedback["a"].operations), ("r_a", 0));
    assert_eq!(reads(&server), [["2"], ["7"]]);
    server.sql("H.R", "DROP EVENT TRIGGER cut");
    converge(&server, &settings, "R_", &after);
}

#[test]
fn who_is_named_is_not_taken_away() {
    let (server, settings) = shop();
    let control = role("a", "team", who(&["ann", "bob"], &[]), vec![]);
    converge(&server, &settings, "R_", std::slice::from_ref(&control));
    server.sql("postgres", "ALTER ROLE bob NOLOGIN");
    let feedback = apply(&settings, "R_", &[control]);
    assert_eq!(feedback["a"].errors, ["there is no user \"bob\""]);
    assert_eq!(server.rows("postgres", "SELECT pg_has_role('bob', 'r_team', 'MEMBER')"), ["t"]);
}

#[test]
fn roles_can_change_sides() {
    let (server, settings) = shop();
    let chain = |order: [&str; 3]| -> Vec<DesiredAccessControl> {
        let member = |at: usize| order.get(at + 1).map(|id| format!("ID:{id}"));
        let control = |(at, id): (usize, &&str)| {
            let roles: Vec<String> = member(at).into_iter().collect();
            role(id, id, who(&["ann"], &roles.iter().map(String::as_str).collect::<Vec<_>>()), vec![])
        };
        order.iter().enumerate().map(control).collect()
    };
    for order in [["a", "b", "c"], ["c", "b", "a"], ["b", "a", "c"]] {
        let desired = chain(order);
        let feedback = apply_with(&settings, &all_or_nothing(), &desired);
        assert!(feedback.values().all(|outcome| outcome.errors.is_empty()), "{order:?}: {feedback:?}");
        converge(&server, &settings, "R_", &desired);
    }
}

#[test]
fn a_filter_that_cannot_be_replaced_stays() {
    let (server, settings) = shop();
    let rule = filter("f", "{region} = 'EU'", who(&["ann"], &[]), "postgres.sales.orders");
    // What somebody else called their policy is not ours.
    server.sql("postgres", "CREATE POLICY f ON sales.orders USING (false)");
    let (plans, feedback) = converge(&server, &settings, "", std::slice::from_ref(&rule));
    assert_eq!(feedback["f"].actual_name, "f__0");
    assert!(plans["f"].warnings[0].contains("\"f\" is taken"));
    let before = catalogue(&server);
    let wrong = DesiredAccessControl { policy_rule: Some("no_such_column".into()), ..rule };
    let feedback = apply(&settings, "", &[wrong]);
    assert_eq!((feedback["f"].errors.len(), feedback["f"].actual_name.as_str()), (1, "f__0"));
    assert_eq!(catalogue(&server), before);
}

/// Two databases. Ann reads the staff of the second one through the role `a`, by a filter for it; she is to read it
/// through `b`.
fn from_one_role_to_another() -> (Server, Settings, [Vec<DesiredAccessControl>; 2]) {
    let (server, _) = shop();
    server.sql("postgres", "CREATE DATABASE \"H.R\"");
    for statement in [
        "CREATE TABLE staff (id int); INSERT INTO staff VALUES (7)",
        "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$",
    ] {
        server.sql("H.R", statement);
    }
    let settings = server.settings(&[("pg-databases", "postgres,H.R")]);
    let tables = ["postgres.sales.orders", "\"H.R\".public.staff"];
    let rule = |role: &str| filter("f", "true", who(&[], &[role]), "\"H.R\".public.staff");
    let before = vec![role("a", "a", who(&["ann"], &[]), selects(&tables)), rule("ID:a")];
    let after = vec![role("b", "b", who(&["ann"], &[]), selects(&tables)), rule("ID:b")];
    let (plans, _) = converge(&server, &settings, "R_", &before);
    assert!(plans.values().all(|plan| plan.errors.is_empty()));
    (server, settings, [before, after])
}

fn reads(server: &Server) -> [Vec<String>; 2] {
    [
        server.query_as("ann", "ann", "postgres", "SELECT count(*) FROM sales.orders"),
        server.query_as("ann", "ann", "H.R", "SELECT id FROM staff"),
    ]
}

#[test]
fn nobody_is_without_what_they_keep_wherever_a_run_over_two_databases_ends() {
    let (server, settings, [_, after]) = from_one_role_to_another();
    // Each lets the run come one part further.
    for tag in ["GRANT", "CREATE POLICY", "DROP POLICY"] {
        server.sql("H.R", &format!("CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN ('{tag}') EXECUTE FUNCTION refuse()"));
        let feedback = apply_with(&settings, &all_or_nothing(), &after);
        let errors: Vec<&String> = feedback.values().flat_map(|outcome| &outcome.errors).collect();
        assert!(errors.len() == 1 && errors[0].contains("not today"), "{tag}: {feedback:#?}");
        assert_eq!(reads(&server), [["2"], ["7"]], "{tag}");
        server.sql("H.R", "DROP EVENT TRIGGER refuse");
        if tag == "GRANT" {
            // The role was made, and is reported; the rest is said not to have been done.
            assert_eq!((feedback["b"].actual_name.as_str(), feedback["b"].operations), ("r_b", 5));
            assert!(feedback["a"].warnings[0].starts_with("not applied"), "{:?}", feedback["a"]);
            assert_eq!(feedback["a"].actual_name, "r_a");
            assert!(feedback["f"].warnings[0].starts_with("not applied"), "{:?}", feedback["f"]);
        }
        if tag == "DROP POLICY" {
            assert!(feedback["a"].warnings[0].starts_with("applied in part"), "{:?}", feedback["a"]);
            assert_eq!(feedback["f"].actual_name, "r_f");
        }
    }
    converge(&server, &settings, "R_", &after);
    assert_eq!(reads(&server), [["2"], ["7"]]);
    assert_eq!(server.rows("postgres", "SELECT rolname FROM pg_roles WHERE rolname ~ '^r_'"), ["r_b"]);
    assert_eq!(server.rows("H.R", "SELECT polname FROM pg_policy"), ["r_f"]);
}

#[test]
fn the_steps_of_two_databases_grow_before_they_shrink() {
    let (server, settings, [before, after]) = from_one_role_to_another();
    let plans = plan_with(&settings, &all_or_nothing(), &after);
    let summaries =
        |id: &str| -> Vec<&str> { plans[id].operations.iter().map(|step| step.summary.as_str()).collect() };
    let policy = summaries("f")[0].to_owned();
    assert!(policy.starts_with("create policy raito_"), "{policy}");
    assert_eq!(summaries("f")[1], "drop policy r_f on \"H.R\".public.staff");
    assert!(summaries("f")[2].starts_with("rename policy raito_"));
    assert_eq!(
        summaries("a"),
        [
            "revoke everything from r_a in the database postgres",
            "revoke everything from r_a in the database H.R",
            "drop role r_a"
        ]
    );
    let b = summaries("b");
    assert_eq!(b.iter().position(|step| *step == "grant r_b to ann"), Some(b.len() - 2));
    assert_eq!(b.last(), Some(&"record what was applied to role r_b"));
    // There and back.
    converge(&server, &settings, "R_", &after);
    converge(&server, &settings, "R_", &before);
    assert_eq!(reads(&server), [["2"], ["7"]]);
}
