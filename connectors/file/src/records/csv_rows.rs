//! CSV: RFC 4180 with commas, the first line names the columns.

use std::io::Read;
use std::rc::Rc;

use csv::{ErrorKind, ReaderBuilder, StringRecord};
use raito_connector::{Error, Result};

use super::Visit;
use crate::fields::{Fields, Layout};
use crate::place::{Place, Spot};
use crate::value::{Field, Value};

pub(super) fn each(reader: impl Read, place: &Place, visit: &mut Visit<'_>) -> Result<()> {
    let mut reader = ReaderBuilder::new().from_reader(reader);
    let columns: Vec<Rc<str>> = {
        let header = reader.headers().map_err(|error| refused(&error, place))?;
        header.iter().map(|name| name.trim().into()).collect()
    };
    check_header(&columns, place)?;

    let mut row = StringRecord::new();
    while reader.read_record(&mut row).map_err(|error| refused(&error, place))? {
        let line = row.position().map_or(0, csv::Position::line);
        let cells = columns.iter().zip(&row).map(|(name, cell)| Field {
            name: Rc::clone(name),
            line: None,
            value: Value::Cell(cell.to_owned()),
        });
        visit(Fields::new(place.at(Spot::Line(line)), Layout::Columns, cells.collect())?)?;
    }
    Ok(())
}

fn check_header(columns: &[Rc<str>], place: &Place) -> Result<()> {
    let header = place.at(Spot::Line(1));
    if columns.iter().all(|name| name.is_empty()) {
        return Err(header.error("the names of the columns are missing"));
    }
    if let [only] = columns
        && let Some(separator) = [';', '\t', '|'].iter().find(|separator| only.contains(**separator))
    {
        return Err(
            header.error(format!("the columns seem to be separated by {separator:?}; commas are needed"))
        );
    }
    for (position, name) in columns.iter().enumerate() {
        if name.is_empty() {
            return Err(header.error(format!("column {} has no name", position + 1)));
        }
        if columns[..position].contains(name) {
            return Err(header.error(format!("column `{name}` is given twice")));
        }
    }
    Ok(())
}

fn refused(error: &csv::Error, place: &Place) -> Error {
    let place = error.position().map_or_else(|| place.clone(), |at| place.at(Spot::Line(at.line())));
    match error.kind() {
        ErrorKind::Io(error) => place.error(format!("cannot be read: {error}")),
        ErrorKind::Utf8 { err, .. } => {
            place.error(format!("cell {} is not UTF-8; export the file as UTF-8", err.field() + 1))
        }
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            place.error(format!("has {len} cells, but there are {expected_len} columns"))
        }
        _ => place.error(error),
    }
}
