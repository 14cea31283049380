//! Connectors that go wrong, in every way that the guest `broken` knows. The host lives, tells what happened, and
//! imports nothing.

use std::fs;
use std::time::{Duration, Instant};

use crate::place::{Outcome, Place, guest, signal};

/// The value of a parameter that only the connector's own description calls secret.
const SECRET: &str = "swordfish-4711";

fn broken(fault: &str, limits: &str) -> Place {
    let place = Place::new();
    place.configure(
        "log-file: raito.log\ndebug: true\n",
        &[format!(
            "name: t\nconnector-name: {}\nfault: {fault}\nentry-code: \"{{{{CODE}}}}\"\n{limits}",
            guest("broken").display()
        )],
    );
    place
}

fn run(place: &Place) -> Outcome {
    place.raito(&["run", "--format", "json"]).env("CODE", SECRET).finish()
}

#[test]
fn every_fault_has_its_code_its_cause_and_its_hint() {
    for (fault, code, cause, hint) in [
        ("panic", 15, "the connector broke off: ", "--debug"),
        ("recursion", 15, "call stack exhausted", "--debug"),
        (
            "empty-id",
            30,
            "record 2 (id \"\") is not valid: external-id must not be empty",
            "nothing was imported",
        ),
        (
            "ignores-refusal",
            30,
            "record 2 (id \"\") is not valid: external-id must not be empty",
            "nothing was imported",
        ),
        ("huge-text", 23, "handed over more than 16 MiB in one call", "smaller batches"),
        ("http", 22, "the connector asked for 127.0.0.1:9, which is not granted", "127.0.0.1:9"),
        ("authentication", 12, "the target refused the sign-in: no such password", "user and the password"),
        ("permission", 14, "the target does not allow it: not yours", "rights"),
        ("connection", 13, "the target cannot be reached: nobody there", "host, port and network"),
        ("rate-limited", 13, "the target asks to slow down: slow down", "in 1m 30s"),
        ("bad-parameter", 11, "the parameter `fault` cannot be used: must be another", "raito info"),
        ("missing-parameter", 11, "the parameter `fault` is missing: must be there", "raito info"),
        ("unsupported", 15, "not supported: not that", ""),
        ("other", 15, "it just failed", ""),
    ] {
        let place = broken(fault, "");
        let outcome = run(&place).failed(code, cause, hint);
        assert_eq!(outcome.steps("t"), ["identity-store failed"], "{fault}");
        assert_eq!(
            outcome.stderr.lines().count(),
            if hint.is_empty() { 1 } else { 2 },
            "{fault}: {outcome:?}"
        );
        place.assert_nothing_imported();
        println!("{fault:20} exit code {code}: {}", outcome.stderr.lines().next().unwrap());
    }
}

#[test]
fn whoever_never_ends_is_ended_by_the_time_limit() {
    for fault in ["endless-loop", "endless-sleep"] {
        let place = broken(fault, "sandbox:\n  timeout: 2s");
        run(&place).failed(23, "the step took longer than 2s", "sandbox: timeout:");
        place.assert_nothing_imported();
    }
}

#[test]
fn an_interrupted_run_leaves_no_files_behind() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let place = broken("endless-sleep", "");
        let temporary = place.path().join("temporary");
        fs::create_dir(&temporary).unwrap();
        let files = || fs::read_dir(&temporary).unwrap().count();
        let child = place.raito(&["run"]).env("CODE", SECRET).env("TMPDIR", &temporary).start();
        let deadline = Instant::now() + Duration::from_secs(50);
        while files() == 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(files() > 0, "the run made no temporary folder");
        // The folder is there before the connector is called, which is what is to be interrupted.
        std::thread::sleep(Duration::from_millis(500));
        signal(name, child.id());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert_eq!(files(), 0, "files were left behind");
        place.assert_nothing_imported();
    }
}

#[test]
fn memory_ends_where_the_limit_says() {
    let place = broken("memory", "sandbox:\n  memory: 64MiB");
    run(&place).failed(23, "wanted more than 64 MiB of memory", "sandbox: memory:");
    place.assert_nothing_imported();
    let place = broken("huge-text", "sandbox:\n  memory: 32MiB");
    run(&place).failed(23, "wanted more than 32 MiB of memory", "sandbox: memory:");
}

#[test]
fn a_flood_of_log_lines_is_cut_and_the_cut_is_told() {
    let place = broken("log-flood", "");
    run(&place).succeeded();
    let log = place.read("raito.log");
    assert!(log.lines().count() < 10_100, "{} lines", log.lines().count());
    assert!(log.contains("line 9999") && !log.contains("line 10000:"));
    assert!(log.contains("the connector writes too much: further lines are left out"));
}

#[test]
fn control_characters_reach_neither_terminal_nor_log() {
    let place = broken("control-characters", "");
    let outcome = run(&place).succeeded();
    let shown = r"first\nsecond\u{1b}[31m::error::red\u{202e}";
    assert!(outcome.stderr.contains(&format!("warning: t: {shown}\n")), "{outcome:?}");
    assert!(place.read("raito.log").contains(shown));
    for text in [&outcome.stderr, &outcome.stdout, &place.read("raito.log")] {
        assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{text:?}");
        assert!(!text.contains('\u{202e}') && !text.contains("\n::error"), "{text:?}");
    }
    let outcome = place.raito(&["run", "--log-output"]).env("CODE", SECRET).finish().succeeded();
    assert_eq!(outcome.stderr.matches(shown).count(), 1, "said once: {outcome:?}");
}

#[test]
fn a_secret_that_the_connector_tells_is_kept_all_the_same() {
    let place = broken("tells-secret", "delete-temp-files: false");
    let outcome = run(&place).failed(12, "the target refused the sign-in: [redacted] is wrong", "password");
    let log = place.read("raito.log");
    assert_eq!(log.matches("the code is [redacted]").count(), 2, "warning and standard output: {log}");
    for text in [&outcome.stdout, &outcome.stderr, &log] {
        assert!(!text.contains(SECRET), "{text}");
    }
    // The file of the configuration has a template; nothing else may have the value: not the cloud's database
    // with its jobs and their errors, no temporary file.
    assert_eq!(place.holds(SECRET), None);
    let outcome = place.raito(&["run", "--log-output"]).env("CODE", SECRET).finish();
    assert!(!outcome.stderr.contains(SECRET) && outcome.stderr.contains("[redacted]"), "{outcome:?}");
}
