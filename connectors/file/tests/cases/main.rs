//! Folders of exported files as cases.
//!
//! `tests/cases/<name>/input/` is what the connector reads. The case says what must come out: `expected.json` with
//! the records, or `expected-errors.txt` with one line for each step that must fail. `request.json` may set
//! `parent`, `excludes`, `last` and `separator`. With `UPDATE_EXPECTED=1` in the environment the files are
//! written instead of compared.

mod rendered;

use std::cell::RefCell;
use std::error::Error;
use std::fs;
use std::path::Path;

use raito_connector::{KnownPeriod, Result as ConnectorResult, SyncScope};
use raito_connector_file::folder::Folder;
use raito_connector_file::{access, data_objects, identities, metadata, usage};
use serde_json::{Map, Value, json};

/// What came out of a folder.
struct Outcome {
    records: Map<String, Value>,
    errors: Vec<String>,
}

#[test]
fn every_case_gives_what_it_expects() -> Result<(), Box<dyn Error>> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut names = Vec::new();
    for entry in fs::read_dir(&cases)? {
        let path = entry?.path();
        if path.is_dir() {
            names.push(path);
        }
    }
    names.sort();
    assert!(names.len() > 10, "only {} cases were found", names.len());

    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let mut wrong = Vec::new();
    for case in names {
        let outcome = run(&case)?;
        let (file, text) = if outcome.errors.is_empty() {
            ("expected.json", serde_json::to_string_pretty(&outcome.records)? + "\n")
        } else {
            ("expected-errors.txt", outcome.errors.join("\n") + "\n")
        };
        if update {
            fs::write(case.join(file), text)?;
        } else if fs::read_to_string(case.join(file)).ok().as_deref() != Some(text.as_str()) {
            wrong.push(format!("{} differs from {file}; now:\n{text}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn the_example_of_the_quickstart_is_consistent() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart/data");
    let outcome = read(&folder, &json!({}), ".");
    assert_eq!(outcome.errors, [""; 0]);
    let list = |name: &str| outcome.records[name].as_array().cloned().unwrap_or_default();
    let names = |list: &str, field: &str| -> Vec<String> {
        let records = outcome.records[list].as_array().cloned().unwrap_or_default();
        records.iter().filter_map(|record| record[field].as_str().map(str::to_owned)).collect()
    };
    let (users, groups) = (names("users", "user-name"), names("groups", "name"));
    let (roles, objects) = (names("access-controls", "external-id"), names("data-objects", "full-name"));
    let known = |value: &Value, among: &[String]| {
        let name = value.as_str().unwrap_or_default();
        assert!(among.iter().any(|known| known == name), "{name:?} does not exist");
    };
    assert_eq!((users.len(), groups.len(), roles.len(), list("usage").len()), (24, 8, 12, 200));
    for control in list("access-controls") {
        for (field, among) in [("users", &users), ("groups", &groups), ("access-controls", &roles)] {
            for name in control["who"][field].as_array().into_iter().flatten() {
                known(name, among);
            }
        }
        for item in control["what"].as_array().into_iter().flatten() {
            known(&item["full-name"], &objects);
        }
    }
    for statement in list("usage") {
        known(&statement["user"], &users);
        if !statement["role"].is_null() {
            known(&statement["role"], &roles);
        }
        for item in statement["accessed"].as_array().into_iter().flatten() {
            known(&item["full-name"], &objects);
        }
    }
}

fn run(case: &Path) -> Result<Outcome, Box<dyn Error>> {
    let request = match fs::read_to_string(case.join("request.json")) {
        Ok(text) => serde_json::from_str(&text)?,
        Err(_) => json!({}),
    };
    let separator = request["separator"].as_str().unwrap_or(".").to_owned();
    Ok(read(&case.join("input"), &request, &separator))
}

fn read(input: &Path, request: &Value, separator: &str) -> Outcome {
    let mut outcome = Outcome { records: Map::new(), errors: Vec::new() };
    let folder = match Folder::open(input, separator) {
        Ok(folder) => folder,
        Err(error) => {
            // The path of the folder is another one on each machine.
            let message = rendered::error(&error).replace(&input.display().to_string(), "<input>");
            outcome.errors.push(format!("folder: {message}"));
            return outcome;
        }
    };
    let list = |name: &str| {
        request[name].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let scope =
        SyncScope { parent: request["parent"].as_str().map(str::to_owned), excludes: list("excludes") };
    let known = KnownPeriod { first: None, last: request["last"].as_u64() };

    let (mut groups, mut users) = (Vec::new(), Vec::new());
    let taken =
        identities::read(&folder, push(&mut groups, rendered::group), push(&mut users, rendered::user));
    outcome.step("identities", taken);
    let described = metadata::read(&folder).map(|metadata| {
        if metadata.source_type != "file" {
            outcome.records.insert("data-source".to_owned(), rendered::debugged(&metadata));
        }
    });
    outcome.step("data-source", described);
    let objects = RefCell::new(Vec::new());
    let taken = data_objects::read(
        &folder,
        &scope,
        |root| {
            objects.borrow_mut().push(rendered::root(root));
            Ok(())
        },
        |object| {
            objects.borrow_mut().push(rendered::object(&object));
            Ok(())
        },
    );
    outcome.step("data-objects", taken);
    let mut controls = Vec::new();
    let taken = access::read(&folder, push(&mut controls, rendered::control));
    outcome.step("access", taken);
    let mut statements = Vec::new();
    let taken = usage::read(&folder, &known, push(&mut statements, rendered::statement));
    outcome.step("usage", taken);

    for (name, records) in [
        ("groups", groups),
        ("users", users),
        ("data-objects", objects.into_inner()),
        ("access-controls", controls),
        ("usage", statements),
    ] {
        if !records.is_empty() {
            outcome.records.insert(name.to_owned(), Value::Array(records));
        }
    }
    outcome
}

impl Outcome {
    fn step(&mut self, name: &str, taken: ConnectorResult<()>) {
        if let Err(error) = taken {
            self.errors.push(format!("{name}: {}", rendered::error(&error)));
        }
    }
}

/// A taker that keeps the records as JSON.
fn push<R>(list: &mut Vec<Value>, render: impl Fn(&R) -> Value) -> impl FnMut(R) -> ConnectorResult<()> {
    move |record| {
        list.push(render(&record));
        Ok(())
    }
}
