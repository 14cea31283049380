//! Wrong flags, wrong files, wrong parameters: one line with the cause, one with the hint, nothing imported.

use crate::five_steps::company;
use crate::place::{Place, guest};

#[test]
fn an_unknown_key_is_named_with_its_line_and_what_was_probably_meant() {
    let place = Place::new();
    place.configure("lock-all-whoo: true\n", &[company("")]);
    let outcome = place.run(&[]).failed(3, "raito.yml:2:1: unknown key `lock-all-whoo`", "`lock-all-who`");
    assert_eq!((outcome.stderr.lines().count(), outcome.stdout.as_str()), (2, ""));
    place.assert_nothing_imported();
    assert!(!place.path().join(".raito").exists(), "the cloud was started for nothing");
}

#[test]
fn a_file_that_is_no_yaml_or_is_missing_is_named() {
    let place = Place::new();
    place.write("raito.yml", "targets: [\n");
    place.run(&[]).failed(3, "raito.yml:", "");
    place.run(&["--config-file", "gone.yml"]).failed(3, "cannot read gone.yml", "--config-file");
    place.write("raito.yml", "embedded: true\n");
    let outcome = place.run(&[]).failed(3, "there is no target", "targets");
    assert_eq!(outcome.json()["failure"]["kind"], "configuration");
}

#[test]
fn parameters_are_checked_against_what_the_connector_declares() {
    let place = Place::with_targets(&[company("user: 5")]);
    let outcome = place.run(&[]).failed(11, "`company` has no parameter `user`", "`users`");
    assert_eq!(outcome.target("company")["failure"]["kind"], "parameter");
    assert_eq!(outcome.target("company")["steps"], serde_json::json!([]));
    place.assert_nothing_imported();

    place.configure("", &[company("warehouse: 5")]);
    place.run(&[]).failed(11, "no parameter `warehouse`", "raito info");
    place.configure("", &[format!("name: t\nconnector-name: {}", guest("broken").display())]);
    place.run(&[]).failed(11, "t: the parameter `fault` is missing", "How to go wrong.");
    place.configure("", &[company("users: many")]);
    place.run(&[]).failed(11, "the parameter `users` cannot be used", "raito info");
    place.assert_nothing_imported();
}

#[test]
fn a_missing_variable_stops_its_target_alone() {
    let second = company("").replacen("name: company", "name: second", 1);
    let place = Place::with_targets(&[company("users: \"{{RAITO_TEST_GONE}}\""), second]);
    let outcome = place.run(&[]).failed(
        3,
        "company: raito.yml:5:12: `users` wants the environment variable `RAITO_TEST_GONE`",
        "export RAITO_TEST_GONE",
    );
    assert_eq!(outcome.steps("second").len(), 6);
    assert_eq!(place.status()["dataSources"].as_array().unwrap().len(), 1);
}

#[test]
fn flags_that_nobody_knows_and_flags_that_are_not_here_are_refused() {
    let place = Place::with_targets(&[company("")]);
    place.run(&["--nonsense"]).failed(3, "unexpected argument '--nonsense'", "");
    place.run(&["--cron", "* * * * *"]).failed(
        3,
        "flag --cron: `cron` must not come more often than once an hour",
        "give a single minute",
    );
    place.raito(&["add-target"]).finish().failed(
        3,
        "nobody can be asked for `--name`",
        "there is no terminal",
    );
    place.run(&["--skip-tag-sync=perhaps"]).failed(3, "must be true or false", "");
    place.run(&["--", "--users=4"]).failed(3, "only works together with `--connector-name`", "in the file");
    place.assert_nothing_imported();
}

#[test]
fn a_sandbox_block_is_enforced_or_refused() {
    for (block, cause, hint) in [
        ("networks: []", "raito.yml:6:7: unknown key `networks` in the `sandbox` block", "`network`"),
        ("network: [\"example.com\"]", "has no port", ":443"),
        ("network: [\"*:443\"]", "would grant every host", "name the hosts"),
        ("network: [\"169.254.169.254:80\"]", "cloud metadata service, which no connector may reach", ""),
        ("memory: lots", "`memory` must be a size", "256MiB"),
        ("timeout: 0s", "`timeout` must be a duration", "30m"),
        ("filesystem: [{ host: ./x, guest: ../y }]", "`guest` must be an absolute path", ""),
        ("filesystem: [{ host: ./gone, guest: /data }]", "gone cannot be opened", "filesystem"),
        ("ca-file: gone.pem", "gone.pem cannot be used", "ca-file"),
    ] {
        let place = Place::with_targets(&[company(&format!("sandbox:\n  {block}"))]);
        place.run(&[]).failed(3, cause, hint);
        place.assert_nothing_imported();
    }
    let place = Place::with_targets(&[company("sandbox:\n  ca-file: empty.pem")]);
    place.write("empty.pem", "no certificate\n");
    place.run(&[]).failed(3, "it holds no PEM certificate", "ca-file");
}

#[test]
fn a_database_that_cannot_be_meant_is_refused_without_showing_its_password() {
    let place = Place::new();
    for (address, text) in [
        ("mysql://raito:pass-word@db/x", "`mysql`"),
        ("postgres://raito:pass-word@db/x?ssl=on", "`ssl`"),
        ("raito:pass-word", "--database"),
    ] {
        for command in ["serve", "status"] {
            let outcome = place.raito(&["cloud", command, "--database", address]).finish();
            for shown in [&outcome.stdout, &outcome.stderr] {
                assert!(!shown.contains("pass-word"), "{shown}");
            }
            outcome.failed(3, text, "postgres://USER:PASSWORD@HOST:PORT/DATABASE");
        }
    }
    let outcome = place.raito(&["cloud", "serve", "--job-timeout", "soon"]).finish();
    assert!(outcome.stderr.contains("--job-timeout"), "{}", outcome.stderr);
}

#[test]
fn a_cloud_that_is_not_there_yet_has_no_status() {
    let place = Place::new();
    place.raito(&["cloud", "status"]).finish().failed(5, "holds no Raito Cloud", "--data-dir");
    assert!(!place.path().join(".raito").exists(), "asking creates nothing");
}
