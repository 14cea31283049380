//! One target: its connector, its job, its steps.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cloud::{Cloud, TargetIds};
use super::kind::{RunKind, Scope};
use super::task::Task;
use super::{
    access, check_version, data_source, data_usage, identity_store, interrupted, resource_provider, tags,
};
use crate::backup::Backup;
use crate::cloud_client::{CloudClient, JobRef, JobType, Status};
use crate::config::{Settings, Target, TargetSettings};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::progress::Display;
use crate::sandbox::Sandbox;
use crate::summary::{Count, Step, StepStatus, StepSummary, TargetSummary};
use crate::target::LoadedTarget;

/// What all targets of a run share.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) settings: &'a Settings,
    pub(super) kind: &'a RunKind,
    pub(super) interrupt: &'a Interrupt,
    pub(super) sandbox: &'a Arc<Sandbox>,
    pub(super) cloud: &'a Cloud,
    pub(super) display: &'a Display,
}

/// How long an answer of Raito Cloud is waited for after an interrupt.
const GRACE: Duration = Duration::from_secs(3);

/// Everything that the steps of a target share.
pub(super) struct TargetRun<'a> {
    pub(super) scope: Scope,
    pub(super) loaded: LoadedTarget<'a>,
    pub(super) ids: TargetIds,
    pub(super) client: CloudClient,
    pub(super) job: JobRef,
    backup: Backup,
}

impl TargetRun<'_> {
    /// Sources of the tags that this target's files are authoritative for.
    pub(super) fn tag_sources(&self) -> Vec<String> {
        Some(self.loaded.info.tag_source.clone()).filter(|source| !source.is_empty()).into_iter().collect()
    }
}

/// Runs a target. Whatever goes wrong is in the summary. The client is there if a job was made.
pub(super) async fn run(
    surroundings: &Surroundings<'_>,
    target: &Target,
    version_checked: &mut bool,
) -> (TargetSummary, Option<CloudClient>) {
    let mut summary =
        TargetSummary { target: target.name.clone(), job_id: None, steps: Vec::new(), failure: None };
    let adjusted = target.settings.as_ref().map(|target| surroundings.kind.adjust(target));
    let prepared = match &adjusted {
        Ok(target) => prepare(surroundings, target, version_checked).await,
        Err(errors) => Err((*errors).clone().into()),
    };
    match prepared {
        Err(failure) => {
            summary.failure = Some(failure);
            (summary, None)
        }
        Ok(run) => {
            summary.job_id = Some(run.job.job_id.clone());
            summary.failure = steps(&run, surroundings.interrupt, &mut summary.steps).await.err();
            (summary, Some(run.client.clone()))
        }
    }
}

async fn prepare<'a>(
    surroundings: &Surroundings<'a>,
    target: &'a TargetSettings,
    version_checked: &mut bool,
) -> Result<TargetRun<'a>, Failure> {
    let Surroundings { settings, kind, interrupt, sandbox, cloud, display } = *surroundings;
    let ready = async {
        let loaded = LoadedTarget::load(settings, target, sandbox, display).await?;
        let backup = Backup::begin(&target.backup, &target.name, kind.name())?;
        let client = cloud.client(target)?;
        if !*version_checked {
            check_version(&client, display).await?;
            *version_checked = true;
        }
        let ids = cloud.ids(target).await?;
        Ok((loaded, backup, client, ids))
    };
    let (loaded, backup, client, ids) = interrupt.or(ready).await.unwrap_or_else(|| Err(interrupted()))?;
    // A job that was made must also be ended, so its id is waited for.
    let job = client.create_job(ids.data_source.as_deref(), ids.identity_store.as_deref());
    let job_id = interrupt.or_after(GRACE, job).await.ok_or_else(interrupted)??;
    let job = JobRef {
        job_id,
        data_source_id: ids.data_source.clone(),
        identity_store_id: ids.identity_store.clone(),
    };
    Ok(TargetRun { scope: kind.scope(), loaded, ids, client, job, backup })
}

async fn steps(
    run: &TargetRun<'_>,
    interrupt: &Interrupt,
    done: &mut Vec<StepSummary>,
) -> Result<(), Failure> {
    let work = async {
        run.update_job(Status::InProgress, &[]).await;
        // The steps hold far more than what waits for them.
        Box::pin(all_steps(run, done)).await
    };
    let outcome = interrupt.or(work).await.unwrap_or_else(|| Err(interrupted()));
    // What was exchanged is kept however it ended.
    let kept = run.backup.keep_all(&run.loaded.files);
    let outcome = outcome.and(kept);
    let told = async {
        match &outcome {
            Ok(()) => run.update_job(Status::Completed, &[]).await,
            Err(failure) => run.update_job(Status::Failed, &[failure.to_string()]).await,
        }
    };
    interrupt.or_after(GRACE, told).await;
    outcome
}

async fn all_steps(run: &TargetRun<'_>, done: &mut Vec<StepSummary>) -> Result<(), Failure> {
    let (skip, connector) = (run.loaded.settings.skip, &run.loaded.connector);
    let mut not_applied = None;

    // A connector with identities alone is an identity store, and is not asked about the rest. One that has none of all
    // this is a catalogue or manages resources.
    let data =
        connector.data_source().is_some() || connector.access().is_some() || connector.data_usage().is_some();
    if data {
        let task = Task::new(run, JobType::DataSource, Step::DataSource);
        if may_run(
            &task,
            skip.data_source,
            run.ids.data_source.as_ref(),
            connector.data_source().is_some(),
            done,
        )
        .await
        {
            task.run(done, Box::pin(data_source::run(&task))).await?;
        }
    }
    let task = Task::new(run, JobType::IdentityStore, Step::IdentityStore);
    let identities = connector.identity_store().is_some();
    if (data || identities)
        && may_run(&task, skip.identity_store, run.ids.identity_store.as_ref(), identities, done).await
    {
        task.run(done, Box::pin(identity_store::run(&task))).await?;
    }
    if data {
        let task = Task::new(run, JobType::DataAccess, Step::AccessFromTarget);
        if may_run(&task, skip.data_access, run.ids.data_source.as_ref(), connector.access().is_some(), done)
            .await
        {
            not_applied = Box::pin(access::run(&task, done)).await?;
        }
        let task = Task::new(run, JobType::DataUsage, Step::DataUsage);
        if may_run(
            &task,
            skip.data_usage,
            run.ids.data_source.as_ref(),
            connector.data_usage().is_some(),
            done,
        )
        .await
        {
            task.run(done, Box::pin(data_usage::run(&task))).await?;
        }
    }
    let id = run.ids.data_source.as_ref();
    if connector.tags().is_some() {
        let task = Task::new(run, JobType::Tag, Step::Tags);
        if may_run(&task, skip.tag, id, true, done).await {
            task.run(done, Box::pin(tags::run(&task))).await?;
        }
    }
    if connector.resource_provider().is_some() {
        let task = Task::new(run, JobType::ResourceProvider, Step::ResourceProvider);
        if may_run(&task, skip.resource_provider, id, true, done).await {
            task.run(done, Box::pin(resource_provider::run(&task))).await?;
        }
    }
    not_applied.map_or(Ok(()), Err)
}

/// Whether a step is to be run; reports it as skipped if not.
async fn may_run(
    task: &Task<'_>,
    skipped: bool,
    id: Option<&String>,
    implemented: bool,
    done: &mut Vec<StepSummary>,
) -> bool {
    let why = if skipped {
        task.target.scope.skipped_because
    } else if id.is_none() {
        let warning = format!("{} is skipped: the target has no id for it", task.step.label());
        let loaded = &task.target.loaded;
        loaded.display.warning(&format!("{}: {warning}", loaded.settings.name));
        "the target has no id for it"
    } else {
        task.begin_log();
        if implemented {
            return true;
        }
        "not offered by the connector"
    };
    task.event(Status::Skipped, &[], &[]).await;
    task.hand_in_log().await;
    done.push(StepSummary {
        step: task.step,
        status: StepStatus::Skipped(why.into()),
        results: Vec::new(),
        elapsed: Duration::ZERO,
    });
    false
}

impl TargetRun<'_> {
    async fn update_job(&self, status: Status, errors: &[String]) {
        if let Err(error) = self.client.update_job(&self.job, status, errors).await {
            tracing::debug!(%error, "a job event was not taken");
        }
    }

    /// What a step is called where people see it.
    pub(super) fn title(&self, step: Step) -> String {
        format!("{}: {}", self.loaded.settings.name, step.label())
    }

    /// A line for a step that ended well.
    pub(super) fn tell_done(&self, step: Step, counts: &[Count], started: Instant) {
        let counts: Vec<_> = counts
            .iter()
            .map(|count| {
                let Count { added, updated, removed, failed, .. } = count;
                let failed = if *failed > 0 { format!(", {failed} failed") } else { String::new() };
                format!("{}: {added} added, {updated} updated, {removed} removed{failed}", count.label())
            })
            .collect();
        let counts = if counts.is_empty() { "done".to_owned() } else { counts.join("; ") };
        self.loaded.display.line(&format!(
            "{}: {counts} ({:.1} s)",
            self.title(step),
            started.elapsed().as_secs_f64()
        ));
    }
}
