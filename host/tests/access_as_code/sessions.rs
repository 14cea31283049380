//! People who are at work while access controls are applied: as long as they keep a right, no query of theirs is refused,
//! whatever the right comes from before and after.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, Config, NoTls};

use crate::company::{self, SHOP};
use crate::killed::{begin, wait_for};
use crate::site::Site;

/// What ann reads, all the time.
const QUERY: &str = "SELECT sum(amount) FROM sales.orders";

/// How often the sessions go through all access files.
const ROUNDS: usize = 2;

/// A session that stays open.
pub(crate) struct Session {
    runtime: Runtime,
    client: Client,
}

impl Session {
    /// Opens one.
    pub(crate) fn open(site: &Site, user: &str, password: &str, database: &str) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_io().build().unwrap();
        let client = runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(("127.0.0.1", site.server.port())).await.unwrap();
            let mut config = Config::new();
            config.user(user).password(password).dbname(database);
            let (client, connection) = config.connect_raw(stream, NoTls).await.unwrap();
            tokio::spawn(connection);
            client
        });
        Session { runtime, client }
    }

    /// The one number that a query gives.
    pub(crate) fn number(&self, query: &str) -> i64 {
        self.runtime.block_on(self.client.query_one(query, &[])).unwrap().get(0)
    }

    /// Runs statements that must succeed.
    #[track_caller]
    pub(crate) fn run(&self, statements: &str) {
        let outcome = self.runtime.block_on(self.client.batch_execute(statements));
        outcome.unwrap_or_else(|error| panic!("{statements}: {:?}", error.as_db_error()));
    }
}

fn control(id: &str, name: &str, users: &[&str], inherits: &[&str], what: &[(&str, &str, &str)]) -> Value {
    let what = what.iter().map(|(kind, object, permission)| {
        json!({ "dataObject": { "fullName": format!("shop.{object}"), "type": kind }, "permissions": [permission] })
    });
    json!({ "id": id, "name": name, "who": { "users": users, "inheritFrom": inherits }, "what": what.collect::<Vec<_>>() })
}

/// Access files that all let ann read the amounts of orders, each in another way.
fn files() -> Vec<Vec<Value>> {
    let table = ("table", "sales.orders", "SELECT");
    let column = ("column", "sales.orders.amount", "SELECT");
    let others = [
        ("column", "sales.orders.note", "SELECT"),
        ("column", "sales.orders.id", "UPDATE"),
        ("table", "sales.customers", "SELECT"),
    ];
    vec![
        vec![control("a", "Readers", &["ann", "bob"], &[], &[table])],
        // Another name under the same id, other members, other columns.
        vec![control("a", "Sales readers", &["ann", "carl"], &[], &[table, others[0], others[1]])],
        // The table's own right goes, the column's comes.
        vec![control("a", "Sales readers", &["ann"], &[], &[column, others[0]])],
        // One becomes two that give the same.
        vec![
            control("b", "Amounts", &["ann"], &[], &[column]),
            control("c", "Others", &["ann", "bob"], &[], &others),
        ],
        // The right is inherited, and the one of before goes.
        vec![
            control("d", "Team", &["ann"], &[], &[]),
            control("e", "Orders", &["carl"], &["Team"], &[table]),
            control("c", "Others", &["bob"], &[], &others[..1]),
        ],
        // Through two, with everything on the schema.
        vec![
            control("d", "Team", &["ann"], &["Lead"], &[]),
            control("f", "Lead", &[], &[], &[]),
            control("e", "Readers", &[], &["ID:d"], &[("schema", "sales", "SELECT")]),
        ],
    ]
}

#[test]
fn whoever_keeps_a_right_never_notices() {
    let site = company::start();
    let files = files();
    site.apply(&files[0]);
    let open = || Session::open(&site, "ann", "ann-secret", SHOP);
    let (prepared, busy) = (open(), open());
    let statement = prepared.runtime.block_on(prepared.client.prepare(QUERY)).unwrap();
    let (stop, queries) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        // It must end, also where the test fails.
        let _stop = Stop(&stop);
        let worker = scope.spawn(|| {
            while !stop.load(SeqCst) {
                busy.run(QUERY);
                queries.fetch_add(1, SeqCst);
            }
        });
        for file in files.iter().cycle().skip(1).take(ROUNDS * files.len()) {
            let (open_one, repeatable) = (open(), open());
            open_one.run(&format!("BEGIN; {QUERY}"));
            repeatable.run(&format!("BEGIN ISOLATION LEVEL REPEATABLE READ; {QUERY}"));
            let before = queries.load(SeqCst);
            site.apply(file);
            for session in [&open_one, &repeatable] {
                session.run(QUERY);
                session.run("COMMIT");
            }
            let rows = prepared.runtime.block_on(prepared.client.query(&statement, &[])).unwrap();
            assert_eq!(rows[0].get::<_, i64>(0), 10);
            // The other session has read again since.
            while queries.load(SeqCst) <= before + 1 {
                assert!(!worker.is_finished(), "a query was refused in the middle of the work");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        stop.store(true, SeqCst);
        worker.join().unwrap();
    });
}

/// Ends the work when it is dropped.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// The second database, with a table like the one in the first.
const SECOND: &str = "second";

/// An access control that lets users read orders in the first database, and, as the kind of object says, in the second.
fn both(id: &str, users: &[&str], first: bool, kind: Option<&str>) -> Value {
    let first = first.then(|| json!({ "dataObject": { "fullName": "shop.sales.orders", "type": "table" }, "permissions": ["SELECT"] }));
    let second = kind.map(|kind| {
        let column = if kind == "column" { ".amount" } else { "" };
        json!({ "dataObject": { "fullName": format!("second.sales.orders{column}"), "type": kind }, "permissions": ["SELECT"] })
    });
    let what: Vec<Value> = first.into_iter().chain(second).collect();
    json!({ "id": id, "name": id, "who": { "users": users }, "what": what })
}

/// A transaction that ends would let others see what is half done. Applies are stopped at various points by somebody who
/// has begun to change the same, and ann reads in both databases meanwhile.
#[test]
fn nobody_is_without_a_right_in_the_middle() {
    let site = company::start_with(&[SHOP, SECOND]);
    site.server.sql(
        SECOND,
        "CREATE SCHEMA sales; CREATE TABLE sales.orders (amount int); INSERT INTO sales.orders VALUES (10)",
    );
    let table = Some("table");
    let before = [both("a", &["ann"], true, table), both("b", &["bob"], false, None)];
    let of_b = [both("a", &[], true, table), both("b", &["ann"], true, table)];
    let given_by_b = [both("a", &["ann"], false, None), both("b", &["ann"], true, Some("column"))];
    let sessions = [SHOP, SECOND].map(|database| Session::open(&site, "ann", "ann-secret", database));
    let watcher = Session::open(&site, "postgres", site.server.password(), SHOP);
    for (after, database, deed) in [
        // While rights are given: in the first database, and in the second.
        (&of_b, SHOP, "GRANT SELECT ON sales.orders TO carl"),
        (&of_b, SECOND, "GRANT SELECT ON sales.orders TO carl"),
        (&given_by_b, SECOND, "GRANT SELECT (amount) ON sales.orders TO carl"),
        // When somebody has been taken out of one access control and is to come into the other.
        (&of_b, SHOP, "GRANT r_b TO ann"),
        // While the right of before is taken away in the second database, when all the rest has been done.
        (&given_by_b, SECOND, "GRANT SELECT ON sales.orders TO carl"),
        // At the very end.
        (&given_by_b, SHOP, "COMMENT ON ROLE r_b IS 'in between'"),
    ] {
        site.apply(&before);
        site.file(after);
        let holder = Session::open(&site, "postgres", site.server.password(), database);
        holder.run(&format!("BEGIN; {deed}"));
        let mut child = begin(&site);
        assert!(
            wait_for(&watcher, "wait_event_type = 'Lock'", &mut child),
            "{deed}: the apply has not come to it"
        );
        for session in &sessions {
            session.run(QUERY);
        }
        holder.run("ROLLBACK");
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{deed}: {}", String::from_utf8_lossy(&output.stderr));
        for session in &sessions {
            session.run(QUERY);
        }
    }
}
