//! Two places from which options are read by name: the layers of the top level, and one target.
//!
//! Both convert and collect errors; they differ in how strict they are. A target wants the right type, but
//! replaces templates; the top level takes any scalar that can be converted, because flags and environment
//! have nothing but text, and replaces templates in three keys alone.

use super::document::{Entry, Node, Value};
use super::error::{ConfigErrors, Origin, Problem};
use super::keys::{self, PartKeys};
use super::locks::{LockSettings, PartLock};
use super::settings::TagSettings;
use super::{Environment, Overrides, template, values};

/// Something that options can be read from.
pub(super) trait Source {
    /// A truth value, if it is given and right.
    fn truth(&mut self, key: &'static str) -> Option<bool>;
    /// A text, if it is given, right and not empty.
    fn text(&mut self, key: &'static str) -> Option<String>;

    /// All lock options, with defaults for those that are not given.
    fn locks(&mut self, defaults: &LockSettings) -> LockSettings {
        LockSettings {
            who: self.part(&keys::WHO, &defaults.who),
            inheritance: self.part(&keys::INHERITANCE, &defaults.inheritance),
            what: self.part(&keys::WHAT, &defaults.what),
            names: self.part(&keys::NAMES, &defaults.names),
            delete: self.part(&keys::DELETE, &defaults.delete),
            all_owners: self.truth("lock-all-owners").unwrap_or(defaults.all_owners),
            fully: self.part(&keys::FULLY, &defaults.fully),
            make_not_internalizable: self
                .text("make-not-internalizable")
                .unwrap_or_else(|| defaults.make_not_internalizable.clone()),
        }
    }

    /// The lock options of one part.
    fn part(&mut self, keys: &PartKeys, defaults: &PartLock) -> PartLock {
        PartLock {
            all: self.truth(keys.all).unwrap_or(defaults.all),
            by_name: self.text(keys.by_name).unwrap_or_else(|| defaults.by_name.clone()),
            by_tag: self.text(keys.by_tag).unwrap_or_else(|| defaults.by_tag.clone()),
            when_incomplete: self.truth(keys.when_incomplete).unwrap_or(defaults.when_incomplete),
        }
    }

    /// All tag options, with defaults for those that are not given.
    fn tags(&mut self, defaults: &TagSettings) -> TagSettings {
        let [name, owners, object_owners, machine] = keys::TAGS;
        let mut text = |key, default: &Option<String>| self.text(key).or_else(|| default.clone());
        TagSettings {
            access_provider_name: text(name, &defaults.access_provider_name),
            access_provider_owners: text(owners, &defaults.access_provider_owners),
            data_object_owners: text(object_owners, &defaults.data_object_owners),
            user_is_machine: text(machine, &defaults.user_is_machine),
        }
    }
}

/// The layers of the top level: flag, then environment, then file.
pub(super) struct Layers<'a> {
    pub(super) flags: &'a Overrides,
    pub(super) environment: &'a Environment<'a>,
    pub(super) entries: &'a [Entry],
    pub(super) errors: ConfigErrors,
}

impl Layers<'_> {
    /// The value of the highest layer that has one.
    pub(super) fn node(&self, key: &str) -> Option<Node> {
        self.all(key).into_iter().next()
    }

    /// The values of all layers that have one, highest first. A variable that is set but empty counts as
    /// not set.
    pub(super) fn all(&self, key: &str) -> Vec<Node> {
        let text = |text: String, origin| Node { value: Value::Text(text), origin };
        let flag = self.flags.get(key).map(|value| text(value.to_owned(), Origin::Flag(format!("--{key}"))));
        let name = keys::variable(key);
        let variable = (self.environment)(&name)
            .filter(|value| !value.is_empty())
            .map(|value| text(value, Origin::Environment(name)));
        let file = self
            .entries
            .iter()
            .find(|entry| entry.key == key && entry.value.value != Value::Null)
            .map(|entry| entry.value.clone());
        [flag, variable, file].into_iter().flatten().collect()
    }

    fn wrong_type(&mut self, key: &str, node: &Node, expected: &'static str) {
        let problem = Problem::WrongType { key: key.to_owned(), expected, found: node.kind() };
        self.errors.push(node.origin.clone(), problem);
    }
}

impl Source for Layers<'_> {
    fn truth(&mut self, key: &'static str) -> Option<bool> {
        let node = self.node(key)?;
        let flag = match &node.value {
            Value::Bool(flag) => Some(*flag),
            Value::Integer(number) => values::truth(&number.to_string()),
            Value::Text(word) => values::truth(word),
            _ => None,
        };
        if flag.is_none() {
            self.wrong_type(key, &node, "true or false");
        }
        flag
    }

    fn text(&mut self, key: &'static str) -> Option<String> {
        let node = self.node(key)?;
        let text = match &node.value {
            Value::Text(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            _ => {
                self.wrong_type(key, &node, "a text");
                return None;
            }
        };
        let text = if matches!(key, "domain" | "api-user" | "api-secret") {
            match template::expand(&text, self.environment) {
                Ok(text) => text,
                Err(template::MissingVariable(variable)) => {
                    let problem = Problem::MissingVariable { key: key.to_owned(), variable };
                    self.errors.push(node.origin, problem);
                    return None;
                }
            }
        } else {
            text
        };
        Some(text).filter(|text| !text.is_empty())
    }
}

/// The keys of one target that are for the client, by canonical name.
pub(super) struct TargetSource<'a> {
    pub(super) entries: Vec<(&'static str, &'a Entry)>,
    pub(super) environment: &'a Environment<'a>,
    pub(super) errors: ConfigErrors,
}

impl<'a> TargetSource<'a> {
    /// The entry of a key, unless it is empty.
    pub(super) fn entry(&self, key: &str) -> Option<&'a Entry> {
        let mut entries = self.entries.iter();
        let (_, entry) = entries.find(|(name, _)| *name == key)?;
        (entry.value.value != Value::Null).then_some(*entry)
    }

    fn expand(&mut self, key: &str, text: &str, origin: &Origin) -> Option<String> {
        match template::expand(text, self.environment) {
            Ok(text) => Some(text),
            Err(template::MissingVariable(variable)) => {
                let problem = Problem::MissingVariable { key: key.to_owned(), variable };
                self.errors.push(origin.clone(), problem);
                None
            }
        }
    }

    fn wrong_type(&mut self, key: &str, node: &Node, expected: &'static str) {
        let problem = Problem::WrongType { key: key.to_owned(), expected, found: node.kind() };
        self.errors.push(node.origin.clone(), problem);
    }
}

impl Source for TargetSource<'_> {
    fn truth(&mut self, key: &'static str) -> Option<bool> {
        let node = &self.entry(key)?.value;
        let flag = match &node.value {
            Value::Bool(flag) => return Some(*flag),
            Value::Text(text) if template::is_template(text) => {
                values::truth(&self.expand(key, text, &node.origin)?)
            }
            _ => None,
        };
        if flag.is_none() {
            self.wrong_type(key, node, "true or false");
        }
        flag
    }

    fn text(&mut self, key: &'static str) -> Option<String> {
        let node = &self.entry(key)?.value;
        let Value::Text(text) = &node.value else {
            self.wrong_type(key, node, "a text");
            return None;
        };
        self.expand(key, text, &node.origin).filter(|text| !text.is_empty())
    }
}
