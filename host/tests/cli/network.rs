//! What a connector can reach over the network: what is granted, and nothing else. Each attempt that must fail has one
//! beside it that must succeed.

use serde_json::Value;

use crate::place::{Outcome, Place, guest};
use crate::servers::{Server, closed_port};

/// A place whose one target makes the guest `probe` try something.
pub(crate) fn probe(keys: &str, sandbox: &str) -> Place {
    Place::with_targets(&[format!(
        "name: p\nconnector-name: {}\ndelete-temp-files: false\n{keys}\n{sandbox}",
        guest("probe").display()
    )])
}

/// What came of an attempt, as the guest saw it. The run must have succeeded.
pub(crate) fn outcome_of(place: &Place, attempt: &str) -> String {
    let users: Vec<Value> = serde_json::from_str(&place.read_matching("-fromTarget-users-")).unwrap();
    let found = users.iter().find(|user| user["externalId"] == attempt);
    found.unwrap_or_else(|| panic!("no {attempt} in {users:?}"))["name"].as_str().unwrap().to_owned()
}

fn grant(hosts: &[&str]) -> String {
    format!("sandbox:\n  network: {}", serde_json::to_string(hosts).unwrap())
}

/// Runs an attempt that must be denied, and gives a line for the table.
fn denied(keys: &str, sandbox: &str, asked: &str, hint: &str) -> String {
    let cause = format!("the connector asked for {asked}, which is not granted");
    denied_because(keys, sandbox, &cause, hint)
}

/// The same with the cause in other words.
fn denied_because(keys: &str, sandbox: &str, cause: &str, hint: &str) -> String {
    let place = probe(keys, sandbox);
    let outcome: Outcome = place.run(&[]).failed(22, &format!("p: identity store: denied: {cause}"), hint);
    assert_eq!(outcome.target("p")["failure"]["kind"], "denied");
    assert_eq!(outcome.steps("p"), ["identity-store failed"]);
    place.assert_nothing_imported();
    format!("{keys:45} {:45} {}", sandbox.replace("sandbox:\n  ", ""), outcome.stderr.lines().next().unwrap())
}

#[test]
fn what_is_not_granted_is_denied_before_any_connection() {
    let tcp = Server::greeting("hello");
    let http = Server::http("200 OK", "");
    let (t, h, other) = (tcp.port(), http.port(), closed_port());
    let here = format!("127.0.0.1:{t}");
    let add = format!("`sandbox: {{ network: [\"{here}\"] }}`");
    let by_name = format!("`sandbox: {{ network: [\"localhost:{t}\"] }}`");
    let mut table = vec![
        denied(&format!("tcp: {here}"), "", &here, &add),
        denied(&format!("tcp: localhost:{t}"), "", "localhost", &by_name),
        denied(&format!("tcp: LocalHost.:{t}"), "", "LocalHost.", &by_name),
        denied(
            &format!("tcp: never-looked-up.example:{t}"),
            "",
            "never-looked-up.example",
            "never-looked-up.example:",
        ),
        denied(&format!("tcp: \"[::1]:{t}\""), "", &format!("[::1]:{t}"), &format!("[::1]:{t}")),
    ];
    // One address in other words.
    for spelling in ["0x7f.1", "2130706433", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"] {
        table.push(denied(&format!("tcp: \"{spelling}:{t}\""), "", &here, &add));
    }
    for host in ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]"] {
        let url = format!("url: \"http://{host}:{h}/\"");
        table.push(denied(&url, "", &format!("{host}:{h}"), &format!(":{h}\"]")));
    }
    // Something is granted, but not this.
    let line = |grant: &str| format!("add `- \"{grant}\"` to `network` of the sandbox block in line 7");
    table.push(denied(
        &format!("tcp: {here}"),
        &grant(&[&format!("127.0.0.1:{other}")]),
        &here,
        &line(&here),
    ));
    table.push(denied(&format!("tcp: {here}"), &grant(&[&format!("localhost:{t}")]), &here, &line(&here)));
    table.push(denied(
        &format!("tcp: localhost:{t}"),
        &grant(&[&here]),
        "localhost",
        &line(&format!("localhost:{t}")),
    ));
    table.push(denied(
        &format!("url: \"http://localhost:{h}/\""),
        &grant(&[&format!("localhost:{t}")]),
        &format!("localhost:{h}"),
        &line(&format!("localhost:{h}")),
    ));
    table.push(denied(
        &format!("url: \"https://localhost:{h}/\""),
        &grant(&[&format!("*.localhost:{h}")]),
        &format!("localhost:{h}"),
        &line(&format!("localhost:{h}")),
    ));
    // What no grant could open.
    let cause =
        "169.254.169.254:80 leads to 169.254.169.254, which is the address of a cloud metadata service";
    table.push(denied_because("tcp: 169.254.169.254:80", "", cause, "no grant can open such an address"));
    println!("{}", table.join("\n"));
    assert_eq!((tcp.connections(), http.connections()), (0, 0), "a packet left before the denial");
}

#[test]
fn what_is_granted_works() {
    let tcp = Server::greeting("hello");
    let http = Server::http("200 OK", "");
    let (t, h) = (tcp.port(), http.port());
    for (keys, granted, attempt, expected) in [
        (format!("tcp: 127.0.0.1:{t}"), format!("127.0.0.1:{t}"), "tcp", "got hello"),
        (format!("tcp: localhost:{t}"), format!("localhost:{t}"), "tcp", "got hello"),
        (format!("tcp: LOCALHOST.:{t}"), format!("localhost:{t}"), "tcp", "got hello"),
        (format!("tcp: 0x7f.1:{t}"), format!("127.0.0.1:{t}"), "tcp", "got hello"),
        (format!("tcp: \"[::ffff:127.0.0.1]:{t}\""), format!("127.0.0.1:{t}"), "tcp", "got hello"),
        (format!("url: http://127.0.0.1:{h}/"), format!("127.0.0.1:{h}"), "url", "got 200 OK"),
        (format!("url: http://localhost:{h}/x?y=z"), format!("localhost:{h}"), "url", "got 200 OK"),
        (format!("url: http://2130706433:{h}/"), format!("127.0.0.1:{h}"), "url", "got 200 OK"),
    ] {
        let place = probe(&keys, &grant(&[&granted]));
        place.run(&[]).succeeded();
        assert_eq!(outcome_of(&place, attempt), expected, "{keys} with {granted}");
    }
    assert_eq!((tcp.connections(), http.connections()), (5, 3));
}

#[test]
fn flags_grant_in_single_target_mode() {
    let tcp = Server::greeting("hello");
    let connector = guest("probe").display().to_string();
    let (authority, parameter) = (tcp.authority(), format!("--tcp={}", tcp.authority()));
    let place = Place::new();
    let arguments = ["--embedded", "--connector-name", &connector, "--name", "p"];
    place.run(&[&arguments[..], &["--", &parameter]].concat()).failed(22, &authority, &authority);
    place.run(&[&arguments[..], &["--sandbox-network", &authority, "--", &parameter]].concat()).succeeded();
    assert_eq!(tcp.connections(), 1);
}

#[test]
fn a_redirect_is_an_answer_and_not_followed() {
    let secret = Server::http("200 OK", "");
    let front = Server::http("302 Found", &format!("location: http://{}/\r\n", secret.authority()));
    // Not even where it leads to something granted: the connector decides, and asks again.
    for granted in [vec![front.authority()], vec![front.authority(), secret.authority()]] {
        let granted: Vec<_> = granted.iter().map(String::as_str).collect();
        let place = probe(&format!("url: http://{}/", front.authority()), &grant(&granted));
        place.run(&[]).succeeded();
        assert_eq!(outcome_of(&place, "url"), "got 302 Found");
    }
    assert_eq!((front.connections(), secret.connections()), (2, 0));
}

#[test]
fn a_user_in_the_address_hides_no_other_host() {
    let (granted, other) = (Server::http("200 OK", ""), Server::http("200 OK", ""));
    let url = format!("url: http://{}@{}/", granted.authority().replace(':', "%3a"), other.authority());
    let place = probe(&url, &grant(&[&granted.authority()]));
    let outcome = place.run(&[]);
    let refused = outcome.code == 22 || outcome_of(&place, "url").starts_with("refused");
    assert!(refused, "{outcome:?}");
    assert_eq!((granted.connections(), other.connections()), (0, 0));
}

#[test]
fn a_proxy_of_the_operator_is_none_of_the_connectors() {
    let (proxy, server) = (Server::http("200 OK", ""), Server::http("204 No Content", ""));
    let place = probe(&format!("url: http://{}/", server.authority()), &grant(&[&server.authority()]));
    let mut run = place.raito(&["run", "--format", "json"]);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        run = run.env(name, format!("http://{}", proxy.authority()));
    }
    let outcome = run.finish().succeeded();
    assert_eq!(
        outcome.steps("p")[0],
        "identity-store users 1/0/0/0",
        "the embedded cloud is reached directly"
    );
    assert_eq!(outcome_of(&place, "url"), "got 204 No Content");
    assert_eq!((proxy.connections(), server.connections()), (0, 1));
}

#[test]
fn whoever_does_not_answer_is_the_connectors_problem_and_no_denial() {
    let port = closed_port();
    let place = probe(&format!("tcp: 127.0.0.1:{port}"), &grant(&[&format!("127.0.0.1:{port}")]));
    place.run(&[]).succeeded();
    assert!(outcome_of(&place, "tcp").contains("connection refused"), "{}", outcome_of(&place, "tcp"));
}
