//! Where a server of a test keeps what it has. The crate `server` has a file for it, `server_postgres` a database of
//! a real PostgreSQL server.

use std::path::Path;
use std::time::Duration;

use raito_cloud::{Database, ServerConfig};
use sqlx::{Connection as _, Executor as _, Row as _};
use tempfile::TempDir;

use crate::Failure;
use crate::client::DOMAIN;

/// Whether this is the crate for PostgreSQL.
pub(crate) fn on_postgres() -> bool {
    env!("CARGO_CRATE_NAME") == "server_postgres"
}

/// An empty folder and an empty database. Both go at the end; servers on them must have gone before.
pub(crate) struct Place {
    folder: TempDir,
    postgres: Option<raito_test_servers::Database>,
}

impl Place {
    pub(crate) fn new() -> Result<Self, Failure> {
        let postgres =
            on_postgres().then(|| raito_test_servers::Database::create(env!("CARGO_TARGET_TMPDIR")));
        Ok(Self { folder: tempfile::tempdir()?, postgres })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn database(&self) -> Result<Database, Failure> {
        Ok(match &self.postgres {
            Some(postgres) => postgres.address().parse()?,
            None => Database::Folder,
        })
    }

    /// How a server here is set up.
    pub(crate) fn config(&self) -> Result<ServerConfig, Failure> {
        Ok(ServerConfig {
            data_dir: self.path().to_owned(),
            database: self.database()?,
            listen: ([127, 0, 0, 1], 0).into(),
            domain: Some(DOMAIN.to_owned()),
            admin_email: "admin@acme.example".to_owned(),
            lease: Duration::from_secs(2),
            ..ServerConfig::default()
        })
    }
}

/// A connection past the server.
impl Place {
    async fn connection(&self) -> Result<sqlx::AnyConnection, Failure> {
        sqlx::any::install_default_drivers();
        let address = match &self.postgres {
            Some(postgres) => postgres.address(),
            None => format!("sqlite://{}?mode=rw", self.path().join("raito.db").display()),
        };
        let mut connection = sqlx::AnyConnection::connect(&address).await?;
        if self.postgres.is_none() {
            connection.execute("PRAGMA busy_timeout = 60000").await?;
        }
        Ok(connection)
    }

    /// Changes the database; returns how many rows were concerned.
    pub(crate) async fn change(&self, statement: &str) -> Result<u64, Failure> {
        let mut connection = self.connection().await?;
        let done = connection.execute(sqlx::AssertSqlSafe(statement.to_owned())).await?;
        connection.close().await?;
        Ok(done.rows_affected())
    }

    /// The first column of the rows of a query.
    pub(crate) async fn texts(&self, query: &str) -> Result<Vec<String>, Failure> {
        let mut connection = self.connection().await?;
        let rows = connection.fetch_all(sqlx::AssertSqlSafe(query.to_owned())).await?;
        connection.close().await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Waits until a query has no rows.
    pub(crate) async fn until_none(&self, query: &str) -> Result<(), Failure> {
        for _ in 0..600 {
            if self.texts(query).await?.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(format!("there are still rows: {query}").into())
    }
}
