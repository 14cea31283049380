//! `raito apply-access`: a saved access file is applied to a target again, past Raito Cloud.
//!
//! The same call as in a run, with the same options: no prefix, nothing is removed that the file does not say, one access
//! control that cannot be applied does not stop the others. The feedback is shown and goes nowhere.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::apply::{Answer, confirm};
use super::sandbox;
use crate::backup::Backup;
use crate::cli::ApplyAccessArgs;
use crate::config::Settings;
use crate::config::locks::PatternList;
use crate::contract::exports::access::ApplyOptions;
use crate::failure::{Failure, FailureKind};
use crate::progress::Display;
use crate::records::desired;
use crate::target::LoadedTarget;

/// Applies a saved access file. `ask` is called once, with a question.
///
/// # Errors
/// The target or the file cannot be used, or some access controls could not be applied.
pub async fn restore(
    settings: &Settings,
    arguments: &ApplyAccessArgs,
    display: &Display,
    out: &mut (dyn Write + Send),
    ask: impl FnOnce(&str) -> Answer,
) -> Result<(), Failure> {
    let target = settings.targets.iter().find(|target| target.name == arguments.target).ok_or_else(|| {
        let known: Vec<_> = settings.targets.iter().map(|target| target.name.as_str()).collect();
        Failure::new(FailureKind::Configuration, format!("there is no target `{}`", arguments.target))
            .hint(format!("the targets are: {}", known.join(", ")))
    })?;
    let target = target.settings.as_ref().map_err(|errors| Failure::from(errors.clone()))?;
    let named = |failure: Failure| failure.of(&target.name);
    let path = std::path::absolute(&arguments.file)
        .map_err(|error| Failure::unexpected(format!("{} has no path: {error}", arguments.file.display())))?;
    let filter = arguments.filter_access.as_deref().filter(|list| !list.is_empty());
    let chosen = choose(&path, filter)?;

    let say = |out: &mut (dyn Write + Send), text: &str| {
        writeln!(out, "{text}").map_err(|error| Failure::unexpected(error.to_string()))
    };
    say(out, &format!("Target: {}\nAccess file: {}\n", target.name, path.display()))?;
    if chosen.is_empty() {
        return say(out, "No access control is to be applied.");
    }
    say(out, &format!("{} access controls are to be applied.", chosen.len()))?;
    if filter.is_some() {
        for name in &chosen {
            say(out, &format!("  - {name}"))?;
        }
    }
    say(
        out,
        "\nThis goes past Raito Cloud: there is no job, and Raito Cloud does not hear what became of it. What the file \
         deletes is deleted again, and access that was removed since the file was made may come back.\n",
    )?;
    let confirmed = if arguments.yes { Ok(()) } else { confirm(ask) };
    match confirmed {
        Ok(()) => {}
        // As with Raito's own CLI, who does not want to go on has done nothing wrong.
        Err(failure) if failure.hint.is_none() => return say(out, "Cancelled: nothing was applied."),
        Err(failure) => return Err(failure),
    }

    let sandbox = sandbox()?;
    let loaded = LoadedTarget::load(settings, target, &sandbox, display).await.map_err(named)?;
    let backup = Backup::begin(&target.backup, &target.name, "apply-access").map_err(named)?;
    let file = match filter {
        None => copy(&path, loaded.files.path("toTarget-access", "yaml")),
        Some(filter) => filtered(&path, filter, loaded.files.path("toTarget-filteredAccess", "yaml")),
    }?;
    let options = ApplyOptions { prefix: String::new(), authoritative: false, all_or_nothing: false };
    let title = format!("{}: applying", target.name);
    let applied = loaded.apply_access_controls(&title, options, file, FailureKind::AccessFile).await;
    loaded.tell_warnings();
    backup.keep_all(&loaded.files).map_err(named)?;
    let report = applied.map_err(named)?.report;
    for error in &report.errors {
        display.warning(&format!("{}: {error}", target.name));
    }
    let totals = report.totals;
    say(
        out,
        &format!(
            "{}: {} of {} access controls changed, by {} operations",
            target.name, totals.changed, totals.controls, totals.operations
        ),
    )?;
    if totals.failed > 0 {
        let message = format!("{} access controls could not be applied", totals.failed);
        return Err(named(Failure::new(FailureKind::AccessControls, message)));
    }
    Ok(())
}

fn unusable(why: String) -> Failure {
    Failure::new(FailureKind::AccessFile, why)
        .hint("give an access file that Raito Cloud made, such as one of a backup")
}

/// The names of the access controls to apply.
fn choose(path: &Path, filter: Option<&str>) -> Result<Vec<String>, Failure> {
    let patterns = filter.map(PatternList::new);
    let mut names = Vec::new();
    let header = desired::read(path, |control| {
        let chosen = match &patterns {
            None => true,
            Some(patterns) => patterns.matches(&control.name).map_err(|error| error.to_string())?,
        };
        if chosen {
            names.push(control.name);
        }
        Ok(())
    })
    .map_err(unusable)?;
    // Applied without its prefix, an access file would make everything a second time.
    if header.file_build_time.is_none() && header.last_calculated.is_none() {
        let message = format!(
            "{} was not made by Raito Cloud: it has neither `lastCalculated` nor `fileBuildTime`",
            path.display()
        );
        return Err(Failure::new(FailureKind::AccessFile, message).hint(
            "an access file, or the copy of one, is applied with `raito access apply --access-file FILE`",
        ));
    }
    Ok(names)
}

/// The file stays where it is and as it is; what is applied, and kept in the backup, is a copy.
fn copy(path: &Path, to: PathBuf) -> Result<PathBuf, Failure> {
    std::fs::copy(path, &to)
        .map_err(|error| Failure::unexpected(format!("a temporary file cannot be written: {error}")))?;
    Ok(to)
}

/// The file with the access controls alone whose names match. JSON, which is YAML too.
fn filtered(path: &Path, filter: &str, to: PathBuf) -> Result<PathBuf, Failure> {
    let failed = |error: std::io::Error| {
        Failure::unexpected(format!("a temporary file cannot be written: {error}"))
            .hint("check the free disk space")
    };
    let patterns = PatternList::new(filter);
    let mut out = BufWriter::new(File::create_new(&to).map_err(failed)?);
    let mut first = true;
    let header = desired::read_plain(path, |provider| {
        let name = provider.get("name").and_then(serde_json::Value::as_str).unwrap_or_default();
        if !patterns.matches(name).map_err(|error| error.to_string())? {
            return Ok(());
        }
        let start = if first { "{\"accessProviders\":[\n" } else { ",\n" };
        first = false;
        out.write_all(start.as_bytes())
            .and_then(|()| serde_json::to_writer(&mut out, &provider).map_err(std::io::Error::from))
            .map_err(|error| error.to_string())
    })
    .map_err(unusable)?;
    let calculated =
        header.last_calculated.map(|time| format!(",\"lastCalculated\":{time}")).unwrap_or_default();
    out.write_all(format!("\n]{calculated}}}\n").as_bytes()).and_then(|()| out.flush()).map_err(failed)?;
    Ok(to)
}
