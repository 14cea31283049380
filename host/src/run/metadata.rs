//! Metadata of the contract in the words of Raito's protocol.

use crate::cloud_client::metadata as wire;
use crate::contract::exports::data_source as contract;
use crate::contract::exports::identity_store::IdentityStoreMetadata;
use crate::contract::types::GlobalPermission;
use crate::records::statement::global_permission;

pub(super) fn identity_store(found: IdentityStoreMetadata) -> wire::IdentityStoreMetadata {
    wire::IdentityStoreMetadata {
        kind: found.store_type,
        icon: found.icon,
        can_be_linked: found.can_be_linked,
        can_be_master: found.can_be_master,
    }
}

pub(super) fn data_source(found: contract::DataSourceMetadata) -> wire::DataSourceMetadata {
    wire::DataSourceMetadata {
        data_object_types: found.object_types.into_iter().map(object_type).collect(),
        access_provider_types: found.access_control_types.into_iter().map(control_type).collect(),
        supported_features: found.features.into_iter().map(|feature| feature_name(feature).into()).collect(),
        kind: found.source_type,
        icon: found.icon,
        usage_meta_info: found.usage.map(|usage| wire::UsageMetaInfo {
            default_level: usage.default_level,
            levels: usage
                .levels
                .into_iter()
                .map(|level| wire::UsageLevel { name: level.name, data_object_types: level.object_types })
                .collect(),
        }),
        supports_ap_inheritance: found.supports_access_control_inheritance,
        masking_metadata: found.masks.map(|masks| wire::MaskingMetadata {
            mask_types: masks
                .mask_types
                .into_iter()
                .map(|mask| wire::MaskType {
                    display_name: mask.display_name,
                    external_id: mask.external_id,
                    description: mask.description,
                    data_types: mask.data_types,
                })
                .collect(),
            default_mask_external_name: masks.default_mask,
            mask_override_permissions: masks.override_permissions,
            applicable_types: masks.applicable_types,
        }),
        filter_metadata: found.filters.map(|filters| wire::FilterMetadata {
            filter_override_permissions: filters.override_permissions,
            applicable_types: filters.applicable_types,
        }),
        share_metadata: found.shares.map(|shares| wire::ShareMetadata {
            applicable_types: shares.applicable_types,
            common_parent_type: shares.common_parent_type,
            data_source_share_identifier: shares.data_source_share_identifier,
        }),
    }
}

fn object_type(found: contract::DataObjectType) -> wire::DataObjectType {
    wire::DataObjectType {
        name: found.name,
        kind: found.category,
        label: found.label,
        icon: found.icon,
        permissions: found.permissions.into_iter().map(permission).collect(),
        actions: found
            .actions
            .into_iter()
            .map(|action| wire::Action {
                action: action.name,
                global_actions: words(&action.global_permissions),
            })
            .collect(),
        children: found.children,
        data_origin: match found.origin {
            None => String::new(),
            Some(contract::DataOrigin::Internal) => "Internal".into(),
            Some(contract::DataOrigin::External) => "External".into(),
            Some(contract::DataOrigin::Shared) => "Shared".into(),
        },
        share_properties: found.share.map(|share| wire::ShareProperties {
            shareable_permissions: share.shareable_permissions,
            corresponding_shared_types: share.corresponding_shared_types,
        }),
    }
}

fn permission(found: contract::Permission) -> wire::Permission {
    wire::Permission {
        permission: found.name,
        global_permissions: words(&found.global_permissions),
        description: found.description,
        action: Vec::new(),
        usage_global_permissions: words(&found.usage_global_permissions),
        cannot_be_granted: found.cannot_be_granted,
    }
}

fn control_type(found: contract::AccessControlType) -> wire::AccessProviderType {
    wire::AccessProviderType {
        kind: found.name,
        label: found.label,
        icon: found.icon,
        is_named_entity: found.is_named_entity,
        can_be_created: found.can_be_created,
        can_be_assumed: found.can_be_assumed,
        can_assume_multiple: found.can_assume_multiple,
        identity_store_type_for_who: found.identity_store_type_for_who.unwrap_or_default(),
        allowed_who_access_provider_types: found.allowed_who_access_control_types,
        common_parent_type: found.common_parent_type,
        ..wire::AccessProviderType::default()
    }
}

fn feature_name(feature: contract::Feature) -> &'static str {
    match feature {
        contract::Feature::ColumnMasking => "columnMasking",
        contract::Feature::RowFiltering => "rowFiltering",
        contract::Feature::ColumnFiltering => "columnFiltering",
        contract::Feature::DataSharing => "dataSharing",
    }
}

fn words(permissions: &[GlobalPermission]) -> Vec<String> {
    permissions.iter().map(|permission| global_permission(*permission).to_owned()).collect()
}
