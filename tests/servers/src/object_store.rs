//! An S3-compatible object store: `moto_server`, a Python package that speaks the protocol of S3.
//!
//! It keeps objects in memory, takes any credentials, and compares checksums that come with an object.

use std::env;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Somebody else may take a free port before the server does: then it tries another one.
const ATTEMPTS: usize = 5;
/// Python reads many files before it listens.
const START: Duration = Duration::from_secs(90);

/// A running store.
pub struct ObjectStore {
    server: Child,
    port: u16,
}

impl ObjectStore {
    /// Starts a store without buckets.
    pub fn start() -> Self {
        let program = program();
        for _ in 0..ATTEMPTS {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let server = Command::new(&program)
                .args(["-H", "127.0.0.1", "-p", &port.to_string()])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut store = ObjectStore { server, port };
            let deadline = Instant::now() + START;
            while store.server.try_wait().unwrap().is_none() {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return store;
                }
                assert!(Instant::now() < deadline, "the object store did not start");
                thread::sleep(Duration::from_millis(50));
            }
        }
        panic!("{} ends at once", program.display());
    }

    /// Where it listens, for `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes a bucket.
    pub fn create_bucket(&self, name: &str) {
        let answer = self.request(&format!("PUT /{name}"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// The keys in a bucket.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let answer = self.request(&format!("GET /{bucket}?list-type=2"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let keys = answer.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
        keys.map(|(key, _)| key.to_owned()).collect()
    }

    /// Overwrites an object, past everybody's checks.
    pub fn put(&self, bucket: &str, key: &str, content: &str) {
        let head = format!("PUT /{bucket}/{key}");
        let answer = self.send(&head, content);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    fn request(&self, head: &str) -> String {
        self.send(head, "")
    }

    fn send(&self, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let (port, length) = (self.port, body.len());
        let request = format!(
            "{head} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n\
             content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for ObjectStore {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn program() -> PathBuf {
    let named = env::var_os("RAITO_TEST_MOTO_SERVER").map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|folder| folder.join("moto_server"));
    let Some(found) = named.into_iter().chain(on_path).find(|program| program.is_file()) else {
        panic!(
            "these tests need an object store: install the Python package `moto[server,s3]` and put the path of \
             its program `moto_server` into RAITO_TEST_MOTO_SERVER (`cargo xtask test` does both)"
        );
    };
    found
}
