//! Delivers as many synthetic records as its parameter `count` says.

use raito_connector::prelude::*;
use raito_connector::{UsageLevel, UsageMetadata};
use raito_test_guests::{object, statement, user};

struct Synthetic {
    count: u64,
}

impl Connector for Synthetic {
    fn describe() -> ConnectorInfo {
        ConnectorInfo::new("synthetic", "0.1.0", "Delivers synthetic records.")
            .parameter(Parameter::new("count", "Records of each kind.").mandatory())
            .tag_source("synthetic")
    }

    fn open(parameters: &Parameters) -> Result<Self> {
        Ok(Synthetic { count: parameters.parsed("count", 0)? })
    }
}

impl IdentityStore for Synthetic {
    fn metadata(&mut self) -> Result<IdentityStoreMetadata> {
        Ok(IdentityStoreMetadata {
            store_type: "synthetic".into(),
            icon: String::new(),
            can_be_linked: false,
            can_be_master: false,
        })
    }

    fn sync(&mut self, users: &mut Users<'_>, _groups: &mut Groups<'_>) -> Result<()> {
        for number in 0..self.count {
            let made = user(number);
            users.push(User {
                external_id: made.external_id,
                name: made.name,
                user_name: made.user_name,
                email: made.email,
                group_external_ids: made.groups.into(),
                tags: made.tags.into_iter().map(|[key, value, source]| Tag { key, value, source }).collect(),
                is_machine: Some(number % 50 == 0),
            })?;
        }
        Ok(())
    }
}

impl DataSource for Synthetic {
    fn metadata(&mut self) -> Result<DataSourceMetadata> {
        let object_type = |name: &str, children: &[&str]| DataObjectType {
            name: name.into(),
            category: name.into(),
            label: name.into(),
            icon: String::new(),
            permissions: vec![],
            actions: vec![],
            children: children.iter().map(|child| (*child).into()).collect(),
            origin: None,
            share: None,
        };
        Ok(DataSourceMetadata {
            source_type: "synthetic".into(),
            icon: String::new(),
            object_types: vec![
                object_type("datasource", &["schema"]),
                object_type("schema", &["table"]),
                object_type("table", &["column"]),
                object_type("column", &[]),
            ],
            access_control_types: vec![],
            features: vec![],
            supports_access_control_inheritance: false,
            usage: Some(UsageMetadata {
                default_level: "table".into(),
                levels: vec![UsageLevel { name: "table".into(), object_types: vec!["table".into()] }],
            }),
            masks: None,
            filters: None,
            shares: None,
        })
    }

    fn sync(&mut self, _scope: &SyncScope, objects: &mut DataObjects<'_>) -> Result<()> {
        for number in 0..self.count {
            let made = object(number);
            objects.push(DataObject {
                external_id: made.external_id,
                name: made.name,
                full_name: made.full_name,
                object_type: made.object_type.into(),
                description: made.description,
                parent_external_id: made.parent,
                tags: vec![],
                data_type: None,
                share_provider_identifier: None,
                share_identifier: None,
            })?;
        }
        Ok(())
    }
}

impl DataUsage for Synthetic {
    fn sync(&mut self, _known: &KnownPeriod, statements: &mut Statements<'_>) -> Result<()> {
        for number in 0..self.count {
            let made = statement(number);
            statements.push(Statement {
                external_id: made.external_id,
                user: made.user,
                role: made.role,
                success: true,
                status: "SUCCESS".into(),
                query: made.query,
                start_time: Some(made.start),
                end_time: Some(made.start + 1500),
                bytes: 4096,
                rows: number % 1000,
                credits: None,
                accessed: made
                    .tables
                    .into_iter()
                    .map(|full_name| AccessedObject {
                        object: DataObjectReference { full_name, object_type: "table".into() },
                        permission: Some(GlobalPermission::Read),
                    })
                    .collect(),
                error: String::new(),
            })?;
        }
        Ok(())
    }
}

raito_connector::export!(Synthetic: identity_store, data_source, data_usage);
