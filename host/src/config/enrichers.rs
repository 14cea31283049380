//! Data-object enrichers: further connectors that add to the data objects of a target.
//!
//! They are described in `data-object-enrichers` at the top level, or in a target. Only those that a target names run,
//! in its order. Where both describe one of the same name, connector and version come from the top level, and the
//! parameters of the target are laid over those of the top level; a `sandbox` block of the target replaces the other.
//!
//! An element is a map of `name` (the connector's name unless given), `connector-name`, `connector-version`, `sandbox`
//! and parameters. Values may be environment templates, as in a target.

use std::path::Path;

use semver::Version;

use super::document::{Entry, Node, Value};
use super::error::{ConfigErrors, Origin, Problem};
use super::parameters::Parameters;
use super::sandbox::{self, SandboxSettings};
use super::source::{Source as _, TargetSource};
use super::{Environment, target};

/// The key, at the top level and in targets.
pub(super) const KEY: &str = "data-object-enrichers";

/// The keys of an element that are the client's own.
const OWN: [&str; 4] = ["name", "connector-name", "connector-version", "sandbox"];

/// A connector that adds to the data objects of a target.
#[derive(Debug, Clone, PartialEq)]
pub struct EnricherSettings {
    /// Its name; the connector's name unless given.
    pub name: String,
    /// The connector: a path, or a name in the connector folders.
    pub connector_name: String,
    /// The version that the connector must have; any if none.
    pub connector_version: Option<Version>,
    /// What the connector may do.
    pub sandbox: SandboxSettings,
    /// What the connector is told.
    pub parameters: Parameters,
    /// The line of its description in the configuration file.
    pub line: Option<usize>,
}

/// One element, as far as it says something.
#[derive(Debug, Clone)]
pub(super) struct Element {
    name: String,
    connector_name: Option<String>,
    connector_version: Option<Version>,
    sandbox: Option<SandboxSettings>,
    parameters: Parameters,
    origin: Origin,
}

/// Reads a list of them.
pub(super) fn read(
    node: &Node,
    environment: &Environment<'_>,
    base: &Path,
    errors: &mut ConfigErrors,
) -> Vec<Element> {
    let items = match &node.value {
        Value::Null => return Vec::new(),
        Value::List(items) => items,
        _ => {
            let problem =
                Problem::WrongType { key: KEY.to_owned(), expected: "a list of maps", found: node.kind() };
            errors.push(node.origin.clone(), problem);
            return Vec::new();
        }
    };
    let mut elements: Vec<Element> = Vec::new();
    for item in items {
        let Some(element) = element(item, environment, base, errors) else { continue };
        if elements.iter().any(|known| known.name == element.name) {
            let key = format!("{KEY}: {}", element.name);
            errors.push(element.origin, Problem::DuplicateKey { key });
        } else {
            elements.push(element);
        }
    }
    elements
}

fn element(
    item: &Node,
    environment: &Environment<'_>,
    base: &Path,
    errors: &mut ConfigErrors,
) -> Option<Element> {
    let Value::Map(entries) = &item.value else {
        let problem =
            Problem::WrongType { key: KEY.to_owned(), expected: "a list of maps", found: item.kind() };
        errors.push(item.origin.clone(), problem);
        return None;
    };
    let mut own: Vec<(&'static str, &Entry)> = Vec::new();
    let mut parameters = Parameters::default();
    for entry in entries {
        let key = target::canonical(&entry.key);
        match OWN.into_iter().find(|known| *known == key) {
            Some(known) if own.iter().any(|(name, _)| *name == known) => {
                errors.push(entry.origin.clone(), Problem::DuplicateKey { key });
            }
            Some(known) => own.push((known, entry)),
            None => parameters.add(entry, environment, errors),
        }
    }
    let mut source = TargetSource { entries: own, environment, errors: ConfigErrors::default() };
    let connector_name = source.text("connector-name");
    let name = source.text("name").or_else(|| connector_name.clone());
    let version = source.text("connector-version");
    let connector_version = match (version, source.entry("connector-version")) {
        (Some(version), Some(entry)) => target::version(&version, &entry.value.origin, &mut source.errors),
        _ => None,
    };
    let sandbox = source.entry("sandbox");
    let sandbox = sandbox.map(|entry| sandbox::from_entry(entry, base, &mut source.errors));
    errors.0.append(&mut source.errors.0);
    let origin = item.origin.clone();
    let Some(name) = name else {
        let hint = "name the enricher, or its connector";
        errors.push(origin, Problem::Missing { key: "name", target: None, hint });
        return None;
    };
    Some(Element { name, connector_name, connector_version, sandbox, parameters, origin })
}

/// What a target's elements mean beside those of the top level.
pub(super) fn merge(
    own: Vec<Element>,
    global: &[Element],
    errors: &mut ConfigErrors,
) -> Vec<EnricherSettings> {
    let mut merged = Vec::with_capacity(own.len());
    for own in own {
        let known = global.iter().find(|known| known.name == own.name);
        let described = known.unwrap_or(&own);
        let Some(connector_name) = described.connector_name.clone() else {
            let hint = "name the connector, here or in `data-object-enrichers` at the top level";
            let problem = Problem::Missing { key: "connector-name", target: Some(own.name.clone()), hint };
            errors.push(described.origin.clone(), problem);
            continue;
        };
        let (connector_version, line) = (described.connector_version.clone(), described.origin.line());
        let mut parameters = known.map(|known| known.parameters.clone()).unwrap_or_default();
        parameters.lay_over(&own.parameters);
        merged.push(EnricherSettings {
            connector_version,
            line,
            sandbox: own
                .sandbox
                .or_else(|| known.and_then(|known| known.sandbox.clone()))
                .unwrap_or_default(),
            name: own.name,
            connector_name,
            parameters,
        });
    }
    merged
}
