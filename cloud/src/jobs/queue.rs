//! The queue of work for the server, a table of the database.
//!
//! A piece of work is put in the queue together with its subtask, in one transaction. It leaves the queue in
//! the transaction that ends the subtask. Work may run twice when the process dies in between, so all of it
//! is transactional and repeatable.

use serde::{Deserialize, Serialize};
use sqlx::Row;

use super::outcome::Outcome;
use super::{Status, to_json};
use crate::ids::{new_id, now};
use crate::store::{Connection, Store};

/// How often work is begun before it is given up: something that kills the process must not do so for ever.
const ATTEMPTS: i64 = 3;

/// What to do. The fields are those of the import settings of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub(crate) enum Work {
    /// Import data objects.
    DataSource { data_source: String, file: String, delete_untouched: bool, tag_sources: Vec<String> },
    /// Import users and groups.
    Identity {
        identity_store: String,
        users_file: String,
        groups_file: String,
        delete_untouched: bool,
        replace_groups: bool,
        tag_sources: Vec<String>,
    },
    /// Import access providers from the target.
    AccessProviders { data_source: String, file: String, delete_untouched: bool },
    /// Import the feedback on exported access providers.
    Feedback { data_source: String, file: String },
    /// Import usage statements.
    Usage { data_source: String, files: Vec<String> },
    /// Import tags.
    Tags {
        data_source: Option<String>,
        identity_store: Option<String>,
        file: String,
        tag_sources: Vec<String>,
    },
    /// Write the access file for the target.
    Export { data_source: String, out_of_sync: bool },
}

impl Work {
    /// The step that the work belongs to.
    pub(crate) fn job_type(&self) -> &'static str {
        match self {
            Self::DataSource { .. } => "DS",
            Self::Identity { .. } => "IS",
            Self::AccessProviders { .. } | Self::Feedback { .. } | Self::Export { .. } => "DA",
            Self::Usage { .. } => "DU",
            Self::Tags { .. } => "TAG",
        }
    }

    /// What kind of work it is, for metrics.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::DataSource { .. } => "data_source",
            Self::Identity { .. } => "identity_store",
            Self::AccessProviders { .. } => "access_controls",
            Self::Feedback { .. } => "feedback",
            Self::Usage { .. } => "usage",
            Self::Tags { .. } => "tags",
            Self::Export { .. } => "export",
        }
    }

    /// The uploaded files, of no use once the work has ended.
    pub(crate) fn files(&self) -> Vec<&str> {
        match self {
            Self::DataSource { file, .. }
            | Self::AccessProviders { file, .. }
            | Self::Feedback { file, .. }
            | Self::Tags { file, .. } => vec![file],
            Self::Identity { users_file, groups_file, .. } => vec![users_file, groups_file],
            Self::Usage { files, .. } => files.iter().map(String::as_str).collect(),
            Self::Export { .. } => Vec::new(),
        }
    }
}

/// A piece of work taken from the queue.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) queue_id: String,
    pub(crate) job_id: String,
    pub(crate) job_type: String,
    pub(crate) subtask_id: String,
    pub(crate) work: Work,
}

/// Why work was not accepted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnqueueError {
    #[error("there is no job `{0}`")]
    NoJob(String),
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// Accepts work for a job; returns the id of its subtask, which is `QUEUED` now.
pub(crate) async fn enqueue(store: &Store, job_id: &str, work: &Work) -> Result<String, EnqueueError> {
    let mut transaction = store.begin().await?;
    if !super::report::job_exists(&mut transaction, job_id).await? {
        return Err(EnqueueError::NoJob(job_id.to_owned()));
    }
    let subtask_id = new_id();
    set_subtask(&mut transaction, job_id, work.job_type(), &subtask_id, Status::Queued, &[], None).await?;
    sqlx::query(
        "INSERT INTO work_queue (id, job_id, job_type, subtask_id, work, attempts) VALUES ($1, $2, $3, $4, $5, 0)",
    )
    .bind(new_id())
    .bind(job_id)
    .bind(work.job_type())
    .bind(&subtask_id)
    .bind(to_json(work))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(subtask_id)
}

/// Makes everything that a former process had claimed available again. Called once at start, while this
/// process alone has the data folder.
pub(crate) async fn release_all(store: &Store) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE work_queue SET claimed_by = NULL WHERE claimed_by IS NOT NULL")
        .execute(store.pool())
        .await?;
    Ok(())
}

/// Takes the oldest waiting work and marks its subtask as being done.
pub(crate) async fn claim(store: &Store, worker: &str) -> Result<Option<Claim>, sqlx::Error> {
    loop {
        // Looking first keeps an idle worker from taking the write lock.
        let waiting = sqlx::query("SELECT id FROM work_queue WHERE claimed_by IS NULL ORDER BY id LIMIT 1")
            .fetch_optional(store.pool())
            .await?;
        let Some(waiting) = waiting else { return Ok(None) };
        let queue_id: String = waiting.try_get(0)?;
        let mut transaction = store.begin().await?;
        let row = sqlx::query(
            "UPDATE work_queue SET claimed_by = $1, attempts = attempts + 1 WHERE id = $2 AND claimed_by IS NULL \
             RETURNING job_id, job_type, subtask_id, work, attempts",
        )
        .bind(worker)
        .bind(&queue_id)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(row) = row else { continue };
        let (job_id, job_type, subtask_id): (String, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let work = serde_json::from_str::<Work>(row.try_get::<String, _>(3)?.as_str());
        let refused = match &work {
            Err(_) => Some("the work was queued by another version of the server"),
            Ok(_) if row.try_get::<i64, _>(4)? > ATTEMPTS => {
                Some("the server stopped several times during this work")
            }
            Ok(_) => None,
        };
        let (Ok(work), None) = (work, refused) else {
            let reason = refused.unwrap_or_default().to_owned();
            end(&mut transaction, &queue_id, &job_id, &job_type, &subtask_id, Err(vec![reason])).await?;
            transaction.commit().await?;
            continue;
        };
        set_subtask(&mut transaction, &job_id, &job_type, &subtask_id, Status::DataProcessing, &[], None)
            .await?;
        transaction.commit().await?;
        return Ok(Some(Claim { queue_id, job_id, job_type, subtask_id, work }));
    }
}

/// Gives work back, to be done from the start by whoever comes next.
pub(crate) async fn release(store: &Store, claim: &Claim) -> Result<(), sqlx::Error> {
    let mut transaction = store.begin().await?;
    // An orderly stop is not an attempt that failed.
    sqlx::query("UPDATE work_queue SET claimed_by = NULL, attempts = attempts - 1 WHERE id = $1")
        .bind(&claim.queue_id)
        .execute(&mut *transaction)
        .await?;
    let Claim { job_id, job_type, subtask_id, .. } = claim;
    set_subtask(&mut transaction, job_id, job_type, subtask_id, Status::Queued, &[], None).await?;
    transaction.commit().await
}

/// Ends work: the subtask is completed, or failed with the given texts.
pub(crate) async fn finish(
    store: &Store,
    claim: &Claim,
    result: Result<Outcome, Vec<String>>,
) -> Result<(), sqlx::Error> {
    let mut transaction = store.begin().await?;
    let Claim { queue_id, job_id, job_type, subtask_id, .. } = claim;
    end(&mut transaction, queue_id, job_id, job_type, subtask_id, result).await?;
    transaction.commit().await
}

async fn end(
    connection: &mut Connection,
    queue_id: &str,
    job_id: &str,
    job_type: &str,
    subtask_id: &str,
    result: Result<Outcome, Vec<String>>,
) -> Result<(), sqlx::Error> {
    match result {
        Ok(outcome) => {
            set_subtask(connection, job_id, job_type, subtask_id, Status::Completed, &[], Some(&outcome))
                .await?;
        }
        Err(errors) => {
            set_subtask(connection, job_id, job_type, subtask_id, Status::Failed, &errors, None).await?;
        }
    }
    sqlx::query("DELETE FROM work_queue WHERE id = $1").bind(queue_id).execute(connection).await?;
    Ok(())
}

async fn set_subtask(
    connection: &mut Connection,
    job_id: &str,
    job_type: &str,
    subtask_id: &str,
    status: Status,
    errors: &[String],
    outcome: Option<&Outcome>,
) -> Result<(), sqlx::Error> {
    let now = now();
    sqlx::query(
        "INSERT INTO subtasks (job_id, job_type, subtask_id, status, errors, outcome, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (job_id, job_type, subtask_id) DO UPDATE SET \
         status = excluded.status, errors = excluded.errors, outcome = excluded.outcome, updated_at = excluded.updated_at",
    )
    .bind(job_id)
    .bind(job_type)
    .bind(subtask_id)
    .bind(status.word())
    .bind(to_json(&errors))
    .bind(outcome.map(to_json))
    .bind(now)
    .execute(&mut *connection)
    .await?;
    let event = super::report::Event {
        job_id,
        job_type: Some(job_type),
        subtask_id: Some(subtask_id),
        status,
        time: now,
    };
    event.store(connection, &serde_json::json!({ "errors": errors })).await
}
