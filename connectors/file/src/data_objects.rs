//! Data objects.
//!
//! Full names give the defaults: the external id is the full name, the name its last part, the parent the object
//! whose external id is the full name without its last part. An object of type `datasource` is the root:
//! it must come first, becomes the name of the root in Raito, and objects that have it as their parent stand directly
//! below the data source.

use raito_connector::{DataObject, Result, RootObject, SyncScope};

use crate::fields::Fields;
use crate::folder::{Folder, Subject};
use crate::index::Index;
use crate::metadata::Types;
use crate::names::{Scope, Separator};
use crate::records;
use crate::value::quoted;

/// The type of the root.
const ROOT_TYPE: &str = "datasource";

/// Reads the data objects of `scope`, in the order of the file.
///
/// # Errors
/// A record cannot be understood, an id or a full name stands twice, a type is not declared, a parent does
/// not exist (nor the object below which to read), or a taker refused a record.
pub fn read(
    folder: &Folder,
    scope: &SyncScope,
    mut on_root: impl FnMut(&RootObject) -> Result<()>,
    mut on_object: impl FnMut(DataObject) -> Result<()>,
) -> Result<()> {
    let Some(source) = folder.source(Subject::DataObjects) else { return Ok(()) };
    let types = Types::of(folder)?;
    let separator = folder.separator();
    let scope = Scope::new(scope, separator);
    let (mut ids, mut full_names) = (Index::default(), Index::default());
    let mut root_id = None;
    let mut first = true;
    let mut parent_seen = false;

    records::each(source, &mut |mut fields| {
        let mut object = object(&mut fields, separator)?;
        ids.add(&object.external_id, "external-id", &fields)?;
        let unique = format!("{}\n{}", object.object_type, object.full_name);
        full_names.add(&unique, "full-name", &fields).map_err(|_| {
            let message =
                format!("{} of type {} stands twice", quoted(&object.full_name), quoted(&object.object_type));
            fields.error("full-name", message)
        })?;
        parent_seen |= scope.is_parent(&object.full_name);
        let is_first = std::mem::replace(&mut first, false);

        if object.object_type.eq_ignore_ascii_case(ROOT_TYPE) {
            if !is_first {
                let message = format!("the object of type `{ROOT_TYPE}` is the root, and must come first");
                return Err(fields.error("object-type", message));
            }
            if !object.tags.is_empty() {
                return Err(fields.error("tags", "the root cannot have tags"));
            }
            fields.finish()?;
            root_id = Some(object.external_id);
            if scope.has_parent() {
                return Ok(());
            }
            let (name, full_name) = (object.name, object.full_name);
            return on_root(&RootObject { name, full_name, description: object.description });
        }

        types.check_object(&object.object_type, &fields)?;
        if object.parent_external_id == object.external_id {
            return Err(fields.error("parent-external-id", "names the object itself"));
        }
        if root_id.as_ref() == Some(&object.parent_external_id) {
            object.parent_external_id.clear();
        }
        if !object.parent_external_id.is_empty() {
            let child = || format!("{} {} stands below", object.object_type, quoted(&object.full_name));
            ids.refer(&object.parent_external_id, fields.place(), child);
        }
        fields.finish()?;
        if scope.includes(&object.full_name) { on_object(object) } else { Ok(()) }
    })?;

    ids.resolved("object with the external id", &source.name)?;
    if scope.has_parent() && !parent_seen {
        let place = crate::place::Place { file: source.name.clone(), spot: crate::place::Spot::Whole };
        return Err(
            place.error(format!("has no object {}, below which to read", quoted(&scope.parent_name())))
        );
    }
    Ok(())
}

fn object(fields: &mut Fields, separator: &Separator) -> Result<DataObject> {
    fields.also_called("object-type", "type")?;
    let full_name = fields.required("full-name")?;
    let parent = fields.text("parent-external-id")?;
    let mut object = DataObject {
        external_id: fields.name("external-id")?.unwrap_or_else(|| full_name.clone()),
        name: fields.name("name")?.unwrap_or_else(|| separator.last_part(&full_name)),
        parent_external_id: parent
            .unwrap_or_else(|| separator.parent(&full_name).unwrap_or_default().to_owned()),
        full_name,
        object_type: fields.required("object-type")?,
        description: fields.text("description")?.unwrap_or_default(),
        tags: fields.tags()?,
        data_type: fields.name("data-type")?,
        share_provider_identifier: fields.name("share-provider-identifier")?,
        share_identifier: fields.name("share-identifier")?,
    };
    fields.owners(&mut object.tags)?;
    Ok(object)
}
