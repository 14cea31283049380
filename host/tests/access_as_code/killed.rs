//! An apply that is killed: the server is as before or as after, never between, and the next apply finishes the work.
//!
//! Some are killed after a part of the time that one takes, some when the server is seen to run a certain statement, and some
//! while they wait in the middle for somebody else's lock.

use std::process::Child;
use std::time::{Duration, Instant};

use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::{Value, json};

use crate::company::{self, SHOP, state};
use crate::place::signal;
use crate::sessions::Session;
use crate::site::Site;

/// Applies that are killed in each way.
const ROUNDS: usize = 9;

/// Access controls in a file.
const CONTROLS: usize = 20;

/// Beginnings of statements in which an apply is killed.
const WORDS: [&str; 6] = ["GRANT", "REVOKE", "COMMENT", "ALTER ROLE", "DROP", "COMMIT"];

/// What somebody else has begun to do when an apply comes to it: early, later, and at its end.
const LOCKS: [&str; 4] = [
    "REVOKE SELECT ON sales.orders FROM ROLE",
    "REVOKE SELECT (note) ON sales.orders FROM ROLE; REVOKE UPDATE (name) ON sales.customers FROM ROLE",
    "COMMENT ON role ROLE IS 'in between'",
    "ALTER role ROLE CONNECTION LIMIT 7",
];

/// How often the server is asked for something that must come, every few milliseconds.
const ATTEMPTS: usize = 2_000;

/// Two access files that differ in everything: names, members, inheritance, rights, and which access controls there are.
fn files() -> [Vec<Value>; 2] {
    let file = |second: bool| {
        let controls = (0..CONTROLS).filter(|at| at % 5 != usize::from(!second));
        let control = |at: usize| {
            let what = |kind: &str, object: &str, permissions: &[&str]| json!({ "dataObject": { "fullName": format!("shop.sales.{object}"), "type": kind }, "permissions": permissions });
            let (users, what) = if second {
                (
                    ["bob", "carl"],
                    vec![
                        what("table", "customers", &["SELECT", "UPDATE"]),
                        what("column", "orders.note", &["SELECT"]),
                    ],
                )
            } else {
                (
                    ["ann", "bob"],
                    vec![
                        what("table", "orders", &["SELECT", "INSERT", "DELETE"]),
                        what("column", "customers.name", &["UPDATE"]),
                    ],
                )
            };
            let inherits = if at % 5 == 3 {
                vec![format!("ID:{}", if second { at - 1 } else { at + 1 })]
            } else {
                vec![]
            };
            let name = format!("Control {at}{}", if second && at.is_multiple_of(2) { " b" } else { "" });
            json!({ "id": at.to_string(), "name": name, "who": { "users": users, "inheritFrom": inherits }, "what": what })
        };
        controls.map(control).collect()
    };
    [file(false), file(true)]
}

/// Starts an apply of `access.yml`.
pub(crate) fn begin(site: &Site) -> Child {
    site.command(&["access", "apply", "--yes", "--max-removals", "100%"]).spawn().unwrap()
}

/// How many sessions of the connector there are for which a condition holds.
fn sessions(watcher: &Session, condition: &str) -> i64 {
    let all = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'raito'";
    watcher.number(&format!("{all} AND {condition}"))
}

/// Waits until the server shows a session of the connector for which a condition holds. False: the apply has ended first.
pub(crate) fn wait_for(watcher: &Session, condition: &str, child: &mut Child) -> bool {
    for _ in 0..ATTEMPTS {
        if sessions(watcher, condition) > 0 {
            return true;
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("the apply neither ends nor comes to {condition}");
}

/// Waits until the server has ended the sessions of an apply that is gone.
fn wait_until_it_is_noticed(watcher: &Session) {
    for _ in 0..ATTEMPTS {
        if sessions(watcher, "true") == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the server has not noticed");
}

fn kill(mut child: Child) {
    if child.try_wait().unwrap().is_none() {
        signal("KILL", child.id());
    }
    child.wait().unwrap();
}

#[test]
fn a_killed_apply_has_done_everything_or_nothing() {
    let site = company::start();
    let files = files();
    let mut states = Vec::new();
    let mut longest = Duration::ZERO;
    for file in &files {
        let start = Instant::now();
        site.apply(file);
        longest = longest.max(start.elapsed());
        states.push(state(&site));
    }
    assert_ne!(states[0], states[1]);
    let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let (mut at, mut in_the_middle) = (1, 0);
    let open = || Session::open(&site, "postgres", site.server.password(), SHOP);
    let (holder, watcher) = (open(), open());
    for round in 0..3 * ROUNDS {
        let next = 1 - at;
        site.file(&files[next]);
        let part = u32::try_from(random.next_u64() % 1000).unwrap();
        let mut child;
        match round % 3 {
            0 => {
                child = begin(&site);
                std::thread::sleep(longest * part / 1000);
            }
            1 => {
                child = begin(&site);
                let word = WORDS[round / 3 % WORDS.len()];
                wait_for(&watcher, &format!("query LIKE '{word}%'"), &mut child);
            }
            _ => {
                let roles = site.roles("r_control_");
                let role = &roles[part as usize % roles.len()];
                holder.run(&format!("BEGIN; {}", LOCKS[round / 3 % LOCKS.len()].replace("ROLE", role)));
                child = begin(&site);
                in_the_middle += usize::from(wait_for(&watcher, "wait_event_type = 'Lock'", &mut child));
            }
        }
        kill(child);
        holder.run("ROLLBACK");
        wait_until_it_is_noticed(&watcher);
        let now = state(&site);
        assert!(
            now == states[at] || now == states[next],
            "round {round}: between before and after: {:#?}",
            now.iter()
                .filter(|line| !states[at].contains(line) || !states[next].contains(line))
                .collect::<Vec<_>>()
        );
        site.apply(&files[next]);
        assert_eq!(state(&site), states[next], "round {round}: the next apply");
        at = next;
    }
    // A role that the next file leaves alone stops nobody.
    assert!(in_the_middle >= ROUNDS / 2, "only {in_the_middle} applies came to the lock");
}
