//! Lists of groups.

use async_graphql::{Context, ID, InputObject, Object};
use sqlx::any::AnyRow;

use super::errors::Refused;
use super::identities::{GROUP_COLUMNS, Group, group, texts};
use super::paging::{Item, List, PagedResult, Sort, Window, few};
use super::{allow, cloud, internal};
use crate::auth::Permission;
use crate::store::Store;
use crate::store::sql::Sql;

/// Which groups are wanted. Null and absent mean that the condition is not made.
#[derive(InputObject, Default)]
struct GroupFilterInput {
    /// A part of the name or of the name that is shown.
    search: Option<String>,
    /// Groups of the stores that are linked to one of these.
    data_sources: Option<Vec<ID>>,
    identity_stores: Option<Vec<ID>>,
    /// Groups in the who-list of this access control.
    access_provider: Option<ID>,
    /// With `dataSources` or `identityStores`: also the groups of master stores, which can be used everywhere.
    include_master_identity_stores: Option<bool>,
    /// Groups that this account is a member of.
    account: Option<ID>,
    /// Groups that an account of this user is a member of.
    user: Option<ID>,
    /// With `account` or `user`: also the groups that these groups are members of.
    include_ancestors: Option<bool>,
    include_deleted: Option<bool>,
    /// Groups that have a member, also by other groups, who can sign in; or those that have none.
    contains_a_raito_user: Option<bool>,
    exclude: Option<Vec<ID>>,
}

#[derive(InputObject)]
struct GroupOrderByInput {
    name: Option<Sort>,
    display_name: Option<Sort>,
}

/// Selects the groups that some accounts are members of; `accounts` is a condition on `accounts a`.
fn push_memberships(
    sql: &mut Sql,
    accounts: &dyn Fn(&mut Sql) -> Result<(), sqlx::Error>,
    ancestors: bool,
) -> Result<(), sqlx::Error> {
    sql.push(
        "WITH RECURSIVE member_of (store, external_id) AS (SELECT m.identity_store_id, m.group_external_id \
         FROM accounts a JOIN group_members m ON m.identity_store_id = a.identity_store_id \
         AND m.member_kind = 'account' AND m.member_external_id = a.external_id WHERE ",
    );
    accounts(sql)?;
    if ancestors {
        sql.push(
            " UNION SELECT m.identity_store_id, m.group_external_id FROM member_of o JOIN group_members m \
             ON m.identity_store_id = o.store AND m.member_kind = 'group' AND m.member_external_id = o.external_id",
        );
    }
    sql.push(
        ") SELECT g.id FROM member_of o JOIN groups g ON g.identity_store_id = o.store AND g.external_id = o.external_id",
    );
    Ok(())
}

impl GroupFilterInput {
    /// Selects the ids of the groups that an account, a user or an access control has, if that is asked for.
    fn push_related(&self, sql: &mut Sql) -> Result<bool, sqlx::Error> {
        let ancestors = self.include_ancestors == Some(true);
        if let Some(account) = &self.account {
            push_memberships(sql, &|sql| sql.push("a.id = ").bind(account.as_str()).map(|_| ()), ancestors)?;
        } else if let Some(user) = &self.user {
            push_memberships(
                sql,
                &|sql| sql.push("a.user_id = ").bind(user.as_str()).map(|_| ()),
                ancestors,
            )?;
        } else if let Some(access) = &self.access_provider {
            sql.push(
                "SELECT w.item FROM access_provider_who w WHERE w.kind = 'group' AND w.access_provider_id = ",
            );
            sql.bind(access.as_str())?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    async fn candidates(&self, store: &Store) -> Result<Option<Vec<String>>, sqlx::Error> {
        let mut sql = Sql::new("");
        if self.push_related(&mut sql)? { few(store, sql).await } else { Ok(None) }
    }

    fn push(&self, sql: &mut Sql) -> Result<(), sqlx::Error> {
        if self.include_deleted != Some(true) {
            sql.push(" AND o.deleted = 0");
        }
        // Each is a condition of its own: the first may have been used to find the candidates.
        for part in [
            Self { account: self.account.clone(), ..self.ancestors_only() },
            Self { user: self.user.clone(), ..self.ancestors_only() },
            Self { access_provider: self.access_provider.clone(), ..self.ancestors_only() },
        ] {
            let mut related = Sql::new("");
            if part.push_related(&mut related)? {
                sql.push(" AND o.id IN (");
                part.push_related(sql)?;
                sql.push(")");
            }
        }
        if self.identity_stores.is_some() || self.data_sources.is_some() {
            sql.push(" AND (1 = 1");
            if let Some(stores) = &self.identity_stores {
                sql.push(" AND o.identity_store_id IN ").bind_list(&texts(stores))?;
            }
            if let Some(sources) = &self.data_sources {
                sql.push(
                    " AND o.identity_store_id IN (SELECT identity_store_id FROM data_source_identity_stores \
                     WHERE data_source_id IN ",
                );
                sql.bind_list(&texts(sources))?.push(")");
            }
            if self.include_master_identity_stores == Some(true) {
                sql.push(" OR o.identity_store_id IN (SELECT id FROM identity_stores WHERE master = 1)");
            }
            sql.push(")");
        }
        if let Some(contains) = self.contains_a_raito_user {
            sql.push(if contains { " AND o.id IN (" } else { " AND o.id NOT IN (" });
            let able = |sql: &mut Sql| {
                sql.push("a.user_id IN (SELECT id FROM users WHERE is_raito_user = 1)");
                Ok(())
            };
            push_memberships(sql, &able, true)?;
            sql.push(")");
        }
        if let Some(exclude) = self.exclude.as_ref().filter(|exclude| !exclude.is_empty()) {
            sql.push(" AND o.id NOT IN ").bind_list(&texts(exclude))?;
        }
        if let Some(text) = &self.search {
            sql.push(" AND (").bind_contains("o.name", text)?;
            sql.push(" OR ").bind_contains("o.display_name", text)?;
            sql.push(")");
        }
        Ok(())
    }

    fn ancestors_only(&self) -> Self {
        Self { include_ancestors: self.include_ancestors, ..Self::default() }
    }
}

#[derive(Default)]
pub(super) struct GroupQuery;

#[Object]
impl GroupQuery {
    /// A group.
    async fn group(&self, context: &Context<'_>, id: ID) -> async_graphql::Result<Group> {
        allow(context, Permission::ViewUsers)?;
        group(&cloud(context)?.store, &id)
            .await
            .map_err(internal)?
            .ok_or_else(|| Refused::not_found("group", &id).into_error())
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
        let store = &cloud(context)?.store;
        let filter = filter.unwrap_or_default();
        let push = |sql: &mut Sql| filter.push(sql);
        let list = List {
            columns: GROUP_COLUMNS,
            from: "groups o",
            scopes: vec![Vec::new()],
            filter: &push,
            order: "o.id",
            candidates: filter.candidates(store).await.map_err(internal)?,
            at_once: false,
        };
        let order = order.into_iter().flatten().find_map(|order| {
            order
                .name
                .map(|sort| ("o.name", sort))
                .or(order.display_name.map(|sort| ("o.display_name", sort)))
        });
        let item = |row: &AnyRow| Ok(Item::Group(Group::read(row, 1)?));
        Window { after, limit, order }.page_of(store, &list, item).await
    }
}
