//! Who holds which role, as lists.
//!
//! An assignment is listed where it was made. A list of a resource also has the assignments that it inherits, with
//! the resource above in `on`, unless only direct ones are wanted. While somebody stands in for a user, the
//! user's ownerships are listed once more, held by the stand-in: `excludeDelegated` and `excludeDelegations` both
//! leave these out, and the user's own stay in any case, so that who compares owners with a plan sees no
//! difference while somebody is on leave.

use async_graphql::{ComplexObject, Context, ID, InputObject, Object, SimpleObject, Union};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::access::AccessProvider;
use super::data_objects::DataObject;
use super::errors::{InvalidInputError, NotFoundError, PermissionDeniedError};
use super::identities::{Group, User, texts};
use super::identity_stores::IdentityStore;
use super::loaders::{self, DataObjectId, DataSourceId, GroupId, IdentityStoreId, UserId};
use super::paging::{Item, List, PagedResult, Sort, Window};
use super::roles::Role;
use super::sources::DataSource;
use super::{allow, cloud, internal};
use crate::auth::Permission;
use crate::auth::roles::{self, Resource, ResourceKind};
use crate::ids::now;
use crate::store::Store;
use crate::store::sql::Sql;

/// What a role is held on. An error stands for what is gone or must not be seen.
#[derive(Union)]
pub(super) enum RoleAssignmentOn {
    AccessProvider(AccessProvider),
    DataObject(DataObject),
    DataSource(DataSource),
    IdentityStore(IdentityStore),
    PermissionDenied(PermissionDeniedError),
    NotFound(NotFoundError),
    InvalidInput(InvalidInputError),
}

/// Who holds a role.
#[derive(Union)]
pub(super) enum RoleAssignmentTo {
    User(User),
    Group(Group),
}

/// Somebody holds a role.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub(crate) struct RoleAssignment {
    id: ID,
    /// Whether it is held in the place of another user, for a time.
    delegated: bool,
    #[graphql(skip)]
    role_id: String,
    #[graphql(skip)]
    resource: Option<Resource>,
    #[graphql(skip)]
    group: bool,
    #[graphql(skip)]
    assignee: String,
}

#[ComplexObject]
impl RoleAssignment {
    /// The role.
    #[expect(clippy::unused_async, reason = "resolvers are asynchronous")]
    async fn role(&self) -> async_graphql::Result<Role> {
        Role::find(&self.role_id).ok_or_else(|| "the role is not known any more".into())
    }

    /// On what; null for a global role.
    async fn on(&self, context: &Context<'_>) -> async_graphql::Result<Option<RoleAssignmentOn>> {
        let Some(Resource { kind, id }) = &self.resource else { return Ok(None) };
        let loading = loaders::of(context)?;
        let found = match kind {
            ResourceKind::DataSource => {
                loading.load_one(DataSourceId(id.clone())).await?.map(RoleAssignmentOn::DataSource)
            }
            ResourceKind::IdentityStore => {
                loading.load_one(IdentityStoreId(id.clone())).await?.map(RoleAssignmentOn::IdentityStore)
            }
            ResourceKind::DataObject => {
                loading.load_one(DataObjectId(id.clone())).await?.map(RoleAssignmentOn::DataObject)
            }
            ResourceKind::AccessProvider => super::access::access_provider(&cloud(context)?.store, id)
                .await
                .map_err(internal)?
                .map(RoleAssignmentOn::AccessProvider),
        };
        Ok(Some(found.unwrap_or_else(|| {
            let message = format!("there is no {} `{id}`", kind.name());
            RoleAssignmentOn::NotFound(NotFoundError { message })
        })))
    }

    /// By whom.
    async fn to(&self, context: &Context<'_>) -> async_graphql::Result<RoleAssignmentTo> {
        let loading = loaders::of(context)?;
        let found = if self.group {
            loading.load_one(GroupId(self.assignee.clone())).await?.map(RoleAssignmentTo::Group)
        } else {
            loading.load_one(UserId(self.assignee.clone())).await?.map(RoleAssignmentTo::User)
        };
        found.ok_or_else(|| "the holder of the role is gone".into())
    }
}

impl RoleAssignment {
    fn read(row: &AnyRow) -> Result<Self, sqlx::Error> {
        let kind: String = row.try_get(3)?;
        let id: String = row.try_get(4)?;
        Ok(Self {
            id: row.try_get::<String, _>(1)?.into(),
            role_id: row.try_get(2)?,
            resource: ResourceKind::from_word(&kind).map(|kind| Resource { kind, id }),
            group: row.try_get::<String, _>(5)? == "group",
            assignee: row.try_get(6)?,
            delegated: row.try_get::<i64, _>(7)? == 1,
        })
    }
}

/// Which assignments are wanted. Null and absent mean that the condition is not made.
#[derive(InputObject, Default)]
pub(super) struct RoleAssignmentFilterInput {
    /// On this resource, or on one that it inherits from.
    resource: Option<ID>,
    role: Option<ID>,
    /// Held by this user or group.
    user: Option<ID>,
    /// False: on the resource itself, and by the user itself. True: also what a user holds by its groups.
    inherited: Option<bool>,
    /// Only what is inherited.
    inherited_only: Option<bool>,
    /// Only what is held on no resource.
    only_global: Option<bool>,
    exclude_delegations: Option<bool>,
    exclude_delegated: Option<bool>,
}

/// The first member that is set decides.
#[derive(InputObject)]
#[expect(clippy::struct_field_names, reason = "these are the names that clients send")]
pub(super) struct RoleAssignmentOrderInput {
    resource_name: Option<Sort>,
    user_name: Option<Sort>,
    role_name: Option<Sort>,
}

/// Whose assignments are listed.
pub(super) enum Scope {
    Everything,
    /// Those of a resource.
    On(Resource),
    /// Those of a user.
    Holder(String),
}

/// The assignments, `o`.
const PLAIN: &str = "(SELECT r.id, r.role, r.resource_kind, r.resource_id, r.assignee_kind, r.assignee_id, 0 AS delegated \
    FROM role_assignments r) o";

const COLUMNS: &str =
    "o.id, o.role, o.resource_kind, o.resource_id, o.assignee_kind, o.assignee_id, o.delegated";

const RESOURCE_NAME: &str = "COALESCE(\
    CASE o.resource_kind WHEN 'dataSource' THEN (SELECT n.name FROM data_sources n WHERE n.id = o.resource_id) \
    WHEN 'identityStore' THEN (SELECT n.name FROM identity_stores n WHERE n.id = o.resource_id) \
    WHEN 'dataObject' THEN (SELECT n.full_name FROM data_objects n WHERE n.id = o.resource_id) \
    WHEN 'accessProvider' THEN (SELECT n.name FROM access_providers n WHERE n.id = o.resource_id) END, '')";

const USER_NAME: &str = "COALESCE(CASE o.assignee_kind \
    WHEN 'user' THEN (SELECT n.name FROM users n WHERE n.id = o.assignee_id) \
    ELSE (SELECT n.name FROM groups n WHERE n.id = o.assignee_id) END, '')";

/// The ids of the roles sort as their names do, except one.
const ROLE_NAME: &str = "CASE o.role WHEN 'CreatorRole' THEN 'AccessManagerRole' ELSE o.role END";

#[derive(Default)]
pub(super) struct RoleAssignmentQuery;

#[Object]
impl RoleAssignmentQuery {
    /// All assignments of roles.
    async fn role_assignments(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
        filter: Option<RoleAssignmentFilterInput>,
        order: Option<Vec<RoleAssignmentOrderInput>>,
    ) -> async_graphql::Result<PagedResult> {
        page(context, Scope::Everything, (after, limit), filter, order).await
    }
}

/// Which resources and holders the assignments may have.
struct Wanted {
    about: Option<Vec<Resource>>,
    holders: Option<Vec<String>>,
    role: Option<String>,
    only_global: bool,
}

/// A page of the assignments in a scope.
pub(super) async fn page(
    context: &Context<'_>,
    scope: Scope,
    (after, limit): (Option<String>, Option<i32>),
    filter: Option<RoleAssignmentFilterInput>,
    order: Option<Vec<RoleAssignmentOrderInput>>,
) -> async_graphql::Result<PagedResult> {
    allow(context, Permission::ViewUsers)?;
    let store = &cloud(context)?.store;
    let filter = filter.unwrap_or_default();
    let wanted = Wanted::new(store, scope, &filter).await.map_err(internal)?;
    let delegated = filter.exclude_delegated != Some(true) && filter.exclude_delegations != Some(true);
    let from = if delegated && anybody_stands_in(store).await.map_err(internal)? {
        with_stand_ins()
    } else {
        PLAIN.to_owned()
    };
    let push = |sql: &mut Sql| wanted.push(sql);
    let list = List {
        columns: COLUMNS,
        from: &from,
        scopes: vec![Vec::new()],
        filter: &push,
        order: "o.id",
        candidates: None,
        costly: false,
        at_once: wanted.is_found_at_once(),
    };
    let order = order.into_iter().flatten().find_map(|order| {
        order
            .resource_name
            .map(|sort| (RESOURCE_NAME, sort))
            .or(order.user_name.map(|sort| (USER_NAME, sort)))
            .or(order.role_name.map(|sort| (ROLE_NAME, sort)))
    });
    let item = |row: &AnyRow| Ok(Item::RoleAssignment(RoleAssignment::read(row)?));
    Window { after, limit, order }.page_of(store, &list, item).await
}

async fn anybody_stands_in(store: &Store) -> Result<bool, sqlx::Error> {
    let row = sqlx::query("SELECT 1 FROM users WHERE delegate_to IS NOT NULL LIMIT 1")
        .fetch_optional(store.pool())
        .await?;
    Ok(row.is_some())
}

/// The assignments, `o`, and those in the place of another user that last now.
fn with_stand_ins() -> String {
    let now = now();
    format!(
        "(SELECT r.id, r.role, r.resource_kind, r.resource_id, r.assignee_kind, r.assignee_id, 0 AS delegated \
         FROM role_assignments r UNION ALL \
         SELECT r.id || '.' || u.delegate_to, r.role, r.resource_kind, r.resource_id, 'user', u.delegate_to, 1 \
         FROM users u JOIN role_assignments r ON r.assignee_id = u.id AND r.resource_kind <> '' \
         WHERE u.delegate_to IS NOT NULL AND (u.delegation_start IS NULL OR u.delegation_start <= {now}) \
         AND (u.delegation_end IS NULL OR u.delegation_end > {now})) o"
    )
}

impl Wanted {
    async fn new(
        store: &Store,
        scope: Scope,
        filter: &RoleAssignmentFilterInput,
    ) -> Result<Self, sqlx::Error> {
        let mut about: Option<Vec<Resource>> = None;
        if let Scope::On(resource) = &scope {
            about = Some(Self::line(store, resource, filter).await?);
        }
        if let Some(id) = &filter.resource {
            let mut line = Vec::new();
            // An id alone does not say what it is of.
            for kind in ResourceKind::ALL {
                let resource = Resource::new(kind, id);
                if roles::exists(store, &resource).await? {
                    line.extend(Self::line(store, &resource, filter).await?);
                }
            }
            about = Some(match about {
                Some(about) => about.into_iter().filter(|resource| line.contains(resource)).collect(),
                None => line,
            });
        }
        let mut holders: Option<Vec<String>> = None;
        if let Scope::Holder(user) = &scope {
            holders = Some(Self::holders(store, user, filter).await?);
        }
        if let Some(user) = &filter.user {
            let found = Self::holders(store, user, filter).await?;
            holders = Some(match holders {
                Some(holders) => holders.into_iter().filter(|holder| found.contains(holder)).collect(),
                None => found,
            });
        }
        if about.is_none() && holders.is_none() && filter.inherited_only == Some(true) {
            // What is inherited shows on what inherits it.
            about = Some(Vec::new());
        }
        let role = filter.role.as_ref().map(|role| role.to_string());
        Ok(Self { about, holders, role, only_global: filter.only_global == Some(true) })
    }

    async fn line(
        store: &Store,
        resource: &Resource,
        filter: &RoleAssignmentFilterInput,
    ) -> Result<Vec<Resource>, sqlx::Error> {
        if filter.inherited_only == Some(true) {
            return roles::above(store, resource).await;
        }
        if filter.inherited == Some(false) {
            return Ok(vec![resource.clone()]);
        }
        roles::line(store, resource).await
    }

    async fn holders(
        store: &Store,
        user: &str,
        filter: &RoleAssignmentFilterInput,
    ) -> Result<Vec<String>, sqlx::Error> {
        if filter.inherited_only == Some(true) || filter.inherited == Some(true) {
            let mut ids = roles::identities(store, user).await?;
            ids.retain(|id| id != user || filter.inherited_only != Some(true));
            return Ok(ids);
        }
        Ok(vec![user.to_owned()])
    }

    /// Whether only the assignments of a resource or a holder are wanted, which have an index.
    fn is_found_at_once(&self) -> bool {
        self.about.is_some() || self.holders.is_some()
    }

    fn push(&self, sql: &mut Sql) -> Result<(), sqlx::Error> {
        if let Some(about) = &self.about {
            sql.push(" AND ");
            roles::push_about(sql, "o", about)?;
        }
        if let Some(holders) = &self.holders {
            sql.push(" AND o.assignee_id IN ").bind_list(holders)?;
        }
        if let Some(role) = &self.role {
            sql.push(" AND o.role = ").bind(role.as_str())?;
        }
        if self.only_global {
            sql.push(" AND o.resource_kind = ''");
        }
        Ok(())
    }
}

/// Appends a condition on `o.id`: one of these users or groups owns it directly.
pub(super) fn push_owned_by(sql: &mut Sql, kind: ResourceKind, owners: &[ID]) -> Result<(), sqlx::Error> {
    sql.push(" AND o.id IN (SELECT r.resource_id FROM role_assignments r WHERE r.resource_kind = ");
    sql.bind(kind.word())?.push(" AND r.role = ").bind(roles::OWNER)?;
    sql.push(" AND r.assignee_id IN ").bind_list(&texts(owners))?.push(")");
    Ok(())
}
