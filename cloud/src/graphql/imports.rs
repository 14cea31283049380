//! Requests to import uploaded files and to export access controls. All of them only queue work.

use async_graphql::{Context, InputObject, Object, SimpleObject};

use super::jobs::Subtask;
use super::{allow, cloud, internal};
use crate::auth::Permission;
use crate::jobs::Status;
use crate::jobs::queue::{self, EnqueueError, Work};

#[derive(InputObject)]
struct DataSourceImportRequest {
    job_id: String,
    import_settings: DataSourceImportSettings,
}

#[derive(InputObject)]
struct DataSourceImportSettings {
    data_source: String,
    #[graphql(default = true)]
    delete_untouched: bool,
    file_key: String,
    tag_sources_scope: Option<Vec<String>>,
}

#[derive(InputObject)]
struct IdentityStoreImportRequest {
    job_id: String,
    import_settings: IdentityStoreImportSettings,
}

#[derive(InputObject)]
struct IdentityStoreImportSettings {
    identity_store: String,
    #[graphql(default = true)]
    delete_untouched: bool,
    #[graphql(default = true)]
    replace_groups: bool,
    users_file_key: String,
    groups_file_key: String,
    tag_sources_scope: Option<Vec<String>>,
}

#[derive(InputObject)]
struct AccessProviderImportRequest {
    job_id: String,
    import_settings: AccessProviderImportSettings,
}

#[derive(InputObject)]
struct AccessProviderImportSettings {
    data_source: String,
    #[graphql(default = true)]
    delete_untouched: bool,
    file_key: String,
}

#[derive(InputObject)]
struct AccessProviderSyncFeedbackRequest {
    job_id: String,
    import_settings: AccessProviderSyncFeedbackSettings,
}

#[derive(InputObject)]
struct AccessProviderSyncFeedbackSettings {
    data_source: String,
    file_key: String,
}

#[derive(InputObject)]
struct DataUsageImportRequest {
    job_id: String,
    import_settings: DataUsageImportSettings,
}

#[derive(InputObject)]
struct DataUsageImportSettings {
    data_source: String,
    file_keys: Vec<String>,
}

#[derive(InputObject)]
struct TagImportRequest {
    job_id: String,
    import_settings: TagImportSettings,
}

#[derive(InputObject)]
struct TagImportSettings {
    data_source: Option<String>,
    identity_source: Option<String>,
    file_key: String,
    tag_sources_scope: Option<Vec<String>>,
}

#[derive(InputObject)]
struct AccessProviderExportRequest {
    job_id: String,
    export_settings: AccessProviderExportSettings,
}

#[derive(InputObject)]
struct AccessProviderExportSettings {
    data_source: String,
}

#[derive(InputObject, Default)]
struct AccessProviderExportRequestFilter {
    status: Option<AccessProviderExportStatusFilter>,
}

#[derive(InputObject)]
struct AccessProviderExportStatusFilter {
    out_of_sync: Option<bool>,
}

/// Work was queued.
#[derive(SimpleObject)]
struct QueuedWork {
    subtask: Subtask,
}

#[derive(Default)]
pub(super) struct ImportMutation;

#[Object]
impl ImportMutation {
    /// Imports data objects.
    async fn import_data_source_request(
        &self,
        context: &Context<'_>,
        input: DataSourceImportRequest,
    ) -> async_graphql::Result<QueuedWork> {
        let settings = input.import_settings;
        let work = Work::DataSource {
            data_source: settings.data_source,
            file: settings.file_key,
            delete_untouched: settings.delete_untouched,
            tag_sources: settings.tag_sources_scope.unwrap_or_default(),
        };
        queue(context, input.job_id, &work).await
    }

    /// Imports users and groups.
    async fn import_identity_request(
        &self,
        context: &Context<'_>,
        input: IdentityStoreImportRequest,
    ) -> async_graphql::Result<QueuedWork> {
        let settings = input.import_settings;
        let work = Work::Identity {
            identity_store: settings.identity_store,
            users_file: settings.users_file_key,
            groups_file: settings.groups_file_key,
            delete_untouched: settings.delete_untouched,
            replace_groups: settings.replace_groups,
            tag_sources: settings.tag_sources_scope.unwrap_or_default(),
        };
        queue(context, input.job_id, &work).await
    }

    /// Imports access providers that were found in the target.
    async fn import_access_providers_request(
        &self,
        context: &Context<'_>,
        input: AccessProviderImportRequest,
    ) -> async_graphql::Result<QueuedWork> {
        let settings = input.import_settings;
        let work = Work::AccessProviders {
            data_source: settings.data_source,
            file: settings.file_key,
            delete_untouched: settings.delete_untouched,
        };
        queue(context, input.job_id, &work).await
    }

    /// Imports what became of exported access providers.
    async fn import_access_providers_sync_feedback(
        &self,
        context: &Context<'_>,
        input: AccessProviderSyncFeedbackRequest,
    ) -> async_graphql::Result<QueuedWork> {
        let settings = input.import_settings;
        let work = Work::Feedback { data_source: settings.data_source, file: settings.file_key };
        queue(context, input.job_id, &work).await
    }

    /// Imports usage statements.
    async fn import_data_usage_request(
        &self,
        context: &Context<'_>,
        input: DataUsageImportRequest,
    ) -> async_graphql::Result<QueuedWork> {
        let settings = input.import_settings;
        let work = Work::Usage { data_source: settings.data_source, files: settings.file_keys };
        queue(context, input.job_id, &work).await
    }

    /// Imports tags of a catalogue.
    async fn import_tags_request(
        &self,
        context: &Context<'_>,
        input: TagImportRequest,
    ) -> async_graphql::Result<QueuedWork> {
        let settings = input.import_settings;
        let given = |id: Option<String>| id.filter(|id| !id.is_empty());
        let work = Work::Tags {
            data_source: given(settings.data_source),
            identity_store: given(settings.identity_source),
            file: settings.file_key,
            tag_sources: settings.tag_sources_scope.unwrap_or_default(),
        };
        queue(context, input.job_id, &work).await
    }
}

#[derive(Default)]
pub(super) struct ExportQuery;

#[Object]
impl ExportQuery {
    /// Writes the access controls of a data source to a file. A query, although it starts work: so it is called.
    async fn export_access_providers_request(
        &self,
        context: &Context<'_>,
        input: AccessProviderExportRequest,
        #[graphql(default)] filter: AccessProviderExportRequestFilter,
    ) -> async_graphql::Result<QueuedWork> {
        let out_of_sync = filter.status.and_then(|status| status.out_of_sync).unwrap_or_default();
        let work = Work::Export { data_source: input.export_settings.data_source, out_of_sync };
        queue(context, input.job_id, &work).await
    }
}

async fn queue(context: &Context<'_>, job_id: String, work: &Work) -> async_graphql::Result<QueuedWork> {
    allow(context, Permission::Synchronize)?;
    let cloud = cloud(context)?;
    let subtask_id = queue::enqueue(&cloud.store, &job_id, work).await.map_err(|error| match error {
        EnqueueError::Database(error) => internal(error),
        EnqueueError::NoJob(_) => async_graphql::Error::new(error.to_string()),
    })?;
    cloud.bell.notify_one();
    let subtask = Subtask {
        job_id,
        job_type: work.job_type().to_owned(),
        subtask_id,
        status: Status::Queued,
        last_update: None,
        errors: Vec::new(),
        result: None,
    };
    Ok(QueuedWork { subtask })
}
