//! Access controls, to read.

use async_graphql::{ComplexObject, Context, ID, Object, SimpleObject, Union};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::access_enums::{
    AccessProviderAction, AccessProviderLock, AccessProviderState, AccessWhoItemType, SyncStatus,
    WhoAndWhatType,
};
use super::access_filter::{AccessProviderFilterInput, AccessProviderOrderByInput};
use super::access_lists::{
    self as lists, AccessProviderWhatAccessProviderFilterInput, AccessProviderWhoOrderByInput,
    AccessWhatFilterInput, AccessWhatOrderByInput,
};
use super::access_parts::{self as parts, LocksOf, Parts, SourcesOf};
use super::errors::{InvalidInputError, NotFoundError, PermissionDeniedError};
use super::grant_categories::GrantCategory;
use super::identities::{Tag, tags};
use super::loaders::{self, GrantCategoryId};
use super::paging::{Item, PagedResult, PagedResults, Window};
use super::role_assignments::{self, RoleAssignmentFilterInput, RoleAssignmentOrderInput, Scope};
use super::scalars::{Duration, Time};
use super::sources::{DataSource, MaskType, data_source};
use super::{cloud, internal, permit};
use crate::auth::roles::{Resource, ResourceKind};
use crate::auth::{Permission, Principal};
use crate::metadata::Metadata;
use crate::rules::{WhatRule, WhoRule};
use crate::store::Store;
use crate::store::sql::Sql;

pub(super) use super::access_lists::{AccessWhatAccessProviderItem, AccessWhatItem, AccessWhoItem};

/// The columns of an access control `o`.
pub(super) const ACCESS_PROVIDER: &str = "SELECT o.id, o.name, o.naming_hint, o.description, o.action, o.state, \
    o.external, o.not_internalizable, o.complete, o.policy_rule, o.created_at, o.modified_at, o.category_id, \
    o.who_type, o.what_type, o.who_rule, o.what_rule FROM access_providers o WHERE ";

/// Who may do what with which data.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub(crate) struct AccessProvider {
    pub(crate) id: ID,
    is_sample: bool,
    created_at: Time,
    modified_at: Time,
    pub(super) name: String,
    naming_hint: Option<String>,
    state: AccessProviderState,
    action: AccessProviderAction,
    description: String,
    policy_rule: Option<String>,
    /// Managed in the data source and only imported.
    external: bool,
    what_type: WhoAndWhatType,
    what_abac_rule: Option<WhatAbacRule>,
    who_type: WhoAndWhatType,
    who_abac_rule: Option<WhoAbacRule>,
    not_internalizable: bool,
    complete: Option<bool>,
    #[graphql(skip)]
    category: String,
}

/// Who, by attributes.
#[derive(Clone, SimpleObject)]
struct WhoAbacRule {
    /// Seconds.
    promise_duration: Option<Duration>,
    #[graphql(name = "type")]
    item_type: AccessWhoItemType,
    /// The rule as JSON.
    rule_json: Option<String>,
}

/// What, by attributes.
#[derive(Clone, SimpleObject)]
struct WhatAbacRule {
    permissions: Vec<String>,
    global_permissions: Vec<String>,
    /// Types of data objects.
    do_types: Vec<String>,
    /// The rule as JSON.
    rule_json: Option<String>,
}

/// A locked part.
#[derive(Clone, SimpleObject)]
pub(super) struct LockData {
    pub(super) lock_key: AccessProviderLock,
    pub(super) details: LockDetails,
}

/// Why a part is locked.
#[derive(Clone, SimpleObject)]
pub(super) struct LockDetails {
    pub(super) reason: Option<String>,
}

/// An access control in one data source.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub(super) struct SyncData {
    pub(super) actual_name: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) sync_status: SyncStatus,
    /// What the last feedback complained about.
    pub(super) errors: Vec<String>,
    #[graphql(skip)]
    pub(super) source: String,
    #[graphql(skip)]
    pub(super) kind: Option<String>,
    #[graphql(skip)]
    pub(super) action: AccessProviderAction,
    /// What the connector announced.
    #[graphql(skip)]
    pub(super) metadata: Option<std::sync::Arc<Metadata>>,
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

    /// The type in the data source: for a grant always, if need be the one that the source creates by default; for
    /// a mask that chose none, null.
    async fn access_provider_type(&self) -> Option<AccessProviderTypeName> {
        let grant = matches!(self.action, AccessProviderAction::Grant | AccessProviderAction::Purpose);
        let default =
            || self.metadata.as_ref().and_then(|metadata| metadata.default_kind().map(str::to_owned));
        let kind = self.kind.clone().or_else(|| grant.then(default).flatten());
        (grant || kind.is_some()).then_some(AccessProviderTypeName { kind })
    }

    /// The mask that is used; null for anything but a mask, and when the source says nothing of masks.
    async fn mask_type(&self) -> Option<MaskType> {
        if self.action != AccessProviderAction::Mask {
            return None;
        }
        let masking = self.metadata.as_ref()?.masking_metadata.as_ref()?;
        let wanted = self.kind.as_deref().unwrap_or(&masking.default_mask_external_name);
        masking.mask_types.iter().find(|mask| mask.external_id == wanted).map(MaskType::of)
    }
}

#[ComplexObject]
impl AccessProvider {
    /// The kind of grants that it is one of; null for anything but a grant.
    async fn category(&self, context: &Context<'_>) -> async_graphql::Result<Option<GrantCategory>> {
        if !matches!(self.action, AccessProviderAction::Grant | AccessProviderAction::Purpose) {
            return Ok(None);
        }
        loaders::of(context)?.load_one(GrantCategoryId(self.category.clone())).await
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

    /// The locked parts.
    async fn locks(&self, context: &Context<'_>) -> async_graphql::Result<Vec<LockData>> {
        Ok(parts::of(context)?.load_one(LocksOf(self.id.to_string())).await?.unwrap_or_default())
    }

    /// One element per data source.
    async fn sync_data(&self, context: &Context<'_>) -> async_graphql::Result<Vec<SyncData>> {
        Ok(parts::of(context)?.load_one(SourcesOf(self.id.to_string())).await?.unwrap_or_default())
    }

    /// The tags.
    async fn tags(&self, context: &Context<'_>) -> async_graphql::Result<Vec<Tag>> {
        tags(&cloud(context)?.store, &self.id).await.map_err(internal)
    }

    /// Who, as it was given.
    async fn who_list(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
        search: Option<String>,
        order: Option<Vec<AccessProviderWhoOrderByInput>>,
    ) -> async_graphql::Result<PagedResults> {
        if let Err(denied) = permit(context, Permission::ViewWho)? {
            return Ok(PagedResults::PermissionDenied(denied));
        }
        lists::who(context, &self.id, Window { after, limit, order: None }, search, order).await
    }

    /// The users among who, also those that a rule finds.
    async fn who_users(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
        search: Option<String>,
    ) -> async_graphql::Result<PagedResults> {
        if let Err(denied) = permit(context, Permission::ViewWho)? {
            return Ok(PagedResults::PermissionDenied(denied));
        }
        lists::users(context, &self.id, Window { after, limit, order: None }, search).await
    }

    /// What; those that a rule finds if the list is dynamic.
    async fn what_data_objects(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
        filter: Option<AccessWhatFilterInput>,
        order: Option<Vec<AccessWhatOrderByInput>>,
    ) -> async_graphql::Result<PagedResults> {
        let window = Window { after, limit, order: None };
        lists::objects(context, &self.id, window, filter.unwrap_or_default(), order).await
    }

    /// The access controls whose who-lists this one is in.
    async fn what_access_providers(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
        search: Option<String>,
        filter: Option<AccessProviderWhatAccessProviderFilterInput>,
        order: Option<Vec<AccessWhatOrderByInput>>,
    ) -> async_graphql::Result<PagedResults> {
        let window = Window { after, limit, order: None };
        lists::holders(context, &self.id, window, search, filter.unwrap_or_default(), order).await
    }

    /// The data objects below which the rule for what looks.
    async fn what_abac_scope(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
        search: Option<String>,
        order: Option<Vec<AccessWhatOrderByInput>>,
    ) -> async_graphql::Result<PagedResults> {
        lists::scope(context, &self.id, Window { after, limit, order: None }, search, order).await
    }

    /// Whether the caller is among who; only by name if `direct`, else also through groups, other access
    /// controls and rules.
    async fn entity_part_of_who(
        &self,
        context: &Context<'_>,
        direct: Option<bool>,
    ) -> async_graphql::Result<bool> {
        let principal = context.data::<Principal>()?;
        lists::is_part(&cloud(context)?.store, &self.id, &principal.user_id, direct.unwrap_or_default())
            .await
            .map_err(internal)
    }
}

impl AccessProvider {
    /// Reads a row whose columns start at `first`.
    pub(super) fn read(row: &AnyRow, first: usize) -> Result<Self, sqlx::Error> {
        let who_rule: Option<String> = row.try_get(first + 15)?;
        let what_rule: Option<String> = row.try_get(first + 16)?;
        Ok(Self {
            id: row.try_get::<String, _>(first)?.into(),
            is_sample: false,
            name: row.try_get(first + 1)?,
            naming_hint: Some(row.try_get::<String, _>(first + 2)?).filter(|hint| !hint.is_empty()),
            description: row.try_get(first + 3)?,
            action: AccessProviderAction::from_word(row.try_get(first + 4)?),
            state: AccessProviderState::from_word(row.try_get(first + 5)?),
            external: row.try_get::<i64, _>(first + 6)? == 1,
            not_internalizable: row.try_get::<i64, _>(first + 7)? == 1,
            complete: row.try_get::<Option<i64>, _>(first + 8)?.map(|complete| complete == 1),
            policy_rule: row.try_get(first + 9)?,
            created_at: Time(row.try_get(first + 10)?),
            modified_at: Time(row.try_get(first + 11)?),
            category: row.try_get(first + 12)?,
            who_type: WhoAndWhatType::from_word(row.try_get(first + 13)?),
            what_type: WhoAndWhatType::from_word(row.try_get(first + 14)?),
            who_abac_rule: who_rule.and_then(|text| serde_json::from_str::<WhoRule>(&text).ok()).map(
                |rule| WhoAbacRule {
                    promise_duration: rule.promise_duration.map(Duration),
                    item_type: AccessWhoItemType::from_word(&rule.kind),
                    rule_json: serde_json::to_string(&rule.rule).ok(),
                },
            ),
            what_abac_rule: what_rule.and_then(|text| serde_json::from_str::<WhatRule>(&text).ok()).map(
                |rule| WhatAbacRule {
                    rule_json: serde_json::to_string(&rule.rule).ok(),
                    permissions: rule.permissions,
                    global_permissions: rule.global_permissions,
                    do_types: rule.do_types,
                },
            ),
        })
    }

    /// Whether it is deleted and waits for the target to confirm.
    pub(super) fn is_deleted(&self) -> bool {
        self.state == AccessProviderState::Deleted
    }

    /// The same, deleted.
    pub(super) fn deleted(self) -> Self {
        Self { state: AccessProviderState::Deleted, ..self }
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
#[expect(clippy::large_enum_variant, reason = "one value per request")]
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
        Ok(match access_provider(&cloud(context)?.store, &id).await.map_err(internal)? {
            Some(found) => AccessProviderResult::AccessProvider(found),
            None => AccessProviderResult::NotFound(not_found(&id)),
        })
    }

    /// Access controls; deleted ones, and shares, only when asked for.
    async fn access_providers(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
        filter: Option<AccessProviderFilterInput>,
        order: Option<Vec<AccessProviderOrderByInput>>,
    ) -> async_graphql::Result<PagedResults> {
        let principal = match permit(context, Permission::ViewAccessControls)? {
            Ok(principal) => principal,
            Err(denied) => return Ok(PagedResults::PermissionDenied(denied)),
        };
        let sql = filter.unwrap_or_default().sql(principal).map_err(internal)?;
        let order = order.into_iter().flatten().find_map(|order| order.column());
        let item = |row: &AnyRow| Ok(Item::AccessProvider(AccessProvider::read(row, 1)?));
        let window = Window { after, limit, order };
        Ok(PagedResults::Page(window.page(&cloud(context)?.store, sql, "o.id", item).await?))
    }
}

/// What collects look-ups of parts; it belongs into the data of the schema.
pub(super) fn collector(store: &Store) -> Parts {
    parts::collector(store.clone())
}
