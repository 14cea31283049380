//! A proxy between the program and a server. It writes every exchange down, and goes wrong at the exchange that a
//! test names. One thread for each connection, one request on each connection.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Longer than the server takes for any answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a request goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The server never sees the request; the client gets this status, and these header lines.
    Status(&'static str, &'static str),
    /// The server never sees the request; the connection is reset.
    Refused,
    /// The server does what it is asked; the connection is reset before its answer.
    Unanswered,
    /// The server does what it is asked; half of its answer arrives.
    Truncated,
}

/// When requests go wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Never.
    #[default]
    Well,
    /// The request with this number, from 0, does.
    Once(usize, Fault),
    /// That one and all after it do.
    From(usize, Fault),
}

impl Plan {
    fn fault(self, number: usize) -> Option<Fault> {
        match self {
            Plan::Once(at, fault) if number == at => Some(fault),
            Plan::From(at, fault) if number >= at => Some(fault),
            _ => None,
        }
    }
}

/// A request and its answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exchange {
    /// Such as `POST /query`.
    pub(crate) line: String,
    /// The headers of the request, names in lower case, in order.
    pub(crate) headers: Vec<(String, String)>,
    /// The body of the request.
    pub(crate) body: Vec<u8>,
    /// The whole answer; empty if there was none.
    pub(crate) answer: Vec<u8>,
}

impl Exchange {
    /// A header of the request.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The body of the answer as text.
    pub(crate) fn answer_body(&self) -> String {
        let text = String::from_utf8_lossy(&self.answer).into_owned();
        text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    }
}

#[derive(Default)]
struct State {
    /// Address and port of the server.
    server: String,
    plan: Plan,
    exchanges: Vec<Exchange>,
}

/// A running proxy.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts one that has no server yet.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, stopped) = (Arc::clone(&state), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&shared);
                // A client that goes away in the middle is no matter of the proxy's.
                std::thread::spawn(move || stream.and_then(|stream| pass(stream, &shared)));
            }
        });
        Proxy { address, state, stop, thread: Some(thread) }
    }

    /// Where it listens, with a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Names the server by its address and port.
    pub(crate) fn lead_to(&self, server: &str) {
        server.clone_into(&mut self.lock().server);
    }

    /// Forgets what was written down, and begins to count anew.
    pub(crate) fn arm(&self, plan: Plan) {
        let mut state = self.lock();
        state.plan = plan;
        state.exchanges.clear();
    }

    /// What was written down since.
    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        self.lock().exchanges.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // One more connection, so that it looks.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Passes one request on, and its answer back, or does what the plan says instead.
fn pass(mut client: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let Some(exchange) = read(&client)? else { return Ok(()) };
    let (number, fault, server) = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.exchanges.push(exchange.clone());
        let number = state.exchanges.len() - 1;
        (number, state.plan.fault(number), state.server.clone())
    };
    match fault {
        Some(Fault::Status(status, headers)) => {
            let answer =
                format!("HTTP/1.1 {status}\r\n{headers}connection: close\r\ncontent-length: 4\r\n\r\noops");
            return finish(&mut client, answer.as_bytes());
        }
        Some(Fault::Refused) => return reset(&client),
        Some(Fault::Unanswered | Fault::Truncated) | None => {}
    }
    let Ok(answer) = ask(&server, &exchange) else {
        return finish(
            &mut client,
            b"HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        );
    };
    if let Some(written) = state.lock().unwrap_or_else(PoisonError::into_inner).exchanges.get_mut(number) {
        written.answer.clone_from(&answer);
    }
    match fault {
        Some(Fault::Unanswered) => reset(&client),
        Some(_) => {
            // Half of the body, or of the head where there is no body.
            let head = answer.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |at| at + 4);
            let body = answer.len() - head;
            let length = if body > 0 { head + body / 2 } else { head / 2 };
            client.write_all(&answer[..length])?;
            client.shutdown(Shutdown::Both)
        }
        None => finish(&mut client, &answer),
    }
}

/// Reads a request; nothing if the client closed without one.
fn read(client: &TcpStream) -> io::Result<Option<Exchange>> {
    let mut reader = BufReader::new(client);
    let mut exchange = Exchange::default();
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    line.trim_end().trim_end_matches(" HTTP/1.1").clone_into(&mut exchange.line);
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        exchange.headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    if exchange.header("transfer-encoding").is_some() {
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let length = usize::from_str_radix(line.trim_end(), 16).map_err(io::Error::other)?;
            let mut chunk = vec![0; length + 2];
            reader.read_exact(&mut chunk)?;
            exchange.body.extend_from_slice(&chunk[..length]);
            if length == 0 {
                break;
            }
        }
    } else if let Some(length) = exchange.header("content-length") {
        exchange.body = vec![0; length.parse().map_err(io::Error::other)?];
        reader.read_exact(&mut exchange.body)?;
    }
    Ok(Some(exchange))
}

/// Sends a request to the server, and gives the whole answer.
fn ask(server: &str, exchange: &Exchange) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = format!("{} HTTP/1.1\r\nconnection: close\r\n", exchange.line);
    for (name, value) in &exchange.headers {
        if !["connection", "content-length", "transfer-encoding"].contains(&name.as_str()) {
            let _ = write!(head, "{name}: {value}\r\n");
        }
    }
    if !exchange.line.starts_with("GET ") {
        let _ = write!(head, "content-length: {}\r\n", exchange.body.len());
    }
    head.push_str("\r\n");
    stream.write_all(&[head.as_bytes(), &exchange.body].concat())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if answer.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(answer) }
}

/// Writes, says that this was all, and waits for the other side, so that nothing is cut off.
fn finish(client: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    client.write_all(bytes)?;
    client.shutdown(Shutdown::Write)?;
    client.read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Closes with a reset instead of an orderly end.
fn reset(client: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(client).set_linger(Some(Duration::ZERO))
}
