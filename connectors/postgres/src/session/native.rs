//! The transport of the tests: the machine's own sockets, without TLS.

use std::future::Future;
use std::io;

use raito_connector::{Error, Result};
use tokio::net::TcpStream;
use tokio_postgres::{Client, Config, NoTls};

use super::{Driver, Shortfall};
use crate::settings::Settings;

/// One thread's event loop.
pub(super) struct Runtime(tokio::runtime::Runtime);

impl Runtime {
    pub(super) fn new() -> Result<Self> {
        Ok(Runtime(tokio::runtime::Builder::new_current_thread().enable_io().build()?))
    }

    #[expect(clippy::unnecessary_wraps, reason = "the sandbox's loop can fail")]
    pub(super) fn block_on<F: Future>(&self, future: F) -> io::Result<F::Output> {
        Ok(self.0.block_on(future))
    }
}

pub(super) fn connect(
    runtime: &Runtime,
    config: &Config,
    settings: &Settings,
    shortfall: &Shortfall,
) -> Result<Result<(Client, Driver), tokio_postgres::Error>> {
    runtime.block_on(async {
        let address = (settings.host.as_str(), settings.port);
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| Error::connection(format!("{}:{}: {error}", settings.host, settings.port)))?;
        let connected = config.connect_raw(stream, NoTls).await;
        Ok(connected.map(|(client, connection)| (client, shortfall.carry(connection))))
    })?
}
