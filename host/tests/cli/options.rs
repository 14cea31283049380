//! Flags, and what is asked without a run.

use crate::five_steps::{EVERYTHING, company};
use crate::place::{Place, guest};

#[test]
fn each_step_can_be_left_out_and_is_reported_as_skipped() {
    for (key, step, lines) in [
        ("skip-data-source-sync", "data-source", 0..1),
        ("skip-identity-store-sync", "identity-store", 1..3),
        ("skip-data-access-sync", "access-from-target", 3..5),
        ("skip-data-usage-sync", "data-usage", 5..6),
    ] {
        let mut expected = EVERYTHING.map(str::to_owned).to_vec();
        if step == "identity-store" {
            // The access controls then name users whom the cloud does not know, and it says so.
            expected[4] = "access-from-target access controls 2/0/0/1".to_owned();
        }
        expected.splice(lines, [format!("{step} skipped by configuration")]);
        let by_flag = Place::with_targets(&[company("")]);
        let outcome = by_flag.run(&[&format!("--{key}")]).succeeded();
        assert_eq!(outcome.steps("company"), expected, "--{key}");
        let by_key = Place::with_targets(&[company(&format!("{key}: true"))]);
        assert_eq!(by_key.run(&[]).succeeded().steps("company"), expected, "{key}");
    }
}

#[test]
fn a_connector_takes_part_only_in_the_steps_that_it_exports() {
    let synthetic = guest("synthetic").display().to_string();
    let place = Place::with_targets(&[format!("name: t\nconnector-name: {synthetic}\ncount: 10")]);
    let info = place.raito(&["info", &synthetic]).finish().succeeded();
    assert!(info.stdout.contains("Takes part in: identity-store, data-source, data-usage"), "{info:?}");
    let steps = place.run(&[]).succeeded().steps("t");
    assert_eq!(steps[1], "identity-store users 10/0/0/0");
    assert_eq!(steps[3], "access-from-target skipped not offered by the connector");
    assert_eq!(steps[4], "data-usage statements 10/0/0/0");
}

#[test]
fn only_the_named_targets_run() {
    let target = |name: &str| company("").replacen("name: company", &format!("name: {name}"), 1);
    let place = Place::with_targets(&[target("one"), target("two"), target("three")]);
    let outcome = place.run(&["--only-targets", "three, one"]).succeeded();
    let summary = outcome.json();
    let names: Vec<_> = summary["targets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|target| target["target"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["one", "three"]);
    assert_eq!(place.status()["dataSources"].as_array().unwrap().len(), 2);
    place.run(&["--only-targets", "four"]).failed(
        3,
        "`only-targets` names `four`, which is not a target",
        "one, two, three",
    );
}

#[test]
fn a_single_target_is_told_by_flags_alone() {
    let place = Place::new();
    let connector = guest("company");
    let folder = connector.parent().unwrap().to_str().unwrap();
    let outcome = place
        .run(&[
            "--embedded",
            "--connector-path",
            folder,
            "--connector-name",
            "company",
            "--name",
            "hr",
            "--embedded-data-dir",
            "cloud",
            "--sandbox-memory",
            "64MiB",
            "--",
            "--users=4",
            "--failing",
            "nothing",
        ])
        .succeeded();
    assert_eq!(outcome.steps("hr")[1], "identity-store users 4/0/0/0");
    let status = place.raito(&["cloud", "status", "--format", "json", "--data-dir", "cloud"]).finish();
    assert_eq!(status.succeeded().json()["dataSources"][0]["name"], "hr");
}

#[test]
fn an_option_of_raito_among_the_parameters_of_the_connector_is_refused() {
    let place = Place::new();
    let arguments = ["--embedded", "--connector-name", "company", "--", "--lock-all-who"];
    place.run(&arguments).failed(3, "`--lock-all-who` is an option of raito", "give it before `--`");
}

#[test]
fn flags_win_over_environment_and_environment_over_the_file() {
    let place = Place::new();
    place.configure("skip-data-usage-sync: true\n", &[company("")]);
    let skipped = |arguments: &[&str], variable: &str| {
        let all = [&["run", "--format", "json"], arguments].concat();
        let outcome = place.raito(&all).env("RAITO_SKIP_DATA_USAGE_SYNC", variable).finish().succeeded();
        outcome.steps("company").contains(&"data-usage skipped by configuration".to_owned())
    };
    assert!(skipped(&[], ""));
    assert!(!skipped(&[], "false"));
    assert!(skipped(&["--skip-data-usage-sync"], "false"));
}

#[test]
fn templates_take_values_from_the_environment() {
    let place = Place::with_targets(&[company("users: \"{{HOW_MANY}}\"")]);
    let outcome = place.raito(&["run", "--format", "json"]).env("HOW_MANY", "7").finish().succeeded();
    assert_eq!(outcome.steps("company")[1], "identity-store users 7/0/0/0");
}

#[test]
fn another_file_and_its_folder_count() {
    let place = Place::new();
    let connector = guest("company");
    place.write("there/connectors/employer.wasm", std::fs::read(connector).unwrap());
    place.write(
        "there/other.yml",
        "embedded: true\nconnector-path: [connectors]\ntargets:\n  - connector-name: employer\n",
    );
    let outcome = place.run(&["--config-file", "there/other.yml"]).succeeded();
    assert_eq!(outcome.steps("employer"), EVERYTHING);
    assert!(place.path().join("there/.raito").is_dir());
}

#[test]
fn info_tells_what_a_connector_wants_and_could_do() {
    let place = Place::new();
    let broken = guest("broken").display().to_string();
    let text = place.raito(&["info", &broken]).finish().succeeded().stdout;
    for part in [
        "broken 0.1.0\nGoes wrong.\n",
        "  fault (mandatory)\n      How to go wrong.\n",
        "  entry-code (secret)\n",
        "Takes part in: identity-store\n",
        "Network: only what is granted\n",
        "sha256 ",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    let json = place.raito(&["info", &broken, "--format", "json"]).finish().succeeded().json();
    assert_eq!((json["name"].as_str(), json["version"].as_str()), (Some("broken"), Some("0.1.0")));
    assert_eq!(json["parameters"][1]["secret"], true);
    assert_eq!(json["exports"], serde_json::json!(["info", "identity-store"]));
    assert_eq!(json["bytes"], std::fs::metadata(&broken).unwrap().len());
    assert_eq!(json["sha256"].as_str().unwrap().len(), 64);

    // The guest that does neither imports nothing for it: a fact about the file, not a promise.
    let company = guest("company").display().to_string();
    let json = place.raito(&["info", &company, "--format", "json"]).finish().succeeded().json();
    assert_eq!(json["canReachNetwork"], false, "{json:#}");
    assert_eq!(json["parameters"][0]["default"], "3");
    assert_eq!(json["tagSource"], "company");
    place.raito(&["info", "nowhere"]).finish().failed(20, "`nowhere` was not found", "connector-path");
}

#[test]
fn version_and_help_are_results() {
    let place = Place::new();
    for flag in ["--version", "-v"] {
        let outcome = place.raito(&[flag]).finish().succeeded();
        assert!(outcome.stdout.starts_with("raito version "), "{outcome:?}");
        assert_eq!((outcome.stdout.lines().count(), outcome.stderr.as_str()), (1, ""));
    }
    let help = place.raito(&["run", "--help"]).finish().succeeded().stdout;
    assert!(help.contains("--lock-who-by-name") && help.contains("--cron"), "{help}");
}
