//! The log of `raito cloud serve`.
//!
//! By default, warnings and errors as lines for people. With `--log-output` everything from information on, also a
//! line for each request; with `--log-format json` the same as JSON, one object a line; only what
//! ends the program before it serves is still said as text. A line
//! that was written while a request was handled carries the id of the request, which the client was answered as
//! well. `--log-file` appends the lines to a file, `--debug` adds details.

use std::fs::OpenOptions;
use std::io;
use std::sync::Mutex;

use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::{MakeWriter, layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::{GlobalArgs, LogFormat};
use crate::log::Line;

/// Starts the log of this process.
///
/// # Errors
/// If the log file cannot be opened.
pub fn start(global: &GlobalArgs, format: LogFormat) -> io::Result<()> {
    let debug = global.debug == Some(true);
    let all = if debug { LevelFilter::DEBUG } else { LevelFilter::INFO };
    let friendly = format == LogFormat::Text && global.log_output != Some(true) && !debug;
    let file = match &global.log_file {
        None => None,
        Some(path) => {
            let file = OpenOptions::new().append(true).create(true).open(path)?;
            Some(lines(format, Mutex::new(file), all))
        }
    };
    let output = lines(format, io::stderr, if friendly { LevelFilter::WARN } else { all });
    tracing_subscriber::registry().with(output).with(file).try_init().map_err(io::Error::other)
}

fn lines<S, W>(format: LogFormat, writer: W, level: LevelFilter) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let targets = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("raito", level)
        .with_target("raito_cloud", level);
    match format {
        LogFormat::Text => {
            layer().event_format(Line).with_ansi(false).with_writer(writer).with_filter(targets).boxed()
        }
        LogFormat::Json => layer()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_writer(writer)
            .with_filter(targets)
            .boxed(),
    }
}
