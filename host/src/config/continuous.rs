//! Continuous mode: when runs begin, and what else begins one.

use std::path::PathBuf;

use super::document::Value;
use super::error::{ConfigWarning, Problem};
use super::source::{Layers, Source};
use crate::schedule::{Schedule, ScheduleError};

/// Settings of continuous mode. They count as they were when the program started.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ContinuousSettings {
    /// When runs begin; none: there is one run, and then the program ends.
    pub schedule: Option<Schedule>,
    /// Whether there is also a run at the start.
    pub at_startup: bool,
    /// Do not listen for triggers of Raito Cloud.
    pub disable_websocket: bool,
    /// A file that exists while Raito Cloud can reach this program with triggers.
    pub liveness_file: Option<PathBuf>,
}

/// Reads them. The path of the liveness file is given ready-made.
pub(super) fn read(
    layers: &mut Layers<'_>,
    liveness_file: Option<PathBuf>,
    warnings: &mut Vec<ConfigWarning>,
) -> ContinuousSettings {
    let cron = layers.text("cron").and_then(|text| accept(layers, "cron", Schedule::cron(&text)));
    let has_cron = layers.text("cron").is_some();
    let frequency = frequency(layers);
    let mut at_startup = layers.truth("sync-at-startup").unwrap_or(false);
    let schedule = if has_cron {
        if let (Some(_), Some(node)) = (&frequency, layers.node("frequency")) {
            let message = "`frequency` has no effect because `cron` is given".to_owned();
            warnings.push(ConfigWarning { origin: node.origin, message });
        }
        cron
    } else {
        at_startup |= frequency.is_some();
        frequency
    };
    let disable_websocket = layers.truth("disable-websocket").unwrap_or(false);
    ContinuousSettings { schedule, at_startup, disable_websocket, liveness_file }
}

/// The schedule of `frequency`, which is a number of minutes; 0 is the same as none.
fn frequency(layers: &mut Layers<'_>) -> Option<Schedule> {
    let key = "frequency";
    let node = layers.node(key)?;
    let minutes = match &node.value {
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text.trim().to_owned(),
        _ => String::new(),
    };
    match minutes.parse::<u64>() {
        Ok(0) => None,
        Ok(minutes) => accept(layers, key, Schedule::frequency(minutes)),
        Err(_) => {
            let error = ScheduleError {
                reason: "is not a number of minutes".to_owned(),
                hint: "give the minutes between two runs, 60 or more",
            };
            accept(layers, key, Err(error))
        }
    }
}

fn accept(
    layers: &mut Layers<'_>,
    key: &'static str,
    schedule: Result<Schedule, ScheduleError>,
) -> Option<Schedule> {
    let error = match schedule {
        Ok(schedule) => return Some(schedule),
        Err(error) => error,
    };
    if let Some(node) = layers.node(key) {
        let hint = Some(error.hint.to_owned());
        layers.errors.push(node.origin, Problem::Invalid { key: key.to_owned(), reason: error.reason, hint });
    }
    None
}
