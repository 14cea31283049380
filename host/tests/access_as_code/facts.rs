//! Who may do what: a model of PostgreSQL's rights, and what an access file says in its terms.
//!
//! What is given to one is had by its members and theirs, and what is given to PUBLIC by everybody. Whoever has a
//! privilege on a table has it on its columns.
//!
//! A permission that the type of an object does not know, but types below it do, is one on everything that stands below.
//! Whoever is given something in a database may connect to it, and use the schema that it is in.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::Control;
use crate::world::{DATABASES, Kind, Object, World};

/// Who has something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Holder {
    /// Everybody.
    Public,
    /// A role that was not made from an access file.
    Role(String),
    /// The role of an access control, by its id.
    Control(String),
}

/// What was given to whom.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) grants: BTreeSet<(Holder, Object, &'static str)>,
    /// Members and what they are members of.
    pub(crate) memberships: BTreeSet<(Holder, Holder)>,
}

/// A right as a line: of whom, on what, which one.
pub(crate) fn right(holder: &Holder, object: [&str; 5], privilege: &str) -> String {
    let [database, kind, schema, name, detail] = object;
    format!("{holder:?}: {privilege} on {kind} {:?}", [database, schema, name, detail])
}

/// A membership as a line.
pub(crate) fn membership(member: &Holder, of: &Holder, how: &str) -> String {
    format!("{member:?}: {how} member of {of:?}")
}

impl Facts {
    /// What stands in a new world.
    pub(crate) fn of_world(world: &World) -> Self {
        let mut facts = Facts::default();
        let owner = || Holder::Role(world.owner.clone());
        for object in &world.objects {
            match object.kind {
                Kind::Database if object.database == 1 => {
                    facts.give(Holder::Public, object, "CONNECT");
                    facts.give(Holder::Public, object, "TEMPORARY");
                }
                Kind::Schema if object.schema == "public" => facts.give(Holder::Public, object, "USAGE"),
                Kind::Schema if object.schema == world.first_schema() && object.database == 0 => {
                    facts.give(owner(), object, "USAGE");
                }
                // The one without arguments was taken from everybody.
                Kind::Function | Kind::Procedure if !object.detail.is_empty() => {
                    facts.give(Holder::Public, object, "EXECUTE");
                }
                _ => {}
            }
        }
        for privilege in Kind::Table.privileges().iter().filter(|_| world.superuser) {
            facts.give(owner(), world.owned(), privilege);
        }
        let stranger = Holder::Role(world.stranger.clone());
        facts.memberships.insert((Holder::Role(world.users[0].clone()), stranger));
        facts
    }

    pub(crate) fn give(&mut self, holder: Holder, object: &Object, privilege: &'static str) {
        self.grants.insert((holder, object.clone(), privilege));
    }

    /// Adds what an access file says.
    pub(crate) fn add_file(&mut self, controls: &[Control], world: &World) {
        for control in controls {
            let holder = || Holder::Control(control.id.clone());
            for user in control.users.iter().chain(&control.roles) {
                self.memberships.insert((Holder::Role(user.clone()), holder()));
            }
            for id in control.inherits.iter().filter(|id| controls.iter().any(|other| other.id == **id)) {
                self.memberships.insert((Holder::Control(id.clone()), holder()));
            }
            for (object, privilege) in given(control, world) {
                self.give(holder(), &object, privilege);
            }
        }
    }

    /// Everything that everybody may do and is a member of, as lines. `holders` are all there are.
    pub(crate) fn lines(&self, holders: &BTreeSet<Holder>, world: &World) -> BTreeSet<String> {
        let mut lines = BTreeSet::new();
        let mut given: BTreeMap<&Holder, Vec<(&Object, &str)>> = BTreeMap::new();
        for (holder, object, privilege) in &self.grants {
            given.entry(holder).or_default().push((object, privilege));
        }
        for holder in holders {
            let mut reached = self.reached(holder);
            for of in &reached {
                lines.insert(membership(holder, of, "a"));
                if matches!(of, Holder::Control(_))
                    && self.memberships.contains(&(holder.clone(), of.clone()))
                {
                    lines.insert(membership(holder, of, "an immediate"));
                }
            }
            reached.extend([holder.clone(), Holder::Public]);
            let has = reached.iter().filter_map(|of| given.get(of)).flatten();
            for (object, privilege) in has {
                lines.insert(line(holder, object, privilege));
                for column in world.objects.iter().filter(|column| is_column_of(column, object)) {
                    if Kind::Column.privileges().contains(privilege) {
                        lines.insert(line(holder, column, privilege));
                    }
                }
            }
        }
        lines
    }

    /// Everything that somebody is a member of.
    fn reached(&self, holder: &Holder) -> BTreeSet<Holder> {
        let mut reached = BTreeSet::new();
        let mut open = vec![holder];
        while let Some(member) = open.pop() {
            for (_, of) in self.memberships.iter().filter(|(one, _)| one == member) {
                if reached.insert(of.clone()) {
                    open.push(of);
                }
            }
        }
        reached
    }
}

fn line(holder: &Holder, object: &Object, privilege: &str) -> String {
    let Object { database, kind, schema, name, detail } = object;
    right(holder, [DATABASES[*database], kind.name(), schema, name, detail], privilege)
}

fn is_column_of(column: &Object, relation: &Object) -> bool {
    column.kind == Kind::Column
        && matches!(relation.kind, Kind::Table | Kind::View | Kind::MaterializedView)
        && (column.database, &column.schema, &column.name)
            == (relation.database, &relation.schema, &relation.name)
}

/// Everything that is given to an access control itself.
pub(crate) fn given(control: &Control, world: &World) -> BTreeSet<(Object, &'static str)> {
    let mut given = BTreeSet::new();
    let mut give = |object: &Object, privilege| {
        given.insert((object.clone(), privilege));
        if object.kind != Kind::Database {
            given.insert((Object::new(object.database, Kind::Database, ["", "", ""]), "CONNECT"));
        }
        if !matches!(object.kind, Kind::Database | Kind::Schema) {
            given.insert((Object::new(object.database, Kind::Schema, [&object.schema, "", ""]), "USAGE"));
        }
    };
    for (object, permissions) in &control.what {
        for &permission in permissions {
            if object.kind.privileges().contains(&permission) {
                give(object, permission);
                continue;
            }
            for below in world.objects.iter().filter(|below| below.is_below(object)) {
                if below.kind.privileges().contains(&permission) {
                    give(below, permission);
                }
            }
        }
    }
    given
}
