//! Resolved settings: plain data, complete, checked.

use std::path::PathBuf;

use semver::Version;
use url::Url;

use super::access::{AccessSettings, BackupSettings};
use super::continuous::ContinuousSettings;
use super::enrichers::EnricherSettings;
use super::error::{ConfigErrors, ConfigWarning};
use super::locks::LockSettings;
use super::parameters::Parameters;
use super::sandbox::SandboxSettings;
use crate::failure::{Failure, FailureKind};
use crate::secret::Secret;

/// What counts for the whole run.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The configuration file, if there is one.
    pub file: Option<PathBuf>,
    /// The folder that relative paths of the file are relative to: the file's own, else the working folder.
    pub base_dir: PathBuf,
    /// Another API base than Raito Cloud's, with a slash at the end.
    pub raito_url_override: Option<Url>,
    /// Send no `Authorization` header.
    pub skip_authentication: bool,
    /// Hand over local paths instead of uploading.
    pub skip_file_upload: bool,
    /// Run the self-hosted cloud inside this process.
    pub embedded: bool,
    /// Where the embedded cloud keeps its data; `.raito` beside the configuration file by default.
    pub embedded_data_dir: PathBuf,
    /// Folders in which connectors are looked up by name, in order.
    pub connector_path: Vec<PathBuf>,
    /// The access file or folder of all targets, if the top level, the environment or a flag names one.
    pub access_file: Option<PathBuf>,
    /// Names of the targets to run; all if empty.
    pub only_targets: Vec<String>,
    /// Where log lines go.
    pub log: LogSettings,
    /// When runs begin, if there is to be more than one.
    pub continuous: ContinuousSettings,
    /// Of which steps Raito Cloud gets the log.
    pub log_forwarding: LogForwarding,
    /// All targets in the order of the file, or the single one of single-target mode.
    pub targets: Vec<Target>,
    /// Whether the one target came from flags, environment or top level rather than from `targets`.
    pub single_target: bool,
    /// What is odd but stops nothing.
    pub warnings: Vec<ConfigWarning>,
}

impl Settings {
    /// The targets that `only-targets` selects, in the order of the file.
    ///
    /// # Errors
    /// It names one that is not there, or there is none.
    pub fn selected(&self) -> Result<Vec<&Target>, Failure> {
        let missing = |name: &&String| !self.targets.iter().any(|target| &target.name == *name);
        if let Some(unknown) = self.only_targets.iter().find(missing) {
            let known: Vec<_> = self.targets.iter().map(|target| target.name.as_str()).collect();
            let message = format!("`only-targets` names `{unknown}`, which is not a target");
            return Err(Failure::new(FailureKind::Configuration, message)
                .hint(format!("the targets are: {}", known.join(", "))));
        }
        let selects =
            |target: &&Target| self.only_targets.is_empty() || self.only_targets.contains(&target.name);
        let selected: Vec<_> = self.targets.iter().filter(selects).collect();
        if selected.is_empty() {
            return Err(Failure::new(FailureKind::Configuration, "there is no target")
                .hint("add one under `targets` in raito.yml, or give --connector-name"));
        }
        Ok(selected)
    }
}

/// Where log lines go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogSettings {
    /// Append structured lines to this file.
    pub file: Option<PathBuf>,
    /// Write structured lines instead of the friendly display.
    pub output: bool,
    /// Include debug level.
    pub debug: bool,
}

/// Of which steps Raito Cloud gets the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogForwarding {
    /// `DS`
    pub data_source: bool,
    /// `IS`
    pub identity_store: bool,
    /// `DA`
    pub data_access: bool,
    /// `DU`
    pub data_usage: bool,
    /// `RP`
    pub resource_provider: bool,
    /// `TAG`
    pub tag: bool,
}

/// A target: its settings, or what is wrong with them. A wrong target does not keep the others from running.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Its name; known even if it is wrong.
    pub name: String,
    /// Its settings.
    pub settings: Result<TargetSettings, ConfigErrors>,
}

/// The settings of one target.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetSettings {
    /// Its name; the connector's name unless given.
    pub name: String,
    /// The connector: a path, a name in the connector folders, or a reference.
    pub connector_name: String,
    /// The version that the connector must have; any if none.
    pub connector_version: Option<Version>,
    /// Connectors that add to its data objects, in order.
    pub enrichers: Vec<EnricherSettings>,
    /// The data source in Raito Cloud.
    pub data_source_id: Option<String>,
    /// The identity store in Raito Cloud.
    pub identity_store_id: Option<String>,
    /// The organisation. Present unless the embedded cloud is used.
    pub domain: Option<String>,
    /// Who signs in. Present unless the embedded cloud is used or authentication skipped.
    pub api_user: Option<String>,
    /// The password of that user. Present under the same condition.
    pub api_secret: Option<Secret>,
    /// Steps to leave out.
    pub skip: SkipSettings,
    /// Remove from the cloud what is no longer in the target.
    pub delete_untouched: bool,
    /// Remove temporary files after each step.
    pub delete_temp_files: bool,
    /// Group membership of the import replaces the stored one.
    pub replace_groups: bool,
    /// What becomes read-only.
    pub locks: LockSettings,
    /// Which tags mean something.
    pub tags: TagSettings,
    /// The size in bytes past which a new usage file is begun; 0 for one file of any size.
    pub maximum_file_size: u64,
    /// Access as code.
    pub access: AccessSettings,
    /// Copies of files.
    pub backup: BackupSettings,
    /// What the connector may do.
    pub sandbox: SandboxSettings,
    /// What the connector is told.
    pub parameters: Parameters,
    /// The line of the target in the configuration file.
    pub line: Option<usize>,
}

/// Steps to leave out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SkipSettings {
    /// `DS`
    pub data_source: bool,
    /// `IS`
    pub identity_store: bool,
    /// `DA`
    pub data_access: bool,
    /// `DU`
    pub data_usage: bool,
    /// `RP`
    pub resource_provider: bool,
    /// `TAG`
    pub tag: bool,
}

/// Tags that override what the connector reports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagSettings {
    /// The tag that gives an access control its display name.
    pub access_provider_name: Option<String>,
    /// The tag that names the owners of an access control.
    pub access_provider_owners: Option<String>,
    /// The tag that names the owners of a data object.
    pub data_object_owners: Option<String>,
    /// `key:value` of the tag that marks a user as a machine.
    pub user_is_machine: Option<String>,
}
