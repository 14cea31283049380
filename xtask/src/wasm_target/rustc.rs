//! What the compiler in use says of itself, from `rustc -vV` and `rustc --print sysroot`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process;

/// The compiler in use.
#[derive(Debug)]
pub(crate) struct Rustc {
    /// Its version, such as `1.95.0` or `1.97.0-nightly`.
    pub(crate) release: String,
    /// The commit it was built from; `unknown` where its builder did not state it.
    pub(crate) commit: String,
    /// The target that it runs on, such as `x86_64-unknown-linux-gnu`.
    pub(crate) host: String,
    /// The folder of its own libraries and tools.
    pub(crate) sysroot: PathBuf,
}

impl Rustc {
    /// Asks the compiler that cargo uses in `folder`.
    pub(crate) fn query(folder: &Path) -> Result<Self> {
        let ask =
            |arguments: &[&str]| process::capture(Command::new("rustc").current_dir(folder).args(arguments));
        let (release, commit, host) =
            parse_version(&ask(&["-vV"])?).context("cannot read what `rustc -vV` printed")?;
        let sysroot = PathBuf::from(ask(&["--print", "sysroot"])?.trim_end());
        Ok(Self { release, commit, host, sysroot })
    }

    /// Whether the toolchain holds the standard library for a target.
    pub(crate) fn has_std_for(&self, target: &str) -> bool {
        holds_std(&self.sysroot.join("lib/rustlib").join(target).join("lib"))
    }
}

/// Whether a folder holds a compiled `std`. That it exists says nothing: an interrupted or removed installation
/// leaves it behind.
pub(crate) fn holds_std(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let path = Path::new(&name);
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        path.extension().is_some_and(|extension| extension == "rlib")
            && (stem == "libstd" || stem.starts_with("libstd-"))
    })
}

/// The release, commit and host among the `key: value` lines of `rustc -vV`.
fn parse_version(text: &str) -> Option<(String, String, String)> {
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
            .map(|value| value.trim().to_owned())
    };
    let commit = value("commit-hash").unwrap_or_else(|| "unknown".to_owned());
    Some((value("release")?, commit, value("host")?))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use anyhow::Result;

    use super::{holds_std, parse_version};

    #[test]
    fn reads_release_commit_and_host() {
        let text = "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\ncommit-hash: 59807616e1fa\n\
                    commit-date: 2026-04-14\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\nLLVM version: 22.1.2\n";
        let expected = ("1.95.0".into(), "59807616e1fa".into(), "x86_64-unknown-linux-gnu".into());
        assert_eq!(parse_version(text), Some(expected));
    }

    #[test]
    fn a_compiler_without_a_commit_is_still_read() {
        let text = "rustc 1.95.0\nhost: aarch64-unknown-linux-gnu\nrelease: 1.95.0\n";
        assert_eq!(parse_version(text).map(|(_, commit, _)| commit), Some("unknown".into()));
        assert_eq!(parse_version("rustc 1.95.0\n"), None);
    }

    #[test]
    fn an_empty_or_foreign_folder_holds_no_std() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("xtask-std-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        assert!(!holds_std(&folder.join("missing")));
        assert!(!holds_std(&folder));
        fs::write(folder.join("libstd_detect-53aa.rlib"), "")?;
        fs::write(folder.join("libstd-53aa.rmeta"), "")?;
        assert!(!holds_std(&folder));
        fs::write(folder.join("libstd-53aa.rlib"), "")?;
        assert!(holds_std(&folder));
        fs::remove_dir_all(&folder)?;
        Ok(())
    }
}
