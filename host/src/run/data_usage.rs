//! Statements, from the target.

use std::sync::Arc;

use time::OffsetDateTime;
use wasmtime::component::Resource;

use super::task::Task;
use crate::cloud_client::{PollInterval, Status, SubtaskResult, TaskResult};
use crate::contract::exports::data_usage::KnownPeriod;
use crate::failure::Failure;
use crate::sinks::spool::Layout;
use crate::sinks::{Progress, StatementSink};
use crate::target::spool_failure;

pub(super) async fn run(task: &Task<'_>) -> Result<Vec<TaskResult>, Failure> {
    let target = task.target;
    let (Some(indices), Some(source_id)) = (target.loaded.connector.data_usage(), &target.ids.data_source)
    else {
        return Ok(Vec::new());
    };
    let usage = target.client.data_source_usage(source_id).await?;
    let millis = |moment: Option<OffsetDateTime>| {
        moment.and_then(|moment| u64::try_from(moment.unix_timestamp_nanos() / 1_000_000).ok())
    };
    let known = KnownPeriod { first: millis(usage.first_used), last: millis(usage.last_used) };

    let progress = Arc::new(Progress::default());
    let layout = Layout::usage(target.loaded.settings.maximum_file_size);
    let statements = StatementSink::new(task.writer("fromTarget-usage", layout, &progress)?);
    let guest = indices.clone();
    let files = task
        .call("reading", &progress, async move |store, instance| {
            let statements = store.data_mut().table().push(statements)?;
            let outcome = guest
                .load(&mut *store, instance)?
                .call_sync(&mut *store, known, Resource::new_borrow(statements.rep()))
                .await?;
            let files = store.data_mut().table().delete(statements)?.into_writer().finish();
            Ok(outcome.map(|()| files))
        })
        .await?
        .map_err(|error| spool_failure(&error))?;

    let mut keys = Vec::with_capacity(files.len());
    for file in &files {
        task.event(Status::DataUpload, &[], &[]).await;
        keys.extend(task.upload(std::slice::from_ref(file)).await?);
    }
    let subtask = target.client.import_data_usage(&target.job.job_id, source_id, &keys).await?;
    match task.wait(subtask, PollInterval::Import).await? {
        Some(SubtaskResult::Usage { statements_added, statements_failed, warnings, .. }) => {
            task.cloud_warnings(&warnings);
            Ok(vec![TaskResult {
                object_type: "statements".into(),
                added: statements_added,
                updated: 0,
                removed: 0,
                failed: statements_failed,
            }])
        }
        _ => Ok(Vec::new()),
    }
}
