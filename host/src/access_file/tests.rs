//! Whole access files: what they become, and what is said about bad ones.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test should stop where it fails")]

use std::path::Path;

use tempfile::TempDir;

use super::{AccessFile, Findings, Vocabulary, load};
use crate::contract::access_controls::DesiredAccessControl;
use crate::records::desired;

mod bad;
mod folders;
mod good;
mod random;
mod reference;
mod schema;
mod streaming;
mod target;

/// A folder with access files, and the spool beside it.
struct Folder(TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("access")).unwrap();
        for (name, text) in files {
            let path = folder.path().join("access").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Folder(folder)
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("access")
    }

    fn load(&self, path: &Path, vocabulary: Option<&Vocabulary>) -> Result<AccessFile, Findings> {
        load(path, vocabulary, &self.0.path().join("spool.json"))
    }

    /// Loads the folder, and reads the spool as the rest of the program does.
    fn load_all(&self) -> Result<(AccessFile, Vec<DesiredAccessControl>), Findings> {
        let file = self.load(&self.path(), None)?;
        let mut controls = Vec::new();
        desired::read(&self.0.path().join("spool.json"), |control| {
            controls.push(control);
            Ok(())
        })
        .unwrap();
        assert_eq!(controls.len(), file.controls);
        Ok((file, controls))
    }
}

/// What is said about a folder, one line for each finding, without the path in front and with hints after a bar.
fn told(files: &[(&str, &str)], vocabulary: Option<&Vocabulary>) -> (Vec<String>, Vec<String>) {
    let folder = Folder::new(files);
    let root = format!("{}/", folder.path().display());
    let line = |finding: &super::Finding| {
        let hint = finding.hint.as_ref().map(|hint| format!(" | {hint}")).unwrap_or_default();
        format!("{finding}{hint}").replace(&root, "")
    };
    match folder.load(&folder.path(), vocabulary) {
        Ok(file) => (Vec::new(), file.warnings.iter().map(line).collect()),
        Err(findings) => (findings.shown.iter().map(line).collect(), Vec::new()),
    }
}

/// The errors of a file.
fn errors(text: &str) -> Vec<String> {
    told(&[("a.yml", text)], None).0
}

/// The warnings of a file without errors.
fn warnings(text: &str) -> Vec<String> {
    let (errors, warnings) = told(&[("a.yml", text)], None);
    assert_eq!(errors, [""; 0], "{text}");
    warnings
}
