//! `raito add-target`, asked by a terminal and told by flags, and `raito completion`.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, ChildStdin};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::place::{Place, guest};
use crate::served::{PASSWORD, Served, USER};

/// How long an answer of the program may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// The program at a terminal, which the system's `script` makes.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    shown: Receiver<Vec<u8>>,
    /// What was shown and nobody waited for yet.
    unread: String,
}

impl Terminal {
    fn open(place: &Place, arguments: &[&str]) -> Self {
        let mut child = place.raito(arguments).env("TERM", "xterm").at_a_terminal();
        let (sender, shown) = channel();
        let mut stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stdout.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Terminal { keys: child.stdin.take().unwrap(), child, shown, unread: String::new() }
    }

    /// Waits until this is shown.
    #[track_caller]
    fn shows(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.unread.find(text) {
                self.unread.drain(..at + text.len());
                return;
            }
            let Ok(bytes) = self.shown.recv_timeout(end.saturating_duration_since(Instant::now())) else {
                panic!("{text:?} was not shown, but {:?}", self.unread)
            };
            self.unread.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    /// Waits for a question, and answers it.
    #[track_caller]
    fn answer(&mut self, question: &str, answer: &str) {
        self.shows(question);
        self.press(&format!("{answer}\r"));
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits for the end, and gives the rest of what was shown.
    fn end(mut self) -> String {
        while let Ok(bytes) = self.shown.recv_timeout(PATIENCE) {
            self.unread.push_str(&String::from_utf8_lossy(&bytes));
        }
        self.child.wait().unwrap();
        std::mem::take(&mut self.unread)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_terminal_is_asked_and_the_file_extended() {
    let place = Place::new();
    let served = Served::start(&place);
    served.data_source("Company");
    let before = format!(
        "# ours\n\nraito-url-override: \"{}\" # at home\ntargets:\n  # off for now\n  - name: other # keep\n    connector-name: x\n\n# loud\ndebug: true\n",
        served.url
    );
    place.write("raito.yml", &before);
    let mut terminal = Terminal::open(&place, &["add-target"]);
    terminal.answer("Domain of the organisation", "acme");
    terminal.answer("E-mail address of the API user", USER);
    terminal.answer("Password of the API user", "Wrong-Horse-8");
    terminal.shows("that did not work: sign-in failed");
    // What was answered before is the default now.
    terminal.answer("Domain of the organisation", "");
    terminal.answer("E-mail address of the API user", "");
    terminal.answer("Password of the API user", PASSWORD);
    terminal.answer("Name of the target", "hr");
    terminal.answer("Connector:", &guest("company").display().to_string());
    // `j` goes down: behind the only data source.
    terminal.answer("make a new one", "j");
    terminal.answer("Name of the new data source", "Filing");
    terminal.answer("failing: Name of an access control", "j");
    terminal.answer("users: How many people", "4");
    terminal.answer("failing: Name of an access control", "");
    let told = terminal.end();
    assert!(told.contains("added the target `hr` to raito.yml"), "{told}");
    assert!(told.contains("next: raito run --only-targets hr"), "{told}");

    let answer = served.graphql(
        "{dataSources{... on PagedResult{edges{node{... on DataSource{id,name,identityStores{id,native}}}}}}}",
        &json!({}),
    );
    let edges = answer["dataSources"]["edges"].as_array().unwrap();
    let made = edges.iter().map(|edge| &edge["node"]).find(|node| node["name"] == "Filing").unwrap();
    let (source, store) = (made["id"].as_str().unwrap(), made["identityStores"][0]["id"].as_str().unwrap());
    let top = format!("domain: acme\napi-user: '{USER}'\n");
    let target = format!(
        "  - name: hr\n    connector-name: '{}'\n    data-source-id: {}\n    identity-store-id: {}\n    users: '4'\n",
        guest("company").display(),
        written(source),
        written(store),
    );
    let expected = before
        .replace("raito-url", &format!("{top}raito-url"))
        .replace("\n# loud", &format!("{target}\n# loud"));
    let found = place.read("raito.yml");
    assert_eq!(found, expected);
    let metadata = std::fs::metadata(place.path().join("raito.yml")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert_eq!(place.holds("Wrong-Horse-8").or(place.holds(PASSWORD)), None, "no password is stored");

    let run =
        place.raito(&["run", "--format", "json", "--only-targets", "hr"]).env("RAITO_API_SECRET", PASSWORD);
    let run = run.finish().succeeded();
    assert_eq!(run.steps("hr")[1], "identity-store users 4/0/0/0");
}

/// An id as it is written: bare only if nothing could take it for something else.
fn written(id: &str) -> String {
    let plain = id.starts_with(|first: char| first.is_ascii_alphabetic())
        && id.chars().all(|character| character.is_ascii_alphanumeric() || character == '-');
    if plain { id.to_owned() } else { format!("'{id}'") }
}

#[test]
fn an_interrupt_leaves_the_file_alone() {
    let place = Place::new();
    place.write("raito.yml", "embedded: true\n");
    let mut terminal = Terminal::open(&place, &["add-target"]);
    terminal.shows("Name of the target");
    terminal.press("\u{3}");
    terminal.end();
    assert_eq!(place.read("raito.yml"), "embedded: true\n");
}

#[test]
fn flags_say_everything_where_there_is_no_terminal() {
    let place = Place::new();
    let served = Served::start(&place);
    let connector = guest("company").display().to_string();
    let add = |more: &[&str], parameters: &[&str]| {
        let mut arguments =
            vec!["add-target", "--domain", "acme", "-u", USER, "--raito-url-override", &served.url];
        arguments.extend(more);
        if !parameters.is_empty() {
            arguments.push("--");
            arguments.extend(parameters);
        }
        place.raito(&arguments).env("RAITO_API_SECRET", PASSWORD).finish()
    };
    add(&["-n", "hr", "-c", &connector], &[]).failed(
        3,
        "nobody can be asked for `--data-source-id` or `--new-data-source`",
        "no terminal",
    );
    assert!(!place.path().join("raito.yml").exists());
    let outcome = add(
        &["-n", "hr", "-c", &connector, "--new-data-source", "HR"],
        &["--users=5", "--failing", "{{WHO}}"],
    )
    .succeeded();
    assert!(outcome.stdout.contains("set RAITO_API_SECRET"), "{outcome:?}");
    let text = place.read("raito.yml");
    assert!(
        text.starts_with(&format!("domain: acme\napi-user: '{USER}'\ntargets:\n  - name: hr\n")),
        "{text}"
    );
    assert!(text.ends_with("    users: '5'\n    failing: '{{WHO}}'\n"), "{text}");
    let run = place.raito(&["run", "--format", "json", "--raito-url-override", &served.url]);
    let run = run.env("RAITO_API_SECRET", PASSWORD).env("WHO", "nobody").finish().succeeded();
    assert_eq!(run.steps("hr")[1], "identity-store users 5/0/0/0");

    add(&["-n", "hr", "-c", &connector, "-d", "x"], &[]).failed(
        3,
        "there is a target `hr` already",
        "--name",
    );
    add(&["-n", "a", "-c", &connector, "-d", "gone"], &[]).failed(
        5,
        "there is no data source `gone`",
        "--new-data-source",
    );
    add(&["-n", "a", "-c", "nowhere"], &[]).failed(20, "`nowhere` was not found", "connector-path");
    let unknown = add(&["-n", "a", "-c", &connector, "--new-data-source", "B"], &["--colour=red"]);
    unknown.failed(11, "has no parameter `colour`", "raito info");
    let broken = guest("broken").display().to_string();
    add(&["-n", "a", "-c", &broken, "--new-identity-store", "People"], &[]).failed(
        3,
        "nobody can be asked for `--fault`",
        "behind `--`",
    );
    let outcome = place
        .raito(&[
            "add-target",
            "--domain",
            "acme",
            "-n",
            "a",
            "-c",
            &connector,
            "--raito-url-override",
            &served.url,
        ])
        .finish();
    outcome.failed(3, "nobody can be asked for `RAITO_API_SECRET`", "flags");
    assert_eq!(place.read("raito.yml"), text);
    add(&["-n", "a", "-c", &broken, "--new-identity-store", "People"], &["--fault=none"]).succeeded();
    assert!(place.read("raito.yml").contains("  - name: a\n"), "{}", place.read("raito.yml"));
}

#[test]
fn a_cloud_of_ones_own_needs_no_account() {
    let place = Place::new();
    place.write("own.yml", "embedded: true\r\ntargets: []\r\n");
    let connector = guest("company").display().to_string();
    let outcome = place
        .raito(&["add-target", "--config-file", "own.yml", "-n", "it's", "-c", &connector])
        .finish()
        .succeeded();
    assert!(
        outcome.stdout.contains("next: raito run --config-file own.yml --only-targets 'it'\\''s'"),
        "{outcome:?}"
    );
    assert!(place.read("own.yml").contains("targets:\r\n  - name: 'it''s'\r\n"));
    let run = place.run(&["--config-file", "own.yml", "--only-targets", "it's"]).succeeded();
    assert_eq!(run.steps("it's").len(), 6);
    place.write("raito.toml", "");
    place.raito(&["add-target"]).finish().failed(3, "raito.toml is not YAML", "by hand");
    place.write("flow.yml", "{embedded: true, targets: [{name: a}]}\n");
    place.raito(&["add-target", "--config-file", "flow.yml", "-n", "b", "-c", &connector]).finish().failed(
        3,
        "flow.yml cannot be extended",
        "and add:",
    );
    assert_eq!(place.read("flow.yml"), "{embedded: true, targets: [{name: a}]}\n");
}

#[test]
fn the_network_that_a_connector_asks_for_is_granted_when_somebody_says_so() {
    let Some(folder) = std::env::var_os("RAITO_TEST_CONNECTORS") else {
        panic!("RAITO_TEST_CONNECTORS is not set: run the tests with `cargo xtask test`");
    };
    let postgres = std::path::Path::new(&folder).join("postgres.wasm").display().to_string();
    let place = Place::new();
    place.write("raito.yml", "embedded: true\n");
    let add = |name: &str, more: &[&str]| {
        let arguments = ["add-target", "-n", name, "-c", &postgres];
        let parameters = ["--", "--pg-host=db.example.com", "--pg-user=u", "--pg-password={{PGPASSWORD}}"];
        place.raito(&[&arguments[..], more, &parameters].concat()).finish().succeeded()
    };
    let withheld = add("a", &[]);
    assert!(withheld.stdout.contains("not granted: network access to db.example.com:5432"), "{withheld:?}");
    assert!(!place.read("raito.yml").contains("sandbox"));
    add("b", &["--grant-network"]);
    let text = place.read("raito.yml");
    assert!(
        text.ends_with(
            "    pg-password: '{{PGPASSWORD}}'\n    sandbox:\n      network:\n        - 'db.example.com:5432'\n"
        ),
        "{text}"
    );
}

#[test]
fn completion_scripts_are_results() {
    let place = Place::new();
    for (shell, part) in [
        ("bash", "complete -F _raito"),
        ("zsh", "#compdef raito"),
        ("fish", "complete -c raito"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let outcome = place.raito(&["completion", shell]).finish().succeeded();
        assert!(outcome.stdout.contains(part) && outcome.stderr.is_empty(), "{shell}: {outcome:?}");
    }
}
