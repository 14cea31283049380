//! What a database says about itself: its tables, their columns, the version of its schema.

use sqlx::{AssertSqlSafe, Row};

use crate::CloudError;
use crate::store::{Connection, Store};

/// Tables that are no part of a backup: the record of migrations is made anew, tokens are not for another server.
const LEFT_OUT: [&str; 2] = ["_sqlx_migrations", "tokens"];

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<(String, Kind)>,
}

/// The types of columns that the schema uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Fraction,
}

/// The name of the engine.
pub(super) fn engine(connection: &Connection) -> &str {
    connection.backend_name()
}

fn is_postgres(connection: &Connection) -> bool {
    engine(connection) == "PostgreSQL"
}

/// The statement that opens a transaction that sees one moment. Such a transaction on `SQLite` begins to see with its
/// first statement.
pub(super) async fn begin_snapshot(store: &Store) -> Result<&'static str, sqlx::Error> {
    let connection = store.pool().acquire().await?;
    Ok(if is_postgres(&connection) { "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" } else { "BEGIN" })
}

/// All names of tables, also of those that are left out of backups.
pub(super) async fn names(connection: &mut Connection) -> Result<Vec<String>, sqlx::Error> {
    let query = if is_postgres(connection) {
        "SELECT CAST(table_name AS TEXT) FROM information_schema.tables \
         WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY 1"
    } else {
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1"
    };
    let rows = sqlx::query(query).persistent(false).fetch_all(connection).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// The tables of a backup.
pub(super) async fn tables(connection: &mut Connection) -> Result<Vec<Table>, CloudError> {
    let mut tables = Vec::new();
    for name in names(connection).await? {
        if !LEFT_OUT.contains(&name.as_str()) {
            let columns = columns(connection, &name).await?;
            tables.push(Table { name, columns });
        }
    }
    Ok(tables)
}

async fn columns(connection: &mut Connection, table: &str) -> Result<Vec<(String, Kind)>, CloudError> {
    let query = if is_postgres(connection) {
        "SELECT CAST(column_name AS TEXT), CAST(data_type AS TEXT) FROM information_schema.columns \
         WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position"
    } else {
        "SELECT name, type FROM pragma_table_info($1) ORDER BY cid"
    };
    let rows = sqlx::query(query).bind(table).persistent(false).fetch_all(connection).await?;
    let mut columns = Vec::with_capacity(rows.len());
    for row in rows {
        let (name, kind): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let kind = match kind.to_ascii_uppercase().as_str() {
            "TEXT" => Kind::Text,
            "BIGINT" => Kind::Number,
            "DOUBLE PRECISION" => Kind::Fraction,
            other => {
                return Err(CloudError::Invalid {
                    reason: format!(
                        "the column {table}.{name} has the type {other}, which no backup can hold"
                    ),
                });
            }
        };
        columns.push((name, kind));
    }
    Ok(columns)
}

/// The number of the newest step of the schema that was taken.
pub(super) async fn schema_version(connection: &mut Connection) -> Result<i64, sqlx::Error> {
    let row = sqlx::query("SELECT MAX(version) FROM _sqlx_migrations").fetch_one(connection).await?;
    Ok(row.try_get::<Option<i64>, _>(0)?.unwrap_or_default())
}

/// Whether anything has been put into the database since it was made.
pub(super) async fn is_empty(connection: &mut Connection) -> Result<bool, sqlx::Error> {
    for name in names(connection).await? {
        if name == "_sqlx_migrations" {
            continue;
        }
        let query = format!("SELECT 1 FROM \"{name}\" LIMIT 1");
        let row =
            sqlx::query(AssertSqlSafe(query)).persistent(false).fetch_optional(&mut *connection).await?;
        if row.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

    use super::*;

    #[tokio::test]
    async fn every_table_of_the_schema_can_be_held_by_a_backup() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &crate::store::Database::Folder).await.unwrap();
        let mut connection = store.pool().acquire().await.unwrap();
        let names: Vec<String> =
            tables(&mut connection).await.unwrap().into_iter().map(|table| table.name).collect();
        for name in ["access_providers", "settings", "users", "work_queue", "usage_statements"] {
            assert!(names.iter().any(|found| found == name), "{name}");
        }
        assert!(!names.iter().any(|name| LEFT_OUT.contains(&name.as_str())));
        assert!(is_empty(&mut connection).await.unwrap());
        assert_eq!(schema_version(&mut connection).await.unwrap(), crate::store::schema_version());
        // Tables are restored in alphabetical order.
        let row = sqlx::query("SELECT COUNT(*) FROM sqlite_master WHERE sql LIKE '% REFERENCES %'")
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        assert_eq!(row.get::<i64, _>(0), 0, "foreign keys");
    }
}
