//! The guide, from its first line to its last.

use std::fs;
use std::path::{Path, PathBuf};

use crate::document::{Document, Step};
use crate::machine::{Machine, repository};
use crate::workflow;

/// What of the example the repository of the guide does not have.
const NOT_IN_GUIDE: [&str; 4] = ["README.md", ".gitlab-ci.yml", "setup/company.sql", "setup/raito.sql"];

#[test]
fn the_guide_does_what_it_says() {
    let path = repository().join("docs/access-as-code.md");
    let text = fs::read_to_string(&path).unwrap();
    let document = Document::new(&text);
    let mut story = Story::begin();
    let mut bodies = Vec::new();
    for step in document.steps() {
        let body = document.body(&step);
        if let Some(actual) = story.take(&step, &body) {
            bodies.push((step.body, actual));
        }
    }
    let actual = document.with(&bodies);
    if std::env::var_os("RAITO_GUIDE_UPDATE").is_some() {
        fs::write(&path, actual).unwrap();
    } else {
        for (number, (told, is)) in text.lines().zip(actual.lines()).enumerate() {
            assert_eq!(told, is, "docs/access-as-code.md:{}", number + 1);
        }
        assert_eq!(text, actual);
    }
    story.ends_as_the_example();
}

struct Story {
    machine: Machine,
    /// What the last workflow printed.
    log: String,
    workflows: u32,
}

impl Story {
    fn begin() -> Self {
        let story = Story { machine: Machine::start(), log: String::new(), workflows: 0 };
        fs::write(story.machine.path("folder"), story.machine.path("home").to_str().unwrap()).unwrap();
        fs::write(story.machine.path("variables"), "").unwrap();
        story
    }

    /// Where the one who follows the guide is now.
    fn folder(&self) -> PathBuf {
        fs::read_to_string(self.machine.path("folder")).unwrap().trim_end().into()
    }

    /// Takes a step; gives what its block ought to be, if readers see it.
    fn take(&mut self, step: &Step, body: &str) -> Option<String> {
        let line = step.line;
        let (word, rest) = step.directive.split_once(' ').unwrap_or((step.directive.as_str(), ""));
        let actual = match word.trim_end_matches(',') {
            "run" => {
                let code = rest.strip_prefix("exit ").map_or(0, |code| code.parse().unwrap());
                self.run(line, body, code)
            }
            "file" => {
                let file = self.folder().join(rest);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, self.machine.localized(body)).unwrap();
                return None;
            }
            "same" => fs::read_to_string(repository().join(rest)).unwrap(),
            "workflow" => {
                let (event, branch) = rest.split_once(' ').unwrap();
                self.workflow(event, branch);
                return None;
            }
            "comment" => fs::read_to_string(self.machine.path("github/comment")).unwrap(),
            "log" => self.log.clone(),
            "not" => return None,
            other => panic!("line {line}: what is `{other}`?"),
        };
        step.visible.then_some(self.machine.normalized(&actual))
    }

    /// Runs the commands of a block; gives the block with what they print.
    fn run(&self, line: usize, body: &str, code: i32) -> String {
        let commands: Vec<&str> = body.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
        let mut block = String::new();
        for (at, command) in commands.iter().enumerate() {
            let wanted = if at + 1 == commands.len() { code } else { 0 };
            let output = self.command(line, &self.machine.localized(command), wanted);
            block.extend(["$ ", command, "\n", &output]);
        }
        block
    }

    fn command(&self, line: usize, command: &str, code: i32) -> String {
        let folder = self.folder();
        if command.starts_with("psql ") {
            return self.machine.psql(&folder, command);
        }
        // What a command changes of the shell stands in files for the next one.
        let [place, variables] =
            ["folder", "variables"].map(|name| self.machine.path(name).display().to_string());
        let script = format!(
            "set +e +o pipefail; . '{variables}'; {command}\ncode=$?\npwd > '{place}'; export -p > '{variables}'; exit $code"
        );
        let outcome = self.machine.bash(&folder, &[], &script);
        assert_eq!(outcome.code, code, "docs/access-as-code.md:{line}: {command}\n{}", outcome.output);
        outcome.output
    }

    /// What happens at GitHub: the branch is checked out, and the jobs for the event run.
    fn workflow(&mut self, event: &str, branch: &str) {
        self.workflows += 1;
        let checkout = self.machine.path(&format!("runner-{}", self.workflows));
        let clone = format!("git clone --quiet --branch {branch} origin.git {}", checkout.display());
        let cloned = self.machine.bash(&self.machine.path(""), &[], &clone);
        assert_eq!(cloned.code, 0, "{}", cloned.output);
        self.log = workflow::github(&self.machine, &checkout, event);
        if event == "schedule" {
            // An issue is open as long as there is drift, and says which.
            let drifted = !fs::read_to_string(checkout.join("drift.md")).unwrap().contains("no drift");
            assert_eq!(self.machine.path("github/issue").exists(), drifted, "{}", self.log);
        }
    }

    /// The repository that comes out is the one in the examples.
    fn ends_as_the_example(&self) {
        let example = repository().join("examples/access-as-code");
        let mut expected = Vec::new();
        files(&example, &example, &mut expected);
        expected.retain(|name| !NOT_IN_GUIDE.contains(&name.as_str()));
        let folder = self.machine.path("home/access");
        let listed = self.machine.bash(
            &folder,
            &[],
            "git status --porcelain >&2; git ls-tree -r --name-only origin/main",
        );
        let mut names: Vec<String> = listed.output.lines().map(str::to_owned).collect();
        names.sort();
        expected.sort();
        assert_eq!(names, expected, "{}", listed.output);
        for name in names {
            let [theirs, ours] =
                [&folder, &example].map(|folder| fs::read_to_string(folder.join(&name)).unwrap());
            assert_eq!(
                theirs,
                if name == "raito.yml" { self.machine.localized(&ours) } else { ours },
                "{name}"
            );
        }
    }
}

/// The files below a folder.
fn files(root: &Path, folder: &Path, names: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(root, &path, names);
        } else {
            names.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
}
