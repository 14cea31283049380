//! What a plan takes away: never what the access file still gives, and no membership that stays.
//!
//! The statements of a plan are read as text. The server itself takes a privilege that is revoked on a table from its
//! columns too; where those stay they are given again in the same step, and the statement does not name them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::document::Control;
use crate::facts::given;
use crate::names::identifier;
use crate::world::{Kind, World};

/// Every statement of a plan, with the id and the role of its access control and what it is part of.
pub(crate) fn statements(plan: &Value) -> Vec<(String, String, String, String)> {
    let mut statements = Vec::new();
    for change in plan["targets"][0]["changes"].as_array().unwrap() {
        let text = |key: &str| change[key].as_str().unwrap().to_owned();
        for operation in change["operations"].as_array().into_iter().flatten() {
            let summary = operation["summary"].as_str().unwrap();
            for statement in operation["statement"].as_str().unwrap().split(";\n") {
                statements.push((text("id"), text("actualName"), summary.to_owned(), statement.to_owned()));
            }
        }
    }
    statements
}

/// What a plan takes away although it stays. `roles` are the ids of access controls by the roles that stand.
pub(crate) fn needless(
    plan: &Value,
    controls: &[Control],
    world: &World,
    roles: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut names: BTreeMap<&str, &str> =
        roles.iter().map(|(role, id)| (id.as_str(), role.as_str())).collect();
    for change in plan["targets"][0]["changes"].as_array().unwrap() {
        names.insert(change["id"].as_str().unwrap(), change["actualName"].as_str().unwrap());
    }
    let mut needless = Vec::new();
    for (id, role, summary, statement) in statements(plan) {
        let Some(taken) = statement.strip_prefix("REVOKE ") else { continue };
        let Some(control) = controls.iter().find(|control| control.id == id) else { continue };
        let members = control.users.iter().chain(&control.roles).map(String::as_str);
        let inheriting = control.inherits.iter().filter_map(|id| names.get(id.as_str()).copied());
        let stays = members.chain(inheriting).any(|member| {
            let membership = format!("{} FROM {}", identifier(&role), identifier(member));
            taken == membership || taken.starts_with(&format!("{membership} GRANTED BY"))
        });
        let still_given = given(control, world).iter().any(|(object, privilege)| {
            let clause = object.clause("");
            let (columns, on) = clause.trim_start().rsplit_once("ON ").unwrap();
            let Some(words) = taken.strip_suffix(&format!(" ON {on} FROM {}", identifier(&role))) else {
                return false;
            };
            // Every database has such a schema, and a statement does not say which one it is for.
            if object.schema == "public"
                && !summary.contains(&format!(" on {} from ", object.full_name(false)))
            {
                return false;
            }
            match object.kind {
                Kind::Column => words.contains(&format!("{privilege} {}", columns.trim_end())),
                _ => words.split(", ").any(|word| word == *privilege),
            }
        });
        if stays || still_given {
            needless.push(statement);
        }
    }
    needless
}
