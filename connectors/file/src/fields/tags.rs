//! Tags: columns `tag:<key>` in CSV; in JSON and YAML a map of keys to values, or Raito's list of objects
//! with `key`, `value` and `source`.
//!
//! A tag without a source gets [`TAG_SOURCE`].

use raito_connector::{Result, Tag};

use super::{Fields, Layout};
use crate::value::{Field, Value};

/// The source of the tags that this connector delivers.
pub(crate) const TAG_SOURCE: &str = "file";

/// What a column with a tag begins with.
const COLUMN: &str = "tag:";

/// The key of the tag that names owners.
const OWNER: &str = "raito_owner";

impl Fields {
    /// Takes the tags.
    ///
    /// # Errors
    /// A key is empty, or a value is no text.
    pub(crate) fn tags(&mut self) -> Result<Vec<Tag>> {
        match self.layout {
            Layout::Columns => self.tag_columns(),
            Layout::Tree => self.tag_members(),
        }
    }

    fn tag_columns(&mut self) -> Result<Vec<Tag>> {
        self.asked.push("tag:<key>");
        let mut tags = Vec::new();
        let (columns, rest) =
            std::mem::take(&mut self.rest).into_iter().partition(|field| field.name.starts_with(COLUMN));
        self.rest = rest;
        let columns: Vec<Field> = columns;
        for column in columns {
            let key = column.name[COLUMN.len()..].trim();
            if key.is_empty() {
                return Err(self.error(&column.name, "must have the key of the tag after the colon"));
            }
            if let Value::Cell(value) = column.value
                && !value.is_empty()
            {
                tags.push(tag(key.to_owned(), value, None));
            }
        }
        Ok(tags)
    }

    fn tag_members(&mut self) -> Result<Vec<Tag>> {
        let mut tags = Vec::new();
        if self.rest.iter().any(|field| &*field.name == "tags" && matches!(field.value, Value::Map(_))) {
            if let Some(Field { line, value: Value::Map(members), .. }) = self.take("tags") {
                for member in members {
                    let name = format!("tags.{}", member.name);
                    if member.name.is_empty() {
                        return Err(self.error_on("tags", line, "a key must not be empty"));
                    }
                    let key = member.name.to_string();
                    tags.push(tag(key, self.as_tag_value(&name, member)?, None));
                }
            }
        } else {
            for mut fields in self.maps("tags")? {
                let key = fields.required("key")?;
                let value = fields.text("value")?.unwrap_or_default();
                tags.push(tag(key, value, fields.name("source")?));
                fields.finish()?;
            }
        }
        Ok(tags)
    }

    fn as_tag_value(&self, name: &str, member: Field) -> Result<String> {
        match member.value {
            Value::Text(text) | Value::Plain(text) => Ok(text),
            Value::Integer(number) => Ok(number.to_string()),
            Value::Bool(flag) => Ok(flag.to_string()),
            other => Err(self.wrong(name, member.line, "a text", &other)),
        }
    }

    /// Takes the owners as Raito's older files list them (`owners.users`), as the tag that says the same.
    pub(crate) fn owners(&mut self, tags: &mut Vec<Tag>) -> Result<()> {
        if self.layout == Layout::Tree
            && let Some(mut owners) = self.map("owners")?
        {
            let users = owners.texts("users")?.unwrap_or_default();
            owners.finish()?;
            if !users.is_empty() {
                tags.push(tag(OWNER.to_owned(), users.join(","), None));
            }
        }
        Ok(())
    }
}

fn tag(key: String, value: String, source: Option<String>) -> Tag {
    Tag { key, value, source: source.unwrap_or_else(|| TAG_SOURCE.to_owned()) }
}
