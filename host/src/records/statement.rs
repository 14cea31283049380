//! Usage statements.

use serde::{Serialize, Serializer};

use crate::contract::statements::{AccessedObject, Statement};
use crate::contract::types::GlobalPermission;

/// A statement. Times are whole seconds: the unit that Raito's own connectors for production sources write.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatementShape<'a> {
    external_id: &'a str,
    #[serde(serialize_with = "accessed")]
    accessed_data_objects: &'a [AccessedObject],
    #[serde(skip_serializing_if = "str::is_empty")]
    user: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    role: &'a str,
    success: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    status: &'a str,
    query: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    start_time: u64,
    #[serde(skip_serializing_if = "is_zero")]
    end_time: u64,
    #[serde(skip_serializing_if = "is_zero")]
    bytes: u64,
    #[serde(skip_serializing_if = "is_zero")]
    rows: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    credits: Option<f32>,
    #[serde(skip_serializing_if = "str::is_empty")]
    error: &'a str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn accessed<S: Serializer>(accessed: &[AccessedObject], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Accessed<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        global_permission: Option<&'static str>,
        data_object: Object<'a>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Object<'a> {
        full_name: &'a str,
        #[serde(rename = "type")]
        object_type: &'a str,
    }
    if accessed.is_empty() {
        return serializer.serialize_none();
    }
    serializer.collect_seq(accessed.iter().map(|accessed| Accessed {
        global_permission: accessed.permission.map(global_permission),
        data_object: Object {
            full_name: &accessed.object.full_name,
            object_type: &accessed.object.object_type,
        },
    }))
}

/// The word of the protocol for a global permission.
pub fn global_permission(permission: GlobalPermission) -> &'static str {
    match permission {
        GlobalPermission::Read => "read",
        GlobalPermission::Write => "write",
        GlobalPermission::Admin => "admin",
    }
}

impl<'a> From<&'a Statement> for StatementShape<'a> {
    fn from(statement: &'a Statement) -> Self {
        StatementShape {
            external_id: &statement.external_id,
            accessed_data_objects: &statement.accessed,
            user: &statement.user,
            role: &statement.role,
            success: statement.success,
            status: &statement.status,
            query: &statement.query,
            start_time: statement.start_time.unwrap_or_default() / 1000,
            end_time: statement.end_time.unwrap_or_default() / 1000,
            bytes: statement.bytes,
            rows: statement.rows,
            credits: statement.credits.filter(|credits| *credits != 0.0),
            error: &statement.error,
        }
    }
}
