//! What is kept of each access control once it is in the spool: what it is called, where it stands, whose it is.
//!
//! Names of users are interned, so an access control costs its own names and four bytes for each user.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::finding::{Place, Position};

/// The access controls of all files, by their ids. Ids are compared without regard to letter case, unless two differ by it.
#[derive(Debug, Default)]
pub struct Index {
    pub(super) files: Vec<PathBuf>,
    pub(super) controls: Vec<Control>,
    /// Positions in `controls`, by the id in lower case.
    pub(super) ids: HashMap<String, Vec<u32>>,
    users: HashMap<Arc<str>, u32>,
}

/// An access control.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) id: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) place: Place,
    pub(super) action: Action,
    pub(super) delete: bool,
    /// Numbers of its users.
    users: Box<[u32]>,
    /// Positions of those whose members have this one too.
    pub(super) inherits: Vec<u32>,
    /// Others than its users may have it: members of groups or of what stands in the target alone, recipients, or whoever
    /// has it already and is locked.
    pub(super) others: bool,
}

/// As far as inheritance asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Mask,
    Filter,
    Denial,
    /// A grant or a share.
    Other,
}

/// Where an access control stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Located<'a> {
    /// The file, as it was found or given.
    pub path: &'a Path,
    /// The place of its name.
    pub position: Position,
}

impl Index {
    /// How many access controls there are.
    pub fn len(&self) -> usize {
        self.controls.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.controls.is_empty()
    }

    /// All ids, in the order of the spool.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.controls.iter().map(|control| &*control.id)
    }

    /// The name of an access control.
    pub fn name(&self, id: &str) -> Option<&str> {
        self.find(id).map(|(_, control)| &*control.name)
    }

    /// Where an access control stands.
    pub fn place(&self, id: &str) -> Option<Located<'_>> {
        let (_, control) = self.find(id)?;
        let path = self.files.get(control.place.file as usize)?;
        Some(Located { path, position: control.place.position? })
    }

    /// The numbers of the users who have an access control: its own and those of everything it inherits from. Members of
    /// groups are not known here and do not count.
    pub fn people(&self, id: &str) -> HashSet<u32> {
        self.with_sources(id).into_iter().flat_map(|control| control.users.iter().copied()).collect()
    }

    /// Whether others than [`Self::people`] may have an access control, who are not known here.
    pub fn has_others(&self, id: &str) -> bool {
        self.with_sources(id).iter().any(|control| control.others)
    }

    /// The ids of those whose members have an access control: its own, and of everything it inherits from.
    pub fn sources(&self, id: &str) -> impl Iterator<Item = &str> {
        self.with_sources(id).into_iter().map(|control| &*control.id)
    }

    fn with_sources(&self, id: &str) -> Vec<&Control> {
        let start = self.find(id).map(|(at, _)| at);
        let mut seen: HashSet<u32> = start.into_iter().collect();
        let mut next: Vec<u32> = start.into_iter().collect();
        let mut found = Vec::new();
        while let Some(control) = next.pop().and_then(|at| self.controls.get(at as usize)) {
            found.push(control);
            next.extend(control.inherits.iter().copied().filter(|parent| seen.insert(*parent)));
        }
        found
    }

    /// The number by which [`Self::people`] knows a user, if an access control has that user.
    pub fn user_number(&self, name: &str) -> Option<u32> {
        self.users.get(name).copied()
    }

    pub(super) fn find(&self, id: &str) -> Option<(u32, &Control)> {
        let candidates = self.ids.get(&id.to_lowercase())?;
        let controls = candidates.iter().filter_map(|at| Some((*at, self.controls.get(*at as usize)?)));
        controls.clone().find(|(_, control)| &*control.id == id).or_else(|| controls.clone().next())
    }

    /// Adds an access control and gives its position.
    pub(super) fn add(
        &mut self,
        id: &str,
        name: &str,
        place: Place,
        (action, delete): (Action, bool),
        users: &[String],
        others: bool,
    ) -> u32 {
        let at = number(self.controls.len());
        let users = users.iter().map(|user| self.user(user)).collect();
        let name: Arc<str> = name.into();
        let id = if *id == *name { Arc::clone(&name) } else { id.into() };
        self.ids.entry(id.to_lowercase()).or_default().push(at);
        self.controls.push(Control { id, name, place, action, delete, users, inherits: Vec::new(), others });
        at
    }

    fn user(&mut self, name: &str) -> u32 {
        if let Some(known) = self.users.get(name) {
            return *known;
        }
        let new = number(self.users.len());
        self.users.insert(name.into(), new);
        new
    }
}

/// Positions have 32 bits; more access controls than that do not fit into any memory.
pub(super) fn number(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
