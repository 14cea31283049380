//! The server programs of PostgreSQL, which the end-to-end tests run: finds them, or installs Debian's package
//! where that is possible without asking anybody.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use anyhow::{Context as _, Result, bail};

use crate::process;

/// Where Debian keeps the server programs, outside `PATH`: one folder per major version, each with a `bin`.
const DEBIAN_FOLDER: &str = "/usr/lib/postgresql";

/// Debian's settings for the server that installing its package would create and start.
const CREATE_CLUSTER: &str = "/etc/postgresql-common/createcluster.conf";

/// The folder with `initdb`, `postgres` and `pg_ctl`, installing them if they are missing and that is possible.
pub(crate) fn server_programs() -> Result<PathBuf> {
    if let Some(folder) = find() {
        return Ok(folder);
    }
    install().context(
        "the tests need PostgreSQL's server programs, and `initdb` is neither on PATH nor in \
         /usr/lib/postgresql/*/bin; install them (on Debian and its kin: the package `postgresql`)",
    )?;
    find().context("the package `postgresql` was installed, but brought no `initdb`")
}

fn find() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|folder| folder.join("initdb"));
    let debian = debian_folders(Path::new(DEBIAN_FOLDER)).into_iter().map(|folder| folder.join("initdb"));
    on_path.chain(debian).find_map(|initdb| with_server(&initdb))
}

/// The folder that a path to `initdb` really leads to, if the server lies beside it. A link is followed, since
/// `initdb` alone may be linked into a folder of `PATH`.
fn with_server(initdb: &Path) -> Option<PathBuf> {
    let folder = initdb.canonicalize().ok()?.parent()?.to_path_buf();
    ["initdb", "postgres", "pg_ctl"].iter().all(|name| folder.join(name).is_file()).then_some(folder)
}

/// The program folders of the versions that Debian's packages installed, newest first.
fn debian_folders(parent: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let mut versions: Vec<u32> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    versions.sort_unstable_by(|one, other| other.cmp(one));
    versions.into_iter().map(|version| parent.join(version.to_string()).join("bin")).collect()
}

fn install() -> Result<()> {
    process::find_program("apt-get").context("there is no apt-get to install them with")?;
    let Some(privileged) = Privileges::find() else {
        bail!("installing them takes root or a `sudo` that asks no password");
    };
    eprintln!("installing the package `postgresql`, whose server programs the tests run");
    if !Path::new(CREATE_CLUSTER).exists() {
        // Only the programs are wanted, not a server of the system's own. What is there already is somebody's.
        let script = format!(
            "mkdir -p \"$(dirname {CREATE_CLUSTER})\" && echo 'create_main_cluster = false' > {CREATE_CLUSTER}"
        );
        process::run_aside(privileged.command("sh").args(["-c", &script]))?;
    }
    apt_install(privileged, "postgresql")
}

/// Installs a package of Debian's, where that is possible without asking anybody.
pub(crate) fn install_package(name: &str) -> Result<()> {
    process::find_program("apt-get")
        .with_context(|| format!("there is no apt-get to install {name} with"))?;
    let Some(privileged) = Privileges::find() else {
        bail!("installing {name} takes root or a `sudo` that asks no password");
    };
    apt_install(privileged, name)
}

fn apt_install(privileged: Privileges, name: &str) -> Result<()> {
    process::run_aside(privileged.command("apt-get").args(["-qq", "update"]))?;
    process::run_aside(
        privileged
            .command("env")
            .args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "install", "--yes"])
            .args(["--no-install-recommends", name]),
    )
}

/// How commands are run that change the system.
#[derive(Clone, Copy, Debug)]
enum Privileges {
    Root,
    Sudo,
}

impl Privileges {
    fn find() -> Option<Self> {
        if process::capture(Command::new("id").arg("-u")).is_ok_and(|user| user.trim() == "0") {
            return Some(Self::Root);
        }
        process::find_program("sudo")?;
        let asks_nothing =
            process::run_aside(Command::new("sudo").args(["-n", "true"]).stderr(Stdio::null()));
        asks_nothing.is_ok().then_some(Self::Sudo)
    }

    fn command(self, program: &str) -> Command {
        match self {
            Self::Root => Command::new(program),
            Self::Sudo => {
                let mut command = Command::new("sudo");
                command.args(["-n", program]);
                command
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use anyhow::Result;

    use super::{debian_folders, with_server};

    #[test]
    fn the_newest_version_comes_first_by_number() -> Result<()> {
        let parent = std::env::temp_dir().join(format!("xtask-postgres-{}", std::process::id()));
        for name in ["9", "15", "common"] {
            fs::create_dir_all(parent.join(name).join("bin"))?;
        }
        assert_eq!(debian_folders(&parent), [parent.join("15/bin"), parent.join("9/bin")]);
        assert!(debian_folders(&parent.join("missing")).is_empty());
        fs::remove_dir_all(&parent)?;
        Ok(())
    }

    #[test]
    fn initdb_counts_only_beside_the_server() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("xtask-initdb-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("initdb"), "")?;
        fs::write(folder.join("pg_ctl"), "")?;
        assert_eq!(with_server(&folder.join("initdb")), None);
        fs::write(folder.join("postgres"), "")?;
        assert_eq!(with_server(&folder.join("initdb")), Some(folder.canonicalize()?));
        fs::remove_dir_all(&folder)?;
        Ok(())
    }
}
