//! Usage: statements that were run, and what they accessed.
//!
//! Statements that began before the last moment that Raito Cloud knows of are left out; those without a time
//! are delivered always. Ids of statements are not checked for repetitions, because usage files grow without
//! a bound.

use raito_connector::{
    AccessedObject, DataObjectReference, GlobalPermission, KnownPeriod, Result, Statement, log,
};

use crate::fields::Fields;
use crate::folder::{Folder, Subject};
use crate::metadata::{GLOBAL_PERMISSIONS, Types};
use crate::records;
use crate::value::quoted;

/// Reads the statements from `known.last` on, in the order of the file.
///
/// # Errors
/// A record cannot be understood, a type is not declared, or the taker refused a record.
pub fn read(
    folder: &Folder,
    known: &KnownPeriod,
    mut on_statement: impl FnMut(Statement) -> Result<()>,
) -> Result<()> {
    let Some(source) = folder.source(Subject::Usage) else { return Ok(()) };
    let types = Types::of(folder)?;
    let mut left_out = 0_u64;
    records::each(source, &mut |mut fields| {
        let statement = statement(&mut fields, &types)?;
        fields.finish()?;
        if let (Some(start), Some(last)) = (statement.start_time, known.last)
            && start < last
        {
            left_out += 1;
            return Ok(());
        }
        on_statement(statement)
    })?;
    if left_out > 0 {
        log::info(format!(
            "{left_out} statements began before the last one that Raito Cloud knows, and were left out"
        ));
    }
    Ok(())
}

fn statement(fields: &mut Fields, types: &Types) -> Result<Statement> {
    fields.also_called("accessed", "accessed-data-objects")?;
    let statement = Statement {
        external_id: fields.required("external-id")?,
        user: fields.text("user")?.unwrap_or_default(),
        role: fields.text("role")?.unwrap_or_default(),
        success: fields.flag("success")?.unwrap_or(true),
        status: fields.text("status")?.unwrap_or_default(),
        query: fields.text("query")?.unwrap_or_default(),
        start_time: fields.moment("start-time")?,
        end_time: fields.moment("end-time")?,
        bytes: fields.count("bytes")?.unwrap_or_default(),
        rows: fields.count("rows")?.unwrap_or_default(),
        credits: fields.amount("credits")?,
        accessed: if fields.is_row() {
            accessed_in_cell(fields, types)?
        } else {
            accessed_in_list(fields, types)?
        },
        error: fields.text("error")?.unwrap_or_default(),
    };
    if let (Some(start), Some(end)) = (statement.start_time, statement.end_time)
        && end < start
    {
        return Err(fields.error("end-time", "is before the start time"));
    }
    Ok(statement)
}

/// A cell such as `read table shop.public.orders; write table shop.public.returns`: for each object the global
/// permission, which may be missing, the type and the full name.
fn accessed_in_cell(fields: &mut Fields, types: &Types) -> Result<Vec<AccessedObject>> {
    let mut accessed = Vec::new();
    for text in fields.texts("accessed")?.unwrap_or_default() {
        let first = text.split_once(char::is_whitespace);
        let permission = first.and_then(|(word, _)| {
            GLOBAL_PERMISSIONS.iter().find(|(name, _)| *name == word).map(|(_, permission)| *permission)
        });
        let rest = match (permission, first) {
            (Some(_), Some((_, rest))) => rest.trim_start(),
            _ => text.as_str(),
        };
        let Some((object_type, full_name)) = rest.split_once(char::is_whitespace) else {
            let form = "`read table shop.public.orders`: permission (may be missing), type and full name";
            return Err(fields.error("accessed", format!("must be like {form}; found {}", quoted(&text))));
        };
        types.check_object_in(object_type, "accessed", fields)?;
        let object = DataObjectReference {
            full_name: full_name.trim_start().to_owned(),
            object_type: object_type.to_owned(),
        };
        accessed.push(AccessedObject { object, permission });
    }
    Ok(accessed)
}

fn accessed_in_list(fields: &mut Fields, types: &Types) -> Result<Vec<AccessedObject>> {
    let mut accessed = Vec::new();
    for mut item in fields.maps("accessed")? {
        item.also_called("permission", "global-permission")?;
        let permission = item.word("permission", &ACCESSES)?.flatten();
        // Raito's older files list the source's own permissions, which say nothing beside the global one.
        item.drop_null("permissions");
        accessed.push(AccessedObject { object: types.reference(&mut item)?, permission });
        item.finish()?;
    }
    Ok(accessed)
}

/// The words for how an object was accessed.
const ACCESSES: [(&str, Option<GlobalPermission>); 4] = [
    ("read", Some(GlobalPermission::Read)),
    ("write", Some(GlobalPermission::Write)),
    ("admin", Some(GlobalPermission::Admin)),
    ("unknownaction", None),
];
