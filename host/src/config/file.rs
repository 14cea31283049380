//! Where the configuration file is looked for.
//!
//! Given with `--config-file`, or else the first of `raito.json`, `raito.toml`, `raito.yaml` and `raito.yml` in the
//! working folder, then in `.raito` in the home folder. Raito's own CLI also tries other formats, in between; where
//! it would take such a file, the search ends with an error rather than with another file.

use std::io;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, ConfigErrors, Origin, Problem};

/// Extensions in the order in which they are tried.
const EXTENSIONS: [&str; 12] =
    ["json", "toml", "yaml", "yml", "properties", "props", "prop", "hcl", "tfvars", "dotenv", "env", "ini"];
const READABLE: [&str; 4] = ["json", "toml", "yaml", "yml"];

/// A configuration file and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// The path as given or found.
    pub path: PathBuf,
    /// The whole text.
    pub text: String,
}

/// Finds and reads the configuration file. There need not be one unless it was given.
///
/// # Errors
/// The file is missing although it was given, cannot be read, or has a format that is not supported.
pub fn find(
    given: Option<&Path>,
    working_dir: &Path,
    home: Option<&Path>,
) -> Result<Option<ConfigFile>, ConfigErrors> {
    let path = match given {
        Some(path) => Some(path.to_owned()),
        None => search(working_dir, home),
    };
    let Some(path) = path else { return Ok(None) };
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if !READABLE.contains(&extension.as_str()) {
        return Err(error(Problem::Format { extension }, &path));
    }
    match std::fs::read_to_string(working_dir.join(&path)) {
        Ok(text) => Ok(Some(ConfigFile { path, text })),
        Err(cause) => {
            let reason = match cause.kind() {
                io::ErrorKind::NotFound => "there is no such file".to_owned(),
                io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
                _ => cause.to_string(),
            };
            Err(ConfigError { origin: Origin::Nowhere, problem: Problem::Unreadable { path, reason } }.into())
        }
    }
}

fn search(working_dir: &Path, home: Option<&Path>) -> Option<PathBuf> {
    let home = home.map(|home| home.join(".raito"));
    for extension in EXTENSIONS {
        let name = format!("raito.{extension}");
        if working_dir.join(&name).is_file() {
            return Some(PathBuf::from(name));
        }
    }
    let home = home?;
    EXTENSIONS.iter().map(|extension| home.join(format!("raito.{extension}"))).find(|path| path.is_file())
}

fn error(problem: Problem, path: &Path) -> ConfigErrors {
    let origin = Origin::File { path: path.to_owned().into(), line: 1, column: 1 };
    ConfigError { origin, problem }.into()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_working_folder_comes_before_the_home_folder() {
        let (here, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let find = || find(None, here.path(), Some(home.path()));
        assert_eq!(find().unwrap(), None);

        fs::create_dir(home.path().join(".raito")).unwrap();
        fs::write(home.path().join(".raito/raito.yaml"), "domain: home").unwrap();
        assert_eq!(find().unwrap().unwrap().text, "domain: home");

        fs::write(here.path().join("raito.yml"), "domain: here").unwrap();
        let found = find().unwrap().unwrap();
        assert_eq!((found.path, found.text.as_str()), (PathBuf::from("raito.yml"), "domain: here"));

        fs::write(here.path().join("raito.ini"), "").unwrap();
        assert!(find().is_ok(), "an ini file comes after a yml file");
        fs::write(here.path().join("raito.toml"), "").unwrap();
        assert_eq!(find().unwrap().unwrap().path, Path::new("raito.toml"), "toml comes before yaml");
        let given = find_given(here.path(), "raito.ini").unwrap_err();
        assert!(given.to_string().contains("format `.ini` is not supported"), "{given}");
    }

    fn find_given(here: &Path, name: &str) -> Result<Option<ConfigFile>, ConfigErrors> {
        find(Some(Path::new(name)), here, None)
    }

    #[test]
    fn a_given_file_must_be_there() {
        let here = tempfile::tempdir().unwrap();
        let errors = find(Some(Path::new("gone.yml")), here.path(), None).unwrap_err();
        assert!(errors.to_string().contains("cannot read gone.yml: there is no such file"));
        fs::write(here.path().join("x.yml"), b"\xff").unwrap();
        let errors = find(Some(Path::new("x.yml")), here.path(), None).unwrap_err();
        assert!(errors.to_string().contains("not UTF-8"));
    }
}
