//! The steps of the example's workflows that are plain shell, with what the services put into their environment.

use std::fs;
use std::path::Path;

use regex::{Captures, Regex};
use serde_json::Value;

use crate::machine::{Machine, Outcome, PASSWORD};

/// The commit that pull requests are at here.
const COMMIT: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";

pub(crate) fn parse(path: &Path) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Runs the jobs of GitHub's workflow for an event in a folder that is checked out. Gives what they print.
#[track_caller]
pub(crate) fn github(machine: &Machine, checkout: &Path, event: &str) -> String {
    let workflow = parse(&checkout.join(".github/workflows/access.yml"));
    assert_eq!(workflow["permissions"], serde_json::json!({}), "jobs name what they need");
    assert_eq!(workflow["defaults"]["run"]["shell"], "bash");
    let mut log = String::new();
    let mut ran = 0;
    for (name, job) in workflow["jobs"].as_object().unwrap() {
        let condition = job["if"].as_str().unwrap();
        if ![format!("'{event}'"), format!("\"{event}\"")].iter().any(|word| condition.contains(word)) {
            continue;
        }
        // What steps hand on.
        let outputs = machine.path("outputs");
        fs::write(&outputs, "").unwrap();
        for step in job["steps"].as_array().unwrap() {
            let Some(script) = step["run"].as_str() else {
                let used = step["uses"].as_str().unwrap();
                assert!(used.starts_with("./") || is_pinned(used), "{used} can change under its name");
                continue;
            };
            assert!(
                !script.contains("${{"),
                "{name}: what others write must not get into a script: {script}"
            );
            let mut variables: Vec<(String, String)> = step["env"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, value)| (key.clone(), expanded(value.as_str().unwrap(), &outputs)))
                .collect();
            variables.extend(
                [
                    ("GITHUB_REPOSITORY", "acme/access"),
                    ("GITHUB_OUTPUT", outputs.to_str().unwrap()),
                    ("GITHUB_STEP_SUMMARY", "/dev/null"),
                ]
                .map(|(key, value)| (key.to_owned(), value.to_owned())),
            );
            let outcome = machine.bash(checkout, &variables, script);
            assert_eq!(outcome.code, 0, "{name}: {script}\n{}", outcome.output);
            log.push_str(&outcome.output);
            ran += 1;
        }
    }
    assert!(ran > 0, "no job is for {event}");
    log
}

/// An action of others is named by the hash of a commit.
fn is_pinned(action: &str) -> bool {
    let hash = action.split_once('@').map(|(_, hash)| hash).unwrap_or_default();
    hash.len() == 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn expanded(text: &str, outputs: &Path) -> String {
    let expression = Regex::new(r"\$\{\{ (.*?) \}\}").unwrap();
    let value = |found: &Captures<'_>| match &found[1] {
        "secrets.PG_PLAN_PASSWORD" | "secrets.PG_APPLY_PASSWORD" => PASSWORD.to_owned(),
        "github.token" => "token".to_owned(),
        "github.server_url" => "https://github.com".to_owned(),
        "github.repository" => "acme/access".to_owned(),
        "github.run_id" => "1".to_owned(),
        "github.event.pull_request.number" => "7".to_owned(),
        "github.event.pull_request.head.sha" => COMMIT.to_owned(),
        "inputs.max-removals" => String::new(),
        "steps.compare.outputs.status" => {
            let outputs = fs::read_to_string(outputs).unwrap();
            outputs.trim().strip_prefix("status=").unwrap().to_owned()
        }
        other => panic!("{other} is not known here"),
    };
    expression.replace_all(text, value).into_owned()
}

/// Runs one job of GitLab's pipeline in a folder that is checked out.
pub(crate) fn gitlab(machine: &Machine, checkout: &Path, name: &str) -> Outcome {
    let pipeline = parse(&checkout.join(".gitlab-ci.yml"));
    let job = &pipeline[name];
    assert_eq!(job["extends"], ".raito", "{name}");
    let variables = job["variables"].as_object().into_iter().flatten().map(|(key, value)| {
        let value = match value.as_str().unwrap() {
            "$PG_PLAN_PASSWORD" | "$PG_APPLY_PASSWORD" => PASSWORD,
            plain => plain,
        };
        (key.clone(), value.to_owned())
    });
    let lines: Vec<&str> =
        job["script"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    machine.bash(checkout, &variables.collect::<Vec<_>>(), &lines.join("\n"))
}
