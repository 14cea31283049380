//! What the database engines do not share.

use std::fmt::Write as _;
use std::path::Path;

/// The engine behind a [`Store`](super::Store).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// A file of this process.
    Sqlite,
    /// The same file, looked at from outside.
    SqliteReadOnly,
}

impl Dialect {
    /// Statements for each new connection.
    pub(crate) fn on_connect(self) -> &'static [&'static str] {
        match self {
            // WAL lets readers go on during an import. NORMAL cannot corrupt the file; after a power cut the last
            // transactions may be missing, and their work is still queued then. Sizes are in KiB.
            Self::Sqlite => &[
                "PRAGMA journal_mode = WAL",
                "PRAGMA synchronous = NORMAL",
                "PRAGMA busy_timeout = 120000",
                "PRAGMA cache_size = -32768",
                "PRAGMA temp.cache_size = -32768",
            ],
            Self::SqliteReadOnly => &["PRAGMA busy_timeout = 10000"],
        }
    }

    /// The statement that opens a transaction that will write. `SQLite` takes the write lock at once, because a
    /// reader that turns into a writer fails instead of waiting when somebody else wrote in between.
    pub(crate) fn begin_write(self) -> &'static str {
        match self {
            Self::Sqlite | Self::SqliteReadOnly => "BEGIN IMMEDIATE",
        }
    }

    /// Appends the placeholder of the argument with this number, from 1, of a statement with very many. `SQLite`
    /// finds a numbered placeholder by a linear search, which thousands of them make quadratic.
    pub(crate) fn push_bulk_placeholder(self, sql: &mut String, _number: usize) {
        match self {
            Self::Sqlite | Self::SqliteReadOnly => sql.push('?'),
        }
    }

    /// Most arguments of one statement that are sensible.
    pub(crate) fn bulk_arguments(self) -> usize {
        match self {
            Self::Sqlite | Self::SqliteReadOnly => 4096,
        }
    }

    /// The address of a database file, with every unusual byte of the path escaped.
    pub(crate) fn sqlite_address(file: &Path, mode: &str) -> String {
        let mut address = String::from("sqlite://");
        for byte in file.as_os_str().as_encoded_bytes() {
            if byte.is_ascii_alphanumeric() || b"/-_.".contains(byte) {
                address.push(char::from(*byte));
            } else {
                let _ = write!(address, "%{byte:02X}");
            }
        }
        let _ = write!(address, "?mode={mode}");
        address
    }
}
