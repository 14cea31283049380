//! Creating, changing and deleting access controls.
//!
//! Changing one that was imported makes it managed here, unless that is locked. Every change raises the
//! version, which makes the next export hand it to the target.

use async_graphql::{Context, ID, Object, SimpleObject, Union};
use sqlx::Row;

use super::access::{AccessProvider, AccessProviderResult, AccessWhoItemType, access_provider, not_found};
use super::access_input::{
    AccessProviderInput, AccessProviderLockType, AccessProviderWhatInputDo, WhoItemInput,
};
use super::errors::{InvalidInputError, NotFoundError, PermissionDeniedError};
use super::scalars::Time;
use super::{cloud, internal, permit};
use crate::auth::Permission;
use crate::ids::{new_id, now};
use crate::jobs::to_json;
use crate::store::Connection;

/// An access control.
#[derive(SimpleObject)]
struct AccessProviderWithOptionalAccessRequests {
    access_provider: AccessProvider,
}

/// An access control, or why it was refused.
#[derive(Union)]
enum AccessProviderWithOptionalAccessRequestsResult {
    Done(AccessProviderWithOptionalAccessRequests),
    PermissionDenied(PermissionDeniedError),
    NotFound(NotFoundError),
    InvalidInput(InvalidInputError),
}

const NO_ACCESS_REQUESTS: &str = "there are no access requests: leave enableAdditionalAccessRequests false";

/// Why a change is refused.
enum Refusal {
    NotFound(NotFoundError),
    Invalid(String),
    Failed(sqlx::Error),
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

fn invalid<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Invalid(message.into()))
}

#[derive(Default)]
pub(super) struct AccessMutation;

#[Object]
impl AccessMutation {
    /// Creates an access control.
    async fn create_access_provider(
        &self,
        context: &Context<'_>,
        input: AccessProviderInput,
        #[graphql(default)] enable_additional_access_requests: bool,
    ) -> async_graphql::Result<AccessProviderWithOptionalAccessRequestsResult> {
        if let Err(denied) = permit(context, Permission::CreateAccessControls)? {
            return Ok(AccessProviderWithOptionalAccessRequestsResult::PermissionDenied(denied));
        }
        if enable_additional_access_requests {
            return answer(context, invalid(NO_ACCESS_REQUESTS)).await;
        }
        let store = &cloud(context)?.store;
        let mut transaction = store.begin().await.map_err(internal)?;
        let done = create(&mut transaction, &input).await;
        if done.is_ok() {
            transaction.commit().await.map_err(internal)?;
        }
        answer(context, done).await
    }

    /// Changes an access control.
    async fn update_access_provider(
        &self,
        context: &Context<'_>,
        id: ID,
        input: AccessProviderInput,
        #[graphql(default)] enable_additional_access_requests: bool,
        #[graphql(name = "overrideLocks")] override_locks: Option<bool>,
    ) -> async_graphql::Result<AccessProviderWithOptionalAccessRequestsResult> {
        if let Err(denied) = permit(context, Permission::ManageAccessControls)? {
            return Ok(AccessProviderWithOptionalAccessRequestsResult::PermissionDenied(denied));
        }
        if enable_additional_access_requests {
            return answer(context, invalid(NO_ACCESS_REQUESTS)).await;
        }
        let store = &cloud(context)?.store;
        let mut transaction = store.begin().await.map_err(internal)?;
        let done = update(&mut transaction, &id, &input, override_locks.unwrap_or_default()).await;
        if done.is_ok() {
            transaction.commit().await.map_err(internal)?;
        }
        answer(context, done).await
    }

    /// Deletes an access control: at once if no target has it, else when the target has confirmed.
    async fn delete_access_provider(
        &self,
        context: &Context<'_>,
        id: ID,
        #[graphql(name = "overrideLocks")] override_locks: Option<bool>,
    ) -> async_graphql::Result<AccessProviderResult> {
        if let Err(denied) = permit(context, Permission::ManageAccessControls)? {
            return Ok(AccessProviderResult::PermissionDenied(denied));
        }
        let store = &cloud(context)?.store;
        let before = access_provider(store, &id).await.map_err(internal)?;
        let mut transaction = store.begin().await.map_err(internal)?;
        let done = delete(&mut transaction, &id, override_locks.unwrap_or_default()).await;
        if done.is_ok() {
            transaction.commit().await.map_err(internal)?;
        }
        Ok(match done {
            // One that is gone already is answered as it was.
            Ok(()) => match access_provider(store, &id).await.map_err(internal)?.or(before) {
                Some(found) => AccessProviderResult::AccessProvider(found),
                None => AccessProviderResult::NotFound(not_found(&id)),
            },
            Err(Refusal::NotFound(error)) => AccessProviderResult::NotFound(error),
            Err(Refusal::Invalid(message)) => {
                AccessProviderResult::InvalidInput(InvalidInputError { message })
            }
            Err(Refusal::Failed(error)) => return Err(internal(error)),
        })
    }
}

async fn answer(
    context: &Context<'_>,
    done: Result<String, Refusal>,
) -> async_graphql::Result<AccessProviderWithOptionalAccessRequestsResult> {
    use AccessProviderWithOptionalAccessRequestsResult as Answer;
    Ok(match done {
        Ok(id) => match access_provider(&cloud(context)?.store, &id).await.map_err(internal)? {
            Some(access_provider) => {
                Answer::Done(AccessProviderWithOptionalAccessRequests { access_provider })
            }
            None => Answer::NotFound(not_found(&id)),
        },
        Err(Refusal::NotFound(error)) => Answer::NotFound(error),
        Err(Refusal::Invalid(message)) => Answer::InvalidInput(InvalidInputError { message }),
        Err(Refusal::Failed(error)) => return Err(internal(error)),
    })
}

async fn create(connection: &mut Connection, input: &AccessProviderInput) -> Result<String, Refusal> {
    let Some(name) = input.name.as_ref().filter(|name| !name.trim().is_empty()) else {
        return invalid("name is missing");
    };
    let id = new_id();
    sqlx::query(
        "INSERT INTO access_providers (id, name, naming_hint, description, action, state, external, not_internalizable, \
         complete, who_known, source, version, created_at, modified_at) \
         VALUES ($1, $2, $3, $4, $5, 'Active', $6, 0, 1, 1, $7, 1, $8, $8)",
    )
    .bind(&id)
    .bind(name)
    .bind(input.naming_hint.clone().unwrap_or_default())
    .bind(input.description.clone().unwrap_or_default())
    .bind(input.action.map_or("Grant", super::access::AccessProviderAction::word))
    .bind(i64::from(input.external.unwrap_or_default()))
    .bind(input.source.clone())
    .bind(now())
    .execute(&mut *connection)
    .await?;
    write_parts(connection, &id, input).await?;
    Ok(id)
}

async fn update(
    connection: &mut Connection,
    id: &str,
    input: &AccessProviderInput,
    override_locks: bool,
) -> Result<String, Refusal> {
    changeable(connection, id).await?;
    for (lock, part, concerned) in [
        ("NameLock", "name", input.name.is_some() || input.naming_hint.is_some()),
        ("WhoLock", "who-list", input.who_items.is_some()),
        ("WhatLock", "what-list", input.what_data_objects.is_some()),
    ] {
        if concerned {
            check_lock(connection, id, lock, part, override_locks).await?;
        }
    }
    if input.name.as_ref().is_some_and(|name| name.trim().is_empty()) {
        return invalid("name is empty");
    }
    sqlx::query(
        "UPDATE access_providers SET name = COALESCE($2, name), naming_hint = COALESCE($3, naming_hint), \
         description = COALESCE($4, description), action = COALESCE($5, action), source = COALESCE($6, source), \
         external = $7, version = version + 1, modified_at = $8 WHERE id = $1",
    )
    .bind(id)
    .bind(input.name.clone())
    .bind(input.naming_hint.clone())
    .bind(input.description.clone())
    .bind(input.action.map(super::access::AccessProviderAction::word))
    .bind(input.source.clone())
    .bind(i64::from(input.external.unwrap_or_default()))
    .bind(now())
    .execute(&mut *connection)
    .await?;
    write_parts(connection, id, input).await?;
    sqlx::query("UPDATE access_provider_sync SET sync_status = 'OUT_OF_SYNC' WHERE access_provider_id = $1")
        .bind(id)
        .execute(&mut *connection)
        .await?;
    Ok(id.to_owned())
}

async fn delete(connection: &mut Connection, id: &str, override_locks: bool) -> Result<(), Refusal> {
    if changeable(connection, id).await? {
        return invalid("it is managed in the data source and can only be deleted there");
    }
    check_lock(connection, id, "DeleteLock", "deletion", override_locks).await?;
    sqlx::query(
        "UPDATE access_providers SET state = 'Deleted', version = version + 1, modified_at = $2 WHERE id = $1",
    )
    .bind(id)
    .bind(now())
    .execute(&mut *connection)
    .await?;
    sqlx::query("UPDATE access_provider_sync SET sync_status = 'OUT_OF_SYNC' WHERE access_provider_id = $1")
        .bind(id)
        .execute(&mut *connection)
        .await?;
    // What was never handed out is nowhere to be removed from.
    sqlx::query(
        "DELETE FROM access_provider_sync WHERE access_provider_id = $1 AND exported IS NULL \
         AND actual_name IS NULL AND external_id IS NULL",
    )
    .bind(id)
    .execute(&mut *connection)
    .await?;
    for statement in [
        "DELETE FROM access_providers WHERE id = $1 \
         AND NOT EXISTS (SELECT 1 FROM access_provider_sync WHERE access_provider_id = $1)",
        "DELETE FROM access_provider_who WHERE kind = 'accessProvider' AND item = $1",
        "DELETE FROM access_provider_who WHERE access_provider_id = $1",
        "DELETE FROM access_provider_what WHERE access_provider_id = $1",
        "DELETE FROM access_provider_locks WHERE access_provider_id = $1",
    ] {
        sqlx::query(statement).bind(id).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Whether it is managed in the data source; refused when it may not be changed here.
async fn changeable(connection: &mut Connection, id: &str) -> Result<bool, Refusal> {
    let row = sqlx::query(
        "SELECT external, not_internalizable FROM access_providers WHERE id = $1 AND state <> 'Deleted'",
    )
    .bind(id)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Err(Refusal::NotFound(not_found(id))) };
    let external = row.try_get::<i64, _>(0)? == 1;
    if external && row.try_get::<i64, _>(1)? == 1 {
        return invalid("it is locked and stays managed in the data source");
    }
    Ok(external)
}

/// A full lock holds always, a lock against people unless it is overridden.
async fn check_lock(
    connection: &mut Connection,
    id: &str,
    lock: &str,
    part: &str,
    override_locks: bool,
) -> Result<(), Refusal> {
    let row = sqlx::query(
        "SELECT lock_type FROM access_provider_locks WHERE access_provider_id = $1 AND lock_key = $2",
    )
    .bind(id)
    .bind(lock)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(()) };
    if row.try_get::<String, _>(0)? == "UserOnly" && override_locks {
        return Ok(());
    }
    invalid(format!("the {part} is locked"))
}

async fn write_parts(
    connection: &mut Connection,
    id: &str,
    input: &AccessProviderInput,
) -> Result<(), Refusal> {
    if let Some(rule) = &input.policy_rule {
        sqlx::query("UPDATE access_providers SET policy_rule = $2 WHERE id = $1")
            .bind(id)
            .bind(Some(rule.as_str()).filter(|rule| !rule.is_empty()))
            .execute(&mut *connection)
            .await?;
    }
    if let Some(criteria) = &input.filter_criteria {
        let criteria = criteria.to_file().map_err(Refusal::Invalid)?;
        sqlx::query("UPDATE access_providers SET filter_criteria = $2 WHERE id = $1")
            .bind(id)
            .bind(criteria.to_string())
            .execute(&mut *connection)
            .await?;
    }
    if let Some(sources) = &input.data_sources {
        for source in sources {
            put_source(connection, id, &source.data_source, source.kind.as_deref()).await?;
        }
        let wanted: Vec<&str> = sources.iter().map(|source| source.data_source.as_str()).collect();
        leave_sources(connection, id, &wanted).await?;
    }
    if let Some(items) = &input.what_data_objects {
        write_what(connection, id, items).await?;
    }
    if let Some(items) = &input.who_items {
        sqlx::query("DELETE FROM access_provider_who WHERE access_provider_id = $1")
            .bind(id)
            .execute(&mut *connection)
            .await?;
        for item in items {
            write_who(connection, id, item).await?;
        }
    }
    if let Some(locks) = &input.locks {
        sqlx::query(
            "DELETE FROM access_provider_locks WHERE access_provider_id = $1 AND lock_type = 'UserOnly'",
        )
        .bind(id)
        .execute(&mut *connection)
        .await?;
        for lock in locks {
            let details = lock.details.as_ref();
            let kind =
                details.and_then(|details| details.lock_type).unwrap_or(AccessProviderLockType::UserOnly);
            sqlx::query(
                "INSERT INTO access_provider_locks (access_provider_id, lock_key, lock_type, reason) \
                 VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            )
            .bind(id)
            .bind(lock.lock_key.word())
            .bind(kind.word())
            .bind(details.and_then(|details| details.reason.clone()))
            .execute(&mut *connection)
            .await?;
        }
    }
    Ok(())
}

async fn put_source(
    connection: &mut Connection,
    id: &str,
    data_source: &str,
    kind: Option<&str>,
) -> Result<(), Refusal> {
    let known = sqlx::query("SELECT 1 FROM data_sources WHERE id = $1")
        .bind(data_source)
        .fetch_optional(&mut *connection)
        .await?;
    if known.is_none() {
        return invalid(format!("there is no data source `{data_source}`"));
    }
    sqlx::query(
        "INSERT INTO access_provider_sync (access_provider_id, data_source_id, type, sync_status, synced_version, \
         exported_version) VALUES ($1, $2, $3, 'OUT_OF_SYNC', 0, 0) \
         ON CONFLICT (access_provider_id, data_source_id) DO UPDATE SET type = COALESCE(excluded.type, access_provider_sync.type)",
    )
    .bind(id)
    .bind(data_source)
    .bind(kind)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes the access control out of the data sources that are not wanted any more.
async fn leave_sources(connection: &mut Connection, id: &str, wanted: &[&str]) -> Result<(), Refusal> {
    let rows = sqlx::query(
        "SELECT data_source_id, actual_name, external_id, exported FROM access_provider_sync WHERE access_provider_id = $1",
    )
    .bind(id)
    .fetch_all(&mut *connection)
    .await?;
    for row in rows {
        let data_source: String = row.try_get(0)?;
        if wanted.contains(&data_source.as_str()) {
            continue;
        }
        for column in 1..=3 {
            if row.try_get::<Option<String>, _>(column)?.is_some() {
                return invalid(format!(
                    "it was handed to the data source `{data_source}` already and can leave it only by being deleted"
                ));
            }
        }
        for statement in [
            "DELETE FROM access_provider_sync WHERE access_provider_id = $1 AND data_source_id = $2",
            "DELETE FROM access_provider_what WHERE access_provider_id = $1 AND data_source_id = $2",
        ] {
            sqlx::query(statement).bind(id).bind(&data_source).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

async fn write_what(
    connection: &mut Connection,
    id: &str,
    items: &[AccessProviderWhatInputDo],
) -> Result<(), Refusal> {
    sqlx::query("DELETE FROM access_provider_what WHERE access_provider_id = $1")
        .bind(id)
        .execute(&mut *connection)
        .await?;
    let mut position: i64 = 0;
    for item in items {
        let permissions: Vec<&String> = item.permissions.iter().flatten().flatten().collect();
        let global: Vec<String> =
            item.global_permissions.iter().flatten().flatten().map(|word| word.to_uppercase()).collect();
        if let Some(word) = global.iter().find(|word| !["READ", "WRITE", "ADMIN"].contains(&word.as_str())) {
            return invalid(format!("`{word}` is not one of READ, WRITE, ADMIN"));
        }
        let mut objects = Vec::new();
        for object in item.data_objects.iter().flatten().flatten() {
            let row = sqlx::query(
                "SELECT data_source_id, full_name, type FROM data_objects WHERE id = $1 AND deleted = 0",
            )
            .bind(object.as_str())
            .fetch_optional(&mut *connection)
            .await?;
            let Some(row) = row else {
                return invalid(format!("there is no data object `{}`", object.as_str()));
            };
            objects.push(row);
        }
        for name in item.data_object_by_name.iter().flatten() {
            let row = sqlx::query(
                "SELECT data_source_id, full_name, type FROM data_objects WHERE data_source_id = $1 AND full_name = $2 \
                 AND deleted = 0 ORDER BY id LIMIT 1",
            )
            .bind(name.datasource.as_str())
            .bind(&name.fullname)
            .fetch_optional(&mut *connection)
            .await?;
            let Some(row) = row else {
                let source = name.datasource.as_str();
                return invalid(format!("the data source `{source}` has no data object `{}`", name.fullname));
            };
            objects.push(row);
        }
        for row in objects {
            let data_source: String = row.try_get(0)?;
            put_source(connection, id, &data_source, None).await?;
            sqlx::query(
                "INSERT INTO access_provider_what (access_provider_id, position, data_source_id, full_name, type, \
                 permissions, global_permissions) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(id)
            .bind(position)
            .bind(data_source)
            .bind(row.try_get::<String, _>(1)?)
            .bind(row.try_get::<String, _>(2)?)
            .bind(to_json(&permissions))
            .bind(to_json(&global))
            .execute(&mut *connection)
            .await?;
            position += 1;
        }
    }
    Ok(())
}

async fn write_who(connection: &mut Connection, id: &str, item: &WhoItemInput) -> Result<(), Refusal> {
    let mut given = [
        ("user", &item.user),
        ("group", &item.group),
        ("accessProvider", &item.access_provider),
        ("recipient", &item.recipient),
    ]
    .into_iter()
    .filter_map(|(kind, id)| id.as_ref().map(|id| (kind, id.as_str())));
    let (Some((kind, reference)), None) = (given.next(), given.next()) else {
        return invalid("a who-item has exactly one of user, group, accessProvider and recipient");
    };
    let look_up = match kind {
        "user" => Some("SELECT 1 FROM users WHERE id = $1"),
        "group" => Some("SELECT 1 FROM groups WHERE id = $1 AND deleted = 0"),
        "accessProvider" => Some("SELECT 1 FROM access_providers WHERE id = $1 AND state <> 'Deleted'"),
        _ => None,
    };
    if let Some(look_up) = look_up
        && sqlx::query(look_up).bind(reference).fetch_optional(&mut *connection).await?.is_none()
    {
        return invalid(format!("there is no {kind} `{reference}`"));
    }
    if kind == "accessProvider" {
        refuse_circle(connection, id, reference).await?;
    }
    let expires_at = item
        .expires_at
        .map(|Time(moment)| moment)
        .or_else(|| item.expires_after.map(|seconds| now().saturating_add(seconds.saturating_mul(1000))));
    sqlx::query(
        "INSERT INTO access_provider_who (access_provider_id, kind, item, type, expires_at, promise_duration) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(kind)
    .bind(reference)
    .bind(item.item_type.unwrap_or(AccessWhoItemType::WhoGrant).word())
    .bind(expires_at)
    .bind(item.promise_duration)
    .execute(connection)
    .await?;
    Ok(())
}

/// Members of `member` would become members of `id`: `id` must not be among the members already.
async fn refuse_circle(connection: &mut Connection, id: &str, member: &str) -> Result<(), Refusal> {
    let circle = sqlx::query(
        "WITH RECURSIVE members (id) AS (SELECT id FROM access_providers WHERE id = $1 UNION SELECT w.item FROM access_provider_who w \
         JOIN members m ON m.id = w.access_provider_id WHERE w.kind = 'accessProvider') \
         SELECT 1 FROM members WHERE id = $2",
    )
    .bind(member)
    .bind(id)
    .fetch_optional(connection)
    .await?;
    if circle.is_some() { invalid("an access control cannot be a member of itself") } else { Ok(()) }
}
