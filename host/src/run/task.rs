//! A step as a task of the target's job in Raito Cloud: its events, its calls into the connector, its uploads.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wasmtime::Store;
use wasmtime::component::Instance as ComponentInstance;

use super::target::TargetRun;
use crate::cloud_client::{
    JobType, PollInterval, Status, Subtask, SubtaskEvent, SubtaskResult, TaskEvent, TaskResult, UploadFile,
};
use crate::contract::types;
use crate::failure::Failure;
use crate::sandbox::State;
use crate::sinks::spool::{Layout, SpoolFile};
use crate::sinks::{Progress, RecordWriter};
use crate::summary::{Count, Step, StepStatus, StepSummary};

/// The client's own subtask of the access step.
const ACCESS_SYNC: &str = "AccessSync";

/// A step that runs.
pub(super) struct Task<'a> {
    pub(super) target: &'a TargetRun<'a>,
    pub(super) step: Step,
    job_type: JobType,
}

impl<'a> Task<'a> {
    pub(super) fn new(target: &'a TargetRun<'a>, job_type: JobType, step: Step) -> Self {
        Task { target, step, job_type }
    }

    /// Runs the work of the step between its first and its last event, and adds it to what was done.
    pub(super) async fn run(
        &self,
        done: &mut Vec<StepSummary>,
        work: impl Future<Output = Result<Vec<TaskResult>, Failure>>,
    ) -> Result<(), Failure> {
        let started = Instant::now();
        self.event(Status::Started, &[], &[]).await;
        let outcome = work.await;
        self.finish(done, started, outcome, &[]).await
    }

    /// Tells how the step ended. `earlier` are results of a part of the same task that was told about before.
    pub(super) async fn finish(
        &self,
        done: &mut Vec<StepSummary>,
        started: Instant,
        outcome: Result<Vec<TaskResult>, Failure>,
        earlier: &[TaskResult],
    ) -> Result<(), Failure> {
        let (status, results, failure) = match outcome {
            Ok(results) => {
                let all: Vec<_> = earlier.iter().chain(&results).cloned().collect();
                self.event(Status::Completed, &[], &all).await;
                // The protocol has a word of its own for what people call access controls.
                let counts: Vec<_> = results.iter().map(Count::from).map(in_words_of_people).collect();
                self.target.tell_done(self.step, &counts, started);
                (StepStatus::Completed, counts, None)
            }
            Err(failure) => {
                self.event(Status::Failed, &[failure.to_string()], &[]).await;
                (StepStatus::Failed, Vec::new(), Some(failure))
            }
        };
        done.push(StepSummary { step: self.step, status, results, elapsed: started.elapsed() });
        failure.map_or(Ok(()), |failure| Err(failure.of(self.step.label())))
    }

    /// Sends an event of the task, with the connector's warnings since the event before. A step does not fail
    /// because an event was not taken.
    pub(super) async fn event(&self, status: Status, errors: &[String], result: &[TaskResult]) {
        let warnings = self.target.loaded.tell_warnings();
        let event = TaskEvent { job_type: self.job_type, status, errors, warnings: &warnings, result };
        if let Err(error) = self.target.client.add_task_event(&self.target.job, &event).await {
            tracing::debug!(%error, "a task event was not taken");
        }
    }

    /// Sends an event of the client's own part of the access step.
    pub(super) async fn access_sync_event(&self, status: Status, received_date: Option<i64>) {
        let event = SubtaskEvent { job_type: self.job_type, subtask_id: ACCESS_SYNC, status, received_date };
        if let Err(error) = self.target.client.add_subtask_event(&self.target.job, &event).await {
            tracing::debug!(%error, "a subtask event was not taken");
        }
    }

    /// Calls the connector in an instance of its own.
    pub(super) async fn call<T, F>(&self, what: &str, progress: &Arc<Progress>, work: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: AsyncFnOnce(&mut Store<State>, &ComponentInstance) -> wasmtime::Result<Result<T, types::Error>>,
        F: Send + 'static,
    {
        let title = format!("{}: {what}", self.target.title(self.step));
        self.target.loaded.call(&title, progress, work).await
    }

    /// A writer of records into a new file of the step.
    pub(super) fn writer(
        &self,
        part: &str,
        layout: Layout,
        progress: &Arc<Progress>,
    ) -> Result<RecordWriter, Failure> {
        self.target.loaded.writer(part, layout, progress)
    }

    /// Uploads files, each announced by an event; gives their keys.
    pub(super) async fn upload(&self, files: &[SpoolFile]) -> Result<Vec<String>, Failure> {
        let mut keys = Vec::with_capacity(files.len());
        for file in files {
            let upload = UploadFile {
                path: file.path.clone(),
                length: file.bytes,
                sha256: STANDARD.encode(file.sha256),
            };
            keys.push(self.during("uploading", self.target.client.upload(&upload)).await?);
        }
        Ok(keys)
    }

    /// Waits for what the cloud does with an upload.
    pub(super) async fn wait(
        &self,
        subtask: Subtask,
        interval: PollInterval,
    ) -> Result<Option<SubtaskResult>, Failure> {
        if interval == PollInterval::Import && subtask.status == Status::Queued {
            self.event(Status::Queued, &[], &[]).await;
        }
        let wait =
            self.target.client.wait_for_subtask(&self.target.job.job_id, self.job_type, &subtask, interval);
        Ok(self.during("waiting for Raito Cloud", wait).await?)
    }

    /// Shows what is being done while it lasts.
    pub(super) async fn during<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        self.target
            .loaded
            .display
            .during(&format!("{}: {what}", self.target.title(self.step)), None, work)
            .await
    }

    /// Shows warnings of the cloud, the first few.
    pub(super) fn cloud_warnings(&self, warnings: &[String]) {
        const SHOWN: usize = 5;
        let name = &self.target.loaded.settings.name;
        for warning in warnings.iter().take(SHOWN) {
            self.target.loaded.display.warning(&format!("{name}: {}", self.target.loaded.log.clean(warning)));
        }
        if warnings.len() > SHOWN {
            self.target
                .loaded
                .display
                .warning(&format!("{name}: {} more warnings of this kind", warnings.len() - SHOWN));
        }
    }
}

fn in_words_of_people(count: Count) -> Count {
    match count.object_type.as_str() {
        "imported access providers" => Count { object_type: "access controls".into(), ..count },
        _ => count,
    }
}
