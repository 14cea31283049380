//! Jobs, tasks, subtasks and their events; the version check; the end of a run.

use async_graphql::{Context, InputObject, Object, SimpleObject, Union};
use sqlx::Row;

use super::errors::PermissionDeniedError;
use super::scalars::Time;
use super::{Cloud, allow, cloud, internal, permit};
use crate::auth::Permission;
use crate::ids::now;
use crate::jobs::Status;
use crate::jobs::outcome::Outcome;
use crate::jobs::report::{self, Event, JOB_TYPES, TaskReport};

/// Clients of this version and later are served.
const SUPPORTED_CLI_VERSIONS: &str = ">=0.1.0-0";

#[derive(InputObject)]
struct JobInput {
    data_source_id: Option<String>,
    identity_store_id: Option<String>,
    status: Option<Status>,
    event_time: Option<Time>,
    errors: Option<Vec<String>>,
}

#[derive(InputObject, serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct TaskResultInput {
    object_type: Option<String>,
    added: Option<i64>,
    updated: Option<i64>,
    removed: Option<i64>,
    failed: Option<i64>,
}

#[derive(InputObject)]
struct TaskEventInput {
    job_id: String,
    job_type: String,
    #[graphql(name = "dataSourceId")]
    _data_source_id: Option<String>,
    #[graphql(name = "identityStoreId")]
    _identity_store_id: Option<String>,
    status: Status,
    event_time: Option<Time>,
    errors: Option<Vec<String>>,
    warnings: Option<Vec<String>>,
    result: Option<Vec<TaskResultInput>>,
}

#[derive(InputObject)]
struct SubtaskInput {
    job_id: String,
    job_type: String,
    subtask_id: String,
    #[graphql(name = "dataSourceId")]
    _data_source_id: Option<String>,
    #[graphql(name = "identityStoreId")]
    _identity_store_id: Option<String>,
    status: Status,
    event_time: Option<Time>,
    /// Epoch milliseconds: more than 32 bits.
    received_date: Option<i64>,
}

#[derive(InputObject)]
struct LogFileToTaskInput {
    job_id: String,
    job_type: String,
    file_key: String,
}

#[derive(InputObject)]
struct EndOfTargetsSyncInput {
    job_ids: Vec<String>,
}

/// A job was created or its state noted.
#[derive(SimpleObject)]
struct JobReceipt {
    job_id: String,
}

/// An event of a task, or of one of its subtasks, was noted.
#[derive(SimpleObject)]
struct TaskReceipt {
    job_id: String,
    job_type: String,
}

/// A piece of work within a task.
#[derive(SimpleObject)]
#[expect(clippy::struct_field_names, reason = "the names are those of the format")]
pub(crate) struct Subtask {
    pub(crate) job_id: String,
    pub(crate) job_type: String,
    pub(crate) subtask_id: String,
    pub(crate) status: Status,
    pub(crate) last_update: Option<Time>,
    pub(crate) errors: Vec<String>,
    pub(crate) result: Option<SubtaskResult>,
}

/// Data objects were imported.
#[derive(SimpleObject)]
pub(crate) struct DataSourceImportResult {
    data_objects_added: u64,
    data_objects_updated: u64,
    data_objects_removed: u64,
    warnings: Vec<String>,
}

/// Users and groups were imported.
#[derive(SimpleObject)]
pub(crate) struct IdentityStoreImportResult {
    users_added: u64,
    users_updated: u64,
    users_removed: u64,
    groups_added: u64,
    groups_updated: u64,
    groups_removed: u64,
    warnings: Vec<String>,
}

/// Access providers were imported.
#[derive(SimpleObject)]
pub(crate) struct AccessProviderImportResult {
    access_added: u64,
    access_updated: u64,
    access_removed: u64,
    warnings: Vec<String>,
}

/// Usage was imported.
#[derive(SimpleObject)]
pub(crate) struct DataUsageImportResult {
    edges_created_or_updated: u64,
    edges_removed: u64,
    statements_added: u64,
    statements_failed: u64,
    statements_skipped: u64,
    warnings: Vec<String>,
}

/// The access file was written.
#[derive(SimpleObject)]
pub(crate) struct AccessProviderExportResult {
    file_key: String,
    file_location: String,
    warnings: Vec<String>,
}

/// The feedback was stored.
#[derive(SimpleObject)]
pub(crate) struct AccessProviderSyncFeedbackResult {
    access_names_added: u64,
    warnings: Vec<String>,
}

/// Tags were imported.
#[derive(SimpleObject)]
pub(crate) struct TagImportResult {
    tags_added: u64,
    tags_updated: u64,
    tags_removed: u64,
    warnings: Vec<String>,
}

/// What a subtask brought.
#[derive(Union)]
pub(crate) enum SubtaskResult {
    DataSource(DataSourceImportResult),
    Identity(IdentityStoreImportResult),
    AccessProviders(AccessProviderImportResult),
    Usage(DataUsageImportResult),
    Export(AccessProviderExportResult),
    Feedback(AccessProviderSyncFeedbackResult),
    Tags(TagImportResult),
}

impl SubtaskResult {
    fn new(outcome: Outcome, cloud: &Cloud) -> Self {
        match outcome {
            Outcome::DataSource { objects, warnings } => Self::DataSource(DataSourceImportResult {
                data_objects_added: objects.added,
                data_objects_updated: objects.updated,
                data_objects_removed: objects.removed,
                warnings,
            }),
            Outcome::Identity { users, groups, warnings } => Self::Identity(IdentityStoreImportResult {
                users_added: users.added,
                users_updated: users.updated,
                users_removed: users.removed,
                groups_added: groups.added,
                groups_updated: groups.updated,
                groups_removed: groups.removed,
                warnings,
            }),
            Outcome::AccessProviders { access, warnings } => {
                Self::AccessProviders(AccessProviderImportResult {
                    access_added: access.added,
                    access_updated: access.updated,
                    access_removed: access.removed,
                    warnings,
                })
            }
            Outcome::Usage { edges, added, failed, skipped, warnings } => {
                Self::Usage(DataUsageImportResult {
                    edges_created_or_updated: edges,
                    edges_removed: 0,
                    statements_added: added,
                    statements_failed: failed,
                    statements_skipped: skipped,
                    warnings,
                })
            }
            Outcome::Tags { tags, warnings } => Self::Tags(TagImportResult {
                tags_added: tags.added,
                tags_updated: tags.updated,
                tags_removed: tags.removed,
                warnings,
            }),
            Outcome::Export { file_key, secret, warnings } => Self::Export(AccessProviderExportResult {
                file_location: format!("{}file/download/{secret}", cloud.base_url),
                file_key,
                warnings,
            }),
            Outcome::Feedback { names_added, warnings } => {
                Self::Feedback(AccessProviderSyncFeedbackResult { access_names_added: names_added, warnings })
            }
        }
    }
}

/// A run was noted.
#[derive(SimpleObject)]
struct EndOfTargetsSync {
    success: bool,
}

/// The end of a run, or why it was refused.
#[derive(Union)]
enum EndOfTargetsSyncResult {
    Done(EndOfTargetsSync),
    PermissionDenied(PermissionDeniedError),
}

/// Which clients are served.
#[derive(SimpleObject)]
struct SupportedCliVersion {
    supported_versions: String,
    deprecated_versions: Option<DeprecatedVersions>,
}

/// Which clients are served with a warning.
#[derive(SimpleObject)]
struct DeprecatedVersions {
    deprecated_versions: String,
    msg: Option<String>,
}

#[derive(Default)]
pub(super) struct JobQuery;

#[Object]
impl JobQuery {
    /// The state of a subtask.
    async fn job_subtask(
        &self,
        context: &Context<'_>,
        job_id: String,
        job_type: String,
        subtask_id: String,
    ) -> async_graphql::Result<Option<Subtask>> {
        allow(context, Permission::Synchronize)?;
        let cloud = cloud(context)?;
        let row = sqlx::query(
            "SELECT status, errors, outcome, updated_at FROM subtasks \
             WHERE job_id = $1 AND job_type = $2 AND subtask_id = $3",
        )
        .bind(&job_id)
        .bind(&job_type)
        .bind(&subtask_id)
        .fetch_optional(cloud.store.pool())
        .await
        .map_err(internal)?;
        let Some(row) = row else { return Err(format!("there is no subtask `{subtask_id}`").into()) };
        cloud.sightings.note(&job_id);
        let outcome: Option<String> = row.try_get(2).map_err(internal)?;
        Ok(Some(Subtask {
            job_id,
            job_type,
            subtask_id,
            status: Status::from_word(row.try_get(0).map_err(internal)?),
            errors: serde_json::from_str(row.try_get(1).map_err(internal)?).unwrap_or_default(),
            last_update: Some(Time(row.try_get(3).map_err(internal)?)),
            result: outcome
                .and_then(|text| serde_json::from_str(&text).ok())
                .map(|outcome| SubtaskResult::new(outcome, cloud)),
        }))
    }

    /// Which versions of the command line are served.
    #[graphql(name = "SupportedCLIVersion")]
    async fn supported_cli_version(&self) -> SupportedCliVersion {
        SupportedCliVersion {
            supported_versions: SUPPORTED_CLI_VERSIONS.to_owned(),
            deprecated_versions: None,
        }
    }
}

#[derive(Default)]
pub(super) struct JobMutation;

#[Object]
impl JobMutation {
    /// Begins a job.
    async fn create_job(&self, context: &Context<'_>, input: JobInput) -> async_graphql::Result<JobReceipt> {
        allow(context, Permission::Synchronize)?;
        let time = moment(input.event_time);
        let job_id =
            report::create_job(&cloud(context)?.store, input.data_source_id, input.identity_store_id, time)
                .await
                .map_err(internal)?;
        Ok(JobReceipt { job_id })
    }

    /// Notes the state of a job.
    async fn update_job(
        &self,
        context: &Context<'_>,
        id: String,
        input: JobInput,
    ) -> async_graphql::Result<JobReceipt> {
        allow(context, Permission::Synchronize)?;
        let status = input.status.ok_or_else(|| async_graphql::Error::new("status is missing"))?;
        let errors = input.errors.unwrap_or_default();
        let done =
            report::update_job(&cloud(context)?.store, &id, status, &errors, moment(input.event_time)).await;
        found(done, &id)?;
        Ok(JobReceipt { job_id: id })
    }

    /// Notes the state of a task.
    async fn add_task_event(
        &self,
        context: &Context<'_>,
        input: TaskEventInput,
    ) -> async_graphql::Result<TaskReceipt> {
        allow(context, Permission::Synchronize)?;
        check_job_type(&input.job_type)?;
        let event = Event {
            job_id: &input.job_id,
            job_type: Some(&input.job_type),
            subtask_id: None,
            status: input.status,
            time: moment(input.event_time),
        };
        let report = TaskReport {
            errors: input.errors.unwrap_or_default(),
            warnings: input.warnings.unwrap_or_default(),
            result: serde_json::to_value(input.result)?,
        };
        found(report::task_event(&cloud(context)?.store, &event, &report).await, &input.job_id)?;
        Ok(TaskReceipt { job_id: input.job_id, job_type: input.job_type })
    }

    /// Notes the state of a subtask that the client works on.
    async fn add_subtask_event(
        &self,
        context: &Context<'_>,
        input: SubtaskInput,
    ) -> async_graphql::Result<TaskReceipt> {
        allow(context, Permission::Synchronize)?;
        check_job_type(&input.job_type)?;
        let event = Event {
            job_id: &input.job_id,
            job_type: Some(&input.job_type),
            subtask_id: Some(&input.subtask_id),
            status: input.status,
            time: moment(input.event_time),
        };
        found(
            report::subtask_event(&cloud(context)?.store, &event, input.received_date).await,
            &input.job_id,
        )?;
        Ok(TaskReceipt { job_id: input.job_id, job_type: input.job_type })
    }

    /// Attaches an uploaded log file to a task.
    async fn add_log_file_to_task(
        &self,
        context: &Context<'_>,
        input: LogFileToTaskInput,
    ) -> async_graphql::Result<TaskReceipt> {
        allow(context, Permission::Synchronize)?;
        check_job_type(&input.job_type)?;
        let store = &cloud(context)?.store;
        found(report::log_file(store, &input.job_id, &input.job_type, &input.file_key).await, &input.job_id)?;
        Ok(TaskReceipt { job_id: input.job_id, job_type: input.job_type })
    }

    /// Notes that all targets of a run are through.
    async fn end_of_targets_sync(
        &self,
        context: &Context<'_>,
        input: EndOfTargetsSyncInput,
    ) -> async_graphql::Result<EndOfTargetsSyncResult> {
        if let Err(denied) = permit(context, Permission::Synchronize)? {
            return Ok(EndOfTargetsSyncResult::PermissionDenied(denied));
        }
        let mut connection = cloud(context)?.store.pool().acquire().await.map_err(internal)?;
        let mut success = true;
        for job in &input.job_ids {
            success &= report::job_exists(&mut connection, job).await.map_err(internal)?;
        }
        Ok(EndOfTargetsSyncResult::Done(EndOfTargetsSync { success }))
    }
}

fn moment(time: Option<Time>) -> i64 {
    time.map_or_else(now, |time| time.0)
}

fn found(done: Result<bool, sqlx::Error>, job_id: &str) -> async_graphql::Result<()> {
    if done.map_err(internal)? { Ok(()) } else { Err(format!("there is no job `{job_id}`").into()) }
}

fn check_job_type(job_type: &str) -> async_graphql::Result<()> {
    if JOB_TYPES.contains(&job_type) { Ok(()) } else { Err(format!("`{job_type}` is not a job type").into()) }
}
