//! A run: all targets, one after the other.
//!
//! ```text
//!  target system                                                        Raito Cloud
//!    ^     |                                                                ^      |
//!    |     v            batches of typed records                            | upload, import
//!  connector ───────────────────────────► sink ──► spool file (hashed) ─────┘      |
//!    ^                                                                             |
//!    └───────────────────── access controls to apply ◄─────────────────────────────┘
//! ```
//!
//! The steps of a target, in the order of the protocol: data objects ([`data_source`]), users and groups
//! ([`identity_store`]), access controls to the target and from it ([`access`]), statements ([`data_usage`]), tags of a
//! catalogue ([`tags`]), resources of Raito Cloud ([`resource_provider`]). The first step that fails ends its target; the other targets still run. Each step is told to Raito Cloud as a task
//! of the target's job ([`task`]).

use std::path::PathBuf;
use std::time::Instant;

use crate::cloud_client::{CloudClient, VersionSupport};
use crate::config::Settings;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::progress::Display;
use crate::sandbox::{CacheLocation, Sandbox};
use crate::summary::{RunSummary, TargetSummary};

mod access;
mod cloud;
mod data_source;
mod data_usage;
mod enrich;
mod identity_store;
mod kind;
mod metadata;
mod resource_provider;
mod tags;
mod target;
mod task;
mod task_log;

pub use cloud::Cloud;
pub use kind::RunKind;

/// Runs all targets that the settings select and that this kind of run concerns. An interrupt ends the run where it is:
/// the job at hand is told to have failed, and what was begun is dropped.
pub async fn run(
    settings: &Settings,
    kind: &RunKind,
    interrupt: &Interrupt,
    display: &Display,
) -> RunSummary {
    let started = Instant::now();
    let mut summary = RunSummary { targets: Vec::new(), failure: None, elapsed: started.elapsed() };
    // What waits for a run should not carry it.
    let run = Box::pin(run_targets(settings, kind, interrupt, display, &mut summary.targets));
    if let Err(failure) = run.await {
        summary.failure = Some(failure);
    }
    summary.elapsed = started.elapsed();
    summary
}

async fn run_targets(
    settings: &Settings,
    kind: &RunKind,
    interrupt: &Interrupt,
    display: &Display,
    done: &mut Vec<TargetSummary>,
) -> Result<(), Failure> {
    let mut selected = settings.selected()?;
    if *kind != RunKind::Full {
        selected.retain(|target| target.settings.as_ref().is_ok_and(|target| kind.concerns(target)));
        if selected.is_empty() {
            display.line("no target here is concerned");
            return Ok(());
        }
    }
    let sandbox = Sandbox::shared(&cache_location())?;
    let cloud = Cloud::open(settings).await?;
    let outcome = async {
        let mut version_checked = *kind != RunKind::Full;
        let mut jobs = Vec::new();
        for target in selected {
            if interrupt.is_raised() {
                return Err(interrupted());
            }
            let surroundings =
                target::Surroundings { settings, kind, interrupt, sandbox: &sandbox, cloud: &cloud, display };
            let (summary, client) = target::run(&surroundings, target, &mut version_checked).await;
            if let Some(failure) = &summary.failure {
                display.failure(Some(&summary.target), failure);
            }
            if let Some((client, job)) = client.zip(summary.job_id.clone()) {
                add_job(&mut jobs, client, job);
            }
            done.push(summary);
        }
        if interrupt.is_raised() {
            return Err(interrupted());
        }
        for (client, jobs) in &jobs {
            if !client.end_of_targets_sync(jobs).await? {
                display.warning("Raito Cloud did not acknowledge the end of the run");
            }
        }
        Ok(())
    }
    .await;
    if interrupt.is_raised() {
        // Whoever interrupts does not wait for an embedded cloud to finish what it has: its next start does.
        drop(cloud);
    } else {
        cloud.close().await;
    }
    outcome
}

/// What became of a run that was interrupted.
fn interrupted() -> Failure {
    Failure::unexpected("interrupted")
}

/// Targets may belong to different accounts, and each account is told about its own jobs.
fn add_job(jobs: &mut Vec<(CloudClient, Vec<String>)>, client: CloudClient, job: String) {
    match jobs.iter_mut().find(|(known, _)| known.account() == client.account()) {
        Some((_, jobs)) => jobs.push(job),
        None => jobs.push((client, vec![job])),
    }
}

/// Tells what the cloud says about this version; refuses to go on where the cloud does.
async fn check_version(client: &CloudClient, display: &Display) -> Result<(), Failure> {
    match client.check_version().await? {
        VersionSupport::NotChecked | VersionSupport::Supported => {}
        VersionSupport::Deprecated { message, supported } => {
            display.warning(&format!(
                "this version will not be supported for long (supported: {supported}). {message}"
            ));
        }
    }
    Ok(())
}

/// Compiled connectors are kept in the user's cache folder, or nowhere if there is none.
pub fn cache_location() -> CacheLocation {
    let folder = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    match folder {
        Some(folder) => CacheLocation::Folder(folder.join("raito").join("compiled")),
        None => CacheLocation::None,
    }
}
