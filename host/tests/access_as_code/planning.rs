//! `raito access plan` and `apply`: what they answer, what they refuse, and that what is refused changes nothing.

use std::slice::from_ref;

use serde_json::json;

use crate::company::{self, SHOP, reader, state};
use crate::site::Site;

#[test]
fn plans_are_answered_saved_and_refused() {
    let site = company::start();
    exit_codes(&site);
    what_cannot_be_applied_changes_nothing(&site);
    what_the_server_refuses_changes_nothing(&site);
    nobody_confirms(&site);
    a_saved_plan(&site);
    removals_are_limited(&site);
}

fn exit_codes(site: &Site) {
    site.file(&[reader("Readers", &["ann"], "orders")]);
    let plan = site.access(&["plan"]);
    assert_eq!(plan.code, 2, "{plan:?}");
    assert!(plan.stdout.contains("+ Readers (r_readers)") && plan.stdout.contains("1 to create"), "{plan:?}");
    assert!(!site.can_read("ann", "orders"));
    site.access(&["apply", "--yes"]).succeeded();
    assert!(site.can_read("ann", "orders"));
    let plan = site.access(&["plan"]).succeeded();
    assert!(plan.stdout.contains("nothing to change, 1 unchanged"), "{plan:?}");
    site.access(&["apply"]).succeeded();
    site.access(&["plan", "-a", "nowhere.yml"]).failed(32, "nowhere.yml: there is no such file", "");
}

fn what_cannot_be_applied_changes_nothing(site: &Site) {
    let good = reader("Others", &["bob"], "customers");
    let object = |kind: &str, name: &str, permission: &str| json!({ "name": "Bad", "what": [ { "dataObject": { "fullName": name, "type": kind }, "permissions": [permission] } ] });
    for (bad, cause) in [
        (reader("Bad", &["nobody"], "orders"), "there is no user \"nobody\""),
        (reader("Bad", &["r_readers"], "orders"), "there is no user \"r_readers\""),
        (object("table", "shop.sales.nothing", "SELECT"), "there is no table shop.sales.nothing"),
        (object("view", "shop.sales.orders", "SELECT"), "there is no view shop.sales.orders"),
        (
            object("column", "shop.sales.orders.nothing", "SELECT"),
            "there is no column shop.sales.orders.nothing",
        ),
        (object("table", "other.sales.orders", "SELECT"), "does not cover the database \"other\""),
        (json!({ "name": "Bad", "who": { "groups": ["all"] } }), "PostgreSQL has no groups"),
        (json!({ "name": "Bad", "who": { "inheritFrom": ["no_role"] } }), "there is no role \"no_role\""),
        (json!({ "name": "Bad", "externalId": "role:ann" }), "the role \"ann\" can log in"),
    ] {
        let before = state(site);
        // What was applied is to go, one is to come, and one cannot.
        site.file(&[good.clone(), bad]);
        for arguments in [&["plan"][..], &["apply", "--yes", "--max-removals", "100%"]] {
            let outcome = site.access(arguments).failed(31, "1 access control cannot be applied", "");
            assert!(outcome.stdout.contains("! Bad") || outcome.stdout.contains("+ Bad"), "{outcome:?}");
            assert!(outcome.stdout.contains(cause), "{cause}: {outcome:?}");
        }
        assert_eq!(state(site), before, "{cause}");
    }
}

/// The plan finds nothing wrong, and the last statement of the apply fails.
fn what_the_server_refuses_changes_nothing(site: &Site) {
    site.server.sql(SHOP, "CREATE ROLE stranger; GRANT stranger TO r_readers");
    let mut circle = reader("Readers", &["bob"], "orders");
    circle["who"]["inheritFrom"] = json!(["stranger"]);
    site.file(&[circle, reader("Others", &["bob"], "customers")]);
    let before = state(site);
    let outcome = site.access(&["apply", "--yes"]).failed(31, "nothing was changed", "");
    assert!(
        outcome.stderr.contains("grant r_readers to stranger: role \"r_readers\" is a member of role"),
        "{outcome:?}"
    );
    assert_eq!(state(site), before);
    site.server.sql(SHOP, "DROP ROLE stranger");
}

fn nobody_confirms(site: &Site) {
    let before = state(site);
    site.file(&[reader("Readers", &["bob"], "orders")]);
    site.access(&["apply"]).failed(35, "nobody can be asked here: nothing was applied", "--yes");
    assert_eq!(state(site), before);
}

fn a_saved_plan(site: &Site) {
    let (ann, bob) = (reader("Readers", &["ann"], "orders"), reader("Readers", &["bob"], "orders"));
    site.apply(from_ref(&ann));
    site.file(from_ref(&bob));
    assert_eq!(site.access(&["plan", "--out", "plan.json"]).code, 2);
    assert!(site.can_read("ann", "orders"));
    // What was reviewed counts, not what the file says by now. A saved plan needs no confirmation.
    site.file(&[]);
    site.access(&["apply", "plan.json"]).succeeded();
    assert!(site.can_read("bob", "orders") && !site.can_read("ann", "orders"));
    // Once more, as when a job is run again: it has been done.
    let again = site.access(&["apply", "plan.json"]).succeeded();
    assert!(again.stdout.contains("nothing was changed"), "{again:?}");
    assert!(site.can_read("bob", "orders") && !site.can_read("ann", "orders"));
    site.write(
        "plans.json",
        &std::fs::read_to_string(site.folder().join("plan.json"))
            .unwrap()
            .replace("\"target\": \"warehouse\"", "\"target\": \"elsewhere\""),
    );
    site.access(&["apply", "plans.json"]).failed(3, "a target that is not configured", "");
    for (arguments, cause) in [
        (["apply", "plan.json", "--access-file", "access.yml"], "--access-file means nothing beside it"),
        (["apply", "--format", "json", "--max-removals=1"], "shows no plan that could be confirmed"),
    ] {
        let code = if arguments.contains(&"json") { 35 } else { 3 };
        site.access(&arguments).failed(code, cause, "");
    }

    site.file(&[ann, reader("Others", &["bob"], "customers")]);
    assert_eq!(site.access(&["plan", "--out", "plan.json"]).code, 2);
    site.server.sql(SHOP, "REVOKE SELECT ON sales.orders FROM r_readers");
    let before = state(site);
    let outcome = site.access(&["apply", "plan.json"]);
    let outcome = outcome.failed(34, "what is to be done differs for Readers", "raito access plan");
    assert!(!outcome.stderr.contains("Others"), "{outcome:?}");
    assert_eq!(state(site), before);

    site.access(&["apply", "--yes", "--access-prefix", "X_", "plan.json"]).failed(34, "prefix", "");
    let printed = site.access(&["plan", "--format", "json"]);
    site.write("printed.json", &printed.stdout);
    site.access(&["apply", "printed.json"]).failed(3, "it was printed, not saved", "--out");
    site.write("cut.json", &printed.stdout[..printed.stdout.len() / 2]);
    site.access(&["apply", "cut.json"]).failed(3, "cut.json cannot be used", "");
    assert_eq!(state(site), before);
}

fn removals_are_limited(site: &Site) {
    let all: Vec<_> = (0..5).map(|at| reader(&format!("Control {at}"), &["ann"], "orders")).collect();
    let lost = |count: usize| -> Vec<_> {
        let changed = |at: usize| {
            if at < count { reader(&format!("Control {at}"), &["bob"], "orders") } else { all[at].clone() }
        };
        (0..5).map(changed).collect()
    };
    // What is to be, the limit, and whether it is allowed.
    for (file, limit, allowed) in [
        (vec![], None, false),
        (vec![], Some("4"), false),
        (vec![], Some("5"), true),
        (vec![], Some("99%"), false),
        (vec![], Some("100%"), true),
        (all[..1].to_vec(), None, false),
        (all[..2].to_vec(), None, true),
        (all[..2].to_vec(), Some("0"), false),
        (all[..2].to_vec(), Some("50%"), false),
        (all[..2].to_vec(), Some("60%"), true),
        (lost(4), None, false),
        (lost(3), None, true),
        (lost(1), Some("0%"), false),
        (lost(1), Some("20%"), true),
    ] {
        site.apply(&all);
        let before = state(site);
        site.file(&file);
        let mut arguments = vec!["apply", "--yes"];
        arguments.extend(limit.iter().flat_map(|limit| ["--max-removals", limit]));
        let outcome = site.access(&arguments);
        if allowed {
            outcome.succeeded();
            assert_ne!(state(site), before);
        } else {
            let cause = if limit.is_none() && file.is_empty() {
                "all 5 access controls"
            } else {
                "of the 5 access controls"
            };
            outcome.failed(33, cause, "--max-removals");
            assert_eq!(state(site), before, "{limit:?}");
        }
    }
    // A saved plan is no way around it.
    site.apply(&all);
    site.file(&[]);
    assert_eq!(site.access(&["plan", "--out", "plan.json"]).code, 2);
    site.access(&["apply", "plan.json"]).failed(33, "all 5 access controls", "");
}
