//! Access as code and backups: the keys of both, at the top level and in targets.
//!
//! | key | value | default |
//! |---|---|---|
//! | `access-file` | access file, or a folder of them | `access.yml` |
//! | `access-prefix` | letters, digits, `_`, `-`: before each name that is made in the target | `R_` |
//! | `max-removals` | a number of access controls, or a percentage such as `30%` | see [`MaxRemovals`] |
//! | `file-backup-location` | folder for copies of the files of each run | no copies |
//! | `maximum-backups-per-target` | runs of which copies are kept; 0: all | 0 |
//!
//! Unlike other keys, the first three win over what a target says if a flag or the environment gives them: who allows more
//! removals, or names another file, means this call. An empty `max-removals` is the default.
//!
//! Relative paths are relative to the configuration file, and to the working folder where they come from a flag or the
//! environment.

use std::fmt;
use std::path::{Path, PathBuf};

use super::document::{Node, Value};
use super::error::{ConfigErrors, Origin, Problem};
use super::{Environment, template};

/// The prefix of access as code.
const DEFAULT_PREFIX: &str = "R_";

/// What access as code needs to know about a target.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessSettings {
    /// The access file or folder; none: the default.
    pub file: Option<PathBuf>,
    /// Before each name that is made in the target.
    pub prefix: String,
    /// How much an apply may take away.
    pub max_removals: MaxRemovals,
    /// What was given by flag or environment: it wins over what a target says.
    pub given: Given,
}

/// Which of the settings were given by flag or environment, for all targets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Given {
    /// The access file.
    pub file: bool,
    prefix: bool,
    max_removals: bool,
}

impl Default for AccessSettings {
    fn default() -> Self {
        AccessSettings {
            file: None,
            prefix: DEFAULT_PREFIX.to_owned(),
            max_removals: MaxRemovals::Default,
            given: Given::default(),
        }
    }
}

/// How many of the access controls that stand in a target an apply may remove or take something from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MaxRemovals {
    /// 30 %, but three in any case; and never all that there are, if there is more than one.
    #[default]
    Default,
    /// At most so many.
    Count(u64),
    /// At most so many percent.
    Percent(u8),
}

impl MaxRemovals {
    const PERCENT: u64 = 30;
    const ALWAYS: u64 = 3;

    /// Reads a number or a percentage.
    ///
    /// # Errors
    /// What can be written instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let parsed = match text.strip_suffix('%') {
            Some(percent) => percent.trim_end().parse().ok().filter(|part| *part <= 100).map(Self::Percent),
            None => text.parse().ok().map(Self::Count),
        };
        parsed.ok_or_else(|| format!("`{text}` is neither a number of access controls nor a percentage"))
    }

    /// Whether `losing` of `standing` access controls are more than is allowed.
    pub fn is_exceeded(self, losing: u64, standing: u64) -> bool {
        match self {
            Self::Default => {
                let allowed = (standing * Self::PERCENT / 100).max(Self::ALWAYS);
                losing > allowed
            }
            Self::Count(allowed) => losing > allowed,
            Self::Percent(allowed) => losing * 100 > standing * u64::from(allowed),
        }
    }

    /// Whether removing `deleted` of `standing` access controls would leave none where there are several.
    pub fn forbids_emptying(self, deleted: u64, standing: u64) -> bool {
        self == Self::Default && standing > 1 && deleted == standing
    }
}

impl fmt::Display for MaxRemovals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(f, "{}%", Self::PERCENT),
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// Copies of the files of each run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupSettings {
    /// Where; none: nowhere.
    pub location: Option<PathBuf>,
    /// Of how many runs of a kind; 0: of all.
    pub keep: u64,
}

/// Where relative paths of a value lead.
pub(super) struct Bases<'a> {
    pub(super) file: &'a Path,
    pub(super) working_dir: &'a Path,
}

impl Bases<'_> {
    fn join(&self, origin: &Origin, path: &str) -> PathBuf {
        if origin.line().is_some() { self.file.join(path) } else { self.working_dir.join(path) }
    }
}

/// Reads these keys over `defaults`; `node` gives the value of a key.
pub(super) fn read(
    node: impl Fn(&'static str) -> Option<Node>,
    defaults: (&AccessSettings, &BackupSettings),
    bases: &Bases<'_>,
    environment: &Environment<'_>,
    errors: &mut ConfigErrors,
) -> (AccessSettings, BackupSettings) {
    let (mut access, mut backup) = (defaults.0.clone(), defaults.1.clone());
    let mut text = |key: &'static str| -> Option<(String, Origin)> {
        let node = node(key)?;
        let origin = node.origin.clone();
        let text =
            scalar(key, &node, environment).map_err(|problem| errors.push(origin.clone(), problem)).ok();
        // Without a prefix an access file would not know what is its own.
        text.filter(|text| !text.is_empty() || key == "access-prefix").map(|text| (text, origin))
    };
    let mut invalid: Vec<(Origin, Problem)> = Vec::new();
    let mut refuse = |origin: Origin, key: &str, reason: String, hint: &str| {
        let problem = Problem::Invalid { key: key.to_owned(), reason, hint: Some(hint.to_owned()) };
        invalid.push((origin, problem));
    };
    let given = access.given;
    if let Some((path, origin)) = text("access-file").filter(|_| !given.file) {
        access.file = Some(bases.join(&origin, &path));
        access.given.file = origin.line().is_none();
    }
    if let Some((prefix, origin)) = text("access-prefix").filter(|_| !given.prefix) {
        let is_allowed = |one: char| one.is_ascii_alphanumeric() || matches!(one, '_' | '-');
        if !prefix.is_empty() && prefix.chars().all(is_allowed) {
            access.prefix = prefix;
            access.given.prefix = origin.line().is_none();
        } else {
            let reason = format!("`{prefix}` cannot be a prefix");
            refuse(origin, "access-prefix", reason, "use letters, digits, `_` and `-`");
        }
    }
    if let Some((limit, origin)) = text("max-removals").filter(|_| !given.max_removals) {
        match MaxRemovals::parse(&limit) {
            Ok(limit) => {
                access.max_removals = limit;
                access.given.max_removals = origin.line().is_none();
            }
            Err(reason) => {
                refuse(origin, "max-removals", reason, "for instance 10, or 30%, or 100% for no limit");
            }
        }
    }
    if let Some((path, origin)) = text("file-backup-location") {
        backup.location = Some(bases.join(&origin, &path));
    }
    if let Some((keep, origin)) = text("maximum-backups-per-target") {
        if let Ok(keep) = keep.parse() {
            backup.keep = keep;
        } else {
            let reason = format!("`{keep}` is not a number");
            refuse(origin, "maximum-backups-per-target", reason, "0 keeps all");
        }
    }
    for (origin, problem) in invalid {
        errors.push(origin, problem);
    }
    (access, backup)
}

fn scalar(key: &str, node: &Node, environment: &Environment<'_>) -> Result<String, Problem> {
    match &node.value {
        Value::Integer(number) => Ok(number.to_string()),
        Value::Text(text) => template::expand(text, environment).map_err(|error| {
            let template::MissingVariable(variable) = error;
            Problem::MissingVariable { key: key.to_owned(), variable }
        }),
        _ => {
            let expected = "a text or a number";
            Err(Problem::WrongType { key: key.to_owned(), expected, found: node.kind() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::MaxRemovals;

    #[test]
    fn limits_are_numbers_and_percentages() {
        assert_eq!(MaxRemovals::parse("12"), Ok(MaxRemovals::Count(12)));
        assert_eq!(MaxRemovals::parse(" 5 %"), Ok(MaxRemovals::Percent(5)));
        for text in ["", "%", "-1", "101%", "half", "1.5"] {
            assert!(MaxRemovals::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_limit_is_exceeded_by_one_more() {
        for (limit, losing, standing, exceeded) in [
            (MaxRemovals::Count(0), 0, 5, false),
            (MaxRemovals::Count(0), 1, 5, true),
            (MaxRemovals::Percent(20), 1, 5, false),
            (MaxRemovals::Percent(20), 2, 5, true),
            (MaxRemovals::Percent(100), 5, 5, false),
            (MaxRemovals::Default, 3, 4, false),
            (MaxRemovals::Default, 4, 13, true),
            (MaxRemovals::Default, 30, 100, false),
            (MaxRemovals::Default, 31, 100, true),
        ] {
            assert_eq!(limit.is_exceeded(losing, standing), exceeded, "{limit:?} {losing} of {standing}");
        }
    }

    #[test]
    fn emptying_is_refused_unless_a_limit_is_given() {
        assert!(MaxRemovals::Default.forbids_emptying(2, 2));
        assert!(!MaxRemovals::Default.forbids_emptying(1, 1));
        assert!(!MaxRemovals::Default.forbids_emptying(1, 2));
        assert!(!MaxRemovals::Percent(100).forbids_emptying(2, 2));
    }
}
