//! Access controls, to read.

use async_graphql::{ComplexObject, Context, Enum, ID, InputObject, Object, SimpleObject, Union};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::data_objects::{self, DataObject};
use super::errors::{InvalidInputError, NotFoundError, PermissionDeniedError};
use super::identities::{Group, Tag, User, group, tags, texts, user};
use super::paging::{Item, PagedResult, PagedResults, Sort, Window};
use super::role_assignments::{self, RoleAssignmentFilterInput, RoleAssignmentOrderInput, Scope};
use super::scalars::Time;
use super::sources::{DataSource, data_source};
use super::{Cloud, cloud, internal, permit};
use crate::auth::Permission;
use crate::auth::roles::{Resource, ResourceKind};
use crate::store::Store;
use crate::store::sql::Sql;

const ACCESS_PROVIDER: &str = "SELECT o.id, o.name, o.naming_hint, o.description, o.action, o.state, o.external, \
    o.not_internalizable, o.complete, o.policy_rule, o.created_at, o.modified_at FROM access_providers o WHERE ";

/// What an access control does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(rename_items = "PascalCase")]
pub(super) enum AccessProviderAction {
    Promise,
    Grant,
    Deny,
    Mask,
    Filtered,
    Purpose,
    Share,
}

impl AccessProviderAction {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Promise, "Promise"),
        (Self::Grant, "Grant"),
        (Self::Deny, "Deny"),
        (Self::Mask, "Mask"),
        (Self::Filtered, "Filtered"),
        (Self::Purpose, "Purpose"),
        (Self::Share, "Share"),
    ];

    /// The word that is stored.
    pub(super) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(action, _)| *action == self).map_or("Grant", |(_, word)| word)
    }

    fn from_word(word: &str) -> Self {
        Self::ALL.iter().find(|(_, known)| *known == word).map_or(Self::Grant, |(action, _)| *action)
    }
}

/// Whether an access control is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(rename_items = "PascalCase")]
pub(super) enum AccessProviderState {
    Active,
    Inactive,
    Deleted,
}

impl AccessProviderState {
    fn word(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Inactive => "Inactive",
            Self::Deleted => "Deleted",
        }
    }
}

/// How a list came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(rename_items = "PascalCase")]
pub(super) enum WhoAndWhatType {
    Static,
    Dynamic,
    Unknown,
}

/// Whether access is given or can be had on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(rename_items = "PascalCase")]
pub(super) enum AccessWhoItemType {
    WhoGrant,
    WhoPromise,
}

impl AccessWhoItemType {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::WhoGrant => "WhoGrant",
            Self::WhoPromise => "WhoPromise",
        }
    }
}

/// A part that is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(super) enum AccessProviderLock {
    #[graphql(name = "WhoLock")]
    Who,
    #[graphql(name = "InheritanceLock")]
    Inheritance,
    #[graphql(name = "WhatLock")]
    What,
    #[graphql(name = "NameLock")]
    Name,
    #[graphql(name = "DeleteLock")]
    Delete,
    #[graphql(name = "OwnerLock")]
    Owner,
}

impl AccessProviderLock {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Who, "WhoLock"),
        (Self::Inheritance, "InheritanceLock"),
        (Self::What, "WhatLock"),
        (Self::Name, "NameLock"),
        (Self::Delete, "DeleteLock"),
        (Self::Owner, "OwnerLock"),
    ];

    pub(super) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(lock, _)| *lock == self).map_or("WhoLock", |(_, word)| word)
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(lock, _)| *lock)
    }
}

/// Where an access control is on its way to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
enum SyncStatus {
    NotConnected,
    Failed,
    OutOfDate,
    OutOfSync,
    InProgress,
    Synced,
}

/// Who may do what with which data.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(crate) struct AccessProvider {
    pub(crate) id: ID,
    is_sample: bool,
    created_at: Time,
    modified_at: Time,
    name: String,
    naming_hint: Option<String>,
    state: AccessProviderState,
    action: AccessProviderAction,
    description: String,
    policy_rule: Option<String>,
    /// Managed in the data source and only imported.
    external: bool,
    what_type: WhoAndWhatType,
    who_type: WhoAndWhatType,
    not_internalizable: bool,
    complete: Option<bool>,
}

/// A locked part.
#[derive(SimpleObject)]
struct LockData {
    lock_key: AccessProviderLock,
    details: LockDetails,
}

/// Why a part is locked.
#[derive(SimpleObject)]
struct LockDetails {
    reason: Option<String>,
}

/// An access control in one data source.
#[derive(SimpleObject)]
#[graphql(complex)]
struct SyncData {
    access_provider_type: Option<AccessProviderTypeName>,
    actual_name: Option<String>,
    external_id: Option<String>,
    sync_status: SyncStatus,
    /// What the last feedback complained about.
    errors: Vec<String>,
    #[graphql(skip)]
    source: String,
}

/// A kind of access controls in a data source.
#[derive(SimpleObject)]
struct AccessProviderTypeName {
    #[graphql(name = "type")]
    kind: Option<String>,
}

#[ComplexObject]
impl SyncData {
    /// The data source.
    async fn data_source(&self, context: &Context<'_>) -> async_graphql::Result<DataSource> {
        data_source(&cloud(context)?.store, &self.source)
            .await
            .map_err(internal)?
            .ok_or_else(|| "the data source is gone".into())
    }
}

/// Who somebody is.
#[derive(Union)]
#[graphql(name = "AccessWhoItemItem")]
enum WhoItemItem {
    User(User),
    Group(Group),
    AccessProvider(AccessProvider),
    Recipient(DataShareRecipient),
    NotFound(NotFoundError),
}

/// An account that a share is for.
#[derive(SimpleObject)]
struct DataShareRecipient {
    id: ID,
}

/// Somebody in a who-list.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(crate) struct AccessWhoItem {
    expires_at: Option<Time>,
    /// Seconds.
    promise_duration: Option<i64>,
    #[graphql(name = "type")]
    item_type: AccessWhoItemType,
    #[graphql(skip)]
    kind: String,
    #[graphql(skip)]
    reference: String,
}

#[ComplexObject]
impl AccessWhoItem {
    /// A name of the source that is not known here is a `NotFoundError`.
    async fn item(&self, context: &Context<'_>) -> async_graphql::Result<WhoItemItem> {
        let store = &cloud(context)?.store;
        let id = &self.reference;
        let found = match self.kind.as_str() {
            "user" => user(store, id).await.map_err(internal)?.map(WhoItemItem::User),
            "group" => group(store, id).await.map_err(internal)?.map(WhoItemItem::Group),
            "accessProvider" => {
                access_provider(store, id).await.map_err(internal)?.map(WhoItemItem::AccessProvider)
            }
            "recipient" => Some(WhoItemItem::Recipient(DataShareRecipient { id: id.as_str().into() })),
            _ => None,
        };
        Ok(found.unwrap_or_else(|| {
            WhoItemItem::NotFound(NotFoundError { message: format!("`{id}` is not known") })
        }))
    }
}

/// A data object in a what-list.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(crate) struct AccessWhatItem {
    permissions: Vec<String>,
    global_permissions: Vec<String>,
    /// The object as the source names it, also when it is not known here.
    full_name: String,
    #[graphql(name = "type")]
    object_type: String,
    #[graphql(skip)]
    source: String,
}

#[ComplexObject]
impl AccessWhatItem {
    /// The object, if it is known here.
    async fn data_object(&self, context: &Context<'_>) -> async_graphql::Result<Option<DataObject>> {
        let store = &cloud(context)?.store;
        data_objects::by_name(store, &self.source, &self.full_name, &self.object_type).await.map_err(internal)
    }
}

#[ComplexObject]
impl AccessProvider {
    /// The locked parts.
    async fn locks(&self, context: &Context<'_>) -> async_graphql::Result<Vec<LockData>> {
        let rows = sqlx::query(
            "SELECT lock_key, reason FROM access_provider_locks WHERE access_provider_id = $1 ORDER BY lock_key",
        )
        .bind(self.id.as_str())
        .fetch_all(cloud(context)?.store.pool())
        .await
        .map_err(internal)?;
        let mut locks = Vec::new();
        for row in rows {
            let key = AccessProviderLock::from_word(row.try_get(0).map_err(internal)?);
            let details = LockDetails { reason: row.try_get(1).map_err(internal)? };
            locks.extend(key.map(|lock_key| LockData { lock_key, details }));
        }
        Ok(locks)
    }

    /// One element per data source.
    async fn sync_data(&self, context: &Context<'_>) -> async_graphql::Result<Vec<SyncData>> {
        let rows = sqlx::query(
            "SELECT y.data_source_id, y.type, y.actual_name, y.external_id, y.sync_status, y.errors \
             FROM access_provider_sync y WHERE y.access_provider_id = $1 ORDER BY y.data_source_id",
        )
        .bind(self.id.as_str())
        .fetch_all(cloud(context)?.store.pool())
        .await
        .map_err(internal)?;
        rows.iter().map(|row| sync_data(row).map_err(internal)).collect()
    }

    /// The tags.
    async fn tags(&self, context: &Context<'_>) -> async_graphql::Result<Vec<Tag>> {
        tags(&cloud(context)?.store, &self.id).await.map_err(internal)
    }

    /// Who owns the access control; the owners of its data sources if it has no owner of its own.
    async fn role_assignments(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
        filter: Option<RoleAssignmentFilterInput>,
        order: Option<Vec<RoleAssignmentOrderInput>>,
    ) -> async_graphql::Result<PagedResult> {
        let scope = Scope::On(Resource::new(ResourceKind::AccessProvider, &self.id));
        role_assignments::page(context, scope, (after, limit), filter, order).await
    }

    /// Who.
    async fn who_list(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
    ) -> async_graphql::Result<PagedResults> {
        if let Err(denied) = permit(context, Permission::ViewWho)? {
            return Ok(PagedResults::PermissionDenied(denied));
        }
        let mut sql = Sql::new(
            "SELECT o.item, o.kind, o.type, o.expires_at, o.promise_duration FROM access_provider_who o \
             WHERE o.access_provider_id = ",
        );
        sql.bind(self.id.as_str()).map_err(internal)?;
        // Items of one kind and name may be there as grant and as promise.
        let window = Window { after, limit, order: Some(("o.kind || '/' || o.type", Sort::Asc)) };
        let item = |row: &AnyRow| {
            Ok(Item::AccessWhoItem(AccessWhoItem {
                reference: row.try_get(1)?,
                kind: row.try_get(2)?,
                item_type: match row.try_get::<String, _>(3)?.as_str() {
                    "WhoPromise" => AccessWhoItemType::WhoPromise,
                    _ => AccessWhoItemType::WhoGrant,
                },
                expires_at: row.try_get::<Option<i64>, _>(4)?.map(Time),
                promise_duration: row.try_get(5)?,
            }))
        };
        Ok(PagedResults::Page(window.page(&cloud(context)?.store, sql, "o.item", item).await?))
    }

    /// What.
    async fn what_data_objects(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
        filter: Option<AccessWhatFilterInput>,
    ) -> async_graphql::Result<PagedResults> {
        let mut sql = Sql::new(
            "SELECT o.full_name, o.type, o.permissions, o.global_permissions, o.data_source_id \
             FROM access_provider_what o WHERE o.access_provider_id = ",
        );
        sql.bind(self.id.as_str()).map_err(internal)?;
        if let Some(text) = filter.and_then(|filter| filter.search) {
            sql.push(" AND ").bind_contains("o.full_name", &text).map_err(internal)?;
        }
        let window = Window { after, limit, order: Some(("o.data_source_id || '/' || o.type", Sort::Asc)) };
        let item = |row: &AnyRow| {
            let words = |index: usize| -> Result<Vec<String>, sqlx::Error> {
                Ok(serde_json::from_str(row.try_get(index)?).unwrap_or_default())
            };
            Ok(Item::AccessWhatItem(AccessWhatItem {
                full_name: row.try_get(1)?,
                object_type: row.try_get(2)?,
                permissions: words(3)?,
                global_permissions: words(4)?,
                source: row.try_get(5)?,
            }))
        };
        Ok(PagedResults::Page(window.page(&cloud(context)?.store, sql, "o.full_name", item).await?))
    }
}

fn sync_data(row: &AnyRow) -> Result<SyncData, sqlx::Error> {
    let status = match row.try_get::<String, _>(4)?.as_str() {
        "SYNCED" => SyncStatus::Synced,
        "FAILED" => SyncStatus::Failed,
        "IN_PROGRESS" => SyncStatus::InProgress,
        "OUT_OF_DATE" => SyncStatus::OutOfDate,
        "NOT_CONNECTED" => SyncStatus::NotConnected,
        _ => SyncStatus::OutOfSync,
    };
    let errors: Option<String> = row.try_get(5)?;
    Ok(SyncData {
        source: row.try_get(0)?,
        access_provider_type: row
            .try_get::<Option<String>, _>(1)?
            .map(|kind| AccessProviderTypeName { kind: Some(kind) }),
        actual_name: row.try_get(2)?,
        external_id: row.try_get(3)?,
        sync_status: status,
        errors: errors.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
    })
}

impl AccessProvider {
    fn read(row: &AnyRow, first: usize) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get::<String, _>(first)?.into(),
            is_sample: false,
            name: row.try_get(first + 1)?,
            naming_hint: Some(row.try_get::<String, _>(first + 2)?).filter(|hint| !hint.is_empty()),
            description: row.try_get(first + 3)?,
            action: AccessProviderAction::from_word(row.try_get(first + 4)?),
            state: match row.try_get::<String, _>(first + 5)?.as_str() {
                "Deleted" => AccessProviderState::Deleted,
                "Inactive" => AccessProviderState::Inactive,
                _ => AccessProviderState::Active,
            },
            external: row.try_get::<i64, _>(first + 6)? == 1,
            not_internalizable: row.try_get::<i64, _>(first + 7)? == 1,
            complete: row.try_get::<Option<i64>, _>(first + 8)?.map(|complete| complete == 1),
            policy_rule: row.try_get(first + 9)?,
            created_at: Time(row.try_get(first + 10)?),
            modified_at: Time(row.try_get(first + 11)?),
            what_type: WhoAndWhatType::Static,
            who_type: WhoAndWhatType::Static,
        })
    }
}

/// The access control with this id.
pub(super) async fn access_provider(store: &Store, id: &str) -> Result<Option<AccessProvider>, sqlx::Error> {
    let mut sql = Sql::new(ACCESS_PROVIDER);
    sql.push("o.id = ").bind(id)?;
    sql.rows(store.pool()).await?.first().map(|row| AccessProvider::read(row, 0)).transpose()
}

/// An access control, or why there is none.
#[derive(Union)]
pub(super) enum AccessProviderResult {
    AccessProvider(AccessProvider),
    PermissionDenied(PermissionDeniedError),
    NotFound(NotFoundError),
    InvalidInput(InvalidInputError),
}

/// The answer to a missing access control.
pub(super) fn not_found(id: &str) -> NotFoundError {
    NotFoundError { message: format!("there is no access control `{id}`") }
}

#[derive(InputObject)]
struct AccessWhatFilterInput {
    search: Option<String>,
}

#[derive(InputObject, Default)]
struct AccessProviderFilterInput {
    actions: Option<Vec<AccessProviderAction>>,
    states: Option<Vec<AccessProviderState>>,
    external: Option<bool>,
    search: Option<String>,
    data_source: Option<ID>,
    exclude: Option<Vec<ID>>,
    source: Option<String>,
}

#[derive(InputObject)]
struct AccessProviderOrderByInput {
    name: Option<Sort>,
    action: Option<Sort>,
    state: Option<Sort>,
}

#[derive(Default)]
pub(super) struct AccessQuery;

#[Object]
impl AccessQuery {
    /// An access control.
    async fn access_provider(
        &self,
        context: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<AccessProviderResult> {
        if let Err(denied) = permit(context, Permission::ViewAccessControls)? {
            return Ok(AccessProviderResult::PermissionDenied(denied));
        }
        let Cloud { store, .. } = cloud(context)?;
        Ok(match access_provider(store, &id).await.map_err(internal)? {
            Some(found) => AccessProviderResult::AccessProvider(found),
            None => AccessProviderResult::NotFound(not_found(&id)),
        })
    }

    /// Access controls; deleted ones only when asked for.
    async fn access_providers(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
        filter: Option<AccessProviderFilterInput>,
        order: Option<Vec<AccessProviderOrderByInput>>,
    ) -> async_graphql::Result<PagedResults> {
        if let Err(denied) = permit(context, Permission::ViewAccessControls)? {
            return Ok(PagedResults::PermissionDenied(denied));
        }
        let sql = filter.unwrap_or_default().sql().map_err(internal)?;
        let order = order.into_iter().flatten().find_map(|order| {
            order
                .name
                .map(|sort| ("o.name", sort))
                .or(order.action.map(|sort| ("o.action", sort)))
                .or(order.state.map(|sort| ("o.state", sort)))
        });
        let item = |row: &AnyRow| Ok(Item::AccessProvider(AccessProvider::read(row, 1)?));
        let window = Window { after, limit, order };
        Ok(PagedResults::Page(window.page(&cloud(context)?.store, sql, "o.id", item).await?))
    }
}

impl AccessProviderFilterInput {
    fn sql(&self) -> Result<Sql, sqlx::Error> {
        let mut sql = Sql::new(ACCESS_PROVIDER);
        match &self.states {
            Some(states) => {
                let words: Vec<String> = states.iter().map(|state| state.word().to_owned()).collect();
                sql.push("o.state IN ").bind_list(&words)?
            }
            None => sql.push("o.state <> 'Deleted'"),
        };
        if let Some(actions) = &self.actions {
            let words: Vec<String> = actions.iter().map(|action| action.word().to_owned()).collect();
            sql.push(" AND o.action IN ").bind_list(&words)?;
        }
        if let Some(external) = self.external {
            sql.push(" AND o.external = ").bind(i64::from(external))?;
        }
        if let Some(text) = &self.search {
            sql.push(" AND ").bind_contains("o.name", text)?;
        }
        if let Some(data_source) = &self.data_source {
            sql.push(
                " AND o.id IN (SELECT access_provider_id FROM access_provider_sync WHERE data_source_id = ",
            );
            sql.bind(data_source.as_str())?.push(")");
        }
        if let Some(exclude) = self.exclude.as_ref().filter(|exclude| !exclude.is_empty()) {
            sql.push(" AND o.id NOT IN ").bind_list(&texts(exclude))?;
        }
        if let Some(source) = &self.source {
            sql.push(" AND o.source = ").bind(source.as_str())?;
        }
        Ok(sql)
    }
}
