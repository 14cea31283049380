//! Structured log lines, on standard error and in a file.

use crate::five_steps::company;
use crate::place::{Place, guest};

/// Asserts `<time> [<LEVEL>] <source>: <message>`.
#[track_caller]
fn assert_structured(text: &str) {
    assert!(!text.is_empty());
    for line in text.lines() {
        let mut parts = line.splitn(4, ' ');
        let [time, level, source, message] = std::array::from_fn(|_| parts.next().unwrap_or_default());
        assert_eq!((time.len(), time.as_bytes()[10]), ("2026-01-02T03:04:05.678+0000".len(), b'T'), "{line}");
        assert!(["[DEBUG]", "[INFO]", "[WARN]", "[ERROR]"].contains(&level), "{line}");
        assert!(source.ends_with(':') && !message.is_empty(), "{line}");
    }
}

#[test]
fn log_output_takes_the_place_of_the_friendly_lines() {
    let place = Place::with_targets(&[company("")]);
    let outcome = place.run(&["--log-output"]).succeeded();
    assert_structured(&outcome.stderr);
    assert_eq!(outcome.stderr.lines().count(), 5, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("[INFO] raito: company: data usage: statements: 5 added"), "{outcome:?}");
    assert_eq!(outcome.steps("company").len(), 6);
}

#[test]
fn a_log_file_tells_the_whole_story_and_is_appended_to() {
    let place = Place::with_targets(&[company("")]);
    let outcome = place.run(&["--log-file", "raito.log"]).succeeded();
    assert!(outcome.stderr.starts_with("company: data source: "), "{outcome:?}");
    let log = place.read("raito.log");
    assert_structured(&log);
    assert!(log.contains("[INFO] raito: company: data usage: statements: 5 added"), "{log}");
    place.run(&["--log-file", "raito.log"]).succeeded();
    assert!(place.read("raito.log").starts_with(&log));
    assert_eq!(place.read("raito.log").lines().count(), 2 * log.lines().count());
    place.run(&["--log-file", "no/such/folder/raito.log"]).failed(
        3,
        "the log file cannot be opened",
        "log-file",
    );
}

#[test]
fn a_failure_is_one_line_of_the_log_with_code_and_hint() {
    let place = Place::with_targets(&[format!(
        "name: t\nconnector-name: {}\nfault: connection",
        guest("broken").display()
    )]);
    let outcome = place.run(&["--log-output", "--log-file", "raito.log"]);
    assert_eq!(outcome.code, 13, "{outcome:?}");
    assert_structured(&outcome.stderr);
    for log in [&outcome.stderr, &place.read("raito.log")] {
        let line = log.lines().find(|line| line.contains("[ERROR]")).unwrap();
        assert!(
            line.contains("raito: t: identity store: the target cannot be reached: nobody there: code=13 hint=\"check host"),
            "{line}"
        );
    }
}

#[test]
fn several_things_wrong_are_several_lines_for_people_and_one_in_the_log() {
    let place = Place::with_targets(&[company("users: \"{{GONE}}\"\nlock-all-who: 5")]);
    let outcome = place.run(&["--log-file", "raito.log"]);
    assert_eq!(outcome.code, 3, "{outcome:?}");
    let lines: Vec<_> = outcome.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{outcome:?}");
    assert!(
        lines[0].starts_with("error: company: ") && lines[1].starts_with("error: company: "),
        "{lines:?}"
    );
    assert_structured(&place.read("raito.log"));
    assert_eq!(place.read("raito.log").lines().count(), 1);
}

#[test]
fn debug_adds_what_the_connector_printed() {
    let target = format!("name: t\nconnector-name: {}\nfault: panic", guest("broken").display());
    let place = Place::with_targets(&[target]);
    let quiet = place.run(&["--log-output"]);
    assert!(!quiet.stderr.contains("this connector has a fault"), "{quiet:?}");
    let loud = place.run(&["--log-output", "--debug"]);
    assert_structured(&loud.stderr);
    assert!(loud.stderr.contains("[DEBUG] connector: this connector has a fault"), "{loud:?}");
}
