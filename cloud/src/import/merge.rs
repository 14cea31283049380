//! Makes stored rows equal to staged ones.
//!
//! One [`Merge`] serves data objects, accounts and groups; only names differ. Order matters: what changed is
//! found first, while new rows are not there yet, so that a row counts once: as added, or as updated,
//! however many of its columns, tags and memberships changed.

use sqlx::{AssertSqlSafe, Row};

use super::Examples;
use super::staging::{analyze, create, execute};
use crate::ids::now;
use crate::jobs::outcome::Counts;
use crate::store::Connection;

/// The staged rows whose content is not stored so: `id` is that of the stored row, null for a new one.
const DIFFERING: &str = "stage_differing";

/// Which rows are merged into which table.
pub(crate) struct Merge<'m> {
    /// The stored rows: `id`, `external_id`, `content_hash`, the scope column and `columns`.
    pub(crate) table: &'static str,
    /// The column that says whose rows they are.
    pub(crate) scope_column: &'static str,
    /// Whose rows are merged.
    pub(crate) scope: &'m str,
    /// The staged rows.
    pub(crate) stage: &'static str,
    /// The staged tags; their sources are in a table with `_scope` added to the name.
    pub(crate) tags: &'static str,
    /// The columns that the file decides, beside `content_hash`.
    pub(crate) columns: &'m [&'static str],
    /// Whether a removed row stays, marked in a column `deleted`.
    pub(crate) keeps_deleted: bool,
    /// Whether such a row says when it was removed, in a column `deleted_at`.
    pub(crate) dates_deletion: bool,
    /// Staged memberships, for accounts and groups.
    pub(crate) members: Option<Members>,
}

/// Memberships in groups.
#[derive(Clone, Copy)]
pub(crate) struct Members {
    /// The staged pairs `member_external_id`, `group_external_id`.
    pub(crate) stage: &'static str,
    /// The `member_kind`.
    pub(crate) kind: &'static str,
    /// Whether memberships that are not in the file end.
    pub(crate) replace: bool,
}

impl Merge<'_> {
    /// Merges; removes rows that are not staged if `delete_untouched`.
    pub(crate) async fn run(
        &self,
        connection: &mut Connection,
        delete_untouched: bool,
    ) -> Result<Counts, sqlx::Error> {
        // A first import has nothing to compare with.
        let first = self.stored(connection).await? == 0;
        create(
            connection,
            DIFFERING,
            "external_id TEXT NOT NULL PRIMARY KEY, id TEXT, alive BIGINT NOT NULL",
        )
        .await?;
        create(connection, "stage_changed", "id TEXT NOT NULL PRIMARY KEY").await?;
        let mut counts = Counts::default();
        if first {
            counts.added = self.insert(connection, &format!("{} s", self.stage)).await?;
        } else {
            counts.updated = self.find_changed(connection).await?;
            counts.added = self.write(connection).await?;
        }
        if delete_untouched && self.stored(connection).await? != self.staged(connection).await? {
            counts.removed = self.remove(connection).await?;
        }
        self.write_tags(connection).await?;
        self.write_members(connection, delete_untouched).await?;
        Ok(counts)
    }

    /// How many rows are stored, also those that are marked as deleted. Every staged row is among them after
    /// writing, so that equal numbers mean that there are no others.
    async fn stored(&self, connection: &mut Connection) -> Result<i64, sqlx::Error> {
        let statement = format!("SELECT COUNT(*) FROM {} WHERE {} = $1", self.table, self.scope_column);
        sqlx::query(AssertSqlSafe(statement)).bind(self.scope).fetch_one(connection).await?.try_get(0)
    }

    async fn staged(&self, connection: &mut Connection) -> Result<i64, sqlx::Error> {
        let statement = format!("SELECT COUNT(*) FROM {}", self.stage);
        sqlx::query(AssertSqlSafe(statement)).fetch_one(connection).await?.try_get(0)
    }

    /// Runs a statement whose first argument is the scope.
    async fn execute(&self, connection: &mut Connection, statement: String) -> Result<u64, sqlx::Error> {
        let done = sqlx::query(AssertSqlSafe(statement))
            .bind(self.scope)
            .persistent(false)
            .execute(connection)
            .await?;
        Ok(done.rows_affected())
    }

    /// `o` is a stored row of the scope that is not deleted.
    fn alive(&self) -> String {
        let deleted = if self.keeps_deleted { " AND o.deleted = 0" } else { "" };
        format!("o.{} = $1{deleted}", self.scope_column)
    }

    /// Finds the rows that differ, in one pass over the staged ones, and then those that only differ in tags
    /// or memberships. Returns how many stored rows change.
    async fn find_changed(&self, connection: &mut Connection) -> Result<u64, sqlx::Error> {
        let (table, stage, tags, alive) = (self.table, self.stage, self.tags, self.alive());
        let scope_column = self.scope_column;
        let (deleted, is_alive) =
            if self.keeps_deleted { (" OR o.deleted = 1", "1 - o.deleted") } else { ("", "1") };
        let differing = format!(
            "INSERT INTO {DIFFERING} (external_id, id, alive) SELECT s.external_id, o.id, \
             CASE WHEN o.id IS NULL THEN 0 ELSE {is_alive} END FROM {stage} s \
             LEFT JOIN {table} o ON o.{scope_column} = $1 AND o.external_id = s.external_id \
             WHERE o.id IS NULL OR o.content_hash <> s.content_hash{deleted}"
        );
        self.execute(connection, differing).await?;
        analyze(connection, DIFFERING).await?;
        let content = format!("INSERT INTO stage_changed (id) SELECT id FROM {DIFFERING} WHERE alive = 1");
        let mut changed = execute(connection, content).await?;
        // The order of a cross join is kept: there may be far fewer tags than objects.
        let tag_lost = format!(
            "INSERT INTO stage_changed (id) SELECT DISTINCT o.id FROM tags t CROSS JOIN {table} o CROSS JOIN {stage} s \
             WHERE {alive} AND t.source IN (SELECT source FROM {tags}_scope) AND o.id = t.object_id \
             AND s.external_id = o.external_id AND NOT EXISTS (SELECT 1 FROM {tags} n \
             WHERE n.external_id = s.external_id AND n.source = t.source AND n.key = t.key AND n.value = t.value) \
             ON CONFLICT DO NOTHING"
        );
        changed += self.execute(connection, tag_lost).await?;
        let tag_new = format!(
            "INSERT INTO stage_changed (id) SELECT DISTINCT o.id FROM {tags} n \
             JOIN {table} o ON o.external_id = n.external_id \
             WHERE {alive} AND NOT EXISTS (SELECT 1 FROM tags t \
             WHERE t.object_id = o.id AND t.source = n.source AND t.key = n.key AND t.value = n.value) \
             ON CONFLICT DO NOTHING"
        );
        changed += self.execute(connection, tag_new).await?;
        let Some(Members { stage: members, kind, replace }) = self.members else { return Ok(changed) };
        if replace {
            let member_lost = format!(
                "INSERT INTO stage_changed (id) SELECT DISTINCT o.id FROM {stage} s \
                 JOIN {table} o ON o.external_id = s.external_id JOIN group_members m ON m.identity_store_id = $1 \
                 AND m.member_kind = '{kind}' AND m.member_external_id = s.external_id \
                 WHERE {alive} AND NOT EXISTS (SELECT 1 FROM {members} n \
                 WHERE n.member_external_id = s.external_id AND n.group_external_id = m.group_external_id) \
                 ON CONFLICT DO NOTHING"
            );
            changed += self.execute(connection, member_lost).await?;
        }
        let member_new = format!(
            "INSERT INTO stage_changed (id) SELECT DISTINCT o.id FROM {members} n \
             JOIN {table} o ON o.external_id = n.member_external_id \
             WHERE {alive} AND NOT EXISTS (SELECT 1 FROM group_members m WHERE m.identity_store_id = $1 \
             AND m.member_kind = '{kind}' AND m.member_external_id = n.member_external_id \
             AND m.group_external_id = n.group_external_id) ON CONFLICT DO NOTHING"
        );
        changed += self.execute(connection, member_new).await?;
        Ok(changed)
    }

    /// Writes what differs. Returns how many rows are new, or back.
    async fn write(&self, connection: &mut Connection) -> Result<u64, sqlx::Error> {
        let (table, stage) = (self.table, self.stage);
        let assignments =
            self.columns.iter().map(|column| format!("{column} = s.{column}")).collect::<Vec<_>>().join(", ");
        let update = |alive: u8, deleted: &str| {
            format!(
                "UPDATE {table} AS o SET {deleted}content_hash = s.content_hash, {assignments} FROM {DIFFERING} AS d \
                 JOIN {stage} AS s ON s.external_id = d.external_id WHERE o.id = d.id AND d.alive = {alive}"
            )
        };
        execute(connection, update(1, "")).await?;
        let mut added = 0;
        if self.keeps_deleted {
            added += execute(connection, update(0, "deleted = 0, ")).await?;
        }
        let new = format!("{DIFFERING} d JOIN {stage} s ON s.external_id = d.external_id AND d.id IS NULL");
        added += self.insert(connection, &new).await?;
        Ok(added)
    }

    /// Inserts staged rows, `s` in the source of rows.
    async fn insert(&self, connection: &mut Connection, from: &str) -> Result<u64, sqlx::Error> {
        let (table, scope_column) = (self.table, self.scope_column);
        let (deleted, zero) = if self.keeps_deleted { (", deleted", ", 0") } else { ("", "") };
        let names = self.columns.join(", ");
        let values = self.columns.iter().map(|column| format!("s.{column}")).collect::<Vec<_>>().join(", ");
        let insert = format!(
            "INSERT INTO {table} (id, {scope_column}, external_id, content_hash{deleted}, {names}) \
             SELECT s.id, $1, s.external_id, s.content_hash{zero}, {values} FROM {from}"
        );
        self.execute(connection, insert).await
    }

    async fn remove(&self, connection: &mut Connection) -> Result<u64, sqlx::Error> {
        let (table, stage, scope_column) = (self.table, self.stage, self.scope_column);
        let absent =
            format!("NOT EXISTS (SELECT 1 FROM {stage} s WHERE s.external_id = {table}.external_id)");
        if self.keeps_deleted {
            let when = if self.dates_deletion { format!(", deleted_at = {}", now()) } else { String::new() };
            let mark = format!(
                "UPDATE {table} SET deleted = 1{when} WHERE {scope_column} = $1 AND deleted = 0 AND {absent}"
            );
            return self.execute(connection, mark).await;
        }
        let tags = format!(
            "DELETE FROM tags WHERE object_id IN (SELECT id FROM {table} WHERE {scope_column} = $1 AND {absent})"
        );
        self.execute(connection, tags).await?;
        self.execute(connection, format!("DELETE FROM {table} WHERE {scope_column} = $1 AND {absent}")).await
    }

    async fn write_tags(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        let (table, stage, tags, scope_column) = (self.table, self.stage, self.tags, self.scope_column);
        let delete = format!(
            "DELETE FROM tags WHERE source IN (SELECT source FROM {tags}_scope) AND EXISTS (SELECT 1 FROM {table} o \
             JOIN {stage} s ON s.external_id = o.external_id WHERE o.id = tags.object_id AND o.{scope_column} = $1 \
             AND NOT EXISTS (SELECT 1 FROM {tags} n WHERE n.external_id = o.external_id AND n.source = tags.source \
             AND n.key = tags.key AND n.value = tags.value))"
        );
        self.execute(connection, delete).await?;
        let insert = format!(
            "INSERT INTO tags (object_id, source, key, value) SELECT o.id, n.source, n.key, n.value FROM {tags} n \
             JOIN {table} o ON o.external_id = n.external_id WHERE o.{scope_column} = $1 ON CONFLICT DO NOTHING"
        );
        self.execute(connection, insert).await?;
        Ok(())
    }

    async fn write_members(
        &self,
        connection: &mut Connection,
        delete_untouched: bool,
    ) -> Result<(), sqlx::Error> {
        let Some(Members { stage: members, kind, replace }) = self.members else { return Ok(()) };
        let (table, stage, alive) = (self.table, self.stage, self.alive());
        if replace {
            let delete = format!(
                "DELETE FROM group_members WHERE identity_store_id = $1 AND member_kind = '{kind}' \
                 AND EXISTS (SELECT 1 FROM {stage} s WHERE s.external_id = group_members.member_external_id) \
                 AND NOT EXISTS (SELECT 1 FROM {members} n WHERE n.member_external_id = group_members.member_external_id \
                 AND n.group_external_id = group_members.group_external_id)"
            );
            self.execute(connection, delete).await?;
        }
        let insert = format!(
            "INSERT INTO group_members (identity_store_id, member_kind, member_external_id, group_external_id) \
             SELECT $1, '{kind}', n.member_external_id, n.group_external_id FROM {members} n \
             WHERE EXISTS (SELECT 1 FROM {stage} s WHERE s.external_id = n.member_external_id) ON CONFLICT DO NOTHING"
        );
        self.execute(connection, insert).await?;
        if delete_untouched {
            let orphaned = format!(
                "DELETE FROM group_members WHERE identity_store_id = $1 AND member_kind = '{kind}' AND NOT EXISTS \
                 (SELECT 1 FROM {table} o WHERE {alive} AND o.external_id = group_members.member_external_id)"
            );
            self.execute(connection, orphaned).await?;
        }
        Ok(())
    }

    /// The staged rows that refer, by `column`, to an external id that no row of `table` has.
    pub(super) async fn dangling(
        &self,
        connection: &mut Connection,
        stage: &str,
        column: &str,
        table: &str,
    ) -> Result<Examples, sqlx::Error> {
        let statement = format!(
            "SELECT n.named FROM (SELECT DISTINCT {column} AS named FROM {stage} WHERE {column} <> '') n \
             WHERE NOT EXISTS (SELECT 1 FROM {table} o \
             WHERE o.{} = $1 AND o.deleted = 0 AND o.external_id = n.named) ORDER BY n.named",
            self.scope_column
        );
        Examples::query(connection, sqlx::query(AssertSqlSafe(statement)).bind(self.scope)).await
    }
}
