//! Access controls: first to the target, then from it. Both are one task of the job.

use std::time::{Duration, Instant};

use super::task::Task;
use crate::cloud_client::{AccessFilter, PollInterval, Status, SubtaskResult, TaskResult};
use crate::contract::exports::access::ApplyOptions;
use crate::failure::{Failure, FailureKind};
use crate::records::desired::Header;
use crate::summary::{Count, Step, StepStatus, StepSummary};
use crate::target::Applied;

/// Runs both halves. Access controls that could not be applied do not end the target, but fail it in the end.
pub(super) async fn run(task: &Task<'_>, done: &mut Vec<StepSummary>) -> Result<Option<Failure>, Failure> {
    let started = Instant::now();
    task.event(Status::Started, &[], &[]).await;
    let title = format!("{}: asking what it can do", task.target.title(task.step));
    let capabilities = match task.target.loaded.capabilities(&title).await {
        Ok(capabilities) => capabilities,
        Err(failure) => return Err(failed(task, done, started, failure).await),
    };
    let to_target = task.part(Step::AccessToTarget);
    let (mut earlier, mut not_applied) = (Vec::new(), None);
    if capabilities.apply {
        let filter = if task.target.scope.out_of_sync && capabilities.partial_apply {
            AccessFilter::OutOfSync
        } else {
            AccessFilter::All
        };
        let applied = match to_the_target(&to_target, filter).await {
            Ok(applied) => applied,
            Err(failure) => return Err(failed(&to_target, done, started, failure).await),
        };
        earlier = applied.results();
        not_applied = applied.failure();
        let counts = vec![applied.count()];
        task.target.tell_done(Step::AccessToTarget, &counts, started);
        done.push(StepSummary {
            step: Step::AccessToTarget,
            status: StepStatus::Completed,
            results: counts,
            elapsed: started.elapsed(),
        });
    } else {
        done.push(StepSummary {
            step: Step::AccessToTarget,
            status: StepStatus::Skipped("the connector only reads".into()),
            results: Vec::new(),
            elapsed: started.elapsed(),
        });
    }
    if task.target.scope.only_to_target {
        task.end(&earlier).await;
        done.push(StepSummary {
            step: Step::AccessFromTarget,
            status: StepStatus::Skipped(task.target.scope.skipped_because.into()),
            results: Vec::new(),
            elapsed: Duration::ZERO,
        });
        return Ok(not_applied);
    }
    let started = Instant::now();
    let outcome = from_the_target(task).await;
    task.finish(done, started, outcome, &earlier).await?;
    Ok(not_applied)
}

async fn failed(task: &Task<'_>, done: &mut Vec<StepSummary>, started: Instant, failure: Failure) -> Failure {
    let outcome = task.finish(done, started, Err(failure.clone()), &[]).await;
    outcome.err().unwrap_or(failure)
}

impl Applied {
    /// For people: what counts is how many were changed in the target.
    fn count(&self) -> Count {
        Count {
            object_type: "access controls".into(),
            total: Some(self.report.totals.controls),
            added: 0,
            updated: self.report.totals.changed,
            removed: 0,
            failed: self.report.totals.failed,
        }
    }

    /// For the protocol: how many were handed over.
    fn results(&self) -> Vec<TaskResult> {
        vec![TaskResult {
            object_type: "exported access providers".into(),
            added: self.report.totals.controls,
            updated: 0,
            removed: 0,
            failed: self.report.totals.failed,
        }]
    }

    fn failure(&self) -> Option<Failure> {
        (self.report.totals.failed > 0).then(|| {
            let first = self.report.errors.first().map(ToString::to_string).unwrap_or_default();
            let message =
                format!("{} access controls could not be applied: {first}", self.report.totals.failed);
            Failure::new(FailureKind::AccessControls, message)
                .hint("Raito Cloud shows the error with each of them; the others were applied")
        })
    }
}

async fn to_the_target(task: &Task<'_>, filter: AccessFilter) -> Result<Applied, Failure> {
    task.event(Status::DataRetrieve, &[], &[]).await;
    task.access_sync_event(Status::Started, None).await;
    let mut header = Header::default();
    let outcome = exchange(task, filter, &mut header).await;
    let status = if outcome.is_ok() { Status::Completed } else { Status::Failed };
    task.access_sync_event(status, header.file_build_time).await;
    let (applied, subtask) = outcome?;
    if let Some(SubtaskResult::Feedback { warnings, .. }) = task.wait(subtask, PollInterval::Import).await? {
        task.cloud_warnings(&warnings);
    }
    Ok(applied)
}

/// Fetches the access controls, has them applied, and hands the feedback in.
async fn exchange(
    task: &Task<'_>,
    filter: AccessFilter,
    header: &mut Header,
) -> Result<(Applied, crate::cloud_client::Subtask), Failure> {
    let target = task.target;
    let Some(source_id) = &target.ids.data_source else {
        return Err(Failure::unexpected("the access step was begun without a data source"));
    };
    task.event(Status::DataRetrieve, &[], &[]).await;
    let subtask = target.client.export_access_providers(&target.job.job_id, source_id, filter).await?;
    let Some(SubtaskResult::Export { file_location, .. }) = task.wait(subtask, PollInterval::Export).await?
    else {
        return Err(Failure::new(FailureKind::Cloud, "Raito Cloud gave no access file"));
    };
    let file = target.loaded.files.path("toTarget-access", "yaml");
    task.during("downloading", target.client.download(&file_location, &file)).await?;

    task.access_sync_event(Status::InProgress, None).await;
    let title = format!("{}: applying", target.title(task.step));
    let options = ApplyOptions { prefix: String::new(), authoritative: false, all_or_nothing: false };
    let applied = target.loaded.apply_access_controls(&title, options, file, FailureKind::Cloud).await?;
    *header = applied.header;

    task.event(Status::DataUpload, &[], &[]).await;
    let keys = task.upload(&applied.files).await?;
    let key = keys.first().map_or("", String::as_str);
    let subtask =
        target.client.import_access_providers_sync_feedback(&target.job.job_id, source_id, key).await?;
    Ok((applied, subtask))
}

async fn from_the_target(task: &Task<'_>) -> Result<Vec<TaskResult>, Failure> {
    let target = task.target;
    let Some(source_id) = &target.ids.data_source else { return Ok(Vec::new()) };
    let title = format!("{}: reading", target.title(task.step));
    let files = target.loaded.read_access_controls(&title).await?;
    task.event(Status::DataUpload, &[], &[]).await;
    let keys = task.upload(&files).await?;
    let subtask = target
        .client
        .import_access_providers(
            &target.job.job_id,
            source_id,
            target.loaded.settings.delete_untouched,
            keys.first().map_or("", String::as_str),
        )
        .await?;
    match task.wait(subtask, PollInterval::Import).await? {
        Some(SubtaskResult::Access { access_added, access_removed, access_updated, warnings }) => {
            task.cloud_warnings(&warnings);
            Ok(vec![TaskResult {
                object_type: "imported access providers".into(),
                added: access_added,
                updated: access_updated,
                removed: access_removed,
                failed: warnings.len() as u64,
            }])
        }
        _ => Ok(Vec::new()),
    }
}
