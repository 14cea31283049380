//! What is to be told about access files: where, what, and what to do about it.
//!
//! Errors and warnings are collected over all files. Of each kind the first [`SHOWN`] in the order of their places are
//! kept and the rest is counted, so that a file of a million mistakes costs no memory.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::sandbox::escaped;

/// How many errors, and how many warnings, are kept.
pub const SHOWN: usize = 100;

/// Something wrong, or worth knowing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, as it was found or given.
    pub path: Arc<PathBuf>,
    /// Where in the file; none if it is about the file as a whole.
    pub position: Option<Position>,
    /// The name of the access control that it is about, where it is known.
    pub control: Option<String>,
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A place in a file. Both numbers count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// `access/sales.yml:12:7: unknown key `usrs` (access control `Sales`)`; the hint is not part of it.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escaped(&self.path.display().to_string()))?;
        if let Some(Position { line, column }) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        match &self.control {
            Some(name) => write!(f, " (access control {})", quoted(name)),
            None => Ok(()),
        }
    }
}

/// Everything that keeps the files from being used, of all files, in the order of files and places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// The first [`SHOWN`] of them. Never empty.
    pub shown: Vec<Finding>,
    /// How many there are.
    pub total: usize,
}

/// One line for each error, each followed by its hint, and a count where some were left out.
impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.shown.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{finding}")?;
            if let Some(hint) = &finding.hint {
                write!(f, "\n  hint: {hint}")?;
            }
        }
        match self.total.saturating_sub(self.shown.len()) {
            0 => Ok(()),
            more => write!(f, "\n… and {more} more"),
        }
    }
}

impl std::error::Error for Findings {}

/// A place in one of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Its number in the order of the files.
    pub(super) file: u32,
    pub(super) position: Option<Position>,
}

/// Collects what there is to tell.
pub(super) struct Report {
    files: Vec<Arc<PathBuf>>,
    errors: Bounded,
    warnings: Bounded,
}

/// The first so many findings by their place.
#[derive(Default)]
struct Bounded {
    kept: BTreeMap<(Place, usize), Finding>,
    total: usize,
}

impl Bounded {
    fn add(&mut self, place: Place, finding: Finding) {
        // What is told first about a place stays first.
        self.kept.insert((place, self.total), finding);
        self.total += 1;
        if self.kept.len() > SHOWN {
            self.kept.pop_last();
        }
    }
}

impl Report {
    pub(super) fn new(files: impl IntoIterator<Item = PathBuf>) -> Self {
        Report {
            files: files.into_iter().map(Arc::new).collect(),
            errors: Bounded::default(),
            warnings: Bounded::default(),
        }
    }

    pub(super) fn error(
        &mut self,
        place: Place,
        control: Option<&str>,
        message: String,
        hint: Option<String>,
    ) {
        let finding = self.finding(place, control, message, hint);
        self.errors.add(place, finding);
    }

    pub(super) fn warning(
        &mut self,
        place: Place,
        control: Option<&str>,
        message: String,
        hint: Option<String>,
    ) {
        let finding = self.finding(place, control, message, hint);
        self.warnings.add(place, finding);
    }

    /// A place as it is named inside a message: `sales.yml:3:5`.
    pub(super) fn name_of(&self, place: Place) -> String {
        let path = self.files.get(place.file as usize).map(|path| path.display().to_string());
        let path = path.unwrap_or_default();
        match place.position {
            Some(Position { line, column }) => format!("{path}:{line}:{column}"),
            None => path,
        }
    }

    pub(super) fn path(&self, place: Place) -> Arc<PathBuf> {
        self.files.get(place.file as usize).map(Arc::clone).unwrap_or_default()
    }

    pub(super) fn has_errors(&self) -> bool {
        self.errors.total > 0
    }

    /// The errors, or else the warnings and how many there were.
    pub(super) fn finish(self) -> Result<(Vec<Finding>, usize), Findings> {
        if self.errors.total > 0 {
            let shown = self.errors.kept.into_values().collect();
            return Err(Findings { shown, total: self.errors.total });
        }
        Ok((self.warnings.kept.into_values().collect(), self.warnings.total))
    }

    fn finding(&self, place: Place, control: Option<&str>, message: String, hint: Option<String>) -> Finding {
        Finding {
            path: self.path(place),
            position: place.position,
            control: control.map(str::to_owned),
            message,
            hint,
        }
    }
}

impl From<Finding> for Findings {
    fn from(finding: Finding) -> Self {
        Findings { shown: vec![finding], total: 1 }
    }
}

/// A text of a file inside a message: in backquotes, without control characters, and not longer than is useful.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut result = String::from("`");
    for (at, character) in text.chars().enumerate() {
        if at == LONGEST {
            result.push('…');
            break;
        }
        if character.is_control() {
            result.extend(character.escape_default());
        } else {
            result.push(character);
        }
    }
    result.push('`');
    result
}

/// The known name that is most like `name`, letter case aside, if any is near enough to be a slip of the finger.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    // Comparing is quadratic in the length; nobody types names of this length.
    if length > 200 {
        return None;
    }
    let limit = (length / 3).clamp(1, 3);
    let lower = name.to_lowercase();
    known
        .into_iter()
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= limit)
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The same as a hint.
pub(super) fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, known).map(|candidate| format!("did you mean {}?", quoted(candidate)))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Place, Position, Report, SHOWN, nearest, quoted};

    fn place(file: u32, line: u32) -> Place {
        Place { file, position: Some(Position { line, column: 3 }) }
    }

    #[test]
    fn findings_stand_in_the_order_of_their_places_with_a_count() {
        let mut report = Report::new(["a.yml", "b.yml"].map(PathBuf::from));
        for line in (1..=u32::try_from(SHOWN).unwrap_or_default()).rev() {
            report.error(place(1, line), Some("Sales"), format!("mistake {line}"), Some("mend it".into()));
        }
        report.error(Place { file: 0, position: None }, None, "empty".into(), None);
        report.warning(place(0, 1), None, "odd".into(), None);
        let Err(findings) = report.finish() else { unreachable!("there are errors") };
        assert_eq!((findings.shown.len(), findings.total), (SHOWN, SHOWN + 1));
        let text = findings.to_string();
        assert!(
            text.starts_with(
                "a.yml: empty\nb.yml:1:3: mistake 1 (access control `Sales`)\n  hint: mend it\nb.yml:2:3: "
            ),
            "{text}"
        );
        assert!(text.ends_with("\n… and 1 more"), "{text}");
    }

    #[test]
    fn texts_of_files_cannot_disturb_a_terminal() {
        assert_eq!(quoted("a\u{1b}[2J\n"), "`a\\u{1b}[2J\\n`");
        assert_eq!(quoted(&"x".repeat(100)).chars().count(), 83);
    }

    #[test]
    fn suggestions_are_near() {
        assert_eq!(nearest("usres", ["users", "groups"]), Some("users"));
        assert_eq!(nearest("TABEL", ["table", "view"]), Some("table"));
        assert_eq!(nearest("warehouse", ["table", "view"]), None);
    }
}
