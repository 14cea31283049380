//! One target: its connector, its job, its steps.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::cloud::{Cloud, TargetIds};
use super::task::Task;
use super::{access, check_version, data_source, data_usage, identity_store, parameters};
use crate::cloud_client::{CloudClient, JobRef, JobType, Status};
use crate::config::{Settings, Target, TargetSettings};
use crate::connector::{Connector, locate};
use crate::contract::exports::info::ConnectorInfo;
use crate::failure::{CallContext, Failure, FailureKind};
use crate::progress::Display;
use crate::sandbox::{ConnectorLog, Grants, Sandbox};
use crate::secret::is_secret_name;
use crate::summary::{Count, Step, StepStatus, StepSummary, TargetSummary};

/// Everything that the steps of a target share.
pub(super) struct TargetRun<'a> {
    pub(super) settings: &'a TargetSettings,
    pub(super) ids: TargetIds,
    pub(super) sandbox: &'a Sandbox,
    pub(super) connector: Connector,
    pub(super) info: ConnectorInfo,
    pub(super) grants: Grants,
    pub(super) log: ConnectorLog,
    pub(super) client: CloudClient,
    pub(super) job: JobRef,
    pub(super) display: &'a Display,
    pub(super) files: Files,
    wanted_grants: Vec<String>,
}

impl TargetRun<'_> {
    /// Sources of the tags that this target's files are authoritative for.
    pub(super) fn tag_sources(&self) -> Vec<String> {
        Some(self.info.tag_source.clone()).filter(|source| !source.is_empty()).into_iter().collect()
    }

    /// Hands what is known about the target to whoever explains a failed call.
    pub(super) fn with_call_context<T>(&self, explain: impl FnOnce(&CallContext<'_>) -> T) -> T {
        explain(&CallContext {
            sandbox: &self.settings.sandbox,
            wanted_grants: &self.wanted_grants,
            // A target of a file stands in a line of it.
            from_flags: self.settings.line.is_none(),
            clean: &|text| self.log.clean(text),
        })
    }
}

/// Where the files of a target are while it runs.
pub(super) struct Files {
    folder: PathBuf,
    /// Removes the folder with its files at the end; none if they are to be kept.
    _temporary: Option<TempDir>,
    name: String,
}

impl Files {
    fn new(settings: &TargetSettings, base: &std::path::Path) -> std::io::Result<Self> {
        let name = settings.name.chars().filter(char::is_ascii_alphanumeric).collect();
        if settings.delete_temp_files {
            let temporary = tempfile::Builder::new().prefix("raito-").tempdir()?;
            Ok(Files { folder: temporary.path().into(), _temporary: Some(temporary), name })
        } else {
            Ok(Files { folder: base.into(), _temporary: None, name })
        }
    }

    /// A path for a file of a step: the target's name, the step's part and the time.
    pub(super) fn path(&self, part: &str, extension: &str) -> PathBuf {
        let now = time::OffsetDateTime::now_local().unwrap_or_else(|_| time::OffsetDateTime::now_utc());
        let format = time::macros::format_description!(
            "[year]-[month]-[day]T[hour]-[minute]-[second].[subsecond digits:3]"
        );
        let time = now.format(format).unwrap_or_default();
        self.folder.join(format!("{}-{part}-{time}.{extension}", self.name))
    }
}

/// Runs a target. Whatever goes wrong is in the summary. The client is there if a job was made.
pub(super) async fn run(
    settings: &Settings,
    target: &Target,
    sandbox: &Sandbox,
    cloud: &Cloud,
    version_checked: &mut bool,
    display: &Display,
) -> (TargetSummary, Option<CloudClient>) {
    let mut summary =
        TargetSummary { target: target.name.clone(), job_id: None, steps: Vec::new(), failure: None };
    let prepared = match &target.settings {
        Ok(target) => prepare(settings, target, sandbox, cloud, version_checked, display).await,
        Err(errors) => Err(errors.clone().into()),
    };
    match prepared {
        Err(failure) => {
            summary.failure = Some(failure);
            (summary, None)
        }
        Ok(run) => {
            summary.job_id = Some(run.job.job_id.clone());
            summary.failure = steps(&run, &mut summary.steps).await.err();
            (summary, Some(run.client.clone()))
        }
    }
}

async fn prepare<'a>(
    settings: &'a Settings,
    target: &'a TargetSettings,
    sandbox: &'a Sandbox,
    cloud: &Cloud,
    version_checked: &mut bool,
    display: &'a Display,
) -> Result<TargetRun<'a>, Failure> {
    let path = locate(&target.connector_name, &settings.base_dir, &settings.connector_path)?;
    let what = format!("{}: loading the connector", target.name);
    // Compiling takes up to a second and would hold up everything else on this thread.
    let connector = display
        .during(&what, None, async { tokio::task::block_in_place(|| Connector::load(sandbox, &path)) })
        .await?;
    connector.expect_step()?;
    let info = parameters::describe(sandbox, &connector).await?;
    let given = parameters::of_connector(&target.parameters);
    parameters::check(&info, &given)?;
    let secret = |name: &str| {
        is_secret_name(name) || info.parameters.iter().any(|known| known.secret && known.name == name)
    };
    let secrets: Vec<_> =
        given.iter().filter(|(name, _)| secret(name)).map(|(_, value)| value.clone()).collect();
    let log = ConnectorLog::new(&target.name, secrets);
    let wanted_grants = parameters::wanted_grants(&info, &given);
    let grants =
        Grants::new(target.sandbox.clone(), given.into_iter().collect(), log.clone()).map_err(|why| {
            Failure::new(FailureKind::Configuration, why).hint("correct `sandbox: ca-file:` of the target")
        })?;
    let files = Files::new(target, &settings.base_dir).map_err(|error| {
        Failure::unexpected(format!("no folder for temporary files can be made: {error}"))
    })?;
    let client = cloud.client(target)?;
    if !*version_checked {
        check_version(&client, display).await?;
        *version_checked = true;
    }
    let ids = cloud.ids(target).await?;
    let job_id = client.create_job(ids.data_source.as_deref(), ids.identity_store.as_deref()).await?;
    let job = JobRef {
        job_id,
        data_source_id: ids.data_source.clone(),
        identity_store_id: ids.identity_store.clone(),
    };
    Ok(TargetRun {
        settings: target,
        ids,
        sandbox,
        connector,
        info,
        grants,
        log,
        client,
        job,
        display,
        files,
        wanted_grants,
    })
}

async fn steps(run: &TargetRun<'_>, done: &mut Vec<StepSummary>) -> Result<(), Failure> {
    run.update_job(Status::InProgress, &[]).await;
    let outcome = all_steps(run, done).await;
    match &outcome {
        Ok(()) => run.update_job(Status::Completed, &[]).await,
        Err(failure) => run.update_job(Status::Failed, &[failure.to_string()]).await,
    }
    outcome
}

async fn all_steps(run: &TargetRun<'_>, done: &mut Vec<StepSummary>) -> Result<(), Failure> {
    let (skip, connector) = (run.settings.skip, &run.connector);
    let mut not_applied = None;

    // A connector with identities alone is an identity store, and is not asked about the rest.
    let only_identities =
        connector.data_source().is_none() && connector.access().is_none() && connector.data_usage().is_none();
    if !only_identities {
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
    if may_run(
        &task,
        skip.identity_store,
        run.ids.identity_store.as_ref(),
        connector.identity_store().is_some(),
        done,
    )
    .await
    {
        task.run(done, Box::pin(identity_store::run(&task))).await?;
    }
    if !only_identities {
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
        "by configuration"
    } else if id.is_none() {
        let warning = format!("{} is skipped: the target has no id for it", task.step.label());
        task.target.display.warning(&format!("{}: {warning}", task.target.settings.name));
        "the target has no id for it"
    } else if !implemented {
        "not offered by the connector"
    } else {
        return true;
    };
    task.event(Status::Skipped, &[], &[]).await;
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
        format!("{}: {}", self.settings.name, step.label())
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
        self.display.line(&format!(
            "{}: {counts} ({:.1} s)",
            self.title(step),
            started.elapsed().as_secs_f64()
        ));
    }
}
