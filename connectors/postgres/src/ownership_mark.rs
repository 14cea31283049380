//! The mark on what Raito made: the comment of a role or of a policy.
//!
//! ```text
//! mark   = "raito" [ "[" prefix "]" ] ":" id [ "#" digest ]
//! digest = 16 hexadecimal digits
//! ```
//!
//! The prefix says whose it is: none for Raito Cloud, else the prefix of an access file. The id is the one of the access
//! control. In a mark with a prefix `%`, `]`, `#` and line breaks are written as in URLs, and it may stand on the last line of a
//! comment that somebody wrote: a role that was made by hand keeps its comment. Without a prefix it is the whole comment.
//!
//! A policy's mark ends in a digest of its definition, because the server gives a policy's condition back in words of
//! its own, which cannot be compared with what was asked for. A role's mark with a prefix ends in a digest of the
//! content that was applied last, which tells a change in the file from a change in the target.

/// A mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Whose it is: the prefix of the access controls; empty for Raito Cloud.
    pub(crate) prefix: String,
    /// Id of the access control.
    pub(crate) id: String,
    /// Digest of a policy's definition, or of what was applied to a role.
    pub(crate) digest: Option<String>,
}

impl Mark {
    /// Reads a comment; none if it is somebody's comment.
    pub(crate) fn parse(comment: &str) -> Option<Self> {
        split(comment).1
    }

    /// The mark alone.
    pub(crate) fn comment(&self) -> String {
        let mut text = if self.prefix.is_empty() {
            format!("raito:{}", self.id)
        } else {
            format!("raito[{}]:{}", escaped(&self.prefix), escaped(&self.id))
        };
        if let Some(digest) = &self.digest {
            text.push('#');
            text.push_str(digest);
        }
        text
    }

    /// The mark with the words that somebody wrote into the comment that stands.
    pub(crate) fn comment_after(&self, standing: Option<&str>) -> String {
        match split(standing.unwrap_or_default()).0 {
            "" => self.comment(),
            words => format!("{words}\n{}", self.comment()),
        }
    }
}

/// Whose marks carry a prefix, for people.
pub(crate) fn owner(prefix: &str) -> String {
    if prefix.is_empty() {
        "Raito Cloud".to_owned()
    } else {
        format!("the access file with the prefix {prefix:?}")
    }
}

/// Somebody's words and the mark.
fn split(comment: &str) -> (&str, Option<Mark>) {
    if let Some(rest) = comment.strip_prefix("raito:").filter(|rest| !rest.is_empty()) {
        let (id, digest) = without_digest(rest);
        return ("", Some(Mark { prefix: String::new(), id: id.to_owned(), digest }));
    }
    let (words, line) = comment.rsplit_once('\n').unwrap_or(("", comment));
    match with_prefix(line) {
        Some(mark) => (words, Some(mark)),
        None => (comment, None),
    }
}

fn with_prefix(line: &str) -> Option<Mark> {
    let (prefix, rest) = line.strip_prefix("raito[")?.split_once(']')?;
    let (id, digest) = without_digest(rest.strip_prefix(':')?);
    (!prefix.is_empty() && !id.is_empty()).then(|| Mark {
        prefix: unescaped(prefix),
        id: unescaped(id),
        digest,
    })
}

fn without_digest(text: &str) -> (&str, Option<String>) {
    match text.rsplit_once('#') {
        Some((id, digest)) if digest.len() == 16 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            (id, Some(digest.to_owned()))
        }
        _ => (text, None),
    }
}

const ESCAPES: [(char, &str); 5] = [('%', "%25"), (']', "%5D"), ('#', "%23"), ('\n', "%0A"), ('\r', "%0D")];

fn escaped(text: &str) -> String {
    ESCAPES.into_iter().fold(text.to_owned(), |text, (plain, escape)| text.replace(plain, escape))
}

fn unescaped(text: &str) -> String {
    ESCAPES.into_iter().rev().fold(text.to_owned(), |text, (plain, escape)| {
        let mut buffer = [0; 4];
        text.replace(escape, plain.encode_utf8(&mut buffer))
    })
}

/// A digest that tells contents apart; it protects against nothing (FNV-1a, 64 bits).
pub(crate) struct Digest(u64);

impl Digest {
    /// Of nothing yet.
    pub(crate) fn new() -> Self {
        Digest(0xcbf2_9ce4_8422_2325)
    }

    /// Adds bytes as they are.
    pub(crate) fn add(&mut self, text: &str) {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// Adds a part, so that its end can be told.
    pub(crate) fn add_part(&mut self, part: &str) {
        self.add(&part.len().to_string());
        self.add(":");
        self.add(part);
    }

    /// As it stands in a mark.
    pub(crate) fn finish(self) -> String {
        format!("{:016x}", self.0)
    }
}

/// The digest of one text.
pub(crate) fn digest(text: &str) -> String {
    let mut digest = Digest::new();
    digest.add(text);
    digest.finish()
}

#[cfg(test)]
mod tests {
    use super::{Mark, digest};

    fn mark(prefix: &str, id: &str, digest: Option<String>) -> Mark {
        Mark { prefix: prefix.into(), id: id.into(), digest }
    }

    #[test]
    fn marks_are_read_as_they_were_written() {
        for mark in [
            mark("", "ap-1", None),
            mark("", "it's # odd", None),
            mark("", "a#b", Some(digest("x"))),
            mark("R_", "sales", None),
            mark("R_", "sales#1", Some(digest("x"))),
            mark("R_", &format!("a#{}", digest("x")), None),
            mark("o]d:%5D\n", "50% ]:\nraito:x", Some(digest("x"))),
        ] {
            assert_eq!(Mark::parse(&mark.comment()), Some(mark));
        }
        assert_eq!(mark("R_", "sales", None).comment(), "raito[R_]:sales");
    }

    #[test]
    fn other_comments_are_no_marks() {
        for comment in ["", "raito:", "Raito:x", "made by raito:x", "raito[]:x", "raito[R_]:", "raito[R_]x"] {
            assert_eq!(Mark::parse(comment), None, "{comment}");
        }
    }

    #[test]
    fn words_of_somebody_stay_before_a_mark() {
        let (one, other) = (mark("R_", "a", None), mark("R_", "a", Some(digest("x"))));
        let comment = one.comment_after(Some("kept by\nthe data team"));
        assert_eq!(comment, "kept by\nthe data team\nraito[R_]:a");
        assert_eq!(Mark::parse(&comment), Some(one.clone()));
        assert_eq!(
            other.comment_after(Some(&comment)),
            format!("kept by\nthe data team\n{}", other.comment())
        );
        assert_eq!(other.comment_after(Some(&one.comment())), other.comment());
    }

    #[test]
    fn digests_tell_contents_apart() {
        assert_eq!(digest(""), "cbf29ce484222325");
        assert_ne!(digest("region = 'EU'"), digest("region = 'US'"));
    }
}
