//! Who holds which role: global roles, and ownership of resources.
//!
//! A role is held by a user or by all members of a group, nested groups included. Ownership is inherited
//! downwards: the owner of a data source owns its objects and its native identity store, the owner of an object
//! those below it. An access control without an owner of its own belongs to the owners of its data sources.
//! Inherited ownership is never stored; [`line`] finds it.

use sqlx::Row;

use super::Role;
use crate::ids::new_id;
use crate::store::sql::Sql;
use crate::store::{Connection, Store};

/// The id of the only role that one has on a resource.
pub(crate) const OWNER: &str = "OwnerRole";

/// What can be owned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ResourceKind {
    DataSource,
    IdentityStore,
    DataObject,
    AccessProvider,
}

impl ResourceKind {
    /// Every kind.
    pub(crate) const ALL: [Self; 4] =
        [Self::DataSource, Self::IdentityStore, Self::DataObject, Self::AccessProvider];

    /// The word that is stored.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::DataSource => "dataSource",
            Self::IdentityStore => "identityStore",
            Self::DataObject => "dataObject",
            Self::AccessProvider => "accessProvider",
        }
    }

    /// Reads a stored word; none for a global role.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// For people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DataSource => "data source",
            Self::IdentityStore => "identity store",
            Self::DataObject => "data object",
            Self::AccessProvider => "access control",
        }
    }

    fn look_up(self) -> &'static str {
        match self {
            Self::DataSource => "SELECT 1 FROM data_sources WHERE id = $1",
            Self::IdentityStore => "SELECT 1 FROM identity_stores WHERE id = $1",
            Self::DataObject => "SELECT 1 FROM data_objects WHERE id = $1",
            Self::AccessProvider => "SELECT 1 FROM access_providers WHERE id = $1 AND state <> 'Deleted'",
        }
    }
}

/// Something that can be owned.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Resource {
    pub(crate) kind: ResourceKind,
    pub(crate) id: String,
}

impl Resource {
    /// The resource of this kind with this id.
    pub(crate) fn new(kind: ResourceKind, id: &str) -> Self {
        Self { kind, id: id.to_owned() }
    }
}

/// Whether there is such a resource.
pub(crate) async fn exists(store: &Store, resource: &Resource) -> Result<bool, sqlx::Error> {
    let row = sqlx::query(resource.kind.look_up()).bind(&resource.id).fetch_optional(store.pool()).await?;
    Ok(row.is_some())
}

/// The groups that a user is a member of, directly or through groups. Appends a `SELECT` of group ids.
pub(crate) fn push_groups_of(sql: &mut Sql, user: &str) -> Result<(), sqlx::Error> {
    sql.push(
        "WITH RECURSIVE member_of (store, external_id) AS (SELECT m.identity_store_id, m.group_external_id \
         FROM accounts a JOIN group_members m ON m.identity_store_id = a.identity_store_id \
         AND m.member_kind = 'account' AND m.member_external_id = a.external_id WHERE a.user_id = ",
    );
    sql.bind(user)?;
    sql.push(
        " UNION SELECT m.identity_store_id, m.group_external_id FROM member_of o JOIN group_members m \
         ON m.identity_store_id = o.store AND m.member_kind = 'group' AND m.member_external_id = o.external_id) \
         SELECT g.id FROM member_of o JOIN groups g ON g.identity_store_id = o.store \
         AND g.external_id = o.external_id AND g.deleted = 0",
    );
    Ok(())
}

/// The ids under which a user can hold a role: its own, and those of its groups.
pub(crate) async fn identities(store: &Store, user: &str) -> Result<Vec<String>, sqlx::Error> {
    let mut sql = Sql::new("");
    push_groups_of(&mut sql, user)?;
    let mut ids = vec![user.to_owned()];
    for row in sql.rows(store.pool()).await? {
        ids.push(row.try_get(0)?);
    }
    Ok(ids)
}

/// The global roles of a user.
pub(crate) async fn global(store: &Store, user: &str) -> Result<Vec<Role>, sqlx::Error> {
    let mut sql =
        Sql::new("SELECT DISTINCT role FROM role_assignments WHERE resource_kind = '' AND (assignee_id = ");
    sql.bind(user)?.push(" OR assignee_kind = 'group' AND assignee_id IN (");
    push_groups_of(&mut sql, user)?;
    sql.push("))");
    let mut roles = Vec::new();
    for row in sql.rows(store.pool()).await? {
        roles.extend(Role::from_id(row.try_get(0)?));
    }
    Ok(roles)
}

/// The resource, and everything whose owners own it too, nearest first.
pub(crate) async fn line(store: &Store, resource: &Resource) -> Result<Vec<Resource>, sqlx::Error> {
    let mut line = vec![resource.clone()];
    line.extend(above(store, resource).await?);
    Ok(line)
}

/// Everything whose owners own the resource by inheritance.
pub(crate) async fn above(store: &Store, resource: &Resource) -> Result<Vec<Resource>, sqlx::Error> {
    let statements: &[(&'static str, ResourceKind)] = match resource.kind {
        ResourceKind::DataSource => &[],
        ResourceKind::IdentityStore => &[(
            "SELECT l.data_source_id FROM data_source_identity_stores l JOIN identity_stores s \
             ON s.id = l.identity_store_id AND s.native = 1 WHERE s.id = $1",
            ResourceKind::DataSource,
        )],
        ResourceKind::DataObject => &[
            (
                "WITH RECURSIVE up (id, source, parent, depth) AS (SELECT id, data_source_id, parent_external_id, 0 \
                 FROM data_objects WHERE id = $1 UNION SELECT p.id, p.data_source_id, p.parent_external_id, depth + 1 \
                 FROM up JOIN data_objects p ON p.data_source_id = up.source AND p.external_id = up.parent \
                 WHERE depth < 64) SELECT id FROM up WHERE depth > 0 ORDER BY depth",
                ResourceKind::DataObject,
            ),
            ("SELECT data_source_id FROM data_objects WHERE id = $1", ResourceKind::DataSource),
        ],
        ResourceKind::AccessProvider => &[(
            "SELECT y.data_source_id FROM access_provider_sync y WHERE y.access_provider_id = $1 AND NOT EXISTS \
             (SELECT 1 FROM role_assignments r WHERE r.resource_kind = 'accessProvider' AND r.resource_id = $1)",
            ResourceKind::DataSource,
        )],
    };
    let mut found = Vec::new();
    for (statement, kind) in statements {
        for row in sqlx::query(*statement).bind(&resource.id).fetch_all(store.pool()).await? {
            found.push(Resource { kind: *kind, id: row.try_get(0)? });
        }
    }
    Ok(found)
}

/// Appends a condition on role assignments, under a name in the statement: about one of these resources.
pub(crate) fn push_about(sql: &mut Sql, name: &str, resources: &[Resource]) -> Result<(), sqlx::Error> {
    // Without a constant among the alternatives, so that each can follow the index.
    sql.push(if resources.is_empty() { "(1 = 0" } else { "(" });
    for (index, resource) in resources.iter().enumerate() {
        sql.push(if index == 0 { "" } else { " OR " });
        sql.push(name).push(".resource_kind = ").bind(resource.kind.word())?;
        sql.push(" AND ").push(name).push(".resource_id = ").bind(resource.id.as_str())?;
    }
    sql.push(")");
    Ok(())
}

/// Whether a user owns a resource, directly, by inheritance or through a group.
pub(crate) async fn owns(store: &Store, user: &str, resource: &Resource) -> Result<bool, sqlx::Error> {
    let line = line(store, resource).await?;
    let mut sql = Sql::new("SELECT 1 FROM role_assignments r WHERE r.role = ");
    sql.bind(OWNER)?.push(" AND ");
    push_about(&mut sql, "r", &line)?;
    sql.push(" AND r.assignee_id IN ").bind_list(&identities(store, user).await?)?;
    sql.push(" LIMIT 1");
    Ok(!sql.rows(store.pool()).await?.is_empty())
}

/// Whether an id is that of a user or of a group: the word that is stored, or none.
pub(crate) async fn assignee_kind(
    connection: &mut Connection,
    id: &str,
) -> Result<Option<&'static str>, sqlx::Error> {
    for (kind, look_up) in [
        ("user", "SELECT 1 FROM users WHERE id = $1"),
        ("group", "SELECT 1 FROM groups WHERE id = $1 AND deleted = 0"),
    ] {
        if sqlx::query(look_up).bind(id).fetch_optional(&mut *connection).await?.is_some() {
            return Ok(Some(kind));
        }
    }
    Ok(None)
}

/// Gives a role on a resource, or a global one, to a user or group. Nothing happens if it is held already.
pub(crate) async fn assign(
    connection: &mut Connection,
    role: &str,
    resource: Option<&Resource>,
    (kind, assignee): (&str, &str),
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO role_assignments (id, role, resource_kind, resource_id, assignee_kind, assignee_id) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(new_id())
    .bind(role)
    .bind(resource.map_or("", |resource| resource.kind.word()))
    .bind(resource.map_or("", |resource| resource.id.as_str()))
    .bind(kind)
    .bind(assignee)
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes a user an owner of what it has just created.
pub(crate) async fn own(
    connection: &mut Connection,
    kind: ResourceKind,
    id: &str,
    user: &str,
) -> Result<(), sqlx::Error> {
    assign(connection, OWNER, Some(&Resource::new(kind, id)), ("user", user)).await
}

/// Takes a role from somebody.
pub(crate) async fn unassign(
    connection: &mut Connection,
    role: &str,
    resource: Option<&Resource>,
    assignee: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM role_assignments WHERE role = $1 AND resource_kind = $2 AND resource_id = $3 AND assignee_id = $4",
    )
    .bind(role)
    .bind(resource.map_or("", |resource| resource.kind.word()))
    .bind(resource.map_or("", |resource| resource.id.as_str()))
    .bind(assignee)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes a role on a resource from everybody who is not in the list.
pub(crate) async fn unassign_others(
    connection: &mut Connection,
    role: &str,
    resource: &Resource,
    keep: &[String],
) -> Result<(), sqlx::Error> {
    let mut sql = Sql::new("DELETE FROM role_assignments WHERE role = ");
    sql.bind(role)?.push(" AND resource_kind = ").bind(resource.kind.word())?;
    sql.push(" AND resource_id = ").bind(resource.id.as_str())?;
    if !keep.is_empty() {
        sql.push(" AND assignee_id NOT IN ").bind_list(keep)?;
    }
    sql.execute(connection).await?;
    Ok(())
}

/// Forgets every role on a resource that is being deleted.
pub(crate) async fn forget_resource(
    connection: &mut Connection,
    kind: ResourceKind,
    id: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM role_assignments WHERE resource_kind = $1 AND resource_id = $2")
        .bind(kind.word())
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether a person or service that can sign in is an administrator by itself: it must stay so, or nobody could
/// manage users any more.
pub(crate) async fn has_admin(connection: &mut Connection) -> Result<bool, sqlx::Error> {
    let row = sqlx::query(
        "SELECT 1 FROM role_assignments r JOIN users u ON u.id = r.assignee_id AND u.is_raito_user = 1 \
         WHERE r.resource_kind = '' AND r.role = $1 LIMIT 1",
    )
    .bind(Role::Admin.id())
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}
