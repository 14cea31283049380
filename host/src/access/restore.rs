//! `raito apply-access`: a saved access file is applied to a target again, past Raito Cloud.
//!
//! The same call as in a run, with the same options: no prefix, nothing is removed that the file does not say, one access
//! control that cannot be applied does not stop the others. The feedback is shown and goes nowhere.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::apply::{Answer, confirm};
use super::risk::counted;
use super::sandbox;
use crate::backup::Backup;
use crate::cli::ApplyAccessArgs;
use crate::config::Settings;
use crate::config::locks::PatternList;
use crate::contract::exports::access::ApplyOptions;
use crate::failure::{Failure, FailureKind};
use crate::progress::Display;
use crate::records::desired;
use crate::sandbox::escaped;
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
    ask: impl AsyncFnOnce(&str) -> Answer,
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
    // What is shown, applied and kept is one copy: the file may be a pipe, or change while somebody thinks.
    let folder = tempfile::Builder::new()
        .prefix("raito-apply-access-")
        .tempdir()
        .map_err(|error| Failure::unexpected(format!("no temporary folder can be made: {error}")))?;
    let copy = folder.path().join("access.yaml");
    copy_of(&path, &copy)?;
    let chosen = choose(&copy, &path, filter)?;

    let say = |out: &mut (dyn Write + Send), text: &str| {
        writeln!(out, "{text}").map_err(|error| Failure::unexpected(error.to_string()))
    };
    say(out, &format!("Target: {}\nAccess file: {}\n", target.name, super::shown(&path)))?;
    if chosen.is_empty() {
        return say(out, "No access control is to be applied.");
    }
    let subject = counted(chosen.len(), "access control is", "access controls are");
    say(out, &format!("{subject} to be applied."))?;
    if filter.is_some() {
        for name in &chosen {
            say(out, &format!("  - {}", escaped(name)))?;
        }
    }
    say(
        out,
        "\nThis goes past Raito Cloud: there is no job, and Raito Cloud does not hear what became of it. What the file \
         deletes is deleted again, and access that was removed since the file was made may come back.\n",
    )?;
    let confirmed = if arguments.yes { Ok(()) } else { confirm(ask).await };
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
        None => {
            let file = loaded.files.path("toTarget-access", "yaml");
            copy_of(&copy, &file)?;
            file
        }
        Some(filter) => {
            let file = loaded.files.path("toTarget-filteredAccess", "yaml");
            filtered(&copy, filter, &file)?;
            file
        }
    };
    backup.keep_all(&loaded.files).map_err(named)?;
    let options = ApplyOptions { prefix: String::new(), authoritative: false, all_or_nothing: false };
    let title = format!("{}: applying", target.name);
    let applied = loaded.apply_access_controls(&title, options, file, FailureKind::AccessFile).await;
    loaded.tell_warnings();
    let kept = backup.keep_all(&loaded.files);
    let report = applied.map_err(named)?.report;
    for error in &report.errors {
        display.warning(&format!("{}: {error}", target.name));
    }
    let totals = report.totals;
    say(
        out,
        &format!(
            "{}: {} of {} changed, by {}",
            target.name,
            totals.changed,
            counted(totals.controls, "access control", "access controls"),
            counted(totals.operations, "operation", "operations")
        ),
    )?;
    if totals.failed > 0 {
        let failed = counted(totals.failed, "access control", "access controls");
        let message = format!("{failed} could not be applied");
        return Err(named(Failure::new(FailureKind::AccessControls, message)));
    }
    kept.map_err(named)
}

fn unusable(why: &str) -> Failure {
    Failure::new(FailureKind::AccessFile, escaped(why))
        .hint("give an access file that Raito Cloud made, such as one of a backup")
}

/// The names of the access controls to apply.
fn choose(copy: &Path, path: &Path, filter: Option<&str>) -> Result<Vec<String>, Failure> {
    let patterns = filter.map(PatternList::new);
    let mut names = Vec::new();
    let header = desired::read(copy, |control| {
        let chosen = match &patterns {
            None => true,
            Some(patterns) => patterns.matches(&control.name).map_err(|error| error.to_string())?,
        };
        if chosen {
            names.push(control.name);
        }
        Ok(())
    })
    .map_err(|why| unusable(&why))?;
    // Applied without its prefix, an access file would make everything a second time.
    if header.file_build_time.is_none() && header.last_calculated.is_none() {
        let message = format!(
            "{} was not made by Raito Cloud: it has neither `lastCalculated` nor `fileBuildTime`",
            super::shown(path)
        );
        return Err(Failure::new(FailureKind::AccessFile, message).hint(
            "an access file, or the copy of one, is applied with `raito access apply --access-file FILE`",
        ));
    }
    Ok(names)
}

/// The file stays where it is and as it is. The copy is readable by its owner alone.
fn copy_of(path: &Path, to: &Path) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| {
        let message = format!("the access file {} cannot be read: {error}", super::shown(path));
        Failure::new(FailureKind::AccessFile, message).hint("correct the path")
    };
    let mut source = File::open(path).map_err(unreadable)?;
    let mut copy = create(to)?;
    std::io::copy(&mut source, &mut copy).map_err(unreadable)?;
    Ok(())
}

fn create(path: &Path) -> Result<File, Failure> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .map_err(|error| Failure::unexpected(format!("a temporary file cannot be made: {error}")))
}

/// The file with the access controls alone whose names match. JSON, which is YAML too.
fn filtered(path: &Path, filter: &str, to: &Path) -> Result<(), Failure> {
    let patterns = PatternList::new(filter);
    let mut out = BufWriter::new(create(to)?);
    desired::copy(path, &mut out, |name| patterns.matches(name).map_err(|error| error.to_string()))
        .and_then(|()| out.flush().map_err(|error| error.to_string()))
        .map_err(|why| unusable(&why))
}
