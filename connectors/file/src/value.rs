//! What a field holds, before anybody knows what it should hold.
//!
//! The three formats differ in how much they say about a value: JSON gives its type, YAML leaves unquoted
//! scalars open, a CSV cell is a text. So a [`Value`] keeps what was written, and the
//! [fields](crate::fields) decide by what they need.

use std::fmt;
use std::rc::Rc;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A value as written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// A number without fraction.
    Integer(i128),
    Decimal(f64),
    /// A text that says that it is one.
    Text(String),
    /// An unquoted YAML scalar other than null: whatever the field takes it for.
    Plain(String),
    /// A CSV cell.
    Cell(String),
    List(Vec<Value>),
    Map(Vec<Field>),
}

/// A named value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: Rc<str>,
    /// Line of the name where the format tells.
    pub(crate) line: Option<u64>,
    pub(crate) value: Value,
}

impl Value {
    /// What it is, with article, for messages.
    pub(crate) fn found(&self) -> String {
        match self {
            Value::Null => "nothing".to_owned(),
            Value::Bool(flag) => flag.to_string(),
            Value::Integer(number) => format!("the number {number}"),
            Value::Decimal(number) => format!("the number {number}"),
            Value::Text(text) => format!("the text {}", quoted(text)),
            Value::Plain(text) | Value::Cell(text) => quoted(text),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
        }
    }
}

/// A text from a file for a message: on one line, without control characters, cut to a sensible length.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    let short: String = text.chars().take(LONGEST).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("`{}{more}`", short.escape_debug())
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Integer(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Integer(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Decimal(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(Value::List(list))
    }

    /// Keeps every member, also a second one of the same name: the fields refuse it.
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some((name, value)) = members.next_entry::<String, Value>()? {
            map.push(Field { name: name.into(), line: None, value });
        }
        Ok(Value::Map(map))
    }
}
