//! Data sources, to read.

use async_graphql::{ComplexObject, Context, Enum, ID, InputObject, Object, SimpleObject, Union};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::errors::{InvalidInputError, NotFoundError, PermissionDeniedError, Refused, answer};
use super::identity_stores::IdentityStore;
use super::job_history::{self, JobFilterInput};
use super::loaders::{self, DataSourceId, StoresOf};
use super::paging::{Item, PagedResult, PagedResults, Sort, Window};
use super::role_assignments::{
    self, RoleAssignmentFilterInput, RoleAssignmentOrderInput, Scope, push_owned_by,
};
use super::scalars::Time;
use super::{cloud, demand, internal, permit};
use crate::auth::Permission;
use crate::auth::roles::{Resource, ResourceKind};
use crate::metadata::Metadata;
use crate::store::Store;
use crate::store::sql::Sql;

/// The columns of a data source, `o` in the statement.
pub(super) const COLUMNS: &str = "o.id, o.name, o.type, o.description, o.parent_id, o.usage_first_used, \
    o.usage_last_used, o.created_at, o.modified_at, o.metadata, o.sync_method, o.can_request_access, \
    o.can_request_types";

/// Who synchronises a data source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(super) enum DataSourceSyncMethod {
    /// A command line of one's own.
    OnPrem,
    /// The operator of the cloud, when asked to.
    CloudManualTrigger,
}

impl DataSourceSyncMethod {
    /// The word that is stored.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::OnPrem => "ON_PREM",
            Self::CloudManualTrigger => "CLOUD_MANUAL_TRIGGER",
        }
    }
}

/// What a connector may announce of its data source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(rename_items = "PascalCase")]
pub(super) enum DataSourceFeatures {
    /// Masks.
    ColumnMasking,
    /// Row filters.
    RowFiltering,
    /// Shares.
    DataSharing,
}

impl DataSourceFeatures {
    const ALL: [(Self, &'static str); 3] = [
        (Self::ColumnMasking, "columnMasking"),
        (Self::RowFiltering, "rowFiltering"),
        (Self::DataSharing, "dataSharing"),
    ];

    /// Whether a data source has it.
    pub(super) fn is_in(self, metadata: &Metadata) -> bool {
        let word = Self::ALL.iter().find(|(feature, _)| *feature == self).map_or("", |(_, word)| word);
        metadata.supported_features.iter().any(|feature| feature.eq_ignore_ascii_case(word))
    }
}

/// A system with data.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub(crate) struct DataSource {
    pub(crate) id: ID,
    name: String,
    #[graphql(name = "type")]
    source_type: String,
    description: String,
    sync_method: DataSourceSyncMethod,
    usage_first_used: Option<Time>,
    usage_last_used: Option<Time>,
    created_at: Time,
    modified_at: Time,
    /// Whether access to its objects may be requested.
    can_request_access: bool,
    /// To objects of which types; of all if empty.
    can_request_access_to_types: Vec<String>,
    #[graphql(skip)]
    metadata: Option<String>,
    #[graphql(skip)]
    parent: Option<String>,
}

/// The masks of a data source.
#[derive(SimpleObject)]
struct MaskingMetadata {
    default_mask_external_name: Option<String>,
    mask_types: Vec<MaskType>,
}

/// A mask.
#[derive(SimpleObject)]
pub(super) struct MaskType {
    external_id: String,
    display_name: String,
    description: String,
    data_types: Vec<String>,
}

impl MaskType {
    /// A mask as the connector announced it.
    pub(super) fn of(mask: &crate::metadata::MaskType) -> Self {
        Self {
            external_id: mask.external_id.clone(),
            display_name: mask.display_name.clone(),
            description: mask.description.clone(),
            data_types: mask.data_types.clone(),
        }
    }
}

#[ComplexObject]
impl DataSource {
    /// The native identity store first, then the linked ones.
    async fn identity_stores(
        &self,
        context: &Context<'_>,
    ) -> async_graphql::Result<Vec<Option<IdentityStore>>> {
        let found = loaders::of(context)?.load_one(StoresOf(self.id.to_string())).await?;
        Ok(found.unwrap_or_default().into_iter().map(Some).collect())
    }

    /// The data source that this one is part of.
    async fn parent(&self, context: &Context<'_>) -> async_graphql::Result<Option<DataSource>> {
        match &self.parent {
            Some(parent) => loaders::of(context)?.load_one(DataSourceId(parent.clone())).await,
            None => Ok(None),
        }
    }

    /// The masks that the source offers.
    async fn masking_metadata(&self) -> Option<MaskingMetadata> {
        let masking = self.announced().masking_metadata?;
        Some(MaskingMetadata {
            default_mask_external_name: Some(masking.default_mask_external_name)
                .filter(|name| !name.is_empty()),
            mask_types: masking.mask_types.iter().map(MaskType::of).collect(),
        })
    }

    /// What the connector has announced.
    async fn supported_features(&self) -> Vec<DataSourceFeatures> {
        let metadata = self.announced();
        let features = DataSourceFeatures::ALL.iter().map(|(feature, _)| *feature);
        features.filter(|feature| feature.is_in(&metadata)).collect()
    }

    /// Who owns the data source.
    async fn role_assignments(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
        filter: Option<RoleAssignmentFilterInput>,
        order: Option<Vec<RoleAssignmentOrderInput>>,
    ) -> async_graphql::Result<PagedResult> {
        role_assignments::page(context, Scope::On(self.resource()), (after, limit), filter, order).await
    }

    /// The jobs that synchronised it, the newest first.
    async fn jobs(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
    ) -> async_graphql::Result<PagedResults> {
        let filter = JobFilterInput { data_source: Some(self.id.clone()), ..JobFilterInput::default() };
        job_history::jobs_page(context, (after, limit), filter).await
    }
}

impl DataSource {
    /// Reads a row whose columns start at `first`.
    pub(super) fn read(row: &AnyRow, first: usize) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get::<String, _>(first)?.into(),
            name: row.try_get(first + 1)?,
            source_type: row.try_get(first + 2)?,
            description: row.try_get(first + 3)?,
            parent: row.try_get(first + 4)?,
            usage_first_used: row.try_get::<Option<i64>, _>(first + 5)?.map(Time),
            usage_last_used: row.try_get::<Option<i64>, _>(first + 6)?.map(Time),
            created_at: Time(row.try_get(first + 7)?),
            modified_at: Time(row.try_get(first + 8)?),
            metadata: row.try_get(first + 9)?,
            sync_method: match row.try_get::<String, _>(first + 10)?.as_str() {
                "CLOUD_MANUAL_TRIGGER" => DataSourceSyncMethod::CloudManualTrigger,
                _ => DataSourceSyncMethod::OnPrem,
            },
            can_request_access: row.try_get::<i64, _>(first + 11)? == 1,
            can_request_access_to_types: serde_json::from_str(row.try_get(first + 12)?).unwrap_or_default(),
        })
    }

    fn resource(&self) -> Resource {
        Resource::new(ResourceKind::DataSource, &self.id)
    }

    fn announced(&self) -> Metadata {
        let text = self.metadata.as_deref().unwrap_or("{}");
        serde_json::from_str(text).unwrap_or_default()
    }
}

/// A data source, or why there is none.
#[derive(Union)]
pub(super) enum DataSourceResult {
    DataSource(DataSource),
    PermissionDenied(PermissionDeniedError),
    NotFound(NotFoundError),
    InvalidInput(InvalidInputError),
}

/// Which data sources are wanted. Null and absent mean that the condition is not made.
#[derive(InputObject, Default)]
struct DataSourceFilterInput {
    types: Option<Vec<String>>,
    /// A part of the name.
    search: Option<String>,
    parent: Option<ID>,
    /// Owned by one of these users or groups.
    owners: Option<Vec<ID>>,
    /// True: without a synchronisation of data objects that was completed. False: with one.
    incomplete_data_warning: Option<bool>,
    /// All of these features.
    supported_features: Option<Vec<Option<DataSourceFeatures>>>,
}

#[derive(InputObject)]
struct DataSourceOrderByInput {
    name: Option<Sort>,
}

/// The data source with this id.
pub(super) async fn data_source(store: &Store, id: &str) -> Result<Option<DataSource>, sqlx::Error> {
    let mut sql = Sql::new("SELECT ");
    sql.push(COLUMNS).push(" FROM data_sources o WHERE o.id = ").bind(id)?;
    sql.rows(store.pool()).await?.first().map(|row| DataSource::read(row, 0)).transpose()
}

/// The data source with this id, or the refusal.
pub(super) async fn require(store: &Store, id: &str) -> Result<DataSource, Refused> {
    data_source(store, id).await?.ok_or_else(|| Refused::not_found("data source", id))
}

async fn find(context: &Context<'_>, id: &str) -> Result<DataSource, Refused> {
    demand(context, Permission::ViewData)?;
    require(&cloud(context)?.store, id).await
}

#[derive(Default)]
pub(super) struct SourceQuery;

#[Object]
impl SourceQuery {
    /// A data source.
    async fn data_source(&self, context: &Context<'_>, id: ID) -> async_graphql::Result<DataSourceResult> {
        answer(find(context, &id).await)
    }

    /// All data sources.
    async fn data_sources(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
        search: Option<String>,
        filter: Option<DataSourceFilterInput>,
        order: Option<Vec<DataSourceOrderByInput>>,
    ) -> async_graphql::Result<PagedResults> {
        if let Err(denied) = permit(context, Permission::ViewData)? {
            return Ok(PagedResults::PermissionDenied(denied));
        }
        let store = &cloud(context)?.store;
        let sql = filter.unwrap_or_default().sql(store, search.as_deref()).await.map_err(internal)?;
        let order = order.into_iter().flatten().find_map(|order| order.name.map(|sort| ("o.name", sort)));
        let item = |row: &AnyRow| Ok(Item::DataSource(DataSource::read(row, 1)?));
        Ok(PagedResults::Page(Window { after, limit, order }.page(store, sql, "o.id", item).await?))
    }
}

impl DataSourceFilterInput {
    async fn sql(&self, store: &Store, search: Option<&str>) -> Result<Sql, sqlx::Error> {
        let mut sql = Sql::new("SELECT ");
        sql.push(COLUMNS).push(" FROM data_sources o WHERE 1 = 1");
        if let Some(types) = &self.types {
            sql.push(" AND o.type IN ").bind_list(types)?;
        }
        if let Some(parent) = &self.parent {
            sql.push(" AND o.parent_id = ").bind(parent.as_str())?;
        }
        if let Some(owners) = &self.owners {
            push_owned_by(&mut sql, ResourceKind::DataSource, owners)?;
        }
        if let Some(incomplete) = self.incomplete_data_warning {
            sql.push(if incomplete { " AND NOT EXISTS " } else { " AND EXISTS " });
            sql.push(
                "(SELECT 1 FROM jobs j JOIN tasks t ON t.job_id = j.id AND t.job_type = 'DS' \
                 AND t.status = 'COMPLETED' WHERE j.data_source_id = o.id)",
            );
        }
        let features: Vec<DataSourceFeatures> =
            self.supported_features.iter().flatten().flatten().copied().collect();
        if !features.is_empty() {
            let mut ids: Vec<String> = Vec::new();
            let mut all = Sql::new("SELECT ");
            all.push(COLUMNS).push(" FROM data_sources o");
            for row in all.rows(store.pool()).await? {
                let source = DataSource::read(&row, 0)?;
                let metadata = source.announced();
                if features.iter().all(|feature| feature.is_in(&metadata)) {
                    ids.push(source.id.to_string());
                }
            }
            sql.push(" AND o.id IN ").bind_list(&ids)?;
        }
        for text in [self.search.as_deref(), search].into_iter().flatten() {
            sql.push(" AND ").bind_contains("o.name", text)?;
        }
        Ok(sql)
    }
}
