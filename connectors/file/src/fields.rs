//! Reading the fields of a record, with the same rules and the same messages for every format.
//!
//! A decoder takes the fields it knows one by one and then calls [`Fields::finish`], which refuses what is left:
//! a misspelled field must not pass for a missing one. What it would have accepted is what the decoder asked for,
//! so there is no second list of names to keep in step.
//!
//! - A missing field, `null` and an empty CSV cell are the same.
//! - Names are those of the contract (`external-id`). In JSON and YAML the camel case of Raito's own files
//!   (`externalId`) is accepted as well, and [`Fields::also_called`] maps names that differ by more than that.
//! - Lists are separated by `;` in CSV cells.

mod scalars;
mod tags;

pub(crate) use tags::TAG_SOURCE;

use raito_connector::{Error, Result};

use crate::place::{Place, Spot};
use crate::value::{Field, Value, quoted};

/// How names and lists are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Columns of a CSV file.
    Columns,
    /// Members of JSON objects and YAML maps.
    Tree,
}

/// The fields of one record, or of a map within it.
pub(crate) struct Fields {
    place: Place,
    layout: Layout,
    /// Put before names in messages: `who.`, `what[2].`.
    path: String,
    rest: Vec<Field>,
    asked: Vec<&'static str>,
}

impl Fields {
    /// Takes the fields of a record.
    ///
    /// # Errors
    /// Two fields have the same name.
    pub(crate) fn new(place: Place, layout: Layout, rest: Vec<Field>) -> Result<Fields> {
        Fields::nested(place, layout, String::new(), rest)
    }

    fn nested(place: Place, layout: Layout, path: String, mut rest: Vec<Field>) -> Result<Fields> {
        if layout == Layout::Tree {
            for field in &mut rest {
                if let Some(name) = kebab_case(&field.name) {
                    field.name = name.into();
                }
            }
        }
        let fields = Fields { place, layout, path, rest, asked: Vec::new() };
        for (position, field) in fields.rest.iter().enumerate() {
            if fields.rest[..position].iter().any(|earlier| earlier.name == field.name) {
                return Err(fields.error_at(field, "is given twice"));
            }
        }
        Ok(fields)
    }

    /// Where the record stands.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Whether this is a row of a CSV file.
    pub(crate) fn is_row(&self) -> bool {
        self.layout == Layout::Columns
    }

    /// In JSON and YAML, lets a field of Raito's own files stand for one of ours.
    ///
    /// # Errors
    /// Both are there.
    pub(crate) fn also_called(&mut self, name: &'static str, theirs: &str) -> Result<()> {
        if self.layout == Layout::Columns {
            return Ok(());
        }
        let Some(position) = self.rest.iter().position(|field| &*field.name == theirs) else { return Ok(()) };
        if self.rest.iter().any(|field| &*field.name == name) {
            return Err(self.error_at(&self.rest[position], format!("means the same as `{name}`; give one")));
        }
        self.rest[position].name = name.into();
        Ok(())
    }

    /// In JSON and YAML, drops a field of Raito's own files that never says anything, as long as it is null.
    pub(crate) fn drop_null(&mut self, name: &str) {
        if self.layout == Layout::Tree {
            self.rest.retain(|field| &*field.name != name || field.value != Value::Null);
        }
    }

    /// Takes a field if it is there and says something.
    fn take(&mut self, name: &'static str) -> Option<Field> {
        self.asked.push(name);
        let position = self.rest.iter().position(|field| &*field.name == name)?;
        let field = self.rest.remove(position);
        match &field.value {
            Value::Null => None,
            Value::Cell(text) if text.is_empty() => None,
            _ => Some(field),
        }
    }

    /// Whether the record has the field, with or without a value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.rest.iter().any(|field| &*field.name == name)
    }

    /// Takes a map.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn map(&mut self, name: &'static str) -> Result<Option<Fields>> {
        let Some(field) = self.take(name) else { return Ok(None) };
        match field.value {
            Value::Map(members) => {
                let path = format!("{}{name}.", self.path);
                Fields::nested(self.place_of(field.line), self.layout, path, members).map(Some)
            }
            other => Err(self.wrong(name, field.line, "a map", &other)),
        }
    }

    /// Takes a list of maps; a missing one is empty.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn maps(&mut self, name: &'static str) -> Result<Vec<Fields>> {
        let Some(field) = self.take(name) else { return Ok(Vec::new()) };
        let Value::List(elements) = field.value else {
            return Err(self.wrong(name, field.line, "a list of maps", &field.value));
        };
        let mut maps = Vec::with_capacity(elements.len());
        for (position, element) in elements.into_iter().enumerate() {
            let path = format!("{}{name}[{position}]", self.path);
            let Value::Map(members) = element else {
                return Err(self.place_of(field.line).error(format!(
                    "{} `{path}`: must be a map, found {}",
                    self.noun(),
                    element.found()
                )));
            };
            // The first name of a map is where it begins.
            let line = members.first().and_then(|member| member.line).or(field.line);
            maps.push(Fields::nested(self.place_of(line), self.layout, path + ".", members)?);
        }
        Ok(maps)
    }

    /// Refuses the fields that nobody asked for.
    ///
    /// # Errors
    /// There is one.
    pub(crate) fn finish(&self) -> Result<()> {
        let Some(field) = self.rest.first() else { return Ok(()) };
        let (noun, name) = (self.noun(), quoted(&format!("{}{}", self.path, field.name)));
        let place = match self.layout {
            Layout::Columns => self.place.at(Spot::Line(1)),
            Layout::Tree => self.place_of(field.line),
        };
        let suggestion = nearest(&field.name, self.asked.iter().copied())
            .map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
        let known: Vec<_> = self.asked.iter().map(|name| format!("`{name}`")).collect();
        Err(place.error(format!("unknown {noun} {name}{suggestion} (known here: {})", known.join(", "))))
    }

    /// An error about a field by name, whether it was taken or is missing.
    pub(crate) fn error(&self, name: &str, message: impl std::fmt::Display) -> Error {
        self.error_on(name, None, message)
    }

    fn error_at(&self, field: &Field, message: impl std::fmt::Display) -> Error {
        self.error_on(&field.name, field.line, message)
    }

    fn error_on(&self, name: &str, line: Option<u64>, message: impl std::fmt::Display) -> Error {
        self.place_of(line).error(format!("{} `{}{name}`: {message}", self.noun(), self.path))
    }

    fn wrong(&self, name: &str, line: Option<u64>, wanted: &str, found: &Value) -> Error {
        self.error_on(name, line, format!("must be {wanted}, found {}", found.found()))
    }

    fn place_of(&self, line: Option<u64>) -> Place {
        line.map_or_else(|| self.place.clone(), |line| self.place.at(Spot::Line(line)))
    }

    fn noun(&self) -> &'static str {
        match self.layout {
            Layout::Columns => "column",
            Layout::Tree => "field",
        }
    }
}

/// The closest of the known names, if one is close enough to be meant.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const CLOSE: f64 = 0.6;
    let normal = |name: &str| {
        let kebab =
            if name.contains(|letter: char| letter.is_ascii_lowercase()) { kebab_case(name) } else { None };
        kebab.unwrap_or_else(|| name.to_lowercase()).replace(['_', ' '], "-")
    };
    let name = normal(name);
    let likeness = |candidate: &str| {
        let candidate = normal(candidate);
        let likeness = strsim::normalized_damerau_levenshtein(&name, &candidate);
        // The beginning of a longer name is close as well: `groups` for `group-external-ids`.
        if name.len() >= 4 && candidate.starts_with(name.trim_end_matches('s')) {
            likeness.max(CLOSE)
        } else {
            likeness
        }
    };
    known
        .map(|candidate| (likeness(candidate), candidate))
        .filter(|(likeness, _)| *likeness >= CLOSE)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate)
}

/// `externalId` as `external-id`; nothing for a name without capitals.
fn kebab_case(name: &str) -> Option<String> {
    if !name.contains(|character: char| character.is_ascii_uppercase()) {
        return None;
    }
    let mut kebab = String::with_capacity(name.len() + 3);
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            kebab.push('-');
        }
        kebab.push(character.to_ascii_lowercase());
    }
    Some(kebab)
}

#[cfg(test)]
mod tests {
    use super::{kebab_case, nearest};

    #[test]
    fn camel_case_becomes_kebab_case() {
        assert_eq!(kebab_case("groupExternalIds").as_deref(), Some("group-external-ids"));
        assert_eq!(kebab_case("external-id"), None);
    }

    #[test]
    fn suggestions_are_close_names() {
        let known = ["external-id", "user-name", "group-external-ids"];
        assert_eq!(nearest("usr-name", known.into_iter()), Some("user-name"));
        assert_eq!(nearest("user_name", known.into_iter()), Some("user-name"));
        assert_eq!(nearest("groups", known.into_iter()), Some("group-external-ids"));
        assert_eq!(nearest("userName", known.into_iter()), Some("user-name"));
        assert_eq!(nearest("INSRT", ["INSERT", "SELECT"].into_iter()), Some("INSERT"));
        assert_eq!(nearest("salary", known.into_iter()), None);
    }
}
