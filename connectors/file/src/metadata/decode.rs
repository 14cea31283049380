//! The file `data-source`, whose fields are those of the contract.

use std::collections::BTreeSet;

use raito_connector::{
    AccessControlType, ActionType, DataObjectType, DataOrigin, DataSourceMetadata, Feature, FilterMetadata,
    GlobalPermission, MaskMetadata, MaskType, Permission, Result, ShareMetadata, ShareProperties, UsageLevel,
    UsageMetadata,
};

use super::GLOBAL_PERMISSIONS;
use crate::fields::Fields;
use crate::value::quoted;

const FEATURES: [(&str, Feature); 4] = [
    ("column-masking", Feature::ColumnMasking),
    ("row-filtering", Feature::RowFiltering),
    ("column-filtering", Feature::ColumnFiltering),
    ("data-sharing", Feature::DataSharing),
];

const ORIGINS: [(&str, DataOrigin); 3] =
    [("internal", DataOrigin::Internal), ("external", DataOrigin::External), ("shared", DataOrigin::Shared)];

pub(super) fn metadata(mut fields: Fields) -> Result<DataSourceMetadata> {
    let source_type = fields.name("source-type")?.unwrap_or_else(|| "file".to_owned());
    let icon = fields.text("icon")?.unwrap_or_default();
    let mut declared = BTreeSet::new();
    let mut object_types = Vec::new();
    let mut children = Vec::new();
    for mut item in fields.maps("object-types")? {
        let kind = object_type(&mut item)?;
        if !declared.insert(kind.name.clone()) {
            return Err(item.error("name", format!("{} is declared twice", quoted(&kind.name))));
        }
        children.push((kind.children.clone(), item));
        object_types.push(kind);
    }
    let check = |types: &[String], name: &str, fields: &Fields| match types
        .iter()
        .find(|kind| !declared.contains(*kind))
    {
        Some(missing) => {
            Err(fields.error(name, format!("{} is not among the object types", quoted(missing))))
        }
        None => Ok(()),
    };
    for (children, item) in children {
        check(&children, "children", &item)?;
        item.finish()?;
    }

    let mut access_control_types = Vec::new();
    for mut item in fields.maps("access-control-types")? {
        access_control_types.push(control_type(&mut item)?);
        item.finish()?;
    }
    let features = fields.words("features", &FEATURES)?.unwrap_or_default();
    let inherits = fields.flag("supports-access-control-inheritance")?.unwrap_or(true);

    let mut usage = None;
    if let Some(mut block) = fields.map("usage")? {
        let default_level = block.required("default-level")?;
        let mut levels = Vec::new();
        for mut item in block.maps("levels")? {
            let level = UsageLevel {
                name: item.required("name")?,
                object_types: item.texts("object-types")?.unwrap_or_default(),
            };
            check(&level.object_types, "object-types", &item)?;
            item.finish()?;
            levels.push(level);
        }
        if !levels.iter().any(|level| level.name == default_level) {
            return Err(
                block.error("default-level", format!("{} is not among the levels", quoted(&default_level)))
            );
        }
        block.finish()?;
        usage = Some(UsageMetadata { default_level, levels });
    }

    let mut masks = None;
    if let Some(mut block) = fields.map("masks")? {
        let metadata = mask_metadata(&mut block)?;
        check(&metadata.applicable_types, "applicable-types", &block)?;
        block.finish()?;
        masks = Some(metadata);
    }

    let mut filters = None;
    if let Some(mut block) = fields.map("filters")? {
        let metadata = FilterMetadata {
            override_permissions: block.texts("override-permissions")?.unwrap_or_default(),
            applicable_types: block.texts("applicable-types")?.unwrap_or_default(),
        };
        check(&metadata.applicable_types, "applicable-types", &block)?;
        block.finish()?;
        filters = Some(metadata);
    }

    let mut shares = None;
    if let Some(mut block) = fields.map("shares")? {
        let metadata = ShareMetadata {
            applicable_types: block.texts("applicable-types")?.unwrap_or_default(),
            common_parent_type: block.required("common-parent-type")?,
            data_source_share_identifier: block.text("data-source-share-identifier")?.unwrap_or_default(),
        };
        check(&metadata.applicable_types, "applicable-types", &block)?;
        check(std::slice::from_ref(&metadata.common_parent_type), "common-parent-type", &block)?;
        block.finish()?;
        shares = Some(metadata);
    }

    fields.finish()?;
    Ok(DataSourceMetadata {
        source_type,
        icon,
        object_types,
        access_control_types,
        features,
        supports_access_control_inheritance: inherits,
        usage,
        masks,
        filters,
        shares,
    })
}

fn object_type(fields: &mut Fields) -> Result<DataObjectType> {
    let name = fields.required("name")?;
    let mut permissions: Vec<Permission> = Vec::new();
    for mut item in fields.maps("permissions")? {
        let permission = permission(&mut item)?;
        if permissions.iter().any(|earlier| earlier.name == permission.name) {
            return Err(item.error("name", format!("{} is declared twice", quoted(&permission.name))));
        }
        item.finish()?;
        permissions.push(permission);
    }
    let mut actions = Vec::new();
    for mut item in fields.maps("actions")? {
        actions.push(ActionType { name: item.required("name")?, global_permissions: global(&mut item)? });
        item.finish()?;
    }
    let mut share = None;
    if let Some(mut block) = fields.map("share")? {
        share = Some(ShareProperties {
            shareable_permissions: block.texts("shareable-permissions")?.unwrap_or_default(),
            corresponding_shared_types: block.texts("corresponding-shared-types")?.unwrap_or_default(),
        });
        block.finish()?;
    }
    Ok(DataObjectType {
        category: fields.name("category")?.unwrap_or_else(|| name.clone()),
        label: fields.name("label")?.unwrap_or_else(|| name.clone()),
        name,
        icon: fields.text("icon")?.unwrap_or_default(),
        permissions,
        actions,
        children: fields.texts("children")?.unwrap_or_default(),
        origin: fields.word("origin", &ORIGINS)?,
        share,
    })
}

fn permission(fields: &mut Fields) -> Result<Permission> {
    let name = fields.required("name")?;
    let global_permissions = global(fields)?;
    // A use counts for the narrowest of them, unless the file says more.
    let narrowest = GLOBAL_PERMISSIONS
        .iter()
        .map(|(_, global)| *global)
        .find(|global| global_permissions.contains(global));
    Ok(Permission {
        name,
        description: fields.text("description")?.unwrap_or_default(),
        usage_global_permissions: fields
            .words("usage-global-permissions", &GLOBAL_PERMISSIONS)?
            .unwrap_or_else(|| narrowest.into_iter().collect()),
        global_permissions,
        cannot_be_granted: fields.flag("cannot-be-granted")?.unwrap_or(false),
    })
}

fn global(fields: &mut Fields) -> Result<Vec<GlobalPermission>> {
    Ok(fields.words("global-permissions", &GLOBAL_PERMISSIONS)?.unwrap_or_default())
}

fn control_type(fields: &mut Fields) -> Result<AccessControlType> {
    let name = fields.required("name")?;
    Ok(AccessControlType {
        label: fields.name("label")?.unwrap_or_else(|| name.clone()),
        name,
        icon: fields.text("icon")?.unwrap_or_default(),
        is_named_entity: fields.flag("is-named-entity")?.unwrap_or(true),
        can_be_created: fields.flag("can-be-created")?.unwrap_or(false),
        can_be_assumed: fields.flag("can-be-assumed")?.unwrap_or(false),
        can_assume_multiple: fields.flag("can-assume-multiple")?.unwrap_or(false),
        identity_store_type_for_who: fields.name("identity-store-type-for-who")?,
        allowed_who_access_control_types: fields
            .texts("allowed-who-access-control-types")?
            .unwrap_or_default(),
        common_parent_type: fields.name("common-parent-type")?,
    })
}

fn mask_metadata(fields: &mut Fields) -> Result<MaskMetadata> {
    let default_mask = fields.required("default-mask")?;
    let mut mask_types = Vec::new();
    for mut item in fields.maps("mask-types")? {
        let external_id = item.required("external-id")?;
        mask_types.push(MaskType {
            display_name: item.name("display-name")?.unwrap_or_else(|| external_id.clone()),
            external_id,
            description: item.text("description")?.unwrap_or_default(),
            data_types: item.texts("data-types")?.unwrap_or_default(),
        });
        item.finish()?;
    }
    if !mask_types.iter().any(|mask| mask.external_id == default_mask) {
        return Err(
            fields.error("default-mask", format!("{} is not among the mask types", quoted(&default_mask)))
        );
    }
    Ok(MaskMetadata {
        mask_types,
        default_mask,
        override_permissions: fields.texts("override-permissions")?.unwrap_or_default(),
        applicable_types: fields.texts("applicable-types")?.unwrap_or_default(),
    })
}
