//! The same tree from TOML.
//!
//! TOML has no `null`, and times without a date, which are taken as texts.

use std::path::PathBuf;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Entry, Node, Value, rfc3339};
use crate::config::error::{ConfigError, ConfigErrors, Origin, Problem};

/// Reads a whole file.
///
/// # Errors
/// The text is not TOML, or two keys of a table differ by letter case alone.
pub(super) fn parse(path: PathBuf, text: &str) -> Result<Vec<Entry>, ConfigErrors> {
    let reader = Reader { path: Arc::new(path), text };
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let reason = format!("not valid TOML: {}", error.message());
        ConfigErrors::from(ConfigError { origin: reader.origin(at), problem: Problem::Syntax { reason } })
    })?;
    let mut errors = ConfigErrors::default();
    let entries = reader.table(table.get_ref(), &mut errors);
    errors.or(entries)
}

struct Reader<'t> {
    path: Arc<PathBuf>,
    text: &'t str,
}

impl Reader<'_> {
    /// The place of a byte.
    fn origin(&self, at: usize) -> Origin {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Origin::File { path: Arc::clone(&self.path), line, column }
    }

    fn table(&self, table: &DeTable<'_>, errors: &mut ConfigErrors) -> Vec<Entry> {
        // The map is sorted by name; people wrote it in another order.
        let mut pairs: Vec<_> = table.iter().collect();
        pairs.sort_by_key(|(key, _)| key.span().start);
        let mut entries: Vec<Entry> = Vec::new();
        for (name, value) in pairs {
            let (key, origin) = (name.get_ref().to_lowercase(), self.origin(name.span().start));
            if entries.iter().any(|known| known.key == key) {
                errors.push(origin, Problem::DuplicateKey { key });
                continue;
            }
            entries.push(Entry { key, origin, value: self.node(value, errors) });
        }
        entries
    }

    fn node(&self, value: &Spanned<DeValue<'_>>, errors: &mut ConfigErrors) -> Node {
        let origin = self.origin(value.span().start);
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Text(text.clone().into_owned()),
            DeValue::Boolean(flag) => Value::Bool(*flag),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| self.wrong(&origin, "the number is too large", errors), Value::Integer),
            DeValue::Float(number) => number.as_str().parse().map_or_else(
                |_| self.wrong(&origin, "not a number that can be read", errors),
                Value::Decimal,
            ),
            DeValue::Datetime(moment) => {
                let text = moment.to_string();
                rfc3339(&text).map_or(Value::Text(text), Value::Time)
            }
            DeValue::Array(items) => Value::List(items.iter().map(|item| self.node(item, errors)).collect()),
            DeValue::Table(table) => Value::Map(self.table(table, errors)),
        };
        Node { value, origin }
    }

    #[expect(clippy::unused_self, reason = "it belongs to the reading")]
    fn wrong(&self, origin: &Origin, reason: &str, errors: &mut ConfigErrors) -> Value {
        errors.push(origin.clone(), Problem::Syntax { reason: reason.to_owned() });
        Value::Null
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Entry>, ConfigErrors> {
        parse(PathBuf::from("raito.toml"), text)
    }

    #[test]
    fn values_keep_their_types_order_and_places() {
        let entries = read(
            "domain = \"acme\"\nB = 0x10\n\"log-output\" = true\nday = 2026-01-02\nat = 03:04:05\nd = 1.5\n\
             [[targets]]\nname = \"a\"\nsandbox = { network = [\"db:5432\"] }\n[[targets]]\nname = \"b\"\n",
        )
        .unwrap();
        let keys: Vec<_> = entries.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(keys, ["domain", "b", "log-output", "day", "at", "d", "targets"]);
        let values: Vec<_> = entries.iter().map(|entry| &entry.value.value).collect();
        assert_eq!(values[0], &Value::Text("acme".into()));
        assert_eq!(values[1], &Value::Integer(16));
        assert_eq!(values[2], &Value::Bool(true));
        assert_eq!(values[3], &Value::Time("2026-01-02T00:00:00Z".into()));
        assert_eq!(values[4], &Value::Text("03:04:05".into()));
        assert_eq!(values[5], &Value::Decimal(1.5));
        let Value::List(targets) = values[6] else { unreachable!() };
        let Value::Map(first) = &targets[0].value else { unreachable!() };
        assert_eq!((targets.len(), first[0].value.origin.to_string().as_str()), (2, "raito.toml:8:8"));
    }

    #[test]
    fn wrong_files_are_refused_with_their_place() {
        let error = |text| read(text).unwrap_err().to_string();
        assert!(error("a = 1\nb = \n").starts_with("raito.toml:2:"), "{}", error("a = 1\nb = \n"));
        assert!(error("a = 1\nA = 2\n").starts_with("raito.toml:2:1: key `a` is given twice"));
        assert!(error("a = 99999999999999999999\n").contains("too large"));
    }
}
