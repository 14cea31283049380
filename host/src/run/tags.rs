//! Tags of a catalogue, on data objects and users that other connectors delivered.
//!
//! The API says nothing about what became of them that this client could read: the row of the result counts nothing,
//! as with Raito's own CLI. People are told how many there were.

use std::sync::Arc;

use wasmtime::component::Resource;

use super::task::Task;
use crate::cloud_client::{PollInterval, Status, TagImport, TaskResult};
use crate::failure::Failure;
use crate::sinks::spool::Layout;
use crate::sinks::{Progress, TagSink};
use crate::target::spool_failure;

pub(super) async fn run(task: &Task<'_>) -> Result<Vec<TaskResult>, Failure> {
    let target = task.target;
    let Some(indices) = target.loaded.connector.tags() else { return Ok(Vec::new()) };
    let progress = Arc::new(Progress::default());
    let tags = TagSink::new(task.writer("fromTarget-tags", Layout::RECORDS, &progress)?);
    let guest = indices.clone();
    let (sources, files) = task
        .call("reading", &progress, async move |store, instance| {
            let tags = store.data_mut().table().push(tags)?;
            let outcome = guest
                .load(&mut *store, instance)?
                .call_sync(&mut *store, Resource::new_borrow(tags.rep()))
                .await?;
            let files = store.data_mut().table().delete(tags)?.into_writer().finish();
            Ok(outcome.map(|sources| (sources, files)))
        })
        .await?;
    let files = files.map_err(|error| spool_failure(&error))?;

    task.event(Status::DataUpload, &[], &[]).await;
    let keys = task.upload(&files).await?;
    let import = TagImport {
        data_source: target.ids.data_source.as_deref().unwrap_or_default(),
        identity_store: target.ids.identity_store.as_deref().unwrap_or_default(),
        file_key: keys.first().map_or("", String::as_str),
        tag_sources: &sources,
    };
    let subtask = target.client.import_tags(&target.job.job_id, &import).await?;
    task.wait(subtask, PollInterval::Import).await?;
    task.had_in_all(progress.records());
    Ok(vec![TaskResult { object_type: "tags".into(), added: 0, updated: 0, removed: 0, failed: 0 }])
}
