//! A stored file while it is read by an import.

use std::fs::File;
use std::io::{self, Read};
use std::pin::Pin;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::TryStreamExt as _;
use object_store::{GetResult, GetResultPayload};
use sha2::{Digest, Sha256};
use tokio::io::AsyncRead;
use tokio_util::io::{StreamReader, SyncIoBridge};

/// A file to read on a thread that may block. What came past this server is compared with what was announced
/// while it is read: the bytes count only after [`StoredFile::finish`].
pub(crate) struct StoredFile {
    source: Source,
    check: Option<Check>,
}

enum Source {
    File(File),
    Stream(SyncIoBridge<Pin<Box<dyn AsyncRead + Send>>>),
}

/// What is known of a file, and what has been read of it.
struct Check {
    announced: i64,
    sha256: String,
    hash: Sha256,
    read: i64,
}

impl StoredFile {
    /// A file that was checked when it arrived.
    pub(crate) fn checked(found: GetResult) -> Self {
        let source = match found.payload {
            GetResultPayload::File(file, _) => Source::File(file),
            GetResultPayload::Stream(stream) => Source::Stream(SyncIoBridge::new(Box::pin(
                StreamReader::new(stream.map_err(io::Error::from)),
            ))),
        };
        Self { source, check: None }
    }

    /// A file of which only the announcement is known, its SHA-256 in standard Base64.
    pub(crate) fn unchecked(found: GetResult, announced: i64, sha256: String) -> Self {
        let check = Check { announced, sha256, hash: Sha256::new(), read: 0 };
        Self { check: Some(check), ..Self::checked(found) }
    }

    /// Reads what is left, and fails if the file is not the one that was announced.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        if self.check.is_none() {
            return Ok(());
        }
        io::copy(&mut self, &mut io::sink())?;
        let Some(check) = self.check else { return Ok(()) };
        if check.read != check.announced {
            let Check { announced, read, .. } = check;
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the file has {read} bytes, {announced} were announced"),
            ));
        }
        if STANDARD.encode(check.hash.finalize()) != check.sha256 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the SHA-256 of the file is not the one that was announced",
            ));
        }
        Ok(())
    }
}

impl Read for StoredFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.source {
            Source::File(file) => file.read(buffer)?,
            Source::Stream(stream) => stream.read(buffer)?,
        };
        if let (Some(check), Some(bytes)) = (&mut self.check, buffer.get(..read)) {
            check.hash.update(bytes);
            check.read = check.read.saturating_add(i64::try_from(read).unwrap_or(i64::MAX));
        }
        Ok(read)
    }
}
