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
fn the_schedule_is_read_from_flags() {
    let settings =
        settings("run --embedded -f 90 --disable-websocket --cli-container-liveness-file alive").unwrap();
    let continuous = settings.continuous;
    assert_eq!(continuous.schedule.map(|schedule| schedule.to_string()).as_deref(), Some("every 90 minutes"));
    assert!(continuous.at_startup && continuous.disable_websocket);
    assert_eq!(continuous.liveness_file.as_deref(), Some(Path::new("/w/alive")));
    let settings = self::settings("run -c @hourly --sync-at-startup=false").unwrap();
    assert!(settings.continuous.schedule.is_some() && !settings.continuous.at_startup);
    for (line, reason) in [
        ("run -f 59", "flag --frequency: `frequency` must be at least 60 minutes"),
        ("run -f often", "flag --frequency: `frequency` is not a number of minutes"),
        ("run -c @never", "flag --cron: `cron` has no descriptor `@never`"),
    ] {
        let errors = self::settings(line).unwrap_err().to_string();
        assert!(errors.contains(reason), "{line}: {errors}");
    }
}

#[test]
fn logs_are_forwarded_unless_a_flag_forbids_it() {
    let forwarding = |line| settings(line).unwrap().log_forwarding;
    let all = forwarding("run --embedded --connector-name c");
    assert!(all.data_source && all.tag && all.resource_provider);
    let one = forwarding("run --embedded --connector-name c --disable-log-forwarding-tag-sync");
    assert!(one.data_source && one.identity_store && one.data_access && one.data_usage && !one.tag);
    let none = forwarding("run --embedded --connector-name c --disable-log-forwarding");
    assert!(!none.data_source && !none.identity_store && !none.data_access && !none.data_usage && !none.tag);
}

#[test]
fn completion_scripts_name_the_commands() {
    for shell in
        [CompletionShell::Bash, CompletionShell::Zsh, CompletionShell::Fish, CompletionShell::Powershell]
    {
        let script = String::from_utf8(completion(shell)).unwrap();
        assert!(script.contains("apply-access") && script.contains("add-target"), "{shell:?}");
    }
    assert_eq!(refusal("completion").1, USAGE_EXIT_CODE);
    assert_eq!(refusal("completion tcsh").1, USAGE_EXIT_CODE);
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
    assert!(refusal("run --help").0.contains("--cron"));
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
