//! Listens to Raito Cloud, which says when access controls have changed and when somebody wants a synchronisation.
//!
//! There is one connection for each account of the targets, which says in its heartbeats which data sources are
//! behind it. A connection that is lost is opened again, at first at once and then ever more rarely, as long as the
//! program runs. Every [`Timing::reset`], and before each full run, all connections are opened anew, with the
//! configuration of then.
//!
//! What arrives goes into a [`Queue`]; [`crate::continuous`] takes it from there.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use rand::RngExt as _;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

use crate::cloud_client::trigger::{heartbeat, read_events};
use crate::cloud_client::{CloudClient, CloudError, TriggerEvent, TriggerSocket};
use crate::config::{Settings, TargetSettings};
use crate::connector::{Connector, locate};
use crate::failure::Failure;
use crate::interrupt::{Interrupt, interrupt};
use crate::progress::Display;
use crate::run::{Cloud, cache_location};
use crate::sandbox::Sandbox;

mod liveness;
mod queue;

pub use liveness::Liveness;
pub use queue::Queue;

/// How often a heartbeat is tried before the connection is given up.
const HEARTBEAT_ATTEMPTS: usize = 5;
/// How long the other side may take to end a connection.
const CLOSING: Duration = Duration::from_secs(2);

/// The times of the protocol.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Between two heartbeats.
    pub heartbeat: Duration,
    /// After a heartbeat that could not be sent.
    pub heartbeat_retry: Duration,
    /// After which connections are opened anew.
    pub reset: Duration,
    /// Before the second attempt to connect, and at most.
    pub reconnect: (Duration, Duration),
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            heartbeat: Duration::from_mins(5),
            heartbeat_retry: Duration::from_secs(2),
            reset: Duration::from_mins(90),
            reconnect: (Duration::from_secs(1), Duration::from_mins(1)),
        }
    }
}

/// Whoever listens.
pub struct Listener {
    /// The settings as they were last read.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// Where events go.
    pub queue: Arc<Queue>,
    /// Rung when connections are to be opened anew.
    pub reset: Arc<Notify>,
    /// Says whether there are connections.
    pub liveness: Arc<Liveness>,
    /// Where people are told.
    pub display: Arc<Display>,
    /// The times of the protocol.
    pub timing: Timing,
    /// The end of the program.
    pub end: Interrupt,
}

/// Asks for the trigger address of each account, so that a user who may not listen is known at once.
///
/// # Errors
/// Raito Cloud refuses. That it cannot be reached is no error: it may be later.
pub async fn check(settings: &Settings, display: &Display) -> Result<(), Failure> {
    for (client, _) in accounts(settings).await? {
        match client.trigger_address().await {
            Ok(_) => {}
            Err(
                error @ (CloudError::Unreachable { .. }
                | CloudError::Status { status: 429 | 500.., .. }
                | CloudError::BadAnswer { .. }),
            ) => display.warning(&format!("triggers cannot be received yet: {error}")),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The accounts of the selected targets that are right, each with its targets.
async fn accounts(settings: &Settings) -> Result<Vec<(CloudClient, Vec<&TargetSettings>)>, Failure> {
    let cloud = Cloud::open(settings).await?;
    let mut accounts: Vec<(CloudClient, Vec<&TargetSettings>)> = Vec::new();
    for target in settings.selected()?.into_iter().filter_map(|target| target.settings.as_ref().ok()) {
        let client = cloud.client(target)?;
        match accounts.iter_mut().find(|(known, _)| known.account() == client.account()) {
            Some((_, targets)) => targets.push(target),
            None => accounts.push((client, vec![target])),
        }
    }
    Ok(accounts)
}

impl Listener {
    /// Listens until the program ends.
    pub async fn listen(self) {
        while !self.end.is_raised() {
            let settings = Arc::clone(&self.settings.borrow());
            let connections = tokio::select! {
                connections = self.connections(&settings) => connections,
                () = self.end.raised() => return,
            };
            self.liveness.expect(connections.len());
            let (closer, closing) = interrupt();
            let all = join_all(
                connections
                    .iter()
                    .enumerate()
                    .map(|(index, (client, sources))| self.keep(index, client, sources, &closing)),
            );
            tokio::pin!(all);
            let over = async {
                tokio::select! {
                    () = self.reset.notified() => {}
                    () = sleep(self.timing.reset) => {}
                    () = self.end.raised() => {}
                }
                closer.raise();
            };
            // Connections end only because they are told to.
            tokio::join!(all, over);
        }
    }

    /// The clients to listen with, and the data sources of each.
    async fn connections(&self, settings: &Settings) -> Vec<(CloudClient, Vec<String>)> {
        let ready = async {
            let sandbox = Sandbox::shared(&cache_location())?;
            let mut connections = Vec::new();
            for (client, targets) in accounts(settings).await? {
                let mut sources = Vec::new();
                for target in targets {
                    let Some(source) = &target.data_source_id else { continue };
                    match has_data(settings, target, &sandbox).await {
                        Ok(true) if !sources.contains(source) => sources.push(source.clone()),
                        Ok(_) => {}
                        Err(failure) => self
                            .display
                            .warning(&format!("{}: no triggers are received for it: {failure}", target.name)),
                    }
                }
                connections.push((client, sources));
            }
            Ok::<_, Failure>(connections)
        };
        ready.await.unwrap_or_else(|failure| {
            self.display.warning(&format!("no triggers are received: {failure}"));
            Vec::new()
        })
    }

    /// Keeps one connection open.
    async fn keep(&self, index: usize, client: &CloudClient, sources: &[String], closing: &Interrupt) {
        let mut failures: u32 = 0;
        while !closing.is_raised() {
            let opened = async {
                match client.trigger_address().await? {
                    Some(address) => client.listen(&address).await.map(Some),
                    None => Ok(None),
                }
            };
            match closing.or(opened).await {
                None => return,
                Some(Ok(None)) => {
                    self.display.line("Raito Cloud sends no triggers");
                    closing.raised().await;
                    return;
                }
                Some(Ok(Some(mut socket))) => {
                    let opened = Instant::now();
                    if failures > 0 {
                        self.display.line("triggers are received again");
                    }
                    tracing::debug!(sources = sources.len(), "listening for triggers");
                    self.converse(index, &mut socket, sources, closing).await;
                    self.liveness.set(index, false);
                    // One that ends as soon as it is open must not be opened without pause.
                    failures = if opened.elapsed() < self.timing.reconnect.1 { failures.max(1) } else { 0 };
                }
                Some(Err(error)) => {
                    if failures <= 1 {
                        self.display.warning(&format!("triggers cannot be received; trying again: {error}"));
                    } else {
                        tracing::debug!(%error, failures, "triggers cannot be received");
                    }
                    failures = failures.saturating_add(1);
                }
            }
            if closing.or(sleep(self.pause(failures))).await.is_none() {
                return;
            }
        }
    }

    /// How long to wait before the next attempt: twice as long each time, and never the same for two programs that
    /// lost the same server.
    fn pause(&self, failures: u32) -> Duration {
        let (first, longest) = self.timing.reconnect;
        let doubled = first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(16)));
        doubled.min(longest).mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    /// Talks until the connection ends.
    async fn converse(
        &self,
        index: usize,
        socket: &mut TriggerSocket,
        sources: &[String],
        closing: &Interrupt,
    ) {
        let text = heartbeat(sources);
        if !self.beat(socket, &text).await {
            return;
        }
        self.liveness.set(index, true);
        let mut beats = interval_at(Instant::now() + self.timing.heartbeat, self.timing.heartbeat);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = closing.raised() => break,
                _ = beats.tick() => {
                    if !self.beat(socket, &text).await {
                        break;
                    }
                }
                received = socket.next() => match received {
                    Some(text) if self.take(&text) => {}
                    Some(_) => break,
                    None => return,
                },
            }
        }
        // What is under way already would not be sent again.
        socket.close().await;
        let rest = async {
            while let Some(text) = socket.next().await {
                self.take(&text);
            }
        };
        let _ = timeout(CLOSING, rest).await;
    }

    async fn beat(&self, socket: &mut TriggerSocket, text: &str) -> bool {
        for attempt in 1..=HEARTBEAT_ATTEMPTS {
            if socket.send(text).await {
                return true;
            }
            if attempt < HEARTBEAT_ATTEMPTS {
                sleep(self.timing.heartbeat_retry).await;
            }
        }
        false
    }

    /// Takes a message; false if it makes no sense.
    fn take(&self, text: &str) -> bool {
        match read_events(text) {
            Ok(events) => {
                for event in events {
                    let what = match &event {
                        TriggerEvent::AccessUpdate(_) => "changed access controls",
                        TriggerEvent::Sync(_) => "a synchronisation",
                    };
                    tracing::debug!("a trigger for {what} has arrived");
                    if !self.queue.push(event) {
                        self.display.warning("a trigger is left aside, because too many wait");
                    }
                }
                true
            }
            Err(error) => {
                self.display.warning(&format!("{error}"));
                false
            }
        }
    }
}

/// Whether a target's connector is one for a data source.
async fn has_data(
    settings: &Settings,
    target: &TargetSettings,
    sandbox: &Arc<Sandbox>,
) -> Result<bool, Failure> {
    let path = locate(&target.connector_name, &settings.base_dir, &settings.connector_path)?;
    let sandbox = Arc::clone(sandbox);
    let loaded = tokio::task::spawn_blocking(move || Connector::load(&sandbox, &path)).await;
    let connector = loaded.map_err(|error| Failure::unexpected(error.to_string()))??;
    Ok(connector.data_source().is_some() || connector.access().is_some() || connector.data_usage().is_some())
}
