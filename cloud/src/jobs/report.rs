//! What clients report: jobs, task events, subtask events, log files. The latest state is kept per job, task
//! and subtask; every event is kept as well, also one that comes too late to change a state.
//!
//! Every report begins by touching the row of its job: that is a sign of life, and keeps the reports on one job
//! apart.

use serde_json::json;
use sqlx::Row;

use super::{Status, final_words, to_json};
use crate::ids::{new_id, now};
use crate::store::{Connection, Exclusive, Store};

/// The steps that a client may report.
pub(crate) const JOB_TYPES: [&str; 6] = ["DS", "IS", "DA", "DU", "RP", "TAG"];

/// An event about a job, or one of its tasks, or one of their subtasks.
pub(crate) struct Event<'e> {
    pub(crate) job_id: &'e str,
    pub(crate) job_type: Option<&'e str>,
    pub(crate) subtask_id: Option<&'e str>,
    pub(crate) status: Status,
    pub(crate) time: i64,
}

impl Event<'_> {
    /// Appends the event to the history of the job.
    pub(crate) async fn store(
        &self,
        connection: &mut Connection,
        detail: &serde_json::Value,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO job_events (id, job_id, job_type, subtask_id, status, event_time, detail) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(new_id())
        .bind(self.job_id)
        .bind(self.job_type)
        .bind(self.subtask_id)
        .bind(self.status.word())
        .bind(self.time)
        .bind(detail.to_string())
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// Whether there is such a job.
pub(crate) async fn job_exists(connection: &mut Connection, job_id: &str) -> Result<bool, sqlx::Error> {
    let row = sqlx::query("SELECT 1 FROM jobs WHERE id = $1").bind(job_id).fetch_optional(connection).await?;
    Ok(row.is_some())
}

/// Notes a sign of life of a job, and holds its row until the transaction ends. False when there is no such job.
pub(crate) async fn touch(connection: &mut Connection, job_id: &str) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("UPDATE jobs SET last_seen = $1 WHERE id = $2")
        .bind(now())
        .bind(job_id)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Creates a job; returns its id.
pub(crate) async fn create_job(
    store: &Store,
    data_source: Option<String>,
    identity_store: Option<String>,
    time: i64,
) -> Result<String, sqlx::Error> {
    let id = new_id();
    let mut transaction = store.begin_exclusive(Exclusive::Rows).await?;
    sqlx::query(
        "INSERT INTO jobs (id, data_source_id, identity_store_id, status, errors, created_at, updated_at, last_seen) \
         VALUES ($1, $2, $3, $4, '[]', $5, $5, $5)",
    )
    .bind(&id)
    .bind(data_source)
    .bind(identity_store)
    .bind(Status::Started.word())
    .bind(now())
    .execute(&mut *transaction)
    .await?;
    let event = Event { job_id: &id, job_type: None, subtask_id: None, status: Status::Started, time };
    event.store(&mut transaction, &json!({})).await?;
    transaction.commit().await?;
    Ok(id)
}

/// Notes the state of a job. False when there is no such job.
pub(crate) async fn update_job(
    store: &Store,
    job_id: &str,
    status: Status,
    errors: &[String],
    time: i64,
) -> Result<bool, sqlx::Error> {
    let mut transaction = store.begin_exclusive(Exclusive::Rows).await?;
    if !touch(&mut transaction, job_id).await? {
        return Ok(false);
    }
    sqlx::query(concat!(
        "UPDATE jobs SET status = $1, errors = $2, updated_at = $3 WHERE id = $4 \
         AND (status = 'STARTED' OR $1 <> 'STARTED') AND status NOT IN ",
        final_words!()
    ))
    .bind(status.word())
    .bind(to_json(&errors))
    .bind(now())
    .bind(job_id)
    .execute(&mut *transaction)
    .await?;
    let event = Event { job_id, job_type: None, subtask_id: None, status, time };
    event.store(&mut transaction, &json!({ "errors": errors })).await?;
    transaction.commit().await?;
    Ok(true)
}

/// What a task event says beside its status.
pub(crate) struct TaskReport {
    pub(crate) errors: Vec<String>,
    pub(crate) warnings: Vec<String>,
    /// Rows of `objectType`, `added`, `updated`, `removed`, `failed`.
    pub(crate) result: serde_json::Value,
}

/// Notes the state of a task. Warnings add up over the events of a task. False when there is no such job.
pub(crate) async fn task_event(
    store: &Store,
    event: &Event<'_>,
    report: &TaskReport,
) -> Result<bool, sqlx::Error> {
    let mut transaction = store.begin_exclusive(Exclusive::Rows).await?;
    if !touch(&mut transaction, event.job_id).await? {
        return Ok(false);
    }
    let known = sqlx::query("SELECT warnings FROM tasks WHERE job_id = $1 AND job_type = $2")
        .bind(event.job_id)
        .bind(event.job_type)
        .fetch_optional(&mut *transaction)
        .await?;
    let mut warnings: Vec<String> = match known {
        Some(row) => serde_json::from_str(row.try_get(0)?).unwrap_or_default(),
        None => Vec::new(),
    };
    warnings.extend(report.warnings.iter().cloned());
    sqlx::query(concat!(
        "INSERT INTO tasks (job_id, job_type, status, errors, warnings, result, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (job_id, job_type) DO UPDATE SET status = excluded.status, \
         errors = excluded.errors, warnings = excluded.warnings, result = excluded.result, updated_at = excluded.updated_at \
         WHERE (tasks.status = 'STARTED' OR excluded.status <> 'STARTED') AND tasks.status NOT IN ",
        final_words!()
    ))
    .bind(event.job_id)
    .bind(event.job_type)
    .bind(event.status.word())
    .bind(to_json(&report.errors))
    .bind(to_json(&warnings))
    .bind(report.result.to_string())
    .bind(now())
    .execute(&mut *transaction)
    .await?;
    let detail = json!({ "errors": report.errors, "warnings": report.warnings, "result": report.result });
    event.store(&mut transaction, &detail).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Notes the state of a subtask that the client works on. False when there is no such job.
pub(crate) async fn subtask_event(
    store: &Store,
    event: &Event<'_>,
    received_date: Option<i64>,
) -> Result<bool, sqlx::Error> {
    let mut transaction = store.begin_exclusive(Exclusive::Rows).await?;
    if !touch(&mut transaction, event.job_id).await? {
        return Ok(false);
    }
    sqlx::query(concat!(
        "INSERT INTO subtasks (job_id, job_type, subtask_id, status, errors, received_date, updated_at) \
         VALUES ($1, $2, $3, $4, '[]', $5, $6) ON CONFLICT (job_id, job_type, subtask_id) DO UPDATE SET \
         status = excluded.status, received_date = COALESCE(excluded.received_date, subtasks.received_date), \
         updated_at = excluded.updated_at WHERE subtasks.server = 0 \
         AND (subtasks.status = 'STARTED' OR excluded.status <> 'STARTED') AND subtasks.status NOT IN ",
        final_words!()
    ))
    .bind(event.job_id)
    .bind(event.job_type)
    .bind(event.subtask_id)
    .bind(event.status.word())
    .bind(received_date)
    .bind(now())
    .execute(&mut *transaction)
    .await?;
    event.store(&mut transaction, &json!({ "receivedDate": received_date })).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Attaches an uploaded log file to a task. False when there is no such job.
pub(crate) async fn log_file(
    store: &Store,
    job_id: &str,
    job_type: &str,
    file_key: &str,
) -> Result<bool, sqlx::Error> {
    let mut transaction = store.begin_exclusive(Exclusive::Rows).await?;
    if !touch(&mut transaction, job_id).await? {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO job_logs (job_id, job_type, file_key) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(job_id)
    .bind(job_type)
    .bind(file_key)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(true)
}
