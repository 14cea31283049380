//! The floor: the rows of an import, inserted into an empty database by nothing but prepared statements.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous,
};
use sqlx::{
    Arguments as _, AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Executor as _,
    Row as _, TypeInfo as _,
};

use crate::Failure;

/// Rows that are read at a time; reading is not counted.
const READ: usize = 50_000;
/// Arguments of one statement: more make it no faster.
const ARGUMENTS: usize = 4_000;

/// Where a database is.
pub(crate) enum Database {
    /// `SQLite`, in this folder of a server.
    File(PathBuf),
    /// PostgreSQL, by its address.
    Postgres(String),
}

/// A value of a row.
enum Cell {
    Text(Option<String>),
    Integer(Option<i64>),
    Float(Option<f64>),
}

enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Copies tables from the database of a server into an empty one.
pub(crate) struct Floor {
    from: Connection,
    to: Connection,
}

impl Floor {
    /// Opens both.
    pub(crate) async fn open(from: &Database, to: &Database) -> Result<Self, Failure> {
        Ok(Floor { from: Connection::open(from).await?, to: Connection::open(to).await? })
    }

    /// Inserts the rows of these tables, in one transaction. Gives the seconds that this took, without reading them.
    pub(crate) async fn insert(&mut self, tables: &[&str]) -> Result<f64, Failure> {
        let mut spent = Duration::ZERO;
        let start = Instant::now();
        self.to.execute("BEGIN").await?;
        spent += start.elapsed();
        for table in tables {
            // Imports write rows in the order of their ids, which grow; tables without one in that of their key.
            let order =
                if ["group_members", "tags", "usage_edges"].contains(table) { "1, 2, 3, 4" } else { "1" };
            let mut offset = 0;
            loop {
                let select = format!("SELECT * FROM {table} ORDER BY {order} LIMIT {READ} OFFSET {offset}");
                let rows = self.from.read(select).await?;
                offset += rows.len();
                if rows.is_empty() {
                    break;
                }
                spent += self.to.write(table, rows).await?;
            }
        }
        let start = Instant::now();
        self.to.execute("COMMIT").await?;
        Ok((spent + start.elapsed()).as_secs_f64())
    }
}

/// Reads rows of a driver into cells, by the types of their columns.
macro_rules! cells {
    ($rows:expr) => {{
        let rows = $rows;
        let mut read = Vec::with_capacity(rows.len());
        for row in rows {
            let mut cells = Vec::with_capacity(row.len());
            for column in row.columns() {
                let at = column.ordinal();
                cells.push(match column.type_info().name() {
                    "INT8" | "INTEGER" | "BIGINT" => Cell::Integer(row.try_get_unchecked(at)?),
                    "FLOAT8" | "REAL" | "DOUBLE PRECISION" => Cell::Float(row.try_get_unchecked(at)?),
                    _ => Cell::Text(row.try_get_unchecked(at)?),
                });
            }
            read.push(cells);
        }
        read
    }};
}

/// Writes cells as multi-row inserts; `$place` gives the placeholder of an argument.
macro_rules! insert {
    ($connection:expr, $arguments:ty, $place:expr, $table:expr, $rows:expr) => {{
        let width = $rows.first().map_or(1, Vec::len);
        let mut statements = Vec::new();
        let mut rows = $rows.into_iter().peekable();
        while rows.peek().is_some() {
            let mut arguments = <$arguments>::default();
            let mut sql = format!("INSERT INTO {} VALUES ", $table);
            let mut number = 0;
            for (at, row) in rows.by_ref().take(ARGUMENTS / width).enumerate() {
                sql.push_str(if at == 0 { "(" } else { ",(" });
                for (at, cell) in row.into_iter().enumerate() {
                    sql.push_str(if at == 0 { "" } else { "," });
                    number += 1;
                    sql.push_str(&$place(number));
                    match cell {
                        Cell::Text(value) => arguments.add(value),
                        Cell::Integer(value) => arguments.add(value),
                        Cell::Float(value) => arguments.add(value),
                    }
                    .map_err(|error| error.to_string())?;
                }
                sql.push(')');
            }
            statements.push((sql, arguments));
        }
        // What comes before is no work of the database's.
        let start = Instant::now();
        for (sql, arguments) in statements {
            $connection.execute(sqlx::query_with(AssertSqlSafe(sql), arguments)).await?;
        }
        start.elapsed()
    }};
}

impl Connection {
    async fn open(database: &Database) -> Result<Self, Failure> {
        Ok(match database {
            Database::File(folder) => Connection::Sqlite(
                SqliteConnectOptions::new()
                    .filename(folder.join("raito.db"))
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Normal)
                    .pragma("cache_size", "-65536")
                    .connect()
                    .await?,
            ),
            Database::Postgres(address) => Connection::Postgres(PgConnection::connect(address).await?),
        })
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), Failure> {
        match self {
            Connection::Sqlite(connection) => connection.execute(statement).await.map(|_| ())?,
            Connection::Postgres(connection) => connection.execute(statement).await.map(|_| ())?,
        }
        Ok(())
    }

    async fn read(&mut self, select: String) -> Result<Vec<Vec<Cell>>, Failure> {
        Ok(match self {
            Connection::Sqlite(connection) => cells!(connection.fetch_all(AssertSqlSafe(select)).await?),
            Connection::Postgres(connection) => cells!(connection.fetch_all(AssertSqlSafe(select)).await?),
        })
    }

    async fn write(&mut self, table: &str, rows: Vec<Vec<Cell>>) -> Result<Duration, Failure> {
        Ok(match self {
            Connection::Sqlite(connection) => {
                insert!(connection, SqliteArguments, |_: usize| "?".to_owned(), table, rows)
            }
            Connection::Postgres(connection) => {
                insert!(connection, PgArguments, |number: usize| format!("${number}"), table, rows)
            }
        })
    }
}
