//! Writes the access file for a target.
//!
//! The file is a JSON object with `accessProviders`, `fileBuildTime` (milliseconds) and `lastCalculated`
//! (seconds). It holds what is managed here and belongs to the data source, in ascending order of id:
//!
//! * who: users are written as the names of their accounts in the identity stores of the data source, groups
//!   by name, or as their members where the source has no groups; other access providers as `ID:<id>` if
//!   they are in the file, by their actual name if they are in the target only, and as their members if they
//!   are in another data source or the source knows no inheritance.
//! * what: read, write and admin are unpacked by the metadata of the data source, per type of data object.
//! * `deletedWho` and `deleteWhat`: what was there at the last export with a feedback without errors, and is no more.
//! * Deleted ones have `delete: true` and stay in the file until their feedback is in.
//!
//! Access providers are taken in pages, so memory is bounded by a page.

mod document;
mod page;

use std::collections::HashSet;
use std::io::{BufWriter, Write as _};

use sqlx::Row;

use crate::files::Files;
use crate::ids::now;
use crate::import::WorkError;
use crate::jobs::outcome::Outcome;
use crate::metadata::Metadata;
use crate::store::Store;
use document::Entry;
use page::Source;

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
    let source = Source { store, id: data_source, metadata };

    // What is in the file decides how references are written, so it is found first.
    let mut included = HashSet::new();
    let mut after = String::new();
    if out_of_sync {
        loop {
            let entries = source.page(&after, None).await?;
            let Some(last) = entries.last() else { break };
            after.clone_from(&last.document.id);
            included.extend(entries.into_iter().filter(Entry::out_of_sync).map(|entry| entry.document.id));
        }
    } else {
        included.extend(source.ids().await?);
    }

    let (key, draft) = files.draft();
    let mut file = BufWriter::new(std::fs::File::create(&draft)?);
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
            warnings.append(&mut entry.warnings);
            file.write_all(if first { b"\n" } else { b",\n" })?;
            first = false;
            serde_json::to_writer(&mut file, &entry.document).map_err(std::io::Error::from)?;
            written.push(entry);
        }
        source.note_exported(&written).await?;
    }
    let now = now();
    writeln!(file, "\n],\"lastCalculated\":{},\"fileBuildTime\":{now}}}", now / 1000)?;
    file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    files.publish(&key).await?;
    let secret = Files::share(store, &key).await?;
    Ok(Outcome::Export { file_key: key, secret, warnings })
}
