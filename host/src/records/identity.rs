//! Users and groups.

use serde::Serialize;

use super::{null_if_empty, tags};
use crate::contract::identities::{Group, User};
use crate::contract::types::Tag;

/// A user.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserShape<'a> {
    external_id: &'a str,
    name: &'a str,
    user_name: &'a str,
    email: &'a str,
    #[serde(serialize_with = "null_if_empty")]
    group_external_ids: &'a [String],
    #[serde(serialize_with = "tags")]
    tags: &'a [Tag],
    is_machine: Option<bool>,
}

impl<'a> From<&'a User> for UserShape<'a> {
    fn from(user: &'a User) -> Self {
        UserShape {
            external_id: &user.external_id,
            name: &user.name,
            user_name: &user.user_name,
            email: &user.email,
            group_external_ids: &user.group_external_ids,
            tags: &user.tags,
            is_machine: user.is_machine,
        }
    }
}

/// A group.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupShape<'a> {
    external_id: &'a str,
    name: &'a str,
    display_name: &'a str,
    description: &'a str,
    #[serde(serialize_with = "null_if_empty")]
    parent_group_external_ids: &'a [String],
    #[serde(serialize_with = "tags")]
    tags: &'a [Tag],
}

impl<'a> From<&'a Group> for GroupShape<'a> {
    fn from(group: &'a Group) -> Self {
        GroupShape {
            external_id: &group.external_id,
            name: &group.name,
            display_name: &group.display_name,
            description: &group.description,
            parent_group_external_ids: &group.parent_group_external_ids,
            tags: &group.tags,
        }
    }
}
