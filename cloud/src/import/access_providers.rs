//! The import of access providers that were found in the target.
//!
//! They are matched by their external id within the data source, and else by the name in the target with the
//! action and type: a target that made one anew has another id for it. One that is managed here, under the same
//! external id or under the name and type that a feedback reported, is left alone and not counted: it comes
//! back to us from the target. Only its parts that the data source locks are imported (see [`managed`]).
//! Names in who-lists become users, groups and access providers where those are known, and are kept as names where
//! they are not, to be looked up again later.

mod apply;
mod managed;

use super::owners::{self, Owned};
use super::staging::{ContentHash, Rows, Set, Tags, analyze, create, discard};
use super::{Examples, WorkError, require_data_source, uploaded};
use crate::files::Files;
use crate::jobs::lease::Lease;
use crate::jobs::outcome::Outcome;
use crate::jobs::to_json;
use crate::records::{AccessProvider, WhatItem, array};
use crate::store::bulk::Bulk;
use crate::store::{Connection, Store};

pub(super) const STAGE: &str = "stage_access";
pub(super) const TAGS: &str = "stage_access_tags";
pub(super) const WHO: &str = "stage_access_who";
pub(super) const WHAT: &str = "stage_access_what";
pub(super) const LOCKS: &str = "stage_access_locks";

/// Imports an uploaded file of access providers.
pub(crate) async fn run(
    store: &Store,
    files: &Files,
    lease: &Lease,
    data_source: &str,
    file: &str,
    delete_untouched: bool,
) -> Result<(), WorkError> {
    require_data_source(store, data_source).await?;
    let mut warnings = Vec::new();
    let mut connection = store.pool().acquire().await?;
    let mut staging = lease.begin_staging(&mut connection).await?;
    stage(store, files, file, &mut staging, &mut warnings).await?;
    staging.commit().await?;
    let mut transaction = lease.begin_merge(&mut connection).await?;
    owners::note(&mut transaction, Owned::AccessProviders, data_source).await?;
    let access = apply::apply(&mut transaction, data_source, delete_untouched, &mut warnings).await?;
    owners::settle(&mut transaction, Owned::AccessProviders, data_source).await?;
    lease.complete(transaction, &Outcome::AccessProviders { access, warnings }).await?;
    discard(&mut connection, &[STAGE, TAGS, WHO, WHAT, LOCKS]).await;
    Ok(())
}

async fn stage(
    store: &Store,
    files: &Files,
    file: &str,
    connection: &mut Connection,
    warnings: &mut Vec<String>,
) -> Result<(), WorkError> {
    let mut elements = array::read::<AccessProvider>(uploaded(store, files, file).await?);
    let dialect = store.dialect();
    let columns = [
        ("name", "TEXT NOT NULL"),
        ("naming_hint", "TEXT NOT NULL"),
        ("type", "TEXT"),
        ("action", "TEXT NOT NULL"),
        ("policy_rule", "TEXT"),
        ("actual_name", "TEXT NOT NULL"),
        ("who_known", "BIGINT NOT NULL"),
        ("not_internalizable", "BIGINT NOT NULL"),
        ("complete", "BIGINT NOT NULL"),
        ("common_what_data_object", "TEXT"),
    ];
    let mut rows = Rows::create(connection, dialect, STAGE, &columns).await?;
    let mut tags = Tags::create(connection, dialect, TAGS).await?;
    let mut who = Set::create(connection, dialect, WHO, &["external_id", "kind", "item"]).await?;
    create(
        connection,
        WHAT,
        "external_id TEXT NOT NULL, position BIGINT NOT NULL, row_key TEXT NOT NULL, full_name TEXT NOT NULL, \
         type TEXT NOT NULL, permissions TEXT NOT NULL, PRIMARY KEY (external_id, position)",
    )
    .await?;
    let what_columns = ["external_id", "position", "row_key", "full_name", "type", "permissions"];
    let mut what = Bulk::new(dialect, WHAT, &what_columns, "ON CONFLICT DO NOTHING");
    create(
        connection,
        LOCKS,
        "external_id TEXT NOT NULL, lock_key TEXT NOT NULL, reason TEXT, PRIMARY KEY (external_id, lock_key)",
    )
    .await?;
    let mut locks =
        Bulk::new(dialect, LOCKS, &["external_id", "lock_key", "reason"], "ON CONFLICT DO NOTHING");
    let mut strange_actions = Examples::default();
    while let Some(batch) = elements.recv().await {
        for mut provider in batch.map_err(|source| WorkError::File { what: "access provider", source })? {
            let provider_tags = provider.take_tags();
            let mut what_items = provider.take_what();
            what_items.retain(|item| item.data_object.is_some());
            what_items.sort_by(|a, b| a.data_object.cmp(&b.data_object));
            for item in &mut what_items {
                item.permissions.sort_unstable();
            }
            let action = action(&provider.action).unwrap_or_else(|| {
                strange_actions.add(&provider.action);
                "Grant"
            });
            let hash = content_hash(&mut provider, action, &what_items);
            let Some(row) = rows.begin(&provider.external_id, hash)? else { continue };
            let id = provider.external_id.clone();
            let provider_locks = locks_of(&provider);
            row.value(provider.name)?
                .value(provider.naming_hint)?
                .value(provider.access_type)?
                .value(action)?
                .value(Some(provider.policy).filter(|policy| !policy.is_empty()))?
                .value(provider.actual_name)?
                .value(i64::from(provider.who.is_some()))?
                .value(i64::from(provider.not_internalizable))?
                .value(i64::from(!provider.incomplete))?
                .value(provider.common_what_data_object)?;
            rows.end(connection).await?;
            tags.add(connection, &id, &provider_tags).await?;
            let lists = provider.who.unwrap_or_default();
            for (kind, items) in [
                ("accountName", &lists.users),
                ("groupName", &lists.groups),
                ("externalId", &lists.access_providers),
                ("recipient", &lists.recipients),
            ] {
                for item in items {
                    who.add(connection, &[&id, kind, item]).await?;
                }
            }
            for (position, item) in (0_i64..).zip(what_items) {
                let object = item.data_object.unwrap_or_default();
                what.value(id.as_str())?
                    .value(position)?
                    .value(format!("{position:010}"))?
                    .value(object.full_name)?
                    .value(object.object_type)?
                    .value(to_json(&item.permissions))?;
                what.end_row(connection).await?;
            }
            for (key, reason) in provider_locks {
                locks.value(id.as_str())?.value(key)?.value(reason)?;
                locks.end_row(connection).await?;
            }
        }
    }
    rows.finish(connection, "access providers", warnings).await?;
    tags.finish(connection, &[]).await?;
    who.finish(connection).await?;
    what.flush(connection).await?;
    locks.flush(connection).await?;
    for table in [WHAT, LOCKS] {
        analyze(connection, table).await?;
    }
    strange_actions.warn(warnings, "access providers have an unknown action and are taken as grants");
    Ok(())
}

/// The action as the API spells it.
fn action(word: &str) -> Option<&'static str> {
    let known = ["Promise", "Grant", "Deny", "Mask", "Filtered", "Purpose", "Share"];
    known.into_iter().find(|action| action.eq_ignore_ascii_case(word))
}

fn locks_of(provider: &AccessProvider) -> Vec<(&'static str, Option<String>)> {
    [
        ("WhoLock", provider.who_locked, &provider.who_locked_reason),
        ("InheritanceLock", provider.inheritance_locked, &provider.inheritance_locked_reason),
        ("WhatLock", provider.what_locked, &provider.what_locked_reason),
        ("NameLock", provider.name_locked, &provider.name_locked_reason),
        ("DeleteLock", provider.delete_locked, &provider.delete_locked_reason),
        ("OwnerLock", provider.owners_locked, &provider.owners_locked_reason),
    ]
    .into_iter()
    .filter(|(_, locked, _)| *locked)
    .map(|(key, _, reason)| (key, reason.clone()))
    .collect()
}

/// Lists are sorted first: their order means nothing.
fn content_hash(provider: &mut AccessProvider, action: &str, what: &[WhatItem]) -> i64 {
    let mut hash = ContentHash::default()
        .text(&provider.name)
        .text(&provider.naming_hint)
        .optional(provider.access_type.as_deref())
        .text(action)
        .text(&provider.policy)
        .text(&provider.actual_name)
        .text(if provider.not_internalizable { "locked" } else { "" })
        .text(if provider.incomplete { "incomplete" } else { "" })
        .optional(provider.common_what_data_object.as_deref());
    for (key, reason) in locks_of(provider) {
        hash = hash.text(key).optional(reason.as_deref());
    }
    match &mut provider.who {
        None => hash = hash.text("unknown"),
        Some(who) => {
            for list in [&mut who.users, &mut who.groups, &mut who.access_providers, &mut who.recipients] {
                list.sort_unstable();
                list.dedup();
                hash = hash.text(&list.len().to_string());
                for item in list.iter() {
                    hash = hash.text(item);
                }
            }
        }
    }
    for item in what {
        let object = item.data_object.as_ref();
        hash = hash
            .optional(object.map(|object| object.full_name.as_str()))
            .optional(object.map(|object| object.object_type.as_str()))
            .text(&item.permissions.len().to_string());
        for permission in &item.permissions {
            hash = hash.text(permission);
        }
    }
    hash.finish()
}
