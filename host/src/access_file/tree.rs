//! A part of an access file as a tree whose nodes know their place.
//!
//! Subtrees are shared, never copied: an alias is a second reference to what its anchor names. How large a tree is when
//! written out, and how deep, is known at each node, so that limits hold whatever aliases do.

use std::rc::Rc;

use super::finding::Place;

/// A node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
    /// Values below it, itself included, with everything that aliases stand for; long texts count more than once.
    pub(super) weight: u64,
    /// Levels below it, itself included.
    pub(super) height: u32,
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Value {
    Scalar {
        kind: Kind,
        text: String,
    },
    List(Vec<Rc<Node>>),
    Map(Vec<Entry>),
    /// What is wrong with it has been told already.
    Broken,
}

/// What a scalar is by the core schema of YAML 1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Integer,
    Decimal,
    Text,
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Rc<str>,
    /// The place of the key.
    pub(super) place: Place,
    pub(super) value: Rc<Node>,
}

impl Node {
    pub(super) fn scalar(place: Place, kind: Kind, text: String) -> Self {
        let weight = 1 + text.len() as u64 / 64;
        Node { place, value: Value::Scalar { kind, text }, weight, height: 1 }
    }

    pub(super) fn broken(place: Place) -> Self {
        Node { place, value: Value::Broken, weight: 1, height: 1 }
    }

    pub(super) fn list(place: Place, items: Vec<Rc<Node>>) -> Self {
        let weight = items.iter().fold(1, |sum: u64, item| sum.saturating_add(item.weight));
        let height = 1 + items.iter().map(|item| item.height).max().unwrap_or_default();
        Node { place, value: Value::List(items), weight, height }
    }

    /// A map; `merged` is the weight of what `<<` was given, whether it won or not.
    pub(super) fn map(place: Place, entries: Vec<Entry>, merged: u64) -> Self {
        let weight = entries.iter().fold(1 + merged, |sum: u64, entry| {
            sum.saturating_add(entry.value.weight).saturating_add(entry.key.len() as u64 / 64)
        });
        let height = 1 + entries.iter().map(|entry| entry.value.height).max().unwrap_or_default();
        Node { place, value: Value::Map(entries), weight, height }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self.value, Value::Scalar { kind: Kind::Null, .. })
    }

    /// What it is, with article, for messages.
    pub(super) fn describe(&self) -> &'static str {
        match &self.value {
            Value::Scalar { kind: Kind::Null, .. } | Value::Broken => "nothing",
            Value::Scalar { kind: Kind::Bool(_), .. } => "true or false",
            Value::Scalar { kind: Kind::Integer | Kind::Decimal, .. } => "a number",
            Value::Scalar { kind: Kind::Text, .. } => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// The entry of a key.
pub(super) fn get<'a>(entries: &'a [Entry], key: &str) -> Option<&'a Entry> {
    entries.iter().find(|entry| &*entry.key == key)
}

/// What a plain scalar is.
pub(super) fn kind_of_plain(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
        "true" | "True" | "TRUE" => return Kind::Bool(true),
        "false" | "False" | "FALSE" => return Kind::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Kind::Decimal,
        _ => {}
    }
    let digits =
        |text: &str, allowed: fn(&u8) -> bool| !text.is_empty() && text.as_bytes().iter().all(allowed);
    if text.strip_prefix("0o").is_some_and(|rest| digits(rest, |byte| (b'0'..=b'7').contains(byte)))
        || text.strip_prefix("0x").is_some_and(|rest| digits(rest, u8::is_ascii_hexdigit))
    {
        return Kind::Integer;
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits(unsigned, u8::is_ascii_digit) {
        return Kind::Integer;
    }
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Kind::Decimal;
    }
    // Rust also reads words such as `nan` and `infinity`, which are texts in YAML.
    let begins = unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    if begins && unsigned.parse::<f64>().is_ok() { Kind::Decimal } else { Kind::Text }
}

#[cfg(test)]
mod tests {
    use super::{Kind, kind_of_plain};

    #[test]
    fn plain_scalars_are_what_the_core_schema_says() {
        for (text, kind) in [
            ("", Kind::Null),
            ("~", Kind::Null),
            ("nULL", Kind::Text),
            ("yes", Kind::Text),
            ("True", Kind::Bool(true)),
            ("007", Kind::Integer),
            ("-12", Kind::Integer),
            ("0x1F", Kind::Integer),
            ("0x", Kind::Text),
            ("1e3", Kind::Decimal),
            ("-.5", Kind::Decimal),
            ("-.inf", Kind::Decimal),
            ("infinity", Kind::Text),
            ("+", Kind::Text),
            ("2026-01-02", Kind::Text),
            ("1.2.3", Kind::Text),
        ] {
            assert_eq!(kind_of_plain(text), kind, "{text}");
        }
    }
}
