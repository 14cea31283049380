//! Merges staged access providers into the stored ones.
//!
//! Order matters. First the staged ones are told apart: managed here, known under their external id, known under
//! their name in the target only, new. Then the heads are written, so that every access provider has its id, then
//! the words in who-lists are looked up, then the lists are written.

use sqlx::AssertSqlSafe;

use super::super::staging::{create, drop_table};
use super::super::{Examples, resolve};
use super::managed;
use crate::changes;
use crate::ids::now;
use crate::jobs::outcome::Counts;
use crate::store::Connection;

/// Who-lists, looked up.
pub(super) const RESOLVED: &str = "stage_access_resolved";

/// Statements of one data source.
struct Apply<'a> {
    data_source: &'a str,
    connection: &'a mut Connection,
}

pub(super) async fn apply(
    connection: &mut Connection,
    data_source: &str,
    delete_untouched: bool,
    warnings: &mut Vec<String>,
) -> Result<Counts, sqlx::Error> {
    create(connection, "stage_changed", "id TEXT NOT NULL PRIMARY KEY").await?;
    create(connection, "stage_access_ids", "external_id TEXT NOT NULL PRIMARY KEY, id TEXT NOT NULL").await?;
    managed::open(connection).await?;
    create(
        connection,
        RESOLVED,
        "external_id TEXT NOT NULL, kind TEXT NOT NULL, item TEXT NOT NULL, source_name TEXT NOT NULL, \
         PRIMARY KEY (external_id, kind, item)",
    )
    .await?;
    let mut apply = Apply { data_source, connection };
    apply.run("INSERT INTO stage_managed (external_id, id, name, naming_hint, who_known) \
         SELECT s.external_id, MIN(y.access_provider_id), s.name, s.naming_hint, s.who_known FROM stage_access s \
         JOIN access_provider_sync y ON y.data_source_id = $1 AND (y.external_id = s.external_id \
         OR (s.actual_name <> '' AND y.actual_name = s.actual_name)) \
         JOIN access_providers p ON p.id = y.access_provider_id AND p.external = 0 \
         WHERE y.external_id = s.external_id OR (p.action = s.action \
         AND (y.type IS NULL OR s.type IS NULL OR y.type = s.type)) \
         GROUP BY s.external_id, s.name, s.naming_hint, s.who_known")
        .await?;
    apply.adopt().await?;
    if delete_untouched {
        // Before those managed here leave the stage: they are not external, so this does not concern them.
        apply.find_absent().await?;
    }
    apply
        .run(
            "DELETE FROM stage_access WHERE $1 <> '' AND external_id IN (SELECT external_id FROM stage_managed)",
        )
        .await?;
    let mut counts = Counts { updated: apply.find_changed().await?, ..Counts::default() };
    counts.added = apply.write_heads().await?;
    apply.look_up().await?;
    apply.write_lists().await?;
    apply.write_tags().await?;
    counts.updated += managed::write(apply.connection, data_source).await?;
    if delete_untouched {
        counts.removed = apply.remove().await?;
    }
    if !counts.is_nothing() {
        resolve::access_providers(apply.connection, data_source).await?;
        changes::mark(apply.connection, &[data_source.to_owned()]).await?;
    }
    apply.unknown().await?.warn(warnings, "names in who-lists are unknown");
    managed::close(apply.connection).await?;
    for table in ["stage_changed", "stage_access_ids", "stage_access_absent", RESOLVED] {
        drop_table(apply.connection, table).await?;
    }
    Ok(counts)
}

impl Apply<'_> {
    /// Runs a statement whose first argument is the data source.
    async fn run(&mut self, statement: &'static str) -> Result<u64, sqlx::Error> {
        let query = sqlx::query(statement).bind(self.data_source).persistent(false);
        Ok(query.execute(&mut *self.connection).await?.rows_affected())
    }

    /// One that has another external id now, but the name, action and type that it had, is the same one: the
    /// data source made it anew.
    async fn adopt(&mut self) -> Result<(), sqlx::Error> {
        create(self.connection, "stage_adopted", "id TEXT NOT NULL PRIMARY KEY, external_id TEXT NOT NULL")
            .await?;
        self.run(
            "INSERT INTO stage_adopted (id, external_id) SELECT MIN(y.access_provider_id), MIN(s.external_id) \
             FROM stage_access s JOIN access_provider_sync y ON y.data_source_id = $1 AND y.actual_name = s.actual_name \
             JOIN access_providers p ON p.id = y.access_provider_id AND p.external = 1 AND p.action = s.action \
             WHERE s.actual_name <> '' AND COALESCE(y.type, '') = COALESCE(s.type, '') \
             AND NOT EXISTS (SELECT 1 FROM access_provider_sync z WHERE z.data_source_id = $1 \
             AND z.external_id = s.external_id) \
             AND NOT EXISTS (SELECT 1 FROM stage_access t WHERE t.external_id = y.external_id) \
             AND NOT EXISTS (SELECT 1 FROM stage_managed m WHERE m.external_id = s.external_id) \
             GROUP BY s.actual_name, s.action, COALESCE(s.type, '')",
        )
        .await?;
        self.run(
            "UPDATE access_provider_sync AS y SET external_id = a.external_id, content_hash = NULL \
             FROM stage_adopted AS a WHERE y.access_provider_id = a.id AND y.data_source_id = $1",
        )
        .await?;
        drop_table(self.connection, "stage_adopted").await
    }

    async fn find_absent(&mut self) -> Result<(), sqlx::Error> {
        create(self.connection, "stage_access_absent", "id TEXT NOT NULL PRIMARY KEY").await?;
        self.run(
            "INSERT INTO stage_access_absent (id) SELECT p.id FROM access_provider_sync y \
             JOIN access_providers p ON p.id = y.access_provider_id WHERE y.data_source_id = $1 AND p.external = 1 \
             AND NOT EXISTS (SELECT 1 FROM stage_access s WHERE s.external_id = y.external_id)",
        )
        .await?;
        Ok(())
    }

    async fn find_changed(&mut self) -> Result<u64, sqlx::Error> {
        let mut changed = self
            .run(
                "INSERT INTO stage_changed (id) SELECT y.access_provider_id FROM stage_access s \
                 JOIN access_provider_sync y ON y.external_id = s.external_id \
                 WHERE y.data_source_id = $1 AND (y.content_hash IS NULL OR y.content_hash <> s.content_hash)",
            )
            .await?;
        changed += self
            .run(
                "INSERT INTO stage_changed (id) SELECT DISTINCT y.access_provider_id FROM stage_access s \
                 JOIN access_provider_sync y ON y.external_id = s.external_id \
                 JOIN tags t ON t.object_id = y.access_provider_id \
                 WHERE y.data_source_id = $1 AND NOT EXISTS (SELECT 1 FROM stage_access_tags n \
                 WHERE n.external_id = s.external_id AND n.source = t.source AND n.key = t.key AND n.value = t.value) \
                 ON CONFLICT DO NOTHING",
            )
            .await?;
        changed += self
            .run(
                "INSERT INTO stage_changed (id) SELECT DISTINCT y.access_provider_id FROM stage_access_tags n \
                 JOIN stage_access s ON s.external_id = n.external_id \
                 JOIN access_provider_sync y ON y.external_id = n.external_id \
                 WHERE y.data_source_id = $1 AND NOT EXISTS (SELECT 1 FROM tags t WHERE t.object_id = y.access_provider_id \
                 AND t.source = n.source AND t.key = n.key AND t.value = n.value) ON CONFLICT DO NOTHING",
            )
            .await?;
        Ok(changed)
    }

    /// Returns how many are new. The new ones join the changed ones, whose lists are written next.
    async fn write_heads(&mut self) -> Result<u64, sqlx::Error> {
        let now = now();
        sqlx::query(
            "UPDATE access_providers AS p SET name = s.name, naming_hint = s.naming_hint, action = s.action, \
             policy_rule = s.policy_rule, who_known = s.who_known, not_internalizable = s.not_internalizable, \
             complete = s.complete, common_what_data_object = s.common_what_data_object, \
             version = p.version + 1, modified_at = $2 \
             FROM stage_access AS s JOIN access_provider_sync AS y ON y.external_id = s.external_id \
             WHERE y.data_source_id = $1 AND p.id = y.access_provider_id AND p.id IN (SELECT id FROM stage_changed)",
        )
        .bind(self.data_source)
        .bind(now)
        .persistent(false)
        .execute(&mut *self.connection)
        .await?;
        self.run(
            "UPDATE access_provider_sync AS y SET type = s.type, actual_name = s.actual_name, \
             content_hash = s.content_hash FROM stage_access AS s WHERE y.data_source_id = $1 \
             AND y.external_id = s.external_id AND y.access_provider_id IN (SELECT id FROM stage_changed)",
        )
        .await?;
        self.run(
            "INSERT INTO stage_access_ids (external_id, id) SELECT s.external_id, s.id FROM stage_access s \
             WHERE NOT EXISTS (SELECT 1 FROM access_provider_sync y WHERE y.data_source_id = $1 \
             AND y.external_id = s.external_id)",
        )
        .await?;
        let added = sqlx::query(
            "INSERT INTO access_providers (id, name, naming_hint, description, action, state, external, \
             not_internalizable, complete, policy_rule, common_what_data_object, who_known, version, created_at, modified_at) \
             SELECT s.id, s.name, s.naming_hint, '', s.action, 'Active', 1, s.not_internalizable, s.complete, \
             s.policy_rule, s.common_what_data_object, s.who_known, 1, $1, $1 \
             FROM stage_access s JOIN stage_access_ids i ON i.external_id = s.external_id",
        )
        .bind(now)
        .persistent(false)
        .execute(&mut *self.connection)
        .await?
        .rows_affected();
        self.run(
            "INSERT INTO access_provider_sync (access_provider_id, data_source_id, type, external_id, actual_name, \
             sync_status, content_hash, synced_version, exported_version) \
             SELECT s.id, $1, s.type, s.external_id, s.actual_name, 'SYNCED', s.content_hash, 1, 1 \
             FROM stage_access s JOIN stage_access_ids i ON i.external_id = s.external_id",
        )
        .await?;
        self.run(
            "INSERT INTO stage_access_ids (external_id, id) SELECT y.external_id, y.access_provider_id \
             FROM access_provider_sync y JOIN stage_changed c ON c.id = y.access_provider_id WHERE y.data_source_id = $1",
        )
        .await?;
        Ok(added)
    }

    async fn write_lists(&mut self) -> Result<(), sqlx::Error> {
        // An unknown who-list keeps the old one.
        for clear in [
            "DELETE FROM access_provider_who WHERE access_provider_id IN (SELECT i.id FROM stage_access_ids i \
             JOIN stage_access s ON s.external_id = i.external_id WHERE s.who_known = 1)",
            "DELETE FROM access_provider_what WHERE access_provider_id IN (SELECT id FROM stage_access_ids)",
            "DELETE FROM access_provider_locks WHERE imported = 1 \
             AND access_provider_id IN (SELECT id FROM stage_access_ids)",
            "INSERT INTO access_provider_locks (access_provider_id, lock_key, lock_type, reason, imported) \
             SELECT i.id, l.lock_key, 'ImportExport', l.reason, 1 FROM stage_access_locks l \
             JOIN stage_access_ids i ON i.external_id = l.external_id ON CONFLICT (access_provider_id, lock_key) \
             DO UPDATE SET lock_type = excluded.lock_type, reason = excluded.reason, imported = 1",
        ] {
            sqlx::query(clear).persistent(false).execute(&mut *self.connection).await?;
        }
        self.run(
            "INSERT INTO access_provider_what (access_provider_id, position, row_key, data_source_id, full_name, type, \
             permissions, global_permissions) SELECT i.id, w.position, w.row_key, $1, w.full_name, w.type, \
             w.permissions, '[]' FROM stage_access_what w JOIN stage_access_ids i ON i.external_id = w.external_id",
        )
        .await?;
        self.run(
            "INSERT INTO access_provider_who (access_provider_id, kind, item, type, source_name, row_key) \
             SELECT i.id, r.kind, r.item, 'WhoGrant', r.source_name, r.kind || '/' || r.item || '/WhoGrant' \
             FROM stage_access_resolved r JOIN stage_access_ids i ON i.external_id = r.external_id \
             WHERE $1 <> '' ON CONFLICT DO NOTHING",
        )
        .await?;
        Ok(())
    }

    /// Looks up the words in who-lists: account names, group names and external ids of this data source.
    async fn look_up(&mut self) -> Result<(), sqlx::Error> {
        for statement in [
            "INSERT INTO stage_access_resolved (external_id, kind, item, source_name) \
             SELECT w.external_id, CASE WHEN a.user_id IS NULL THEN 'accountName' ELSE 'user' END, \
             COALESCE(a.user_id, w.item), w.item FROM stage_access_who w LEFT JOIN accounts a ON a.user_name = w.item \
             AND a.identity_store_id IN (SELECT identity_store_id FROM data_source_identity_stores WHERE data_source_id = $1) \
             WHERE w.kind = 'accountName' ON CONFLICT DO NOTHING",
            "INSERT INTO stage_access_resolved (external_id, kind, item, source_name) \
             SELECT w.external_id, CASE WHEN g.id IS NULL THEN 'groupName' ELSE 'group' END, \
             COALESCE(g.id, w.item), w.item FROM stage_access_who w LEFT JOIN groups g ON g.name = w.item AND g.deleted = 0 \
             AND g.identity_store_id IN (SELECT identity_store_id FROM data_source_identity_stores WHERE data_source_id = $1) \
             WHERE w.kind = 'groupName' ON CONFLICT DO NOTHING",
            "INSERT INTO stage_access_resolved (external_id, kind, item, source_name) \
             SELECT w.external_id, CASE WHEN y.access_provider_id IS NULL THEN 'externalId' ELSE 'accessProvider' END, \
             COALESCE(y.access_provider_id, w.item), w.item FROM stage_access_who w \
             LEFT JOIN access_provider_sync y ON y.external_id = w.item AND y.data_source_id = $1 \
             WHERE w.kind = 'externalId' ON CONFLICT DO NOTHING",
            "INSERT INTO stage_access_resolved (external_id, kind, item, source_name) \
             SELECT w.external_id, 'recipient', w.item, w.item FROM stage_access_who w \
             WHERE w.kind = 'recipient' AND $1 <> '' ON CONFLICT DO NOTHING",
        ] {
            self.run(statement).await?;
        }
        Ok(())
    }

    async fn write_tags(&mut self) -> Result<(), sqlx::Error> {
        for statement in [
            "DELETE FROM tags WHERE object_id IN (SELECT id FROM stage_access_ids)",
            "INSERT INTO tags (object_id, source, key, value) SELECT i.id, n.source, n.key, n.value \
             FROM stage_access_tags n JOIN stage_access_ids i ON i.external_id = n.external_id ON CONFLICT DO NOTHING",
        ] {
            sqlx::query(statement).persistent(false).execute(&mut *self.connection).await?;
        }
        Ok(())
    }

    async fn remove(&mut self) -> Result<u64, sqlx::Error> {
        for table in [
            "access_provider_who",
            "access_provider_what",
            "access_provider_locks",
            "access_provider_sync",
            "access_snapshot_who",
            "access_snapshot_what",
        ] {
            let statement = format!(
                "DELETE FROM {table} WHERE access_provider_id IN (SELECT id FROM stage_access_absent)"
            );
            sqlx::query(AssertSqlSafe(statement)).persistent(false).execute(&mut *self.connection).await?;
        }
        sqlx::query("DELETE FROM tags WHERE object_id IN (SELECT id FROM stage_access_absent)")
            .persistent(false)
            .execute(&mut *self.connection)
            .await?;
        let done =
            sqlx::query("DELETE FROM access_providers WHERE id IN (SELECT id FROM stage_access_absent)")
                .persistent(false)
                .execute(&mut *self.connection)
                .await?;
        Ok(done.rows_affected())
    }

    async fn unknown(&mut self) -> Result<Examples, sqlx::Error> {
        let unknown = sqlx::query(
            "SELECT DISTINCT w.item FROM access_provider_who w JOIN stage_access_ids i ON i.id = w.access_provider_id \
             WHERE w.kind IN ('accountName', 'groupName', 'externalId')",
        );
        Examples::query(self.connection, unknown).await
    }
}
