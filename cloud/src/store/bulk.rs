//! Inserting many rows by few statements.

use std::sync::Arc;

use sqlx::any::AnyArguments;
use sqlx::{Any, Arguments, AssertSqlSafe, Encode, Type};

use super::{Connection, Dialect};

/// Values of rows that are not written yet. They can be collected on any thread.
#[derive(Default)]
pub(crate) struct BulkRows {
    rows: usize,
    arguments: AnyArguments,
}

impl BulkRows {
    /// Adds one value. A `String` is taken as it is, a `&str` is copied.
    pub(crate) fn value<'v, T: Encode<'v, Any> + Type<Any>>(
        &mut self,
        value: T,
    ) -> Result<&mut Self, sqlx::Error> {
        self.arguments.add(value).map_err(sqlx::Error::Encode)?;
        Ok(self)
    }

    /// Ends a row.
    pub(crate) fn end_row(&mut self) {
        self.rows += 1;
    }
}

/// Collects rows for one table and writes them as multi-row `INSERT`s. Rows that are still held when it is
/// dropped are lost: call [`Bulk::flush`].
pub(crate) struct Bulk {
    head: String,
    tail: &'static str,
    columns: usize,
    capacity: usize,
    dialect: Dialect,
    /// The number of rows of the last statement, and its text: nearly all are the same.
    last: (usize, Arc<str>),
    held: BulkRows,
}

impl Bulk {
    /// `table` and `columns` are names, `tail` follows the rows (an `ON CONFLICT` clause or nothing).
    pub(crate) fn new(dialect: Dialect, table: &str, columns: &[&str], tail: &'static str) -> Self {
        Self {
            head: format!("INSERT INTO {table} ({}) VALUES ", columns.join(", ")),
            tail,
            columns: columns.len(),
            capacity: (dialect.bulk_arguments() / columns.len().max(1)).max(1),
            dialect,
            last: (0, Arc::from("")),
            held: BulkRows::default(),
        }
    }

    /// Adds one value; a row is complete when as many values were added as there are columns.
    pub(crate) fn value<'v, T: Encode<'v, Any> + Type<Any>>(
        &mut self,
        value: T,
    ) -> Result<&mut Self, sqlx::Error> {
        self.held.value(value)?;
        Ok(self)
    }

    /// Ends a row; writes when enough are held.
    pub(crate) async fn end_row(&mut self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        self.held.end_row();
        if self.held.rows < self.capacity { Ok(()) } else { self.flush(connection).await }
    }

    /// Writes what is held.
    pub(crate) async fn flush(&mut self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        let held = std::mem::take(&mut self.held);
        self.write(connection, held).await
    }

    /// Writes rows that were collected elsewhere, as one statement: they must not be many more than fit into
    /// [`Dialect::bulk_arguments`].
    pub(crate) async fn write(
        &mut self,
        connection: &mut Connection,
        rows: BulkRows,
    ) -> Result<(), sqlx::Error> {
        let BulkRows { rows, arguments } = rows;
        if rows == 0 {
            return Ok(());
        }
        debug_assert_eq!(arguments.len(), rows * self.columns, "a row of {} is not complete", self.head);
        let again = self.last.0 == rows;
        if !again {
            self.last = (rows, self.statement(rows).into());
        }
        let statement = AssertSqlSafe(Arc::clone(&self.last.1));
        sqlx::query_with(statement, arguments).persistent(again).execute(connection).await?;
        Ok(())
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
