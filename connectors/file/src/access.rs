//! Access controls.
//!
//! An access control is one record of the file `access-controls`. Its beneficiaries and its objects stand in the
//! record itself, or in the files [`access-who` and `access-what`](memberships) with one row for each, or in
//! both, which is then taken together. The rows of these two files are kept in memory; the access controls pass
//! by.

mod memberships;

use raito_connector::{AccessControl, Action, Lock, Locks, Result, WhatItem, Who};

use self::memberships::Memberships;
use crate::fields::Fields;
use crate::folder::{Folder, Subject};
use crate::index::Index;
use crate::metadata::Types;
use crate::records;
use crate::value::quoted;

const ACTIONS: [(&str, Action); 5] = [
    ("grant", Action::Grant),
    ("deny", Action::Deny),
    ("mask", Action::Mask),
    ("filtered", Action::Filtered),
    ("share", Action::Share),
];

/// Reads the access controls, in the order of their file.
///
/// # Errors
/// A record cannot be understood, an id stands twice, a type or a permission is not declared, an access control
/// that is named by another one or by a row does not exist, or the taker refused a record.
pub fn read(folder: &Folder, mut on_control: impl FnMut(AccessControl) -> Result<()>) -> Result<()> {
    let types = Types::of(folder)?;
    let mut memberships = Memberships::read(folder, &types)?;
    let Some(source) = folder.source(Subject::AccessControls) else {
        return memberships.finish("a file `access-controls`, because there is none");
    };
    let mut ids = Index::default();
    records::each(source, &mut |mut fields| {
        let mut control = control(&mut fields, &types)?;
        ids.add(&control.external_id, "external-id", &fields)?;
        fields.finish()?;
        memberships.add_to(&mut control);
        for member in control.who.iter().flat_map(|who| &who.access_controls) {
            if *member == control.external_id {
                return Err(fields.error("who", "names the access control itself"));
            }
            let referrer = || format!("access control {} is given to", quoted(&control.external_id));
            ids.refer(member, fields.place(), referrer);
        }
        on_control(control)
    })?;
    memberships.finish(&source.name)?;
    ids.resolved("access control", &source.name)?;
    Ok(())
}

fn control(fields: &mut Fields, types: &Types) -> Result<AccessControl> {
    fields.also_called("control-type", "type")?;
    fields.also_called("everything-locked", "not-internalizable")?;
    fields.also_called("common-what-object", "common-what-data-object")?;
    // A member of Raito's older files, which newer ones still write as null.
    fields.drop_null("access");

    let name = fields.required("name")?;
    let control_type = fields.name("control-type")?;
    if let Some(control_type) = &control_type {
        types.check_control(control_type, fields)?;
    }
    let mut control = AccessControl {
        external_id: fields.name("external-id")?.unwrap_or_else(|| name.clone()),
        naming_hint: fields.name("naming-hint")?.unwrap_or_else(|| name.clone()),
        actual_name: fields.name("actual-name")?.unwrap_or_else(|| name.clone()),
        name,
        control_type,
        action: fields.word("action", &ACTIONS)?.unwrap_or(Action::Grant),
        policy: fields.text("policy")?.unwrap_or_default(),
        who: who(fields)?,
        what: Vec::new(),
        locks: locks(fields)?,
        incomplete: fields.flag("incomplete")?.unwrap_or(false),
        tags: fields.tags()?,
        common_what_object: fields.name("common-what-object")?,
    };
    fields.owners(&mut control.tags)?;
    if !fields.is_row() {
        for mut item in fields.maps("what")? {
            let object = types.reference(&mut item)?;
            let permissions = item.texts("permissions")?.unwrap_or_default();
            for permission in &permissions {
                types.check_permission(permission, &object.object_type, &item)?;
            }
            item.finish()?;
            control.what.push(WhatItem { object, permissions });
        }
    }
    Ok(control)
}

/// The beneficiaries in the record; none where it has no field for them.
fn who(fields: &mut Fields) -> Result<Option<Who>> {
    if !fields.is_row() {
        let Some(mut who) = fields.map("who")? else { return Ok(None) };
        who.also_called("access-controls", "access-providers")?;
        let beneficiaries = Who {
            users: who.texts("users")?.unwrap_or_default(),
            groups: who.texts("groups")?.unwrap_or_default(),
            access_controls: who.texts("access-controls")?.unwrap_or_default(),
            recipients: who.texts("recipients")?.unwrap_or_default(),
        };
        who.finish()?;
        return Ok(Some(beneficiaries));
    }
    let columns = ["who-users", "who-groups", "who-access-controls", "who-recipients"];
    let said = columns.iter().any(|column| fields.has(column));
    let [users, groups, access_controls, recipients] = columns;
    let who = Who {
        users: fields.texts(users)?.unwrap_or_default(),
        groups: fields.texts(groups)?.unwrap_or_default(),
        access_controls: fields.texts(access_controls)?.unwrap_or_default(),
        recipients: fields.texts(recipients)?.unwrap_or_default(),
    };
    Ok(said.then_some(who))
}

fn locks(fields: &mut Fields) -> Result<Locks> {
    Ok(Locks {
        who: lock(fields, "who-locked", "who-locked-reason")?,
        inheritance: lock(fields, "inheritance-locked", "inheritance-locked-reason")?,
        what: lock(fields, "what-locked", "what-locked-reason")?,
        name: lock(fields, "name-locked", "name-locked-reason")?,
        delete: lock(fields, "delete-locked", "delete-locked-reason")?,
        owners: lock(fields, "owners-locked", "owners-locked-reason")?,
        everything: fields.flag("everything-locked")?.unwrap_or(false),
    })
}

fn lock(fields: &mut Fields, name: &'static str, reason_name: &'static str) -> Result<Option<Lock>> {
    let locked = fields.flag(name)?.unwrap_or(false);
    let reason = fields.name(reason_name)?;
    if reason.is_some() && !locked {
        return Err(fields.error(reason_name, format!("is a reason for nothing: `{name}` is not true")));
    }
    Ok(locked.then_some(Lock { reason }))
}
