//! The machine of somebody who follows the guide: a home, a shell, Git with a repository that can be pushed to, `raito`
//! and its connector, and a PostgreSQL server.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use raito_test_servers::Postgres;
use regex::Regex;
use tempfile::TempDir;

use crate::psql;

/// What the guide leaves out with `…`.
pub(crate) const PASSWORD: &str = "kept-from-everybody";

/// The port that the guide and the example name; the server of the test has another one.
const PORT: &str = "5432";

/// No command takes nearly as long, unless something hangs.
const GUARD: Duration = Duration::from_mins(2);

const GIT: &str = "[user]\nname = Ann\nemail = ann@example.com\n[init]\ndefaultBranch = main\n\
                   [advice]\ndetachedHead = false\n[commit]\ngpgSign = false\n";

pub(crate) struct Machine {
    folder: TempDir,
    pub(crate) server: Postgres,
}

/// How a command ended, and what it printed.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub code: i32,
    pub output: String,
}

/// The root of this repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The file of the connector.
fn connector() -> PathBuf {
    let Some(folder) = std::env::var_os("RAITO_TEST_CONNECTORS") else {
        panic!(
            "RAITO_TEST_CONNECTORS is not set: run the tests with `cargo xtask test`, which compiles the connectors"
        );
    };
    let file = Path::new(&folder).join("postgres.wasm");
    assert!(file.is_file(), "{} is missing: run the tests with `cargo xtask test`", file.display());
    file
}

impl Machine {
    pub(crate) fn start() -> Self {
        let machine = Machine { folder: tempfile::tempdir().unwrap(), server: Postgres::start() };
        for folder in ["bin", "home/.raito/connectors", "github"] {
            fs::create_dir_all(machine.path(folder)).unwrap();
        }
        symlink(env!("CARGO_BIN_EXE_raito"), machine.path("bin/raito")).unwrap();
        fs::write(machine.path("bin/gh"), include_str!("gh.sh")).unwrap();
        fs::set_permissions(machine.path("bin/gh"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink(connector(), machine.path("home/.raito/connectors/postgres.wasm")).unwrap();
        symlink(repository(), machine.path("home/raito")).unwrap();
        let origin = machine.path("origin.git");
        let instead = format!("[url \"{}\"]\ninsteadOf = git@github.com:acme/access.git\n", origin.display());
        fs::write(machine.path("home/.gitconfig"), GIT.to_owned() + &instead).unwrap();
        let made = machine.bash(&machine.path(""), &[], "git init --quiet --bare origin.git");
        assert_eq!(made.code, 0, "{}", made.output);
        machine
    }

    /// A path on the machine. The one who follows the guide is at `home`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// A text of the guide or the example, as it has to be here.
    pub(crate) fn localized(&self, text: &str) -> String {
        text.replace(PORT, &self.server.port().to_string()).replace('…', PASSWORD)
    }

    /// A text of this machine, as it would be at everybody's: without the port, folders and moments of this run.
    pub(crate) fn normalized(&self, text: &str) -> String {
        assert!(!text.contains(PASSWORD), "a secret was shown: {text}");
        let moment = Regex::new(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(\.\d{3})?").unwrap();
        let text = moment.replace_all(text, |found: &regex::Captures<'_>| {
            format!("2026-11-23T09-30-00{}", if found.get(1).is_some() { ".000" } else { "" })
        });
        text.replace(&format!(":{}", self.server.port()), &format!(":{PORT}"))
            .replace(&self.path("home").display().to_string(), "/home/ann")
    }

    /// Runs a script in a folder with these variables, and with nothing else in its environment but what it takes.
    pub(crate) fn bash(&self, folder: &Path, variables: &[(String, String)], script: &str) -> Outcome {
        let file = tempfile::tempfile().unwrap();
        let mut command = Command::new("bash");
        command
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
            .current_dir(folder)
            .env_clear();
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.path("bin").display()));
        // The connector is compiled once for all tests, not once for each.
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
        command.env("HOME", self.path("home")).env("XDG_CACHE_HOME", cache).env("LC_ALL", "C");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GITHUB_STATE", self.path("github"));
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let output = || Stdio::from(file.try_clone().unwrap());
        command.stdin(Stdio::null()).stdout(output()).stderr(output());
        let code = finish(command);
        Outcome { code, output: read(file) }
    }

    /// Runs a command of `psql` as the superuser.
    pub(crate) fn psql(&self, folder: &Path, command: &str) -> String {
        psql::run(&self.server, folder, command)
    }

    /// The example's database and roles.
    pub(crate) fn set_up(&self) {
        for file in ["company", "raito"] {
            let path = repository().join(format!("examples/access-as-code/setup/{file}.sql"));
            self.psql(&self.path("home"), &format!("psql --file={}", path.display()));
        }
        for role in ["raito", "raito_plan"] {
            self.server.sql("postgres", &format!("ALTER ROLE {role} PASSWORD '{PASSWORD}'"));
        }
    }
}

/// Waits for a program. One that hangs is ended, and fails the test.
fn finish(mut command: Command) -> i32 {
    let mut child = command.spawn().unwrap();
    let id = child.id();
    let (done, ended) = channel::<()>();
    let guard = std::thread::spawn(move || {
        let hangs = ended.recv_timeout(GUARD).is_err();
        if hangs {
            let killed = Command::new("kill").args(["-KILL", &id.to_string()]).status().unwrap();
            assert!(killed.success());
        }
        hangs
    });
    let status = child.wait().unwrap();
    // The guard has gone already if it had to act.
    let _ = done.send(());
    assert!(!guard.join().unwrap(), "still running after {GUARD:?}: {command:?}");
    status.code().unwrap_or(-1)
}

fn read(mut file: File) -> String {
    use std::io::Seek as _;
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}
