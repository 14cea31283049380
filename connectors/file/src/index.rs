//! Ids that were seen, and references to ids that must turn up.
//!
//! Ids are kept as keyed 64-bit hashes with the number of the spot they stand at, 16 bytes each (20 to 40 with the
//! room that a hash table leaves), so that a file of millions of records fits into the sandbox. Two ids of one hash would be taken for a repetition: with a million
//! records the chance is 1 in 37 million, and the key is another one in each run. References are kept as text
//! only until the id turns up; with parents before children that is none.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Display;
use std::hash::{BuildHasher, RandomState};

use raito_connector::{Error, Result};

use crate::fields::Fields;
use crate::place::{Place, Spot};
use crate::value::quoted;

/// Unique ids, and what refers to them.
#[derive(Default)]
pub(crate) struct Index {
    key: RandomState,
    /// Numbers of lines or records by the hash of the id. One file has one kind of spot.
    seen: HashMap<u64, u64>,
    waiting: HashMap<u64, Reference>,
    /// References so far, to report the first one in the file.
    references: u64,
}

/// A reference to an id that has not turned up yet.
struct Reference {
    id: String,
    place: Place,
    /// Who refers, and how: ``user `ann` is a member of``.
    referrer: String,
    order: u64,
}

impl Index {
    /// Takes the id of a record, which stands in the field `name`.
    ///
    /// # Errors
    /// It was taken before.
    pub(crate) fn add(&mut self, id: &str, name: &str, fields: &Fields) -> Result<()> {
        match self.insert(id, fields.place().spot) {
            None => Ok(()),
            Some(earlier) => Err(fields.error(name, format!("{} already stands in {earlier}", quoted(id)))),
        }
    }

    /// Takes an id; the spot of the same one where it was taken before.
    pub(crate) fn insert(&mut self, id: &str, spot: Spot) -> Option<Spot> {
        let hash = self.key.hash_one(id);
        match self.seen.entry(hash) {
            Entry::Occupied(earlier) => Some(spot.numbered(*earlier.get())),
            Entry::Vacant(vacant) => {
                vacant.insert(spot.number());
                self.waiting.remove(&hash);
                None
            }
        }
    }

    /// Whether the id was taken.
    pub(crate) fn contains(&self, id: &str) -> bool {
        self.seen.contains_key(&self.key.hash_one(id))
    }

    /// Takes note that a record refers to an id, which may come later.
    pub(crate) fn refer(&mut self, id: &str, place: &Place, referrer: impl FnOnce() -> String) {
        let hash = self.key.hash_one(id);
        if !self.seen.contains_key(&hash) {
            self.references += 1;
            let order = self.references;
            self.waiting.entry(hash).or_insert_with(|| Reference {
                id: id.to_owned(),
                place: place.clone(),
                referrer: referrer(),
                order,
            });
        }
    }

    /// The index once no more ids come. `where_expected` is the file that should have them all.
    ///
    /// # Errors
    /// A record referred to an id that never turned up.
    pub(crate) fn resolved(self, what: &str, where_expected: impl Display) -> Result<Index> {
        match self.waiting.values().min_by_key(|reference| reference.order) {
            None => Ok(self),
            Some(Reference { id, place, referrer, .. }) => {
                Err(dangling(place, referrer, what, id, where_expected))
            }
        }
    }
}

/// The error for a reference to something that is not there.
pub(crate) fn dangling(
    place: &Place,
    referrer: &str,
    what: &str,
    id: &str,
    where_expected: impl Display,
) -> Error {
    place.error(format!("{referrer} the {what} {}, which is not in {where_expected}", quoted(id)))
}
