//! Users and groups.

use async_graphql::{ComplexObject, Context, Enum, ID, InputObject, Object, SimpleObject};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::paging::{Item, PagedResult, Sort, Window};
use super::sources::{IdentityStore, identity_store};
use super::{allow, cloud, internal};
use crate::auth::{Permission, Principal};
use crate::store::Store;
use crate::store::sql::Sql;

const USER: &str = "SELECT o.id, o.name, o.email, o.is_raito_user, o.user_type FROM users o WHERE ";
const GROUP: &str =
    "SELECT o.id, o.name, o.display_name, o.description, o.deleted, o.identity_store_id FROM groups o WHERE ";

/// What a user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(rename_items = "PascalCase")]
enum UserType {
    /// A person.
    Human,
    /// A service.
    Machine,
}

/// A person or service, with the accounts that belong to it.
#[derive(SimpleObject)]
#[graphql(complex)]
#[expect(clippy::struct_field_names, reason = "the names are those of the format")]
pub(crate) struct User {
    id: ID,
    name: String,
    email: Option<String>,
    is_raito_user: bool,
    #[graphql(name = "type")]
    user_type: UserType,
}

/// A user in one identity store.
#[derive(SimpleObject)]
#[graphql(complex)]
struct Account {
    id: ID,
    external_id: String,
    name: String,
    user_name: String,
    email: Option<String>,
    is_machine: Option<bool>,
    #[graphql(skip)]
    store: String,
}

/// A group of an identity store.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(crate) struct Group {
    id: ID,
    name: String,
    display_name: String,
    description: Option<String>,
    deleted: bool,
    #[graphql(skip)]
    store: String,
}

/// A tag.
#[derive(SimpleObject)]
pub(super) struct Tag {
    key: String,
    string_value: String,
    source: String,
}

/// The tags of anything that can have some.
pub(super) async fn tags(store: &Store, object_id: &str) -> Result<Vec<Tag>, sqlx::Error> {
    let rows =
        sqlx::query("SELECT key, value, source FROM tags WHERE object_id = $1 ORDER BY source, key, value")
            .bind(object_id)
            .fetch_all(store.pool())
            .await?;
    rows.iter()
        .map(|row| Ok(Tag { key: row.try_get(0)?, string_value: row.try_get(1)?, source: row.try_get(2)? }))
        .collect()
}

#[ComplexObject]
impl User {
    /// The accounts of the user.
    async fn accounts(&self, context: &Context<'_>) -> async_graphql::Result<Vec<Account>> {
        let rows = sqlx::query(
            "SELECT id, external_id, name, user_name, email, is_machine, identity_store_id FROM accounts \
             WHERE user_id = $1 ORDER BY id",
        )
        .bind(self.id.as_str())
        .fetch_all(cloud(context)?.store.pool())
        .await
        .map_err(internal)?;
        rows.iter().map(|row| Account::read(row).map_err(internal)).collect()
    }
}

#[ComplexObject]
impl Account {
    /// Where the account is.
    async fn identity_store(&self, context: &Context<'_>) -> async_graphql::Result<Option<IdentityStore>> {
        identity_store(&cloud(context)?.store, &self.store).await.map_err(internal)
    }

    /// The groups that the account is a direct member of.
    async fn groups(&self, context: &Context<'_>) -> async_graphql::Result<Vec<Group>> {
        let mut sql = Sql::new(GROUP);
        sql.push("o.deleted = 0 AND o.identity_store_id = ").bind(self.store.as_str()).map_err(internal)?;
        sql.push(
            " AND o.external_id IN (SELECT group_external_id FROM group_members m \
             WHERE m.identity_store_id = o.identity_store_id AND m.member_kind = 'account' AND m.member_external_id = ",
        );
        sql.bind(self.external_id.as_str()).map_err(internal)?;
        sql.push(") ORDER BY o.name, o.id");
        let rows = sql.rows(cloud(context)?.store.pool()).await.map_err(internal)?;
        rows.iter().map(|row| Group::read(row, 0).map_err(internal)).collect()
    }

    /// The tags of the account.
    async fn tags(&self, context: &Context<'_>) -> async_graphql::Result<Vec<Tag>> {
        tags(&cloud(context)?.store, &self.id).await.map_err(internal)
    }
}

#[ComplexObject]
impl Group {
    /// Where the group is.
    async fn identity_store(&self, context: &Context<'_>) -> async_graphql::Result<IdentityStore> {
        identity_store(&cloud(context)?.store, &self.store)
            .await
            .map_err(internal)?
            .ok_or_else(|| "the identity store of the group is gone".into())
    }

    /// The tags of the group.
    async fn tags(&self, context: &Context<'_>) -> async_graphql::Result<Vec<Tag>> {
        tags(&cloud(context)?.store, &self.id).await.map_err(internal)
    }
}

impl User {
    fn read(row: &AnyRow, first: usize) -> Result<Self, sqlx::Error> {
        let machine = row.try_get::<String, _>(first + 4)? == "Machine";
        Ok(Self {
            id: row.try_get::<String, _>(first)?.into(),
            name: row.try_get(first + 1)?,
            email: row.try_get(first + 2)?,
            is_raito_user: row.try_get::<i64, _>(first + 3)? == 1,
            user_type: if machine { UserType::Machine } else { UserType::Human },
        })
    }
}

impl Account {
    fn read(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get::<String, _>(0)?.into(),
            external_id: row.try_get(1)?,
            name: row.try_get(2)?,
            user_name: row.try_get(3)?,
            email: Some(row.try_get::<String, _>(4)?).filter(|email| !email.is_empty()),
            is_machine: row.try_get::<Option<i64>, _>(5)?.map(|machine| machine == 1),
            store: row.try_get(6)?,
        })
    }
}

impl Group {
    fn read(row: &AnyRow, first: usize) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get::<String, _>(first)?.into(),
            name: row.try_get(first + 1)?,
            display_name: row.try_get(first + 2)?,
            description: row.try_get(first + 3)?,
            deleted: row.try_get::<i64, _>(first + 4)? == 1,
            store: row.try_get(first + 5)?,
        })
    }
}

/// The user with this id.
pub(super) async fn user(store: &Store, id: &str) -> Result<Option<User>, sqlx::Error> {
    let mut sql = Sql::new(USER);
    sql.push("o.id = ").bind(id)?;
    sql.rows(store.pool()).await?.first().map(|row| User::read(row, 0)).transpose()
}

/// The group with this id.
pub(super) async fn group(store: &Store, id: &str) -> Result<Option<Group>, sqlx::Error> {
    let mut sql = Sql::new(GROUP);
    sql.push("o.id = ").bind(id)?;
    sql.rows(store.pool()).await?.first().map(|row| Group::read(row, 0)).transpose()
}

#[derive(InputObject, Default)]
struct UserFilterInput {
    search: Option<String>,
    identity_stores: Option<Vec<ID>>,
}

#[derive(InputObject)]
struct UserOrderByInput {
    name: Option<Sort>,
}

#[derive(InputObject, Default)]
struct GroupFilterInput {
    search: Option<String>,
    identity_stores: Option<Vec<ID>>,
    data_sources: Option<Vec<ID>>,
    include_deleted: Option<bool>,
}

#[derive(InputObject)]
struct GroupOrderByInput {
    name: Option<Sort>,
    display_name: Option<Sort>,
}

/// Ids as texts.
pub(super) fn texts(ids: &[ID]) -> Vec<String> {
    ids.iter().map(|id| id.to_string()).collect()
}

#[derive(Default)]
pub(super) struct IdentityQuery;

#[Object]
impl IdentityQuery {
    /// The caller.
    async fn current_user(&self, context: &Context<'_>) -> async_graphql::Result<Option<User>> {
        let principal = context.data::<Principal>()?;
        user(&cloud(context)?.store, &principal.user_id).await.map_err(internal)
    }

    /// All users.
    async fn users(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
        search: Option<String>,
        filter: Option<UserFilterInput>,
        order: Option<Vec<UserOrderByInput>>,
    ) -> async_graphql::Result<PagedResult> {
        allow(context, Permission::ViewUsers)?;
        let filter = filter.unwrap_or_default();
        let mut sql = Sql::new(USER);
        sql.push("1 = 1");
        if let Some(stores) = &filter.identity_stores {
            sql.push(
                " AND EXISTS (SELECT 1 FROM accounts a WHERE a.user_id = o.id AND a.identity_store_id IN ",
            );
            sql.bind_list(&texts(stores)).map_err(internal)?;
            sql.push(")");
        }
        for text in [&search, &filter.search].into_iter().flatten() {
            sql.push(" AND (").bind_contains("o.name", text).map_err(internal)?;
            sql.push(" OR ").bind_contains("o.email", text).map_err(internal)?;
            sql.push(")");
        }
        let order = order.into_iter().flatten().find_map(|order| order.name.map(|sort| ("o.name", sort)));
        let item = |row: &AnyRow| Ok(Item::User(User::read(row, 1)?));
        Window { after, limit, order }.page(&cloud(context)?.store, sql, "o.id", item).await
    }

    /// A group.
    async fn group(&self, context: &Context<'_>, id: ID) -> async_graphql::Result<Group> {
        allow(context, Permission::ViewUsers)?;
        group(&cloud(context)?.store, &id)
            .await
            .map_err(internal)?
            .ok_or_else(|| format!("there is no group `{}`", id.as_str()).into())
    }

    /// All groups.
    async fn groups(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
        filter: Option<GroupFilterInput>,
        order: Option<Vec<GroupOrderByInput>>,
    ) -> async_graphql::Result<PagedResult> {
        allow(context, Permission::ViewUsers)?;
        let filter = filter.unwrap_or_default();
        let mut sql = Sql::new(GROUP);
        sql.push(if filter.include_deleted == Some(true) { "1 = 1" } else { "o.deleted = 0" });
        if let Some(stores) = &filter.identity_stores {
            sql.push(" AND o.identity_store_id IN ").bind_list(&texts(stores)).map_err(internal)?;
        }
        if let Some(sources) = &filter.data_sources {
            sql.push(
                " AND o.identity_store_id IN (SELECT identity_store_id FROM data_source_identity_stores \
                 WHERE data_source_id IN ",
            );
            sql.bind_list(&texts(sources)).map_err(internal)?;
            sql.push(")");
        }
        if let Some(text) = &filter.search {
            sql.push(" AND ").bind_contains("o.name", text).map_err(internal)?;
        }
        let order = order.into_iter().flatten().find_map(|order| {
            order
                .name
                .map(|sort| ("o.name", sort))
                .or(order.display_name.map(|sort| ("o.display_name", sort)))
        });
        let item = |row: &AnyRow| Ok(Item::Group(Group::read(row, 1)?));
        Window { after, limit, order }.page(&cloud(context)?.store, sql, "o.id", item).await
    }
}
