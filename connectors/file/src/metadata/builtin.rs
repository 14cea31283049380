//! The metadata of a source that says nothing about itself: a relational database.

use raito_connector::{
    AccessControlType, DataObjectType, DataSourceMetadata, Feature, FilterMetadata, GlobalPermission,
    Permission, UsageLevel, UsageMetadata,
};

use GlobalPermission::{Admin, Read, Write};

/// Databases, schemas, tables, views and columns, with the permissions of SQL; roles and policies; row filters;
/// usage by table.
pub(super) fn relational() -> DataSourceMetadata {
    let usage = permission("USAGE", "Reach what is inside.", Read);
    let create = permission("CREATE", "Create objects inside.", Admin);
    let select = permission("SELECT", "Read rows.", Read);
    let insert = permission("INSERT", "Add rows.", Write);
    let update = permission("UPDATE", "Change rows.", Write);
    let delete = permission("DELETE", "Remove rows.", Write);
    let truncate = permission("TRUNCATE", "Remove all rows.", Write);
    let references = permission("REFERENCES", "Refer to rows by foreign keys.", Admin);

    let container = vec![usage, create];
    let column = vec![select.clone(), insert.clone(), update.clone(), references.clone()];
    let table = vec![select.clone(), insert.clone(), update.clone(), delete.clone(), truncate, references];
    let view = vec![select, insert, update, delete];

    DataSourceMetadata {
        source_type: "file".to_owned(),
        icon: String::new(),
        object_types: vec![
            object_type("datasource", "Data source", vec![], &["database", "schema"]),
            object_type("database", "Database", container.clone(), &["schema"]),
            object_type("schema", "Schema", container, &["table", "view"]),
            object_type("table", "Table", table, &["column"]),
            object_type("view", "View", view, &["column"]),
            object_type("column", "Column", column, &[]),
        ],
        access_control_types: vec![control_type("role", "Role"), control_type("policy", "Policy")],
        features: vec![Feature::RowFiltering],
        supports_access_control_inheritance: true,
        usage: Some(UsageMetadata {
            default_level: "table".to_owned(),
            levels: vec![UsageLevel {
                name: "table".to_owned(),
                object_types: vec!["table".to_owned(), "view".to_owned()],
            }],
        }),
        masks: None,
        filters: Some(FilterMetadata {
            override_permissions: vec![],
            applicable_types: vec!["table".to_owned(), "view".to_owned()],
        }),
        shares: None,
    }
}

fn object_type(name: &str, label: &str, permissions: Vec<Permission>, children: &[&str]) -> DataObjectType {
    DataObjectType {
        name: name.to_owned(),
        category: name.to_owned(),
        label: label.to_owned(),
        icon: String::new(),
        permissions,
        actions: vec![],
        children: children.iter().map(|child| (*child).to_owned()).collect(),
        origin: None,
        share: None,
    }
}

/// A permission that is part of the named global permission and of the wider ones.
fn permission(name: &str, description: &str, narrowest: GlobalPermission) -> Permission {
    let global_permissions = match narrowest {
        Read => vec![Read, Write, Admin],
        Write => vec![Write, Admin],
        Admin => vec![Admin],
    };
    Permission {
        name: name.to_owned(),
        description: description.to_owned(),
        global_permissions,
        usage_global_permissions: vec![narrowest],
        cannot_be_granted: false,
    }
}

fn control_type(name: &str, label: &str) -> AccessControlType {
    AccessControlType {
        name: name.to_owned(),
        label: label.to_owned(),
        icon: String::new(),
        is_named_entity: true,
        can_be_created: false,
        can_be_assumed: false,
        can_assume_multiple: false,
        identity_store_type_for_who: None,
        allowed_who_access_control_types: vec![],
        common_parent_type: None,
    }
}
