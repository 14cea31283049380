//! The files `access-who` and `access-what`: one row for each beneficiary and for each object of an access
//! control, as a query over the grants of a database gives them.
//!
//! `access-who` names the access control (`access-control`, its external id) and exactly one of `user`, `group`,
//! `member-access-control` and `recipient`. `access-what` names the access control, the object (`full-name`,
//! `object-type`) and `permissions`; rows of one object are taken together.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;

use raito_connector::{AccessControl, Result, WhatItem, Who};

use crate::fields::Fields;
use crate::folder::{Folder, Subject};
use crate::index::dangling;
use crate::metadata::Types;
use crate::place::Place;
use crate::records;

/// What the rows say about the access controls.
pub(super) struct Memberships {
    /// Whether there is a file with beneficiaries: then an access control without a row has none.
    knows_who: bool,
    of: HashMap<String, Membership>,
}

/// What the rows say about one access control.
struct Membership {
    /// The first row.
    place: Place,
    order: usize,
    who: Who,
    what: Objects,
}

/// Objects with permissions, each object once.
#[derive(Default)]
struct Objects {
    items: Vec<WhatItem>,
    /// Where in `items` an object stands, by type and full name.
    positions: HashMap<(String, String), usize>,
}

impl Memberships {
    /// Reads both files.
    pub(super) fn read(folder: &Folder, types: &Types) -> Result<Memberships> {
        let mut memberships =
            Memberships { knows_who: folder.source(Subject::AccessWho).is_some(), of: HashMap::new() };
        if let Some(source) = folder.source(Subject::AccessWho) {
            records::each(source, &mut |fields| memberships.who_row(fields))?;
        }
        if let Some(source) = folder.source(Subject::AccessWhat) {
            records::each(source, &mut |fields| memberships.what_row(fields, types))?;
        }
        Ok(memberships)
    }

    fn who_row(&mut self, mut fields: Fields) -> Result<()> {
        let control = fields.required("access-control")?;
        let user = fields.name("user")?;
        let group = fields.name("group")?;
        let member = fields.name("member-access-control")?;
        let recipient = fields.name("recipient")?;
        if [&user, &group, &member, &recipient].into_iter().flatten().count() != 1 {
            let names = "`user`, `group`, `member-access-control` and `recipient`";
            return Err(fields.place().error(format!("exactly one of {names} must be given")));
        }
        let who = &mut self.membership(control, fields.place()).who;
        who.users.extend(user);
        who.groups.extend(group);
        who.access_controls.extend(member);
        who.recipients.extend(recipient);
        fields.finish()
    }

    fn what_row(&mut self, mut fields: Fields, types: &Types) -> Result<()> {
        let control = fields.required("access-control")?;
        let object = types.reference(&mut fields)?;
        let permissions = fields.texts("permissions")?.unwrap_or_default();
        for permission in &permissions {
            types.check_permission(permission, &object.object_type, &fields)?;
        }
        self.membership(control, fields.place()).what.add(WhatItem { object, permissions });
        fields.finish()
    }

    fn membership(&mut self, control: String, place: &Place) -> &mut Membership {
        let order = self.of.len();
        self.of.entry(control).or_insert_with(|| Membership {
            place: place.clone(),
            order,
            who: no_one(),
            what: Objects::default(),
        })
    }

    /// Adds to an access control what the rows say about it.
    pub(super) fn add_to(&mut self, control: &mut AccessControl) {
        if self.knows_who {
            control.who.get_or_insert_with(no_one);
        }
        let Some(rows) = self.of.remove(&control.external_id) else { return };
        if let Some(who) = &mut control.who {
            extend(&mut who.users, rows.who.users);
            extend(&mut who.groups, rows.who.groups);
            extend(&mut who.access_controls, rows.who.access_controls);
            extend(&mut who.recipients, rows.who.recipients);
        }
        if control.what.is_empty() {
            control.what = rows.what.items;
        } else {
            let mut both = Objects::default();
            for item in std::mem::take(&mut control.what).into_iter().chain(rows.what.items) {
                both.add(item);
            }
            control.what = both.items;
        }
    }

    /// Refuses rows about access controls that do not exist.
    pub(super) fn finish(self, where_expected: impl Display) -> Result<()> {
        match self.of.into_iter().min_by_key(|(_, rows)| rows.order) {
            None => Ok(()),
            Some((id, rows)) => Err(dangling(&rows.place, "names", "access control", &id, where_expected)),
        }
    }
}

impl Objects {
    fn add(&mut self, item: WhatItem) {
        let key = (item.object.object_type.clone(), item.object.full_name.clone());
        let position = *self.positions.entry(key).or_insert(self.items.len());
        match self.items.get_mut(position) {
            None => self.items.push(item),
            Some(known) => extend(&mut known.permissions, item.permissions),
        }
    }
}

fn no_one() -> Who {
    Who { users: vec![], groups: vec![], access_controls: vec![], recipients: vec![] }
}

/// Adds the elements that are not there yet, once each.
fn extend(list: &mut Vec<String>, more: Vec<String>) {
    let mut known: HashSet<String> = list.iter().cloned().collect();
    list.extend(more.into_iter().filter(|element| known.insert(element.clone())));
}
