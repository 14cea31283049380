//! The database behind the server.
//!
//! All access goes through sqlx's `Any` driver, so that the engine is chosen by the address at run time and
//! there is one code path for `SQLite` and PostgreSQL. The alternatives were a generic parameter on every
//! function, or an own trait with two implementations of every query; both cost far more than what `Any`
//! asks for: columns are text, 64-bit integers and doubles only, and a text argument is copied once more.
//! What the engines do not share is in one place, [`Dialect`].
//!
//! Rules for every statement: `$1` placeholders (bulk inserts ask the dialect, see [`bulk`]), upserts as
//! `ON CONFLICT … DO UPDATE`, no engine functions, temporary tables for staging.

pub(crate) mod bulk;
pub(crate) mod dialect;
pub(crate) mod sql;

use std::path::Path;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Any, AnyPool, Executor, Row, SqlSafeStr, Transaction};

pub(crate) use dialect::Dialect;

use crate::CloudError;

/// A connection of the pool or of a transaction.
pub(crate) type Connection = sqlx::AnyConnection;

/// Name of the database file in the data folder.
pub(crate) const DATABASE_FILE: &str = "raito.db";

const CONNECTIONS: u32 = 8;

/// The open database; clones share the connections.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pool: AnyPool,
    dialect: Dialect,
}

impl Store {
    /// Opens the `SQLite` database in `folder`, creates it if need be and brings the schema up to date.
    pub(crate) async fn open(folder: &Path) -> Result<Self, CloudError> {
        let address = Dialect::sqlite_address(&folder.join(DATABASE_FILE), "rwc");
        let store = Self::connect(&address, Dialect::Sqlite, CONNECTIONS).await?;
        migrator().run(&store.pool).await?;
        Ok(store)
    }

    /// Opens an existing `SQLite` database for reading, also while a server works on it.
    pub(crate) async fn open_read_only(folder: &Path) -> Result<Self, CloudError> {
        let file = folder.join(DATABASE_FILE);
        if !file.is_file() {
            return Err(CloudError::NoStore { folder: folder.to_owned() });
        }
        Self::connect(&Dialect::sqlite_address(&file, "ro"), Dialect::SqliteReadOnly, 1).await
    }

    async fn connect(address: &str, dialect: Dialect, connections: u32) -> Result<Self, CloudError> {
        sqlx::any::install_default_drivers();
        let options: AnyConnectOptions = address.parse()?;
        let pool = AnyPoolOptions::new()
            .max_connections(connections)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    for statement in dialect.on_connect() {
                        connection.execute(*statement).await?;
                    }
                    Ok(())
                })
            })
            .connect_with(options)
            .await?;
        Ok(Self { pool, dialect })
    }

    /// For single statements and reads.
    pub(crate) fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// What is particular to the engine.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Starts a transaction that will write. It is rolled back unless committed.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        self.pool.begin_with(self.dialect.begin_write()).await
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
    migrator().iter().map(|step| step.version).max().unwrap_or_default()
}

/// Brings the schema up to this step, in the transaction of the caller if there is one.
pub(crate) async fn migrate_to(connection: &mut Connection, version: i64) -> Result<(), CloudError> {
    Ok(migrator().run_to(version, connection).await?)
}

/// The schema, oldest step first. A published step never changes: sqlx keeps its checksum.
fn migrator() -> Migrator {
    let step = |version: i64, description: &'static str, sql: &'static str| {
        Migration::new(version, description.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(vec![step(1, "initial", include_str!("../migrations/0001_initial.sql"))])
}
