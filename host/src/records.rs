//! Records as they stand in the files that Raito Cloud imports.
//!
//! A file is one JSON array: `[`, then for each item a comma unless it is the first, one or two line feeds and a
//! compact object; at the end a line feed and `]`. The member names, their order and which of them are left out
//! when unset are those of Raito's own connectors, down to the escapes of Go's JSON encoder
//! ([`json`]), so that the files of both can be compared.
//!
//! The shapes borrow from the records of the contract: nothing is copied on the way to the file.

pub mod access_control;
pub mod data_object;
pub mod desired;
pub mod identity;
pub mod json;
pub mod list;
pub mod plan;
pub mod statement;
pub mod tag;

use serde::{Serialize, Serializer};

use crate::contract::types::Tag;

/// The reserved key of tags that name owners.
pub const OWNER_TAG: &str = "raito_owner";

/// A tag.
#[derive(Serialize)]
pub struct TagShape<'a> {
    key: &'a str,
    value: &'a str,
    source: &'a str,
}

/// An empty list is written as `null`, as Go does with a list that was never filled.
fn null_if_empty<T: Serialize, S: Serializer>(list: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    if list.is_empty() { serializer.serialize_none() } else { serializer.collect_seq(list) }
}

fn tags<S: Serializer>(tags: &[Tag], serializer: S) -> Result<S::Ok, S::Error> {
    if tags.is_empty() {
        return serializer.serialize_none();
    }
    serializer.collect_seq(tags.iter().map(|tag| TagShape {
        key: &tag.key,
        value: &tag.value,
        source: &tag.source,
    }))
}
