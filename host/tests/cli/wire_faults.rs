//! A server, or a network, that goes wrong at each request of a run in turn. The run ends right, or it fails with
//! the step named; whole sets are visible or nothing of them; and the next run makes everything right.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::five_steps::EVERYTHING;
use crate::place::{Outcome, Place};
use crate::proxy::{Fault, Plan, Proxy};
use crate::served::{PASSWORD, Served, configure};

/// Servers that share the requests.
const LANES: usize = 3;

/// More requests than a run makes: a run that makes so many hangs in a circle.
const MOST: usize = 400;

/// What a whole run leaves in the data source, by the names of `cloud status`.
const WHOLE: [(&str, u64); 5] =
    [("users", 3), ("groups", 1), ("externalAccessControls", 2), ("statements", 5), ("dataObjects", 3)];

struct World {
    place: Place,
    proxy: Proxy,
    served: Served,
}

impl World {
    fn new() -> Self {
        let place = Place::new();
        let proxy = Proxy::start();
        let served = Served::start_behind(&place, &proxy);
        World { place, proxy, served }
    }

    fn run(&self) -> Outcome {
        let outcome = self.place.raito(&["run", "--format", "json"]).env("SECRET", PASSWORD).finish();
        for text in [&outcome.stdout, &outcome.stderr] {
            assert!(
                !text.contains(PASSWORD) && !text.contains("/file/upload/"),
                "a secret was shown: {text}"
            );
        }
        outcome
    }

    /// What the server holds of a data source.
    fn held(&self, id: &str) -> BTreeMap<String, u64> {
        let status = self.place.raito(&["cloud", "status", "--format", "json", "--data-dir", "served"]);
        let status = status.finish().succeeded().json();
        let source = status["dataSources"].as_array().unwrap().iter().find(|source| source["id"] == *id);
        let source = source.unwrap_or_else(|| panic!("no {id} in {status:#}"));
        let number = |value: &Value| match value {
            Value::Object(types) => types.values().filter_map(Value::as_u64).sum(),
            number => number.as_u64().unwrap(),
        };
        WHOLE.iter().map(|(name, _)| ((*name).to_owned(), number(&source[name]))).collect()
    }
}

/// Runs once for each request, with the fault there; every run has a data source of its own. Clients wait after some
/// faults, so several servers share the requests among them.
fn at_every_request(fault: Fault, lasting: bool) {
    std::thread::scope(|scope| {
        let lanes: Vec<_> =
            (0..LANES).map(|lane| scope.spawn(move || at_every_request_of(lane, fault, lasting))).collect();
        for lane in lanes {
            lane.join().unwrap();
        }
    });
}

fn at_every_request_of(lane: usize, fault: Fault, lasting: bool) {
    let world = World::new();
    let whole: BTreeMap<String, u64> =
        WHOLE.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    let (mut healed, mut failed) = (0, 0);
    for at in (lane..MOST).step_by(LANES) {
        world.proxy.arm(Plan::Well);
        let (source, store) = world.served.data_source(&format!("Company {at}"));
        configure(&world.place, &world.proxy.url(), (&source, &store), "");
        world.proxy.arm(if lasting { Plan::From(at, fault) } else { Plan::Once(at, fault) });
        let outcome = world.run();
        let exchanges = world.proxy.exchanges();
        world.proxy.arm(Plan::Well);
        let Some(hit) = exchanges.get(at) else {
            // The run was over before it came to that request: all of them have been tried.
            assert_eq!(outcome.succeeded().steps("company"), EVERYTHING);
            println!(
                "{fault:?}, lasting {lasting}: {at} requests, {healed} runs ended right, {failed} failed"
            );
            assert!((failed + healed) * LANES > EVERYTHING.len() * 3, "too few requests were seen");
            return;
        };
        let case = format!("{fault:?} at request {at}, {}", hit.line);
        let held = world.held(&source);
        for (name, count) in &held {
            assert!(*count == 0 || *count == whole[name], "{case}: {count} {name}: half of a set is visible");
        }
        if outcome.code == 0 {
            healed += 1;
            assert_eq!(outcome.steps("company"), EVERYTHING, "{case}");
            assert_eq!(held, whole, "{case}");
        } else {
            failed += 1;
            assert!([4, 5].contains(&outcome.code), "{case}: {outcome:?}");
            let told = outcome.stderr.lines().find(|line| line.starts_with("error: "));
            let told = told.unwrap_or_else(|| panic!("{case}: no error was told: {outcome:?}"));
            // A failure after the first event of a step is the step's, and its line in the summary says so.
            let steps = outcome.json()["targets"][0]["steps"].clone();
            let last = steps.as_array().and_then(|steps| steps.last());
            if let Some(last) = last.filter(|last| last["status"]["is"] == "failed") {
                let step = last["step"].as_str().unwrap().replace('-', " ");
                assert!(told.contains(&step), "{case}: the step {step} is not named: {told}");
            }
        }
        // A run that ended right has left nothing to do.
        if outcome.code != 0 {
            assert_eq!(
                world.run().succeeded().target("company")["failure"],
                Value::Null,
                "{case}: the next run"
            );
            assert_eq!(world.held(&source), whole, "{case}: after the next run");
        }
    }
    panic!("a run made more than {MOST} requests");
}

#[test]
fn an_internal_error_at_every_request() {
    at_every_request(Fault::Status("500 Internal Server Error", ""), false);
}

#[test]
fn too_many_requests_at_every_request() {
    at_every_request(Fault::Status("429 Too Many Requests", "retry-after: 1\r\n"), false);
}

#[test]
fn a_reset_before_every_request() {
    at_every_request(Fault::Refused, false);
}

#[test]
fn a_reset_instead_of_every_answer() {
    at_every_request(Fault::Unanswered, false);
}

#[test]
fn half_of_every_answer() {
    at_every_request(Fault::Truncated, false);
}

#[test]
fn a_server_that_is_gone_from_every_request_on() {
    at_every_request(Fault::Refused, true);
}
