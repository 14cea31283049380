//! The file of a backup: written once, checked whole before anything is taken from it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use object_store::GetResult;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tar::{Archive, Builder, EntryType, Header};
use tempfile::NamedTempFile;

use crate::CloudError;
use crate::files::StoredFile;

const MANIFEST: &str = "manifest.json";
const FORMAT: &str = "raito-cloud-backup";
const FORMAT_VERSION: u32 = 1;
/// A manifest has a line for each entry; more than this is none.
const LARGEST_MANIFEST: u64 = 256 * 1024 * 1024;

/// What an archive says about itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Manifest {
    format: String,
    format_version: u32,
    /// The version of the program that wrote it.
    server_version: String,
    /// The version of the database's schema.
    pub(super) schema_version: i64,
    /// Where it comes from; it can be restored to any engine.
    engine: String,
    pub(super) domain: String,
    /// Milliseconds since 1970.
    created_at: i64,
    pub(super) tables: Vec<TableEntry>,
    /// All entries but this one, by name.
    entries: BTreeMap<String, EntryDigest>,
}

/// A table in an archive.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TableEntry {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    pub(super) rows: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EntryDigest {
    bytes: u64,
    /// In hexadecimal.
    sha256: String,
}

impl Manifest {
    pub(super) fn new(
        schema_version: i64,
        engine: String,
        domain: String,
        created_at: i64,
        tables: Vec<TableEntry>,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            format_version: FORMAT_VERSION,
            server_version: env!("CARGO_PKG_VERSION").to_owned(),
            schema_version,
            engine,
            domain,
            created_at,
            tables,
            entries: BTreeMap::new(),
        }
    }
}

/// Writes an archive beside its place, readable for its owner alone, and moves it there when it is complete.
pub(super) struct Writer {
    target: PathBuf,
    builder: Builder<BufWriter<NamedTempFile>>,
    entries: BTreeMap<String, EntryDigest>,
}

impl Writer {
    pub(super) fn create(target: &Path) -> Result<Self, CloudError> {
        let failed = |source| CloudError::Io { action: "write", path: target.to_owned(), source };
        if target.exists() {
            return Err(failed(io::Error::new(io::ErrorKind::AlreadyExists, "there is such a file already")));
        }
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
        let file = tempfile::Builder::new()
            .prefix(".raito-backup")
            .tempfile_in(folder.unwrap_or(Path::new(".")))
            .map_err(failed)?;
        let builder = Builder::new(BufWriter::with_capacity(1024 * 1024, file));
        Ok(Self { target: target.to_owned(), builder, entries: BTreeMap::new() })
    }

    /// Adds an entry.
    pub(super) fn add(&mut self, name: &str, content: &[u8]) -> Result<(), CloudError> {
        self.append(name, content.len() as u64, content).map_err(|source| self.failed(source))
    }

    /// Adds a stored file.
    pub(super) async fn add_file(mut self, name: &str, found: GetResult) -> Result<Self, CloudError> {
        let (name, length) = (name.to_owned(), found.meta.size);
        let file = StoredFile::checked(found);
        let written = tokio::task::spawn_blocking(move || {
            let outcome = self.append(&name, length, file);
            (self, outcome)
        });
        let (writer, outcome) = written.await.map_err(|error| CloudError::Invalid {
            reason: format!("the backup was interrupted: {error}"),
        })?;
        match outcome {
            Ok(()) => Ok(writer),
            Err(source) => Err(writer.failed(source)),
        }
    }

    fn append(&mut self, name: &str, length: u64, content: impl Read) -> io::Result<()> {
        let mut content = Hashing { inner: content, hash: Sha256::new(), bytes: 0 };
        self.builder.append_data(&mut header(length), name, &mut content)?;
        if content.bytes != length {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("{name} changed while it was read"),
            ));
        }
        self.entries.insert(name.to_owned(), content.digest());
        Ok(())
    }

    /// Ends the archive with its manifest.
    pub(super) fn finish(mut self, manifest: Manifest) -> Result<(), CloudError> {
        let manifest = Manifest { entries: std::mem::take(&mut self.entries), ..manifest };
        let target = self.target.clone();
        let failed = |source| CloudError::Io { action: "write", path: target.clone(), source };
        let text = serde_json::to_vec_pretty(&manifest).map_err(|error| failed(error.into()))?;
        self.append(MANIFEST, text.len() as u64, text.as_slice()).map_err(failed)?;
        let mut buffer = self.builder.into_inner().map_err(failed)?;
        buffer.flush().map_err(failed)?;
        let file = buffer.into_inner().map_err(|error| failed(error.into_error()))?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist_noclobber(&target).map_err(|error| failed(error.error))?;
        Ok(())
    }

    fn failed(&self, source: io::Error) -> CloudError {
        CloudError::Io { action: "write", path: self.target.clone(), source }
    }
}

fn header(length: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o600);
    header.set_size(length);
    header
}

/// A reader that counts and hashes.
struct Hashing<R> {
    inner: R,
    hash: Sha256,
    bytes: u64,
}

impl<R> Hashing<R> {
    fn digest(self) -> EntryDigest {
        use std::fmt::Write as _;
        let sha256 = self.hash.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        EntryDigest { bytes: self.bytes, sha256 }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..read).unwrap_or_default());
        self.bytes += read as u64;
        Ok(read)
    }
}

/// Reads an archive whole and compares every entry with the manifest.
pub(super) fn verify(file: &mut File) -> Result<Manifest, String> {
    let broken = |error: io::Error| format!("it cannot be read: {error}");
    file.rewind().map_err(broken)?;
    let mut archive = Archive::new(BufReader::with_capacity(1024 * 1024, file));
    let mut found = BTreeMap::new();
    let mut manifest = None;
    for entry in archive.entries().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        if manifest.is_some() {
            return Err("there is something after its manifest".to_owned());
        }
        let name = name(&entry.path().map_err(broken)?)?;
        if name == MANIFEST {
            let text = io::read_to_string(entry.take(LARGEST_MANIFEST)).map_err(broken)?;
            manifest = Some(
                serde_json::from_str::<Manifest>(&text)
                    .map_err(|error| format!("its manifest is not one that this version knows: {error}"))?,
            );
            continue;
        }
        let mut content = Hashing { inner: entry, hash: Sha256::new(), bytes: 0 };
        io::copy(&mut content, &mut io::sink()).map_err(broken)?;
        if found.insert(name.clone(), content.digest()).is_some() {
            return Err(format!("it has `{name}` twice"));
        }
    }
    let Some(manifest) = manifest else {
        return Err("it has no manifest: it is no backup, or was cut off".to_owned());
    };
    if manifest.format != FORMAT || manifest.format_version != FORMAT_VERSION {
        return Err(format!(
            "it has the format {} {}, this version reads {FORMAT} {FORMAT_VERSION}",
            manifest.format, manifest.format_version
        ));
    }
    for (name, digest) in &manifest.entries {
        match found.remove(name) {
            Some(other) if other == *digest => {}
            Some(_) => return Err(format!("`{name}` is not what was backed up: its SHA-256 differs")),
            None => return Err(format!("`{name}` is missing")),
        }
    }
    match found.keys().next() {
        Some(name) => Err(format!("`{name}` is not in its manifest")),
        None => Ok(manifest),
    }
}

/// Goes through the entries of a verified archive, in order.
pub(super) fn read(
    file: &mut File,
    mut each: impl FnMut(&str, u64, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    file.rewind()?;
    let mut archive = Archive::new(BufReader::with_capacity(1024 * 1024, file));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = name(&entry.path()?).map_err(io::Error::other)?;
        let length = entry.size();
        if name != MANIFEST {
            each(&name, length, &mut entry)?;
        }
    }
    Ok(())
}

fn name(path: &Path) -> Result<String, String> {
    path.to_str().map(str::to_owned).ok_or_else(|| "the name of an entry is not text".to_owned())
}
