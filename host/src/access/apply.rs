//! `raito access apply`: a plan, saved or made now, is carried out.
//!
//! What can be refused is refused before anything is changed: an access control that cannot be applied, a saved plan
//! that the target has moved away from, more removals than are allowed, nobody who confirms. Afterwards the target is
//! compared once more, and must match.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::document::{self, ConnectorStamp, SavedTarget};
use super::plan::{Compared, TargetPlan};
use super::risk::counted;
use super::{first_error, make_all, sandbox, show};
use crate::backup::Backup;
use crate::cli::{ApplyArgs, Format};
use crate::config::Settings;
use crate::failure::{Failure, FailureKind};
use crate::progress::Display;
use crate::records::list;
use crate::records::plan::PlanRecord;
use crate::sandbox::Sandbox;
use crate::target::LoadedTarget;

/// Names shown where there are many.
const SHOWN: usize = 5;

/// What somebody who is asked says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Go on.
    Yes,
    /// Do not.
    No,
    /// Nobody is there to be asked.
    Nobody,
}

/// What was done to a target.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    target: String,
    /// Access controls that were changed.
    changed: u64,
    /// Operations that changed the target.
    operations: u64,
}

/// Applies access files or a saved plan. `ask` is called once, with a question.
///
/// # Errors
/// Anything that keeps a target from matching its access file.
pub async fn apply(
    settings: &Settings,
    arguments: &ApplyArgs,
    display: &Display,
    out: &mut (dyn Write + Send),
    ask: impl AsyncFnOnce(&str) -> Answer,
) -> Result<(), Failure> {
    let sandbox = sandbox()?;
    let many = arguments.show.risk_people;
    let saved = match &arguments.plan {
        Some(_) if arguments.of.access_file.is_some() => {
            let message = "a saved plan holds its access file, so --access-file means nothing beside it";
            return Err(Failure::new(FailureKind::Configuration, message).hint("leave one of the two out"));
        }
        Some(path) => Some((path.as_path(), document::read(path)?)),
        None => None,
    };
    let is_text = arguments.format == Format::Text;
    if !is_text && saved.is_none() && !arguments.yes {
        let message = "--format json shows no plan that could be confirmed";
        return Err(
            Failure::new(FailureKind::NotConfirmed, message).hint("give --yes, or apply a saved plan")
        );
    }
    let plans = match &saved {
        Some((path, saved)) => load_saved(settings, (path, &saved.targets), &sandbox, display, many).await?,
        None => make_all(settings, &sandbox, display, many).await?,
    };
    if is_text {
        show(out, &plans, arguments.show.statements)?;
    }
    if let Some(failure) = first_error(&plans) {
        return Err(failure);
    }
    for plan in &plans {
        guard(plan).map_err(|failure| failure.of(&plan.loaded.settings.name))?;
    }
    let changes: u64 = plans.iter().map(|plan| plan.totals.changes()).sum();
    // A saved plan was shown when it was made.
    if changes > 0 && !arguments.yes && saved.is_none() {
        confirm(ask).await?;
    }
    let mut backups = Vec::new();
    for plan in plans.iter().filter(|plan| plan.totals.changes() > 0) {
        let target = plan.loaded.settings;
        let named = |failure: Failure| failure.of(&target.name);
        let backup = Backup::begin(&target.backup, &target.name, "access").map_err(named)?;
        // Before anything happens, so that it is there however it ends.
        backup.keep_all(&plan.loaded.files).map_err(named)?;
        backups.push((plan, backup));
    }
    let mut reports = Vec::new();
    let outcome = async {
        for plan in plans.iter().filter(|plan| plan.totals.changes() == 0) {
            let target = plan.loaded.settings.name.clone();
            reports.push(Report { target, changed: 0, operations: 0 });
        }
        for (plan, backup) in &backups {
            let named = |failure: Failure| failure.of(&plan.loaded.settings.name);
            let mut report = Report { target: plan.loaded.settings.name.clone(), changed: 0, operations: 0 };
            let outcome = carry_out(plan, &mut report).await;
            reports.push(report);
            let kept = backup.keep_all(&plan.loaded.files);
            outcome.and(kept).map_err(named)?;
        }
        Ok(())
    };
    let outcome = outcome.await;
    let told = if is_text { tell_all(out, &reports, &outcome) } else { print_json(out, &reports, &outcome) };
    outcome.and(told)
}

/// One line for each target that was dealt with.
fn tell_all(out: &mut dyn Write, reports: &[Report], outcome: &Result<(), Failure>) -> Result<(), Failure> {
    for (at, report) in reports.iter().enumerate() {
        let failed = outcome.is_err() && at + 1 == reports.len();
        if !failed {
            tell(out, report)?;
        }
    }
    Ok(())
}

fn print_json(out: &mut dyn Write, reports: &[Report], outcome: &Result<(), Failure>) -> Result<(), Failure> {
    let failure = outcome.as_ref().err();
    let text = serde_json::to_string_pretty(&serde_json::json!({ "targets": reports, "failure": failure }));
    writeln!(out, "{}", text.unwrap_or_default())
        .map_err(|error| Failure::unexpected(format!("the result cannot be shown: {error}")))
}

fn tell(out: &mut dyn Write, report: &Report) -> Result<(), Failure> {
    let text = if report.operations == 0 {
        format!("{}: matches its access file, nothing was changed", report.target)
    } else {
        format!(
            "{}: applied {} to {}; the target matches its access file",
            report.target,
            counted(report.operations, "operation", "operations"),
            counted(report.changed, "access control", "access controls"),
        )
    };
    writeln!(out, "{text}")
        .map_err(|error| Failure::unexpected(format!("the result cannot be shown: {error}")))
}

/// Makes the plans again that were saved, and refuses where the outcome is another.
async fn load_saved<'a>(
    settings: &'a Settings,
    (path, saved): (&Path, &[SavedTarget]),
    sandbox: &'a Arc<Sandbox>,
    display: &'a Display,
    many: u64,
) -> Result<Vec<TargetPlan<'a>>, Failure> {
    let mut plans = Vec::new();
    let selected = settings.selected()?;
    for saved in saved {
        let named = |failure: Failure| failure.of(&saved.target);
        let found = settings.targets.iter().find(|target| target.name == saved.target).ok_or_else(|| {
            named(
                Failure::new(FailureKind::Configuration, "the plan is for a target that is not configured")
                    .hint("apply it with the configuration that it was made with"),
            )
        })?;
        if !selected.iter().any(|target| target.name == saved.target) {
            let message = "the plan is also for this target, which `only-targets` leaves out";
            return Err(named(
                Failure::new(FailureKind::Configuration, message)
                    .hint("a saved plan is applied as a whole; make one for the targets that are meant"),
            ));
        }
        let target = found.settings.as_ref().map_err(|errors| named(Failure::from(errors.clone())))?;
        let loaded = LoadedTarget::load(settings, target, sandbox, display).await.map_err(named)?;
        let plan = TargetPlan::make(loaded, &saved.desired, many).await.map_err(named)?.saved(path, saved);
        check_unmoved(saved, &plan).map_err(named)?;
        plans.push(plan);
    }
    Ok(plans)
}

fn check_unmoved(saved: &SavedTarget, plan: &TargetPlan<'_>) -> Result<(), Failure> {
    let moved = |message: String| {
        Failure::new(FailureKind::Moved, message).hint("make and review a new plan with `raito access plan`")
    };
    let prefix = plan.options().prefix;
    if saved.prefix != prefix {
        return Err(moved(format!(
            "the plan was made with the prefix {:?}, and the prefix is now {prefix:?}",
            saved.prefix
        )));
    }
    let connector = ConnectorStamp::of(plan);
    if saved.connector != connector {
        return Err(moved(format!(
            "the plan was made with another build of the connector: {} {}, now {} {}",
            saved.connector.name, saved.connector.version, connector.name, connector.version
        )));
    }
    if saved.fingerprint == document::hexadecimal(&plan.fingerprint) && saved.summary == plan.totals {
        return Ok(());
    }
    // A plan that has been carried out already, as when a job of a CI service is run again.
    if plan.totals.changes() == 0 && plan.totals.errors == 0 {
        return Ok(());
    }
    let mut differing = Vec::new();
    let mut gone: std::collections::BTreeMap<_, _> = saved.changes.iter().collect();
    plan.changes(|change| {
        let record = change.record;
        let known = gone.remove(&record.id);
        if known.is_none_or(|known| known.digest != document::digest(record)) {
            differing.push(record.name.clone());
        }
        Ok(())
    })?;
    differing.extend(gone.into_values().map(|gone| gone.name.clone()));
    let more = differing.len().saturating_sub(SHOWN);
    differing.truncate(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let of = if differing.is_empty() {
        String::new()
    } else {
        format!(": what is to be done differs for {}{more}", differing.join(", "))
    };
    Err(moved(format!("the target has changed since the plan was made{of}")))
}

/// Refuses to take away more than is allowed.
fn guard(plan: &TargetPlan<'_>) -> Result<(), Failure> {
    let limit = plan.loaded.settings.access.max_removals;
    let (losing, standing) = (plan.totals.losing, plan.totals.standing());
    if limit.forbids_emptying(plan.totals.delete, standing) {
        let message = format!("all {standing} access controls of the target would be removed");
        return Err(Failure::new(FailureKind::Removals, message)
            .hint("see that the access file is the right one; if it is, give --max-removals 100%"));
    }
    if limit.is_exceeded(losing, standing) {
        let message = format!(
            "{losing} of the {standing} access controls of the target would be removed or lose something, and \
             max-removals is {limit}"
        );
        return Err(Failure::new(FailureKind::Removals, message)
            .hint(format!("if that is what you want, give --max-removals {losing}")));
    }
    Ok(())
}

/// Asks; only a clear yes goes on.
pub(super) async fn confirm(ask: impl AsyncFnOnce(&str) -> Answer) -> Result<(), Failure> {
    match ask("Apply these changes? Only `yes` does: ").await {
        Answer::Yes => Ok(()),
        Answer::No => Err(Failure::new(FailureKind::NotConfirmed, "not confirmed: nothing was applied")),
        Answer::Nobody => {
            Err(Failure::new(FailureKind::NotConfirmed, "nobody can be asked here: nothing was applied")
                .hint("give --yes"))
        }
    }
}

/// Has one target changed, and sees that it then matches. `report` says what was done, however it ends.
async fn carry_out(plan: &TargetPlan<'_>, report: &mut Report) -> Result<(), Failure> {
    let loaded = &plan.loaded;
    // What was shown, guarded and confirmed may be some time ago.
    let now = plan.compare("again").await?;
    if now.fingerprint != plan.fingerprint || now.totals != plan.totals {
        let message = "the target has changed since the plan was shown: nothing was applied";
        return Err(Failure::new(FailureKind::Moved, message).hint("apply again, and look at the new plan"));
    }
    let title = format!("{}: applying", loaded.settings.name);
    let applied = loaded
        .apply_access_controls(&title, plan.options(), plan.desired.clone(), FailureKind::Unexpected)
        .await;
    loaded.tell_warnings();
    let applied = applied?.report;
    (report.changed, report.operations) = (applied.totals.changed, applied.totals.operations);
    if applied.totals.failed > 0 {
        let first = applied.errors.first().map(|error| plan.told(error)).unwrap_or_default();
        let failed = counted(applied.totals.failed, "access control", "access controls");
        return Err(if report.operations == 0 {
            let message = format!("nothing was changed: {failed} could not be applied: {first}");
            Failure::new(FailureKind::AccessControls, message)
                .hint("correct the access file or the rights of the connector, and apply again")
        } else {
            let message = format!(
                "{failed} could not be applied: {first}\n{} had been carried out, on: {}",
                counted(report.operations, "operation", "operations"),
                applied.changed.join(", ")
            );
            Failure::new(FailureKind::AccessControls, message)
                .hint("the target has no transaction for all of it; apply again when the cause is gone")
        });
    }
    let rest = plan.compare("verify").await.map_err(|failure| Failure {
        message: format!("everything was applied, but it could not be checked: {failure}"),
        ..failure
    })?;
    if rest.totals.changes() > 0 || rest.totals.errors > 0 {
        return Err(unmatched(&rest)?);
    }
    Ok(())
}

fn unmatched(rest: &Compared) -> Result<Failure, Failure> {
    let mut names = Vec::new();
    list::read(&rest.records, |record: PlanRecord| {
        if (record.changes() || !record.errors.is_empty()) && names.len() < SHOWN {
            names.push(record.name);
        }
        Ok(())
    })
    .map_err(|error| Failure::unexpected(format!("the comparison cannot be read: {error}")))?;
    let message = format!(
        "everything was applied, but the target does not match its access file: {} ({})",
        counted(
            rest.totals.changes().max(rest.totals.errors),
            "access control still differs",
            "access controls still differ"
        ),
        names.join(", ")
    );
    Ok(Failure::new(FailureKind::AccessControls, message)
        .hint("somebody may have changed the target at the same time; see `raito access plan`"))
}
