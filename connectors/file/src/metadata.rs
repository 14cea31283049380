//! What the data source is: from the file `data-source`, or a relational database where there is none.
//!
//! [`Types`] is the part of it that the other files are checked against: a type or a permission that the
//! metadata does not declare would be dropped by Raito without a word.

mod builtin;
mod decode;

use std::collections::{BTreeMap, BTreeSet};

use raito_connector::{DataObjectReference, DataSourceMetadata, GlobalPermission, Result};

use crate::fields::{Fields, nearest};
use crate::folder::{Folder, Subject};
use crate::records;
use crate::value::quoted;

/// The words for global permissions.
pub(crate) const GLOBAL_PERMISSIONS: [(&str, GlobalPermission); 3] = [
    ("read", GlobalPermission::Read),
    ("write", GlobalPermission::Write),
    ("admin", GlobalPermission::Admin),
];

/// Reads the metadata of the data source.
///
/// # Errors
/// The file cannot be understood, or contradicts itself.
pub fn read(folder: &Folder) -> Result<DataSourceMetadata> {
    match folder.source(Subject::DataSource) {
        None => Ok(builtin::relational()),
        Some(source) => decode::metadata(records::document(source)?),
    }
}

/// The declared types and their permissions.
pub(crate) struct Types {
    /// Where they are declared, for messages.
    declared_in: String,
    objects: BTreeMap<String, BTreeSet<String>>,
    controls: BTreeSet<String>,
}

impl Types {
    /// Reads the metadata for them.
    pub(crate) fn of(folder: &Folder) -> Result<Types> {
        let declared_in = match folder.source(Subject::DataSource) {
            Some(source) => source.name.to_string(),
            None => "the built-in description; describe the source in `data-source.yaml`".to_owned(),
        };
        let metadata = read(folder)?;
        let permissions = |permissions: Vec<raito_connector::Permission>| {
            permissions.into_iter().map(|permission| permission.name).collect()
        };
        let objects = metadata
            .object_types
            .into_iter()
            .map(|kind| (kind.name, permissions(kind.permissions)))
            .collect();
        let controls = metadata.access_control_types.into_iter().map(|kind| kind.name).collect();
        Ok(Types { declared_in, objects, controls })
    }

    /// Refuses an object type that is not declared.
    pub(crate) fn check_object(&self, object_type: &str, fields: &Fields) -> Result<()> {
        self.check_object_in(object_type, "object-type", fields)
    }

    /// The same for a type that stands in another field.
    pub(crate) fn check_object_in(&self, object_type: &str, name: &str, fields: &Fields) -> Result<()> {
        if self.objects.contains_key(object_type) {
            return Ok(());
        }
        let declared = self.objects.keys().map(String::as_str);
        Err(fields.error(name, self.undeclared("type", object_type, declared)))
    }

    /// Refuses a permission that is not declared for the type.
    pub(crate) fn check_permission(
        &self,
        permission: &str,
        object_type: &str,
        fields: &Fields,
    ) -> Result<()> {
        match self.objects.get(object_type) {
            Some(permissions) if !permissions.contains(permission) => {
                let what = format!("permission on {object_type}");
                let declared = permissions.iter().map(String::as_str);
                Err(fields.error("permissions", self.undeclared(&what, permission, declared)))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a type of access controls that is not declared.
    pub(crate) fn check_control(&self, control_type: &str, fields: &Fields) -> Result<()> {
        if self.controls.contains(control_type) {
            return Ok(());
        }
        let declared = self.controls.iter().map(String::as_str);
        Err(fields.error("control-type", self.undeclared("type of access control", control_type, declared)))
    }

    fn undeclared<'a>(
        &self,
        what: &str,
        found: &str,
        declared: impl Iterator<Item = &'a str> + Clone,
    ) -> String {
        let suggestion = nearest(found, declared.clone())
            .map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
        let known: Vec<_> = declared.map(|name| format!("`{name}`")).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        format!("{} is no {what}{suggestion} (known are {known}, from {})", quoted(found), self.declared_in)
    }

    /// Takes a reference to a data object: `full-name` and `object-type`, in a map `object` or beside the other
    /// fields.
    pub(crate) fn reference(&self, fields: &mut Fields) -> Result<DataObjectReference> {
        fields.also_called("object", "data-object")?;
        match fields.map("object")? {
            Some(mut object) => {
                // Raito's server writes its own id here, which means nothing elsewhere.
                object.text("id")?;
                let reference = self.reference_fields(&mut object)?;
                object.finish()?;
                Ok(reference)
            }
            None => self.reference_fields(fields),
        }
    }

    fn reference_fields(&self, fields: &mut Fields) -> Result<DataObjectReference> {
        fields.also_called("object-type", "type")?;
        let full_name = fields.required("full-name")?;
        let object_type = fields.required("object-type")?;
        self.check_object(&object_type, fields)?;
        Ok(DataObjectReference { full_name, object_type })
    }
}
