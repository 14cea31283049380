//! The import of data objects.
//!
//! Objects come in any order: a parent is referred to by its external id and looked up when it is needed.
//! A removed object stays, marked as deleted, for the access controls and the usage that mention it; when it
//! comes back it is the same object again, and counts as added.

use super::merge::Merge;
use super::owners::{self, Owned};
use super::staging::{Batch, ContentHash, Draft, Rows, Tags, discard};
use super::{WorkError, require_data_source, uploaded};
use crate::changes;
use crate::files::Files;
use crate::jobs::lease::Lease;
use crate::jobs::outcome::Outcome;
use crate::records::{DataObject, Tag, array};
use crate::store::Store;

const STAGE: &str = "stage_objects";
const TAGS: &str = "stage_object_tags";

/// The columns beside external id, id and hash.
const COLUMNS: [(&str, &str); 8] = [
    ("parent_external_id", "TEXT NOT NULL"),
    ("name", "TEXT NOT NULL"),
    ("full_name", "TEXT NOT NULL"),
    ("type", "TEXT NOT NULL"),
    ("description", "TEXT NOT NULL"),
    ("data_type", "TEXT"),
    ("share_provider_identifier", "TEXT"),
    ("share_identifier", "TEXT"),
];

/// Imports an uploaded file of data objects.
pub(crate) async fn run(
    store: &Store,
    files: &Files,
    lease: &Lease,
    data_source: &str,
    file: &str,
    delete_untouched: bool,
    tag_sources: &[String],
) -> Result<(), WorkError> {
    require_data_source(store, data_source).await?;
    let mut draft = Draft::new(store.dialect(), COLUMNS.len());
    let mut batches =
        array::read_with(uploaded(store, files, file).await?, move |objects| prepare(&mut draft, objects));
    let mut warnings = Vec::new();
    let mut connection = store.pool().acquire().await?;

    let mut staging = lease.begin_staging(&mut connection).await?;
    let mut rows = Rows::create(&mut staging, store.dialect(), STAGE, &COLUMNS).await?;
    let mut tags = Tags::create(&mut staging, store.dialect(), TAGS).await?;
    while let Some(batch) = batches.recv().await {
        let prepared = batch.map_err(|source| WorkError::File { what: "data object", source })??;
        rows.write(&mut staging, prepared.rows).await?;
        for (external_id, object_tags) in &prepared.tags {
            tags.add(&mut staging, external_id, object_tags).await?;
        }
    }
    rows.finish(&mut staging, "data objects", &mut warnings).await?;
    tags.finish(&mut staging, tag_sources).await?;
    staging.commit().await?;

    let mut transaction = lease.begin_merge(&mut connection).await?;
    let merge = Merge {
        table: "data_objects",
        scope_column: "data_source_id",
        scope: data_source,
        stage: STAGE,
        tags: TAGS,
        columns: &COLUMNS.map(|(name, _)| name),
        keeps_deleted: true,
        dates_deletion: true,
        members: None,
    };
    owners::note(&mut transaction, Owned::DataObjects, data_source).await?;
    let objects = merge.run(&mut transaction, delete_untouched).await?;
    owners::settle(&mut transaction, Owned::DataObjects, data_source).await?;
    merge
        .dangling(&mut transaction, STAGE, "parent_external_id", "data_objects")
        .await?
        .warn(&mut warnings, "parents named by data objects are unknown");
    if !objects.is_nothing() {
        // Words reach other objects now, and rules find other ones.
        changes::mark(&mut transaction, &[data_source.to_owned()]).await?;
    }
    lease.complete(transaction, &Outcome::DataSource { objects, warnings }).await?;
    discard(&mut connection, &[STAGE, TAGS]).await;
    Ok(())
}

/// Objects that are ready to be staged.
struct Prepared {
    rows: Batch,
    /// By external id, where there are any.
    tags: Vec<(String, Vec<Tag>)>,
}

/// Runs on the thread that reads the file, so that hashing and copying go on while the database works.
fn prepare(draft: &mut Draft, objects: Vec<DataObject>) -> Result<Prepared, sqlx::Error> {
    let mut tags = Vec::new();
    for mut object in objects {
        let object_tags = object.take_tags();
        if !object_tags.is_empty() && !object.external_id.is_empty() {
            tags.push((object.external_id.clone(), object_tags));
        }
        let hash = content_hash(&object);
        let Some(row) = draft.begin(object.external_id, hash)? else { continue };
        row.value(object.parent_external_id)?
            .value(object.name)?
            .value(object.full_name)?
            .value(object.object_type)?
            .value(object.description)?
            .value(object.data_type)?
            .value(object.share_provider_identifier)?
            .value(object.share_identifier)?
            .end_row();
    }
    Ok(Prepared { rows: draft.take(), tags })
}

fn content_hash(object: &DataObject) -> i64 {
    ContentHash::default()
        .text(&object.parent_external_id)
        .text(&object.name)
        .text(&object.full_name)
        .text(&object.object_type)
        .text(&object.description)
        .optional(object.data_type.as_deref())
        .optional(object.share_provider_identifier.as_deref())
        .optional(object.share_identifier.as_deref())
        .finish()
}
