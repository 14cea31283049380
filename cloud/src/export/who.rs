//! Who an access provider is for, in the words of the target.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, Row};

use super::document::{Entry, WhoLists};
use super::session::Session;
use crate::ids::now;
use crate::import::staging::create;
use crate::metadata::Metadata;
use crate::rules::{Subject, WhoRule};
use crate::store::bulk::Bulk;
use crate::store::sql::Sql;

/// The tables of this module.
pub(super) const TABLES: &[&str] =
    &["export_kinds", "export_closed", "export_referable", "export_members", "export_who"];

/// How many names a warning shows.
const SHOWN: i64 = 20;

/// Whether the access provider `p` of the page may have `r` as a member in the target.
const ALLOWED: &str = "(NOT EXISTS (SELECT 1 FROM export_closed c WHERE c.type = p.type) \
    OR EXISTS (SELECT 1 FROM export_kinds k WHERE k.holder = p.type AND k.member = r.type))";

/// The identity stores of the data source.
const STORES: &str = "(SELECT identity_store_id FROM data_source_identity_stores WHERE data_source_id = $1)";

/// Creates the tables, and fills in what can be referred to.
pub(super) async fn prepare(session: &mut Session<'_>) -> Result<(), sqlx::Error> {
    let connection = &mut session.connection;
    create(
        connection,
        "export_kinds",
        "holder TEXT NOT NULL, member TEXT NOT NULL, PRIMARY KEY (holder, member)",
    )
    .await?;
    create(connection, "export_closed", "type TEXT NOT NULL PRIMARY KEY").await?;
    create(
        connection,
        "export_referable",
        "id TEXT NOT NULL PRIMARY KEY, type TEXT NOT NULL, stable TEXT NOT NULL, actual_name TEXT",
    )
    .await?;
    create(
        connection,
        "export_members",
        "ap TEXT NOT NULL, kind TEXT NOT NULL, item TEXT NOT NULL, PRIMARY KEY (ap, kind, item)",
    )
    .await?;
    create(
        connection,
        "export_who",
        "ap TEXT NOT NULL, list TEXT NOT NULL, stable TEXT NOT NULL, PRIMARY KEY (ap, list, stable)",
    )
    .await?;
    let dialect = session.store.dialect();
    if let Some(metadata) = &session.metadata {
        let mut kinds = Bulk::new(dialect, "export_kinds", &["holder", "member"], "ON CONFLICT DO NOTHING");
        for (holder, member) in metadata.inheritance() {
            kinds.value(holder)?.value(member)?;
            kinds.end_row(&mut session.connection).await?;
        }
        kinds.flush(&mut session.connection).await?;
        let mut closed = Bulk::new(dialect, "export_closed", &["type"], "ON CONFLICT DO NOTHING");
        for kind in metadata.closed_kinds() {
            closed.value(kind)?;
            closed.end_row(&mut session.connection).await?;
        }
        closed.flush(&mut session.connection).await?;
    }
    if session.metadata.as_ref().is_none_or(|metadata| metadata.supports_ap_inheritance) {
        let default = session.metadata.as_ref().and_then(Metadata::default_kind).unwrap_or_default();
        sqlx::query(
            "INSERT INTO export_referable (id, type, stable, actual_name) SELECT p.id, COALESCE(y.type, $2), \
             CASE WHEN p.external = 0 THEN 'ID:' || p.id ELSE y.actual_name END, y.actual_name \
             FROM access_provider_sync y JOIN access_providers p ON p.id = y.access_provider_id \
             WHERE y.data_source_id = $1 AND p.state = 'Active' AND y.leaving = 0 \
             AND (p.external = 0 OR y.actual_name <> '')",
        )
        .bind(session.data_source)
        .bind(default)
        .execute(&mut *session.connection)
        .await?;
    }
    session.execute("CREATE INDEX export_referable_by_name ON export_referable (stable)".to_owned()).await
}

/// Resolves the who-lists of the page.
pub(super) async fn resolve(session: &mut Session<'_>) -> Result<(), sqlx::Error> {
    session.execute("DELETE FROM export_members".to_owned()).await?;
    session.execute("DELETE FROM export_who".to_owned()).await?;
    let granted = "w.type = 'WhoGrant' AND (w.expires_at IS NULL OR w.expires_at > $1)";
    // Members of members, through those that the target cannot refer to.
    let statement = format!(
        "INSERT INTO export_members (ap, kind, item) WITH RECURSIVE members (ap, kind, item) AS (\
         SELECT p.id, w.kind, w.item FROM export_page p JOIN access_provider_who w ON w.access_provider_id = p.id \
         WHERE p.gone = 0 AND {granted} \
         UNION SELECT m.ap, w.kind, w.item FROM members m JOIN access_providers a ON a.id = m.item \
         JOIN access_provider_who w ON w.access_provider_id = a.id \
         WHERE m.kind = 'accessProvider' AND a.state = 'Active' AND {granted} \
         AND NOT EXISTS (SELECT 1 FROM export_referable r JOIN export_page p ON p.id = m.ap \
         WHERE r.id = m.item AND {ALLOWED})) SELECT ap, kind, item FROM members WHERE true"
    );
    sqlx::query(AssertSqlSafe(statement)).bind(now()).execute(&mut *session.connection).await?;
    expand_rules(session).await?;
    let groups = session.metadata.as_ref().is_none_or(Metadata::knows_groups);
    let foreign = if groups { format!("g.identity_store_id NOT IN {STORES}") } else { "1 = 1".to_owned() };
    let mut statements = vec![
        format!(
            "INSERT INTO export_who (ap, list, stable) SELECT m.ap, 'users', a.user_name FROM export_members m \
             JOIN accounts a ON a.user_id = m.item WHERE m.kind = 'user' AND a.identity_store_id IN {STORES} \
             ON CONFLICT DO NOTHING"
        ),
        format!(
            "INSERT INTO export_who (ap, list, stable) WITH RECURSIVE inside (ap, store, external_id) AS (\
             SELECT m.ap, g.identity_store_id, g.external_id FROM export_members m \
             JOIN groups g ON g.id = m.item AND g.deleted = 0 WHERE m.kind = 'group' AND {foreign} \
             UNION SELECT i.ap, x.identity_store_id, x.member_external_id FROM inside i JOIN group_members x \
             ON x.identity_store_id = i.store AND x.group_external_id = i.external_id AND x.member_kind = 'group') \
             SELECT DISTINCT i.ap, 'users', b.user_name FROM inside i JOIN group_members x \
             ON x.identity_store_id = i.store AND x.group_external_id = i.external_id AND x.member_kind = 'account' \
             JOIN accounts a ON a.identity_store_id = x.identity_store_id AND a.external_id = x.member_external_id \
             JOIN accounts b ON b.user_id = a.user_id WHERE b.identity_store_id IN {STORES} ON CONFLICT DO NOTHING"
        ),
        format!(
            "INSERT INTO export_who (ap, list, stable) SELECT m.ap, 'inheritFrom', r.stable FROM export_members m \
             JOIN export_page p ON p.id = m.ap JOIN export_referable r ON r.id = m.item \
             WHERE m.kind = 'accessProvider' AND m.item <> m.ap AND $1 <> '' AND {ALLOWED} ON CONFLICT DO NOTHING"
        ),
        // The source's own words.
        "INSERT INTO export_who (ap, list, stable) SELECT m.ap, CASE m.kind WHEN 'accountName' THEN 'users' \
         WHEN 'groupName' THEN 'groups' ELSE 'recipients' END, m.item FROM export_members m \
         WHERE m.kind IN ('accountName', 'groupName', 'recipient') AND $1 <> '' ON CONFLICT DO NOTHING"
            .to_owned(),
    ];
    if groups {
        statements.push(format!(
            "INSERT INTO export_who (ap, list, stable) SELECT m.ap, 'groups', g.name FROM export_members m \
             JOIN groups g ON g.id = m.item AND g.deleted = 0 WHERE m.kind = 'group' \
             AND g.identity_store_id IN {STORES} ON CONFLICT DO NOTHING"
        ));
    }
    for statement in statements {
        session.run(statement).await?;
    }
    name_data_sources(session).await
}

/// Adds the users that the rules of the page find, and those of the rules of members that are written as theirs.
async fn expand_rules(session: &mut Session<'_>) -> Result<(), sqlx::Error> {
    let statement = format!(
        "SELECT DISTINCT p.id, a.who_rule FROM export_page p JOIN access_providers a ON a.id = p.id \
         WHERE p.gone = 0 AND a.who_type = 'Dynamic' AND a.who_rule IS NOT NULL \
         UNION SELECT m.ap, a.who_rule FROM export_members m JOIN access_providers a ON a.id = m.item \
         WHERE m.kind = 'accessProvider' AND a.state = 'Active' AND a.who_type = 'Dynamic' AND a.who_rule IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM export_referable r JOIN export_page p ON p.id = m.ap \
         WHERE r.id = m.item AND {ALLOWED})"
    );
    let rows = sqlx::query(AssertSqlSafe(statement)).fetch_all(&mut *session.connection).await?;
    for row in rows {
        let Ok(rule) = serde_json::from_str::<WhoRule>(row.try_get(1)?) else { continue };
        if rule.kind != "WhoGrant" {
            continue;
        }
        let mut sql = Sql::new("INSERT INTO export_members (ap, kind, item) SELECT ");
        sql.bind(row.try_get::<String, _>(0)?)?.push(", 'user', o.id FROM users o WHERE ");
        rule.rule.push(&mut sql, Subject::Users)?;
        sql.push(" ON CONFLICT DO NOTHING");
        sql.rows(&mut *session.connection).await?;
    }
    Ok(())
}

/// A data source as a member is the identifier that shares name it by.
async fn name_data_sources(session: &mut Session<'_>) -> Result<(), sqlx::Error> {
    let rows = sqlx::query(
        "SELECT m.ap, d.metadata FROM export_members m JOIN data_sources d ON d.id = m.item WHERE m.kind = 'dataSource'",
    )
    .fetch_all(&mut *session.connection)
    .await?;
    for row in rows {
        let metadata: Option<String> = row.try_get(1)?;
        let name = metadata
            .and_then(|text| serde_json::from_str::<Metadata>(&text).ok())
            .and_then(|metadata| metadata.share_metadata)
            .map(|shares| shares.data_source_share_identifier)
            .filter(|name| !name.is_empty());
        let Some(name) = name else { continue };
        sqlx::query(
            "INSERT INTO export_who (ap, list, stable) VALUES ($1, 'recipients', $2) ON CONFLICT DO NOTHING",
        )
        .bind(row.try_get::<String, _>(0)?)
        .bind(name)
        .execute(&mut *session.connection)
        .await?;
    }
    Ok(())
}

/// What cannot be said in the words of the target.
pub(super) async fn warnings(session: &mut Session<'_>) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT a.name, m.item FROM export_members m JOIN access_providers a ON a.id = m.ap \
         WHERE m.kind = 'externalId' ORDER BY m.ap, m.item LIMIT $1",
    )
    .bind(SHOWN)
    .fetch_all(&mut *session.connection)
    .await?;
    rows.iter()
        .map(|row| {
            let (name, item): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            Ok(format!("{name}: {item} is unknown and left out"))
        })
        .collect()
}

/// The who-lists as the file says them.
pub(super) async fn wanted(session: &mut Session<'_>, id: &str) -> Result<WhoLists, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT w.list, w.stable, r.actual_name, i.id FROM export_who w \
         LEFT JOIN export_referable r ON w.list = 'inheritFrom' AND r.stable = w.stable \
         LEFT JOIN export_included i ON i.id = r.id WHERE w.ap = $1",
    )
    .bind(id)
    .fetch_all(&mut *session.connection)
    .await?;
    let mut lists = WhoLists::default();
    for row in rows {
        let (list, stable): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let actual_name = row.try_get::<Option<String>, _>(2)?.filter(|name| !name.is_empty());
        let included = row.try_get::<Option<String>, _>(3)?.is_some();
        let name = if included { stable } else { actual_name.unwrap_or(stable) };
        lists.insert(&list, name);
    }
    Ok(lists)
}

/// Who was applied before and is no longer wanted.
pub(super) async fn removed(session: &mut Session<'_>, entry: &Entry) -> Result<WhoLists, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT s.list, s.name, z.actual_name, i.id FROM access_snapshot_who s \
         LEFT JOIN access_provider_sync z ON s.list = 'inheritFrom' AND z.data_source_id = s.data_source_id \
         AND z.access_provider_id = SUBSTR(s.name, 4) LEFT JOIN export_included i ON i.id = z.access_provider_id \
         WHERE s.data_source_id = $1 AND s.access_provider_id = $2 AND s.side = 'applied' \
         AND NOT EXISTS (SELECT 1 FROM export_who w WHERE w.ap = s.access_provider_id AND w.list = s.list \
         AND w.stable = s.name)",
    )
    .bind(session.data_source)
    .bind(entry.document.id.as_str())
    .fetch_all(&mut *session.connection)
    .await?;
    let mut lists = WhoLists::default();
    let mut gone = BTreeSet::new();
    for row in rows {
        let (list, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        if entry.is_locked(&list) {
            continue;
        }
        let actual_name = row.try_get::<Option<String>, _>(2)?.filter(|name| !name.is_empty());
        let included = row.try_get::<Option<String>, _>(3)?.is_some();
        let name = if included { name } else { actual_name.unwrap_or(name) };
        if gone.insert((list.clone(), name.clone())) {
            lists.insert(&list, name);
        }
    }
    Ok(lists)
}
