//! Data sources and identity stores: creating, finding, linking.

use serde::Serialize;
use sqlx::Row;

use crate::CloudError;
use crate::ids::{new_id, now};
use crate::store::{Connection, Store};

/// The ids that a target needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataSourceIds {
    /// The data source.
    pub data_source_id: String,
    /// Its native identity store.
    pub identity_store_id: String,
}

/// Creates a data source together with its native identity store.
pub(crate) async fn create_data_source(
    connection: &mut Connection,
    id: &str,
    name: &str,
    description: &str,
    source_type: &str,
    parent: Option<&str>,
) -> Result<DataSourceIds, sqlx::Error> {
    sqlx::query(
        "INSERT INTO data_sources (id, name, type, description, sync_method, parent_id, created_at, modified_at) \
         VALUES ($1, $2, $3, $4, 'ON_PREM', $5, $6, $6)",
    )
    .bind(id)
    .bind(name)
    .bind(source_type)
    .bind(description)
    .bind(parent)
    .bind(now())
    .execute(&mut *connection)
    .await?;
    let identity_store_id = new_id();
    create_identity_store(connection, &identity_store_id, name, "", source_type, true).await?;
    sqlx::query(
        "INSERT INTO data_source_identity_stores (data_source_id, identity_store_id) VALUES ($1, $2)",
    )
    .bind(id)
    .bind(&identity_store_id)
    .execute(connection)
    .await?;
    Ok(DataSourceIds { data_source_id: id.to_owned(), identity_store_id })
}

/// Creates an identity store.
pub(crate) async fn create_identity_store(
    connection: &mut Connection,
    id: &str,
    name: &str,
    description: &str,
    store_type: &str,
    native: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO identity_stores (id, name, type, description, icon, native, master, can_be_linked, can_be_master, \
         created_at, modified_at) VALUES ($1, $2, $3, $4, '', $5, 0, 0, 0, $6, $6)",
    )
    .bind(id)
    .bind(name)
    .bind(store_type)
    .bind(description)
    .bind(i64::from(native))
    .bind(now())
    .execute(connection)
    .await?;
    Ok(())
}

/// Finds a data source by id or name, or creates it under `new_id` with that name.
pub(crate) async fn ensure_data_source(
    store: &Store,
    id_or_name: &str,
    new_id: &str,
    source_type: Option<&str>,
) -> Result<DataSourceIds, CloudError> {
    check_id(id_or_name)?;
    let mut transaction = store.begin().await?;
    let found = sqlx::query(
        "SELECT d.id, s.id FROM data_sources d JOIN data_source_identity_stores l ON l.data_source_id = d.id \
         JOIN identity_stores s ON s.id = l.identity_store_id AND s.native = 1 WHERE d.id = $1 OR d.name = $1 \
         ORDER BY CASE WHEN d.id = $1 THEN 0 ELSE 1 END, d.id LIMIT 1",
    )
    .bind(id_or_name)
    .fetch_optional(&mut *transaction)
    .await?;
    if let Some(row) = found {
        return Ok(DataSourceIds { data_source_id: row.try_get(0)?, identity_store_id: row.try_get(1)? });
    }
    let kind = source_type.unwrap_or_default();
    let ids = create_data_source(&mut transaction, new_id, id_or_name, "", kind, None).await?;
    transaction.commit().await?;
    Ok(ids)
}

pub(crate) async fn ensure_identity_store(
    store: &Store,
    id_or_name: &str,
    store_type: Option<&str>,
) -> Result<String, CloudError> {
    check_id(id_or_name)?;
    let mut transaction = store.begin().await?;
    // The native store of a data source has the same name as the data source and is not meant here.
    let found = sqlx::query(
        "SELECT id FROM identity_stores WHERE id = $1 OR (name = $1 AND native = 0) \
         ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END, id LIMIT 1",
    )
    .bind(id_or_name)
    .fetch_optional(&mut *transaction)
    .await?;
    if let Some(row) = found {
        return Ok(row.try_get(0)?);
    }
    create_identity_store(
        &mut transaction,
        id_or_name,
        id_or_name,
        "",
        store_type.unwrap_or_default(),
        false,
    )
    .await?;
    transaction.commit().await?;
    Ok(id_or_name.to_owned())
}

pub(crate) async fn link(store: &Store, data_source: &str, identity_store: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO data_source_identity_stores (data_source_id, identity_store_id) VALUES ($1, $2) \
         ON CONFLICT DO NOTHING",
    )
    .bind(data_source)
    .bind(identity_store)
    .execute(store.pool())
    .await?;
    Ok(())
}

/// Ids are written into addresses, documents and files by clients that do not escape them.
fn check_id(id: &str) -> Result<(), CloudError> {
    if id.trim().is_empty() || id.chars().any(|c| c.is_control() || c == '"' || c == '\\') {
        return Err(CloudError::Invalid { reason: format!("`{}` cannot be an id", id.escape_default()) });
    }
    Ok(())
}

/// Ends the link of an identity store.
pub(crate) async fn unlink(
    store: &Store,
    data_source: &str,
    identity_store: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM data_source_identity_stores WHERE data_source_id = $1 AND identity_store_id = $2",
    )
    .bind(data_source)
    .bind(identity_store)
    .execute(store.pool())
    .await?;
    Ok(())
}

/// Deletes an identity store with its accounts and groups. Users stay. Access controls lose the groups, and are
/// handed out again.
pub(crate) async fn delete_identity_store(connection: &mut Connection, id: &str) -> Result<(), sqlx::Error> {
    for statement in [
        "UPDATE access_providers SET version = version + 1 WHERE id IN (SELECT access_provider_id \
         FROM access_provider_who WHERE kind = 'group' AND item IN (SELECT id FROM groups WHERE identity_store_id = $1))",
        "UPDATE access_provider_sync SET sync_status = 'OUT_OF_SYNC' WHERE access_provider_id IN \
         (SELECT access_provider_id FROM access_provider_who WHERE kind = 'group' \
         AND item IN (SELECT id FROM groups WHERE identity_store_id = $1))",
        "DELETE FROM access_provider_who WHERE kind = 'group' \
         AND item IN (SELECT id FROM groups WHERE identity_store_id = $1)",
        "DELETE FROM role_assignments WHERE assignee_kind = 'group' \
         AND assignee_id IN (SELECT id FROM groups WHERE identity_store_id = $1)",
        "DELETE FROM tags WHERE object_id IN (SELECT id FROM accounts WHERE identity_store_id = $1)",
        "DELETE FROM tags WHERE object_id IN (SELECT id FROM groups WHERE identity_store_id = $1)",
        "DELETE FROM group_members WHERE identity_store_id = $1",
        "DELETE FROM accounts WHERE identity_store_id = $1",
        "DELETE FROM groups WHERE identity_store_id = $1",
        "DELETE FROM data_source_identity_stores WHERE identity_store_id = $1",
        "DELETE FROM identity_stores WHERE id = $1",
    ] {
        sqlx::query(statement).bind(id).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Deletes a data source with its objects, its usage and the access controls that live nowhere else. The native
/// identity store is for the caller to delete before.
pub(crate) async fn delete_data_source(connection: &mut Connection, id: &str) -> Result<(), sqlx::Error> {
    // An access control that is only in this data source.
    const ALONE: &str = "SELECT y.access_provider_id FROM access_provider_sync y WHERE y.data_source_id = $1 \
        AND NOT EXISTS (SELECT 1 FROM access_provider_sync z WHERE z.access_provider_id = y.access_provider_id \
        AND z.data_source_id <> $1)";
    for (table, column) in [
        ("tags", "object_id"),
        ("access_provider_locks", "access_provider_id"),
        ("access_provider_what", "access_provider_id"),
        ("access_provider_who", "access_provider_id"),
        ("role_assignments", "resource_kind = 'accessProvider' AND resource_id"),
        ("access_provider_who", "kind = 'accessProvider' AND item"),
        ("access_providers", "id"),
    ] {
        let statement = format!("DELETE FROM {table} WHERE {column} IN ({ALONE})");
        sqlx::query(sqlx::AssertSqlSafe(statement)).bind(id).execute(&mut *connection).await?;
    }
    for statement in [
        "DELETE FROM access_provider_sync WHERE data_source_id = $1",
        "DELETE FROM access_provider_what WHERE data_source_id = $1",
        "DELETE FROM role_assignments WHERE resource_kind = 'dataObject' \
         AND resource_id IN (SELECT id FROM data_objects WHERE data_source_id = $1)",
        "DELETE FROM tags WHERE object_id IN (SELECT id FROM data_objects WHERE data_source_id = $1)",
        "DELETE FROM data_objects WHERE data_source_id = $1",
        "DELETE FROM usage_statements WHERE data_source_id = $1",
        "DELETE FROM usage_edges WHERE data_source_id = $1",
        "DELETE FROM data_source_identity_stores WHERE data_source_id = $1",
        "DELETE FROM role_assignments WHERE resource_kind = 'dataSource' AND resource_id = $1",
        "DELETE FROM data_sources WHERE id = $1",
    ] {
        sqlx::query(statement).bind(id).execute(&mut *connection).await?;
    }
    Ok(())
}
