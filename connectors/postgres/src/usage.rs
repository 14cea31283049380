//! Usage, from the extension `pg_stat_statements`.
//!
//! The extension counts: for each user, database and normalized statement, how often it was called and how many rows
//! it returned, since the statement was first seen or the counters were reset. It does not know when each call was.
//! So a record is a state of a counter:
//!
//! - its id holds the counter and the number of calls, so that a counter that has not moved is the same record again,
//!   and one that has is a new one;
//! - its start is when counting began, the only moment that the server knows; it has no end;
//! - its rows are those of all calls.
//!
//! Since a counter says nothing about when it moved, the period that is known already is no help: every counter is read
//! each time. The objects come from parsing the statement; names without a schema are looked up as the server does by
//! default, in the schema named like the user and in `public`. Statements that touch no object of the target are left out.

mod accessed;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use raito_connector::{AccessedObject, DataObjectReference, Error, GlobalPermission, Result, Statement, log};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use self::accessed::{Named, Use};
use crate::cluster;
use crate::names;
use crate::objects::RELATION_KIND;
use crate::quote::qualified;
use crate::session::{Failure, MARK, Session, get};
use crate::settings::{Settings, is_system_schema};

/// Statements whose relations are looked up together.
const BATCH: usize = 128;

/// Reads the statements.
pub fn statements(settings: &Settings, mut take: impl FnMut(Statement) -> Result<()>) -> Result<()> {
    let mut first = Session::open(settings, &settings.database)?;
    let databases = cluster::databases(&mut first, settings)?;
    let Some((mut counters, source)) = counters(first, &databases, settings)? else { return Ok(()) };
    let mut hidden = 0;
    for database in databases {
        let mut catalogue = Session::open(settings, &database)?;
        match of_database(&mut counters, &source, &mut catalogue, settings, &mut hidden, &mut take) {
            Err(Problem::NotLoaded) => {
                log::warn(
                    "pg_stat_statements is installed but not loaded: add it to shared_preload_libraries; \
                     there is no usage",
                );
                return Ok(());
            }
            Err(Problem::Other(error)) => return Err(error),
            Ok(()) => {}
        }
    }
    if hidden > 0 {
        log::warn(format!(
            "the texts of {hidden} statements are hidden from {:?}: grant it pg_read_all_stats",
            settings.user
        ));
    }
    Ok(())
}

/// Why the counters of a database could not be read.
enum Problem {
    /// The extension's library is not loaded into the server.
    NotLoaded,
    Other(Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Problem::Other(error)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        if failure.is(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE) {
            Problem::NotLoaded
        } else {
            Problem::Other(failure.into())
        }
    }
}

/// Reads the counters of one database, whose catalogue says what their statements touch.
fn of_database(
    counters: &mut Session,
    source: &str,
    catalogue: &mut Session,
    settings: &Settings,
    hidden: &mut u64,
    take: &mut impl FnMut(Statement) -> Result<()>,
) -> Result<(), Problem> {
    let database = catalogue.database().to_owned();
    let own = format!("{MARK}%");
    let mut rows = counters.rows(source, &[(&database, Type::TEXT), (&own, Type::TEXT)])?;
    let mut batch: Vec<Counter> = Vec::with_capacity(BATCH);
    loop {
        let row = counters.next(&mut rows)?;
        let ended = row.is_none();
        if let Some(row) = row {
            let counter = Counter::read(&row)?;
            if counter.statement == "<insufficient privilege>" {
                *hidden += 1;
            } else if settings.covers_role(&counter.user) && accessed::is_data_statement(&counter.statement) {
                batch.push(counter);
            }
        }
        if batch.len() >= BATCH || ended {
            for statement in resolve(catalogue, settings, &batch)? {
                take(statement)?;
            }
            batch.clear();
        }
        if ended {
            return Ok(());
        }
    }
}

/// The session to the database where the extension is installed, and the query for its counters.
fn counters(first: Session, databases: &[String], settings: &Settings) -> Result<Option<(Session, String)>> {
    let mut session = first;
    let mut others = databases.iter().filter(|database| **database != settings.database);
    loop {
        let rows = session.query(
            "SELECT n.nspname::text, array(SELECT a.attname::text FROM pg_attribute a \
             JOIN pg_class c ON c.oid = a.attrelid \
             WHERE c.relnamespace = n.oid AND c.relname = 'pg_stat_statements' AND a.attnum > 0), \
             EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'pg_stat_statements_info') \
             FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'",
            &[],
        )?;
        if let Some(row) = rows.first() {
            let (schema, columns, info): (&str, Vec<&str>, bool) = (get(row, 0)?, get(row, 1)?, get(row, 2)?);
            let source = source(schema, &columns, info);
            return Ok(Some((session, source)));
        }
        let Some(other) = others.next() else {
            log::warn(
                "the extension pg_stat_statements is not installed in any database of the target: there is no usage",
            );
            return Ok(None);
        };
        session = Session::open(settings, other)?;
    }
}

/// The query for the counters of one database; its columns differ by the extension's version.
fn source(schema: &str, columns: &[&str], info: bool) -> String {
    let since = if columns.contains(&"stats_since") {
        "s.stats_since".to_owned()
    } else if info {
        format!("(SELECT stats_reset FROM {})", qualified(schema, "pg_stat_statements_info"))
    } else {
        "NULL::timestamptz".to_owned()
    };
    let top = if columns.contains(&"toplevel") { "s.toplevel" } else { "true" };
    format!(
        "SELECT s.dbid, s.userid, s.queryid, {top}, s.calls, s.rows, r.rolname::text, s.query, \
         (extract(epoch FROM {since}) * 1000)::int8 \
         FROM {} s JOIN pg_database d ON d.oid = s.dbid JOIN pg_roles r ON r.oid = s.userid \
         WHERE d.datname = $1::text AND s.queryid IS NOT NULL AND s.query NOT LIKE $2::text \
         ORDER BY s.userid, s.queryid, 4",
        qualified(schema, "pg_stat_statements")
    )
}

/// A counter.
struct Counter {
    id: String,
    user: String,
    statement: String,
    rows: u64,
    since: Option<u64>,
}

impl Counter {
    fn read(row: &Row) -> Result<Self> {
        let (database, user, query, top): (u32, u32, i64, bool) =
            (get(row, 0)?, get(row, 1)?, get(row, 2)?, get(row, 3)?);
        let (calls, rows, since): (i64, i64, Option<i64>) = (get(row, 4)?, get(row, 5)?, get(row, 8)?);
        let level = if top { "top" } else { "nested" };
        Ok(Counter {
            id: format!("{database}-{user}-{query}-{level}-{}-{calls}", since.unwrap_or_default()),
            user: get(row, 6)?,
            statement: get(row, 7)?,
            rows: u64::try_from(rows).unwrap_or_default(),
            since: since.and_then(|since| u64::try_from(since).ok()),
        })
    }
}

/// Looks the relations of the statements up.
fn resolve(catalogue: &mut Session, settings: &Settings, batch: &[Counter]) -> Result<Vec<Statement>> {
    let parsed: Vec<_> = batch.iter().map(|counter| accessed::relations(&counter.statement)).collect();
    let mut wanted: BTreeSet<(Option<&str>, &str, &str)> = BTreeSet::new();
    for (counter, relations) in batch.iter().zip(&parsed) {
        for Named { schema, name } in relations.iter().flat_map(BTreeMap::keys) {
            wanted.insert((schema.as_deref(), name, if schema.is_none() { &counter.user } else { "" }));
        }
    }
    let found = look_up(catalogue, wanted.into_iter())?;
    let database = catalogue.database().to_owned();
    let mut statements = Vec::new();
    for (counter, relations) in batch.iter().zip(parsed) {
        let mut accessed = Vec::new();
        let mut error = String::new();
        match relations {
            Err(why) => error = why,
            Ok(relations) => {
                for (Named { schema, name }, uses) in relations {
                    let user = if schema.is_none() { counter.user.clone() } else { String::new() };
                    match found.get(&(schema.clone(), name.clone(), user)) {
                        Some((schema, kind)) if settings.covers_schema(&database, schema) => {
                            push(&mut accessed, &names::path([database.as_str(), schema, &name]), kind, uses);
                        }
                        Some(_) => {}
                        None if schema.as_deref().is_some_and(is_system_schema) => {}
                        None => {
                            error = format!("there is no relation {name:?} where the statement looks for it");
                        }
                    }
                }
            }
        }
        if accessed.is_empty() && error.is_empty() {
            continue;
        }
        statements.push(Statement {
            external_id: counter.id.clone(),
            user: counter.user.clone(),
            role: String::new(),
            success: true,
            status: String::new(),
            query: counter.statement.clone(),
            start_time: counter.since,
            end_time: None,
            bytes: 0,
            rows: counter.rows,
            credits: None,
            accessed,
            error,
        });
    }
    Ok(statements)
}

fn push(accessed: &mut Vec<AccessedObject>, full_name: &str, kind: &str, uses: Use) {
    for (does, permission) in [(uses.reads, GlobalPermission::Read), (uses.writes, GlobalPermission::Write)] {
        if does {
            accessed.push(AccessedObject {
                object: DataObjectReference { full_name: full_name.into(), object_type: kind.into() },
                permission: Some(permission),
            });
        }
    }
}

/// A relation as it is looked for: its schema, its name, and the user where the schema is missing.
type Sought = (Option<String>, String, String);

/// The schema and the kind of each relation that is there.
fn look_up<'a>(
    catalogue: &mut Session,
    wanted: impl Iterator<Item = (Option<&'a str>, &'a str, &'a str)>,
) -> Result<HashMap<Sought, (String, String)>> {
    let mut columns: (Vec<Option<&str>>, Vec<&str>, Vec<&str>) = Default::default();
    for (schema, name, user) in wanted {
        columns.0.push(schema);
        columns.1.push(name);
        columns.2.push(user);
    }
    let mut found = HashMap::new();
    if columns.1.is_empty() {
        return Ok(found);
    }
    catalogue.for_each(
        &format!(
            "SELECT DISTINCT ON (w.nsp, w.name, w.usr) w.nsp, w.name, w.usr, n.nspname::text, {RELATION_KIND} \
             FROM unnest($1::text[], $2::text[], $3::text[]) w (nsp, name, usr) JOIN pg_class c ON c.relname = w.name \
             JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND CASE WHEN w.nsp IS NULL \
             THEN n.nspname IN ('pg_catalog', w.usr, 'public') ELSE n.nspname = w.nsp END \
             ORDER BY w.nsp, w.name, w.usr, n.nspname = 'pg_catalog' DESC, n.nspname = w.usr DESC"
        ),
        &[
            (&columns.0, Type::TEXT_ARRAY),
            (&columns.1, Type::TEXT_ARRAY),
            (&columns.2, Type::TEXT_ARRAY),
        ],
        |row| {
            found.insert((get(row, 0)?, get(row, 1)?, get(row, 2)?), (get(row, 3)?, get(row, 4)?));
            Ok(())
        },
    )?;
    Ok(found)
}
