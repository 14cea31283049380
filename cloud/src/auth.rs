//! Who is calling and what they may do.
//!
//! [`authorize`] is the one place where a decision is made: every resolver and every endpoint that needs a
//! signed-in caller asks it for a [`Permission`], or [`authorize_on`] where the owners of a resource may do what
//! others need a role for. Roles only appear in the table inside [`Permission::granted_to`].

pub(crate) mod password;
pub(crate) mod roles;
pub(crate) mod tokens;
pub(crate) mod users;

use crate::store::Store;
use roles::Resource;

/// A global role. Several may be held; permissions add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Manages users, roles, data sources, identity stores and settings.
    Admin,
    /// Synchronises: what the command line and its connectors need.
    Integrator,
    /// Manages all access controls and sees all access and usage.
    AccessManager,
    /// Creates access controls.
    AccessCreator,
    /// Sees everything and changes nothing.
    Observer,
}

impl Role {
    /// Every global role.
    pub const ALL: [Self; 5] =
        [Self::Admin, Self::Integrator, Self::AccessManager, Self::AccessCreator, Self::Observer];

    /// The id that the API uses. That of the access manager is older than the name.
    pub fn id(self) -> &'static str {
        match self {
            Self::Admin => "AdminRole",
            Self::Integrator => "IntegratorRole",
            Self::AccessManager => "CreatorRole",
            Self::AccessCreator => "AccessCreatorRole",
            Self::Observer => "ObserverRole",
        }
    }

    /// The name that people see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "Admin",
            Self::Integrator => "Integrator",
            Self::AccessManager => "Access Manager",
            Self::AccessCreator => "Access Creator",
            Self::Observer => "Observer",
        }
    }

    /// What the role is for.
    pub fn description(self) -> &'static str {
        match self {
            Self::Admin => "Manages users, roles, data sources, identity stores and settings",
            Self::Integrator => "Synchronises: what the command line and its connectors need",
            Self::AccessManager => "Manages all access controls and sees all access and usage",
            Self::AccessCreator => "Creates access controls",
            Self::Observer => "Sees everything and changes nothing",
        }
    }

    /// The role with this id.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.id() == id)
    }
}

/// Something that not everybody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Permission {
    /// Jobs, uploads, imports, exports: the whole synchronisation.
    Synchronize,
    /// The tree of data objects, data sources and identity stores.
    ViewData,
    /// Users, accounts and groups.
    ViewUsers,
    /// Name, description and what-list of access controls.
    ViewAccessControls,
    /// The who-list of access controls.
    ViewWho,
    /// Usage statements.
    ViewUsage,
    /// New access controls.
    CreateAccessControls,
    /// Changing and deleting any access control.
    ManageAccessControls,
    /// Adding, changing and deleting data sources.
    ManageDataSources,
    /// Adding, changing and deleting identity stores.
    ManageIdentityStores,
    /// Creating, inviting, changing and deleting users; their passwords and global roles.
    ManageUsers,
    /// Who owns a resource.
    AssignOwners,
    /// Adding, changing and deleting grant categories.
    ManageGrantCategories,
    /// Jobs, their tasks and what was reported about them.
    ViewSynchronization,
    /// Asking command lines to synchronise now.
    TriggerSync,
}

impl Permission {
    fn granted_to(self, role: Role) -> bool {
        use Role::{AccessCreator, AccessManager, Admin, Integrator, Observer};
        match self {
            Self::ViewData | Self::ViewUsers | Self::ViewAccessControls => true,
            Self::Synchronize => matches!(role, Integrator),
            Self::ViewWho => matches!(role, Integrator | AccessManager | Observer),
            Self::ViewUsage => matches!(role, AccessManager | Observer),
            Self::CreateAccessControls => matches!(role, AccessManager | AccessCreator),
            Self::ManageAccessControls => matches!(role, AccessManager),
            Self::ManageDataSources
            | Self::ManageIdentityStores
            | Self::ManageUsers
            | Self::AssignOwners
            | Self::ManageGrantCategories => matches!(role, Admin),
            Self::ViewSynchronization => matches!(role, Admin | Integrator | AccessManager | Observer),
            Self::TriggerSync => matches!(role, Admin | Integrator),
        }
    }

    /// Whether the owners of a resource have it there, also without a role.
    fn granted_to_owner(self) -> bool {
        matches!(
            self,
            Self::ManageAccessControls
                | Self::ManageDataSources
                | Self::ManageIdentityStores
                | Self::AssignOwners
                | Self::ViewSynchronization
                | Self::ViewWho
        )
    }

    /// Whether everybody who is signed in has it, also without a role.
    fn granted_to_everybody(self) -> bool {
        matches!(self, Self::ViewData | Self::ViewUsers | Self::ViewAccessControls)
    }

    fn words(self) -> &'static str {
        match self {
            Self::Synchronize => "synchronise (role Integrator)",
            Self::ViewData => "see data objects",
            Self::ViewUsers => "see users",
            Self::ViewAccessControls => "see access controls",
            Self::ViewWho => "see who is in an access control",
            Self::ViewUsage => "see usage",
            Self::CreateAccessControls => "create access controls",
            Self::ManageAccessControls => "change access controls",
            Self::ManageDataSources => "manage data sources",
            Self::ManageIdentityStores => "manage identity stores",
            Self::ManageUsers => "manage users",
            Self::AssignOwners => "decide who owns this",
            Self::ManageGrantCategories => "manage grant categories",
            Self::ViewSynchronization => "see jobs",
            Self::TriggerSync => "ask for a synchronisation",
        }
    }
}

/// A signed-in user.
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    pub(crate) user_id: String,
    pub(crate) roles: Vec<Role>,
}

/// The caller lacks a permission.
#[derive(Debug, Clone, thiserror::Error)]
#[error("permission denied: you may not {action}")]
pub(crate) struct Denied {
    action: &'static str,
}

/// Decides whether the caller may do something.
pub(crate) fn authorize(principal: &Principal, permission: Permission) -> Result<(), Denied> {
    let allowed =
        permission.granted_to_everybody() || principal.roles.iter().any(|role| permission.granted_to(*role));
    if allowed { Ok(()) } else { Err(Denied { action: permission.words() }) }
}

/// Decides whether the caller may do something with one resource, by a role or as an owner.
pub(crate) async fn authorize_on(
    store: &Store,
    principal: &Principal,
    permission: Permission,
    resource: &Resource,
) -> Result<Result<(), Denied>, sqlx::Error> {
    let decided = authorize(principal, permission);
    if decided.is_err()
        && permission.granted_to_owner()
        && roles::owns(store, &principal.user_id, resource).await?
    {
        return Ok(Ok(()));
    }
    Ok(decided)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(roles: &[Role]) -> Principal {
        Principal { user_id: "u".to_owned(), roles: roles.to_vec() }
    }

    #[test]
    fn only_an_integrator_synchronises() {
        for role in Role::ALL {
            let allowed = authorize(&caller(&[role]), Permission::Synchronize).is_ok();
            assert_eq!(allowed, role == Role::Integrator, "{role:?}");
        }
    }

    #[test]
    fn permissions_of_several_roles_add_up() {
        let both = caller(&[Role::Integrator, Role::AccessManager]);
        assert!(authorize(&both, Permission::Synchronize).is_ok());
        assert!(authorize(&both, Permission::ManageAccessControls).is_ok());
        assert!(authorize(&both, Permission::ManageDataSources).is_err());
    }

    #[test]
    fn without_a_role_one_sees_the_tree_and_nothing_else() {
        let nobody = caller(&[]);
        assert!(authorize(&nobody, Permission::ViewData).is_ok());
        assert!(authorize(&nobody, Permission::ViewWho).is_err());
        assert!(authorize(&nobody, Permission::Synchronize).is_err());
    }

    #[test]
    fn role_ids_are_read_back() {
        for role in Role::ALL {
            assert_eq!(Role::from_id(role.id()), Some(role));
        }
        assert_eq!(Role::from_id("Admin"), None);
    }
}
