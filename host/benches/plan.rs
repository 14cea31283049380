//! What a plan costs: `raito access plan` for many access controls on a real PostgreSQL, beside a bare read of the same
//! catalogue over the same network, in the same run.
//!
//! `cargo xtask bench plan` makes a database with tables, and applies an access file with ten permissions in each access control.
//! Then it measures, each [`ROUNDS`] times in turns, the median counting:
//!
//! - the floor: roles, memberships and access lists, read by `aclexplode` and thrown away;
//! - a plan in which everything stands as desired;
//! - a plan in which every tenth access control changes;
//!
//! and once the first plan, in which nothing stands yet, and the first apply, of [`PORTION`] access controls. For two sizes, so
//! that it can be seen how memory follows the number of permissions. The memory is the peak of the whole process, connector
//! included.
//!
//! Options: `--controls N` (10,000; the smaller size is a tenth of it), `--rounds N`.

#![expect(clippy::print_stdout, reason = "the report of a benchmark")]
#![expect(clippy::expect_used, reason = "a benchmark that cannot go on ends")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use raito_test_servers::Postgres;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const ROUNDS: usize = 5;
/// Permissions in each access control.
const PERMISSIONS: usize = 10;
/// Access controls that are applied at once: a transaction that makes more roles needs a server with more locks than one
/// has by default.
const PORTION: usize = 1_000;
const TABLES: usize = 1_000;
const USERS: usize = 200;
/// All that a plan can need to know.
const FLOOR: &str = "SELECT count(*) FROM (\
    SELECT oid::text, rolname::text, shobj_description(oid, 'pg_authid'), '' FROM pg_roles UNION ALL \
    SELECT roleid::text, member::text, grantor::text, '' FROM pg_auth_members) r";
const FLOOR_ENTRIES: &str = "SELECT n.nspname, c.relname, a.grantee::text, a.privilege_type FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL aclexplode(c.relacl) a";

#[derive(Clone, Copy)]
struct Measured {
    seconds: f64,
    peak_mib: f64,
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let option = |name: &str| {
        arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1)).cloned()
    };
    let controls: usize = option("--controls").map_or(Ok(10_000), |count| count.parse())?;
    let rounds: usize = option("--rounds").map_or(Ok(ROUNDS), |rounds| rounds.parse())?;
    println!(
        "{TABLES} tables, {USERS} users, {PERMISSIONS} permissions in each access control; median of {rounds} rounds\n"
    );
    println!(
        "{:>9} {:>12} {:<36} {:>9} {:>9} {:>9}",
        "controls", "permissions", "what", "seconds", "x floor", "RSS MiB"
    );
    for controls in [controls / 10, controls] {
        size(controls, rounds)?;
    }
    Ok(())
}

fn size(controls: usize, rounds: usize) -> Outcome<()> {
    let server = Postgres::start();
    let place = tempfile::tempdir()?;
    prepare(&server, place.path(), controls)?;
    let line = |what: &str, measured: Measured, floor: f64| {
        let times = if floor > 0.0 { format!("{:.2}", measured.seconds / floor) } else { "-".to_owned() };
        let permissions = controls * PERMISSIONS;
        println!(
            "{controls:>9} {permissions:>12} {what:<36} {:>9.2} {times:>9} {:>9}",
            measured.seconds,
            if measured.peak_mib.is_nan() { "-".to_owned() } else { format!("{:.1}", measured.peak_mib) },
        );
    };
    // Compiles the connector, so that no round pays for it.
    raito(place.path(), &["access", "schema"], &[0])?;
    raito(place.path(), &["access", "validate"], &[0])?;
    line("first plan: nothing stands", raito(place.path(), &["access", "plan"], &[2])?, 0.0);
    let mut applied = PORTION.min(controls);
    loop {
        std::fs::write(place.path().join("portion.json"), access_file(applied, false))?;
        let arguments = ["access", "apply", "--yes", "--access-file", "portion.json"];
        let measured = raito(place.path(), &arguments, &[0])?;
        if applied <= PORTION {
            line(&format!("first apply, of {applied} access controls"), measured, 0.0);
        }
        if applied == controls {
            break;
        }
        applied = (applied + PORTION).min(controls);
    }
    let (mut floor, mut same, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        floor.push(bare_read(&server));
        same.push(raito(place.path(), &["access", "plan"], &[0])?);
        let other = ["access", "plan", "--access-file", "changed.json"];
        changed.push(raito(place.path(), &other, &[2])?);
    }
    let floor = median(floor);
    line("bare read of the catalogue (floor)", floor, floor.seconds);
    line("plan: everything stands", median(same), floor.seconds);
    line("plan: every tenth changes", median(changed), floor.seconds);
    let validate = raito(place.path(), &["access", "validate"], &[0])?;
    line("validate, of that", validate, floor.seconds);
    Ok(())
}

fn median(mut rounds: Vec<Measured>) -> Measured {
    rounds.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
    rounds.get(rounds.len() / 2).copied().unwrap_or(Measured { seconds: f64::NAN, peak_mib: f64::NAN })
}

fn bare_read(server: &Postgres) -> Measured {
    let started = Instant::now();
    server.rows("postgres", FLOOR);
    let entries = server.rows("postgres", FLOOR_ENTRIES);
    assert!(!entries.is_empty(), "nothing was applied");
    Measured { seconds: started.elapsed().as_secs_f64(), peak_mib: f64::NAN }
}

fn prepare(server: &Postgres, place: &Path, controls: usize) -> Outcome<()> {
    server.sql(
        "postgres",
        &format!(
            "DO $$ BEGIN FOR i IN 0..{} LOOP EXECUTE format('CREATE TABLE t%s (id int)', i); END LOOP; \
             FOR i IN 0..{} LOOP EXECUTE format('CREATE ROLE u%s LOGIN', i); END LOOP; END $$",
            TABLES - 1,
            USERS - 1
        ),
    );
    std::fs::write(place.join("access.json"), access_file(controls, false))?;
    std::fs::write(place.join("changed.json"), access_file(controls, true))?;
    let connectors = std::env::var_os("RAITO_TEST_CONNECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/connectors"),
        PathBuf::from,
    );
    let port = server.port();
    std::fs::write(
        place.join("raito.yml"),
        format!(
            "connector-path: {}\ntargets:\n  - name: server\n    connector-name: postgres\n    access-file: access.json\n    \
             pg-host: 127.0.0.1\n    pg-port: \"{port}\"\n    pg-user: postgres\n    pg-password: {}\n    \
             pg-tls-mode: disable\n    sandbox:\n      network: [{{ host: \"127.0.0.1:{port}\", private: true }}]\n",
            connectors.display(),
            server.password(),
        ),
    )?;
    Ok(())
}

/// An access file; `changed` gives every tenth access control one user more.
fn access_file(controls: usize, changed: bool) -> String {
    let mut text = String::from("{\"accessProviders\":[");
    for control in 0..controls {
        let separator = if control > 0 { ",\n" } else { "\n" };
        let _ = write!(text, "{separator}{{\"name\":\"Control {control}\",\"who\":{{\"users\":[");
        let more = usize::from(changed && control % 10 == 0);
        for user in 0..2 + more {
            let separator = if user > 0 { "," } else { "" };
            let _ = write!(text, "{separator}\"u{}\"", (control + user * 7) % USERS);
        }
        text.push_str("]},\"what\":[");
        for permission in 0..PERMISSIONS {
            let separator = if permission > 0 { "," } else { "" };
            let table = (control * PERMISSIONS + permission) % TABLES;
            let _ = write!(
                text,
                "{separator}{{\"dataObject\":{{\"fullName\":\"postgres.public.t{table}\",\"type\":\"table\"}},\
                 \"permissions\":[\"SELECT\"]}}"
            );
        }
        text.push_str("]}");
    }
    text.push_str("\n]}\n");
    text
}

/// Runs the program, and reads the peak of its memory when it has ended.
fn raito(place: &Path, arguments: &[&str], codes: &[i32]) -> Outcome<Measured> {
    let started = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_raito"))
        .args(arguments)
        .current_dir(place)
        .env("CI", "true")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let pid = child.id();
    let mut peak_kib: f64 = 0.0;
    // The kernel forgets the peak with the process, so it is looked at while it lasts.
    let status = loop {
        if let Ok(text) = std::fs::read_to_string(format!("/proc/{pid}/status")) {
            let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let peak = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok());
            peak_kib = peak_kib.max(peak.unwrap_or(0.0));
        }
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    let seconds = started.elapsed().as_secs_f64();
    let mut errors = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().expect("it is piped"), &mut errors)?;
    if !status.code().is_some_and(|code| codes.contains(&code)) {
        return Err(format!("raito {}: {status}: {errors}", arguments.join(" ")).into());
    }
    Ok(Measured { seconds, peak_mib: peak_kib / 1024.0 })
}
