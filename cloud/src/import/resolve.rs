//! Keeps the members of imported access controls what the data source means by them.
//!
//! A data source names members by its own words: account names, group names, external ids. They are looked up
//! when an access control is imported. What was not known then is looked up again when it may have become known,
//! and an account that moved to another user takes its memberships along. The words are kept in `source_name`.

use sqlx::AssertSqlSafe;

use super::staging::{create, drop_table, execute};
use crate::store::Connection;

/// Members that are somebody else now.
const MOVED: &str = "stage_moved";

/// Looks up the accounts and groups of an identity store again.
pub(super) async fn accounts_and_groups(
    connection: &mut Connection,
    identity_store: &str,
) -> Result<(), sqlx::Error> {
    open(connection).await?;
    for statement in [
        "INSERT INTO stage_moved (ap, kind, item, new_kind, new_item, source_name) \
         SELECT w.access_provider_id, w.kind, w.item, 'user', MIN(a.user_id), w.source_name \
         FROM accounts a JOIN access_provider_who w ON w.source_name = a.user_name \
         JOIN access_providers p ON p.id = w.access_provider_id AND p.external = 1 \
         JOIN access_provider_sync y ON y.access_provider_id = p.id \
         JOIN data_source_identity_stores l ON l.data_source_id = y.data_source_id \
         AND l.identity_store_id = a.identity_store_id WHERE a.identity_store_id = $1 \
         AND w.kind IN ('user', 'accountName') AND w.type = 'WhoGrant' \
         GROUP BY w.access_provider_id, w.kind, w.item, w.source_name \
         HAVING w.kind = 'accountName' OR MIN(a.user_id) <> w.item",
        "INSERT INTO stage_moved (ap, kind, item, new_kind, new_item, source_name) \
         SELECT w.access_provider_id, w.kind, w.item, 'group', MIN(g.id), w.source_name \
         FROM groups g JOIN access_provider_who w ON w.source_name = g.name \
         JOIN access_providers p ON p.id = w.access_provider_id AND p.external = 1 \
         JOIN access_provider_sync y ON y.access_provider_id = p.id \
         JOIN data_source_identity_stores l ON l.data_source_id = y.data_source_id \
         AND l.identity_store_id = g.identity_store_id WHERE g.identity_store_id = $1 AND g.deleted = 0 \
         AND w.kind = 'groupName' AND w.type = 'WhoGrant' \
         GROUP BY w.access_provider_id, w.kind, w.item, w.source_name",
    ] {
        sqlx::query(statement).bind(identity_store).persistent(false).execute(&mut *connection).await?;
    }
    move_members(connection).await
}

/// Looks up the access controls of a data source again.
pub(super) async fn access_providers(
    connection: &mut Connection,
    data_source: &str,
) -> Result<(), sqlx::Error> {
    open(connection).await?;
    sqlx::query(
        "INSERT INTO stage_moved (ap, kind, item, new_kind, new_item, source_name) \
         SELECT w.access_provider_id, w.kind, w.item, 'accessProvider', MIN(z.access_provider_id), w.source_name \
         FROM access_provider_who w JOIN access_provider_sync y ON y.access_provider_id = w.access_provider_id \
         AND y.data_source_id = $1 JOIN access_provider_sync z ON z.data_source_id = y.data_source_id \
         AND z.external_id = w.source_name WHERE w.kind = 'externalId' AND w.type = 'WhoGrant' \
         GROUP BY w.access_provider_id, w.kind, w.item, w.source_name",
    )
    .bind(data_source)
    .persistent(false)
    .execute(&mut *connection)
    .await?;
    move_members(connection).await
}

async fn open(connection: &mut Connection) -> Result<(), sqlx::Error> {
    create(
        connection,
        MOVED,
        "ap TEXT NOT NULL, kind TEXT NOT NULL, item TEXT NOT NULL, new_kind TEXT NOT NULL, new_item TEXT NOT NULL, \
         source_name TEXT NOT NULL",
    )
    .await
}

async fn move_members(connection: &mut Connection) -> Result<(), sqlx::Error> {
    execute(connection, format!("CREATE INDEX {MOVED}_by_member ON {MOVED} (ap, kind, item)")).await?;
    for statement in [
        "DELETE FROM access_provider_who WHERE type = 'WhoGrant' AND EXISTS (SELECT 1 FROM stage_moved m \
         WHERE m.ap = access_provider_who.access_provider_id AND m.kind = access_provider_who.kind \
         AND m.item = access_provider_who.item) AND access_provider_id IN (SELECT ap FROM stage_moved)",
        "INSERT INTO access_provider_who (access_provider_id, kind, item, type, source_name, row_key) \
         SELECT ap, new_kind, new_item, 'WhoGrant', source_name, new_kind || '/' || new_item || '/WhoGrant' \
         FROM stage_moved WHERE true ON CONFLICT DO NOTHING",
    ] {
        sqlx::query(AssertSqlSafe(statement)).persistent(false).execute(&mut *connection).await?;
    }
    drop_table(connection, MOVED).await
}
