//! Writing what access controls are for: data objects with permissions, and the data sources that follow.

use std::collections::HashMap;

use async_graphql::ID;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::access_change::{Editor, Refusal, invalid, metadata};
use super::access_input::{AccessProviderDataSourceInput, AccessProviderWhatInputDo};
use super::scalars::Time;
use crate::jobs::to_json;
use crate::store::Connection;
use crate::store::bulk::Bulk;
use crate::store::sql::Sql;

/// How many objects are looked up by one statement.
const LOOKED_UP: usize = 500;

/// A data object that was looked up.
struct Found {
    data_source: String,
    full_name: String,
    object_type: String,
}

impl Found {
    fn read(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self { data_source: row.try_get(1)?, full_name: row.try_get(2)?, object_type: row.try_get(3)? })
    }
}

/// Puts the access control into these data sources and takes it out of the others.
pub(super) async fn write_sources(
    connection: &mut Connection,
    id: &str,
    sources: &[AccessProviderDataSourceInput],
) -> Result<(), Refusal> {
    for (index, source) in sources.iter().enumerate() {
        let known = sqlx::query("SELECT 1 FROM data_sources WHERE id = $1")
            .bind(source.data_source.as_str())
            .fetch_optional(&mut *connection)
            .await?;
        if known.is_none() {
            return invalid(format!(
                "dataSources[{index}].dataSource: there is no data source `{}`",
                source.data_source.as_str()
            ));
        }
        put_source(connection, id, &source.data_source, source.kind.as_deref()).await?;
    }
    let wanted: Vec<String> = sources.iter().map(|source| source.data_source.to_string()).collect();
    // What was never handed out is nowhere to be removed from; the rest leaves with the next feedback.
    for head in [
        "DELETE FROM access_provider_sync WHERE exported IS NULL AND actual_name IS NULL AND external_id IS NULL \
         AND access_provider_id = ",
        "UPDATE access_provider_sync SET leaving = 1 WHERE access_provider_id = ",
        "DELETE FROM access_provider_what WHERE access_provider_id = ",
    ] {
        let mut sql = Sql::new(head);
        sql.bind(id)?;
        if !wanted.is_empty() {
            sql.push(" AND data_source_id NOT IN ").bind_list(&wanted)?;
        }
        sql.rows(&mut *connection).await?;
    }
    Ok(())
}

async fn put_source(
    connection: &mut Connection,
    id: &str,
    data_source: &str,
    kind: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO access_provider_sync (access_provider_id, data_source_id, type, sync_status, synced_version, \
         exported_version, leaving) VALUES ($1, $2, $3, 'OUT_OF_SYNC', 0, 0, 0) \
         ON CONFLICT (access_provider_id, data_source_id) DO UPDATE SET leaving = 0, \
         type = COALESCE(excluded.type, access_provider_sync.type)",
    )
    .bind(id)
    .bind(data_source)
    .bind(kind.filter(|kind| !kind.is_empty()).map(str::to_owned))
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes the object that everything in the list is below.
pub(super) async fn write_common_object(
    connection: &mut Connection,
    id: &str,
    object: &ID,
) -> Result<(), Refusal> {
    let found = by_ids(connection, std::slice::from_ref(&object.0)).await?;
    let Some(found) = found.get(object.as_str()) else {
        return invalid(format!("commonWhatDataObjectId: there is no data object `{}`", object.as_str()));
    };
    put_source(connection, id, &found.data_source, None).await?;
    sqlx::query("UPDATE access_providers SET common_what_data_object = $2 WHERE id = $1")
        .bind(id)
        .bind(found.full_name.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Refuses a scope with unknown objects; an access control is in the data sources that its scope is in.
pub(super) async fn check_scope(
    connection: &mut Connection,
    id: &str,
    scope: &[String],
) -> Result<(), Refusal> {
    let found = by_ids(connection, scope).await?;
    if let Some((index, lost)) = scope.iter().enumerate().find(|(_, object)| !found.contains_key(*object)) {
        return invalid(format!("whatAbacRule.scope[{index}]: there is no data object `{lost}`"));
    }
    for object in found.values() {
        put_source(connection, id, &object.data_source, None).await?;
    }
    Ok(())
}

async fn by_ids(connection: &mut Connection, ids: &[String]) -> Result<HashMap<String, Found>, sqlx::Error> {
    let mut found = HashMap::new();
    for some in ids.chunks(LOOKED_UP) {
        let mut sql = Sql::new(
            "SELECT id, data_source_id, full_name, type FROM data_objects WHERE deleted = 0 AND id IN ",
        );
        sql.bind_list(some)?;
        for row in sql.rows(&mut *connection).await? {
            found.insert(row.try_get(0)?, Found::read(&row)?);
        }
    }
    Ok(found)
}

/// By data source and full name.
async fn by_names(
    connection: &mut Connection,
    data_source: &str,
    names: &[String],
) -> Result<HashMap<String, Found>, sqlx::Error> {
    let mut found = HashMap::new();
    for some in names.chunks(LOOKED_UP) {
        let mut sql = Sql::new(
            "SELECT full_name, data_source_id, full_name, type FROM data_objects WHERE deleted = 0 AND data_source_id = ",
        );
        sql.bind(data_source)?.push(" AND full_name IN ").bind_list(some)?.push(" ORDER BY id DESC");
        for row in sql.rows(&mut *connection).await? {
            found.insert(row.try_get(0)?, Found::read(&row)?);
        }
    }
    Ok(found)
}

/// Makes a what-list this one.
pub(super) async fn write(
    editor: &mut Editor<'_>,
    id: &str,
    items: &[AccessProviderWhatInputDo],
) -> Result<(), Refusal> {
    sqlx::query("DELETE FROM access_provider_what WHERE access_provider_id = $1")
        .bind(id)
        .execute(&mut *editor.connection)
        .await?;
    let columns = [
        "access_provider_id",
        "position",
        "row_key",
        "data_source_id",
        "full_name",
        "type",
        "permissions",
        "global_permissions",
        "expires_at",
    ];
    let mut bulk = Bulk::new(editor.dialect, "access_provider_what", &columns, "");
    let mut sources: Vec<String> = Vec::new();
    let mut position: i64 = 0;
    for (index, item) in items.iter().enumerate() {
        let place = format!("whatDataObjects[{index}]");
        let permissions: Vec<&String> = item.permissions.iter().flatten().flatten().collect();
        let global: Vec<String> =
            item.global_permissions.iter().flatten().flatten().map(|word| word.to_uppercase()).collect();
        if let Some(word) = global.iter().find(|word| !["READ", "WRITE", "ADMIN"].contains(&word.as_str())) {
            return invalid(format!("{place}.globalPermissions: `{word}` is not one of READ, WRITE, ADMIN"));
        }
        let expires_at = item.expires_at.map(|Time(moment)| moment);
        for object in objects(editor.connection, &place, item).await? {
            if !sources.contains(&object.data_source) {
                put_source(editor.connection, id, &object.data_source, None).await?;
                sources.push(object.data_source.clone());
            }
            bulk.value(id)?
                .value(position)?
                .value(format!("{position:010}"))?
                .value(object.data_source)?
                .value(object.full_name)?
                .value(object.object_type)?
                .value(to_json(&permissions))?
                .value(to_json(&global))?
                .value(expires_at)?;
            bulk.end_row(editor.connection).await?;
            position += 1;
        }
    }
    bulk.flush(editor.connection).await?;
    Ok(())
}

async fn objects(
    connection: &mut Connection,
    place: &str,
    item: &AccessProviderWhatInputDo,
) -> Result<Vec<Found>, Refusal> {
    let mut objects = Vec::new();
    let ids: Vec<String> = item.data_objects.iter().flatten().flatten().map(|id| id.to_string()).collect();
    let mut found = by_ids(connection, &ids).await?;
    for (index, object) in ids.iter().enumerate() {
        match found.remove(object) {
            Some(known) => objects.push(known),
            // The same object twice in one list says nothing new.
            None if ids.iter().take(index).any(|before| before == object) => {}
            None => {
                return invalid(format!("{place}.dataObjects[{index}]: there is no data object `{object}`"));
            }
        }
    }
    let names: Vec<_> = item.data_object_by_name.iter().flatten().collect();
    let mut sources: Vec<&str> = names.iter().map(|name| name.datasource.as_str()).collect();
    sources.sort_unstable();
    sources.dedup();
    for source in sources {
        let wanted: Vec<String> = names
            .iter()
            .filter(|name| name.datasource.as_str() == source)
            .map(|name| name.fullname.clone())
            .collect();
        let mut found = by_names(connection, source, &wanted).await?;
        for (index, name) in wanted.iter().enumerate() {
            match found.remove(name) {
                Some(known) => objects.push(known),
                None if wanted.iter().take(index).any(|before| before == name) => {}
                None => {
                    return invalid(format!(
                        "{place}.dataObjectByName: the data source `{source}` has no data object `{name}`"
                    ));
                }
            }
        }
    }
    Ok(objects)
}

/// Refuses kinds of access controls, masks and objects that the data source does not have.
pub(super) async fn check_kinds(connection: &mut Connection, id: &str, action: &str) -> Result<(), Refusal> {
    let rows = sqlx::query(
        "SELECT data_source_id, type FROM access_provider_sync WHERE access_provider_id = $1 AND leaving = 0",
    )
    .bind(id)
    .fetch_all(&mut *connection)
    .await?;
    for row in rows {
        let source: String = row.try_get(0)?;
        let Some(metadata) = metadata(connection, &source).await? else { continue };
        if let Some(kind) = row.try_get::<Option<String>, _>(1)?
            && let Some(known) = metadata.kinds_of(action).filter(|known| !known.contains(&kind.as_str()))
        {
            return invalid(format!(
                "dataSources.type: the data source `{source}` has no type `{kind}`, but {}",
                known.join(", ")
            ));
        }
        let Some(types) = metadata.object_types_of(action).filter(|types| !types.is_empty()) else {
            continue;
        };
        let mut sql =
            Sql::new("SELECT full_name, type FROM access_provider_what WHERE access_provider_id = ");
        sql.bind(id)?.push(" AND data_source_id = ").bind(source.as_str())?;
        sql.push(" AND type NOT IN ").bind_list(types)?.push(" LIMIT 1");
        if let Some(row) = sql.rows(&mut *connection).await?.first() {
            return invalid(format!(
                "whatDataObjects: `{}` is a {}; here it must be one of {}",
                row.try_get::<String, _>(0)?,
                row.try_get::<String, _>(1)?,
                types.join(", ")
            ));
        }
    }
    Ok(())
}

/// Notes the what-list as what the target has.
pub(super) async fn remember_applied(connection: &mut Connection, id: &str) -> Result<(), sqlx::Error> {
    let rows = sqlx::query(
        "SELECT data_source_id, full_name, type, permissions FROM access_provider_what WHERE access_provider_id = $1",
    )
    .bind(id)
    .fetch_all(&mut *connection)
    .await?;
    for row in rows {
        let permissions: Vec<String> = serde_json::from_str(row.try_get(3)?).unwrap_or_default();
        let nothing = permissions.is_empty().then(String::new);
        for permission in permissions.into_iter().chain(nothing) {
            sqlx::query(
                "INSERT INTO access_snapshot_what (data_source_id, access_provider_id, side, full_name, type, permission, \
                 global) VALUES ($1, $2, 'applied', $3, $4, $5, 0) ON CONFLICT DO NOTHING",
            )
            .bind(row.try_get::<String, _>(0)?)
            .bind(id)
            .bind(row.try_get::<String, _>(1)?)
            .bind(row.try_get::<String, _>(2)?)
            .bind(permission)
            .execute(&mut *connection)
            .await?;
        }
    }
    Ok(())
}
