//! The folder with the exported files: which file holds which subject.
//!
//! Each subject is one file at most, `<subject>.<format>`, directly in the folder. All may be missing, but not
//! all together. Files with other names are none of this connector's business, unless the name is so close to a
//! subject's that it must be meant: that is an error, because the data in it would be missing silently.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use raito_connector::{Error, Result};

use crate::fields::nearest;
use crate::names::Separator;

/// The parameter with the path of the folder.
pub(crate) const FOLDER_PARAMETER: &str = "file-folder";

/// What a file can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    Users,
    Groups,
    DataSource,
    DataObjects,
    AccessControls,
    AccessWho,
    AccessWhat,
    Usage,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    /// One array.
    Json,
    /// One object on each line.
    JsonLines,
    Yaml,
}

const SUBJECTS: [(&str, Subject); 8] = [
    ("users", Subject::Users),
    ("groups", Subject::Groups),
    ("data-source", Subject::DataSource),
    ("data-objects", Subject::DataObjects),
    ("access-controls", Subject::AccessControls),
    ("access-who", Subject::AccessWho),
    ("access-what", Subject::AccessWhat),
    ("usage", Subject::Usage),
];

const FORMATS: [(&str, Format); 5] = [
    ("csv", Format::Csv),
    ("json", Format::Json),
    ("jsonl", Format::JsonLines),
    ("yaml", Format::Yaml),
    ("yml", Format::Yaml),
];

/// A file with records.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    /// Name within the folder, for messages.
    pub(crate) name: Rc<str>,
    pub(crate) format: Format,
}

/// A folder with exported files.
pub struct Folder {
    sources: BTreeMap<Subject, Source>,
    separator: Separator,
}

impl Folder {
    /// Looks at what is in the folder. `separator` stands between the parts of full names.
    ///
    /// # Errors
    /// The folder cannot be read, holds no file that this connector reads, holds two for one subject, or one
    /// whose name is a misspelling.
    pub fn open(path: impl AsRef<Path>, separator: &str) -> Result<Folder> {
        let path = path.as_ref();
        let refused = |message: String| Error::bad_parameter(FOLDER_PARAMETER, message);
        let unreadable = |error: std::io::Error| {
            let hint = "the sandbox of the target must grant it under `filesystem`";
            refused(format!("the folder {} cannot be read: {error}; {hint}", path.display()))
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(path).map_err(unreadable)? {
            // A name that is not UTF-8 is none of the names looked for.
            names.extend(entry.map_err(unreadable)?.file_name().into_string());
        }
        names.sort();

        let mut sources: BTreeMap<Subject, Source> = BTreeMap::new();
        for name in names {
            let Some((stem, ending)) = name.rsplit_once('.') else { continue };
            let ending_lower = ending.to_ascii_lowercase();
            let Some((_, format)) = FORMATS.iter().find(|(known, _)| *known == ending_lower) else {
                continue;
            };
            let subject = SUBJECTS.iter().find(|(known, _)| *known == stem);
            let (Some((_, subject)), true) = (subject, ending == ending_lower) else {
                if let Some(meant) = misspelled(stem) {
                    let message = format!(
                        "the file `{name}` would not be read; rename it to `{meant}.{ending_lower}`, or take it out of the folder"
                    );
                    return Err(refused(message));
                }
                continue;
            };
            let source = Source { path: path.join(&name), name: name.as_str().into(), format: *format };
            if let Some(other) = sources.insert(*subject, source) {
                return Err(refused(format!("`{}` and `{name}` are about the same; keep one", other.name)));
            }
        }
        if sources.is_empty() {
            let subjects: Vec<_> = SUBJECTS.iter().map(|(name, _)| format!("`{name}`")).collect();
            return Err(refused(format!(
                "the folder {} holds none of the files {}, ending in `.csv`, `.json`, `.jsonl`, `.yaml` or `.yml`",
                path.display(),
                subjects.join(", ")
            )));
        }
        Ok(Folder { sources, separator: Separator::new(separator)? })
    }

    /// The file about a subject, if there is one.
    pub(crate) fn source(&self, subject: Subject) -> Option<&Source> {
        self.sources.get(&subject)
    }

    /// What stands between the parts of full names.
    pub(crate) fn separator(&self) -> &Separator {
        &self.separator
    }
}

/// The subject that a name is a misspelling of: `user`, `Users`, `data_objects`, but not `users-old`.
fn misspelled(stem: &str) -> Option<&'static str> {
    const CLOSE: f64 = 0.8;
    let normal = stem.to_lowercase().replace(['_', ' '], "-");
    nearest(&normal, SUBJECTS.iter().map(|(name, _)| *name))
        .filter(|meant| strsim::normalized_damerau_levenshtein(&normal, meant) >= CLOSE)
}

#[cfg(test)]
mod tests {
    use super::misspelled;

    #[test]
    fn close_names_are_misspellings() {
        for (stem, meant) in [
            ("user", Some("users")),
            ("Users", Some("users")),
            ("data_objects", Some("data-objects")),
            ("access-control", Some("access-controls")),
            ("users-2025", None),
            ("notes", None),
        ] {
            assert_eq!(misspelled(stem), meant, "{stem}");
        }
    }
}
