//! The top level of an access file, walked by events: access providers are built and handed on one by one.

use std::collections::HashMap;
use std::io::Read;
use std::rc::Rc;

use super::check::Scope;
use super::events::{Events, Key, Stop, Token, duplicate_key};
use super::finding::{Place, Report};
use super::format::FILE;
use super::tree::{Entry, Kind, Node, Value, kind_of_plain};

/// The key of the list.
const LIST: &str = "accessProviders";

/// Reads a file; each element of its list goes to `each`. What is wrong is told.
pub(super) fn read<R: Read>(
    input: R,
    file: u32,
    report: &mut Report,
    mut each: impl FnMut(&Rc<Node>, &mut Report),
) {
    // What ends the reading has been told.
    let _: Result<(), Stop> = walk(&mut Events::new(input, file, report), &mut each);
}

fn walk<R: Read>(
    events: &mut Events<'_, R>,
    each: &mut impl FnMut(&Rc<Node>, &mut Report),
) -> Result<(), Stop> {
    let start = loop {
        match events.next()? {
            (Token::DocumentStart, _) => {}
            (Token::FileEnd, _) => return Err(missing(events, events.beginning())),
            start => break start,
        }
    };
    match start {
        (Token::MapStart { tag, .. }, place) => {
            events.refuse_tag(place, tag.as_ref(), "map");
            map(events, place, each)?;
        }
        (Token::Scalar { text, plain: true, .. }, _) if kind_of_plain(&text) == Kind::Null => {
            return Err(missing(events, events.beginning()));
        }
        (token, place) => {
            let found = if matches!(token, Token::ListStart { .. }) { "a list" } else { "something else" };
            let message = format!("an access file is a map with the list `{LIST}`, found {found}");
            return Err(events.stop(place, message, Some("begin the file with `accessProviders:`")));
        }
    }
    loop {
        match events.next()? {
            (Token::FileEnd, _) => return Ok(()),
            (Token::DocumentEnd, _) => {}
            (_, place) => {
                let hint = "put it into a file of its own";
                return Err(events.stop(place, "a second YAML document".into(), Some(hint)));
            }
        }
    }
}

fn missing<R: Read>(events: &mut Events<'_, R>, place: Place) -> Stop {
    let message = format!("an access file needs the key `{LIST}`");
    events.stop(place, message, Some("for no access at all write `accessProviders: []`"))
}

/// Walks the top level, whose start has been taken.
fn map<R: Read>(
    events: &mut Events<'_, R>,
    place: Place,
    each: &mut impl FnMut(&Rc<Node>, &mut Report),
) -> Result<(), Stop> {
    let mut seen: HashMap<Rc<str>, Place> = HashMap::new();
    let mut merged = Vec::new();
    loop {
        let (token, key_place) = events.next()?;
        if matches!(token, Token::End) {
            break;
        }
        let key = events.key(token, key_place, 1)?;
        let (token, value_place) = events.next()?;
        match key {
            Key::Name(key) => {
                let first = seen.get(&key).copied();
                if let Some(first) = first {
                    duplicate_key(events.report, &key, first, key_place);
                } else {
                    seen.insert(Rc::clone(&key), key_place);
                }
                if &*key == LIST && first.is_none() && matches!(token, Token::ListStart { anchor: 0, .. }) {
                    list(events, token, value_place, each)?;
                } else {
                    let value = events.node(token, value_place, 2)?;
                    if first.is_none() {
                        entry(events, &Entry { key, place: key_place, value }, each);
                    }
                }
            }
            Key::Merge => {
                let node = events.node(token, value_place, 2)?;
                events.merge(&node, &mut merged);
            }
            Key::Broken => {
                events.node(token, value_place, 2)?;
            }
        }
    }
    for merged in merged {
        if seen.insert(Rc::clone(&merged.key), merged.place).is_none() {
            entry(events, &merged, each);
        }
    }
    if seen.contains_key(LIST) { Ok(()) } else { Err(missing(events, place)) }
}

/// Walks the list, whose start has been taken.
fn list<R: Read>(
    events: &mut Events<'_, R>,
    start: Token,
    place: Place,
    each: &mut impl FnMut(&Rc<Node>, &mut Report),
) -> Result<(), Stop> {
    if let Token::ListStart { tag, .. } = start {
        events.refuse_tag(place, tag.as_ref(), "seq");
    }
    loop {
        let (token, place) = events.next()?;
        if matches!(token, Token::End) {
            return Ok(());
        }
        let node = events.node(token, place, 3)?;
        each(&node, events.report);
    }
}

/// Takes an entry of the top level whose value is a tree already.
fn entry<R: Read>(events: &mut Events<'_, R>, entry: &Entry, each: &mut impl FnMut(&Rc<Node>, &mut Report)) {
    match &entry.value.value {
        // The elements are judged one by one.
        Value::List(items) if &*entry.key == LIST => {
            for item in items {
                each(item, events.report);
            }
        }
        _ => Scope { report: events.report, control: None }.entry(entry, &FILE),
    }
}
