//! What the data source is: its types, permissions and kinds of access controls.

use raito_connector::{
    AccessControlType, DataObjectType, DataSourceMetadata, Feature, FilterMetadata, GlobalPermission,
    Permission, UsageLevel, UsageMetadata,
};

use crate::vocabulary::{FUTURE_OBJECTS, Kind, OWNERSHIP, Privilege, future_permission};

/// The type of access controls that roles are.
pub(crate) const ROLE: &str = "role";
/// The type of access controls that are mere lists of grants.
pub(crate) const ACL_SET: &str = "aclSet";
/// The type of access controls that row-level security policies are.
pub(crate) const POLICY: &str = "policy";

/// Describes the data source.
pub fn metadata() -> DataSourceMetadata {
    let readable: Vec<String> =
        Kind::ALL.into_iter().filter(|kind| kind.is_relation()).map(|kind| kind.name().into()).collect();
    DataSourceMetadata {
        source_type: "postgresql".into(),
        icon: "postgresql".into(),
        object_types: std::iter::once(data_source()).chain(Kind::ALL.into_iter().map(object_type)).collect(),
        access_control_types: vec![
            AccessControlType {
                can_be_created: true,
                can_be_assumed: true,
                can_assume_multiple: false,
                allowed_who_access_control_types: vec![ROLE.into()],
                ..access_control_type(ROLE, "Role", true)
            },
            access_control_type(ACL_SET, "Grants", false),
            AccessControlType {
                can_be_created: true,
                allowed_who_access_control_types: vec![ROLE.into()],
                ..access_control_type(POLICY, "Row security policy", true)
            },
        ],
        features: vec![Feature::RowFiltering],
        supports_access_control_inheritance: true,
        usage: Some(UsageMetadata {
            default_level: "table".into(),
            levels: vec![UsageLevel { name: "table".into(), object_types: readable }],
        }),
        masks: None,
        filters: Some(FilterMetadata {
            override_permissions: vec![OWNERSHIP.into()],
            applicable_types: vec![Kind::Table.name().into()],
        }),
        shares: None,
    }
}

fn access_control_type(name: &str, label: &str, named: bool) -> AccessControlType {
    AccessControlType {
        name: name.into(),
        label: label.into(),
        icon: String::new(),
        is_named_entity: named,
        can_be_created: false,
        can_be_assumed: false,
        can_assume_multiple: false,
        identity_store_type_for_who: None,
        allowed_who_access_control_types: Vec::new(),
        common_parent_type: None,
    }
}

fn data_source() -> DataObjectType {
    DataObjectType {
        name: "datasource".into(),
        category: "datasource".into(),
        label: "Data source".into(),
        icon: String::new(),
        permissions: Vec::new(),
        actions: Vec::new(),
        children: vec![Kind::Database.name().into()],
        origin: None,
        share: None,
    }
}

fn object_type(kind: Kind) -> DataObjectType {
    let mut permissions: Vec<Permission> = kind.privileges().iter().map(permission).collect();
    if kind != Kind::Column {
        permissions.push(Permission {
            name: OWNERSHIP.into(),
            description: "Owns it: everything, also what is not granted.".into(),
            global_permissions: Vec::new(),
            usage_global_permissions: vec![
                GlobalPermission::Read,
                GlobalPermission::Write,
                GlobalPermission::Admin,
            ],
            cannot_be_granted: true,
        });
    }
    if matches!(kind, Kind::Database | Kind::Schema) {
        permissions.extend(FUTURE_OBJECTS.into_iter().flat_map(|(_, objects, privileges)| {
            privileges.iter().map(move |privilege| Permission {
                name: future_permission(privilege.name, objects),
                description: "Granted on objects that are created later.".into(),
                global_permissions: Vec::new(),
                usage_global_permissions: Vec::new(),
                cannot_be_granted: true,
            })
        }));
    }
    DataObjectType {
        name: kind.name().into(),
        category: if kind == Kind::ForeignTable { Kind::Table } else { kind }.name().into(),
        label: kind.label().into(),
        icon: String::new(),
        permissions,
        actions: Vec::new(),
        children: kind.children().iter().map(|child| child.name().into()).collect(),
        origin: None,
        share: None,
    }
}

fn permission(privilege: &Privilege) -> Permission {
    Permission {
        name: privilege.name.into(),
        description: privilege.description.into(),
        global_permissions: vec![privilege.global],
        usage_global_permissions: vec![privilege.global],
        cannot_be_granted: false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::metadata;

    #[test]
    fn types_permissions_and_children_are_consistent() {
        let metadata = metadata();
        let names: BTreeSet<_> = metadata.object_types.iter().map(|kind| kind.name.as_str()).collect();
        assert_eq!(names.len(), metadata.object_types.len());
        for kind in &metadata.object_types {
            assert!(kind.children.iter().all(|child| names.contains(child.as_str())), "{}", kind.name);
            let permissions: BTreeSet<_> = kind.permissions.iter().map(|one| &one.name).collect();
            assert_eq!(permissions.len(), kind.permissions.len(), "{}", kind.name);
        }
    }
}
