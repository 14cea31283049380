//! The parts of access providers managed here that their data source locks.
//!
//! Who manages an access provider here has taken over its parts from the data source, except those that are locked
//! for everybody: these are still what the data source says, and are imported. A part is locked when the
//! file says so, or when it was locked so here.

use sqlx::{AssertSqlSafe, Row};

use super::super::staging::{create, drop_table, execute};
use super::apply::RESOLVED;
use crate::ids::now;
use crate::store::Connection;

const TABLES: [&str; 3] = ["stage_managed", "stage_managed_parts", "stage_managed_changed"];

/// Creates the tables: which staged access providers are managed here, and which of their parts are imported.
pub(super) async fn open(connection: &mut Connection) -> Result<(), sqlx::Error> {
    create(
        connection,
        "stage_managed",
        "external_id TEXT NOT NULL PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL, naming_hint TEXT NOT NULL, \
         who_known BIGINT NOT NULL",
    )
    .await?;
    create(
        connection,
        "stage_managed_parts",
        "id TEXT NOT NULL, lock_key TEXT NOT NULL, external_id TEXT NOT NULL, PRIMARY KEY (id, lock_key)",
    )
    .await?;
    create(connection, "stage_managed_changed", "id TEXT NOT NULL PRIMARY KEY").await
}

/// Removes the tables.
pub(super) async fn close(connection: &mut Connection) -> Result<(), sqlx::Error> {
    for table in TABLES {
        drop_table(connection, table).await?;
    }
    Ok(())
}

/// Imports the locked parts; returns how many access providers they changed.
pub(super) async fn write(connection: &mut Connection, data_source: &str) -> Result<u64, sqlx::Error> {
    let any = sqlx::query("SELECT 1 FROM stage_managed LIMIT 1").fetch_optional(&mut *connection).await?;
    if any.is_none() {
        return Ok(0);
    }
    for statement in [
        "INSERT INTO stage_managed_parts (id, lock_key, external_id) SELECT m.id, l.lock_key, m.external_id \
         FROM stage_managed m JOIN stage_access_locks l ON l.external_id = m.external_id WHERE true \
         ON CONFLICT DO NOTHING",
        "INSERT INTO stage_managed_parts (id, lock_key, external_id) SELECT m.id, l.lock_key, m.external_id \
         FROM stage_managed m JOIN access_provider_locks l ON l.access_provider_id = m.id \
         WHERE l.lock_type = 'ImportExport' AND l.imported = 0 ON CONFLICT DO NOTHING",
    ] {
        execute(connection, statement.to_owned()).await?;
    }
    names(connection).await?;
    members(connection, "WhoLock", "('user', 'accountName', 'group', 'groupName', 'recipient')").await?;
    members(connection, "InheritanceLock", "('accessProvider', 'externalId')").await?;
    objects(connection, data_source).await?;
    locks(connection).await?;
    sqlx::query(
        "UPDATE access_providers SET modified_at = $1 WHERE id IN (SELECT id FROM stage_managed_changed)",
    )
    .bind(now())
    .persistent(false)
    .execute(&mut *connection)
    .await?;
    let row = sqlx::query("SELECT COUNT(*) FROM stage_managed_changed").fetch_one(connection).await?;
    Ok(u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or_default())
}

async fn changed(connection: &mut Connection, select: &str) -> Result<(), sqlx::Error> {
    let statement = format!("INSERT INTO stage_managed_changed (id) {select} ON CONFLICT DO NOTHING");
    execute(connection, statement).await?;
    Ok(())
}

async fn names(connection: &mut Connection) -> Result<(), sqlx::Error> {
    let locked = "m.id IN (SELECT id FROM stage_managed_parts WHERE lock_key = 'NameLock')";
    changed(
        connection,
        &format!(
            "SELECT m.id FROM stage_managed m JOIN access_providers p ON p.id = m.id \
             WHERE {locked} AND (p.name <> m.name OR p.naming_hint <> m.naming_hint)"
        ),
    )
    .await?;
    execute(
        connection,
        format!(
            "UPDATE access_providers AS p SET name = m.name, naming_hint = m.naming_hint FROM stage_managed AS m \
             WHERE p.id = m.id AND {locked} AND (p.name <> m.name OR p.naming_hint <> m.naming_hint)"
        ),
    )
    .await?;
    Ok(())
}

/// The members of some kinds. A who-list that the data source does not know stays.
async fn members(connection: &mut Connection, lock: &str, kinds: &str) -> Result<(), sqlx::Error> {
    let staged = format!(
        "stage_managed m JOIN stage_managed_parts l ON l.id = m.id AND l.lock_key = '{lock}' \
         JOIN {RESOLVED} r ON r.external_id = m.external_id AND r.kind IN {kinds}"
    );
    let stored = format!(
        "stage_managed m JOIN stage_managed_parts l ON l.id = m.id AND l.lock_key = '{lock}' \
         JOIN access_provider_who w ON w.access_provider_id = m.id AND w.kind IN {kinds} AND w.type = 'WhoGrant'"
    );
    changed(
        connection,
        &format!(
            "SELECT DISTINCT m.id FROM {staged} WHERE m.who_known = 1 AND NOT EXISTS (SELECT 1 \
             FROM access_provider_who w WHERE w.access_provider_id = m.id AND w.kind = r.kind AND w.item = r.item \
             AND w.type = 'WhoGrant')"
        ),
    )
    .await?;
    changed(
        connection,
        &format!(
            "SELECT DISTINCT m.id FROM {stored} WHERE m.who_known = 1 AND NOT EXISTS (SELECT 1 FROM {RESOLVED} r \
             WHERE r.external_id = m.external_id AND r.kind = w.kind AND r.item = w.item)"
        ),
    )
    .await?;
    execute(
        connection,
        format!(
            "DELETE FROM access_provider_who WHERE type = 'WhoGrant' AND kind IN {kinds} AND EXISTS (SELECT 1 \
             FROM stage_managed m JOIN stage_managed_parts l ON l.id = m.id AND l.lock_key = '{lock}' \
             WHERE m.who_known = 1 AND m.id = access_provider_who.access_provider_id \
             AND NOT EXISTS (SELECT 1 FROM {RESOLVED} r WHERE r.external_id = m.external_id \
             AND r.kind = access_provider_who.kind AND r.item = access_provider_who.item))"
        ),
    )
    .await?;
    execute(
        connection,
        format!(
            "INSERT INTO access_provider_who (access_provider_id, kind, item, type, source_name, row_key) \
             SELECT m.id, r.kind, r.item, 'WhoGrant', r.source_name, r.kind || '/' || r.item || '/WhoGrant' \
             FROM {staged} WHERE m.who_known = 1 ON CONFLICT DO NOTHING"
        ),
    )
    .await?;
    Ok(())
}

async fn objects(connection: &mut Connection, data_source: &str) -> Result<(), sqlx::Error> {
    create(connection, "stage_managed_what", "id TEXT NOT NULL PRIMARY KEY").await?;
    let same = "o.full_name = w.full_name AND o.type = w.type AND o.permissions = w.permissions";
    for statement in [
        format!(
            "INSERT INTO stage_managed_what (id) SELECT DISTINCT l.id FROM stage_managed_parts l \
             JOIN stage_access_what w ON w.external_id = l.external_id WHERE l.lock_key = 'WhatLock' \
             AND NOT EXISTS (SELECT 1 FROM access_provider_what o WHERE o.access_provider_id = l.id \
             AND o.data_source_id = $1 AND o.global_permissions = '[]' AND {same}) ON CONFLICT DO NOTHING"
        ),
        format!(
            "INSERT INTO stage_managed_what (id) SELECT DISTINCT l.id FROM stage_managed_parts l \
             JOIN access_provider_what o ON o.access_provider_id = l.id AND o.data_source_id = $1 \
             WHERE l.lock_key = 'WhatLock' AND (o.global_permissions <> '[]' OR NOT EXISTS (SELECT 1 \
             FROM stage_access_what w WHERE w.external_id = l.external_id AND {same})) ON CONFLICT DO NOTHING"
        ),
        "DELETE FROM access_provider_what WHERE data_source_id = $1 \
         AND access_provider_id IN (SELECT id FROM stage_managed_what)"
            .to_owned(),
        // Other data sources may hold lower positions of the same access control.
        "INSERT INTO access_provider_what (access_provider_id, position, row_key, data_source_id, full_name, type, \
         permissions, global_permissions) SELECT l.id, w.position + COALESCE((SELECT MAX(o.position) + 1 \
         FROM access_provider_what o WHERE o.access_provider_id = l.id), 0), w.row_key || '/' || $1, $1, w.full_name, \
         w.type, w.permissions, '[]' FROM stage_managed_parts l JOIN stage_managed_what c ON c.id = l.id \
         JOIN stage_access_what w ON w.external_id = l.external_id WHERE l.lock_key = 'WhatLock'"
            .to_owned(),
    ] {
        sqlx::query(AssertSqlSafe(statement))
            .bind(data_source)
            .persistent(false)
            .execute(&mut *connection)
            .await?;
    }
    changed(connection, "SELECT id FROM stage_managed_what WHERE true").await?;
    drop_table(connection, "stage_managed_what").await
}

/// The locks themselves are what the file says. One that was made here stays.
async fn locks(connection: &mut Connection) -> Result<(), sqlx::Error> {
    changed(
        connection,
        "SELECT DISTINCT m.id FROM stage_managed m JOIN access_provider_locks l ON l.access_provider_id = m.id \
         AND l.imported = 1 WHERE NOT EXISTS (SELECT 1 FROM stage_access_locks s \
         WHERE s.external_id = m.external_id AND s.lock_key = l.lock_key)",
    )
    .await?;
    changed(
        connection,
        "SELECT DISTINCT m.id FROM stage_managed m JOIN stage_access_locks s ON s.external_id = m.external_id \
         WHERE NOT EXISTS (SELECT 1 FROM access_provider_locks l WHERE l.access_provider_id = m.id \
         AND l.lock_key = s.lock_key AND l.lock_type = 'ImportExport')",
    )
    .await?;
    for statement in [
        "DELETE FROM access_provider_locks WHERE imported = 1 AND access_provider_id IN (SELECT id FROM stage_managed)",
        "INSERT INTO access_provider_locks (access_provider_id, lock_key, lock_type, reason, imported) \
         SELECT m.id, s.lock_key, 'ImportExport', s.reason, 1 FROM stage_managed m JOIN stage_access_locks s \
         ON s.external_id = m.external_id WHERE true ON CONFLICT (access_provider_id, lock_key) DO UPDATE SET \
         lock_type = excluded.lock_type, reason = excluded.reason, imported = 1",
    ] {
        execute(connection, statement.to_owned()).await?;
    }
    Ok(())
}
