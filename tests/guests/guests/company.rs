//! A whole company in memory: all four interfaces, with access controls that can be applied. What was applied is
//! not kept: each call has an instance of its own.

use raito_connector::prelude::*;

struct Company {
    users: u32,
    failing: Option<String>,
}

impl Connector for Company {
    fn describe() -> ConnectorInfo {
        ConnectorInfo::new("company", "1.2.3", "A company in memory.")
            .parameter(Parameter::new("users", "How many people work there.").default("3"))
            .parameter(Parameter::new("failing", "Name of an access control that cannot be applied."))
            .tag_source("company")
    }

    fn open(parameters: &Parameters) -> Result<Self> {
        Ok(Company {
            users: parameters.parsed("users", 3)?,
            failing: parameters.optional("failing").map(str::to_owned),
        })
    }
}

impl IdentityStore for Company {
    fn metadata(&mut self) -> Result<IdentityStoreMetadata> {
        Ok(IdentityStoreMetadata {
            store_type: "company".into(),
            icon: "building".into(),
            can_be_linked: true,
            can_be_master: true,
        })
    }

    fn sync(&mut self, users: &mut Users<'_>, groups: &mut Groups<'_>) -> Result<()> {
        groups.push(Group {
            external_id: "everyone".into(),
            name: "everyone".into(),
            display_name: "Everyone".into(),
            description: "All people <of the company> & friends".into(),
            parent_group_external_ids: vec![],
            tags: vec![],
        })?;
        for number in 1..=self.users {
            users.push(User {
                external_id: format!("u{number}"),
                name: format!("Person {number}"),
                user_name: format!("person{number}"),
                email: format!("person{number}@example.com"),
                group_external_ids: vec!["everyone".into()],
                tags: vec![Tag { key: "kind".into(), value: "robot".into(), source: "company".into() }],
                is_machine: None,
            })?;
        }
        Ok(())
    }
}

fn permission(name: &str) -> Permission {
    Permission {
        name: name.into(),
        description: String::new(),
        global_permissions: vec![GlobalPermission::Read, GlobalPermission::Write, GlobalPermission::Admin],
        usage_global_permissions: vec![GlobalPermission::Read],
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
        actions: vec![],
        children: children.iter().map(|child| (*child).into()).collect(),
        origin: None,
        share: None,
    }
}

impl DataSource for Company {
    fn metadata(&mut self) -> Result<DataSourceMetadata> {
        Ok(DataSourceMetadata {
            source_type: "company".into(),
            icon: "building".into(),
            object_types: vec![
                object_type("datasource", vec![], &["cabinet"]),
                object_type("cabinet", vec![], &["folder"]),
                object_type("folder", vec![permission("OPEN")], &[]),
            ],
            access_control_types: vec![AccessControlType {
                name: "key".into(),
                label: "Key".into(),
                icon: String::new(),
                is_named_entity: true,
                can_be_created: true,
                can_be_assumed: false,
                can_assume_multiple: false,
                identity_store_type_for_who: None,
                allowed_who_access_control_types: vec!["key".into()],
                common_parent_type: None,
            }],
            features: vec![],
            supports_access_control_inheritance: true,
            usage: None,
            masks: None,
            filters: None,
            shares: None,
        })
    }

    fn sync(&mut self, _scope: &SyncScope, objects: &mut DataObjects<'_>) -> Result<()> {
        let object = |full_name: &str, name: &str, object_type: &str, parent: &str| DataObject {
            external_id: full_name.into(),
            name: name.into(),
            full_name: full_name.into(),
            object_type: object_type.into(),
            description: String::new(),
            parent_external_id: parent.into(),
            tags: vec![Tag { key: "keeper".into(), value: "person1".into(), source: "company".into() }],
            data_type: None,
            share_provider_identifier: None,
            share_identifier: None,
        };
        objects.set_root(&RootObject {
            name: "Company".into(),
            full_name: "company".into(),
            description: "The filing room".into(),
        })?;
        objects.push(object("hr", "hr", "cabinet", ""))?;
        objects.push(object("hr.salaries", "salaries", "folder", "hr"))
    }
}

impl Access for Company {
    fn capabilities() -> AccessCapabilities {
        AccessCapabilities { apply: true, partial_apply: false }
    }

    fn read(&mut self, controls: &mut AccessControls<'_>) -> Result<()> {
        for (name, incomplete) in [("hr-prod", false), ("hr-test", true)] {
            controls.push(AccessControl {
                external_id: name.into(),
                name: name.into(),
                naming_hint: name.into(),
                actual_name: name.into(),
                control_type: Some("key".into()),
                action: Action::Grant,
                policy: String::new(),
                who: Some(Who {
                    users: vec!["person1".into()],
                    groups: vec!["everyone".into()],
                    access_controls: vec![],
                    recipients: vec![],
                }),
                what: vec![WhatItem {
                    object: DataObjectReference {
                        full_name: "hr.salaries".into(),
                        object_type: "folder".into(),
                    },
                    permissions: vec!["OPEN".into()],
                }],
                locks: Locks {
                    who: None,
                    inheritance: None,
                    what: None,
                    name: None,
                    delete: Some(Lock { reason: Some("keys are never thrown away".into()) }),
                    owners: None,
                    everything: false,
                },
                incomplete,
                tags: vec![Tag { key: "stage".into(), value: name[3..].into(), source: "company".into() }],
                common_what_object: None,
            })?;
        }
        Ok(())
    }

    fn plan(&mut self, _: &ApplyOptions, _: &mut DesiredAccessControls<'_>, _: &mut Plans<'_>) -> Result<()> {
        Err(Error::unsupported("a company in memory has no plans"))
    }

    fn apply(
        &mut self,
        _: &ApplyOptions,
        desired: &mut DesiredAccessControls<'_>,
        feedback: &mut Feedback<'_>,
    ) -> Result<()> {
        for control in desired {
            let control = control?;
            let failing = self.failing.as_ref() == Some(&control.name);
            feedback.push(AccessControlFeedback {
                external_id: Some(format!("key:{}", control.name)),
                actual_name: control.name,
                control_type: Some("key".into()),
                operations: u32::from(control.actual_name.is_none() && !failing),
                errors: if failing { vec!["the lock is rusty".into()] } else { vec![] },
                warnings: vec![],
                id: control.id,
            })?;
        }
        Ok(())
    }
}

impl DataUsage for Company {
    fn sync(&mut self, known: &KnownPeriod, statements: &mut Statements<'_>) -> Result<()> {
        for number in 0..5_u64 {
            let start = 1_760_000_000_000 + number * 60_000;
            if known.last.is_some_and(|last| start < last) {
                continue;
            }
            statements.push(Statement {
                external_id: format!("s{number}"),
                user: "person1".into(),
                role: String::new(),
                success: true,
                status: String::new(),
                query: "open hr.salaries".into(),
                start_time: Some(start),
                end_time: Some(start + 1000),
                bytes: 0,
                rows: 1,
                credits: None,
                accessed: vec![AccessedObject {
                    object: DataObjectReference {
                        full_name: "hr.salaries".into(),
                        object_type: "folder".into(),
                    },
                    permission: Some(GlobalPermission::Read),
                }],
                error: String::new(),
            })?;
        }
        Ok(())
    }
}

raito_connector::export!(Company: identity_store, data_source, access, data_usage);
