//! Where files are kept: a folder, or a bucket of an S3-compatible store.
//!
//! Both are used through one interface. A file is visible under its key when it is complete, and not before:
//! in a folder it is written beside, flushed to the disk and renamed; a store shows no half-written object.
//!
//! What a store of the other kind needs comes from the environment, under the names of every other tool:
//! `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL` (or
//! `AWS_ENDPOINT_URL_S3`), a web identity token, or the role of the machine or the container.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::signer::{HeaderName, HeaderValue, Method, SignedUrlOptions, Signer as _};
use object_store::{
    ClientOptions, GetResult, MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload, RetryConfig,
};

use crate::CloudError;

/// How long requests to a store are tried again before they fail.
const RETRY: Duration = Duration::from_secs(30);
/// The largest file that a store takes with one request.
const LARGEST_SIGNED_UPLOAD: i64 = 5 * 1024 * 1024 * 1024;
/// The header with the SHA-256 of an object in standard Base64: the store compares it with what arrives.
const CHECKSUM_HEADER: &str = "x-amz-checksum-sha256";
/// The smallest part of an upload in several parts that every store takes is 5 MiB.
const PART: u64 = 8 * 1024 * 1024;
/// Stores take at most 10,000 parts.
const PARTS: u64 = 9_000;
/// What the folder calls a file that is being written: its name and a number, with this between them.
const UNFINISHED: char = '#';

/// Where files are kept, as an operator writes it.
#[derive(Clone, PartialEq, Eq)]
pub enum StorageAddress {
    /// A folder of this machine; created if need be.
    Folder(PathBuf),
    /// A bucket, and what every key in it starts with (without slashes at the ends; may be empty).
    S3 {
        /// The name of the bucket.
        bucket: String,
        /// What keys start with.
        prefix: String,
        /// Settings under the names of environment variables, such as `AWS_ENDPOINT_URL`. They win over the
        /// environment.
        settings: BTreeMap<String, String>,
    },
}

impl fmt::Debug for StorageAddress {
    /// Without the settings, which hold secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "StorageAddress({self})")
    }
}

impl FromStr for StorageAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORMS: &str = "write s3://BUCKET, s3://BUCKET/PREFIX or file:///FOLDER";
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let plain =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
            if bucket.len() < 3 || !bucket.bytes().all(plain) {
                return Err(format!("`{bucket}` is not the name of a bucket; {FORMS}"));
            }
            let prefix = prefix.trim_matches('/');
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/.-_=".contains(&byte);
            if !prefix.bytes().all(plain) || prefix.split('/').any(|part| part == "." || part == "..") {
                return Err(format!(
                    "the prefix `{prefix}` may consist of letters, digits, `.`, `-`, `_`, `=` and `/` only"
                ));
            }
            return Ok(Self::S3 {
                bucket: bucket.to_owned(),
                prefix: prefix.to_owned(),
                settings: BTreeMap::new(),
            });
        }
        if text.starts_with("file://") {
            let url = url::Url::parse(text).map_err(|error| format!("{error}; {FORMS}"))?;
            return url
                .to_file_path()
                .map(Self::Folder)
                .map_err(|()| format!("`{text}` is not the address of a folder of this machine; {FORMS}"));
        }
        Err(format!("`{text}` names no storage that is known; {FORMS}"))
    }
}

impl fmt::Display for StorageAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(formatter, "the folder {}", folder.display()),
            Self::S3 { bucket, prefix, .. } if prefix.is_empty() => write!(formatter, "s3://{bucket}"),
            Self::S3 { bucket, prefix, .. } => write!(formatter, "s3://{bucket}/{prefix}"),
        }
    }
}

/// An open storage; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    /// Set for a folder.
    folder: Option<PathBuf>,
    /// Set where clients are sent straight to the store.
    signer: Option<Arc<AmazonS3>>,
}

/// An address of the store for one request.
#[derive(Debug)]
pub(crate) struct SignedRequest {
    pub(crate) url: String,
    /// Headers that must be sent with these values.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Storage {
    /// Opens it and makes sure that files can be written. With `direct`, clients are sent straight to the
    /// store where there is one.
    pub(crate) async fn open(address: &StorageAddress, direct: bool) -> Result<Self, CloudError> {
        let storage = match address {
            StorageAddress::Folder(folder) => Self::folder(folder)?,
            StorageAddress::S3 { bucket, prefix, settings } => {
                let store = Arc::new(s3(bucket, settings).map_err(|source| CloudError::Storage {
                    address: address.clone(),
                    source: Box::new(source),
                })?);
                Self {
                    store: Arc::clone(&store) as Arc<dyn ObjectStore>,
                    prefix: prefix.clone(),
                    folder: None,
                    signer: direct.then_some(store),
                }
            }
        };
        storage
            .check()
            .await
            .map_err(|source| CloudError::Storage { address: address.clone(), source: Box::new(source) })?;
        Ok(storage)
    }

    fn folder(folder: &Path) -> Result<Self, CloudError> {
        let failed = |action, source| CloudError::Io { action, path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(|source| failed("create the folder", source))?;
        let store = LocalFileSystem::new_with_prefix(folder)
            .map_err(|source| failed("open the folder", source.into()))?
            .with_fsync(true);
        Ok(Self {
            store: Arc::new(store),
            prefix: String::new(),
            folder: Some(folder.to_owned()),
            signer: None,
        })
    }

    /// Removes what an interrupted process left in a folder. Only while nobody else writes there.
    pub(crate) fn remove_unfinished(&self) -> Result<(), CloudError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let failed = |action, source| CloudError::Io { action, path: folder.clone(), source };
        for entry in std::fs::read_dir(folder).map_err(|source| failed("read the folder", source))? {
            let entry = entry.map_err(|source| failed("read the folder", source))?;
            if entry.file_name().to_string_lossy().contains(UNFINISHED) {
                std::fs::remove_file(entry.path()).map_err(|source| failed("clean up in", source))?;
            }
        }
        Ok(())
    }

    /// Whether it is somewhere else than on this machine.
    pub(crate) fn is_remote(&self) -> bool {
        self.folder.is_none()
    }

    /// Writes a few bytes and removes them again.
    pub(crate) async fn check(&self) -> Result<(), object_store::Error> {
        let key = self.key(&format!("probe-{}", crate::ids::new_id()));
        self.store.put(&key, PutPayload::from_static(b"raito")).await?;
        self.store.delete(&key).await
    }

    fn key(&self, key: &str) -> Key {
        if self.prefix.is_empty() { Key::from(key) } else { Key::from(format!("{}/{key}", self.prefix)) }
    }

    /// An address to which anybody may send exactly the file of this SHA-256, once or again; none where files have
    /// to come through this server. A file without content does too: clients announce no length with it, and
    /// stores insist on one. The length is not signed, since the hash says more.
    pub(crate) async fn signed_upload(
        &self,
        key: &str,
        length: i64,
        sha256: &str,
        valid: Duration,
    ) -> Result<Option<SignedRequest>, object_store::Error> {
        let Some(signer) = &self.signer else { return Ok(None) };
        let Ok(checksum) = HeaderValue::from_str(sha256) else { return Ok(None) };
        if !(1..=LARGEST_SIGNED_UPLOAD).contains(&length) {
            return Ok(None);
        }
        let options =
            SignedUrlOptions::new().with_signed_header(HeaderName::from_static(CHECKSUM_HEADER), checksum);
        let url = signer.signed_url_opts(Method::PUT, &self.key(key), valid, &options).await?;
        Ok(Some(SignedRequest { url: url.into(), headers: vec![(CHECKSUM_HEADER, sha256.to_owned())] }))
    }

    /// An address from which anybody may read a file, if clients are sent straight to the store.
    pub(crate) async fn signed_download(
        &self,
        key: &str,
        valid: Duration,
    ) -> Result<Option<String>, object_store::Error> {
        let Some(signer) = &self.signer else { return Ok(None) };
        Ok(Some(signer.signed_url(Method::GET, &self.key(key), valid).await?.into()))
    }

    /// Writes a small file at once.
    pub(crate) async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), object_store::Error> {
        self.store.put(&self.key(key), content.into()).await.map(|_| ())
    }

    /// Begins to write a file in parts of the size that is returned too. It appears when it is completed.
    pub(crate) async fn begin(
        &self,
        key: &str,
        length: u64,
    ) -> Result<(Box<dyn MultipartUpload>, usize), object_store::Error> {
        let part = if self.folder.is_some() { PART / 8 } else { PART.max(length.div_ceil(PARTS)) };
        let upload = self.store.put_multipart(&self.key(key)).await?;
        Ok((upload, usize::try_from(part).unwrap_or(usize::MAX)))
    }

    /// Opens a file for reading; none if there is no such file.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<GetResult>, object_store::Error> {
        found(self.store.get(&self.key(key)).await)
    }

    /// The length of a file; none if there is no such file.
    pub(crate) async fn length(&self, key: &str) -> Result<Option<u64>, object_store::Error> {
        Ok(found(self.store.head(&self.key(key)).await)?.map(|found| found.size))
    }

    /// Removes a file; one that is gone already is fine.
    pub(crate) async fn remove(&self, key: &str) -> Result<(), object_store::Error> {
        found(self.store.delete(&self.key(key)).await).map(|_| ())
    }

    /// The folder in which drafts lie that become files by being renamed.
    pub(crate) fn draft_folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// How many files there are.
    #[cfg(test)]
    pub(crate) async fn count(&self) -> Result<u64, object_store::Error> {
        use futures::TryStreamExt as _;
        let prefix = (!self.prefix.is_empty()).then(|| Key::from(self.prefix.as_str()));
        let count = |count: u64, _| futures::future::ready(Ok(count + 1));
        self.store.list(prefix.as_ref()).try_fold(0, count).await
    }
}

fn found<T>(answer: Result<T, object_store::Error>) -> Result<Option<T>, object_store::Error> {
    match answer {
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        answer => answer.map(Some),
    }
}

fn s3(bucket: &str, settings: &BTreeMap<String, String>) -> Result<AmazonS3, object_store::Error> {
    // The client asks for the process's cryptography. Where somebody has chosen one already, it stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let plain = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]
        .iter()
        .filter_map(|name| settings.get(*name).cloned().or_else(|| std::env::var(name).ok()))
        .any(|endpoint| endpoint.starts_with("http://"));
    // No time-out for a whole answer: a large file takes as long as it takes. One for silence instead.
    let client = ClientOptions::new()
        .with_timeout_disabled()
        .with_read_timeout(Duration::from_mins(1))
        .with_connect_timeout(Duration::from_secs(10))
        .with_allow_http(plain);
    let mut builder = AmazonS3Builder::from_env();
    for (name, value) in settings {
        builder = builder.with_config(name.to_ascii_lowercase().parse()?, value);
    }
    builder
        .with_bucket_name(bucket)
        .with_client_options(client)
        .with_retry(RetryConfig { max_retries: 5, retry_timeout: RETRY, ..RetryConfig::default() })
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown() {
        let s3 = |bucket: &str, prefix: &str| StorageAddress::S3 {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            settings: BTreeMap::new(),
        };
        assert_eq!("s3://acme-raito".parse(), Ok(s3("acme-raito", "")));
        assert_eq!("s3://acme-raito/prod/raito/".parse(), Ok(s3("acme-raito", "prod/raito")));
        assert_eq!("file:///var/x%20y".parse(), Ok(StorageAddress::Folder(PathBuf::from("/var/x y"))));
        assert_eq!(s3("acme", "a/b").to_string(), "s3://acme/a/b");
    }

    #[test]
    fn other_addresses_are_refused_with_what_to_write() {
        for text in ["", "data", "s3:/x", "s3://", "s3://A", "s3://acme/../x", "s3://acme/a?b=c", "gs://acme"]
        {
            let refused = text.parse::<StorageAddress>();
            assert!(refused.is_err(), "{text}");
        }
        let refused = "file://host/x".parse::<StorageAddress>().err().unwrap_or_default();
        assert!(refused.contains("file:///FOLDER"), "{refused}");
    }
}
