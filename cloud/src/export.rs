//! Writes the access file for a target.
//!
//! The file is a JSON object with `accessProviders`, `fileBuildTime` (milliseconds) and `lastCalculated`
//! (seconds). It holds what is managed here and belongs to the data source, in ascending order of id:
//!
//! * who: users are written as the names of their accounts in the identity stores of the data source, groups
//!   by name, or as their members where the source has no groups; other access providers as `ID:<id>` if
//!   they are in the file, by their actual name if they are in the target only, and as their members if they
//!   are in another data source or the source knows no inheritance.
//! * what: read, write and admin are unpacked by the metadata of the data source, for the data object and those
//!   below it (see `what`).
//! * `deletedWho` and `deleteWhat`: what was there at the last export with a feedback without errors, and is no more.
//! * Deleted ones have `delete: true` and stay in the file until their feedback is in.
//!
//! Access providers are taken in pages, and what they are for is unpacked in the database, so memory is bounded by a
//! page of access providers as they were written here.

mod document;
mod page;
mod what;

use std::collections::HashSet;
use std::io::{BufWriter, Write as _};

use sqlx::Row;

use crate::files::Files;
use crate::ids::now;
use crate::import::WorkError;
use crate::jobs::outcome::Outcome;
use crate::metadata::Metadata;
use crate::store::Store;
use page::Source;
use what::Unpacked;

/// Writes the file and shares it for a while. With `out_of_sync`, only what differs from what was applied.
pub(crate) async fn run(
    store: &Store,
    files: &Files,
    data_source: &str,
    out_of_sync: bool,
) -> Result<Outcome, WorkError> {
    let row = sqlx::query("SELECT metadata FROM data_sources WHERE id = $1")
        .bind(data_source)
        .fetch_optional(store.pool())
        .await?
        .ok_or_else(|| WorkError::NoDataSource { id: data_source.to_owned() })?;
    let metadata = match row.try_get::<Option<String>, _>(0)? {
        Some(text) => Some(serde_json::from_str::<Metadata>(&text).map_err(WorkError::Metadata)?),
        None => None,
    };
    let unpacking = metadata.clone().unwrap_or_default();
    let mut what = Unpacked::open(store, data_source, &unpacking).await?;
    let source = Source { store, id: data_source, metadata };

    // What is in the file decides how references are written, so it is found first.
    let mut included = HashSet::new();
    let mut after = String::new();
    if out_of_sync {
        loop {
            let entries = source.page(&after, None).await?;
            let Some(last) = entries.last() else { break };
            after.clone_from(&last.document.id);
            for mut entry in entries {
                let what_hash = source.unpack(&mut entry, &mut what).await?;
                if entry.out_of_sync(what_hash) {
                    included.insert(entry.document.id);
                }
            }
        }
    } else {
        included.extend(source.ids().await?);
    }

    let draft = files.draft()?;
    let key = draft.key.clone();
    let secret = Files::share(store, &key).await?;
    let mut file = BufWriter::new(std::fs::File::create(draft.path())?);
    let mut warnings = Vec::new();
    file.write_all(b"{\"accessProviders\":[")?;
    let mut first = true;
    after.clear();
    loop {
        let entries = source.page(&after, Some(&included)).await?;
        let Some(last) = entries.last() else { break };
        after.clone_from(&last.document.id);
        let mut written = Vec::new();
        for mut entry in entries {
            if !included.contains(&entry.document.id) {
                continue;
            }
            let what_hash = source.unpack(&mut entry, &mut what).await?;
            warnings.append(&mut entry.warnings);
            file.write_all(if first { b"\n" } else { b",\n" })?;
            first = false;
            entry.write(&mut file, &mut what).await?;
            written.push((entry, what_hash));
        }
        source.note_exported(&written).await?;
    }
    what.close().await?;
    let now = now();
    writeln!(file, "\n],\"lastCalculated\":{},\"fileBuildTime\":{now}}}", now / 1000)?;
    file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    files.publish(draft).await.map_err(|error| WorkError::storage(&error))?;
    Ok(Outcome::Export { file_key: key, secret, warnings })
}
