//! What a change of an access control does, and when it is refused.
//!
//! Everything happens in one transaction. The parts are written first and the whole is checked at the end,
//! so that a rule about the whole, such as one data source for a mask, holds however it came about.
//!
//! A lock of the kind `ImportExport` holds against everybody, one of the kind `UserOnly` unless it is overridden;
//! neither is in the way of an input that leaves the part as it is.

use sqlx::Row;

use super::access::not_found;
use super::access_category::Category;
use super::access_enums::{AccessProviderAction, WhoAndWhatType};
use super::access_input::{AccessProviderInput, AccessProviderLockType, WhoItemInput};
use super::access_members as members;
use super::access_objects as objects;
use super::access_rules::{WhatAbacRuleInput, WhoAbacRuleInput};
use super::errors::NotFoundError;
use crate::changes;
use crate::ids::{new_id, now};
use crate::jobs::to_json;
use crate::metadata::Metadata;
use crate::store::{Connection, Dialect};

/// Why a change is refused.
pub(super) enum Refusal {
    NotFound(NotFoundError),
    /// The message names the field.
    Invalid(String),
    Failed(sqlx::Error),
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

/// Refuses an input.
pub(super) fn invalid<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Invalid(message.into()))
}

/// The transaction of a change.
pub(super) struct Editor<'c> {
    pub(super) connection: &'c mut Connection,
    pub(super) dialect: Dialect,
}

/// What an access control is before it is changed.
struct Current {
    name: String,
    naming_hint: String,
    external: bool,
    state: String,
}

/// Creates an access control; returns its id.
pub(super) async fn create(editor: &mut Editor<'_>, input: &AccessProviderInput) -> Result<String, Refusal> {
    let Some(name) = input.name.as_ref().filter(|name| !name.trim().is_empty()) else {
        return invalid("name is missing or empty");
    };
    let category_id = input.category.as_ref().map_or(Category::DEFAULT, |id| id.as_str());
    let category = Category::load(editor.connection, category_id).await?;
    let id = new_id();
    sqlx::query(
        "INSERT INTO access_providers (id, name, naming_hint, description, action, state, external, not_internalizable, \
         complete, who_known, source, category_id, version, created_at, modified_at) \
         VALUES ($1, $2, $3, $4, $5, 'Active', $6, 0, 1, 1, $7, $8, 1, $9, $9)",
    )
    .bind(&id)
    .bind(name)
    .bind(input.naming_hint.clone().unwrap_or_default())
    .bind(input.description.clone().unwrap_or_default())
    .bind(input.action.map_or("Grant", AccessProviderAction::word))
    .bind(i64::from(input.external.unwrap_or_default()))
    .bind(input.source.clone())
    .bind(&category.id)
    .bind(now())
    .execute(&mut *editor.connection)
    .await?;
    write_parts(editor, &id, input).await?;
    for lock in &category.locks_on_create {
        put_lock(editor.connection, &id, lock, AccessProviderLockType::UserOnly, None).await?;
    }
    check_whole(editor.connection, &id).await?;
    changes::touched(editor.connection, &id).await?;
    Ok(id)
}

/// Changes an access control.
pub(super) async fn update(
    editor: &mut Editor<'_>,
    id: &str,
    input: &AccessProviderInput,
    override_locks: bool,
) -> Result<(), Refusal> {
    let current = changeable(editor.connection, id).await?;
    if input.name.as_ref().is_some_and(|name| name.trim().is_empty()) {
        return invalid("name is empty");
    }
    let stays_external = current.external && input.external == Some(true);
    if stays_external
        && (input.who_items.is_some() || input.what_data_objects.is_some() || input.name.is_some())
    {
        return invalid(
            "external: its name, who-list and what-list are managed in the data source; leave external out to manage it here",
        );
    }
    if input.name.as_ref().is_some_and(|name| *name != current.name)
        || input.naming_hint.as_ref().is_some_and(|hint| *hint != current.naming_hint)
    {
        check_lock(editor.connection, id, "NameLock", "name", override_locks).await?;
    }
    if let Some(items) = &input.who_items {
        let [who, inheritance] = members::differences(editor.connection, id, items).await?;
        if who {
            check_lock(editor.connection, id, "WhoLock", "whoItems", override_locks).await?;
        }
        if inheritance {
            check_lock(editor.connection, id, "InheritanceLock", "whoItems", override_locks).await?;
        }
    }
    if input.who_abac_rule.is_some() {
        check_lock(editor.connection, id, "WhoLock", "whoAbacRule", override_locks).await?;
    }
    for (field, given) in [
        ("whatDataObjects", input.what_data_objects.is_some()),
        ("whatAbacRule", input.what_abac_rule.is_some()),
        ("policyRule", input.policy_rule.is_some()),
        ("filterCriteria", input.filter_criteria.is_some()),
    ] {
        if given {
            check_lock(editor.connection, id, "WhatLock", field, override_locks).await?;
        }
    }
    if current.external && !stays_external {
        internalise(editor.connection, id).await?;
    }
    if let Some(category) = &input.category {
        Category::load(editor.connection, category).await?;
    }
    changes::touched(editor.connection, id).await?;
    sqlx::query(
        "UPDATE access_providers SET name = COALESCE($2, name), naming_hint = COALESCE($3, naming_hint), \
         description = COALESCE($4, description), action = COALESCE($5, action), source = COALESCE($6, source), \
         external = $7, category_id = COALESCE($8, category_id) WHERE id = $1",
    )
    .bind(id)
    .bind(input.name.clone())
    .bind(input.naming_hint.clone())
    .bind(input.description.clone())
    .bind(input.action.map(AccessProviderAction::word))
    .bind(input.source.clone())
    .bind(i64::from(input.external.unwrap_or_default()))
    .bind(input.category.as_ref().map(|id| id.to_string()))
    .execute(&mut *editor.connection)
    .await?;
    write_parts(editor, id, input).await?;
    check_whole(editor.connection, id).await?;
    touch(editor.connection, id).await
}

/// Deletes an access control.
pub(super) async fn delete(editor: &mut Editor<'_>, id: &str, override_locks: bool) -> Result<(), Refusal> {
    let connection = &mut *editor.connection;
    if changeable(connection, id).await?.external {
        return invalid("id: it is managed in the data source and can only be deleted there");
    }
    check_lock(connection, id, "DeleteLock", "id", override_locks).await?;
    touch(connection, id).await?;
    // Those whose who-list it was in change as well.
    for other in members::holders(connection, id).await? {
        touch(connection, &other).await?;
    }
    sqlx::query("UPDATE access_providers SET state = 'Deleted' WHERE id = $1")
        .bind(id)
        .execute(&mut *connection)
        .await?;
    // What was never handed out is nowhere to be removed from.
    for statement in [
        "DELETE FROM access_provider_sync WHERE access_provider_id = $1 AND exported IS NULL \
         AND actual_name IS NULL AND external_id IS NULL",
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

/// Puts an access control into force, or out of it.
pub(super) async fn set_state(editor: &mut Editor<'_>, id: &str, active: bool) -> Result<(), Refusal> {
    let current = changeable(editor.connection, id).await?;
    let wanted = if active { "Active" } else { "Inactive" };
    if current.state == wanted {
        return Ok(());
    }
    if current.external {
        internalise(editor.connection, id).await?;
    }
    sqlx::query("UPDATE access_providers SET state = $2, external = 0 WHERE id = $1")
        .bind(id)
        .bind(wanted)
        .execute(&mut *editor.connection)
        .await?;
    touch(editor.connection, id).await
}

/// Adds to a who-list.
pub(super) async fn add_who(
    editor: &mut Editor<'_>,
    id: &str,
    items: &[WhoItemInput],
) -> Result<(), Refusal> {
    let rows = members::rows(items, "toAdd")?;
    edit_who(editor, id, rows.iter().map(|row| row.kind)).await?;
    members::add(editor, id, &rows, "toAdd").await?;
    check_whole(editor.connection, id).await?;
    touch(editor.connection, id).await
}

/// Removes from a who-list.
pub(super) async fn remove_who(editor: &mut Editor<'_>, id: &str, items: &[String]) -> Result<(), Refusal> {
    let kinds = members::kinds(editor.connection, id, items).await?;
    edit_who(editor, id, kinds.iter().map(String::as_str)).await?;
    changes::touched(editor.connection, id).await?;
    members::remove(editor.connection, id, items).await?;
    touch(editor.connection, id).await
}

async fn edit_who(
    editor: &mut Editor<'_>,
    id: &str,
    kinds: impl Iterator<Item = &str>,
) -> Result<(), Refusal> {
    let current = changeable(editor.connection, id).await?;
    let (inheritance, who): (Vec<&str>, Vec<&str>) = kinds.partition(|kind| *kind == "accessProvider");
    for (lock, field, concerned) in
        [("WhoLock", "who", !who.is_empty()), ("InheritanceLock", "who", !inheritance.is_empty())]
    {
        if concerned {
            check_lock(editor.connection, id, lock, field, true).await?;
        }
    }
    if current.external {
        internalise(editor.connection, id).await?;
        sqlx::query("UPDATE access_providers SET external = 0 WHERE id = $1")
            .bind(id)
            .execute(&mut *editor.connection)
            .await?;
    }
    Ok(())
}

/// Puts an access control into the who-lists of others, and takes it out of those that are not listed.
async fn write_holders(
    editor: &mut Editor<'_>,
    id: &str,
    wanted: &[(String, Option<i64>)],
) -> Result<(), Refusal> {
    let before = members::holders(editor.connection, id).await?;
    for other in before.iter().filter(|other| !wanted.iter().any(|(wanted, _)| wanted == *other)) {
        edit_who(editor, other, std::iter::once("accessProvider")).await?;
        sqlx::query(
            "DELETE FROM access_provider_who WHERE access_provider_id = $1 AND kind = 'accessProvider' AND item = $2",
        )
        .bind(other)
        .bind(id)
        .execute(&mut *editor.connection)
        .await?;
        touch(editor.connection, other).await?;
    }
    for (index, (other, expires_at)) in wanted.iter().enumerate() {
        let known = sqlx::query("SELECT 1 FROM access_providers WHERE id = $1 AND state <> 'Deleted'")
            .bind(other)
            .fetch_optional(&mut *editor.connection)
            .await?;
        if known.is_none() {
            return invalid(format!(
                "whatAccessProviders[{index}].accessProvider: there is no access control `{other}`"
            ));
        }
        let row = members::Row::link(id, *expires_at);
        if !before.contains(other) {
            edit_who(editor, other, std::iter::once("accessProvider")).await?;
        }
        if members::add(editor, other, &[row], "whatAccessProviders").await? {
            touch(editor.connection, other).await?;
        }
    }
    Ok(())
}

/// Raises the version: the next export hands it out.
pub(super) async fn touch(connection: &mut Connection, id: &str) -> Result<(), Refusal> {
    sqlx::query("UPDATE access_providers SET version = version + 1, modified_at = $2 WHERE id = $1")
        .bind(id)
        .bind(now())
        .execute(&mut *connection)
        .await?;
    sqlx::query("UPDATE access_provider_sync SET sync_status = 'OUT_OF_SYNC' WHERE access_provider_id = $1")
        .bind(id)
        .execute(&mut *connection)
        .await?;
    changes::touched(connection, id).await?;
    Ok(())
}

/// What it is now; refused when it may not be changed here.
async fn changeable(connection: &mut Connection, id: &str) -> Result<Current, Refusal> {
    let row = sqlx::query(
        "SELECT name, naming_hint, external, state, not_internalizable FROM access_providers \
         WHERE id = $1 AND state <> 'Deleted'",
    )
    .bind(id)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Err(Refusal::NotFound(not_found(id))) };
    let current = Current {
        name: row.try_get(0)?,
        naming_hint: row.try_get(1)?,
        external: row.try_get::<i64, _>(2)? == 1,
        state: row.try_get(3)?,
    };
    if current.external && row.try_get::<i64, _>(4)? == 1 {
        return invalid(format!("id: `{}` is locked and stays managed in the data source", current.name));
    }
    Ok(current)
}

async fn check_lock(
    connection: &mut Connection,
    id: &str,
    lock: &str,
    field: &str,
    override_locks: bool,
) -> Result<(), Refusal> {
    let row = sqlx::query(
        "SELECT lock_type, reason FROM access_provider_locks WHERE access_provider_id = $1 AND lock_key = $2",
    )
    .bind(id)
    .bind(lock)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(()) };
    let full = row.try_get::<String, _>(0)? != "UserOnly";
    if !full && override_locks {
        return Ok(());
    }
    let reason =
        row.try_get::<Option<String>, _>(1)?.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let hint =
        if full { "only the data source can change it" } else { "it takes overrideLocks to change it" };
    invalid(format!("{field}: {lock}{reason}: {hint}"))
}

/// Makes an imported access control one that is managed here. What it is now is what the target has: what will
/// be taken out of it can be taken away there.
async fn internalise(connection: &mut Connection, id: &str) -> Result<(), Refusal> {
    for statement in [
        "INSERT INTO access_snapshot_who (data_source_id, access_provider_id, side, list, name) \
         SELECT y.data_source_id, w.access_provider_id, 'applied', CASE WHEN w.kind IN ('user', 'accountName') \
         THEN 'users' WHEN w.kind IN ('group', 'groupName') THEN 'groups' ELSE 'recipients' END, \
         COALESCE(w.source_name, w.item) FROM access_provider_who w JOIN access_provider_sync y \
         ON y.access_provider_id = w.access_provider_id WHERE w.access_provider_id = $1 \
         AND w.kind IN ('user', 'accountName', 'group', 'groupName', 'recipient') ON CONFLICT DO NOTHING",
        "INSERT INTO access_snapshot_who (data_source_id, access_provider_id, side, list, name) \
         SELECT y.data_source_id, w.access_provider_id, 'applied', 'inheritFrom', \
         CASE WHEN p.external = 1 THEN z.actual_name ELSE 'ID:' || p.id END \
         FROM access_provider_who w JOIN access_provider_sync y ON y.access_provider_id = w.access_provider_id \
         JOIN access_providers p ON p.id = w.item JOIN access_provider_sync z ON z.access_provider_id = p.id \
         AND z.data_source_id = y.data_source_id WHERE w.access_provider_id = $1 AND w.kind = 'accessProvider' \
         AND z.actual_name IS NOT NULL ON CONFLICT DO NOTHING",
    ] {
        sqlx::query(statement).bind(id).execute(&mut *connection).await?;
    }
    objects::remember_applied(connection, id).await?;
    sqlx::query("UPDATE access_provider_sync SET applied_at = $2 WHERE access_provider_id = $1")
        .bind(id)
        .bind(now())
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_parts(editor: &mut Editor<'_>, id: &str, input: &AccessProviderInput) -> Result<(), Refusal> {
    write_filter(editor.connection, id, input).await?;
    if let Some(sources) = &input.data_sources {
        objects::write_sources(editor.connection, id, sources).await?;
    }
    if let Some(object) = &input.common_what_data_object_id {
        objects::write_common_object(editor.connection, id, object).await?;
    }
    if let Some(items) = &input.what_data_objects {
        objects::write(editor, id, items).await?;
    }
    write_rules(editor.connection, id, input).await?;
    if let Some(items) = &input.who_items {
        let rows = members::rows(items, "whoItems")?;
        members::replace(editor, id, &rows).await?;
    }
    if let Some(others) = &input.what_access_providers {
        let wanted: Vec<(String, Option<i64>)> = others
            .iter()
            .map(|other| (other.access_provider.to_string(), other.expires_at.map(|moment| moment.0)))
            .collect();
        // The recursion through `touch` ends: the others' own lists are not written.
        Box::pin(write_holders(editor, id, &wanted)).await?;
    }
    if let Some(locks) = &input.locks {
        sqlx::query("DELETE FROM access_provider_locks WHERE access_provider_id = $1 AND imported = 0")
            .bind(id)
            .execute(&mut *editor.connection)
            .await?;
        for lock in locks {
            let details = lock.details.as_ref();
            let kind =
                details.and_then(|details| details.lock_type).unwrap_or(AccessProviderLockType::UserOnly);
            let reason = details.and_then(|details| details.reason.as_deref());
            put_lock(editor.connection, id, lock.lock_key.word(), kind, reason).await?;
        }
    }
    Ok(())
}

/// A lock that the data source asked for stays as it is.
async fn put_lock(
    connection: &mut Connection,
    id: &str,
    lock: &str,
    kind: AccessProviderLockType,
    reason: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO access_provider_locks (access_provider_id, lock_key, lock_type, reason, imported) \
         VALUES ($1, $2, $3, $4, 0) ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(lock)
    .bind(kind.word())
    .bind(reason.map(str::to_owned))
    .execute(connection)
    .await?;
    Ok(())
}

/// A filter has a text or criteria: giving one takes the other away.
async fn write_filter(
    connection: &mut Connection,
    id: &str,
    input: &AccessProviderInput,
) -> Result<(), Refusal> {
    let rule = input.policy_rule.as_deref().filter(|rule| !rule.is_empty());
    if rule.is_some() && input.filter_criteria.is_some() {
        return invalid("policyRule: give either policyRule or filterCriteria");
    }
    if input.policy_rule.is_some() {
        sqlx::query("UPDATE access_providers SET policy_rule = $2 WHERE id = $1")
            .bind(id)
            .bind(rule.map(str::to_owned))
            .execute(&mut *connection)
            .await?;
        if rule.is_some() {
            sqlx::query("UPDATE access_providers SET filter_criteria = NULL WHERE id = $1")
                .bind(id)
                .execute(&mut *connection)
                .await?;
        }
    }
    if let Some(criteria) = &input.filter_criteria {
        let criteria =
            criteria.to_file().map_err(|why| Refusal::Invalid(format!("filterCriteria: {why}")))?;
        sqlx::query("UPDATE access_providers SET filter_criteria = $2, policy_rule = NULL WHERE id = $1")
            .bind(id)
            .bind(criteria.to_string())
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// A rule makes a list dynamic, and a static list has none.
async fn write_rules(
    connection: &mut Connection,
    id: &str,
    input: &AccessProviderInput,
) -> Result<(), Refusal> {
    let who = input
        .who_abac_rule
        .as_ref()
        .map(WhoAbacRuleInput::to_stored)
        .transpose()
        .map_err(Refusal::Invalid)?;
    let what = input
        .what_abac_rule
        .as_ref()
        .map(WhatAbacRuleInput::to_stored)
        .transpose()
        .map_err(Refusal::Invalid)?;
    if let Some(rule) = &what {
        objects::check_scope(connection, id, &rule.scope).await?;
    }
    for (field, type_column, rule_column, kind, rule) in [
        ("who", "who_type", "who_rule", input.who_type, who.map(|rule| to_json(&rule))),
        ("what", "what_type", "what_rule", input.what_type, what.map(|rule| to_json(&rule))),
    ] {
        let kind = match (kind, rule.is_some()) {
            (None, false) => continue,
            (None, true) => WhoAndWhatType::Dynamic,
            (Some(kind), true) if kind != WhoAndWhatType::Dynamic => {
                return invalid(format!("{field}AbacRule goes with {field}Type Dynamic only"));
            }
            (Some(kind), _) => kind,
        };
        // A rule that is not given again stays as long as the list is dynamic.
        let statement = format!(
            "UPDATE access_providers SET {type_column} = $2, \
             {rule_column} = CASE WHEN $3 = 'Dynamic' THEN COALESCE($4, {rule_column}) END WHERE id = $1"
        );
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(id)
            .bind(kind.word())
            .bind(kind.word())
            .bind(rule)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// The rules about an access control as a whole.
async fn check_whole(connection: &mut Connection, id: &str) -> Result<(), Refusal> {
    let row = sqlx::query(
        "SELECT p.name, p.naming_hint, p.description, p.action, p.category_id, p.who_type, p.what_type, p.who_rule, \
         p.what_rule, (SELECT COUNT(*) FROM access_provider_sync y WHERE y.access_provider_id = p.id AND y.leaving = 0), \
         (SELECT COUNT(*) FROM access_provider_what t WHERE t.access_provider_id = p.id), \
         (SELECT COUNT(*) FROM access_provider_what t WHERE t.access_provider_id = p.id \
         AND (t.permissions <> '[]' OR t.global_permissions <> '[]')) FROM access_providers p WHERE p.id = $1",
    )
    .bind(id)
    .fetch_one(&mut *connection)
    .await?;
    let text = |index: usize| row.try_get::<String, _>(index);
    let count = |index: usize| row.try_get::<i64, _>(index);
    let action = text(3)?;
    if text(5)? == "Dynamic" && row.try_get::<Option<String>, _>(7)?.is_none() {
        return invalid("whoAbacRule is missing: whoType is Dynamic");
    }
    if text(6)? == "Dynamic" && row.try_get::<Option<String>, _>(8)?.is_none() {
        return invalid("whatAbacRule is missing: whatType is Dynamic");
    }
    if action == "Mask" || action == "Filtered" {
        let sources = count(9)?;
        if sources != 1 {
            return invalid(format!(
                "dataSources: a mask or filter is in exactly one data source, not in {sources}"
            ));
        }
        if count(11)? > 0 {
            return invalid("whatDataObjects: masks and filters have no permissions");
        }
    }
    if action == "Filtered" {
        if text(6)? == "Dynamic" {
            return invalid("whatType: the objects of a filter cannot be Dynamic");
        }
        if count(10)? > 1 {
            return invalid("whatDataObjects: a filter is on one table");
        }
    }
    objects::check_kinds(connection, id, &action).await?;
    if action == "Grant" || action == "Purpose" {
        let category = Category::load(connection, &text(4)?).await?;
        category.check(connection, id, &text(0)?, &text(1)?, &text(2)?, count(9)?, count(10)?).await?;
    }
    Ok(())
}

/// The metadata of a data source, if it is known.
pub(super) async fn metadata(
    connection: &mut Connection,
    data_source: &str,
) -> Result<Option<Metadata>, Refusal> {
    let row = sqlx::query("SELECT metadata FROM data_sources WHERE id = $1")
        .bind(data_source)
        .fetch_optional(connection)
        .await?;
    let text = row.map(|row| row.try_get::<Option<String>, _>(0)).transpose()?.flatten();
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}
