//! The names of all options: which exist, where they may stand, and which of Raito's own CLI are not here.

/// Keys of the top level, flags and environment alike (`targets` apart).
pub(super) const GLOBAL: &[&str] = &[
    "domain",
    "api-user",
    "api-secret",
    "raito-url-override",
    "skip-authentication",
    "skip-file-upload",
    "only-targets",
    "connector-name",
    "connector-version",
    "name",
    "data-source-id",
    "identity-store-id",
    "skip-data-source-sync",
    "skip-identity-store-sync",
    "skip-data-access-sync",
    "skip-data-usage-sync",
    "skip-resource-provider-sync",
    "skip-tag-sync",
    "delete-untouched",
    "delete-temp-files",
    "replace-groups",
    "log-file",
    "log-output",
    "debug",
    "maximum-file-size",
    "embedded",
    "embedded-data-dir",
    "connector-path",
    "access-file",
    "access-prefix",
    "max-removals",
    "file-backup-location",
    "maximum-backups-per-target",
    "disable-log-forwarding",
    "disable-log-forwarding-data-source-sync",
    "disable-log-forwarding-data-access-sync",
    "disable-log-forwarding-identity-store-sync",
    "disable-log-forwarding-data-usage-sync",
    "disable-log-forwarding-resource-provider-sync",
    "disable-log-forwarding-tag-sync",
    "cron",
    "frequency",
    "sync-at-startup",
    "disable-websocket",
    "cli-container-liveness-file",
];

/// Keys of the top level that have neither flag nor environment variable.
pub(super) const FILE_ONLY: [&str; 3] = ["targets", "data-object-enrichers", "repositories"];

/// Keys that Raito's own CLI sets itself for triggers; in a target they are refused.
pub(super) const UNSUPPORTED_IN_TARGET: &[&str] =
    &["only-out-of-sync-data", "skip-data-access-import", "data-object-parent", "data-object-excludes"];

/// Keys that mean something at the top level and would be silently dropped inside a target.
pub(super) const NOT_IN_TARGET: &[&str] = &[
    "debug",
    "log-file",
    "skip-authentication",
    "skip-file-upload",
    "raito-url-override",
    "config-file",
    "only-targets",
    "embedded",
    "embedded-data-dir",
    "connector-path",
    "cron",
    "frequency",
    "sync-at-startup",
    "disable-websocket",
    "cli-container-liveness-file",
    "repositories",
    "disable-log-forwarding",
    "disable-log-forwarding-data-source-sync",
    "disable-log-forwarding-data-access-sync",
    "disable-log-forwarding-identity-store-sync",
    "disable-log-forwarding-data-usage-sync",
    "disable-log-forwarding-resource-provider-sync",
    "disable-log-forwarding-tag-sync",
];

/// Keys of a target that are for the client alone.
pub(super) const TARGET_ONLY: &[&str] = &[
    "name",
    "connector-name",
    "connector-version",
    "data-source-id",
    "identity-store-id",
    "domain",
    "api-user",
    "api-secret",
    "skip-data-source-sync",
    "skip-identity-store-sync",
    "skip-data-access-sync",
    "skip-data-usage-sync",
    "delete-untouched",
    "delete-temp-files",
    "replace-groups",
    "data-object-enrichers",
    "sandbox",
    "access-prefix",
    "max-removals",
    "file-backup-location",
    "maximum-backups-per-target",
];

/// Keys of a target that Raito's own CLI also hands to its connectors, beside the lock and tag keys. Here the host
/// applies them, and connectors get what they declare.
pub(super) const TARGET_AND_CONNECTOR: &[&str] = &[
    "skip-resource-provider",
    "skip-resource-provider-sync",
    "skip-tag-sync",
    "maximum-file-size",
    "make-not-internalizable",
    "lock-all-owners",
    "access-file",
];

/// The keys of one lockable part.
pub(super) struct PartKeys {
    pub(super) all: &'static str,
    pub(super) by_name: &'static str,
    pub(super) by_tag: &'static str,
    pub(super) when_incomplete: &'static str,
}

impl PartKeys {
    fn names(&self) -> [&'static str; 4] {
        [self.all, self.by_name, self.by_tag, self.when_incomplete]
    }
}

macro_rules! part {
    ($all:literal, $prefix:literal) => {
        PartKeys {
            all: $all,
            by_name: concat!($prefix, "-by-name"),
            by_tag: concat!($prefix, "-by-tag"),
            when_incomplete: concat!($prefix, "-when-incomplete"),
        }
    };
}

pub(super) const WHO: PartKeys = part!("lock-all-who", "lock-who");
pub(super) const INHERITANCE: PartKeys = part!("lock-all-inheritance", "lock-inheritance");
pub(super) const WHAT: PartKeys = part!("lock-all-what", "lock-what");
pub(super) const NAMES: PartKeys = part!("lock-all-names", "lock-names");
pub(super) const DELETE: PartKeys = part!("lock-all-delete", "lock-delete");
pub(super) const FULLY: PartKeys = part!("fully-lock-all", "fully-lock");

/// Tag options.
pub(super) const TAGS: [&str; 4] = [
    "tag-overwrite-key-for-access-provider-name",
    "tag-overwrite-key-for-access-provider-owners",
    "tag-overwrite-key-for-data-object-owners",
    "tag-key-and-value-for-user-is-machine",
];

/// All lock and tag keys.
pub(super) fn locks_and_tags() -> impl Iterator<Item = &'static str> {
    [WHO, INHERITANCE, WHAT, NAMES, DELETE, FULLY]
        .into_iter()
        .flat_map(|part| part.names())
        .chain(["lock-all-owners", "make-not-internalizable"])
        .chain(TAGS)
}

/// Every key that may stand at the top level of the file.
pub(super) fn top_level() -> impl Iterator<Item = &'static str> {
    GLOBAL.iter().copied().chain(locks_and_tags()).chain(FILE_ONLY)
}

/// Every key that means something to the client inside a target.
pub(super) fn of_target() -> impl Iterator<Item = &'static str> {
    TARGET_ONLY.iter().chain(TARGET_AND_CONNECTOR).copied().chain(locks_and_tags())
}

/// The environment variable of a key.
pub(super) fn variable(key: &str) -> String {
    format!("RAITO_{}", key.to_uppercase().replace(['-', '.'], "_"))
}

/// Every key that has a flag.
#[cfg(test)]
pub(crate) fn flags() -> impl Iterator<Item = &'static str> {
    const WITHOUT: [&str; 6] = [
        "delete-untouched",
        "delete-temp-files",
        "replace-groups",
        // Flags of other commands than `run`.
        "access-file",
        "access-prefix",
        "max-removals",
    ];
    GLOBAL.iter().copied().filter(|key| !WITHOUT.contains(key)).chain(locks_and_tags())
}
