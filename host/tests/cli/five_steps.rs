//! A whole run: data objects, users and groups, access controls in both directions, statements.

use serde_json::json;

use crate::place::{Place, guest};

/// The target of the guest `company`, with more keys.
pub(crate) fn company(more: &str) -> String {
    format!("name: company\nconnector-name: {}\n{more}", guest("company").display())
}

/// All steps of a first run with three people.
pub(crate) const EVERYTHING: [&str; 6] = [
    "data-source data objects 3/0/0/0",
    "identity-store users 3/0/0/0",
    "identity-store groups 1/0/0/0",
    "access-to-target access controls 0/0/0/0",
    "access-from-target access controls 2/0/0/0",
    "data-usage statements 5/0/0/0",
];

#[test]
fn five_steps_arrive_and_a_second_run_changes_nothing() {
    let place = Place::with_targets(&[company("")]);
    let first = place.run(&[]).succeeded();
    assert_eq!(first.steps("company"), EVERYTHING);
    assert!(first.target("company")["jobId"].is_string());
    let status = place.status();
    assert_eq!(status["domain"], "local");
    let source = &status["dataSources"][0];
    for (key, value) in [
        ("name", json!("company")),
        ("type", json!("company")),
        ("users", json!(3)),
        ("groups", json!(1)),
        ("dataObjects", json!({ "datasource": 1, "cabinet": 1, "folder": 1 })),
        ("accessControls", json!(0)),
        ("externalAccessControls", json!(2)),
        ("statements", json!(5)),
    ] {
        assert_eq!(source[key], value, "{key} in {source:#}");
    }
    assert_eq!(source["lastSync"]["status"], "COMPLETED");

    let second = place.run(&[]).succeeded();
    assert_eq!(
        second.steps("company"),
        EVERYTHING.map(|line| {
            let (what, _) = line.rsplit_once(' ').unwrap();
            format!("{what} 0/0/0/0")
        })
    );
    for key in ["users", "groups", "dataObjects", "externalAccessControls", "statements"] {
        assert_eq!(place.status()["dataSources"][0][key], source[key], "{key} after the second run");
    }
}

#[test]
fn what_left_the_target_leaves_the_cloud_unless_it_is_to_be_kept() {
    let place = Place::with_targets(&[company("users: 5")]);
    assert_eq!(place.run(&[]).succeeded().steps("company")[1], "identity-store users 5/0/0/0");
    place.configure("", &[company("users: 4\ndelete-untouched: false")]);
    assert_eq!(place.run(&[]).succeeded().steps("company")[1], "identity-store users 0/0/0/0");
    assert_eq!(place.status()["dataSources"][0]["users"], 5);
    place.configure("", &[company("users: 3")]);
    assert_eq!(place.run(&[]).succeeded().steps("company")[1], "identity-store users 0/0/2/0");
    assert_eq!(place.status()["dataSources"][0]["users"], 3);
}

#[test]
fn people_get_a_line_for_each_step_and_a_table() {
    let place = Place::with_targets(&[company("")]);
    let outcome = place.raito(&["run"]).finish().succeeded();
    let rows: Vec<Vec<&str>> = outcome.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["target", "step", "what", "added", "updated", "removed", "failed", "time"]);
    let row = |line: usize, words: usize| rows[line][..words].join(" ");
    assert_eq!(row(2, 9), "company data source data objects 3 0 0 0");
    assert_eq!(row(3, 8), "company identity store users 3 0 0 0");
    assert_eq!(row(4, 5), "groups 1 0 0 0");
    assert_eq!(row(7, 8), "company data usage statements 5 0 0 0");
    let told: Vec<_> = outcome.stderr.lines().filter_map(|line| line.split_once(" (")).collect();
    assert_eq!(told.len(), 5, "{outcome:?}");
    assert_eq!(told[0].0, "company: data source: data objects: 3 added, 0 updated, 0 removed");

    let status = place.raito(&["cloud", "status"]).finish().succeeded().stdout;
    for line in ["company (company)", "  users            3", "    folder         1", "  statements       5"]
    {
        assert!(status.lines().any(|found| found == line), "{line:?} in {status}");
    }
    assert!(status.contains(", completed\n"), "{status}");
}

#[test]
fn continuous_integration_gets_the_same_plain_lines() {
    let place = Place::with_targets(&[company("")]);
    let outcome = place.raito(&["run"]).env("CI", "true").finish().succeeded();
    assert_eq!(outcome.stderr.lines().count(), 5, "{outcome:?}");
    assert!(!outcome.stderr.contains('\u{1b}') && !outcome.stdout.contains('\u{1b}'), "{outcome:?}");
}

#[test]
fn copies_of_the_files_of_the_newest_runs_are_kept() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    place.configure("file-backup-location: kept\nmaximum-backups-per-target: 2\n", &[company("")]);
    // What was kept before is older by its name.
    for older in ["2001-01-01T00-00-00", "2002-01-01T00-00-00"] {
        place.write(&format!("kept/company-full/{older}/x.json"), "[]");
    }
    place.run(&[]).succeeded();
    let below = |path: &std::path::Path| {
        let mut paths: Vec<_> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    let runs = below(&place.path().join("kept/company-full"));
    assert_eq!(runs.len(), 2, "{runs:?}");
    assert!(runs[0].ends_with("2002-01-01T00-00-00"), "{runs:?}");
    let files = below(&runs[1]);
    let parts = [
        "fromTarget-users",
        "fromTarget-dataObjects",
        "fromTarget-access",
        "toTarget-access-",
        "fromTarget-usage",
    ];
    for part in parts {
        let file = files.iter().find(|file| file.to_string_lossy().contains(part));
        let file = file.unwrap_or_else(|| panic!("no {part} in {files:?}"));
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{part}");
    }
}
