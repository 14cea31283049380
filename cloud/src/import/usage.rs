//! The import of usage statements.
//!
//! A statement is known by its external id within the data source; a known one is skipped. Times of ten
//! digits are seconds, longer ones milliseconds. Statements that succeeded add to the edges: how often a
//! user used a permission on a data object.

use sqlx::Row;

use super::staging::{Rows, Set, discard};
use super::{WorkError, require_data_source, uploaded};
use crate::files::Files;
use crate::jobs::lease::Lease;
use crate::jobs::outcome::Outcome;
use crate::jobs::to_json;
use crate::records::{Statement, array};
use crate::store::{Connection, Store};

const STAGE: &str = "stage_statements";
const EDGES: &str = "stage_edges";

/// Imports the uploaded files.
pub(crate) async fn run(
    store: &Store,
    files: &Files,
    lease: &Lease,
    data_source: &str,
    keys: &[String],
) -> Result<(), WorkError> {
    require_data_source(store, data_source).await?;
    let mut warnings = Vec::new();
    let mut connection = store.pool().acquire().await?;
    let mut staging = lease.begin_staging(&mut connection).await?;
    let (read, failed) = stage(store, files, keys, &mut staging, &mut warnings).await?;
    staging.commit().await?;

    let mut transaction = lease.begin_merge(&mut connection).await?;
    let (added, edges) = merge(&mut transaction, data_source).await?;
    let skipped = read.saturating_sub(failed + added);
    lease.complete(transaction, &Outcome::Usage { edges, added, failed, skipped, warnings }).await?;
    discard(&mut connection, &[STAGE, EDGES]).await;
    Ok(())
}

async fn stage(
    store: &Store,
    files: &Files,
    keys: &[String],
    connection: &mut Connection,
    warnings: &mut Vec<String>,
) -> Result<(u64, u64), WorkError> {
    let columns = [
        ("user_name", "TEXT NOT NULL"),
        ("role", "TEXT NOT NULL"),
        ("success", "BIGINT NOT NULL"),
        ("status", "TEXT NOT NULL"),
        ("query", "TEXT NOT NULL"),
        ("start_time", "BIGINT"),
        ("end_time", "BIGINT"),
        ("bytes", "BIGINT"),
        ("row_count", "BIGINT"),
        ("credits", "DOUBLE PRECISION"),
        ("error", "TEXT NOT NULL"),
        ("accessed", "TEXT NOT NULL"),
    ];
    let mut rows = Rows::create(connection, store.dialect(), STAGE, &columns).await?;
    let mut edges =
        Set::create(connection, store.dialect(), EDGES, &["external_id", "full_name", "type", "permission"])
            .await?;
    let (mut read, mut failed) = (0, 0);
    for key in keys {
        let mut elements = array::read::<Statement>(uploaded(store, files, key).await?);
        while let Some(batch) = elements.recv().await {
            for statement in batch.map_err(|source| WorkError::File { what: "usage", source })? {
                read += 1;
                let Some(row) = rows.begin(&statement.external_id, 0)? else {
                    failed += 1;
                    continue;
                };
                let accessed = to_json(&statement.accessed_data_objects);
                row.value(statement.user)?
                    .value(statement.role)?
                    .value(i64::from(statement.success))?
                    .value(statement.status)?
                    .value(statement.query)?
                    .value(statement.start_time.and_then(milliseconds))?
                    .value(statement.end_time.and_then(milliseconds))?
                    .value(statement.bytes)?
                    .value(statement.rows)?
                    .value(statement.credits)?
                    .value(statement.error)?
                    .value(accessed)?;
                rows.end(connection).await?;
                if statement.success {
                    for used in &statement.accessed_data_objects {
                        let Some(object) = &used.data_object else { continue };
                        let permission = used.global_permission.to_lowercase();
                        let columns =
                            [&statement.external_id, &object.full_name, &object.object_type, &permission];
                        edges.add(connection, &columns.map(String::as_str)).await?;
                    }
                }
            }
        }
    }
    rows.finish(connection, "statements", warnings).await?;
    edges.finish(connection).await?;
    Ok((read, failed))
}

/// Returns how many statements are new and how many edges they touch.
async fn merge(connection: &mut Connection, data_source: &str) -> Result<(u64, u64), sqlx::Error> {
    sqlx::query(
        "DELETE FROM stage_statements WHERE EXISTS (SELECT 1 FROM usage_statements u \
         WHERE u.data_source_id = $1 AND u.external_id = stage_statements.external_id)",
    )
    .bind(data_source)
    .persistent(false)
    .execute(&mut *connection)
    .await?;
    let added = sqlx::query(
        "INSERT INTO usage_statements (id, data_source_id, external_id, user_name, user_id, role, success, status, \
         query, start_time, end_time, bytes, row_count, credits, error, accessed) \
         SELECT s.id, $1, s.external_id, s.user_name, COALESCE((SELECT MIN(a.user_id) FROM accounts a \
         JOIN data_source_identity_stores l ON l.identity_store_id = a.identity_store_id \
         WHERE l.data_source_id = $1 AND a.user_name = s.user_name), \
         (SELECT u.id FROM users u WHERE u.email_key = LOWER(s.user_name))), \
         s.role, s.success, s.status, s.query, s.start_time, s.end_time, s.bytes, s.row_count, s.credits, s.error, \
         s.accessed FROM stage_statements s",
    )
    .bind(data_source)
    .persistent(false)
    .execute(&mut *connection)
    .await?
    .rows_affected();
    let edges = sqlx::query(
        "INSERT INTO usage_edges (data_source_id, user_name, full_name, type, permission, statements, last_used) \
         SELECT $1, s.user_name, e.full_name, e.type, e.permission, COUNT(*), MAX(COALESCE(s.end_time, s.start_time)) \
         FROM stage_edges e JOIN stage_statements s ON s.external_id = e.external_id WHERE true \
         GROUP BY s.user_name, e.full_name, e.type, e.permission \
         ON CONFLICT (data_source_id, full_name, type, user_name, permission) DO UPDATE SET \
         statements = usage_edges.statements + excluded.statements, \
         last_used = CASE WHEN usage_edges.last_used > excluded.last_used THEN usage_edges.last_used \
         ELSE COALESCE(excluded.last_used, usage_edges.last_used) END",
    )
    .bind(data_source)
    .persistent(false)
    .execute(&mut *connection)
    .await?
    .rows_affected();
    let range =
        sqlx::query("SELECT MIN(start_time), MAX(COALESCE(end_time, start_time)) FROM stage_statements")
            .persistent(false)
            .fetch_one(&mut *connection)
            .await?;
    let (first, last): (Option<i64>, Option<i64>) = (range.try_get(0)?, range.try_get(1)?);
    sqlx::query(
        "UPDATE data_sources SET \
         usage_first_used = CASE WHEN usage_first_used <= $1 THEN usage_first_used ELSE COALESCE($1, usage_first_used) END, \
         usage_last_used = CASE WHEN usage_last_used >= $2 THEN usage_last_used ELSE COALESCE($2, usage_last_used) END \
         WHERE id = $3",
    )
    .bind(first)
    .bind(last)
    .bind(data_source)
    .execute(&mut *connection)
    .await?;
    Ok((added, edges))
}

/// A moment of a connector in milliseconds; zero means that there is none.
fn milliseconds(moment: i64) -> Option<i64> {
    const FIRST_OF_ELEVEN_DIGITS: i64 = 10_000_000_000;
    match moment {
        0 => None,
        seconds if seconds.abs() < FIRST_OF_ELEVEN_DIGITS => Some(seconds * 1000),
        milliseconds => Some(milliseconds),
    }
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn seconds_and_milliseconds_are_told_apart() {
        assert_eq!(milliseconds(1_705_920_489), Some(1_705_920_489_000));
        assert_eq!(milliseconds(1_711_140_795_865), Some(1_711_140_795_865));
        assert_eq!(milliseconds(0), None);
    }
}
