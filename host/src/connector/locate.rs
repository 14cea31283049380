//! From the name in `connector-name` to a file.
//!
//! A name that ends in `.wasm` or starts with `.`, `/` or `~` is a path, relative to the configuration file. Any other
//! name is looked up as `NAME.wasm` in the folders of `connector-path`, then in `raito/connectors` below the working
//! folder, then in `~/.raito/connectors`. A name of Raito's own CLI is looked up there too, see [`super::original`].

use std::path::{Path, PathBuf};

use super::LoadError;
use super::original::original_name;

/// Finds the file of a connector.
///
/// # Errors
/// If there is none, naming the places that were looked at.
pub fn locate(name: &str, base: &Path, folders: &[PathBuf]) -> Result<PathBuf, LoadError> {
    let is_path = Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("wasm"))
        || name.starts_with(['.', '/', '~']);
    if is_path {
        let path = match (name.strip_prefix("~/"), home()) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => base.join(name),
        };
        return if path.is_file() {
            Ok(path)
        } else {
            Err(LoadError::NotFound { name: name.into(), looked: vec![path] })
        };
    }
    let well_formed = !name.is_empty()
        && name.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_'));
    let original = original_name(name);
    if !well_formed && original.is_none() {
        return Err(LoadError::BadName { name: name.into() });
    }
    let candidates: Vec<String> = match &original {
        None => vec![name.to_owned()],
        Some(original) => {
            std::iter::once(original.file.clone()).chain(original.ours.map(str::to_owned)).collect()
        }
    };
    let folders: Vec<_> = folders
        .iter()
        .cloned()
        .chain(std::iter::once(PathBuf::from("raito/connectors")))
        .chain(home().map(|home| home.join(".raito/connectors")))
        .collect();
    let looked: Vec<_> = candidates
        .iter()
        .flat_map(|candidate| folders.iter().map(move |folder| folder.join(format!("{candidate}.wasm"))))
        .collect();
    match looked.iter().find(|path| path.is_file()) {
        Some(path) => Ok(path.clone()),
        None if original.is_some_and(|original| original.ours.is_none()) => {
            Err(LoadError::Original { name: name.into(), looked })
        }
        None => Err(LoadError::NotFound { name: name.into(), looked }),
    }
}

fn home() -> Option<PathBuf> {
    std::env::home_dir()
}
