//! Translates a pattern from the RE2 dialect, in which users write lock patterns, into that of the `regex`
//! crate. The dialects are siblings; what differs is
//!
//! | in RE2 | for the crate |
//! |---|---|
//! | a brace that forms no repetition (`a{2`) is literal | escaped |
//! | `\d \w \s \b` know ASCII alone | spelled as ASCII classes |
//! | `[`, `&&` and `~~` mean nothing inside a class | escaped |
//! | `\Q…\E` quotes a text | each character escaped |

use std::iter::Peekable;
use std::str::CharIndices;

/// The same pattern in the syntax of the `regex` crate. A wrong pattern stays wrong.
pub(super) fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.char_indices().peekable();
    while let Some((at, next)) = chars.next() {
        match next {
            '\\' => escape(pattern, &mut chars, &mut out, false),
            '[' => class(pattern, &mut chars, &mut out),
            '{' => {
                let length = repetition_length(&pattern[at..]);
                if length == 0 {
                    out.push_str(r"\{");
                } else {
                    out.push_str(&pattern[at..at + length]);
                    skip_to(&mut chars, at + length);
                }
            }
            other => out.push(other),
        }
    }
    out
}

type Chars<'a> = Peekable<CharIndices<'a>>;

fn skip_to(chars: &mut Chars<'_>, end: usize) {
    while chars.next_if(|(at, _)| *at < end).is_some() {}
}

/// Copies an escape whose backslash was read.
fn escape(pattern: &str, chars: &mut Chars<'_>, out: &mut String, in_class: bool) {
    let Some((at, escaped)) = chars.next() else {
        out.push('\\');
        return;
    };
    let ascii = match escaped {
        'd' | 'D' => "0-9",
        'w' | 'W' => "0-9A-Za-z_",
        's' | 'S' => r"\t\n\f\r ",
        'b' if !in_class => return out.push_str(r"(?-u:\b)"),
        'Q' if !in_class => {
            let quoted = &pattern[at + 1..];
            let end = quoted.find(r"\E").unwrap_or(quoted.len());
            out.push_str(&regex::escape(&quoted[..end]));
            return skip_to(chars, (at + 1 + end + 2).min(pattern.len()));
        }
        // A class or code point in braces is one escape.
        'p' | 'P' | 'x' if matches!(chars.peek(), Some((_, '{'))) => {
            let end = pattern[at..].find('}').map_or(at + 1, |end| at + end + 1);
            out.push('\\');
            out.push_str(&pattern[at..end]);
            return skip_to(chars, end);
        }
        other => {
            out.push('\\');
            return out.push(other);
        }
    };
    if escaped.is_ascii_uppercase() {
        out.push_str("[^");
        out.push_str(ascii);
        out.push(']');
    } else if in_class {
        out.push_str(ascii);
    } else {
        out.push('[');
        out.push_str(ascii);
        out.push(']');
    }
}

/// Copies a character class whose opening bracket was read. One that is not closed stays so.
fn class(pattern: &str, chars: &mut Chars<'_>, out: &mut String) {
    out.push('[');
    if chars.next_if(|(_, next)| *next == '^').is_some() {
        out.push('^');
    }
    // A closing bracket that comes first is a member.
    if chars.next_if(|(_, next)| *next == ']').is_some() {
        out.push_str(r"\]");
    }
    while let Some((at, next)) = chars.next() {
        match next {
            ']' => return out.push(']'),
            '\\' => escape(pattern, chars, out, true),
            '[' if pattern[at..].starts_with("[:") && pattern[at..].contains(":]") => {
                let end = pattern[at..].find(":]").map_or(at + 1, |end| at + end + 2);
                out.push_str(&pattern[at..end]);
                skip_to(chars, end);
            }
            '[' | '&' | '~' => {
                out.push('\\');
                out.push(next);
            }
            other => out.push(other),
        }
    }
}

/// The length of `{n}`, `{n,}` or `{n,m}` at the start of `text`, else 0.
fn repetition_length(text: &str) -> usize {
    let Some(end) = text.find('}') else { return 0 };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let valid = match text[1..end].split_once(',') {
        None => digits(&text[1..end]),
        Some((low, high)) => digits(low) && (high.is_empty() || digits(high)),
    };
    if valid { end + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::translate;

    #[test]
    fn differences_between_the_dialects_are_spelled_out() {
        for (pattern, expected) in [
            ("a{2", r"a\{2"),
            ("a{2}b{1,}c{1,2}", "a{2}b{1,}c{1,2}"),
            ("{x}", r"\{x}"),
            (r"\d\W", "[0-9][^0-9A-Za-z_]"),
            (r"[\d\S.]", r"[0-9[^\t\n\f\r ].]"),
            (r"\bx", r"(?-u:\b)x"),
            ("[a&&b[]", r"[a\&\&b\[]"),
            ("[]a]", r"[\]a]"),
            ("[^[:alpha:]]", "[^[:alpha:]]"),
            (r"\Qa.b\E.c", r"a\.b.c"),
            (r"\p{Lu}\x{41}\.", r"\p{Lu}\x{41}\."),
            ("[a", "[a"),
            ("é{", r"é\{"),
        ] {
            assert_eq!(translate(pattern), expected, "{pattern}");
        }
    }
}
