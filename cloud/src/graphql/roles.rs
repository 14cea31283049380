//! Roles, and the operations that give and take them.
//!
//! The ids are those that clients have written into their configurations: a role's first name without spaces, and
//! `Role`.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject, Union};

use super::errors::{InvalidInputError, NotFoundError, PermissionDeniedError, Refused, answer};
use super::identities::texts;
use super::paging::{Item, PagedResult, Sort, Window};
use super::users::keep_an_admin;
use super::{allow, cloud, demand, demand_on};
use crate::auth::roles::{self, OWNER, Resource, ResourceKind};
use crate::auth::{self, Permission, users};
use crate::store::Connection;

/// What somebody may do, in the whole product or with one resource.
#[derive(Clone, SimpleObject)]
pub(crate) struct Role {
    id: ID,
    name: String,
    description: String,
    /// Whether it is held in the whole product.
    is_global: bool,
}

impl From<auth::Role> for Role {
    fn from(role: auth::Role) -> Self {
        Self {
            id: role.id().into(),
            name: role.name().to_owned(),
            description: role.description().to_owned(),
            is_global: true,
        }
    }
}

impl Role {
    fn owner() -> Self {
        Self {
            id: OWNER.into(),
            name: "Owner".to_owned(),
            description: "Is responsible for a data source, identity store, data object or access control"
                .to_owned(),
            is_global: false,
        }
    }

    fn all() -> Vec<Self> {
        let mut all: Vec<Self> = auth::Role::ALL.into_iter().map(Self::from).collect();
        all.push(Self::owner());
        all
    }

    /// The role with this id.
    pub(super) fn find(id: &str) -> Option<Self> {
        Self::all().into_iter().find(|role| role.id.as_str() == id)
    }
}

/// A role, or why nothing was done with it.
#[derive(Union)]
enum RoleResult {
    Role(Role),
    PermissionDenied(PermissionDeniedError),
    NotFound(NotFoundError),
    InvalidInput(InvalidInputError),
}

/// The global roles of a user are set.
#[derive(SimpleObject)]
struct SetGlobalRolesForUser {
    success: bool,
}

/// The global roles of a user are set, or why not.
#[derive(Union)]
enum SetGlobalRolesForUserResult {
    Done(SetGlobalRolesForUser),
    PermissionDenied(PermissionDeniedError),
    NotFound(NotFoundError),
    InvalidInput(InvalidInputError),
}

#[derive(InputObject, Default)]
struct RoleFilterInput {
    /// A part of the name.
    search: Option<String>,
    is_global: Option<bool>,
}

#[derive(InputObject)]
struct RoleOrderByInput {
    name: Option<Sort>,
}

/// Who holds a role, all of them.
#[derive(InputObject)]
struct RoleAssigneesInput {
    #[graphql(name = "roleID")]
    role_id: ID,
    /// Ids of users and groups.
    assignees: Vec<ID>,
}

#[derive(Default)]
pub(super) struct RoleQuery;

#[Object]
impl RoleQuery {
    /// A role.
    #[expect(clippy::unused_async, reason = "resolvers are asynchronous")]
    async fn role(&self, context: &Context<'_>, id: ID) -> async_graphql::Result<Role> {
        allow(context, Permission::ViewUsers)?;
        Role::find(&id).ok_or_else(|| Refused::not_found("role", &id).into_error())
    }

    /// All roles.
    #[expect(clippy::unused_async, reason = "resolvers are asynchronous")]
    async fn roles(
        &self,
        context: &Context<'_>,
        after: Option<String>,
        limit: Option<i32>,
        filter: Option<RoleFilterInput>,
        order: Option<Vec<RoleOrderByInput>>,
    ) -> async_graphql::Result<PagedResult> {
        allow(context, Permission::ViewUsers)?;
        let filter = filter.unwrap_or_default();
        let search = filter.search.unwrap_or_default().to_lowercase();
        let order = order.into_iter().flatten().find_map(|order| order.name.map(|sort| ("name", sort)));
        let wanted = Role::all().into_iter().filter(|role| {
            filter.is_global.is_none_or(|global| global == role.is_global)
                && role.name.to_lowercase().contains(&search)
        });
        let elements =
            wanted.map(|role| (role.name.clone(), role.id.to_string(), Item::Role(role))).collect();
        Window { after, limit, order }.page_from(elements)
    }
}

#[derive(Default)]
pub(super) struct RoleMutation;

#[Object]
impl RoleMutation {
    /// Gives a role on an identity store to users or groups.
    async fn assign_role_on_identity_store(
        &self,
        context: &Context<'_>,
        role: ID,
        resource_id: ID,
        to: Vec<ID>,
    ) -> async_graphql::Result<RoleResult> {
        let resource = Resource::new(ResourceKind::IdentityStore, &resource_id);
        answer(change(context, &role, &resource, Change::Assign, &to).await)
    }

    /// Gives a role on a data object to users or groups.
    async fn assign_role_on_data_object(
        &self,
        context: &Context<'_>,
        role: ID,
        resource_id: ID,
        to: Vec<ID>,
    ) -> async_graphql::Result<RoleResult> {
        let resource = Resource::new(ResourceKind::DataObject, &resource_id);
        answer(change(context, &role, &resource, Change::Assign, &to).await)
    }

    /// Gives a role on a data source to users or groups.
    async fn assign_role_on_data_source(
        &self,
        context: &Context<'_>,
        role: ID,
        resource_id: ID,
        to: Vec<ID>,
    ) -> async_graphql::Result<RoleResult> {
        let resource = Resource::new(ResourceKind::DataSource, &resource_id);
        answer(change(context, &role, &resource, Change::Assign, &to).await)
    }

    /// Gives a role on an access control to users or groups.
    async fn assign_role_on_access_provider(
        &self,
        context: &Context<'_>,
        role: ID,
        resource_id: ID,
        to: Vec<ID>,
    ) -> async_graphql::Result<RoleResult> {
        let resource = Resource::new(ResourceKind::AccessProvider, &resource_id);
        answer(change(context, &role, &resource, Change::Assign, &to).await)
    }

    /// Takes a role on an identity store from users or groups.
    async fn unassign_role_from_identity_store(
        &self,
        context: &Context<'_>,
        role: ID,
        resource_id: ID,
        to: Vec<ID>,
    ) -> async_graphql::Result<RoleResult> {
        let resource = Resource::new(ResourceKind::IdentityStore, &resource_id);
        answer(change(context, &role, &resource, Change::Unassign, &to).await)
    }

    /// Takes a role on a data object from users or groups.
    async fn unassign_role_from_data_object(
        &self,
        context: &Context<'_>,
        role: ID,
        resource_id: ID,
        to: Vec<ID>,
    ) -> async_graphql::Result<RoleResult> {
        let resource = Resource::new(ResourceKind::DataObject, &resource_id);
        answer(change(context, &role, &resource, Change::Unassign, &to).await)
    }

    /// Takes a role on a data source from users or groups.
    async fn unassign_role_from_data_source(
        &self,
        context: &Context<'_>,
        role: ID,
        resource_id: ID,
        to: Vec<ID>,
    ) -> async_graphql::Result<RoleResult> {
        let resource = Resource::new(ResourceKind::DataSource, &resource_id);
        answer(change(context, &role, &resource, Change::Unassign, &to).await)
    }

    /// Takes a role on an access control from users or groups.
    async fn unassign_role_from_access_provider(
        &self,
        context: &Context<'_>,
        role: ID,
        resource_id: ID,
        to: Vec<ID>,
    ) -> async_graphql::Result<Option<RoleResult>> {
        let resource = Resource::new(ResourceKind::AccessProvider, &resource_id);
        answer(change(context, &role, &resource, Change::Unassign, &to).await).map(Some)
    }

    /// Replaces the holders of a role on an identity store.
    async fn update_role_assignees_on_identity_store(
        &self,
        context: &Context<'_>,
        identity_store: ID,
        role_input: RoleAssigneesInput,
    ) -> async_graphql::Result<RoleResult> {
        let resource = Resource::new(ResourceKind::IdentityStore, &identity_store);
        answer(replace(context, &resource, &role_input).await)
    }

    /// Replaces the holders of a role on a data object.
    async fn update_role_assignees_on_data_object(
        &self,
        context: &Context<'_>,
        data_object: ID,
        role_input: RoleAssigneesInput,
    ) -> async_graphql::Result<RoleResult> {
        let resource = Resource::new(ResourceKind::DataObject, &data_object);
        answer(replace(context, &resource, &role_input).await)
    }

    /// Replaces the holders of a role on a data source.
    async fn update_role_assignees_on_data_source(
        &self,
        context: &Context<'_>,
        data_source: ID,
        role_input: RoleAssigneesInput,
    ) -> async_graphql::Result<RoleResult> {
        let resource = Resource::new(ResourceKind::DataSource, &data_source);
        answer(replace(context, &resource, &role_input).await)
    }

    /// Replaces the holders of a role on an access control, who cannot be nobody.
    async fn update_role_assignees_on_access_provider(
        &self,
        context: &Context<'_>,
        access_provider: ID,
        role_input: RoleAssigneesInput,
    ) -> async_graphql::Result<RoleResult> {
        let resource = Resource::new(ResourceKind::AccessProvider, &access_provider);
        answer(replace(context, &resource, &role_input).await)
    }

    /// Gives a global role to users or groups.
    async fn assign_global_role(
        &self,
        context: &Context<'_>,
        role: ID,
        to: Vec<ID>,
    ) -> async_graphql::Result<RoleResult> {
        answer(change_global(context, &role, Change::Assign, &to).await)
    }

    /// Takes a global role from users or groups.
    async fn unassign_global_role(
        &self,
        context: &Context<'_>,
        role: ID,
        to: Vec<ID>,
    ) -> async_graphql::Result<RoleResult> {
        answer(change_global(context, &role, Change::Unassign, &to).await)
    }

    /// Replaces the global roles that a user holds itself.
    async fn set_global_roles_for_user(
        &self,
        context: &Context<'_>,
        user: ID,
        roles: Vec<ID>,
    ) -> async_graphql::Result<SetGlobalRolesForUserResult> {
        let done = set_global(context, &user, &texts(&roles)).await;
        answer(done.map(|()| SetGlobalRolesForUser { success: true }))
    }
}

/// What becomes of the listed holders; the others stay.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Assign,
    Unassign,
    /// The listed ones become the only ones.
    Replace,
}

/// The role if it can be held on a resource, and the caller may say by whom.
async fn resource_role(context: &Context<'_>, role: &str, resource: &Resource) -> Result<Role, Refused> {
    demand(context, Permission::ViewData)?;
    if !roles::exists(&cloud(context)?.store, resource).await? {
        return Err(Refused::not_found(resource.kind.name(), &resource.id));
    }
    demand_on(context, Permission::AssignOwners, resource).await?;
    let found = Role::find(role).ok_or_else(|| Refused::not_found("role", role))?;
    if found.is_global {
        let message = format!("`{role}` is a global role and cannot be held on a {}", resource.kind.name());
        return Err(Refused::invalid(message));
    }
    Ok(found)
}

async fn replace(
    context: &Context<'_>,
    resource: &Resource,
    input: &RoleAssigneesInput,
) -> Result<Role, Refused> {
    change(context, &input.role_id, resource, Change::Replace, &input.assignees).await
}

async fn change(
    context: &Context<'_>,
    role: &str,
    resource: &Resource,
    change: Change,
    to: &[ID],
) -> Result<Role, Refused> {
    let found = resource_role(context, role, resource).await?;
    let mut transaction = cloud(context)?.store.begin().await?;
    let to = texts(to);
    let owned_before = held(&mut transaction, role, resource).await?;
    if change == Change::Replace {
        roles::unassign_others(&mut transaction, role, resource, &to).await?;
    }
    for assignee in &to {
        if change == Change::Unassign {
            roles::unassign(&mut transaction, role, Some(resource), assignee).await?;
        } else {
            let kind = roles::assignee_kind(&mut transaction, assignee).await?;
            let kind = kind.ok_or_else(|| Refused::not_found("user or group", assignee))?;
            roles::assign(&mut transaction, role, Some(resource), (kind, assignee)).await?;
        }
    }
    let emptied =
        (owned_before || change == Change::Replace) && !held(&mut transaction, role, resource).await?;
    if resource.kind == ResourceKind::AccessProvider && emptied {
        return Err(Refused::denied("an access control needs at least one owner"));
    }
    transaction.commit().await?;
    Ok(found)
}

/// Whether anybody has the role on the resource itself.
async fn held(connection: &mut Connection, role: &str, resource: &Resource) -> Result<bool, sqlx::Error> {
    let row = sqlx::query(
        "SELECT 1 FROM role_assignments WHERE resource_kind = $1 AND resource_id = $2 AND role = $3 LIMIT 1",
    )
    .bind(resource.kind.word())
    .bind(&resource.id)
    .bind(role)
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

/// A global role that exists.
fn global_role(role: &str) -> Result<auth::Role, Refused> {
    match (auth::Role::from_id(role), Role::find(role)) {
        (Some(role), _) => Ok(role),
        (None, Some(_)) => Err(Refused::invalid(format!("`{role}` is not a global role"))),
        (None, None) => Err(Refused::not_found("role", role)),
    }
}

async fn change_global(
    context: &Context<'_>,
    role: &str,
    change: Change,
    to: &[ID],
) -> Result<Role, Refused> {
    demand(context, Permission::ManageUsers)?;
    let role = global_role(role)?;
    let mut transaction = cloud(context)?.store.begin().await?;
    let before = roles::has_admin(&mut transaction).await?;
    for assignee in texts(to) {
        if change == Change::Unassign {
            roles::unassign(&mut transaction, role.id(), None, &assignee).await?;
        } else {
            let kind = roles::assignee_kind(&mut transaction, &assignee).await?;
            let kind = kind.ok_or_else(|| Refused::not_found("user or group", &assignee))?;
            roles::assign(&mut transaction, role.id(), None, (kind, &assignee)).await?;
        }
    }
    keep_an_admin(&mut transaction, before).await?;
    transaction.commit().await?;
    Ok(role.into())
}

async fn set_global(context: &Context<'_>, user: &str, wanted: &[String]) -> Result<(), Refused> {
    demand(context, Permission::ManageUsers)?;
    let mut transaction = cloud(context)?.store.begin().await?;
    if roles::assignee_kind(&mut transaction, user).await? != Some("user") {
        return Err(Refused::not_found("user", user));
    }
    let wanted = wanted.iter().map(|role| global_role(role)).collect::<Result<Vec<_>, _>>()?;
    let before = roles::has_admin(&mut transaction).await?;
    users::set_global_roles(&mut transaction, user, &wanted).await?;
    keep_an_admin(&mut transaction, before).await?;
    transaction.commit().await?;
    Ok(())
}
