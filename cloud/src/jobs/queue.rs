//! The queue of work for the server, a table of the database.
//!
//! A piece of work is put in the queue together with its subtask, in one transaction. It leaves the queue in
//! the transaction that ends the subtask, which for an import is the one that changes the stored rows. So it is
//! done exactly once, whoever is killed whenever.
//!
//! Work is taken under a lease ([`super::lease`]). A row of the queue is free when nobody has claimed it, or when
//! the lease has run out. What concerns the same subject - a data source, an identity store, the users that are
//! joined by e-mail address - is done one after the other, in the order of the queue.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::{Executor as _, Row};

use super::outcome::Outcome;
use super::{Status, final_words, to_json};
use crate::ids::{new_id, now};
use crate::store::{Connection, Exclusive, Store};

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

    /// What it concerns, see the top of this file.
    fn subjects(&self) -> Vec<String> {
        let data_source = |id: &str| format!("data source {id}");
        let identity_store = |id: &str| format!("identity store {id}");
        match self {
            Self::DataSource { data_source: id, .. }
            | Self::AccessProviders { data_source: id, .. }
            | Self::Feedback { data_source: id, .. }
            | Self::Usage { data_source: id, .. }
            | Self::Export { data_source: id, .. } => vec![data_source(id)],
            Self::Identity { identity_store: id, .. } => vec![identity_store(id), "users".to_owned()],
            Self::Tags { data_source: source, identity_store: store, .. } => source
                .as_deref()
                .map(data_source)
                .into_iter()
                .chain(store.as_deref().map(identity_store))
                .collect(),
        }
    }

    /// What its merge keeps others from writing, beside work on the same subjects.
    pub(super) fn exclusive(&self) -> Exclusive {
        match self {
            Self::Identity { .. } | Self::AccessProviders { .. } | Self::Feedback { .. } => Exclusive::Model,
            Self::DataSource { .. } | Self::Usage { .. } | Self::Tags { .. } | Self::Export { .. } => {
                Exclusive::Rows
            }
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
    /// Who has claimed it, and the how manieth attempt this is: together they are different for each claim.
    pub(super) worker: String,
    pub(super) attempt: i64,
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
    let mut transaction = store.begin_exclusive(Exclusive::Rows).await?;
    if !super::report::touch(&mut transaction, job_id).await? {
        return Err(EnqueueError::NoJob(job_id.to_owned()));
    }
    let (queue_id, subtask_id) = (new_id(), new_id());
    let place = Place { job_id, job_type: work.job_type(), subtask_id: &subtask_id, worker: None };
    place.note(&mut transaction, Status::Queued, &[], None).await?;
    sqlx::query(
        "INSERT INTO work_queue (id, job_id, job_type, subtask_id, work, attempts) VALUES ($1, $2, $3, $4, $5, 0)",
    )
    .bind(&queue_id)
    .bind(job_id)
    .bind(work.job_type())
    .bind(&subtask_id)
    .bind(to_json(work))
    .execute(&mut *transaction)
    .await?;
    for subject in work.subjects() {
        sqlx::query("INSERT INTO work_subjects (queue_id, subject) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(&queue_id)
            .bind(subject)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(subtask_id)
}

/// Makes everything that a former process had claimed available again. Called once at start, where no other
/// process can work on the same database.
pub(crate) async fn release_all(store: &Store) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE work_queue SET claimed_by = NULL, lease_until = NULL WHERE claimed_by IS NOT NULL")
        .execute(store.pool())
        .await?;
    Ok(())
}

/// Takes the oldest work that is free and whose turn it is, for so long, and marks its subtask as being done.
///
/// Work whose lease has run out goes before everything else on its subjects: it was the first of them before.
pub(crate) async fn claim(
    store: &Store,
    worker: &str,
    lease: Duration,
) -> Result<Option<Claim>, sqlx::Error> {
    loop {
        let now = store.clock().await?;
        // Looking first keeps an idle worker from excluding others.
        let free = "SELECT 1 FROM work_queue WHERE claimed_by IS NULL OR lease_until < $1 LIMIT 1";
        if sqlx::query(free).bind(now).fetch_optional(store.pool()).await?.is_none() {
            return Ok(None);
        }
        let mut transaction = store.begin_exclusive(Exclusive::Queue).await?;
        let statement = format!(
            "SELECT q.id, q.job_id, q.job_type, q.subtask_id, q.work, q.attempts FROM work_queue q \
             WHERE (q.claimed_by IS NULL OR q.lease_until < $1) AND NOT EXISTS (SELECT 1 FROM work_subjects s \
             JOIN work_subjects t ON t.subject = s.subject AND t.queue_id <> s.queue_id \
             JOIN work_queue o ON o.id = t.queue_id WHERE s.queue_id = q.id \
             AND (o.claimed_by IS NOT NULL OR (q.claimed_by IS NULL AND o.id < q.id))) \
             ORDER BY q.id LIMIT 1{}",
            store.dialect().skip_locked()
        );
        let found =
            sqlx::query(sqlx::AssertSqlSafe(statement)).bind(now).fetch_optional(&mut *transaction).await?;
        let Some(row) = found else { return Ok(None) };
        let (queue_id, job_id, job_type): (String, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let (subtask_id, attempt): (String, i64) = (row.try_get(3)?, row.try_get::<i64, _>(5)? + 1);
        sqlx::query("UPDATE work_queue SET claimed_by = $1, attempts = $2, lease_until = $3 WHERE id = $4")
            .bind(worker)
            .bind(attempt)
            .bind(store.dialect().lease_end(now, lease))
            .bind(&queue_id)
            .execute(&mut *transaction)
            .await?;
        let work = serde_json::from_str::<Work>(row.try_get::<String, _>(4)?.as_str());
        let refused = match &work {
            Err(_) => Some("the work was queued by another version of the server"),
            Ok(_) if attempt > ATTEMPTS => Some("the server stopped several times during this work"),
            Ok(_) => None,
        };
        let place =
            Place { job_id: &job_id, job_type: &job_type, subtask_id: &subtask_id, worker: Some(worker) };
        let (Ok(work), None) = (work, refused) else {
            let reason = refused.unwrap_or_default().to_owned();
            place.end(&mut transaction, &queue_id, Err(vec![reason])).await?;
            transaction.commit().await?;
            continue;
        };
        place.note(&mut transaction, Status::DataProcessing, &[], None).await?;
        transaction.commit().await?;
        let worker = worker.to_owned();
        tracing::debug!(job = job_id, subtask = subtask_id, worker, attempt, "work begins");
        return Ok(Some(Claim { queue_id, job_id, job_type, subtask_id, work, worker, attempt }));
    }
}

impl Claim {
    /// Its subtask.
    pub(super) fn place(&self) -> Place<'_> {
        Place {
            job_id: &self.job_id,
            job_type: &self.job_type,
            subtask_id: &self.subtask_id,
            worker: Some(&self.worker),
        }
    }
}

/// The subtask of a piece of work.
pub(super) struct Place<'p> {
    job_id: &'p str,
    job_type: &'p str,
    subtask_id: &'p str,
    /// Who works on it, for the history.
    worker: Option<&'p str>,
}

impl Place<'_> {
    /// Ends work: the subtask is completed, or failed with the given texts.
    pub(super) async fn end(
        &self,
        connection: &mut Connection,
        queue_id: &str,
        result: Result<&Outcome, Vec<String>>,
    ) -> Result<(), sqlx::Error> {
        super::report::touch(connection, self.job_id).await?;
        match result {
            Ok(outcome) => self.note(connection, Status::Completed, &[], Some(outcome)).await?,
            Err(errors) => self.note(connection, Status::Failed, &errors, None).await?,
        }
        for statement in
            ["DELETE FROM work_subjects WHERE queue_id = $1", "DELETE FROM work_queue WHERE id = $1"]
        {
            connection.execute(sqlx::query(statement).bind(queue_id)).await?;
        }
        Ok(())
    }

    /// Notes the state of the subtask, unless it has ended.
    pub(super) async fn note(
        &self,
        connection: &mut Connection,
        status: Status,
        errors: &[String],
        outcome: Option<&Outcome>,
    ) -> Result<(), sqlx::Error> {
        let now = now();
        sqlx::query(concat!(
            "INSERT INTO subtasks (job_id, job_type, subtask_id, status, errors, outcome, updated_at, server) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, 1) ON CONFLICT (job_id, job_type, subtask_id) DO UPDATE SET \
             status = excluded.status, errors = excluded.errors, outcome = excluded.outcome, \
             updated_at = excluded.updated_at WHERE subtasks.status NOT IN ",
            final_words!()
        ))
        .bind(self.job_id)
        .bind(self.job_type)
        .bind(self.subtask_id)
        .bind(status.word())
        .bind(to_json(&errors))
        .bind(outcome.map(to_json))
        .bind(now)
        .execute(&mut *connection)
        .await?;
        let event = super::report::Event {
            job_id: self.job_id,
            job_type: Some(self.job_type),
            subtask_id: Some(self.subtask_id),
            status,
            time: now,
        };
        event.store(connection, &serde_json::json!({ "errors": errors, "worker": self.worker })).await
    }
}
