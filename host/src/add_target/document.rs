//! Adding to `raito.yml` as text, so that comments, order and spelling of everything else stay.
//!
//! New keys of the top level go in front of the first one; the new target goes behind the last. What comes out is parsed
//! again and compared with what was there: if anything else has changed, as it may in a file of flow style, nothing is
//! written.
//!
//! A value is written bare if it is a plain word, else in single quotes, or in double quotes if it holds control
//! characters.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use crate::config::Outline;

/// A target as it is to be written.
#[derive(Debug, Default)]
pub(super) struct NewTarget {
    /// Keys and values in order.
    pub(super) keys: Vec<(String, String)>,
    /// Network grants of the sandbox.
    pub(super) network: Vec<String>,
}

impl NewTarget {
    /// As a YAML map, without indentation.
    pub(super) fn yaml(&self) -> String {
        let mut text = String::new();
        for (key, value) in &self.keys {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}: {}", scalar(key), scalar(value));
        }
        if !self.network.is_empty() {
            text.push_str("sandbox:\n  network:\n");
            for grant in &self.network {
                let _ = writeln!(text, "    - {}", scalar(grant));
            }
        }
        text
    }

    /// As an element of a list whose dashes stand in this column, from 0.
    fn element(&self, column: usize) -> String {
        let indent = " ".repeat(column);
        let mut text = String::new();
        for (at, line) in self.yaml().lines().enumerate() {
            let _ = writeln!(text, "{indent}{} {line}", if at == 0 { "-" } else { " " });
        }
        text
    }
}

/// A text as a YAML scalar that is read as this text.
pub(super) fn scalar(text: &str) -> String {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let plain = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|character| character.is_ascii_alphanumeric() || character == '-')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if plain {
        text.to_owned()
    } else if text
        .chars()
        .any(|character| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}'))
    {
        // JSON's escapes are YAML's.
        serde_json::Value::from(text).to_string()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// The text of the file with the keys and the target added. None if it cannot be added without changing anything else.
pub(super) fn add(
    outline: &Outline,
    text: &str,
    keys: &[(&str, &str)],
    target: &NewTarget,
) -> Option<String> {
    let line_feed = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let header: Vec<String> = keys.iter().map(|(key, value)| format!("{key}: {}", scalar(value))).collect();
    // From the end to the beginning, so that the lines further up keep their numbers.
    match outline.line_of("targets") {
        None => {
            while lines.last().is_some_and(|line| line.trim().is_empty()) {
                lines.pop();
            }
            lines.push("targets:".to_owned());
            lines.extend(target.element(2).lines().map(str::to_owned));
        }
        Some(line) => {
            let at_key = line.checked_sub(1)?;
            if outline.empty_list() {
                let emptied = lines.get(at_key)?.replacen("[]", "", 1).trim_end().to_owned();
                *lines.get_mut(at_key)? = emptied;
            }
            let column = match outline.first_target_line() {
                None => 2,
                Some(first) => dash(lines.get(at_key..first)?)?,
            };
            let end = outline.line_behind(line).map_or(lines.len(), |next| next - 1);
            let mut end = end.min(lines.len());
            // What is above the next key is about it, unless it is indented like the targets.
            while end > line && lines.get(end - 1).is_some_and(|line| is_between(line, column)) {
                end -= 1;
            }
            let element = target.element(column);
            lines.splice(end..end, element.lines().map(str::to_owned));
        }
    }
    if !header.is_empty() {
        let mut at = outline.first_line().map_or(0, |first| first - 1);
        // A comment right above the first key is about it, unless the file begins with it.
        let comment = |at: usize| {
            at.checked_sub(1).and_then(|at| lines.get(at)).is_some_and(|line| line.starts_with('#'))
        };
        let mut above = at;
        while comment(above) {
            above -= 1;
        }
        if above > 0 {
            at = above;
        }
        lines.splice(at..at, header);
    }
    let changed = lines.join(line_feed) + line_feed;
    outline.grew_by(&changed, keys, &target.yaml()).ok()?.then_some(changed)
}

/// The column, from 0, of the dash of the first element in these lines.
fn dash(lines: &[String]) -> Option<usize> {
    let line = lines.iter().rev().find(|line| line.trim_start().starts_with('-'))?;
    Some(line.len() - line.trim_start().len())
}

/// Whether a line stands between the targets, whose dashes are in this column, and the next key.
fn is_between(line: &str, column: usize) -> bool {
    let content = line.trim_start();
    let indent = line.len() - content.len();
    content.is_empty() || (content.starts_with('#') && (indent < column || indent == 0)) || line == "..."
}

/// Replaces the file, or makes it, for its owner alone. A reader sees the old or the new text, never a part.
///
/// # Errors
/// The folder cannot be written to.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    // A link stays a link.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Such files are readable by their owner alone.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

    use std::path::Path;

    use super::{NewTarget, add, scalar, write};
    use crate::config::{ConfigFile, Inputs, Outline, Overrides, Purpose};

    fn added(text: &str, keys: &[(&str, &str)]) -> Option<String> {
        let file = ConfigFile { path: "raito.yml".into(), text: text.to_owned() };
        let outline = Outline::read(&Inputs {
            file: Some(&file),
            environment: &|_| None,
            flags: &Overrides::default(),
            working_dir: Path::new("/w"),
            purpose: Purpose::Offline,
        });
        let target = NewTarget {
            keys: vec![("name".into(), "new".into()), ("pg-password".into(), "it's: {{PW}}".into())],
            network: vec!["db:5432".into()],
        };
        add(&outline.unwrap(), text, keys, &target)
    }

    const NEW: &str = "  - name: new\n    pg-password: 'it''s: {{PW}}'\n    sandbox:\n      network:\n        - 'db:5432'\n";

    #[test]
    fn a_target_goes_behind_the_last_and_everything_else_stays() {
        let unindented = NEW.replace("\n  ", "\n");
        let unindented = unindented.trim_start_matches(' ');
        for (before, after) in [
            ("", format!("targets:\n{NEW}")),
            ("# mine\ndomain: acme # here\n", format!("# mine\ndomain: acme # here\ntargets:\n{NEW}")),
            ("targets:\ndebug: true\n", format!("targets:\n{NEW}debug: true\n")),
            ("targets: [] # none yet\n", format!("targets:  # none yet\n{NEW}")),
            (
                "targets: # all\n  # first\n  - name: a\n    x: |\n      # no comment\n\n      text\n  # - name: off\n\n# the log\nlog-file: x\n",
                format!(
                    "targets: # all\n  # first\n  - name: a\n    x: |\n      # no comment\n\n      text\n  # - name: off\n{NEW}\n# the log\nlog-file: x\n"
                ),
            ),
            ("targets:\n- name: a\n- name: b", format!("targets:\n- name: a\n- name: b\n{unindented}")),
            ("targets:\n  -\n    name: a\n", format!("targets:\n  -\n    name: a\n{NEW}")),
            (
                "targets:\r\n  - name: a\r\n",
                format!("targets:\r\n  - name: a\r\n{}", NEW.replace('\n', "\r\n")),
            ),
        ] {
            assert_eq!(added(before, &[]).as_deref(), Some(after.as_str()), "{before}");
        }
    }

    #[test]
    fn keys_of_the_top_level_go_in_front() {
        let keys = [("domain", "acme"), ("api-user", "a@b")];
        let top = "domain: acme\napi-user: 'a@b'\n";
        assert_eq!(added("", &keys).unwrap(), format!("{top}targets:\n{NEW}"));
        assert_eq!(
            added("# ours\n\n# loud\ndebug: true\n", &keys).unwrap(),
            format!("# ours\n\n{top}# loud\ndebug: true\ntargets:\n{NEW}")
        );
    }

    #[test]
    fn what_cannot_be_extended_safely_is_left_alone() {
        for text in ["{targets: [{name: a}]}\n", "targets: [{name: a}]\n", "targets: {a: b}\n"] {
            assert_eq!(added(text, &[]), None, "{text}");
        }
    }

    #[test]
    fn values_are_quoted_where_they_would_mean_something_else() {
        for (text, written) in [
            ("warehouse", "warehouse"),
            ("data-source-id", "data-source-id"),
            ("true", "'true'"),
            ("Null", "'Null'"),
            ("12", "'12'"),
            ("", "''"),
            ("it's", "'it''s'"),
            ("{{PW}}", "'{{PW}}'"),
            ("a\nb", "\"a\\nb\""),
        ] {
            assert_eq!(scalar(text), written);
        }
    }

    #[test]
    fn the_file_is_its_owners_alone_and_a_link_stays_one() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("real.yml"), folder.path().join("raito.yml"));
        std::fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write(&link, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(link.is_symlink());
    }
}
