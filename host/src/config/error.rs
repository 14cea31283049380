//! What can be wrong with the configuration, where, and what to do about it.
//!
//! Invariant: no message carries the value of a key whose name is secret.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A place in the configuration file. Line and column count from 1.
    File {
        /// The file as it was found or given.
        path: Arc<PathBuf>,
        /// The line.
        line: usize,
        /// The column, in characters.
        column: usize,
    },
    /// An environment variable of this name.
    Environment(String),
    /// A flag, with its dashes.
    Flag(String),
    /// No place in particular: something is missing.
    Nowhere,
}

impl Origin {
    /// The line in the configuration file, if it came from there.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::File { line, .. } => Some(*line),
            _ => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Nowhere => f.write_str("configuration"),
        }
    }
}

/// What is wrong.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The file could not be read.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The file has a format that is not read.
    #[error("configuration format `.{extension}` is not supported")]
    Format {
        /// The extension of the file.
        extension: String,
    },
    /// The file is not YAML, or not of the expected shape.
    #[error("{reason}")]
    Syntax {
        /// What the parser says.
        reason: String,
    },
    /// A key that means nothing here.
    #[error("unknown key `{key}`{}", within.map(|place| format!(" in {place}")).unwrap_or_default())]
    UnknownKey {
        /// The key as written.
        key: String,
        /// The block it stands in, unless it is the top level.
        within: Option<&'static str>,
        /// The known key that is most like it.
        suggestion: Option<&'static str>,
    },
    /// A key that stands twice in one block, spelled alike or not.
    #[error("key `{key}` is given twice")]
    DuplicateKey {
        /// The key in lower case.
        key: String,
    },
    /// An option of Raito's own CLI that this version does not have.
    #[error("`{key}` is known to Raito's CLI, not supported by this version")]
    Unsupported {
        /// The option.
        key: String,
    },
    /// A key that has an effect at the top level only.
    #[error("`{key}` has no effect inside a target")]
    NotInTarget {
        /// The key.
        key: String,
    },
    /// A value of the wrong type.
    #[error("`{key}` must be {expected}, found {found}")]
    WrongType {
        /// The key.
        key: String,
        /// What it should be, with article.
        expected: &'static str,
        /// What it is, with article.
        found: &'static str,
    },
    /// A value of the right type that cannot be.
    #[error("`{key}` {reason}")]
    Invalid {
        /// The key.
        key: String,
        /// What is wrong, as a verb phrase.
        reason: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// A value that has to be given and is not.
    #[error("`{key}` is missing{}", target.as_deref().map(|name| format!(" for target `{name}`")).unwrap_or_default())]
    Missing {
        /// The key.
        key: &'static str,
        /// The target it is missing for.
        target: Option<String>,
        /// How to give it.
        hint: &'static str,
    },
    /// A template names an environment variable that is not set.
    #[error("`{key}` wants the environment variable `{variable}`, which is not set")]
    MissingVariable {
        /// The key.
        key: String,
        /// The variable.
        variable: String,
    },
    /// Something that does not belong to this way of running.
    #[error("{what} only works together with `--connector-name`")]
    SingleTargetOnly {
        /// The flag or words.
        what: String,
    },
}

/// A [`Problem`] and its place.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("{origin}: {problem}")]
pub struct ConfigError {
    /// Where.
    pub origin: Origin,
    /// What.
    pub problem: Problem,
}

impl ConfigError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match &self.problem {
            Problem::Unreadable { .. } => {
                Some("check that the file exists and may be read, or name another with --config-file".into())
            }
            Problem::Format { .. } => {
                Some("write the configuration as YAML, JSON or TOML: raito.yml, raito.yaml, raito.json or raito.toml".into())
            }
            Problem::UnknownKey { suggestion, .. } => {
                suggestion.map(|name| format!("did you mean `{name}`?"))
            }
            Problem::DuplicateKey { .. } => {
                Some("keep one of the two; keys do not differ by letter case".into())
            }
            Problem::Unsupported { .. } => Some("remove it; nothing is ignored silently".into()),
            Problem::NotInTarget { key } => Some(format!("write `{key}` at the top level of the file")),
            Problem::WrongType { expected: "a text", found: "a list", .. } => {
                Some("write one text with commas between the elements".into())
            }
            Problem::WrongType { expected: "a text", .. } => Some("put the value in quotes".into()),
            Problem::WrongType { found: "a text", expected: "true or false", .. } => {
                Some("write true or false without quotes".into())
            }
            Problem::Syntax { .. } | Problem::WrongType { .. } => None,
            Problem::Invalid { hint, .. } => hint.clone(),
            Problem::Missing { hint, .. } => Some((*hint).to_owned()),
            Problem::MissingVariable { variable, .. } => Some(format!("set it: export {variable}=…")),
            Problem::SingleTargetOnly { .. } => {
                Some("targets of a file have their parameters and their sandbox in the file".into())
            }
        }
    }
}

/// Everything that is wrong, in the order of discovery. Never empty when returned as an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl ConfigErrors {
    pub(crate) fn push(&mut self, origin: Origin, problem: Problem) {
        self.0.push(ConfigError { origin, problem });
    }

    /// `value`, unless something is wrong.
    pub(crate) fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

/// One line for each error, each followed by its hint.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
            if let Some(hint) = error.hint() {
                write!(f, "\n  hint: {hint}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Something to tell that stops nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigWarning {
    /// Where.
    pub origin: Origin,
    /// A lower-case fragment.
    pub message: String,
}

impl fmt::Display for ConfigWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

/// The known name that is most like `name`, if any is near enough to be a slip of the finger.
pub(crate) fn nearest(name: &str, known: impl IntoIterator<Item = &'static str>) -> Option<&'static str> {
    let limit = (name.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_near() {
        assert_eq!(nearest("domian", ["domain", "debug"]), Some("domain"));
        assert_eq!(nearest("warehouse", ["domain", "debug"]), None);
        assert_eq!(nearest("x", ["debug"]), None);
    }
}
