//! Look-ups that many elements of a page need: what is asked for at the same time is one statement.

use std::collections::HashMap;
use std::hash::Hash;

use async_graphql::dataloader::{DataLoader, Loader};
use async_graphql::{Context, Error};
use sqlx::any::AnyRow;

use super::data_objects::{self, DataObject};
use super::grant_categories::{self, GrantCategory};
use super::identities::{self, Account, Group, User};
use super::identity_stores::{self, IdentityStore};
use super::internal;
use super::sources::{self, DataSource};
use crate::store::Store;
use crate::store::sql::Sql;

/// Collects look-ups. Nothing is kept between requests.
pub(super) type Loading = DataLoader<Batches>;

/// Does look-ups that were collected.
pub(super) struct Batches {
    store: Store,
}

impl Batches {
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    async fn rows(&self, head: &str, ids: &[String], tail: &str) -> Result<Vec<AnyRow>, Error> {
        let mut sql = Sql::new(head);
        sql.bind_list(ids).map_err(internal)?.push(tail);
        sql.rows(self.store.pool()).await.map_err(internal)
    }
}

/// The collector for a schema.
pub(super) fn loading(store: Store) -> Loading {
    DataLoader::new(Batches { store }, tokio::spawn)
}

/// The collector.
pub(super) fn of<'c>(context: &Context<'c>) -> async_graphql::Result<&'c Loading> {
    context.data::<Loading>()
}

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident),+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub(super) struct $name(pub(super) String);
    )+};
}

keys! {
    /// The data source with this id.
    DataSourceId,
    /// The identity store with this id.
    IdentityStoreId,
    /// The identity stores of the data source with this id.
    StoresOf,
    /// The user with this id.
    UserId,
    /// The group with this id.
    GroupId,
    /// The accounts of the user with this id.
    AccountsOf,
    /// The groups that the account with this id is a direct member of.
    GroupsOf,
    /// The data object with this id.
    DataObjectId,
    /// The parent of the data object with this id.
    ParentOf,
    /// The grant category with this id.
    GrantCategoryId,
    /// The tags of the thing with this id.
    TagsOf
}

/// One value for each key, the key in the first column.
fn one<K: Hash + Eq, V>(
    rows: &[AnyRow],
    key: impl Fn(String) -> K,
    value: impl Fn(&AnyRow) -> Result<V, sqlx::Error>,
) -> Result<HashMap<K, V>, Error> {
    let read = |row: &AnyRow| Ok((key(sqlx::Row::try_get(row, 0)?), value(row)?));
    rows.iter().map(read).collect::<Result<_, sqlx::Error>>().map_err(internal)
}

/// Several values for each key, in the order of the rows.
fn many<K: Hash + Eq, V>(
    rows: &[AnyRow],
    key: impl Fn(String) -> K,
    value: impl Fn(&AnyRow) -> Result<V, sqlx::Error>,
) -> Result<HashMap<K, Vec<V>>, Error> {
    let mut found: HashMap<K, Vec<V>> = HashMap::new();
    for row in rows {
        let owner: String = sqlx::Row::try_get(row, 0).map_err(internal)?;
        found.entry(key(owner)).or_default().push(value(row).map_err(internal)?);
    }
    Ok(found)
}

macro_rules! loader {
    ($key:ident => $value:ty, $collect:ident, $read:expr, $head:expr, $tail:expr) => {
        impl Loader<$key> for Batches {
            type Value = $value;
            type Error = Error;

            async fn load(&self, keys: &[$key]) -> Result<HashMap<$key, Self::Value>, Error> {
                let ids: Vec<String> = keys.iter().map(|key| key.0.clone()).collect();
                let rows = self.rows(&$head, &ids, $tail).await?;
                $collect(&rows, $key, |row| $read(row, 1))
            }
        }
    };
}

loader!(
    DataSourceId => DataSource, one, DataSource::read,
    format!("SELECT o.id, {} FROM data_sources o WHERE o.id IN ", sources::COLUMNS), ""
);
loader!(
    IdentityStoreId => IdentityStore, one, IdentityStore::read,
    format!("SELECT o.id, {} FROM identity_stores o WHERE o.id IN ", identity_stores::COLUMNS), ""
);
loader!(
    StoresOf => Vec<IdentityStore>, many, IdentityStore::read,
    format!(
        "SELECT l.data_source_id, {} FROM data_source_identity_stores l JOIN identity_stores o \
         ON o.id = l.identity_store_id WHERE l.data_source_id IN ",
        identity_stores::COLUMNS
    ),
    " ORDER BY o.native DESC, o.id"
);
loader!(
    UserId => User, one, User::read,
    format!("SELECT o.id, {} FROM users o WHERE o.id IN ", identities::USER_COLUMNS), ""
);
loader!(
    GroupId => Group, one, Group::read,
    format!("SELECT o.id, {} FROM groups o WHERE o.id IN ", identities::GROUP_COLUMNS), ""
);
loader!(
    AccountsOf => Vec<Account>, many, Account::read,
    format!("SELECT o.user_id, {} FROM accounts o WHERE o.user_id IN ", identities::ACCOUNT_COLUMNS),
    " ORDER BY o.id"
);
loader!(
    GroupsOf => Vec<Group>, many, Group::read,
    format!(
        "SELECT a.id, {} FROM accounts a JOIN group_members m ON m.identity_store_id = a.identity_store_id \
         AND m.member_kind = 'account' AND m.member_external_id = a.external_id JOIN groups o \
         ON o.identity_store_id = m.identity_store_id AND o.external_id = m.group_external_id AND o.deleted = 0 \
         WHERE a.id IN ",
        identities::GROUP_COLUMNS
    ),
    " ORDER BY o.name, o.id"
);
loader!(
    DataObjectId => DataObject, one, DataObject::read,
    format!("SELECT o.id, {} FROM data_objects o WHERE o.id IN ", data_objects::COLUMNS), ""
);
loader!(
    ParentOf => DataObject, one, DataObject::read,
    format!(
        "SELECT c.id, {} FROM data_objects c JOIN data_objects o ON o.data_source_id = c.data_source_id \
         AND o.external_id = c.parent_external_id WHERE c.id IN ",
        data_objects::COLUMNS
    ),
    ""
);
loader!(
    GrantCategoryId => GrantCategory, one, GrantCategory::read,
    format!("SELECT o.id, {} FROM grant_categories o WHERE o.id IN ", grant_categories::COLUMNS), ""
);
