//! What may be written on the command line, and what becomes of it.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::path::Path;

use super::*;
use crate::config::{ConfigErrors, Inputs, MaxRemovals, Purpose, Settings, resolve};

fn words(line: &str) -> Result<Cli, clap::Error> {
    parse(std::iter::once("raito").chain(line.split(' ')))
}

fn settings(line: &str) -> Result<Settings, ConfigErrors> {
    let flags = words(line).unwrap().overrides();
    resolve(&Inputs {
        file: None,
        environment: &|_| None,
        flags: &flags,
        working_dir: Path::new("/w"),
        purpose: Purpose::Sync,
    })
}

fn refusal(line: &str) -> (String, u8) {
    let error = words(line).unwrap_err();
    (error.to_string(), exit_code(&error))
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn short_flags_and_booleans() {
    let settings = settings(
        "run -d acme -u u@acme -s hunter2 -n hr --connector-name c --skip-tag-sync --lock-all-who=false \
         --lock-who-by-name=a,b --debug --log-output=T --tag-overwrite-key-for-access-provider-name k -t hr",
    )
    .unwrap();
    let target = settings.targets[0].settings.as_ref().unwrap();
    assert_eq!((target.name.as_str(), target.domain.as_deref()), ("hr", Some("acme")));
    assert_eq!(target.api_secret.as_ref().unwrap().expose(), "hunter2");
    assert!(target.skip.tag && !target.locks.who.all && settings.log.debug && settings.log.output);
    assert_eq!(target.locks.who.by_name, "a,b");
    assert_eq!(target.tags.access_provider_name.as_deref(), Some("k"));
    assert_eq!(settings.only_targets, ["hr"]);
}

#[test]
fn single_target_with_sandbox_and_parameters() {
    let settings = settings(
        "run --embedded --connector-name file --connector-path lib --sandbox-network a:1 --sandbox-network b:2 \
         --sandbox-filesystem data=/data:read --sandbox-memory 64MiB --sandbox-timeout 5m -- --Folder /data --x=y --strict",
    )
    .unwrap();
    let target = settings.targets[0].settings.as_ref().unwrap();
    assert_eq!(target.sandbox.network.len(), 2);
    assert_eq!(target.sandbox.filesystem[0].host, Path::new("/w/data"));
    assert_eq!(target.sandbox.memory, 64 << 20);
    assert_eq!(target.parameters.get("Folder").map(String::as_str), Some("/data"));
    assert_eq!(target.parameters.get("strict").map(String::as_str), Some("TRUE"));
    assert_eq!(settings.connector_path, [Path::new("/w/lib")]);
}

#[test]
fn every_key_of_the_configuration_that_has_a_flag_is_parsed() {
    let command = Cli::command();
    let run = command.find_subcommand("run").unwrap();
    let flags: Vec<&str> =
        run.get_arguments().chain(command.get_arguments()).filter_map(clap::Arg::get_long).collect();
    for key in crate::config::flag_keys() {
        assert!(flags.contains(&key), "--{key}");
    }
}

#[test]
fn unsupported_flags_are_refused_by_name() {
    for (line, key) in [
        ("run -c @hourly", "cron"),
        ("run -f 60", "frequency"),
        ("run --sync-at-startup", "sync-at-startup"),
        ("run --disable-websocket", "disable-websocket"),
        ("run --disable-log-forwarding-tag-sync=true", "disable-log-forwarding-tag-sync"),
        ("run --connector-version 1.2.3", "connector-version"),
    ] {
        let errors = settings(line).unwrap_err().to_string();
        let expected =
            format!("flag --{key}: `{key}` is known to Raito's CLI, not supported by this version");
        assert!(errors.contains(&expected), "{line}: {errors}");
    }
    for command in ["add-target", "completion"] {
        let (text, code) = refusal(command);
        assert!(text.contains("known to Raito's CLI, not supported by this version"), "{text}");
        assert_eq!(code, USAGE_EXIT_CODE);
    }
}

#[test]
fn wrong_lines_end_with_the_configuration_code() {
    for line in [
        "run --unknown",
        "run --debug=maybe",
        "fly",
        "info",
        "cloud serve --listen x",
        "cloud serve --domain 1",
        "run --format xml",
    ] {
        assert_eq!(refusal(line).1, USAGE_EXIT_CODE, "{line}");
    }
    assert!(refusal("run --conector-name x").0.contains("--connector-name"), "near flags are suggested");
}

#[test]
fn help_and_version_end_well() {
    for line in [
        "--help",
        "-h",
        "run --help",
        "--version",
        "-v",
        "help",
        "cloud serve --help",
        "cloud init --help",
        "cloud restore --help",
    ] {
        assert_eq!(refusal(line).1, 0, "{line}");
    }
    let version = refusal("--version").0;
    assert!(version.starts_with("raito version v"), "{version}");
    assert!(!refusal("run --help").0.contains("--cron"));
    assert_eq!(exit_code(&parse(["raito"]).unwrap_err()), USAGE_EXIT_CODE);
}

#[test]
fn cloud_commands() {
    let Command::Cloud(CloudCommand::Serve(serve)) = words("cloud serve --domain acme").unwrap().command
    else {
        unreachable!()
    };
    assert_eq!(serve.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(serve.domain.as_deref(), Some("acme"));
    let Command::Cloud(CloudCommand::Status(status)) =
        words("cloud status --data-dir d --format json").unwrap().command
    else {
        unreachable!()
    };
    assert_eq!((status.data_dir.as_path(), status.format), (Path::new("d"), Format::Json));
}

#[test]
fn flags_of_access_are_settings() {
    let flags = words(
        "access apply -a access --access-prefix X_ --max-removals 5% --yes -t hr --connector-name c -n hr plan.json",
    )
    .unwrap()
    .overrides();
    let (working_dir, purpose) = (Path::new("/w"), Purpose::Targets);
    let settings =
        resolve(&Inputs { file: None, environment: &|_| None, flags: &flags, working_dir, purpose }).unwrap();
    let access = &settings.targets[0].settings.as_ref().unwrap().access;
    assert_eq!(access.file.as_deref(), Some(Path::new("/w/access")));
    assert_eq!((access.prefix.as_str(), access.max_removals), ("X_", MaxRemovals::Percent(5)));
    for line in ["access apply --max-removals some", "access plan --access-prefix a.b"] {
        assert!(self::settings(line).is_err(), "{line}");
    }
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let cli = words("run -s hunter2 --connector-name c -- --password hunter2").unwrap();
    let shown = format!("{cli:?} {:?}", cli.overrides());
    assert!(!shown.contains("hunter2"), "{shown}");
}
