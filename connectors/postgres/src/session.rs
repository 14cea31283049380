//! A connection to one database of the server.
//!
//! The rest of the connector is written as ordinary sequential code: [`Session`] drives the protocol's two
//! futures (the request, and the connection that carries it) to the end of each call. Where the bytes travel is the
//! transport's concern: over the sandbox's socket in a connector, over the machine's own in tests.
//!
//! Invariants:
//! - `search_path` is `pg_catalog` alone, so that no object of a user can stand in for one of the system's, and
//!   every other name that the server prints is qualified.
//! - Each statement starts with [`MARK`], by which the usage step recognises the connector's own.
//! - Rows are streamed. What a caller does not keep is not held.

mod failure;
mod shortfall;
#[cfg(not(target_family = "wasm"))]
#[path = "session/native.rs"]
mod transport;
#[cfg(target_family = "wasm")]
#[path = "session/sandbox.rs"]
mod transport;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use futures::TryStreamExt as _;
use raito_connector::{Error, Result};
use tokio_postgres::config::SslMode;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Row, RowStream};

pub(crate) use self::failure::Failure;
use self::shortfall::Shortfall;
use crate::settings::{Settings, TlsMode};

/// Stands in front of each statement that the connector sends.
pub const MARK: &str = "/* raito */";

type Driver = Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>>>>;

/// What a parameter of a statement is: its type and its value.
pub(crate) type Argument<'a> = (&'a (dyn ToSql + Sync), Type);

/// A connection to one database.
pub struct Session {
    database: String,
    client: Client,
    driver: Option<Driver>,
    runtime: transport::Runtime,
    shortfall: Shortfall,
    /// `server_version_num`, for example 150018.
    version: u32,
}

impl Session {
    /// Connects to a database as the target's user.
    ///
    /// # Errors
    /// Typed by what went wrong: connection, authentication, permission, or a bad `pg-database`.
    pub fn open(settings: &Settings, database: &str) -> Result<Self> {
        let mut config = Config::new();
        config
            .host(&settings.host)
            .port(settings.port)
            .user(&settings.user)
            .dbname(database)
            .application_name("raito")
            .ssl_mode(match settings.tls {
                TlsMode::VerifyFull => SslMode::Require,
                TlsMode::Disable => SslMode::Disable,
            });
        if let Some(password) = &settings.password {
            config.password(password);
        }
        let runtime = transport::Runtime::new()?;
        let shortfall = Shortfall::default();
        let (client, driver) = transport::connect(&runtime, &config, settings, &shortfall)?
            .map_err(|error| failure::of_connecting(&error, settings, database))?;
        let driver = Some(driver);
        let mut session =
            Session { database: database.to_owned(), client, driver, runtime, shortfall, version: 0 };
        session.execute("SET search_path = pg_catalog")?;
        session.execute("SET client_min_messages = warning")?;
        let rows =
            session.query("SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4", &[])?;
        let version: i32 = rows.first().map_or(Ok(0), |row| get(row, 0))?;
        session.version = u32::try_from(version).unwrap_or_default();
        Ok(session)
    }

    /// The database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The server's version as a number, for example 150018.
    pub(crate) fn version(&self) -> u32 {
        self.version
    }

    /// Runs one statement without a result. Two statements in one text are refused by the server. A privilege that is
    /// not granted or not revoked is a failure, though the server only warns of it.
    pub(crate) fn execute(&mut self, statement: &str) -> Result<(), Failure> {
        let text = format!("{MARK} {statement}");
        let client = &self.client;
        drive(&mut self.driver, &self.runtime, client.execute_typed(&text, &[]))?;
        self.shortfall.take().map_or(Ok(()), Err)
    }

    /// Reads all rows of a statement. For results whose size does not follow the size of the catalogue.
    pub(crate) fn query(&mut self, statement: &str, arguments: &[Argument<'_>]) -> Result<Vec<Row>, Failure> {
        let mut rows = Vec::new();
        let mut stream = self.rows(statement, arguments)?;
        while let Some(row) = self.next(&mut stream)? {
            rows.push(row);
        }
        Ok(rows)
    }

    /// Starts a statement whose rows are taken one by one with [`Self::next`]. No other statement can run on this
    /// session until the last row is taken.
    pub(crate) fn rows(&mut self, statement: &str, arguments: &[Argument<'_>]) -> Result<Rows, Failure> {
        let text = format!("{MARK} {statement}");
        let client = &self.client;
        let arguments: Vec<_> = arguments.iter().map(|(value, kind)| (*value, kind.clone())).collect();
        let stream = drive(&mut self.driver, &self.runtime, client.query_typed_raw(&text, arguments))?;
        Ok(Rows(Box::pin(stream)))
    }

    /// The next row, or none at the end.
    pub(crate) fn next(&mut self, rows: &mut Rows) -> Result<Option<Row>, Failure> {
        drive(&mut self.driver, &self.runtime, rows.0.try_next())
    }

    /// Hands each row of a statement to `take`.
    pub(crate) fn for_each(
        &mut self,
        statement: &str,
        arguments: &[Argument<'_>],
        mut take: impl FnMut(&Row) -> Result<()>,
    ) -> Result<()> {
        let mut rows = self.rows(statement, arguments)?;
        while let Some(row) = self.next(&mut rows)? {
            take(&row)?;
        }
        Ok(())
    }
}

/// Rows on their way.
pub(crate) struct Rows(Pin<Box<RowStream>>);

/// A column of a row. Errors are mistakes of the statement, not of the data.
pub(crate) fn get<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, column: usize) -> Result<T> {
    row.try_get(column)
        .map_err(|error| Error::other(format!("column {column} of a catalogue query: {error}")))
}

/// Runs `request` to its end while the connection carries it.
fn drive<T, F>(driver: &mut Option<Driver>, runtime: &transport::Runtime, request: F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, tokio_postgres::Error>>,
{
    let mut request = pin!(request);
    let outcome = runtime.block_on(poll_fn(|context| {
        if let Poll::Ready(outcome) = request.as_mut().poll(context) {
            return Poll::Ready(outcome);
        }
        if let Some(connection) = driver {
            if let Poll::Ready(ended) = connection.as_mut().poll(context) {
                *driver = None;
                if let Err(error) = ended {
                    return Poll::Ready(Err(error));
                }
            }
            // The connection may have handed the request what it waits for.
            return request.as_mut().poll(context);
        }
        Poll::Pending
    }));
    match outcome {
        Ok(outcome) => outcome.map_err(Failure::from),
        Err(error) => Err(Failure::broken(&error)),
    }
}
