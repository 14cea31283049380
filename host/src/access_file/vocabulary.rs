//! The words of a target: its object types with their permissions, its types of access controls, and what it can do.
//!
//! Taken from the connector's metadata. Permissions are compared without regard to letter case; a permission counts as
//! known on a type if the type or one below it has it, because connectors hand such permissions down.

use std::collections::{BTreeMap, BTreeSet};

use crate::contract::exports::data_source::{DataSourceMetadata, Feature};
use crate::contract::types::GlobalPermission;

/// The words of a target.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    types: BTreeMap<String, ObjectType>,
    control_types: BTreeMap<String, ControlType>,
    masks: Option<Masks>,
    /// Object types that filters can be put on; none: the target has no filters.
    filters: Option<Vec<String>>,
    /// Object types that can be shared; none: the target has no shares.
    shares: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default)]
struct ObjectType {
    /// By their names in upper case.
    permissions: BTreeMap<String, Permission>,
    children: Vec<String>,
}

#[derive(Clone, Debug)]
struct Permission {
    name: String,
    admin: bool,
    grantable: bool,
}

#[derive(Clone, Debug)]
struct ControlType {
    can_be_created: bool,
}

#[derive(Clone, Debug, Default)]
struct Masks {
    types: Vec<String>,
    applicable: Vec<String>,
}

/// What a permission is on an object type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known<'a> {
    /// It is known; this is the connector's spelling.
    As(&'a str),
    /// It is known, and cannot be granted.
    NotGrantable(&'a str),
    Unknown,
}

impl Vocabulary {
    /// Takes what the connector says about its target.
    pub fn from_metadata(metadata: &DataSourceMetadata) -> Self {
        let types = metadata.object_types.iter().map(|one| {
            let permissions = one.permissions.iter().map(|permission| {
                let known = Permission {
                    name: permission.name.clone(),
                    admin: is_admin(&permission.global_permissions, &permission.usage_global_permissions),
                    grantable: !permission.cannot_be_granted,
                };
                (permission.name.to_uppercase(), known)
            });
            let object_type =
                ObjectType { permissions: permissions.collect(), children: one.children.clone() };
            (one.name.clone(), object_type)
        });
        let control_types = metadata
            .access_control_types
            .iter()
            .map(|one| (one.name.clone(), ControlType { can_be_created: one.can_be_created }));
        let has = |feature| metadata.features.contains(&feature);
        Vocabulary {
            types: types.collect(),
            control_types: control_types.collect(),
            masks: has(Feature::ColumnMasking).then(|| {
                metadata.masks.as_ref().map_or_else(Masks::default, |masks| Masks {
                    types: masks.mask_types.iter().map(|one| one.external_id.clone()).collect(),
                    applicable: masks.applicable_types.clone(),
                })
            }),
            filters: has(Feature::RowFiltering).then(|| {
                metadata.filters.as_ref().map(|filters| filters.applicable_types.clone()).unwrap_or_default()
            }),
            shares: has(Feature::DataSharing).then(|| {
                metadata.shares.as_ref().map(|shares| shares.applicable_types.clone()).unwrap_or_default()
            }),
        }
    }

    /// Whether a permission on objects of this type lets somebody administer them. Permissions of types below count,
    /// letter case does not.
    pub fn is_admin(&self, object_type: &str, permission: &str) -> bool {
        self.find(object_type, permission).any(|known| known.admin)
    }

    /// The object types.
    pub fn object_types(&self) -> impl Iterator<Item = &str> {
        self.types.keys().map(String::as_str)
    }

    /// The permissions that can be granted on objects of a type or below, in the connector's spelling.
    pub fn permissions(&self, object_type: &str) -> BTreeSet<&str> {
        self.at_and_below(object_type)
            .into_iter()
            .flat_map(|one| one.permissions.values())
            .filter(|permission| permission.grantable)
            .map(|permission| permission.name.as_str())
            .collect()
    }

    /// Whether a permission on objects of a type is one that the target has and that cannot be granted, such as ownership.
    pub fn is_not_grantable(&self, object_type: &str, permission: &str) -> bool {
        let mut known = self.find(object_type, permission).peekable();
        known.peek().is_some() && known.all(|known| !known.grantable)
    }

    /// The types of access controls.
    pub fn control_types(&self) -> impl Iterator<Item = &str> {
        self.control_types.keys().map(String::as_str)
    }

    /// The types of masks.
    pub fn mask_types(&self) -> impl Iterator<Item = &str> {
        self.masks.iter().flat_map(|masks| masks.types.iter().map(String::as_str))
    }

    /// Whether the target can do what an action asks for.
    pub fn supports(&self, action: &str) -> bool {
        match action {
            "mask" => self.masks.is_some(),
            "filtered" => self.filters.is_some(),
            "share" => self.shares.is_some(),
            _ => true,
        }
    }

    pub(super) fn has_type(&self, object_type: &str) -> bool {
        self.types.contains_key(object_type)
    }

    /// Whether an access control of this type can be made anew; none: there is no such type.
    pub(super) fn can_be_created(&self, control_type: &str) -> Option<bool> {
        self.control_types.get(control_type).map(|one| one.can_be_created)
    }

    /// The object types that an action is limited to; empty: none in particular.
    pub(super) fn applicable(&self, action: &str) -> &[String] {
        let types = match action {
            "mask" => self.masks.as_ref().map(|masks| &masks.applicable),
            "filtered" => self.filters.as_ref(),
            "share" => self.shares.as_ref(),
            _ => None,
        };
        types.map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn permission(&self, object_type: &str, permission: &str) -> Known<'_> {
        let own = self.types.get(object_type).and_then(|one| one.permissions.get(&permission.to_uppercase()));
        // Nearly always the type itself has it, which spares looking below.
        if let Some(own) = own.filter(|own| own.grantable) {
            return Known::As(&own.name);
        }
        let mut known = Known::Unknown;
        for one in self.find(object_type, permission) {
            if one.grantable {
                return Known::As(&one.name);
            }
            known = Known::NotGrantable(&one.name);
        }
        known
    }

    /// The permission on the type itself, then on those below.
    fn find(&self, object_type: &str, permission: &str) -> impl Iterator<Item = &Permission> {
        let name = permission.to_uppercase();
        self.at_and_below(object_type).into_iter().filter_map(move |one| one.permissions.get(&name))
    }

    fn at_and_below(&self, object_type: &str) -> Vec<&ObjectType> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::from([object_type]);
        let mut next = vec![object_type];
        while let Some(name) = next.pop() {
            let Some(one) = self.types.get(name) else { continue };
            found.push(one);
            next.extend(one.children.iter().map(String::as_str).filter(|child| seen.insert(child)));
        }
        found
    }
}

/// A permission that is offered for reading or writing too is no administration.
fn is_admin(granted_with: &[GlobalPermission], counts_for: &[GlobalPermission]) -> bool {
    match granted_with {
        [] => counts_for.contains(&GlobalPermission::Admin),
        globals => globals.iter().all(|global| *global == GlobalPermission::Admin),
    }
}
