//! What this build calls itself, and whether the cloud supports it.
//!
//! A release is built with `RAITO_BUILD_DATE` in the environment of the compiler; without it the build is a
//! development build, which skips the check.
//!
//! The cloud answers with constraints on versions: comparisons (`= != > < >= <= ~ ^`), wild cards (`1.x`),
//! ranges (`1.2 - 1.5`), blanks or commas for "and", `||` for "or". A version without operator means `=`, and a
//! partial one all versions it is the beginning of. A pre-release satisfies a comparison only if that names
//! a pre-release too.

use std::fmt::Write as _;

use semver::{BuildMetadata, Comparator, Op, Prerelease, Version};
use serde::Deserialize;

use super::graphql::Operation;
use super::{CloudClient, CloudError};

/// The semantic version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

const BUILD_DATE: Option<&str> = option_env!("RAITO_BUILD_DATE");

/// Version and build date, as people read them: `v1.2.3 (2026-01-02)`.
pub fn text() -> String {
    format!("v{VERSION} ({})", BUILD_DATE.unwrap_or("development build"))
}

/// What the API is told.
pub fn user_agent() -> String {
    format!("Raito CLI {}", text())
}

/// What the cloud says about this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionSupport {
    /// Nothing: a development build does not ask.
    NotChecked,
    /// It is supported.
    Supported,
    /// It will not be for long.
    Deprecated {
        /// What to tell people.
        message: String,
        /// The versions that are supported.
        supported: String,
    },
}

impl CloudClient {
    /// Asks whether this version is supported.
    ///
    /// # Errors
    /// It is not, or the answer makes no sense.
    pub async fn check_version(&self) -> Result<VersionSupport, CloudError> {
        if BUILD_DATE.is_none() {
            return Ok(VersionSupport::NotChecked);
        }
        self.check_version_of(VERSION).await
    }

    pub(super) async fn check_version_of(&self, version: &str) -> Result<VersionSupport, CloudError> {
        #[derive(Deserialize)]
        struct Data {
            #[serde(rename = "SupportedCLIVersion")]
            answer: Answer,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            supported_versions: String,
            deprecated_versions: Option<Deprecated>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Deprecated {
            deprecated_versions: String,
            msg: Option<String>,
        }
        let what = "the version check";
        let document = "{SupportedCLIVersion{supportedVersions,deprecatedVersions{deprecatedVersions,msg}}}";
        let operation = Operation::reading(what, document.to_owned());
        let Data { answer } = self.graphql(operation).await?;
        let bad = |reason: String| CloudError::BadAnswer { what, reason };
        let this = Version::parse(version).map_err(|error| bad(error.to_string()))?;
        let satisfies =
            |text: &str| Constraints::parse(text).map(|constraints| constraints.matches(&this)).map_err(bad);
        if satisfies(&answer.supported_versions)? {
            return Ok(VersionSupport::Supported);
        }
        if let Some(deprecated) = answer.deprecated_versions
            && satisfies(&deprecated.deprecated_versions)?
        {
            return Ok(VersionSupport::Deprecated {
                message: deprecated.msg.unwrap_or_default(),
                supported: answer.supported_versions,
            });
        }
        Err(CloudError::UnsupportedVersion {
            version: version.to_owned(),
            supported: answer.supported_versions,
        })
    }
}

/// Alternatives, each a list of comparisons that must all hold.
#[derive(Debug)]
struct Constraints(Vec<Vec<Comparison>>);

#[derive(Debug)]
struct Comparison {
    negated: bool,
    comparator: Comparator,
}

impl Constraints {
    fn parse(text: &str) -> Result<Self, String> {
        let alternatives = text.split("||").map(alternative).collect::<Result<_, _>>()?;
        Ok(Self(alternatives))
    }

    fn matches(&self, version: &Version) -> bool {
        self.0.iter().any(|all| all.iter().all(|comparison| comparison.matches(version)))
    }
}

/// Splits at blanks and commas, and joins operators and range dashes with what they belong to.
fn alternative(text: &str) -> Result<Vec<Comparison>, String> {
    let empty = || format!("`{text}` is not a version constraint");
    let mut words = text.split([' ', ',', '\t']).filter(|word| !word.is_empty()).peekable();
    let mut comparisons = Vec::new();
    while let Some(word) = words.next() {
        let is_operator = word.bytes().all(|byte| b"=!<>~^".contains(&byte));
        if is_operator {
            let version = words.next().ok_or_else(empty)?;
            comparisons.push(comparison(&format!("{word}{version}"))?);
        } else if words.next_if_eq(&"-").is_some() {
            let end = words.next().ok_or_else(empty)?;
            comparisons.push(comparison(&format!(">={word}"))?);
            comparisons.push(comparison(&format!("<={end}"))?);
        } else {
            // Comparisons may follow each other without a blank: `>=1.2<2`.
            let mut rest = word;
            while !rest.is_empty() {
                let version = rest.find(|c: char| !"=!<>~^".contains(c)).ok_or_else(empty)?;
                let end = rest[version..].find(['=', '!', '<', '>', '~', '^']);
                let end = end.map_or(rest.len(), |end| version + end);
                comparisons.push(comparison(&rest[..end])?);
                rest = &rest[end..];
            }
        }
    }
    if comparisons.is_empty() { Err(empty()) } else { Ok(comparisons) }
}

fn comparison(text: &str) -> Result<Comparison, String> {
    let start = text.find(|c: char| !"=!<>~^".contains(c)).unwrap_or(text.len());
    let (operator, version) = text.split_at(start);
    let (negated, operator) = match operator {
        "" | "=" | "==" => (false, "="),
        "!=" => (true, "="),
        "=>" => (false, ">="),
        "=<" => (false, "<="),
        "~>" => (false, "~"),
        other => (false, other),
    };
    let version = version.strip_prefix(['v', 'V']).unwrap_or(version);
    let mut normal = String::from(operator);
    // Wild cards and everything after them say the same as leaving them out.
    let parts = version.split('.').take_while(|part| !matches!(*part, "x" | "X" | "*"));
    for (index, part) in parts.enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(normal, "{}{part}", if index > 0 { "." } else { "" });
    }
    if normal.len() == operator.len() && matches!(version, "x" | "X" | "*") {
        normal.replace_range(.., ">=0");
    }
    let comparator = Comparator::parse(&normal)
        .map_err(|error| format!("`{text}` is not a version constraint: {error}"))?;
    Ok(Comparison { negated, comparator })
}

impl Comparison {
    fn matches(&self, version: &Version) -> bool {
        if !version.pre.is_empty() && self.comparator.pre.is_empty() {
            return false;
        }
        self.holds(version) != self.negated
    }

    /// Compares by the order of versions, in which a pre-release comes before its release.
    fn holds(&self, version: &Version) -> bool {
        let Comparator { op, major, minor, patch, pre } = &self.comparator;
        let from = Version {
            major: *major,
            minor: minor.unwrap_or(0),
            patch: patch.unwrap_or(0),
            pre: pre.clone(),
            build: BuildMetadata::EMPTY,
        };
        // The first version after all that begin like this one.
        let next = |major: u64, minor: u64, patch: u64| {
            // `0` is the lowest pre-release there is.
            let pre = Prerelease::new("0").unwrap_or(Prerelease::EMPTY);
            Version { major, minor, patch, pre, build: BuildMetadata::EMPTY }
        };
        let after = match (minor, patch) {
            (None, _) => next(major + 1, 0, 0),
            (Some(minor), None) => next(*major, minor + 1, 0),
            (Some(minor), Some(patch)) => next(*major, *minor, patch + 1),
        };
        let whole = patch.is_some();
        let version = &Version { build: BuildMetadata::EMPTY, ..version.clone() };
        match op {
            Op::Greater if whole => *version > from,
            Op::Greater => *version >= after,
            Op::GreaterEq => *version >= from,
            Op::Less => *version < from,
            Op::LessEq if whole => *version <= from,
            Op::LessEq => *version < after,
            Op::Tilde => {
                let end = minor.map_or_else(|| next(major + 1, 0, 0), |minor| next(*major, minor + 1, 0));
                *version >= from && *version < end
            }
            Op::Caret => {
                let end = match (major, minor, patch) {
                    (1.., _, _) | (0, None, _) => next(major + 1, 0, 0),
                    (0, Some(minor @ 1..), _) | (0, Some(minor), None) => next(0, minor + 1, 0),
                    (0, Some(_), Some(patch)) => next(0, 0, patch + 1),
                };
                *version >= from && *version < end
            }
            _ if whole => *version == from,
            _ => *version >= from && *version < after,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use super::*;

    #[test]
    fn constraints() {
        for (constraint, version, expected) in [
            (">=0.50.0", "0.50.0", true),
            (">=0.50.0", "0.49.9", false),
            (">= 0.50.0, < 1", "0.72.3", true),
            (">=0.50.0 <0.60", "0.60.0", false),
            (">=0.50<0.60", "0.59.9", true),
            ("<0.10 || >0.70", "0.71.0", true),
            ("<0.10||>0.70", "0.70.5", false),
            ("1.2", "1.2.9", true),
            ("1.2", "1.3.0", false),
            ("1.2.x", "1.2.9", true),
            ("1.*", "1.9.0", true),
            ("*", "3.2.1", true),
            ("v1.2.3", "1.2.3", true),
            ("1.2.3", "1.2.4", false),
            ("!=1.2.3", "1.2.4", true),
            ("!= 1.2.x", "1.2.4", false),
            ("~1.2.3", "1.2.9", true),
            ("~1.2.3", "1.3.0", false),
            ("~>1", "1.9.9", true),
            ("^1.2.3", "1.9.0", true),
            ("^1.2.3", "2.0.0", false),
            ("^0.2.3", "0.2.9", true),
            ("^0.2.3", "0.3.0", false),
            ("^0.0.3", "0.0.4", false),
            ("^0", "0.9.0", true),
            ("1.2 - 1.4", "1.4.7", true),
            ("1.2 - 1.4.5", "1.4.7", false),
            (">1.2", "1.2.5", false),
            ("<=1.2", "1.2.5", true),
            ("=>1.2, =<1.3", "1.3.1", true),
            (">=0.50.0", "0.72.0-rc.1", false),
            (">=0.50.0-0", "0.72.0-rc.1", true),
            (">=0.50.0-0 <0.72.0-0", "0.72.0-rc.1", false),
            ("^1.2.0-0", "2.0.0-rc.1", false),
        ] {
            let constraints = Constraints::parse(constraint).unwrap();
            let version = Version::parse(version).unwrap();
            assert_eq!(constraints.matches(&version), expected, "{version} and {constraint}");
        }
        for wrong in ["", " ", ">=", "abc", "1.2 -", ">=1 ||", "><1", "1.2.3.4"] {
            assert!(Constraints::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_user_agent_names_version_and_build() {
        assert!(user_agent().starts_with(&format!("Raito CLI v{VERSION} (")));
        assert!(user_agent().ends_with(')'));
    }
}
