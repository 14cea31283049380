//! Gives up what nobody works on any more.
//!
//! A client that was killed reports nothing, and a client that waits has no limit of its own. A job has a sign of
//! life with each event, each question about a subtask, and as long as work of it is queued. Without one for the
//! time-out, the job and everything that is open in it becomes `TIMED_OUT`. Several servers may sweep at once:
//! the row of the job decides between them.

use std::time::Duration;

use serde_json::json;
use sqlx::Row;

use super::report::Event;
use super::{Status, final_words, to_json};
use crate::ids::now;
use crate::store::{Connection, Exclusive, Store};

/// Jobs that are looked at in one go.
const BATCH: i64 = 500;

/// Gives up all jobs that were last seen longer ago than `timeout`, and work that is not in the queue.
pub(crate) async fn sweep(store: &Store, timeout: Duration) -> Result<(), sqlx::Error> {
    let limit = now().saturating_sub(i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX));
    let rows = sqlx::query(concat!(
        "SELECT j.id FROM jobs j WHERE j.last_seen < $1 AND j.id IN (SELECT id FROM jobs WHERE status NOT IN ",
        final_words!(),
        " UNION SELECT job_id FROM tasks WHERE status NOT IN ",
        final_words!(),
        " UNION SELECT job_id FROM subtasks WHERE status NOT IN ",
        final_words!(),
        ") AND NOT EXISTS (SELECT 1 FROM work_queue q WHERE q.job_id = j.id) ORDER BY j.id LIMIT $2"
    ))
    .bind(limit)
    .bind(BATCH)
    .fetch_all(store.pool())
    .await?;
    for row in rows {
        let job_id: String = row.try_get(0)?;
        give_up(store, &job_id, limit, timeout).await?;
    }
    end_lost_work(store).await
}

async fn give_up(store: &Store, job_id: &str, limit: i64, timeout: Duration) -> Result<(), sqlx::Error> {
    let mut transaction = store.begin_exclusive(Exclusive::Rows).await?;
    // Holds the row, as every event of the job does.
    let still = sqlx::query(
        "UPDATE jobs SET last_seen = last_seen WHERE id = $1 AND last_seen < $2 \
         AND NOT EXISTS (SELECT 1 FROM work_queue q WHERE q.job_id = jobs.id)",
    )
    .bind(job_id)
    .bind(limit)
    .execute(&mut *transaction)
    .await?;
    if still.rows_affected() == 0 {
        return Ok(());
    }
    let errors =
        [format!("given up: the client has given no sign of life for {} seconds", timeout.as_secs())];
    let now = now();
    let job = sqlx::query(concat!(
        "UPDATE jobs SET status = $1, errors = $2, updated_at = $3 WHERE id = $4 AND status NOT IN ",
        final_words!()
    ));
    let task = sqlx::query(concat!(
        "UPDATE tasks SET status = $1, errors = $2, updated_at = $3 WHERE job_id = $4 AND status NOT IN ",
        final_words!(),
        " RETURNING job_type"
    ));
    let subtask = sqlx::query(concat!(
        "UPDATE subtasks SET status = $1, errors = $2, updated_at = $3 WHERE job_id = $4 AND status NOT IN ",
        final_words!(),
        " RETURNING job_type, subtask_id"
    ));
    let given_up = |query: sqlx::query::Query<'static, sqlx::Any, sqlx::any::AnyArguments>| {
        query.bind(Status::TimedOut.word()).bind(to_json(&errors)).bind(now).bind(job_id.to_owned())
    };
    if given_up(job).execute(&mut *transaction).await?.rows_affected() > 0 {
        tracing::warn!(job = job_id, "a job was given up: no sign of life");
        note(&mut transaction, job_id, None, None, &errors).await?;
    }
    for row in given_up(task).fetch_all(&mut *transaction).await? {
        note(&mut transaction, job_id, row.try_get(0)?, None, &errors).await?;
    }
    for row in given_up(subtask).fetch_all(&mut *transaction).await? {
        note(&mut transaction, job_id, row.try_get(0)?, row.try_get(1)?, &errors).await?;
    }
    transaction.commit().await
}

/// Ends subtasks of the server that are not in the queue, which no crash leads to but somebody's hand may. Queue and
/// subtask change in one transaction, so whoever sees an open one sees its row in the queue.
async fn end_lost_work(store: &Store) -> Result<(), sqlx::Error> {
    let lost = concat!(
        "SELECT 1 FROM subtasks WHERE server = 1 AND status NOT IN ",
        final_words!(),
        " AND NOT EXISTS (SELECT 1 FROM work_queue q WHERE q.job_id = subtasks.job_id \
         AND q.subtask_id = subtasks.subtask_id) LIMIT 1"
    );
    // Looking first: there is nothing to write as a rule.
    if sqlx::query(lost).fetch_optional(store.pool()).await?.is_none() {
        return Ok(());
    }
    let errors = ["the work has vanished from the queue of the server".to_owned()];
    let mut transaction = store.begin_exclusive(Exclusive::Rows).await?;
    let rows = sqlx::query(concat!(
        "UPDATE subtasks SET status = $1, errors = $2, updated_at = $3 WHERE server = 1 AND status NOT IN ",
        final_words!(),
        " AND NOT EXISTS (SELECT 1 FROM work_queue q WHERE q.job_id = subtasks.job_id \
         AND q.subtask_id = subtasks.subtask_id) RETURNING job_id, job_type, subtask_id"
    ))
    .bind(Status::TimedOut.word())
    .bind(to_json(&errors))
    .bind(now())
    .fetch_all(&mut *transaction)
    .await?;
    for row in rows {
        let job_id: String = row.try_get(0)?;
        tracing::error!(job = job_id, "work has vanished from the queue");
        note(&mut transaction, &job_id, row.try_get(1)?, row.try_get(2)?, &errors).await?;
    }
    transaction.commit().await
}

async fn note(
    connection: &mut Connection,
    job_id: &str,
    job_type: Option<&str>,
    subtask_id: Option<&str>,
    errors: &[String],
) -> Result<(), sqlx::Error> {
    let event = Event { job_id, job_type, subtask_id, status: Status::TimedOut, time: now() };
    event.store(connection, &json!({ "errors": errors })).await
}
