//! Data objects, from the target.

use std::sync::Arc;

use wasmtime::component::Resource;

use super::task::Task;
use super::{enrich, metadata};
use crate::cloud_client::{PollInterval, Status, SubtaskResult, TaskResult};
use crate::contract::exports::data_source::SyncScope;
use crate::failure::{Failure, FailureKind};
use crate::sinks::spool::Layout;
use crate::sinks::{DataObjectRules, DataObjectSink, Progress, TagRules};
use crate::target::spool_failure;

pub(super) async fn run(task: &Task<'_>) -> Result<Vec<TaskResult>, Failure> {
    let target = task.target;
    let (Some(indices), Some(source_id)) = (target.loaded.connector.data_source(), &target.ids.data_source)
    else {
        return Ok(Vec::new());
    };
    let progress = Arc::new(Progress::default());

    let title = format!("{}: asking what it is", target.title(task.step));
    let Some(found) = target.loaded.metadata(&title).await? else { return Ok(Vec::new()) };
    let types = found.object_types.iter().map(|object_type| object_type.name.clone()).collect();
    let metadata = metadata::data_source(found);
    metadata.check().map_err(|why| {
        Failure::new(
            FailureKind::Connector,
            format!("the metadata is not valid: {}", target.loaded.log.clean(&why)),
        )
    })?;
    target.client.set_data_source_metadata(source_id, &metadata).await?;

    let tags = TagRules::new(&target.loaded.settings.tags);
    let rules = DataObjectRules { data_source_id: source_id.clone(), types, tags };
    // The operator's rules see the objects as they are uploaded: behind the last enricher, if there is one.
    let enriched = !target.loaded.settings.enrichers.is_empty();
    let tags = if enriched { TagRules::default() } else { rules.tags.clone() };
    let objects = DataObjectSink::new(
        task.writer("fromTarget-dataObjects", Layout::RECORDS, &progress)?,
        DataObjectRules { tags, ..rules.clone() },
    );
    let objects = if enriched { objects.counted() } else { objects };
    let guest = indices.clone();
    let scope = SyncScope {
        parent: target.scope.object_parent.clone(),
        excludes: target.scope.object_excludes.clone(),
    };
    let (files, tally) = task
        .call("reading", &progress, async move |store, instance| {
            let objects = store.data_mut().table().push(objects)?;
            let outcome = guest
                .load(&mut *store, instance)?
                .call_sync(&mut *store, &scope, Resource::new_borrow(objects.rep()))
                .await?;
            let (writer, tally) = store.data_mut().table().delete(objects)?.into_parts();
            Ok(outcome.map(|()| (writer.finish(), tally)))
        })
        .await?;
    let mut files = files.map_err(|error| spool_failure(&error))?;
    let mut tag_sources = target.tag_sources();
    if enriched && let Some(file) = files.pop() {
        let (file, sources) = Box::pin(enrich::run(task, file, tally, &rules)).await?;
        files.push(file);
        tag_sources.extend(sources);
    }

    task.event(Status::DataUpload, &[], &[]).await;
    let keys = task.upload(&files).await?;
    let subtask = target
        .client
        .import_data_source(
            &target.job.job_id,
            source_id,
            target.loaded.settings.delete_untouched,
            keys.first().map_or("", String::as_str),
            &tag_sources,
        )
        .await?;
    match task.wait(subtask, PollInterval::Import).await? {
        Some(SubtaskResult::DataSource {
            data_objects_added,
            data_objects_removed,
            data_objects_updated,
            warnings,
        }) => {
            task.cloud_warnings(&warnings);
            Ok(vec![TaskResult {
                object_type: "data objects".into(),
                added: data_objects_added,
                updated: data_objects_updated,
                removed: data_objects_removed,
                failed: warnings.len() as u64,
            }])
        }
        _ => Ok(Vec::new()),
    }
}
