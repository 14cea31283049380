//! Reading: every kind of record, compared with what the catalogue holds.

use std::collections::{BTreeMap, BTreeSet};

use raito_connector::{AccessControl, Action, DataObject, Statement, SyncScope};
use raito_connector_postgres::settings::Settings;
use raito_connector_postgres::{identities, metadata, objects, read, usage};

use crate::server::Server;

fn company(more: &[(&str, &str)]) -> (Server, Settings) {
    let server = Server::start();
    for statement in include_str!("company.sql").split(";\n") {
        server.sql("postgres", statement);
    }
    server.sql("hr", "CREATE TABLE staff (id int); GRANT SELECT ON staff TO analyst");
    let settings = server.settings(more);
    (server, settings)
}

fn all_objects(settings: &Settings, parent: Option<&str>, excludes: &[&str]) -> Vec<DataObject> {
    let scope = SyncScope {
        parent: parent.map(str::to_owned),
        excludes: excludes.iter().map(|&exclude| exclude.to_owned()).collect(),
    };
    let mut all = Vec::new();
    objects::objects(settings, &scope, |object| {
        all.push(object);
        Ok(())
    })
    .unwrap();
    all
}

fn names(objects: &[DataObject]) -> BTreeSet<String> {
    objects.iter().map(|object| format!("{} {}", object.object_type, object.full_name)).collect()
}

fn controls(settings: &Settings) -> BTreeMap<String, AccessControl> {
    let mut all = BTreeMap::new();
    read::access_controls(settings, |control| {
        let id = control.external_id.clone();
        assert!(all.insert(id.clone(), control).is_none(), "{id} came twice");
        Ok(())
    })
    .unwrap();
    all
}

fn what(control: &AccessControl) -> BTreeSet<String> {
    let items = control.what.iter();
    items
        .map(|item| {
            format!("{} {}: {}", item.object.object_type, item.object.full_name, item.permissions.join(" "))
        })
        .collect()
}

fn set<const N: usize>(texts: [&str; N]) -> BTreeSet<String> {
    texts.into_iter().map(str::to_owned).collect()
}

fn statements(settings: &Settings) -> Vec<Statement> {
    let mut all = Vec::new();
    usage::statements(settings, |statement| {
        all.push(statement);
        Ok(())
    })
    .unwrap();
    all
}

#[test]
fn users_are_the_roles_that_can_log_in() {
    let (_server, settings) = company(&[("pg-machine-user-pattern", "svc_*"), ("pg-excluded-roles", "lead")]);
    let mut users = Vec::new();
    identities::users(&settings, |user| {
        users.push(user);
        Ok(())
    })
    .unwrap();
    let names: Vec<&str> = users.iter().map(|user| user.user_name.as_str()).collect();
    assert_eq!(names, ["ann", "bob@example.com", "postgres", "svc_etl"]);
    assert_eq!(users[1].email, "bob@example.com");
    assert_eq!(users[0].email, "");
    assert_eq!(users[3].is_machine, Some(true));
    assert_eq!(users[0].is_machine, Some(false));
    assert!(
        users[3]
            .tags
            .iter()
            .any(|tag| tag.key == "password-valid-until" && tag.value.starts_with("2001-01-01"))
    );
    assert!(users[2].tags.iter().any(|tag| tag.key == "superuser"));
}

#[test]
fn objects_come_with_their_types_parents_and_comments() {
    let (_server, settings) = company(&[("pg-databases", "postgres,hr"), ("pg-excluded-schemas", "scratch")]);
    let objects = all_objects(&settings, None, &[]);
    let present = names(&objects);
    for expected in [
        "database postgres",
        "database hr",
        "schema postgres.sales",
        "table postgres.sales.orders",
        "view postgres.sales.big_orders",
        "materialized-view postgres.sales.totals",
        "table postgres.sales.events",
        "table postgres.sales.events_2024",
        "sequence postgres.sales.numbers",
        "function postgres.sales.total(integer, text)",
        "procedure postgres.sales.tidy(integer)",
        "column postgres.sales.orders.card",
        "column postgres.sales.totals.total",
        "schema postgres.\"Odd.Schema\"",
        "table postgres.\"Odd.Schema\".\"We\"\"ird (Table)\"",
        "column postgres.\"Odd.Schema\".\"We\"\"ird (Table)\".\"Ünï.Col\"",
        "table hr.public.staff",
        "column hr.public.staff.id",
    ] {
        assert!(present.contains(expected), "{expected} is missing among {present:#?}");
    }
    assert!(
        !present
            .iter()
            .any(|name| name.contains("scratch") || name.contains("pg_catalog") || name.contains("gone"))
    );
    let ids: BTreeSet<&str> = objects.iter().map(|object| object.external_id.as_str()).collect();
    assert_eq!(ids.len(), objects.len());
    let types: BTreeSet<String> =
        metadata::metadata().object_types.into_iter().map(|kind| kind.name).collect();
    let mut seen = BTreeSet::new();
    for object in &objects {
        assert!(types.contains(&object.object_type), "{}", object.object_type);
        let is_root = object.object_type == "database";
        assert!(is_root && object.parent_external_id.is_empty() || seen.contains(&object.parent_external_id));
        seen.insert(object.external_id.clone());
    }
    let of = |name: &str| objects.iter().find(|object| object.full_name == name).unwrap();
    assert_eq!(of("postgres.sales").description, "Orders and customers");
    assert_eq!(of("postgres.sales.orders").description, "One row per order");
    let card = of("postgres.sales.orders.card");
    assert_eq!((card.description.as_str(), card.data_type.as_deref()), ("Card number", Some("text")));
    assert_eq!(of("postgres.sales.orders.amount").data_type.as_deref(), Some("numeric(10,2)"));
}

#[test]
fn a_part_of_the_objects_can_be_read() {
    let (server, settings) = company(&[]);
    assert_eq!(
        names(&all_objects(&settings, Some("postgres.sales.orders"), &["card", "amount"])),
        set(["column postgres.sales.orders.id", "column postgres.sales.orders.region"])
    );
    let without = names(&all_objects(&settings, Some("postgres.sales"), &["orders", "total(integer, text)"]));
    assert!(!without.iter().any(|name| name.contains(".orders") || name.contains("total(")));
    assert!(without.contains("view postgres.sales.big_orders") && !without.contains("schema postgres.sales"));
    let schemas = server.settings(&[("pg-schemas", "postgres.sal*"), ("pg-skip-columns", "true")]);
    let some = names(&all_objects(&schemas, None, &[]));
    assert!(some.contains("table postgres.sales.orders"));
    assert!(!some.iter().any(|name| name.starts_with("column") || name.contains("scratch")));
}

#[test]
fn access_controls_say_who_may_do_what() {
    let (_server, settings) = company(&[("pg-databases", "*")]);
    let controls = controls(&settings);

    let reader = &controls["role:reader"];
    let who = reader.who.as_ref().unwrap();
    assert_eq!(
        (who.users.clone(), who.access_controls.clone()),
        (vec!["bob@example.com".to_owned()], vec!["role:analyst".to_owned()])
    );
    assert_eq!(
        what(reader),
        set([
            "database postgres: CONNECT",
            "schema postgres.sales: USAGE",
            "view postgres.sales.big_orders: SELECT",
        ])
    );
    assert!(!reader.locks.everything && reader.locks.who.is_none() && reader.locks.delete.is_none());
    assert_eq!((reader.control_type.as_deref(), reader.action), (Some("role"), Action::Grant));

    // Somebody who can log in and has members hands them what the role has.
    let analyst = &controls["role:analyst"];
    assert_eq!(analyst.who.as_ref().unwrap().users, ["ann", "lead"]);
    assert!(analyst.locks.who.as_ref().is_some_and(|lock| lock.reason.is_some()));
    assert_eq!(
        what(analyst),
        set([
            "column postgres.sales.orders.id: SELECT",
            "column postgres.sales.orders.region: SELECT UPDATE",
            "procedure postgres.sales.tidy(integer): EXECUTE",
            "sequence postgres.sales.numbers: USAGE",
            "table hr.public.staff: SELECT",
        ])
    );

    let odd = &controls["role:We\"ird Role.x"];
    assert_eq!(what(odd), set(["table postgres.\"Odd.Schema\".\"We\"\"ird (Table)\": INSERT SELECT"]));
    let owner = &controls["role:owner_role"];
    assert_eq!(
        what(owner),
        set(["schema postgres.sales: OWNERSHIP", "table postgres.sales.orders: OWNERSHIP"])
    );
    assert!(owner.locks.delete.is_some());
    assert!(controls["role:almighty"].locks.everything);
    let predefined = &controls["role:pg_read_all_stats"];
    // pg_monitor holds it too, but nobody holds pg_monitor, so it is not shown and not referred to.
    assert_eq!(predefined.who.as_ref().map(|who| who.access_controls.clone()), Some(vec![]));
    assert!(predefined.locks.everything && predefined.who.as_ref().unwrap().users == ["svc_etl"]);
    assert!(!controls.contains_key("role:pg_signal_backend"));

    let bob = &controls["grants:bob@example.com"];
    assert_eq!(what(bob), set(["table postgres.sales.orders: DELETE"]));
    assert!(bob.locks.everything && bob.control_type.as_deref() == Some("aclSet"));
    let everybody = &controls["grants:PUBLIC"];
    assert!(what(everybody).contains("function postgres.sales.total(integer, text): EXECUTE"));
    assert!(what(everybody).contains("database hr: CONNECT TEMPORARY"));
    assert_eq!(
        everybody.who.as_ref().unwrap().users,
        ["ann", "bob@example.com", "lead", "postgres", "svc_etl"]
    );

    let future = &controls["default:postgres.owner_role.sales.TABLES.reader"];
    assert_eq!(what(future), set(["schema postgres.sales: SELECT ON FUTURE TABLES"]));
    assert_eq!(future.who.as_ref().unwrap().access_controls, ["role:reader"]);
    let anywhere = &controls["default:postgres.owner_role.\"\".ROUTINES.ann"];
    assert_eq!(what(anywhere), set(["database postgres: EXECUTE ON FUTURE ROUTINES"]));

    let policy = &controls["policy:postgres.sales.orders.only_eu"];
    assert_eq!((policy.action, policy.policy.as_str()), (Action::Filtered, "(region = 'EU'::text)"));
    assert_eq!(policy.who.as_ref().unwrap().access_controls, ["role:analyst"]);
    assert!(policy.locks.everything && !policy.incomplete);
    assert!(controls["policy:postgres.sales.orders.no_insert"].incomplete);
    assert!(!controls.keys().any(|id| id.contains("asleep")));

    let known: BTreeMap<String, BTreeSet<String>> = metadata::metadata()
        .object_types
        .into_iter()
        .map(|kind| (kind.name, kind.permissions.into_iter().map(|permission| permission.name).collect()))
        .collect();
    for item in controls.values().flat_map(|control| &control.what) {
        for permission in &item.permissions {
            assert!(known[&item.object.object_type].contains(permission), "{permission}");
        }
    }
}

#[test]
fn usage_tells_who_read_and_wrote_what_and_stays_the_same() {
    let (server, settings) = company(&[("pg-databases", "postgres,hr")]);
    server.sql("postgres", "GRANT USAGE ON SCHEMA sales TO ann; GRANT SELECT, INSERT ON sales.orders TO ann");
    server.sql("postgres", "CREATE TABLE public.plain (x int); GRANT ALL ON plain TO ann");
    server.sql("postgres", "SELECT pg_stat_statements_reset()");
    for _ in 0..3 {
        server.query_as("ann", "ann", "postgres", "SELECT region FROM sales.orders WHERE id = 7");
    }
    server.query_as("ann", "ann", "postgres", "INSERT INTO plain SELECT id FROM sales.orders");
    server.query_as("ann", "ann", "postgres", "BEGIN");
    server.query_as("ann", "ann", "postgres", "SELECT count(*) FROM pg_catalog.pg_class");
    server.sql("hr", "SELECT * FROM staff");

    let first = statements(&settings);
    let of = |text: &str| first.iter().find(|statement| statement.query.contains(text)).unwrap();
    let touched = |statement: &Statement| -> BTreeSet<String> {
        let accessed = statement.accessed.iter();
        accessed.map(|one| format!("{} {:?}", one.object.full_name, one.permission.unwrap())).collect()
    };
    let select = of("SELECT region");
    assert_eq!((select.user.as_str(), select.error.as_str(), select.success), ("ann", "", true));
    assert!(select.external_id.ends_with("-3") && select.start_time.is_some() && select.query.contains("$1"));
    assert_eq!(touched(select), set(["postgres.sales.orders GlobalPermission::Read"]));
    let insert = of("INSERT INTO plain");
    assert_eq!(
        touched(insert),
        set([
            "postgres.public.plain GlobalPermission::Write",
            "postgres.sales.orders GlobalPermission::Read"
        ])
    );
    assert_eq!(touched(of("FROM staff")), set(["hr.public.staff GlobalPermission::Read"]));
    assert_eq!(first.len(), 3, "{first:#?}");

    let ids = |statements: &[Statement]| -> Vec<String> {
        statements.iter().map(|statement| format!("{statement:?}")).collect()
    };
    assert_eq!(ids(&statements(&settings)), ids(&first), "a counter that has not moved is the same record");
    server.query_as("ann", "ann", "postgres", "SELECT region FROM sales.orders WHERE id = 7");
    let ids: BTreeSet<String> = first.into_iter().map(|statement| statement.external_id).collect();
    let again = statements(&settings);
    assert_eq!(again.iter().filter(|statement| !ids.contains(&statement.external_id)).count(), 1);
}

#[test]
fn without_the_extension_there_is_no_usage() {
    let server = Server::start();
    assert!(statements(&server.settings(&[])).is_empty());
}
