//! `raito access drift` and `adopt`, and access files beside each other: what is whose, and who changed it.

use std::collections::{BTreeMap, BTreeSet};
use std::slice::from_ref;

use serde_json::{Value, json};

use crate::company::{self, SHOP, reader, state};
use crate::judge;
use crate::revokes::statements;
use crate::site::Site;

#[test]
fn what_is_whose() {
    let site = company::start();
    drift_is_told(&site);
    two_files_with_two_prefixes(&site);
    what_stands_is_adopted(&site);
}

/// The exit code of `drift`, and the state of each access control that differs.
#[track_caller]
fn drift(site: &Site) -> (i32, BTreeMap<String, String>) {
    let before = state(site);
    let outcome = site.access(&["drift", "--format", "json"]);
    assert_eq!(state(site), before);
    let report = outcome.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let controls = report["targets"][0]["accessControls"].as_array().unwrap();
    (outcome.code, controls.iter().map(|one| (text(&one["name"]), text(&one["state"]))).collect())
}

fn drift_is_told(site: &Site) {
    let file = [
        reader("Readers", &["ann"], "orders"),
        reader("Others", &["bob"], "customers"),
        reader("Third", &["carl"], "orders"),
    ];
    site.apply(&file);
    assert_eq!(drift(site), (0, BTreeMap::new()));
    let expected = |states: &[(&str, &str)]| -> BTreeMap<String, String> {
        states.iter().map(|&(name, state)| (name.to_owned(), state.to_owned())).collect()
    };
    for (deed, states) in [
        ("GRANT INSERT ON sales.orders TO r_readers", expected(&[("Readers", "changed")])),
        ("GRANT r_readers TO carl", expected(&[("Readers", "changed")])),
        (
            "REVOKE r_others FROM bob; REVOKE USAGE ON SCHEMA sales FROM r_readers",
            expected(&[("Readers", "changed"), ("Others", "changed")]),
        ),
        ("DROP OWNED BY r_others; DROP ROLE r_others", expected(&[("Others", "missing")])),
        ("ALTER ROLE r_third RENAME TO r_thirds", expected(&[("Third", "changed")])),
    ] {
        site.server.sql(SHOP, deed);
        assert_eq!(drift(site), (2, states.clone()), "{deed}");
        let text = site.access(&["drift"]);
        assert_eq!(text.code, 2);
        for name in states.keys() {
            assert!(text.stdout.contains(name.as_str()), "{text:?}");
        }
        site.apply(&file);
        assert_eq!(drift(site), (0, BTreeMap::new()), "{deed}");
    }
    // What somebody writes into the file is no drift, and does not hide any.
    let mut changed = file.clone();
    changed[0] = reader("Readers", &["ann", "bob"], "orders");
    site.file(&changed);
    assert_eq!(drift(site), (0, expected(&[("Readers", "pending")])));
    site.server.sql(SHOP, "GRANT r_others TO ann");
    assert_eq!(drift(site), (2, expected(&[("Readers", "pending"), ("Others", "changed")])));
    site.file(&changed[1..]);
    assert_eq!(drift(site).0, 2);
    site.apply(&[]);
}

fn two_files_with_two_prefixes(site: &Site) {
    let run = |prefix: &str, command: &str, providers: &[Value]| {
        site.file(providers);
        let mut arguments = vec![command, "--access-prefix", prefix];
        if command == "apply" {
            arguments.extend(["--yes", "--max-removals", "100%"]);
        }
        site.access(&arguments)
    };
    let (sales, support) = (reader("Readers", &["ann"], "orders"), reader("Readers", &["bob"], "customers"));
    run("A_", "apply", from_ref(&sales)).succeeded();
    run("B_", "apply", &[support.clone(), reader("More", &["bob"], "orders")]).succeeded();
    run("R_", "apply", &[reader("Readers", &["carl"], "orders")]).succeeded();
    for (prefix, providers) in
        [("A_", vec![sales]), ("B_", vec![support.clone(), reader("More", &["bob"], "orders")])]
    {
        run(prefix, "plan", &providers).succeeded();
        run(prefix, "drift", &providers).succeeded();
    }
    run("B_", "apply", from_ref(&support)).succeeded();
    assert_eq!(
        [site.roles("a_"), site.roles("b_"), site.roles("r_")],
        [["a_readers"], ["b_readers"], ["r_readers"]]
    );
    // Nobody takes over what belongs to another.
    let mut claim = support;
    claim["externalId"] = json!("role:a_readers");
    claim["id"] = json!("claim");
    let outcome = run("C_", "plan", &[claim]);
    assert_eq!(outcome.code, 31);
    assert!(outcome.stdout.contains("belongs to the access file with the prefix \"A_\""), "{outcome:?}");
    run("A_", "apply", &[]).succeeded();
    assert_eq!((site.roles("a_").len(), site.roles("b_").len(), site.roles("r_").len()), (0, 1, 1));
    assert!(
        !site.can_read("ann", "orders")
            && site.can_read("bob", "customers")
            && site.can_read("carl", "orders")
    );
    run("B_", "apply", &[]).succeeded();
    run("R_", "apply", &[]).succeeded();
}

fn what_stands_is_adopted(site: &Site) {
    site.server.sql(
        SHOP,
        "CREATE ROLE analyst; CREATE ROLE \"The Lead.\"; CREATE ROLE idle; COMMENT ON ROLE analyst IS 'made by hand'; \
         GRANT analyst TO \"The Lead.\", ann; GRANT \"The Lead.\" TO bob; GRANT USAGE ON SCHEMA sales TO analyst; \
         GRANT CONNECT ON DATABASE shop TO analyst, \"The Lead.\"; GRANT USAGE ON SCHEMA sales TO \"The Lead.\"; \
         GRANT SELECT ON sales.orders TO analyst; GRANT UPDATE (note) ON sales.orders TO \"The Lead.\"",
    );
    let rights = || -> BTreeSet<String> { judge::lines(site, &BTreeMap::new()) };
    let before = rights();
    let adopted =
        site.access(&["adopt", "--names", "analyst,The Lead.,idle", "--out", "adopted.yml"]).succeeded();
    assert!(adopted.stderr.contains("3 access controls adopted"), "{adopted:?}");
    site.access(&["adopt", "--out", "adopted.yml"]).failed(3, "cannot be written", "--out");
    site.access(&["validate", "-a", "adopted.yml"]).succeeded();
    let plan = site.access(&["plan", "-a", "adopted.yml", "--format", "json"]);
    assert_eq!(plan.code, 2, "{plan:?}");
    let statements = statements(&plan.json());
    assert!(!statements.is_empty());
    for (.., statement) in statements {
        assert!(statement.starts_with("COMMENT ON ROLE "), "{statement}");
    }
    site.access(&["apply", "-a", "adopted.yml", "--yes"]).succeeded();
    site.access(&["plan", "-a", "adopted.yml"]).succeeded();
    site.access(&["drift", "-a", "adopted.yml"]).succeeded();
    assert_eq!(rights(), before);
    let comment = site.texts(SHOP, "SELECT shobj_description('analyst'::regrole, 'pg_authid')");
    assert!(comment[0].starts_with("made by hand\nraito[R_]:analyst"), "{comment:?}");
    // From now on the file decides.
    let kept = json!({ "name": "analyst", "externalId": "role:analyst", "who": { "users": ["carl"] } });
    site.file(&[kept]);
    site.access(&["apply", "--yes", "--max-removals", "100%"]).succeeded();
    assert_eq!(site.roles("analyst"), ["analyst"]);
    assert!(site.roles("The Lead.").is_empty() && !site.can_read("ann", "orders"));
}
