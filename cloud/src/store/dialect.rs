//! What the database engines do not share.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::Connection;

/// The engine behind a [`Store`](super::Store).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// A file of this process.
    Sqlite,
    /// The same file, looked at from outside.
    SqliteReadOnly,
    /// A database on a PostgreSQL server, which other processes may use as well.
    Postgres,
}

/// What a transaction that writes keeps others from writing. On `SQLite`, which has one writer, that is everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exclusive {
    /// Users, access controls, sources: what is looked up before it is written, by requests and by imports.
    Model,
    /// Taking work from the queue.
    Queue,
    /// Only the rows that it changes.
    Rows,
}

impl Dialect {
    /// The engine of a connection.
    pub(crate) fn of(connection: &Connection) -> Self {
        if connection.backend_name() == "PostgreSQL" { Self::Postgres } else { Self::Sqlite }
    }

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
            // Dropping a table that is not there is worth no notice. A connection that is lost without a word must
            // not keep its locks, and a transaction that is begun is worked on. Compiling plans takes longer than the
            // statements of an import.
            Self::Postgres => &["SET client_min_messages = warning; \
                SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3; \
                SET idle_in_transaction_session_timeout = '10min'; SET temp_buffers = '32MB'; SET jit = off"],
        }
    }

    /// Most connections of one process.
    pub(crate) fn connections(self) -> u32 {
        match self {
            Self::Sqlite => 8,
            Self::SqliteReadOnly => 1,
            Self::Postgres => 10,
        }
    }

    /// Whether other processes may work on the same database.
    pub(crate) fn is_shared(self) -> bool {
        self == Self::Postgres
    }

    /// The statement that opens a transaction that will write. `SQLite` takes the write lock at once, because a
    /// reader that turns into a writer fails instead of waiting when somebody else wrote in between.
    pub(crate) fn begin_write(self) -> &'static str {
        match self {
            Self::Sqlite | Self::SqliteReadOnly => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// What follows in the transaction. The numbers are of no meaning, but all replicas must use the same.
    pub(crate) fn exclude(self, exclusive: Exclusive) -> Option<&'static str> {
        match (self, exclusive) {
            (Self::Postgres, Exclusive::Model) => Some("SELECT pg_advisory_xact_lock(7341001)"),
            (Self::Postgres, Exclusive::Queue) => Some("SELECT pg_advisory_xact_lock(7341002)"),
            (Self::Postgres, Exclusive::Rows) | (Self::Sqlite | Self::SqliteReadOnly, _) => None,
        }
    }

    /// What begins a transaction that fills temporary tables only: a crash leaves nothing of them anyway.
    pub(crate) fn before_staging(self) -> Option<&'static str> {
        (self == Self::Postgres).then_some("SET LOCAL synchronous_commit = off")
    }

    /// What begins a transaction that joins large sets.
    pub(crate) fn before_merge(self) -> Option<&'static str> {
        (self == Self::Postgres).then_some("SET LOCAL work_mem = '48MB'")
    }

    /// When a lease that begins now ends. Where there is one process, it lasts as long as the process does.
    pub(crate) fn lease_end(self, now: i64, lease: Duration) -> i64 {
        if !self.is_shared() {
            return i64::MAX;
        }
        now.saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX))
    }

    /// Ends a look-up in the queue, `q`, that leaves out what somebody else is about to change.
    pub(crate) fn skip_locked(self) -> &'static str {
        if self == Self::Postgres { " FOR UPDATE OF q SKIP LOCKED" } else { "" }
    }

    /// The time of the database in milliseconds, where it is not that of this process.
    pub(crate) fn clock(self) -> Option<&'static str> {
        (self == Self::Postgres)
            .then_some("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)")
    }

    /// The definition of a table for this engine. Texts are ordered by their bytes everywhere, whatever order a
    /// database has been given: ids grow with time only in that order.
    pub(crate) fn definition(self, sql: &str) -> String {
        if self == Self::Postgres { sql.replace(" TEXT", " TEXT COLLATE \"C\"") } else { sql.to_owned() }
    }

    /// Tells the planner what is in a table that has just been filled.
    pub(crate) fn analyze(self, table: &str) -> Option<String> {
        (self == Self::Postgres).then(|| format!("ANALYZE {table}"))
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
