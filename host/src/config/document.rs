//! The configuration file as a tree whose nodes know their place.
//!
//! YAML 1.2 (and with it JSON), one document; or TOML, see [`toml`]. Keys are texts and lower-cased at every level; two keys of a
//! block that differ by letter case alone are refused like equal ones. Anchors, aliases and the merge key
//! `<<` work. An unquoted date or time keeps its type, because it is handed to connectors differently.

use std::path::PathBuf;
use std::sync::Arc;

use saphyr::{MarkedYaml, Scalar, ScalarStyle, YamlData, YamlLoader};
use saphyr_parser::{Marker, Parser};
use time::format_description::well_known::Rfc3339;

use super::error::{ConfigError, ConfigErrors, Origin, Problem};

mod toml;

/// A node of the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// The content of a node.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Decimal(f64),
    Text(String),
    /// An unquoted date or time in RFC 3339 form.
    Time(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// In lower case.
    pub(super) key: String,
    /// The place of the key.
    pub(super) origin: Origin,
    pub(super) value: Node,
}

impl Node {
    /// What it is, with article, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Integer(_) => "an integer",
            Value::Decimal(_) => "a decimal number",
            Value::Text(_) => "a text",
            Value::Time(_) => "a date or time",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// Reads a whole file. An empty one is an empty map.
///
/// # Errors
/// The text is neither YAML nor, by the name of the file, TOML; holds several documents, is no map, or has a block with a key that is no text or
/// stands twice.
pub(super) fn parse(path: PathBuf, text: &str) -> Result<Vec<Entry>, ConfigErrors> {
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml")) {
        return toml::parse(path, text.trim_start_matches('\u{feff}'));
    }
    let reader = Reader { path: Arc::new(path) };
    let mut loader: YamlLoader<'_, MarkedYaml<'_>> = YamlLoader::default();
    // Styles are needed to tell a quoted date from a bare one, and own messages for duplicates.
    loader.early_parse(false);
    let mut parser = Parser::new_from_str(text.trim_start_matches('\u{feff}'));
    let scanned = parser.load(&mut loader, true);
    if let Some(error) = scanned.err().as_ref().or(loader.error()) {
        let origin = reader.origin(*error.marker());
        let reason = if error.info() == "duplicated key in mapping" {
            "a key is given twice in one block".to_owned()
        } else {
            format!("not valid YAML: {}", error.info())
        };
        return Err(ConfigError { origin, problem: Problem::Syntax { reason } }.into());
    }
    let mut documents = loader.into_documents().into_iter();
    let Some(first) = documents.next() else { return Ok(Vec::new()) };
    if let Some(second) = documents.next() {
        return Err(reader.syntax(second.span.start, "a second YAML document; write one only"));
    }
    let mut errors = ConfigErrors::default();
    let root = reader.node(&first, &mut errors);
    let entries = match root.value {
        Value::Map(entries) => entries,
        Value::Null => Vec::new(),
        _ => {
            let reason = format!("the file must be a map of keys, found {}", root.kind());
            errors.push(root.origin, Problem::Syntax { reason });
            Vec::new()
        }
    };
    errors.or(entries)
}

struct Reader {
    path: Arc<PathBuf>,
}

impl Reader {
    fn origin(&self, marker: Marker) -> Origin {
        Origin::File { path: Arc::clone(&self.path), line: marker.line(), column: marker.col() + 1 }
    }

    fn syntax(&self, marker: Marker, reason: &str) -> ConfigErrors {
        let problem = Problem::Syntax { reason: reason.to_owned() };
        ConfigError { origin: self.origin(marker), problem }.into()
    }

    fn node(&self, yaml: &MarkedYaml<'_>, errors: &mut ConfigErrors) -> Node {
        let origin = self.origin(yaml.span.start);
        let value = match &yaml.data {
            YamlData::Representation(text, style, tag) => {
                let scalar = Scalar::parse_from_cow_and_metadata(text.clone(), *style, tag.as_ref());
                match scalar {
                    Some(Scalar::Null) => Value::Null,
                    Some(Scalar::Boolean(flag)) => Value::Bool(flag),
                    Some(Scalar::Integer(number)) => Value::Integer(number),
                    Some(Scalar::FloatingPoint(number)) => Value::Decimal(number.into_inner()),
                    Some(Scalar::String(text)) => match (style, tag) {
                        (ScalarStyle::Plain, None) => {
                            rfc3339(&text).map_or_else(|| Value::Text(text.into_owned()), Value::Time)
                        }
                        _ => Value::Text(text.into_owned()),
                    },
                    None => {
                        let reason = "the value does not fit its tag".to_owned();
                        errors.push(origin.clone(), Problem::Syntax { reason });
                        Value::Null
                    }
                }
            }
            YamlData::Sequence(items) => {
                Value::List(items.iter().map(|item| self.node(item, errors)).collect())
            }
            YamlData::Mapping(map) => Value::Map(self.entries(map.iter(), errors)),
            YamlData::Tagged(_, inner) => return self.node(inner, errors),
            // An empty document; an alias without anchor does not get here, the parser refuses it.
            YamlData::BadValue | YamlData::Alias(_) | YamlData::Value(_) => Value::Null,
        };
        Node { value, origin }
    }

    fn entries<'a, 'i: 'a>(
        &self,
        pairs: impl Iterator<Item = (&'a MarkedYaml<'i>, &'a MarkedYaml<'i>)>,
        errors: &mut ConfigErrors,
    ) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged: Vec<Entry> = Vec::new();
        for (key, value) in pairs {
            let origin = self.origin(key.span.start);
            let YamlData::Representation(name, style, _) = &key.data else {
                let reason = "a key must be a text".to_owned();
                errors.push(origin, Problem::Syntax { reason });
                continue;
            };
            let node = self.node(value, errors);
            if name == "<<" && *style == ScalarStyle::Plain {
                merge(node, &mut merged, errors);
                continue;
            }
            let key = name.to_lowercase();
            if entries.iter().any(|known| known.key == key) {
                errors.push(origin, Problem::DuplicateKey { key });
                continue;
            }
            entries.push(Entry { key, origin, value: node });
        }
        // What stands in the block itself wins over what is merged in, earlier merges over later ones.
        for entry in merged {
            if !entries.iter().any(|known| known.key == entry.key) {
                entries.push(entry);
            }
        }
        entries
    }
}

/// Takes the entries of a merge key: a map, or a list of maps.
fn merge(node: Node, into: &mut Vec<Entry>, errors: &mut ConfigErrors) {
    match node.value {
        Value::Map(entries) => into.extend(entries),
        Value::List(items) if items.iter().all(|item| matches!(item.value, Value::Map(_))) => {
            for item in items {
                merge(item, into, errors);
            }
        }
        _ => {
            let reason = "`<<` merges a map or a list of maps".to_owned();
            errors.push(node.origin, Problem::Syntax { reason });
        }
    }
}

/// The RFC 3339 form of a YAML date or time, or nothing if the text is none.
fn rfc3339(text: &str) -> Option<String> {
    use time::macros::format_description;
    // Everything that is a date begins with four digits and a dash.
    let start = text.as_bytes().get(..5)?;
    if !start[..4].iter().all(u8::is_ascii_digit) || start[4] != b'-' {
        return None;
    }
    let date = format_description!("[year]-[month padding:none]-[day padding:none]");
    if let Ok(date) = time::Date::parse(text, date) {
        return date.midnight().assume_utc().format(&Rfc3339).ok();
    }
    let (date_part, time_part) = text.split_once(['T', 't', ' '])?;
    let normal = format!("{date_part}T{}", time_part.trim_start());
    if let Ok(moment) = time::OffsetDateTime::parse(&normal, &Rfc3339) {
        return moment.format(&Rfc3339).ok();
    }
    time::OffsetDateTime::parse(&format!("{normal}Z"), &Rfc3339).ok()?.format(&Rfc3339).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Entry>, ConfigErrors> {
        parse(PathBuf::from("raito.yml"), text)
    }

    fn first_error(text: &str) -> String {
        read(text).unwrap_err().0.remove(0).to_string()
    }

    #[test]
    fn scalars_keep_their_types_and_places() {
        let entries = read("a: 1\nB: 'x'\nc: 2026-01-02\nd: '2026-01-02'\ne:\nf: 1.5\ng: yes\n").unwrap();
        let values: Vec<_> = entries.iter().map(|entry| &entry.value.value).collect();
        assert_eq!(
            values,
            [
                &Value::Integer(1),
                &Value::Text("x".into()),
                &Value::Time("2026-01-02T00:00:00Z".into()),
                &Value::Text("2026-01-02".into()),
                &Value::Null,
                &Value::Decimal(1.5),
                &Value::Text("yes".into()),
            ]
        );
        assert_eq!(entries[1].key, "b");
        assert_eq!(entries[1].origin.to_string(), "raito.yml:2:1");
        assert_eq!(entries[1].value.origin.to_string(), "raito.yml:2:4");
    }

    #[test]
    fn times_are_recognised() {
        for (text, expected) in [
            ("2026-1-2", Some("2026-01-02T00:00:00Z")),
            ("2026-01-02T03:04:05+01:00", Some("2026-01-02T03:04:05+01:00")),
            ("2026-01-02 03:04:05", Some("2026-01-02T03:04:05Z")),
            ("2026-13-02", None),
            ("2026-x", None),
            ("abc", None),
        ] {
            assert_eq!(rfc3339(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn json_and_empty_files_are_read() {
        assert_eq!(read("{\"a\": [1, {\"B\": null}]}").unwrap().len(), 1);
        assert_eq!(read("").unwrap(), []);
        assert_eq!(read("# nothing\n").unwrap(), []);
    }

    #[test]
    fn anchors_and_merge_keys_work() {
        let entries = read("base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\n").unwrap();
        let Value::Map(used) = &entries[1].value.value else { unreachable!() };
        let pairs: Vec<_> = used.iter().map(|e| (e.key.as_str(), &e.value.value)).collect();
        assert_eq!(pairs, [("y", &Value::Integer(3)), ("x", &Value::Integer(1))]);
    }

    #[test]
    fn wrong_files_are_refused_with_their_place() {
        assert_eq!(first_error("a: 1\nA: 2\n"), "raito.yml:2:1: key `a` is given twice");
        assert!(
            first_error("a: 1\na: 2\n").starts_with("raito.yml:2:1: "),
            "{}",
            first_error("a: 1\na: 2\n")
        );
        assert_eq!(first_error("x: {\n"), first_error("x: {\n"));
        assert!(first_error("x: [\n").contains("not valid YAML"));
        assert_eq!(first_error("- 1\n"), "raito.yml:1:1: the file must be a map of keys, found a list");
        assert!(first_error("a: 1\n---\nb: 2\n").contains("second YAML document"));
        assert!(first_error("[a]: 1\n").contains("a key must be a text"));
        assert!(first_error("a: !!int x\n").contains("tag"));
    }
}
