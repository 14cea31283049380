//! The lists inside an access control.
//!
//! Lists are read in the order in which they are stored, along an index; ordering by name has to look at the whole
//! list for every page.

use async_graphql::{ComplexObject, Context, ID, InputObject, SimpleObject, Union};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::access::{ACCESS_PROVIDER, AccessProvider};
use super::access_enums::{AccessProviderAction, AccessWhoItemType};
use super::access_filter::{push_actions, push_owners, push_tags};
use super::access_parts::{self as parts, AccessProviderId, ObjectName};
use super::cloud;
use super::data_objects::{DATA_OBJECT, DataObject};
use super::errors::{InvalidInputError, NotFoundError};
use super::identities::{Group, User, texts};
use super::internal;
use super::loaders::{self, DataSourceId, GroupId, UserId};
use super::paging::{Item, PagedResults, Sort, Window};
use super::scalars::{Duration, Time};
use super::sources::DataSource;
use super::tags::TagFilter;
use crate::ids::now;
use crate::rules::{Subject, WhatRule, WhoRule};
use crate::store::Store;
use crate::store::sql::Sql;

/// Who somebody is.
#[derive(Union)]
#[graphql(name = "AccessWhoItemItem")]
enum WhoItemItem {
    User(User),
    Group(Group),
    AccessProvider(AccessProvider),
    DataSource(DataSource),
    Recipient(DataShareRecipient),
    NotFound(NotFoundError),
    InvalidInput(InvalidInputError),
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
    /// Seconds; for a promise, from when it is taken up.
    expires_after: Option<Duration>,
    expires_at: Option<Time>,
    /// Seconds.
    promise_duration: Option<Duration>,
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
        let id = &self.reference;
        let found = match self.kind.as_str() {
            "user" => loaders::of(context)?.load_one(UserId(id.clone())).await?.map(WhoItemItem::User),
            "group" => loaders::of(context)?.load_one(GroupId(id.clone())).await?.map(WhoItemItem::Group),
            "accessProvider" => {
                let found = parts::of(context)?.load_one(AccessProviderId(id.clone())).await?;
                found.map(WhoItemItem::AccessProvider)
            }
            "dataSource" => {
                loaders::of(context)?.load_one(DataSourceId(id.clone())).await?.map(WhoItemItem::DataSource)
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
    expires_at: Option<Time>,
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
        let name = ObjectName {
            data_source: self.source.clone(),
            full_name: self.full_name.clone(),
            object_type: self.object_type.clone(),
        };
        parts::of(context)?.load_one(name).await
    }
}

/// An access control whose who-list another one is in.
#[derive(SimpleObject)]
pub(crate) struct AccessWhatAccessProviderItem {
    access_provider: Option<AccessProvider>,
    expires_at: Option<Time>,
}

#[derive(InputObject)]
pub(super) struct AccessProviderWhoOrderByInput {
    name: Option<Sort>,
}

#[derive(InputObject)]
pub(super) struct AccessWhatOrderByInput {
    name: Option<Sort>,
}

/// Conditions that all have to hold.
#[derive(InputObject, Default)]
pub(super) struct AccessWhatFilterInput {
    search: Option<String>,
    /// Also objects that are gone, or that are not known.
    include_deleted: Option<bool>,
    owners: Option<Vec<ID>>,
    has_tags: Option<Vec<TagFilter>>,
    /// Only what reaches this object: itself, or one above it.
    target_data_object: Option<ID>,
}

/// Conditions that all have to hold.
#[derive(InputObject, Default)]
pub(super) struct AccessProviderWhatAccessProviderFilterInput {
    actions: Option<Vec<AccessProviderAction>>,
    categories: Option<Vec<ID>>,
    owners: Option<Vec<ID>>,
    has_tags: Option<Vec<TagFilter>>,
}

/// The name of a member `o`.
const WHO_NAME: &str = "COALESCE((SELECT u.name FROM users u WHERE o.kind = 'user' AND u.id = o.item), \
    (SELECT g.name FROM groups g WHERE o.kind = 'group' AND g.id = o.item), \
    (SELECT p.name FROM access_providers p WHERE o.kind = 'accessProvider' AND p.id = o.item), \
    (SELECT d.name FROM data_sources d WHERE o.kind = 'dataSource' AND d.id = o.item), o.item)";

/// The who-list of an access control.
pub(super) async fn who(
    context: &Context<'_>,
    id: &str,
    mut window: Window,
    search: Option<String>,
    order: Option<Vec<AccessProviderWhoOrderByInput>>,
) -> async_graphql::Result<PagedResults> {
    let mut sql = Sql::new(
        "SELECT o.row_key, o.item, o.kind, o.type, o.expires_at, o.promise_duration, o.expires_after \
         FROM access_provider_who o WHERE o.access_provider_id = ",
    );
    sql.bind(id).map_err(internal)?;
    if let Some(text) = search.filter(|text| !text.is_empty()) {
        sql.push(" AND ").bind_contains(WHO_NAME, &text).map_err(internal)?;
    }
    window.order = order.into_iter().flatten().find_map(|order| order.name).map(|sort| (WHO_NAME, sort));
    let page = window.page(&cloud(context)?.store, sql, "o.row_key", who_item).await?;
    Ok(PagedResults::Page(page))
}

fn who_item(row: &AnyRow) -> Result<Item, sqlx::Error> {
    Ok(Item::AccessWhoItem(AccessWhoItem {
        reference: row.try_get(2)?,
        kind: row.try_get(3)?,
        item_type: AccessWhoItemType::from_word(row.try_get(4)?),
        expires_at: row.try_get::<Option<i64>, _>(5)?.map(Time),
        promise_duration: row.try_get::<Option<i64>, _>(6)?.map(Duration),
        expires_after: row.try_get::<Option<i64>, _>(7)?.map(Duration),
    }))
}

/// The users in a who-list, by name or by rule.
pub(super) async fn users(
    context: &Context<'_>,
    id: &str,
    window: Window,
    search: Option<String>,
) -> async_graphql::Result<PagedResults> {
    let store = &cloud(context)?.store;
    let sql = users_sql(store, id, search).await.map_err(internal)?;
    let kind = rule_kind(store, id).await.map_err(internal)?;
    let item = |row: &AnyRow| {
        let stored: Option<String> = row.try_get(2)?;
        Ok(Item::AccessWhoItem(AccessWhoItem {
            reference: row.try_get(1)?,
            kind: "user".to_owned(),
            item_type: AccessWhoItemType::from_word(stored.as_deref().unwrap_or(&kind)),
            expires_at: row.try_get::<Option<i64>, _>(3)?.map(Time),
            promise_duration: row.try_get::<Option<i64>, _>(4)?.map(Duration),
            expires_after: row.try_get::<Option<i64>, _>(5)?.map(Duration),
        }))
    };
    Ok(PagedResults::Page(window.page(store, sql, "o.id", item).await?))
}

async fn users_sql(store: &Store, id: &str, search: Option<String>) -> Result<Sql, sqlx::Error> {
    // Somebody may have a grant and a promise: the grant is shown.
    let mut sql = Sql::new(
        "SELECT o.id, w.type, w.expires_at, w.promise_duration, w.expires_after FROM users o \
         LEFT JOIN access_provider_who w ON w.kind = 'user' AND w.item = o.id AND w.access_provider_id = ",
    );
    sql.bind(id)?.push(
        " AND w.type = (SELECT MIN(v.type) FROM access_provider_who v WHERE v.access_provider_id = w.access_provider_id \
         AND v.kind = 'user' AND v.item = w.item) WHERE (w.item IS NOT NULL",
    );
    if let Some(rule) = who_rule(store, id).await? {
        sql.push(" OR ");
        rule.rule.push(&mut sql, Subject::Users)?;
    }
    sql.push(")");
    if let Some(text) = search.filter(|text| !text.is_empty()) {
        sql.push(" AND ").bind_contains("o.name", &text)?;
    }
    Ok(sql)
}

async fn who_rule(store: &Store, id: &str) -> Result<Option<WhoRule>, sqlx::Error> {
    let row = sqlx::query("SELECT who_rule FROM access_providers WHERE id = $1 AND who_type = 'Dynamic'")
        .bind(id)
        .fetch_optional(store.pool())
        .await?;
    let text = row.map(|row| row.try_get::<Option<String>, _>(0)).transpose()?.flatten();
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

async fn rule_kind(store: &Store, id: &str) -> Result<String, sqlx::Error> {
    Ok(who_rule(store, id).await?.map_or_else(|| "WhoGrant".to_owned(), |rule| rule.kind))
}

async fn what_rule(store: &Store, id: &str) -> Result<Option<WhatRule>, sqlx::Error> {
    let row = sqlx::query("SELECT what_rule FROM access_providers WHERE id = $1 AND what_type = 'Dynamic'")
        .bind(id)
        .fetch_optional(store.pool())
        .await?;
    let text = row.map(|row| row.try_get::<Option<String>, _>(0)).transpose()?.flatten();
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// The what-list of an access control.
pub(super) async fn objects(
    context: &Context<'_>,
    id: &str,
    mut window: Window,
    filter: AccessWhatFilterInput,
    order: Option<Vec<AccessWhatOrderByInput>>,
) -> async_graphql::Result<PagedResults> {
    let store = &cloud(context)?.store;
    window.order = order.into_iter().flatten().find_map(|order| order.name).map(|sort| ("o.full_name", sort));
    if let Some(rule) = what_rule(store, id).await.map_err(internal)? {
        let sql = found_objects(&rule, id, &filter).map_err(internal)?;
        let item = |row: &AnyRow| {
            Ok(Item::AccessWhatItem(AccessWhatItem {
                full_name: row.try_get(2)?,
                object_type: row.try_get(3)?,
                source: row.try_get(4)?,
                permissions: rule.permissions.clone(),
                global_permissions: rule.global_permissions.clone(),
                expires_at: None,
            }))
        };
        return Ok(PagedResults::Page(window.page(store, sql, "o.id", item).await?));
    }
    let sql = listed_objects(id, &filter).map_err(internal)?;
    let item = |row: &AnyRow| {
        let words = |index: usize| -> Result<Vec<String>, sqlx::Error> {
            Ok(serde_json::from_str(row.try_get(index)?).unwrap_or_default())
        };
        Ok(Item::AccessWhatItem(AccessWhatItem {
            full_name: row.try_get(2)?,
            object_type: row.try_get(3)?,
            permissions: words(4)?,
            global_permissions: words(5)?,
            source: row.try_get(6)?,
            expires_at: row.try_get::<Option<i64>, _>(7)?.map(Time),
        }))
    };
    Ok(PagedResults::Page(window.page(store, sql, "o.row_key", item).await?))
}

fn found_objects(rule: &WhatRule, id: &str, filter: &AccessWhatFilterInput) -> Result<Sql, sqlx::Error> {
    let mut sql = Sql::new("SELECT o.id, o.full_name, o.type, o.data_source_id FROM data_objects o WHERE ");
    rule.push(&mut sql, id)?;
    push_search(&mut sql, filter)?;
    push_owners(&mut sql, "o.id", filter.owners.as_deref())?;
    push_tags(&mut sql, "o.id", filter.has_tags.as_deref())?;
    push_target(&mut sql, filter)?;
    Ok(sql)
}

fn listed_objects(id: &str, filter: &AccessWhatFilterInput) -> Result<Sql, sqlx::Error> {
    let mut sql = Sql::new(
        "SELECT o.row_key, o.full_name, o.type, o.permissions, o.global_permissions, o.data_source_id, o.expires_at \
         FROM access_provider_what o WHERE o.access_provider_id = ",
    );
    sql.bind(id)?;
    push_search(&mut sql, filter)?;
    push_target(&mut sql, filter)?;
    let of_object = |sql: &mut Sql, more: &dyn Fn(&mut Sql) -> Result<(), sqlx::Error>| {
        sql.push(
            "EXISTS (SELECT 1 FROM data_objects d WHERE d.data_source_id = o.data_source_id \
             AND d.full_name = o.full_name AND d.type = o.type",
        );
        more(sql)?;
        sql.push(")");
        Ok::<_, sqlx::Error>(())
    };
    if filter.include_deleted == Some(false) {
        // What is not known at all stays: it is not known to be gone.
        sql.push(" AND NOT ");
        of_object(&mut sql, &|sql| {
            sql.push(" AND d.deleted = 1");
            Ok(())
        })?;
    }
    if filter.owners.is_some() {
        sql.push(" AND ");
        of_object(&mut sql, &|sql| push_owners(sql, "d.id", filter.owners.as_deref()))?;
    }
    if filter.has_tags.is_some() {
        sql.push(" AND ");
        of_object(&mut sql, &|sql| push_tags(sql, "d.id", filter.has_tags.as_deref()))?;
    }
    Ok(sql)
}

fn push_search(sql: &mut Sql, filter: &AccessWhatFilterInput) -> Result<(), sqlx::Error> {
    if let Some(text) = filter.search.as_ref().filter(|text| !text.is_empty()) {
        sql.push(" AND ").bind_contains("o.full_name", text)?;
    }
    Ok(())
}

/// Objects `o` that are the target, or above it.
fn push_target(sql: &mut Sql, filter: &AccessWhatFilterInput) -> Result<(), sqlx::Error> {
    if let Some(target) = &filter.target_data_object {
        sql.push(
            " AND EXISTS (SELECT 1 FROM (WITH RECURSIVE line (full_name, type, parent, source) AS (\
             SELECT full_name, type, parent_external_id, data_source_id FROM data_objects WHERE id = ",
        );
        sql.bind(target.as_str())?.push(
            " UNION SELECT p.full_name, p.type, p.parent_external_id, p.data_source_id FROM line l JOIN data_objects p \
             ON p.data_source_id = l.source AND p.external_id = l.parent) SELECT * FROM line) AS above \
             WHERE above.source = o.data_source_id AND above.full_name = o.full_name AND above.type = o.type)",
        );
    }
    Ok(())
}

/// The access controls whose who-lists one is in.
pub(super) async fn holders(
    context: &Context<'_>,
    id: &str,
    mut window: Window,
    search: Option<String>,
    filter: AccessProviderWhatAccessProviderFilterInput,
    order: Option<Vec<AccessWhatOrderByInput>>,
) -> async_graphql::Result<PagedResults> {
    let sql = holders_sql(id, search, &filter).map_err(internal)?;
    window.order = order.into_iter().flatten().find_map(|order| order.name).map(|sort| ("o.name", sort));
    // The columns of the access control, and the end of the link behind them.
    let item = |row: &AnyRow| {
        Ok(Item::AccessWhatAccessProviderItem(AccessWhatAccessProviderItem {
            access_provider: Some(AccessProvider::read(row, 1)?),
            expires_at: row.try_get::<Option<i64>, _>(18)?.map(Time),
        }))
    };
    Ok(PagedResults::Page(window.page(&cloud(context)?.store, sql, "o.id", item).await?))
}

fn holders_sql(
    id: &str,
    search: Option<String>,
    filter: &AccessProviderWhatAccessProviderFilterInput,
) -> Result<Sql, sqlx::Error> {
    let head = ACCESS_PROVIDER.replace(
        " FROM access_providers o WHERE ",
        ", w.expires_at FROM access_provider_who w JOIN access_providers o ON o.id = w.access_provider_id \
         WHERE w.type = 'WhoGrant' AND w.kind = 'accessProvider' AND o.state <> 'Deleted' AND w.item = ",
    );
    let mut sql = Sql::new(&head);
    sql.bind(id)?;
    push_actions(&mut sql, "o", filter.actions.as_deref())?;
    if let Some(categories) = &filter.categories {
        sql.push(" AND o.category_id IN ").bind_list(&texts(categories))?;
    }
    push_owners(&mut sql, "o.id", filter.owners.as_deref())?;
    push_tags(&mut sql, "o.id", filter.has_tags.as_deref())?;
    if let Some(text) = search.filter(|text| !text.is_empty()) {
        sql.push(" AND ").bind_contains("o.name", &text)?;
    }
    Ok(sql)
}

/// The scope of the rule for what.
pub(super) async fn scope(
    context: &Context<'_>,
    id: &str,
    mut window: Window,
    search: Option<String>,
    order: Option<Vec<AccessWhatOrderByInput>>,
) -> async_graphql::Result<PagedResults> {
    let store = &cloud(context)?.store;
    let scope = what_rule(store, id).await.map_err(internal)?.map(|rule| rule.scope).unwrap_or_default();
    let mut sql = Sql::new(DATA_OBJECT);
    sql.push("o.id IN ").bind_list(&scope).map_err(internal)?;
    if let Some(text) = search.filter(|text| !text.is_empty()) {
        sql.push(" AND ").bind_contains("o.full_name", &text).map_err(internal)?;
    }
    window.order = order.into_iter().flatten().find_map(|order| order.name).map(|sort| ("o.name", sort));
    let item = |row: &AnyRow| Ok(Item::DataObject(DataObject::read(row, 1)?));
    Ok(PagedResults::Page(window.page(store, sql, "o.id", item).await?))
}

/// Whether a user is among who.
pub(super) async fn is_part(store: &Store, id: &str, user: &str, direct: bool) -> Result<bool, sqlx::Error> {
    let granted = "w.type = 'WhoGrant' AND (w.expires_at IS NULL OR w.expires_at > ";
    // Recursions start from rows, never from values: a value has another collation than a column.
    let mut sql = Sql::new("WITH RECURSIVE holders (id) AS (SELECT id FROM access_providers WHERE id = ");
    sql.bind(id)?;
    if !direct {
        sql.push(
            " UNION SELECT w.item FROM holders h JOIN access_provider_who w ON w.access_provider_id = h.id \
             JOIN access_providers p ON p.id = w.item AND p.state = 'Active' WHERE w.kind = 'accessProvider' AND ",
        );
        sql.push(granted).bind(now())?.push(")");
    }
    sql.push(
        "), groups_of (id, store, external_id) AS (SELECT g.id, g.identity_store_id, g.external_id FROM accounts a \
         JOIN group_members x ON x.identity_store_id = a.identity_store_id AND x.member_kind = 'account' \
         AND x.member_external_id = a.external_id JOIN groups g ON g.identity_store_id = x.identity_store_id \
         AND g.external_id = x.group_external_id WHERE g.deleted = 0 AND a.user_id = ",
    );
    sql.bind(user)?.push(if direct { " AND 1 = 0" } else { "" });
    sql.push(
        " UNION SELECT g.id, g.identity_store_id, g.external_id FROM groups_of o JOIN group_members x \
         ON x.identity_store_id = o.store AND x.member_kind = 'group' AND x.member_external_id = o.external_id \
         JOIN groups g ON g.identity_store_id = x.identity_store_id AND g.external_id = x.group_external_id \
         WHERE g.deleted = 0) SELECT 1 FROM holders h JOIN access_provider_who w ON w.access_provider_id = h.id WHERE ",
    );
    sql.push(granted).bind(now())?.push(") AND ((w.kind = 'user' AND w.item = ").bind(user)?;
    sql.push(") OR (w.kind = 'group' AND w.item IN (SELECT id FROM groups_of))) LIMIT 1");
    if !sql.rows(store.pool()).await?.is_empty() {
        return Ok(true);
    }
    if direct {
        return Ok(false);
    }
    by_rule(store, id, user).await
}

/// Whether a rule of the access control, or of one among its members, finds the user.
async fn by_rule(store: &Store, id: &str, user: &str) -> Result<bool, sqlx::Error> {
    let rows = sqlx::query(
        "WITH RECURSIVE holders (id) AS (SELECT id FROM access_providers WHERE id = $1 UNION SELECT w.item FROM holders h \
         JOIN access_provider_who w ON w.access_provider_id = h.id AND w.kind = 'accessProvider' AND w.type = 'WhoGrant') \
         SELECT p.who_rule FROM holders h JOIN access_providers p ON p.id = h.id \
         WHERE p.who_type = 'Dynamic' AND p.who_rule IS NOT NULL AND p.state = 'Active'",
    )
    .bind(id)
    .fetch_all(store.pool())
    .await?;
    for row in rows {
        let Ok(rule) = serde_json::from_str::<WhoRule>(row.try_get(0)?) else { continue };
        if rule.kind != "WhoGrant" {
            continue;
        }
        let mut sql = Sql::new("SELECT 1 FROM users o WHERE o.id = ");
        sql.bind(user)?.push(" AND ");
        rule.rule.push(&mut sql, Subject::Users)?;
        if !sql.rows(store.pool()).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}
