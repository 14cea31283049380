//! Servers on loopback that the tests run for connectors to reach, or not to reach. They count their connections.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A server that gives the same answer to everybody.
pub(crate) struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<usize>>,
}

impl Server {
    /// Says this as soon as somebody connects.
    pub(crate) fn greeting(text: &'static str) -> Self {
        Server::start(move |stream| answer(stream, text.as_bytes()))
    }

    /// Answers HTTP requests with this status line and these header lines.
    pub(crate) fn http(status: &str, headers: &str) -> Self {
        let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: 2\r\nconnection: close\r\n\r\nhi");
        Server::start(move |mut stream| {
            let (mut request, mut buffer) = (Vec::new(), [0; 1024]);
            while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(length) if length > 0 => request.extend_from_slice(&buffer[..length]),
                    _ => return,
                }
            }
            answer(stream, head.as_bytes());
        })
    }

    fn start(serve: impl Fn(TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut connections = 0;
            loop {
                // Asked before the look, so that the last look comes after the stop and misses nobody.
                let last = stopped.load(Ordering::SeqCst);
                if let Ok((stream, _)) = listener.accept() {
                    connections += 1;
                    stream.set_nonblocking(false).unwrap();
                    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                    serve(stream);
                } else if last {
                    return connections;
                } else {
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        });
        Server { address, stop, thread: Some(thread) }
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its address and port.
    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }

    /// Stops it, and says how many connections there were.
    pub(crate) fn connections(mut self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // A test that fails elsewhere should say so, and not this.
            let _ = thread.join();
        }
    }
}

/// Writes, says that this was all, and waits for the other side, so that nothing is cut off.
fn answer(mut stream: TcpStream, bytes: &[u8]) {
    if stream.write_all(bytes).is_ok() && stream.shutdown(std::net::Shutdown::Write).is_ok() {
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

/// A port on which nobody listens.
pub(crate) fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
