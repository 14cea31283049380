//! The stand-in for Raito Cloud, its identity provider and its file store.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use url::Url;

use super::super::{ClientOptions, CloudClient, Timing};
use super::{account, tokens};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    /// Method, path and query.
    pub(super) line: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Recorded {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(super) fn query(&self) -> String {
        self.json()["query"].as_str().unwrap().to_owned()
    }
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

type Answers = BTreeMap<&'static str, VecDeque<Answer>>;

/// The stand-in. It answers each path with what was prepared for it, the last answer for ever.
#[derive(Clone)]
pub(super) struct RecordingServer {
    pub(super) base: Url,
    requests: Arc<Mutex<Vec<Recorded>>>,
    answers: Arc<Mutex<Answers>>,
}

impl RecordingServer {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = Url::parse(&format!("http://{}/api/", listener.local_addr().unwrap())).unwrap();
        let server = Self { base, requests: Arc::default(), answers: Arc::default() };
        let router = Router::new().fallback(record).with_state(server.clone());
        // Ends with the runtime of the test.
        tokio::spawn(async move { axum::serve(listener, router).await });
        server.answer("/api/admin/org/acme", 200, &json!({ "authorgid": "o", "CLIENTAPPID": "client-1" }));
        server.answer("/cognito/", 200, &tokens("id-1", Some("refresh-1"), 3600));
        server
    }

    pub(super) fn answer(&self, path: &'static str, status: u16, body: &Value) {
        self.answer_with(path, status, Vec::new(), body.to_string());
    }

    pub(super) fn answer_with(
        &self,
        path: &'static str,
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    ) {
        let answer = Answer { status, headers, body };
        self.answers.lock().unwrap().entry(path).or_default().push_back(answer);
    }

    /// Drops what was prepared for a path.
    pub(super) fn forget(&self, path: &'static str) {
        self.answers.lock().unwrap().remove(path);
    }

    pub(super) fn data(&self, data: &Value) {
        self.answer("/api/query", 200, &json!({ "data": data }));
    }

    pub(super) fn requests(&self) -> Vec<Recorded> {
        self.requests.lock().unwrap().clone()
    }

    pub(super) fn requests_to(&self, path: &str) -> Vec<Recorded> {
        let of_path = |request: &Recorded| request.line.split([' ', '?']).nth(1) == Some(path);
        self.requests().into_iter().filter(of_path).collect()
    }

    pub(super) fn options(&self) -> ClientOptions {
        let identity_provider = self.base.join("/cognito/").unwrap();
        let none = Duration::ZERO;
        let timing = Timing {
            import_poll: none,
            export_poll: none,
            self_hosted_poll: (none, none),
            upload_retry: [none; 2],
            sign_in_retry: [none; 2],
            request_retry: [none; 2],
            throttle_wait: none,
            ..Timing::default()
        };
        ClientOptions {
            timing,
            ..ClientOptions::new(Some(self.base.clone()), Some(identity_provider)).unwrap()
        }
    }

    pub(super) fn client(&self) -> CloudClient {
        CloudClient::new(self.options(), account("sync@acme")).unwrap()
    }
}

async fn record(State(server): State<RecordingServer>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let line = format!("{} {}", parts.method, parts.uri);
    server.requests.lock().unwrap().push(Recorded {
        line,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let mut answers = server.answers.lock().unwrap();
    let Some(prepared) = answers.get_mut(parts.uri.path()) else {
        return (StatusCode::NOT_FOUND, "nothing prepared").into_response();
    };
    let answer = if prepared.len() > 1 { prepared.pop_front() } else { None };
    let answer = answer.as_ref().or_else(|| prepared.front()).unwrap();
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(*name, value);
    }
    response.body(Body::from(answer.body.clone())).unwrap()
}
