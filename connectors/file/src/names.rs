//! Full names of data objects, in parts.
//!
//! Parts are separated by [`Separator`], a dot unless the target says otherwise. A part that begins with a double
//! quote reaches to the closing one, so that it may hold the separator: `sales."eu.north".orders`; a quote
//! inside is doubled. Names are compared part by part as they are written, never as texts: `sales.pub` is no
//! parent of `sales.public`.

use raito_connector::{Error, Result, SyncScope};

/// The parameter with the text between the parts of full names.
pub(crate) const SEPARATOR_PARAMETER: &str = "file-name-separator";

/// What stands between the parts of full names.
#[derive(Clone, Debug)]
pub(crate) struct Separator(String);

impl Separator {
    /// # Errors
    /// The text is empty or holds a double quote.
    pub(crate) fn new(text: &str) -> Result<Separator> {
        if text.is_empty() || text.contains('"') {
            let message = "must be at least one character, and no double quote";
            return Err(Error::bad_parameter(SEPARATOR_PARAMETER, message));
        }
        Ok(Separator(text.to_owned()))
    }

    /// The parts of a full name, as written.
    pub(crate) fn parts<'a>(&self, full_name: &'a str) -> Vec<&'a str> {
        let mut parts = Vec::new();
        let mut rest = full_name;
        loop {
            let quoted = quoted_length(rest);
            let Some(position) = rest[quoted..].find(&self.0) else {
                parts.push(rest);
                return parts;
            };
            parts.push(&rest[..quoted + position]);
            rest = &rest[quoted + position + self.0.len()..];
        }
    }

    /// The full name without its last part; none for a name of one part.
    pub(crate) fn parent<'a>(&self, full_name: &'a str) -> Option<&'a str> {
        let last = self.parts(full_name).pop()?.len();
        let parent = full_name.len().checked_sub(last + self.0.len())?;
        full_name.get(..parent).filter(|parent| !parent.is_empty())
    }

    /// The last part of a full name, without quotes.
    pub(crate) fn last_part(&self, full_name: &str) -> String {
        let last = self.parts(full_name).pop().unwrap_or(full_name);
        match last.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')) {
            Some(inner) => inner.replace("\"\"", "\""),
            None => last.to_owned(),
        }
    }
}

/// Bytes of the quoted text at the beginning, with its quotes; 0 where there is none or it is not closed.
fn quoted_length(text: &str) -> usize {
    let Some(inner) = text.strip_prefix('"') else { return 0 };
    let mut quotes = inner.match_indices('"').map(|(position, _)| position).peekable();
    while let Some(position) = quotes.next() {
        match quotes.peek() {
            Some(next) if *next == position + 1 => {
                quotes.next();
            }
            _ => return position + 2,
        }
    }
    0
}

/// The part of the data source to read, in parts of names.
pub(crate) struct Scope<'a> {
    separator: &'a Separator,
    parent: Vec<&'a str>,
    excludes: Vec<Vec<&'a str>>,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(scope: &'a SyncScope, separator: &'a Separator) -> Scope<'a> {
        let parent = scope.parent.as_deref().filter(|parent| !parent.is_empty());
        Scope {
            separator,
            parent: parent.map_or_else(Vec::new, |parent| separator.parts(parent)),
            excludes: scope.excludes.iter().map(|exclude| separator.parts(exclude)).collect(),
        }
    }

    /// Whether it is the whole data source.
    pub(crate) fn has_parent(&self) -> bool {
        !self.parent.is_empty()
    }

    /// The object below which to read.
    pub(crate) fn parent_name(&self) -> String {
        self.parent.join(&self.separator.0)
    }

    /// Whether this is the object below which to read.
    pub(crate) fn is_parent(&self, full_name: &str) -> bool {
        self.has_parent() && self.separator.parts(full_name) == self.parent
    }

    /// Whether an object is to be delivered.
    pub(crate) fn includes(&self, full_name: &str) -> bool {
        let parts = self.separator.parts(full_name);
        let Some(relative) = parts.strip_prefix(self.parent.as_slice()) else { return false };
        !relative.is_empty() && !self.excludes.iter().any(|exclude| relative.starts_with(exclude))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use raito_connector::SyncScope;

    use super::{Scope, Separator};

    #[test]
    fn parts_respect_quotes() {
        let dot = Separator::new(".").unwrap();
        for (name, parts) in [
            ("a", vec!["a"]),
            ("a.b.c", vec!["a", "b", "c"]),
            (r#"a."b.c".d"#, vec!["a", r#""b.c""#, "d"]),
            (r#""a"".b".c"#, vec![r#""a"".b""#, "c"]),
            (r#"a."b.c"#, vec!["a", r#""b"#, "c"]),
        ] {
            assert_eq!(dot.parts(name), parts, "{name}");
        }
        assert_eq!(dot.parent(r#"a."b.c""#), Some("a"));
        assert_eq!(dot.last_part(r#"a."b"".c""#), r#"b".c"#);
        assert_eq!(dot.parent("a"), None);
        assert_eq!(Separator::new("/").unwrap().parent("/a/b"), Some("/a"));
        assert!(Separator::new("").is_err());
    }

    #[test]
    fn a_scope_compares_whole_parts() {
        let dot = Separator::new(".").unwrap();
        let scope =
            SyncScope { parent: Some("db.sales".into()), excludes: vec!["tmp".into(), "orders.id".into()] };
        let scope = Scope::new(&scope, &dot);
        for (name, included) in [
            ("db.sales", false),
            ("db.sales.orders", true),
            ("db.sales2.orders", false),
            ("db.sales.orders.id", false),
            ("db.sales.orders.idx", true),
            ("db.sales.tmp", false),
            ("db.sales.tmp.x", false),
            ("db.sales.tmpx", true),
            ("db", false),
        ] {
            assert_eq!(scope.includes(name), included, "{name}");
        }
        assert!(scope.is_parent("db.sales"));
    }
}
