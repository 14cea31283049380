//! Structured log lines, one per event: `<time> [<LEVEL>] <source>: <message>: key=value`.
//!
//! They go to standard error with `--log-output`, and are appended to the file of `--log-file`. The level is
//! information, or debug with `--debug`; libraries speak from warnings on. An event is one line whatever is in it:
//! control characters are escaped.

use std::fmt::{self, Write as _};
use std::fs::OpenOptions;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use time::OffsetDateTime;
use time::macros::format_description;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, layer};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cloud_client::version::VERSION;
use crate::config::LogSettings;

/// Where the lines of connectors come from.
pub(crate) const CONNECTOR: &str = "connector";

/// Starts the log of this process.
///
/// # Errors
/// If the log file cannot be opened.
pub fn start(settings: &LogSettings) -> io::Result<()> {
    let level = if settings.debug { LevelFilter::DEBUG } else { LevelFilter::INFO };
    let targets = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("raito", level)
        .with_target("raito_cloud", if settings.debug { LevelFilter::DEBUG } else { LevelFilter::WARN })
        .with_target("connector", level);
    let output = settings.output.then(|| {
        layer().event_format(Line).with_ansi(false).with_writer(io::stderr).with_filter(targets.clone())
    });
    let file = match &settings.file {
        None => None,
        Some(path) => {
            let file = OpenOptions::new().append(true).create(true).open(path)?;
            Some(
                layer()
                    .event_format(Line)
                    .with_ansi(false)
                    .with_writer(Mutex::new(file))
                    .with_filter(targets),
            )
        }
    };
    let captured = Captured.with_filter(
        Targets::new()
            .with_default(LevelFilter::WARN)
            .with_target("raito", LevelFilter::TRACE)
            .with_target("raito_cloud", LevelFilter::OFF)
            .with_target(CONNECTOR, LevelFilter::TRACE),
    );
    tracing_subscriber::registry().with(output).with(file).with(captured).try_init().map_err(io::Error::other)
}

/// Somebody who gets every event of the process, at any level: the log of a task.
pub(crate) trait Capture: Send + Sync {
    /// `source` is where the event comes from, [`CONNECTOR`] or a part of this program.
    fn event(&self, level: Level, source: &str, text: &str);
}

static CAPTURE: RwLock<Option<Arc<dyn Capture>>> = RwLock::new(None);

/// Ends with its end.
pub(crate) struct Capturing(());

/// Lets somebody have every event. There is one at a time, as there is one step at a time.
pub(crate) fn capture(by: Arc<dyn Capture>) -> Capturing {
    *CAPTURE.write().unwrap_or_else(PoisonError::into_inner) = Some(by);
    Capturing(())
}

impl Drop for Capturing {
    fn drop(&mut self) {
        *CAPTURE.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

struct Captured;

impl<S: Subscriber> Layer<S> for Captured {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let by = CAPTURE.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(by) = by else { return };
        let mut fields = Fields::default();
        event.record(&mut fields);
        let others = &fields.others;
        let text = if others.is_empty() { fields.message } else { format!("{}:{others}", fields.message) };
        by.event(*event.metadata().level(), event.metadata().target(), &text);
    }
}

/// What this program calls itself in the log of a task.
pub(crate) fn name() -> String {
    format!("raito-cli-{VERSION}")
}

/// The time as it stands in logs: local where the offset is known, else UTC.
pub(crate) fn local_time() -> String {
    let now = OffsetDateTime::now_local().unwrap_or_else(|_| OffsetDateTime::now_utc());
    now.format(format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3][offset_hour sign:mandatory][offset_minute]"
    ))
    .unwrap_or_default()
}

pub(crate) struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let time = local_time();
        let level = match *event.metadata().level() {
            Level::ERROR => "ERROR",
            Level::WARN => "WARN",
            Level::INFO => "INFO",
            Level::DEBUG => "DEBUG",
            Level::TRACE => "TRACE",
        };
        let mut fields = Fields::default();
        event.record(&mut fields);
        write!(writer, "{time} [{level}] {}: ", event.metadata().target())?;
        for character in fields.message.chars() {
            if character.is_control() {
                write!(writer, "{}", character.escape_default())?;
            } else {
                writer.write_char(character)?;
            }
        }
        if !fields.others.is_empty() {
            write!(writer, ":{}", fields.others)?;
        }
        // The request that is being handled, in a server.
        if let Some(span) = context.lookup_current()
            && let Some(known) = span.extensions().get::<FormattedFields<N>>()
            && !known.is_empty()
        {
            write!(writer, " {}={{{known}}}", span.name())?;
        }
        writeln!(writer)
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            let _ = write!(self.others, " {}={value:?}", field.name());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            let _ = write!(self.others, " {}={value:?}", field.name());
        }
    }
}
