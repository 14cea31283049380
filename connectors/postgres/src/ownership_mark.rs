//! The mark on what Raito made: the comment of a role or of a policy.
//!
//! ```text
//! mark = "raito:" id [ "#" digest ]
//! ```
//!
//! The id is the one of the access control in Raito. A policy's mark ends in a digest of its definition, because the
//! server gives a policy's condition back in words of its own, which cannot be compared with what was asked for.

/// A mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Id of the access control.
    pub(crate) id: String,
    /// Digest of a policy's definition.
    pub(crate) digest: Option<String>,
}

impl Mark {
    /// Reads a comment; none if it is somebody's comment.
    pub(crate) fn parse(comment: &str) -> Option<Self> {
        let rest = comment.strip_prefix("raito:").filter(|rest| !rest.is_empty())?;
        Some(match rest.rsplit_once('#') {
            Some((id, digest))
                if digest.len() == 16 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
            {
                Mark { id: id.to_owned(), digest: Some(digest.to_owned()) }
            }
            _ => Mark { id: rest.to_owned(), digest: None },
        })
    }

    /// The comment.
    pub(crate) fn comment(&self) -> String {
        match &self.digest {
            Some(digest) => format!("raito:{}#{digest}", self.id),
            None => format!("raito:{}", self.id),
        }
    }
}

/// A digest that tells definitions apart; it protects against nothing (FNV-1a, 64 bits).
pub(crate) fn digest(definition: &str) -> String {
    let hash = definition.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::{Mark, digest};

    #[test]
    fn marks_are_read_as_they_were_written() {
        for mark in [
            Mark { id: "ap-1".into(), digest: None },
            Mark { id: "it's # odd".into(), digest: None },
            Mark { id: "a#b".into(), digest: Some(digest("x")) },
        ] {
            assert_eq!(Mark::parse(&mark.comment()), Some(mark));
        }
    }

    #[test]
    fn other_comments_are_no_marks() {
        for comment in ["", "raito:", "Raito:x", "made by raito:x"] {
            assert_eq!(Mark::parse(comment), None, "{comment}");
        }
    }

    #[test]
    fn digests_tell_definitions_apart() {
        assert_eq!(digest(""), "cbf29ce484222325");
        assert_ne!(digest("region = 'EU'"), digest("region = 'US'"));
    }
}
