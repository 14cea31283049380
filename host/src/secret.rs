//! Texts that must never be seen: passwords, tokens and keys.
//!
//! Invariant: neither `Debug` nor `Display` of a [`Secret`] shows its content. The only way to it is
//! [`Secret::expose`], which is easy to find in a review.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// What stands in the place of a secret in logs, errors and dumps.
pub const MASK: &str = "********";

/// The words that make a parameter secret when one of them is a part of its name.
const SECRET_WORDS: [&str; 7] = ["secret", "password", "passwd", "psswd", "pass", "token", "key"];

/// Words that are recognised inside a longer part too (`dbpassword`, `clientsecret`); `pass`, `token`
/// and `key` are too short for that (`bypass`, `keyspace`).
const SECRET_FRAGMENTS: [&str; 4] = ["secret", "password", "passwd", "psswd"];

/// A text that is shown as [`MASK`] wherever it is formatted.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that has to send it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// Whether a parameter of this name holds something that must not be shown.
///
/// A name is split at `-`, `_` and `.`; it is secret when one of its parts is `secret`, `password`,
/// `passwd`, `psswd`, `pass`, `token` or `key`, or contains one of the first four. Letter case does not
/// matter.
pub fn is_secret_name(name: &str) -> bool {
    name.split(['-', '_', '.']).any(|part| {
        let part = part.to_ascii_lowercase();
        SECRET_WORDS.contains(&part.as_str())
            || SECRET_FRAGMENTS.iter().any(|fragment| part.contains(fragment))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formatting_never_shows_the_content() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?} {:#?}", Some(&secret)).matches("hunter2").count(), 0);
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn secret_names_are_found_by_their_parts() {
        for name in [
            "api-secret",
            "PASSWORD",
            "pg_passwd",
            "x.psswd",
            "db-pass",
            "token",
            "private-key",
            "key",
            "sf-Private_Key.pem",
            "dbpassword",
            "clientSecret",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["user", "bypass", "keyspace", "monkey", "compass-north", "tokenizer", "host"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
