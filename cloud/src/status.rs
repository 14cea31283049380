//! What a database holds, for people.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use sqlx::Row;
use time::OffsetDateTime;

use crate::CloudError;
use crate::store::{Database, Store};

/// What a data folder holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The domain of the organisation.
    pub domain: String,
    /// Users with an account in an identity store.
    pub users: u64,
    /// Jobs that have not ended.
    pub running_jobs: u64,
    /// Imports and exports that wait, or that are being done.
    pub queued_work: u64,
    /// In ascending order of id.
    pub data_sources: Vec<DataSourceStatus>,
}

/// What is known of one data source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataSourceStatus {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The type that the connector announced; may be empty.
    #[serde(rename = "type")]
    pub source_type: String,
    /// Accounts in its identity stores, the linked ones included.
    pub users: u64,
    /// Groups in its identity stores.
    pub groups: u64,
    /// Data objects by type.
    pub data_objects: BTreeMap<String, u64>,
    /// Access controls that are managed here.
    pub access_controls: u64,
    /// Access controls that are managed in the data source and were imported.
    pub external_access_controls: u64,
    /// Usage statements.
    pub statements: u64,
    /// The newest job.
    pub last_sync: Option<LastSync>,
}

/// The newest job of a data source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastSync {
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
    /// `COMPLETED`, `FAILED`, or what it is at.
    pub status: String,
}

/// Reads what a database holds, that in a data folder or another one; also while servers work on it.
pub async fn status(data_dir: &Path, database: &Database) -> Result<Status, CloudError> {
    let store = Store::open_read_only(data_dir, database).await?;
    let status = read(&store).await;
    store.close().await;
    Ok(status?)
}

async fn read(store: &Store) -> Result<Status, sqlx::Error> {
    let rows =
        sqlx::query("SELECT id, name, type FROM data_sources ORDER BY id").fetch_all(store.pool()).await?;
    let mut data_sources = Vec::with_capacity(rows.len());
    for row in rows {
        let id: String = row.try_get(0)?;
        data_sources.push(DataSourceStatus {
            name: row.try_get(1)?,
            source_type: row.try_get(2)?,
            users: count(
                store,
                "SELECT COUNT(*) FROM accounts WHERE identity_store_id IN \
                 (SELECT identity_store_id FROM data_source_identity_stores WHERE data_source_id = $1)",
                &id,
            )
            .await?,
            groups: count(
                store,
                "SELECT COUNT(*) FROM groups WHERE deleted = 0 AND identity_store_id IN \
                 (SELECT identity_store_id FROM data_source_identity_stores WHERE data_source_id = $1)",
                &id,
            )
            .await?,
            data_objects: objects(store, &id).await?,
            access_controls: access_controls(store, &id, 0).await?,
            external_access_controls: access_controls(store, &id, 1).await?,
            statements: count(store, "SELECT COUNT(*) FROM usage_statements WHERE data_source_id = $1", &id)
                .await?,
            last_sync: last_sync(store, &id).await?,
            id,
        });
    }
    let domain = store.setting("domain").await?.unwrap_or_default();
    let users = count(store, "SELECT COUNT(DISTINCT user_id) FROM accounts WHERE user_id <> $1", "").await?;
    let running_jobs = count(
        store,
        "SELECT COUNT(*) FROM jobs WHERE status NOT IN ('COMPLETED', 'FAILED', 'TIMED_OUT') AND id <> $1",
        "",
    )
    .await?;
    let queued_work = count(store, "SELECT COUNT(*) FROM work_queue WHERE id <> $1", "").await?;
    Ok(Status { domain, users, running_jobs, queued_work, data_sources })
}

async fn count(store: &Store, statement: &'static str, argument: &str) -> Result<u64, sqlx::Error> {
    let row = sqlx::query(statement).bind(argument).fetch_one(store.pool()).await?;
    Ok(u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or_default())
}

async fn access_controls(store: &Store, data_source: &str, external: i64) -> Result<u64, sqlx::Error> {
    let row = sqlx::query(
        "SELECT COUNT(*) FROM access_provider_sync y JOIN access_providers p ON p.id = y.access_provider_id \
         WHERE y.data_source_id = $1 AND p.external = $2 AND p.state <> 'Deleted'",
    )
    .bind(data_source)
    .bind(external)
    .fetch_one(store.pool())
    .await?;
    Ok(u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or_default())
}

async fn objects(store: &Store, data_source: &str) -> Result<BTreeMap<String, u64>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT type, COUNT(*) FROM data_objects WHERE data_source_id = $1 AND deleted = 0 GROUP BY type",
    )
    .bind(data_source)
    .fetch_all(store.pool())
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, u64::try_from(row.try_get::<i64, _>(1)?).unwrap_or_default())))
        .collect()
}

async fn last_sync(store: &Store, data_source: &str) -> Result<Option<LastSync>, sqlx::Error> {
    let row =
        sqlx::query("SELECT created_at, status FROM jobs WHERE data_source_id = $1 ORDER BY id DESC LIMIT 1")
            .bind(data_source)
            .fetch_optional(store.pool())
            .await?;
    let Some(row) = row else { return Ok(None) };
    let moment = i128::from(row.try_get::<i64, _>(0)?) * 1_000_000;
    let time = OffsetDateTime::from_unix_timestamp_nanos(moment).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    Ok(Some(LastSync { time, status: row.try_get(1)? }))
}
