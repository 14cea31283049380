//! Takes packages from the distribution without installing them: a private apt configuration with its own
//! sources, lists and cache, so that neither the system's package state nor its configuration is touched and no
//! privileges are needed.
//!
//! The sources are the system's own mirror, with other suites than the system's: a stable release carries the
//! compiler of its day, and its successor's backports follow the current one. Everything is verified by the
//! distribution's keyring.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::apt_sources;
use crate::process;

/// The release whose backports publish the compiler that `rust-toolchain.toml` names. The system's own release
/// and the stable one of the day are tried after it, for a toolchain that moved on before this line did.
const PUBLISHED_IN: &str = "trixie";

/// The folders of the system that matter here.
const APT_FOLDER: &str = "/etc/apt";
const OS_RELEASE: &str = "/etc/os-release";
const KEYRINGS: [&str; 2] =
    ["/usr/share/keyrings/debian-archive-keyring.pgp", "/usr/share/keyrings/debian-archive-keyring.gpg"];

/// Downloads `rust-src` of exactly this release and the newest `wasi-libc` beside it, and unpacks both below
/// `folder`, which becomes a root with a `usr` inside. Nothing is installed.
pub(super) fn unpack_sources(release: &str, folder: &Path) -> Result<()> {
    for program in ["apt-get", "apt-cache", "dpkg"] {
        process::find_program(program)
            .with_context(|| format!("{program} is not there: not a Debian system"))?;
    }
    let keyring =
        KEYRINGS.iter().find(|path| Path::new(path).is_file()).context("no Debian archive keyring")?;
    let codename = codename(&fs::read_to_string(OS_RELEASE).unwrap_or_default()).unwrap_or_default();
    let mirrors = apt_sources::mirrors(Path::new(APT_FOLDER), &codename);
    if mirrors.is_empty() {
        bail!("the apt sources of this system name no mirror of the distribution");
    }
    for suite in suites(&codename) {
        let apt = Apt::configure(folder.join("apt").join(&suite), &mirrors, &suite, keyring)?;
        // A suite that the mirror lacks fails here and has no packages below.
        if let Err(error) = apt.update() {
            eprintln!("{error:#}");
        }
        let Some(rust_src) = apt.newest("rust-src", |version| is_release(version, release))? else {
            continue;
        };
        let Some(wasi_libc) = apt.newest("wasi-libc", |_| true)? else { continue };
        eprintln!("fetching rust-src {rust_src} and wasi-libc {wasi_libc} from {suite}");
        return apt.unpack(&[("rust-src", rust_src), ("wasi-libc", wasi_libc)], folder);
    }
    bail!("no package rust-src of version {release} in the suites {}", suites(&codename).join(", "))
}

/// One private apt configuration.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// Writes the configuration for a suite and its backports into `folder`.
    fn configure(folder: PathBuf, mirrors: &[String], suite: &str, keyring: &str) -> Result<Self> {
        for part in ["lists/partial", "cache/archives/partial", "packages"] {
            fs::create_dir_all(folder.join(part))?;
        }
        // Suites are stanzas of their own: the lack of one does not spoil the other.
        let uris = mirrors.join(" ");
        let stanzas = [suite, &format!("{suite}-backports")].map(|suite| {
            format!("Types: deb\nURIs: {uris}\nSuites: {suite}\nComponents: main\nSigned-By: {keyring}\n")
        });
        fs::write(folder.join("private.sources"), stanzas.join("\n"))?;
        Ok(Self { folder })
    }

    /// A command with this configuration. What else the system says, such as a proxy, stays in force.
    fn command(&self, program: &str) -> Command {
        let set = |key: &str, part: &str| format!("{key}={}", self.folder.join(part).display());
        let mut command = Command::new(program);
        command.env("LC_ALL", "C.UTF-8").current_dir(self.folder.join("packages"));
        for option in [
            set("Dir::Etc::sourcelist", "private.sources"),
            set("Dir::State::Lists", "lists"),
            set("Dir::Cache", "cache"),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            "Dir::Etc::preferences=/dev/null".to_owned(),
            "Dir::Etc::preferencesparts=/dev/null".to_owned(),
            // Only the names and versions of packages are wanted.
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
            "Acquire::http::Timeout=30".to_owned(),
            "Acquire::https::Timeout=30".to_owned(),
            // Started by root, apt downloads as a user who may not be able to enter our folders.
            "APT::Sandbox::User=".to_owned(),
        ] {
            command.arg("-o").arg(option);
        }
        command
    }

    fn update(&self) -> Result<()> {
        process::run_aside(self.command("apt-get").args(["-qq", "update"]))
    }

    /// The newest version of a package that passes `wanted`, or nothing.
    fn newest(&self, package: &str, wanted: impl Fn(&str) -> bool) -> Result<Option<String>> {
        let table = process::capture(self.command("apt-cache").args(["madison", package]))?;
        Ok(versions(&table).find(|version| wanted(version)).map(str::to_owned))
    }

    /// Downloads packages and unpacks them below `root`.
    fn unpack(&self, packages: &[(&str, String)], root: &Path) -> Result<()> {
        let exact = packages.iter().map(|(name, version)| format!("{name}={version}"));
        process::run_aside(self.command("apt-get").args(["-qq", "download"]).args(exact))?;
        for file in fs::read_dir(self.folder.join("packages"))? {
            process::run_aside(Command::new("dpkg").arg("-x").arg(file?.path()).arg(root))?;
        }
        Ok(())
    }
}

/// The releases to look into, best first, each once.
fn suites(codename: &str) -> Vec<String> {
    let mut suites = Vec::new();
    for suite in [PUBLISHED_IN, codename, "stable"] {
        if !suite.is_empty() && !suites.iter().any(|known| known == suite) {
            suites.push(suite.to_owned());
        }
    }
    suites
}

/// The release's name in `/etc/os-release`.
fn codename(os_release: &str) -> Option<String> {
    let value = os_release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    Some(value.trim().trim_matches('"').to_owned())
}

/// The versions in the table that `apt-cache madison` prints, which is newest first:
/// `package | version | source`.
fn versions(table: &str) -> impl Iterator<Item = &str> {
    table.lines().filter_map(|line| {
        let mut columns = line.split('|').map(str::trim);
        let (_package, version, source) = (columns.next()?, columns.next()?, columns.next()?);
        source.ends_with("Packages").then_some(version)
    })
}

/// Whether a package's version packages this release: `1.95.0+dfsg1-2` is of `1.95.0`, `1.95.01-1` is not.
fn is_release(version: &str, release: &str) -> bool {
    let upstream = version.split_once(':').map_or(version, |(_epoch, rest)| rest);
    upstream.strip_prefix(release).is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', '-']))
}

#[cfg(test)]
mod tests {
    use super::{codename, is_release, suites, versions};

    #[test]
    fn versions_of_binary_packages_in_order() {
        let table = "  rust-src | 1.96.1+dfsg1-2 | http://a.example/debian trixie-backports/main amd64 Packages\n  \
                     rust-src | 1.95.0+dfsg1-2 | http://a.example/debian trixie-backports/main amd64 Packages\n     \
                     rustc | 1.95.0+dfsg1-9 | http://a.example/debian trixie/main Sources\n";
        assert_eq!(versions(table).collect::<Vec<_>>(), ["1.96.1+dfsg1-2", "1.95.0+dfsg1-2"]);
    }

    #[test]
    fn only_the_same_release_counts() {
        assert!(is_release("1.95.0+dfsg1-2~bpo13+1", "1.95.0"));
        assert!(is_release("1:1.95.0-1", "1.95.0"));
        assert!(!is_release("1.95.01-1", "1.95.0"));
        assert!(!is_release("1.95.0~beta.3+dfsg1-1", "1.95.0"));
        assert!(!is_release("1.96.0+dfsg1-2", "1.95.0"));
    }

    #[test]
    fn the_own_release_is_looked_into_once() {
        assert_eq!(suites("bookworm"), ["trixie", "bookworm", "stable"]);
        assert_eq!(suites("trixie"), ["trixie", "stable"]);
        assert_eq!(suites(""), ["trixie", "stable"]);
    }

    #[test]
    fn the_codename_may_be_quoted_or_missing() {
        assert_eq!(codename("ID=debian\nVERSION_CODENAME=bookworm\n").as_deref(), Some("bookworm"));
        assert_eq!(codename("VERSION_CODENAME=\"bookworm\"").as_deref(), Some("bookworm"));
        assert_eq!(codename("ID=debian\n"), None);
    }
}
