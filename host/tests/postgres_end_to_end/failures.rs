//! What goes wrong against a real server: a cause, a hint, an exit code of its own, nothing half-imported, and the other
//! targets still run.

use std::net::TcpListener;

use raito_test_servers::Postgres;
use serde_json::json;

use crate::place::{Outcome, Place, connector, finish};

const WRONG: &str = "not-the-password";

/// A target of the embedded cloud; later keys are more of it.
fn target(name: &str, port: u16, password: &str, granted: &str, more: &str) -> String {
    format!(
        "  - name: {name}\n    connector-name: {}\n    data-source-id: {name}\n    identity-store-id: {name}-users\n    \
         pg-host: 127.0.0.1\n    pg-port: {port}\n    pg-user: postgres\n    pg-password: {password}\n{more}    \
         sandbox: {{ network: [{granted}] }}\n",
        connector().display()
    )
}

#[test]
fn each_failure_says_what_to_do_and_stops_nobody_else() {
    let server = Postgres::start();
    server.sql("postgres", "CREATE TABLE public.there (id int)");
    let port = server.port();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let granted = format!("\"127.0.0.1:{port}\"");
    let (password, plain) = (server.password(), "    pg-tls-mode: disable\n");
    let place = Place::new();
    let targets = [
        target("wrong-password", port, WRONG, &granted, plain),
        target("nobody-listens", closed, password, &format!("\"127.0.0.1:{closed}\""), plain),
        target("not-granted", port, password, "", plain),
        target("no-tls", port, password, &granted, ""),
        target("no-database", port, password, &granted, &format!("{plain}    pg-database: nowhere\n")),
        target("good", port, password, &granted, plain),
    ];
    place.write("raito.yml", &format!("embedded: true\ntargets:\n{}", targets.concat()));
    let run = |targets: &str| -> Outcome {
        let mut command = place.raito(&["run", "--format", "json"]);
        if !targets.is_empty() {
            command.args(["--only-targets", targets]);
        }
        let outcome = finish(command);
        for text in [&outcome.stdout, &outcome.stderr] {
            assert!(!text.contains(WRONG) && !text.contains(password), "a password was shown: {text}");
        }
        outcome
    };

    let bad = [
        (
            "wrong-password",
            12,
            "password authentication failed for user \"postgres\"",
            "the password of the target",
        ),
        ("nobody-listens", 13, &*format!("127.0.0.1:{closed}"), ""),
        (
            "not-granted",
            22,
            &*format!("the connector asked for 127.0.0.1:{port}, which is not granted"),
            &*format!("127.0.0.1:{port}"),
        ),
        ("no-tls", 13, "server does not support TLS", ""),
        ("no-database", 11, "database \"nowhere\" does not exist", ""),
    ];
    for (name, code, cause, hint) in bad {
        let outcome = run(name).failed(code, cause, hint);
        assert!(outcome.stderr.contains(&format!("error: {name}: ")), "{}", outcome.stderr);
        assert!(outcome.steps(name).iter().all(|line| line.ends_with("failed")), "{:?}", outcome.steps(name));
    }
    assert!(run("no-tls").stderr.contains("pg-tls-mode"));

    // One that fails, and one after it that does not.
    let outcome = run("wrong-password,good").failed(12, "password authentication failed", "");
    assert_eq!(outcome.steps("good").len(), 6, "{outcome:?}");
    let everything = run("").failed(9, "password authentication failed", "");
    everything.at_rest("good");

    let status = place.status(&[]);
    let sources = status["dataSources"].as_array().unwrap();
    for source in sources.iter().filter(|source| source["id"] != "good") {
        for count in ["users", "groups", "accessControls", "externalAccessControls", "statements"] {
            assert_eq!(source[count], 0, "{count} in {source:#}");
        }
        assert_eq!(source["dataObjects"], json!({}), "{source:#}");
    }
    let good = sources.iter().find(|source| source["id"] == "good").unwrap();
    assert_eq!((&good["users"], &good["dataObjects"]["table"]), (&json!(1), &json!(1)));
    assert_eq!(good["lastSync"]["status"], "COMPLETED");
}
