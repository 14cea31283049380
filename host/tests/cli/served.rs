//! `raito cloud serve` as a process of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Child;

use serde_json::{Value, json};

use crate::five_steps::company;
use crate::place::{Place, signal};
use crate::proxy::Proxy;
use crate::servers::closed_port;

/// The first administrator.
pub(crate) const USER: &str = "admin@acme.example";
/// The administrator's password.
pub(crate) const PASSWORD: &str = "Correct-Horse-7";

/// A running server.
pub(crate) struct Served {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    /// Where clients reach it, with a slash at the end.
    pub(crate) url: String,
}

impl Served {
    /// Starts one on a free port.
    pub(crate) fn start(place: &Place) -> Self {
        Served::start_with(place, &["--listen", "127.0.0.1:0"])
    }

    /// Starts one that clients reach through a proxy.
    pub(crate) fn start_behind(place: &Place, proxy: &Proxy) -> Self {
        let address = format!("127.0.0.1:{}", closed_port());
        proxy.lead_to(&address);
        Served::start_with(place, &["--listen", &address, "--public-url", &proxy.url()])
    }

    /// Starts one with more arguments, and waits until it listens.
    pub(crate) fn start_with(place: &Place, more: &[&str]) -> Self {
        Served::start_on(place, more, None)
    }

    /// Starts one on a database elsewhere, if there is one.
    pub(crate) fn start_on(place: &Place, more: &[&str], database: Option<&str>) -> Self {
        let arguments = ["cloud", "serve", "--data-dir", "served", "--domain", "acme", "--admin-email", USER];
        let arguments = [&arguments, more].concat();
        let mut raito = place.raito(&arguments).env("RAITO_CLOUD_ADMIN_PASSWORD", PASSWORD);
        if let Some(database) = database {
            raito = raito.env("RAITO_CLOUD_DATABASE", database);
        }
        let mut child = raito.start();
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

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end. Gives its exit code and its last words.
    pub(crate) fn stop(mut self) -> (Option<i32>, String) {
        signal("TERM", self.child.id());
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }

    /// Sends a request as plain as it can be, and gives the answer as JSON.
    pub(crate) fn request(&self, head: &str, body: &str) -> Value {
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
    pub(crate) fn graphql(&self, document: &str, variables: &Value) -> Value {
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
    pub(crate) fn data_source(&self, name: &str) -> (String, String) {
        let made = self.graphql(
            "mutation ($input:DataSourceInput!){createDataSource(input: $input){... on DataSource{id,identityStores{id}}}}",
            &json!({ "input": { "name": name } }),
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
pub(crate) fn configure(place: &Place, url: &str, ids: (&str, &str), more: &str) {
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
