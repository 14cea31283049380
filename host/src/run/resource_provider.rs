//! Resources of Raito Cloud itself, which the connector manages through the session that the host lends it. There is
//! nothing to upload and nothing to wait for.

use std::sync::Arc;

use super::task::Task;
use crate::cloud_client::{Status, TaskResult};
use crate::contract::exports::resource_provider::TargetIds;
use crate::failure::Failure;
use crate::sandbox::Session;
use crate::sinks::Progress;

pub(super) async fn run(task: &Task<'_>) -> Result<Vec<TaskResult>, Failure> {
    let target = task.target;
    let Some(indices) = target.loaded.connector.resource_provider() else { return Ok(Vec::new()) };
    task.event(Status::DataProcessing, &[], &[]).await;
    let ids = TargetIds {
        data_source: target.ids.data_source.clone().unwrap_or_default(),
        identity_store: target.ids.identity_store.clone().unwrap_or_default(),
    };
    let guest = indices.clone();
    let session = Session::of(target.client.clone());
    let title = format!("{}: updating", target.title(task.step));
    let counts = target
        .loaded
        .call_with(&title, &Arc::new(Progress::default()), session, async move |store, instance| {
            guest.load(&mut *store, instance)?.call_update(&mut *store, &ids).await
        })
        .await?;
    Ok(vec![TaskResult {
        object_type: "Resource objects".into(),
        added: counts.added.into(),
        updated: counts.updated.into(),
        removed: counts.deleted.into(),
        failed: counts.failed.into(),
    }])
}
