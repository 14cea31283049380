//! What goes over the wire in a full run: every request, in order, with its headers and arguments, beside the
//! expectation in `transcripts/full-run.txt`. Between the two ends is a proxy that writes it down.
//!
//! With `RAITO_WRITE_TRANSCRIPT=1` in the environment the expectation is rewritten instead. It is to be read then,
//! beside the protocol.

use std::fmt::Write as _;
use std::path::Path;

use regex::Regex;
use serde_json::Value;

use crate::five_steps::EVERYTHING;
use crate::place::Place;
use crate::proxy::{Exchange, Plan, Proxy};
use crate::served::{PASSWORD, Served, configure};

/// Headers that say nothing about the protocol.
const PLAIN: [&str; 5] = ["accept", "accept-encoding", "connection", "content-length", "host"];

const PREFACE: &str = "\
# The requests of a full run of the test connector `company`, in order.
# Words in <angle brackets> stand for what differs between runs; the same word is the same value.
# Under each request: its GraphQL document, and what else its body holds. Asking for the same subtask again and again is
# shown once. The letter says which headers it has, apart from those for host, length and content negotiation:
";

/// Values that differ between runs, and the words for them, in the order in which they were found.
#[derive(Default)]
struct Words(Vec<(String, String)>);

impl Words {
    fn name(&mut self, value: &str, word: &str) {
        if !value.is_empty() && !self.0.iter().any(|(known, _)| known == value) {
            self.0.push((value.to_owned(), format!("<{word}>")));
        }
    }

    /// Numbers the values of one kind.
    fn number(&mut self, value: &str, kind: &str) {
        let known = self.0.iter().filter(|(_, word)| word.starts_with(&format!("<{kind} "))).count();
        self.name(value, &format!("{kind} {}", known + 1));
    }

    /// Learns what an answer hands out.
    fn learn(&mut self, exchange: &Exchange) {
        let Ok(answer) = serde_json::from_str::<Value>(&exchange.answer_body()) else { return };
        let mut found = Vec::new();
        leaves(&answer, "", &mut found);
        for (path, value) in found {
            let Some(text) = value.as_str() else { continue };
            match path.rsplit('.').next().unwrap_or_default() {
                "ClientAppId" => self.name(text, "client id"),
                "IdToken" => self.name(text, "id token"),
                "jobId" => self.name(text, "job"),
                "subtaskId" => self.number(text, "subtask"),
                "Key" | "key" => self.number(text, "file"),
                "URL" | "url" => self.number(path_of(text), "upload address"),
                "fileLocation" => self.name(path_of(text), "download address"),
                _ => {}
            }
        }
    }

    fn apply(&self, text: &str) -> String {
        let mut text = text.to_owned();
        // An address holds a key: the longer value first.
        let mut words: Vec<_> = self.0.iter().collect();
        words.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        for (value, word) in words {
            text = text.replace(value.as_str(), word);
        }
        for (pattern, word) in [
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "<time>"),
            (r"contentLength=\d+", "contentLength=<length>"),
            (r"sha256=[A-Za-z0-9%+/]+(=|%3D)", "sha256=<base64>"),
            (r"Raito CLI v\S+ \([^)]*\)", "Raito CLI v<version> (<build date>)"),
            (r#"("receivedDate":)\d{13}"#, "${1}<milliseconds>"),
        ] {
            text = Regex::new(pattern).unwrap().replace_all(&text, word).into_owned();
        }
        text
    }
}

/// An address without scheme and authority.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("", |at| &rest[at..])
}

/// The leaves of a document with their paths. Empty lists and objects are leaves.
fn leaves<'v>(value: &'v Value, path: &str, found: &mut Vec<(String, &'v Value)>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                leaves(value, &below(key), found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (at, value) in items.iter().enumerate() {
                leaves(value, &below(&at.to_string()), found);
            }
        }
        leaf => found.push((path.to_owned(), leaf)),
    }
}

/// The kinds of requests by their headers, in the order in which they were found.
#[derive(Default)]
struct Kinds(Vec<String>);

impl Kinds {
    /// The letter of the kind that has these headers.
    fn letter(&mut self, headers: String) -> char {
        let at = self.0.iter().position(|known| *known == headers).unwrap_or_else(|| {
            self.0.push(headers);
            self.0.len() - 1
        });
        char::from(b'A' + u8::try_from(at).unwrap())
    }
}

/// One request, as lines.
fn told(exchange: &Exchange, words: &Words, kinds: &mut Kinds) -> String {
    let mut headers: Vec<_> =
        exchange.headers.iter().filter(|(name, _)| !PLAIN.contains(&name.as_str())).collect();
    headers.sort();
    let mut told = String::new();
    for (name, value) in headers {
        let _ = writeln!(told, "#     {name}: {value}");
    }
    let kind = kinds.letter(words.apply(&told));
    let mut text = format!("{kind}  {}\n", exchange.line);
    if exchange.body.is_empty() || exchange.line.starts_with("PUT ") {
        return words.apply(&text);
    }
    let mut body: Value = serde_json::from_slice(&exchange.body).unwrap();
    if let Some(Value::String(document)) = body.as_object_mut().unwrap().remove("query") {
        let _ = writeln!(text, "       {document}");
    }
    let _ = writeln!(text, "       {body}");
    words.apply(&text)
}

fn transcript(exchanges: &[Exchange], words: &mut Words) -> String {
    let (mut text, mut kinds) = (String::new(), Kinds::default());
    let (mut number, mut last) = (0, String::new());
    for exchange in exchanges {
        words.learn(exchange);
        let told = told(exchange, words, &mut kinds);
        if told == last && told.contains("jobSubtask(") {
            continue;
        }
        number += 1;
        let _ = write!(text, "\n{number:>2}  {told}");
        last = told;
    }
    let mut preface = PREFACE.to_owned();
    for (at, headers) in kinds.0.iter().enumerate() {
        let letter = char::from(b'A' + u8::try_from(at).unwrap());
        let none = if headers.is_empty() { " none" } else { "" };
        let _ = write!(preface, "#   {letter}:{none}\n{headers}");
    }
    preface + &text
}

#[test]
fn a_full_run_sends_what_the_protocol_says_in_its_order() {
    let place = Place::new();
    let proxy = Proxy::start();
    let served = Served::start_behind(&place, &proxy);
    let (source, store) = served.data_source("Company");
    proxy.arm(Plan::Well);
    configure(&place, &proxy.url(), (&source, &store), "");
    let outcome = place.raito(&["run", "--format", "json"]).env("SECRET", PASSWORD).finish().succeeded();
    assert_eq!(outcome.steps("company"), EVERYTHING);

    let mut words = Words::default();
    words.name(&source, "data source");
    words.name(&store, "identity store");
    words.name(PASSWORD, "password");
    let found = transcript(&proxy.exchanges(), &mut words);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/transcripts/full-run.txt");
    if std::env::var_os("RAITO_WRITE_TRANSCRIPT").is_some() {
        std::fs::write(&file, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    for (at, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "line {} of {}", at + 1, file.display());
    }
    assert_eq!(found, expected);
}
