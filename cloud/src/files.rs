//! Uploaded and exported files: a folder, and signed addresses that let somebody without a token write one
//! file or read one file for a while.
//!
//! An address carries 258 random bits; the database keeps their hash, an end, and for uploads the announced
//! length and SHA-256. An upload address works once. A file appears under its key only when it is complete
//! and its hash is right: it is written beside and then renamed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use sqlx::Row;
use tokio::io::AsyncWriteExt;

use crate::CloudError;
use crate::ids::{fingerprint, new_id, new_secret, now};
use crate::store::Store;

const UPLOAD_MILLISECONDS: i64 = 3600 * 1000;
const DOWNLOAD_MILLISECONDS: i64 = 3600 * 1000;
/// What an unfinished file that nobody has written to for so long is.
const ABANDONED: Duration = Duration::from_hours(1);
/// The largest file that is accepted; far above what a connector writes, and below what a typing error asks for.
const LARGEST_UPLOAD: i64 = 1 << 40;

/// The folder of files.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    folder: PathBuf,
}

/// Where and under which key a client may upload.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// The secret part of the address.
    pub(crate) secret: String,
    /// What the client quotes afterwards.
    pub(crate) key: String,
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
    Write(#[source] std::io::Error),
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// The announced length or hash makes no sense.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TicketError {
    #[error("contentLength must be between 0 and 1 TiB")]
    Length,
    #[error("sha256 must be 32 bytes in standard Base64")]
    Hash,
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl Files {
    /// Opens the folder; what an interrupted upload or export left is removed.
    pub(crate) fn open(folder: PathBuf) -> Result<Self, CloudError> {
        let failed = |action, source| CloudError::Io { action, path: folder.clone(), source };
        std::fs::create_dir_all(&folder).map_err(|source| failed("create the folder", source))?;
        for entry in std::fs::read_dir(&folder).map_err(|source| failed("read the folder", source))? {
            let path = entry.map_err(|source| failed("read the folder", source))?.path();
            if path.extension().is_some_and(|extension| extension == "part") && is_abandoned(&path) {
                std::fs::remove_file(&path).map_err(|source| failed("clean up in", source))?;
            }
        }
        Ok(Self { folder })
    }

    /// The path of a stored file. Keys are ids made here; anything else has no file.
    pub(crate) fn path(&self, key: &str) -> Option<PathBuf> {
        let plain =
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        plain.then(|| self.folder.join(key))
    }

    /// A new file that appears under its key when [`Files::publish`] is called.
    pub(crate) fn draft(&self) -> (String, PathBuf) {
        let key = new_id();
        let draft = self.draft_path(&key);
        (key, draft)
    }

    /// Makes a finished draft visible.
    pub(crate) async fn publish(&self, key: &str) -> Result<(), std::io::Error> {
        tokio::fs::rename(self.draft_path(key), self.folder.join(key)).await
    }

    fn draft_path(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.part"))
    }

    /// Removes a stored file; one that is gone already is fine.
    pub(crate) async fn remove(&self, key: &str) {
        if let Some(path) = self.path(key)
            && let Err(error) = tokio::fs::remove_file(&path).await
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "a file that is no longer needed could not be removed");
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
        let ticket = Ticket { secret: new_secret(), key: new_id() };
        let now = now();
        sqlx::query("DELETE FROM uploads WHERE expires_at < $1 AND state <> 'stored'")
            .bind(now)
            .execute(store.pool())
            .await?;
        sqlx::query(
            "INSERT INTO uploads (file_key, secret_hash, content_length, sha256, expires_at, state) \
             VALUES ($1, $2, $3, $4, $5, 'open')",
        )
        .bind(&ticket.key)
        .bind(fingerprint(&ticket.secret))
        .bind(length)
        .bind(sha256)
        .bind(now + UPLOAD_MILLISECONDS)
        .execute(store.pool())
        .await?;
        Ok(ticket)
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
        if self.path(key).is_none() {
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
        let draft = self.draft_path(key);
        match write_checked(&draft, announced, &sha256, body).await {
            Ok(()) => {
                self.publish(key).await.map_err(UploadError::Write)?;
                sqlx::query("UPDATE uploads SET state = 'stored' WHERE file_key = $1")
                    .bind(key)
                    .execute(store.pool())
                    .await?;
                Ok(())
            }
            Err(error) => {
                let _ = tokio::fs::remove_file(&draft).await;
                Err(error)
            }
        }
    }

    /// Lets anybody who knows the returned secret read a file for a while.
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
    pub(crate) async fn shared(&self, store: &Store, secret: &str) -> Result<Option<PathBuf>, sqlx::Error> {
        let row = sqlx::query("SELECT file_key FROM downloads WHERE secret_hash = $1 AND expires_at > $2")
            .bind(fingerprint(secret))
            .bind(now())
            .fetch_optional(store.pool())
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(self.path(row.try_get(0)?))
    }

    /// Removes shared files whose address has ended.
    pub(crate) async fn sweep(&self, store: &Store) -> Result<(), sqlx::Error> {
        let rows = sqlx::query("DELETE FROM downloads WHERE expires_at < $1 RETURNING file_key")
            .bind(now())
            .fetch_all(store.pool())
            .await?;
        for row in rows {
            self.remove(row.try_get(0)?).await;
        }
        Ok(())
    }
}

/// Another server that shares the folder may be writing to it.
fn is_abandoned(path: &Path) -> bool {
    let age = path.metadata().and_then(|found| found.modified()).ok().and_then(|time| time.elapsed().ok());
    age.is_none_or(|age| age >= ABANDONED)
}

async fn write_checked<S, B, E>(path: &Path, announced: i64, sha256: &str, body: S) -> Result<(), UploadError>
where
    S: Stream<Item = Result<B, E>>,
    B: AsRef<[u8]>,
{
    let mut body = std::pin::pin!(body);
    let file = tokio::fs::File::create(path).await.map_err(UploadError::Write)?;
    let mut file = tokio::io::BufWriter::with_capacity(256 * 1024, file);
    let mut hash = Sha256::new();
    let mut received: i64 = 0;
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|_| UploadError::Interrupted)?;
        let piece = piece.as_ref();
        received = received.saturating_add(i64::try_from(piece.len()).unwrap_or(i64::MAX));
        if received > announced {
            return Err(UploadError::Length { announced, received });
        }
        hash.update(piece);
        file.write_all(piece).await.map_err(UploadError::Write)?;
    }
    if received != announced {
        return Err(UploadError::Length { announced, received });
    }
    if STANDARD.encode(hash.finalize()) != sha256 {
        return Err(UploadError::Hash);
    }
    file.flush().await.map_err(UploadError::Write)?;
    file.get_ref().sync_all().await.map_err(UploadError::Write)
}
