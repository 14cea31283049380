//! Records of the contract as JSON, with the names of the contract. Empty texts and lists, and options without a
//! value, are left out.

use raito_connector::{
    AccessControl, DataObject, DataObjectReference, DataSourceMetadata, Error, Group, Lock, RootObject,
    Statement, Tag, User, Who,
};
use serde_json::{Value, json};

pub(crate) fn error(error: &Error) -> String {
    match error {
        Error::Other(message) => message.clone(),
        Error::BadParameter(problem) => format!("bad parameter {}: {}", problem.name, problem.message),
        other => format!("{other:?}"),
    }
}

pub(crate) fn group(group: &Group) -> Value {
    said(json!({
        "external-id": group.external_id,
        "name": group.name,
        "display-name": group.display_name,
        "description": group.description,
        "parent-group-external-ids": group.parent_group_external_ids,
        "tags": tags(&group.tags),
    }))
}

pub(crate) fn user(user: &User) -> Value {
    said(json!({
        "external-id": user.external_id,
        "name": user.name,
        "user-name": user.user_name,
        "email": user.email,
        "group-external-ids": user.group_external_ids,
        "tags": tags(&user.tags),
        "is-machine": user.is_machine,
    }))
}

pub(crate) fn root(root: &RootObject) -> Value {
    said(
        json!({ "root": { "name": root.name, "full-name": root.full_name, "description": root.description } }),
    )
}

pub(crate) fn object(object: &DataObject) -> Value {
    said(json!({
        "external-id": object.external_id,
        "name": object.name,
        "full-name": object.full_name,
        "object-type": object.object_type,
        "description": object.description,
        "parent-external-id": object.parent_external_id,
        "tags": tags(&object.tags),
        "data-type": object.data_type,
        "share-provider-identifier": object.share_provider_identifier,
        "share-identifier": object.share_identifier,
    }))
}

pub(crate) fn control(control: &AccessControl) -> Value {
    let what: Vec<_> = control
        .what
        .iter()
        .map(|item| {
            let mut value = reference(&item.object);
            value["permissions"] = json!(item.permissions);
            value
        })
        .collect();
    let lock =
        |lock: &Option<Lock>| lock.as_ref().map(|lock| lock.reason.clone().unwrap_or("yes".to_owned()));
    let locks = &control.locks;
    said(json!({
        "external-id": control.external_id,
        "name": control.name,
        "naming-hint": control.naming_hint,
        "actual-name": control.actual_name,
        "control-type": control.control_type,
        "action": format!("{:?}", control.action).trim_start_matches("Action::").to_lowercase(),
        "policy": control.policy,
        "who": control.who.as_ref().map(who),
        "what": what,
        "locks": {
            "who": lock(&locks.who),
            "inheritance": lock(&locks.inheritance),
            "what": lock(&locks.what),
            "name": lock(&locks.name),
            "delete": lock(&locks.delete),
            "owners": lock(&locks.owners),
            "everything": locks.everything,
        },
        "incomplete": control.incomplete,
        "tags": tags(&control.tags),
        "common-what-object": control.common_what_object,
    }))
}

pub(crate) fn statement(statement: &Statement) -> Value {
    let accessed: Vec<_> = statement
        .accessed
        .iter()
        .map(|item| {
            let mut value = reference(&item.object);
            value["permission"] = json!(
                item.permission
                    .map(|word| format!("{word:?}").trim_start_matches("GlobalPermission::").to_lowercase())
            );
            value
        })
        .collect();
    said(json!({
        "external-id": statement.external_id,
        "user": statement.user,
        "role": statement.role,
        "success": statement.success,
        "status": statement.status,
        "query": statement.query,
        "start-time": statement.start_time,
        "end-time": statement.end_time,
        "bytes": statement.bytes,
        "rows": statement.rows,
        "credits": statement.credits,
        "accessed": accessed,
        "error": statement.error,
    }))
}

/// The metadata as Rust prints it: its fields are those of the contract.
pub(crate) fn debugged(metadata: &DataSourceMetadata) -> Value {
    json!(format!("{metadata:#?}").lines().collect::<Vec<_>>())
}

fn reference(object: &DataObjectReference) -> Value {
    json!({ "full-name": object.full_name, "object-type": object.object_type })
}

fn who(who: &Who) -> Value {
    json!({
        "users": who.users,
        "groups": who.groups,
        "access-controls": who.access_controls,
        "recipients": who.recipients,
    })
}

fn tags(tags: &[Tag]) -> Vec<String> {
    tags.iter().map(|tag| format!("{}={} ({})", tag.key, tag.value, tag.source)).collect()
}

/// Leaves out what says nothing.
fn said(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (name, said(value)))
            .filter(|(_, value)| *value != Value::Null && *value != json!("") && *value != json!([]))
            .collect(),
        Value::Array(elements) => elements.into_iter().map(said).collect(),
        other => other,
    }
}
