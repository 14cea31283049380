//! Continuous mode: runs at scheduled times and whenever Raito Cloud asks for one.
//!
//! ```text
//! start ─► run, if wanted ─► wait ─┬─ the time has come ─► full run ─────────► the next time is chosen, wait
//!                            ▲     ├─ an event waits ────► run for this event ─┐
//!                            └─────┼──────────────────────────────────────────┘
//!                                  └─ end ───────────────► the run at hand has ended before: nothing is cut off
//! ```
//!
//! Runs never overlap: a time that comes during the run of an event, and an event that comes during any run, wait for
//! its end. The next time is chosen when a full run has ended, so those that passed meanwhile are not made up for.
//!
//! The configuration is read anew before each run; what is wrong is told, and the last good one counts. The schedule,
//! the log and the switch of the triggers are those of the start. A failed run is told, and the loop goes on.

use std::sync::Arc;
use std::time::Duration;

use jiff::{Timestamp, Zoned};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use crate::config::Settings;
use crate::failure::Failure;
use crate::interrupt::{Interrupt, interrupt};
use crate::progress::Display;
use crate::run::{self, RunKind};
use crate::summary::RunSummary;
use crate::triggers::{self, Listener, Liveness, Queue, Timing};

/// Clocks are set, and machines sleep: how often the time is looked at.
const LOOK: Duration = Duration::from_secs(20);

/// What the loop needs of the program around it.
pub struct Surroundings<'a> {
    /// Where people are told.
    pub display: Arc<Display>,
    /// Reads the configuration.
    pub reload: &'a (dyn Fn() -> Result<Settings, Failure> + Sync),
    /// Hands on what a run did.
    pub report: &'a (dyn Fn(&RunKind, &RunSummary) + Sync),
    /// Ends the loop after the run at hand.
    pub finish: Interrupt,
    /// Ends the run at hand.
    pub interrupt: Interrupt,
    /// The times of the trigger connection.
    pub timing: Timing,
}

/// Runs until it is told to finish.
///
/// # Errors
/// There is nothing to run, or Raito Cloud refuses that its triggers are listened to.
pub async fn run(settings: Settings, surroundings: Surroundings<'_>) -> Result<(), Failure> {
    let Some(schedule) = settings.continuous.schedule.clone() else { return Ok(()) };
    settings.selected()?;
    let Surroundings { display, finish, .. } = &surroundings;
    let at_startup = settings.continuous.at_startup;
    let (queue, reset) = (Arc::new(Queue::default()), Arc::new(Notify::new()));
    let liveness = Arc::new(Liveness::new(settings.continuous.liveness_file.clone()));
    let listens = !settings.continuous.disable_websocket && !settings.embedded;
    if listens {
        match finish.or(triggers::check(&settings, display)).await {
            Some(checked) => checked?,
            None => return Ok(()),
        }
    }
    let (current, settings) = watch::channel(Arc::new(settings));
    let (ender, end) = interrupt();
    let listener = listens.then(|| {
        let listener = Listener {
            settings,
            queue: Arc::clone(&queue),
            reset: Arc::clone(&reset),
            liveness,
            display: Arc::clone(display),
            timing: surroundings.timing,
            end,
        };
        tokio::spawn(listener.listen())
    });
    let mut told = Vec::new();

    if at_startup && !finish.is_raised() {
        surroundings.once(&RunKind::Full, &current, &mut told).await;
    }
    'runs: while !finish.is_raised() {
        let Some(next) = schedule.next(&Zoned::now()) else { break };
        display.line(&format!("the next run begins at {}", next.strftime("%Y-%m-%d %H:%M:%S %Z")));
        loop {
            tokio::select! {
                biased;
                () = finish.raised() => break 'runs,
                () = until(&next) => {
                    surroundings.reload(&current, &mut told);
                    reset.notify_one();
                    surroundings.once(&RunKind::Full, &current, &mut told).await;
                    break;
                }
                event = queue.next() => {
                    surroundings.once(&RunKind::from(event), &current, &mut told).await;
                }
            }
        }
    }
    ender.raise();
    if let Some(listener) = listener {
        // It says goodbye, which is bounded; with it goes the liveness file.
        let _ = listener.await;
    }
    Ok(())
}

impl Surroundings<'_> {
    /// One run with the configuration of now.
    async fn once(&self, kind: &RunKind, current: &watch::Sender<Arc<Settings>>, told: &mut Vec<String>) {
        self.reload(current, told);
        let settings = Arc::clone(&current.borrow());
        self.display.line(kind.describe());
        let summary = run::run(&settings, kind, &self.interrupt, &self.display).await;
        if let Some(failure) = &summary.failure {
            self.display.failure(None, failure);
        }
        self.display.finish();
        (self.report)(kind, &summary);
    }

    /// Reads the configuration; keeps the last good one if that fails. Warnings are told when they are new.
    fn reload(&self, current: &watch::Sender<Arc<Settings>>, told: &mut Vec<String>) {
        match (self.reload)() {
            Ok(settings) => {
                let warnings: Vec<_> = settings.warnings.iter().map(ToString::to_string).collect();
                let before: Vec<_> = current.borrow().warnings.iter().map(ToString::to_string).collect();
                for warning in
                    warnings.iter().filter(|warning| !before.contains(warning) && !told.contains(warning))
                {
                    self.display.warning(warning);
                }
                *told = warnings;
                current.send_replace(Arc::new(settings));
            }
            Err(failure) => {
                self.display.failure(None, &failure);
                self.display.warning("the configuration was not read anew: the last good one still counts");
            }
        }
    }
}

/// Waits until the clock shows a time.
async fn until(time: &Zoned) {
    loop {
        let left = time.timestamp().duration_since(Timestamp::now());
        match Duration::try_from(left) {
            Ok(left) if !left.is_zero() => sleep(left.min(LOOK)).await,
            _ => return,
        }
    }
}
