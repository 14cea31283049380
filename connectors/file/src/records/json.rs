//! JSON: an array of objects, or one object on each line (JSON lines), or one object.

use std::fmt;
use std::io::{BufRead, Read};

use raito_connector::{Error, Result};
use serde::Deserializer as _;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde_json::error::Category;

use super::VisitValue;
use crate::place::{Place, Spot};
use crate::value::Value;

/// Reads the elements of an array without ever holding more than one.
pub(super) fn each_element(reader: impl Read, place: &Place, visit: &mut VisitValue<'_>) -> Result<()> {
    let mut json = serde_json::Deserializer::from_reader(reader);
    let mut refusal = None;
    let elements = Elements { place, visit, refusal: &mut refusal };
    let read = json.deserialize_seq(elements).and_then(|()| json.end());
    match (refusal, read) {
        (Some(refusal), _) => Err(refusal),
        (None, Err(error)) => Err(syntax(&error, place)),
        (None, Ok(())) => Ok(()),
    }
}

/// Hands on each element. An error of the visitor is put aside, because serde's carries text only.
struct Elements<'a, 'v> {
    place: &'a Place,
    visit: &'a mut VisitValue<'v>,
    refusal: &'a mut Option<Error>,
}

impl<'de> Visitor<'de> for Elements<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let mut number = 0;
        while let Some(value) = elements.next_element()? {
            number += 1;
            if let Err(error) = (self.visit)(self.place.at(Spot::Record(number)), value) {
                *self.refusal = Some(error);
                return Err(A::Error::custom("refused"));
            }
        }
        Ok(())
    }
}

/// Reads one value from each line that is not blank.
pub(super) fn each_line(mut reader: impl BufRead, place: &Place, visit: &mut VisitValue<'_>) -> Result<()> {
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line);
        if length.map_err(|error| place.error(format!("cannot be read: {error}")))? == 0 {
            return Ok(());
        }
        number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let place = place.at(Spot::Line(number));
        let value = serde_json::from_slice(&line)
            .map_err(|error| place.error(format!("is not valid JSON: {}", reason(&error))))?;
        visit(place, value)?;
    }
}

/// Reads the one value that the file is.
pub(super) fn document(reader: impl Read, place: &Place) -> Result<Value> {
    serde_json::from_reader(reader).map_err(|error| syntax(&error, place))
}

fn syntax(error: &serde_json::Error, place: &Place) -> Error {
    match error.classify() {
        Category::Io => place.error(format!("cannot be read: {error}")),
        // Whatever an element is, a value takes it.
        Category::Data => {
            place.error("must be one array of records; a file with one record on each line is a `.jsonl`")
        }
        Category::Eof => place.error("ends in the middle; the export was cut off"),
        Category::Syntax => {
            let line = u64::try_from(error.line()).unwrap_or_default();
            let column = error.column();
            place
                .at(Spot::Line(line))
                .error(format!("is not valid JSON: {} at column {column}", reason(error)))
        }
    }
}

/// The message without the position that serde appends.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}
