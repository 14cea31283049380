//! Imports, the access export and the usage look-up.
//!
//! An import names uploaded files and begins a subtask; what became of it is asked for with
//! [`CloudClient::wait_for_subtask`].

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::graphql::{Operation, string, strings};
use super::jobs::Subtask;
use super::repeat::Repeat;
use super::{CloudClient, CloudError};

/// Which access controls an export holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AccessFilter {
    /// All.
    #[default]
    All,
    /// Those that the target does not have as they are in the cloud.
    OutOfSync,
}

/// What an import of users and groups needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityImport<'a> {
    /// The identity store.
    pub identity_store: &'a str,
    /// Remove what is not in the files.
    pub delete_untouched: bool,
    /// Membership in the files replaces the stored one.
    pub replace_groups: bool,
    /// The key of the uploaded users.
    pub users_file_key: &'a str,
    /// The key of the uploaded groups.
    pub groups_file_key: &'a str,
    /// Tag sources that the files speak for; those that occur in them if empty.
    pub tag_sources: &'a [String],
}

/// What an import of tags needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagImport<'a> {
    /// The data source; empty if the target has none.
    pub data_source: &'a str,
    /// The identity store; empty if the target has none.
    pub identity_store: &'a str,
    /// The key of the uploaded tags.
    pub file_key: &'a str,
    /// Tag sources that the file speaks for; those that occur in it if empty.
    pub tag_sources: &'a [String],
}

/// The time that the known usage of a data source covers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DataSourceUsage {
    /// The latest use.
    pub last_used: Option<OffsetDateTime>,
    /// The earliest use.
    pub first_used: Option<OffsetDateTime>,
}

#[derive(Deserialize)]
struct Begun {
    subtask: Subtask,
}

impl CloudClient {
    /// Begins the import of data objects.
    pub async fn import_data_source(
        &self,
        job_id: &str,
        data_source: &str,
        delete_untouched: bool,
        file_key: &str,
        tag_sources: &[String],
    ) -> Result<Subtask, CloudError> {
        let settings = format!(
            "dataSource: {}, deleteUntouched: {delete_untouched}, fileKey: {}, tagSourcesScope: {}",
            string(data_source),
            string(file_key),
            strings(tag_sources)
        );
        self.import(
            "the import of data objects",
            "ImportDataSourceRequest",
            "importDataSourceRequest",
            job_id,
            &settings,
        )
        .await
    }

    /// Begins the import of users and groups.
    pub async fn import_identity(
        &self,
        job_id: &str,
        import: &IdentityImport<'_>,
    ) -> Result<Subtask, CloudError> {
        let settings = format!(
            "identityStore: {}, deleteUntouched: {}, replaceGroups: {}, usersFileKey: {}, groupsFileKey: {}, \
             tagSourcesScope: {}",
            string(import.identity_store),
            import.delete_untouched,
            import.replace_groups,
            string(import.users_file_key),
            string(import.groups_file_key),
            strings(import.tag_sources)
        );
        self.import(
            "the import of users and groups",
            "ImportIdentityRequest",
            "importIdentityRequest",
            job_id,
            &settings,
        )
        .await
    }

    /// Begins the import of access controls.
    pub async fn import_access_providers(
        &self,
        job_id: &str,
        data_source: &str,
        delete_untouched: bool,
        file_key: &str,
    ) -> Result<Subtask, CloudError> {
        let settings = format!(
            "dataSource: {}, deleteUntouched: {delete_untouched}, fileKey: {}",
            string(data_source),
            string(file_key)
        );
        self.import(
            "the import of access controls",
            "ImportAccessProvidersRequest",
            "importAccessProvidersRequest",
            job_id,
            &settings,
        )
        .await
    }

    /// Hands in what became of the access controls of an export.
    pub async fn import_access_providers_sync_feedback(
        &self,
        job_id: &str,
        data_source: &str,
        file_key: &str,
    ) -> Result<Subtask, CloudError> {
        let settings = format!("dataSource: {}, fileKey: {}", string(data_source), string(file_key));
        self.import(
            "the access feedback",
            "ImportAccessProvidersSyncFeedback",
            "importAccessProvidersSyncFeedback",
            job_id,
            &settings,
        )
        .await
    }

    /// Begins the import of usage, from one or several files.
    pub async fn import_data_usage(
        &self,
        job_id: &str,
        data_source: &str,
        file_keys: &[String],
    ) -> Result<Subtask, CloudError> {
        let document = "mutation ($request:DataUsageImportRequest!){importDataUsageRequest(input: $request)\
                        {subtask{subtaskId,status}}}";
        let request = json!({
            "jobId": job_id,
            "importSettings": { "dataSource": data_source, "fileKeys": file_keys },
        });
        let operation =
            Operation::with_variables("the import of usage", document, json!({ "request": request }));
        self.begin("importDataUsageRequest", operation).await
    }

    /// Begins the import of tags.
    pub async fn import_tags(&self, job_id: &str, import: &TagImport<'_>) -> Result<Subtask, CloudError> {
        let document = "mutation ($input:TagImportRequest!){importTagsRequest(input: $input){subtask{status,subtaskId}}}";
        let sources = (!import.tag_sources.is_empty()).then_some(import.tag_sources);
        let input = json!({
            "jobId": job_id,
            "importSettings": {
                "dataSource": import.data_source,
                // The name of the protocol for what is an identity store.
                "identitySource": import.identity_store,
                "fileKey": import.file_key,
                "tagSourcesScope": sources,
            },
        });
        let operation = Operation::with_variables("the import of tags", document, json!({ "input": input }));
        self.begin("importTagsRequest", operation).await
    }

    /// Begins the export of access controls for the target.
    pub async fn export_access_providers(
        &self,
        job_id: &str,
        data_source: &str,
        filter: AccessFilter,
    ) -> Result<Subtask, CloudError> {
        let document = "query ($filter:AccessProviderExportRequestFilter!$input:AccessProviderExportRequest!)\
                        {exportAccessProvidersRequest(input: $input, filter: $filter)\
                        {subtask{subtaskId,status}}}";
        let filter = match filter {
            AccessFilter::All => json!({}),
            AccessFilter::OutOfSync => json!({ "status": { "outOfSync": true } }),
        };
        let input = json!({ "jobId": job_id, "exportSettings": { "dataSource": data_source } });
        let variables = json!({ "filter": filter, "input": input });
        let operation = Operation::with_variables("the access export", document, variables);
        self.begin("exportAccessProvidersRequest", operation).await
    }

    /// Asks which time the known usage of a data source covers. Times that cannot be read count as unknown.
    pub async fn data_source_usage(&self, data_source: &str) -> Result<DataSourceUsage, CloudError> {
        let document = format!(
            "query {{dataSource(id:{}) {{ ... on DataSource {{id usageLastUsed usageFirstUsed }}}}}}",
            string(data_source)
        );
        let operation =
            Operation { variables: Some(json!({})), ..Operation::reading("the usage look-up", document) };
        let data: Value = self.graphql(operation).await?;
        let moment = |name: &str| {
            let text = data["dataSource"][name].as_str()?;
            OffsetDateTime::parse(text, &Rfc3339).ok()
        };
        Ok(DataSourceUsage { last_used: moment("usageLastUsed"), first_used: moment("usageFirstUsed") })
    }

    /// Sends one of the imports whose arguments are literals.
    async fn import(
        &self,
        what: &'static str,
        name: &'static str,
        field: &'static str,
        job_id: &str,
        settings: &str,
    ) -> Result<Subtask, CloudError> {
        let document = format!(
            "mutation {name} {{ {field}(input: {{ jobId: {}, importSettings: {{ {settings} }} }}) \
             {{ subtask {{ subtaskId status }} }} }}",
            string(job_id)
        );
        let operation =
            Operation { what, name: Some(name), document, variables: None, repeat: Repeat::Never };
        self.begin(field, operation).await
    }

    /// Sends a document whose only field begins a subtask.
    async fn begin(&self, field: &'static str, operation: Operation<'_>) -> Result<Subtask, CloudError> {
        let what = operation.what;
        let mut data: Value = self.graphql(operation).await?;
        let begun: Begun = read(what, data[field].take())?;
        Ok(begun.subtask)
    }
}

fn read<T: DeserializeOwned>(what: &'static str, value: Value) -> Result<T, CloudError> {
    serde_json::from_value(value).map_err(|error| CloudError::BadAnswer { what, reason: error.to_string() })
}
