//! The import of the feedback on exported access providers.
//!
//! Without errors, an access provider is in step with the target as it was exported, and its name there is
//! stored; one that was to be removed is gone. With errors it has failed. What has no feedback is as before.

use sqlx::{Connection as _, Row};

use super::{Examples, WorkError, require_data_source, uploaded};
use crate::files::Files;
use crate::jobs::outcome::Outcome;
use crate::jobs::to_json;
use crate::records::{Feedback, FeedbackAccess, array};
use crate::store::{Connection, Store};

/// Imports an uploaded feedback file.
pub(crate) async fn run(
    store: &Store,
    files: &Files,
    data_source: &str,
    file: &str,
) -> Result<Outcome, WorkError> {
    require_data_source(store, data_source).await?;
    let mut elements = array::read::<Feedback>(uploaded(files, file)?);
    let mut warnings = Vec::new();
    let mut unknown = Examples::default();
    let mut names_added = 0;
    let mut connection = store.pool().acquire().await?;
    let mut transaction = connection.begin_with(store.dialect().begin_write()).await?;
    while let Some(batch) = elements.recv().await {
        for feedback in batch.map_err(|source| WorkError::File { what: "feedback", source })? {
            let Some(access) = feedback.access.into_iter().next() else {
                warnings.push(format!("the feedback on {} is empty", feedback.external_id));
                continue;
            };
            for warning in &access.warnings {
                warnings.push(format!("{}: {warning}", feedback.external_id));
            }
            match store_one(&mut transaction, data_source, &feedback.external_id, &access).await? {
                None => unknown.add(&feedback.external_id),
                Some(true) => names_added += 1,
                Some(false) => {}
            }
        }
    }
    transaction.commit().await?;
    unknown.warn(&mut warnings, "feedbacks are on access providers that this data source does not have");
    Ok(Outcome::Feedback { names_added, warnings })
}

/// Returns whether the access provider has a new name in the target; None when there is no such one.
async fn store_one(
    connection: &mut Connection,
    data_source: &str,
    id: &str,
    access: &FeedbackAccess,
) -> Result<Option<bool>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT p.state, y.actual_name, y.external_id FROM access_provider_sync y \
         JOIN access_providers p ON p.id = y.access_provider_id \
         WHERE y.access_provider_id = $1 AND y.data_source_id = $2 AND p.external = 0",
    )
    .bind(id)
    .bind(data_source)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let (state, known_name): (String, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
    let known_external_id: Option<String> = row.try_get(2)?;
    let succeeded = access.errors.is_empty();
    if succeeded && state == "Deleted" {
        remove(connection, data_source, id).await?;
        return Ok(Some(false));
    }
    let actual_name = Some(access.actual_name.clone()).filter(|name| !name.is_empty());
    let external_id = access.external_id.clone().filter(|id| !id.is_empty());
    if let Some(external_id) = &external_id
        && known_external_id.as_ref() != Some(external_id)
    {
        take_over(connection, data_source, id, external_id).await?;
    }
    let renamed = actual_name.is_some() && actual_name != known_name;
    let outcome = if succeeded {
        // A change made since the export keeps it out of step.
        "sync_status = CASE WHEN exported_version >= (SELECT version FROM access_providers WHERE id = $1) \
         THEN 'SYNCED' ELSE 'OUT_OF_SYNC' END, synced_version = exported_version, applied = exported"
    } else {
        "sync_status = 'FAILED'"
    };
    let statement = format!(
        "UPDATE access_provider_sync SET actual_name = COALESCE($3, actual_name), \
         external_id = COALESCE($4, external_id), type = COALESCE($5, type), errors = $6, {outcome} \
         WHERE access_provider_id = $1 AND data_source_id = $2"
    );
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(id)
        .bind(data_source)
        .bind(actual_name)
        .bind(external_id)
        .bind(access.access_type.clone())
        .bind((!succeeded).then(|| to_json(&access.errors)))
        .execute(connection)
        .await?;
    Ok(Some(renamed))
}

/// The one under this external id that was imported from the target is the one that is managed here now.
async fn take_over(
    connection: &mut Connection,
    data_source: &str,
    id: &str,
    external_id: &str,
) -> Result<(), sqlx::Error> {
    let other = sqlx::query(
        "SELECT access_provider_id FROM access_provider_sync \
         WHERE data_source_id = $1 AND external_id = $2 AND access_provider_id <> $3",
    )
    .bind(data_source)
    .bind(external_id)
    .bind(id)
    .fetch_optional(&mut *connection)
    .await?;
    match other {
        Some(row) => remove(connection, data_source, row.try_get(0)?).await,
        None => Ok(()),
    }
}

/// Removes an access provider from a data source, and altogether when that was the last one.
async fn remove(connection: &mut Connection, data_source: &str, id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM access_provider_sync WHERE access_provider_id = $1 AND data_source_id = $2")
        .bind(id)
        .bind(data_source)
        .execute(&mut *connection)
        .await?;
    for statement in [
        "DELETE FROM access_providers WHERE id = $1 \
         AND NOT EXISTS (SELECT 1 FROM access_provider_sync WHERE access_provider_id = $1)",
        "DELETE FROM access_provider_who WHERE access_provider_id = $1 \
         AND NOT EXISTS (SELECT 1 FROM access_providers WHERE id = $1)",
        "DELETE FROM access_provider_what WHERE access_provider_id = $1 \
         AND NOT EXISTS (SELECT 1 FROM access_providers WHERE id = $1)",
        "DELETE FROM access_provider_locks WHERE access_provider_id = $1 \
         AND NOT EXISTS (SELECT 1 FROM access_providers WHERE id = $1)",
        "DELETE FROM tags WHERE object_id = $1 AND NOT EXISTS (SELECT 1 FROM access_providers WHERE id = $1)",
    ] {
        sqlx::query(statement).bind(id).execute(&mut *connection).await?;
    }
    Ok(())
}
