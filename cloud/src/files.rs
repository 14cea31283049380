//! Uploaded and exported files, and signed addresses that let somebody without a token write one file or
//! read one file for a while.
//!
//! # Whose addresses
//!
//! Where files lie in a folder, an address is one of this server: it carries 258 random bits, of which the
//! database keeps the hash, beside an end and, for uploads, the announced length and SHA-256. An upload address
//! works once.
//!
//! Where they lie in an object store, an upload address is one of the store: its signature covers
//! the SHA-256, so that the store takes the announced file alone. Such a file is counted and hashed again when it
//! is imported. A download address is one of this server, which sends the reader on to the store.
//!
//! # How long files stay
//!
//! An upload until its import has ended; one that is never imported a week. A log of a task 30 days. An export as
//! long as its address. [`Files::sweep`] removes what has had its time; any replica may do it.

mod storage;
mod stored;

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{Stream, StreamExt};
use object_store::{GetResult, WriteMultipart};
use sha2::{Digest, Sha256};
use sqlx::Row;
use tempfile::NamedTempFile;
use tokio::io::AsyncReadExt as _;

pub use storage::StorageAddress;
pub(crate) use storage::{SignedRequest, Storage};
pub(crate) use stored::StoredFile;

use crate::CloudError;
use crate::ids::{fingerprint, new_id, new_secret, now};
use crate::store::Store;

const HOUR: i64 = 3600 * 1000;
const UPLOAD_MILLISECONDS: i64 = HOUR;
const DOWNLOAD_MILLISECONDS: i64 = HOUR;
/// How long an uploaded file that nobody refers to is kept beyond the end of its address.
const UNUSED_MILLISECONDS: i64 = 7 * 24 * HOUR;
/// How long the logs of tasks are kept.
const LOG_MILLISECONDS: i64 = 30 * 24 * HOUR;
/// How long the store's own address is good for that a reader is sent on to.
const REDIRECT: Duration = Duration::from_mins(15);
/// The largest file that is accepted; far above what a connector writes, and below what a typing error asks for.
const LARGEST_UPLOAD: i64 = 1 << 40;
/// Files up to this size are held in memory while they arrive.
const SMALL: i64 = 1024 * 1024;
/// How many parts of a larger file may be on their way to the storage.
const PARTS_AT_ONCE: usize = 2;

/// All files.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    storage: Storage,
}

/// Where and under which key a client may upload.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// What the client quotes afterwards.
    pub(crate) key: String,
    pub(crate) place: Place,
}

/// Where to send a file.
#[derive(Debug)]
pub(crate) enum Place {
    /// To this server, with this secret in the address.
    Here { secret: String },
    /// Straight to the store.
    Store(SignedRequest),
}

/// Where to read a file.
pub(crate) enum Shared {
    /// Here.
    File(Box<GetResult>),
    /// At this address of the store.
    At(String),
}

/// Why an upload was refused. Nothing is kept then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    #[error("this upload address is unknown, was used already, or has ended")]
    Address,
    #[error("the file has {received} bytes or more, {announced} were announced")]
    Length { announced: i64, received: i64 },
    #[error("the SHA-256 of the file is not the one that was announced")]
    Hash,
    #[error("the upload was interrupted")]
    Interrupted,
    #[error("the file could not be written")]
    Write(#[from] object_store::Error),
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// Why there is no upload address.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TicketError {
    #[error("contentLength must be between 0 and 1 TiB")]
    Length,
    #[error("sha256 must be 32 bytes in standard Base64")]
    Hash,
    #[error("the storage could not sign an address")]
    Sign(#[from] object_store::Error),
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// A file could not be opened or looked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("the storage failed")]
    Storage(#[from] object_store::Error),
    #[error("the file could not be read or written")]
    Io(#[from] std::io::Error),
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// A new file that is written here and appears under its key when it is published.
pub(crate) struct Draft {
    pub(crate) key: String,
    file: NamedTempFile,
}

impl Draft {
    /// Where to write it.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }
}

impl Files {
    /// Opens the storage. With `direct`, clients are sent straight to an object store.
    pub(crate) async fn open(address: &StorageAddress, direct: bool) -> Result<Self, CloudError> {
        Ok(Self { storage: Storage::open(address, direct).await? })
    }

    /// The storage itself.
    pub(crate) fn storage(&self) -> &Storage {
        &self.storage
    }

    /// A new file.
    pub(crate) fn draft(&self) -> Result<Draft, std::io::Error> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("draft#");
        let file = match self.storage.draft_folder() {
            Some(folder) => builder.tempfile_in(folder),
            None => builder.tempfile(),
        };
        Ok(Draft { key: new_id(), file: file? })
    }

    /// Makes a finished draft visible.
    pub(crate) async fn publish(&self, draft: Draft) -> Result<(), FileError> {
        let Draft { key, file } = draft;
        if let Some(folder) = self.storage.draft_folder() {
            let path = folder.join(key);
            let (file, temporary) = file.into_parts();
            tokio::fs::File::from_std(file).sync_all().await?;
            return temporary.persist(path).map_err(|error| error.error.into());
        }
        let mut content = tokio::fs::File::open(file.path()).await?;
        let length = content.metadata().await?.len();
        let (upload, part) = self.storage.begin(&key, length).await?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, part);
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let read = content.read(&mut buffer).await?;
            let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else { break };
            upload.wait_for_capacity(PARTS_AT_ONCE).await?;
            upload.write(piece);
        }
        upload.finish().await?;
        Ok(())
    }

    /// Removes a file that has served its purpose; one that is gone already is fine. Its row stays until its
    /// address has ended, since the store's addresses may be used again.
    pub(crate) async fn remove(&self, store: &Store, key: &str) {
        let noted = sqlx::query("UPDATE uploads SET state = 'done' WHERE file_key = $1")
            .bind(key)
            .execute(store.pool())
            .await;
        if let Err(error) = noted {
            // The sweep finds it.
            tracing::warn!(%error, "it could not be noted that a file is no longer needed");
        }
        self.remove_content(key).await;
    }

    async fn remove_content(&self, key: &str) {
        if !is_key(key) {
            return;
        }
        if let Err(error) = self.storage.remove(key).await {
            tracing::warn!(key, %error, "a file that is no longer needed could not be removed");
        }
    }

    /// Lets somebody upload one file of this length and hash (Base64, standard alphabet).
    pub(crate) async fn ticket(
        &self,
        store: &Store,
        length: i64,
        sha256: &str,
    ) -> Result<Ticket, TicketError> {
        if !(0..=LARGEST_UPLOAD).contains(&length) {
            return Err(TicketError::Length);
        }
        if STANDARD.decode(sha256).map(|hash| hash.len()) != Ok(32) {
            return Err(TicketError::Hash);
        }
        let key = new_id();
        let valid = Duration::from_millis(UPLOAD_MILLISECONDS.unsigned_abs());
        let secret = new_secret();
        let signed = self.storage.signed_upload(&key, length, sha256, valid).await?;
        let (place, state) = signed.map_or_else(
            || (Place::Here { secret: secret.clone() }, "open"),
            |signed| (Place::Store(signed), "direct"),
        );
        sqlx::query(
            "INSERT INTO uploads (file_key, secret_hash, content_length, sha256, expires_at, state) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&key)
        .bind(fingerprint(&secret))
        .bind(length)
        .bind(sha256)
        .bind(now() + UPLOAD_MILLISECONDS)
        .bind(state)
        .execute(store.pool())
        .await?;
        Ok(Ticket { key, place })
    }

    /// Receives the file for a ticket.
    pub(crate) async fn receive<S, B, E>(
        &self,
        store: &Store,
        key: &str,
        secret: &str,
        body: S,
    ) -> Result<(), UploadError>
    where
        S: Stream<Item = Result<B, E>>,
        B: AsRef<[u8]>,
    {
        if !is_key(key) {
            return Err(UploadError::Address);
        }
        let row = sqlx::query(
            "UPDATE uploads SET state = 'used' WHERE file_key = $1 AND secret_hash = $2 AND state = 'open' \
             AND expires_at > $3 RETURNING content_length, sha256",
        )
        .bind(key)
        .bind(fingerprint(secret))
        .bind(now())
        .fetch_optional(store.pool())
        .await?
        .ok_or(UploadError::Address)?;
        let (announced, sha256): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
        let mut arriving =
            Arriving { announced, received: 0, hash: Sha256::new(), body: std::pin::pin!(body) };
        if announced <= SMALL {
            let mut content = Vec::with_capacity(usize::try_from(announced).unwrap_or_default());
            while let Some(piece) = arriving.next().await? {
                content.extend_from_slice(piece.as_ref());
            }
            arriving.end(&sha256)?;
            self.storage.put(key, content).await?;
        } else {
            let (upload, part) = self.storage.begin(key, announced.unsigned_abs()).await?;
            let mut upload = WriteMultipart::new_with_chunk_size(upload, part);
            let outcome = async {
                while let Some(piece) = arriving.next().await? {
                    upload.wait_for_capacity(PARTS_AT_ONCE).await?;
                    upload.write(piece.as_ref());
                }
                arriving.end(&sha256)
            }
            .await;
            if let Err(error) = outcome {
                if let Err(left) = upload.abort().await {
                    tracing::warn!(key, error = %left, "parts of a refused upload could not be removed");
                }
                return Err(error);
            }
            upload.finish().await?;
        }
        sqlx::query("UPDATE uploads SET state = 'stored' WHERE file_key = $1")
            .bind(key)
            .execute(store.pool())
            .await?;
        Ok(())
    }

    /// Opens an uploaded file for its import; none if nothing was uploaded under this key.
    pub(crate) async fn uploaded(&self, store: &Store, key: &str) -> Result<Option<StoredFile>, FileError> {
        let row = sqlx::query("SELECT content_length, sha256, state FROM uploads WHERE file_key = $1")
            .bind(key)
            .fetch_optional(store.pool())
            .await?;
        let Some(row) = row else { return Ok(None) };
        let (announced, sha256, state): (i64, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let direct = state == "direct";
        if !direct && state != "stored" {
            return Ok(None);
        }
        let Some(found) = self.storage.get(key).await? else { return Ok(None) };
        Ok(Some(if direct {
            StoredFile::unchecked(found, announced, sha256)
        } else {
            StoredFile::checked(found)
        }))
    }

    /// Lets anybody who knows the returned secret read a file for a while. Also before the file is there, so
    /// that a file which is never finished is swept away.
    pub(crate) async fn share(store: &Store, key: &str) -> Result<String, sqlx::Error> {
        let secret = new_secret();
        sqlx::query("INSERT INTO downloads (secret_hash, file_key, expires_at) VALUES ($1, $2, $3)")
            .bind(fingerprint(&secret))
            .bind(key)
            .bind(now() + DOWNLOAD_MILLISECONDS)
            .execute(store.pool())
            .await?;
        Ok(secret)
    }

    /// The file that a secret gives access to.
    pub(crate) async fn shared(&self, store: &Store, secret: &str) -> Result<Option<Shared>, FileError> {
        let row = sqlx::query("SELECT file_key FROM downloads WHERE secret_hash = $1 AND expires_at > $2")
            .bind(fingerprint(secret))
            .bind(now())
            .fetch_optional(store.pool())
            .await?;
        let Some(row) = row else { return Ok(None) };
        let key: String = row.try_get(0)?;
        if let Some(address) = self.storage.signed_download(&key, REDIRECT).await? {
            return Ok(self.storage.length(&key).await?.map(|_| Shared::At(address)));
        }
        Ok(self.storage.get(&key).await?.map(|found| Shared::File(Box::new(found))))
    }

    /// Removes files that have had their time.
    pub(crate) async fn sweep(&self, store: &Store) -> Result<(), sqlx::Error> {
        self.sweep_at(store, now()).await
    }

    /// A statement that deletes nothing would wait for imports all the same: so each one looks first.
    async fn sweep_at(&self, store: &Store, now: i64) -> Result<(), sqlx::Error> {
        let old_logs =
            "SELECT l.file_key FROM job_logs l JOIN jobs j ON j.id = l.job_id WHERE j.created_at < $1";
        for key in keys(store, old_logs, now - LOG_MILLISECONDS).await? {
            sqlx::query("DELETE FROM job_logs WHERE file_key = $1").bind(key).execute(store.pool()).await?;
        }
        let ended =
            "SELECT file_key FROM uploads WHERE state IN ('open', 'used', 'done') AND expires_at < $1";
        // Queued work quotes its files in its text. A key is 21 characters: it is found there only if it is meant.
        let unused = "SELECT u.file_key FROM uploads u WHERE u.expires_at < $1 \
             AND NOT EXISTS (SELECT 1 FROM job_logs l WHERE l.file_key = u.file_key) \
             AND NOT EXISTS (SELECT 1 FROM work_queue w WHERE w.work LIKE '%' || u.file_key || '%')";
        let mut uploads = keys(store, ended, now).await?;
        uploads.extend(keys(store, unused, now - UNUSED_MILLISECONDS).await?);
        for key in uploads {
            // The file goes first: what a crash leaves in between is found again.
            self.remove_content(&key).await;
            sqlx::query("DELETE FROM uploads WHERE file_key = $1").bind(key).execute(store.pool()).await?;
        }
        let downloads = "SELECT file_key FROM downloads WHERE expires_at < $1";
        for key in keys(store, downloads, now).await? {
            let upload = sqlx::query("SELECT 1 FROM uploads WHERE file_key = $1").bind(&key);
            // A log that was shared stays a log.
            if upload.fetch_optional(store.pool()).await?.is_none() {
                self.remove_content(&key).await;
            }
            sqlx::query("DELETE FROM downloads WHERE file_key = $1 AND expires_at < $2")
                .bind(key)
                .bind(now)
                .execute(store.pool())
                .await?;
        }
        Ok(())
    }
}

/// Keys of files, some of them.
async fn keys(store: &Store, query: &'static str, before: i64) -> Result<Vec<String>, sqlx::Error> {
    const ROUND: usize = 1000;
    let mut rows = sqlx::query(query).bind(before).fetch_all(store.pool()).await?;
    rows.truncate(ROUND);
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// Keys are ids made here; anything else is no key.
pub(crate) fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The body of an upload, counted and hashed.
struct Arriving<S> {
    announced: i64,
    received: i64,
    hash: Sha256,
    body: S,
}

impl<S, B, E> Arriving<S>
where
    S: Stream<Item = Result<B, E>> + Unpin,
    B: AsRef<[u8]>,
{
    async fn next(&mut self) -> Result<Option<B>, UploadError> {
        let Some(piece) = self.body.next().await else { return Ok(None) };
        let piece = piece.map_err(|_| UploadError::Interrupted)?;
        let length = i64::try_from(piece.as_ref().len()).unwrap_or(i64::MAX);
        self.received = self.received.saturating_add(length);
        if self.received > self.announced {
            return Err(UploadError::Length { announced: self.announced, received: self.received });
        }
        self.hash.update(piece.as_ref());
        Ok(Some(piece))
    }

    fn end(&mut self, sha256: &str) -> Result<(), UploadError> {
        if self.received != self.announced {
            return Err(UploadError::Length { announced: self.announced, received: self.received });
        }
        let found = STANDARD.encode(std::mem::take(&mut self.hash).finalize());
        if found == sha256 { Ok(()) } else { Err(UploadError::Hash) }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

    use super::*;

    async fn states(store: &Store) -> Vec<(String, String)> {
        let rows = sqlx::query("SELECT file_key, state FROM uploads ORDER BY file_key")
            .fetch_all(store.pool())
            .await
            .unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// Uploads a file; returns its key.
    async fn upload(files: &Files, store: &Store, content: &[u8]) -> String {
        let sha256 = STANDARD.encode(Sha256::digest(content));
        let ticket = files.ticket(store, i64::try_from(content.len()).unwrap(), &sha256).await.unwrap();
        let Place::Here { secret } = ticket.place else { unreachable!() };
        let body = futures::stream::iter([Ok::<_, std::io::Error>(content.to_vec())]);
        files.receive(store, &ticket.key, &secret, body).await.unwrap();
        ticket.key
    }

    #[tokio::test]
    async fn files_go_when_they_have_had_their_time() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &crate::store::Database::Folder).await.unwrap();
        let files = Files::open(&StorageAddress::Folder(folder.path().join("files")), true).await.unwrap();
        let unused = upload(&files, &store, b"unused").await;
        let done = upload(&files, &store, b"done").await;
        let queued = upload(&files, &store, &vec![b'x'; 3 * 1024 * 1024]).await;
        let log = upload(&files, &store, b"log").await;
        files.remove(&store, &done).await;
        for statement in [
            format!(
                "INSERT INTO work_queue (id, job_id, job_type, subtask_id, work, attempts) VALUES ('q', 'j', 'DS', 's', '{{\"file\":\"{queued}\"}}', 0)"
            ),
            format!(
                "INSERT INTO jobs (id, status, errors, created_at, updated_at) VALUES ('j', 'STARTED', '[]', {}, 0)",
                now()
            ),
            format!("INSERT INTO job_logs (job_id, job_type, file_key) VALUES ('j', 'DS', '{log}')"),
        ] {
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(store.pool()).await.unwrap();
        }
        let draft = files.draft().unwrap();
        std::fs::write(draft.path(), "export").unwrap();
        let export = draft.key.clone();
        Files::share(&store, &export).await.unwrap();
        files.publish(draft).await.unwrap();

        files.sweep(&store).await.unwrap();
        assert_eq!(files.storage().count().await.unwrap(), 4);
        assert_eq!(states(&store).await.len(), 4);
        files.sweep_at(&store, now() + UPLOAD_MILLISECONDS + 1).await.unwrap();
        let left: Vec<String> = states(&store).await.into_iter().map(|(key, _)| key).collect();
        let mut expected = vec![unused.clone(), queued.clone(), log.clone()];
        expected.sort();
        assert_eq!(left, expected, "the row of the imported file goes with its address");
        assert!(files.storage().get(&export).await.unwrap().is_none());
        files.sweep_at(&store, now() + UPLOAD_MILLISECONDS + UNUSED_MILLISECONDS + 1).await.unwrap();
        assert!(files.uploaded(&store, &unused).await.unwrap().is_none());
        assert!(files.uploaded(&store, &queued).await.unwrap().is_some());
        assert!(files.uploaded(&store, &log).await.unwrap().is_some());
        files.sweep_at(&store, now() + LOG_MILLISECONDS + UPLOAD_MILLISECONDS).await.unwrap();
        assert!(files.uploaded(&store, &log).await.unwrap().is_none());
        assert_eq!(files.storage().count().await.unwrap(), 1);
    }

    #[tokio::test]
    async fn what_an_interrupted_process_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let address = StorageAddress::Folder(folder.path().to_owned());
        let files = Files::open(&address, true).await.unwrap();
        std::fs::write(folder.path().join("key#1"), "half").unwrap();
        std::fs::write(folder.path().join("whole"), "whole").unwrap();
        files.storage().remove_unfinished().unwrap();
        let left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["whole"]);
    }
}
