//! Metadata: what kinds of objects, permissions and access controls a data source has.
//!
//! Inner members that are empty, `false` or nothing are not sent at all; the cloud takes these as defaults.
//! `supportsApInheritance` is always sent.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::graphql::{Operation, string};
use super::{CloudClient, CloudError};

/// Declares a record of which empty members are not sent.
macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($(#[$member_doc:meta])* $member:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name {
            $($(#[$member_doc])* #[serde(skip_serializing_if = "is_default")] pub $member: $kind,)*
        }
    };
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The metadata of a data source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DataSourceMetadata {
    /// Kinds of data objects.
    #[serde(skip_serializing_if = "is_default")]
    pub data_object_types: Vec<DataObjectType>,
    /// Kinds of access controls.
    #[serde(skip_serializing_if = "is_default")]
    pub access_provider_types: Vec<AccessProviderType>,
    /// Features, such as column masking.
    #[serde(skip_serializing_if = "is_default")]
    pub supported_features: Vec<String>,
    /// The kind of data source.
    #[serde(rename = "type", skip_serializing_if = "is_default")]
    pub kind: String,
    /// The name of its icon.
    #[serde(skip_serializing_if = "is_default")]
    pub icon: String,
    /// How usage is counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_meta_info: Option<UsageMetaInfo>,
    /// Whether access controls can inherit from each other.
    pub supports_ap_inheritance: bool,
    /// How columns are masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masking_metadata: Option<MaskingMetadata>,
    /// How rows are filtered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_metadata: Option<FilterMetadata>,
    /// How data is shared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_metadata: Option<ShareMetadata>,
}

/// A kind of data object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DataObjectType {
    /// Its name, by which everything refers to it.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// The cloud's kind that it is shown as.
    #[serde(rename = "type", skip_serializing_if = "is_default")]
    pub kind: String,
    /// What people read.
    #[serde(skip_serializing_if = "is_default")]
    pub label: String,
    /// The name of its icon.
    #[serde(skip_serializing_if = "is_default")]
    pub icon: String,
    /// What can be granted on it.
    #[serde(skip_serializing_if = "is_default")]
    pub permissions: Vec<Permission>,
    /// What can be done to it.
    #[serde(skip_serializing_if = "is_default")]
    pub actions: Vec<Action>,
    /// Names of the kinds below it.
    #[serde(skip_serializing_if = "is_default")]
    pub children: Vec<String>,
    /// Where its data comes from.
    #[serde(skip_serializing_if = "is_default")]
    pub data_origin: String,
    /// How it is shared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_properties: Option<ShareProperties>,
}

record! {
    /// Something that can be granted.
    Permission {
        /// Its name in the data source.
        permission: String,
        /// The cloud's permissions that include it.
        global_permissions: Vec<String>,
        /// What people read.
        description: String,
        /// Actions that it allows; deprecated.
        action: Vec<String>,
        /// The cloud's permissions whose usage counts for it.
        usage_global_permissions: Vec<String>,
        /// It exists but cannot be granted from the cloud.
        cannot_be_granted: bool,
    }
}

record! {
    /// Something that can be done.
    Action {
        /// Its name in the data source.
        action: String,
        /// The cloud's actions that it is.
        global_actions: Vec<String>,
    }
}

record! {
    /// How a kind of data object is shared.
    ShareProperties {
        /// Permissions that a share can give.
        shareable_permissions: Vec<String>,
        /// The kinds that it is on the other side.
        corresponding_shared_types: Vec<String>,
    }
}

/// A kind of access control.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AccessProviderType {
    /// Its name in the data source.
    #[serde(rename = "type", skip_serializing_if = "is_default")]
    pub kind: String,
    /// What people read.
    #[serde(skip_serializing_if = "is_default")]
    pub label: String,
    /// The name of its icon.
    #[serde(skip_serializing_if = "is_default")]
    pub icon: String,
    /// It has a name in the data source.
    #[serde(skip_serializing_if = "is_default")]
    pub is_named_entity: bool,
    /// It can be created from the cloud.
    #[serde(skip_serializing_if = "is_default")]
    pub can_be_created: bool,
    /// A user can assume it.
    #[serde(skip_serializing_if = "is_default")]
    pub can_be_assumed: bool,
    /// A user can assume several at once.
    #[serde(skip_serializing_if = "is_default")]
    pub can_assume_multiple: bool,
    /// Deprecated.
    #[serde(skip_serializing_if = "is_default")]
    pub contains_what: bool,
    /// Deprecated.
    #[serde(skip_serializing_if = "is_default")]
    pub contains_who: bool,
    /// Deprecated.
    #[serde(skip_serializing_if = "is_default")]
    pub who_input_types: Vec<String>,
    /// The identity store type that its who is taken from.
    #[serde(skip_serializing_if = "is_default")]
    pub identity_store_type_for_who: String,
    /// Kinds of access controls that can be its who.
    #[serde(skip_serializing_if = "is_default")]
    pub allowed_who_access_provider_types: Vec<String>,
    /// The kind that all its what must be below; sent even when empty, if set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub common_parent_type: Option<String>,
}

record! {
    /// How usage is counted.
    UsageMetaInfo {
        /// The level shown first.
        default_level: String,
        /// All levels.
        levels: Vec<UsageLevel>,
    }
}

record! {
    /// A level at which usage is counted.
    UsageLevel {
        /// Its name.
        name: String,
        /// Names of the kinds of data objects it covers.
        data_object_types: Vec<String>,
    }
}

record! {
    /// How columns are masked.
    MaskingMetadata {
        /// All masks.
        mask_types: Vec<MaskType>,
        /// The external id of the mask taken by default.
        default_mask_external_name: String,
        /// Permissions that see through masks.
        mask_override_permissions: Vec<String>,
        /// Kinds of data objects that can be masked.
        applicable_types: Vec<String>,
    }
}

record! {
    /// A mask.
    MaskType {
        /// What people read.
        display_name: String,
        /// Its id in the data source.
        external_id: String,
        /// What it does.
        description: String,
        /// Data types it works on.
        data_types: Vec<String>,
    }
}

record! {
    /// How rows are filtered.
    FilterMetadata {
        /// Permissions that see through filters.
        filter_override_permissions: Vec<String>,
        /// Kinds of data objects that can be filtered.
        applicable_types: Vec<String>,
    }
}

record! {
    /// How data is shared.
    ShareMetadata {
        /// Kinds of data objects that can be shared.
        applicable_types: Vec<String>,
        /// The kind that everything in a share must be below.
        common_parent_type: String,
        /// How the data source is known to others.
        data_source_share_identifier: String,
    }
}

/// The metadata of an identity store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IdentityStoreMetadata {
    /// The kind of identity store.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name of its icon.
    pub icon: String,
    /// Its users can be linked to those of another.
    pub can_be_linked: bool,
    /// It can be the one that others are linked to.
    pub can_be_master: bool,
}

impl DataSourceMetadata {
    /// Checks the usage levels: with any, the default must be one of them (letter case aside), and each may
    /// name declared kinds of data objects only.
    pub fn check(&self) -> Result<(), String> {
        let Some(usage) = self.usage_meta_info.as_ref().filter(|usage| !usage.levels.is_empty()) else {
            return Ok(());
        };
        if usage.default_level.is_empty() {
            return Err("there are usage levels but no default level".to_owned());
        }
        let default = usage.default_level.to_lowercase();
        if !usage.levels.iter().any(|level| level.name.to_lowercase() == default) {
            return Err(format!("the default usage level `{}` is not a level", usage.default_level));
        }
        let kinds: BTreeSet<&str> = self.data_object_types.iter().map(|kind| kind.name.as_str()).collect();
        for level in &usage.levels {
            if let Some(kind) = level.data_object_types.iter().find(|kind| !kinds.contains(kind.as_str())) {
                return Err(format!(
                    "the usage level `{}` names the data object type `{kind}`, which is not declared",
                    level.name
                ));
            }
        }
        Ok(())
    }
}

impl CloudClient {
    /// Tells what a data source has. The usage levels are checked before anything is sent.
    pub async fn set_data_source_metadata(
        &self,
        data_source: &str,
        metadata: &DataSourceMetadata,
    ) -> Result<(), CloudError> {
        let what = "the data source metadata";
        metadata.check().map_err(|reason| CloudError::Invalid { what, reason })?;
        let document = "mutation ($id:ID!$input:DataSourceMetaDataInput!)\
                        {setDataSourceMetaData(id: $id, input :$input)\
                        {... on DataSource{id},... on BaseError{message}}}";
        let variables = json!({ "id": data_source, "input": metadata });
        let operation = Operation::with_variables(what, document, variables).repeatable();
        let data = self.graphql(operation).await?;
        refused(what, &data, "setDataSourceMetaData")
    }

    /// Tells what an identity store is.
    pub async fn set_identity_store_metadata(
        &self,
        identity_store: &str,
        metadata: &IdentityStoreMetadata,
    ) -> Result<(), CloudError> {
        let what = "the identity store metadata";
        let name = "SetMetaData";
        let document = format!(
            "mutation {name} {{ setIdentityStoreMetaData(id: {}, input: {{ type: {}, icon: {}, canBeLinked: {}, \
             canBeMaster: {} }}) {{ ... on IdentityStore {{ id }} }} }}",
            string(identity_store),
            string(&metadata.kind),
            string(&metadata.icon),
            metadata.can_be_linked,
            metadata.can_be_master
        );
        let data: Value =
            self.graphql(Operation { name: Some(name), ..Operation::reading(what, document) }).await?;
        // The document asks for nothing but the id, so an error in its place arrives as an empty object.
        if data["setIdentityStoreMetaData"]["id"].is_null() {
            let messages =
                vec![format!("no access to the identity store `{identity_store}`, or it is not there")];
            return Err(CloudError::Graphql { what, messages });
        }
        Ok(())
    }
}

/// An error that came as data.
fn refused(what: &'static str, data: &Value, field: &str) -> Result<(), CloudError> {
    match data[field]["message"].as_str() {
        Some(message) if !message.is_empty() => {
            Err(CloudError::Graphql { what, messages: vec![message.to_owned()] })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_values_are_not_sent() {
        let bare = serde_json::to_value(DataSourceMetadata::default());
        assert_eq!(bare.ok(), Some(json!({ "supportsApInheritance": false })));
        let metadata = DataSourceMetadata {
            data_object_types: vec![DataObjectType {
                name: "table".into(),
                permissions: vec![Permission {
                    permission: "SELECT".into(),
                    cannot_be_granted: true,
                    ..Permission::default()
                }],
                ..DataObjectType::default()
            }],
            access_provider_types: vec![AccessProviderType {
                kind: "role".into(),
                can_be_created: true,
                common_parent_type: Some(String::new()),
                ..AccessProviderType::default()
            }],
            kind: "postgres".into(),
            ..DataSourceMetadata::default()
        };
        assert_eq!(
            serde_json::to_value(metadata).ok(),
            Some(json!({
                "dataObjectTypes": [{
                    "name": "table",
                    "permissions": [{ "permission": "SELECT", "cannotBeGranted": true }],
                }],
                "accessProviderTypes": [{ "type": "role", "canBeCreated": true, "commonParentType": "" }],
                "type": "postgres",
                "supportsApInheritance": false,
            }))
        );
    }

    #[test]
    fn usage_levels_are_checked() {
        let metadata = |default: &str, kind: &str| DataSourceMetadata {
            data_object_types: vec![DataObjectType { name: "table".into(), ..DataObjectType::default() }],
            usage_meta_info: Some(UsageMetaInfo {
                default_level: default.into(),
                levels: vec![UsageLevel { name: "Table".into(), data_object_types: vec![kind.into()] }],
            }),
            ..DataSourceMetadata::default()
        };
        assert_eq!(metadata("TABLE", "table").check(), Ok(()));
        assert!(metadata("", "table").check().is_err_and(|reason| reason.contains("no default")));
        assert!(metadata("row", "table").check().is_err_and(|reason| reason.contains("`row`")));
        assert!(metadata("table", "Table").check().is_err_and(|reason| reason.contains("not declared")));
        assert_eq!(DataSourceMetadata::default().check(), Ok(()));
    }
}
