//! The database behind the server.
//!
//! All access goes through sqlx's `Any` driver, so that the engine is chosen by the address at run time and
//! there is one code path for `SQLite` and PostgreSQL. The alternatives were a generic parameter on every
//! function, or an own trait with two implementations of every query; both cost far more than what `Any`
//! asks for: columns are text, 64-bit integers and doubles only, and a text argument is copied once more.
//! What the engines do not share is in one place, [`Dialect`].
//!
//! Rules for every statement: `$1` placeholders (bulk inserts ask the dialect, see [`bulk`]), upserts as
//! `ON CONFLICT … DO UPDATE`, no engine functions, temporary tables for staging. Texts hold no NUL, which
//! PostgreSQL refuses: it is replaced where texts come in (see `records/nul.rs`).

pub(crate) mod bulk;
pub(crate) mod database;
pub(crate) mod dialect;
pub(crate) mod sql;

use std::path::Path;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Any, AnyPool, AssertSqlSafe, ConnectOptions, Executor, Row, SqlSafeStr, Transaction};

pub use database::{Database, DatabaseAddressError, PostgresAddress};
pub(crate) use dialect::{Dialect, Exclusive};

use crate::CloudError;
use crate::ids::now;

/// A connection of the pool or of a transaction.
pub(crate) type Connection = sqlx::AnyConnection;

/// Name of the database file in the data folder.
pub(crate) const DATABASE_FILE: &str = "raito.db";

/// The open database; clones share the connections.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pool: AnyPool,
    dialect: Dialect,
}

impl Store {
    /// Opens a database, creates the file if it is one in `folder`, and brings the schema up to date. Several
    /// processes may do so at the same time: one of them changes the schema, the others wait.
    pub(crate) async fn open(folder: &Path, database: &Database) -> Result<Self, CloudError> {
        let store = match database {
            Database::Folder => {
                let address = Dialect::sqlite_address(&folder.join(DATABASE_FILE), "rwc");
                Self::connect(&address, Dialect::Sqlite).await?
            }
            Database::Postgres(address) => Self::connect(address.full(), Dialect::Postgres).await?,
        };
        migrator(store.dialect).run(&store.pool).await?;
        Ok(store)
    }

    /// Opens an existing database for reading, also while a server works on it.
    pub(crate) async fn open_read_only(folder: &Path, database: &Database) -> Result<Self, CloudError> {
        if let Database::Postgres(address) = database {
            return Self::connect(address.full(), Dialect::Postgres).await;
        }
        let file = folder.join(DATABASE_FILE);
        if !file.is_file() {
            return Err(CloudError::NoStore { folder: folder.to_owned() });
        }
        Self::connect(&Dialect::sqlite_address(&file, "ro"), Dialect::SqliteReadOnly).await
    }

    async fn connect(address: &str, dialect: Dialect) -> Result<Self, CloudError> {
        sqlx::any::install_default_drivers();
        let options: AnyConnectOptions = address.parse()?;
        let pool = AnyPoolOptions::new()
            .max_connections(dialect.connections())
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    for statement in dialect.on_connect() {
                        connection.execute(*statement).await?;
                    }
                    Ok(())
                })
            })
            .connect_with(options.clone())
            .await;
        match pool {
            Ok(pool) => Ok(Self { pool, dialect }),
            // The pool tries for a while, and does not tell why it did not succeed.
            Err(sqlx::Error::PoolTimedOut) => {
                let cause = options.connect().await.err().unwrap_or(sqlx::Error::PoolTimedOut);
                Err(CloudError::Connect { source: cause })
            }
            Err(source) => Err(CloudError::Connect { source }),
        }
    }

    /// For single statements and reads.
    pub(crate) fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// What is particular to the engine.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Starts a transaction that will write. What it reads stays true until it ends: there is no other one.
    /// It is rolled back unless committed.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        self.begin_exclusive(Exclusive::Model).await
    }

    /// Starts a transaction that will write and keeps only so much to itself.
    ///
    /// On a task of its own: a request may be given up at any moment, and a connection that is given back while
    /// its transaction begins would keep that transaction.
    pub(crate) async fn begin_exclusive(
        &self,
        exclusive: Exclusive,
    ) -> Result<Transaction<'static, Any>, sqlx::Error> {
        let (pool, dialect) = (self.pool.clone(), self.dialect);
        let begun = tokio::spawn(async move {
            let mut transaction = pool.begin_with(dialect.begin_write()).await?;
            if let Some(lock) = dialect.exclude(exclusive) {
                transaction.execute(lock).await?;
            }
            Ok(transaction)
        });
        begun.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }

    /// The time in milliseconds by the clock that all processes on this database share.
    pub(crate) async fn clock(&self) -> Result<i64, sqlx::Error> {
        match self.dialect.clock() {
            Some(statement) => sqlx::query(statement).fetch_one(&self.pool).await?.try_get(0),
            None => Ok(now()),
        }
    }

    /// Waits for running statements and closes all connections.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    /// A stored setting.
    pub(crate) async fn setting(&self, key: &str) -> Result<Option<String>, sqlx::Error> {
        sqlx::query("SELECT value FROM settings WHERE key = $1")
            .bind(key)
            .fetch_optional(&self.pool)
            .await?
            .map(|row| row.try_get(0))
            .transpose()
    }

    /// Stores a setting unless it exists, and returns what is stored then.
    pub(crate) async fn setting_or(&self, key: &str, value: &str) -> Result<String, sqlx::Error> {
        sqlx::query("INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING")
            .bind(key)
            .bind(value)
            .execute(&self.pool)
            .await?;
        Ok(self.setting(key).await?.unwrap_or_else(|| value.to_owned()))
    }
}

/// The number of the newest step of the schema.
pub(crate) fn schema_version() -> i64 {
    migrator(Dialect::Sqlite).iter().map(|step| step.version).max().unwrap_or_default()
}

/// Brings the schema up to this step, in the transaction of the caller if there is one.
pub(crate) async fn migrate_to(connection: &mut Connection, version: i64) -> Result<(), CloudError> {
    Ok(migrator(Dialect::of(connection)).run_to(version, connection).await?)
}

/// The schema, oldest step first. A published step never changes: sqlx keeps its checksum.
fn migrator(dialect: Dialect) -> Migrator {
    let step = |version: i64, description: &'static str, sql: &'static str| {
        let sql = AssertSqlSafe(dialect.definition(sql)).into_sql_str();
        Migration::new(version, description.into(), MigrationType::Simple, sql, false)
    };
    Migrator::with_migrations(vec![
        step(1, "initial", include_str!("../migrations/0001_initial.sql")),
        step(2, "queue", include_str!("../migrations/0002_queue.sql")),
        step(3, "people", include_str!("../migrations/0003_people.sql")),
        step(4, "access", include_str!("../migrations/0004_access.sql")),
        step(5, "triggers", include_str!("../migrations/0005_triggers.sql")),
    ])
}

/// Whether the database may be well again soon: the connection was lost, the server is starting or stopping, or two
/// transactions stood in each other's way.
pub(crate) fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            let state = ["08", "40", "53", "57P"].iter().any(|class| code.starts_with(class));
            // `SQLite` has numbers; 5 is a lock that was not free for long.
            code == "5" || (code.len() == 5 && state)
        }),
        _ => false,
    }
}
