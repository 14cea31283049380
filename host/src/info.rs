//! `raito info`: what a connector says about itself, and what its file says about it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::connector::{Connector, Export, locate};
use crate::contract::exports::info::ConnectorInfo;
use crate::failure::Failure;
use crate::run::cache_location;
use crate::sandbox::{ConnectorLog, Sandbox};
use crate::target::describe;

/// What is known about a connector before it runs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorReport {
    /// Name, as the connector says.
    pub name: String,
    /// Version, as the connector says.
    pub version: String,
    /// Description, as the connector says.
    pub description: String,
    /// Parameters of a target.
    pub parameters: Vec<ParameterReport>,
    /// Source of the tags that it delivers; empty: none.
    pub tag_source: String,
    /// Network grants that it asks for, as templates over its parameters.
    pub network: Vec<String>,
    /// The file.
    pub file: PathBuf,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Interfaces of the contract that it exports: the steps that it takes part in.
    pub exports: Vec<&'static str>,
    /// Interfaces that it imports: all that it could ever use.
    pub imports: Vec<String>,
    /// Whether it could open a connection if one was granted. A fact about the file.
    pub can_reach_network: bool,
    /// Whether it could open a file if one was granted. A fact about the file.
    pub can_open_files: bool,
}

/// A parameter.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParameterReport {
    /// The key in the target.
    pub name: String,
    /// For people.
    pub description: String,
    /// A target must have it.
    pub mandatory: bool,
    /// Its value is kept out of logs and errors.
    pub secret: bool,
    /// What counts if it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// Loads a connector and asks it about itself.
///
/// # Errors
/// It cannot be loaded, or breaks off.
pub async fn inspect(name: &str, base: &Path, folders: &[PathBuf]) -> Result<ConnectorReport, Failure> {
    let path = locate(name, base, folders)?;
    let sandbox = Sandbox::new(&cache_location())
        .map_err(|error| Failure::unexpected(format!("the sandbox cannot be set up: {error}")))?;
    let connector = Connector::load(&sandbox, &path)?;
    let info = describe(&sandbox, &connector).await?;
    Ok(report(connector, &info))
}

fn report(connector: Connector, info: &ConnectorInfo) -> ConnectorReport {
    let log = ConnectorLog::default();
    let clean = |text: &str| log.clean(text);
    let mut sha256 = String::with_capacity(64);
    for byte in connector.sha256 {
        let _ = write!(sha256, "{byte:02x}");
    }
    ConnectorReport {
        name: clean(&info.name),
        version: clean(&info.version),
        description: clean(&info.description),
        parameters: info
            .parameters
            .iter()
            .map(|parameter| ParameterReport {
                name: clean(&parameter.name),
                description: clean(&parameter.description),
                mandatory: parameter.mandatory,
                secret: parameter.secret,
                default: parameter.default.as_deref().map(clean),
            })
            .collect(),
        tag_source: clean(&info.tag_source),
        network: info.network.iter().map(|grant| clean(grant)).collect(),
        sha256,
        bytes: connector.bytes,
        exports: connector.exports.iter().copied().map(Export::name).collect(),
        can_reach_network: connector.can_reach_network(),
        can_open_files: connector.can_open_files(),
        imports: connector.imports,
        file: connector.path,
    }
}

impl ConnectorReport {
    /// The report for people.
    pub fn text(&self) -> String {
        let mut text = format!("{} {}\n{}\n\nParameters:\n", self.name, self.version, self.description);
        for parameter in &self.parameters {
            let mut marks = Vec::new();
            if parameter.mandatory {
                marks.push("mandatory".to_owned());
            }
            if parameter.secret {
                marks.push("secret".to_owned());
            }
            marks.extend(parameter.default.iter().map(|default| format!("default: {default}")));
            let marks = if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) };
            let _ = writeln!(text, "  {}{marks}\n      {}", parameter.name, parameter.description);
        }
        if self.parameters.is_empty() {
            text.push_str("  none\n");
        }
        let steps: Vec<_> = self.exports.iter().filter(|export| **export != "info").copied().collect();
        let _ = writeln!(text, "\nTakes part in: {}", steps.join(", "));
        if !self.network.is_empty() {
            let _ = writeln!(text, "Asks for the network grants: {}", self.network.join(", "));
        }
        let can = |can| if can { "only what is granted" } else { "never: the file imports nothing for it" };
        let _ = writeln!(text, "Network: {}", can(self.can_reach_network));
        let _ = writeln!(text, "Files:   {}", can(self.can_open_files));
        let _ = writeln!(text, "\n{} ({} bytes)\nsha256 {}", self.file.display(), self.bytes, self.sha256);
        text
    }
}
