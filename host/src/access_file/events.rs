//! From the characters of a file to nodes, one at a time.
//!
//! [`Events::next`] gives the parser's events with their places, and [`Events::node`] builds the tree of a single
//! node. A caller that walks the top of a file by events and takes a node for each element holds one element, however
//! long the file is. What anchors name is kept as long as an alias can mean it.
//!
//! [`Stop`] ends the reading of a file; what is wrong has been told when it is returned. Everything else that is wrong is
//! told and replaced by [`Value::Broken`], and reading goes on.

use std::collections::HashMap;
use std::io::Read;
use std::rc::Rc;

use granit_parser::{ErrorKind, Event, FallibleBufferedInput, Marker, Parser, ScalarStyle, ScanError, Tag};

use super::finding::{Place, Position, Report, quoted, suggestion};
use super::source::{Allowance, Characters};
use super::tree::{Entry, Kind, Node, Value, kind_of_plain};

/// Levels of lists and maps. What is read later as JSON may have 127.
const DEEPEST: u32 = 100;
/// Values that one access provider, or one anchor, may stand for.
const HEAVIEST: u64 = 1_000_000;
/// Values that all anchors of a file may hold.
const KEPT: u64 = 1_000_000;
/// Values that all aliases of a file may stand for.
const ALIASED: u64 = 20_000_000;

/// The file cannot be read any further; the reason has been told.
#[derive(Debug)]
pub(super) struct Stop;

/// The start of a node, or what ends a list, a map or the file.
#[derive(Debug)]
pub(super) enum Token {
    Scalar { text: String, plain: bool, anchor: usize, tag: Option<Tag> },
    ListStart { anchor: usize, tag: Option<Tag> },
    MapStart { anchor: usize, tag: Option<Tag> },
    End,
    Alias(usize),
    UnknownAlias(String),
    DocumentStart,
    DocumentEnd,
    FileEnd,
}

/// The events of a file.
pub(super) struct Events<'r, R: Read> {
    parser: Parser<'static, FallibleBufferedInput<Characters<R>>>,
    allowance: Allowance,
    file: u32,
    pub(super) report: &'r mut Report,
    /// What anchors name, by the parser's number.
    anchors: HashMap<usize, Rc<Node>>,
    /// The number of each anchor's name; a name that is given again takes the old node out of `anchors`.
    names: HashMap<String, usize>,
    kept: u64,
    aliased: u64,
}

impl<'r, R: Read> Events<'r, R> {
    pub(super) fn new(input: R, file: u32, report: &'r mut Report) -> Self {
        let allowance = Allowance::new();
        let options = granit_parser::options! {
            emit_anchor_events: true,
            emit_unresolved_aliases: true,
            emit_comments: false,
        };
        let characters = Characters::new(input, allowance.clone());
        Events {
            parser: Parser::new_from_fallible_iter_with_options(characters, options),
            allowance,
            file,
            report,
            anchors: HashMap::new(),
            names: HashMap::new(),
            kept: 0,
            aliased: 0,
        }
    }

    /// The beginning of the file.
    pub(super) fn beginning(&self) -> Place {
        Place { file: self.file, position: Some(Position { line: 1, column: 1 }) }
    }

    /// The next event.
    pub(super) fn next(&mut self) -> Result<(Token, Place), Stop> {
        loop {
            let (event, span) = match self.parser.next_event() {
                None => return Ok((Token::FileEnd, Place { file: self.file, position: None })),
                Some(Err(error)) => return Err(self.syntax(&error)),
                Some(Ok(event)) => event,
            };
            self.allowance.renew();
            let token = match event {
                Event::Anchor(id, name) => {
                    if let Some(node) =
                        self.names.insert(name.into_owned(), id).and_then(|old| self.anchors.remove(&old))
                    {
                        self.kept = self.kept.saturating_sub(node.weight);
                    }
                    continue;
                }
                Event::Scalar(text, style, anchor, tag) => Token::Scalar {
                    text: text.into_owned(),
                    plain: style == ScalarStyle::Plain,
                    anchor,
                    tag: tag.map(std::borrow::Cow::into_owned),
                },
                Event::SequenceStart(_, anchor, tag) => {
                    Token::ListStart { anchor, tag: tag.map(std::borrow::Cow::into_owned) }
                }
                Event::MappingStart(_, anchor, tag) => {
                    Token::MapStart { anchor, tag: tag.map(std::borrow::Cow::into_owned) }
                }
                Event::SequenceEnd | Event::MappingEnd => Token::End,
                Event::Alias(id) => Token::Alias(id),
                Event::UnresolvedAlias(name) => Token::UnknownAlias(name.into_owned()),
                Event::DocumentStart(..) => Token::DocumentStart,
                Event::DocumentEnd => Token::DocumentEnd,
                Event::StreamEnd => Token::FileEnd,
                _ => continue,
            };
            return Ok((token, self.place(span.start)));
        }
    }

    /// Builds the node that begins with `token`.
    pub(super) fn node(&mut self, token: Token, place: Place, depth: u32) -> Result<Rc<Node>, Stop> {
        if depth > DEEPEST {
            return Err(self.too_deep(place));
        }
        let (node, anchor) = match token {
            Token::Scalar { text, plain, anchor, tag } => {
                (self.scalar(place, text, plain, tag.as_ref()), anchor)
            }
            Token::ListStart { anchor, tag } => {
                self.refuse_tag(place, tag.as_ref(), "seq");
                let mut items = Vec::new();
                let mut weight = 0_u64;
                loop {
                    let (token, at) = self.next()?;
                    if matches!(token, Token::End) {
                        break;
                    }
                    let item = self.node(token, at, depth + 1)?;
                    weight = weight.saturating_add(item.weight);
                    self.check_weight(place, weight)?;
                    items.push(item);
                }
                (Node::list(place, items), anchor)
            }
            Token::MapStart { anchor, tag } => {
                self.refuse_tag(place, tag.as_ref(), "map");
                (self.map(place, depth)?, anchor)
            }
            Token::Alias(id) => return self.alias(id, place, depth),
            Token::UnknownAlias(name) => {
                let hint = suggestion(&name, self.names.keys().map(String::as_str));
                let message = format!("there is no anchor `&{name}` before this alias");
                self.report.error(place, None, message, hint);
                (Node::broken(place), 0)
            }
            Token::End | Token::DocumentStart | Token::DocumentEnd | Token::FileEnd => {
                return Err(self.stop(place, "not valid YAML: a value is missing".into(), None));
            }
        };
        self.check_weight(place, node.weight)?;
        let node = Rc::new(node);
        if anchor != 0 {
            self.kept = self.kept.saturating_add(node.weight);
            if self.kept > KEPT {
                let hint = "anchor what is used again, not what holds it";
                return Err(self.stop(place, "the anchors of this file hold too much".into(), Some(hint)));
            }
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        Ok(node)
    }

    fn map(&mut self, place: Place, depth: u32) -> Result<Node, Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged: Vec<Entry> = Vec::new();
        let (mut weight, mut merged_weight) = (0_u64, 0_u64);
        loop {
            let (token, at) = self.next()?;
            if matches!(token, Token::End) {
                break;
            }
            let key = self.key(token, at, depth)?;
            let (token, value_at) = self.next()?;
            let value = self.node(token, value_at, depth + 1)?;
            weight = weight.saturating_add(value.weight);
            self.check_weight(place, weight)?;
            match key {
                Key::Merge => {
                    merged_weight = merged_weight.saturating_add(value.weight);
                    self.merge(&value, &mut merged);
                }
                Key::Name(key) => entries.push(Entry { key, place: at, value }),
                Key::Broken => {}
            }
        }
        self.drop_duplicates(&mut entries);
        if !merged.is_empty() {
            // What stands in the map itself wins over what is merged in, earlier merges over later ones.
            let mut known: std::collections::HashSet<Rc<str>> =
                entries.iter().map(|entry| Rc::clone(&entry.key)).collect();
            entries.extend(merged.into_iter().filter(|entry| known.insert(Rc::clone(&entry.key))));
        }
        Ok(Node::map(place, entries, merged_weight))
    }

    /// Reads a key.
    pub(super) fn key(&mut self, token: Token, place: Place, depth: u32) -> Result<Key, Stop> {
        match token {
            Token::Scalar { text, plain: true, tag: None, .. } if text == "<<" => Ok(Key::Merge),
            Token::Scalar { text, plain, .. } if !plain || kind_of_plain(&text) != Kind::Null => {
                Ok(Key::Name(text.into()))
            }
            other => {
                self.node(other, place, depth + 1)?;
                self.report.error(place, None, "a key must be a text".into(), None);
                Ok(Key::Broken)
            }
        }
    }

    /// Takes what a merge key is given: a map, or a list of maps.
    pub(super) fn merge(&mut self, node: &Node, into: &mut Vec<Entry>) {
        match &node.value {
            Value::Map(entries) => into.extend(entries.iter().cloned()),
            Value::List(items) if items.iter().all(|item| matches!(item.value, Value::Map(_))) => {
                for item in items {
                    self.merge(item, into);
                }
            }
            Value::Broken => {}
            _ => {
                let message = format!("`<<` takes a map or a list of maps, found {}", node.describe());
                self.report.error(node.place, None, message, Some("write `<<: *anchor`".into()));
            }
        }
    }

    /// Tells of keys that stand twice, and keeps the first.
    fn drop_duplicates(&mut self, entries: &mut Vec<Entry>) {
        let mut seen: HashMap<Rc<str>, Place> = HashMap::with_capacity(entries.len());
        let report = &mut *self.report;
        entries.retain(|entry| match seen.get(&entry.key) {
            None => {
                seen.insert(Rc::clone(&entry.key), entry.place);
                true
            }
            Some(first) => {
                duplicate_key(report, &entry.key, *first, entry.place);
                false
            }
        });
    }

    fn alias(&mut self, id: usize, place: Place, depth: u32) -> Result<Rc<Node>, Stop> {
        let Some(node) = self.anchors.get(&id).map(Rc::clone) else {
            let message = "an alias cannot stand inside of what it names";
            self.report.error(place, None, message.into(), None);
            return Ok(Rc::new(Node::broken(place)));
        };
        self.aliased = self.aliased.saturating_add(node.weight);
        if self.aliased > ALIASED {
            return Err(self.stop(place, "the aliases of this file stand for too much".into(), None));
        }
        if depth + node.height > DEEPEST {
            return Err(self.too_deep(place));
        }
        Ok(node)
    }

    fn scalar(&mut self, place: Place, text: String, plain: bool, tag: Option<&Tag>) -> Node {
        let kind = if plain { kind_of_plain(&text) } else { Kind::Text };
        let Some(tag) = tag else { return Node::scalar(place, kind, text) };
        let fits = match tag.core_suffix() {
            Some("str") => return Node::scalar(place, Kind::Text, text),
            Some("null") => kind == Kind::Null,
            Some("bool") => matches!(kind, Kind::Bool(_)),
            Some("int") => kind == Kind::Integer,
            Some("float") => matches!(kind, Kind::Integer | Kind::Decimal),
            // `!` alone says that a plain scalar is a text.
            None if tag.original() == "!" => return Node::scalar(place, Kind::Text, text),
            _ => {
                self.unknown_tag(place, tag);
                return Node::broken(place);
            }
        };
        if fits {
            return Node::scalar(place, kind, text);
        }
        let message = format!("{} does not fit its tag {}", quoted(&text), quoted(&tag.original()));
        self.report.error(place, None, message, Some("remove the tag".into()));
        Node::broken(place)
    }

    pub(super) fn refuse_tag(&mut self, place: Place, tag: Option<&Tag>, expected: &str) {
        if let Some(tag) = tag.filter(|tag| tag.core_suffix() != Some(expected) && tag.original() != "!") {
            self.unknown_tag(place, tag);
        }
    }

    fn unknown_tag(&mut self, place: Place, tag: &Tag) {
        let message = format!("the tag {} has no meaning here", quoted(&tag.original()));
        self.report.error(place, None, message, Some("remove it".into()));
    }

    fn check_weight(&mut self, place: Place, weight: u64) -> Result<(), Stop> {
        if weight <= HEAVIEST {
            return Ok(());
        }
        let message = format!("more than {HEAVIEST} values in one place, with what its aliases stand for");
        Err(self.stop(place, message, Some("split it into several access providers")))
    }

    fn too_deep(&mut self, place: Place) -> Stop {
        self.stop(place, format!("lists and maps are nested more than {DEEPEST} levels deep"), None)
    }

    fn syntax(&mut self, error: &ScanError) -> Stop {
        let place = self.place(*error.marker());
        let (message, hint) = match error.kind() {
            ErrorKind::InputIo { error } => (format!("cannot be read: {error}"), None),
            ErrorKind::InputDecoding { message } => {
                (format!("the file is not UTF-8: {message}"), Some("save it as UTF-8"))
            }
            ErrorKind::Custom(message) => (message.clone(), None),
            ErrorKind::RecursionLimitExceeded => return self.too_deep(place),
            kind => (format!("not valid YAML: {kind}"), syntax_hint(kind)),
        };
        self.stop(place, message, hint)
    }

    pub(super) fn stop(&mut self, place: Place, message: String, hint: Option<&str>) -> Stop {
        self.report.error(place, None, message, hint.map(str::to_owned));
        Stop
    }

    fn place(&self, marker: Marker) -> Place {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let position =
            Position { line: number(marker.line()), column: number(marker.col()).saturating_add(1) };
        Place { file: self.file, position: Some(position) }
    }
}

/// A key of a map.
#[derive(Debug)]
pub(super) enum Key {
    Name(Rc<str>),
    /// `<<`.
    Merge,
    /// Not a key; told already.
    Broken,
}

pub(super) fn duplicate_key(report: &mut Report, key: &str, first: Place, second: Place) {
    let before = first.position.map(|position| format!(", first in line {}", position.line));
    let message = format!("the key {} stands twice{}", quoted(key), before.unwrap_or_default());
    report.error(second, None, message, Some("keep one of the two".into()));
}

fn syntax_hint(kind: &ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar
        | ErrorKind::TabAtBlockScalarStart => "indent with spaces",
        ErrorKind::UnclosedQuotedScalar => "close the quote",
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofFlowSequence => "close the bracket",
        ErrorKind::UnexpectedCharacter { .. } | ErrorKind::MappingValueNotAllowed => {
            "put a text that holds `: `, ` #` or begins with a special character in quotes"
        }
        ErrorKind::InvalidIndentation | ErrorKind::ExpectedBlockMappingKey => {
            "check the indentation: entries of one list or map begin in the same column"
        }
        _ => return None,
    })
}
