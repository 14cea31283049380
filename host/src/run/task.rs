//! A step as a task of the target's job in Raito Cloud: its events, its calls into the connector, its uploads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tracing::Level;
use wasmtime::Store;
use wasmtime::component::Instance as ComponentInstance;

use super::target::TargetRun;
use super::task_log::TaskLog;
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
    /// Parts of one task have this in common.
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    log: Mutex<Option<TaskLog>>,
    /// Warnings that are not the target's connector's.
    warnings: Mutex<Vec<String>>,
    /// How many records there were, where the results do not tell.
    total: AtomicU64,
}

impl<'a> Task<'a> {
    pub(super) fn new(target: &'a TargetRun<'a>, job_type: JobType, step: Step) -> Self {
        Task { target, step, job_type, shared: Arc::default() }
    }

    /// A part of this task that people see as a step of its own.
    pub(super) fn part(&self, step: Step) -> Self {
        Task { target: self.target, step, job_type: self.job_type, shared: Arc::clone(&self.shared) }
    }

    /// Begins the log of the task, unless Raito Cloud is not to have it. A step does not fail for want of a log.
    pub(super) fn begin_log(&self) {
        let loaded = &self.target.loaded;
        let forwarding = loaded.run.log_forwarding;
        let wanted = match self.job_type {
            JobType::DataSource => forwarding.data_source,
            JobType::IdentityStore => forwarding.identity_store,
            JobType::DataAccess => forwarding.data_access,
            JobType::DataUsage => forwarding.data_usage,
            JobType::ResourceProvider => forwarding.resource_provider,
            JobType::Tag => forwarding.tag,
        };
        if !wanted {
            return;
        }
        match TaskLog::begin(loaded, self.step.label()) {
            Ok(log) => *self.shared.log.lock().unwrap_or_else(PoisonError::into_inner) = Some(log),
            Err(error) => self.no_log(&error.to_string()),
        }
    }

    /// Ends the log, if there is one, and hands it in.
    pub(super) async fn hand_in_log(&self) {
        let log = self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(log) = log else { return };
        let log = match log.finish() {
            Ok(log) => log,
            Err(error) => return self.no_log(&error.to_string()),
        };
        let client = &self.target.client;
        let handed_in = async {
            let key = client.upload_log(self.job_type, &log.upload).await?;
            client.add_log_file_to_task(&self.target.job, self.job_type, &key).await
        };
        let handed_in = self.during("handing in the log", handed_in).await;
        // The file stays where somebody may still want it: here, or the server that was told its path.
        let kept = if handed_in.is_err() || client.hands_over_paths() { log.file.keep().ok() } else { None };
        if let Err(error) = handed_in {
            let place = kept.map(|(_, path)| format!("; it is in {}", path.display())).unwrap_or_default();
            self.no_log(&format!("{error}{place}"));
        }
    }

    fn no_log(&self, why: &str) {
        let why = crate::sandbox::escaped(why);
        let loaded = &self.target.loaded;
        loaded
            .display
            .warning(&format!("{}: the log was not handed in: {why}", self.target.title(self.step)));
    }

    /// Adds a line to the log of the task alone.
    fn log(&self, level: Level, text: &str) {
        if let Some(log) = &*self.shared.log.lock().unwrap_or_else(PoisonError::into_inner) {
            log.line(level, text);
        }
    }

    /// Takes warnings of another connector than the target's.
    pub(super) fn add_warnings(&self, warnings: Vec<String>) {
        self.shared.warnings.lock().unwrap_or_else(PoisonError::into_inner).extend(warnings);
    }

    /// Says how many records there were, where the results do not tell.
    pub(super) fn had_in_all(&self, records: u64) {
        self.shared.total.store(records, Ordering::Relaxed);
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

    /// Tells that the task ended well, where there is no step to add to what was done.
    pub(super) async fn end(&self, results: &[TaskResult]) {
        self.event(Status::Completed, &[], results).await;
        self.hand_in_log().await;
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
                let mut counts: Vec<_> = results.iter().map(Count::from).map(in_words_of_people).collect();
                if let (total @ 1.., Some(first)) =
                    (self.shared.total.load(Ordering::Relaxed), counts.first_mut())
                {
                    first.total = Some(total);
                }
                self.hand_in_log().await;
                self.target.tell_done(self.step, &counts, started);
                (StepStatus::Completed, counts, None)
            }
            Err(failure) => {
                self.log(Level::ERROR, &failure.to_string());
                if let Some(hint) = &failure.hint {
                    self.log(Level::INFO, &format!("hint: {hint}"));
                }
                self.hand_in_log().await;
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
        let mut warnings = self.target.loaded.tell_warnings();
        warnings.append(&mut self.shared.warnings.lock().unwrap_or_else(PoisonError::into_inner));
        tracing::debug!(target: "raito", task = self.job_type.name(), ?status, "task event");
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
            let (path, bytes) = (file.path.display(), file.bytes);
            tracing::debug!(target: "raito", %path, bytes, "uploading");
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
        let result = self.during("waiting for Raito Cloud", wait).await?;
        tracing::debug!(target: "raito", ?result, "Raito Cloud is done");
        Ok(result)
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
