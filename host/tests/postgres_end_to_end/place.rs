//! A folder with a configuration, and the program run in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// No run takes nearly as long, unless something hangs.
const GUARD: Duration = Duration::from_mins(2);

/// The file of the connector.
pub(crate) fn connector() -> PathBuf {
    let Some(folder) = std::env::var_os("RAITO_TEST_CONNECTORS") else {
        panic!(
            "RAITO_TEST_CONNECTORS is not set: run the tests with `cargo xtask test`, which compiles the connectors"
        );
    };
    let file = Path::new(&folder).join("postgres.wasm");
    assert!(file.is_file(), "{} is missing: run the tests with `cargo xtask test`", file.display());
    file
}

/// A folder of one test. It is the working folder and the home of what runs in it.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        fs::write(self.folder.path().join(name), content).unwrap();
    }

    /// The program with these arguments: in this folder, at home in it, and with nothing in its environment but what
    /// it takes to run.
    pub(crate) fn raito(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_raito"));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        // The connector is compiled once for all tests, not once for each.
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
        command.env("HOME", self.folder.path()).env("XDG_CACHE_HOME", cache);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What the cloud in a folder says it holds.
    pub(crate) fn status(&self, arguments: &[&str]) -> Value {
        let mut command = self.raito(&["cloud", "status", "--format", "json"]);
        command.args(arguments);
        finish(command).succeeded().json()
    }

    /// A file below the folder that holds this text.
    pub(crate) fn holds(&self, text: &str) -> Option<PathBuf> {
        fn search(folder: &Path, bytes: &[u8]) -> Option<PathBuf> {
            fs::read_dir(folder).unwrap().find_map(|entry| {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    return search(&path, bytes);
                }
                let content = fs::read(&path).unwrap();
                content.windows(bytes.len()).any(|window| window == bytes).then_some(path)
            })
        }
        search(self.folder.path(), text.as_bytes())
    }

    /// Files directly in the folder whose name contains `part`.
    pub(crate) fn files(&self, part: &str) -> Vec<String> {
        let names = fs::read_dir(self.folder.path()).unwrap();
        names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains(part))
            .collect()
    }
}

/// Runs a program to its end. One that hangs is ended, and fails the test.
pub(crate) fn finish(mut command: Command) -> Outcome {
    let child = command.spawn().unwrap();
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

/// Sends a signal to a process that the test started.
pub(crate) fn signal(name: &str, process: u32) {
    let status = Command::new("kill").args([format!("-{name}"), process.to_string()]).status().unwrap();
    assert!(status.success());
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Asserts a failure with this exit code, told in one line with the cause and one with the hint.
    #[track_caller]
    pub(crate) fn failed(self, code: i32, cause: &str, hint: &str) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        let lines: Vec<&str> = self.stderr.lines().collect();
        let told = lines.iter().enumerate().any(|(at, line)| {
            let next = lines.get(at + 1).copied().unwrap_or_default();
            line.starts_with("error: ")
                && line.contains(cause)
                && (hint.is_empty() || next.starts_with("  hint: ") && next.contains(hint))
        });
        assert!(told, "no error with {cause:?} and hint {hint:?} in:\n{}", self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The steps of a target, one line for each count: `step what total added/updated/removed/failed`, or how it ended.
    #[track_caller]
    pub(crate) fn steps(&self, target: &str) -> Vec<String> {
        let summary = self.json();
        let targets = summary["targets"].as_array().unwrap();
        let found = targets.iter().find(|one| one["target"] == target);
        let steps =
            found.unwrap_or_else(|| panic!("no target {target} in {summary:#}"))["steps"].as_array().unwrap();
        let mut lines = Vec::new();
        for step in steps {
            let name = step["step"].as_str().unwrap();
            if step["status"]["is"] != "completed" {
                lines.push(format!("{name} {}", step["status"]["is"].as_str().unwrap()));
            }
            for result in step["results"].as_array().unwrap() {
                let total = result["total"].as_u64().map(|total| format!(" of {total}")).unwrap_or_default();
                let [added, updated, removed, failed] =
                    ["added", "updated", "removed", "failed"].map(|key| result[key].as_u64().unwrap());
                lines.push(format!(
                    "{name}: {}{total} {added}/{updated}/{removed}/{failed}",
                    result["objectType"].as_str().unwrap()
                ));
            }
        }
        lines
    }

    /// Asserts that nothing was added, updated, removed or failed in any step.
    #[track_caller]
    pub(crate) fn at_rest(self, target: &str) -> Self {
        let steps = self.steps(target);
        assert_eq!(steps.len(), 6, "{steps:#?}");
        assert!(steps.iter().all(|line| line.ends_with(" 0/0/0/0")), "{steps:#?}");
        self
    }
}
