//! `raito access validate` and `raito access schema`: without a connection to anything.
//!
//! The connector of a target, if it can be loaded, is asked for its types and permissions in a sandbox without network
//! and folders. Variables of the environment that only a connection needs may be missing.

use std::io::Write;
use std::path::PathBuf;

use serde_json::json;

use super::{access_file, sandbox, taking_part};
use crate::access_file::{self, AccessFile, Finding, Findings, Vocabulary};
use crate::cli::{Format, ValidateArgs};
use crate::config::{SandboxSettings, Settings, TargetSettings};
use crate::failure::Failure;
use crate::progress::Display;
use crate::target::LoadedTarget;

/// What access files are checked against.
struct Against {
    /// Connector and version, for people; none if no connector could be asked.
    connector: Option<String>,
    vocabulary: Option<Vocabulary>,
}

/// Checks access files, and says everything that is wrong with them.
///
/// # Errors
/// The configuration cannot be used, or an access file is not valid: `findings` of it are in the failure, or, in JSON,
/// in the output.
pub async fn validate(
    settings: &Settings,
    arguments: &ValidateArgs,
    display: &Display,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let folder = tempfile::Builder::new()
        .prefix("raito-validate-")
        .tempdir()
        .map_err(|error| Failure::unexpected(format!("no temporary folder can be made: {error}")))?;
    let mut checks: Vec<(Option<String>, PathBuf, Against)> = Vec::new();
    if settings.targets.is_empty() && settings.only_targets.is_empty() {
        let path = access_file(settings, settings.access_file.as_ref());
        let against = Against { connector: None, vocabulary: None };
        checks.push((None, path, against));
    } else {
        for target in taking_part(settings, display)? {
            let against = ask(settings, target, display).await?;
            checks.push((
                Some(target.name.clone()),
                access_file(settings, target.access.file.as_ref()),
                against,
            ));
        }
    }
    let (mut reports, mut failures) = (Vec::new(), Vec::new());
    for (at, (target, path, against)) in checks.iter().enumerate() {
        let spool = folder.path().join(format!("{at}.json"));
        let loaded = access_file::load(path, against.vocabulary.as_ref(), &spool);
        match arguments.format {
            Format::Json => reports.push(report(target.as_deref(), path, against, &loaded)),
            Format::Text => {
                if let Ok(file) = &loaded {
                    super::tell_findings(file, display);
                    let line = summary(target.as_deref(), path, against, file);
                    writeln!(out, "{line}").map_err(|error| Failure::unexpected(error.to_string()))?;
                }
            }
        }
        if let Err(findings) = loaded {
            failures.push(Failure::from(findings));
        }
    }
    if arguments.format == Format::Json {
        let document = json!({ "valid": failures.is_empty(), "checks": reports });
        let text = serde_json::to_string_pretty(&document).unwrap_or_default();
        writeln!(out, "{text}").map_err(|error| Failure::unexpected(error.to_string()))?;
    }
    let Some(mut failure) = failures.pop() else { return Ok(()) };
    // The same file may be that of several targets; what is wrong with it is said once.
    let mut lines: Vec<&str> = Vec::new();
    for line in failures.iter().flat_map(|failure| failure.message.lines()).chain(failure.message.lines()) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    failure.message = lines.join("\n");
    Err(failure)
}

/// Prints the JSON Schema of access files; that of a target's connector, if there is exactly one.
///
/// # Errors
/// The connector cannot be asked.
pub async fn schema(
    settings: &Settings,
    display: &Display,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let targets = if settings.targets.is_empty() { Vec::new() } else { taking_part(settings, display)? };
    let vocabulary = match targets.as_slice() {
        [] => None,
        [target] => vocabulary(settings, target, display).await?.1,
        _ => {
            display.warning(
                "there are several targets: the schema is that of all connectors; name one with --only-targets",
            );
            None
        }
    };
    let schema = access_file::schema(vocabulary.as_ref());
    let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    writeln!(out, "{text}").map_err(|error| Failure::unexpected(error.to_string()))
}

/// Asks a connector; that it cannot be asked is no error of an access file.
async fn ask(settings: &Settings, target: &TargetSettings, display: &Display) -> Result<Against, Failure> {
    match vocabulary(settings, target, display).await {
        Ok((connector, Some(vocabulary))) => {
            Ok(Against { connector: Some(connector), vocabulary: Some(vocabulary) })
        }
        Ok((connector, None)) => {
            display.warning(&format!(
                "{}: types and permissions are not checked: the connector {connector} is for no data source",
                target.name
            ));
            Ok(Against { connector: None, vocabulary: None })
        }
        Err(failure) => {
            display.warning(&format!("{}: types and permissions are not checked: {failure}", target.name));
            Ok(Against { connector: None, vocabulary: None })
        }
    }
}

async fn vocabulary(
    settings: &Settings,
    target: &TargetSettings,
    display: &Display,
) -> Result<(String, Option<Vocabulary>), Failure> {
    let sandbox = sandbox()?;
    let offline = TargetSettings {
        sandbox: SandboxSettings {
            memory: target.sandbox.memory,
            timeout: target.sandbox.timeout,
            ..SandboxSettings::default()
        },
        ..target.clone()
    };
    let loaded = LoadedTarget::load(settings, &offline, &sandbox, display).await?;
    let metadata = loaded.metadata(&format!("{}: asking what it is", target.name)).await?;
    let connector = format!("{} {}", loaded.info.name, loaded.info.version);
    Ok((connector, metadata.map(|metadata| Vocabulary::from_metadata(&metadata))))
}

fn summary(target: Option<&str>, path: &std::path::Path, against: &Against, file: &AccessFile) -> String {
    let place = target.map(|target| format!("{target}: ")).unwrap_or_default();
    let controls = super::risk::counted(file.controls, "access control", "access controls");
    let files = super::risk::counted(file.files.len(), "file", "files");
    let against = match &against.connector {
        Some(connector) => format!("checked against {connector}"),
        None => "types and permissions not checked".to_owned(),
    };
    format!("{place}{}: valid ({files}, {controls}, {against})", super::shown(path))
}

fn report(
    target: Option<&str>,
    path: &std::path::Path,
    against: &Against,
    loaded: &Result<AccessFile, Findings>,
) -> serde_json::Value {
    let place = |finding: &Finding| {
        json!({ "file": *finding.path, "line": finding.position.map(|position| position.line),
                "column": finding.position.map(|position| position.column),
                "accessControl": finding.control, "message": finding.message, "hint": finding.hint })
    };
    let (errors, warnings): (Vec<_>, Vec<_>) = match loaded {
        Ok(file) => (Vec::new(), file.warnings.iter().map(place).collect()),
        Err(findings) => (findings.shown.iter().map(place).collect(), Vec::new()),
    };
    json!({
        "target": target,
        "path": path,
        "checkedAgainst": against.connector,
        "accessControls": loaded.as_ref().ok().map(|file| file.controls),
        "errors": errors,
        "warnings": warnings,
        "leftOut": match loaded {
            Ok(file) => file.warnings_left_out,
            Err(findings) => findings.total.saturating_sub(findings.shown.len()),
        },
    })
}
