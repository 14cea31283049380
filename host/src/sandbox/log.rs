//! What a connector says: `wasi:logging`, standard output and standard error.
//!
//! All of it is text from an untrusted source: control characters are escaped, the values of secret parameters are
//! replaced, long lines are cut, and after [`LINES`] lines of a call the rest is only counted. Standard output and
//! standard error are logged at the level `debug`.

use std::borrow::Cow;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use tracing::Level;
use wasmtime::component::Linker;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

use super::instance::State;
use crate::contract::logging::{self, Host};

/// Lines that one call may write.
const LINES: u64 = 10_000;
/// Bytes of a line that are kept.
const LINE: usize = 8 * 1024;
/// Warnings kept for the report of the step.
const WARNINGS: usize = 50;
/// Stands in the place of a secret value.
const REDACTED: &str = "[redacted]";

/// The log of one target's connector.
#[derive(Clone, Default)]
pub struct ConnectorLog {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    target: String,
    secrets: Vec<String>,
    lines: AtomicU64,
    warnings: Mutex<Vec<String>>,
}

impl ConnectorLog {
    /// `secrets` are values that never appear in it.
    pub fn new(target: impl Into<String>, secrets: impl IntoIterator<Item = String>) -> Self {
        // A value this short appears in ordinary text, and replacing it would hide that instead.
        let mut secrets: Vec<_> = secrets.into_iter().filter(|secret| secret.len() > 3).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        ConnectorLog { inner: Arc::new(Inner { target: target.into(), secrets, ..Inner::default() }) }
    }

    /// One that also leaves these values out, and collects warnings and counts lines for itself.
    #[must_use]
    pub fn also_without(&self, secrets: impl IntoIterator<Item = String>) -> Self {
        ConnectorLog::new(self.inner.target.clone(), self.inner.secrets.iter().cloned().chain(secrets))
    }

    /// Texts of the warnings since the last call of this.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.inner.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The text as it may be shown: escaped, without secrets, cut.
    pub fn clean(&self, text: &str) -> String {
        escaped(&self.redacted(text))
    }

    /// A text of several lines as it may be shown: escaped, without secrets, and whole.
    pub fn clean_lines(&self, text: &str) -> String {
        let text = self.redacted(text);
        text.lines().map(|line| escape(line, usize::MAX)).collect::<Vec<_>>().join("\n")
    }

    fn redacted<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for secret in &self.inner.secrets {
            if text.contains(secret.as_str()) {
                text = Cow::Owned(text.replace(secret.as_str(), REDACTED));
            }
        }
        text
    }

    /// Counts lines anew: the limit is for each call.
    pub fn begin_call(&self) {
        self.inner.lines.store(0, Ordering::Relaxed);
    }

    fn line(&self, level: Level, text: &str) {
        let count = self.inner.lines.fetch_add(1, Ordering::Relaxed);
        if count > LINES {
            return;
        }
        let target = self.inner.target.as_str();
        if count == LINES {
            tracing::warn!(target: "connector", target, "the connector writes too much: further lines are left out");
            return;
        }
        let text = self.clean(text);
        match level {
            Level::ERROR => tracing::error!(target: "connector", target, "{text}"),
            Level::WARN => {
                tracing::warn!(target: "connector", target, "{text}");
                let mut warnings = self.inner.warnings.lock().unwrap_or_else(PoisonError::into_inner);
                if warnings.len() < WARNINGS {
                    warnings.push(text);
                }
            }
            Level::INFO => tracing::info!(target: "connector", target, "{text}"),
            Level::DEBUG => tracing::debug!(target: "connector", target, "{text}"),
            _ => tracing::trace!(target: "connector", target, "{text}"),
        }
    }
}

/// Text that nobody has checked, on one line and without control characters: it can neither move a terminal's cursor nor
/// begin a line of its own in the log of a CI service. Long text is cut.
pub fn escaped(text: &str) -> String {
    defused(&escape(text, LINE))
}

/// Text in which CI services find no orders: some take them anywhere in a line of the log.
pub fn defused(text: &str) -> String {
    // A word joiner is not seen.
    if text.contains("##") {
        text.replace("##[", "#\u{2060}#[").replace("##vso[", "#\u{2060}#vso[")
    } else {
        text.to_owned()
    }
}

fn escape(text: &str, limit: usize) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        if clean.len() > limit {
            clean.push('…');
            break;
        }
        match character {
            '\t' => clean.push(' '),
            character if character.is_control() || is_bidirectional(character) => {
                clean.extend(character.escape_default());
            }
            character => clean.push(character),
        }
    }
    clean
}

/// Characters that change the direction of text around them, and so what a reader believes to read.
fn is_bidirectional(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

struct HasLog;

impl wasmtime::component::HasData for HasLog {
    type Data<'a> = &'a mut ConnectorLog;
}

impl Host for ConnectorLog {
    fn log(&mut self, level: logging::Level, _context: String, message: String) -> wasmtime::Result<()> {
        let level = match level {
            logging::Level::Trace => Level::TRACE,
            logging::Level::Debug => Level::DEBUG,
            logging::Level::Info => Level::INFO,
            logging::Level::Warn => Level::WARN,
            logging::Level::Error | logging::Level::Critical => Level::ERROR,
        };
        self.line(level, &message);
        Ok(())
    }
}

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    logging::add_to_linker::<_, HasLog>(linker, State::log)
}

/// Standard output or standard error as lines of the log.
pub(super) struct Output(pub(super) ConnectorLog);

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Lines { log: self.0.clone(), line: Vec::new() })
    }
}

struct Lines {
    log: ConnectorLog,
    line: Vec<u8>,
}

impl AsyncWrite for Lines {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        for byte in bytes {
            if *byte == b'\n' || self.line.len() >= LINE {
                let line = std::mem::take(&mut self.line);
                self.log.line(Level::DEBUG, &String::from_utf8_lossy(&line));
            }
            if *byte != b'\n' {
                self.line.push(*byte);
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.log.line(Level::DEBUG, &String::from_utf8_lossy(&self.line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ConnectorLog;

    #[test]
    fn text_of_a_connector_is_shown_without_secrets_and_control_characters() {
        let log = ConnectorLog::new("t", ["hunter22".to_owned(), "abc".to_owned()]);
        assert_eq!(
            log.clean("pw hunter22\n\u{1b}[31m::error::abc\u{202e}"),
            "pw [redacted]\\n\\u{1b}[31m::error::abc\\u{202e}"
        );
        assert!(log.clean(&"x".repeat(100_000)).len() < 9_000);
    }
}
