//! Keeps the state of access controls true while time passes and other things change.
//!
//! An access control that nobody touches may still come to mean something else in its target: somebody joins
//! a group, an account appears, a table gets a tag, a membership ends. [`refresh_stale`] looks through the
//! data sources that were marked by such a change, and [`sweep`] ends what has expired. Both announce what they
//! find (see [`crate::changes`]).

use sqlx::Row;

use super::session::Session;
use crate::changes;
use crate::ids::now;
use crate::import::WorkError;
use crate::store::{Connection, Store};

/// Looks through every marked data source. A mark that is made meanwhile stays.
pub(crate) async fn refresh_stale(store: &Store) -> Result<(), WorkError> {
    let rows = sqlx::query("SELECT data_source_id, mark FROM access_stale ORDER BY data_source_id")
        .fetch_all(store.pool())
        .await?;
    for row in rows {
        let data_source: String = row.try_get(0)?;
        match refresh(store, &data_source).await {
            // A data source that was deleted has nothing to be out of step with.
            Ok(()) | Err(WorkError::NoDataSource { .. }) => {}
            Err(error) => return Err(error),
        }
        sqlx::query("DELETE FROM access_stale WHERE data_source_id = $1 AND mark = $2")
            .bind(data_source)
            .bind(row.try_get::<String, _>(1)?)
            .execute(store.pool())
            .await?;
    }
    Ok(())
}

/// Compares what every access control of a data source means now with what was applied.
async fn refresh(store: &Store, data_source: &str) -> Result<(), WorkError> {
    let mut session = Session::open(store, data_source).await?;
    let mut after = String::new();
    let mut changed = false;
    while let Some(page) = session.page(&after, false).await? {
        page.last().map_or("", |entry| entry.document.id.as_str()).clone_into(&mut after);
        for entry in page {
            // What was changed here is out of sync already.
            let settled = entry.synced_version >= entry.version && !entry.document.delete;
            if !settled || !matches!(entry.status.as_str(), "SYNCED" | "OUT_OF_SYNC") {
                continue;
            }
            let fingerprint = session.fingerprint(&entry).await?;
            let (from, to) = if entry.out_of_sync(&fingerprint) {
                ("SYNCED", "OUT_OF_SYNC")
            } else {
                ("OUT_OF_SYNC", "SYNCED")
            };
            if entry.status != from {
                continue;
            }
            sqlx::query(
                "UPDATE access_provider_sync SET sync_status = $1 WHERE access_provider_id = $2 \
                 AND data_source_id = $3 AND sync_status = $4",
            )
            .bind(to)
            .bind(entry.document.id.as_str())
            .bind(data_source)
            .bind(from)
            .execute(store.pool())
            .await?;
            changed |= to == "OUT_OF_SYNC";
        }
    }
    session.close().await?;
    if changed {
        let mut transaction = store.begin().await?;
        changes::announce(&mut transaction, &[data_source.to_owned()]).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// Ends memberships and permissions whose time is over, looks through marked data sources, and forgets old
/// changes. To be called now and then; an export does not depend on it.
pub(crate) async fn sweep(store: &Store) -> Result<(), WorkError> {
    let now = now();
    let expired = "SELECT access_provider_id FROM access_provider_who WHERE expires_at <= $1 \
         UNION SELECT access_provider_id FROM access_provider_what WHERE expires_at <= $1";
    // Most of the time there is nothing, and then nobody has to wait for a writer.
    if sqlx::query(expired).bind(now).fetch_optional(store.pool()).await?.is_some() {
        let mut transaction = store.begin().await?;
        let rows = sqlx::query(expired).bind(now).fetch_all(&mut *transaction).await?;
        for row in rows {
            expire(&mut transaction, row.try_get(0)?, now).await?;
        }
        transaction.commit().await?;
    }
    let mut connection = store.pool().acquire().await?;
    changes::forget(&mut connection).await?;
    drop(connection);
    refresh_stale(store).await
}

async fn expire(connection: &mut Connection, id: &str, now: i64) -> Result<(), sqlx::Error> {
    changes::touched(connection, id).await?;
    for statement in [
        "DELETE FROM access_provider_who WHERE access_provider_id = $1 AND expires_at <= $2",
        "DELETE FROM access_provider_what WHERE access_provider_id = $1 AND expires_at <= $2",
        "UPDATE access_providers SET version = version + 1, modified_at = $2 WHERE id = $1",
        "UPDATE access_provider_sync SET sync_status = 'OUT_OF_SYNC' WHERE access_provider_id = $1 AND $2 > 0",
    ] {
        sqlx::query(statement).bind(id).bind(now).execute(&mut *connection).await?;
    }
    Ok(())
}
