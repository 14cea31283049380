//! `raito cloud init`, `serve` as a service runs it, `backup` and `restore`: the program itself.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Child;

use serde_json::{Value, json};

use crate::place::{Place, signal};

const USER: &str = "admin@acme.example";
const PASSWORD: &str = "Correct-Horse-7";

/// A server that writes its log for programs.
struct Service {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
    lines: Vec<Value>,
    url: String,
}

impl Service {
    fn start(place: &Place, data: &str) -> Self {
        let arguments =
            ["cloud", "serve", "--listen", "127.0.0.1:0", "--data-dir", data, "--log-format", "json"];
        let mut child = place.raito(&arguments).start();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut service = Service { child, log, lines: Vec::new(), url: String::new() };
        while service.url.is_empty() {
            let line = service.line().unwrap_or_else(|| panic!("the server ended"));
            if let Some((_, url)) = line["message"].as_str().unwrap().split_once("listens on ") {
                url.clone_into(&mut service.url);
            }
        }
        service
    }

    fn line(&mut self) -> Option<Value> {
        let mut text = String::new();
        if self.log.read_line(&mut text).unwrap() == 0 {
            return None;
        }
        let line: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        self.lines.push(line.clone());
        Some(line)
    }

    /// Sends a request as plain as it can be; gives the status, the head and the body.
    fn request(&self, head: &str, body: &str) -> (u16, String, String) {
        let host = self.url.trim_start_matches("http://").trim_end_matches('/');
        let mut stream = TcpStream::connect(host).unwrap();
        let length = body.len();
        let text =
            format!("{head}\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_owned(), body.to_owned())
    }

    fn sign_in(&self, password: &str) -> (u16, Value) {
        let (_, _, organisation) = self.request("GET /admin/org/acme HTTP/1.1", "");
        let organisation: Value = serde_json::from_str(&organisation).unwrap();
        let body = json!({ "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": organisation["ClientAppId"],
            "AuthParameters": { "USERNAME": USER, "PASSWORD": password } });
        let head = "POST / HTTP/1.1\r\nx-request-id: sign-in-1\r\n\
                    x-amz-target: AWSCognitoIdentityProviderService.InitiateAuth";
        let (status, _, body) = self.request(head, &body.to_string());
        (status, serde_json::from_str(&body).unwrap())
    }

    /// Asks it to end; gives its exit code and all lines of its log.
    fn stop(mut self) -> (Option<i32>, Vec<Value>) {
        signal("TERM", self.child.id());
        while self.line().is_some() {}
        (self.child.wait().unwrap().code(), std::mem::take(&mut self.lines))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Whatever failed in between, the server does not outlive its test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_cloud_is_set_up_served_backed_up_and_restored() {
    let place = Place::new();
    let init = ["cloud", "init", "--data-dir", "data", "--domain", "acme", "--admin-email", USER];
    place.raito(&init[..6]).finish().failed(3, "--admin-email is missing", "--admin-email");
    place.raito(&init).env("RAITO_CLOUD_ADMIN_PASSWORD", "weak").finish().failed(5, "a password needs", "");
    place.write("password", format!("{PASSWORD}\nmore\n"));
    let done =
        place.raito(&[&init[..], &["--admin-password-file", "password"]].concat()).finish().succeeded();
    assert!(done.stdout.contains("Administrator: admin@acme.example"), "{done:?}");
    assert!(!done.stdout.contains(PASSWORD) && done.stdout.contains("--public-url"), "{done:?}");
    place.raito(&init).finish().failed(5, "set up already, for the domain `acme`", "raito cloud serve");
    std::fs::remove_file(place.path().join("password")).unwrap();

    let service = Service::start(&place, "data");
    let (status, tokens) = service.sign_in(PASSWORD);
    assert_eq!(status, 200, "{tokens}");
    let token = tokens["AuthenticationResult"]["IdToken"].as_str().unwrap().to_owned();
    assert_eq!(service.sign_in("Wrong-Horse-8").0, 400);
    let head = format!(
        "GET /file/upload/signed-url?contentLength=2&sha256=T1PNoYwrrgwDVLtfmj7L5e0SshzbPjwAT3vSfNgRVXg%3D HTTP/1.1\r\n\
         authorization: token {token}\r\nraito-domain: acme"
    );
    let (status, _, address) = service.request(&head, "");
    assert_eq!(status, 200, "{address}");
    let address: Value = serde_json::from_str(&address).unwrap();
    let path = address["URL"].as_str().unwrap().strip_prefix(&service.url).unwrap().to_owned();
    assert_eq!(service.request(&format!("PUT /{path} HTTP/1.1"), "[]").0, 400, "another hash");
    assert_eq!(service.request("GET /ready HTTP/1.1", "").0, 200);
    let (_, _, metrics) = service.request("GET /metrics HTTP/1.1", "");
    assert!(metrics.contains("raito_sign_in_refusals_total{reason=\"password\"} 1"), "{metrics}");

    let backup = ["cloud", "backup", "backup.tar", "--data-dir", "data", "--format", "json"];
    let report = place.raito(&backup).finish().succeeded().json();
    assert_eq!(report["domain"], "acme");
    place.raito(&backup).finish().failed(5, "there is such a file already", "");

    let (code, lines) = service.stop();
    assert_eq!(code, Some(0));
    let secret = path.rsplit_once('/').unwrap().1;
    let text = Value::Array(lines.clone()).to_string();
    for hidden in [token.as_str(), secret, PASSWORD, "Wrong-Horse-8"] {
        assert!(!text.contains(hidden), "a secret is in the log: {text}");
    }
    let sign_in =
        lines.iter().find(|line| line["span"]["id"] == "sign-in-1" && line["route"] == "/").unwrap();
    assert_eq!(
        (&sign_in["method"], &sign_in["status"], &sign_in["level"]),
        (&json!("POST"), &json!(200), &json!("INFO"))
    );
    let refused = lines.iter().find(|line| line["message"] == "a sign-in was refused").unwrap();
    assert_eq!(refused["span"]["id"], "sign-in-1");
    assert!(lines.iter().any(|line| line["route"] == "/file/upload/{key}/{secret}"), "{text}");

    let restore = ["cloud", "restore", "backup.tar", "--data-dir", "restored"];
    let done = place.raito(&restore).finish().succeeded();
    assert!(done.stdout.starts_with("restored from backup.tar: domain `acme`"), "{done:?}");
    place.raito(&restore).finish().failed(5, "there is data already in restored", "--force");
    place.raito(&[&restore[..], &["--force"]].concat()).finish().succeeded();
    let service = Service::start(&place, "restored");
    assert_eq!(service.sign_in(PASSWORD).0, 200);
    assert_eq!(service.stop().0, Some(0));
    assert_eq!(place.holds(PASSWORD), None, "the password lies in a file");
}

#[test]
fn a_password_is_never_made_up_for_a_log() {
    let place = Place::new();
    let arguments =
        ["cloud", "serve", "--listen", "127.0.0.1:0", "--data-dir", "data", "--log-format", "json"];
    place.raito(&arguments).finish().failed(5, "has not been set up", "raito cloud init");
    let made = [
        "cloud",
        "init",
        "--data-dir",
        "data",
        "--domain",
        "acme",
        "--admin-email",
        USER,
        "--generate-password",
    ];
    let done = place.raito(&made).finish().succeeded();
    let shown =
        done.stdout.lines().find_map(|line| line.strip_prefix("Password, shown this once: ")).unwrap();
    assert_eq!(place.holds(shown), None, "the password lies in a file");
    let service = Service::start(&place, "data");
    assert_eq!(service.sign_in(shown).0, 200);
    assert_eq!(service.stop().0, Some(0));
}
