//! YAML 1.2: a list of maps, or one map.
//!
//! The file is read as a stream of events, and each element of the list is put together on its own. Unquoted
//! scalars keep their text ([`Value::Plain`]), except for null. Aliases are resolved; what one record may grow to
//! through them is bounded by [`MOST_NODES`], and how deep it may be by [`DEEPEST`].

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::BufRead;
use std::rc::Rc;

use raito_connector::{Error, Result};
use saphyr_parser::{BufferedInput, Event, Marker, Parser, ScalarStyle};

use super::VisitValue;
use crate::place::{Place, Spot};
use crate::value::{Field, Value};

/// Values in one record, with those that aliases repeat.
const MOST_NODES: usize = 1_000_000;
/// Lists and maps within each other.
const DEEPEST: usize = 64;

/// Hands the elements of the list that the file is to `visit`. An empty file is an empty list.
pub(super) fn each_element(
    reader: impl BufRead + 'static,
    place: &Place,
    visit: &mut VisitValue<'_>,
) -> Result<()> {
    let mut events = Events::new(reader, place);
    match events.begin()? {
        None => return Ok(()),
        Some((Event::SequenceStart(..), _)) => {}
        Some((Event::Scalar(text, ScalarStyle::Plain, ..), _)) if is_null(&text) => return events.end(),
        Some((_, at)) => return Err(events.error(at, "must be a list of records")),
    }
    loop {
        match events.next()? {
            (Event::SequenceEnd, _) => return events.end(),
            (event, at) => {
                events.nodes = 0;
                let value = events.value(event, at, 0)?;
                visit(place.at(line(at)), value)?;
            }
        }
    }
}

/// Reads the one value that the file is; null for an empty file.
pub(super) fn document(reader: impl BufRead + 'static, place: &Place) -> Result<Value> {
    let mut events = Events::new(reader, place);
    let Some((event, at)) = events.begin()? else { return Ok(Value::Null) };
    let value = events.value(event, at, 0)?;
    events.end()?;
    Ok(value)
}

/// The events of one document.
struct Events<'p, R: BufRead> {
    parser: Parser<'static, BufferedInput<Characters<R>>>,
    failure: Failure,
    place: &'p Place,
    /// Values with an anchor, by its number.
    anchored: HashMap<usize, Value>,
    /// Values of the present record so far.
    nodes: usize,
}

impl<'p, R: BufRead + 'static> Events<'p, R> {
    fn new(reader: R, place: &'p Place) -> Self {
        let failure = Failure::default();
        let characters = Characters {
            reader,
            failure: Rc::clone(&failure),
            place: place.clone(),
            line: String::new(),
            position: 0,
            number: 0,
        };
        let parser = Parser::new_from_iter(characters);
        Events { parser, failure, place, anchored: HashMap::new(), nodes: 0 }
    }

    /// The first event of the content; none for an empty file.
    fn begin(&mut self) -> Result<Option<(Event<'static>, Marker)>> {
        loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(_), _) => {}
                (Event::StreamEnd, _) => return Ok(None),
                content => return Ok(Some(content)),
            }
        }
    }

    /// Reads what follows the content, which must be nothing.
    fn end(&mut self) -> Result<()> {
        loop {
            match self.next()? {
                (Event::DocumentEnd, _) => {}
                (Event::StreamEnd, _) => return Ok(()),
                (_, at) => return Err(self.error(at, "a second YAML document begins; write one only")),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'static>, Marker)> {
        let event = self.parser.next_event();
        // The parser saw the end of the file where reading failed.
        if let Some(error) = self.failure.borrow_mut().take() {
            return Err(error);
        }
        match event {
            Some(Ok((event, span))) => Ok((event, span.start)),
            Some(Err(error)) => {
                Err(self.error(*error.marker(), &format!("is not valid YAML: {}", error.info())))
            }
            None => Err(self.place.error("ends in the middle")),
        }
    }

    /// Puts together the value that begins with this event.
    fn value(&mut self, event: Event<'static>, at: Marker, depth: usize) -> Result<Value> {
        self.nodes += 1;
        if depth > DEEPEST {
            return Err(self.error(at, &format!("more than {DEEPEST} lists and maps within each other")));
        }
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = match style {
                    ScalarStyle::Plain if tag.is_none() && is_null(&text) => Value::Null,
                    ScalarStyle::Plain if tag.is_none() => Value::Plain(text.into_owned()),
                    _ => Value::Text(text.into_owned()),
                };
                (anchor, value)
            }
            Event::SequenceStart(anchor, _) => {
                let mut list = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break,
                        (event, at) => list.push(self.value(event, at, depth + 1)?),
                    }
                }
                (anchor, Value::List(list))
            }
            Event::MappingStart(anchor, _) => (anchor, Value::Map(self.members(depth)?)),
            Event::Alias(anchor) => {
                let Some(value) = self.anchored.get(&anchor) else {
                    return Err(self.error(at, "an alias within the value that it stands for"));
                };
                self.nodes += nodes(value);
                let value = if self.nodes > MOST_NODES { None } else { Some(value.clone()) };
                (0, value.ok_or_else(|| self.too_many(at))?)
            }
            _ => return Err(self.error(at, "ends in the middle")),
        };
        if self.nodes > MOST_NODES {
            return Err(self.too_many(at));
        }
        // Anchors are numbered from 1.
        if anchor > 0 {
            self.anchored.insert(anchor, value.clone());
        }
        Ok(value)
    }

    fn members(&mut self, depth: usize) -> Result<Vec<Field>> {
        let mut members = Vec::new();
        loop {
            let (name, at) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(members),
                (Event::Scalar(name, ..), at) => (name, at),
                (_, at) => return Err(self.error(at, "the name of a field must be a text")),
            };
            if name == "<<" {
                return Err(self.error(at, "merging with `<<` is not supported; write the fields out"));
            }
            let (event, value_at) = self.next()?;
            let value = self.value(event, value_at, depth + 1)?;
            let Spot::Line(line) = line(at) else { continue };
            members.push(Field { name: (&*name).into(), line: Some(line), value });
        }
    }

    fn too_many(&self, at: Marker) -> Error {
        self.error(at, &format!("more than {MOST_NODES} values in one record"))
    }

    fn error(&self, at: Marker, message: &str) -> Error {
        self.place.at(line(at)).error(message)
    }
}

fn line(at: Marker) -> Spot {
    Spot::Line(u64::try_from(at.line()).unwrap_or_default())
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

fn nodes(value: &Value) -> usize {
    match value {
        Value::List(elements) => 1 + elements.iter().map(nodes).sum::<usize>(),
        Value::Map(members) => 1 + members.iter().map(|member| nodes(&member.value)).sum::<usize>(),
        _ => 1,
    }
}

/// Why reading ended early; the parser knows no errors of its input.
type Failure = Rc<RefCell<Option<Error>>>;

/// The characters of a file, read line by line.
struct Characters<R> {
    reader: R,
    failure: Failure,
    place: Place,
    line: String,
    position: usize,
    number: u64,
}

impl<R: BufRead> Characters<R> {
    /// Reads the next line; false at the end of the file or after a failure.
    fn fill(&mut self) -> bool {
        self.line.clear();
        self.position = 0;
        self.number += 1;
        match self.reader.read_line(&mut self.line) {
            Ok(length) => length > 0,
            Err(error) => {
                let place = self.place.at(Spot::Line(self.number));
                let message = if error.kind() == std::io::ErrorKind::InvalidData {
                    "is not UTF-8; export the file as UTF-8".to_owned()
                } else {
                    format!("cannot be read: {error}")
                };
                *self.failure.borrow_mut() = Some(place.error(message));
                false
            }
        }
    }
}

impl<R: BufRead> Iterator for Characters<R> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        if self.position == self.line.len() && (self.failure.borrow().is_some() || !self.fill()) {
            return None;
        }
        let character = self.line[self.position..].chars().next()?;
        self.position += character.len_utf8();
        Some(character)
    }
}
