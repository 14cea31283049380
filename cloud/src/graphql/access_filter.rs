//! Which access controls are listed, and in what order.

use async_graphql::{ID, InputObject};

use super::access::ACCESS_PROVIDER;
use super::access_enums::{AccessProviderAction, AccessProviderState};
use super::identities::texts;
use super::paging::Sort;
use super::tags::TagFilter;
use crate::auth::{self, Permission, Principal};
use crate::store::sql::Sql;

/// Conditions that all have to hold.
#[derive(InputObject, Default)]
pub(super) struct AccessProviderFilterInput {
    actions: Option<Vec<AccessProviderAction>>,
    states: Option<Vec<AccessProviderState>>,
    categories: Option<Vec<ID>>,
    external: Option<bool>,
    search: Option<String>,
    data_source: Option<ID>,
    /// Whether the caller may change users and groups.
    can_edit_who: Option<bool>,
    /// Whether the caller may change links to other access controls.
    can_edit_inheritance: Option<bool>,
    /// Whether the caller may change data objects.
    can_edit_what: Option<bool>,
    /// Those that can be members of the one described.
    can_link_from: Option<CanLinkFilter>,
    /// Those that the one described can be a member of.
    can_link_to: Option<CanLinkFilter>,
    exclude: Option<Vec<ID>>,
    source: Option<String>,
    owners: Option<Vec<ID>>,
    has_tags: Option<Vec<TagFilter>>,
    /// Those for this data object itself.
    data_object_in_what: Option<ID>,
}

/// An access control that may not exist yet.
#[derive(InputObject)]
struct CanLinkFilter {
    action: AccessProviderAction,
    category: Option<ID>,
    data_sources: Option<Vec<Option<DataSourceTypeInfo>>>,
    access_provider_id: Option<ID>,
    who_access_providers: Option<Vec<ID>>,
    what_access_providers: Option<Vec<ID>>,
}

#[derive(InputObject)]
struct DataSourceTypeInfo {
    data_source: ID,
    access_provider_type: Option<String>,
}

/// The first member counts.
#[derive(InputObject)]
pub(super) struct AccessProviderOrderByInput {
    name: Option<Sort>,
    created_at: Option<Sort>,
    modified_at: Option<Sort>,
    action: Option<Sort>,
    state: Option<Sort>,
    sync: Option<Sort>,
}

/// The worst state over the data sources: what needs attention sorts first.
const SYNC: &str = "COALESCE((SELECT MIN(CASE y.sync_status WHEN 'FAILED' THEN '1' WHEN 'OUT_OF_SYNC' THEN '2' \
    WHEN 'OUT_OF_DATE' THEN '3' WHEN 'IN_PROGRESS' THEN '4' WHEN 'NOT_CONNECTED' THEN '5' ELSE '6' END) \
    FROM access_provider_sync y WHERE y.access_provider_id = o.id), '7')";

impl AccessProviderOrderByInput {
    /// The order column and its direction. Moments have thirteen digits for three centuries, so their text sorts
    /// as they do.
    pub(super) fn column(&self) -> Option<(&'static str, Sort)> {
        [
            ("o.name", self.name),
            ("CAST(o.created_at AS TEXT)", self.created_at),
            ("CAST(o.modified_at AS TEXT)", self.modified_at),
            ("o.action", self.action),
            ("o.state", self.state),
            (SYNC, self.sync),
        ]
        .into_iter()
        .find_map(|(column, sort)| sort.map(|sort| (column, sort)))
    }
}

impl AccessProviderFilterInput {
    /// The list as a statement.
    pub(super) fn sql(&self, principal: &Principal) -> Result<Sql, sqlx::Error> {
        let mut sql = Sql::new(ACCESS_PROVIDER);
        match &self.states {
            Some(states) => {
                let words: Vec<String> = states.iter().map(|state| state.word().to_owned()).collect();
                sql.push("o.state IN ").bind_list(&words)?
            }
            None => sql.push("o.state <> 'Deleted'"),
        };
        push_actions(&mut sql, "o", self.actions.as_deref())?;
        if let Some(categories) = &self.categories {
            sql.push(" AND o.category_id IN ").bind_list(&texts(categories))?;
        }
        if let Some(external) = self.external {
            sql.push(" AND o.external = ").bind(i64::from(external))?;
        }
        if let Some(text) = self.search.as_ref().filter(|text| !text.is_empty()) {
            sql.push(" AND ").bind_contains("o.name", text)?;
        }
        if let Some(data_source) = &self.data_source {
            sql.push(
                " AND o.id IN (SELECT access_provider_id FROM access_provider_sync WHERE data_source_id = ",
            );
            sql.bind(data_source.as_str())?.push(")");
        }
        for (lock, wanted) in [
            ("WhoLock", self.can_edit_who),
            ("InheritanceLock", self.can_edit_inheritance),
            ("WhatLock", self.can_edit_what),
        ] {
            if let Some(wanted) = wanted {
                push_editable(&mut sql, principal, lock, wanted)?;
            }
        }
        if let Some(link) = &self.can_link_from {
            link.push(&mut sql, true)?;
        }
        if let Some(link) = &self.can_link_to {
            link.push(&mut sql, false)?;
        }
        if let Some(exclude) = self.exclude.as_ref().filter(|exclude| !exclude.is_empty()) {
            sql.push(" AND o.id NOT IN ").bind_list(&texts(exclude))?;
        }
        if let Some(source) = &self.source {
            sql.push(" AND o.source = ").bind(source.as_str())?;
        }
        push_owners(&mut sql, "o.id", self.owners.as_deref())?;
        push_tags(&mut sql, "o.id", self.has_tags.as_deref())?;
        if let Some(object) = &self.data_object_in_what {
            sql.push(
                " AND o.id IN (SELECT w.access_provider_id FROM data_objects d JOIN access_provider_what w \
                 ON w.data_source_id = d.data_source_id AND w.full_name = d.full_name AND w.type = d.type WHERE d.id = ",
            );
            sql.bind(object.as_str())?.push(")");
        }
        Ok(sql)
    }
}

/// Without a wish, everything but shares, which clients do not know.
pub(super) fn push_actions(
    sql: &mut Sql,
    alias: &str,
    actions: Option<&[AccessProviderAction]>,
) -> Result<(), sqlx::Error> {
    match actions {
        Some(actions) => {
            let words: Vec<String> = actions.iter().map(|action| action.word().to_owned()).collect();
            sql.push(" AND ").push(alias).push(".action IN ").bind_list(&words)?;
        }
        None => {
            sql.push(" AND ").push(alias).push(".action <> 'Share'");
        }
    }
    Ok(())
}

/// Those with all of the tags.
pub(super) fn push_tags(sql: &mut Sql, id: &str, tags: Option<&[TagFilter]>) -> Result<(), sqlx::Error> {
    for tag in tags.into_iter().flatten() {
        sql.push(" AND EXISTS (SELECT 1 FROM tags t WHERE t.object_id = ").push(id);
        for (column, value) in [("t.key", &tag.key), ("t.value", &tag.string_value)] {
            if let Some(value) = value {
                sql.push(" AND ").push(column).push(" = ").bind(value.as_str())?;
            }
        }
        sql.push(")");
    }
    Ok(())
}

/// Those that one of the users or groups owns.
pub(super) fn push_owners(sql: &mut Sql, id: &str, owners: Option<&[ID]>) -> Result<(), sqlx::Error> {
    if let Some(owners) = owners {
        sql.push(" AND ").push(id).push(
            " IN (SELECT resource_id FROM role_assignments WHERE role = 'OwnerRole' AND assignee_id IN ",
        );
        sql.bind_list(&texts(owners))?.push(")");
    }
    Ok(())
}

/// Those whose part the caller may change, or may not.
fn push_editable(sql: &mut Sql, principal: &Principal, lock: &str, wanted: bool) -> Result<(), sqlx::Error> {
    let manages = auth::authorize(principal, Permission::ManageAccessControls).is_ok();
    sql.push(if wanted { " AND (" } else { " AND NOT (" });
    sql.push(if manages { "1 = 1" } else { "1 = 0" });
    sql.push(
        " AND (o.external = 0 OR o.not_internalizable = 0) AND NOT EXISTS (SELECT 1 FROM access_provider_locks l \
         WHERE l.access_provider_id = o.id AND l.lock_key = ",
    );
    sql.bind(lock)?.push("))");
    Ok(())
}

impl CanLinkFilter {
    /// `members`: those that can become members; else those that can be joined.
    fn push(&self, sql: &mut Sql, members: bool) -> Result<(), sqlx::Error> {
        let grant = matches!(self.action, AccessProviderAction::Grant | AccessProviderAction::Purpose);
        if members {
            sql.push(" AND o.action IN ('Grant', 'Purpose')");
        } else {
            // Only grants have members to give to others.
            sql.push(if grant { " AND o.action <> 'Promise'" } else { " AND 1 = 0" });
            sql.push(
                " AND (o.external = 0 OR o.not_internalizable = 0) AND NOT EXISTS (SELECT 1 FROM access_provider_locks l \
                 WHERE l.access_provider_id = o.id AND l.lock_key = 'InheritanceLock')",
            );
        }
        let linked: Vec<String> = [&self.who_access_providers, &self.what_access_providers]
            .into_iter()
            .flatten()
            .flat_map(|ids| texts(ids))
            .collect();
        if !linked.is_empty() {
            sql.push(" AND o.id NOT IN ").bind_list(&linked)?;
        }
        if let Some(id) = &self.access_provider_id {
            // Neither itself nor one that would close a circle.
            let (from, to) =
                if members { ("w.item", "w.access_provider_id") } else { ("w.access_provider_id", "w.item") };
            sql.push(" AND o.id NOT IN (WITH RECURSIVE near (id) AS (SELECT ").bind(id.as_str())?;
            sql.push(" UNION SELECT ")
                .push(to)
                .push(" FROM near n JOIN access_provider_who w ON ")
                .push(from);
            sql.push(" = n.id WHERE w.kind = 'accessProvider') SELECT id FROM near)");
        }
        let sources: Vec<&DataSourceTypeInfo> = self.data_sources.iter().flatten().flatten().collect();
        if !sources.is_empty() {
            sql.push(
                " AND EXISTS (SELECT 1 FROM access_provider_sync y WHERE y.access_provider_id = o.id AND (",
            );
            for (index, source) in sources.iter().enumerate() {
                sql.push(if index > 0 { " OR (" } else { "(" }).push("y.data_source_id = ");
                sql.bind(source.data_source.as_str())?;
                if let Some(kind) = &source.access_provider_type {
                    sql.push(" AND (y.type IS NULL OR y.type = ").bind(kind.as_str())?.push(")");
                }
                sql.push(")");
            }
            sql.push("))");
        }
        if let Some(category) = &self.category {
            // A category that allows no inheritance but its own is left to the check of the change itself.
            sql.push(" AND (o.category_id = ").bind(category.as_str())?;
            sql.push(" OR o.category_id = 'default' OR ").bind(category.as_str())?.push(" = 'default')");
        }
        Ok(())
    }
}
