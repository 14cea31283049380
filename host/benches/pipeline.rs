//! What the sandbox costs: records through a sandboxed connector into the spool, beside the same generator compiled
//! into this program and feeding the same pipeline (the floor), in the same run.
//!
//! `cargo xtask bench` prints for users, data objects and statements: records per second, wall-clock and CPU time as
//! multiples of the floor, and the peak of resident memory. Sandbox and floor take turns [`ROUNDS`] times, each in a
//! process of its own; the median counts. Then the same for five times as many records, for memory alone, and
//! how long a connector takes from its cached code to its first call.
//!
//! Options: `--count N` (1,000,000), `--rounds N`, `--only users|objects|statements`.

#![expect(clippy::print_stdout, reason = "the report of a benchmark")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use raito::connector::Connector;
use raito::contract::access_controls::DataObjectReference;
use raito::contract::data_objects::DataObject;
use raito::contract::identities::User;
use raito::contract::statements::{AccessedObject, Statement};
use raito::contract::types::{GlobalPermission, Tag};
use raito::sandbox::{CacheLocation, ConnectorLog, Grants, Instance, Sandbox};
use raito::sinks::spool::{Layout, Spool};
use raito::sinks::{
    DataObjectRules, DataObjectSink, GroupSink, Progress, RecordWriter, StatementSink, TagRules, UserSink,
};
use wasmtime::component::Resource;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const ROUNDS: usize = 5;
/// Records handed over at once by the floor: as many as the SDK collects.
const BATCH: u64 = 256;

#[derive(Clone, Copy, Debug)]
struct Measured {
    wall: f64,
    cpu: f64,
    peak_mib: f64,
    bytes: u64,
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [child, side, kind, count] = arguments.as_slice()
        && child == "--child"
    {
        return child_process(side, kind, count.parse()?);
    }
    let option = |name: &str| {
        arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1)).cloned()
    };
    let count: u64 = option("--count").map_or(Ok(1_000_000), |count| count.parse())?;
    let rounds: usize = option("--rounds").map_or(Ok(ROUNDS), |rounds| rounds.parse())?;
    let only = option("--only");

    // Compiles the guest into the cache, so that no round pays for it.
    measure("sandbox", "users", 1)?;
    println!("{count} records of each kind, median of {rounds} rounds, sandbox and floor taking turns\n");
    println!(
        "{:<12} {:>12} {:>12} {:>7} {:>7} {:>10} {:>10} {:>8}",
        "records", "sandbox/s", "floor/s", "wall x", "CPU x", "RSS MiB", "floor MiB", "MB"
    );
    for kind in ["users", "objects", "statements"] {
        if only.as_deref().is_some_and(|only| only != kind) {
            continue;
        }
        let (mut sandbox, mut floor) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            floor.push(measure("floor", kind, count)?);
            sandbox.push(measure("sandbox", kind, count)?);
        }
        let median = |rounds: &[Measured], of: fn(&Measured) -> f64| {
            let mut values: Vec<_> = rounds.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
        };
        let (wall, floor_wall) = (median(&sandbox, |m| m.wall), median(&floor, |m| m.wall));
        let (cpu, floor_cpu) = (median(&sandbox, |m| m.cpu), median(&floor, |m| m.cpu));
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = |wall: f64| count as f64 / wall;
        println!(
            "{kind:<12} {:>12.0} {:>12.0} {:>7.2} {:>7.2} {:>10.1} {:>10.1} {:>8}",
            rate(wall),
            rate(floor_wall),
            wall / floor_wall,
            cpu / floor_cpu,
            median(&sandbox, |m| m.peak_mib),
            median(&floor, |m| m.peak_mib),
            sandbox.first().map_or(0, |m| m.bytes) / 1_000_000,
        );
    }
    let more = measure("sandbox", "users", count * 5)?;
    println!("\n{} users through the sandbox: peak RSS {:.1} MiB", count * 5, more.peak_mib);
    let ready = measure("ready", "users", 1)?;
    println!("cached connector, from its file to an instance that answers: {:.1} ms", ready.wall * 1000.0);
    Ok(())
}

/// Measures in a process of its own, which has no memory of other rounds.
fn measure(side: &str, kind: &str, count: u64) -> Outcome<Measured> {
    let output =
        Command::new(std::env::current_exe()?).args(["--child", side, kind, &count.to_string()]).output()?;
    if !output.status.success() {
        return Err(format!("{side} {kind}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let numbers: Vec<f64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    match numbers.as_slice() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size in bytes")]
        [wall, cpu, peak_mib, bytes] => {
            Ok(Measured { wall: *wall, cpu: *cpu, peak_mib: *peak_mib, bytes: *bytes as u64 })
        }
        _ => Err(format!("unexpected report: {text}").into()),
    }
}

fn child_process(side: &str, kind: &str, count: u64) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let (wall, bytes) = match side {
        "floor" => floor(kind, count, folder.path())?,
        "sandbox" => sandboxed(kind, count, folder.path())?,
        _ => ready(count)?,
    };
    println!("{wall} {} {} {bytes}", cpu_seconds()?, peak_mib()?);
    Ok(())
}

fn writer(folder: &Path, name: &str, progress: &Arc<Progress>) -> Outcome<RecordWriter> {
    Ok(RecordWriter::new(Spool::create(&folder.join(name), Layout::RECORDS)?, Arc::clone(progress)))
}

fn rules() -> DataObjectRules {
    DataObjectRules {
        data_source_id: "bench".into(),
        types: ["schema", "table", "column"].map(str::to_owned).into(),
        tags: TagRules::default(),
    }
}

/// The generator, compiled natively, into the pipeline.
fn floor(kind: &str, count: u64, folder: &Path) -> Outcome<(f64, u64)> {
    let progress = Arc::default();
    let writer = writer(folder, "floor.json", &progress)?;
    let started = Instant::now();
    let batches = (0..count).step_by(usize::try_from(BATCH)?).map(|first| first..(first + BATCH).min(count));
    let writer = match kind {
        "users" => {
            let mut sink = UserSink::new(writer, TagRules::default());
            for batch in batches {
                sink.take(batch.map(user).collect()).map_err(|error| format!("{error:?}"))?;
            }
            sink.into_writer()
        }
        "objects" => {
            let mut sink = DataObjectSink::new(writer, rules());
            for batch in batches {
                sink.take(batch.map(object).collect()).map_err(|error| format!("{error:?}"))?;
            }
            sink.into_writer()
        }
        _ => {
            let mut sink = StatementSink::new(writer);
            for batch in batches {
                let batch: Vec<_> = batch.map(statement).collect();
                sink.take(&batch).map_err(|error| format!("{error:?}"))?;
            }
            sink.into_writer()
        }
    };
    let files = writer.finish()?;
    Ok((started.elapsed().as_secs_f64(), files.iter().map(|file| file.bytes).sum()))
}

fn guest() -> Outcome<PathBuf> {
    let folder = std::env::var_os("RAITO_TEST_GUESTS")
        .ok_or("RAITO_TEST_GUESTS is not set; use `cargo xtask bench`")?;
    Ok(PathBuf::from(folder).join("synthetic.wasm"))
}

fn sandbox() -> Outcome<Sandbox> {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-cache");
    Ok(Sandbox::new(&CacheLocation::Folder(cache))?)
}

fn instance(sandbox: &Sandbox, connector: &Connector, count: u64) -> Outcome<Instance> {
    let parameters = vec![("count".to_owned(), count.to_string())];
    let grants = Grants::new(raito::config::SandboxSettings::default(), parameters, ConnectorLog::default())?;
    Instance::new(sandbox.engine(), connector.linked(), &grants).map_err(|error| format!("{error:?}").into())
}

/// The same generator in a guest.
fn sandboxed(kind: &str, count: u64, folder: &Path) -> Outcome<(f64, u64)> {
    let sandbox = sandbox()?;
    let connector = Connector::load(&sandbox, &guest()?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let progress = Arc::default();
    let writer = writer(folder, "sandbox.json", &progress)?;
    let instance = instance(&sandbox, &connector, count)?;
    let missing = || "the guest lacks an export";
    let started = Instant::now();
    let files = runtime.block_on(async {
        match kind {
            "users" => {
                let guest = connector.identity_store().ok_or_else(missing)?.clone();
                let users = UserSink::new(writer, TagRules::default());
                let groups = GroupSink::new(self::writer(folder, "groups.json", &progress)?);
                let called = instance.call(async move |store, instance| {
                    let users = store.data_mut().table().push(users)?;
                    let groups = store.data_mut().table().push(groups)?;
                    let (users_rep, groups_rep) = (users.rep(), groups.rep());
                    let outcome = guest
                        .load(&mut *store, instance)?
                        .call_sync(
                            &mut *store,
                            Resource::new_borrow(users_rep),
                            Resource::new_borrow(groups_rep),
                        )
                        .await?;
                    let files = store.data_mut().table().delete(users)?.into_writer().finish()?;
                    Ok(outcome.map(|()| files))
                });
                called.await.map_err(|error| format!("{error:?}"))
            }
            "objects" => {
                let guest = connector.data_source().ok_or_else(missing)?.clone();
                let objects = DataObjectSink::new(writer, rules());
                let called = instance.call(async move |store, instance| {
                    let objects = store.data_mut().table().push(objects)?;
                    let scope = raito::contract::exports::data_source::SyncScope {
                        parent: None,
                        excludes: Vec::new(),
                    };
                    let outcome = guest
                        .load(&mut *store, instance)?
                        .call_sync(&mut *store, &scope, Resource::new_borrow(objects.rep()))
                        .await?;
                    let files = store.data_mut().table().delete(objects)?.into_writer().finish()?;
                    Ok(outcome.map(|()| files))
                });
                called.await.map_err(|error| format!("{error:?}"))
            }
            _ => {
                let guest = connector.data_usage().ok_or_else(missing)?.clone();
                let statements = StatementSink::new(writer);
                let called = instance.call(async move |store, instance| {
                    let statements = store.data_mut().table().push(statements)?;
                    let known = raito::contract::exports::data_usage::KnownPeriod { first: None, last: None };
                    let outcome = guest
                        .load(&mut *store, instance)?
                        .call_sync(&mut *store, known, Resource::new_borrow(statements.rep()))
                        .await?;
                    let files = store.data_mut().table().delete(statements)?.into_writer().finish()?;
                    Ok(outcome.map(|()| files))
                });
                called.await.map_err(|error| format!("{error:?}"))
            }
        }
        .map_err(Box::<dyn std::error::Error + Send + Sync>::from)
    })?;
    Ok((started.elapsed().as_secs_f64(), files.iter().map(|file| file.bytes).sum()))
}

/// From the file of a connector whose code is cached to its first answer.
fn ready(count: u64) -> Outcome<(f64, u64)> {
    let sandbox = sandbox()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let guest = guest()?;
    let started = Instant::now();
    let connector = Connector::load(&sandbox, &guest)?;
    let instance = instance(&sandbox, &connector, count)?;
    let info = connector.info().clone();
    let called = instance.call(async move |store, instance| {
        Ok(Ok(info.load(&mut *store, instance)?.call_describe(store).await?.name))
    });
    runtime.block_on(called).map_err(|error| format!("{error:?}"))?;
    Ok((started.elapsed().as_secs_f64(), connector.bytes))
}

fn user(number: u64) -> User {
    let made = raito_test_guests::user(number);
    User {
        external_id: made.external_id,
        name: made.name,
        user_name: made.user_name,
        email: made.email,
        group_external_ids: made.groups.into(),
        tags: made.tags.into_iter().map(|[key, value, source]| Tag { key, value, source }).collect(),
        is_machine: Some(number.is_multiple_of(50)),
    }
}

fn object(number: u64) -> DataObject {
    let made = raito_test_guests::object(number);
    DataObject {
        external_id: made.external_id,
        name: made.name,
        full_name: made.full_name,
        object_type: made.object_type.into(),
        description: made.description,
        parent_external_id: made.parent,
        tags: Vec::new(),
        data_type: None,
        share_provider_identifier: None,
        share_identifier: None,
    }
}

fn statement(number: u64) -> Statement {
    let made = raito_test_guests::statement(number);
    Statement {
        external_id: made.external_id,
        user: made.user,
        role: made.role,
        success: true,
        status: "SUCCESS".into(),
        query: made.query,
        start_time: Some(made.start),
        end_time: Some(made.start + 1500),
        bytes: 4096,
        rows: number % 1000,
        credits: None,
        accessed: made
            .tables
            .into_iter()
            .map(|full_name| AccessedObject {
                object: DataObjectReference { full_name, object_type: "table".into() },
                permission: Some(GlobalPermission::Read),
            })
            .collect(),
        error: String::new(),
    }
}

/// CPU time of this process, all threads, user and system. Linux counts it in hundredths of a second here.
fn cpu_seconds() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0);
    Ok((ticks(11) + ticks(12)) / 100.0)
}

fn peak_mib() -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).ok_or("no VmHWM")?;
    let kib: f64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kib / 1024.0)
}
