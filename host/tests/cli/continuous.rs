//! Continuous mode: schedule, triggers, signals, and what happens around them.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::five_steps::company;
use crate::place::{Place, Raito, guest, signal};
use crate::served::{PASSWORD, Served, USER, configure};
use crate::servers::closed_port;

/// Nothing takes nearly as long, unless it never comes.
const GUARD: Duration = Duration::from_secs(90);
/// A schedule that does not come while a test runs.
const NEVER: [&str; 2] = ["--cron", "0 0 29 2 *"];
const CREATE: &str = "mutation($input: AccessProviderInput!){createAccessProvider(input: $input, enableAdditionalAccessRequests: false)\
    {__typename ... on AccessProviderWithOptionalAccessRequests{accessProvider{id}} ... on BaseError{message}}}";
const TRIGGER: &str = "mutation($input: SyncTriggerInput!){triggerSync(input: $input)\
    {__typename ... on SyncTriggerRequest{listening} ... on BaseError{message}}}";

/// A program in continuous mode.
struct Running {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    told: Vec<String>,
}

impl Running {
    fn start(raito: Raito) -> Self {
        let mut child = raito.start();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        Running { child, stdout, stderr, told: Vec::new() }
    }

    /// The summary of the next run.
    #[track_caller]
    fn summary(&mut self) -> Value {
        let line = self.stdout.recv_timeout(GUARD);
        let line = line.unwrap_or_else(|error| panic!("no run: {error}: {}", self.everything()));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Waits for a line on standard error.
    #[track_caller]
    fn tells(&mut self, part: &str) -> String {
        loop {
            match self.stderr.recv_timeout(GUARD) {
                Ok(line) => {
                    self.told.push(line.clone());
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(error) => panic!("{part:?} was not told ({error}): {:#?}", self.told),
            }
        }
    }

    fn everything(&mut self) -> String {
        self.told.extend(self.stderr.try_iter());
        self.told.join("\n")
    }

    fn signal(&self, name: &str) {
        signal(name, self.child.id());
    }

    /// Waits for its end. Gives the exit code, and the summaries that were not taken.
    #[track_caller]
    fn end(mut self) -> (Option<i32>, Vec<Value>) {
        let deadline = Instant::now() + GUARD;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "still running: {}", self.everything());
            std::thread::sleep(Duration::from_millis(20));
        }
        let code = self.child.wait().unwrap().code();
        (code, self.stdout.iter().map(|line| serde_json::from_str(&line).unwrap()).collect())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Whatever failed in between, the program does not outlive its test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(pipe: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

#[track_caller]
fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + GUARD;
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn continuous(place: &Place, more: &[&str]) -> Raito {
    place.raito(&[&["run", "--format", "json"], &NEVER[..], more].concat()).env("SECRET", PASSWORD)
}

/// The steps of the first target: `step how`.
fn steps(summary: &Value) -> Vec<String> {
    let steps = summary["targets"][0]["steps"].as_array().unwrap_or_else(|| panic!("{summary:#}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    steps
        .iter()
        .map(|step| {
            let status = &step["status"];
            format!("{} {} {}", text(&step["step"]), text(&status["is"]), text(&status["why"]))
                .trim_end()
                .to_owned()
        })
        .collect()
}

fn trigger(served: &Served, input: &Value) -> bool {
    let answer = served.graphql(TRIGGER, &json!({ "input": input }));
    answer["triggerSync"]["listening"].as_bool().unwrap_or_else(|| panic!("{answer}"))
}

fn make_access_control(served: &Served, source: &str, name: &str) {
    let made = served.graphql(
        CREATE,
        &json!({ "input": { "name": name, "namingHint": name, "action": "Grant", "whoItems": [],
            "whatDataObjects": [{ "globalPermissions": ["READ"], "permissions": [],
                "dataObjectByName": [{ "fullname": "hr.salaries", "datasource": source }] }],
            "dataSources": [{ "dataSource": source, "type": "key" }] } }),
    );
    assert!(made["createAccessProvider"]["accessProvider"]["id"].is_string(), "{made}");
}

/// The connectors that the product ships.
fn connector(name: &str) -> PathBuf {
    let folder = std::env::var_os("RAITO_TEST_CONNECTORS").unwrap_or_else(|| {
        panic!("RAITO_TEST_CONNECTORS is not set: run the tests with `cargo xtask test`, which compiles the connectors")
    });
    let file = PathBuf::from(folder).join(format!("{name}.wasm"));
    assert!(file.is_file(), "{} is missing: run the tests with `cargo xtask test`", file.display());
    file
}

#[test]
fn it_runs_at_the_start_waits_and_says_by_its_exit_code_why_it_ended() {
    let place = Place::with_targets(&[company("")]);
    for (name, code) in [("TERM", 0), ("INT", 130), ("USR1", 10)] {
        let mut running = Running::start(continuous(&place, &["--sync-at-startup"]));
        let summary = running.summary();
        assert_eq!((&summary["run"], &summary["targets"][0]["target"]), (&json!("full"), &json!("company")));
        assert!(running.tells("the next run begins at").contains("-02-29 00:00:00"));
        running.signal(name);
        assert_eq!(running.end(), (Some(code), Vec::new()), "{name}");
    }
    // Without a run at the start there is none, also with one target of flags.
    let guest = guest("company");
    let place = Place::new();
    let mut running = Running::start(continuous(
        &place,
        &["--embedded", "--connector-name", guest.to_str().unwrap(), "--name", "alone"],
    ));
    running.tells("the next run begins at");
    running.signal("TERM");
    assert_eq!(running.end(), (Some(0), Vec::new()));
}

/// How the newest job stands, if there is one already.
fn last_sync(place: &Place) -> Option<String> {
    let outcome = place.raito(&["cloud", "status", "--format", "json"]).finish();
    (outcome.code == 0)
        .then(|| outcome.json()["dataSources"][0]["lastSync"]["status"].as_str().map(str::to_owned))?
}

#[test]
fn a_run_under_way_finishes_unless_there_is_a_second_signal() {
    let target = |more: &str| {
        format!(
            "name: broken\nconnector-name: {}\nfault: endless-sleep\nentry-code: x\n{more}",
            guest("broken").display()
        )
    };
    let place = Place::with_targets(&[target("sandbox:\n  timeout: 6s")]);
    let mut running = Running::start(continuous(&place, &["--sync-at-startup"]));
    running.tells("a full run begins");
    wait_for("a job", || last_sync(&place).is_some());
    running.signal("TERM");
    running.tells("finishes first");
    let (code, summaries) = running.end();
    assert_eq!((code, summaries.len()), (Some(0), 1));
    assert_eq!(summaries[0]["targets"][0]["failure"]["kind"], "limit", "{summaries:?}");
    assert_eq!(place.status()["dataSources"][0]["lastSync"]["status"], "FAILED");

    let place = Place::with_targets(&[target("")]);
    let job = || last_sync(&place).is_some();
    for (arguments, first, code) in [(&NEVER[..], Some("USR1"), 143), (&[], None, 143)] {
        let mut arguments = [&["run", "--format", "json"], arguments].concat();
        if first.is_some() {
            arguments.push("--sync-at-startup");
        }
        let mut running = Running::start(place.raito(&arguments));
        wait_for("a job", job);
        // A single run is left alone by what ends a continuous one.
        running.signal("USR1");
        if first.is_some() {
            running.tells("finishes first");
        } else {
            std::thread::sleep(Duration::from_millis(300));
        }
        running.signal("TERM");
        assert_eq!(running.end().0, Some(code));
        assert_eq!(place.status()["dataSources"][0]["lastSync"]["status"], "FAILED");
        std::fs::remove_dir_all(place.path().join(".raito")).unwrap();
    }
}

#[test]
fn raito_cloud_triggers_runs_also_after_it_was_away() {
    let place = Place::new();
    let address = format!("127.0.0.1:{}", closed_port());
    let served = Served::start_with(&place, &["--listen", &address]);
    let (source, store) = served.data_source("Company");
    configure(&place, &served.url, (&source, &store), "file-backup-location: backups");
    let alive = || place.path().join("alive").exists();
    std::fs::write(place.path().join("alive"), "left behind").unwrap();
    let mut running =
        Running::start(continuous(&place, &["--sync-at-startup", "--cli-container-liveness-file", "alive"]));
    assert_eq!(running.summary()["run"], "full");
    wait_for("the connection", alive);

    make_access_control(&served, &source, "readers");
    let summary = running.summary();
    assert_eq!(summary["run"], "webhook", "{summary:#}");
    let because = "skipped only changed access controls are applied";
    assert_eq!(
        steps(&summary),
        [
            format!("data-source {because}"),
            format!("identity-store {because}"),
            "access-to-target completed".to_owned(),
            format!("access-from-target {because}"),
            format!("data-usage {because}"),
        ]
    );
    assert_eq!(summary["targets"][0]["steps"][2]["results"][0]["total"], 1, "{summary:#}");

    assert!(trigger(&served, &json!({ "dataSource": source, "usageSync": true })));
    let summary = running.summary();
    assert_eq!(summary["run"], "manual", "{summary:#}");
    assert_eq!(
        steps(&summary),
        [
            "data-source skipped not asked for",
            "identity-store skipped not asked for",
            "access-from-target skipped not asked for",
            "data-usage completed",
        ]
    );
    let kinds = std::fs::read_dir(place.path().join("backups")).unwrap();
    let mut kinds: Vec<_> = kinds.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    kinds.sort();
    assert_eq!(kinds, ["company-full", "company-manual", "company-webhook"]);

    assert_eq!(served.stop().0, Some(0));
    wait_for("the end of the connection", || !alive());
    let served = Served::start_with(&place, &["--listen", &address]);
    wait_for("the connection", alive);
    make_access_control(&served, &source, "writers");
    assert_eq!(running.summary()["run"], "webhook");

    running.signal("TERM");
    assert_eq!(running.end(), (Some(0), Vec::new()));
    assert!(!alive());
    assert_eq!(place.holds(PASSWORD), None, "the password lies in a file");
}

#[test]
fn the_configuration_is_read_before_each_run_and_the_last_good_one_counts() {
    let place = Place::new();
    let served = Served::start(&place);
    let (source, store) = served.data_source("Company");
    configure(&place, &served.url, (&source, &store), "skip-data-usage-sync: true");
    let mut running = Running::start(continuous(&place, &[]));
    running.tells("the next run begins at");
    let users = json!({ "dataSource": source, "identityStoreSync": true });
    let listens = || trigger(&served, &users);
    wait_for("the connection", listens);
    let count = |summary: &Value| summary["targets"][0]["steps"][1]["results"][0]["added"].clone();
    assert_eq!(count(&running.summary()), 3);

    configure(&place, &served.url, (&source, &store), "users: 5");
    // What was asked for before the connection may still come.
    let five = loop {
        listens();
        let added = count(&running.summary());
        if added != 0 {
            break added;
        }
    };
    assert_eq!(five, 2);

    place.write("raito.yml", "domain: acme\nnonsense: 1\n");
    listens();
    running.tells("unknown key `nonsense`");
    running.tells("the last good one still counts");
    let summary = running.summary();
    assert_eq!((count(&summary), &summary["targets"][0]["target"]), (json!(0), &json!("company")));
    // A trigger for somebody else's data source is no run.
    let (other, _) = served.data_source("Other");
    assert!(!trigger(&served, &json!({ "dataSource": other, "usageSync": true })));
    running.signal("TERM");
    assert_eq!(running.end().0, Some(0));
}

#[test]
fn a_part_of_the_data_objects_is_read_and_the_rest_stays() {
    let place = Place::new();
    let served = Served::start(&place);
    let (source, store) = served.data_source("Shop");
    let objects =
        "full-name,object-type\nshop,database\nshop.sales,schema\nshop.sales.orders,table\nshop.web,schema\n";
    place.write("data/data-objects.csv", objects);
    let file = connector("file");
    place.write(
        "raito.yml",
        format!(
            "domain: acme\napi-user: {USER}\napi-secret: \"{{{{SECRET}}}}\"\nraito-url-override: \"{}\"\ntargets:\n\
             \x20 - name: shop\n    connector-name: {}\n    data-source-id: \"{source}\"\n    identity-store-id: \"{store}\"\n\
             \x20   file-folder: /data\n    sandbox:\n      filesystem:\n        - {{ host: ./data, guest: /data, access: read }}\n",
            served.url,
            file.display()
        ),
    );
    let mut running = Running::start(continuous(&place, &["--sync-at-startup"]));
    let objects_of = |summary: &Value| {
        let result = &summary["targets"][0]["steps"][0]["results"][0];
        assert_eq!(result["objectType"], "data objects", "{summary:#}");
        ["added", "updated", "removed"].map(|key| result[key].as_u64().unwrap())
    };
    let first = objects_of(&running.summary())[0];

    // Something new in the part, something gone elsewhere.
    place.write(
        "data/data-objects.csv",
        format!("{}shop.sales.items,table\nshop.sales.old,table\n", objects.replace("shop.web,schema\n", "")),
    );
    let part = json!({ "dataSource": source, "dataSourceSync": true, "dataObjectParent": "shop.sales",
        "dataObjectExcludes": ["old"] });
    wait_for("the connection", || trigger(&served, &part));
    assert_eq!(objects_of(&running.summary()), [1, 0, 0]);
    // The connection may have come only after several had been asked for; the whole is read last.
    let whole = json!({ "dataSource": source, "dataSourceSync": true });
    assert!(trigger(&served, &whole));
    let counts = loop {
        let counts = objects_of(&running.summary());
        if counts != [0, 0, 0] {
            break counts;
        }
    };
    assert_eq!(counts, [1, 0, 1], "{first} before");
    running.signal("INT");
    assert_eq!(running.end().0, Some(130));
}

#[test]
fn a_cloud_that_refuses_ends_the_program_and_one_that_is_away_does_not() {
    let place = Place::new();
    let address = format!("127.0.0.1:{}", closed_port());
    configure(&place, &format!("http://{address}/"), ("a", "b"), "");
    let mut running = Running::start(continuous(&place, &["--cli-container-liveness-file", "alive"]));
    running.tells("triggers cannot be received");
    running.tells("the next run begins at");

    let served = Served::start_with(&place, &["--listen", &address]);
    wait_for("the connection", || place.path().join("alive").exists());
    running.signal("TERM");
    assert_eq!(running.end().0, Some(0));

    let refused = continuous(&place, &[]).env("SECRET", "Wrong-Horse-8").finish();
    refused.failed(4, "sign-in failed for admin@acme.example", "api-secret");
    // Without triggers there is nobody who could refuse.
    let mut running =
        Running::start(continuous(&place, &["--disable-websocket"]).env("SECRET", "Wrong-Horse-8"));
    running.tells("the next run begins at");
    running.signal("TERM");
    match running.stderr.recv_timeout(GUARD) {
        Ok(line) => assert!(line.contains("finishes first"), "{line}"),
        Err(RecvTimeoutError::Disconnected) => {}
        Err(error) => panic!("{error}"),
    }
    assert_eq!(running.end().0, Some(0));
    drop(served);
}
