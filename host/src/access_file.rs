//! Access files of access-as-code: who has access to what, written by people and kept in a repository.
//!
//! The format is Raito's own, as [`crate::records::desired`] reads it from Raito Cloud, judged as strictly as
//! something that people write by hand has to be; `docs/access-file.md` is its reference. [`load`] reads one file or
//! a folder of them:
//!
//! 1. `folder` finds the files;
//! 2. `events` and `tree` give the access providers of each, one at a time, with the place of everything;
//! 3. `check` judges each by the tables of `format`, and `control` what tables cannot say;
//! 4. `links` keeps what access controls say about each other, and resolves it when all files are read;
//! 5. the access controls go into the spool: one file in Raito's shape that the rest of the program works with.
//!
//! Every file is read once, so that all of this is about the same content. What is kept in memory is one access
//! provider and the [`Index`]. In between, the records wait in an unnamed temporary file: what a name in `inheritFrom`
//! stands for is known at the end only.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod check;
mod control;
mod events;
mod finding;
mod folder;
mod format;
mod index;
mod links;
mod record;
mod schema;
mod source;
mod top;
mod tree;
mod vocabulary;

#[cfg(test)]
mod tests;

pub use finding::{Finding, Findings, Position, SHOWN};
pub use index::{Index, Located};
pub use schema::schema;
pub use vocabulary::Vocabulary;

use finding::{Place, Report};
use links::Links;
use record::Record;

/// What was loaded.
#[derive(Debug)]
pub struct AccessFile {
    /// The files, in the order in which they were read.
    pub files: Vec<PathBuf>,
    /// How many access controls they hold.
    pub controls: usize,
    /// The first [`SHOWN`] things worth knowing that stop nothing.
    pub warnings: Vec<Finding>,
    /// How many more there were.
    pub warnings_left_out: usize,
    /// What is known about each access control.
    pub index: Index,
}

/// Loads an access file, or a folder of them, and writes the merged result to `spool`, which is made (readable by its
/// owner alone) or replaced.
///
/// References to access controls stand there as `ID:<id>`, and permissions as the target spells them where a
/// `vocabulary` is given. Without one, types and permissions are not judged.
///
/// # Errors
/// Everything that is wrong in all of the files. The spool is not complete then.
pub fn load(path: &Path, vocabulary: Option<&Vocabulary>, spool: &Path) -> Result<AccessFile, Findings> {
    let found = folder::files(path).map_err(|refused| Finding {
        path: Arc::new(refused.path),
        position: None,
        control: None,
        message: refused.message,
        hint: refused.hint.map(str::to_owned),
    })?;
    let all = found.paths.iter().cloned().chain(found.left_out.iter().map(|(path, _)| path.clone()));
    let mut report = Report::new(all);
    for (at, (_, why)) in (found.paths.len()..).zip(&found.left_out) {
        report.warning(whole(at), None, why.clone(), None);
    }
    let cannot_spool = |error: &io::Error| {
        Findings::from(Finding {
            path: Arc::new(spool.to_owned()),
            position: None,
            control: None,
            message: format!("the merged access file cannot be written: {error}"),
            hint: None,
        })
    };
    let beside = spool.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let waiting = tempfile::tempfile_in(beside).map_err(|error| cannot_spool(&error))?;
    let mut waiting = BufWriter::with_capacity(1 << 18, waiting);
    let mut links = Links::default();
    for (at, file) in found.paths.iter().enumerate() {
        let opened = match File::open(file) {
            Ok(opened) => opened,
            Err(error) => {
                report.error(whole(at), None, format!("cannot be read: {error}"), None);
                continue;
            }
        };
        let mut written = Ok(());
        top::read(opened, index::number(at), &mut report, |node, report| {
            let Some(control) = control::read(node, vocabulary, report) else { return };
            links.add(&control, report);
            if written.is_ok() && !report.has_errors() {
                written = write_line(&mut waiting, &control.record);
            }
        });
        written.map_err(|error| cannot_spool(&error))?;
    }
    links.finish(&mut report);
    if links.index.is_empty() && !report.has_errors() {
        let hint = "everything that was made from these files is to be removed";
        report.warning(whole(0), None, "there is no access control in it".into(), Some(hint.into()));
    }
    let (warnings, total) = report.finish()?;
    write_spool(waiting, &links, spool).map_err(|error| cannot_spool(&error))?;
    let mut index = links.index;
    index.files.clone_from(&found.paths);
    Ok(AccessFile {
        files: found.paths,
        controls: index.len(),
        warnings_left_out: total.saturating_sub(warnings.len()),
        warnings,
        index,
    })
}

/// A file as a whole.
fn whole(file: usize) -> Place {
    Place { file: index::number(file), position: None }
}

fn write_line(waiting: &mut impl Write, record: &Record) -> io::Result<()> {
    serde_json::to_writer(&mut *waiting, record)?;
    waiting.write_all(b"\n")
}

/// Writes what has waited into the spool, with references resolved.
fn write_spool(waiting: BufWriter<File>, links: &Links, spool: &Path) -> io::Result<()> {
    let mut waiting = waiting.into_inner().map_err(io::IntoInnerError::into_error)?;
    waiting.rewind()?;
    let mut waiting = BufReader::with_capacity(1 << 18, waiting);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut spool = BufWriter::with_capacity(1 << 18, options.open(spool)?);
    spool.write_all(b"{\"accessProviders\":[")?;
    let mut separator: &[u8] = b"\n";
    let (mut line, mut encoded) = (Vec::new(), Vec::new());
    while waiting.read_until(b'\n', &mut line)? > 0 {
        let mut record: Record = serde_json::from_slice(&line)?;
        for who in [&mut record.who, &mut record.deleted_who] {
            let mut resolved: Vec<String> = Vec::with_capacity(who.inherit_from.len());
            for text in &who.inherit_from {
                let spelling = links.spelling(text);
                if !resolved.contains(&spelling) {
                    resolved.push(spelling);
                }
            }
            who.inherit_from = resolved;
        }
        encoded.clear();
        serde_json::to_writer(&mut encoded, &record)?;
        spool.write_all(separator)?;
        spool.write_all(&encoded)?;
        separator = b",\n";
        line.clear();
    }
    spool.write_all(b"\n]}\n")?;
    spool.flush()
}
