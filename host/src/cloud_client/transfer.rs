//! Files to and from the cloud's store.
//!
//! An upload asks the API for a signed address, quoting length and SHA-256 (Base64), and puts the file there
//! with the headers that the signature covers and nothing else. Three attempts are made, each from the
//! beginning of the file, which is never held in memory. A download is a plain request without credentials, and is
//! begun anew in the same way.
//!
//! Neither has a time limit as a whole. An upload of which nothing was taken for [`Timing::idle`], and an answer that
//! stands still as long, have failed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Method};
use serde_json::{Map, Value};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncWriteExt as _, BufWriter};
use tokio_util::io::ReaderStream;
use url::Url;

#[cfg(doc)]
use super::Timing;
use super::jobs::JobType;
use super::repeat::Repeat;
use super::{CloudClient, CloudError, send, success};

/// Bytes of a file that are read at once.
const CHUNK: usize = 64 * 1024;

/// A file that is ready to be uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its length in bytes.
    pub length: u64,
    /// SHA-256 of its content in standard Base64 with padding.
    pub sha256: String,
}

/// Where to put a file, and what to call it afterwards.
struct SignedUpload {
    url: Url,
    key: String,
    headers: HeaderMap,
}

const WHAT: &str = "the upload";

impl CloudClient {
    /// Uploads a file and gives the key under which an import finds it. If uploads are skipped, the key is
    /// the local path.
    pub async fn upload(&self, file: &UploadFile) -> Result<String, CloudError> {
        self.upload_to("file/upload/signed-url", None, file).await
    }

    /// Likewise for the log of a task.
    pub async fn upload_log(&self, job_type: JobType, file: &UploadFile) -> Result<String, CloudError> {
        self.upload_to("file/upload/logs/signed-url", Some(job_type), file).await
    }

    async fn upload_to(
        &self,
        path: &str,
        task: Option<JobType>,
        file: &UploadFile,
    ) -> Result<String, CloudError> {
        if self.shared.options.skip_file_upload {
            return Ok(file.path.to_string_lossy().into_owned());
        }
        let signed = self.signed_upload(path, task, file).await?;
        let mut waits = self.shared.options.timing.upload_retry.into_iter();
        let mut attempts = 1;
        loop {
            let Err(last) = self.put(&signed, file).await else { return Ok(signed.key) };
            let Some(wait) = waits.next() else {
                let file = file.path.display().to_string();
                return Err(CloudError::Upload { file, attempts, last: Box::new(last) });
            };
            tracing::debug!(error = %last, attempts, "an upload failed and is tried again");
            tokio::time::sleep(wait).await;
            attempts += 1;
        }
    }

    /// Downloads a file without credentials and gives its length. The file is created or replaced.
    pub async fn download(&self, location: &str, to: &Path) -> Result<u64, CloudError> {
        let what = "the download";
        // The address may be a signature and is not repeated.
        let url = Url::parse(location).map_err(|_| CloudError::BadAnswer {
            what,
            reason: "the location of the file is not an address".to_owned(),
        })?;
        let mut waits = self.shared.options.timing.upload_retry.into_iter();
        loop {
            let error = match self.get(url.clone(), to).await {
                Ok(length) => return Ok(length),
                Err(error) => error,
            };
            let again = match &error {
                CloudError::Unreachable { .. } => true,
                CloudError::Status { status, .. } => *status == 429 || *status >= 500,
                _ => false,
            };
            match waits.next() {
                Some(wait) if again => tokio::time::sleep(wait).await,
                _ => return Err(error),
            }
        }
    }

    /// One attempt at a download.
    async fn get(&self, url: Url, to: &Path) -> Result<u64, CloudError> {
        let what = "the download";
        let response = success(what, send(what, self.bare(Method::GET, url)).await?).await?;
        let failed = |error: std::io::Error| file_error("write", to, &error);
        let mut file = BufWriter::new(create(to).await.map_err(failed)?);
        let mut stream = response.bytes_stream();
        let mut length = 0;
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| CloudError::unreachable(what, error))?;
            file.write_all(&chunk).await.map_err(failed)?;
            length += chunk.len() as u64;
        }
        file.flush().await.map_err(failed)?;
        Ok(length)
    }

    async fn signed_upload(
        &self,
        path: &str,
        task: Option<JobType>,
        file: &UploadFile,
    ) -> Result<SignedUpload, CloudError> {
        let mut url = self.address(path)?;
        url.query_pairs_mut()
            .append_pair("contentLength", &file.length.to_string())
            .append_pair("sha256", &file.sha256)
            .extend_pairs(task.map(|task| ("task", task.name())));
        let text = self.call(WHAT, Repeat::Safe, self.bare(Method::GET, url)).await?;
        let bad = |reason: &str| CloudError::BadAnswer { what: WHAT, reason: reason.to_owned() };
        // The parser's message would be harmless, but the text holds a signature: keep it simple.
        let members: Map<String, Value> =
            serde_json::from_str(&text).map_err(|_| bad("not a JSON object"))?;
        let member = |name: &str| {
            let mut members = members.iter();
            members.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        };
        let text = |name: &str| member(name).and_then(Value::as_str);
        let url = text("URL").and_then(|url| Url::parse(url).ok());
        let mut headers = HeaderMap::new();
        if let Some(signed) = member("signedHeaders").and_then(Value::as_object) {
            for (name, values) in signed {
                let name = HeaderName::try_from(name.as_str())
                    .map_err(|_| bad("a signed header has no valid name"))?;
                // These two follow from address and file.
                if name == HOST || name == CONTENT_LENGTH {
                    continue;
                }
                for value in values.as_array().into_iter().flatten().filter_map(Value::as_str) {
                    let value = HeaderValue::try_from(value)
                        .map_err(|_| bad("a signed header has no valid value"))?;
                    headers.append(name.clone(), value);
                }
            }
        }
        Ok(SignedUpload {
            url: url.ok_or_else(|| bad("no address to upload to"))?,
            key: text("Key").ok_or_else(|| bad("no file key"))?.to_owned(),
            headers,
        })
    }

    /// One attempt. The file is opened anew, so each begins at its beginning.
    async fn put(&self, signed: &SignedUpload, file: &UploadFile) -> Result<(), CloudError> {
        let taken = Arc::new(AtomicU64::new(0));
        let body = if file.length == 0 {
            Body::from(Vec::new())
        } else {
            let open = File::open(&file.path).await;
            let open = open.map_err(|error| file_error("read", &file.path, &error))?;
            let taken = Arc::clone(&taken);
            Body::wrap_stream(ReaderStream::with_capacity(open, CHUNK).inspect_ok(move |chunk| {
                taken.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            }))
        };
        let request = self
            .shared
            .uploads
            .request(Method::PUT, signed.url.clone())
            .headers(signed.headers.clone())
            .header(CONTENT_LENGTH, file.length)
            .body(body);
        let sending = async {
            success(WHAT, send(WHAT, request).await?).await?;
            Ok(())
        };
        let idle = self.shared.options.timing.idle;
        tokio::select! {
            outcome = sending => outcome,
            () = standstill(&taken, idle) => Err(CloudError::Unreachable {
                what: WHAT,
                host: signed.url.host_str().unwrap_or_default().to_owned(),
                reason: format!("nothing was taken for {}", humantime::format_duration(idle)),
            }),
        }
    }
}

/// Ends when the count has stood still for this long.
async fn standstill(taken: &AtomicU64, idle: std::time::Duration) {
    let mut before = None;
    loop {
        let now = taken.load(Ordering::Relaxed);
        if before == Some(now) {
            return;
        }
        before = Some(now);
        tokio::time::sleep(idle).await;
    }
}

/// A file that its owner alone may read: it says who has access to what.
async fn create(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    options.mode(0o600);
    options.open(path).await
}

fn file_error(action: &'static str, path: &Path, error: &std::io::Error) -> CloudError {
    CloudError::File { action, path: path.display().to_string(), reason: error.to_string() }
}
