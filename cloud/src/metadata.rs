//! What a connector says about its data source: object types, permissions, kinds of access controls.
//!
//! The client leaves out members that are false or empty, so everything has a default. The metadata is
//! stored as it came, checked, and read when an access file is written.

use async_graphql::InputObject;
use serde::{Deserialize, Serialize};

/// The metadata of a data source.
#[derive(Debug, Clone, Default, Serialize, Deserialize, InputObject)]
#[serde(default, rename_all = "camelCase")]
#[graphql(name = "DataSourceMetaDataInput")]
#[expect(clippy::struct_field_names, reason = "the names are those of the format")]
pub(crate) struct Metadata {
    #[graphql(default)]
    pub(crate) data_object_types: Vec<DataObjectType>,
    #[graphql(default)]
    pub(crate) access_provider_types: Vec<AccessProviderType>,
    #[graphql(default)]
    pub(crate) supported_features: Vec<String>,
    #[graphql(name = "type", default)]
    #[serde(rename = "type")]
    pub(crate) source_type: String,
    #[graphql(default)]
    pub(crate) icon: String,
    pub(crate) usage_meta_info: Option<UsageMetadata>,
    #[graphql(default)]
    pub(crate) supports_ap_inheritance: bool,
    pub(crate) masking_metadata: Option<MaskingMetadata>,
    pub(crate) filter_metadata: Option<FilterMetadata>,
    pub(crate) share_metadata: Option<ShareMetadata>,
}

/// A type of data objects.
#[derive(Debug, Clone, Default, Serialize, Deserialize, InputObject)]
#[serde(default, rename_all = "camelCase")]
#[graphql(name = "DataObjectTypeInput")]
pub(crate) struct DataObjectType {
    #[graphql(default)]
    pub(crate) name: String,
    #[graphql(name = "type", default)]
    #[serde(rename = "type")]
    pub(crate) base_type: String,
    #[graphql(default)]
    pub(crate) label: String,
    #[graphql(default)]
    pub(crate) icon: String,
    #[graphql(default)]
    pub(crate) permissions: Vec<ObjectPermission>,
    #[graphql(default)]
    pub(crate) actions: Vec<ObjectAction>,
    #[graphql(default)]
    pub(crate) children: Vec<String>,
    #[graphql(default)]
    pub(crate) data_origin: String,
    pub(crate) share_properties: Option<ShareProperties>,
}

/// A permission on a type of data objects.
#[derive(Debug, Clone, Default, Serialize, Deserialize, InputObject)]
#[serde(default, rename_all = "camelCase")]
#[graphql(name = "DataObjectTypePermissionInput")]
pub(crate) struct ObjectPermission {
    #[graphql(default)]
    pub(crate) permission: String,
    /// The words of read, write and admin that include this permission.
    #[graphql(default)]
    pub(crate) global_permissions: Vec<String>,
    #[graphql(default)]
    pub(crate) description: String,
    #[graphql(default)]
    pub(crate) action: Vec<String>,
    #[graphql(default)]
    pub(crate) usage_global_permissions: Vec<String>,
    #[graphql(default)]
    pub(crate) cannot_be_granted: bool,
}

/// An action on a type of data objects.
#[derive(Debug, Clone, Default, Serialize, Deserialize, InputObject)]
#[serde(default, rename_all = "camelCase")]
#[graphql(name = "DataObjectTypeActionInput")]
pub(crate) struct ObjectAction {
    #[graphql(default)]
    pub(crate) action: String,
    #[graphql(default)]
    pub(crate) global_actions: Vec<String>,
}

/// How objects of a type can be shared.
#[derive(Debug, Clone, Default, Serialize, Deserialize, InputObject)]
#[serde(default, rename_all = "camelCase")]
#[graphql(name = "DataObjectTypeSharePropertiesInput")]
pub(crate) struct ShareProperties {
    #[graphql(default)]
    pub(crate) shareable_permissions: Vec<String>,
    #[graphql(default)]
    pub(crate) corresponding_shared_types: Vec<String>,
}

/// A kind of access controls in the target.
#[derive(Debug, Clone, Default, Serialize, Deserialize, InputObject)]
#[serde(default, rename_all = "camelCase")]
#[graphql(name = "AccessProviderTypeInput")]
pub(crate) struct AccessProviderType {
    #[graphql(name = "type", default)]
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[graphql(default)]
    pub(crate) label: String,
    #[graphql(default)]
    pub(crate) icon: String,
    #[graphql(default)]
    pub(crate) is_named_entity: bool,
    #[graphql(default)]
    pub(crate) can_be_created: bool,
    #[graphql(default)]
    pub(crate) can_be_assumed: bool,
    #[graphql(default)]
    pub(crate) can_assume_multiple: bool,
    #[graphql(default)]
    pub(crate) contains_what: bool,
    #[graphql(default)]
    pub(crate) contains_who: bool,
    #[graphql(default)]
    pub(crate) who_input_types: Vec<String>,
    #[graphql(default)]
    pub(crate) identity_store_type_for_who: String,
    #[graphql(default)]
    pub(crate) allowed_who_access_provider_types: Vec<String>,
    #[graphql(default)]
    pub(crate) common_parent_type: String,
}

/// At which level usage is measured.
#[derive(Debug, Clone, Default, Serialize, Deserialize, InputObject)]
#[serde(default, rename_all = "camelCase")]
#[graphql(name = "UsageMetaInfoInput")]
pub(crate) struct UsageMetadata {
    #[graphql(default)]
    pub(crate) default_level: String,
    #[graphql(default)]
    pub(crate) levels: Vec<UsageLevel>,
}

/// A level of usage.
#[derive(Debug, Clone, Default, Serialize, Deserialize, InputObject)]
#[serde(default, rename_all = "camelCase")]
#[graphql(name = "UsageMetaInfoLevelInput")]
pub(crate) struct UsageLevel {
    #[graphql(default)]
    pub(crate) name: String,
    #[graphql(default)]
    pub(crate) data_object_types: Vec<String>,
}

/// The masks that the source offers.
#[derive(Debug, Clone, Default, Serialize, Deserialize, InputObject)]
#[serde(default, rename_all = "camelCase")]
#[graphql(name = "MaskingMetadataInput")]
pub(crate) struct MaskingMetadata {
    #[graphql(default)]
    pub(crate) mask_types: Vec<MaskType>,
    #[graphql(default)]
    pub(crate) default_mask_external_name: String,
    #[graphql(default)]
    pub(crate) mask_override_permissions: Vec<String>,
    #[graphql(default)]
    pub(crate) applicable_types: Vec<String>,
}

/// A mask.
#[derive(Debug, Clone, Default, Serialize, Deserialize, InputObject)]
#[serde(default, rename_all = "camelCase")]
#[graphql(name = "MaskTypeInput")]
pub(crate) struct MaskType {
    #[graphql(default)]
    pub(crate) display_name: String,
    #[graphql(default)]
    pub(crate) external_id: String,
    #[graphql(default)]
    pub(crate) description: String,
    #[graphql(default)]
    pub(crate) data_types: Vec<String>,
}

/// Row filters of the source.
#[derive(Debug, Clone, Default, Serialize, Deserialize, InputObject)]
#[serde(default, rename_all = "camelCase")]
#[graphql(name = "FilterMetadataInput")]
pub(crate) struct FilterMetadata {
    #[graphql(default)]
    pub(crate) filter_override_permissions: Vec<String>,
    #[graphql(default)]
    pub(crate) applicable_types: Vec<String>,
}

/// Shares of the source.
#[derive(Debug, Clone, Default, Serialize, Deserialize, InputObject)]
#[serde(default, rename_all = "camelCase")]
#[graphql(name = "ShareMetadataInput")]
pub(crate) struct ShareMetadata {
    #[graphql(default)]
    pub(crate) applicable_types: Vec<String>,
    #[graphql(default)]
    pub(crate) common_parent_type: String,
    #[graphql(default)]
    pub(crate) data_source_share_identifier: String,
}

impl Metadata {
    /// Refuses metadata that contradicts itself; the same rules as in the client.
    pub(crate) fn check(&self) -> Result<(), String> {
        let Some(usage) = &self.usage_meta_info else { return Ok(()) };
        if usage.levels.is_empty() {
            return Ok(());
        }
        if !usage.levels.iter().any(|level| level.name.eq_ignore_ascii_case(&usage.default_level)) {
            return Err(format!(
                "the default usage level `{}` is not one of the levels",
                usage.default_level
            ));
        }
        for level in &usage.levels {
            for name in &level.data_object_types {
                if self.object_type(name).is_none() {
                    return Err(format!(
                        "usage level `{}` names the unknown object type `{name}`",
                        level.name
                    ));
                }
            }
        }
        Ok(())
    }

    fn object_type(&self, name: &str) -> Option<&DataObjectType> {
        self.data_object_types.iter().find(|object_type| object_type.name == name)
    }

    /// Type, word and permission, for everything that read, write and admin can stand for.
    pub(crate) fn global_meanings(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.data_object_types.iter().flat_map(|object_type| {
            let grantable = object_type.permissions.iter().filter(|permission| !permission.cannot_be_granted);
            grantable.flat_map(|permission| {
                permission
                    .global_permissions
                    .iter()
                    .map(|word| (object_type.name.as_str(), word.as_str(), permission.permission.as_str()))
            })
        })
    }

    /// The types that an access control with this action can have in the source; none when it does not say.
    pub(crate) fn kinds_of(&self, action: &str) -> Option<Vec<&str>> {
        let known: Vec<&str> = match action {
            "Mask" => self
                .masking_metadata
                .iter()
                .flat_map(|m| &m.mask_types)
                .map(|m| m.external_id.as_str())
                .collect(),
            "Grant" | "Purpose" => self.access_provider_types.iter().map(|kind| kind.kind.as_str()).collect(),
            _ => Vec::new(),
        };
        (!known.is_empty()).then_some(known)
    }

    /// The type that a grant has when nothing else is said: the first that can be created.
    pub(crate) fn default_kind(&self) -> Option<&str> {
        let creatable = self.access_provider_types.iter().find(|kind| kind.can_be_created);
        creatable.or(self.access_provider_types.first()).map(|kind| kind.kind.as_str())
    }

    /// The types of data objects that an access control with this action can be for; all when it does not say.
    pub(crate) fn object_types_of(&self, action: &str) -> Option<&[String]> {
        match action {
            "Filtered" => self.filter_metadata.as_ref().map(|filters| filters.applicable_types.as_slice()),
            "Share" => self.share_metadata.as_ref().map(|shares| shares.applicable_types.as_slice()),
            _ => None,
        }
    }

    /// Which types of access controls may be members of which others: pairs of holder and member. Types that
    /// say nothing are not listed; see [`Metadata::closed_kinds`].
    pub(crate) fn inheritance(&self) -> impl Iterator<Item = (&str, &str)> {
        self.access_provider_types.iter().flat_map(|kind| {
            kind.allowed_who_access_provider_types.iter().map(|member| (kind.kind.as_str(), member.as_str()))
        })
    }

    /// The types of access controls that say which others may be members.
    pub(crate) fn closed_kinds(&self) -> impl Iterator<Item = &str> {
        let says = |kind: &&AccessProviderType| {
            !kind.allowed_who_access_provider_types.is_empty()
                || (!kind.who_input_types.is_empty()
                    && !kind.who_input_types.iter().any(|word| word.eq_ignore_ascii_case("accessProvider")))
        };
        self.access_provider_types.iter().filter(says).map(|kind| kind.kind.as_str())
    }

    /// Whether the source has groups in its who-lists. Sources that do not say have them.
    pub(crate) fn knows_groups(&self) -> bool {
        let mut declared =
            self.access_provider_types.iter().flat_map(|kind| &kind.who_input_types).peekable();
        declared.peek().is_none() || declared.any(|word| word.eq_ignore_ascii_case("group"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Metadata {
        let permission = |name: &str, global: &[&str]| ObjectPermission {
            permission: name.to_owned(),
            global_permissions: global.iter().map(|word| (*word).to_owned()).collect(),
            ..ObjectPermission::default()
        };
        Metadata {
            data_object_types: vec![DataObjectType {
                name: "table".to_owned(),
                permissions: vec![
                    permission("SELECT", &["read", "write", "admin"]),
                    permission("INSERT", &["write", "admin"]),
                    ObjectPermission { cannot_be_granted: true, ..permission("OWN", &["admin"]) },
                ],
                ..DataObjectType::default()
            }],
            ..Metadata::default()
        }
    }

    #[test]
    fn global_permissions_unpack_by_type() {
        let metadata = table();
        let expand = |word: &str| -> Vec<&str> {
            let meanings = metadata.global_meanings().filter(|(_, meant, _)| *meant == word);
            meanings.map(|(_, _, permission)| permission).collect()
        };
        assert_eq!(expand("read"), ["SELECT"]);
        assert_eq!(expand("write"), ["SELECT", "INSERT"]);
        assert_eq!(expand("admin"), ["SELECT", "INSERT"]);
    }

    #[test]
    fn usage_levels_must_exist() {
        let mut metadata = table();
        let level = UsageLevel { name: "Table".to_owned(), data_object_types: vec!["table".to_owned()] };
        metadata.usage_meta_info =
            Some(UsageMetadata { default_level: "table".to_owned(), levels: vec![level] });
        assert_eq!(metadata.check(), Ok(()));
        if let Some(usage) = &mut metadata.usage_meta_info {
            usage.default_level = "file".to_owned();
        }
        assert!(metadata.check().is_err());
    }

    #[test]
    fn groups_are_known_unless_the_types_say_otherwise() {
        let mut metadata = table();
        assert!(metadata.knows_groups());
        let kind = |words: &[&str]| AccessProviderType {
            who_input_types: words.iter().map(|word| (*word).to_owned()).collect(),
            ..AccessProviderType::default()
        };
        metadata.access_provider_types = vec![kind(&["user"])];
        assert!(!metadata.knows_groups());
        metadata.access_provider_types.push(kind(&["user", "group"]));
        assert!(metadata.knows_groups());
    }
}
