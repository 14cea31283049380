//! The examples for deployments say what the command line understands.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory as _;
use raito::cli::{self, Cli};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/deployment")
}

fn files(extensions: &[&str]) -> Vec<PathBuf> {
    let (mut found, mut pending) = (Vec::new(), vec![folder()]);
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|found| extensions.iter().any(|wanted| found == *wanted)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn documents(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    let parse = |text: &str| {
        serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    text.split("\n---\n").map(parse).collect()
}

/// Every object in a document.
fn objects<'v>(value: &'v Value, each: &mut impl FnMut(&'v serde_json::Map<String, Value>)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| objects(item, each)),
        Value::Object(object) => {
            each(object);
            object.values().for_each(|item| objects(item, each));
        }
        _ => {}
    }
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// The command lines of all containers of the image.
fn container_lines() -> Vec<(PathBuf, Vec<String>)> {
    let mut lines = Vec::new();
    for file in files(&["yaml", "yml"]) {
        for document in documents(&file) {
            objects(&document, &mut |object| {
                if object.get("image").is_some_and(|image| image == "raito") {
                    let line = object
                        .get("args")
                        .or(object.get("command"))
                        .unwrap_or_else(|| panic!("{}", file.display()));
                    lines.push((file.clone(), words(line)));
                }
            });
        }
    }
    lines
}

/// The command lines of the units, with what systemd puts in.
fn unit_lines() -> Vec<(PathBuf, Vec<String>)> {
    let line = |file: PathBuf| {
        let text = fs::read_to_string(&file).unwrap();
        let line =
            text.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/raito ")).unwrap();
        let line = line.replace("${STATE_DIRECTORY}", "/var/lib/raito-cloud");
        let words = line.split('"').enumerate().flat_map(|(part, text)| {
            if part % 2 == 1 {
                vec![text.to_owned()]
            } else {
                text.split_whitespace().map(str::to_owned).collect()
            }
        });
        (file, words.collect())
    };
    files(&["service"]).into_iter().map(line).collect()
}

#[test]
fn every_command_line_is_one_of_this_program() {
    let lines: Vec<_> = container_lines().into_iter().chain(unit_lines()).collect();
    assert_eq!(lines.len(), 8, "{lines:?}");
    for (file, words) in lines {
        // What the shell or the composition puts in.
        let words = words.iter().map(|word| match word.split_once("${") {
            Some((flag, _)) => format!("{flag}https://raito.acme.example/"),
            None => word.clone(),
        });
        let parsed = cli::parse(std::iter::once("raito".to_owned()).chain(words));
        assert!(parsed.is_ok(), "{}: {}", file.display(), parsed.unwrap_err());
    }
}

#[test]
fn every_variable_of_the_server_is_known() {
    let mut known: BTreeSet<String> = BTreeSet::from([cli::PASSWORD_VARIABLE.to_owned()]);
    known.insert("RAITO_CLOUD_DATABASE".to_owned());
    let command = Cli::command();
    let cloud = command.find_subcommand("cloud").unwrap();
    for argument in cloud.get_subcommands().flat_map(clap::Command::get_arguments) {
        known.extend(argument.get_env().map(|name| name.to_string_lossy().into_owned()));
    }
    let named = regex::Regex::new("RAITO_CLOUD_[A-Z_]+").unwrap();
    let mut seen = 0;
    for file in files(&["yaml", "yml", "service", "env"]).into_iter().chain([folder().join("Dockerfile")]) {
        let text = fs::read_to_string(&file).unwrap();
        for name in named.find_iter(&text) {
            assert!(known.contains(name.as_str()), "{}: {}", file.display(), name.as_str());
            seen += 1;
        }
    }
    assert!(seen > 5, "{seen}");
}

#[test]
fn probes_ask_for_what_is_there() {
    for document in documents(&folder().join("kubernetes/cloud.yaml")) {
        objects(&document, &mut |object| {
            if let Some(path) = object.get("httpGet").map(|probe| &probe["path"]) {
                assert!(path == "/ready" || path == "/health", "{path}");
            }
        });
    }
}

#[test]
fn the_units_are_sound() {
    let units = files(&["service"]);
    assert_eq!(units.len(), 2);
    let place = tempfile::tempdir().unwrap();
    for unit in units {
        let text = fs::read_to_string(&unit).unwrap();
        for needed in
            ["DynamicUser=yes", "ProtectSystem=strict", "NoNewPrivileges=yes", "CapabilityBoundingSet=\n"]
        {
            assert!(text.contains(needed), "{}: {needed}", unit.display());
        }
        // The program is where this test has it.
        let copy = place.path().join(unit.file_name().unwrap());
        fs::write(&copy, text.replace("/usr/local/bin/raito", env!("CARGO_BIN_EXE_raito"))).unwrap();
        // Machines without systemd have nothing to check it with.
        let Ok(output) = Command::new("systemd-analyze").arg("verify").arg(&copy).output() else { continue };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("raito"), "{said}");
    }
}
