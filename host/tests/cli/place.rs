//! A folder with a configuration, and the program run in it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// No run of these tests takes nearly as long, unless something hangs.
const GUARD: Duration = Duration::from_mins(1);

/// The file of a guest.
pub(crate) fn guest(name: &str) -> PathBuf {
    let Some(folder) = std::env::var_os("RAITO_TEST_GUESTS") else {
        panic!(
            "RAITO_TEST_GUESTS is not set: run the tests with `cargo xtask test`, which compiles the guests"
        );
    };
    let file = Path::new(&folder).join(format!("{name}.wasm"));
    assert!(file.is_file(), "{} is missing: run the tests with `cargo xtask test`", file.display());
    file
}

/// A folder of one test. It is the working folder and the home of what runs in it.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    /// A folder with a `raito.yml` for the embedded cloud and these targets, written as YAML without indentation.
    pub(crate) fn with_targets(targets: &[String]) -> Self {
        let place = Place::new();
        place.configure("", targets);
        place
    }

    /// Writes `raito.yml`: the embedded cloud, what else stands at the top, the targets.
    pub(crate) fn configure(&self, top: &str, targets: &[String]) {
        let mut text = format!("embedded: true\n{top}targets:\n");
        for target in targets {
            for (at, line) in target.trim_end().lines().enumerate() {
                text.push_str(if at == 0 { "  - " } else { "    " });
                text.push_str(line);
                text.push('\n');
            }
        }
        self.write("raito.yml", &text);
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file, and the folders it is in.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let file = self.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        file
    }

    /// Reads a file as text.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// The one file in the folder whose name contains `part`.
    pub(crate) fn read_matching(&self, part: &str) -> String {
        let found: Vec<_> = fs::read_dir(self.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains(part))
            .collect();
        assert_eq!(found.len(), 1, "one file with {part} among {found:?}");
        self.read(&found[0])
    }

    /// The program with these arguments: in this folder, at home in it, and with nothing in its environment that
    /// would change what it does.
    pub(crate) fn raito(&self, arguments: &[&str]) -> Raito {
        let mut command = Command::new(env!("CARGO_BIN_EXE_raito"));
        command.args(arguments).current_dir(self.path());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy().to_uppercase();
            let meddles = ["RAITO_", "AWS_"].iter().any(|prefix| text.starts_with(prefix))
                || text.ends_with("_PROXY")
                || ["CI", "NO_COLOR", "RUST_LOG"].contains(&text.as_str());
            if meddles {
                command.env_remove(name);
            }
        }
        // Guests are compiled once for all tests, not once for each.
        command.env("HOME", self.path()).env("TERM", "dumb");
        command.env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"));
        Raito { command, input: None }
    }

    /// `raito run` with these arguments and a summary for machines.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.raito(&[&["run", "--format", "json"], arguments].concat()).finish()
    }

    /// What the cloud of this folder says it holds, as JSON.
    pub(crate) fn status(&self) -> Value {
        let outcome = self.raito(&["cloud", "status", "--format", "json"]).finish();
        assert_eq!(outcome.code, 0, "{outcome:?}");
        outcome.json()
    }

    /// Asserts that nothing at all was imported: what a failed first step must leave behind.
    pub(crate) fn assert_nothing_imported(&self) {
        if !self.path().join(".raito").exists() {
            return;
        }
        for source in self.status()["dataSources"].as_array().unwrap() {
            for count in ["users", "groups", "accessControls", "externalAccessControls", "statements"] {
                assert_eq!(source[count], 0, "{count} in {source:#}");
            }
            assert_eq!(source["dataObjects"], serde_json::json!({}), "{source:#}");
        }
    }

    /// Whether any file below the folder holds these bytes.
    pub(crate) fn holds(&self, text: &str) -> Option<PathBuf> {
        fn search(folder: &Path, bytes: &[u8]) -> Option<PathBuf> {
            fs::read_dir(folder).unwrap().find_map(|entry| {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    return search(&path, bytes);
                }
                let content = fs::read(&path).unwrap_or_default();
                content.windows(bytes.len()).any(|window| window == bytes).then_some(path)
            })
        }
        search(self.path(), text.as_bytes())
    }
}

/// The program, not started yet.
pub(crate) struct Raito {
    command: Command,
    input: Option<PathBuf>,
}

impl Raito {
    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Reads standard input from this file.
    pub(crate) fn input(mut self, file: PathBuf) -> Self {
        self.input = Some(file);
        self
    }

    /// Starts it at a terminal, which the system's `script` makes: what it shows comes out of standard output, and what is
    /// written to standard input are the keys that are pressed.
    pub(crate) fn at_a_terminal(self) -> Child {
        let quoted = |word: &OsStr| format!("'{}'", word.to_str().unwrap().replace('\'', "'\\''"));
        let words: Vec<_> =
            std::iter::once(self.command.get_program()).chain(self.command.get_args()).map(quoted).collect();
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--echo", "never", "--command", &words.join(" "), "/dev/null"]);
        script.current_dir(self.command.get_current_dir().unwrap());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => script.env(name, value),
                None => script.env_remove(name),
            };
        }
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Starts it with pipes for its output.
    pub(crate) fn start(mut self) -> Child {
        let input = self.input.map_or_else(Stdio::null, |file| fs::File::open(file).unwrap().into());
        self.command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command.spawn().unwrap()
    }

    /// Runs it to its end. Something that hangs is ended by the guard, and fails the test.
    pub(crate) fn finish(self) -> Outcome {
        let child = self.start();
        let id = child.id();
        let (done, ended) = channel::<()>();
        let guard = std::thread::spawn(move || {
            let hangs = ended.recv_timeout(GUARD).is_err();
            if hangs {
                signal("KILL", id);
            }
            hangs
        });
        let output = child.wait_with_output().unwrap();
        // The guard has gone already if it had to act.
        let _ = done.send(());
        let outcome = Outcome {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!guard.join().unwrap(), "still running after {GUARD:?}: {outcome:?}");
        outcome
    }
}

/// Sends a signal to a process that the test started.
pub(crate) fn signal(name: &str, process: u32) {
    let status = Command::new("kill").args([format!("-{name}"), process.to_string()]).status().unwrap();
    assert!(status.success());
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The exit code; -1 if a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts success.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// Asserts a failure with this exit code, told on standard error as one line with the cause and one with the hint.
    #[track_caller]
    pub(crate) fn failed(self, code: i32, cause: &str, hint: &str) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        let mut lines = self.stderr.lines().skip_while(|line| !line.starts_with("error: ")).peekable();
        let mut told = false;
        while let Some(line) = lines.next() {
            let next = lines.peek().copied().unwrap_or_default();
            let hinted =
                if hint.is_empty() { true } else { next.starts_with("  hint: ") && next.contains(hint) };
            told |= line.starts_with("error: ") && line.contains(cause) && hinted;
        }
        assert!(told, "no error with {cause:?} and hint {hint:?} in:\n{}", self.stderr);
        self
    }

    /// The summary of a target.
    #[track_caller]
    pub(crate) fn target(&self, name: &str) -> Value {
        let summary = self.json();
        let targets = summary["targets"].as_array().unwrap();
        let found = targets.iter().find(|target| target["target"] == name);
        found.unwrap_or_else(|| panic!("no target {name} in {summary:#}")).clone()
    }

    /// The steps of a target, one line for each count: `step what added/updated/removed/failed`, or how it ended.
    #[track_caller]
    pub(crate) fn steps(&self, target: &str) -> Vec<String> {
        let target = self.target(target);
        let mut lines = Vec::new();
        for step in target["steps"].as_array().unwrap() {
            let name = step["step"].as_str().unwrap();
            let status = step["status"]["is"].as_str().unwrap();
            if status != "completed" {
                let why = step["status"]["why"].as_str().unwrap_or_default();
                lines.push(format!("{name} {status} {why}").trim_end().to_owned());
            }
            for result in step["results"].as_array().unwrap() {
                let kind = result["objectType"].as_str().unwrap();
                let [added, updated, removed, failed] =
                    ["added", "updated", "removed", "failed"].map(|key| result[key].as_u64().unwrap());
                lines.push(format!("{name} {kind} {added}/{updated}/{removed}/{failed}"));
            }
        }
        lines
    }
}
