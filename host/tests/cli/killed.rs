//! `kill -9` of the program, of the server, or of both, at random moments of a run. Afterwards nothing is lost, no
//! half of a set is visible, nothing was counted twice, and no job runs for ever. On both databases.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use raito_test_servers::Postgres;
use serde_json::Value;

use crate::place::{Outcome, Place, signal};
use crate::served::{PASSWORD, Served, configure};
use crate::servers::closed_port;

/// Kills on each database.
const ROUNDS: u64 = 52;

/// People of the company, by round: enough of them that an import takes its time, and never as many as before.
fn people(round: u64) -> u64 {
    200 + 150 * (round % 5)
}

/// A server that comes back under the same address, with the same database.
struct World {
    place: Place,
    address: String,
    /// Where the database is; nothing for the folder of the server.
    database: Option<String>,
    /// Held as long as the database is needed.
    _postgres: Option<Postgres>,
    served: Option<Served>,
    source: String,
}

impl World {
    fn new(postgres: Option<Postgres>) -> Self {
        let database = postgres.as_ref().map(|server| {
            let password = server.password().replace(' ', "%20");
            format!("postgres://postgres:{password}@127.0.0.1:{}/postgres", server.port())
        });
        let address = format!("127.0.0.1:{}", closed_port());
        let mut world = World {
            place: Place::new(),
            address,
            database,
            _postgres: postgres,
            served: None,
            source: String::new(),
        };
        world.serve();
        let (source, store) = world.served.as_ref().unwrap().data_source("Company");
        world.source = source;
        let more = "users: \"{{PEOPLE}}\"";
        configure(&world.place, &world.url(), (&world.source, &store), more);
        world
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The arguments and the environment that name the database.
    fn serve(&mut self) {
        self.serve_with(&[]);
    }

    fn serve_with(&mut self, more: &[&str]) {
        // What a killed server was doing is taken over after its lease.
        let arguments = [&["--listen", &self.address, "--lease", "500ms"], more].concat();
        self.served = Some(Served::start_on(&self.place, &arguments, self.database.as_deref()));
    }

    fn begin(&self, people: u64) -> std::process::Child {
        self.place.raito(&["run"]).env("SECRET", PASSWORD).env("PEOPLE", people.to_string()).start()
    }

    fn run(&self, people: u64) -> Outcome {
        let run = self.place.raito(&["run", "--format", "json"]);
        run.env("SECRET", PASSWORD).env("PEOPLE", people.to_string()).finish()
    }

    fn status(&self) -> Value {
        let mut status = self.place.raito(&["cloud", "status", "--format", "json", "--data-dir", "served"]);
        if let Some(database) = &self.database {
            status = status.env("RAITO_CLOUD_DATABASE", database);
        }
        status.finish().succeeded().json()
    }

    /// How much of each kind the data source holds.
    fn held(&self) -> BTreeMap<&'static str, u64> {
        let status = self.status();
        let source = &status["dataSources"][0];
        assert_eq!(source["id"], self.source.as_str(), "{status:#}");
        let objects = source["dataObjects"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
        let mut held: BTreeMap<_, _> = ["users", "groups", "externalAccessControls", "statements"]
            .into_iter()
            .map(|name| (name, source[name].as_u64().unwrap()))
            .collect();
        held.insert("dataObjects", objects);
        held
    }
}

/// What a whole run with so many people leaves.
fn whole(people: u64) -> BTreeMap<&'static str, u64> {
    [("users", people), ("groups", 1), ("externalAccessControls", 2), ("statements", 5), ("dataObjects", 3)]
        .into()
}

fn kill_at_random_moments(postgres: Option<Postgres>) {
    let mut world = World::new(postgres);
    let start = Instant::now();
    world.run(people(ROUNDS)).succeeded();
    let longest = start.elapsed();
    let mut before = people(ROUNDS);
    let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut cut_short = 0;
    for round in 0..ROUNDS {
        let now = people(round);
        let (victim, back_at_once) = (random.next_u64() % 4, random.next_u64().is_multiple_of(2));
        let part = u32::try_from(random.next_u64() % 1000).unwrap();
        let mut child = world.begin(now);
        std::thread::sleep(longest * part / 1000);
        if victim != 0 {
            world.served.take().unwrap().kill();
            if back_at_once {
                world.serve();
            }
        }
        if victim != 1 && child.try_wait().unwrap().is_none() {
            signal("KILL", child.id());
            cut_short += 1;
        }
        // A program whose server was killed ends by itself, right or with an error; the guard of `finish` does not
        // watch it, so this does.
        let deadline = Instant::now() + Duration::from_mins(1);
        let code = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status.code();
            }
            assert!(Instant::now() < deadline, "round {round}: the program hangs without its server");
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(matches!(code, None | Some(0 | 4 | 5)), "round {round}: {code:?}");
        if world.served.is_none() {
            world.serve();
        }
        for (name, count) in world.held() {
            let (old, new) = (whole(before)[name], whole(now)[name]);
            assert!(count == old || count == new, "round {round}: {count} {name}, not {old} and not {new}");
        }
        world.run(now).succeeded();
        assert_eq!(world.held(), whole(now), "round {round}: after the next run");
        before = now;
    }
    assert!(cut_short > ROUNDS / 4, "only {cut_short} runs were cut short");
    // Jobs whose program is gone are ended by the server.
    world.served.take().unwrap().stop();
    world.serve_with(&["--job-timeout", "1s"]);
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let status = world.status();
        if status["runningJobs"] == 0 && status["queuedWork"] == 0 {
            break;
        }
        assert!(Instant::now() < deadline, "jobs run for ever: {status:#}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn killed_at_any_moment_on_sqlite() {
    kill_at_random_moments(None);
}

#[test]
fn killed_at_any_moment_on_postgresql() {
    kill_at_random_moments(Some(Postgres::start()));
}
