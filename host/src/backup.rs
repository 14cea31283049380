//! Copies of the files that go to a target or come from it.
//!
//! ```text
//! <file-backup-location>/<target>-<kind>/<time>/<file>
//! ```
//!
//! The target's name without anything but ASCII letters and digits; the kind says what was done (`full`: a run, `access`:
//! `raito access apply`, `apply-access`); the local time of its beginning. Copies are readable by their owner alone. Of the oldest, as many are
//! removed as there are more than `maximum-backups-per-target`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::BackupSettings;
use crate::failure::{Failure, FailureKind};
use crate::target::Files;

/// Where the copies of one run go; nowhere, if the target has no place for them.
pub(crate) struct Backup {
    folder: Option<PathBuf>,
    keep: u64,
}

impl Backup {
    /// Makes the folder.
    ///
    /// # Errors
    /// It cannot be made: then what would not be backed up is not done.
    pub(crate) fn begin(settings: &BackupSettings, target: &str, kind: &str) -> Result<Self, Failure> {
        let Some(location) = &settings.location else { return Ok(Backup { folder: None, keep: 0 }) };
        let name: String = target.chars().filter(char::is_ascii_alphanumeric).collect();
        let now = time::OffsetDateTime::now_local().unwrap_or_else(|_| time::OffsetDateTime::now_utc());
        let format = time::macros::format_description!("[year]-[month]-[day]T[hour]-[minute]-[second]");
        let parent = location.join(format!("{name}-{kind}"));
        let folder = parent.join(now.format(format).unwrap_or_default());
        create(&folder).map_err(|error| {
            let message = format!("the folder {} for backups cannot be made: {error}", folder.display());
            Failure::new(FailureKind::Configuration, message).hint("correct `file-backup-location`")
        })?;
        Ok(Backup { folder: Some(folder), keep: settings.keep })
    }

    /// Copies all files of a target, and removes what is too old.
    ///
    /// # Errors
    /// A copy cannot be written.
    pub(crate) fn keep_all(&self, files: &Files) -> Result<(), Failure> {
        let Some(folder) = &self.folder else { return Ok(()) };
        self.copy(folder, &files.written()).map_err(|error| {
            Failure::unexpected(format!("the backup in {} is not complete: {error}", folder.display()))
                .hint("check the free disk space and the rights of the folder")
        })
    }

    fn copy(&self, folder: &Path, files: &[PathBuf]) -> io::Result<()> {
        for file in files {
            let Some(name) = file.file_name() else { continue };
            let mut source = fs::File::open(file)?;
            let mut options = fs::OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut copy = options.open(folder.join(name))?;
            io::copy(&mut source, &mut copy)?;
            copy.sync_all()?;
        }
        if fs::read_dir(folder)?.next().is_none() {
            fs::remove_dir(folder)?;
        }
        let Some(parent) = folder.parent().filter(|_| self.keep > 0) else { return Ok(()) };
        let mut runs = Vec::new();
        for entry in fs::read_dir(parent)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                runs.push(entry.path());
            }
        }
        // Names are times: the first are the oldest.
        runs.sort();
        let keep = usize::try_from(self.keep).unwrap_or(usize::MAX);
        for old in runs.iter().take(runs.len().saturating_sub(keep)) {
            // What is too old does no harm.
            if let Err(error) = fs::remove_dir_all(old) {
                tracing::warn!(target: "raito", %error, "an old backup cannot be removed: {}", old.display());
            }
        }
        Ok(())
    }
}

/// Two runs can begin within a second; the second gets the same folder.
fn create(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
