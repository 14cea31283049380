//! `raito cloud serve` as a process of its own: runs sign in to it as they would to Raito Cloud.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Child;

use serde_json::{Value, json};

use crate::five_steps::{EVERYTHING, company};
use crate::place::{Outcome, Place, Raito, signal};
use crate::servers::closed_port;

const USER: &str = "admin@acme.example";
const PASSWORD: &str = "Correct-Horse-7";

/// A running server.
struct Served {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    url: String,
}

impl Served {
    fn start(place: &Place) -> Self {
        let arguments = [
            "cloud",
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data-dir",
            "served",
            "--domain",
            "acme",
            "--admin-email",
            USER,
        ];
        let mut child = place.raito(&arguments).env("RAITO_CLOUD_ADMIN_PASSWORD", PASSWORD).start();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut served = Served { child, stderr, url: String::new() };
        while served.url.is_empty() {
            let mut line = String::new();
            assert_ne!(served.stderr.read_line(&mut line).unwrap(), 0, "the server ended");
            assert!(!line.contains(PASSWORD), "{line}");
            if let Some((_, url)) = line.trim_end().split_once("listens on ") {
                url.clone_into(&mut served.url);
            }
        }
        served
    }

    /// Asks it to end. Gives its exit code and its last words.
    fn stop(mut self) -> (Option<i32>, String) {
        signal("TERM", self.child.id());
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }

    /// Sends a request as plain as it can be, and gives the answer as JSON.
    fn request(&self, head: &str, body: &str) -> Value {
        let host = self.url.trim_start_matches("http://").trim_end_matches('/');
        let mut stream = TcpStream::connect(host).unwrap();
        let length = body.len();
        let text =
            format!("{head}\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    /// Sends a GraphQL document as the administrator.
    fn graphql(&self, document: &str, variables: &Value) -> Value {
        let organisation = self.request("GET /admin/org/acme HTTP/1.1", "");
        let client_id = &organisation["ClientAppId"];
        let tokens = self.request(
            "POST / HTTP/1.1\r\ncontent-type: application/x-amz-json-1.1\r\n\
             x-amz-target: AWSCognitoIdentityProviderService.InitiateAuth",
            &json!({ "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": client_id,
                "AuthParameters": { "USERNAME": USER, "PASSWORD": PASSWORD } })
            .to_string(),
        );
        let token = tokens["AuthenticationResult"]["IdToken"].as_str().unwrap_or_else(|| panic!("{tokens}"));
        let answer = self.request(
            &format!(
                "POST /query HTTP/1.1\r\ncontent-type: application/json\r\nraito-domain: acme\r\nauthorization: token {token}"
            ),
            &json!({ "query": document, "variables": variables }).to_string(),
        );
        assert!(answer["data"].is_object(), "{answer}");
        answer["data"].clone()
    }

    /// Makes a data source. Gives its id and that of its identity store.
    fn data_source(&self) -> (String, String) {
        let made = self.graphql(
            "mutation ($input:DataSourceInput!){createDataSource(input: $input){... on DataSource{id,identityStores{id}}}}",
            &json!({ "input": { "name": "Company" } }),
        );
        let made = &made["createDataSource"];
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        (text(&made["id"]), text(&made["identityStores"][0]["id"]))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Whatever failed in between, the server does not outlive its test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes a configuration for a cloud at this address.
fn configure(place: &Place, url: &str, ids: (&str, &str), more: &str) {
    let target = company(&format!("data-source-id: \"{}\"\nidentity-store-id: \"{}\"\n{more}", ids.0, ids.1));
    let target = target.trim_end().replace('\n', "\n    ");
    place.write(
        "raito.yml",
        format!(
            "domain: acme\napi-user: {USER}\napi-secret: \"{{{{SECRET}}}}\"\nraito-url-override: \"{url}\"\n\
             log-file: raito.log\ndebug: true\ntargets:\n  - {target}\n"
        ),
    );
}

fn raito(place: &Place, secret: &str) -> Raito {
    place.raito(&["run", "--format", "json"]).env("SECRET", secret)
}

fn run(place: &Place, secret: &str) -> Outcome {
    let outcome = raito(place, secret).finish();
    for text in [&outcome.stdout, &outcome.stderr, &place.read("raito.log")] {
        assert!(!text.contains(secret), "the secret was shown: {text}");
        assert!(!text.contains("eyJ"), "a token was shown: {text}");
    }
    outcome
}

#[test]
fn a_run_signs_in_and_a_wrong_secret_is_refused() {
    let place = Place::new();
    let served = Served::start(&place);
    let (source, store) = served.data_source();
    configure(&place, &served.url, (&source, &store), "");

    let outcome = run(&place, "Wrong-Horse-8");
    let outcome = outcome.failed(4, "company: sign-in failed for admin@acme.example", "api-secret");
    assert_eq!(outcome.target("company")["failure"]["kind"], "cloud-sign-in");
    assert!(outcome.target("company")["jobId"].is_null());

    assert_eq!(run(&place, PASSWORD).succeeded().steps("company"), EVERYTHING);
    let again = run(&place, PASSWORD).succeeded();
    assert!(again.steps("company").iter().all(|line| line.ends_with(" 0/0/0/0")), "{again:?}");
    assert_eq!(run(&place, "Wrong-Horse-8").code, 4);

    let (code, words) = served.stop();
    assert!(code == Some(0) && words.ends_with("stopping\n"), "{code:?}: {words}");
    assert!(!words.contains("Wrong-Horse-8") && words.contains("a sign-in was refused"), "{words}");
    let status =
        place.raito(&["cloud", "status", "--format", "json", "--data-dir", "served"]).finish().succeeded();
    let found = &status.json()["dataSources"][0];
    assert_eq!((&found["users"], &found["statements"]), (&json!(3), &json!(5)));
    assert_eq!(place.holds(PASSWORD), None, "the password lies in a file");
}

#[test]
fn access_controls_made_in_the_cloud_are_applied_and_failures_told() {
    let place = Place::new();
    let served = Served::start(&place);
    let (source, store) = served.data_source();
    configure(&place, &served.url, (&source, &store), "");
    run(&place, PASSWORD).succeeded();
    for name in ["readers", "writers"] {
        let made = served.graphql(
            "mutation($input: AccessProviderInput!){createAccessProvider(input: $input, enableAdditionalAccessRequests: false)\
             {__typename ... on AccessProviderWithOptionalAccessRequests{accessProvider{id}} ... on BaseError{message}}}",
            &json!({ "input": { "name": name, "namingHint": name, "action": "Grant", "whoItems": [],
                "whatDataObjects": [{ "globalPermissions": ["READ"], "permissions": [],
                    "dataObjectByName": [{ "fullname": "hr.salaries", "datasource": source }] }],
                "dataSources": [{ "dataSource": source, "type": "key" }] } }),
        );
        assert!(made["createAccessProvider"]["accessProvider"]["id"].is_string(), "{made}");
    }
    configure(&place, &served.url, (&source, &store), "failing: writers");
    let outcome = run(&place, PASSWORD).failed(
        31,
        "company: 1 access controls could not be applied: writers: the lock is rusty",
        "the others were applied",
    );
    let steps = outcome.steps("company");
    assert_eq!(steps[3], "access-to-target access controls 0/1/0/1");
    let applied = outcome.target("company")["steps"][2]["results"][0].clone();
    assert_eq!(applied["total"], 2, "{applied:#}");
    assert_eq!(steps[5], "data-usage statements 0/0/0/0", "everything else was done");

    configure(&place, &served.url, (&source, &store), "");
    let outcome = run(&place, PASSWORD).succeeded();
    assert!(outcome.steps("company")[3].ends_with("/0/0"), "{outcome:?}");
}

#[test]
fn a_cloud_that_is_not_reached_has_a_code_of_its_own() {
    let place = Place::new();
    let url = format!("http://127.0.0.1:{}/", closed_port());
    configure(&place, &url, ("a", "b"), "");
    let outcome = run(&place, PASSWORD).failed(5, "cannot reach 127.0.0.1:", "raito-url-override");
    assert_eq!(outcome.target("company")["failure"]["kind"], "cloud");
}

#[test]
fn a_data_folder_belongs_to_one_process() {
    let place = Place::with_targets(&[company("")]);
    let served = Served::start(&place);
    place.run(&["--embedded-data-dir", "served"]).failed(
        5,
        "served is used by another process",
        "`embedded-data-dir`",
    );
    place
        .raito(&["cloud", "serve", "--listen", "127.0.0.1:0", "--data-dir", "served", "--domain", "acme"])
        .finish()
        .failed(5, "served is used by another process", "--data-dir");
    // Looking is no use.
    place.raito(&["cloud", "status", "--data-dir", "served"]).finish().succeeded();
    assert_eq!(served.stop().0, Some(0));
    place.run(&["--embedded-data-dir", "served"]).failed(
        5,
        "the data folder belongs to the domain `acme`",
        "`embedded-data-dir`",
    );
}
