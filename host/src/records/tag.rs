//! Tags that a catalogue puts on things.

use serde::Serialize;

use crate::contract::tag_assignments::{TagAssignment, Tagged};

/// A tag on a data object or on a user.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TagAssignmentShape<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data_object_full_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    key: &'a str,
    string_value: &'a str,
    source: &'a str,
}

impl<'a> From<&'a TagAssignment> for TagAssignmentShape<'a> {
    fn from(tag: &'a TagAssignment) -> Self {
        let (data_object_full_name, user_id) = match &tag.on {
            Tagged::DataObject(name) => (Some(name.as_str()), None),
            Tagged::User(id) => (None, Some(id.as_str())),
        };
        TagAssignmentShape {
            data_object_full_name,
            user_id,
            key: &tag.key,
            string_value: &tag.value,
            source: &tag.source,
        }
    }
}
