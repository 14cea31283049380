//! Files against the words of a target.

use super::{Folder, told};
use crate::access_file::Vocabulary;
use crate::contract::exports::data_source::{
    AccessControlType, DataObjectType, DataSourceMetadata, Feature, FilterMetadata, Permission,
};
use crate::contract::types::GlobalPermission;
use crate::records::desired;

fn permission(name: &str, global: GlobalPermission) -> Permission {
    Permission {
        name: name.into(),
        description: String::new(),
        global_permissions: vec![global],
        usage_global_permissions: vec![global],
        cannot_be_granted: false,
    }
}

fn object_type(name: &str, permissions: Vec<Permission>, children: &[&str]) -> DataObjectType {
    DataObjectType {
        name: name.into(),
        category: name.into(),
        label: name.into(),
        icon: String::new(),
        permissions,
        actions: Vec::new(),
        children: children.iter().map(ToString::to_string).collect(),
        origin: None,
        share: None,
    }
}

fn control_type(name: &str, can_be_created: bool) -> AccessControlType {
    AccessControlType {
        name: name.into(),
        label: name.into(),
        icon: String::new(),
        is_named_entity: true,
        can_be_created,
        can_be_assumed: false,
        can_assume_multiple: false,
        identity_store_type_for_who: None,
        allowed_who_access_control_types: Vec::new(),
        common_parent_type: None,
    }
}

/// Schemas with tables with columns; roles and filters.
pub(super) fn vocabulary() -> Vocabulary {
    let ownership = Permission {
        global_permissions: Vec::new(),
        usage_global_permissions: vec![GlobalPermission::Read, GlobalPermission::Admin],
        cannot_be_granted: true,
        ..permission("OWNERSHIP", GlobalPermission::Admin)
    };
    let table = vec![
        permission("SELECT", GlobalPermission::Read),
        permission("TRUNCATE", GlobalPermission::Admin),
        ownership,
    ];
    Vocabulary::from_metadata(&DataSourceMetadata {
        source_type: "test".into(),
        icon: String::new(),
        object_types: vec![
            object_type("schema", vec![permission("USAGE", GlobalPermission::Read)], &["table", "schema"]),
            object_type("table", table, &["column"]),
            object_type("column", vec![permission("SELECT", GlobalPermission::Read)], &[]),
            object_type("sequence", Vec::new(), &[]),
        ],
        access_control_types: vec![control_type("role", true), control_type("aclSet", false)],
        features: vec![Feature::RowFiltering],
        supports_access_control_inheritance: true,
        usage: None,
        masks: None,
        filters: Some(FilterMetadata {
            override_permissions: Vec::new(),
            applicable_types: vec!["table".into()],
        }),
        shares: None,
    })
}

#[test]
fn administration_is_known_with_what_is_below() {
    let vocabulary = vocabulary();
    for (object_type, permission, admin) in [
        ("table", "truncate", true),
        ("schema", "TRUNCATE", true),
        ("table", "ownership", true),
        ("table", "SELECT", false),
        ("column", "TRUNCATE", false),
        ("view", "TRUNCATE", false),
    ] {
        assert_eq!(vocabulary.is_admin(object_type, permission), admin, "{permission} on {object_type}");
    }
}

#[test]
fn words_are_those_of_the_target() {
    let text = "
accessProviders:
  - name: A
    type: rol
    what:
      - { dataObject: { fullName: s.t, type: tabel }, permissions: [whatever] }
      - { dataObject: { fullName: s.t, type: table }, permissions: [SELCT, ownership, USAGE] }
      - { dataObject: { fullName: s.q, type: sequence }, permissions: [READ] }
  - { name: B, action: mask, type: SHA256, what: [{ dataObject: { fullName: s.t.c, type: column } }] }
  - name: C
    action: filtered
    policyRule: x
    what: [{ dataObject: { fullName: s.t.c, type: column } }]
  - { name: D, action: share, who: { recipients: [x] } }
";
    assert_eq!(
        told(&[("a.yml", text)], Some(&vocabulary())).0,
        [
            "a.yml:4:11: there is no type of access controls `rol` (access control `A`) | did you mean `role`?",
            "a.yml:6:46: there is no type of data objects `tabel` (access control `A`) | did you mean `table`?",
            "a.yml:7:69: there is no permission `SELCT` on `table` (access control `A`) | did you mean `SELECT`?",
            "a.yml:7:76: `OWNERSHIP` on `table` cannot be granted (access control `A`)",
            "a.yml:7:87: there is no permission `USAGE` on `table` (access control `A`) | known here are `SELECT`, `TRUNCATE`",
            "a.yml:8:72: there is no permission `READ` on `sequence` (access control `A`) | nothing can be granted on `sequence`",
            "a.yml:9:24: the target has no masks (access control `B`) | remove this access provider",
            "a.yml:13:51: a filter cannot be put on the type `column` (access control `C`) | possible types are `table`",
            "a.yml:14:24: the target has no shares (access control `D`) | remove this access provider",
        ]
    );
}

#[test]
fn permissions_are_spelled_as_the_target_does() {
    let text = "
accessProviders:
  - name: A
    type: aclSet
    what: [{ dataObject: { fullName: s, type: schema }, permissions: [select, Usage] }]
";
    let folder = Folder::new(&[("a.yml", text)]);
    let file = folder.load(&folder.path(), Some(&vocabulary())).unwrap();
    assert_eq!(file.warnings.len(), 1);
    assert_eq!(file.warnings[0].message, "access controls of the type `aclSet` cannot be made");
    let mut permissions = Vec::new();
    desired::read(&folder.0.path().join("spool.json"), |control| {
        permissions.extend(control.what.into_iter().flat_map(|item| item.permissions));
        Ok(())
    })
    .unwrap();
    assert_eq!(permissions, ["SELECT", "USAGE"]);
}
