//! Compiles the WebAssembly components of this workspace and puts them where people and tests look for them:
//! connectors into `target/connectors/<name>.wasm`, the guests of the tests into `target/guests/<name>.wasm`.
//!
//! A connector is a folder `connectors/<name>` whose package is `raito-connector-<name>`. A guest is an example of
//! the package in `tests/guests`. What cargo built is taken from its own messages, so that a file left behind by
//! an earlier build, or by a guest that no longer exists, is never mistaken for a component.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::process;
use crate::wasm_target::WasmTarget;
use crate::workspace::Workspace;

/// What the package of a connector is called before its name.
const CONNECTOR_PREFIX: &str = "raito-connector-";

/// The package whose examples are the guests of the tests.
const GUESTS_PACKAGE: &str = "raito-test-guests";

/// Components by the name that their file gets, with the file that cargo wrote.
type Components = BTreeMap<String, PathBuf>;

/// Compiles the connectors named, or all where none is, and returns the folder that holds them.
///
/// Compiling all of them also removes what is left of connectors that no longer exist.
pub(crate) fn build_connectors(
    workspace: &Workspace,
    target: &WasmTarget,
    only: &[String],
) -> Result<PathBuf> {
    let known = connectors(workspace)?;
    if let Some(unknown) = only.iter().find(|name| !known.contains(name)) {
        bail!("there is no connector `{unknown}`; there are: {}", known.join(", "));
    }
    let names = if only.is_empty() { &known } else { only };
    let packages = names.iter().map(|name| format!("{CONNECTOR_PREFIX}{name}"));
    let arguments: Vec<_> = packages.flat_map(|package| ["--package".to_owned(), package]).collect();
    let built = build(workspace, target, &arguments)?;

    let mut components = Components::new();
    for name in names {
        let library = format!("{CONNECTOR_PREFIX}{name}").replace('-', "_");
        let file = built.get(&library).with_context(|| format!("connector {name} is not a `cdylib`"))?;
        components.insert(name.clone(), file.clone());
    }
    let folder = workspace.target.join("connectors");
    place(&folder, &components)?;
    if only.is_empty() {
        remove_others(&folder, &components)?;
    }
    Ok(folder)
}

/// Compiles the guests of the tests and returns the folder that holds them and nothing else.
pub(crate) fn build_guests(workspace: &Workspace, target: &WasmTarget) -> Result<PathBuf> {
    let arguments = ["--package", GUESTS_PACKAGE, "--examples", "--features", "guests"].map(str::to_owned);
    let components = build(workspace, target, &arguments)?;
    let folder = workspace.target.join("guests");
    place(&folder, &components)?;
    remove_others(&folder, &components)?;
    Ok(folder)
}

/// The names of the connectors in this workspace, in order.
fn connectors(workspace: &Workspace) -> Result<Vec<String>> {
    let folder = workspace.root.join("connectors");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.extend(entry.file_name().into_string());
        }
    }
    names.sort();
    Ok(names)
}

/// Has cargo compile for the WebAssembly target; the components that came out, by the name of their cargo target.
fn build(workspace: &Workspace, target: &WasmTarget, arguments: &[String]) -> Result<Components> {
    let mut cargo = workspace.cargo();
    cargo.arg("build").args(arguments).args(["--profile", "connector"]);
    // Errors and warnings of the compiler still go to the terminal as text.
    cargo.arg("--message-format=json-render-diagnostics").stdin(Stdio::null());
    target.prepare(&mut cargo)?;
    artifacts(&process::capture(&mut cargo)?)
}

/// The `.wasm` files that cargo's messages, one JSON object a line, say were built.
fn artifacts(messages: &str) -> Result<Components> {
    let mut components = Components::new();
    // Build scripts and procedural macros may print lines of their own in between.
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: Value = serde_json::from_str(line).context("cannot read a message of cargo")?;
        if message["reason"] != "compiler-artifact" {
            continue;
        }
        let files = message["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for file in files.map(PathBuf::from).filter(|file| is_component(file)) {
            if let Some(name) = message["target"]["name"].as_str() {
                components.insert(name.to_owned(), file);
            }
        }
    }
    Ok(components)
}

/// Copies the components into a folder, each under its name. A file that is the same already stays untouched, so
/// that whatever was derived from it stays fresh.
fn place(folder: &Path, components: &Components) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for (name, built) in components {
        let bytes = fs::read(built).with_context(|| format!("cannot read {}", built.display()))?;
        let file = folder.join(name).with_extension("wasm");
        if fs::read(&file).is_ok_and(|present| present == bytes) {
            continue;
        }
        // Somebody may be running the old one: it is replaced, never written into.
        let partial = folder.join(name).with_extension("partial");
        fs::write(&partial, bytes).with_context(|| format!("cannot write {}", partial.display()))?;
        fs::rename(&partial, &file).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// Removes the components from a folder that are none of these.
fn remove_others(folder: &Path, components: &Components) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let file = entry?.path();
        let known =
            file.file_stem().and_then(OsStr::to_str).is_some_and(|name| components.contains_key(name));
        if is_component(&file) && !known {
            fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
        }
    }
    Ok(())
}

fn is_component(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ending == "wasm")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use anyhow::Result;

    use super::{Components, artifacts, place, remove_others};

    #[test]
    fn components_are_taken_from_cargos_messages() -> Result<()> {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"raito_connector"},"filenames":["/t/libraito_connector.rlib"]}
printed by a build script
{"reason":"build-script-executed","target":{"name":"x"},"filenames":["/t/x.wasm"]}
{"reason":"compiler-artifact","target":{"name":"read-file"},"filenames":["/t/examples/read_file.wasm"]}
{"reason":"build-finished","success":true}"#;
        let expected = Components::from([("read-file".into(), "/t/examples/read_file.wasm".into())]);
        assert_eq!(artifacts(messages)?, expected);
        Ok(())
    }

    #[test]
    fn the_folder_ends_up_with_the_components_alone_and_unchanged_ones_untouched() -> Result<()> {
        let root = std::env::temp_dir().join(format!("xtask-components-{}", std::process::id()));
        let folder = root.join("placed");
        fs::create_dir_all(&folder)?;
        fs::write(root.join("built.wasm"), "new")?;
        fs::write(folder.join("gone.wasm"), "left behind")?;
        fs::write(folder.join("notes.txt"), "somebody's")?;
        let components = Components::from([("read-file".into(), root.join("built.wasm"))]);

        place(&folder, &components)?;
        remove_others(&folder, &components)?;
        let placed = folder.join("read-file.wasm");
        assert_eq!(fs::read(&placed)?, b"new");
        assert!(!folder.join("gone.wasm").exists());
        assert!(folder.join("notes.txt").exists());

        let before = fs::metadata(&placed)?.modified()?;
        place(&folder, &components)?;
        assert_eq!(fs::metadata(&placed)?.modified()?, before);
        fs::remove_dir_all(&root)?;
        Ok(())
    }
}
