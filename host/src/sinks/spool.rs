//! Spool files: the JSON arrays that are uploaded.
//!
//! Records are encoded on the connector's thread into chunks of [`CHUNK`] bytes; a second thread hashes and writes
//! them. At most [`CHUNKS_AHEAD`] chunks wait between the two, so memory stays flat and a slow disk slows the
//! connector down. The hash is known when the file is, without reading it again.
//!
//! With a size limit the records are spread over files with a counter in their names (`x_0.json`, `x_1.json`, …), even
//! when one is enough. A file is ended when it holds something and the next item with its separator would
//! exceed the limit; a larger item gets a file of its own.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::records::json;

/// Bytes handed over at once.
const CHUNK: usize = 256 * 1024;
/// Chunks between the encoder and the writer.
const CHUNKS_AHEAD: usize = 4;

/// A finished spool file.
#[derive(Clone, Debug)]
pub struct SpoolFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// SHA-256 of its content.
    pub sha256: [u8; 32],
}

/// How the items of a file are laid out.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Line feeds before each item.
    pub line_feeds: usize,
    /// Bytes after which a new file is begun; 0: one file, without a counter in its name.
    pub split_at: u64,
}

impl Layout {
    /// Users, groups, data objects and access controls: two line feeds before each, one file.
    pub const RECORDS: Layout = Layout { line_feeds: 2, split_at: 0 };
    /// Feedback: one line feed before each, one file.
    pub const FEEDBACK: Layout = Layout { line_feeds: 1, split_at: 0 };

    /// Usage: one line feed before each, split.
    pub const fn usage(split_at: u64) -> Layout {
        Layout { line_feeds: 1, split_at }
    }
}

/// A spool file, or several, being written.
pub struct Spool {
    path: PathBuf,
    layout: Layout,
    writer: Writer,
    /// Bytes of the current file, those in `chunk` included.
    bytes: u64,
    items: u64,
    chunk: Vec<u8>,
    item: Vec<u8>,
    finished: Vec<SpoolFile>,
}

impl Spool {
    /// Creates the file, readable by its owner alone.
    ///
    /// # Errors
    /// If it cannot be created, or exists already.
    pub fn create(path: &Path, layout: Layout) -> io::Result<Self> {
        let mut spool = Spool {
            path: path.to_owned(),
            layout,
            writer: Writer::start(&file_name(path, layout, 0))?,
            bytes: 0,
            items: 0,
            chunk: Vec::with_capacity(CHUNK + CHUNK / 4),
            item: Vec::with_capacity(1024),
            finished: Vec::new(),
        };
        spool.append(b"[");
        Ok(spool)
    }

    /// Adds an item.
    ///
    /// # Errors
    /// If an earlier chunk could not be written.
    pub fn push(&mut self, item: &impl Serialize) -> io::Result<()> {
        if self.layout.split_at == 0 {
            // The common case encodes straight into the chunk.
            let start = self.chunk.len();
            self.separate();
            json::append(&mut self.chunk, item)?;
            self.bytes += (self.chunk.len() - start) as u64;
        } else {
            let mut encoded = std::mem::take(&mut self.item);
            encoded.clear();
            json::append(&mut encoded, item)?;
            if self.bytes > 0 && self.bytes + encoded.len() as u64 + 2 > self.layout.split_at {
                self.next_file()?;
            }
            let start = self.chunk.len();
            self.separate();
            self.chunk.extend_from_slice(&encoded);
            self.bytes += (self.chunk.len() - start) as u64;
            self.item = encoded;
        }
        self.items += 1;
        if self.chunk.len() >= CHUNK { self.hand_over() } else { Ok(()) }
    }

    /// Ends the file.
    ///
    /// # Errors
    /// If it could not be written.
    pub fn finish(mut self) -> io::Result<Vec<SpoolFile>> {
        self.append(b"\n]");
        self.hand_over()?;
        let mut files = self.finished;
        files.push(self.writer.finish()?);
        Ok(files)
    }

    fn separate(&mut self) {
        if self.items > 0 {
            self.chunk.push(b',');
        }
        self.chunk.resize(self.chunk.len() + self.layout.line_feeds, b'\n');
    }

    fn append(&mut self, bytes: &[u8]) {
        self.chunk.extend_from_slice(bytes);
        self.bytes += bytes.len() as u64;
    }

    fn hand_over(&mut self) -> io::Result<()> {
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK + CHUNK / 4));
        self.writer.send(chunk)
    }

    fn next_file(&mut self) -> io::Result<()> {
        self.append(b"\n]");
        self.hand_over()?;
        let next = Writer::start(&file_name(&self.path, self.layout, self.finished.len() + 1))?;
        self.finished.push(std::mem::replace(&mut self.writer, next).finish()?);
        (self.bytes, self.items) = (0, 0);
        self.append(b"[");
        Ok(())
    }
}

fn file_name(path: &Path, layout: Layout, number: usize) -> PathBuf {
    if layout.split_at == 0 { path.to_owned() } else { numbered(path, number) }
}

/// The path of one part of a file that is split.
pub(crate) fn numbered(path: &Path, number: usize) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map(|extension| format!(".{}", extension.to_string_lossy()));
    path.with_file_name(format!("{stem}_{number}{}", extension.unwrap_or_default()))
}

/// The thread that hashes and writes.
struct Writer {
    chunks: Option<SyncSender<Vec<u8>>>,
    thread: Option<JoinHandle<io::Result<SpoolFile>>>,
}

impl Writer {
    fn start(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        let (chunks, incoming) = sync_channel(CHUNKS_AHEAD);
        let path = path.to_owned();
        let thread = std::thread::Builder::new()
            .name("raito-spool".into())
            .spawn(move || write(file, path, &incoming))?;
        Ok(Writer { chunks: Some(chunks), thread: Some(thread) })
    }

    fn send(&mut self, chunk: Vec<u8>) -> io::Result<()> {
        match &self.chunks {
            Some(chunks) if chunks.send(chunk).is_ok() => Ok(()),
            // The thread has ended early, which it does only on an error.
            _ => Err(self.join().err().unwrap_or_else(|| io::Error::other("the spool was ended before"))),
        }
    }

    fn finish(mut self) -> io::Result<SpoolFile> {
        self.join()
    }

    fn join(&mut self) -> io::Result<SpoolFile> {
        self.chunks = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => Err(io::Error::other("the thread that writes the spool file ended unexpectedly")),
            None => Err(io::Error::other("the spool file was ended before")),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.chunks = None;
        if let Some(thread) = self.thread.take() {
            // Dropped without `finish`: the step has failed already, and the file goes with its folder.
            drop(thread.join());
        }
    }
}

fn write(mut file: File, path: PathBuf, chunks: &Receiver<Vec<u8>>) -> io::Result<SpoolFile> {
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    for chunk in chunks {
        hash.update(&chunk);
        file.write_all(&chunk)?;
        bytes += chunk.len() as u64;
    }
    file.flush()?;
    Ok(SpoolFile { path, bytes, sha256: hash.finalize().into() })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

    use sha2::{Digest, Sha256};

    use super::{Layout, Spool};

    fn contents(layout: Layout, items: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::create(&folder.path().join("x.json"), layout).unwrap();
        for item in items {
            spool.push(item).unwrap();
        }
        let files = spool.finish().unwrap();
        files
            .iter()
            .map(|file| {
                let content = std::fs::read(&file.path).unwrap();
                assert_eq!(file.bytes, content.len() as u64);
                assert_eq!(file.sha256, <[u8; 32]>::from(Sha256::digest(&content)));
                let name = file.path.file_name().unwrap().to_string_lossy().into_owned();
                format!("{name}: {}", String::from_utf8(content).unwrap())
            })
            .collect()
    }

    #[test]
    fn the_layout_is_that_of_raitos_connectors() {
        assert_eq!(contents(Layout::RECORDS, &["a", "b"]), ["x.json: [\n\n\"a\",\n\n\"b\"\n]"]);
        assert_eq!(contents(Layout::FEEDBACK, &["a", "b"]), ["x.json: [\n\"a\",\n\"b\"\n]"]);
        assert_eq!(contents(Layout::RECORDS, &[]), ["x.json: [\n]"]);
    }

    #[test]
    fn a_limit_splits_and_an_item_larger_than_it_stands_alone() {
        assert_eq!(contents(Layout::usage(1000), &["a"]), ["x_0.json: [\n\"a\"\n]"]);
        // "[", line feed and item make 7 bytes; with the next item's 5 and 2 more they exceed 13.
        assert_eq!(
            contents(Layout::usage(13), &["aaa", "bbb", "c"]),
            ["x_0.json: [\n\"aaa\"\n]", "x_1.json: [\n\"bbb\",\n\"c\"\n]"]
        );
        assert_eq!(contents(Layout::usage(3), &["aaa"]), ["x_0.json: [\n]", "x_1.json: [\n\"aaa\"\n]"]);
    }

    #[test]
    fn large_spools_are_written_in_chunks() {
        let item = "x".repeat(1000);
        let items: Vec<&str> = std::iter::repeat_n(item.as_str(), 2000).collect();
        let files = contents(Layout::RECORDS, &items);
        assert_eq!(files[0].len(), "x.json: [".len() + 2000 * 1004 + 1999 + 2);
    }
}
