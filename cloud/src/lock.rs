//! The data folder, and what keeps two processes from opening the same database in it.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::CloudError;

/// A lock on a data folder. The system releases it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes the lock on a folder that is there.
    pub(crate) fn take(folder: &Path) -> Result<Self, CloudError> {
        let failed = |action, source| CloudError::Io { action, path: folder.to_owned(), source };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join("lock"))
            .map_err(|source| failed("lock the folder", source))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(CloudError::InUse { folder: folder.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed("lock the folder", source)),
        }
    }
}

/// Creates the folder if need be.
pub(crate) fn create(folder: &Path) -> Result<(), CloudError> {
    let failed = |action, source| CloudError::Io { action, path: folder.to_owned(), source };
    if !folder.is_dir() {
        std::fs::create_dir_all(folder).map_err(|source| failed("create the folder", source))?;
        restrict(folder).map_err(|source| failed("restrict the permissions of", source))?;
    }
    Ok(())
}

/// A new folder is for its owner alone: it will hold who has access to what. One that was there keeps its
/// permissions.
#[cfg(unix)]
fn restrict(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn restrict(_folder: &Path) -> std::io::Result<()> {
    Ok(())
}
