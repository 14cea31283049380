//! The import of the feedback on exported access providers.
//!
//! Without errors, an access provider is in step with the target as it was exported, and its name there is
//! stored; one that was exported to be removed is gone from there: for ever if it was deleted here, from this data
//! source if it leaves it, and until it is put into force again if it is out of force. With errors it has failed.
//! What has no feedback is as before.
//!
//! One that the data source does not let be deleted, and that was managed here, goes back to the data source.
//!
//! An access provider that was imported from the target under the external id that a feedback reports is
//! the one that is managed here: the imported one goes. An external id that another access provider managed
//! here has is not taken from it.

use sqlx::{AssertSqlSafe, Row};

use super::staging::{Rows, create, discard, drop_table, execute};
use super::{Examples, WorkError, require_data_source, uploaded};
use crate::files::Files;
use crate::jobs::lease::Lease;
use crate::jobs::outcome::Outcome;
use crate::jobs::to_json;
use crate::records::{Feedback, array};
use crate::store::{Connection, Store};

/// Feedback by the id of the access provider here; `errors` is null when there are none.
const STAGE: &str = "stage_feedback";
/// The access providers that leave the data source.
const GONE: &str = "stage_feedback_gone";

/// Imports an uploaded feedback file.
pub(crate) async fn run(
    store: &Store,
    files: &Files,
    lease: &Lease,
    data_source: &str,
    file: &str,
) -> Result<(), WorkError> {
    require_data_source(store, data_source).await?;
    let mut warnings = Vec::new();
    let mut connection = store.pool().acquire().await?;
    let mut staging = lease.begin_staging(&mut connection).await?;
    stage(store, files, file, &mut staging, &mut warnings).await?;
    staging.commit().await?;

    let mut transaction = lease.begin_merge(&mut connection).await?;
    let names_added = Apply { connection: &mut transaction, data_source }.run(&mut warnings).await?;
    lease.complete(transaction, &Outcome::Feedback { names_added, warnings }).await?;
    discard(&mut connection, &[STAGE, GONE]).await;
    Ok(())
}

async fn stage(
    store: &Store,
    files: &Files,
    file: &str,
    connection: &mut Connection,
    warnings: &mut Vec<String>,
) -> Result<(), WorkError> {
    let mut elements = array::read::<Feedback>(uploaded(store, files, file).await?);
    let columns = [
        ("actual_name", "TEXT"),
        ("target_id", "TEXT"),
        ("type", "TEXT"),
        ("errors", "TEXT"),
        // 1: it was exported to be removed, and is.
        ("removed", "BIGINT"),
    ];
    let mut rows = Rows::create(connection, store.dialect(), STAGE, &columns).await?;
    while let Some(batch) = elements.recv().await {
        for feedback in batch.map_err(|source| WorkError::File { what: "feedback", source })? {
            let id = feedback.external_id;
            let Some(access) = feedback.access.into_iter().next() else {
                warnings.push(format!("the feedback on {id} is empty"));
                continue;
            };
            warnings.extend(access.warnings.iter().map(|warning| format!("{id}: {warning}")));
            let Some(row) = rows.begin(&id, 0)? else { continue };
            row.value(Some(access.actual_name).filter(|name| !name.is_empty()))?
                .value(access.external_id.filter(|external_id| !external_id.is_empty()))?
                .value(access.access_type)?
                .value((!access.errors.is_empty()).then(|| to_json(&access.errors)))?
                .value(0_i64)?;
            rows.end(connection).await?;
        }
    }
    rows.finish(connection, "feedbacks", warnings).await?;
    Ok(())
}

/// Brings the stored access providers in line with the staged feedback.
struct Apply<'a> {
    connection: &'a mut Connection,
    data_source: &'a str,
}

impl Apply<'_> {
    /// Returns how many access providers have a name in the target now and had none or another one.
    async fn run(&mut self, warnings: &mut Vec<String>) -> Result<u64, sqlx::Error> {
        self.leave_out(
            "NOT EXISTS (SELECT 1 FROM access_provider_sync y JOIN access_providers p ON p.id = y.access_provider_id \
             WHERE y.access_provider_id = stage_feedback.external_id AND y.data_source_id = $1 AND p.external = 0)",
        )
        .await?
        .warn(warnings, "feedbacks are on access providers that this data source does not have");
        self.find_gone().await?;
        self.forget_snapshots("SELECT id FROM stage_feedback_gone").await?;
        self.remove_gone().await?;
        self.settle_external_ids(warnings).await?;
        let renamed = sqlx::query(
            "SELECT COUNT(*) FROM stage_feedback s JOIN access_provider_sync y \
             ON y.access_provider_id = s.external_id AND y.data_source_id = $1 \
             WHERE s.actual_name IS NOT NULL AND (y.actual_name IS NULL OR y.actual_name <> s.actual_name)",
        )
        .bind(self.data_source)
        .persistent(false)
        .fetch_one(&mut *self.connection)
        .await?;
        // A change made since the export keeps an access provider out of step.
        self.settle_snapshots().await?;
        self.execute(
            "UPDATE access_provider_sync AS y SET actual_name = COALESCE(s.actual_name, y.actual_name), \
             external_id = COALESCE(s.target_id, y.external_id), type = COALESCE(s.type, y.type), errors = s.errors, \
             sync_status = CASE WHEN s.errors IS NOT NULL THEN 'FAILED' \
             WHEN y.exported_version >= p.version THEN 'SYNCED' ELSE 'OUT_OF_SYNC' END, \
             synced_version = CASE WHEN s.errors IS NULL THEN y.exported_version ELSE y.synced_version END, \
             applied = CASE WHEN s.errors IS NULL THEN y.exported ELSE y.applied END, \
             applied_at = CASE WHEN s.errors IS NULL THEN y.exported_at ELSE y.applied_at END \
             FROM stage_feedback AS s JOIN access_providers AS p ON p.id = s.external_id \
             WHERE y.access_provider_id = s.external_id AND y.data_source_id = $1",
        )
        .await?;
        self.hand_back().await?;
        Ok(u64::try_from(renamed.try_get::<i64, _>(0)?).unwrap_or_default())
    }

    /// Runs a statement whose first argument is the data source.
    async fn execute(&mut self, statement: &'static str) -> Result<u64, sqlx::Error> {
        let query = sqlx::query(statement).bind(self.data_source).persistent(false);
        Ok(query.execute(&mut *self.connection).await?.rows_affected())
    }

    /// Removes staged feedback; returns on which access providers it was.
    async fn leave_out(&mut self, condition: &str) -> Result<Examples, sqlx::Error> {
        let select = format!("SELECT external_id FROM stage_feedback WHERE {condition} ORDER BY id");
        let query = sqlx::query(AssertSqlSafe(select)).bind(self.data_source);
        let examples = Examples::query(self.connection, query).await?;
        if examples.count > 0 {
            let delete = format!("DELETE FROM stage_feedback WHERE {condition}");
            let query = sqlx::query(AssertSqlSafe(delete)).bind(self.data_source).persistent(false);
            query.execute(&mut *self.connection).await?;
        }
        Ok(examples)
    }

    /// What was to be removed and is, and what was imported and turns out to be managed here.
    async fn find_gone(&mut self) -> Result<(), sqlx::Error> {
        create(self.connection, GONE, "id TEXT NOT NULL PRIMARY KEY").await?;
        execute(self.connection, "UPDATE stage_feedback SET removed = 1 WHERE errors IS NULL".to_owned())
            .await?;
        self.execute(
            "UPDATE stage_feedback SET removed = 0 WHERE NOT EXISTS (SELECT 1 FROM access_provider_sync y \
             WHERE y.access_provider_id = stage_feedback.external_id AND y.data_source_id = $1 AND y.exported = 'gone')",
        )
        .await?;
        self.execute(
            "INSERT INTO stage_feedback_gone (id) SELECT s.external_id FROM stage_feedback s \
             JOIN access_providers p ON p.id = s.external_id JOIN access_provider_sync y \
             ON y.access_provider_id = p.id AND y.data_source_id = $1 \
             WHERE s.removed = 1 AND (p.state = 'Deleted' OR y.leaving = 1)",
        )
        .await?;
        // Out of force, or back in force meanwhile: the target has nothing of it now.
        self.execute(
            "UPDATE access_provider_sync AS y SET actual_name = NULL, external_id = NULL, exported = NULL, \
             applied = NULL, applied_at = NULL, errors = NULL, synced_version = y.exported_version, \
             sync_status = CASE WHEN y.exported_version >= p.version THEN 'SYNCED' ELSE 'OUT_OF_SYNC' END \
             FROM stage_feedback AS s JOIN access_providers AS p ON p.id = s.external_id \
             WHERE y.access_provider_id = s.external_id AND y.data_source_id = $1 AND s.removed = 1 \
             AND p.state <> 'Deleted' AND y.leaving = 0",
        )
        .await?;
        self.forget_snapshots("SELECT external_id FROM stage_feedback WHERE removed = 1").await?;
        execute(
            self.connection,
            "DELETE FROM stage_feedback WHERE removed = 1 AND external_id NOT IN (SELECT id FROM stage_feedback_gone)"
                .to_owned(),
        )
        .await?;
        self.execute(
            "INSERT INTO stage_feedback_gone (id) SELECT y.access_provider_id FROM stage_feedback s \
             JOIN access_provider_sync y ON y.data_source_id = $1 AND y.external_id = s.target_id \
             JOIN access_providers p ON p.id = y.access_provider_id \
             WHERE p.external = 1 AND s.external_id NOT IN (SELECT id FROM stage_feedback_gone) ON CONFLICT DO NOTHING",
        )
        .await?;
        Ok(())
    }

    /// Removes access providers from the data source, and altogether those that were in no other.
    async fn remove_gone(&mut self) -> Result<(), sqlx::Error> {
        self.execute(
            "DELETE FROM access_provider_sync WHERE data_source_id = $1 \
             AND access_provider_id IN (SELECT id FROM stage_feedback_gone)",
        )
        .await?;
        for statement in [
            "DELETE FROM stage_feedback WHERE external_id IN (SELECT id FROM stage_feedback_gone)",
            "DELETE FROM stage_feedback_gone WHERE EXISTS \
             (SELECT 1 FROM access_provider_sync y WHERE y.access_provider_id = stage_feedback_gone.id)",
            "DELETE FROM access_providers WHERE id IN (SELECT id FROM stage_feedback_gone)",
            "DELETE FROM access_provider_who WHERE access_provider_id IN (SELECT id FROM stage_feedback_gone)",
            "DELETE FROM access_provider_what WHERE access_provider_id IN (SELECT id FROM stage_feedback_gone)",
            "DELETE FROM access_provider_locks WHERE access_provider_id IN (SELECT id FROM stage_feedback_gone)",
            "DELETE FROM tags WHERE object_id IN (SELECT id FROM stage_feedback_gone)",
        ] {
            execute(self.connection, statement.to_owned()).await?;
        }
        Ok(())
    }

    /// Who and what of the export are what the target has now.
    async fn settle_snapshots(&mut self) -> Result<(), sqlx::Error> {
        for table in ["access_snapshot_who", "access_snapshot_what"] {
            let settled = format!(
                "{table}.data_source_id = $1 AND {table}.access_provider_id IN \
                 (SELECT external_id FROM stage_feedback WHERE errors IS NULL)"
            );
            for statement in [
                format!("DELETE FROM {table} WHERE side = 'applied' AND {settled}"),
                format!("UPDATE {table} SET side = 'applied' WHERE side = 'exported' AND {settled}"),
            ] {
                let query = sqlx::query(AssertSqlSafe(statement)).bind(self.data_source).persistent(false);
                query.execute(&mut *self.connection).await?;
            }
        }
        Ok(())
    }

    /// Drops who and what of the access providers that a query lists.
    async fn forget_snapshots(&mut self, ids: &str) -> Result<(), sqlx::Error> {
        for table in ["access_snapshot_who", "access_snapshot_what"] {
            let statement =
                format!("DELETE FROM {table} WHERE data_source_id = $1 AND access_provider_id IN ({ids})");
            let query = sqlx::query(AssertSqlSafe(statement)).bind(self.data_source).persistent(false);
            query.execute(&mut *self.connection).await?;
        }
        Ok(())
    }

    /// What the data source does not let be deleted is its own again, as it was applied.
    async fn hand_back(&mut self) -> Result<(), sqlx::Error> {
        execute(
            self.connection,
            "UPDATE access_providers SET external = 1 WHERE external = 0 AND state = 'Active' AND id IN \
             (SELECT external_id FROM stage_feedback WHERE errors IS NULL) AND EXISTS (SELECT 1 \
             FROM access_provider_locks l WHERE l.access_provider_id = access_providers.id \
             AND l.lock_key = 'DeleteLock' AND l.imported = 1)"
                .to_owned(),
        )
        .await?;
        Ok(())
    }

    /// Frees the external ids that change, so that two access providers may exchange theirs, and forgets those
    /// that somebody else managed here has or was given first.
    async fn settle_external_ids(&mut self, warnings: &mut Vec<String>) -> Result<(), sqlx::Error> {
        self.execute(
            "UPDATE access_provider_sync AS y SET external_id = NULL FROM stage_feedback AS s \
             WHERE y.access_provider_id = s.external_id AND y.data_source_id = $1 AND y.external_id <> s.target_id",
        )
        .await?;
        let taken = "target_id IS NOT NULL AND (EXISTS (SELECT 1 FROM access_provider_sync y \
             WHERE y.data_source_id = $1 AND y.external_id = stage_feedback.target_id \
             AND y.access_provider_id <> stage_feedback.external_id) \
             OR id <> (SELECT MIN(e.id) FROM stage_feedback e WHERE e.target_id = stage_feedback.target_id))";
        execute(
            self.connection,
            "CREATE INDEX stage_feedback_by_target ON stage_feedback (target_id, id)".to_owned(),
        )
        .await?;
        let select = format!("SELECT target_id FROM stage_feedback WHERE {taken} ORDER BY id");
        let query = sqlx::query(AssertSqlSafe(select)).bind(self.data_source);
        Examples::query(self.connection, query)
            .await?
            .warn(warnings, "external ids in feedbacks belong to another access provider and are left out");
        // Evaluated before the first row changes: the condition looks at the rows that are changed.
        create(self.connection, "stage_feedback_taken", "id TEXT NOT NULL PRIMARY KEY").await?;
        let find =
            format!("INSERT INTO stage_feedback_taken (id) SELECT id FROM stage_feedback WHERE {taken}");
        sqlx::query(AssertSqlSafe(find))
            .bind(self.data_source)
            .persistent(false)
            .execute(&mut *self.connection)
            .await?;
        let forget =
            "UPDATE stage_feedback SET target_id = NULL WHERE id IN (SELECT id FROM stage_feedback_taken)";
        execute(self.connection, forget.to_owned()).await?;
        drop_table(self.connection, "stage_feedback_taken").await
    }
}
