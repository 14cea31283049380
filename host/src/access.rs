//! Access as code: access files in a repository are the truth, and targets are made to match them.
//!
//! ```text
//!  access files ──► check, merge, resolve ──► desired ──┐
//!                   (access_file)                       ▼
//!                                         connector: plan ──► what would change ──► shown, saved, confirmed
//!  target  ◄──────────── connector: apply ◄── desired ◄─────────────────────────────────┘
//!     └────────────────► connector: plan ──► must be empty
//! ```
//!
//! No Raito Cloud takes part. The commands, each a file: [`validate`], [`plan`](mod@plan), [`apply`], [`drift`], [`adopt`];
//! and [`restore`], which is `raito apply-access`. All of them come through [`open`].

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::access_file::AccessFile;
use crate::cli::ReportFormat;
use crate::config::{Settings, TargetSettings};
use crate::failure::{Failure, FailureKind};
use crate::progress::Display;
use crate::run::cache_location;
use crate::sandbox::{Sandbox, escaped};
use crate::target::LoadedTarget;

mod adopt;
mod apply;
mod document;
mod drift;
mod markdown;
mod plan;
mod restore;
mod risk;
mod text;
mod validate;

pub use adopt::adopt;
pub use apply::{Answer, apply};
pub use drift::drift;
pub use restore::restore;
pub use validate::{schema, validate};

use plan::TargetPlan;

/// The access file where none is named.
const DEFAULT_FILE: &str = "access.yml";

/// Shows what applying would change; gives whether it would change something.
///
/// # Errors
/// A target or an access file cannot be used, or an access control cannot be applied.
pub async fn plan(
    settings: &Settings,
    arguments: &crate::cli::PlanArgs,
    display: &Display,
    out: &mut dyn Write,
) -> Result<bool, Failure> {
    let sandbox = sandbox()?;
    let plans = make_all(settings, &sandbox, display, arguments.show.risk_people).await?;
    if let Some(path) = &arguments.out {
        save(path, &plans)?;
    }
    match arguments.format {
        ReportFormat::Text => show(out, &plans, arguments.show.statements)?,
        ReportFormat::Json => document::write(out, &plans, false)?,
        ReportFormat::Markdown => comment(out, &plans, arguments.show.statements)?,
    }
    if let Some(failure) = first_error(&plans) {
        return Err(failure);
    }
    Ok(plans.iter().any(|plan| plan.totals.changes() > 0))
}

fn sandbox() -> Result<Arc<Sandbox>, Failure> {
    Sandbox::shared(&cache_location())
}

/// Plans for every target that takes part. Nothing is applied anywhere before all of them are made.
async fn make_all<'a>(
    settings: &'a Settings,
    sandbox: &'a Arc<Sandbox>,
    display: &'a Display,
    many: u64,
) -> Result<Vec<TargetPlan<'a>>, Failure> {
    let mut plans = Vec::new();
    for target in taking_part(settings, display)? {
        let plan = async {
            let loaded = LoadedTarget::load(settings, target, sandbox, display).await?;
            TargetPlan::make(loaded, &access_file(settings, target.access.file.as_ref()), many).await
        };
        plans.push(plan.await.map_err(|failure| failure.of(&target.name))?);
    }
    Ok(plans)
}

/// The targets that take part: those that `only-targets` selects, and where some of these name an access file, those
/// alone.
fn taking_part<'a>(settings: &'a Settings, display: &Display) -> Result<Vec<&'a TargetSettings>, Failure> {
    let selected = settings.selected()?;
    let mut targets = Vec::new();
    for target in selected {
        let target =
            target.settings.as_ref().map_err(|errors| Failure::from(errors.clone()).of(&target.name))?;
        targets.push(target);
    }
    if let ([one, two, ..], true) = (targets.as_slice(), settings.only_targets.is_empty())
        && one.access.given.file
    {
        let message =
            format!("one access file is given for several targets, such as {} and {}", one.name, two.name);
        return Err(Failure::new(FailureKind::Configuration, message)
            .hint("name those that it is for with --only-targets, or write `access-file` into each target"));
    }
    let names_file = |target: &&TargetSettings| target.access.file.is_some();
    if targets.iter().any(names_file) {
        for target in targets.iter().filter(|target| !names_file(target)) {
            display.line(&format!("{}: left out, for it has no access-file", target.name));
        }
        targets.retain(names_file);
    }
    Ok(targets)
}

/// Where an access file is: what was configured, or the default. As seen from the working folder, because that is how
/// people write it.
fn access_file(settings: &Settings, configured: Option<&PathBuf>) -> PathBuf {
    let path = configured.cloned().unwrap_or_else(|| settings.base_dir.join(DEFAULT_FILE));
    let here = std::env::current_dir().unwrap_or_default();
    match path.strip_prefix(&here) {
        Ok(relative) if !relative.as_os_str().is_empty() => relative.to_owned(),
        _ => path,
    }
}

/// A path as it may be shown.
fn shown(path: &Path) -> String {
    escaped(&path.display().to_string())
}

/// Shows what was found in access files and stops nothing.
fn tell_findings(file: &AccessFile, display: &Display) {
    for warning in &file.warnings {
        let hint = warning.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        display.warning(&format!("{warning}{hint}"));
    }
    if file.warnings_left_out > 0 {
        display.warning(&format!("and {} more warnings about access files", file.warnings_left_out));
    }
}

fn first_error(plans: &[TargetPlan<'_>]) -> Option<Failure> {
    plans.iter().find_map(|plan| Some(plan.errors()?.of(&plan.loaded.settings.name)))
}

/// Writes a plan to be applied later. A file of the same name is replaced when the new one is whole.
fn save(path: &Path, plans: &[TargetPlan<'_>]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(FailureKind::Configuration, format!("{} cannot be written: {error}", path.display()))
            .hint("give another path with --out")
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    document::write(&mut std::io::BufWriter::new(&mut file), plans, true)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

fn show(out: &mut dyn Write, plans: &[TargetPlan<'_>], statements: bool) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::unexpected(format!("the plan cannot be shown: {error}"));
    for plan in plans {
        writeln!(out, "{}: {}\n", plan.loaded.settings.name, plan.subject()).map_err(failed)?;
        let mut risky = 0;
        plan.changes(|change| {
            risky += u64::from(!change.risks.is_empty());
            text::change(out, change, text::View::Plan { statements })
        })?;
        writeln!(out, "{}", text::totals(&plan.totals, risky)).map_err(failed)?;
    }
    Ok(())
}

fn comment(out: &mut dyn Write, plans: &[TargetPlan<'_>], statements: bool) -> Result<(), Failure> {
    let mut report = markdown::Report::new(statements);
    for plan in plans {
        report.heading(&format!("Access plan for {}", plan.loaded.settings.name));
        let mut risky = 0;
        plan.changes(|change| {
            risky += u64::from(!change.risks.is_empty());
            Ok(())
        })?;
        report.paragraph(&format!("{}: {}.", plan.subject(), text::totals(&plan.totals, risky)));
        plan.changes(|change| {
            report.change(change, text::View::Plan { statements });
            Ok(())
        })?;
    }
    report.write(out).map_err(|error| Failure::unexpected(format!("the plan cannot be shown: {error}")))
}
