//! An apply that is killed: the server is as before or as after, never between, and the next apply finishes the work.
//!
//! Some are killed after a part of the time that one takes, some when the server is seen to run a certain statement, and some
//! while they wait in the middle for somebody else's lock.

use std::process::Child;
use std::time::{Duration, Instant};

use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::{Value, json};

use crate::company::{self, SHOP};
use crate::place::signal;
use crate::sessions::Session;
use crate::site::Site;

/// Applies that are killed in each way.
const ROUNDS: usize = 9;

/// Access controls in a file.
const CONTROLS: usize = 20;

/// How often the server is asked for something that must come, every few milliseconds.
const ATTEMPTS: usize = 2_000;

/// All roles with their comments, memberships and rights, by name.
pub(crate) fn state(site: &Site) -> Vec<String> {
    site.texts(
        SHOP,
        "SELECT 'role ' || rolname || coalesce(shobj_description(oid, 'pg_authid'), '') FROM pg_roles UNION ALL \
         SELECT 'member ' || roleid::regrole || ' ' || member::regrole FROM pg_auth_members UNION ALL \
         SELECT 'database ' || datname || a::text FROM pg_database, unnest(datacl) a UNION ALL \
         SELECT 'schema ' || nspname || a::text FROM pg_namespace, unnest(nspacl) a UNION ALL \
         SELECT 'relation ' || relname || a::text FROM pg_class, unnest(relacl) a UNION ALL \
         SELECT 'column ' || attrelid::regclass || attname || a::text FROM pg_attribute, unnest(attacl) a ORDER BY 1",
    )
}

/// Two access files that differ in everything: names, members, inheritance, rights, and which access controls there are.
fn files() -> [Vec<Value>; 2] {
    let file = |second: bool| {
        let controls = (0..CONTROLS).filter(|at| at % 5 != if second { 0 } else { 1 });
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
            let name = format!("Control {at}{}", if second && at % 2 == 0 { " b" } else { "" });
            json!({ "id": at.to_string(), "name": name, "who": { "users": users, "inheritFrom": inherits }, "what": what })
        };
        controls.map(control).collect()
    };
    [file(false), file(true)]
}

/// Starts an apply of `access.yml`.
fn begin(site: &Site) -> Child {
    site.command(&["access", "apply", "--yes", "--max-removals", "100%"]).spawn().unwrap()
}

/// Waits until the server shows sessions for which a condition holds, or shows none any more.
fn wait_for(site: &Site, condition: &str, there: bool) -> bool {
    let query =
        format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'raito' AND {condition}");
    for _ in 0..ATTEMPTS {
        if (site.texts("postgres", &query) != ["0"]) == there {
            return true;
        }
        std::thread::sleep(Duration::from_millis(3));
    }
    false
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
    let holder = Session::open(&site, "postgres", site.server.password());
    for round in 0..3 * ROUNDS {
        let next = 1 - at;
        site.file(&files[next]);
        match round % 3 {
            0 => {
                let child = begin(&site);
                let part = u32::try_from(random.next_u64() % 1000).unwrap();
                std::thread::sleep(longest * part / 1000);
                kill(child);
            }
            1 => {
                let child = begin(&site);
                let words = ["GRANT", "REVOKE", "COMMENT", "ALTER ROLE", "DROP"];
                let word = words[round / 3 % words.len()];
                wait_for(&site, &format!("query LIKE '{word}%'"), true);
                kill(child);
            }
            _ => {
                // The role changes while the apply gets to it.
                let role = &site.roles("r_control_")[round % 7];
                holder.run(&format!(
                    "BEGIN; COMMENT ON ROLE {role} IS 'in between'; REVOKE SELECT ON sales.orders FROM {role}"
                ));
                let child = begin(&site);
                in_the_middle += usize::from(wait_for(&site, "wait_event_type = 'Lock'", true));
                kill(child);
                holder.run("ROLLBACK");
            }
        }
        assert!(wait_for(&site, "true", false), "the server has not noticed");
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
    assert_eq!(in_the_middle, ROUNDS, "not every apply came to the lock");
}
