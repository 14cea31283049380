//! Writes the access file for a target.
//!
//! The file is a JSON object with `accessProviders`, `fileBuildTime` (milliseconds) and `lastCalculated`
//! (seconds). It holds what is managed here and belongs to the data source, in ascending order of id:
//!
//! * who: users are written as the names of their accounts in the identity stores of the data source, groups
//!   by name, or as their members where the data source does not know the group; other access providers as
//!   `ID:<id>` if they are in the file, by their actual name if they are in the target only, and as their members
//!   if they are in another data source, or if the source knows no inheritance between the two types. Promises,
//!   and members and objects whose time is over, are left out. Rules are evaluated.
//! * what: read, write and admin are unpacked by the metadata of the data source, for the data object and those
//!   below it (see `what`).
//! * `deletedWho` and `deleteWhat`: what was there at the last export with a feedback without errors, and is no
//!   more; for one with `delete: true`, all of it. Parts that are locked for everybody are not taken away.
//! * Those that are deleted, out of force, or leave the data source have `delete: true` and stay in the file until
//!   their feedback is in.
//!
//! Access providers are taken in pages. Everything about a page is resolved as sets in temporary tables of the
//! database and goes from there into the file row by row, so memory grows with neither their number nor
//! the length of their lists.

mod document;
mod refresh;
mod session;
mod what;
mod who;

use std::io::{BufWriter, Write as _};

use crate::files::Files;
use crate::ids::now;
use crate::import::WorkError;
use crate::jobs::outcome::Outcome;
use crate::store::Store;
use crate::triggers;
pub(crate) use refresh::{refresh_stale, sweep};
use session::Session;

/// Writes the file and shares it for a while. With `out_of_sync`, only what differs from what was applied.
pub(crate) async fn run(
    store: &Store,
    files: &Files,
    data_source: &str,
    out_of_sync: bool,
) -> Result<Outcome, WorkError> {
    // Before anything is read: what changes from here on is told again.
    triggers::taken(store, data_source).await?;
    let mut session = Session::open(store, data_source).await?;
    // What is in the file decides how references are written, so it is found first.
    let mut after = String::new();
    if out_of_sync {
        while let Some(page) = session.page(&after, false).await? {
            for entry in &page {
                let fingerprint = session.fingerprint(entry).await?;
                if entry.out_of_sync(&fingerprint) {
                    session.include(&entry.document.id).await?;
                }
            }
            page.last().map_or("", |entry| entry.document.id.as_str()).clone_into(&mut after);
        }
    } else {
        session.include_all().await?;
    }

    let draft = files.draft()?;
    let key = draft.key.clone();
    let secret = Files::share(store, &key).await?;
    let mut file = BufWriter::new(std::fs::File::create(draft.path())?);
    let mut warnings = Vec::new();
    file.write_all(b"{\"accessProviders\":[")?;
    let mut first = true;
    after.clear();
    while let Some(page) = session.page(&after, true).await? {
        page.last().map_or("", |entry| entry.document.id.as_str()).clone_into(&mut after);
        warnings.append(&mut session.warnings().await?);
        let mut written = Vec::with_capacity(page.len());
        for entry in page {
            file.write_all(if first { b"\n" } else { b",\n" })?;
            first = false;
            let fingerprint = session.write(&entry, &mut file, &mut warnings).await?;
            written.push((entry, fingerprint));
        }
        session.note_exported(&written).await?;
    }
    session.close().await?;
    let now = now();
    writeln!(file, "\n],\"lastCalculated\":{},\"fileBuildTime\":{now}}}", now / 1000)?;
    file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    files.publish(draft).await.map_err(|error| WorkError::storage(&error))?;
    Ok(Outcome::Export { file_key: key, secret, warnings })
}
