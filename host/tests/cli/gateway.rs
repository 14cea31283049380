//! A gateway in front of `raito cloud serve`, which names the requests and answers some of them itself, as a test says.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

/// A request on its way.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Method and path with query.
    pub(crate) line: String,
    /// The value of `Authorization`.
    pub(crate) authorization: String,
    /// The body.
    pub(crate) body: String,
}

impl Seen {
    /// What it is for: the GraphQL field with job type and status where there are any, else method and path.
    pub(crate) fn name(&self) -> String {
        let Ok(body) = serde_json::from_str::<Value>(&self.body) else { return self.line.clone() };
        let Some(query) = body["query"].as_str() else { return self.line.clone() };
        let (_, fields) = query.split_once('{').unwrap();
        let field: String = fields.trim_start().chars().take_while(char::is_ascii_alphanumeric).collect();
        let input = &body["variables"]["input"];
        let words = ["jobType", "status"].map(|key| input[key].as_str().unwrap_or_default());
        [field.as_str(), words[0], words[1]].join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// Answers a request instead of the server: status line and headers, each with its line end, and the body.
pub(crate) type Interfere = dyn Fn(&Seen) -> Option<(String, String)> + Send + Sync;

/// The gateway, while it lives.
pub(crate) struct Gateway {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Gateway {
    /// A gateway to the server at this address.
    pub(crate) fn new(
        upstream: &str,
        interfere: impl Fn(&Seen) -> Option<(String, String)> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let upstream = upstream.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let (remembered, stopped, interfere) = (Arc::clone(&seen), Arc::clone(&stop), Arc::new(interfere));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::SeqCst) {
                let Ok((stream, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(2));
                    continue;
                };
                let (upstream, seen) = (upstream.clone(), Arc::clone(&remembered));
                let interfere: Arc<Interfere> = interfere.clone();
                std::thread::spawn(move || pass(stream, &upstream, &seen, &*interfere));
            }
        });
        Gateway { address, seen, stop, thread: Some(thread) }
    }

    /// Its address as a base of the API.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The names of the requests so far, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(Seen::name).collect()
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One connection with one request.
fn pass(mut stream: TcpStream, upstream: &str, seen: &Mutex<Vec<Seen>>, interfere: &Interfere) {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let Some((head, body)) = request(&mut stream) else { return };
    let header = |name: &str| {
        let found = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let line = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
    let request = Seen {
        line,
        authorization: header("authorization"),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    seen.lock().unwrap().push(request.clone());
    if let Some((head, body)) = interfere(&request) {
        let length = body.len();
        let text = format!("HTTP/1.1 {head}content-length: {length}\r\nconnection: close\r\n\r\n{body}");
        let _ = stream.write_all(text.as_bytes());
        return;
    }
    let mut server = TcpStream::connect(upstream).unwrap();
    // Without keeping the connection, the end of the answer is the end of the stream.
    let kept = head.lines().filter(|line| !line.to_lowercase().starts_with("connection:"));
    let head = kept.collect::<Vec<_>>().join("\r\n");
    server.write_all(format!("{head}\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
    server.write_all(&body).unwrap();
    let mut answer = Vec::new();
    let _ = server.read_to_end(&mut answer);
    let _ = stream.write_all(&answer);
}

/// Head, without the empty line, and body of a request.
fn request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 8192]);
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        match stream.read(&mut buffer) {
            Ok(length) if length > 0 => bytes.extend_from_slice(&buffer[..length]),
            _ => return None,
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length: usize = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.trim().parse().unwrap());
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        match stream.read(&mut buffer) {
            Ok(read) if read > 0 => body.extend_from_slice(&buffer[..read]),
            _ => return None,
        }
    }
    Some((head, body))
}
