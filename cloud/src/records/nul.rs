//! Texts without NUL characters.
//!
//! PostgreSQL has no place for a NUL in a text, `SQLite` has. So that both hold the same, every NUL that comes in
//! becomes U+FFFD, the replacement character. JSON can hold one as an escape only, which is as long as that of the
//! replacement character, so that it is replaced where it stands.

use std::borrow::Cow;

/// A NUL in a JSON text.
pub(crate) const ESCAPE: &[u8; 6] = br"\u0000";
const REPLACEMENT: &[u8; 6] = br"\ufffd";

/// Replaces NULs in a piece of JSON from some place on. A backslash that is escaped itself escapes nothing. Returns
/// whether there were any.
pub(crate) fn replace_escapes(json: &mut [u8], from: usize) -> bool {
    let mut found = false;
    let mut at = from;
    while let Some(next) = json.get(at..).and_then(find) {
        let start = at + next;
        let backslashes =
            json.get(..start).unwrap_or_default().iter().rev().take_while(|byte| **byte == b'\\').count();
        if let Some(escape) = json.get_mut(start..start + ESCAPE.len())
            && backslashes % 2 == 0
        {
            escape.copy_from_slice(REPLACEMENT);
            found = true;
        }
        at = start + 1;
    }
    found
}

/// The same for a text whose string literals are those of JSON.
pub(crate) fn replace_escapes_in(text: &mut String) -> bool {
    if find(text.as_bytes()).is_none() {
        return false;
    }
    let mut bytes = std::mem::take(text).into_bytes();
    let found = replace_escapes(&mut bytes, 0);
    // One ASCII text has taken the place of another.
    *text = String::from_utf8_lossy(&bytes).into_owned();
    found
}

/// The same JSON without NULs.
pub(crate) fn without_escapes(json: &[u8]) -> Cow<'_, [u8]> {
    if find(json).is_none() {
        return Cow::Borrowed(json);
    }
    let mut copy = json.to_vec();
    replace_escapes(&mut copy, 0);
    Cow::Owned(copy)
}

fn find(json: &[u8]) -> Option<usize> {
    memchr::memmem::find(json, ESCAPE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_nul_is_replaced() {
        for (text, wanted) in [
            (r"a\u0000b\u0000", r"a\ufffdb\ufffd"),
            (r"\\u0000 \\\u0000", r"\\u0000 \\\ufffd"),
            (r"\u00001 \u0001", r"\ufffd1 \u0001"),
            ("plain", "plain"),
        ] {
            assert_eq!(without_escapes(text.as_bytes()).as_ref(), wanted.as_bytes());
            let mut same = text.to_owned();
            assert_eq!(replace_escapes_in(&mut same), text != wanted);
            assert_eq!(same, wanted);
        }
    }
}
