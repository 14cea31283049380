//! How a server is operated: where files go, who may connect how, and how it ends.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::StorageAddress;

/// Settings for the operation of a server. The defaults suit one server on one machine.
#[derive(Debug, Clone)]
pub struct Operations {
    /// Where files are kept; a folder in the data folder if missing.
    pub storage: Option<StorageAddress>,
    /// Whether uploads and downloads go through the server also where an object store could take them itself:
    /// for stores that clients cannot reach.
    pub storage_proxy: bool,
    /// Certificate and key for TLS; without them the server speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Where metrics are served. If missing, they are on the main address, for requests of the same machine.
    pub metrics_listen: Option<SocketAddr>,
    /// Reverse proxies whose word on the address of a client is taken.
    pub trusted_proxies: Vec<IpAddr>,
    /// What clients may ask for.
    pub limits: Limits,
    /// How long the server goes on after it has said that it is no longer ready, so that load balancers notice.
    pub shutdown_delay: Duration,
    /// How long running requests may take after that.
    pub shutdown_grace: Duration,
}

/// Certificate and key as PEM files. They are read again when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those that lead to a root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What clients may ask for.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests at work at the same time; more are answered with 503.
    pub requests: usize,
    /// How long the head of a request may take, and the TLS handshake before it.
    pub head: Duration,
    /// How long the body of a request may pause.
    pub pause: Duration,
    /// How long the body of a request may take in all; uploads excepted.
    pub body: Duration,
    /// Failed sign-ins from one address in a minute; more are answered with 429.
    pub failed_sign_ins: u32,
}

impl Default for Operations {
    fn default() -> Self {
        Self {
            storage: None,
            storage_proxy: false,
            tls: None,
            metrics_listen: None,
            trusted_proxies: Vec::new(),
            limits: Limits::default(),
            shutdown_delay: Duration::ZERO,
            shutdown_grace: Duration::from_secs(30),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests: 512,
            head: Duration::from_secs(15),
            pause: Duration::from_secs(30),
            body: Duration::from_mins(1),
            failed_sign_ins: 20,
        }
    }
}
