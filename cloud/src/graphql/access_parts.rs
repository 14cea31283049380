//! Parts of many access controls at once: what the elements of a page ask for at the same time is one statement.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::{DataLoader, Loader};
use async_graphql::{Context, Error};
use sqlx::Row;

use super::access::{ACCESS_PROVIDER, AccessProvider, LockData, LockDetails, SyncData};
use super::access_enums::{AccessProviderAction, AccessProviderLock, SyncStatus};
use super::data_objects::{DATA_OBJECT, DataObject};
use super::internal;
use crate::metadata::Metadata;
use crate::store::Store;
use crate::store::sql::Sql;

/// Collects look-ups. Nothing is kept between requests.
pub(super) type Parts = DataLoader<Batches>;

/// Does look-ups that were collected.
pub(super) struct Batches {
    store: Store,
}

/// The locks of the access control with this id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct LocksOf(pub(super) String);

/// The data sources of the access control with this id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SourcesOf(pub(super) String);

/// The access control with this id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct AccessProviderId(pub(super) String);

/// The data object that a list names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ObjectName {
    pub(super) data_source: String,
    pub(super) full_name: String,
    /// Empty if the list does not say.
    pub(super) object_type: String,
}

/// A new collector.
pub(super) fn collector(store: Store) -> Parts {
    DataLoader::new(Batches { store }, tokio::spawn)
}

/// The collector of a request.
pub(super) fn of<'c>(context: &Context<'c>) -> async_graphql::Result<&'c Parts> {
    context.data::<Parts>()
}

impl Loader<LocksOf> for Batches {
    type Value = Vec<LockData>;
    type Error = Error;

    async fn load(&self, keys: &[LocksOf]) -> Result<HashMap<LocksOf, Self::Value>, Error> {
        let ids: Vec<String> = keys.iter().map(|key| key.0.clone()).collect();
        let read = async || {
            let mut sql = Sql::new(
                "SELECT access_provider_id, lock_key, reason FROM access_provider_locks WHERE access_provider_id IN ",
            );
            sql.bind_list(&ids)?.push(" ORDER BY access_provider_id, lock_key");
            let mut found: HashMap<LocksOf, Self::Value> = HashMap::new();
            for row in sql.rows(self.store.pool()).await? {
                let Some(lock_key) = AccessProviderLock::from_word(row.try_get(1)?) else { continue };
                let details = LockDetails { reason: row.try_get(2)? };
                found.entry(LocksOf(row.try_get(0)?)).or_default().push(LockData { lock_key, details });
            }
            Ok::<_, sqlx::Error>(found)
        };
        read().await.map_err(internal)
    }
}

impl Loader<SourcesOf> for Batches {
    type Value = Vec<SyncData>;
    type Error = Error;

    async fn load(&self, keys: &[SourcesOf]) -> Result<HashMap<SourcesOf, Self::Value>, Error> {
        let ids: Vec<String> = keys.iter().map(|key| key.0.clone()).collect();
        let read = async || {
            let mut sql = Sql::new(
                "SELECT y.access_provider_id, y.data_source_id, y.type, y.actual_name, y.external_id, y.sync_status, \
                 y.errors, p.action FROM access_provider_sync y JOIN access_providers p ON p.id = y.access_provider_id \
                 WHERE (y.leaving = 0 OR p.state = 'Deleted') AND y.access_provider_id IN ",
            );
            sql.bind_list(&ids)?.push(" ORDER BY y.access_provider_id, y.data_source_id");
            let mut metadata: HashMap<String, Option<Arc<Metadata>>> = HashMap::new();
            let mut found: HashMap<SourcesOf, Self::Value> = HashMap::new();
            for row in sql.rows(self.store.pool()).await? {
                let source: String = row.try_get(1)?;
                let known = if let Some(known) = metadata.get(&source) {
                    known.clone()
                } else {
                    let read = self.metadata(&source).await?;
                    metadata.insert(source.clone(), read.clone());
                    read
                };
                let errors: Option<String> = row.try_get(6)?;
                found.entry(SourcesOf(row.try_get(0)?)).or_default().push(SyncData {
                    source,
                    kind: row.try_get(2)?,
                    actual_name: row.try_get(3)?,
                    external_id: row.try_get(4)?,
                    sync_status: SyncStatus::from_word(row.try_get(5)?),
                    errors: errors.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
                    action: AccessProviderAction::from_word(row.try_get(7)?),
                    metadata: known,
                });
            }
            Ok::<_, sqlx::Error>(found)
        };
        read().await.map_err(internal)
    }
}

impl Batches {
    /// What the connector of a data source announced; read once for a batch.
    async fn metadata(&self, source: &str) -> Result<Option<Arc<Metadata>>, sqlx::Error> {
        let row = sqlx::query("SELECT metadata FROM data_sources WHERE id = $1")
            .bind(source)
            .fetch_optional(self.store.pool())
            .await?;
        let text = row.map(|row| row.try_get::<Option<String>, _>(0)).transpose()?.flatten();
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).map(Arc::new))
    }
}

impl Loader<AccessProviderId> for Batches {
    type Value = AccessProvider;
    type Error = Error;

    async fn load(&self, keys: &[AccessProviderId]) -> Result<HashMap<AccessProviderId, Self::Value>, Error> {
        let ids: Vec<String> = keys.iter().map(|key| key.0.clone()).collect();
        let read = async || {
            let mut sql = Sql::new(ACCESS_PROVIDER);
            sql.push("o.id IN ").bind_list(&ids)?;
            let rows = sql.rows(self.store.pool()).await?;
            rows.iter()
                .map(|row| Ok((AccessProviderId(row.try_get(0)?), AccessProvider::read(row, 0)?)))
                .collect::<Result<HashMap<_, _>, sqlx::Error>>()
        };
        read().await.map_err(internal)
    }
}

impl Loader<ObjectName> for Batches {
    type Value = DataObject;
    type Error = Error;

    /// Of several types with one name, the wanted one or any; one that is there before one that has gone.
    async fn load(&self, keys: &[ObjectName]) -> Result<HashMap<ObjectName, Self::Value>, Error> {
        let mut sources: HashMap<&str, Vec<String>> = HashMap::new();
        for key in keys {
            sources.entry(&key.data_source).or_default().push(key.full_name.clone());
        }
        let read = async || {
            let mut found = HashMap::new();
            for (source, names) in &sources {
                let mut sql = Sql::new(DATA_OBJECT);
                sql.push("o.data_source_id = ")
                    .bind(*source)?
                    .push(" AND o.full_name IN ")
                    .bind_list(names)?;
                // Later rows win.
                sql.push(" ORDER BY o.deleted DESC, o.id DESC");
                for row in sql.rows(self.store.pool()).await? {
                    let object = DataObject::read(&row, 0)?;
                    for object_type in [row.try_get::<String, _>(3)?, String::new()] {
                        let key = ObjectName {
                            data_source: (*source).to_owned(),
                            full_name: row.try_get(2)?,
                            object_type,
                        };
                        found.insert(key, object.clone());
                    }
                }
            }
            Ok::<_, sqlx::Error>(found)
        };
        read().await.map_err(internal)
    }
}
