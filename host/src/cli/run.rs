//! The flags of `raito run`.

use std::path::PathBuf;

use clap::Args;

use super::Format;
use super::flags::flag_group;
use crate::config::Overrides;
use crate::secret::Secret;

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Which cloud, as whom.
    #[command(flatten, next_help_heading = "Connection")]
    pub connection: ConnectionArgs,
    /// Which targets, and the one of single-target mode.
    #[command(flatten, next_help_heading = "Targets")]
    pub target: TargetArgs,
    /// What they are in Raito Cloud.
    #[command(flatten, next_help_heading = "Targets")]
    pub sync: SyncArgs,
    /// What the connector of single-target mode may do.
    #[command(flatten, next_help_heading = "Sandbox, with --connector-name")]
    pub sandbox: SandboxArgs,
    /// When.
    #[command(flatten, next_help_heading = "Schedule")]
    pub schedule: ScheduleArgs,
    /// Which steps.
    #[command(flatten, next_help_heading = "Steps")]
    pub steps: StepArgs,
    /// What becomes read-only.
    #[command(flatten, next_help_heading = "Locks")]
    pub locks: LockArgs,
    /// Which tags mean something.
    #[command(flatten, next_help_heading = "Tags")]
    pub tags: TagArgs,
    /// Copies of the files.
    #[command(flatten, next_help_heading = "Backups")]
    pub backups: BackupArgs,
    /// Of which steps Raito Cloud gets the log.
    #[command(flatten, next_help_heading = "Logs in Raito Cloud")]
    pub logs: LogForwardingArgs,
    /// How to print the summary
    #[arg(long, value_enum, default_value_t, help_heading = "Output")]
    pub format: Format,
}

flag_group! {
    /// Which cloud, as whom.
    ConnectionArgs
    truths {
        /// Run the self-hosted cloud inside this process
        embedded = "embedded",
        /// Send no Authorization header
        #[arg(hide = true)]
        skip_authentication = "skip-authentication",
        /// Hand over local paths instead of uploading
        #[arg(hide = true)]
        skip_file_upload = "skip-file-upload",
    }
    texts {
        /// Domain of the organisation
        #[arg(short = 'd')]
        domain: String = "domain",
        /// E-mail address of the API user
        #[arg(short = 'u')]
        api_user: String = "api-user",
        /// Password of the API user; better given as `RAITO_API_SECRET`, for arguments are visible to others
        #[arg(short = 's')]
        api_secret: Secret = "api-secret",
        /// Folder for the data of the embedded cloud [default: .raito beside the configuration file]
        #[arg(value_name = "FOLDER")]
        embedded_data_dir: String = "embedded-data-dir",
        /// Another address of the API
        #[arg(hide = true)]
        raito_url_override: String = "raito-url-override",
    }
}

flag_group! {
    /// Which targets.
    TargetKeys
    truths {}
    texts {
        /// Names of the targets to run, separated by commas
        #[arg(short = 't', value_name = "NAMES")]
        only_targets: String = "only-targets",
        /// Run this connector alone, instead of the targets of the file
        #[arg(value_name = "CONNECTOR")]
        connector_name: String = "connector-name",
        /// Version that this connector must have [default: any]
        #[arg(value_name = "VERSION")]
        connector_version: String = "connector-version",
        /// Name of the single target [default: the connector's name]
        #[arg(short = 'n')]
        name: String = "name",
    }
}

flag_group! {
    /// What the single target is in Raito Cloud, and how its files are cut.
    SyncArgs
    truths {}
    texts {
        /// Data source of the single target
        #[arg(value_name = "ID")]
        data_source_id: String = "data-source-id",
        /// Identity store of the single target
        #[arg(value_name = "ID")]
        identity_store_id: String = "identity-store-id",
        /// Size past which a new usage file is begun [default: 512mb]
        #[arg(value_name = "SIZE")]
        maximum_file_size: String = "maximum-file-size",
    }
}

/// Which targets, and the one of single-target mode.
#[derive(Debug, Args)]
pub struct TargetArgs {
    /// Those that are configuration keys.
    #[command(flatten)]
    pub keys: TargetKeys,
    /// Folder in which connectors are looked up by name; may be repeated
    #[arg(long, value_name = "FOLDER")]
    pub connector_path: Vec<PathBuf>,
    /// Parameters of the single connector: --name=value or --name value
    #[arg(last = true, allow_hyphen_values = true, value_name = "PARAMETERS")]
    pub parameters: Vec<Secret>,
}

/// What the connector of single-target mode may do.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Host and port it may talk to; may be repeated
    #[arg(long, value_name = "HOST:PORT")]
    pub sandbox_network: Vec<String>,
    /// Folder it may use, and the path under which it sees it; may be repeated
    #[arg(long, value_name = "HOST_PATH=GUEST_PATH[:read|write]")]
    pub sandbox_filesystem: Vec<String>,
    /// Memory it may have [default: 256MiB]
    #[arg(long, value_name = "SIZE")]
    pub sandbox_memory: Option<String>,
    /// Time each step may take [default: 1h]
    #[arg(long, value_name = "DURATION")]
    pub sandbox_timeout: Option<String>,
    /// PEM file with roots that are trusted besides the usual ones
    #[arg(long, value_name = "FILE")]
    pub sandbox_ca_file: Option<PathBuf>,
}

flag_group! {
    /// When runs begin in continuous mode.
    ScheduleArgs
    truths {
        /// With --cron: run at the start as well
        sync_at_startup = "sync-at-startup",
        /// In continuous mode, do not listen for triggers of Raito Cloud
        disable_websocket = "disable-websocket",
    }
    texts {
        /// Keep running, and synchronise at these times, at most hourly: "0 2 * * *", @daily, "@every 2h"
        #[arg(short = 'c')]
        cron: String = "cron",
        /// Keep running, and synchronise at the start and every so many minutes, at least 60
        #[arg(short = 'f', value_name = "MINUTES")]
        frequency: String = "frequency",
        /// File that exists while triggers can be received
        #[arg(hide = true, value_name = "FILE")]
        cli_container_liveness_file: String = "cli-container-liveness-file",
    }
}

flag_group! {
    /// Which steps.
    StepArgs
    truths {
        /// Leave out data objects
        skip_data_source_sync = "skip-data-source-sync",
        /// Leave out users and groups
        skip_identity_store_sync = "skip-identity-store-sync",
        /// Leave out access controls
        skip_data_access_sync = "skip-data-access-sync",
        /// Leave out usage
        skip_data_usage_sync = "skip-data-usage-sync",
        /// Leave out resource providers
        skip_resource_provider_sync = "skip-resource-provider-sync",
        /// Leave out tags
        skip_tag_sync = "skip-tag-sync",
    }
    texts {}
}

flag_group! {
    /// Copies of the files of each run.
    BackupArgs
    truths {}
    texts {
        /// Folder for copies of the files of each run [default: no copies]
        #[arg(value_name = "FOLDER")]
        file_backup_location: String = "file-backup-location",
        /// Runs of which copies are kept, for each target [default: all]
        #[arg(value_name = "NUMBER")]
        maximum_backups_per_target: String = "maximum-backups-per-target",
    }
}

flag_group! {
    /// What becomes read-only.
    LockArgs
    truths {
        /// Lock the who of all access controls
        lock_all_who = "lock-all-who",
        /// Lock the inheritance of all access controls
        lock_all_inheritance = "lock-all-inheritance",
        /// Lock the what of all access controls
        lock_all_what = "lock-all-what",
        /// Lock the names of all access controls
        lock_all_names = "lock-all-names",
        /// Lock all access controls against deletion
        lock_all_delete = "lock-all-delete",
        /// Lock the owners of all access controls
        lock_all_owners = "lock-all-owners",
        /// Lock all access controls completely
        fully_lock_all = "fully-lock-all",
        /// Lock the who of incomplete access controls
        lock_who_when_incomplete = "lock-who-when-incomplete",
        /// Lock the inheritance of incomplete access controls
        lock_inheritance_when_incomplete = "lock-inheritance-when-incomplete",
        /// Lock the what of incomplete access controls
        lock_what_when_incomplete = "lock-what-when-incomplete",
        /// Lock the names of incomplete access controls
        lock_names_when_incomplete = "lock-names-when-incomplete",
        /// Lock incomplete access controls against deletion
        lock_delete_when_incomplete = "lock-delete-when-incomplete",
        /// Lock incomplete access controls completely
        fully_lock_when_incomplete = "fully-lock-when-incomplete",
    }
    texts {
        /// Lock the who by name; patterns separated by commas, here and below
        #[arg(value_name = "PATTERNS")]
        lock_who_by_name: String = "lock-who-by-name",
        /// Lock the inheritance by name
        #[arg(value_name = "PATTERNS")]
        lock_inheritance_by_name: String = "lock-inheritance-by-name",
        /// Lock the what by name
        #[arg(value_name = "PATTERNS")]
        lock_what_by_name: String = "lock-what-by-name",
        /// Lock the name by name
        #[arg(value_name = "PATTERNS")]
        lock_names_by_name: String = "lock-names-by-name",
        /// Lock against deletion by name
        #[arg(value_name = "PATTERNS")]
        lock_delete_by_name: String = "lock-delete-by-name",
        /// Lock completely by name
        #[arg(value_name = "PATTERNS")]
        fully_lock_by_name: String = "fully-lock-by-name",
        /// Lock the who by tag, written key:value
        #[arg(value_name = "PATTERNS")]
        lock_who_by_tag: String = "lock-who-by-tag",
        /// Lock the inheritance by tag
        #[arg(value_name = "PATTERNS")]
        lock_inheritance_by_tag: String = "lock-inheritance-by-tag",
        /// Lock the what by tag
        #[arg(value_name = "PATTERNS")]
        lock_what_by_tag: String = "lock-what-by-tag",
        /// Lock the name by tag
        #[arg(value_name = "PATTERNS")]
        lock_names_by_tag: String = "lock-names-by-tag",
        /// Lock against deletion by tag
        #[arg(value_name = "PATTERNS")]
        lock_delete_by_tag: String = "lock-delete-by-tag",
        /// Lock completely by tag
        #[arg(value_name = "PATTERNS")]
        fully_lock_by_tag: String = "fully-lock-by-tag",
        /// Deprecated: use --fully-lock-by-name
        #[arg(value_name = "PATTERNS")]
        make_not_internalizable: String = "make-not-internalizable",
    }
}

flag_group! {
    /// Which tags mean something.
    TagArgs
    truths {}
    texts {
        /// Tag that gives an access control its display name
        #[arg(value_name = "KEY")]
        tag_for_name: String = "tag-overwrite-key-for-access-provider-name",
        /// Tag that names the owners of an access control
        #[arg(value_name = "KEY")]
        tag_for_owners: String = "tag-overwrite-key-for-access-provider-owners",
        /// Tag that names the owners of a data object
        #[arg(value_name = "KEY")]
        tag_for_object_owners: String = "tag-overwrite-key-for-data-object-owners",
        /// Tag that marks a user as a machine
        #[arg(value_name = "KEY:VALUE")]
        tag_for_machine: String = "tag-key-and-value-for-user-is-machine",
    }
}

flag_group! {
    /// Of which steps Raito Cloud gets the log.
    LogForwardingArgs
    truths {
        /// Keep the logs of all steps here
        all = "disable-log-forwarding",
        /// Keep the log of the data object step here
        data_source = "disable-log-forwarding-data-source-sync",
        /// Keep the log of the access step here
        data_access = "disable-log-forwarding-data-access-sync",
        /// Keep the log of the identity store step here
        identity_store = "disable-log-forwarding-identity-store-sync",
        /// Keep the log of the usage step here
        data_usage = "disable-log-forwarding-data-usage-sync",
        /// Keep the log of the resource provider step here
        resource_provider = "disable-log-forwarding-resource-provider-sync",
        /// Keep the log of the tag step here
        tag = "disable-log-forwarding-tag-sync",
    }
    texts {}
}

impl RunArgs {
    /// Puts all flags into the highest layer of the configuration.
    pub(super) fn collect(&self, overrides: &mut Overrides) {
        self.connection.collect(overrides);
        self.target.collect(overrides);
        self.sync.collect(overrides);
        self.sandbox.collect(overrides);
        self.backups.collect(overrides);
        self.schedule.collect(overrides);
        self.logs.collect(overrides);
        self.steps.collect(overrides);
        self.locks.collect(overrides);
        self.tags.collect(overrides);
    }
}

impl TargetArgs {
    /// Puts them into the highest layer of the configuration.
    pub(super) fn collect(&self, overrides: &mut Overrides) {
        self.keys.collect(overrides);
        overrides.connector_path.clone_from(&self.connector_path);
        overrides.parameters.clone_from(&self.parameters);
    }
}

impl SandboxArgs {
    /// Puts them into the highest layer of the configuration.
    pub(super) fn collect(&self, overrides: &mut Overrides) {
        overrides.sandbox_network.clone_from(&self.sandbox_network);
        overrides.sandbox_filesystem.clone_from(&self.sandbox_filesystem);
        overrides.sandbox_memory.clone_from(&self.sandbox_memory);
        overrides.sandbox_timeout.clone_from(&self.sandbox_timeout);
        overrides.sandbox_ca_file.clone_from(&self.sandbox_ca_file);
    }
}
