//! `raito access drift`: what was changed in a target by hand since the access file was applied.
//!
//! A target that remembers what was applied tells the two causes of a difference apart: somebody changed the target, or
//! the access file changed and is not applied yet. The second is no drift.

use std::io::Write;

use serde::Serialize;

use super::plan::{Change, TargetPlan};
use super::text::{self, View};
use super::{first_error, make_all, markdown, sandbox};
use crate::cli::{DriftArgs, ReportFormat};
use crate::config::Settings;
use crate::failure::Failure;
use crate::progress::Display;
use crate::records::plan::{ChangeKind, PlanRecord};

/// What is wrong with an access control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// Somebody changed it in the target.
    Changed,
    /// It is not in the target: it was removed by hand, or never applied.
    Missing,
    /// It differs, and the target does not remember what was applied.
    Differs,
    /// The access file has changed and is not applied yet. The target remembers the file and not itself, so whether somebody
    /// changed it as well cannot be told.
    Pending,
}

impl State {
    fn of(record: &PlanRecord) -> Option<Self> {
        match (record.change, record.changed_in_target) {
            (ChangeKind::None, _) => None,
            (_, Some(true)) => Some(State::Changed),
            (_, Some(false)) => Some(State::Pending),
            (ChangeKind::Create, None) => Some(State::Missing),
            (_, None) => Some(State::Differs),
        }
    }

    fn text(self) -> &'static str {
        match self {
            State::Changed => "changed in the target",
            State::Missing => "not in the target: removed by hand, or never applied",
            State::Differs => "differs: changed in the target or in the access file",
            State::Pending => "changed in the access file, not applied yet",
        }
    }
}

#[derive(Default, Serialize)]
struct Counts {
    changed: u64,
    missing: u64,
    differing: u64,
    pending: u64,
}

impl Counts {
    fn add(&mut self, state: State) {
        *match state {
            State::Changed => &mut self.changed,
            State::Missing => &mut self.missing,
            State::Differs => &mut self.differing,
            State::Pending => &mut self.pending,
        } += 1;
    }

    fn drifted(&self) -> u64 {
        self.changed + self.missing + self.differing
    }

    fn text(&self) -> String {
        let mut parts: Vec<String> = [
            (self.changed, "changed in the target"),
            (self.missing, "not in the target"),
            (self.differing, "differing"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
        if parts.is_empty() {
            parts.push("no drift".to_owned());
        }
        if self.pending > 0 {
            parts.push(format!(
                "{} changed in the access file and not applied yet, which can hide changes in the target",
                self.pending
            ));
        }
        parts.join(", ")
    }
}

/// Shows drift; gives whether there is some.
///
/// # Errors
/// A target or an access file cannot be used, or an access control cannot be compared.
pub async fn drift(
    settings: &Settings,
    arguments: &DriftArgs,
    display: &Display,
    out: &mut dyn Write,
) -> Result<bool, Failure> {
    let sandbox = sandbox()?;
    let plans = make_all(settings, &sandbox, display, u64::MAX).await?;
    let failed = |error: std::io::Error| Failure::unexpected(format!("the drift cannot be shown: {error}"));
    let mut drifted = 0;
    let mut comment = markdown::Report::new(false);
    let json = arguments.format == ReportFormat::Json;
    if json {
        write!(out, "{{\n\"targets\": [").map_err(failed)?;
    }
    for (at, plan) in plans.iter().enumerate() {
        let counts = match arguments.format {
            ReportFormat::Text => text(out, plan)?,
            ReportFormat::Json => {
                write!(out, "{}", if at > 0 { "," } else { "" }).map_err(failed)?;
                document(out, plan)?
            }
            ReportFormat::Markdown => paragraphs(&mut comment, plan)?,
        };
        drifted += counts.drifted();
    }
    if json {
        out.write_all(b"\n]\n}\n").map_err(failed)?;
    }
    comment.write(out).map_err(failed)?;
    first_error(&plans).map_or(Ok(drifted > 0), Err)
}

/// Hands on what differs, with its state, and counts it.
fn differing(
    plan: &TargetPlan<'_>,
    mut each: impl FnMut(&Change<'_>, State) -> std::io::Result<()>,
) -> Result<Counts, Failure> {
    let mut counts = Counts::default();
    plan.changes(|change| {
        let Some(state) = State::of(change.record) else { return Ok(()) };
        counts.add(state);
        each(change, state)
    })?;
    Ok(counts)
}

fn text(out: &mut dyn Write, plan: &TargetPlan<'_>) -> Result<Counts, Failure> {
    let failed = |error: std::io::Error| Failure::unexpected(format!("the drift cannot be shown: {error}"));
    writeln!(out, "{}: {}\n", plan.loaded.settings.name, plan.subject()).map_err(failed)?;
    let counts = differing(plan, |change, state| {
        if state == State::Pending {
            return Ok(());
        }
        text::change(out, change, View::Drift { state: state.text() })
    })?;
    writeln!(out, "{}", counts.text()).map_err(failed)?;
    Ok(counts)
}

fn paragraphs(report: &mut markdown::Report, plan: &TargetPlan<'_>) -> Result<Counts, Failure> {
    report.heading(&format!("Drift of {}", plan.loaded.settings.name));
    let counts = differing(plan, |change, state| {
        if state != State::Pending {
            report.change(change, View::Drift { state: state.text() });
        }
        Ok(())
    })?;
    report.paragraph(&format!("{}: {}.", plan.subject(), counts.text()));
    Ok(counts)
}

#[derive(Serialize)]
struct DriftShape<'a> {
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: &'a Option<String>,
    /// What applying would do about it.
    #[serde(flatten)]
    record: &'a PlanRecord,
}

fn document(out: &mut dyn Write, plan: &TargetPlan<'_>) -> Result<Counts, Failure> {
    let failed = |error: std::io::Error| Failure::unexpected(format!("the drift cannot be shown: {error}"));
    let json = |text: &str| serde_json::to_string(text).unwrap_or_default();
    write!(out, "\n{{ \"target\": {},\n\"accessControls\": [", json(&plan.loaded.settings.name))
        .map_err(failed)?;
    let mut first = true;
    let counts = differing(plan, |change, state| {
        writeln!(out, "{}", if first { "" } else { "," })?;
        first = false;
        let shape = DriftShape { state, place: &change.place, record: change.record };
        serde_json::to_writer(&mut *out, &shape).map_err(std::io::Error::from)
    })?;
    let summary = serde_json::to_string(&counts).unwrap_or_default();
    write!(out, "\n],\n\"summary\": {summary} }}").map_err(failed)?;
    Ok(counts)
}
