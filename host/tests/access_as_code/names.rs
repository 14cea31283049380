//! Names as people and programs make them, and as nobody should.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;

/// The longest name that the server keeps whole, in bytes.
const LONGEST: usize = 63;

/// Names that break what quotes, splits, folds, cuts or escapes wrongly. Access files refuse control characters.
const HOSTILE: &[&str] = &[
    "orders",
    "Orders",
    "ORDERS",
    "Sales Readers",
    "sales_readers",
    "We\"ird\"",
    "it's; DROP ROLE postgres; --",
    "back\\slash\\",
    "a.b.c",
    "\"a\".\"b\"",
    "select",
    "$body$",
    "f(integer)",
    "x, y",
    "/* no */",
    "raito[R_]:orders",
    "100%",
    "%s %I %L",
    "grüße",
    "日本語の表",
    "🦀",
    "e\u{301}",
    "null",
    "~",
    "no",
    "0x1F",
    "2026-01-01",
    " led and trailed ",
    "#hash: [a, b]",
    "<img src=x>",
    "`tick`",
    "@everyone",
    "éééééééééééééééééééééééééééééééx",
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk",
];

const CHARACTERS: &[char] = &[
    'a', 'B', 'z', '9', '_', '$', '"', '\'', '\\', '.', ',', '(', ')', ';', '-', '/', '*', '%', '#', '@',
    '[', ']', '{', '}', '<', '>', '&', '`', ' ', ':', '|', '!', 'é', 'ß', 'İ', '日', '🦀', '\u{301}',
];

/// Any name.
pub(crate) fn odd() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(HOSTILE).prop_map(str::to_owned),
        3 => proptest::collection::vec(select(CHARACTERS), 1..24).prop_map(String::from_iter),
        1 => proptest::collection::vec(select(CHARACTERS), 63..64).prop_map(String::from_iter),
    ]
    .prop_map(|name| if name.trim().is_empty() { format!("{name}x") } else { name })
}

/// The beginning of a text, in so many bytes.
fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap();
    &text[..end]
}

/// The names, cut to what the server keeps, and each once; without regard to letter case where they are `folded`.
pub(crate) fn distinct(names: Vec<String>, folded: bool) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut distinct = Vec::with_capacity(names.len());
    for (at, name) in names.into_iter().enumerate() {
        let key = |name: &str| if folded { name.to_lowercase() } else { name.to_owned() };
        let mut name = cut(&name, LONGEST).to_owned();
        if !seen.insert(key(&name)) {
            let number = format!(" {at}");
            name = format!("{}{number}", cut(&name, LONGEST - number.len()));
            assert!(seen.insert(key(&name)), "{name:?} stands twice");
        }
        distinct.push(name);
    }
    distinct
}

/// A quoted identifier.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
