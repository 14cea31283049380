//! Puts file, environment and flags together.

use std::path::{Path, PathBuf};

use url::Url;

use super::access::{AccessSettings, BackupSettings};
use super::document::{self, Entry, Value};
use super::error::{ConfigErrors, ConfigWarning, Origin, Problem, nearest};
use super::parameters::Parameters;
use super::settings::{LogForwarding, LogSettings, Settings, SkipSettings, Target, TargetSettings};
use super::source::{Layers, Source};
use super::target::{self, Defaults};
use super::{ConfigFile, Environment, Overrides, access, continuous, enrichers, keys, sandbox, values};
use crate::secret::Secret;

const DEFAULT_FILE_SIZE: u64 = 512 << 20;

/// Everything that settings are made of.
pub struct Inputs<'a> {
    /// The configuration file, if there is one.
    pub file: Option<&'a ConfigFile>,
    /// Looks up an environment variable.
    pub environment: &'a Environment<'a>,
    /// What was given on the command line.
    pub flags: &'a Overrides,
    /// The folder the program was started in.
    pub working_dir: &'a Path,
    /// What the settings are for.
    pub purpose: Purpose,
}

/// What settings are for: it decides what must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To talk to Raito Cloud.
    Sync,
    /// To talk to targets alone: what signs in to Raito Cloud is not looked at.
    Targets,
    /// To talk to nobody: neither that, nor need the variables of the environment be there that targets name.
    Offline,
}

/// Stands for a variable of the environment that is not needed.
const NOT_NEEDED: &str = "unset";

/// Resolves all settings. Errors inside a target are kept with that target.
///
/// # Errors
/// Everything that is wrong outside of targets.
pub fn resolve(inputs: &Inputs<'_>) -> Result<Settings, ConfigErrors> {
    let entries = match inputs.file {
        Some(file) => document::parse(file.path.clone(), &file.text)?,
        None => Vec::new(),
    };
    let base = base_dir(inputs);
    let mut layers = Layers {
        flags: inputs.flags,
        environment: inputs.environment,
        entries: &entries,
        errors: ConfigErrors::default(),
    };
    refuse_unknown(&mut layers);

    let mut warnings = Vec::new();
    let embedded = layers.truth("embedded").unwrap_or(false);
    let skip_authentication = layers.truth("skip-authentication").unwrap_or(false);
    let defaults = defaults(inputs, &mut layers, &base, embedded, skip_authentication);
    if let Some(node) = layers.node("make-not-internalizable") {
        warnings.push(target::deprecated(node.origin));
    }
    let only_targets = layers.text("only-targets").map(|text| values::list(&text)).unwrap_or_default();
    let log = LogSettings {
        file: path(&mut layers, "log-file", inputs.working_dir, &base),
        output: layers.truth("log-output").unwrap_or(false),
        debug: layers.truth("debug").unwrap_or(false),
    };
    let liveness_file = path(&mut layers, "cli-container-liveness-file", inputs.working_dir, &base);
    let continuous = continuous::read(&mut layers, liveness_file, &mut warnings);
    let log_forwarding = log_forwarding(&mut layers);
    check_repositories(&mut layers, &mut warnings);
    let connector_name = layers.text("connector-name");
    let targets = match &connector_name {
        Some(name) => vec![single(inputs, &mut layers, &defaults, name, &mut warnings)],
        None => listed(inputs, &mut layers, &defaults, &base, &mut warnings),
    };
    let settings = Settings {
        file: inputs.file.map(|file| file.path.clone()),
        raito_url_override: url_override(&mut layers),
        skip_authentication,
        skip_file_upload: layers.truth("skip-file-upload").unwrap_or(false),
        embedded,
        embedded_data_dir: path(&mut layers, "embedded-data-dir", inputs.working_dir, &base)
            .unwrap_or_else(|| base.join(".raito")),
        connector_path: connector_path(&mut layers, inputs.working_dir, &base),
        base_dir: base,
        access_file: defaults.access.file.clone(),
        only_targets,
        log,
        continuous,
        log_forwarding,
        targets,
        single_target: connector_name.is_some(),
        warnings,
    };
    layers.errors.or(settings)
}

/// The folder of the file, else the working folder.
fn base_dir(inputs: &Inputs<'_>) -> PathBuf {
    match inputs.file.and_then(|file| file.path.parent()) {
        Some(parent) => inputs.working_dir.join(parent),
        None => inputs.working_dir.to_owned(),
    }
}

/// Refuses what is not known, in the file: flags and environment are asked for by name.
fn refuse_unknown(layers: &mut Layers<'_>) {
    for entry in layers.entries {
        let key = entry.key.as_str();
        if key == "config-file" {
            let reason = "has no effect inside the file".to_owned();
            let hint = Some("give --config-file on the command line".to_owned());
            let problem = Problem::Invalid { key: key.to_owned(), reason, hint };
            layers.errors.push(entry.origin.clone(), problem);
        } else if !keys::top_level().any(|known| known == key) {
            let suggestion = nearest(key, keys::top_level());
            let problem = Problem::UnknownKey { key: key.to_owned(), within: None, suggestion };
            layers.errors.push(entry.origin.clone(), problem);
        }
    }
}

fn defaults(
    inputs: &Inputs<'_>,
    layers: &mut Layers<'_>,
    base: &Path,
    embedded: bool,
    skip_authentication: bool,
) -> Defaults {
    let sync = inputs.purpose == Purpose::Sync;
    let account = |layers: &mut Layers<'_>, key| if sync { layers.text(key) } else { None };
    let domain = account(layers, "domain");
    if let (Some(domain), Some(node)) = (&domain, layers.node("domain")) {
        target::check_domain(domain, &node.origin, &mut layers.errors);
    }
    let maximum_file_size = layers
        .node("maximum-file-size")
        .and_then(|node| target::maximum_file_size(&node, layers.environment, &mut layers.errors));
    let bases = access::Bases { file: base, working_dir: inputs.working_dir };
    let mut errors = ConfigErrors::default();
    let (access, backup) = access::read(
        |key| layers.node(key),
        (&AccessSettings::default(), &BackupSettings::default()),
        &bases,
        inputs.environment,
        &mut errors,
    );
    layers.errors.0.append(&mut errors.0);
    let entry = layers.entries.iter().find(|entry| entry.key == enrichers::KEY);
    let enrichers = match entry {
        Some(entry) if sync => enrichers::read(&entry.value, layers.environment, base, &mut layers.errors),
        _ => Vec::new(),
    };
    let (api_user, api_secret) = (account(layers, "api-user"), account(layers, "api-secret"));
    let mut on = |key, default| layers.truth(key).unwrap_or(default);
    let skip = SkipSettings {
        data_source: on("skip-data-source-sync", false),
        identity_store: on("skip-identity-store-sync", false),
        data_access: on("skip-data-access-sync", false),
        data_usage: on("skip-data-usage-sync", false),
        resource_provider: on("skip-resource-provider-sync", false),
        tag: on("skip-tag-sync", false),
    };
    Defaults {
        skip,
        delete_untouched: on("delete-untouched", true),
        delete_temp_files: on("delete-temp-files", true),
        replace_groups: on("replace-groups", true),
        domain,
        api_user,
        api_secret: api_secret.map(Secret::from),
        access,
        backup,
        enrichers,
        purpose: inputs.purpose,
        locks: layers.locks(&super::locks::LockSettings::default()),
        tags: layers.tags(&super::settings::TagSettings::default()),
        maximum_file_size: maximum_file_size.unwrap_or(DEFAULT_FILE_SIZE),
        embedded,
        skip_authentication,
    }
}

/// The one target of single-target mode.
fn single(
    inputs: &Inputs<'_>,
    layers: &mut Layers<'_>,
    defaults: &Defaults,
    connector_name: &str,
    warnings: &mut Vec<ConfigWarning>,
) -> Target {
    if let Some(entry) = layers.entries.iter().find(|entry| entry.key == "targets") {
        let message = "`targets` is left aside because `connector-name` is given".to_owned();
        warnings.push(ConfigWarning { origin: entry.origin.clone(), message });
    }
    let name = layers.text("name").unwrap_or_else(|| connector_name.to_owned());
    let mut errors = ConfigErrors::default();
    let connector_version = match (layers.text("connector-version"), layers.node("connector-version")) {
        (Some(text), Some(node)) => target::version(&text, &node.origin, &mut errors),
        _ => None,
    };
    let settings = TargetSettings {
        connector_name: connector_name.to_owned(),
        connector_version,
        // Enrichers are named by targets of the file.
        enrichers: Vec::new(),
        data_source_id: layers.text("data-source-id"),
        identity_store_id: layers.text("identity-store-id"),
        domain: defaults.domain.clone(),
        api_user: defaults.api_user.clone(),
        api_secret: defaults.api_secret.clone(),
        skip: defaults.skip,
        delete_untouched: defaults.delete_untouched,
        delete_temp_files: defaults.delete_temp_files,
        replace_groups: defaults.replace_groups,
        locks: defaults.locks.clone(),
        tags: defaults.tags.clone(),
        maximum_file_size: defaults.maximum_file_size,
        access: defaults.access.clone(),
        backup: defaults.backup.clone(),
        sandbox: sandbox::from_flags(inputs.flags, inputs.working_dir, &mut errors),
        parameters: Parameters::from_words(&inputs.flags.parameters, &mut errors),
        line: None,
        name: name.clone(),
    };
    if errors.0.is_empty() {
        target::check_complete(&settings, defaults, &Origin::Nowhere, &mut errors);
    }
    Target { name, settings: errors.or(settings) }
}

/// The targets of the file.
fn listed(
    inputs: &Inputs<'_>,
    layers: &mut Layers<'_>,
    defaults: &Defaults,
    base: &Path,
    warnings: &mut Vec<ConfigWarning>,
) -> Vec<Target> {
    for (flag, given) in inputs.flags.single_target_flags() {
        if given {
            let problem = Problem::SingleTargetOnly { what: flag.to_owned() };
            layers.errors.push(Origin::Flag(flag.to_owned()), problem);
        }
    }
    for key in ["name", "connector-version", "data-source-id", "identity-store-id"] {
        if let Some(node) = layers.node(key) {
            let problem = Problem::SingleTargetOnly { what: format!("`{key}` outside of a target") };
            layers.errors.push(node.origin, problem);
        }
    }
    let Some(Entry { value: node, .. }) = layers.entries.iter().find(|entry| entry.key == "targets") else {
        return Vec::new();
    };
    let given = inputs.environment;
    let lenient = |name: &str| given(name).or_else(|| Some(NOT_NEEDED.to_owned()));
    let environment: &Environment<'_> =
        if inputs.purpose == Purpose::Offline { &lenient } else { inputs.environment };
    let reader = target::Reader { defaults, environment, base };
    match &node.value {
        Value::Null => Vec::new(),
        Value::List(items) => {
            items.iter().enumerate().map(|(index, item)| reader.read(index, item, warnings)).collect()
        }
        _ => {
            let problem =
                Problem::WrongType { key: "targets".to_owned(), expected: "a list", found: node.kind() };
            layers.errors.push(node.origin.clone(), problem);
            Vec::new()
        }
    }
}

/// Everything is forwarded unless it is switched off, for all steps or for one.
fn log_forwarding(layers: &mut Layers<'_>) -> LogForwarding {
    let all = layers.truth("disable-log-forwarding").unwrap_or(false);
    let mut on = |key| !layers.truth(key).unwrap_or(false) && !all;
    LogForwarding {
        data_source: on("disable-log-forwarding-data-source-sync"),
        identity_store: on("disable-log-forwarding-identity-store-sync"),
        data_access: on("disable-log-forwarding-data-access-sync"),
        data_usage: on("disable-log-forwarding-data-usage-sync"),
        resource_provider: on("disable-log-forwarding-resource-provider-sync"),
        tag: on("disable-log-forwarding-tag-sync"),
    }
}

/// Where Raito's own CLI downloads private connectors from. Nothing is downloaded here, so there is nothing to be done
/// with them; they are checked all the same, and the reader is told.
fn check_repositories(layers: &mut Layers<'_>, warnings: &mut Vec<ConfigWarning>) {
    let key = "repositories";
    let Some(entry) = layers.entries.iter().find(|entry| entry.key == key) else { return };
    let items = match &entry.value.value {
        Value::Null => return,
        Value::List(items) => items.as_slice(),
        _ => &[],
    };
    let is_text = |value: &Value| matches!(value, Value::Text(_) | Value::Null);
    let well_formed = |item: &document::Node| match &item.value {
        Value::Map(entries) => entries
            .iter()
            .all(|entry| matches!(entry.key.as_str(), "name" | "token") && is_text(&entry.value.value)),
        _ => false,
    };
    if !matches!(entry.value.value, Value::List(_)) || !items.iter().all(well_formed) {
        let (expected, found) = ("a list of maps with `name` and `token`", entry.value.kind());
        let problem = Problem::WrongType { key: key.to_owned(), expected, found };
        layers.errors.push(entry.value.origin.clone(), problem);
        return;
    }
    let message = "`repositories` has no effect: connectors are files on this machine, nothing is downloaded";
    warnings.push(ConfigWarning { origin: entry.origin.clone(), message: message.to_owned() });
}

fn url_override(layers: &mut Layers<'_>) -> Option<Url> {
    let key = "raito-url-override";
    let node = layers.node(key)?;
    let mut text = layers.text(key)?;
    if !text.ends_with('/') {
        text.push('/');
    }
    let url = Url::parse(&text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none());
    if url.is_none() {
        let problem = Problem::Invalid {
            key: key.to_owned(),
            reason: "is not an http or https address".to_owned(),
            hint: Some("for instance https://raito.example.com/".to_owned()),
        };
        layers.errors.push(node.origin, problem);
    }
    url
}

/// A path: relative to the file if it stands there, else to the working folder.
fn path(layers: &mut Layers<'_>, key: &'static str, working_dir: &Path, base: &Path) -> Option<PathBuf> {
    let from_file = layers.node(key)?.origin.line().is_some();
    let text = layers.text(key)?;
    Some(if from_file { base.join(text) } else { working_dir.join(text) })
}

/// The connector folders: a list or a text in the file, the system's path list elsewhere.
fn connector_path(layers: &mut Layers<'_>, working_dir: &Path, base: &Path) -> Vec<PathBuf> {
    let key = "connector-path";
    if !layers.flags.connector_path.is_empty() {
        return layers.flags.connector_path.iter().map(|folder| working_dir.join(folder)).collect();
    }
    let Some(node) = layers.node(key) else { return Vec::new() };
    let from_file = node.origin.line().is_some();
    let items = match &node.value {
        Value::List(items) => items.clone(),
        _ if from_file => vec![node],
        Value::Text(text) => {
            return std::env::split_paths(text).map(|folder| working_dir.join(folder)).collect();
        }
        _ => Vec::new(),
    };
    let mut folders = Vec::new();
    for item in items {
        if let Value::Text(text) = &item.value {
            folders.push(base.join(text));
        } else {
            let problem =
                Problem::WrongType { key: key.to_owned(), expected: "a list of folders", found: item.kind() };
            layers.errors.push(item.origin, problem);
        }
    }
    folders
}
