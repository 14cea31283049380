//! Temporary tables that hold a file while it is merged.

use sha2::{Digest, Sha256};
use sqlx::AssertSqlSafe;

use super::Examples;
use crate::ids::Ids;
use crate::records::Tag;
use crate::store::bulk::{Bulk, BulkRows};
use crate::store::{Connection, Dialect};

/// External ids that occur more than once, and the first row of each.
const REPEATED: &str = "stage_repeated";

/// Creates an empty temporary table, in place of one that an earlier import on this connection left.
pub(crate) async fn create(
    connection: &mut Connection,
    name: &str,
    columns: &str,
) -> Result<(), sqlx::Error> {
    drop_table(connection, name).await?;
    let columns = Dialect::of(connection).definition(&format!("({columns})"));
    execute(connection, format!("CREATE TEMPORARY TABLE {name} {columns}")).await?;
    Ok(())
}

/// Tells the planner what a filled table holds: the server does not look into temporary ones by itself.
pub(crate) async fn analyze(connection: &mut Connection, table: &str) -> Result<(), sqlx::Error> {
    if let Some(statement) = Dialect::of(connection).analyze(table) {
        execute(connection, statement).await?;
    }
    Ok(())
}

/// Runs a statement without arguments; returns how many rows it concerned.
pub(super) async fn execute(connection: &mut Connection, statement: String) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(AssertSqlSafe(statement)).persistent(false).execute(connection).await?;
    Ok(done.rows_affected())
}

/// Removes a temporary table if it is there.
pub(crate) async fn drop_table(connection: &mut Connection, name: &str) -> Result<(), sqlx::Error> {
    execute(connection, format!("DROP TABLE IF EXISTS {name}")).await?;
    Ok(())
}

/// Removes temporary tables after the work with them is done. The work stands also when this fails: the next one on
/// the connection removes what it finds.
pub(crate) async fn discard(connection: &mut Connection, tables: &[&str]) {
    for table in tables {
        if let Err(error) = drop_table(connection, table).await {
            tracing::debug!(%error, table, "a temporary table could not be removed");
        }
    }
}

/// A fingerprint of the content of a record: two rows with the same one are taken as equal. Every part is
/// preceded by its length, so that parts cannot run into each other.
#[derive(Default)]
pub(crate) struct ContentHash(Sha256);

impl ContentHash {
    /// Adds a part.
    pub(crate) fn text(mut self, part: &str) -> Self {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part.as_bytes());
        self
    }

    /// Adds a part that may be missing, which differs from an empty one.
    pub(crate) fn optional(self, part: Option<&str>) -> Self {
        match part {
            Some(part) => self.text("+").text(part),
            None => self.text("-"),
        }
    }

    /// The fingerprint.
    pub(crate) fn finish(self) -> i64 {
        let hash = self.0.finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&hash[..8]);
        i64::from_le_bytes(first)
    }
}

/// Rows of one kind on their way into their staging table. Of several rows with the same external id the
/// first is kept.
///
/// The table is filled without an index, which is built when all rows are there: sorting once costs less than
/// finding the place of each row, above all when the rows come in another order than that of their ids.
pub(crate) struct Rows {
    table: &'static str,
    bulk: Bulk,
    ids: Ids,
    nameless: u64,
}

/// Rows that are ready to be written, made by [`Draft`].
pub(crate) struct Batch {
    rows: BulkRows,
    nameless: u64,
}

/// Makes batches of rows away from the connection, on the thread that reads the file.
pub(crate) struct Draft {
    dialect: Dialect,
    columns: usize,
    rows: BulkRows,
    ids: Ids,
    nameless: u64,
}

impl Draft {
    /// Starts with an empty batch of rows with so many columns beside external id, id and hash.
    pub(crate) fn new(dialect: Dialect, columns: usize) -> Self {
        let columns = columns + 3;
        Self { dialect, columns, rows: BulkRows::new(dialect, columns), ids: Ids::new(), nameless: 0 }
    }

    /// Like [`Rows::begin`]; the caller ends the row at [`BulkRows::end_row`].
    pub(crate) fn begin(
        &mut self,
        external_id: String,
        content_hash: i64,
    ) -> Result<Option<&mut BulkRows>, sqlx::Error> {
        if external_id.is_empty() {
            self.nameless += 1;
            return Ok(None);
        }
        self.rows.value(external_id)?.value(self.ids.next())?.value(content_hash)?;
        Ok(Some(&mut self.rows))
    }

    /// What was made since the last call.
    pub(crate) fn take(&mut self) -> Batch {
        let rows = std::mem::replace(&mut self.rows, BulkRows::new(self.dialect, self.columns));
        Batch { rows, nameless: std::mem::take(&mut self.nameless) }
    }
}

impl Rows {
    /// Creates the staging table: `external_id`, `id`, `content_hash`, then `columns`, each with its type. Ids
    /// ascend in the order of the file.
    pub(crate) async fn create(
        connection: &mut Connection,
        dialect: Dialect,
        table: &'static str,
        columns: &[(&str, &str)],
    ) -> Result<Self, sqlx::Error> {
        let mut definition =
            "external_id TEXT NOT NULL, id TEXT NOT NULL, content_hash BIGINT NOT NULL".to_owned();
        let mut names = vec!["external_id", "id", "content_hash"];
        for (name, kind) in columns {
            definition.push_str(", ");
            definition.push_str(name);
            definition.push(' ');
            definition.push_str(kind);
            names.push(name);
        }
        create(connection, table, &definition).await?;
        Ok(Self { table, bulk: Bulk::new(dialect, table, &names, ""), ids: Ids::new(), nameless: 0 })
    }

    /// Begins a row; the caller adds the values of its columns and then calls [`Rows::end`]. None when the
    /// record has no external id and is left out.
    pub(crate) fn begin(
        &mut self,
        external_id: &str,
        content_hash: i64,
    ) -> Result<Option<&mut Bulk>, sqlx::Error> {
        if external_id.is_empty() {
            self.nameless += 1;
            return Ok(None);
        }
        self.bulk.value(external_id)?.value(self.ids.next())?.value(content_hash)?;
        Ok(Some(&mut self.bulk))
    }

    /// Ends a row.
    pub(crate) async fn end(&mut self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        self.bulk.end_row(connection).await?;
        Ok(())
    }

    /// Writes a batch that was made elsewhere.
    pub(crate) async fn write(
        &mut self,
        connection: &mut Connection,
        batch: Batch,
    ) -> Result<(), sqlx::Error> {
        self.nameless += batch.nameless;
        self.bulk.write(connection, batch.rows).await?;
        Ok(())
    }

    /// Writes the last rows, leaves out repeated ones and reports what was left out.
    pub(crate) async fn finish(
        mut self,
        connection: &mut Connection,
        what: &str,
        warnings: &mut Vec<String>,
    ) -> Result<(), sqlx::Error> {
        self.bulk.flush(connection).await?;
        let table = self.table;
        execute(
            connection,
            format!("CREATE INDEX {table}_by_external_id ON {table} (external_id, content_hash)"),
        )
        .await?;
        create(connection, REPEATED, "external_id TEXT NOT NULL PRIMARY KEY, id TEXT NOT NULL").await?;
        let repeated = format!(
            "INSERT INTO {REPEATED} (external_id, id) SELECT r.external_id, MIN(s.id) FROM \
             (SELECT external_id FROM {table} GROUP BY external_id HAVING COUNT(*) > 1) r \
             JOIN {table} s ON s.external_id = r.external_id GROUP BY r.external_id"
        );
        if execute(connection, repeated).await? > 0 {
            let later = format!(
                "FROM {table} WHERE EXISTS (SELECT 1 FROM {REPEATED} r \
                 WHERE r.external_id = {table}.external_id AND r.id <> {table}.id)"
            );
            let statement = format!("SELECT external_id {later} ORDER BY id");
            Examples::query(connection, sqlx::query(AssertSqlSafe(statement)))
                .await?
                .warn(warnings, &format!("{what} left out because their external id occurred before"));
            execute(connection, format!("DELETE {later}")).await?;
        }
        drop_table(connection, REPEATED).await?;
        analyze(connection, table).await?;
        if self.nameless > 0 {
            warnings.push(format!("{} {what} left out because they have no external id", self.nameless));
        }
        Ok(())
    }
}

/// Pairs or more of texts on their way into a staging table; repetitions are dropped.
pub(crate) struct Set {
    bulk: Bulk,
    table: String,
}

impl Set {
    /// Creates the table with these text columns, all of them its key.
    pub(crate) async fn create(
        connection: &mut Connection,
        dialect: Dialect,
        table: &str,
        columns: &[&str],
    ) -> Result<Self, sqlx::Error> {
        let mut definition = String::new();
        for column in columns {
            definition.push_str(column);
            definition.push_str(" TEXT NOT NULL, ");
        }
        definition.push_str("PRIMARY KEY (");
        definition.push_str(&columns.join(", "));
        definition.push(')');
        create(connection, table, &definition).await?;
        let bulk = Bulk::new(dialect, table, columns, "ON CONFLICT DO NOTHING");
        Ok(Self { bulk, table: table.to_owned() })
    }

    /// Adds one row.
    pub(crate) async fn add(
        &mut self,
        connection: &mut Connection,
        values: &[&str],
    ) -> Result<(), sqlx::Error> {
        for value in values {
            self.bulk.value(*value)?;
        }
        self.bulk.end_row(connection).await?;
        Ok(())
    }

    /// Writes the last rows.
    pub(crate) async fn finish(mut self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        self.bulk.flush(connection).await?;
        analyze(connection, &self.table).await
    }
}

/// The tags of the staged records, and the sources that the file speaks for.
pub(crate) struct Tags {
    set: Set,
    table: &'static str,
}

impl Tags {
    /// Creates `table` and `{table}_scope`.
    pub(crate) async fn create(
        connection: &mut Connection,
        dialect: Dialect,
        table: &'static str,
    ) -> Result<Self, sqlx::Error> {
        let set = Set::create(connection, dialect, table, &["external_id", "source", "key", "value"]).await?;
        Ok(Self { set, table })
    }

    /// Adds the tags of one record.
    pub(crate) async fn add(
        &mut self,
        connection: &mut Connection,
        external_id: &str,
        tags: &[Tag],
    ) -> Result<(), sqlx::Error> {
        for tag in tags {
            self.set.add(connection, &[external_id, &tag.source, &tag.key, &tag.value]).await?;
        }
        Ok(())
    }

    /// Writes the last tags and fixes the scope: the given sources, or those in the file when none is given.
    /// A tag of a source outside the scope is added to its object, but none of that source is removed.
    pub(crate) async fn finish(
        self,
        connection: &mut Connection,
        sources: &[String],
    ) -> Result<(), sqlx::Error> {
        let table = self.table;
        self.set.finish(connection).await?;
        let scope = format!("{table}_scope");
        create(connection, &scope, "source TEXT NOT NULL PRIMARY KEY").await?;
        for source in sources {
            let statement = format!("INSERT INTO {scope} (source) VALUES ($1) ON CONFLICT DO NOTHING");
            sqlx::query(AssertSqlSafe(statement)).bind(source.as_str()).execute(&mut *connection).await?;
        }
        if sources.is_empty() {
            let statement = format!("INSERT INTO {scope} (source) SELECT DISTINCT source FROM {table}");
            sqlx::query(AssertSqlSafe(statement)).execute(connection).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_tells_apart_what_a_person_would() {
        let hash = |a: &str, b: &str| ContentHash::default().text(a).text(b).finish();
        assert_eq!(hash("ab", "c"), hash("ab", "c"));
        assert_ne!(hash("ab", "c"), hash("a", "bc"));
        let optional = |part| ContentHash::default().optional(part).finish();
        assert_ne!(optional(None), optional(Some("")));
    }
}
