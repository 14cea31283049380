//! Full names and external ids: paths that can be taken apart again.
//!
//! ```text
//! path      = part *( "." part ) [ arguments ]
//! part      = plain / quoted
//! plain     = 1*( any character but . " ( ) or a space at an end )
//! quoted    = DQUOTE *( any character but DQUOTE / 2DQUOTE ) DQUOTE
//! arguments = "(" the input types of a routine, as the server prints them ")"
//! ```
//!
//! A part is quoted only where it must be, so that ordinary names read `sales.public.orders.id`; letter case has no
//! part in it. The last part of a routine's path carries its arguments: `sales.public.total(integer, text)`. Full
//! names and external ids of data objects are the same text.

/// Writes a path.
pub(crate) fn path<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for part in parts {
        if !text.is_empty() {
            text.push('.');
        }
        push_part(&mut text, part);
    }
    text
}

/// Writes the path of a routine.
pub(crate) fn routine_path(database: &str, schema: &str, name: &str, arguments: &str) -> String {
    format!("{}({arguments})", path([database, schema, name]))
}

fn push_part(text: &mut String, part: &str) {
    let plain = !part.is_empty() && !part.contains(['.', '"', '(', ')']) && part.trim() == part;
    if plain {
        text.push_str(part);
    } else {
        text.push('"');
        text.push_str(&part.replace('"', "\"\""));
        text.push('"');
    }
}

/// A path taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// Its parts, as the catalogue has them.
    pub(crate) parts: Vec<String>,
    /// The input types of a routine.
    pub(crate) arguments: Option<String>,
}

impl Path {
    /// Takes a path apart; none if it is not one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        loop {
            let (part, after) = take_part(rest)?;
            parts.push(part);
            if after.is_empty() {
                return Some(Path { parts, arguments: None });
            }
            if let Some(arguments) = after.strip_prefix('(') {
                let arguments = arguments.strip_suffix(')')?.to_owned();
                return Some(Path { parts, arguments: Some(arguments) });
            }
            rest = after.strip_prefix('.')?;
        }
    }
}

fn take_part(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(['.', '"', '(', ')']).unwrap_or(text.len());
        let (part, rest) = text.split_at(end);
        return (!part.is_empty()).then(|| (part.to_owned(), rest));
    };
    let mut part = String::new();
    let mut rest = quoted;
    loop {
        let (piece, after) = rest.split_once('"')?;
        part.push_str(piece);
        match after.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None => return Some((part, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Path, path, routine_path};

    #[test]
    fn ordinary_names_stay_as_they_are() {
        assert_eq!(path(["Sales", "public", "Order Lines", "id"]), "Sales.public.Order Lines.id");
    }

    #[test]
    fn every_name_can_be_taken_apart_again() {
        let odd = ["a", "a.b", "We\"ird Role", "", "f(x)", " spaced ", "\"", ".", "Ünï", "a\"\"b"];
        for one in odd {
            for other in odd {
                let text = path([one, other]);
                let expected = Path { parts: vec![one.into(), other.into()], arguments: None };
                assert_eq!(Path::parse(&text), Some(expected), "{text}");
                let text = routine_path("d", one, other, "numeric, public.\"My.Type\"[]");
                let taken = Path::parse(&text);
                assert_eq!(taken.as_ref().map(|path| path.parts.len()), Some(3), "{text}");
                assert_eq!(
                    taken.and_then(|path| path.arguments).as_deref(),
                    Some("numeric, public.\"My.Type\"[]")
                );
            }
        }
    }

    #[test]
    fn different_names_have_different_paths() {
        assert_ne!(path(["a.b", "c"]), path(["a", "b.c"]));
        assert_ne!(path(["d", "s", "f()"]), routine_path("d", "s", "f", ""));
    }

    #[test]
    fn other_texts_are_no_paths() {
        for text in ["", ".", "a.", "a..b", "\"a", "a\"b\"", "\"a\"b", "f(x", "f)", "f(x)y"] {
            assert_eq!(Path::parse(text), None, "{text}");
        }
    }
}
