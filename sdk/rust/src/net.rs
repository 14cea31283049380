//! TCP, and TLS on top of it, for protocols that bring their own framing.
//!
//! [`Stream`] blocks like a stream of the standard library ([`Read`], [`Write`]). With the feature `tokio` it is
//! also tokio's `AsyncRead` and `AsyncWrite`, and [`block_on`] drives a future that uses it, so that protocol
//! crates written for tokio work unchanged.
//!
//! The host resolves only granted names, and connects only to what they resolved to, on the granted port. TLS
//! is terminated by the host: it checks the certificate against its own roots and the server name against the
//! grant, and no key material enters the sandbox.

use std::io::{self, ErrorKind, Read, Write};

use wasip2::io::streams::{InputStream, OutputStream, StreamError};
use wasip2::sockets::network::{ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress};
use wasip2::sockets::network::{Ipv4SocketAddress, Ipv6SocketAddress};
use wasip2::sockets::tcp::TcpSocket;
use wasip2::sockets::{instance_network::instance_network, ip_name_lookup, tcp_create_socket};

use crate::bindings::tls::wasi::tls::types::{ClientConnection, ClientHandshake};

#[cfg(feature = "tokio")]
mod executor;
#[cfg(feature = "tokio")]
pub use executor::block_on;

/// Bytes asked for in one read.
const CHUNK: u64 = 64 * 1024;

/// A connection, plain or under TLS.
pub struct Stream {
    // Streams are children of what they came from and must be dropped before it: the order of the fields matters.
    input: InputStream,
    output: OutputStream,
    origin: Origin,
    unread: Vec<u8>,
    taken: usize,
}

/// What the streams of a connection came from. Ends the connection when it is dropped.
struct Origin {
    tls: Option<ClientConnection>,
    socket: TcpSocket,
}

impl Stream {
    /// Connects to a host name or an address, trying the addresses in the order of the host's answer.
    ///
    /// # Errors
    /// Of kind `PermissionDenied` if the operator has not granted the network address; otherwise the last
    /// address's failure.
    pub fn connect(host: &str, port: u16) -> io::Result<Self> {
        let mut last = io::Error::new(ErrorKind::NotFound, format!("{host} has no address"));
        for address in resolve(host)? {
            match connect(address, port) {
                Ok(stream) => return Ok(stream),
                Err(code) => last = failure(code, &format!("{host}:{port}")),
            }
        }
        Err(last)
    }

    /// Starts TLS. `server_name` is what the server's certificate must be valid for.
    ///
    /// # Errors
    /// If the certificate is not trusted, is for another name, or the handshake breaks.
    pub fn start_tls(self, server_name: &str) -> io::Result<Self> {
        let Stream { input, output, mut origin, .. } = self;
        let handshake = ClientHandshake::finish(ClientHandshake::new(server_name, input, output));
        let ready = handshake.subscribe();
        ready.block();
        drop(ready);
        match handshake.get() {
            Some(Ok(Ok((connection, input, output)))) => {
                origin.tls = Some(connection);
                Ok(Stream { input, output, origin, unread: Vec::new(), taken: 0 })
            }
            Some(Ok(Err(error))) => Err(io::Error::new(
                ErrorKind::ConnectionAborted,
                format!("TLS with {server_name} failed: {}", error.to_debug_string()),
            )),
            Some(Err(())) | None => Err(io::Error::other(format!("TLS with {server_name} did not finish"))),
        }
    }

    /// What arrived already, without waiting; `None` if nothing has.
    fn read_ready(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if self.taken == self.unread.len() {
            self.unread = match self.input.read(CHUNK) {
                Ok(bytes) => bytes,
                Err(StreamError::Closed) => return Ok(Some(0)),
                Err(error) => return Err(broken(&error)),
            };
            self.taken = 0;
            if self.unread.is_empty() {
                return Ok(None);
            }
        }
        let rest = self.unread.get(self.taken..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        self.taken += count;
        Ok(Some(count))
    }

    /// Writes what the host takes now, without waiting; `None` if it takes nothing.
    fn write_ready(&mut self, buffer: &[u8]) -> io::Result<Option<usize>> {
        let room = self.output.check_write().map_err(|error| broken(&error))?;
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        if room == 0 {
            return Ok(None);
        }
        let part = buffer.get(..room.min(buffer.len())).unwrap_or_default();
        self.output.write(part).map_err(|error| broken(&error))?;
        Ok(Some(part.len()))
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.read_ready(buffer)? {
                Some(count) => return Ok(count),
                None => self.input.subscribe().block(),
            }
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.write_ready(buffer)? {
                Some(count) => return Ok(count),
                None => self.output.subscribe().block(),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.blocking_flush().map_err(|error| broken(&error))
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        if let Some(connection) = &self.tls {
            connection.close_output();
        }
        // A socket that is gone already has nothing left to shut down.
        let _ = self.socket.shutdown(wasip2::sockets::tcp::ShutdownType::Both);
    }
}

fn resolve(host: &str) -> io::Result<Vec<IpAddress>> {
    let network = instance_network();
    let answers = ip_name_lookup::resolve_addresses(&network, host).map_err(|code| failure(code, host))?;
    let ready = answers.subscribe();
    let mut addresses = Vec::new();
    loop {
        match answers.resolve_next_address() {
            Ok(Some(address)) => addresses.push(address),
            Ok(None) => return Ok(addresses),
            Err(ErrorCode::WouldBlock) => ready.block(),
            Err(code) => return Err(failure(code, host)),
        }
    }
}

fn connect(address: IpAddress, port: u16) -> Result<Stream, ErrorCode> {
    let (family, address) = match address {
        IpAddress::Ipv4(address) => {
            (IpAddressFamily::Ipv4, IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address }))
        }
        IpAddress::Ipv6(address) => (
            IpAddressFamily::Ipv6,
            IpSocketAddress::Ipv6(Ipv6SocketAddress { port, flow_info: 0, address, scope_id: 0 }),
        ),
    };
    let socket = tcp_create_socket::create_tcp_socket(family)?;
    socket.start_connect(&instance_network(), address)?;
    let ready = socket.subscribe();
    let (input, output) = loop {
        match socket.finish_connect() {
            Err(ErrorCode::WouldBlock) => ready.block(),
            outcome => break outcome?,
        }
    };
    drop(ready);
    Ok(Stream { input, output, origin: Origin { tls: None, socket }, unread: Vec::new(), taken: 0 })
}

fn failure(code: ErrorCode, what: &str) -> io::Error {
    let (kind, why) = match code {
        ErrorCode::AccessDenied => (ErrorKind::PermissionDenied, "the sandbox does not allow it"),
        ErrorCode::ConnectionRefused => (ErrorKind::ConnectionRefused, "connection refused"),
        ErrorCode::ConnectionReset => (ErrorKind::ConnectionReset, "connection reset"),
        ErrorCode::ConnectionAborted => (ErrorKind::ConnectionAborted, "connection aborted"),
        ErrorCode::RemoteUnreachable => (ErrorKind::HostUnreachable, "the host cannot be reached"),
        ErrorCode::Timeout => (ErrorKind::TimedOut, "no answer in time"),
        ErrorCode::NameUnresolvable => (ErrorKind::HostUnreachable, "the name has no address"),
        ErrorCode::TemporaryResolverFailure | ErrorCode::PermanentResolverFailure => {
            (ErrorKind::HostUnreachable, "the name look-up failed")
        }
        ErrorCode::InvalidArgument => (ErrorKind::InvalidInput, "not a host name or an address"),
        other => return io::Error::other(format!("{what}: {other}")),
    };
    io::Error::new(kind, format!("{what}: {why}"))
}

fn broken(error: &StreamError) -> io::Error {
    match error {
        StreamError::Closed => io::Error::new(ErrorKind::BrokenPipe, "the connection is closed"),
        StreamError::LastOperationFailed(why) => io::Error::new(
            ErrorKind::ConnectionReset,
            format!("the connection broke: {}", why.to_debug_string()),
        ),
    }
}
