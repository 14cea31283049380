//! Plans and drift for a comment of a pull request.
//!
//! The differences stand in fenced blocks, in which nothing of a name is markup. A comment has a largest size, so what
//! comes after [`LIMIT`] bytes is counted and left out.

use std::fmt::Write as _;
use std::io;

use super::plan::Change;
use super::text::{self, Side, View};
use crate::records::plan::ChangeKind;

/// Bytes of details in a report: GitHub takes comments of 65,536 characters, GitLab larger ones.
const LIMIT: usize = 56_000;

/// A report that is put together.
#[derive(Default)]
pub(super) struct Report {
    text: String,
    left_out: usize,
    statements: bool,
}

impl Report {
    pub(super) fn new(statements: bool) -> Self {
        Report { statements, ..Report::default() }
    }

    /// A heading.
    pub(super) fn heading(&mut self, text: &str) {
        let _ = writeln!(self.text, "### {}\n", escaped(text));
    }

    /// A paragraph.
    pub(super) fn paragraph(&mut self, text: &str) {
        let _ = writeln!(self.text, "{}\n", escaped(text));
    }

    /// One access control.
    pub(super) fn change(&mut self, change: &Change<'_>, view: View) {
        let mut entry = String::new();
        let record = change.record;
        let (mark, verb) = match (record.change, view) {
            (ChangeKind::None, _) => ("❗", ""),
            (_, View::Drift { .. }) => ("⚠️", ""),
            (ChangeKind::Create, _) => ("➕", " **create**"),
            (ChangeKind::Update, _) => ("✏️", " **change**"),
            (ChangeKind::Delete, _) => ("❌", " **remove**"),
        };
        let place = change.place.as_ref().map(|place| format!(" — {}", code(place))).unwrap_or_default();
        let actual = if record.actual_name.is_empty() {
            String::new()
        } else {
            format!(" {}", code(&record.actual_name))
        };
        let _ = writeln!(entry, "{mark}{verb} {}{actual}{place}\n", escaped(&record.name));
        for risk in change.risks {
            let _ = writeln!(entry, "- ⚠️ **{}**", escaped(&risk.message));
        }
        for error in &record.errors {
            let _ = writeln!(entry, "- ❗ **error:** {}", escaped(error));
        }
        match view {
            View::Plan { .. } if record.changed_in_target == Some(true) => {
                let _ = writeln!(entry, "- changed in the target since it was applied");
            }
            View::Plan { .. } => {}
            View::Drift { state } => {
                let _ = writeln!(entry, "- {state}");
            }
        }
        for warning in &record.warnings {
            let _ = writeln!(entry, "- {}", escaped(warning));
        }
        let mut difference = String::new();
        for Side { sign, who, what } in view.sides(change) {
            for line in text::lines_of_who(who) {
                let _ = writeln!(difference, "{sign} who  {line}");
            }
            for item in what {
                let _ = writeln!(difference, "{sign} what {}", text::line_of_what(item));
            }
        }
        if difference.is_empty() {
            for operation in &record.operations {
                let _ = writeln!(difference, "! {}", operation.summary);
            }
        }
        if !difference.is_empty() {
            let separator = if entry.ends_with("\n\n") { "" } else { "\n" };
            let _ = write!(entry, "{separator}{}", fenced("diff", &difference));
        }
        if self.statements && !record.operations.is_empty() {
            let statements: Vec<&str> =
                record.operations.iter().filter_map(|operation| operation.statement.as_deref()).collect();
            let _ = write!(
                entry,
                "\n<details><summary>Statements</summary>\n\n{}\n</details>\n",
                fenced("sql", &(statements.join(";\n") + ";\n"))
            );
        }
        entry.push('\n');
        if self.left_out > 0 || self.text.len() + entry.len() > LIMIT {
            self.left_out += 1;
        } else {
            self.text.push_str(&entry);
        }
    }

    /// Writes the report.
    pub(super) fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        out.write_all(self.text.as_bytes())?;
        if self.left_out > 0 {
            writeln!(
                out,
                "_{} more access controls are left out here; the text and JSON formats have all of them._",
                self.left_out
            )?;
        }
        Ok(())
    }
}

/// Text with everything that would be markup, a mention or a reference taken out of effect.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            // A zero-width joiner keeps a name from being somebody who is notified, or an issue that is linked.
            '@' | '#' => escaped.extend([character, '\u{2060}']),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' => escaped.extend(['\\', character]),
            _ => escaped.push(character),
        }
    }
    // Addresses become links without any markup.
    escaped.replace("://", ":\u{2060}//").replace("www.", "www\u{2060}.")
}

/// A text as code in a line.
fn code(text: &str) -> String {
    let ticks = "`".repeat(longest_run(text) + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{space}{text}{space}{ticks}")
}

/// A text as a block of code, which it cannot end.
fn fenced(language: &str, text: &str) -> String {
    let fence = "`".repeat((longest_run(text) + 1).max(3));
    format!("{fence}{language}\n{text}{fence}\n")
}

/// The longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`').map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{code, escaped, fenced};

    #[test]
    fn names_are_never_markup() {
        assert_eq!(escaped("<b>*x*_y_"), "&lt;b&gt;\\*x\\*\\_y\\_");
        assert!(!escaped("@everyone #12").contains("@everyone"));
        assert!(!escaped("https://evil.example www.evil.example").contains("https://"));
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`a"), "`` `a ``");
        assert!(fenced("diff", "```\nx\n").starts_with("````diff\n"));
    }
}
