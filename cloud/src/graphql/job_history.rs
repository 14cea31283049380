//! What became of synchronisations: jobs, their tasks and what was reported.

use async_graphql::{ComplexObject, Context, ID, InputObject, Object, SimpleObject};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::errors::Refused;
use super::identity_stores::IdentityStore;
use super::loaders::{self, DataSourceId, IdentityStoreId};
use super::paging::{Item, PagedResult, PagedResults, Sort, Window};
use super::scalars::Time;
use super::sources::DataSource;
use super::{cloud, demand, demand_on, internal};
use crate::auth::Permission;
use crate::auth::roles::{Resource, ResourceKind};
use crate::jobs::Status;
use crate::store::Store;
use crate::store::sql::Sql;

const JOB: &str = "SELECT o.id, o.data_source_id, o.identity_store_id, o.status, o.errors, o.created_at, o.updated_at \
    FROM jobs o WHERE 1 = 1";
const TASK: &str = "SELECT o.job_id, o.job_type, o.status, o.errors, o.warnings, o.result, o.updated_at FROM tasks o \
    WHERE o.job_id = ";

/// A run of one target.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
#[expect(clippy::struct_field_names, reason = "clients know the id by this name")]
pub(crate) struct Job {
    job_id: String,
    status: Status,
    /// Why it failed.
    errors: Vec<String>,
    created_at: Time,
    last_update: Time,
    #[graphql(skip)]
    source: Option<String>,
    #[graphql(skip)]
    store: Option<String>,
}

/// A step of a job.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub(crate) struct Task {
    job_id: String,
    /// `DS`, `IS`, `DA`, `DU`, `RP` or `TAG`.
    job_type: String,
    status: Status,
    errors: Vec<String>,
    warnings: Vec<String>,
    /// What it brought.
    result: Vec<TaskResult>,
    last_update: Time,
}

/// What a task did with one kind of things.
#[derive(Clone, SimpleObject, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
struct TaskResult {
    object_type: Option<String>,
    added: Option<i64>,
    updated: Option<i64>,
    removed: Option<i64>,
    failed: Option<i64>,
}

/// Something that was reported about a job, one of its tasks, or a subtask.
#[derive(Clone, SimpleObject)]
pub(crate) struct JobLogMsg {
    id: ID,
    job_id: String,
    job_type: Option<String>,
    subtask_id: Option<String>,
    status: Status,
    /// When it happened, by the clock of who reported it.
    time: Time,
    errors: Vec<String>,
    warnings: Vec<String>,
}

#[ComplexObject]
impl Job {
    /// The data source that was synchronised.
    async fn data_source(&self, context: &Context<'_>) -> async_graphql::Result<Option<DataSource>> {
        match &self.source {
            Some(id) => loaders::of(context)?.load_one(DataSourceId(id.clone())).await,
            None => Ok(None),
        }
    }

    /// The identity store that was synchronised.
    async fn identity_store(&self, context: &Context<'_>) -> async_graphql::Result<Option<IdentityStore>> {
        match &self.store {
            Some(id) => loaders::of(context)?.load_one(IdentityStoreId(id.clone())).await,
            None => Ok(None),
        }
    }

    /// The steps that were reported.
    async fn tasks(&self, context: &Context<'_>) -> async_graphql::Result<Vec<Task>> {
        tasks(&cloud(context)?.store, &self.job_id).await.map_err(internal)
    }

    /// Everything that was reported, in order of arrival.
    async fn log(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
    ) -> async_graphql::Result<PagedResult> {
        let mut sql = Sql::new(
            "SELECT o.id, o.job_id, o.job_type, o.subtask_id, o.status, o.event_time, o.detail FROM job_events o \
             WHERE o.job_id = ",
        );
        sql.bind(self.job_id.as_str()).map_err(internal)?;
        let item = |row: &AnyRow| Ok(Item::JobLogMsg(JobLogMsg::read(row, 1)?));
        Window { after, limit, order: None }.page(&cloud(context)?.store, sql, "o.id", item).await
    }
}

#[ComplexObject]
impl Task {
    /// The keys of the log files that were attached.
    async fn log_files(&self, context: &Context<'_>) -> async_graphql::Result<Vec<String>> {
        let rows = sqlx::query(
            "SELECT file_key FROM job_logs WHERE job_id = $1 AND job_type = $2 ORDER BY file_key",
        )
        .bind(&self.job_id)
        .bind(&self.job_type)
        .fetch_all(cloud(context)?.store.pool())
        .await
        .map_err(internal)?;
        rows.iter().map(|row| row.try_get(0).map_err(internal)).collect()
    }
}

fn words(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_default()
}

impl Job {
    fn read(row: &AnyRow, first: usize) -> Result<Self, sqlx::Error> {
        Ok(Self {
            job_id: row.try_get(first)?,
            source: row.try_get(first + 1)?,
            store: row.try_get(first + 2)?,
            status: Status::from_word(row.try_get(first + 3)?),
            errors: words(row.try_get(first + 4)?),
            created_at: Time(row.try_get(first + 5)?),
            last_update: Time(row.try_get(first + 6)?),
        })
    }
}

impl Task {
    fn read(row: &AnyRow) -> Result<Self, sqlx::Error> {
        let result: Option<Vec<TaskResult>> = serde_json::from_str(row.try_get(5)?).unwrap_or_default();
        Ok(Self {
            job_id: row.try_get(0)?,
            job_type: row.try_get(1)?,
            status: Status::from_word(row.try_get(2)?),
            errors: words(row.try_get(3)?),
            warnings: words(row.try_get(4)?),
            result: result.unwrap_or_default(),
            last_update: Time(row.try_get(6)?),
        })
    }
}

impl JobLogMsg {
    fn read(row: &AnyRow, first: usize) -> Result<Self, sqlx::Error> {
        #[derive(Default, serde::Deserialize)]
        #[serde(default)]
        struct Detail {
            errors: Vec<String>,
            warnings: Vec<String>,
        }
        let detail: Detail = serde_json::from_str(row.try_get(first + 6)?).unwrap_or_default();
        Ok(Self {
            id: row.try_get::<String, _>(first)?.into(),
            job_id: row.try_get(first + 1)?,
            job_type: row.try_get(first + 2)?,
            subtask_id: row.try_get(first + 3)?,
            status: Status::from_word(row.try_get(first + 4)?),
            time: Time(row.try_get(first + 5)?),
            errors: detail.errors,
            warnings: detail.warnings,
        })
    }
}

async fn job(store: &Store, id: &str) -> Result<Option<Job>, sqlx::Error> {
    let mut sql = Sql::new(JOB);
    sql.push(" AND o.id = ").bind(id)?;
    sql.rows(store.pool()).await?.first().map(|row| Job::read(row, 0)).transpose()
}

async fn tasks(store: &Store, job_id: &str) -> Result<Vec<Task>, sqlx::Error> {
    let mut sql = Sql::new(TASK);
    sql.bind(job_id)?.push(" ORDER BY o.updated_at, o.job_type");
    sql.rows(store.pool()).await?.iter().map(Task::read).collect()
}

/// Which jobs are wanted. Null and absent mean that the condition is not made.
#[derive(InputObject, Default)]
pub(super) struct JobFilterInput {
    pub(super) data_source: Option<ID>,
    pub(super) identity_store: Option<ID>,
    pub(super) statuses: Option<Vec<Status>>,
}

#[derive(Default)]
pub(super) struct JobHistoryQuery;

#[Object]
impl JobHistoryQuery {
    /// A job.
    async fn job(&self, context: &Context<'_>, id: ID) -> async_graphql::Result<Job> {
        find(context, &id).await.map_err(Refused::into_error)
    }

    /// Jobs, the newest first. Owners of a data source or identity store see its jobs.
    async fn jobs(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
        filter: Option<JobFilterInput>,
    ) -> async_graphql::Result<PagedResults> {
        jobs_page(context, (after, limit), filter.unwrap_or_default()).await
    }
}

async fn find(context: &Context<'_>, id: &str) -> Result<Job, Refused> {
    let found = job(&cloud(context)?.store, id).await?;
    let resource = found.as_ref().and_then(|job| {
        let source = job.source.as_ref().map(|id| Resource::new(ResourceKind::DataSource, id));
        source.or_else(|| job.store.as_ref().map(|id| Resource::new(ResourceKind::IdentityStore, id)))
    });
    demand_view(context, resource.as_ref()).await?;
    found.ok_or_else(|| Refused::not_found("job", id))
}

async fn demand_view(context: &Context<'_>, resource: Option<&Resource>) -> Result<(), Refused> {
    match resource {
        Some(resource) => demand_on(context, Permission::ViewSynchronization, resource).await?,
        None => demand(context, Permission::ViewSynchronization)?,
    };
    Ok(())
}

/// A page of jobs.
pub(super) async fn jobs_page(
    context: &Context<'_>,
    (after, limit): (Option<String>, Option<i32>),
    filter: JobFilterInput,
) -> async_graphql::Result<PagedResults> {
    let source = filter.data_source.as_ref().map(|id| Resource::new(ResourceKind::DataSource, id));
    let resource = source
        .or_else(|| filter.identity_store.as_ref().map(|id| Resource::new(ResourceKind::IdentityStore, id)));
    if let Err(refused) = demand_view(context, resource.as_ref()).await {
        return super::errors::answer(Err::<PagedResults, _>(refused));
    }
    let mut sql = Sql::new(JOB);
    for (column, id) in
        [("o.data_source_id", &filter.data_source), ("o.identity_store_id", &filter.identity_store)]
    {
        if let Some(id) = id {
            sql.push(" AND ").push(column).push(" = ").bind(id.as_str()).map_err(internal)?;
        }
    }
    if let Some(statuses) = &filter.statuses {
        let words: Vec<String> = statuses.iter().map(|status| status.word().to_owned()).collect();
        sql.push(" AND o.status IN ").bind_list(&words).map_err(internal)?;
    }
    let item = |row: &AnyRow| Ok(Item::Job(Job::read(row, 1)?));
    let window = Window { after, limit, order: Some(("o.id", Sort::Desc)) };
    Ok(PagedResults::Page(window.page(&cloud(context)?.store, sql, "o.id", item).await?))
}
