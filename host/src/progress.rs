//! What people see while a run goes on, on standard error.
//!
//! On a terminal: one moving line with what is being done, the count, the rate and the time, and a line that
//! stays for each step that ended. Without a terminal, or in CI: plain lines, one when a
//! step ends and one every [`PLAIN`] while it lasts. With `--log-output` the log takes their place. Lines that stay go
//! into the log too, so that a log file tells the whole story.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::Failure;
use crate::sinks::Progress;
use crate::summary::thousands;

/// How often the moving line is drawn.
const TICK: Duration = Duration::from_millis(100);
/// How often a plain line tells that a step goes on.
const PLAIN: Duration = Duration::from_secs(10);

/// Shows what goes on.
pub struct Display {
    mode: Mode,
}

enum Mode {
    Terminal(ProgressBar),
    Plain,
    /// The log tells instead.
    Log,
}

impl Display {
    /// Chooses the form. `log` says that structured log lines go to standard error.
    pub fn new(log: bool) -> Self {
        let dumb =
            std::env::var_os("CI").is_some() || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let mode = if log {
            Mode::Log
        } else if std::io::stderr().is_terminal() && !dumb {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            Mode::Terminal(bar)
        } else {
            Mode::Plain
        };
        Display { mode }
    }

    /// A line that stays.
    pub fn line(&self, text: &str) {
        tracing::info!(target: "raito", "{text}");
        self.print(text);
    }

    /// A warning: a line that stays.
    pub fn warning(&self, text: &str) {
        tracing::warn!(target: "raito", "{text}");
        self.print(&format!("warning: {text}"));
    }

    /// A warning of a target's connector, which the log has had from the connector itself.
    pub fn connector_warning(&self, target: &str, text: &str) {
        self.print(&format!("warning: {target}: {text}"));
    }

    /// A failure with its hint: of a target, or of the run.
    pub fn failure(&self, target: Option<&str>, failure: &Failure) {
        let place = target.map(|target| format!("{target}: ")).unwrap_or_default();
        let (code, hint) = (failure.kind.exit_code(), failure.hint.as_deref());
        tracing::error!(target: "raito", code, hint, "{place}{failure}");
        self.print(&failure.report(target));
    }

    /// Shows a text, unless the log is shown instead.
    fn print(&self, text: &str) {
        match &self.mode {
            Mode::Terminal(bar) => bar.suspend(|| print_line(text)),
            Mode::Plain => print_line(text),
            Mode::Log => {}
        }
    }

    /// Shows `what` while `work` lasts, with the count of `progress` if there is one.
    pub async fn during<T>(
        &self,
        what: &str,
        progress: Option<&Arc<Progress>>,
        work: impl Future<Output = T>,
    ) -> T {
        let started = Instant::now();
        let period = match &self.mode {
            Mode::Terminal(_) => TICK,
            Mode::Plain | Mode::Log => PLAIN,
        };
        if let Mode::Terminal(bar) = &self.mode {
            bar.reset();
        }
        let mut ticks = tokio::time::interval(period);
        ticks.tick().await;
        self.tick(what, progress, started);
        tokio::pin!(work);
        let outcome = loop {
            tokio::select! {
                outcome = &mut work => break outcome,
                _ = ticks.tick() => self.tick(what, progress, started),
            }
        };
        // The line goes: what is printed next may be for standard output, on the same terminal.
        if let Mode::Terminal(bar) = &self.mode {
            bar.finish_and_clear();
        }
        outcome
    }

    fn tick(&self, what: &str, progress: Option<&Arc<Progress>>, started: Instant) {
        let elapsed = started.elapsed();
        let count = progress.map(|progress| progress.records()).filter(|count| *count > 0);
        match &self.mode {
            Mode::Terminal(bar) => {
                bar.set_message(format!("{what}{} {:.1} s", counted(count, elapsed), elapsed.as_secs_f64()));
                bar.tick();
            }
            Mode::Plain | Mode::Log if elapsed >= PLAIN => {
                self.line(&format!("{what}{} after {:.0} s", counted(count, elapsed), elapsed.as_secs_f64()));
            }
            Mode::Plain | Mode::Log => {}
        }
    }

    /// Clears the moving line.
    pub fn finish(&self) {
        if let Mode::Terminal(bar) = &self.mode {
            bar.finish_and_clear();
        }
    }
}

fn counted(count: Option<u64>, elapsed: Duration) -> String {
    let Some(count) = count else { return String::new() };
    let rate = u128::from(count) * 1000 / elapsed.as_millis().max(1);
    format!(" {} records, {}/s", thousands(count), thousands(u64::try_from(rate).unwrap_or(u64::MAX)))
}

#[expect(clippy::print_stderr, reason = "this is where people are told what goes on")]
fn print_line(text: &str) {
    eprintln!("{text}");
}
