//! Reads a page of access providers with everything that belongs to them, and resolves it for the target.

use std::collections::{BTreeSet, HashMap, HashSet};

use sqlx::Row;
use sqlx::any::AnyRow;

use super::document::{Document, Entry, Granted, Snapshot, WhoLists};
use super::what::{Side, Unpacked};
use crate::ids::now;
use crate::import::WorkError;
use crate::jobs::to_json;
use crate::metadata::Metadata;
use crate::records::DataObjectReference;
use crate::store::Store;

const PAGE: i64 = 200;

/// Deleted ones that never reached the target need no mention.
const WANTED: &str = "y.data_source_id = $1 AND p.external = 0 \
    AND (p.state = 'Active' OR y.actual_name IS NOT NULL OR y.external_id IS NOT NULL OR y.exported IS NOT NULL)";

/// A data source whose access file is written.
pub(super) struct Source<'s> {
    pub(super) store: &'s Store,
    pub(super) id: &'s str,
    pub(super) metadata: Option<Metadata>,
}

impl Source<'_> {
    /// The ids of everything that a complete file contains.
    pub(super) async fn ids(&self) -> Result<Vec<String>, sqlx::Error> {
        let statement = format!(
            "SELECT p.id FROM access_provider_sync y JOIN access_providers p ON p.id = y.access_provider_id WHERE {WANTED}"
        );
        let rows =
            sqlx::query(sqlx::AssertSqlSafe(statement)).bind(self.id).fetch_all(self.store.pool()).await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }

    /// The next access providers after an id. `included` are those in the file; all are when it is not known yet.
    pub(super) async fn page(
        &self,
        after: &str,
        included: Option<&HashSet<String>>,
    ) -> Result<Vec<Entry>, WorkError> {
        let statement = format!(
            "SELECT p.id, p.name, p.description, p.naming_hint, y.type, y.external_id, p.action, p.state, p.policy_rule, \
             p.filter_criteria, y.actual_name, p.common_what_data_object, p.version, y.synced_version, y.applied \
             FROM access_provider_sync y JOIN access_providers p ON p.id = y.access_provider_id \
             WHERE {WANTED} AND p.id > $2 ORDER BY p.id LIMIT $3"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(self.id)
            .bind(after)
            .bind(PAGE)
            .fetch_all(self.store.pool())
            .await?;
        let mut entries = rows.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(entries) };
        let range = [first.document.id.clone(), last.document.id.clone()];
        let mut who = self.who(&range).await?;
        let mut what = self.what(&range).await?;
        let mut locks = self.locks(&range).await?;
        for entry in &mut entries {
            let id = entry.document.id.clone();
            for lock in locks.remove(&id).unwrap_or_default() {
                match lock.as_str() {
                    "WhoLock" => entry.document.who_locked = Some(true),
                    "InheritanceLock" => entry.document.inheritance_locked = Some(true),
                    "WhatLock" => entry.document.what_locked = Some(true),
                    "DeleteLock" => entry.document.delete_locked = Some(true),
                    _ => {}
                }
            }
            for (kind, item) in who.remove(&id).unwrap_or_default() {
                self.resolve(entry, &kind, item, included).await?;
            }
            entry.granted = what.remove(&id).unwrap_or_default();
            if !entry.document.delete {
                entry.fill_removed();
            }
        }
        Ok(entries)
    }

    /// Remembers what the file says, for the feedback.
    pub(super) async fn note_exported(&self, entries: &[(Entry, i64)]) -> Result<(), sqlx::Error> {
        let mut transaction = self.store.begin().await?;
        for (entry, what_hash) in entries {
            sqlx::query(
                "UPDATE access_provider_sync SET exported_version = $1, exported = $2 \
                 WHERE access_provider_id = $3 AND data_source_id = $4",
            )
            .bind(entry.version)
            .bind(to_json(&entry.snapshot(*what_hash)))
            .bind(&entry.document.id)
            .bind(self.id)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await
    }

    async fn who(&self, range: &[String; 2]) -> Result<HashMap<String, Vec<(String, String)>>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT access_provider_id, kind, item FROM access_provider_who WHERE access_provider_id BETWEEN $1 AND $2 \
             AND type = 'WhoGrant' AND (expires_at IS NULL OR expires_at > $3)",
        )
        .bind(&range[0])
        .bind(&range[1])
        .bind(now())
        .fetch_all(self.store.pool())
        .await?;
        let mut lists: HashMap<String, Vec<(String, String)>> = HashMap::new();
        for row in rows {
            lists.entry(row.try_get(0)?).or_default().push((row.try_get(1)?, row.try_get(2)?));
        }
        Ok(lists)
    }

    async fn what(&self, range: &[String; 2]) -> Result<HashMap<String, Vec<Granted>>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT access_provider_id, full_name, type, permissions, global_permissions FROM access_provider_what \
             WHERE access_provider_id BETWEEN $1 AND $2 AND data_source_id = $3 ORDER BY access_provider_id, position",
        )
        .bind(&range[0])
        .bind(&range[1])
        .bind(self.id)
        .fetch_all(self.store.pool())
        .await?;
        let mut lists: HashMap<String, Vec<Granted>> = HashMap::new();
        for row in rows {
            let words = |index: usize| -> Result<Vec<String>, sqlx::Error> {
                Ok(serde_json::from_str(row.try_get(index)?).unwrap_or_default())
            };
            lists.entry(row.try_get(0)?).or_default().push(Granted {
                data_object: DataObjectReference { full_name: row.try_get(1)?, object_type: row.try_get(2)? },
                permissions: words(3)?,
                global_permissions: words(4)?,
            });
        }
        Ok(lists)
    }

    async fn locks(&self, range: &[String; 2]) -> Result<HashMap<String, Vec<String>>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT access_provider_id, lock_key FROM access_provider_locks \
             WHERE access_provider_id BETWEEN $1 AND $2 AND lock_type = 'ImportExport'",
        )
        .bind(&range[0])
        .bind(&range[1])
        .fetch_all(self.store.pool())
        .await?;
        let mut lists: HashMap<String, Vec<String>> = HashMap::new();
        for row in rows {
            lists.entry(row.try_get(0)?).or_default().push(row.try_get(1)?);
        }
        Ok(lists)
    }

    /// Unpacks what an access provider is for, and what it was for when it was applied; returns the hash of
    /// the former.
    pub(super) async fn unpack(
        &self,
        entry: &mut Entry,
        what: &mut Unpacked<'_>,
    ) -> Result<i64, sqlx::Error> {
        what.clear().await?;
        for granted in what.unpack(Side::Wanted, &entry.granted).await? {
            entry.warnings.push(format!(
                "{}: {} stands for no permission on {} of type {}, nor below it",
                entry.document.name,
                granted.global_permissions.join(", "),
                granted.data_object.full_name,
                granted.data_object.object_type
            ));
        }
        if let Some(applied) = entry.applied.as_ref().filter(|_| !entry.document.delete) {
            what.unpack(Side::Applied, &applied.what).await?;
        }
        what.hash().await
    }

    /// Writes one who-item into the lists; what only leads to members is followed.
    async fn resolve(
        &self,
        entry: &mut Entry,
        kind: &str,
        item: String,
        included: Option<&HashSet<String>>,
    ) -> Result<(), WorkError> {
        let inherits = self.metadata.as_ref().is_none_or(|metadata| metadata.supports_ap_inheritance);
        let groups = self.metadata.as_ref().is_none_or(Metadata::knows_groups);
        let mut open = vec![(kind.to_owned(), item)];
        let mut seen = HashSet::new();
        while let Some((kind, item)) = open.pop() {
            if !seen.insert((kind.clone(), item.clone())) {
                continue;
            }
            let lists = &mut entry.document.who;
            match kind.as_str() {
                "user" => lists.users.extend(self.account_names(&item).await?),
                "accountName" => {
                    lists.users.insert(item);
                }
                "recipient" => {
                    lists.recipients.insert(item);
                }
                "groupName" => {
                    lists.groups.insert(item);
                }
                "group" if groups => lists.groups.extend(self.group_name(&item).await?),
                "group" => lists.users.extend(self.group_member_names(&item).await?),
                "accessProvider" => match self.reference(&item, included).await? {
                    Some(reference) if inherits => {
                        lists.inherit_from.insert(reference.in_file);
                        entry.inherits.insert(reference.stable);
                    }
                    _ => open.extend(self.members(&item).await?),
                },
                _ => entry.warnings.push(format!("{}: {item} is unknown and left out", entry.document.name)),
            }
        }
        Ok(())
    }

    /// How the file names another access provider; None when the target does not have it.
    async fn reference(
        &self,
        id: &str,
        included: Option<&HashSet<String>>,
    ) -> Result<Option<Reference>, sqlx::Error> {
        let row = sqlx::query(
            "SELECT y.actual_name, p.external, p.state FROM access_provider_sync y \
             JOIN access_providers p ON p.id = y.access_provider_id \
             WHERE y.data_source_id = $1 AND y.access_provider_id = $2",
        )
        .bind(self.id)
        .bind(id)
        .fetch_optional(self.store.pool())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let actual_name = row.try_get::<Option<String>, _>(0)?.filter(|name| !name.is_empty());
        let managed_here = row.try_get::<i64, _>(1)? == 0;
        if row.try_get::<String, _>(2)? != "Active" {
            return Ok(None);
        }
        if !managed_here {
            return Ok(actual_name.map(|name| Reference { in_file: name.clone(), stable: name }));
        }
        let stable = format!("ID:{id}");
        let in_file = actual_name
            .filter(|_| included.is_some_and(|included| !included.contains(id)))
            .unwrap_or_else(|| stable.clone());
        Ok(Some(Reference { in_file, stable }))
    }

    async fn members(&self, access_provider: &str) -> Result<Vec<(String, String)>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT w.kind, w.item FROM access_provider_who w JOIN access_providers p ON p.id = w.access_provider_id \
             WHERE w.access_provider_id = $1 AND p.state = 'Active' AND w.type = 'WhoGrant' \
             AND (w.expires_at IS NULL OR w.expires_at > $2)",
        )
        .bind(access_provider)
        .bind(now())
        .fetch_all(self.store.pool())
        .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    async fn account_names(&self, user: &str) -> Result<Vec<String>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT a.user_name FROM accounts a JOIN data_source_identity_stores l \
             ON l.identity_store_id = a.identity_store_id WHERE l.data_source_id = $1 AND a.user_id = $2",
        )
        .bind(self.id)
        .bind(user)
        .fetch_all(self.store.pool())
        .await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }

    async fn group_name(&self, group: &str) -> Result<Option<String>, sqlx::Error> {
        sqlx::query("SELECT name FROM groups WHERE id = $1 AND deleted = 0")
            .bind(group)
            .fetch_optional(self.store.pool())
            .await?
            .map(|row| row.try_get(0))
            .transpose()
    }

    /// The accounts in a group and in the groups within it.
    async fn group_member_names(&self, group: &str) -> Result<Vec<String>, sqlx::Error> {
        let rows = sqlx::query(
            "WITH RECURSIVE inner_groups (identity_store_id, external_id) AS (\
             SELECT identity_store_id, external_id FROM groups WHERE id = $1 AND deleted = 0 \
             UNION SELECT m.identity_store_id, m.member_external_id FROM group_members m JOIN inner_groups g \
             ON g.identity_store_id = m.identity_store_id AND g.external_id = m.group_external_id \
             WHERE m.member_kind = 'group') \
             SELECT DISTINCT a.user_name FROM inner_groups g JOIN group_members m \
             ON m.identity_store_id = g.identity_store_id AND m.group_external_id = g.external_id \
             AND m.member_kind = 'account' JOIN accounts a \
             ON a.identity_store_id = m.identity_store_id AND a.external_id = m.member_external_id",
        )
        .bind(group)
        .fetch_all(self.store.pool())
        .await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }
}

/// How another access provider is referred to.
struct Reference {
    in_file: String,
    /// The same in every file.
    stable: String,
}

fn entry(row: &AnyRow) -> Result<Entry, sqlx::Error> {
    let json = |index: usize| -> Result<Option<String>, sqlx::Error> { row.try_get(index) };
    Ok(Entry {
        document: Document {
            id: row.try_get(0)?,
            name: row.try_get(1)?,
            description: row.try_get(2)?,
            naming_hint: row.try_get(3)?,
            kind: row.try_get(4)?,
            external_id: row.try_get(5)?,
            action: row.try_get::<String, _>(6)?.to_lowercase(),
            who: WhoLists::default(),
            deleted_who: None,
            delete: row.try_get::<String, _>(7)? != "Active",
            who_locked: None,
            inheritance_locked: None,
            what_locked: None,
            delete_locked: None,
            policy_rule: row.try_get(8)?,
            filter_criteria: json(9)?.and_then(|text| serde_json::from_str(&text).ok()),
            actual_name: row.try_get(10)?,
            common_data_object: row.try_get(11)?,
        },
        inherits: BTreeSet::new(),
        granted: Vec::new(),
        version: row.try_get(12)?,
        synced_version: row.try_get(13)?,
        applied: json(14)?.and_then(|text| serde_json::from_str::<Snapshot>(&text).ok()),
        warnings: Vec::new(),
    })
}
