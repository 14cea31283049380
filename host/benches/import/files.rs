//! The files to import, as connectors write them: one record a line.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use raito_test_guests::{object, statement, user};
use serde_json::{Value, json};

use crate::{Counts, Failure};

/// Writes all of them into a folder.
pub(crate) fn write(folder: &Path, counts: &Counts) -> Result<(), Failure> {
    for (name, changed) in [("objects.json", 0), ("changed.json", 10)] {
        array(&folder.join(name), (0..counts.objects).map(|number| data_object(number, changed)))?;
    }
    array(&folder.join("users.json"), (0..counts.users).map(account))?;
    let groups = (0..4096_u64)
        .map(|number| format!("group-{number:05}"))
        .chain((0..512_u64).map(|number| format!("team-{number:05}")));
    array(
        &folder.join("groups.json"),
        groups.map(|name| {
            json!({ "externalId": name, "name": name, "displayName": name, "description": "",
                "parentGroupExternalIds": null, "tags": null })
        }),
    )?;
    let half = counts.statements / 2;
    array(&folder.join("statements_0.json"), (0..half).map(usage))?;
    array(&folder.join("statements_1.json"), (half..counts.statements).map(usage))
}

fn array(path: &Path, records: impl Iterator<Item = Value>) -> Result<(), Failure> {
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(b"[")?;
    for (at, record) in records.enumerate() {
        file.write_all(if at == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut file, &record)?;
    }
    file.write_all(b"\n]")?;
    file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    Ok(())
}

/// Every `changed`th object has another description.
fn data_object(number: u64, changed: u64) -> Value {
    let object = object(number);
    let again = if changed > 0 && number.is_multiple_of(changed) { ", once more" } else { "" };
    json!({
        "externalId": object.external_id, "name": object.name, "fullName": object.full_name,
        "type": object.object_type, "description": format!("{}{again}", object.description),
        "parentExternalId": object.parent, "tags": null,
        "dataType": (object.object_type == "column").then_some("character varying(255)"),
    })
}

fn account(number: u64) -> Value {
    let user = user(number);
    let tags: Vec<_> = user
        .tags
        .iter()
        .map(|[key, value, source]| json!({ "key": key, "value": value, "source": source }))
        .collect();
    json!({
        "externalId": user.external_id, "name": user.name, "userName": user.user_name, "email": user.email,
        "groupExternalIds": user.groups, "tags": tags, "isMachine": null,
    })
}

fn usage(number: u64) -> Value {
    let statement = statement(number);
    let accessed: Vec<_> = statement
        .tables
        .iter()
        .map(
            |name| json!({ "globalPermission": "read", "dataObject": { "fullName": name, "type": "table" } }),
        )
        .collect();
    json!({
        "externalId": statement.external_id, "accessedDataObjects": accessed, "user": statement.user,
        "role": statement.role, "success": true, "status": "SUCCESS", "query": statement.query,
        "startTime": statement.start / 1000, "endTime": statement.start / 1000 + 1, "bytes": 4096, "rows": 10,
        "credits": 0.0, "error": "",
    })
}
