//! The import of tags of a catalogue.
//!
//! A tag names a data object by its full name, or a user: the external id of an account in the identity
//! store, or the id of a user here. The file speaks for the given tag sources, or for those that occur in it.

use super::owners::{self, Owned};
use super::staging::{Set, discard};
use super::{Examples, WorkError, require_data_source, require_identity_store, uploaded};
use crate::changes;
use crate::files::Files;
use crate::jobs::lease::Lease;
use crate::jobs::outcome::{Counts, Outcome};
use crate::records::{CatalogueTag, array};
use crate::store::{Connection, Store};

const STAGE: &str = "stage_catalogue";
const FOUND: &str = "stage_catalogue_found";
const SCOPE: &str = "stage_catalogue_scope";

/// Whose objects the tags are for.
pub(crate) struct Place<'p> {
    pub(crate) data_source: Option<&'p str>,
    pub(crate) identity_store: Option<&'p str>,
}

/// Imports an uploaded tag file.
pub(crate) async fn run(
    store: &Store,
    files: &Files,
    lease: &Lease,
    place: &Place<'_>,
    file: &str,
    tag_sources: &[String],
) -> Result<(), WorkError> {
    if place.data_source.is_none() && place.identity_store.is_none() {
        return Err(WorkError::NoPlace);
    }
    if let Some(data_source) = place.data_source {
        require_data_source(store, data_source).await?;
    }
    if let Some(identity_store) = place.identity_store {
        require_identity_store(store, identity_store).await?;
    }
    let mut elements = array::read::<CatalogueTag>(uploaded(store, files, file).await?);
    let mut connection = store.pool().acquire().await?;
    let mut staging = lease.begin_staging(&mut connection).await?;
    let mut set = Set::create(
        &mut staging,
        store.dialect(),
        STAGE,
        &["full_name", "user_id", "source", "key", "value"],
    )
    .await?;
    while let Some(batch) = elements.recv().await {
        for tag in batch.map_err(|source| WorkError::File { what: "tag", source })? {
            let row = [&tag.data_object_full_name, &tag.user_id, &tag.source, &tag.key, &tag.string_value];
            set.add(&mut staging, &row.map(String::as_str)).await?;
        }
    }
    set.finish(&mut staging).await?;
    Set::create(&mut staging, store.dialect(), FOUND, &["object_id", "source", "key", "value"]).await?;
    let mut scope = Set::create(&mut staging, store.dialect(), SCOPE, &["source"]).await?;
    for source in tag_sources {
        scope.add(&mut staging, &[source]).await?;
    }
    scope.finish(&mut staging).await?;
    if tag_sources.is_empty() {
        sqlx::query("INSERT INTO stage_catalogue_scope (source) SELECT DISTINCT source FROM stage_catalogue")
            .persistent(false)
            .execute(&mut *staging)
            .await?;
    }
    staging.commit().await?;

    let mut transaction = lease.begin_merge(&mut connection).await?;
    if let Some(data_source) = place.data_source {
        owners::note(&mut transaction, Owned::DataObjects, data_source).await?;
    }
    let (tags, warnings) = merge(&mut transaction, place).await?;
    if let Some(data_source) = place.data_source {
        owners::settle(&mut transaction, Owned::DataObjects, data_source).await?;
    }
    if !tags.is_nothing() {
        changes::mark_all(&mut transaction).await?;
    }
    lease.complete(transaction, &Outcome::Tags { tags, warnings }).await?;
    discard(&mut connection, &[STAGE, FOUND, SCOPE]).await;
    Ok(())
}

async fn merge(connection: &mut Connection, place: &Place<'_>) -> Result<(Counts, Vec<String>), sqlx::Error> {
    let data_source = place.data_source.unwrap_or_default();
    let identity_store = place.identity_store.unwrap_or_default();
    let found = [
        (
            "INSERT INTO stage_catalogue_found (object_id, source, key, value) SELECT o.id, n.source, n.key, n.value \
          FROM stage_catalogue n JOIN data_objects o ON o.full_name = n.full_name \
          WHERE n.full_name <> '' AND o.data_source_id = $1 AND o.deleted = 0 ON CONFLICT DO NOTHING",
            data_source,
        ),
        (
            "INSERT INTO stage_catalogue_found (object_id, source, key, value) SELECT a.id, n.source, n.key, n.value \
          FROM stage_catalogue n JOIN accounts a ON a.external_id = n.user_id \
          WHERE n.user_id <> '' AND a.identity_store_id = $1 ON CONFLICT DO NOTHING",
            identity_store,
        ),
        // The identity store decides whether users are concerned at all.
        (
            "INSERT INTO stage_catalogue_found (object_id, source, key, value) SELECT u.id, n.source, n.key, n.value \
          FROM stage_catalogue n JOIN users u ON u.id = n.user_id WHERE $1 <> '' ON CONFLICT DO NOTHING",
            identity_store,
        ),
    ];
    for (statement, owner) in found {
        sqlx::query(statement).bind(owner).persistent(false).execute(&mut *connection).await?;
    }
    let removed = sqlx::query(
        "DELETE FROM tags WHERE source IN (SELECT source FROM stage_catalogue_scope) \
         AND (EXISTS (SELECT 1 FROM data_objects o WHERE o.id = tags.object_id AND o.data_source_id = $1) \
         OR EXISTS (SELECT 1 FROM accounts a WHERE a.id = tags.object_id AND a.identity_store_id = $2) \
         OR EXISTS (SELECT 1 FROM accounts a WHERE a.user_id = tags.object_id AND a.identity_store_id = $2)) \
         AND NOT EXISTS (SELECT 1 FROM stage_catalogue_found n WHERE n.object_id = tags.object_id \
         AND n.source = tags.source AND n.key = tags.key AND n.value = tags.value)",
    )
    .bind(data_source)
    .bind(identity_store)
    .persistent(false)
    .execute(&mut *connection)
    .await?
    .rows_affected();
    let added = sqlx::query(
        "INSERT INTO tags (object_id, source, key, value) SELECT object_id, source, key, value \
         FROM stage_catalogue_found WHERE true ON CONFLICT DO NOTHING",
    )
    .persistent(false)
    .execute(&mut *connection)
    .await?
    .rows_affected();
    let mut warnings = Vec::new();
    let unknown = sqlx::query(
        "SELECT DISTINCT n.full_name FROM stage_catalogue n WHERE n.full_name <> '' AND NOT EXISTS \
         (SELECT 1 FROM data_objects o WHERE o.data_source_id = $1 AND o.full_name = n.full_name AND o.deleted = 0)",
    )
    .bind(data_source);
    Examples::query(connection, unknown).await?.warn(&mut warnings, "tagged data objects are unknown");
    let unknown = sqlx::query(
        "SELECT DISTINCT n.user_id FROM stage_catalogue n WHERE n.user_id <> '' AND NOT EXISTS \
         (SELECT 1 FROM accounts a WHERE a.identity_store_id = $1 AND a.external_id = n.user_id) \
         AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = n.user_id)",
    )
    .bind(identity_store);
    Examples::query(connection, unknown).await?.warn(&mut warnings, "tagged users are unknown");
    Ok((Counts { added, updated: 0, removed }, warnings))
}
