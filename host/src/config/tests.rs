//! Whole configurations: layers, targets, single-target mode, refusals.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::path::Path;

use super::*;
use crate::secret::Secret;

struct Case {
    text: Option<&'static str>,
    variables: Vec<(&'static str, &'static str)>,
    flags: Overrides,
    purpose: Purpose,
}

fn file(text: &'static str) -> Case {
    Case { text: Some(text), variables: Vec::new(), flags: Overrides::default(), purpose: Purpose::Sync }
}

fn flags(pairs: &[(&'static str, &str)]) -> Case {
    let mut case =
        Case { text: None, variables: Vec::new(), flags: Overrides::default(), purpose: Purpose::Sync };
    for (key, value) in pairs {
        case.flags.set(key, *value);
    }
    case
}

impl Case {
    fn purpose(mut self, purpose: Purpose) -> Self {
        self.purpose = purpose;
        self
    }

    fn variable(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    fn flag(mut self, key: &'static str, value: &str) -> Self {
        self.flags.set(key, value);
        self
    }

    fn resolve(&self) -> Result<Settings, ConfigErrors> {
        let file = self.text.map(|text| ConfigFile { path: "/conf/raito.yml".into(), text: text.to_owned() });
        let environment = |name: &str| {
            let mut pairs = self.variables.iter();
            pairs.find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        resolve(&Inputs {
            file: file.as_ref(),
            environment: &environment,
            flags: &self.flags,
            working_dir: Path::new("/start"),
            purpose: self.purpose,
        })
    }

    fn target(&self) -> TargetSettings {
        self.resolve().unwrap().targets.remove(0).settings.unwrap()
    }

    /// All errors, of the whole and of targets.
    fn errors(&self) -> String {
        match self.resolve() {
            Err(errors) => errors.to_string(),
            Ok(settings) => settings
                .targets
                .iter()
                .filter_map(|target| target.settings.as_ref().err())
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n"),
        }
    }
}

const CREDENTIALS: &str = "domain: acme\napi-user: u\napi-secret: s\n";

#[test]
fn the_minimal_example() {
    let settings = file(
        "domain: acme\napi-user: \"{{RAITO_USER}}\"\napi-secret: \"{{RAITO_SECRET}}\"\ntargets:\n  \
         - name: warehouse\n    connector-name: raito-io/cli-plugin-snowflake\n    data-source-id: \"abc\"\n    \
         identity-store-id: \"def\"\n    sf-Account: xy\n    skip-data-usage-sync: true\n",
    )
    .variable("RAITO_USER", "sync@acme")
    .variable("RAITO_SECRET", "hunter2")
    .resolve()
    .unwrap();
    let target = settings.targets[0].settings.as_ref().unwrap();
    assert_eq!(target.name, "warehouse");
    assert_eq!(target.data_source_id.as_deref(), Some("abc"));
    assert_eq!(target.api_user.as_deref(), Some("sync@acme"));
    assert_eq!(target.api_secret.as_ref().map(Secret::expose), Some("hunter2"));
    assert!(target.skip.data_usage && !target.skip.data_source);
    assert!(target.delete_untouched && target.delete_temp_files && target.replace_groups);
    assert_eq!(target.maximum_file_size, 536_870_912);
    assert_eq!(target.parameters.len(), 1);
    assert_eq!(target.parameters.get("sf-account").map(String::as_str), Some("xy"));
    assert_eq!(target.line, Some(5));
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let case = || file("Domain: file-domain\nembedded: true\ntargets: [{connector-name: c}]\n");
    assert_eq!(case().target().domain.as_deref(), Some("file-domain"));
    let case = || case().variable("RAITO_DOMAIN", "env-domain");
    assert_eq!(case().target().domain.as_deref(), Some("env-domain"));
    assert_eq!(case().flag("domain", "flag-domain").target().domain.as_deref(), Some("flag-domain"));
    let empty = file("domain: file-domain\nembedded: true\ntargets: [{connector-name: c}]\n")
        .variable("RAITO_DOMAIN", "");
    assert_eq!(empty.target().domain.as_deref(), Some("file-domain"), "empty counts as not set");
}

#[test]
fn top_level_values_are_converted() {
    let settings =
        file("debug: 'true'\nlog-output: 1\nonly-targets: ' a, ,b '\nmaximum-file-size: 1kb\nembedded: t\n")
            .variable("RAITO_SKIP_FILE_UPLOAD", "T")
            .resolve()
            .unwrap();
    assert!(settings.log.debug && settings.log.output && settings.embedded && settings.skip_file_upload);
    assert_eq!(settings.only_targets, ["a", "b"]);
    assert!(
        file("debug: yes\n")
            .errors()
            .contains("/conf/raito.yml:1:8: `debug` must be true or false, found a text")
    );
    assert!(file("").variable("RAITO_DEBUG", "maybe").errors().contains("environment variable RAITO_DEBUG"));
    assert!(file("only-targets: [a]\n").errors().contains("commas between the elements"));
    assert!(file("maximum-file-size: big\n").errors().contains("is not a size"));
}

#[test]
fn paths_are_relative_to_where_they_were_written() {
    let settings =
        file("embedded-data-dir: data\nconnector-path: [a, /b]\nlog-file: x.log\n").resolve().unwrap();
    assert_eq!(settings.embedded_data_dir, Path::new("/conf/data"));
    assert_eq!(settings.connector_path, [Path::new("/conf/a"), Path::new("/b")]);
    assert_eq!(settings.log.file.as_deref(), Some(Path::new("/conf/x.log")));
    let settings = file("connector-path: c\n")
        .variable("RAITO_EMBEDDED_DATA_DIR", "data")
        .flag("log-file", "y.log")
        .resolve()
        .unwrap();
    assert_eq!(settings.connector_path, [Path::new("/conf/c")]);
    assert_eq!(settings.embedded_data_dir, Path::new("/start/data"));
    assert_eq!(settings.log.file.as_deref(), Some(Path::new("/start/y.log")));
    let settings = file("").variable("RAITO_CONNECTOR_PATH", "a:/b").resolve().unwrap();
    assert_eq!(settings.connector_path, [Path::new("/start/a"), Path::new("/b")]);
    assert_eq!(settings.embedded_data_dir, Path::new("/conf/.raito"), "beside the file by default");
}

#[test]
fn the_url_override_gets_its_slash() {
    let url = |case: Case| case.resolve().map(|settings| settings.raito_url_override.unwrap().to_string());
    assert_eq!(
        url(file("raito-url-override: http://localhost:8080/x\n")).unwrap(),
        "http://localhost:8080/x/"
    );
    for wrong in ["localhost", "ftp://x", "https://x?y"] {
        let errors = url(flags(&[("raito-url-override", wrong)])).unwrap_err().to_string();
        assert!(errors.contains("flag --raito-url-override: `raito-url-override` is not"), "{errors}");
    }
}

#[test]
fn target_wins_over_top_level_but_skips_add_up() {
    let target = file(
        "domain: acme\napi-user: u\napi-secret: s\nlock-all-who: true\nlock-what-by-name: a,b\nreplace-groups: false\n\
         skip-tag-sync: true\ntag-overwrite-key-for-data-object-owners: top\ntag-key-and-value-for-user-is-machine: k:v\n\
         targets:\n  - connector-name: c\n    domain: other\n    api-user: u2\n    api-secret: s2\n    lock-all-who: false\n    \
         lock-delete-by-tag: x:y\n    skip-tag-sync: false\n    skip-resource-provider-sync: true\n    \
         tag-overwrite-key-for-data-object-owners: own\n    maximum-file-size: 5mb\n    delete_untouched: false\n",
    )
    .target();
    assert_eq!(target.name, "c");
    assert_eq!(target.domain.as_deref(), Some("other"));
    assert_eq!(target.api_user.as_deref(), Some("u2"));
    assert_eq!(target.api_secret.as_ref().map(Secret::expose), Some("s2"));
    assert!(!target.locks.who.all, "the target switches a default off");
    assert_eq!(target.locks.what.by_name, "a,b");
    assert_eq!(target.locks.delete.by_tag, "x:y");
    assert!(target.skip.tag && target.skip.resource_provider);
    assert_eq!(target.tags.data_object_owners.as_deref(), Some("own"));
    assert_eq!(target.tags.user_is_machine.as_deref(), Some("k:v"));
    assert!(!target.replace_groups && !target.delete_untouched);
    assert_eq!(target.maximum_file_size, 5 << 20);
    let handed: Vec<_> = target.parameters.keys().map(String::as_str).collect();
    assert_eq!(
        handed,
        [
            "lock-all-who",
            "lock-delete-by-tag",
            "maximum-file-size",
            "skip-resource-provider-sync",
            "skip-tag-sync",
            "tag-overwrite-key-for-data-object-owners",
        ],
        "lock and tag keys are handed over too"
    );
    let shorter = file("embedded: true\ntargets: [{connector-name: c, skip-resource-provider: true}]\n");
    assert!(shorter.target().skip.resource_provider);
}

#[test]
fn types_inside_a_target_are_strict_but_for_templates() {
    let target = |rest: &'static str| file(rest).variable("YES", "T").variable("WORD", "x");
    assert!(
        target("embedded: true\ntargets: [{connector-name: c, skip-tag-sync: '{{YES}}'}]\n")
            .target()
            .skip
            .tag
    );
    for (text, expected) in [
        ("skip-tag-sync: 'true'", "must be true or false, found a text"),
        ("skip-tag-sync: '{{WORD}}'", "must be true or false"),
        ("data-source-id: 12", "must be a text, found an integer\n  hint: put the value in quotes"),
        ("api-secret: '{{GONE}}'", "wants the environment variable `GONE`, which is not set"),
        ("pg-host: '{{GONE}}'", "wants the environment variable `GONE`, which is not set"),
        ("domain: a.b", "cannot be an organisation"),
        ("maximum-file-size: true", "must be a size"),
        ("sandbox: { network: ['*'] }", "every host"),
        ("cron: '* * * * *'", "`cron` has no effect inside a target"),
        ("cli-container-liveness-file: x", "`cli-container-liveness-file` has no effect inside a target"),
        ("data-object-enrichers: x", "`data-object-enrichers` must be a list of maps, found a text"),
        ("data-object-enrichers: [x]", "`data-object-enrichers` must be a list of maps, found a text"),
        ("data-object-enrichers: [{word: x}]", "`name` is missing"),
        ("data-object-enrichers: [{name: x}]", "`connector-name` is missing for target `x`"),
        ("data-object-enrichers: [{connector-name: x, y: '{{GONE}}'}]", "`GONE`, which is not set"),
        ("connector-version: newest", "`newest` is not a version"),
        ("connector-version: '1.2'", "`1.2` is not a version"),
        ("disable-log-forwarding: true", "`disable-log-forwarding` has no effect inside a target"),
        ("debug: true", "`debug` has no effect inside a target"),
        ("NAME: x, name: y", "given twice"),
        ("api_user: x, api-user: y", "given twice"),
    ] {
        let text: &'static str = Box::leak(
            format!("embedded: true\ntargets:\n  - {{connector-name: c, {text}}}\n").into_boxed_str(),
        );
        let errors = target(text).errors();
        assert!(errors.contains(expected), "{text}: {errors}");
        assert!(errors.contains("/conf/raito.yml:3:"), "{text}: {errors}");
    }
}

#[test]
fn null_is_unset() {
    let target = file(
        "embedded: true\ndomain:\ncron:\ntargets:\n  - connector-name: c\n    name:\n    skip-tag-sync:\n    debug:\n    \
         connector-version:\n    data-object-enrichers:\n    sandbox:\n    x:\n",
    )
    .target();
    assert_eq!((target.name.as_str(), target.skip.tag), ("c", false));
    assert!(target.parameters.is_empty());
}

#[test]
fn a_wrong_target_leaves_the_others_alone() {
    let settings = file(
        "domain: acme\napi-user: u\napi-secret: s\ntargets:\n  - {name: a, connector-name: c, pg-password: '{{GONE}}'}\n  \
         - {name: b, connector-name: c}\n  - {name: d}\n  - 5\n",
    )
    .resolve()
    .unwrap();
    let outcome: Vec<_> =
        settings.targets.iter().map(|target| (target.name.as_str(), target.settings.is_ok())).collect();
    assert_eq!(outcome, [("a", false), ("b", true), ("d", false), ("target 4", false)]);
    let message = settings.targets[2].settings.as_ref().unwrap_err().to_string();
    assert!(message.contains("/conf/raito.yml:7:5: `connector-name` is missing for target `d`"), "{message}");
}

#[test]
fn missing_templates_at_the_top_stop_the_program() {
    let errors = file("api-secret: '{{ GONE }}'\n").resolve().unwrap_err().to_string();
    assert!(errors.contains("`GONE`"), "{errors}");
    let untouched = file("log-file: '{{GONE}}'\n").resolve().unwrap();
    assert_eq!(untouched.log.file.as_deref(), Some(Path::new("/conf/{{GONE}}")));
}

#[test]
fn credentials_are_wanted_only_where_they_are_used() {
    let targets = "targets: [{name: t, connector-name: c}]\n";
    let missing = |text: String| {
        let errors = file(Box::leak(text.into_boxed_str())).errors();
        ["domain", "api-user", "api-secret"]
            .map(|key| errors.contains(&format!("`{key}` is missing for target `t`")))
    };
    assert_eq!(missing(targets.to_owned()), [true, true, true]);
    assert_eq!(missing(format!("skip-authentication: true\n{targets}")), [true, false, false]);
    assert_eq!(missing(format!("embedded: true\n{targets}")), [false, false, false]);
    assert_eq!(missing(format!("{CREDENTIALS}{targets}")), [false, false, false]);
}

#[test]
fn unknown_and_unsupported_keys_are_errors_everywhere() {
    let errors = file("domian: x\n").errors();
    assert!(
        errors.contains("/conf/raito.yml:1:1: unknown key `domian`\n  hint: did you mean `domain`?"),
        "{errors}"
    );
    assert!(file("zzz: 1\n").errors().contains("unknown key `zzz`"));
    let errors = file("").variable("RAITO_CRON", "* 2 * * *").errors();
    assert!(
        errors.starts_with(
            "environment variable RAITO_CRON: `cron` must not come more often than once an hour"
        ),
        "{errors}"
    );
    assert!(file("frequency: 1.5\n").errors().contains("`frequency` is not a number of minutes"));
    assert_eq!(file("frequency: 0\ncron: ''\n").errors(), "");
    let settings = file("frequency: 60\ncron: '0 2 * * *'\n").resolve().unwrap();
    assert_eq!(
        settings.continuous.schedule.map(|schedule| schedule.to_string()).as_deref(),
        Some("0 2 * * *")
    );
    assert!(
        settings.warnings.iter().any(|warning| warning.to_string().contains("`frequency` has no effect"))
    );
    let errors = flags(&[("connector-version", "1.0.0")]).errors();
    assert!(errors.contains("`connector-version` outside of a target only works together"), "{errors}");
    assert!(file("config-file: x\n").errors().contains("no effect inside the file"));
    assert!(file("targets: {a: b}\n").errors().contains("`targets` must be a list, found a map"));
}

#[test]
fn all_errors_are_told_at_once() {
    let errors = file("domian: x\ndebug: maybe\ncron: x\n").resolve().unwrap_err();
    assert_eq!(errors.0.len(), 3, "{errors}");
}

#[test]
fn single_target_mode() {
    let mut case = flags(&[
        ("connector-name", "file"),
        ("name", "hr"),
        ("data-source-id", "ds"),
        ("embedded", "true"),
        ("lock-all-names", "true"),
        ("skip-tag-sync", "true"),
    ])
    .variable("RAITO_IDENTITY_STORE_ID", "is")
    .variable("RAITO_TAG_KEY_AND_VALUE_FOR_USER_IS_MACHINE", "k:v");
    case.flags.parameters = ["--Folder", "/data", "--strict"].map(Secret::from).to_vec();
    case.flags.sandbox_filesystem = vec!["exports=/data".into()];
    case.flags.sandbox_network = vec!["db:5432".into()];
    let settings = case.resolve().unwrap();
    assert!(settings.single_target);
    let target = settings.targets[0].settings.as_ref().unwrap();
    assert_eq!((target.name.as_str(), target.connector_name.as_str()), ("hr", "file"));
    assert_eq!(target.data_source_id.as_deref(), Some("ds"));
    assert_eq!(target.identity_store_id.as_deref(), Some("is"));
    assert!(target.locks.names.all && target.skip.tag);
    assert_eq!(target.tags.user_is_machine.as_deref(), Some("k:v"));
    assert_eq!(target.parameters.get("Folder").map(String::as_str), Some("/data"));
    assert_eq!(target.parameters.get("strict").map(String::as_str), Some("TRUE"));
    assert_eq!(target.sandbox.filesystem[0].host, Path::new("/start/exports"));
    assert_eq!(target.sandbox.network[0].line, None);

    let from_file =
        file("connector-name: c\nembedded: true\ntargets: [{connector-name: d}]\n").resolve().unwrap();
    assert_eq!(from_file.targets.len(), 1);
    assert_eq!(from_file.targets[0].name, "c");
    assert!(from_file.warnings[0].to_string().contains("`targets` is left aside"));
}

#[test]
fn what_belongs_to_single_target_mode_is_refused_outside_of_it() {
    let mut case = file("targets: []\n");
    case.flags.sandbox_network = vec!["db:5432".into()];
    case.flags.parameters = vec![Secret::from("--x")];
    case.flags.set("name", "n");
    let errors = case.errors();
    for what in ["--sandbox-network", "connector parameters after --", "`name` outside of a target"] {
        assert!(errors.contains(&format!("{what} only works together with `--connector-name`")), "{errors}");
    }
}

#[test]
fn slips_inside_targets_and_deprecated_keys_are_warned_about() {
    let settings = file(
        "embedded: true\ntargets:\n  - connector-name: c\n    skip-data-usage-snyc: true\n    pg-user: x\n    \
         make-not-internalizable: a\n",
    )
    .resolve()
    .unwrap();
    let warnings: Vec<_> = settings.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains(":4:5: `skip-data-usage-snyc` is handed to the connector"), "{warnings:?}");
    assert!(warnings[0].contains("did you mean `skip-data-usage-sync`?"));
    assert!(warnings[1].contains("use `fully-lock-by-name`"));
}

#[test]
fn secrets_stay_out_of_messages() {
    let errors = file(
        "api-secret: [hunter2]\nembedded: true\ntargets: [{connector-name: c, api-secret: [hunter2]}]\n",
    )
    .errors();
    assert!(errors.contains("`api-secret` must be a text") && !errors.contains("hunter2"), "{errors}");
}

#[test]
fn only_targets_selects_by_name() {
    let settings =
        file("embedded: true\nonly-targets: b\ntargets: [{connector-name: a}, {connector-name: b}]\n")
            .resolve()
            .unwrap();
    let selected: Vec<_> =
        settings.selected().unwrap().into_iter().map(|target| target.name.as_str()).collect();
    assert_eq!(selected, ["b"]);
    let unknown =
        file("embedded: true\nonly-targets: c\ntargets: [{connector-name: a}]\n").resolve().unwrap();
    assert!(unknown.selected().unwrap_err().to_string().contains("`c`"));
}

#[test]
fn keys_of_access_as_code_and_of_backups() {
    let settings = file(
        "embedded: true\naccess-prefix: A_\nmax-removals: 10\nfile-backup-location: \"{{KEPT}}\"\n\
         maximum-backups-per-target: 3\ntargets:\n  - {connector-name: a, access-file: access, max-removals: 40%}\n  \
         - {connector-name: b, access-prefix: B_, file-backup-location: /own}\n",
    )
    .variable("KEPT", "kept")
    .resolve()
    .unwrap();
    let targets: Vec<_> = settings.targets.iter().map(|one| one.settings.as_ref().unwrap()).collect();
    assert_eq!(targets[0].access.file.as_deref(), Some(Path::new("/conf/access")));
    assert_eq!(targets[0].access.prefix, "A_");
    assert_eq!(targets[0].access.max_removals, MaxRemovals::Percent(40));
    assert_eq!(targets[0].backup.location.as_deref(), Some(Path::new("/conf/kept")));
    assert_eq!((targets[1].access.prefix.as_str(), targets[1].access.file.as_deref()), ("B_", None));
    assert_eq!(targets[1].access.max_removals, MaxRemovals::Count(10));
    assert_eq!(targets[1].backup.location.as_deref(), Some(Path::new("/own")));
    assert_eq!(targets[1].backup.keep, 3);
}

#[test]
fn an_access_file_that_is_given_for_all_targets_wins() {
    let text = "embedded: true\ntargets:\n  - {connector-name: a, access-file: own.yml}\n";
    let file_of = |case: Case| {
        let settings = case.resolve().unwrap();
        settings.targets[0].settings.as_ref().unwrap().access.file.clone().unwrap()
    };
    assert_eq!(file_of(file(text)), Path::new("/conf/own.yml"));
    assert_eq!(file_of(file(text).variable("RAITO_ACCESS_FILE", "x.yml")), Path::new("/start/x.yml"));
    let mut given = file(text);
    given.flags.set("access-file", "y.yml");
    assert_eq!(file_of(given), Path::new("/start/y.yml"));
}

#[test]
fn limits_and_prefixes_that_are_given_for_this_call_win_over_those_of_targets() {
    let text = "embedded: true\nmax-removals: 7\ntargets:\n  - {connector-name: a, max-removals: 0, access-prefix: A_}\n";
    let access_of = |case: Case| case.resolve().unwrap().targets[0].settings.as_ref().unwrap().access.clone();
    assert_eq!(access_of(file(text)).max_removals, MaxRemovals::Count(0));
    let by_variable = access_of(file(text).variable("RAITO_MAX_REMOVALS", "5%"));
    assert_eq!(by_variable.max_removals, MaxRemovals::Percent(5));
    let mut given = file(text);
    given.flags.set("max-removals", "9");
    given.flags.set("access-prefix", "B_");
    let by_flag = access_of(given);
    assert_eq!((by_flag.max_removals, by_flag.prefix.as_str()), (MaxRemovals::Count(9), "B_"));
    let mut empty = file(text);
    empty.flags.set("access-prefix", "");
    assert!(empty.errors().contains("cannot be a prefix"));
}

#[test]
fn what_signs_in_to_raito_cloud_is_looked_at_for_a_sync_alone() {
    let text = "domain: \"{{NONE}}\"\ntargets:\n  - {connector-name: a, api-secret: \"{{NONE}}\", password: \"{{NONE}}\"}\n";
    assert!(file(text).resolve().is_err());
    let targets = file(text).purpose(Purpose::Targets).resolve().unwrap();
    let error = targets.targets[0].settings.as_ref().unwrap_err().to_string();
    assert!(error.contains("`password`") && !error.contains("api-secret"), "{error}");
    let offline = file(text).purpose(Purpose::Offline).resolve().unwrap();
    assert_eq!(offline.targets[0].settings.as_ref().unwrap().parameters["password"], "unset");
}

#[test]
fn versions_of_connectors() {
    for (text, version) in
        [("latest", None), ("LATEST", None), ("v1.2.3-rc.1", Some("1.2.3-rc.1")), ("0.4.0", Some("0.4.0"))]
    {
        let text: &'static str = Box::leak(
            format!("embedded: true\ntargets: [{{connector-name: c, connector-version: {text}}}]\n")
                .into_boxed_str(),
        );
        assert_eq!(
            file(text).target().connector_version.map(|version| version.to_string()).as_deref(),
            version
        );
    }
    let flags = flags(&[("embedded", "true"), ("connector-name", "c"), ("connector-version", "1.0.0")]);
    assert_eq!(flags.target().connector_version.unwrap().to_string(), "1.0.0");
}

#[test]
fn enrichers_of_a_target_are_those_it_names_with_its_parameters_laid_over() {
    let target = file(
        "embedded: true\ndata-object-enrichers:\n  - {name: a, connector-name: x, connector-version: 1.0.0, word: top, Kept: \"{{WORD}}\", \
         sandbox: {network: [\"h:1\"]}}\n  - {connector-name: unused}\ntargets:\n  - connector-name: c\n    data-object-enrichers:\n      \
         - {connector-name: own, word: 1}\n      - {name: a, connector-name: ignored, word: mine}\n",
    )
    .variable("WORD", "w")
    .target();
    let [own, merged] = target.enrichers.as_slice() else { unreachable!() };
    assert_eq!((own.name.as_str(), own.connector_name.as_str()), ("own", "own"));
    assert_eq!(own.parameters["word"], "1");
    assert_eq!((merged.name.as_str(), merged.connector_name.as_str()), ("a", "x"));
    assert_eq!(merged.connector_version.as_ref().unwrap().to_string(), "1.0.0");
    assert_eq!((merged.parameters["word"].as_str(), merged.parameters["kept"].as_str()), ("mine", "w"));
    assert_eq!(merged.sandbox.network.len(), 1);
    assert!(target.parameters.is_empty());
}

#[test]
fn repositories_are_checked_and_told_to_have_no_effect() {
    let settings =
        file("embedded: true\nrepositories:\n  - {name: acme, token: \"{{GONE}}\"}\n").resolve().unwrap();
    assert!(
        settings.warnings[0].to_string().contains("`repositories` has no effect"),
        "{:?}",
        settings.warnings
    );
    assert!(file("repositories: {name: x}\n").errors().contains("must be a list of maps"));
    assert!(file("repositories: [{name: x, pass: y}]\n").errors().contains("must be a list of maps"));
}

#[test]
fn the_same_configuration_in_toml() {
    let inputs = file("");
    let text = "embedded = true\nlog-file = \"x\"\n[[targets]]\nconnector-name = \"c\"\nUsers = 5\n[targets.sandbox]\nnetwork = [\"db:5432\"]\n";
    let toml = ConfigFile { path: "/conf/raito.toml".into(), text: text.to_owned() };
    let flags = Overrides::default();
    let settings = resolve(&Inputs {
        file: Some(&toml),
        environment: &|_| None,
        flags: &flags,
        working_dir: Path::new("/start"),
        purpose: Purpose::Sync,
    })
    .unwrap();
    drop(inputs);
    let target = settings.targets[0].settings.as_ref().unwrap();
    assert_eq!((target.parameters["users"].as_str(), target.sandbox.network[0].line), ("5", Some(7)));
    assert_eq!(settings.log.file.as_deref(), Some(Path::new("/conf/x")));
}
