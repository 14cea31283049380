//! The import of data objects.
//!
//! Objects come in any order: a parent is referred to by its external id and looked up when it is needed.
//! A removed object stays, marked as deleted, for the access controls and the usage that mention it; when it
//! comes back it is the same object again, and counts as added.

use sqlx::{Acquire, Connection as _};

use super::merge::Merge;
use super::staging::{ContentHash, Rows, Tags, drop_table};
use super::{WorkError, require_data_source, uploaded};
use crate::files::Files;
use crate::jobs::outcome::Outcome;
use crate::records::{DataObject, array};
use crate::store::Store;

const STAGE: &str = "stage_objects";
const TAGS: &str = "stage_object_tags";

/// Imports an uploaded file of data objects.
pub(crate) async fn run(
    store: &Store,
    files: &Files,
    data_source: &str,
    file: &str,
    delete_untouched: bool,
    tag_sources: &[String],
) -> Result<Outcome, WorkError> {
    require_data_source(store, data_source).await?;
    let mut elements = array::read::<DataObject>(uploaded(files, file)?);
    let mut warnings = Vec::new();
    let mut connection = store.pool().acquire().await?;

    let mut staging = connection.begin().await?;
    let columns = [
        ("parent_external_id", "TEXT NOT NULL"),
        ("name", "TEXT NOT NULL"),
        ("full_name", "TEXT NOT NULL"),
        ("type", "TEXT NOT NULL"),
        ("description", "TEXT NOT NULL"),
        ("data_type", "TEXT"),
        ("share_provider_identifier", "TEXT"),
        ("share_identifier", "TEXT"),
    ];
    let mut rows = Rows::create(&mut staging, store.dialect(), STAGE, &columns).await?;
    let mut tags = Tags::create(&mut staging, store.dialect(), TAGS).await?;
    while let Some(batch) = elements.recv().await {
        for mut object in batch.map_err(|source| WorkError::File { what: "data object", source })? {
            let object_tags = object.take_tags();
            if let Some(row) = rows.begin(&object.external_id, content_hash(&object))? {
                tags.add(&mut staging, &object.external_id, &object_tags).await?;
                row.value(object.parent_external_id)?
                    .value(object.name)?
                    .value(object.full_name)?
                    .value(object.object_type)?
                    .value(object.description)?
                    .value(object.data_type)?
                    .value(object.share_provider_identifier)?
                    .value(object.share_identifier)?;
                rows.end(&mut staging).await?;
            }
        }
    }
    rows.finish(&mut staging, "data objects", &mut warnings).await?;
    tags.finish(&mut staging, tag_sources).await?;
    staging.commit().await?;

    let mut transaction = connection.begin_with(store.dialect().begin_write()).await?;
    let merge = Merge {
        table: "data_objects",
        scope_column: "data_source_id",
        scope: data_source,
        stage: STAGE,
        tags: TAGS,
        columns: &[
            "parent_external_id",
            "name",
            "full_name",
            "type",
            "description",
            "data_type",
            "share_provider_identifier",
            "share_identifier",
        ],
        keeps_deleted: true,
        members: None,
    };
    let objects = merge.run(&mut transaction, delete_untouched).await?;
    merge
        .dangling(&mut transaction, STAGE, "parent_external_id", "data_objects")
        .await?
        .warn(&mut warnings, "parents named by data objects are unknown");
    transaction.commit().await?;
    drop_table(&mut connection, STAGE).await?;
    drop_table(&mut connection, TAGS).await?;
    Ok(Outcome::DataSource { objects, warnings })
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
