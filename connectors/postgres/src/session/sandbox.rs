//! The transport of the connector: the socket that the host grants, and TLS that the host terminates.

use std::future::{Future, Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use raito_connector::net::{self, Stream};
use raito_connector::{Error, Result};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_postgres::{Client, Config};

use super::{Driver, Shortfall};
use crate::settings::Settings;

/// The SDK's loop, which waits for streams of the host.
pub(super) struct Runtime;

impl Runtime {
    #[expect(clippy::unnecessary_wraps, reason = "the tests' event loop can fail to start")]
    pub(super) fn new() -> Result<Self> {
        Ok(Runtime)
    }

    #[expect(clippy::unused_self, reason = "the tests' event loop is a value")]
    pub(super) fn block_on<F: Future>(&self, future: F) -> io::Result<F::Output> {
        net::block_on(future)
    }
}

pub(super) fn connect(
    runtime: &Runtime,
    config: &Config,
    settings: &Settings,
    shortfall: &Shortfall,
) -> Result<Result<(Client, Driver), tokio_postgres::Error>> {
    let stream = Stream::connect(&settings.host, settings.port)?;
    let tls = HostTls { server_name: settings.host.clone() };
    let connected = runtime
        .block_on(config.connect_raw(stream, tls))
        .map_err(|error| Error::connection(error.to_string()))?;
    Ok(connected.map(|(client, connection)| (client, shortfall.carry(connection))))
}

/// Starts TLS for the host name of the target, once the server has agreed to it.
struct HostTls {
    server_name: String,
}

impl TlsConnect<Stream> for HostTls {
    type Stream = Secured;
    type Error = io::Error;
    type Future = Ready<io::Result<Secured>>;

    fn connect(self, stream: Stream) -> Self::Future {
        ready(stream.start_tls(&self.server_name).map(Secured))
    }
}

/// A stream under TLS. The host keeps the certificate, so the sign-in cannot be bound to the channel.
struct Secured(Stream);

impl TlsStream for Secured {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
