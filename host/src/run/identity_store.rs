//! Users and groups, from the target.

use std::sync::Arc;

use wasmtime::component::Resource;

use super::metadata;
use super::task::Task;
use crate::cloud_client::{IdentityImport, PollInterval, Status, SubtaskResult, TaskResult};
use crate::failure::Failure;
use crate::sinks::spool::Layout;
use crate::sinks::{GroupSink, Progress, TagRules, UserSink};
use crate::target::spool_failure;

pub(super) async fn run(task: &Task<'_>) -> Result<Vec<TaskResult>, Failure> {
    let target = task.target;
    let (Some(indices), Some(store_id)) =
        (target.loaded.connector.identity_store(), &target.ids.identity_store)
    else {
        return Ok(Vec::new());
    };
    let progress = Arc::new(Progress::default());

    let guest = indices.clone();
    let found = task
        .call("asking what it is", &progress, async move |store, instance| {
            guest.load(&mut *store, instance)?.call_metadata(store).await
        })
        .await?;
    target.client.set_identity_store_metadata(store_id, &metadata::identity_store(found)).await?;

    let users = UserSink::new(
        task.writer("fromTarget-users", Layout::RECORDS, &progress)?,
        TagRules::new(&target.loaded.settings.tags),
    );
    let groups = GroupSink::new(task.writer("fromTarget-groups", Layout::RECORDS, &progress)?);
    let guest = indices.clone();
    let (users, groups) = task
        .call("reading", &progress, async move |store, instance| {
            let users = store.data_mut().table().push(users)?;
            let groups = store.data_mut().table().push(groups)?;
            let outcome = guest
                .load(&mut *store, instance)?
                .call_sync(&mut *store, Resource::new_borrow(users.rep()), Resource::new_borrow(groups.rep()))
                .await?;
            let users = store.data_mut().table().delete(users)?.into_writer().finish();
            let groups = store.data_mut().table().delete(groups)?.into_writer().finish();
            Ok(outcome.map(|()| (users, groups)))
        })
        .await?;

    let (users, groups) =
        (users.map_err(|error| spool_failure(&error))?, groups.map_err(|error| spool_failure(&error))?);
    task.event(Status::DataUpload, &[], &[]).await;
    let users = task.upload(&users).await?;
    let groups = task.upload(&groups).await?;
    let import = IdentityImport {
        identity_store: store_id,
        delete_untouched: target.loaded.settings.delete_untouched,
        replace_groups: target.loaded.settings.replace_groups,
        users_file_key: users.first().map_or("", String::as_str),
        groups_file_key: groups.first().map_or("", String::as_str),
        tag_sources: &target.tag_sources(),
    };
    let subtask = target.client.import_identity(&target.job.job_id, &import).await?;
    match task.wait(subtask, PollInterval::Import).await? {
        Some(SubtaskResult::IdentityStore {
            groups_added,
            groups_removed,
            groups_updated,
            users_added,
            users_removed,
            users_updated,
            warnings,
        }) => {
            task.cloud_warnings(&warnings);
            let row = |object_type: &str, added, updated, removed| TaskResult {
                object_type: object_type.into(),
                added,
                updated,
                removed,
                failed: 0,
            };
            Ok(vec![
                row("users", users_added, users_updated, users_removed),
                row("groups", groups_added, groups_updated, groups_removed),
            ])
        }
        _ => Ok(Vec::new()),
    }
}
