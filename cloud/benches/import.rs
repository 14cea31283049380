//! How fast data objects are imported into `SQLite` or PostgreSQL, and in how much memory.
//!
//! `cargo bench -p raito-cloud --bench import -- [--count N]… [--shuffled] [--postgres]`
//!
//! For each count (300,000 and 1,000,000 unless given) a file of data objects is written. One child process
//! imports it as the worker does: the first time, again without a change, and with a tenth of the objects
//! changed. Another child is the floor: it inserts the same rows, made before the clock starts, by prepared
//! multi-row `INSERT`s in one transaction into an equally indexed table. Each child reports its own peak RSS
//! (`VmHWM`), the floor's without meaning, since it holds all rows. `--shuffled` writes the objects in an
//! order that no index likes. `--postgres` starts a server that does not wait for the disk, for both children.
//!
//! All seconds are wall time; the CPU seconds beside them are those of all threads of the child, so that a
//! busy machine can be told from a slow import.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use raito_cloud::Database;
use raito_cloud::bench::Bench;
use raito_test_guests::{SyntheticObject, object};
use raito_test_servers::Postgres;
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous,
};
use sqlx::{Arguments, AssertSqlSafe, ConnectOptions as _, Connection as _, Encode, Executor as _, Type};

/// The allocator of the `raito` binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn Error>;

const COUNTS: [u64; 2] = [300_000, 1_000_000];
/// A prime, so that stepping by it visits every number below another number once.
const STRIDE: u64 = 7_368_787;
/// Gives a child the address of a database.
const ADDRESS: &str = "RAITO_BENCH_DATABASE";
const FLOOR_ROWS: usize = 256;
const FLOOR_COLUMNS: usize = 13;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let mut counts = Vec::new();
    let mut shuffled = false;
    let mut postgres = None;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--count" => {
                let number = arguments.next().ok_or("--count needs a number")?;
                counts.push(number.replace('_', "").parse()?);
            }
            "--shuffled" => shuffled = true,
            "--postgres" => postgres = Some(Postgres::start()),
            // Given by cargo to every benchmark.
            "--bench" => {}
            "--child" => {
                let (kind, folder) =
                    (arguments.next().unwrap_or_default(), arguments.next().unwrap_or_default());
                let count = arguments.next().unwrap_or_default().parse()?;
                let runtime = tokio::runtime::Runtime::new()?;
                return match kind.as_str() {
                    "import" => runtime.block_on(import(Path::new(&folder), count)),
                    _ => runtime.block_on(floor(Path::new(&folder), count, shuffled)),
                };
            }
            other => return Err(format!("unknown argument {other}").into()),
        }
    }
    if counts.is_empty() {
        counts.extend(COUNTS);
    }
    for count in counts {
        let folder = tempfile::tempdir()?;
        write(&folder.path().join("first.json"), count, shuffled, 0)?;
        write(&folder.path().join("changed.json"), count, shuffled, 10)?;
        let size = std::fs::metadata(folder.path().join("first.json"))?.len();
        print(&format!("{count} data objects, {} MB of JSON", size / 1_000_000))?;
        for kind in ["floor", "import"] {
            let mut child = Command::new(std::env::current_exe()?);
            if let Some(server) = &postgres {
                let database = format!("{kind}_{count}");
                server.sql("postgres", &format!("CREATE DATABASE {database}"));
                let password = server.password().replace(' ', "%20");
                let address =
                    format!("postgres://postgres:{password}@127.0.0.1:{}/{database}", server.port());
                child.env(ADDRESS, address);
            }
            if shuffled {
                child.arg("--shuffled");
            }
            child.args(["--child", kind]).arg(folder.path()).arg(count.to_string());
            if !child.status()?.success() {
                return Err(format!("the child {kind} failed").into());
            }
        }
    }
    Ok(())
}

/// The number of the object at a place of the file.
fn place(position: u64, count: u64, shuffled: bool) -> u64 {
    if shuffled { position * STRIDE % count } else { position }
}

/// Writes a file as clients do: one object per line. Every `changed`th object has another description.
fn write(path: &Path, count: u64, shuffled: bool, changed: u64) -> Result<(), Failure> {
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(b"[")?;
    for position in 0..count {
        let number = place(position, count, shuffled);
        let SyntheticObject { external_id, name, full_name, description, parent, object_type } =
            object(number);
        let again = if changed > 0 && number.is_multiple_of(changed) { ", once more" } else { "" };
        let record = serde_json::json!({
            "externalId": external_id, "name": name, "fullName": full_name, "type": object_type,
            "description": format!("{description}{again}"), "parentExternalId": parent, "tags": null,
            "dataType": (object_type == "column").then_some("character varying(255)"),
        });
        file.write_all(if position == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut file, &record)?;
    }
    file.write_all(b"\n]")?;
    file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    Ok(())
}

/// Imports the files of a folder.
async fn import(folder: &Path, count: u64) -> Result<(), Failure> {
    let data = folder.join("import");
    std::fs::create_dir(&data)?;
    let bench = Bench::open(&data, &database()?).await?;
    let tenth = count.div_ceil(10);
    for (what, file, expected) in [
        ("first import", "first.json", [count, 0, 0]),
        ("unchanged", "first.json", [0, 0, 0]),
        ("10 % changed", "changed.json", [0, tenth, 0]),
    ] {
        let clock = Clock::start()?;
        let counts = bench.import(&folder.join(file)).await?;
        clock.report(what, folder, count)?;
        if counts != expected {
            return Err(format!("{what}: {counts:?} instead of {expected:?}").into());
        }
    }
    bench.close().await;
    print(&format!("  peak RSS of the import {} MiB", peak()? / 1024))
}

fn database() -> Result<Database, Failure> {
    Ok(std::env::var(ADDRESS).as_deref().unwrap_or("sqlite").parse()?)
}

/// Inserts the same rows as fast as statements allow.
async fn floor(folder: &Path, count: u64, shuffled: bool) -> Result<(), Failure> {
    let data = folder.join("floor");
    std::fs::create_dir(&data)?;
    // The schema, with its indexes, is the real one.
    Bench::open(&data, &database()?).await?.close().await;
    if let Ok(address) = std::env::var(ADDRESS) {
        let mut connection = PgConnection::connect(&address).await?;
        let batches = batches::<PgArguments>(count, shuffled)?;
        let clock = Clock::start()?;
        let mut transaction = connection.begin().await?;
        for (rows, arguments) in batches {
            let statement = AssertSqlSafe(insert(rows, |number| format!("${number}")));
            transaction.execute(sqlx::query_with(statement, arguments)).await?;
        }
        transaction.commit().await?;
        return clock.report("floor", folder, count);
    }
    let mut connection: SqliteConnection = SqliteConnectOptions::new()
        .filename(data.join("raito.db"))
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .pragma("cache_size", "-65536")
        .connect()
        .await?;
    let batches = batches::<SqliteArguments>(count, shuffled)?;
    let clock = Clock::start()?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for (rows, arguments) in batches {
        let statement = AssertSqlSafe(insert(rows, |_| "?".to_owned()));
        transaction.execute(sqlx::query_with(statement, arguments)).await?;
    }
    transaction.commit().await?;
    clock.report("floor", folder, count)
}

fn insert(rows: usize, placeholder: impl Fn(usize) -> String) -> String {
    let row = |row: usize| {
        let first = row * FLOOR_COLUMNS;
        let columns: Vec<String> = (1..=FLOOR_COLUMNS).map(|column| placeholder(first + column)).collect();
        format!("({})", columns.join(","))
    };
    format!("INSERT INTO data_objects VALUES {}", (0..rows).map(row).collect::<Vec<_>>().join(","))
}

/// All rows, with the number of rows of each batch.
fn batches<A>(count: u64, shuffled: bool) -> Result<Vec<(usize, A)>, Failure>
where
    A: Arguments + Default,
    for<'v> String: Encode<'v, A::Database> + Type<A::Database>,
    for<'v> Option<String>: Encode<'v, A::Database> + Type<A::Database>,
    for<'v> i64: Encode<'v, A::Database> + Type<A::Database>,
{
    let mut batches = Vec::new();
    let mut position = 0;
    while position < count {
        let mut arguments = A::default();
        let end = count.min(position + FLOOR_ROWS as u64);
        for number in (position..end).map(|position| place(position, count, shuffled)) {
            bind(&mut arguments, number).map_err(|error| error.to_string())?;
        }
        batches.push((arguments.len() / FLOOR_COLUMNS, arguments));
        position = end;
    }
    Ok(batches)
}

fn bind<A>(arguments: &mut A, number: u64) -> Result<(), sqlx::error::BoxDynError>
where
    A: Arguments,
    for<'v> String: Encode<'v, A::Database> + Type<A::Database>,
    for<'v> Option<String>: Encode<'v, A::Database> + Type<A::Database>,
    for<'v> i64: Encode<'v, A::Database> + Type<A::Database>,
{
    let object = object(number);
    arguments.add(format!("{number:021}"))?;
    arguments.add("warehouse".to_owned())?;
    arguments.add(object.external_id)?;
    arguments.add(object.parent)?;
    arguments.add(object.name)?;
    arguments.add(object.full_name)?;
    arguments.add(object.object_type.to_string())?;
    arguments.add(object.description)?;
    arguments.add((object.object_type == "column").then(|| "character varying(255)".to_owned()))?;
    arguments.add(None::<String>)?;
    arguments.add(None::<String>)?;
    arguments.add(0_i64)?;
    arguments.add(i64::try_from(number)?)
}

/// Measures wall time and CPU time of this process.
struct Clock {
    begin: Instant,
    cpu: f64,
}

impl Clock {
    fn start() -> Result<Self, Failure> {
        Ok(Self { begin: Instant::now(), cpu: cpu()? })
    }

    /// Prints one line. The floor is written beside the files, for the child that comes after it.
    fn report(self, what: &str, folder: &Path, count: u64) -> Result<(), Failure> {
        let (seconds, cpu) = (self.begin.elapsed().as_secs_f64(), cpu()? - self.cpu);
        let known: PathBuf = folder.join("floor.txt");
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = count as f64 / seconds;
        let ratio = if what == "floor" {
            std::fs::write(known, seconds.to_string())?;
            String::new()
        } else {
            format!(", {:.2} times the floor", seconds / std::fs::read_to_string(known)?.parse::<f64>()?)
        };
        print(&format!("  {what:<13} {rate:>9.0}/s in {seconds:.2} s, CPU {cpu:.2} s{ratio}"))
    }
}

/// CPU seconds of all threads of this process so far.
fn cpu() -> Result<f64, Failure> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("unexpected /proc/self/stat")?;
    let ticks: Vec<f64> =
        fields.split_whitespace().skip(11).take(2).filter_map(|text| text.parse().ok()).collect();
    Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
}

/// The most memory that this process had resident, in KiB.
fn peak() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.split_whitespace().nth(1).ok_or("no VmHWM")?.parse()?)
}

fn print(line: &str) -> Result<(), Failure> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
