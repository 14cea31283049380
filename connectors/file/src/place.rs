//! Where in which file something stands, and errors that say so.
//!
//! Every message about the content of a file begins with its place: `users.csv, line 7`, `users.json, record 3`,
//! `data-source.yaml, line 12`. Records of a JSON array are counted from 1, because JSON files often have
//! one line only.

use std::fmt;
use std::rc::Rc;

use raito_connector::Error;

/// A place in a file.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Name of the file within the folder.
    pub(crate) file: Rc<str>,
    pub(crate) spot: Spot,
}

/// A place within one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    /// The file as such.
    Whole,
    /// A line, counted from 1.
    Line(u64),
    /// A record of a JSON array, counted from 1.
    Record(u64),
}

impl Place {
    /// An error about what stands here.
    pub(crate) fn error(&self, message: impl fmt::Display) -> Error {
        Error::other(format!("{self}: {message}"))
    }

    /// The same file at another spot.
    pub(crate) fn at(&self, spot: Spot) -> Place {
        Place { file: Rc::clone(&self.file), spot }
    }
}

impl Spot {
    /// The line or record; 0 for the whole file.
    pub(crate) fn number(self) -> u64 {
        match self {
            Spot::Whole => 0,
            Spot::Line(number) | Spot::Record(number) => number,
        }
    }

    /// A spot of the same kind.
    pub(crate) fn numbered(self, number: u64) -> Spot {
        match self {
            Spot::Whole => Spot::Whole,
            Spot::Line(_) => Spot::Line(number),
            Spot::Record(_) => Spot::Record(number),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.spot {
            Spot::Whole => formatter.write_str(&self.file),
            spot => write!(formatter, "{}, {spot}", self.file),
        }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Spot::Whole => formatter.write_str("the file"),
            Spot::Line(line) => write!(formatter, "line {line}"),
            Spot::Record(record) => write!(formatter, "record {record}"),
        }
    }
}
