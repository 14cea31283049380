//! What `add-target` wants to know of the configuration: who signs in where, which targets there are, and the tree of the
//! file. Unlike [`super::resolve`] it does not mind what else is wrong with the file.

use std::path::{Path, PathBuf};

use url::Url;

use super::document::{self, Entry, Node, Value};
use super::error::ConfigErrors;
use super::resolve::{Inputs, base_dir, connector_path, url_override};
use super::source::{Layers, Source as _};
use super::target::canonical;
use crate::secret::Secret;

/// The part of the configuration that a new target is added to.
#[derive(Debug)]
pub struct Outline {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// The folder that relative paths of the file are relative to.
    pub base_dir: PathBuf,
    /// Folders in which connectors are looked up by name.
    pub connector_path: Vec<PathBuf>,
    /// The self-hosted cloud runs inside the process of a run.
    pub embedded: bool,
    /// Another API base than Raito Cloud's.
    pub raito_url_override: Option<Url>,
    /// Send no `Authorization` header.
    pub skip_authentication: bool,
    /// The organisation, wherever it is given.
    pub domain: Option<String>,
    /// Who signs in.
    pub api_user: Option<String>,
    /// The password of that user.
    pub api_secret: Option<Secret>,
    /// Names of the targets in the file.
    pub targets: Vec<String>,
    entries: Vec<Entry>,
}

impl Outline {
    /// Reads file, environment and flags.
    ///
    /// # Errors
    /// The file is not valid, or a value that is wanted here has no meaning.
    pub fn read(inputs: &Inputs<'_>) -> Result<Self, ConfigErrors> {
        let entries = match inputs.file {
            Some(file) => document::parse(file.path.clone(), &file.text)?,
            None => Vec::new(),
        };
        let base = base_dir(inputs);
        let mut layers = Layers {
            flags: inputs.flags,
            environment: inputs.environment,
            entries: &entries,
            errors: ConfigErrors::default(),
        };
        let embedded = layers.truth("embedded").unwrap_or(false);
        let skip_authentication = layers.truth("skip-authentication").unwrap_or(false);
        // Nobody signs in to a cloud of one's own.
        let mut account = |key| if embedded { None } else { layers.text(key) };
        let (domain, api_user, api_secret) =
            (account("domain"), account("api-user"), account("api-secret").map(Secret::from));
        let raito_url_override = url_override(&mut layers);
        let connector_path = connector_path(&mut layers, inputs.working_dir, &base);
        let errors = layers.errors;
        errors.or(())?;
        Ok(Outline {
            file: inputs.file.map(|file| file.path.clone()),
            base_dir: base,
            connector_path,
            embedded,
            raito_url_override,
            skip_authentication,
            domain,
            api_user,
            api_secret,
            targets: names(&entries),
            entries,
        })
    }

    /// Whether the file itself has a value for a key of the top level.
    pub fn stands_in_file(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key && entry.value.value != Value::Null)
    }

    /// The line of a key of the top level.
    pub fn line_of(&self, key: &str) -> Option<usize> {
        self.entries.iter().find(|entry| entry.key == key)?.origin.line()
    }

    /// The line of the first key of the top level.
    pub fn first_line(&self) -> Option<usize> {
        self.entries.iter().filter_map(|entry| entry.origin.line()).min()
    }

    /// The line of the first key behind this line.
    pub fn line_behind(&self, line: usize) -> Option<usize> {
        self.entries.iter().filter_map(|entry| entry.origin.line()).filter(|other| *other > line).min()
    }

    /// The line in which the first target begins.
    pub fn first_target_line(&self) -> Option<usize> {
        match &self.list()?.value {
            Value::List(items) => items.first()?.origin.line(),
            _ => None,
        }
    }

    /// Whether `targets` is an empty list.
    pub fn empty_list(&self) -> bool {
        matches!(self.list().map(|node| &node.value), Some(Value::List(items)) if items.is_empty())
    }

    fn list(&self) -> Option<&Node> {
        self.entries.iter().find(|entry| entry.key == "targets").map(|entry| &entry.value)
    }

    /// Whether a changed text says the same as before, but for more keys at the top level, and one more target at the
    /// end of the list that says what `target` says. `target` is YAML of a map.
    ///
    /// # Errors
    /// One of the texts is not valid.
    pub fn grew_by(&self, changed: &str, keys: &[(&str, &str)], target: &str) -> Result<bool, ConfigErrors> {
        let path = Path::new("raito.yml");
        let new = document::parse(path.to_owned(), changed)?;
        let target = document::parse(path.to_owned(), target)?;
        let find = |entries: &[Entry], key: &str| {
            entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.clone())
        };
        let kept = self
            .entries
            .iter()
            .filter(|entry| entry.key != "targets")
            .all(|old| find(&new, &old.key).is_some_and(|new| same(&old.value, &new)));
        let added = keys.iter().all(|(key, value)| {
            find(&new, key).is_some_and(|node| node.value == Value::Text((*value).to_owned()))
        });
        let own = self.entries.iter().filter(|entry| entry.key != "targets").count();
        let known = self.entries.iter().filter(|entry| keys.iter().any(|(key, _)| *key == entry.key)).count();
        let expected = own + keys.len() - known + 1;
        let old: &[Node] = match self.list().map(|node| &node.value) {
            Some(Value::List(items)) => items,
            _ => &[],
        };
        let Some(Value::List(listed)) = find(&new, "targets").map(|node| node.value) else {
            return Ok(false);
        };
        let Some((last, before)) = listed.split_last() else { return Ok(false) };
        let targets = before.len() == old.len()
            && before.iter().zip(old).all(|(new, old)| same(new, old))
            && matches!(&last.value, Value::Map(entries) if same_entries(entries, &target));
        Ok(kept && added && new.len() == expected && targets)
    }
}

fn names(entries: &[Entry]) -> Vec<String> {
    let Some(Value::List(items)) =
        entries.iter().find(|entry| entry.key == "targets").map(|entry| &entry.value.value)
    else {
        return Vec::new();
    };
    let name = |item: &Node| {
        let Value::Map(entries) = &item.value else { return None };
        ["name", "connector-name"].into_iter().find_map(|key| {
            match &entries.iter().find(|entry| canonical(&entry.key) == key)?.value.value {
                Value::Text(text) => Some(text.clone()),
                _ => None,
            }
        })
    };
    items.iter().filter_map(name).collect()
}

/// Whether two nodes say the same, wherever they stand.
fn same(left: &Node, right: &Node) -> bool {
    match (&left.value, &right.value) {
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Map(left), Value::Map(right)) => same_entries(left, right),
        (left, right) => left == right,
    }
}

fn same_entries(left: &[Entry], right: &[Entry]) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|(left, right)| left.key == right.key && same(&left.value, &right.value))
}
