//! What a run did: for people as a table, for machines as JSON.

use std::time::Duration;

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use serde::{Serialize, Serializer};

use crate::cloud_client::TaskResult;
use crate::failure::{Failure, FailureKind};

/// One line below the header and nothing else: rows stay rows for whoever reads them with `grep`.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A step of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Data objects.
    DataSource,
    /// Users and groups.
    IdentityStore,
    /// Access controls to the target.
    AccessToTarget,
    /// Access controls from the target.
    AccessFromTarget,
    /// Statements.
    DataUsage,
    /// Tags of a catalogue.
    Tags,
    /// Resources of Raito Cloud.
    ResourceProvider,
}

impl Step {
    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Step::DataSource => "data source",
            Step::IdentityStore => "identity store",
            Step::AccessToTarget => "access to target",
            Step::AccessFromTarget => "access from target",
            Step::DataUsage => "data usage",
            Step::Tags => "tags",
            Step::ResourceProvider => "resource provider",
        }
    }
}

/// What became of a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// In the order in which they ran.
    pub targets: Vec<TargetSummary>,
    /// What concerns no single target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Wall-clock time.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub elapsed: Duration,
}

/// What became of a target.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetSummary {
    /// Its name.
    pub target: String,
    /// The job in Raito Cloud, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// In the order in which they ran.
    pub steps: Vec<StepSummary>,
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// What became of a step.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepSummary {
    /// Which.
    pub step: Step,
    /// How it ended.
    pub status: StepStatus,
    /// What was counted.
    pub results: Vec<Count>,
    /// Wall-clock time.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub elapsed: Duration,
}

/// How many of one kind of thing a step changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Count {
    /// The kind, such as `users`.
    pub object_type: String,
    /// How many there were in all, where that says something that the others do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// How many came.
    pub added: u64,
    /// How many changed.
    pub updated: u64,
    /// How many went.
    pub removed: u64,
    /// How many could not be processed.
    pub failed: u64,
}

impl From<&TaskResult> for Count {
    fn from(result: &TaskResult) -> Self {
        Count {
            object_type: result.object_type.clone(),
            total: None,
            added: result.added,
            updated: result.updated,
            removed: result.removed,
            failed: result.failed,
        }
    }
}

impl Count {
    /// The kind, and how many there were in all.
    pub fn label(&self) -> String {
        match self.total {
            Some(total) => format!("{} ({} in all)", self.object_type, thousands(total)),
            None => self.object_type.clone(),
        }
    }
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "why")]
pub enum StepStatus {
    /// Done.
    Completed,
    /// Left out, with the reason.
    Skipped(String),
    /// Failed; the reason stands with the target.
    Failed,
}

fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((time.as_secs_f64() * 1000.0).round() / 1000.0)
}

impl RunSummary {
    /// The exit code of the run.
    pub fn exit_code(&self) -> u8 {
        let mut kinds = self
            .failure
            .iter()
            .chain(self.targets.iter().filter_map(|target| target.failure.as_ref()))
            .map(|failure| failure.kind);
        let Some(first) = kinds.next() else { return 0 };
        if kinds.all(|kind| kind == first) { first.exit_code() } else { FailureKind::Several.exit_code() }
    }

    /// The table for people.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(STYLE);
        table.set_header(["target", "step", "what", "added", "updated", "removed", "failed", "time"]);
        for column in 3..8 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for target in &self.targets {
            for step in &target.steps {
                step_rows(&mut table, &target.target, step);
            }
            if target.steps.is_empty() {
                table.add_row([target.target.as_str(), "", "not run", "", "", "", "", ""]);
            }
        }
        table.to_string()
    }
}

fn step_rows(table: &mut Table, target: &str, step: &StepSummary) {
    let time = format!("{:.1} s", step.elapsed.as_secs_f64());
    let (target, label) = (target.to_owned(), step.step.label().to_owned());
    let row = |what: String| {
        [
            target.clone(),
            label.clone(),
            what,
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            time.clone(),
        ]
    };
    match &step.status {
        StepStatus::Skipped(why) => {
            table.add_row(row(format!("skipped: {why}")));
        }
        StepStatus::Failed => {
            table.add_row(row("FAILED".into()));
        }
        StepStatus::Completed if step.results.is_empty() => {
            table.add_row(row("nothing to count".into()));
        }
        StepStatus::Completed => {
            for (at, result) in step.results.iter().enumerate() {
                let first = |text: &str| if at == 0 { text.to_owned() } else { String::new() };
                table.add_row([
                    first(&target),
                    first(&label),
                    result.label(),
                    thousands(result.added),
                    thousands(result.updated),
                    thousands(result.removed),
                    thousands(result.failed),
                    first(&time),
                ]);
            }
        }
    }
}

/// A number with separators between groups of three digits.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{RunSummary, TargetSummary, thousands};
    use crate::failure::{Failure, FailureKind};

    fn target(failure: Option<FailureKind>) -> TargetSummary {
        let failure = failure.map(|kind| Failure::new(kind, "x"));
        TargetSummary { target: "t".into(), job_id: None, steps: Vec::new(), failure }
    }

    fn code(failures: &[Option<FailureKind>]) -> u8 {
        let targets = failures.iter().map(|failure| target(*failure)).collect();
        RunSummary { targets, failure: None, elapsed: Duration::ZERO }.exit_code()
    }

    #[test]
    fn the_exit_code_is_that_of_the_failures_if_they_agree() {
        assert_eq!(code(&[None, None]), 0);
        assert_eq!(code(&[None, Some(FailureKind::Denied), Some(FailureKind::Denied)]), 22);
        assert_eq!(code(&[Some(FailureKind::Parameter), Some(FailureKind::Denied)]), 9);
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
    }
}
