//! Inserting many rows by few statements.
//!
//! `SQLite` gets rows of placeholders. PostgreSQL would spend its time on planning those: it gets one array per
//! column, as text, which it takes apart itself; the statement is then the same for any number of rows.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use sqlx::any::AnyArguments;
use sqlx::{Arguments, AssertSqlSafe};

use super::{Connection, Dialect};

/// Most arguments of one statement that are sensible for `SQLite`.
const ARGUMENTS: usize = 4096;
/// How many bytes of arrays are held before they are written.
const ARRAYS: usize = 1 << 20;

/// A value of a row.
pub(crate) enum BulkValue<'v> {
    Text(Option<Cow<'v, str>>),
    Integer(Option<i64>),
    Real(Option<f64>),
}

impl From<String> for BulkValue<'_> {
    fn from(value: String) -> Self {
        Self::Text(Some(value.into()))
    }
}

impl<'v> From<&'v str> for BulkValue<'v> {
    fn from(value: &'v str) -> Self {
        Self::Text(Some(value.into()))
    }
}

impl From<Option<String>> for BulkValue<'_> {
    fn from(value: Option<String>) -> Self {
        Self::Text(value.map(Into::into))
    }
}

impl From<i64> for BulkValue<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(Some(value))
    }
}

impl From<Option<i64>> for BulkValue<'_> {
    fn from(value: Option<i64>) -> Self {
        Self::Integer(value)
    }
}

impl From<Option<f64>> for BulkValue<'_> {
    fn from(value: Option<f64>) -> Self {
        Self::Real(value)
    }
}

/// Values of rows that are not written yet. They can be collected on any thread.
pub(crate) struct BulkRows {
    rows: usize,
    held: Held,
}

enum Held {
    Arguments(AnyArguments),
    Arrays {
        columns: Vec<Array>,
        /// The column of the next value.
        next: usize,
        bytes: usize,
    },
}

/// The values of one column as the text of an array, without the last brace.
struct Array {
    kind: &'static str,
    text: String,
}

impl BulkRows {
    /// Starts with no rows of so many columns.
    pub(crate) fn new(dialect: Dialect, columns: usize) -> Self {
        let held = match dialect {
            Dialect::Sqlite | Dialect::SqliteReadOnly => Held::Arguments(AnyArguments::default()),
            Dialect::Postgres => {
                let columns = (0..columns).map(|_| Array { kind: "text", text: String::new() }).collect();
                Held::Arrays { columns, next: 0, bytes: 0 }
            }
        };
        Self { rows: 0, held }
    }

    /// Adds one value. A `String` is taken as it is, a `&str` is copied.
    pub(crate) fn value<'v>(&mut self, value: impl Into<BulkValue<'v>>) -> Result<&mut Self, sqlx::Error> {
        match (&mut self.held, value.into()) {
            (Held::Arguments(arguments), BulkValue::Text(text)) => {
                arguments.add(text.map(Cow::into_owned)).map_err(sqlx::Error::Encode)?;
            }
            (Held::Arguments(arguments), BulkValue::Integer(number)) => {
                arguments.add(number).map_err(sqlx::Error::Encode)?;
            }
            (Held::Arguments(arguments), BulkValue::Real(number)) => {
                arguments.add(number).map_err(sqlx::Error::Encode)?;
            }
            (Held::Arrays { columns, next, bytes }, value) => {
                let count = columns.len().max(1);
                if let Some(column) = columns.get_mut(*next) {
                    let before = column.text.len();
                    column.push(&value);
                    *bytes += column.text.len() - before;
                }
                *next = (*next + 1) % count;
            }
        }
        Ok(self)
    }

    /// Ends a row.
    pub(crate) fn end_row(&mut self) {
        self.rows += 1;
    }

    /// Whether there is enough for a statement.
    fn is_full(&self, columns: usize) -> bool {
        match &self.held {
            Held::Arguments(_) => (self.rows + 1) * columns > ARGUMENTS,
            Held::Arrays { bytes, .. } => *bytes >= ARRAYS,
        }
    }
}

impl Array {
    fn push(&mut self, value: &BulkValue<'_>) {
        self.text.push(if self.text.is_empty() { '{' } else { ',' });
        match value {
            BulkValue::Text(Some(text)) => {
                self.text.push('"');
                let mut rest: &str = text;
                while let Some(at) = rest.find(['"', '\\']) {
                    let (plain, special) = rest.split_at(at);
                    self.text.push_str(plain);
                    self.text.push('\\');
                    let (special, after) = special.split_at(1);
                    self.text.push_str(special);
                    rest = after;
                }
                self.text.push_str(rest);
                self.text.push('"');
            }
            BulkValue::Integer(Some(number)) => {
                let _ = write!(self.text, "{number}");
            }
            BulkValue::Real(Some(number)) => {
                let _ = write!(self.text, "{number:e}");
            }
            BulkValue::Text(None) | BulkValue::Integer(None) | BulkValue::Real(None) => {
                self.text.push_str("NULL");
            }
        }
        self.kind = match value {
            BulkValue::Text(_) => "text",
            BulkValue::Integer(_) => "bigint",
            BulkValue::Real(_) => "double precision",
        };
    }
}

/// Collects rows for one table and writes them as multi-row `INSERT`s. Rows that are still held when it is
/// dropped are lost: call [`Bulk::flush`].
pub(crate) struct Bulk {
    head: String,
    tail: &'static str,
    columns: usize,
    dialect: Dialect,
    /// The number of rows of the last statement, and its text: nearly all are the same.
    last: (usize, Arc<str>),
    held: BulkRows,
}

impl Bulk {
    /// `table` and `columns` are names, `tail` follows the rows (an `ON CONFLICT` clause or nothing).
    pub(crate) fn new(dialect: Dialect, table: &str, columns: &[&str], tail: &'static str) -> Self {
        Self {
            head: format!("INSERT INTO {table} ({}) ", columns.join(", ")),
            tail,
            columns: columns.len(),
            dialect,
            last: (0, Arc::from("")),
            held: BulkRows::new(dialect, columns.len()),
        }
    }

    /// Adds one value; a row is complete when as many values were added as there are columns.
    pub(crate) fn value<'v>(&mut self, value: impl Into<BulkValue<'v>>) -> Result<&mut Self, sqlx::Error> {
        self.held.value(value)?;
        Ok(self)
    }

    /// Ends a row; writes when enough are held.
    pub(crate) async fn end_row(&mut self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        self.held.end_row();
        if self.held.is_full(self.columns) { self.flush(connection).await } else { Ok(()) }
    }

    /// Writes what is held.
    pub(crate) async fn flush(&mut self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        let held = std::mem::replace(&mut self.held, BulkRows::new(self.dialect, self.columns));
        self.write(connection, held).await
    }

    /// Writes rows that were collected elsewhere, as one statement: they must not be many more than are sensible.
    pub(crate) async fn write(
        &mut self,
        connection: &mut Connection,
        rows: BulkRows,
    ) -> Result<(), sqlx::Error> {
        let BulkRows { rows, held } = rows;
        if rows == 0 {
            return Ok(());
        }
        let (arguments, again) = match held {
            Held::Arguments(arguments) => {
                debug_assert_eq!(
                    arguments.len(),
                    rows * self.columns,
                    "a row of {} is not complete",
                    self.head
                );
                let again = self.last.0 == rows;
                if !again {
                    self.last = (rows, self.rows_of_placeholders(rows).into());
                }
                (arguments, again)
            }
            Held::Arrays { columns, next, .. } => {
                debug_assert_eq!(next, 0, "a row of {} is not complete", self.head);
                if self.last.0 == 0 {
                    let kinds: Vec<&str> = columns.iter().map(|column| column.kind).collect();
                    self.last = (1, self.arrays(&kinds).into());
                }
                let mut arguments = AnyArguments::default();
                for mut column in columns {
                    column.text.push('}');
                    arguments.add(column.text).map_err(sqlx::Error::Encode)?;
                }
                (arguments, true)
            }
        };
        let statement = AssertSqlSafe(Arc::clone(&self.last.1));
        sqlx::query_with(statement, arguments).persistent(again).execute(connection).await?;
        Ok(())
    }

    /// `SQLite` finds a numbered placeholder by a linear search, which thousands of them make quadratic: they have no
    /// numbers here.
    fn rows_of_placeholders(&self, rows: usize) -> String {
        let row = 2 * self.columns + 2;
        let mut sql = String::with_capacity(self.head.len() + rows * row + self.tail.len() + 8);
        sql.push_str(&self.head);
        sql.push_str("VALUES ");
        for row in 0..rows {
            sql.push_str(if row == 0 { "(" } else { ",(" });
            for column in 0..self.columns {
                sql.push_str(if column == 0 { "?" } else { ",?" });
            }
            sql.push(')');
        }
        sql.push(' ');
        sql.push_str(self.tail);
        sql
    }

    fn arrays(&self, kinds: &[&str]) -> String {
        let arrays: Vec<String> =
            kinds.iter().zip(1..).map(|(kind, number)| format!("CAST(${number} AS {kind}[])")).collect();
        format!("{}SELECT * FROM unnest({}) {}", self.head, arrays.join(", "), self.tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_arrays_are_escaped() {
        let mut texts = Array { kind: "", text: String::new() };
        for text in [Some(r#"a"b\,{}"#), None, Some("NULL"), Some("")] {
            texts.push(&BulkValue::Text(text.map(Into::into)));
        }
        assert_eq!(texts.text, r#"{"a\"b\\,{}",NULL,"NULL","""#);
        let mut numbers = Array { kind: "", text: String::new() };
        numbers.push(&BulkValue::Real(Some(1.5e300)));
        assert_eq!((numbers.text.as_str(), numbers.kind), ("{1.5e300", "double precision"));
    }
}
