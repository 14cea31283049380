//! Which files make up an access file.
//!
//! A path is a file, or a folder with all `*.yml`, `*.yaml` and `*.json` below it. Hidden entries and JSON Schemas
//! (`*.schema.json`) are left out. A link to a file counts if the file lies in the folder and is not read
//! anyway; links to folders are not followed. A link to an access file that cannot be read is an error: what it held would
//! be taken for removed.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::sandbox::escaped;

/// The endings of access files.
const ENDINGS: [&str; 3] = ["yml", "yaml", "json"];

/// The files of a path.
pub(super) struct Files {
    /// In the order of their paths. Not empty.
    pub(super) paths: Vec<PathBuf>,
    /// Links that were left out, and why.
    pub(super) left_out: Vec<(PathBuf, String)>,
}

/// A path that cannot be used.
pub(super) struct Refused {
    pub(super) path: PathBuf,
    pub(super) message: String,
    pub(super) hint: Option<&'static str>,
}

/// Finds the files of a path.
pub(super) fn files(path: &Path) -> Result<Files, Refused> {
    let refused = |message: String, hint| Refused { path: path.to_owned(), message, hint };
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            let hint =
                "name an access file or a folder of them, with `access-file` of the target or --access-file";
            refused("there is no such file or folder".into(), Some(hint))
        }
        _ => refused(format!("cannot be read: {error}"), None),
    })?;
    if metadata.is_dir() {
        return folder(path);
    }
    if !metadata.is_file() {
        return Err(refused("neither a file nor a folder".into(), None));
    }
    if !has_ending(path) {
        let hint = "access files are YAML or JSON: `.yml`, `.yaml` or `.json`";
        return Err(refused("not the ending of an access file".into(), Some(hint)));
    }
    Ok(Files { paths: vec![path.to_owned()], left_out: Vec::new() })
}

fn folder(root: &Path) -> Result<Files, Refused> {
    let mut paths = Vec::new();
    let mut links = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let cannot = |error: io::Error| Refused {
            path: folder.clone(),
            message: format!("cannot be read: {error}"),
            hint: None,
        };
        for entry in std::fs::read_dir(&folder).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let (path, kind) = (entry.path(), entry.file_type().map_err(cannot)?);
            // Names of files are shown, in terminals and logs.
            let name = entry.file_name().to_string_lossy().into_owned();
            if escaped(&name) != name {
                return Err(Refused {
                    path,
                    message: "the name holds control characters".to_owned(),
                    hint: Some("rename it"),
                });
            }
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_symlink() {
                links.push(path);
            } else if has_ending(&path) && kind.is_file() {
                paths.push(path);
            }
        }
    }
    let cannot = |error: io::Error| Refused {
        path: root.to_owned(),
        message: format!("cannot be read: {error}"),
        hint: None,
    };
    let canonical_root = root.canonicalize().map_err(cannot)?;
    let mut known: BTreeSet<PathBuf> = paths.iter().filter_map(|path| path.canonicalize().ok()).collect();
    let mut left_out = Vec::new();
    links.sort();
    for link in links {
        match link_target(&link, &canonical_root) {
            Ok(Some(target)) if !known.insert(target.clone()) => {
                left_out.push((link, "left out: what it links to is read already".to_owned()));
            }
            Ok(Some(_)) => paths.push(link),
            Ok(None) => {}
            Err(Link::Folder) => {
                left_out.push((link, "left out: links to folders are not followed".to_owned()));
            }
            Err(Link::Broken(message)) => {
                let hint = Some("link to a file in the folder, or remove the link");
                return Err(Refused { path: link, message, hint });
            }
        }
    }
    if paths.is_empty() {
        return Err(Refused {
            path: root.to_owned(),
            message: "the folder holds no access file".into(),
            hint: Some(
                "add one that ends in `.yml`, `.yaml` or `.json`; for no access at all, one with `accessProviders: []`",
            ),
        });
    }
    paths.sort();
    Ok(Files { paths, left_out })
}

/// A link that is not read.
enum Link {
    Folder,
    Broken(String),
}

/// What a link to an access file stands for; none if it is not meant to be one.
fn link_target(link: &Path, root: &Path) -> Result<Option<PathBuf>, Link> {
    let target = match link.canonicalize() {
        Ok(target) => target,
        Err(_) if !has_ending(link) => return Ok(None),
        Err(error) => return Err(Link::Broken(format!("a link that leads nowhere: {error}"))),
    };
    if target.is_dir() {
        return Err(Link::Folder);
    }
    if !has_ending(link) || !target.is_file() {
        return Ok(None);
    }
    if target.starts_with(root) {
        Ok(Some(target))
    } else {
        Err(Link::Broken("a link out of the folder".to_owned()))
    }
}

fn has_ending(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending)) && !name.ends_with(".schema.json")
}
