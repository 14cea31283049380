//! Judges a tree by the tables of [`super::format`]: unknown, missing and repeated keys, wrong types, empty names.
//!
//! [`Scope`] also carries what messages name: the access control that is being read.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::finding::{Place, Report, quoted, suggestion};
use super::format::{Key, Presence, Shape, Table};
use super::tree::{Entry, Kind, Node, Value, get};

/// Where findings go, and which access control they are about.
pub(super) struct Scope<'a> {
    pub(super) report: &'a mut Report,
    pub(super) control: Option<&'a str>,
}

impl Scope<'_> {
    pub(super) fn error(&mut self, place: Place, message: impl Into<String>, hint: Option<String>) {
        self.report.error(place, self.control, message.into(), hint);
    }

    pub(super) fn warning(&mut self, place: Place, message: impl Into<String>, hint: Option<String>) {
        self.report.warning(place, self.control, message.into(), hint);
    }

    /// Judges a map; `label` says for messages what it is the value of.
    pub(super) fn map(&mut self, node: &Node, table: &'static Table, label: &str) {
        match &node.value {
            Value::Map(entries) => self.entries(node.place, entries, table),
            _ => self.wrong_type(node, label, "a map"),
        }
    }

    fn entries(&mut self, place: Place, entries: &[Entry], table: &'static Table) {
        for entry in entries {
            self.entry(entry, table);
        }
        for key in table.keys.iter().filter(|key| key.presence.is_required()) {
            if get(entries, key.name).is_none() {
                let hint = format!("add `{}: …`", key.name);
                self.error(place, format!("{} needs the key `{}`", table.what, key.name), Some(hint));
            }
        }
        if table.one_of {
            let known = |entry: &&Entry| table.key(&entry.key).is_some();
            let given = entries.iter().filter(known).filter(|entry| !entry.value.is_null()).count();
            if given != 1 {
                let keys: Vec<_> = table.names().map(|name| format!("`{name}`")).collect();
                let message = format!("{} must have exactly one of its keys, found {given}", table.what);
                self.error(place, message, Some(format!("give one of {}", keys.join(", "))));
            }
        }
    }

    /// Judges an entry of a map.
    pub(super) fn entry(&mut self, entry: &Entry, table: &'static Table) {
        match table.key(&entry.key) {
            Some(Key { shape: Shape::Moved(hint), .. }) => {
                let message = format!("{} has no {} any more", table.what, quoted(&entry.key));
                self.error(entry.place, message, Some((*hint).to_owned()));
            }
            Some(key) => self.value(&entry.value, key),
            None if table.extensible && entry.key.starts_with("x-") => {}
            None => self.unknown_key(entry, table),
        }
    }

    fn unknown_key(&mut self, entry: &Entry, table: &'static Table) {
        let below = table.keys.iter().find(|key| match key.shape {
            Shape::Map(below) => below.key(&entry.key).is_some(),
            _ => false,
        });
        let below = below.map(|key| format!("it belongs into `{}`", key.name));
        let hint = below.or_else(|| suggestion(&entry.key, table.names())).unwrap_or_else(|| {
            let names: Vec<_> = table.names().map(|name| format!("`{name}`")).collect();
            format!("known here are {}", names.join(", "))
        });
        let message = format!("unknown key {} in {}", quoted(&entry.key), table.what);
        self.error(entry.place, message, Some(hint));
    }

    fn value(&mut self, node: &Node, key: &'static Key) {
        if node.is_null() {
            if !key.presence.allows_null() {
                self.nothing(node.place, key);
            }
            return;
        }
        let label = format!("`{}`", key.name);
        match key.shape {
            Shape::Name => self.name(node, &label, false),
            Shape::MaybeName => self.name(node, &label, true),
            Shape::Text => {
                self.text(node, &label);
            }
            Shape::Timestamp => {
                if let Some(text) = self.text(node, &label)
                    && !is_timestamp(text)
                {
                    let message = format!("{label} must be a time from 1970 on, found {}", quoted(text));
                    self.error(node.place, message, Some("write it as `2026-03-01T08:30:00Z`".into()));
                }
            }
            Shape::Word(words) => self.word(node, &label, words, true),
            Shape::ExactWord(words) => self.word(node, &label, words, false),
            Shape::Flag => self.flag(node, &label),
            Shape::Integer if integer(node).is_some() => {}
            Shape::Integer => self.wrong_type(node, &label, "an integer of 64 bits"),
            Shape::Number if number(node).is_some() => {}
            Shape::Number => self.wrong_type(node, &label, "a finite number"),
            Shape::Names => self.items(node, &label, "a list of texts", |scope, item, label| {
                scope.name(item, label, false);
            }),
            Shape::Map(table) => self.map(node, table, &label),
            Shape::List(table) => {
                self.items(node, &label, "a list", |scope, item, label| scope.map(item, table, label));
            }
            Shape::FilledList(table) => {
                if matches!(&node.value, Value::List(items) if items.is_empty()) {
                    self.error(node.place, format!("{label} is empty"), None);
                }
                self.items(node, &label, "a list", |scope, item, label| scope.map(item, table, label));
            }
            Shape::Moved(_) => {}
        }
    }

    fn items(&mut self, node: &Node, label: &str, expected: &str, each: impl Fn(&mut Self, &Node, &str)) {
        let Value::List(items) = &node.value else { return self.wrong_type(node, label, expected) };
        let label = format!("an element of {label}");
        for item in items {
            each(self, item, &label);
        }
    }

    fn nothing(&mut self, place: Place, key: &Key) {
        let hint = if key.presence == Presence::Optional {
            "give it a value or remove it"
        } else {
            "give it a value"
        };
        self.error(place, format!("`{}` has no value", key.name), Some(hint.into()));
    }

    fn text<'n>(&mut self, node: &'n Node, label: &str) -> Option<&'n str> {
        let text = text(node);
        if text.is_none() {
            self.wrong_type(node, label, "a text");
        }
        text
    }

    fn name(&mut self, node: &Node, label: &str, may_be_empty: bool) {
        let Some(text) = self.text(node, label) else { return };
        if text.trim().is_empty() && !(may_be_empty && text.is_empty()) {
            self.error(node.place, format!("{label} holds an empty text"), None);
        } else if text.chars().any(char::is_control) {
            let message = format!("{label} holds {}, with a control character in it", quoted(text));
            self.error(node.place, message, None);
        } else if text.trim() != text {
            let message = format!("{} begins or ends with a space", quoted(text));
            self.warning(node.place, message, None);
        }
    }

    fn word(&mut self, node: &Node, label: &str, words: &'static [&'static str], any_case: bool) {
        let Some(text) = self.text(node, label) else { return };
        if words.iter().any(|word| if any_case { word.eq_ignore_ascii_case(text) } else { *word == text }) {
            return;
        }
        let known: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
        let hint =
            suggestion(text, words.iter().copied()).unwrap_or_else(|| format!("one of {}", known.join(", ")));
        self.error(node.place, format!("{label} cannot be {}", quoted(text)), Some(hint));
    }

    fn flag(&mut self, node: &Node, label: &str) {
        match &node.value {
            Value::Scalar { kind: Kind::Bool(_), .. } | Value::Broken => {}
            Value::Scalar { text, .. } => {
                let message = format!("{label} must be true or false, found {}", quoted(text));
                self.error(node.place, message, Some("write `true` or `false`, without quotes".into()));
            }
            _ => self.wrong_type(node, label, "true or false"),
        }
    }

    pub(super) fn wrong_type(&mut self, node: &Node, label: &str, expected: &str) {
        if matches!(node.value, Value::Broken) {
            return;
        }
        let hint = match (&node.value, expected) {
            (Value::Scalar { .. }, "a list of texts") => Some("begin each element with `- `, or write `[…]`"),
            (Value::Scalar { kind: Kind::Text, .. }, "an integer of 64 bits" | "a finite number") => {
                Some("write it without quotes")
            }
            (Value::Scalar { kind: Kind::Text, .. }, "a map") if label.ends_with("`accessProviders`") => {
                Some("write `- name: …`")
            }
            (Value::Map(_), "a list" | "a list of texts") => Some("begin each element with `- `"),
            _ => None,
        };
        self.error(
            node.place,
            format!("{label} must be {expected}, found {}", node.describe()),
            hint.map(str::to_owned),
        );
    }
}

/// The text of a scalar; unquoted numbers and the like are what is written.
pub(super) fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar { kind: Kind::Null, .. } => None,
        Value::Scalar { text, .. } => Some(text),
        _ => None,
    }
}

/// The value of an integer.
pub(super) fn integer(node: &Node) -> Option<i64> {
    let Value::Scalar { kind: Kind::Integer, text } = &node.value else { return None };
    if let Some(octal) = text.strip_prefix("0o") {
        return i64::from_str_radix(octal, 8).ok();
    }
    match text.strip_prefix("0x") {
        Some(hexadecimal) => i64::from_str_radix(hexadecimal, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The value of a number that JSON can hold.
pub(super) fn number(node: &Node) -> Option<f64> {
    match &node.value {
        Value::Scalar { kind: Kind::Decimal | Kind::Integer, text } => {
            text.parse().ok().filter(|number: &f64| number.is_finite())
        }
        _ => None,
    }
}

/// Whether a text is a moment that the contract can hold.
fn is_timestamp(text: &str) -> bool {
    OffsetDateTime::parse(text, &Rfc3339).is_ok_and(|moment| moment.unix_timestamp() >= 0)
}

/// The JSON of a value that was judged and found right; members without a value are left out.
pub(super) fn to_json(node: &Node, shape: Shape) -> Option<serde_json::Value> {
    let list = |shape: Shape| match &node.value {
        Value::List(items) => items.iter().map(|item| to_json(item, shape)).collect(),
        _ => None,
    };
    match shape {
        Shape::Name
        | Shape::MaybeName
        | Shape::Text
        | Shape::Timestamp
        | Shape::Word(_)
        | Shape::ExactWord(_) => text(node).map(Into::into),
        Shape::Flag => flag(node).map(Into::into),
        Shape::Integer => integer(node).map(Into::into),
        Shape::Number => number(node).map(Into::into),
        Shape::Names => list(Shape::Name),
        Shape::List(table) | Shape::FilledList(table) => list(Shape::Map(table)),
        Shape::Map(table) => {
            let Value::Map(entries) = &node.value else { return None };
            let members = entries.iter().filter(|entry| !entry.value.is_null()).filter_map(|entry| {
                let shape = table.key(&entry.key)?.shape;
                Some((entry.key.to_string(), to_json(&entry.value, shape)?))
            });
            Some(serde_json::Value::Object(members.collect()))
        }
        Shape::Moved(_) => None,
    }
}

/// The value of true or false.
pub(super) fn flag(node: &Node) -> Option<bool> {
    match node.value {
        Value::Scalar { kind: Kind::Bool(flag), .. } => Some(flag),
        _ => None,
    }
}
