//! What machines and people read: JSON, Markdown for pull requests, and what `validate` finds without a connection.

use std::process::Command;

use serde_json::{Value, json};

use crate::company::{self, SHOP, reader};
use crate::place::finish;
use crate::site::Site;

#[test]
fn reports_can_be_read_and_do_no_harm() {
    let site = company::start();
    json_is_whole(&site);
    markdown_is_harmless(&site);
    validation_needs_no_connection(&site);
    mistakes_are_told_with_their_place(&site);
}

fn json_is_whole(site: &Site) {
    site.file(&[reader("Readers", &["ann"], "orders")]);
    let plan = site.access(&["plan", "--format", "json"]).json();
    assert_eq!(plan["formatVersion"], 1);
    let target = &plan["targets"][0];
    assert_eq!((&target["target"], &target["prefix"]), (&json!("warehouse"), &json!("R_")));
    assert_eq!(target["accessFiles"], json!(["access.yml"]));
    assert_eq!((&target["summary"]["create"], &target["summary"]["unchanged"]), (&json!(1), &json!(0)));
    let change = &target["changes"][0];
    assert_eq!(
        (&change["name"], &change["actualName"], &change["change"]),
        (&json!("Readers"), &json!("r_readers"), &json!("create"))
    );
    assert_eq!(change["who"]["added"]["users"], json!(["ann"]));
    let table = json!({ "dataObject": { "fullName": "shop.sales.orders", "type": "table" }, "permissions": ["SELECT"] });
    assert!(change["what"]["added"].as_array().unwrap().contains(&table), "{change:#}");
    assert!(change["place"].as_str().unwrap().starts_with("access.yml:"), "{change:#}");
    let statements: Vec<_> = change["operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["statement"].as_str().unwrap())
        .collect();
    assert!(statements.contains(&"CREATE ROLE \"r_readers\" NOLOGIN"), "{statements:#?}");
    // The same statements are shown to people who ask for them.
    let text = site.access(&["plan", "--statements"]).stdout;
    for statement in statements.iter().flat_map(|one| one.lines()) {
        assert!(text.contains(statement), "{statement}: {text}");
    }
    let applied = site.access(&["apply", "--yes", "--format", "json"]).succeeded().json();
    assert_eq!(
        (&applied["targets"][0]["target"], &applied["targets"][0]["changed"]),
        (&json!("warehouse"), &json!(1))
    );

    site.file(&[]);
    let removed = site.access(&["plan", "--format", "json"]).json();
    let change = &removed["targets"][0]["changes"][0];
    assert_eq!((&change["change"], &change["who"]["removed"]["users"]), (&json!("delete"), &json!(["ann"])));
    let risks: Vec<_> =
        change["risks"].as_array().unwrap().iter().map(|risk| risk["kind"].as_str().unwrap()).collect();
    assert!(risks.contains(&"removes-access-control"), "{change:#}");
    assert!(
        change["operations"].as_array().unwrap().iter().any(|one| one["destructive"] == true),
        "{change:#}"
    );
}

/// The parts of a Markdown text that are not code.
fn outside_of_code(text: &str) -> String {
    let mut outside = String::new();
    let mut fence: Option<String> = None;
    for line in text.lines() {
        let ticks: String = line.chars().take_while(|one| *one == '`').collect();
        match &fence {
            None if ticks.len() >= 3 => fence = Some(ticks),
            Some(open) if line == open => fence = None,
            Some(_) => {}
            None => {
                let mut rest = line;
                // Code in a line ends with as many backticks as it began with.
                let is_open = |rest: &str, at: usize| {
                    rest[..at].chars().rev().take_while(|one| *one == '\\').count() % 2 == 0
                };
                while let Some((start, _)) = rest.match_indices('`').find(|(at, _)| is_open(rest, *at)) {
                    let ticks = "`".repeat(rest[start..].chars().take_while(|one| *one == '`').count());
                    let after = &rest[start + ticks.len()..];
                    let end = after.find(&ticks).unwrap_or_else(|| panic!("code is not ended in {line}"));
                    outside.push_str(&rest[..start]);
                    rest = &after[end + ticks.len()..];
                }
                outside.push_str(rest);
                outside.push('\n');
            }
        }
    }
    assert!(fence.is_none(), "a block of code is not ended:\n{text}");
    outside
}

fn markdown_is_harmless(site: &Site) {
    let hostile = "`<img src=x>` @everyone #1 [x](http://e.example) ```\u{202e} **b** | \\` <!-- ";
    let user = "```\u{2028}@all <b>";
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    site.server.sql(
        SHOP,
        &format!(
            "CREATE ROLE {} LOGIN; CREATE ROLE \"line\n# break\" LOGIN; CREATE TABLE sales.{} (id int)",
            quoted(user),
            quoted("``` </details> @all")
        ),
    );
    let provider = json!({
        "name": hostile,
        "who": { "users": [user] },
        "what": [ { "dataObject": { "fullName": "shop.sales.``` </details> @all", "type": "table" }, "permissions": ["SELECT"] } ],
    });
    site.file(&[provider]);
    let created = site.access(&["plan", "--format", "markdown", "--statements"]);
    assert_eq!(created.code, 2, "{created:?}");
    site.access(&["apply", "--yes"]).succeeded();
    let role = site.roles("r_").remove(0);
    site.server.sql(SHOP, &format!("GRANT {role} TO \"line\n# break\""));
    let drift = site.access(&["drift", "--format", "markdown"]);
    assert_eq!(drift.code, 2, "{drift:?}");
    site.file(&[reader(&format!("{hostile} 2"), &["nobody <i>@x"], "orders")]);
    let failing = site.access(&["plan", "--format", "markdown", "--statements"]);
    assert_eq!(failing.code, 31, "{failing:?}");
    for report in [&created, &drift, &failing] {
        let text = outside_of_code(&report.stdout);
        for harm in ["<img", "<b>", "<i>", "<!--", "@everyone", "@all", "@x", "#1", "[x]", "**b**"] {
            assert!(!text.contains(harm), "{harm} in:\n{}", report.stdout);
        }
        assert!(report.stdout.starts_with("### "), "{}", report.stdout);
        assert!(
            !report.stdout.contains("line\n# break") && !report.stdout.contains('\u{202e}'),
            "{}",
            report.stdout
        );
    }
    assert!(drift.stdout.contains("line\\n# break"), "{}", drift.stdout);
    site.apply(&[]);
}

/// `raito access validate` where neither the server nor its password is known.
fn offline(site: &Site) -> Command {
    let mut command = site.command(&["access", "validate"]);
    command.env_remove("PG_PASSWORD");
    command
}

fn validation_needs_no_connection(site: &Site) {
    let port = site.server.port().to_string();
    let path = site.folder().join("raito.yml");
    let configured = std::fs::read_to_string(&path).unwrap();
    let unreachable: Vec<_> = configured.lines().filter(|line| !line.contains("sandbox:")).collect();
    site.write("raito.yml", &unreachable.join("\n").replace(&port, "1"));
    site.file(&[reader("Readers", &["ann"], "orders")]);
    let outcome = finish(offline(site)).succeeded();
    assert!(
        outcome.stdout.contains("valid (1 file, 1 access control, checked against postgres"),
        "{outcome:?}"
    );
    site.write("raito.yml", &configured);
}

fn mistakes_are_told_with_their_place(site: &Site) {
    let text = "accessProviders:\n  - name: Readers\n    what:\n      - dataObject: { fullName: shop.sales.orders, type: table }\n        \
                permissions: [SELECT, SELCT]\n      - dataObject: { fullName: shop.sales.orders, type: tabel }\n  - nam: x\n";
    site.write("access.yml", text);
    let outcome = finish(offline(site));
    assert_eq!(outcome.code, 32, "{outcome:?}");
    for part in [
        "access.yml:5:31: there is no permission `SELCT` on `table`",
        "did you mean `SELECT`?",
        "access.yml:6:58: there is no type of data objects `tabel`",
        "access.yml:7:5: unknown key `nam`",
    ] {
        assert!(outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
    }
    let mut command = offline(site);
    command.args(["--format", "json"]);
    let report = finish(command).json();
    let errors = report["checks"][0]["errors"].as_array().unwrap();
    let at = |error: &Value| (error["line"].as_u64().unwrap(), error["column"].as_u64().unwrap());
    assert_eq!(report["valid"], false);
    assert!(errors.iter().map(at).any(|place| place == (5, 31)), "{report:#}");
    // An apply does not get further than that.
    site.access(&["apply", "--yes"]).failed(32, "access.yml:5:31", "");

    site.write("team/a.yml", "accessProviders:\n  - name: Same\n    who: { users: [ann] }\n");
    site.write(
        "team/deep/b.json",
        "{\"accessProviders\": [\n {\"name\": \"Same\", \"who\": {\"users\": [\"bob\"]}}]}",
    );
    for command in
        [&["validate", "-a", "team"][..], &["plan", "-a", "team"], &["apply", "--yes", "-a", "team"]]
    {
        let outcome = site.access(command);
        assert_eq!(outcome.code, 32, "{outcome:?}");
        assert!(outcome.stderr.contains("another access control has this name"), "{outcome:?}");
        assert!(
            outcome.stderr.contains("team/a.yml:2:11") && outcome.stderr.contains("team/deep/b.json:2:11"),
            "{outcome:?}"
        );
    }
    assert!(site.roles("r_").is_empty());
}
