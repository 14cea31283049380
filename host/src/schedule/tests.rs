//! When runs begin: what is refused, and the times that come next, also around daylight saving.

#![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

use jiff::Zoned;

use super::Schedule;

/// The first times after a moment, as the wall shows them.
fn times(schedule: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::cron(schedule).unwrap();
    let mut now: Zoned = after.parse().unwrap();
    (0..count)
        .map(|_| {
            now = schedule.next(&now).unwrap();
            now.strftime("%m-%d %a %H:%M %z").to_string()
        })
        .collect()
}

fn refusal(text: &str) -> String {
    Schedule::cron(text).unwrap_err().to_string()
}

#[test]
fn the_schedules_of_the_manual_are_taken() {
    for text in [
        "0 0/2 * * *",
        "0 6 * * *",
        "5 4 * * sun",
        "@hourly",
        "*/60 * * * *",
        "  0 2 * * *  ",
        "0 2 ? JAN-mar Mon,fri",
        "CRON_TZ=Asia/Tokyo @daily",
        "@every 1h",
        "@every 90m",
        "@every 1.5h30s",
        "TZ=UTC @every 2h",
    ] {
        Schedule::cron(text).unwrap_or_else(|error| panic_on(text, &error.to_string()));
    }
}

#[expect(clippy::panic, reason = "names the schedule that was refused")]
fn panic_on(text: &str, error: &str) -> Schedule {
    panic!("{text}: {error}")
}

#[test]
fn what_comes_more_often_than_once_an_hour_is_refused() {
    for text in [
        "* 0/2 * * *",
        "*/30 * * * *",
        "0,30 * * * *",
        "0-1 * * * *",
        "0/30 * * * *",
        "@every 10m",
        "@every 59m59s",
    ] {
        assert_eq!(refusal(text), "must not come more often than once an hour", "{text}");
    }
    assert!(Schedule::frequency(59).is_err() && Schedule::frequency(0).is_err());
    assert!(Schedule::frequency(60).is_ok());
}

#[test]
fn what_is_no_schedule_is_refused() {
    for (text, reason) in [
        ("", "has 0 fields instead of five"),
        ("0 0 2 * * *", "has 6 fields instead of five"),
        ("0 2 * *", "has 4 fields instead of five"),
        ("61 2 * * *", "is not a cron expression"),
        ("0 24 * * *", "is not a cron expression"),
        ("0 2 L * *", "is not a cron expression"),
        ("0 2 * * 5L", "is not a cron expression"),
        ("0 2 * * 5#2", "is not a cron expression"),
        ("0 2 * * mondays", "is not a cron expression"),
        ("0 2 */0 * *", "is not a cron expression"),
        ("0 2 30 2 *", "never comes"),
        ("@often", "has no descriptor `@often`"),
        ("@every", "has no duration after @every"),
        ("@every soon", "has no duration after @every"),
        ("@every 2", "has no duration after @every"),
        ("@every -2h", "has no duration after @every"),
        ("TZ=Atlantis 0 2 * * *", "names the time zone `Atlantis`"),
    ] {
        assert!(refusal(text).starts_with(reason), "{text}: {}", refusal(text));
    }
}

#[test]
fn the_next_time_is_that_of_cron() {
    let after = "2026-01-30T23:30:00+01:00[Europe/Brussels]";
    let zone = "TZ=Europe/Brussels";
    assert_eq!(
        times(&format!("{zone} 0 2 * * *"), after, 2),
        ["01-31 Sat 02:00 +0100", "02-01 Sun 02:00 +0100"]
    );
    assert_eq!(times(&format!("{zone} 5 4 * * sun"), after, 1), ["02-01 Sun 04:05 +0100"]);
    assert_eq!(
        times(&format!("{zone} 0 1/8 * * *"), after, 3)[..2],
        ["01-31 Sat 01:00 +0100", "01-31 Sat 09:00 +0100"]
    );
    assert_eq!(times(&format!("{zone} @monthly"), after, 1), ["02-01 Sun 00:00 +0100"]);
    // Either day counts when both are given.
    assert_eq!(
        times(&format!("{zone} 0 0 3 * sun"), after, 2),
        ["02-01 Sun 00:00 +0100", "02-03 Tue 00:00 +0100"]
    );
    // Another zone than that of the moment.
    assert_eq!(times("CRON_TZ=Asia/Tokyo 0 8 * * *", after, 1), ["01-31 Sat 08:00 +0900"]);
    assert_eq!(times("@every 1h30m", after, 1), ["01-31 Sat 01:00 +0100"]);
    // A time that is now is not the next one.
    let now = "2026-01-30T02:00:00+01:00[Europe/Brussels]";
    assert_eq!(times(&format!("{zone} 0 2 * * *"), now, 1), ["01-31 Sat 02:00 +0100"]);
}

#[test]
fn clocks_that_are_put_forward_or_back_neither_lose_nor_double_a_daily_run() {
    let zone = "TZ=Europe/Brussels";
    // From 02:00 to 03:00 on 29 March.
    let spring = "2026-03-28T12:00:00+01:00[Europe/Brussels]";
    assert_eq!(
        times(&format!("{zone} 30 2 * * *"), spring, 2),
        ["03-29 Sun 03:00 +0200", "03-30 Mon 02:30 +0200"]
    );
    // From 03:00 back to 02:00 on 25 October.
    let autumn = "2026-10-24T12:00:00+02:00[Europe/Brussels]";
    assert_eq!(
        times(&format!("{zone} 30 2 * * *"), autumn, 2),
        ["10-25 Sun 02:30 +0200", "10-26 Mon 02:30 +0100"]
    );
    // Hourly ones go on hour by hour.
    let night = "2026-10-25T01:30:00+02:00[Europe/Brussels]";
    assert_eq!(
        times(&format!("{zone} @hourly"), night, 3),
        ["10-25 Sun 02:00 +0200", "10-25 Sun 02:00 +0100", "10-25 Sun 03:00 +0100"]
    );
}
