//! The main job: five steps, compared with the catalogue field by field; convergence; access controls made, changed and
//! deleted in the cloud, found in the catalogue and in the sessions of users.

use std::collections::{BTreeMap, BTreeSet};

use raito_test_servers::Postgres;
use serde_json::json;

use crate::arrived::{Arrived, Statement};
use crate::catalogue::Catalogue;
use crate::cloud::SECRET;
use crate::records::{AccessControl, Records, assert_same};
use crate::site::{PASSWORD, Site, TARGET};

fn set<const N: usize>(texts: [&str; N]) -> BTreeSet<String> {
    texts.map(str::to_owned).into()
}

/// Has an ordinary user run statements. Gives a part of each one's text, and what it touches.
fn use_the_company(server: &Postgres) -> Vec<(&'static str, BTreeSet<String>)> {
    server.sql("archive", "SELECT pg_stat_statements_reset()");
    let ada = |database: &str, statement: &str| server.rows_as("ada", "ada-secret", database, statement);
    ada("company", "SELECT region FROM sales.customers WHERE id = 1");
    ada("company", "SELECT b.id FROM reporting.big_orders b JOIN sales.orders o ON o.id = b.id");
    ada("company", "INSERT INTO sales.orders (id, region) SELECT id + 100, region FROM sales.customers");
    // Twice the same is one statement, what touches nothing is none, and the other database is none of ours.
    ada("company", "SELECT region FROM sales.customers WHERE id = 2");
    ada("company", "SELECT 1 + 1");
    ada("archive", "INSERT INTO old_orders (id) VALUES (1)");
    vec![
        ("SELECT region", set(["read table company.sales.customers"])),
        ("SELECT b.id", set(["read table company.sales.orders", "read view company.reporting.big_orders"])),
        ("INSERT", set(["read table company.sales.customers", "write table company.sales.orders"])),
    ]
}

/// What the server counted of the statements whose text holds one of these parts. Asked in the other database, so that the
/// question is not itself usage of the company.
fn counted(site: &Site, user: &str, expected: &[(&str, BTreeSet<String>)]) -> BTreeSet<Statement> {
    let archive = Catalogue { server: &site.server, database: "archive" };
    let rows: Vec<[String; 3]> = archive.rows(&format!(
        "SELECT s.query, s.rows, (SELECT floor(extract(epoch FROM stats_reset)) FROM pg_stat_statements_info) \
         FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid \
         WHERE d.datname = 'company' AND pg_get_userbyid(s.userid) = '{user}' AND s.query ~ 'sales|reporting|staff'"
    ));
    assert_eq!(rows.len(), expected.len(), "{rows:?}");
    rows.into_iter()
        .map(|[query, rows, start]| {
            let objects = expected.iter().find(|(part, _)| query.contains(part));
            Statement {
                user: user.to_owned(),
                objects: objects.unwrap_or_else(|| panic!("{query}")).1.clone(),
                rows: rows.parse().unwrap(),
                start: start.parse().unwrap(),
                query,
            }
        })
        .collect()
}

#[test]
fn a_server_and_the_cloud_become_and_stay_the_same() {
    let site = Site::start();
    let expected = use_the_company(&site.server);
    let before = (site.catalogue().everything_else(), site.archive());
    let untouched = || {
        assert_eq!(site.catalogue().everything_else(), before.0, "something else was changed");
        assert_eq!(site.archive(), before.1, "the other database was changed");
    };

    let controls = everything_arrives(&site, &expected);
    untouched();
    site.run().at_rest(TARGET);

    let (desk, region) = what_is_made_in_the_cloud_is_applied(&site);
    untouched();
    site.run().at_rest(TARGET);
    assert_same(&site.arrived().access_controls(), &controls);
    users_can_do_what_they_were_given(&site);

    what_is_changed_in_the_cloud_is_applied(&site, &desk);
    untouched();
    // What finn has looked at is new usage, and there is nothing else to do.
    let steps = site.run().steps(TARGET);
    assert_eq!(steps[5], "data-usage: statements 1/0/0/0");
    assert!(steps[..5].iter().all(|line| line.ends_with(" 0/0/0/0")), "{steps:#?}");

    what_is_deleted_in_the_cloud_leaves_no_trace(&site, &desk, &region);
    untouched();
    site.run().at_rest(TARGET);
    assert_same(&site.arrived().access_controls(), &controls);

    // The files of each run were to be kept; no secret is in one.
    assert!(!site.place.files("fromTarget").is_empty());
    site.cloud.stop();
    for secret in [SECRET, PASSWORD] {
        assert_eq!(site.place.holds(secret), None, "a secret lies in a file");
    }
}

/// The first run. Gives the access controls that arrived.
fn everything_arrives(site: &Site, expected: &[(&str, BTreeSet<String>)]) -> Records<AccessControl> {
    let (catalogue, arrived) = (site.catalogue(), site.arrived());
    let first = site.run();
    let (users, objects, controls) =
        (catalogue.users(), catalogue.data_objects(), catalogue.access_controls());
    assert_eq!(
        first.steps(TARGET),
        [
            // And the data source itself, at their root.
            format!("data-source: data objects {}/0/0/0", objects.len() + 1),
            format!("identity-store: users {}/0/0/0", users.len()),
            "identity-store: groups 0/0/0/0".into(),
            "access-to-target: access controls of 0 0/0/0/0".into(),
            format!("access-from-target: access controls {}/0/0/0", controls.len()),
            format!("data-usage: statements {}/0/0/0", expected.len()),
        ]
    );
    assert_same(&arrived.users(), &users);
    assert_same(&arrived.data_objects(), &objects);
    assert_same(&arrived.access_controls(), &controls);
    spot_checks(&arrived);
    assert_eq!(arrived.statements(), counted(site, "ada", expected));
    let status = site.place.status(&["--data-dir", "cloud"]);
    let status = &status["dataSources"][0];
    let mut by_type = BTreeMap::from([("datasource", 1)]);
    for object in objects.values() {
        *by_type.entry(object.kind.as_str()).or_default() += 1;
    }
    assert_eq!(by_type.len(), 11, "the company has something of every type: {by_type:?}");
    assert_eq!(status["dataObjects"], json!(by_type));
    assert_eq!(
        (&status["users"], &status["groups"], &status["accessControls"], &status["externalAccessControls"]),
        (&json!(users.len()), &json!(0), &json!(0), &json!(controls.len()))
    );
    controls
}

/// The catalogue's reader is a reader too: what a person sees in the company's files.
fn spot_checks(arrived: &Arrived<'_>) {
    let (all, detail) = (arrived.access_controls(), arrived.data_objects());
    let analyst = &all["role:analyst"];
    assert_eq!(analyst.who, set(["access control role:lead", "user dora", "user shared_account"]));
    assert_eq!(analyst.what["column company.sales.customers.region"], set(["SELECT", "UPDATE"]));
    assert_eq!(analyst.what["table company.sales.orders"], set(["INSERT", "SELECT"]));
    assert_eq!(analyst.locks.keys().collect::<Vec<_>>(), ["WhoLock"]);
    assert_eq!(all["role:reader"].who, set(["access control role:analyst", "user carol@example.com"]));
    let owner = &all["role:owner_role"];
    assert_eq!(owner.what["materialized-view company.reporting.totals"], set(["OWNERSHIP"]));
    let future = &all["default:company.owner_role.sales.TABLES.reader"];
    assert_eq!(future.what["schema company.sales"], set(["SELECT ON FUTURE TABLES"]));
    let policy = &all["policy:company.sales.customers.eu_only"];
    assert_eq!((policy.policy.as_str(), policy.action.as_str()), ("(region = 'EU'::text)", "Filtered"));
    assert!(!all.keys().any(|id| id.contains("asleep") || id.contains("archive")));
    let column = &detail["company.\"Odd.Schema \"\"x\"\"\".\"We\"\"ird (Table)\".\"Ünï.Cöl\""];
    assert_eq!((column.name.as_str(), column.data_type.as_deref()), ("Ünï.Cöl", Some("integer")));
    assert_eq!(detail["company.sales.total(integer, text)"].description, "What a customer has ordered");
    assert!(!detail.keys().any(|name| name.contains("gone") || name.starts_with("archive")));
}

/// Two access controls, found in the catalogue. Gives their ids.
fn what_is_made_in_the_cloud_is_applied(site: &Site) -> (String, String) {
    let catalogue = site.catalogue();
    let (desk, region) = make_access_controls(site);
    let third = site.run();
    assert_eq!(
        third.steps(TARGET),
        [
            "data-source: data objects 0/0/0/0",
            "identity-store: users 0/0/0/0",
            "identity-store: groups 0/0/0/0",
            "access-to-target: access controls of 2 0/2/0/0",
            "access-from-target: access controls 0/0/0/0",
            "data-usage: statements 0/0/0/0",
        ]
    );
    assert_eq!(members(site), ["analyst", "erik"]);
    assert_eq!(
        grants(site),
        [
            "column company.sales.invoices.total: SELECT UPDATE",
            "database company: CONNECT",
            // READ on the schema is read on everything in it.
            "materialized-view company.reporting.totals: SELECT",
            "schema company.reporting: USAGE",
            "schema company.sales: USAGE",
            "table company.sales.orders: SELECT",
            "view company.reporting.big_orders: SELECT",
        ]
    );
    assert_eq!(
        catalogue.rows("SELECT rolcanlogin, rolsuper, shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = 'order_desk'"),
        [["f".to_owned(), "f".into(), format!("raito:{desk}")]]
    );
    for (question, answer) in [
        ("has_table_privilege('erik', 'sales.orders', 'SELECT')", true),
        ("has_table_privilege('erik', 'sales.orders', 'INSERT')", false),
        ("has_table_privilege('erik', 'sales.invoices', 'SELECT')", false),
        ("has_column_privilege('erik', 'sales.invoices', 'total', 'SELECT')", true),
        ("has_column_privilege('erik', 'sales.invoices', 'total', 'UPDATE')", true),
        ("has_column_privilege('erik', 'sales.invoices', 'iban', 'SELECT')", false),
        ("has_schema_privilege('order_desk', 'reporting', 'USAGE')", true),
        ("has_schema_privilege('order_desk', 'reporting', 'CREATE')", false),
        ("has_table_privilege('finn', 'sales.orders', 'SELECT')", false),
        // Through the other access control.
        ("pg_has_role('ada', 'order_desk', 'MEMBER')", true),
    ] {
        assert_eq!(site.may(question), answer, "{question}");
    }
    let policies: Vec<[String; 6]> = catalogue.rows(
        "SELECT policyname, permissive, array_to_json(roles)::text, cmd, qual, with_check FROM pg_policies \
         WHERE schemaname = 'sales' AND tablename = 'orders'",
    );
    let policy =
        ["own_region", "PERMISSIVE", "[\"analyst\",\"erik\"]", "SELECT", "(region = 'north'::text)", ""];
    assert_eq!(policies, [policy.map(str::to_owned)]);
    assert!(site.may("rowsecurity FROM pg_tables WHERE tablename = 'orders'"));
    assert_eq!(statuses(site), [(desk.clone(), "SYNCED".into()), (region.clone(), "SYNCED".into())]);
    (desk, region)
}

/// In sessions of their own.
fn users_can_do_what_they_were_given(site: &Site) {
    assert_eq!(
        site.sees("erik", "SELECT id FROM sales.orders WHERE id < 100 ORDER BY id"),
        Ok(vec!["1".into(), "3".into()])
    );
    assert_eq!(site.sees("erik", "SELECT sum(total) FROM sales.invoices"), Ok(vec!["200".into()]));
    assert_eq!(site.sees("erik", "SELECT count(*) FROM reporting.big_orders"), Ok(vec!["2".into()]));
    for refused in [
        "SELECT iban FROM sales.invoices",
        "SELECT * FROM sales.customers",
        "SELECT * FROM staff.salaries",
        "DELETE FROM sales.orders",
        "CREATE TABLE sales.mine ()",
    ] {
        assert_eq!(site.sees("erik", refused), Err("42501".into()), "{refused}");
    }
    assert_eq!(site.sees("finn", "SELECT id FROM sales.orders"), Err("42501".into()));
    // Through the other access control; a row of another region has come in between.
    assert_eq!(site.sees("ada", "SELECT count(*) FROM sales.orders"), Ok(vec!["2".into()]));
    assert_eq!(site.catalogue().value("SELECT count(*) FROM sales.orders"), "4");
}

/// Somebody goes, somebody comes, a permission is dropped.
fn what_is_changed_in_the_cloud_is_applied(site: &Site, desk: &str) {
    site.cloud.update_access_control(
        desk,
        &json!({ "whoItems": [
                { "user": site.arrived().user_id("finn") },
                { "accessProvider": site.arrived().access_control_id("role:analyst") }],
            "whatDataObjects": [
                named(site, "company.sales.orders", &["SELECT"], &[]),
                named(site, "company.sales.invoices.total", &["SELECT"], &[]),
                named(site, "company.reporting", &[], &["READ"])] }),
    );
    let changed = site.run().steps(TARGET);
    assert_eq!(changed[3], "access-to-target: access controls of 2 0/1/0/0");
    assert_eq!(changed[4], "access-from-target: access controls 0/0/0/0");
    // What they did in between. What was refused was never counted.
    assert_eq!(changed[5], "data-usage: statements 5/0/0/0");
    assert_eq!(members(site), ["analyst", "finn"]);
    assert_eq!(
        grants(site),
        [
            "column company.sales.invoices.total: SELECT",
            "database company: CONNECT",
            // READ on the schema is read on everything in it.
            "materialized-view company.reporting.totals: SELECT",
            "schema company.reporting: USAGE",
            "schema company.sales: USAGE",
            "table company.sales.orders: SELECT",
            "view company.reporting.big_orders: SELECT",
        ]
    );
    assert_eq!(site.sees("erik", "SELECT id FROM sales.orders"), Err("42501".into()));
    // Granted, and behind a filter that is not for finn.
    assert_eq!(site.sees("finn", "SELECT id FROM sales.orders"), Ok(Vec::new()));
}

/// Both go.
fn what_is_deleted_in_the_cloud_leaves_no_trace(site: &Site, desk: &str, region: &str) {
    let catalogue = site.catalogue();
    site.cloud.delete_access_control(desk);
    site.cloud.delete_access_control(region);
    let deleted = site.run().steps(TARGET);
    assert_eq!(deleted[3], "access-to-target: access controls of 2 0/2/0/0");
    assert_eq!(catalogue.value("SELECT count(*) FROM pg_roles WHERE rolname = 'order_desk'"), "0");
    assert_eq!(
        catalogue
            .value("SELECT count(*) FROM pg_policies WHERE schemaname = 'sales' AND tablename = 'orders'"),
        "0"
    );
    assert!(!site.may("rowsecurity FROM pg_tables WHERE tablename = 'orders'"));
    assert_eq!(
        catalogue.value(
            "SELECT count(*) FROM pg_shdepend WHERE refobjid NOT IN (SELECT oid FROM pg_authid) \
             AND refclassid = 'pg_authid'::regclass"
        ),
        "0",
        "a grant of the role was left behind"
    );
    assert_eq!(site.sees("finn", "SELECT id FROM sales.orders"), Err("42501".into()));
    assert_eq!(site.arrived().nodes(false), Vec::<serde_json::Value>::new());
}

/// Makes a role for a user and for another access control, and a filter. Gives their ids, in ascending order of name.
fn make_access_controls(site: &Site) -> (String, String) {
    let arrived = site.arrived();
    let who = json!([
        { "user": arrived.user_id("erik") },
        { "accessProvider": arrived.access_control_id("role:analyst") }
    ]);
    let desk = site.cloud.create_access_control(&json!({
        "name": "Order Desk", "action": "Grant", "whoItems": who,
        "whatDataObjects": [
            named(site, "company.sales.orders", &["SELECT"], &[]),
            named(site, "company.sales.invoices.total", &["SELECT", "UPDATE"], &[]),
            named(site, "company.reporting", &[], &["READ"]),
        ],
        "dataSources": [{ "dataSource": site.data_source, "type": "role" }],
    }));
    let region = site.cloud.create_access_control(&json!({
        "name": "Own region", "action": "Filtered", "policyRule": "{region} = 'north'", "whoItems": who,
        "whatDataObjects": [named(site, "company.sales.orders", &[], &[])],
        "dataSources": [{ "dataSource": site.data_source, "type": "policy" }],
    }));
    (desk, region)
}

fn named(site: &Site, full_name: &str, permissions: &[&str], global: &[&str]) -> serde_json::Value {
    json!({ "permissions": permissions, "globalPermissions": global,
        "dataObjectByName": [{ "fullname": full_name, "datasource": site.data_source }] })
}

/// Direct members of the role, in order.
fn members(site: &Site) -> Vec<String> {
    let rows = site.catalogue().rows(
        "SELECT m.rolname FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member \
         WHERE pg_get_userbyid(a.roleid) = 'order_desk' ORDER BY 1",
    );
    rows.into_iter().map(|[name]| name).collect()
}

/// What the role was granted, in order.
fn grants(site: &Site) -> Vec<String> {
    site.catalogue().granted_to("order_desk")
}

/// Ids of what is managed in the cloud, with what became of it, in order of name.
fn statuses(site: &Site) -> Vec<(String, String)> {
    let mut nodes = site.arrived().nodes(false);
    nodes.sort_by_key(|node| node["name"].to_string());
    let text = |value: &serde_json::Value| crate::cloud::text(value);
    nodes.iter().map(|node| (text(&node["id"]), text(&node["syncData"][0]["syncStatus"]))).collect()
}
