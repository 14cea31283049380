//! Single values and lists of texts.
//!
//! | taken as | accepted |
//! |---|---|
//! | text | a text; in JSON a whole number as well, because ids are often written as numbers |
//! | yes or no | `true`, `false`; unquoted in JSON and YAML; in any letter case in YAML and CSV |
//! | number | a number that is not negative; unquoted in JSON and YAML |
//! | moment | a text in RFC 3339, from 1970 on; in JSON and YAML also a whole number of seconds (up to 11 digits) or milliseconds since 1970, as in Raito's own files |
//! | texts | a list of texts; in CSV a cell with `;` between the elements |
//! | word | one of a fixed set, in any letter case and with or without `-` |

use raito_connector::{Error, Result, Timestamp};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Fields, nearest};
use crate::value::{Field, Value, quoted};

/// Whole numbers from here on are milliseconds: as seconds they would be in the year 5138.
const FIRST_MILLISECONDS: i128 = 100_000_000_000;

impl Fields {
    /// Takes a text that may be missing or empty.
    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<String>> {
        self.take(name).map(|field| self.as_text(name, field)).transpose()
    }

    /// Takes a text; an empty one counts as missing.
    pub(crate) fn name(&mut self, name: &'static str) -> Result<Option<String>> {
        Ok(self.text(name)?.filter(|text| !text.is_empty()))
    }

    /// Takes a text that must be there.
    pub(crate) fn required(&mut self, name: &'static str) -> Result<String> {
        self.name(name)?.ok_or_else(|| {
            let meant = nearest(name, self.rest.iter().map(|field| &*field.name));
            let meant = meant.map_or_else(String::new, |meant| format!("; is it {}?", quoted(meant)));
            self.error(name, format!("is missing or empty, and has no default{meant}"))
        })
    }

    fn as_text(&self, name: &str, field: Field) -> Result<String> {
        match field.value {
            Value::Text(text) | Value::Plain(text) | Value::Cell(text) => Ok(text),
            Value::Integer(number) => Ok(number.to_string()),
            other => Err(self.wrong(name, field.line, "a text", &other)),
        }
    }

    /// Takes a yes or no.
    pub(crate) fn flag(&mut self, name: &'static str) -> Result<Option<bool>> {
        let Some(field) = self.take(name) else { return Ok(None) };
        match &field.value {
            Value::Bool(flag) => Ok(Some(*flag)),
            Value::Plain(text) | Value::Cell(text) if text.trim().eq_ignore_ascii_case("true") => {
                Ok(Some(true))
            }
            Value::Plain(text) | Value::Cell(text) if text.trim().eq_ignore_ascii_case("false") => {
                Ok(Some(false))
            }
            other => Err(self.wrong(name, field.line, "true or false", other)),
        }
    }

    /// Takes a whole number from 0 on.
    pub(crate) fn count(&mut self, name: &'static str) -> Result<Option<u64>> {
        let Some(field) = self.take(name) else { return Ok(None) };
        let number = match &field.value {
            Value::Integer(number) => u64::try_from(*number).ok(),
            Value::Plain(text) | Value::Cell(text) => text.trim().parse().ok(),
            _ => None,
        };
        match number {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(name, field.line, "a whole number from 0 on", &field.value)),
        }
    }

    /// Takes an amount, with or without a fraction.
    pub(crate) fn amount(&mut self, name: &'static str) -> Result<Option<f32>> {
        let Some(field) = self.take(name) else { return Ok(None) };
        let text = match &field.value {
            Value::Integer(number) => number.to_string(),
            Value::Decimal(number) => number.to_string(),
            Value::Plain(text) | Value::Cell(text) => text.trim().to_owned(),
            _ => String::new(),
        };
        match text.parse::<f32>() {
            Ok(amount) if amount.is_finite() && amount >= 0.0 => Ok(Some(amount)),
            _ => Err(self.wrong(name, field.line, "a number from 0 on", &field.value)),
        }
    }

    /// Takes a moment.
    pub(crate) fn moment(&mut self, name: &'static str) -> Result<Option<Timestamp>> {
        let Some(field) = self.take(name) else { return Ok(None) };
        let moment = match &field.value {
            Value::Integer(number) => epoch(*number),
            Value::Plain(text) => text.parse().ok().map_or_else(|| rfc3339(text), epoch),
            Value::Text(text) | Value::Cell(text) => rfc3339(text.trim()),
            _ => None,
        };
        if moment.is_none() {
            let wanted = "a moment from 1970 on in RFC 3339, for example `2026-03-01T08:30:00Z`";
            return Err(self.wrong(name, field.line, wanted, &field.value));
        }
        Ok(moment)
    }

    /// Takes a list of texts, in their order; repetitions are dropped. None where the field is missing.
    pub(crate) fn texts(&mut self, name: &'static str) -> Result<Option<Vec<String>>> {
        let Some(field) = self.take(name) else { return Ok(None) };
        let mut texts: Vec<String> = Vec::new();
        match field.value {
            Value::Cell(cell) => {
                texts.extend(
                    cell.split(';').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned),
                );
            }
            Value::List(elements) => {
                for (position, value) in elements.into_iter().enumerate() {
                    let element = format!("{name}[{position}]");
                    let text =
                        self.as_text(&element, Field { name: name.into(), line: field.line, value })?;
                    if text.is_empty() {
                        return Err(self.error_on(&element, field.line, "must not be empty"));
                    }
                    texts.push(text);
                }
            }
            other => return Err(self.wrong(name, field.line, "a list of texts", &other)),
        }
        let mut seen = std::collections::HashSet::with_capacity(texts.len());
        let firsts: Vec<bool> = texts.iter().map(|text| seen.insert(text.as_str())).collect();
        let mut firsts = firsts.into_iter();
        texts.retain(|_| firsts.next().unwrap_or(true));
        Ok(Some(texts))
    }

    /// Takes one of a fixed set of words.
    pub(crate) fn word<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)]) -> Result<Option<T>> {
        let Some(text) = self.name(name)? else { return Ok(None) };
        self.one_of(name, &text, words).map(Some)
    }

    /// Takes a list of words of a fixed set; none where the field is missing.
    pub(crate) fn words<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[(&str, T)],
    ) -> Result<Option<Vec<T>>> {
        let Some(texts) = self.texts(name)? else { return Ok(None) };
        texts.iter().map(|text| self.one_of(name, text, words)).collect::<Result<_>>().map(Some)
    }

    fn one_of<T: Copy>(&self, name: &str, text: &str, words: &[(&str, T)]) -> Result<T, Error> {
        let plain = |word: &str| word.to_ascii_lowercase().replace('-', "");
        words.iter().find(|(word, _)| plain(word) == plain(text)).map(|(_, meaning)| *meaning).ok_or_else(
            || {
                let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
                self.error(name, format!("must be one of {}, found {}", words.join(", "), quoted(text)))
            },
        )
    }
}

/// A whole number of seconds or milliseconds.
fn epoch(number: i128) -> Option<Timestamp> {
    let milliseconds = if number < FIRST_MILLISECONDS { number.checked_mul(1000)? } else { number };
    u64::try_from(milliseconds).ok()
}

fn rfc3339(text: &str) -> Option<Timestamp> {
    // The standard lets a space stand for the `T`, and databases write it that way.
    let text = match text.split_once(' ') {
        Some((date, time)) => &format!("{date}T{time}"),
        None => text,
    };
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
}

#[cfg(test)]
mod tests {
    use super::{epoch, rfc3339};

    #[test]
    fn moments() {
        assert_eq!(rfc3339("1970-01-01T00:00:01.5Z"), Some(1500));
        assert_eq!(rfc3339("2026-03-01 09:30:00+01:00"), rfc3339("2026-03-01T08:30:00Z"));
        assert_eq!(rfc3339("1969-12-31T23:59:59Z"), None);
        assert_eq!(rfc3339("2026-03-01"), None);
        assert_eq!(epoch(1_705_920_489), Some(1_705_920_489_000));
        assert_eq!(epoch(1_711_140_795_865), Some(1_711_140_795_865));
        assert_eq!(epoch(-1), None);
    }
}
