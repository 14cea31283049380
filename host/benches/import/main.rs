//! How fast a self-hosted Raito Cloud imports, in how much memory, and how quickly its lists answer afterwards.
//!
//! `cargo xtask bench import [--objects N] [--users N] [--statements N] [--engine sqlite|postgres]`
//!
//! For each engine a real `raito cloud serve` is started on an empty database, and asked over HTTP, as the command
//! line asks, to import files of synthetic records: data objects (again without a change, and once with a tenth of
//! them changed), users and groups, statements. The time is that between the request for the import and its
//! completion; uploading is not counted.
//!
//! The floor of each first import is measured right after it ([`floor`]): the rows that it has written, tags, group
//! memberships and usage included, are read back and inserted into another, empty database of the same schema with
//! the same indexes, by prepared multi-row `INSERT`s in one transaction. Reading them is not counted, nor is making
//! JSON of them or parsing it: the floor knows the rows.
//!
//! The memory is the peak of the server's process. PostgreSQL's own processes are not counted; its `fsync` is off,
//! for the import as for the floor.
//!
//! Then lists are asked for, with filters, in random places ([`queries`]): the median and the 95th percentile of the
//! time that an answer takes over HTTP.

#![expect(clippy::print_stdout, reason = "the report is what this is for")]

mod client;
mod files;
mod floor;
mod queries;
mod served;

use std::error::Error;
use std::time::Instant;

use raito_test_servers::Postgres;
use serde_json::json;

use client::Client;
use floor::{Database, Floor};
use served::Served;

type Failure = Box<dyn Error>;

/// The domain of the organisation.
const DOMAIN: &str = "acme";

struct Counts {
    objects: u64,
    users: u64,
    statements: u64,
}

fn main() -> Result<(), Failure> {
    let mut counts = Counts { objects: 1_000_000, users: 100_000, statements: 1_000_000 };
    let mut engines = vec!["sqlite", "postgres"];
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || -> Result<u64, Failure> {
            let text = arguments.next().ok_or("a number is missing")?;
            Ok(text.replace('_', "").parse()?)
        };
        match argument.as_str() {
            "--objects" => counts.objects = number()?,
            "--users" => counts.users = number()?,
            "--statements" => counts.statements = number()?,
            "--engine" => {
                let wanted = arguments.next().unwrap_or_default();
                engines.retain(|engine| *engine == wanted);
            }
            // Given by cargo to every benchmark.
            "--bench" => {}
            other => return Err(format!("unknown argument {other}").into()),
        }
    }
    if engines.is_empty() {
        return Err("--engine is sqlite or postgres".into());
    }
    let runtime = tokio::runtime::Runtime::new()?;
    let files = tempfile::tempdir()?;
    files::write(files.path(), &counts)?;
    for engine in engines {
        runtime.block_on(measure(engine, files.path(), &counts))?;
    }
    Ok(())
}

/// Imports, floors and queries on one engine.
async fn measure(engine: &str, files: &std::path::Path, counts: &Counts) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let postgres = (engine == "postgres").then(Postgres::start);
    let database = |name: &str| match &postgres {
        None => Database::File(folder.path().join(name)),
        Some(server) => {
            server.sql("postgres", &format!("CREATE DATABASE {name}"));
            let password = server.password().replace(' ', "%20");
            Database::Postgres(format!("postgres://postgres:{password}@127.0.0.1:{}/{name}", server.port()))
        }
    };
    let (imported, empty) = (database("imported"), database("empty"));
    // The schema, with its indexes, is the real one.
    Served::start(&empty, &folder.path().join("unused"))?.stop()?;
    let served = Served::start(&imported, &folder.path().join("data"))?;
    let client = Client::sign_in(&served.url).await?;
    let (source, store) = client.data_source("warehouse").await?;

    println!("{engine}");
    println!(
        "  {:<34} {:>10} {:>8} {:>10} {:>8} {:>8}",
        "import", "rows", "s", "rows/s", "floor s", "x floor"
    );
    let objects = |file: &str| {
        (
            "importDataSourceRequest",
            "DS",
            vec![files.join(file)],
            json!({ "dataSource": source, "deleteUntouched": true, "tagSourcesScope": [] }),
        )
    };
    let identities = (
        "importIdentityRequest",
        "IS",
        vec![files.join("users.json"), files.join("groups.json")],
        json!({ "identityStore": store, "deleteUntouched": true, "replaceGroups": true, "tagSourcesScope": [] }),
    );
    let usage = (
        "importDataUsageRequest",
        "DU",
        vec![files.join("statements_0.json"), files.join("statements_1.json")],
        json!({ "dataSource": source }),
    );
    let mut floor = Floor::open(&imported, &empty).await?;
    for (what, count, request, tables) in [
        (
            "users and groups",
            counts.users,
            identities,
            &["users", "accounts", "groups", "group_members", "tags"][..],
        ),
        ("data objects", counts.objects, objects("objects.json"), &["data_objects"]),
        ("data objects, unchanged", counts.objects, objects("objects.json"), &[]),
        ("data objects, a tenth changed", counts.objects, objects("changed.json"), &[]),
        ("statements", counts.statements, usage, &["usage_statements", "usage_edges"]),
    ] {
        let (field, job_type, paths, settings) = request;
        let mut keys = Vec::new();
        for path in &paths {
            keys.push(client.upload(path).await?);
        }
        let start = Instant::now();
        client.import(field, job_type, &keys, settings).await?;
        let seconds = start.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = count as f64 / seconds;
        let (bare, ratio) = if tables.is_empty() {
            ("-".to_owned(), "-".to_owned())
        } else {
            let bare = floor.insert(tables).await?;
            (format!("{bare:.2}"), format!("{:.2}", seconds / bare))
        };
        println!("  {what:<34} {count:>10} {seconds:>8.2} {rate:>10.0} {bare:>8} {ratio:>8}");
    }
    drop(floor);
    println!("  peak memory of the server: {} MiB", served.peak_memory()? / 1024);
    queries::measure(&client, &source, counts).await?;
    println!("  peak memory of the server: {} MiB", served.peak_memory()? / 1024);
    served.stop()
}
