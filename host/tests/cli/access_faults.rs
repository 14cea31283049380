//! Access as code with a connector that goes wrong, as the guest `planner` does: what it says is checked before it is
//! believed, and shown so that it does no harm. How it works with a real target is shown with a real PostgreSQL.

use std::fs;

use crate::place::{Outcome, Place, guest};

/// The value of a parameter that only the connector's own description calls secret.
const SECRET: &str = "swordfish-4711";

const FILE: &str = "accessProviders:
  - name: Readers
    who: { users: [ann] }
    what: [{ dataObject: { fullName: a.b, type: table }, permissions: [READ] }]
  - name: Writers
    who: { users: [bob], inheritFrom: [Readers] }
    what: [{ dataObject: { fullName: a.b, type: table }, permissions: [WRITE] }]
";

fn place(fault: &str) -> Place {
    let place = Place::new();
    let target = format!(
        "name: t\nconnector-name: {}\nfault: {fault}\nentry-code: \"{{{{CODE}}}}\"",
        guest("planner").display()
    );
    place.configure("", &[target]);
    place.write("access.yml", FILE);
    place
}

fn access(place: &Place, arguments: &[&str]) -> Outcome {
    place.raito(&[&["access"], arguments].concat()).env("CODE", SECRET).finish()
}

#[test]
fn plans_that_break_the_rules_are_refused() {
    for (fault, cause) in [
        ("twice", "record 2 (id \"Readers\") is not valid: id has had its plan already"),
        ("silent-operations", "record 1 (id \"Readers\") is not valid: change is `none` beside operations"),
    ] {
        let place = place(fault);
        access(&place, &["plan"]).failed(30, cause, "");
        access(&place, &["apply", "--yes"]).failed(30, cause, "");
    }
}

#[test]
fn what_cannot_be_applied_is_not_begun() {
    let outcome = access(&place("cannot"), &["plan"]).failed(
        31,
        "t: 2 access controls cannot be applied",
        "the plan says why",
    );
    assert!(outcome.stdout.contains("error there is no such thing"), "{outcome:?}");
    access(&place("cannot"), &["apply", "--yes"]).failed(31, "2 access controls cannot be applied", "");
}

#[test]
fn an_apply_that_goes_wrong_says_what_had_been_done() {
    for (fault, code, cause, hint) in [
        (
            "nothing",
            31,
            "t: nothing was changed: 2 access controls could not be applied: Readers (access.yml:2): all of it",
            "apply again",
        ),
        (
            "half",
            31,
            "t: 1 access control could not be applied: Writers (access.yml:5): the second of them is refused",
            "",
        ),
        ("half", 31, "t: 2 operations had been carried out, on: Readers (2)", "no transaction for all of it"),
        ("breaks-off", 15, "the connector broke off", "--debug"),
        (
            "lies",
            31,
            "the target does not match its access file: 2 access controls still differ (Readers, Writers)",
            "",
        ),
    ] {
        access(&place(fault), &["apply", "--yes"]).failed(code, cause, hint);
    }
}

#[test]
fn text_of_a_connector_does_no_harm_and_statements_stay_whole() {
    let place = place("hostile-text");
    for format in ["text", "markdown", "json"] {
        let outcome = access(&place, &["plan", "--statements", "--format", format]);
        assert_eq!(outcome.code, 2, "{outcome:?}");
        let shown = &outcome.stdout;
        assert!(shown.chars().all(|one| one == '\n' || !one.is_control()), "{format}: {shown}");
        assert!(!shown.contains('\u{202e}'), "{format}: {shown}");
        // In a comment, statements stand in a block from which they can be copied.
        let mut is_statement = false;
        for line in shown.lines() {
            if line.starts_with("```") {
                is_statement = line == "```sql";
            }
            assert!(is_statement || !line.trim_start().starts_with("::"), "{format}: {shown}");
            // A program gets the statement as it is.
            assert!(is_statement || format == "json" || !line.contains("##["), "{format}: {shown}");
        }
        if format == "markdown" {
            assert!(!shown.lines().any(|line| line.starts_with("- ") && line.contains("<img")), "{shown}");
        } else {
            assert_eq!(shown.matches(&"x".repeat(9_000)).count(), 2, "{format}: a statement was cut");
        }
    }
}

#[test]
fn a_secret_that_a_plan_tells_is_kept_all_the_same() {
    let place = place("tells-secret");
    for format in ["text", "markdown", "json"] {
        let arguments = ["plan", "--statements", "--format", format, "--out", "plan.json"];
        let outcome = access(&place, &arguments);
        assert_eq!(outcome.code, 2, "{outcome:?}");
        assert!(outcome.stdout.contains("SIGN IN WITH [redacted]"), "{outcome:?}");
    }
    assert_eq!(place.holds(SECRET), None);
}

#[test]
fn a_saved_plan_must_be_whole_and_of_this_format() {
    let place = place("none");
    assert_eq!(access(&place, &["plan", "--out", "plan.json"]).code, 2);
    let whole = place.read("plan.json");
    let printed = access(&place, &["plan", "--format", "json"]).stdout;
    for (text, cause) in [
        (whole[..whole.len() / 2].to_owned(), "EOF while parsing"),
        (whole.replacen("\"formatVersion\": 1", "\"formatVersion\": 7", 1), "it has the format 7"),
        (printed, "it was printed, not saved"),
        ("[]".to_owned(), "expected a saved plan"),
        (String::new(), "EOF while parsing"),
    ] {
        place.write("other.json", text);
        access(&place, &["apply", "other.json"]).failed(3, cause, "raito access plan --out FILE");
    }
    access(&place, &["apply", "nowhere.json"]).failed(3, "nowhere.json cannot be used", "");
    // Another file than the one that was reviewed is another plan.
    place.write("other.json", whole.replace("\"ann\"", "\"eve\""));
    access(&place, &["apply", "other.json"]).failed(
        34,
        "the target has changed since the plan was made",
        "new plan",
    );
    // The access file is in the plan: it is not needed any more.
    fs::remove_file(place.path().join("access.yml")).unwrap();
    access(&place, &["apply", "plan.json"]).failed(31, "the target does not match its access file", "");
}

#[test]
fn nobody_who_could_confirm_means_no() {
    access(&place("none"), &["apply"]).failed(35, "nobody can be asked here: nothing was applied", "--yes");
}

#[test]
fn access_files_are_looked_for_where_they_are_configured() {
    let place = place("none");
    fs::remove_file(place.path().join("access.yml")).unwrap();
    access(&place, &["plan"]).failed(32, "access.yml", "");
    place.write("own/a.yml", FILE);
    assert_eq!(access(&place, &["plan", "--access-file", "own"]).code, 2);
    let outcome = place.raito(&["access", "plan"]).env("CODE", SECRET).env("RAITO_ACCESS_FILE", "own/a.yml");
    assert_eq!(outcome.finish().code, 2);
}
