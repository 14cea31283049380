//! The sessions to the target's databases: what the target covers there, and the transactions.
//!
//! Every transaction sees the catalogue as it was when it began, so that all rounds of a transaction plan from the same
//! state, whatever the transaction itself has done by then. Reading happens in transactions too: a cursor lives in one.
//!
//! A database is *open* while its standing grants can be asked for. What is in other databases is left out of a plan.

use raito_connector::{Error, Result};

use super::lookup::Below;
use super::standing::Cursor;
use crate::cluster;
use crate::schemas::{self, Schema};
use crate::session::{Failure, Session};
use crate::settings::Settings;

/// How long a statement waits for somebody else's lock.
const LOCK_TIMEOUT: &str = "10s";

/// A session for each database.
pub(super) struct Databases {
    /// The first session is the one of `pg-database`, which also carries what belongs to the whole cluster.
    sessions: Vec<Database>,
    /// What stands below schemas and databases that access controls name.
    pub(super) below: Below,
}

/// One database.
struct Database {
    session: Session,
    /// The schemas that the target covers; none: it does not cover the database.
    covered: Option<Vec<Schema>>,
    /// Standing grants, while the database is open.
    cursor: Option<Cursor>,
}

/// Whether a transaction may change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    ReadOnly,
    ReadWrite,
}

impl Mode {
    fn begin(self, session: &mut Session) -> Result<(), Failure> {
        match self {
            Mode::ReadOnly => session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
            Mode::ReadWrite => {
                session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")?;
                session.execute(&format!("SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
            }
        }
    }
}

impl Databases {
    /// Connects to every database of the target, and begins a transaction in each.
    pub(super) fn open(settings: &Settings, mut first: Session, mode: Mode) -> Result<Self> {
        mode.begin(&mut first)?;
        let names = cluster::databases(&mut first, settings)?;
        let mut opened = vec![first];
        for name in names.iter().filter(|name| **name != settings.database) {
            let mut session = Session::open(settings, name)?;
            mode.begin(&mut session)?;
            opened.push(session);
        }
        let mut sessions = Vec::with_capacity(opened.len());
        for mut session in opened {
            let is_covered = names.iter().any(|name| name == session.database());
            let covered = if is_covered { Some(schemas::covered(&mut session, settings)?) } else { None };
            sessions.push(Database { session, covered, cursor: None });
        }
        Ok(Databases { sessions, below: Below::default() })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Their names.
    pub(super) fn names(&self) -> Vec<String> {
        self.sessions.iter().map(|database| database.session.database().to_owned()).collect()
    }

    /// A session.
    pub(super) fn session(&mut self, at: usize) -> Result<&mut Session> {
        let database = self.sessions.get_mut(at);
        database.map(|database| &mut database.session).ok_or_else(|| Error::other("there is no such session"))
    }

    /// The sessions of databases that the target covers, each with its schemas.
    pub(super) fn covered_schemas(&mut self) -> impl Iterator<Item = (usize, &mut Session, &[Schema])> {
        self.sessions
            .iter_mut()
            .enumerate()
            .filter_map(|(at, database)| Some((at, &mut database.session, database.covered.as_deref()?)))
    }

    /// The same, with the object ids of the schemas.
    pub(super) fn covered(&mut self) -> impl Iterator<Item = (usize, &mut Session, Vec<u32>)> {
        self.covered_schemas()
            .map(|(at, session, schemas)| (at, session, schemas.iter().map(|schema| schema.oid).collect()))
    }

    /// The session of a database that the target covers.
    pub(super) fn session_of(&self, name: &str) -> Option<usize> {
        let named = |database: &Database| database.session.database() == name && database.covered.is_some();
        self.sessions.iter().position(named)
    }

    /// Whether the target covers a schema that is there.
    pub(super) fn covers_schema(&self, at: usize, name: &str) -> bool {
        let covered = self.sessions.get(at).and_then(|database| database.covered.as_ref());
        covered.is_some_and(|schemas| schemas.iter().any(|schema| schema.name == name))
    }

    /// Whether the server keeps one row for each grantor of a membership.
    pub(super) fn memberships_by_grantor(&self) -> bool {
        self.sessions.first().is_some_and(|database| database.session.version() >= 160_000)
    }

    /// Whether a plan takes in what is in a database.
    pub(super) fn is_open(&self, at: usize) -> bool {
        self.sessions.get(at).is_some_and(|database| database.cursor.is_some())
    }

    /// The databases that are open.
    pub(super) fn cursors(&mut self) -> impl Iterator<Item = (usize, &mut Session, &mut Cursor)> {
        self.sessions.iter_mut().enumerate().filter_map(|(at, database)| {
            let cursor = database.cursor.as_mut()?;
            Some((at, &mut database.session, cursor))
        })
    }

    /// Begins a transaction.
    pub(super) fn begin(&mut self, at: usize) -> Result<()> {
        Ok(Mode::ReadWrite.begin(self.session(at)?)?)
    }

    /// Opens a database in which a transaction has begun, for the standing grants of these roles in this order.
    pub(super) fn read_grants(&mut self, at: usize, roles: &[u32]) -> Result<()> {
        let Some(database) = self.sessions.get_mut(at) else { return Ok(()) };
        if let Some(covered) = &database.covered {
            let schemas: Vec<u32> = covered.iter().map(|schema| schema.oid).collect();
            let cursor = Cursor::declare(&mut database.session, &schemas, roles)?;
            database.cursor = Some(cursor);
        }
        Ok(())
    }

    /// Closes a database whose transaction goes on, so that it can be opened again as it is now.
    pub(super) fn close(&mut self, at: usize) -> Result<()> {
        self.below = Below::default();
        let Some(database) = self.sessions.get_mut(at) else { return Ok(()) };
        database.cursor = None;
        Ok(database.session.execute("CLOSE ALL")?)
    }

    /// Ends a transaction, and closes the database.
    pub(super) fn end(&mut self, at: usize, how: End) -> Result<()> {
        self.below = Below::default();
        let Some(database) = self.sessions.get_mut(at) else { return Ok(()) };
        database.cursor = None;
        database.session.execute(match how {
            End::Commit => "COMMIT",
            End::Rollback => "ROLLBACK",
        })?;
        Ok(())
    }
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Commit,
    Rollback,
}
