//! Jobs, tasks and subtasks: what a run reports, and how it waits for the cloud's part.
//!
//! A job is one target in one run; a task one step of it; a subtask one piece of work within a step, for which
//! the client waits by asking.
//!
//! Members that are not set are sent as `null`, empty lists and ids too. Waiting has no end of its own: the
//! cloud ends what is stuck. Five failed queries are tolerated over the whole wait.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::graphql::{Operation, null_as_default, string};
use super::repeat::Repeat;
use super::{CloudClient, CloudError};

/// How many failed queries one wait survives.
const TOLERATED: usize = 5;

/// The kind of a step, as the cloud knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum JobType {
    /// Data source: its metadata and data objects.
    #[serde(rename = "DS")]
    DataSource,
    /// Identity store: users and groups.
    #[serde(rename = "IS")]
    IdentityStore,
    /// Data access, to and from the target.
    #[serde(rename = "DA")]
    DataAccess,
    /// Data usage.
    #[serde(rename = "DU")]
    DataUsage,
    /// Resource provider.
    #[serde(rename = "RP")]
    ResourceProvider,
    /// Tags.
    #[serde(rename = "TAG")]
    Tag,
}

impl JobType {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::DataSource => "DS",
            Self::IdentityStore => "IS",
            Self::DataAccess => "DA",
            Self::DataUsage => "DU",
            Self::ResourceProvider => "RP",
            Self::Tag => "TAG",
        }
    }
}

/// Where a job, task or subtask is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Begun.
    Started,
    /// Working.
    InProgress,
    /// Fetching from the cloud.
    DataRetrieve,
    /// About to upload.
    DataUpload,
    /// Accepted by the cloud, not begun.
    Queued,
    /// Being processed.
    DataProcessing,
    /// Done.
    Completed,
    /// Failed.
    Failed,
    /// Not executed.
    Skipped,
    /// Given up on by the cloud.
    TimedOut,
}

impl Status {
    /// Whether there is something to wait for.
    pub fn is_running(self) -> bool {
        !matches!(self, Self::Completed | Self::Failed | Self::Skipped | Self::TimedOut)
    }
}

/// A status that is not known is read as begun, so that the client goes on waiting.
impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        Ok(match text.as_str() {
            "IN_PROGRESS" => Self::InProgress,
            "DATA_RETRIEVE" => Self::DataRetrieve,
            "DATA_UPLOAD" => Self::DataUpload,
            "QUEUED" => Self::Queued,
            "DATA_PROCESSING" => Self::DataProcessing,
            "COMPLETED" => Self::Completed,
            "FAILED" => Self::Failed,
            "SKIPPED" => Self::Skipped,
            "TIMED_OUT" => Self::TimedOut,
            _ => Self::Started,
        })
    }
}

/// A job and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRef {
    /// The job's id.
    pub job_id: String,
    /// The data source, if the target has one.
    pub data_source_id: Option<String>,
    /// The identity store, if the target has one.
    pub identity_store_id: Option<String>,
}

/// One row of a step's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskResult {
    /// What was counted, such as `users`.
    pub object_type: String,
    /// How many came.
    pub added: u64,
    /// How many changed.
    pub updated: u64,
    /// How many went.
    pub removed: u64,
    /// How many could not be processed.
    pub failed: u64,
}

/// Something that happened in a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskEvent<'a> {
    /// The step.
    pub job_type: JobType,
    /// Where it is now.
    pub status: Status,
    /// The error, when failed.
    pub errors: &'a [String],
    /// Warnings since the event before.
    pub warnings: &'a [String],
    /// The counts, when completed.
    pub result: &'a [TaskResult],
}

/// Something that happened in a subtask of the client's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubtaskEvent<'a> {
    /// The step.
    pub job_type: JobType,
    /// The subtask's id, such as `AccessSync`.
    pub subtask_id: &'a str,
    /// Where it is now.
    pub status: Status,
    /// When the file that is worked on was made, in milliseconds since 1970.
    pub received_date: Option<i64>,
}

/// A subtask that the cloud has begun.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subtask {
    /// Its id, chosen by the cloud.
    pub subtask_id: String,
    /// Where it is.
    pub status: Status,
}

/// How often to ask for a subtask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollInterval {
    /// As for imports, which take long.
    Import,
    /// As for exports, which do not.
    Export,
}

/// What came out of a subtask.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "__typename", rename_all_fields = "camelCase")]
#[expect(missing_docs, reason = "the members are named for what they count")]
pub enum SubtaskResult {
    /// Data objects were imported.
    #[serde(rename = "DataSourceImportResult")]
    DataSource {
        #[serde(default, deserialize_with = "null_as_default")]
        data_objects_added: u64,
        #[serde(default, deserialize_with = "null_as_default")]
        data_objects_removed: u64,
        #[serde(default, deserialize_with = "null_as_default")]
        data_objects_updated: u64,
        #[serde(default, deserialize_with = "null_as_default")]
        warnings: Vec<String>,
    },
    /// Users and groups were imported.
    #[serde(rename = "IdentityStoreImportResult")]
    IdentityStore {
        #[serde(default, deserialize_with = "null_as_default")]
        groups_added: u64,
        #[serde(default, deserialize_with = "null_as_default")]
        groups_removed: u64,
        #[serde(default, deserialize_with = "null_as_default")]
        groups_updated: u64,
        #[serde(default, deserialize_with = "null_as_default")]
        users_added: u64,
        #[serde(default, deserialize_with = "null_as_default")]
        users_removed: u64,
        #[serde(default, deserialize_with = "null_as_default")]
        users_updated: u64,
        #[serde(default, deserialize_with = "null_as_default")]
        warnings: Vec<String>,
    },
    /// Access controls were imported.
    #[serde(rename = "AccessProviderImportResult")]
    Access {
        #[serde(default, deserialize_with = "null_as_default")]
        access_added: u64,
        #[serde(default, deserialize_with = "null_as_default")]
        access_removed: u64,
        #[serde(default, deserialize_with = "null_as_default")]
        access_updated: u64,
        #[serde(default, deserialize_with = "null_as_default")]
        warnings: Vec<String>,
    },
    /// Usage was imported.
    #[serde(rename = "DataUsageImportResult")]
    Usage {
        #[serde(default, deserialize_with = "null_as_default")]
        edges_created_or_updated: u64,
        #[serde(default, deserialize_with = "null_as_default")]
        edges_removed: u64,
        #[serde(default, deserialize_with = "null_as_default")]
        statements_added: u64,
        #[serde(default, deserialize_with = "null_as_default")]
        statements_failed: u64,
        #[serde(default, deserialize_with = "null_as_default")]
        statements_skipped: u64,
        #[serde(default, deserialize_with = "null_as_default")]
        warnings: Vec<String>,
    },
    /// The access file is ready.
    #[serde(rename = "AccessProviderExportResult")]
    Export {
        #[serde(default, deserialize_with = "null_as_default")]
        file_key: String,
        /// Where to download it.
        #[serde(default, deserialize_with = "null_as_default")]
        file_location: String,
        #[serde(default, deserialize_with = "null_as_default")]
        warnings: Vec<String>,
    },
    /// Feedback was taken in.
    #[serde(rename = "AccessProviderSyncFeedbackResult")]
    Feedback {
        #[serde(default, deserialize_with = "null_as_default")]
        access_names_added: u64,
        #[serde(default, deserialize_with = "null_as_default")]
        warnings: Vec<String>,
    },
    /// A result that says nothing this client knows, such as that of a tag import.
    #[serde(other)]
    Other,
}

/// The cloud's answer about a subtask.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SubtaskState {
    /// Where it is.
    pub status: Status,
    /// What went wrong in it.
    #[serde(default, deserialize_with = "null_as_default")]
    pub errors: Vec<String>,
    /// What came out of it.
    pub result: Option<SubtaskResult>,
    /// When it last changed, RFC 3339.
    #[serde(rename = "lastUpdate")]
    last_update: Option<String>,
}

impl CloudClient {
    /// Begins a job for a target and gives its id.
    pub async fn create_job(
        &self,
        data_source_id: Option<&str>,
        identity_store_id: Option<&str>,
    ) -> Result<String, CloudError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            create_job: Job,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Job {
            job_id: String,
        }
        let document = "mutation ($input:JobInput!){createJob(input: $input){jobId}}";
        let input = json!({
            "dataSourceId": id(data_source_id),
            "identityStoreId": id(identity_store_id),
            "eventTime": now(),
        });
        let operation = Operation::with_variables("creating the job", document, json!({ "input": input }));
        let data: Data = self.graphql(operation).await?;
        Ok(data.create_job.job_id)
    }

    /// Reports where the job is.
    pub async fn update_job(
        &self,
        job: &JobRef,
        status: Status,
        errors: &[String],
    ) -> Result<(), CloudError> {
        let document = "mutation ($id:String!$input:JobInput!){updateJob(id: $id, input: $input){jobId}}";
        let input = json!({
            "dataSourceId": id(job.data_source_id.as_deref()),
            "identityStoreId": id(job.identity_store_id.as_deref()),
            "status": status,
            "eventTime": now(),
            "errors": list(errors),
        });
        let variables = json!({ "id": job.job_id, "input": input });
        let operation = Operation::with_variables("updating the job", document, variables).repeatable();
        self.graphql::<Value>(operation).await?;
        Ok(())
    }

    /// Reports where a task of the job is.
    pub async fn add_task_event(&self, job: &JobRef, event: &TaskEvent<'_>) -> Result<(), CloudError> {
        let document = "mutation ($input:TaskEventInput!){addTaskEvent(input: $input){jobId}}";
        let input = json!({
            "jobId": job.job_id,
            "jobType": event.job_type,
            "dataSourceId": id(job.data_source_id.as_deref()),
            "identityStoreId": id(job.identity_store_id.as_deref()),
            "status": event.status,
            "eventTime": now(),
            "errors": list(event.errors),
            "warnings": list(event.warnings),
            "result": list(event.result),
        });
        let variables = json!({ "input": input });
        self.graphql::<Value>(Operation::with_variables("the task event", document, variables)).await?;
        Ok(())
    }

    /// Reports where a subtask of the client's own is.
    pub async fn add_subtask_event(&self, job: &JobRef, event: &SubtaskEvent<'_>) -> Result<(), CloudError> {
        let document = "mutation ($input:SubtaskInput!){addSubtaskEvent(input: $input){jobId}}";
        let input = json!({
            "jobId": job.job_id,
            "jobType": event.job_type,
            "subtaskId": event.subtask_id,
            "dataSourceId": id(job.data_source_id.as_deref()),
            "identityStoreId": id(job.identity_store_id.as_deref()),
            "status": event.status,
            "eventTime": now(),
            "receivedDate": event.received_date,
        });
        let variables = json!({ "input": input });
        self.graphql::<Value>(Operation::with_variables("the subtask event", document, variables)).await?;
        Ok(())
    }

    /// Says under which key the log of a task was uploaded.
    pub async fn add_log_file_to_task(
        &self,
        job: &JobRef,
        job_type: JobType,
        file_key: &str,
    ) -> Result<(), CloudError> {
        let document =
            "mutation ($input:LogFileToTaskInput!){addLogFileToTask(input: $input){jobId,jobType}}";
        let input = json!({ "jobId": job.job_id, "jobType": job_type, "fileKey": file_key });
        let variables = json!({ "input": input });
        self.graphql::<Value>(Operation::with_variables("the log of the task", document, variables)).await?;
        Ok(())
    }

    /// Tells that all targets are through. Gives whether the cloud could use that.
    pub async fn end_of_targets_sync(&self, job_ids: &[String]) -> Result<bool, CloudError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            end_of_targets_sync: Option<Outcome>,
        }
        #[derive(Deserialize)]
        struct Outcome {
            success: Option<bool>,
            message: Option<String>,
        }
        let what = "the end of the run";
        let document = "mutation ($input:EndOfTargetsSyncInput!){endOfTargetsSync(input: $input)\
                        {... on EndOfTargetsSync{success},... on PermissionDeniedError{message}}}";
        let variables = json!({ "input": { "jobIds": job_ids } });
        let operation = Operation::with_variables(what, document, variables).repeatable();
        let data: Data = self.graphql(operation).await?;
        match data.end_of_targets_sync {
            Some(Outcome { message: Some(message), .. }) if !message.is_empty() => {
                Err(CloudError::Graphql { what, messages: vec![message] })
            }
            Some(outcome) => Ok(outcome.success.unwrap_or(false)),
            None => Ok(false),
        }
    }

    /// Asks where a subtask is.
    pub async fn job_subtask(
        &self,
        job_id: &str,
        job_type: JobType,
        subtask_id: &str,
    ) -> Result<SubtaskState, CloudError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            job_subtask: SubtaskState,
        }
        let what = "the state of the processing";
        let document = format!(
            "query jobSubtask{{jobSubtask(jobId: {}, jobType: {}, subtaskId: {}){{jobId jobType subtaskId \
             status lastUpdate errors result{{__typename \
             ... on DataSourceImportResult{{dataObjectsAdded dataObjectsRemoved dataObjectsUpdated warnings}} \
             ... on IdentityStoreImportResult{{groupsAdded groupsRemoved groupsUpdated usersAdded usersRemoved \
             usersUpdated warnings}} \
             ... on AccessProviderImportResult{{accessAdded accessRemoved accessUpdated warnings}} \
             ... on DataUsageImportResult{{edgesCreatedOrUpdated edgesRemoved statementsAdded statementsFailed \
             statementsSkipped warnings}} \
             ... on AccessProviderExportResult{{fileKey fileLocation warnings}} \
             ... on AccessProviderSyncFeedbackResult{{accessNamesAdded warnings}}}}}}}}",
            string(job_id),
            string(job_type.name()),
            string(subtask_id),
        );
        // The name stands in the document alone; a body without `variables` is what the API has always seen.
        // Who waits counts failures, and asks again.
        let operation = Operation { repeat: Repeat::Never, ..Operation::reading(what, document) };
        let data: Data = self.graphql(operation).await?;
        let state = data.job_subtask;
        if let Some(moment) = &state.last_update
            && OffsetDateTime::parse(moment, &Rfc3339).is_err()
        {
            let reason = "`lastUpdate` is not a time".to_owned();
            return Err(CloudError::BadAnswer { what, reason });
        }
        Ok(state)
    }

    /// Waits until a subtask is over and gives its result. At least one query is made.
    ///
    /// # Errors
    /// The subtask failed or timed out, or the sixth query failed.
    pub async fn wait_for_subtask(
        &self,
        job_id: &str,
        job_type: JobType,
        subtask: &Subtask,
        interval: PollInterval,
    ) -> Result<Option<SubtaskResult>, CloudError> {
        let mut status = subtask.status;
        let mut failures = 0;
        let mut own = self.shared.options.timing.self_hosted_poll.0;
        let state = loop {
            if status.is_running() {
                tokio::time::sleep(self.poll_wait(interval, &mut own)).await;
            }
            match self.job_subtask(job_id, job_type, &subtask.subtask_id).await {
                Ok(state) if state.status.is_running() => status = state.status,
                Ok(state) => break state,
                Err(error) => {
                    failures += 1;
                    tracing::debug!(%error, failures, "asking for the subtask failed");
                    if failures > TOLERATED {
                        return Err(CloudError::LostTrack { failures, last: Box::new(error) });
                    }
                }
            }
        };
        match state.status {
            Status::Failed => Err(CloudError::JobFailed { errors: state.errors }),
            Status::TimedOut => Err(CloudError::TimedOut),
            _ => Ok(state.result),
        }
    }

    /// The next wait: fixed for Raito's own cloud, growing from a small one for a self-hosted server.
    pub(super) fn poll_wait(&self, interval: PollInterval, own: &mut Duration) -> Duration {
        let timing = &self.shared.options.timing;
        if self.shared.self_hosted.load(Ordering::Relaxed) {
            let wait = *own;
            *own = (wait * 2).min(timing.self_hosted_poll.1);
            return wait;
        }
        match interval {
            PollInterval::Import => timing.import_poll,
            PollInterval::Export => timing.export_poll,
        }
    }
}

/// An id as it is sent: empty ones are `null`.
fn id(id: Option<&str>) -> Option<&str> {
    id.filter(|id| !id.is_empty())
}

/// A list as it is sent: empty ones are `null`.
fn list<T>(items: &[T]) -> Option<&[T]> {
    (!items.is_empty()).then_some(items)
}

/// The time of an event: local where the offset is known, else UTC.
fn now() -> String {
    let now = OffsetDateTime::now_local().unwrap_or_else(|_| OffsetDateTime::now_utc());
    now.format(&Rfc3339).unwrap_or_default()
}
