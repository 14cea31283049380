//! Access controls from the target, and feedback on those applied to it.

use serde::{Serialize, Serializer};

use super::{null_if_empty, tags};
use crate::contract::access_controls::{AccessControl, AccessControlFeedback, Action, Lock, WhatItem, Who};
use crate::contract::types::Tag;

/// An access control as read from the target.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessControlShape<'a> {
    external_id: &'a str,
    name: &'a str,
    naming_hint: &'a str,
    #[serde(rename = "type")]
    control_type: Option<&'a str>,
    // A member of older files; readers of today's files expect to see it unset.
    access: Option<()>,
    action: &'static str,
    policy: &'a str,
    who: Option<WhoShape<'a>>,
    not_internalizable: bool,
    #[serde(flatten)]
    locks: LocksShape<'a>,
    actual_name: &'a str,
    #[serde(serialize_with = "what")]
    what: &'a [WhatItem],
    #[serde(skip_serializing_if = "is_false")]
    incomplete: bool,
    #[serde(serialize_with = "tags")]
    tags: &'a [Tag],
    #[serde(skip_serializing_if = "Option::is_none")]
    common_what_data_object: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WhoShape<'a> {
    #[serde(serialize_with = "null_if_empty")]
    users: &'a [String],
    #[serde(serialize_with = "null_if_empty")]
    groups: &'a [String],
    #[serde(serialize_with = "null_if_empty")]
    access_providers: &'a [String],
    #[serde(serialize_with = "null_if_empty")]
    recipients: &'a [String],
}

macro_rules! locks {
    ($($part:ident: $locked:ident $reason:ident),+) => {
        #[derive(Default, Serialize)]
        #[serde(rename_all = "camelCase")]
        struct LocksShape<'a> {
            $(
                #[serde(skip_serializing_if = "is_false")]
                $locked: bool,
                #[serde(skip_serializing_if = "Option::is_none")]
                $reason: Option<&'a str>,
            )+
        }

        impl<'a> LocksShape<'a> {
            fn new(control: &'a AccessControl) -> Self {
                let reason = |lock: &'a Option<Lock>| lock.as_ref()?.reason.as_deref();
                LocksShape {
                    $(
                        $locked: control.locks.$part.is_some(),
                        $reason: reason(&control.locks.$part),
                    )+
                }
            }
        }
    };
}

locks! {
    who: who_locked who_locked_reason,
    inheritance: inheritance_locked inheritance_locked_reason,
    what: what_locked what_locked_reason,
    name: name_locked name_locked_reason,
    delete: delete_locked delete_locked_reason,
    owners: owners_locked owners_locked_reason
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn is_false(value: &bool) -> bool {
    !value
}

fn what<S: Serializer>(items: &[WhatItem], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Item<'a> {
        data_object: Object<'a>,
        #[serde(serialize_with = "null_if_empty")]
        permissions: &'a [String],
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Object<'a> {
        full_name: &'a str,
        #[serde(rename = "type")]
        object_type: &'a str,
    }
    if items.is_empty() {
        return serializer.serialize_none();
    }
    serializer.collect_seq(items.iter().map(|item| Item {
        data_object: Object { full_name: &item.object.full_name, object_type: &item.object.object_type },
        permissions: &item.permissions,
    }))
}

impl<'a> From<&'a Who> for WhoShape<'a> {
    fn from(who: &'a Who) -> Self {
        WhoShape {
            users: &who.users,
            groups: &who.groups,
            access_providers: &who.access_controls,
            recipients: &who.recipients,
        }
    }
}

impl<'a> From<&'a AccessControl> for AccessControlShape<'a> {
    fn from(control: &'a AccessControl) -> Self {
        AccessControlShape {
            external_id: &control.external_id,
            name: &control.name,
            naming_hint: &control.naming_hint,
            control_type: control.control_type.as_deref(),
            access: None,
            action: match control.action {
                Action::Grant => "grant",
                Action::Deny => "deny",
                Action::Mask => "mask",
                Action::Filtered => "filtered",
                Action::Share => "share",
            },
            policy: &control.policy,
            who: control.who.as_ref().map(WhoShape::from),
            not_internalizable: control.locks.everything,
            locks: LocksShape::new(control),
            actual_name: &control.actual_name,
            what: &control.what,
            incomplete: control.incomplete,
            tags: &control.tags,
            common_what_data_object: control.common_what_object.as_deref(),
        }
    }
}

/// Feedback, in the nested shape that Raito's protocol uses for it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedbackShape<'a> {
    external_id: &'a str,
    access: [FeedbackDetail<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FeedbackDetail<'a> {
    access_id: &'a str,
    actual_name: &'a str,
    external_id: Option<&'a str>,
    #[serde(rename = "type")]
    control_type: Option<&'a str>,
    #[serde(serialize_with = "null_if_empty")]
    errors: &'a [String],
    #[serde(serialize_with = "null_if_empty")]
    warnings: &'a [String],
}

impl<'a> From<&'a AccessControlFeedback> for FeedbackShape<'a> {
    fn from(feedback: &'a AccessControlFeedback) -> Self {
        FeedbackShape {
            external_id: &feedback.id,
            access: [FeedbackDetail {
                access_id: &feedback.id,
                actual_name: &feedback.actual_name,
                external_id: feedback.external_id.as_deref(),
                control_type: feedback.control_type.as_deref(),
                errors: &feedback.errors,
                warnings: &feedback.warnings,
            }],
        }
    }
}
