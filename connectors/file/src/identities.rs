//! Users and groups.
//!
//! Groups are read first, so that the users' memberships can be checked while the users pass by.

use raito_connector::{Group, Result, User};

use crate::fields::Fields;
use crate::folder::{Folder, Subject};
use crate::index::{Index, dangling};
use crate::records;
use crate::value::quoted;

/// Reads the groups and the users.
///
/// # Errors
/// A record cannot be understood, an id stands twice, a group is its own parent, a group that somebody is a
/// member of does not exist, or a taker refused a record.
pub fn read(
    folder: &Folder,
    mut on_group: impl FnMut(Group) -> Result<()>,
    mut on_user: impl FnMut(User) -> Result<()>,
) -> Result<()> {
    let source = folder.source(Subject::Groups);
    let expected = source.map_or_else(
        || "a file `groups`, because there is none".to_owned(),
        |source| source.name.to_string(),
    );

    let mut known = Index::default();
    if let Some(source) = source {
        let mut groups = Index::default();
        records::each(source, &mut |mut fields| {
            let group = group(&mut fields)?;
            groups.add(&group.external_id, "external-id", &fields)?;
            for parent in &group.parent_group_external_ids {
                if *parent == group.external_id {
                    return Err(fields.error("parent-group-external-ids", "names the group itself"));
                }
                let child = || format!("group {} is a member of", quoted(&group.external_id));
                groups.refer(parent, fields.place(), child);
            }
            fields.finish()?;
            on_group(group)
        })?;
        known = groups.resolved("group", &expected)?;
    }

    let Some(source) = folder.source(Subject::Users) else { return Ok(()) };
    let mut users = Index::default();
    records::each(source, &mut |mut fields| {
        let user = user(&mut fields)?;
        users.add(&user.external_id, "external-id", &fields)?;
        if let Some(missing) = user.group_external_ids.iter().find(|group| !known.contains(group)) {
            let member = format!("user {} is a member of", quoted(&user.user_name));
            return Err(dangling(fields.place(), &member, "group", missing, &expected));
        }
        fields.finish()?;
        on_user(user)
    })
}

fn group(fields: &mut Fields) -> Result<Group> {
    let name = fields.required("name")?;
    Ok(Group {
        external_id: fields.name("external-id")?.unwrap_or_else(|| name.clone()),
        display_name: fields.text("display-name")?.unwrap_or_else(|| name.clone()),
        name,
        description: fields.text("description")?.unwrap_or_default(),
        parent_group_external_ids: fields.texts("parent-group-external-ids")?.unwrap_or_default(),
        tags: fields.tags()?,
    })
}

fn user(fields: &mut Fields) -> Result<User> {
    let user_name = fields.required("user-name")?;
    Ok(User {
        external_id: fields.name("external-id")?.unwrap_or_else(|| user_name.clone()),
        name: fields.name("name")?.unwrap_or_else(|| user_name.clone()),
        user_name,
        email: fields.text("email")?.unwrap_or_default(),
        group_external_ids: fields.texts("group-external-ids")?.unwrap_or_default(),
        tags: fields.tags()?,
        is_machine: fields.flag("is-machine")?,
    })
}
