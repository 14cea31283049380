//! The log of a task, as Raito Cloud shows it: everything that was said at any level while the step ran.
//!
//! Lines are `<local time> [<level>] <logger>: <message>: key=value …`, where the logger is this program or the connector.
//! They go to a file in the system's folder for temporary files, readable by its owner alone, and are hashed on the
//! way. Values of secret parameters and the API user's password are replaced, whoever says them.
//!
//! The file is bounded: past [`HEAD`] bytes only warnings and errors are kept, past [`LIMIT`] nothing, and the last line
//! tells how much was left out.

use std::io::{self, BufWriter, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tracing::Level;

use crate::cloud_client::{UploadFile, version};
use crate::log::{self, Capture, Capturing};
use crate::sandbox::ConnectorLog;
use crate::secret::{MASK, is_secret_name};
use crate::target::LoadedTarget;

/// Bytes up to which every line is kept.
const HEAD: u64 = 12 << 20;
/// Bytes up to which warnings and errors are kept.
const LIMIT: u64 = 16 << 20;

/// The log of one task, being written. What the process logs goes into it until it is finished or dropped.
pub(super) struct TaskLog {
    inner: Arc<Inner>,
    _capturing: Capturing,
}

/// A finished log. The file is removed with it.
pub(super) struct FinishedLog {
    pub(super) file: NamedTempFile,
    pub(super) upload: UploadFile,
}

struct Inner {
    /// Knows what must not be shown.
    clean: ConnectorLog,
    /// What the connector calls itself.
    connector: String,
    /// None once the log is finished: an event may still be on its way then.
    state: Mutex<Option<State>>,
}

struct State {
    file: BufWriter<NamedTempFile>,
    hash: Sha256,
    bytes: u64,
    /// Lines that were left out, and their bytes.
    cut: (u64, u64),
    /// The first error; nothing is written after it.
    error: Option<io::Error>,
}

impl TaskLog {
    /// Begins the log of a step of a target.
    ///
    /// # Errors
    /// The file cannot be made.
    pub(super) fn begin(target: &LoadedTarget<'_>, step: &str) -> io::Result<Self> {
        let file = tempfile::Builder::new().prefix("raito-task-").suffix(".log").tempfile()?;
        let (info, settings) = (&target.info, target.settings);
        let secret = settings.api_secret.iter().map(|secret| secret.expose().to_owned());
        let inner = Arc::new(Inner {
            clean: target.log.also_without(secret),
            connector: target.log.clean(&info.name),
            state: Mutex::new(Some(State::new(file))),
        });
        let own = |text: &str| inner.own(Level::DEBUG, text);
        own(&format!("raito {}: {step} of the target {:?}", version::text(), settings.name));
        own(&format!("connector {} {} ({})", info.name, info.version, target.connector.path.display()));
        for (name, value) in settings.parameters.iter() {
            let declared = info.parameters.iter().any(|known| known.secret && known.name == *name);
            let value = if declared || is_secret_name(name) { MASK } else { value.as_str() };
            own(&format!("parameter {name}: {value}"));
        }
        let capturing = log::capture(Arc::clone(&inner) as Arc<dyn Capture>);
        Ok(TaskLog { inner, _capturing: capturing })
    }

    /// Adds a line of this program that stands in no other log.
    pub(super) fn line(&self, level: Level, text: &str) {
        self.inner.own(level, text);
    }

    /// Ends the log.
    ///
    /// # Errors
    /// It could not be written.
    pub(super) fn finish(self) -> io::Result<FinishedLog> {
        let TaskLog { inner, _capturing: capturing } = self;
        drop(capturing);
        let Some(mut state) = inner.lock().take() else {
            return Err(io::Error::other("the log was finished before"));
        };
        let (lines, bytes) = state.cut;
        if lines > 0 {
            let text = format!("the log was cut: {lines} lines ({bytes} bytes) were left out");
            state.write(&inner.format(Level::WARN, &log::name(), &text));
        }
        let State { file, hash, bytes, error, .. } = state;
        error.map_or(Ok(()), Err)?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let upload = UploadFile {
            path: file.path().to_owned(),
            length: bytes,
            sha256: STANDARD.encode(hash.finalize()),
        };
        Ok(FinishedLog { file, upload })
    }
}

impl Inner {
    fn own(&self, level: Level, text: &str) {
        self.add(level, &log::name(), text);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn format(&self, level: Level, logger: &str, text: &str) -> String {
        let level = level.as_str().to_ascii_lowercase();
        format!("{} [{level}] {logger}: {}\n", log::local_time(), self.clean.clean(text))
    }

    fn add(&self, level: Level, logger: &str, text: &str) {
        let line = self.format(level, logger, text);
        let mut state = self.lock();
        let Some(state) = state.as_mut() else { return };
        let limit = if level <= Level::WARN { LIMIT } else { HEAD };
        if state.bytes + line.len() as u64 > limit {
            state.cut.0 += 1;
            state.cut.1 += line.len() as u64;
        } else {
            state.write(&line);
        }
    }
}

impl State {
    fn new(file: NamedTempFile) -> Self {
        State { file: BufWriter::new(file), hash: Sha256::new(), bytes: 0, cut: (0, 0), error: None }
    }

    fn write(&mut self, line: &str) {
        if self.error.is_none() {
            self.hash.update(line.as_bytes());
            self.bytes += line.len() as u64;
            self.error = self.file.write_all(line.as_bytes()).err();
        }
    }
}

impl Capture for Inner {
    fn event(&self, level: Level, source: &str, text: &str) {
        if source == log::CONNECTOR {
            self.add(level, &self.connector, text);
        } else {
            self.own(level, text);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

    use std::sync::Mutex;

    use tracing::Level;

    use super::{HEAD, Inner, LIMIT, State};
    use crate::sandbox::ConnectorLog;

    #[test]
    fn past_the_bound_only_what_went_wrong_is_kept_and_then_nothing() {
        let inner = Inner {
            clean: ConnectorLog::new("t", ["hunter22".to_owned()]),
            connector: "c".into(),
            state: Mutex::new(Some(State::new(tempfile::NamedTempFile::new().unwrap()))),
        };
        let long = "x".repeat(4000);
        let bytes = || inner.lock().as_ref().unwrap().bytes;
        let cut = || inner.lock().as_ref().unwrap().cut.0;
        while cut() == 0 {
            inner.add(Level::DEBUG, "c", &format!("{long} hunter22"));
        }
        assert!(bytes() > HEAD - 8000 && bytes() <= HEAD);
        inner.add(Level::ERROR, "c", "it broke: hunter22");
        let before = bytes();
        inner.add(Level::INFO, "c", &long);
        assert_eq!((bytes(), cut()), (before, 2));
        while cut() == 2 {
            inner.add(Level::WARN, "c", &long);
        }
        assert!(bytes() <= LIMIT);
        let file = inner.state.into_inner().unwrap().unwrap().file.into_inner().unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(!text.contains("hunter22") && text.contains("[error] c: it broke: [redacted]\n"));
    }
}
