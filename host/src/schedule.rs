//! When runs begin in continuous mode.
//!
//! ```text
//! schedule   = [zone] (fields | descriptor | "@every" duration)
//! zone       = ("TZ=" | "CRON_TZ=") IANA-name " "
//! fields     = minute hour day-of-month month day-of-week     numbers, names, `*`, `?`, `a-b`, `a,b`, `x/step`
//! descriptor = "@yearly" | "@annually" | "@monthly" | "@weekly" | "@daily" | "@midnight" | "@hourly"
//! duration   = { number unit }                                units h, m, s and below, as in `1h30m`
//! ```
//!
//! Without a zone, times are those of this machine's time zone. Runs are at least an hour apart: the minute must be a
//! single one, and so must the interval be.
//!
//! When clocks are put forward, a time that does not exist that day is made up for right after the gap, unless the
//! schedule has more than one hour a day; when they are put back, a single time counts the first time it comes, and
//! one of several hours each time. These are the rules of Vixie's cron.

use std::fmt;
use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Zoned};

/// The shortest time between two runs that a schedule may ask for.
pub const SHORTEST: Duration = Duration::from_hours(1);

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// When runs begin. Two schedules are equal if they were written alike.
#[derive(Clone)]
pub struct Schedule {
    text: String,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    /// At times of the calendar of a time zone; without one, of the machine's at that time.
    Times { cron: Box<Cron>, zone: Option<TimeZone> },
    /// This long after the run before.
    Every(Duration),
}

/// Why a schedule is refused: a verb phrase about the option, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ScheduleError {
    /// What is wrong.
    pub reason: String,
    /// What to do about it.
    pub hint: &'static str,
}

fn refused<T>(reason: impl Into<String>, hint: &'static str) -> Result<T, ScheduleError> {
    Err(ScheduleError { reason: reason.into(), hint })
}

impl Schedule {
    /// Reads the text of a cron schedule.
    ///
    /// # Errors
    /// It is none, never comes, or comes more often than once an hour.
    pub fn cron(text: &str) -> Result<Self, ScheduleError> {
        let (zone, rest) = zone(text.trim())?;
        let kind = match rest.strip_prefix("@every") {
            Some(duration) => Kind::Every(every(duration)?),
            None => times(rest, zone)?,
        };
        let schedule = Schedule { text: text.trim().to_owned(), kind };
        if schedule.next(&Zoned::now()).is_none() {
            return refused("never comes", "name a day that exists");
        }
        Ok(schedule)
    }

    /// A run every so many minutes.
    ///
    /// # Errors
    /// They are less than an hour.
    pub fn frequency(minutes: u64) -> Result<Self, ScheduleError> {
        let interval = Duration::from_secs(minutes.saturating_mul(60));
        if interval < SHORTEST {
            return refused("must be at least 60 minutes", "give the minutes between two runs, 60 or more");
        }
        Ok(Schedule { text: format!("every {minutes} minutes"), kind: Kind::Every(interval) })
    }

    /// The first time after a moment.
    pub fn next(&self, after: &Zoned) -> Option<Zoned> {
        match &self.kind {
            Kind::Every(interval) => {
                let interval = SignedDuration::try_from(*interval).ok()?;
                after.checked_add(interval).ok()
            }
            Kind::Times { cron, zone } => {
                let zone = zone.clone().unwrap_or_else(TimeZone::system);
                cron.find_next_occurrence(&after.with_time_zone(zone), false).ok()
            }
        }
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schedule").field(&self.text).finish()
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Takes the zone off the front.
fn zone(text: &str) -> Result<(Option<TimeZone>, &str), ScheduleError> {
    let Some(named) = text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ=")) else {
        return Ok((None, text));
    };
    let (name, rest) = named.split_once(char::is_whitespace).unwrap_or((named, ""));
    match TimeZone::get(name) {
        Ok(zone) => Ok((Some(zone), rest.trim_start())),
        Err(_) => refused(
            format!("names the time zone `{name}`, which is not known here"),
            "write it as in `TZ=Europe/Brussels 0 2 * * *`",
        ),
    }
}

fn every(text: &str) -> Result<Duration, ScheduleError> {
    let hint = "write it as in `@every 1h30m`";
    let Some(interval) = text.strip_prefix(char::is_whitespace).and_then(|text| duration(text.trim())) else {
        return refused("has no duration after @every", hint);
    };
    if interval < SHORTEST {
        return refused("must not come more often than once an hour", hint);
    }
    // Whole seconds, as cron has them.
    Ok(Duration::from_secs(interval.as_secs()))
}

/// A duration of numbers with units, the way Go writes them.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at_checked(end)?;
        let number: f64 = number.parse().ok()?;
        let (unit, factor) = [
            ("ns", 1e-9),
            ("us", 1e-6),
            ("µs", 1e-6),
            ("μs", 1e-6),
            ("ms", 1e-3),
            ("s", 1.0),
            ("m", 60.0),
            ("h", 3600.0),
        ]
        .into_iter()
        .find(|(unit, _)| after.starts_with(unit))?;
        seconds += number * factor;
        rest = after.strip_prefix(unit)?;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

fn times(text: &str, zone: Option<TimeZone>) -> Result<Kind, ScheduleError> {
    let fields = match text {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        other if other.starts_with('@') => {
            return refused(
                format!("has no descriptor `{other}`"),
                "use @hourly, @daily, @weekly, @monthly, @yearly or @every with a duration",
            );
        }
        other => other,
    };
    let hint = "write minute, hour, day of the month, month and day of the week, as in `0 2 * * *`";
    let fields: Vec<_> =
        fields.split_whitespace().map(|field| if field == "?" { "*" } else { field }).collect();
    let [minute, hour, day, month, weekday] = fields.as_slice() else {
        return refused(format!("has {} fields instead of five", fields.len()), hint);
    };
    // The parser knows more than cron does, such as the last day of a month; files must mean the same everywhere.
    let plain = |field: &str, names: &[&str]| {
        field.split([',', '-', '/']).all(|part| {
            part == "*"
                || (!part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
                || names.iter().any(|name| name.eq_ignore_ascii_case(part))
        })
    };
    if !plain(minute, &[])
        || !plain(hour, &[])
        || !plain(day, &[])
        || !plain(month, &MONTHS)
        || !plain(weekday, &DAYS)
    {
        return refused("is not a cron expression", hint);
    }
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .sloppy_ranges(true)
        .dom_and_dow(false)
        .build();
    let cron = match parser.parse(&fields.join(" ")) {
        Ok(cron) => cron,
        Err(error) => return refused(format!("is not a cron expression: {error}"), hint),
    };
    if cron.pattern.minutes.values().len() > 1 {
        return refused(
            "must not come more often than once an hour",
            "give a single minute in the first field, as in `0 */2 * * *`",
        );
    }
    Ok(Kind::Times { cron: Box::new(cron), zone })
}

#[cfg(test)]
mod tests;
