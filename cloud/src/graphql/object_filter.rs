//! Which data objects a list is about.
//!
//! Every condition of the filter holds for every element. Beside that, a [`Selection`] finds out where to
//! look: in which data sources, below which parents, or at which few objects, so that no list of a million
//! objects is gone through for the ten that are meant.

use async_graphql::{ID, InputObject};
use sqlx::Row;

use super::errors::Refused;
use super::identities::texts;
use super::paging::few;
use super::sources::DataSourceFeatures;
use super::tags::TagFilter;
use crate::auth::Principal;
use crate::auth::roles::{self, OWNER};
use crate::metadata::Metadata;
use crate::store::Store;
use crate::store::sql::Sql;

/// The type of the object that stands for a whole data source.
const ROOT: &str = "datasource";

/// More data sources are looked through as one.
const MOST_SCOPES: usize = 100;

/// Which data objects are wanted. Null and absent mean that the condition is not made; an empty list that
/// nothing satisfies it, except in `exclude` and `hasTags`.
#[derive(InputObject, Default)]
pub(super) struct DataObjectFilterInput {
    pub(super) data_sources: Option<Vec<ID>>,
    /// Objects directly in one of these; the id of a data source stands for its root.
    pub(super) parents: Option<Vec<ID>>,
    /// Objects anywhere below one of these.
    pub(super) ancestors: Option<Vec<ID>>,
    pub(super) types: Option<Vec<String>>,
    pub(super) full_names: Option<Vec<String>>,
    /// A part of the full name.
    pub(super) search: Option<String>,
    /// Also return the root object.
    pub(super) include_data_source: Option<bool>,
    /// Objects that the caller owns, directly or by inheritance.
    pub(super) as_owner: Option<bool>,
    /// Objects that an active grant gives the caller a permission on, by itself or by an object above.
    pub(super) can_use: Option<bool>,
    /// Objects that one of these users or groups owns, directly or by inheritance.
    pub(super) owners: Option<Vec<ID>>,
    pub(super) include_deleted: Option<bool>,
    pub(super) data_types: Option<Vec<String>>,
    pub(super) exclude: Option<Vec<ID>>,
    /// Each of these tags on the object itself.
    pub(super) has_tags: Option<Vec<TagFilter>>,
    /// Objects of data sources with all of these features.
    pub(super) supported_data_source_features: Option<Vec<DataSourceFeatures>>,
    /// Objects that may be asked for in an access request.
    pub(super) can_request_access: Option<bool>,
}

/// Objects below others.
struct Below {
    /// Selects the ids of the objects at the top.
    roots: Roots,
    /// Whether these count themselves.
    inclusive: bool,
    /// Data sources that count as a whole.
    sources: Vec<String>,
}

enum Roots {
    Objects(Vec<String>),
    OwnedBy(Vec<String>),
    InGrants(Vec<String>),
}

/// Which objects, and where to look for them.
pub(super) struct Selection<'f> {
    filter: &'f DataObjectFilterInput,
    sources: Vec<String>,
    /// Data source and external id of each parent.
    parents: Option<Vec<(String, String)>>,
    below: Vec<Below>,
    /// Data source and type of what may be requested; an empty type stands for all.
    requestable: Option<Vec<(String, String)>>,
    candidates: Option<Vec<String>>,
}

impl<'f> Selection<'f> {
    /// Finds out what a filter is about.
    pub(super) async fn new(
        store: &Store,
        caller: &Principal,
        filter: &'f DataObjectFilterInput,
    ) -> Result<Self, Refused> {
        let (sources, requestable) = sources(store, filter).await?;
        let mut selection =
            Self { filter, sources, parents: None, below: Vec::new(), requestable, candidates: None };
        if let Some(parents) = &filter.parents {
            selection.parents = Some(resolve_parents(store, &texts(parents)).await?);
        }
        if let Some(ancestors) = &filter.ancestors {
            let roots = Roots::Objects(texts(ancestors));
            selection.below.push(Below { roots, inclusive: false, sources: Vec::new() });
        }
        if let Some(owners) = &filter.owners {
            selection.below.push(owned(store, texts(owners)).await?);
        }
        let identities = roles::identities(store, &caller.user_id).await?;
        if filter.as_owner == Some(true) {
            selection.below.push(owned(store, identities.clone()).await?);
        }
        if filter.can_use == Some(true) {
            let roots = Roots::InGrants(grants_of(store, &identities).await?);
            selection.below.push(Below { roots, inclusive: true, sources: Vec::new() });
        }
        selection.candidates = selection.find_candidates(store).await?;
        Ok(selection)
    }

    /// The ids of all objects that can be meant, if few.
    pub(super) fn candidates(&self) -> Option<Vec<String>> {
        self.candidates.clone()
    }

    /// Whether the way up to the root has to be followed for each object.
    pub(super) fn is_costly(&self) -> bool {
        !self.below.is_empty()
    }

    /// Where to look, for [`List::scopes`](super::paging::List::scopes); empty when nothing can be found.
    pub(super) fn scopes(&self) -> Vec<Vec<(&'static str, String)>> {
        if self.candidates.is_some() {
            return vec![Vec::new()];
        }
        let in_source = |source: &String| vec![("o.data_source_id", source.clone())];
        match &self.parents {
            Some(parents) if parents.len() <= MOST_SCOPES => parents
                .iter()
                .filter(|(source, _)| self.sources.contains(source))
                .map(|(source, parent)| {
                    vec![("o.data_source_id", source.clone()), ("o.parent_external_id", parent.clone())]
                })
                .collect(),
            _ if self.sources.len() <= MOST_SCOPES => self.sources.iter().map(in_source).collect(),
            _ => vec![Vec::new()],
        }
    }

    /// Looks for a condition that few objects satisfy.
    async fn find_candidates(&self, store: &Store) -> Result<Option<Vec<String>>, sqlx::Error> {
        let filter = self.filter;
        let in_sources = |sql: &mut Sql, column: &str, values: &[String]| -> Result<(), sqlx::Error> {
            sql.push("SELECT id FROM data_objects WHERE data_source_id IN ").bind_list(&self.sources)?;
            sql.push(" AND ").push(column).push(" IN ").bind_list(values)?;
            Ok(())
        };
        if let Some(names) = &filter.full_names {
            let mut sql = Sql::new("");
            in_sources(&mut sql, "full_name", names)?;
            if let Some(found) = few(store, sql).await? {
                return Ok(Some(found));
            }
        }
        if let Some(parents) = self.parents.as_ref().filter(|parents| parents.len() <= MOST_SCOPES) {
            let mut sql = Sql::new("SELECT id FROM data_objects WHERE 1 = 0");
            for (source, parent) in parents {
                sql.push(" UNION ALL SELECT id FROM data_objects WHERE data_source_id = ");
                sql.bind(source.as_str())?.push(" AND parent_external_id = ").bind(parent.as_str())?;
            }
            if let Some(found) = few(store, sql).await? {
                return Ok(Some(found));
            }
        }
        for tag in filter.has_tags.iter().flatten().filter(|tag| tag.key.is_some()) {
            let mut sql = Sql::new("SELECT DISTINCT t.object_id FROM tags t WHERE 1 = 1");
            tag.push(&mut sql)?;
            if let Some(found) = few(store, sql).await? {
                return Ok(Some(found));
            }
        }
        for below in self.below.iter().filter(|below| below.sources.is_empty()) {
            let mut sql = Sql::new("");
            below.push_descendants(&mut sql)?;
            if let Some(found) = few(store, sql).await? {
                return Ok(Some(found));
            }
        }
        if let Some(types) = &filter.types {
            let mut sql = Sql::new("");
            in_sources(&mut sql, "type", types)?;
            return few(store, sql).await;
        }
        Ok(None)
    }

    /// Appends the conditions on `data_objects o`.
    pub(super) fn push(&self, sql: &mut Sql) -> Result<(), sqlx::Error> {
        let filter = self.filter;
        if filter.include_deleted != Some(true) {
            sql.push(" AND o.deleted = 0");
        }
        if filter.include_data_source != Some(true) {
            sql.push(" AND o.type <> ").bind(ROOT)?;
        }
        // The columns are hidden in an expression: which index to follow is decided by the scopes.
        if self.candidates.is_some() || self.sources.len() > MOST_SCOPES {
            sql.push(" AND o.data_source_id || '' IN ").bind_list(&self.sources)?;
        }
        if let Some(parents) = &self.parents {
            sql.push(" AND (1 = 0");
            push_pairs(sql, ("o.data_source_id || ''", "o.parent_external_id || ''"), parents)?;
            sql.push(")");
        }
        for (column, values) in [
            ("o.type || ''", &filter.types),
            ("o.full_name || ''", &filter.full_names),
            ("o.data_type", &filter.data_types),
        ] {
            if let Some(values) = values {
                sql.push(" AND ").push(column).push(" IN ").bind_list(values)?;
            }
        }
        if let Some(exclude) = filter.exclude.as_ref().filter(|exclude| !exclude.is_empty()) {
            sql.push(" AND o.id NOT IN ").bind_list(&texts(exclude))?;
        }
        if let Some(text) = &filter.search {
            sql.push(" AND ").bind_contains("o.full_name", text)?;
        }
        for tag in filter.has_tags.iter().flatten() {
            sql.push(" AND EXISTS (SELECT 1 FROM tags t WHERE t.object_id = o.id");
            tag.push(sql)?;
            sql.push(")");
        }
        if let Some(requestable) = &self.requestable {
            sql.push(if filter.can_request_access == Some(true) { " AND (1 = 0" } else { " AND NOT (1 = 0" });
            for (source, object_type) in requestable {
                sql.push(" OR o.data_source_id || '' = ").bind(source.as_str())?;
                if !object_type.is_empty() {
                    sql.push(" AND o.type || '' = ").bind(object_type.as_str())?;
                }
            }
            sql.push(")");
        }
        for below in &self.below {
            sql.push(" AND (o.data_source_id || '' IN ").bind_list(&below.sources)?;
            below.push_contains(sql)?;
        }
        Ok(())
    }
}

impl Below {
    fn push_roots(&self, sql: &mut Sql) -> Result<(), sqlx::Error> {
        match &self.roots {
            Roots::Objects(ids) => {
                sql.bind_list(ids)?;
            }
            Roots::OwnedBy(owners) => {
                sql.push(
                    "(SELECT r.resource_id FROM role_assignments r WHERE r.resource_kind = 'dataObject' AND r.role = ",
                );
                sql.bind(OWNER)?.push(" AND r.assignee_id IN ").bind_list(owners)?.push(")");
            }
            Roots::InGrants(grants) => {
                sql.push(
                    "(SELECT g.id FROM access_provider_what w JOIN data_objects g ON g.data_source_id = w.data_source_id \
                     AND g.full_name = w.full_name AND (w.type = '' OR g.type = w.type) WHERE w.access_provider_id IN ",
                );
                sql.bind_list(grants)?.push(")");
            }
        }
        Ok(())
    }

    /// Selects the ids of the objects that are meant, starting from the top.
    fn push_descendants(&self, sql: &mut Sql) -> Result<(), sqlx::Error> {
        sql.push(
            "WITH RECURSIVE down (id, source, external_id, depth) AS (SELECT t.id, t.data_source_id, t.external_id, 0 \
             FROM data_objects t WHERE t.id IN ",
        );
        self.push_roots(sql)?;
        sql.push(
            " UNION SELECT c.id, c.data_source_id, c.external_id, 1 FROM down d JOIN data_objects c \
             ON c.data_source_id = d.source AND c.parent_external_id = d.external_id AND c.id <> d.id) \
             SELECT id FROM down WHERE depth >= ",
        );
        sql.bind(i64::from(!self.inclusive))?;
        Ok(())
    }

    /// Ends a condition on `data_objects o`, starting from the object.
    fn push_contains(&self, sql: &mut Sql) -> Result<(), sqlx::Error> {
        sql.push(" OR EXISTS (WITH RECURSIVE up (id, source, parent) AS (SELECT p.id, p.data_source_id, ");
        sql.push("p.parent_external_id FROM data_objects p WHERE ");
        sql.push(if self.inclusive {
            "p.id = o.id"
        } else {
            "p.data_source_id = o.data_source_id AND p.external_id = o.parent_external_id"
        });
        sql.push(
            " UNION SELECT p.id, p.data_source_id, p.parent_external_id FROM up u JOIN data_objects p \
             ON p.data_source_id = u.source AND p.external_id = u.parent) SELECT 1 FROM up WHERE id IN ",
        );
        self.push_roots(sql)?;
        sql.push("))");
        Ok(())
    }
}

fn push_pairs(
    sql: &mut Sql,
    (first, second): (&str, &str),
    pairs: &[(String, String)],
) -> Result<(), sqlx::Error> {
    for (a, b) in pairs {
        sql.push(" OR ").push(first).push(" = ").bind(a.as_str())?;
        sql.push(" AND ").push(second).push(" = ").bind(b.as_str())?;
    }
    Ok(())
}

/// The data sources in question, and what may be requested in them if that matters.
async fn sources(
    store: &Store,
    filter: &DataObjectFilterInput,
) -> Result<(Vec<String>, Option<Vec<(String, String)>>), sqlx::Error> {
    let mut sql =
        Sql::new("SELECT id, can_request_access, can_request_types, metadata FROM data_sources WHERE 1 = 1");
    if let Some(wanted) = &filter.data_sources {
        sql.push(" AND id IN ").bind_list(&texts(wanted))?;
    }
    sql.push(" ORDER BY id");
    let features = filter.supported_data_source_features.as_deref().unwrap_or_default();
    let mut sources = Vec::new();
    let mut requestable = Vec::new();
    for row in sql.rows(store.pool()).await? {
        let id: String = row.try_get(0)?;
        if !features.is_empty() {
            let metadata: Option<String> = row.try_get(3)?;
            let metadata: Metadata =
                metadata.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
            if !features.iter().all(|feature| feature.is_in(&metadata)) {
                continue;
            }
        }
        if row.try_get::<i64, _>(1)? == 1 {
            let types: Vec<String> = serde_json::from_str(row.try_get(2)?).unwrap_or_default();
            let types = if types.is_empty() { vec![String::new()] } else { types };
            requestable.extend(types.into_iter().map(|object_type| (id.clone(), object_type)));
        }
        sources.push(id);
    }
    Ok((sources, filter.can_request_access.map(|_| requestable)))
}

async fn resolve_parents(store: &Store, parents: &[String]) -> Result<Vec<(String, String)>, sqlx::Error> {
    let mut sql = Sql::new("SELECT data_source_id, external_id FROM data_objects WHERE id IN ");
    sql.bind_list(parents)?;
    sql.push(" UNION SELECT data_source_id, external_id FROM data_objects WHERE type = ").bind(ROOT)?;
    sql.push(" AND parent_external_id = '' AND data_source_id IN ").bind_list(parents)?;
    sql.push(" UNION SELECT id, '' FROM data_sources WHERE id IN ").bind_list(parents)?;
    let rows = sql.rows(store.pool()).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

async fn owned(store: &Store, owners: Vec<String>) -> Result<Below, sqlx::Error> {
    let mut sql =
        Sql::new("SELECT resource_id FROM role_assignments WHERE resource_kind = 'dataSource' AND role = ");
    sql.bind(OWNER)?.push(" AND assignee_id IN ").bind_list(&owners)?;
    let rows = sql.rows(store.pool()).await?;
    let sources = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    Ok(Below { roots: Roots::OwnedBy(owners), inclusive: true, sources })
}

/// The active grants that somebody is in under one of these ids, also by other grants.
async fn grants_of(store: &Store, identities: &[String]) -> Result<Vec<String>, sqlx::Error> {
    let mut sql = Sql::new(
        "WITH RECURSIVE mine (id) AS (SELECT w.access_provider_id FROM access_provider_who w \
         WHERE w.kind IN ('user', 'group') AND w.type = 'WhoGrant' AND (w.expires_at IS NULL OR w.expires_at > ",
    );
    sql.bind(crate::ids::now())?.push(") AND w.item IN ").bind_list(identities)?;
    sql.push(
        " UNION SELECT w.access_provider_id FROM mine m JOIN access_provider_who w ON w.kind = 'accessProvider' \
         AND w.item = m.id AND w.type = 'WhoGrant') SELECT p.id FROM mine m JOIN access_providers p ON p.id = m.id \
         WHERE p.state = 'Active' AND p.action IN ('Grant', 'Purpose', 'Share')",
    );
    let rows = sql.rows(store.pool()).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}
