//! Inserting many rows by few statements.

use sqlx::any::AnyArguments;
use sqlx::{Any, Arguments, AssertSqlSafe, Encode, Type};

use super::{Connection, Dialect};

/// Collects rows for one table and writes them as multi-row `INSERT`s. Rows that are still held when it is
/// dropped are lost: call [`Bulk::flush`].
pub(crate) struct Bulk {
    head: String,
    tail: &'static str,
    columns: usize,
    capacity: usize,
    dialect: Dialect,
    full: String,
    rows: usize,
    arguments: AnyArguments,
}

impl Bulk {
    /// `table` and `columns` are names, `tail` follows the rows (an `ON CONFLICT` clause or nothing).
    pub(crate) fn new(dialect: Dialect, table: &str, columns: &[&str], tail: &'static str) -> Self {
        let capacity = (dialect.bulk_arguments() / columns.len().max(1)).max(1);
        let head = format!("INSERT INTO {table} ({}) VALUES ", columns.join(", "));
        let mut bulk = Self {
            head,
            tail,
            columns: columns.len(),
            capacity,
            dialect,
            full: String::new(),
            rows: 0,
            arguments: AnyArguments::default(),
        };
        bulk.full = bulk.statement(capacity);
        bulk
    }

    /// Adds one value; a row is complete when as many values were added as there are columns.
    pub(crate) fn value<'v, T: Encode<'v, Any> + Type<Any>>(
        &mut self,
        value: T,
    ) -> Result<&mut Self, sqlx::Error> {
        self.arguments.add(value).map_err(sqlx::Error::Encode)?;
        Ok(self)
    }

    /// Ends a row; writes when enough are held. Returns how many rows were written now.
    pub(crate) async fn end_row(&mut self, connection: &mut Connection) -> Result<u64, sqlx::Error> {
        self.rows += 1;
        debug_assert_eq!(
            self.arguments.len(),
            self.rows * self.columns,
            "a row of {} is not complete",
            self.head
        );
        if self.rows < self.capacity { Ok(0) } else { self.flush(connection).await }
    }

    /// Whether nothing is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Writes what is held. Returns how many rows were inserted, which is fewer than were added when the tail
    /// skips conflicting ones.
    pub(crate) async fn flush(&mut self, connection: &mut Connection) -> Result<u64, sqlx::Error> {
        if self.rows == 0 {
            return Ok(0);
        }
        let complete = self.rows == self.capacity;
        let statement = if complete { self.full.clone() } else { self.statement(self.rows) };
        let arguments = std::mem::take(&mut self.arguments);
        self.rows = 0;
        let done = sqlx::query_with(AssertSqlSafe(statement), arguments)
            .persistent(complete)
            .execute(connection)
            .await?;
        Ok(done.rows_affected())
    }

    fn statement(&self, rows: usize) -> String {
        let mut sql =
            String::with_capacity(self.head.len() + rows * (self.columns * 4 + 4) + self.tail.len());
        sql.push_str(&self.head);
        let mut number = 0;
        for row in 0..rows {
            sql.push_str(if row == 0 { "(" } else { ",(" });
            for column in 0..self.columns {
                if column > 0 {
                    sql.push(',');
                }
                number += 1;
                self.dialect.push_bulk_placeholder(&mut sql, number);
            }
            sql.push(')');
        }
        sql.push(' ');
        sql.push_str(self.tail);
        sql
    }
}
