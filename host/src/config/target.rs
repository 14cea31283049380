//! One target of the file, or the single target of flags, with the top level as its defaults.
//!
//! A key of a target belongs to the client, to the connector, or to both (see [`super::keys`]). The client's
//! keys may be spelled with `_`, `.` or a blank for `-`. Skip options of target and top level add up;
//! everything else in the target wins over the top level.

use std::path::Path;

use semver::Version;

use super::access::{self, AccessSettings, BackupSettings};
use super::document::{Entry, Node, Value};
use super::enrichers::{self, Element};
use super::error::{ConfigErrors, ConfigWarning, Origin, Problem};
use super::locks::LockSettings;
use super::parameters::Parameters;
use super::resolve::Purpose;
use super::settings::{SkipSettings, TagSettings, Target, TargetSettings};
use super::source::{Source, TargetSource};
use super::{Environment, keys, sandbox, template, values};
use crate::secret::Secret;

/// What the top level gives to every target.
#[derive(Debug)]
pub(super) struct Defaults {
    pub(super) domain: Option<String>,
    pub(super) api_user: Option<String>,
    pub(super) api_secret: Option<Secret>,
    pub(super) skip: SkipSettings,
    pub(super) delete_untouched: bool,
    pub(super) delete_temp_files: bool,
    pub(super) replace_groups: bool,
    pub(super) locks: LockSettings,
    pub(super) tags: TagSettings,
    pub(super) maximum_file_size: u64,
    pub(super) embedded: bool,
    pub(super) skip_authentication: bool,
    pub(super) access: AccessSettings,
    pub(super) backup: BackupSettings,
    pub(super) enrichers: Vec<Element>,
    pub(super) purpose: Purpose,
}

/// What all targets of a file are read with.
pub(super) struct Reader<'a> {
    pub(super) defaults: &'a Defaults,
    pub(super) environment: &'a Environment<'a>,
    pub(super) base: &'a Path,
}

impl Reader<'_> {
    /// Reads one element of `targets`; `index` counts from 0 and names a target that has no name.
    pub(super) fn read(&self, index: usize, node: &Node, warnings: &mut Vec<ConfigWarning>) -> Target {
        let Value::Map(entries) = &node.value else {
            let problem = Problem::WrongType {
                key: "targets".to_owned(),
                expected: "a list of maps",
                found: node.kind(),
            };
            let mut errors = ConfigErrors::default();
            errors.push(node.origin.clone(), problem);
            return Target { name: format!("target {}", index + 1), settings: Err(errors) };
        };
        let name = self.name(entries).unwrap_or_else(|| format!("target {}", index + 1));
        let settings = self.settings(&name, node, entries, warnings);
        Target { name, settings }
    }

    /// The name, as far as it can be told whatever else is wrong.
    fn name(&self, entries: &[Entry]) -> Option<String> {
        ["name", "connector-name"].into_iter().find_map(|key| {
            let entry = entries.iter().find(|entry| canonical(&entry.key) == key)?;
            let Value::Text(text) = &entry.value.value else { return None };
            template::expand(text, self.environment).ok().filter(|name| !name.is_empty())
        })
    }

    fn settings(
        &self,
        name: &str,
        node: &Node,
        entries: &[Entry],
        warnings: &mut Vec<ConfigWarning>,
    ) -> Result<TargetSettings, ConfigErrors> {
        let defaults = self.defaults;
        let mut parameters = Parameters::default();
        let mut source = self.sort(entries, &mut parameters, warnings);

        let connector_version = match (source.text("connector-version"), source.entry("connector-version")) {
            (Some(text), Some(entry)) => version(&text, &entry.value.origin, &mut source.errors),
            _ => None,
        };
        let connector_name = source.text("connector-name");
        let maximum_file_size = match source.entry("maximum-file-size") {
            Some(entry) => maximum_file_size(&entry.value, self.environment, &mut source.errors),
            None => None,
        };
        let sandbox = match source.entry("sandbox") {
            Some(entry) => sandbox::from_entry(entry, self.base, &mut source.errors),
            None => sandbox::SandboxSettings::default(),
        };
        let bases = access::Bases { file: self.base, working_dir: self.base };
        let mut errors = ConfigErrors::default();
        let (access, backup) = access::read(
            |key| source.entry(key).map(|entry| entry.value.clone()),
            (&defaults.access, &defaults.backup),
            &bases,
            self.environment,
            &mut errors,
        );
        source.errors.0.append(&mut errors.0);
        // Only a sync has data objects to add to.
        let enrichers = match source.entry(enrichers::KEY) {
            Some(entry) if defaults.purpose == Purpose::Sync => {
                let errors = &mut source.errors;
                let own = enrichers::read(&entry.value, self.environment, self.base, errors);
                enrichers::merge(own, &defaults.enrichers, errors)
            }
            _ => Vec::new(),
        };
        let domain_origin = source.entry("domain").map(|entry| entry.value.origin.clone());
        let sync = defaults.purpose == Purpose::Sync;
        let account = |source: &mut TargetSource<'_>, key| if sync { source.text(key) } else { None };
        let domain = account(&mut source, "domain");
        if let (Some(domain), Some(origin)) = (&domain, domain_origin) {
            check_domain(domain, &origin, &mut source.errors);
        }
        let skip = SkipSettings {
            data_source: defaults.skip.data_source | on(&mut source, "skip-data-source-sync"),
            identity_store: defaults.skip.identity_store | on(&mut source, "skip-identity-store-sync"),
            data_access: defaults.skip.data_access | on(&mut source, "skip-data-access-sync"),
            data_usage: defaults.skip.data_usage | on(&mut source, "skip-data-usage-sync"),
            resource_provider: defaults.skip.resource_provider
                | on(&mut source, "skip-resource-provider")
                | on(&mut source, "skip-resource-provider-sync"),
            tag: defaults.skip.tag | on(&mut source, "skip-tag-sync"),
        };
        if let Some(entry) = source.entry("make-not-internalizable") {
            warnings.push(deprecated(entry.origin.clone()));
        }
        let settings = TargetSettings {
            name: name.to_owned(),
            connector_name: connector_name.clone().unwrap_or_default(),
            connector_version,
            enrichers,
            data_source_id: source.text("data-source-id"),
            identity_store_id: source.text("identity-store-id"),
            domain: domain.or_else(|| defaults.domain.clone()),
            api_user: account(&mut source, "api-user").or_else(|| defaults.api_user.clone()),
            api_secret: account(&mut source, "api-secret")
                .map(Secret::from)
                .or_else(|| defaults.api_secret.clone()),
            skip,
            delete_untouched: source.truth("delete-untouched").unwrap_or(defaults.delete_untouched),
            delete_temp_files: source.truth("delete-temp-files").unwrap_or(defaults.delete_temp_files),
            replace_groups: source.truth("replace-groups").unwrap_or(defaults.replace_groups),
            locks: source.locks(&defaults.locks),
            tags: source.tags(&defaults.tags),
            maximum_file_size: maximum_file_size.unwrap_or(defaults.maximum_file_size),
            access,
            backup,
            sandbox,
            parameters,
            line: node.origin.line(),
        };
        let mut errors = source.errors;
        // An error of a key's value is enough; that it is missing too would only confuse.
        if errors.0.is_empty() {
            check_complete(&settings, defaults, &node.origin, &mut errors);
        }
        errors.or(settings)
    }

    /// Sorts the keys into those of the client and those of the connector.
    fn sort<'s>(
        &'s self,
        entries: &'s [Entry],
        parameters: &mut Parameters,
        warnings: &mut Vec<ConfigWarning>,
    ) -> TargetSource<'s> {
        let mut errors = ConfigErrors::default();
        let mut own: Vec<(&'static str, &Entry)> = Vec::new();
        for entry in entries {
            let key = canonical(&entry.key);
            let empty = entry.value.value == Value::Null;
            if keys::UNSUPPORTED_IN_TARGET.contains(&key.as_str()) {
                if !empty {
                    errors.push(entry.origin.clone(), Problem::Unsupported { key });
                }
                continue;
            }
            if keys::NOT_IN_TARGET.contains(&key.as_str()) {
                if !empty {
                    errors.push(entry.origin.clone(), Problem::NotInTarget { key });
                }
                continue;
            }
            if let Some(known) = keys::of_target().find(|known| *known == key) {
                if own.iter().any(|(name, _)| *name == known) {
                    errors.push(entry.origin.clone(), Problem::DuplicateKey { key });
                    continue;
                }
                own.push((known, entry));
                if keys::TARGET_ONLY.contains(&known) {
                    continue;
                }
            } else if let Some(known) = slip(&key) {
                let message = format!(
                    "`{}` is handed to the connector as a parameter; did you mean `{known}`?",
                    entry.key
                );
                warnings.push(ConfigWarning { origin: entry.origin.clone(), message });
            }
            parameters.add(entry, self.environment, &mut errors);
        }
        // A known key that goes both ways is read twice; its missing variable is one error.
        errors.0.dedup();
        TargetSource { entries: own, environment: self.environment, errors }
    }
}

/// The version that a connector must have: `latest` is any, everything else a whole semantic version.
pub(super) fn version(text: &str, origin: &Origin, errors: &mut ConfigErrors) -> Option<Version> {
    if text.eq_ignore_ascii_case("latest") {
        return None;
    }
    let version = Version::parse(text.strip_prefix(['v', 'V']).unwrap_or(text));
    version
        .map_err(|_| {
            let problem = Problem::Invalid {
                key: "connector-version".to_owned(),
                reason: format!("`{text}` is not a version"),
                hint: Some("write `latest`, or a version such as 1.2.3".to_owned()),
            };
            errors.push(origin.clone(), problem);
        })
        .ok()
}

/// The refusal of a domain that cannot be.
pub(super) fn check_domain(domain: &str, origin: &Origin, errors: &mut ConfigErrors) {
    if !values::is_domain(domain) {
        let problem = Problem::Invalid {
            key: "domain".to_owned(),
            reason: format!("`{domain}` cannot be an organisation"),
            hint: Some("write only the part before .raito.cloud: letters, digits and dashes".into()),
        };
        errors.push(origin.clone(), problem);
    }
}

/// What is said about the older spelling of the name patterns for a full lock.
pub(super) fn deprecated(origin: Origin) -> ConfigWarning {
    let message = "`make-not-internalizable` is deprecated; use `fully-lock-by-name`".to_owned();
    ConfigWarning { origin, message }
}

/// Reads a file size, from a target or from the top level.
pub(super) fn maximum_file_size(
    node: &Node,
    environment: &Environment<'_>,
    errors: &mut ConfigErrors,
) -> Option<u64> {
    let key = || "maximum-file-size".to_owned();
    let text = match &node.value {
        Value::Integer(bytes) => bytes.to_string(),
        Value::Text(text) => match template::expand(text, environment) {
            Ok(text) => text,
            Err(template::MissingVariable(variable)) => {
                errors.push(node.origin.clone(), Problem::MissingVariable { key: key(), variable });
                return None;
            }
        },
        _ => {
            let expected = "a size such as 512mb";
            let problem = Problem::WrongType { key: key(), expected, found: node.kind() };
            errors.push(node.origin.clone(), problem);
            return None;
        }
    };
    let size = values::size(&text);
    if size.is_none() {
        let reason = format!("`{text}` is not a size");
        let hint = Some("for instance 512mb, or 0 for no limit".to_owned());
        errors.push(node.origin.clone(), Problem::Invalid { key: key(), reason, hint });
    }
    size
}

/// Checks that what a run needs is there.
pub(super) fn check_complete(
    settings: &TargetSettings,
    defaults: &Defaults,
    origin: &Origin,
    errors: &mut ConfigErrors,
) {
    let sync = defaults.purpose == Purpose::Sync;
    let sign_in = sync && !defaults.embedded && !defaults.skip_authentication;
    for (present, key, hint) in [
        (
            !settings.connector_name.is_empty(),
            "connector-name",
            "name the connector: a path to a .wasm file or a name in the connector folders",
        ),
        (
            !sync || defaults.embedded || settings.domain.is_some(),
            "domain",
            "set `domain`, RAITO_DOMAIN or --domain; or `embedded: true` for a cloud of your own",
        ),
        (!sign_in || settings.api_user.is_some(), "api-user", "set `api-user`, RAITO_API_USER or --api-user"),
        (
            !sign_in || settings.api_secret.is_some(),
            "api-secret",
            "set RAITO_API_SECRET, or `api-secret: \"{{RAITO_SECRET}}\"` in the file",
        ),
    ] {
        if !present {
            let problem = Problem::Missing { key, target: Some(settings.name.clone()), hint };
            errors.push(origin.clone(), problem);
        }
    }
}

fn on(source: &mut TargetSource<'_>, key: &'static str) -> bool {
    source.truth(key).unwrap_or(false)
}

/// The spelling under which the client knows its keys.
pub(super) fn canonical(key: &str) -> String {
    key.replace(['_', '.', ' '], "-")
}

/// The client's key that a parameter was probably meant to be. Narrower than elsewhere, because a parameter
/// may have any name.
fn slip(key: &str) -> Option<&'static str> {
    let limit = if key.len() >= 12 { 2 } else { 1 };
    keys::of_target()
        .filter(|known| known.len() > 4)
        .find(|known| strsim::damerau_levenshtein(known, key) <= limit)
}
