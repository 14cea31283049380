//! The `sandbox:` block of a target: the whole of what its connector may do.
//!
//! ```yaml
//! sandbox:
//!   network:
//!     - "db.example.com:5432"
//!     - { host: "db.internal:5432", private: true }
//!   filesystem:
//!     - { host: ./exports, guest: /data, access: read }
//!   memory: 256MiB
//!   timeout: 1h
//!   ca-file: ./company-ca.pem
//! ```
//!
//! | key | default | rule |
//! |---|---|---|
//! | `network` | nothing | see [`grant`] and [`address`] |
//! | `filesystem` | nothing | `host` relative to the file, `guest` absolute, `access` is `read` (default) or `write` |
//! | `memory` | 256MiB | from 1 MiB to 4 GiB |
//! | `timeout` | 1h | per step, at most seven days |
//! | `ca-file` | none | PEM file with roots that are trusted besides the usual ones |
//!
//! Every other key, and every value that cannot be, is an error with its line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::{Entry, Node, Value};
use super::error::{ConfigErrors, Origin, Problem, nearest};
use super::{Overrides, values};

pub mod address;
pub mod grant;

pub use address::{AddressClass, classify, forbidden_ip};
pub use grant::{GrantError, HostPattern, NetworkGrant, canonical};

const MIB: u64 = 1 << 20;
const DEFAULT_MEMORY: u64 = 256 * MIB;
/// The most that 32-bit memory can be.
const MAXIMUM_MEMORY: u64 = 4096 * MIB;
const DEFAULT_TIMEOUT: Duration = Duration::from_hours(1);
const MAXIMUM_TIMEOUT: Duration = Duration::from_hours(7 * 24);

/// What a connector may do in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilesystemAccess {
    /// Read files and folders.
    Read,
    /// Read, create, change and remove them.
    Write,
}

/// A folder that a connector may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesystemGrant {
    /// The folder, made absolute against the configuration file's folder if that is absolute.
    pub host: PathBuf,
    /// The path under which the connector sees it: absolute, without `.`, `..` or slash at the end.
    pub guest: String,
    /// What it may do there.
    pub access: FilesystemAccess,
    /// The line of the configuration file it stands in.
    pub line: Option<usize>,
}

/// The limits of one target's connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxSettings {
    /// Hosts and ports.
    pub network: Vec<NetworkGrant>,
    /// Folders.
    pub filesystem: Vec<FilesystemGrant>,
    /// The most memory one instance may have, in bytes.
    pub memory: u64,
    /// The most wall-clock time one step may take.
    pub timeout: Duration,
    /// A PEM file with roots that are trusted besides the usual ones.
    pub ca_file: Option<PathBuf>,
    /// The line of the block, where a missing grant would be added.
    pub line: Option<usize>,
}

impl Default for SandboxSettings {
    fn default() -> Self {
        Self {
            network: Vec::new(),
            filesystem: Vec::new(),
            memory: DEFAULT_MEMORY,
            timeout: DEFAULT_TIMEOUT,
            ca_file: None,
            line: None,
        }
    }
}

/// Reads the block of a target.
pub(super) fn from_entry(entry: &Entry, base: &Path, errors: &mut ConfigErrors) -> SandboxSettings {
    let (node, line) = (&entry.value, entry.origin.line());
    let mut reader =
        Reader { base, errors, settings: SandboxSettings { line, ..SandboxSettings::default() } };
    match &node.value {
        Value::Null => {}
        Value::Map(entries) => entries.iter().for_each(|entry| reader.entry(entry)),
        _ => reader.wrong_type("sandbox", node, "a map"),
    }
    reader.settings
}

/// Reads the flags of single-target mode.
pub(super) fn from_flags(flags: &Overrides, base: &Path, errors: &mut ConfigErrors) -> SandboxSettings {
    let mut reader = Reader { base, errors, settings: SandboxSettings::default() };
    for text in &flags.sandbox_network {
        reader.grant(text, false, &Origin::Flag("--sandbox-network".into()));
    }
    for text in &flags.sandbox_filesystem {
        reader.filesystem_flag(text);
    }
    if let Some(text) = &flags.sandbox_memory {
        reader.memory(text, &Origin::Flag("--sandbox-memory".into()));
    }
    if let Some(text) = &flags.sandbox_timeout {
        reader.timeout(text, &Origin::Flag("--sandbox-timeout".into()));
    }
    reader.settings.ca_file = flags.sandbox_ca_file.as_ref().map(|path| base.join(path));
    reader.settings
}

struct Reader<'a> {
    base: &'a Path,
    errors: &'a mut ConfigErrors,
    settings: SandboxSettings,
}

impl Reader<'_> {
    fn entry(&mut self, entry: &Entry) {
        const KEYS: [&str; 5] = ["network", "filesystem", "memory", "timeout", "ca-file"];
        let node = &entry.value;
        if !KEYS.contains(&entry.key.as_str()) {
            return self.unknown(entry, "the `sandbox` block", &KEYS);
        }
        if node.value == Value::Null {
            return;
        }
        match entry.key.as_str() {
            "network" => match &node.value {
                Value::List(items) => items.iter().for_each(|item| self.network(item)),
                _ => self.wrong_type("network", node, "a list"),
            },
            "filesystem" => match &node.value {
                Value::List(items) => items.iter().for_each(|item| self.filesystem(item)),
                _ => self.wrong_type("filesystem", node, "a list"),
            },
            "memory" => match &node.value {
                Value::Text(text) => self.memory(text, &node.origin),
                Value::Integer(bytes) => self.memory(&bytes.to_string(), &node.origin),
                _ => self.wrong_type("memory", node, "a size such as 256MiB"),
            },
            "timeout" => match &node.value {
                Value::Text(text) => self.timeout(text, &node.origin),
                _ => self.wrong_type("timeout", node, "a duration such as 30m"),
            },
            _ => match &node.value {
                Value::Text(path) => self.settings.ca_file = Some(self.base.join(path)),
                _ => self.wrong_type("ca-file", node, "a text"),
            },
        }
    }

    fn network(&mut self, item: &Node) {
        let entries = match &item.value {
            Value::Text(text) => return self.grant(text, false, &item.origin),
            Value::Map(entries) => entries,
            _ => return self.wrong_type("network", item, "a host and port, or a map with `host`"),
        };
        let mut host = None;
        let mut private = false;
        for entry in entries {
            match (entry.key.as_str(), &entry.value.value) {
                ("host", Value::Text(text)) => host = Some((text, &entry.value.origin)),
                ("host", _) => self.wrong_type("host", &entry.value, "a host and port"),
                ("private", Value::Bool(flag)) => private = *flag,
                ("private", _) => self.wrong_type("private", &entry.value, "true or false"),
                _ => self.unknown(entry, "a network grant", &["host", "private"]),
            }
        }
        match host {
            Some((text, origin)) => self.grant(text, private, origin),
            None if entries.iter().any(|entry| entry.key == "host") => {}
            None => self.invalid(&item.origin, "network", "needs a `host`", None),
        }
    }

    fn grant(&mut self, text: &str, private: bool, origin: &Origin) {
        match NetworkGrant::parse(text) {
            Ok(grant) => {
                let line = origin.line();
                self.settings.network.push(NetworkGrant { private, line, ..grant });
            }
            Err(error) => {
                let hint = error.hint().map(str::to_owned);
                self.invalid(origin, "network", &format!("grant is wrong: {error}"), hint);
            }
        }
    }

    fn filesystem(&mut self, item: &Node) {
        let Value::Map(entries) = &item.value else {
            return self.wrong_type("filesystem", item, "a map with `host` and `guest`");
        };
        let (mut host, mut guest) = (None, None);
        let mut access = FilesystemAccess::Read;
        let before = self.errors.0.len();
        for entry in entries {
            match (entry.key.as_str(), &entry.value.value) {
                ("host", Value::Text(text)) => host = Some(text),
                ("guest", Value::Text(text)) => guest = Some(text),
                ("access", Value::Text(text)) => match parse_access(text) {
                    Some(parsed) => access = parsed,
                    None => self.invalid(&entry.value.origin, "access", "must be read or write", None),
                },
                ("host" | "guest" | "access", _) => self.wrong_type(&entry.key, &entry.value, "a text"),
                _ => self.unknown(entry, "a filesystem grant", &["host", "guest", "access"]),
            }
        }
        match (host, guest) {
            _ if self.errors.0.len() > before => {}
            (Some(host), Some(guest)) => self.folder(host, guest, access, &item.origin),
            _ => self.invalid(&item.origin, "filesystem", "needs a `host` and a `guest`", None),
        }
    }

    /// `HOST_PATH=GUEST_PATH[:read|write]`; the guest path is absolute, so the last `=/` divides.
    fn filesystem_flag(&mut self, text: &str) {
        let origin = Origin::Flag("--sandbox-filesystem".into());
        let Some(at) = text.rfind("=/") else {
            let hint = "write HOST_PATH=GUEST_PATH, for instance ./exports=/data:read".to_owned();
            return self.invalid(&origin, "filesystem", "needs an absolute guest path", Some(hint));
        };
        let (host, guest) = (&text[..at], &text[at + 1..]);
        let (guest, access) = match guest.rsplit_once(':') {
            Some((path, word)) => match parse_access(word) {
                Some(access) => (path, access),
                None => return self.invalid(&origin, "access", "must be read or write", None),
            },
            None => (guest, FilesystemAccess::Read),
        };
        self.folder(host, guest, access, &origin);
    }

    fn folder(&mut self, host: &str, guest: &str, access: FilesystemAccess, origin: &Origin) {
        if host.trim().is_empty() {
            return self.invalid(origin, "host", "must not be empty", None);
        }
        if host == "~" || host.starts_with("~/") {
            let hint = "write the whole path; `~` is not expanded".to_owned();
            return self.invalid(origin, "host", "must not begin with `~`", Some(hint));
        }
        if !guest.starts_with('/') {
            let hint = Some(format!("write /{}", guest.trim_start_matches("./")));
            return self.invalid(origin, "guest", "must be an absolute path", hint);
        }
        let parts: Vec<&str> = guest.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        if parts.contains(&"..") || guest.contains(['\0', '\\']) {
            return self.invalid(origin, "guest", "must be a plain path without `..`", None);
        }
        let guest = format!("/{}", parts.join("/"));
        if self.settings.filesystem.iter().any(|known| known.guest == guest) {
            let reason = format!("path `{guest}` is granted twice");
            return self.invalid(origin, "guest", &reason, None);
        }
        let host = self.base.join(host);
        self.settings.filesystem.push(FilesystemGrant { host, guest, access, line: origin.line() });
    }

    fn memory(&mut self, text: &str, origin: &Origin) {
        match values::size(text) {
            Some(bytes) if (MIB..=MAXIMUM_MEMORY).contains(&bytes) => self.settings.memory = bytes,
            _ => {
                let hint = Some("for instance 256MiB".to_owned());
                self.invalid(origin, "memory", "must be a size from 1MiB to 4GiB", hint);
            }
        }
    }

    fn timeout(&mut self, text: &str, origin: &Origin) {
        match values::duration(text) {
            Some(duration) if duration <= MAXIMUM_TIMEOUT => self.settings.timeout = duration,
            _ => {
                let hint = Some("for instance 30m or 1h".to_owned());
                self.invalid(origin, "timeout", "must be a duration of at most 7days", hint);
            }
        }
    }

    fn wrong_type(&mut self, key: &str, node: &Node, expected: &'static str) {
        let problem = Problem::WrongType { key: key.to_owned(), expected, found: node.kind() };
        self.errors.push(node.origin.clone(), problem);
    }

    fn unknown(&mut self, entry: &Entry, within: &'static str, known: &[&'static str]) {
        let suggestion = nearest(&entry.key, known.iter().copied());
        let problem = Problem::UnknownKey { key: entry.key.clone(), within: Some(within), suggestion };
        self.errors.push(entry.origin.clone(), problem);
    }

    fn invalid(&mut self, origin: &Origin, key: &str, reason: &str, hint: Option<String>) {
        let problem = Problem::Invalid { key: key.to_owned(), reason: reason.to_owned(), hint };
        self.errors.push(origin.clone(), problem);
    }
}

fn parse_access(word: &str) -> Option<FilesystemAccess> {
    match word {
        "read" => Some(FilesystemAccess::Read),
        "write" => Some(FilesystemAccess::Write),
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use super::*;
    use crate::config::document;

    fn read(text: &str) -> Result<SandboxSettings, ConfigErrors> {
        let entries = document::parse(PathBuf::from("raito.yml"), text)?;
        let mut errors = ConfigErrors::default();
        let settings = from_entry(&entries[0], Path::new("/conf"), &mut errors);
        errors.or(settings)
    }

    #[test]
    fn a_block_is_read() {
        let settings = read(
            "sandbox:\n  network:\n    - db.example.com:5432\n    - { host: 'db.internal:1', private: true }\n  \
             filesystem:\n    - { host: ./exports, guest: /data/ }\n    - { host: /tmp/x, guest: /out, access: write }\n  \
             memory: 1GiB\n  timeout: 30m\n  ca-file: ca.pem\n",
        )
        .unwrap();
        assert_eq!((settings.network.len(), settings.line), (2, Some(1)));
        assert_eq!((settings.network[0].line, settings.network[0].private), (Some(3), false));
        assert_eq!((settings.network[1].line, settings.network[1].private), (Some(4), true));
        assert_eq!(
            settings.filesystem[0],
            FilesystemGrant {
                host: "/conf/./exports".into(),
                guest: "/data".into(),
                access: FilesystemAccess::Read,
                line: Some(6)
            }
        );
        assert_eq!(settings.filesystem[1].host, Path::new("/tmp/x"));
        assert_eq!(settings.filesystem[1].access, FilesystemAccess::Write);
        assert_eq!(settings.memory, 1 << 30);
        assert_eq!(settings.timeout, Duration::from_mins(30));
        assert_eq!(settings.ca_file.as_deref(), Some(Path::new("/conf/ca.pem")));
    }

    #[test]
    fn an_empty_block_grants_nothing() {
        for text in ["sandbox:\n", "sandbox: {}\n", "sandbox: { network: , filesystem: [] }\n"] {
            let settings = read(text).unwrap();
            assert_eq!(settings, SandboxSettings { line: settings.line, ..SandboxSettings::default() });
        }
        assert_eq!(SandboxSettings::default().memory, 256 << 20);
        assert_eq!(SandboxSettings::default().timeout, Duration::from_hours(1));
    }

    #[test]
    fn impossible_blocks_are_refused_with_their_line() {
        for (block, line, part) in [
            ("sandbox: all\n", 1, "must be a map"),
            ("sandbox:\n  netwrok: []\n", 2, "unknown key `netwrok` in the `sandbox` block"),
            ("sandbox:\n  network: a:1\n", 2, "must be a list"),
            ("sandbox:\n  network:\n    - ok:1\n    - '*'\n", 4, "every host"),
            ("sandbox:\n  network:\n    - 5432\n", 3, "`network` must be"),
            ("sandbox:\n  network:\n    - { private: true }\n", 3, "needs a `host`"),
            ("sandbox:\n  network:\n    - { host: 'a:1', private: yes }\n", 3, "true or false"),
            ("sandbox:\n  network:\n    - { host: 'a:1', ports: 1 }\n", 3, "unknown key `ports`"),
            ("sandbox:\n  filesystem:\n    - { host: x, guest: data }\n", 3, "absolute"),
            ("sandbox:\n  filesystem:\n    - { host: x, guest: /a/../b }\n", 3, "without `..`"),
            ("sandbox:\n  filesystem:\n    - { host: x, guest: /a, access: all }\n", 3, "read or write"),
            ("sandbox:\n  filesystem:\n    - { host: ~/x, guest: /a }\n", 3, "`~`"),
            ("sandbox:\n  filesystem:\n    - { guest: /a }\n", 3, "needs a `host`"),
            (
                "sandbox:\n  filesystem:\n    - { host: a, guest: /a }\n    - { host: b, guest: /a/./ }\n",
                4,
                "twice",
            ),
            ("sandbox:\n  memory: 5GiB\n", 2, "from 1MiB to 4GiB"),
            ("sandbox:\n  memory: 0\n", 2, "from 1MiB"),
            ("sandbox:\n  memory: true\n", 2, "must be a size"),
            ("sandbox:\n  timeout: 30\n", 2, "must be a duration"),
            ("sandbox:\n  timeout: soon\n", 2, "must be a duration"),
            ("sandbox:\n  timeout: 0s\n", 2, "must be a duration"),
            ("sandbox:\n  ca-file: [x]\n", 2, "must be a text"),
        ] {
            let errors = read(block).unwrap_err();
            assert_eq!(errors.0.len(), 1, "{block}: {errors}");
            assert_eq!(errors.0[0].origin.line(), Some(line), "{block}: {errors}");
            assert!(errors.to_string().contains(part), "{block}: {errors}");
        }
    }

    #[test]
    fn flags_are_read() {
        let flags = Overrides {
            sandbox_network: vec!["a:1".into()],
            sandbox_filesystem: vec!["./a=b=/data:write".into(), "x=/y".into()],
            sandbox_memory: Some("64MiB".into()),
            sandbox_timeout: Some("5m".into()),
            ..Overrides::default()
        };
        let mut errors = ConfigErrors::default();
        let settings = from_flags(&flags, Path::new("/w"), &mut errors);
        assert_eq!(errors, ConfigErrors::default());
        assert_eq!(settings.filesystem[0].host, Path::new("/w/./a=b"));
        assert_eq!(settings.filesystem[0].guest, "/data");
        assert_eq!(settings.filesystem[0].access, FilesystemAccess::Write);
        assert_eq!(settings.filesystem[1].access, FilesystemAccess::Read);
        assert_eq!((settings.memory, settings.timeout), (64 << 20, Duration::from_mins(5)));
        for wrong in ["x", "x=y", "x=/y:all", "=/y"] {
            let flags = Overrides { sandbox_filesystem: vec![wrong.into()], ..Overrides::default() };
            let mut errors = ConfigErrors::default();
            from_flags(&flags, Path::new("/w"), &mut errors);
            assert_eq!(errors.0.len(), 1, "{wrong}");
        }
    }
}
