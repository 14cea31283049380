//! Connector parameters: what a target hands to its connector, all as text.
//!
//! | value in the file | text |
//! |---|---|
//! | text | as it is, templates replaced |
//! | integer | decimal |
//! | boolean | `true` or `false` |
//! | nothing | the parameter is left out |
//! | list, map, decimal number | JSON, members sorted by name, templates not replaced |
//! | unquoted date or time | JSON: RFC 3339 in double quotes |
//!
//! On the command line, after `--`: `--name=value`, `--name value`, or `--name` alone for `TRUE`.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use super::document::{Entry, Node, Value};
use super::error::{ConfigErrors, Origin, Problem};
use super::{Environment, template};
use crate::secret::{MASK, Secret, is_secret_name};

/// Parameters by name. `Debug` masks those with a secret name.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Parameters(BTreeMap<String, String>);

impl Deref for Parameters {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.0
                    .iter()
                    .map(|(name, value)| (name, if is_secret_name(name) { MASK } else { value.as_str() })),
            )
            .finish()
    }
}

impl FromIterator<(String, String)> for Parameters {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl Parameters {
    /// Takes one key of a target.
    pub(super) fn add(&mut self, entry: &Entry, environment: &Environment<'_>, errors: &mut ConfigErrors) {
        let text = match &entry.value.value {
            Value::Null => return,
            Value::Text(text) => match template::expand(text, environment) {
                Ok(text) => text,
                Err(template::MissingVariable(variable)) => {
                    let key = entry.key.clone();
                    let problem = Problem::MissingVariable { key, variable };
                    return errors.push(entry.value.origin.clone(), problem);
                }
            },
            Value::Integer(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Decimal(_) | Value::Time(_) | Value::List(_) | Value::Map(_) => {
                let mut text = String::new();
                if let Err(origin) = write_json(&entry.value, &mut text) {
                    let reason = "holds a number that JSON does not have".to_owned();
                    let problem = Problem::Invalid { key: entry.key.clone(), reason, hint: None };
                    return errors.push(origin, problem);
                }
                text
            }
        };
        self.0.insert(entry.key.clone(), text);
    }

    /// Takes the parameters of another set, which win.
    pub(super) fn lay_over(&mut self, other: &Parameters) {
        self.0.extend(other.0.iter().map(|(name, value)| (name.clone(), value.clone())));
    }

    /// Reads the words after `--`. Names keep their letter case.
    pub(super) fn from_words(words: &[Secret], errors: &mut ConfigErrors) -> Self {
        let mut parameters = BTreeMap::new();
        let mut words = words.iter().map(Secret::expose).peekable();
        while let Some(word) = words.next() {
            let Some(name) = word.strip_prefix("--").filter(|name| !name.is_empty()) else {
                // The word itself may be a misplaced password, so it is not repeated.
                let reason = "after `--` must be --name=value or --name value".to_owned();
                let key = "parameters".to_owned();
                let problem = Problem::Invalid { key, reason, hint: None };
                errors.push(Origin::Flag("--".into()), problem);
                continue;
            };
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, value),
                None => (name, words.next_if(|next| !next.starts_with("--")).unwrap_or("TRUE")),
            };
            if super::is_own_key(&name.to_lowercase()) {
                let reason = format!("`--{name}` is an option of raito, not of the connector");
                let hint = Some("give it before `--`".to_owned());
                let problem = Problem::Invalid { key: "parameters".to_owned(), reason, hint };
                errors.push(Origin::Flag("--".into()), problem);
                continue;
            }
            parameters.insert(name.to_owned(), value.to_owned());
        }
        Self(parameters)
    }
}

/// Writes a node as JSON. Fails with the place of a number that JSON does not have.
fn write_json(node: &Node, out: &mut String) -> Result<(), Origin> {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(&flag.to_string()),
        Value::Integer(number) => out.push_str(&number.to_string()),
        Value::Decimal(number) if !number.is_finite() => return Err(node.origin.clone()),
        Value::Decimal(number) => out.push_str(&decimal(*number)),
        Value::Text(content) | Value::Time(content) => out.push_str(&text(content)),
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json(item, out)?;
            }
            out.push(']');
        }
        Value::Map(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by_key(|entry| entry.key.as_str());
            out.push('{');
            for (index, entry) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&text(&entry.key));
                out.push(':');
                write_json(&entry.value, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// A decimal number as connectors know it: `1.5`, `2` for 2.0, `1e+21` for very large ones.
fn decimal(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return number.to_string();
    }
    let text = format!("{number:e}");
    if text.contains("e-") { text } else { text.replace('e', "e+") }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use super::*;
    use crate::config::document;

    fn read(text: &str) -> Result<Parameters, ConfigErrors> {
        let environment = |name: &str| (name == "SET").then(|| "from outside".to_owned());
        let mut errors = ConfigErrors::default();
        let mut parameters = Parameters::default();
        for entry in document::parse("raito.yml".into(), text)? {
            parameters.add(&entry, &environment, &mut errors);
        }
        errors.or(parameters)
    }

    #[test]
    fn values_become_text() {
        let parameters = read(
            "Text: ' x '\nint: 12\nbool: True\nnothing:\ndec: 1.50\nwhole: 2.0\nbig: 1e21\nsmall: 1e-7\n\
             list: [1, 'b', null, '{{SET}}']\nmap: {Z: 1, a: {b: true}}\nday: 2026-01-02\nquoted: '2026-01-02'\n\
             outside: '{{SET}}'\n",
        )
        .unwrap();
        let pairs: Vec<_> = parameters.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(
            pairs,
            [
                ("big", "1e+21"),
                ("bool", "true"),
                ("day", "\"2026-01-02T00:00:00Z\""),
                ("dec", "1.5"),
                ("int", "12"),
                ("list", "[1,\"b\",null,\"{{SET}}\"]"),
                ("map", "{\"a\":{\"b\":true},\"z\":1}"),
                ("outside", "from outside"),
                ("quoted", "2026-01-02"),
                ("small", "1e-7"),
                ("text", " x "),
                ("whole", "2"),
            ]
        );
    }

    #[test]
    fn what_cannot_become_text_is_refused() {
        assert!(read("a: [.nan]\n").unwrap_err().to_string().starts_with("raito.yml:1:5: `a`"));
        assert!(read("a: '{{GONE}}'\n").unwrap_err().to_string().contains("`GONE`"));
    }

    #[test]
    fn words_after_the_dashes() {
        let words: Vec<Secret> =
            ["--A=b=c", "--flag", "--pass-word", "x y", "--last"].map(Secret::from).to_vec();
        let mut errors = ConfigErrors::default();
        let parameters = Parameters::from_words(&words, &mut errors);
        assert_eq!(errors, ConfigErrors::default());
        let pairs: Vec<_> = parameters.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("A", "b=c"), ("flag", "TRUE"), ("last", "TRUE"), ("pass-word", "x y")]);
        Parameters::from_words(&[Secret::from("hunter2")], &mut errors);
        assert_eq!(errors.0.len(), 1);
        assert!(!errors.to_string().contains("hunter2"));
    }

    #[test]
    fn debug_masks_secrets() {
        let shown = format!("{:?}", read("pg-password: hunter2\nuser: u\n").unwrap());
        assert!(!shown.contains("hunter2") && shown.contains("\"u\""), "{shown}");
    }
}
