//! Whose a role is: marks, prefixes, adoption, and where a difference comes from.

use raito_connector::{AccessControl, Change, DesiredAccessControl};
use raito_connector_postgres::read;
use raito_connector_postgres::settings::Settings;

use crate::desired::{apply, catalogue, converge, filter, item, plan, role, shop, who};

fn selects(table: &str) -> Vec<raito_connector::WhatItem> {
    vec![item("table", table, &["SELECT"])]
}

fn adopting(id: &str, name: &str, external_id: &str) -> DesiredAccessControl {
    DesiredAccessControl {
        external_id: Some(external_id.into()),
        ..role(id, name, who(&["ann"], &[]), selects("postgres.sales.orders"))
    }
}

fn seen(settings: &Settings, external_id: &str) -> AccessControl {
    let mut seen = None;
    read::access_controls(settings, |control| {
        if control.external_id == external_id {
            seen = Some(control);
        }
        Ok(())
    })
    .unwrap();
    seen.unwrap()
}

#[test]
fn owners_live_side_by_side() {
    let (server, settings) = shop();
    // The same ids, the same names, the same table: only the prefix tells whose they are.
    let desired = [
        role("t", "Team", who(&["ann"], &[]), selects("postgres.sales.orders")),
        filter("f", "{region} = 'EU'", who(&["ann"], &["ID:t"]), "postgres.sales.orders"),
    ];
    for (prefix, name) in [("", "team"), ("R_", "r_team"), ("X]%_", "x_team")] {
        let (_, feedback) = converge(&server, &settings, prefix, &desired);
        assert_eq!(feedback["t"].actual_name, name);
    }
    let marks =
        "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname ~ 'team$' ORDER BY rolname";
    let marks = server.rows("postgres", marks);
    assert!(marks[0].starts_with("raito[R_]:t#"), "{marks:?}");
    assert_eq!(marks[1], "raito:t");
    assert!(marks[2].starts_with("raito[X%5D%25_]:t#"), "{marks:?}");
    for prefix in ["", "R_", "X]%_"] {
        assert!(plan(&settings, prefix, &desired).values().all(|plan| plan.operations.is_empty()));
    }

    // None can reach for what is another's.
    for (prefix, external_id, owner) in [
        ("R_", "role:team", "Raito Cloud"),
        ("R_", "role:x_team", "\"X]%_\""),
        ("", "role:r_team", "the access file with the prefix \"R_\""),
    ] {
        let before = catalogue(&server);
        let thief = [desired[0].clone(), desired[1].clone(), adopting("thief", "Thief", external_id)];
        let feedback = apply(&settings, prefix, &thief);
        assert!(feedback["thief"].errors[0].contains(owner), "{:?}", feedback["thief"].errors);
        assert_eq!(catalogue(&server), before);
    }
    let gone = DesiredAccessControl { delete: true, ..adopting("other", "Other", "role:team") };
    assert_eq!(
        apply(&settings, "R_", &[desired[0].clone(), desired[1].clone(), gone])["other"].operations,
        0
    );

    // Raito Cloud is told that it cannot change them.
    for (external_id, file) in [
        ("role:team", None),
        ("role:r_team", Some("\"R_\"")),
        ("policy:postgres.sales.orders.f", None),
        ("policy:postgres.sales.orders.r_f", Some("\"R_\"")),
    ] {
        let control = seen(&settings, external_id);
        assert_eq!(control.locks.everything, file.is_some(), "{external_id}");
        let reason = control.locks.what.and_then(|lock| lock.reason);
        assert_eq!(reason, file.map(|file| format!("managed by the access file with the prefix {file}")));
    }

    // Emptying one file leaves the others alone.
    let others = |lines: Vec<String>| -> Vec<String> {
        lines.into_iter().filter(|line| line.contains("r_") || line.contains("|team")).collect()
    };
    let before = others(
        server.rows("postgres", "SELECT rolname, 'r_' FROM pg_roles WHERE rolname !~ '^x_' ORDER BY 1"),
    );
    let (plans, _) = converge(&server, &settings, "X]%_", &[]);
    assert!(plans.values().all(|plan| matches!(plan.change, Change::Delete)));
    assert_eq!(plans["t"].changed_in_target, Some(false));
    assert_eq!(
        others(
            server.rows("postgres", "SELECT rolname, 'r_' FROM pg_roles WHERE rolname !~ '^x_' ORDER BY 1")
        ),
        before
    );
    assert_eq!(server.rows("postgres", "SELECT count(*) FROM pg_roles WHERE rolname ~ '^x_'"), ["0"]);
    assert_eq!(server.rows("postgres", "SELECT polname FROM pg_policy ORDER BY 1"), ["f", "r_f"]);
    for prefix in ["", "R_"] {
        assert!(plan(&settings, prefix, &desired).values().all(|plan| plan.operations.is_empty()));
    }
}

#[test]
fn a_role_made_by_hand_can_become_a_files() {
    let (server, settings) = shop();
    for statement in [
        "GRANT CONNECT ON DATABASE postgres TO byhand, notes",
        "GRANT USAGE ON SCHEMA sales TO byhand, notes",
        "GRANT SELECT ON sales.orders TO byhand, notes",
        "GRANT byhand TO ann; GRANT notes TO ann",
    ] {
        server.sql("postgres", statement);
    }
    // What the file says stands: the mark is all there is to do, and the name stays.
    let mut desired = vec![
        adopting("one", "Somebody", "role:byhand"),
        DesiredAccessControl {
            external_id: None,
            actual_name: Some("notes".into()),
            ..adopting("two", "Somebody else", "")
        },
    ];
    let (plans, feedback) = converge(&server, &settings, "R_", &desired);
    for (id, name) in [("one", "byhand"), ("two", "notes")] {
        let summaries: Vec<&str> = plans[id].operations.iter().map(|step| step.summary.as_str()).collect();
        assert_eq!(summaries, [format!("mark role {name} as made by Raito")]);
        assert!(matches!(plans[id].change, Change::Update));
        assert_eq!((feedback[id].actual_name.as_str(), plans[id].changed_in_target), (name, None));
    }
    // Somebody's comment stays.
    let comment = server.rows("postgres", "SELECT shobj_description('notes'::regrole, 'pg_authid')");
    assert!(comment[0].starts_with("kept by the data team\nraito[R_]:two#"), "{comment:?}");

    // It is found by its mark from now on, and does not take the name of the file when that changes.
    for control in &mut desired {
        control.external_id = None;
        control.actual_name = None;
        control.name = format!("{} new", control.name);
        control.what = selects("postgres.sales.open");
    }
    let (plans, feedback) = converge(&server, &settings, "R_", &desired);
    assert_eq!(feedback["one"].actual_name, "byhand");
    assert!(!plans["two"].operations.iter().any(|step| step.summary.contains("rename")));
    let comment = server.rows("postgres", "SELECT shobj_description('notes'::regrole, 'pg_authid')");
    assert!(comment[0].starts_with("kept by the data team\nraito[R_]:two#"), "{comment:?}");

    // An entry that takes the role over under another id does not lose it to what is left over.
    let renamed =
        [desired[1].clone(), DesiredAccessControl { id: "three".into(), ..adopting("", "T", "role:byhand") }];
    let (plans, feedback) = converge(&server, &settings, "R_", &renamed);
    assert_eq!((plans.len(), feedback["three"].actual_name.as_str()), (2, "byhand"));

    // What left the file goes, whatever it is called.
    let (plans, _) = converge(&server, &settings, "R_", &renamed[..1]);
    assert!(matches!(plans["three"].change, Change::Delete));
    assert_eq!((plans["three"].name.as_str(), plans["three"].actual_name.as_str()), ("three", "byhand"));
    assert_eq!(server.rows("postgres", "SELECT count(*) FROM pg_roles WHERE rolname = 'byhand'"), ["0"]);
}

#[test]
fn a_role_is_renamed_with_its_entry_and_leaves_taken_names_alone() {
    let (server, settings) = shop();
    server.sql("postgres", "CREATE ROLE r_taken");
    let mut desired = [role("n", "First Name", who(&["ann"], &[]), selects("postgres.sales.orders"))];
    converge(&server, &settings, "R_", &desired);
    let oid = "SELECT oid FROM pg_roles WHERE rolname IN ('r_first_name', 'r_second_name', 'r_hint')";
    let before = server.rows("postgres", oid);
    desired[0].name = "Second Name".into();
    let (plans, feedback) = converge(&server, &settings, "R_", &desired);
    assert_eq!(feedback["n"].actual_name, "r_second_name");
    let summaries: Vec<&str> = plans["n"].operations.iter().map(|step| step.summary.as_str()).collect();
    assert_eq!(
        summaries,
        ["rename role r_first_name to r_second_name", "record what was applied to role r_second_name"]
    );
    assert!(!plans["n"].operations.iter().any(|step| step.destructive));
    desired[0].naming_hint = "hint".into();
    converge(&server, &settings, "R_", &desired);
    assert_eq!(server.rows("postgres", oid), before);

    desired[0].naming_hint = "taken".into();
    let (plans, feedback) = converge(&server, &settings, "R_", &desired);
    assert_eq!(feedback["n"].actual_name, "r_taken__0");
    assert!(plans["n"].warnings[0].contains("\"r_taken\" is taken"), "{:?}", plans["n"].warnings);
    assert_eq!(feedback["n"].warnings, plans["n"].warnings);
}

#[test]
fn a_plan_tells_where_the_difference_comes_from() {
    let (server, settings) = shop();
    let control = role(
        "c",
        "Team",
        who(&["ann", "bob"], &[]),
        vec![
            item("table", "postgres.sales.orders", &["SELECT", "INSERT"]),
            item("table", "postgres.sales.orders", &["UPDATE"]),
        ],
    );
    let rule = filter("f", "{region} = 'EU'", who(&["ann"], &[]), "postgres.sales.orders");
    let both = [control.clone(), rule.clone()];
    let (plans, _) = converge(&server, &settings, "R_", &both);
    assert_eq!((plans["c"].changed_in_target, plans["f"].changed_in_target), (None, None));

    // Another order, another case and another description are no other content.
    let same = DesiredAccessControl {
        description: "for people".into(),
        who: who(&["bob", "ann"], &[]),
        what: vec![item("table", "postgres.sales.orders", &["update", "INSERT", "SELECT", "SELECT"])],
        ..control.clone()
    };
    assert!(plan(&settings, "R_", &[same, rule.clone()])["c"].operations.is_empty());

    // The target was changed.
    server.sql("postgres", "REVOKE r_team FROM ann; GRANT DELETE ON sales.orders TO r_team");
    server.sql("postgres", "ALTER POLICY r_f ON sales.orders TO bob");
    let (plans, _) = converge(&server, &settings, "R_", &both);
    assert_eq!((plans["c"].changed_in_target, plans["f"].changed_in_target), (Some(true), Some(true)));
    assert_eq!(plans["c"].operations.len(), 2);

    // The file was changed, with the target or without.
    let other = DesiredAccessControl { who: who(&["bob"], &[]), ..control.clone() };
    let looser = DesiredAccessControl { policy_rule: Some("true".into()), ..rule.clone() };
    let (plans, _) = converge(&server, &settings, "R_", &[other, looser]);
    assert_eq!((plans["c"].changed_in_target, plans["f"].changed_in_target), (Some(false), Some(false)));
    server.sql("postgres", "GRANT r_team TO ann");
    let (plans, _) = converge(&server, &settings, "R_", &both);
    let steps: Vec<(&str, bool)> =
        plans["c"].operations.iter().map(|step| (step.summary.as_str(), step.destructive)).collect();
    assert_eq!(steps, [("record what was applied to role r_team", false)]);
    assert_eq!(plans["c"].changed_in_target, Some(false));

    // A mark without a digest cannot tell.
    server.sql("postgres", "COMMENT ON ROLE r_team IS 'raito[R_]:c'; REVOKE r_team FROM ann");
    assert_eq!(plan(&settings, "R_", &both)["c"].changed_in_target, None);

    // What was not wholly applied is not written down.
    let before = server.rows("postgres", "SELECT shobj_description('r_team'::regrole, 'pg_authid')");
    let wrong = DesiredAccessControl { who: who(&["ann", "nobody"], &[]), ..control };
    assert_eq!(apply(&settings, "R_", &[wrong, rule])["c"].errors.len(), 1);
    assert_eq!(server.rows("postgres", "SELECT shobj_description('r_team'::regrole, 'pg_authid')"), before);
}

#[test]
fn an_id_stands_for_one_thing() {
    let (server, settings) = shop();
    let team = role("x", "Team", who(&["ann"], &[]), selects("postgres.sales.orders"));
    let rule = filter("y", "true", who(&["ann"], &["ID:x"]), "postgres.sales.orders");
    converge(&server, &settings, "R_", &[team.clone(), rule.clone()]);
    let before = catalogue(&server);
    let swapped = [
        DesiredAccessControl { id: "y".into(), ..team.clone() },
        DesiredAccessControl { id: "x".into(), who: who(&["ann"], &[]), ..rule.clone() },
    ];
    let feedback = apply(&settings, "R_", &swapped);
    assert!(feedback["x"].errors[0].contains("\"r_team\" stands for this id"), "{:?}", feedback["x"].errors);
    assert!(feedback["y"].errors[0].contains("\"r_y\" stands for this id"), "{:?}", feedback["y"].errors);
    assert_eq!(catalogue(&server), before);

    // Who leaves cannot become a member.
    let feedback =
        apply(&settings, "R_", &[rule, role("z", "other", who(&[], &["r_team", "byhand"]), vec![])]);
    assert_eq!(feedback["z"].errors, ["the role \"r_team\" is going to be removed"]);
    assert!(feedback["y"].errors[0].contains("\"x\""), "{:?}", feedback["y"].errors);
}

#[test]
fn what_is_to_be_taken_over_must_be_there() {
    let (server, settings) = shop();
    let (plans, feedback) = converge(&server, &settings, "R_", &[adopting("a", "Nobody", "role:nobody")]);
    assert_eq!(plans["a"].warnings, ["there is no role \"nobody\": a new one is made"]);
    assert_eq!(feedback["a"].actual_name, "r_nobody");
}

#[test]
fn what_a_role_has_is_not_its_members_to_give() {
    let (server, settings) = shop();
    let desired = role("a", "readers", who(&["ann"], &[]), selects("postgres.sales.orders"));
    converge(&server, &settings, "R_", std::slice::from_ref(&desired));
    let right = catalogue(&server);
    server.sql("postgres", "GRANT SELECT ON sales.orders TO r_readers WITH GRANT OPTION");
    server.sql("postgres", "GRANT r_readers TO ann WITH ADMIN OPTION");

    let plans = plan(&settings, "R_", std::slice::from_ref(&desired));
    assert_eq!(plans["a"].changed_in_target, Some(true));
    let summaries: Vec<_> = plans["a"].operations.iter().map(|step| step.summary.as_str()).collect();
    assert_eq!(
        summaries,
        [
            "revoke the admin option for r_readers from ann",
            "revoke the grant option for SELECT on postgres.sales.orders from r_readers",
        ]
    );
    assert_eq!(plans["a"].removed_what[0].permissions, ["SELECT WITH GRANT OPTION"]);
    assert!(plans["a"].warnings[0].contains("ann may give the role to others"));
    let (_, feedback) = converge(&server, &settings, "R_", std::slice::from_ref(&desired));
    assert!(feedback["a"].errors.is_empty(), "{:?}", feedback["a"].errors);
    assert_eq!(catalogue(&server), right);
    let admins = "SELECT member::regrole::text FROM pg_auth_members WHERE admin_option AND roleid = 'r_readers'::regrole";
    assert_eq!(server.rows("postgres", admins).len(), 0);

    // What has been passed on is somebody else's by now: nothing of it goes without a word.
    server.sql("postgres", "CREATE ROLE other");
    server.sql("postgres", "GRANT SELECT ON sales.orders TO r_readers WITH GRANT OPTION");
    server.sql("postgres", "SET ROLE r_readers; GRANT SELECT ON sales.orders TO other");
    let before = catalogue(&server);
    for desired in [vec![DesiredAccessControl { what: vec![], ..desired }], vec![]] {
        let feedback = apply(&settings, "R_", &desired);
        assert!(feedback["a"].errors[0].contains("dependent privileges exist"), "{:?}", feedback["a"].errors);
    }
    let holds = "SELECT has_table_privilege('other', 'sales.orders', 'SELECT')::text";
    assert_eq!(server.rows("postgres", holds), ["true"]);
    assert!(
        catalogue(&server)
            .iter()
            .filter(|line| line.contains("orders"))
            .eq(before.iter().filter(|line| line.contains("orders")))
    );
}
