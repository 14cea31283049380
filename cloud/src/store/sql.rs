//! A statement that is put together from pieces, with its arguments.

use std::fmt::Write as _;

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{Any, Arguments, AssertSqlSafe, Encode, Executor, Type};

/// SQL text and the values of its `$n` placeholders. Values never become part of the text.
#[derive(Default)]
pub(crate) struct Sql {
    text: String,
    arguments: AnyArguments,
}

impl Sql {
    /// Starts with a piece of text.
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), arguments: AnyArguments::default() }
    }

    /// Appends text that this program wrote.
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends a placeholder for a value.
    pub(crate) fn bind<'v, T: Encode<'v, Any> + Type<Any>>(
        &mut self,
        value: T,
    ) -> Result<&mut Self, sqlx::Error> {
        self.arguments.add(value).map_err(sqlx::Error::Encode)?;
        let number = self.arguments.len();
        let _ = write!(self.text, "${number}");
        Ok(self)
    }

    /// Appends `(value, value, …)`; an empty list becomes one that nothing is in.
    pub(crate) fn bind_list(&mut self, values: &[String]) -> Result<&mut Self, sqlx::Error> {
        if values.is_empty() {
            return Ok(self.push("(NULL)"));
        }
        for (index, value) in values.iter().enumerate() {
            self.push(if index == 0 { "(" } else { ", " });
            self.bind(value.clone())?;
        }
        Ok(self.push(")"))
    }

    /// Appends a search for a text anywhere in `column`, case-insensitive. Not every engine knows the lower case of
    /// letters beyond ASCII: there such letters must be spelled as they are stored.
    pub(crate) fn bind_contains(&mut self, column: &str, text: &str) -> Result<&mut Self, sqlx::Error> {
        let (lower, ascii) = (text.to_lowercase(), text.to_ascii_lowercase());
        self.push("(LOWER(").push(column).push(") LIKE ");
        self.bind(contains(&lower))?.push(" ESCAPE '\\'");
        if lower != ascii {
            self.push(" OR LOWER(").push(column).push(") LIKE ");
            self.bind(contains(&ascii))?.push(" ESCAPE '\\'");
        }
        Ok(self.push(")"))
    }

    /// Runs it and returns how many rows it changed.
    pub(crate) async fn execute<'e, E: Executor<'e, Database = Any>>(
        self,
        executor: E,
    ) -> Result<u64, sqlx::Error> {
        let query = sqlx::query_with(AssertSqlSafe(self.text), self.arguments).persistent(false);
        Ok(query.execute(executor).await?.rows_affected())
    }

    /// Makes `column` the first one of a statement that starts with `SELECT `.
    pub(crate) fn with_first_column(mut self, column: &str) -> Self {
        let rest = self.text.strip_prefix("SELECT ").unwrap_or(&self.text);
        self.text = format!("SELECT {column}, {rest}");
        self
    }

    /// Runs it and returns all rows.
    pub(crate) async fn rows<'e, E: Executor<'e, Database = Any>>(
        self,
        executor: E,
    ) -> Result<Vec<AnyRow>, sqlx::Error> {
        sqlx::query_with(AssertSqlSafe(self.text), self.arguments).persistent(false).fetch_all(executor).await
    }
}

/// The pattern for a text anywhere.
fn contains(text: &str) -> String {
    let mut pattern = String::from("%");
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}
