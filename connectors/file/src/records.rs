//! Reading the records of a file, one after the other, whatever its format.
//!
//! | format | in memory at a time | place in messages |
//! |---|---|---|
//! | CSV | one row | line |
//! | JSON | one element of the array | number of the element |
//! | JSON lines | one line | line |
//! | YAML | one element of the list, and what has an anchor | line |
//!
//! Files are UTF-8; a byte-order mark is skipped.

mod csv_rows;
mod json;
mod yaml;

use std::fs::File;
use std::io::{BufRead, BufReader};

use raito_connector::Result;

use crate::fields::{Fields, Layout};
use crate::folder::{Format, Source};
use crate::place::{Place, Spot};
use crate::value::{Field, Value};

/// Takes the records of a file.
type Visit<'v> = dyn FnMut(Fields) -> Result<()> + 'v;

/// What records of each format are made of, before they become [`Fields`].
type VisitValue<'v> = dyn FnMut(Place, Value) -> Result<()> + 'v;

/// Bytes read at once.
const BUFFER: usize = 64 * 1024;

/// Hands the records of a file to `visit`, in their order; stops at the first error.
///
/// # Errors
/// The file cannot be read or is not of its format, or `visit` refused a record.
pub(crate) fn each(source: &Source, visit: &mut Visit<'_>) -> Result<()> {
    let place = Place { file: source.name.clone(), spot: Spot::Whole };
    let reader = open(source, &place)?;
    let mut record = |place: Place, value: Value| {
        visit(Fields::new(place.clone(), Layout::Tree, members(&place, value)?)?)
    };
    match source.format {
        Format::Csv => csv_rows::each(reader, &place, visit),
        Format::Json => json::each_element(reader, &place, &mut record),
        Format::JsonLines => json::each_line(reader, &place, &mut record),
        Format::Yaml => yaml::each_element(reader, &place, &mut record),
    }
}

/// Reads a file that is one map.
///
/// # Errors
/// The file cannot be read, is of a format that has no maps, or is something else than a map.
pub(crate) fn document(source: &Source) -> Result<Fields> {
    let place = Place { file: source.name.clone(), spot: Spot::Whole };
    let value = match source.format {
        Format::Json => json::document(open(source, &place)?, &place)?,
        Format::Yaml => yaml::document(open(source, &place)?, &place)?,
        Format::Csv | Format::JsonLines => {
            return Err(place.error("this file cannot be a table; write it as `.yaml` or `.json`"));
        }
    };
    let members = members(&place, value)?;
    Fields::new(place, Layout::Tree, members)
}

fn open(source: &Source, place: &Place) -> Result<BufReader<File>> {
    let unreadable = |error: std::io::Error| place.error(format!("cannot be read: {error}"));
    let mut reader = BufReader::with_capacity(BUFFER, File::open(&source.path).map_err(unreadable)?);
    if reader.fill_buf().map_err(unreadable)?.starts_with(b"\xef\xbb\xbf") {
        reader.consume(3);
    }
    Ok(reader)
}

fn members(place: &Place, value: Value) -> Result<Vec<Field>> {
    match value {
        Value::Map(members) => Ok(members),
        other => Err(place.error(format!("must be a map of fields, found {}", other.found()))),
    }
}
