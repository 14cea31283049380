//! Users, their accounts, and groups, to read.

use async_graphql::{ComplexObject, Context, Enum, ID, InputObject, Object, SimpleObject};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::errors::{
    InvalidEmailError, InvalidInputError, NotFoundError, PermissionDeniedError, Refused, answer,
};
use super::identity_stores::IdentityStore;
use super::loaders::{self, AccountsOf, GroupsOf, IdentityStoreId, UserId};
use super::paging::{self, Item, List, PagedResult, Sort, Window};
use super::role_assignments::{self, RoleAssignmentFilterInput, RoleAssignmentOrderInput, Scope};
use super::scalars::Time;
pub(super) use super::tags::{Tag, tags};
use super::{allow, cloud, demand, internal};
use crate::auth::{Permission, Principal, users};
use crate::store::Store;
use crate::store::sql::Sql;

/// The columns of a user, `o` in the statement.
pub(super) const USER_COLUMNS: &str = "o.id, o.name, o.email, o.is_raito_user, o.user_type, o.delegate_to, \
    o.delegation_start, o.delegation_end, o.slack_user_id";
/// The columns of a group, `o` in the statement.
pub(super) const GROUP_COLUMNS: &str =
    "o.id, o.name, o.display_name, o.description, o.deleted, o.identity_store_id";
/// The columns of an account, `o` in the statement.
pub(super) const ACCOUNT_COLUMNS: &str =
    "o.id, o.external_id, o.name, o.user_name, o.email, o.is_machine, o.identity_store_id, o.user_id";

/// What a user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(rename_items = "PascalCase")]
pub(super) enum UserType {
    /// A person.
    Human,
    /// A service.
    Machine,
}

impl UserType {
    /// The word that is stored.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Human => "Human",
            Self::Machine => "Machine",
        }
    }
}

/// A person or service, with the accounts that belong to it.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
#[expect(clippy::struct_field_names, reason = "the names are those of the format")]
pub(crate) struct User {
    id: ID,
    name: String,
    email: Option<String>,
    /// Whether the user can sign in.
    is_raito_user: bool,
    #[graphql(name = "type")]
    user_type: UserType,
    /// When the stand-in begins; at once if there is none.
    delegation_start: Option<Time>,
    /// When the stand-in ends; when it is taken back if there is none.
    delegation_end: Option<Time>,
    slack_user_id: Option<String>,
    #[graphql(skip)]
    delegate: Option<String>,
}

/// A user in one identity store.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub(crate) struct Account {
    id: ID,
    external_id: String,
    name: String,
    user_name: String,
    email: Option<String>,
    is_machine: Option<bool>,
    #[graphql(skip)]
    store: String,
    #[graphql(skip)]
    user: String,
}

/// A group of an identity store.
#[derive(Clone, SimpleObject)]
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

#[ComplexObject]
impl User {
    /// The accounts of the user.
    async fn accounts(&self, context: &Context<'_>) -> async_graphql::Result<Vec<Account>> {
        Ok(loaders::of(context)?.load_one(AccountsOf(self.id.to_string())).await?.unwrap_or_default())
    }

    /// Who stands in for the user.
    async fn delegate_to(&self, context: &Context<'_>) -> async_graphql::Result<Option<User>> {
        match &self.delegate {
            Some(delegate) => loaders::of(context)?.load_one(UserId(delegate.clone())).await,
            None => Ok(None),
        }
    }

    /// The tags of the user, those of its accounts not included.
    async fn tags(&self, context: &Context<'_>) -> async_graphql::Result<Vec<Tag>> {
        super::tags::load(loaders::of(context)?, &self.id).await
    }

    /// The roles that the user holds.
    async fn role_assignments(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
        filter: Option<RoleAssignmentFilterInput>,
        order: Option<Vec<RoleAssignmentOrderInput>>,
    ) -> async_graphql::Result<PagedResult> {
        let holder = Scope::Holder(self.id.to_string());
        role_assignments::page(context, holder, (after, limit), filter, order).await
    }
}

#[ComplexObject]
impl Account {
    /// Where the account is.
    async fn identity_store(&self, context: &Context<'_>) -> async_graphql::Result<Option<IdentityStore>> {
        loaders::of(context)?.load_one(IdentityStoreId(self.store.clone())).await
    }

    /// Whose account it is.
    async fn user(&self, context: &Context<'_>) -> async_graphql::Result<Option<User>> {
        loaders::of(context)?.load_one(UserId(self.user.clone())).await
    }

    /// The groups that the account is a direct member of.
    async fn groups(&self, context: &Context<'_>) -> async_graphql::Result<Vec<Group>> {
        Ok(loaders::of(context)?.load_one(GroupsOf(self.id.to_string())).await?.unwrap_or_default())
    }

    /// The tags of the account.
    async fn tags(&self, context: &Context<'_>) -> async_graphql::Result<Vec<Tag>> {
        super::tags::load(loaders::of(context)?, &self.id).await
    }
}

#[ComplexObject]
impl Group {
    /// Where the group is.
    async fn identity_store(&self, context: &Context<'_>) -> async_graphql::Result<IdentityStore> {
        loaders::of(context)?
            .load_one(IdentityStoreId(self.store.clone()))
            .await?
            .ok_or_else(|| "the identity store of the group is gone".into())
    }

    /// The tags of the group.
    async fn tags(&self, context: &Context<'_>) -> async_graphql::Result<Vec<Tag>> {
        super::tags::load(loaders::of(context)?, &self.id).await
    }
}

impl User {
    /// Reads a row whose columns start at `first`.
    pub(super) fn read(row: &AnyRow, first: usize) -> Result<Self, sqlx::Error> {
        let machine = row.try_get::<String, _>(first + 4)? == "Machine";
        Ok(Self {
            id: row.try_get::<String, _>(first)?.into(),
            name: row.try_get(first + 1)?,
            email: row.try_get(first + 2)?,
            is_raito_user: row.try_get::<i64, _>(first + 3)? == 1,
            user_type: if machine { UserType::Machine } else { UserType::Human },
            delegate: row.try_get(first + 5)?,
            delegation_start: row.try_get::<Option<i64>, _>(first + 6)?.map(Time),
            delegation_end: row.try_get::<Option<i64>, _>(first + 7)?.map(Time),
            slack_user_id: row.try_get(first + 8)?,
        })
    }
}

impl Account {
    /// Reads a row whose columns start at `first`.
    pub(super) fn read(row: &AnyRow, first: usize) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get::<String, _>(first)?.into(),
            external_id: row.try_get(first + 1)?,
            name: row.try_get(first + 2)?,
            user_name: row.try_get(first + 3)?,
            email: Some(row.try_get::<String, _>(first + 4)?).filter(|email| !email.is_empty()),
            is_machine: row.try_get::<Option<i64>, _>(first + 5)?.map(|machine| machine == 1),
            store: row.try_get(first + 6)?,
            user: row.try_get(first + 7)?,
        })
    }
}

impl Group {
    /// Reads a row whose columns start at `first`.
    pub(super) fn read(row: &AnyRow, first: usize) -> Result<Self, sqlx::Error> {
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
    user_by(store, "o.id", id).await
}

async fn user_by(store: &Store, column: &str, value: &str) -> Result<Option<User>, sqlx::Error> {
    let mut sql = Sql::new("SELECT ");
    sql.push(USER_COLUMNS).push(" FROM users o WHERE ").push(column).push(" = ").bind(value)?;
    sql.rows(store.pool()).await?.first().map(|row| User::read(row, 0)).transpose()
}

/// The group with this id.
pub(super) async fn group(store: &Store, id: &str) -> Result<Option<Group>, sqlx::Error> {
    let mut sql = Sql::new("SELECT ");
    sql.push(GROUP_COLUMNS).push(" FROM groups o WHERE o.id = ").bind(id)?;
    sql.rows(store.pool()).await?.first().map(|row| Group::read(row, 0)).transpose()
}

/// Ids as texts.
pub(super) fn texts(ids: &[ID]) -> Vec<String> {
    ids.iter().map(|id| id.to_string()).collect()
}

/// A user, or why there is none.
#[derive(async_graphql::Union)]
pub(super) enum UserResult {
    User(User),
    InvalidEmail(InvalidEmailError),
    PermissionDenied(PermissionDeniedError),
    NotFound(NotFoundError),
    InvalidInput(InvalidInputError),
}

#[derive(InputObject, Default)]
struct UserFilterInput {
    /// A part of the name or of the e-mail address.
    search: Option<String>,
    /// Users with an account in one of these.
    identity_stores: Option<Vec<ID>>,
    /// Users who can sign in, or those who cannot.
    is_raito_user: Option<bool>,
    #[graphql(name = "type")]
    user_type: Option<UserType>,
    exclude: Option<Vec<ID>>,
}

impl UserFilterInput {
    fn push(&self, search: Option<&str>, sql: &mut Sql) -> Result<(), sqlx::Error> {
        if let Some(stores) = &self.identity_stores {
            sql.push(
                " AND EXISTS (SELECT 1 FROM accounts a WHERE a.user_id = o.id AND a.identity_store_id IN ",
            );
            sql.bind_list(&texts(stores))?.push(")");
        }
        if let Some(user_type) = self.user_type {
            sql.push(" AND o.user_type = ").bind(user_type.word())?;
        }
        if let Some(can) = self.is_raito_user {
            sql.push(" AND o.is_raito_user = ").bind(i64::from(can))?;
        }
        if let Some(exclude) = self.exclude.as_ref().filter(|exclude| !exclude.is_empty()) {
            sql.push(" AND o.id NOT IN ").bind_list(&texts(exclude))?;
        }
        for text in [search, self.search.as_deref()].into_iter().flatten() {
            sql.push(" AND (").bind_contains("o.name", text)?;
            sql.push(" OR ").bind_contains("o.email", text)?;
            sql.push(")");
        }
        Ok(())
    }
}

#[derive(InputObject)]
struct UserOrderByInput {
    name: Option<Sort>,
}

#[derive(Default)]
pub(super) struct UserQuery;

#[Object]
impl UserQuery {
    /// The caller.
    async fn current_user(&self, context: &Context<'_>) -> async_graphql::Result<Option<User>> {
        let principal = context.data::<Principal>()?;
        user(&cloud(context)?.store, &principal.user_id).await.map_err(internal)
    }

    /// A user.
    async fn user(&self, context: &Context<'_>, id: ID) -> async_graphql::Result<UserResult> {
        answer(find(context, "o.id", &id).await)
    }

    /// The user with this e-mail address, in any letter case.
    async fn user_by_email(
        &self,
        context: &Context<'_>,
        email: String,
    ) -> async_graphql::Result<Option<UserResult>> {
        let email = email.trim();
        if !users::is_email(email) {
            return Ok(Some(UserResult::InvalidEmail(InvalidEmailError {
                email: email.to_owned(),
                message: format!("`{email}` is not an e-mail address"),
            })));
        }
        answer(find(context, "o.email_key", &email.to_lowercase()).await).map(Some)
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
        let push = |sql: &mut Sql| filter.push(search.as_deref(), sql);
        let store = &cloud(context)?.store;
        let mut candidates = None;
        if filter.is_raito_user == Some(true) {
            let able = Sql::new("SELECT id FROM users WHERE is_raito_user = 1");
            candidates = paging::few(store, able).await.map_err(internal)?;
        }
        let list = List {
            columns: USER_COLUMNS,
            from: "users o",
            scopes: vec![Vec::new()],
            filter: &push,
            order: "o.id",
            candidates,
            at_once: false,
        };
        let order = order.into_iter().flatten().find_map(|order| order.name.map(|sort| ("o.name", sort)));
        let item = |row: &AnyRow| Ok(Item::User(User::read(row, 1)?));
        Window { after, limit, order }.page_of(store, &list, item).await
    }
}

async fn find(context: &Context<'_>, column: &str, value: &str) -> Result<User, Refused> {
    demand(context, Permission::ViewUsers)?;
    user_by(&cloud(context)?.store, column, value).await?.ok_or_else(|| Refused::not_found("user", value))
}
