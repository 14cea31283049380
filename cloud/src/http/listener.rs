//! Listens for connections, with or without TLS.
//!
//! With TLS the certificate and its key are read again when one of the files has changed, and on SIGHUP. A pair
//! that does not fit, as in the moment between the replacement of the one and of the other, leaves the former in
//! use, and is tried again.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::TokioTimer;

use crate::operations::{Limits, TlsFiles};

/// How often the files of a certificate are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// Reads certificate and key.
pub(crate) async fn tls(files: &TlsFiles) -> io::Result<RustlsConfig> {
    // The configuration asks for the process's cryptography. Where somebody has chosen one already, it stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    RustlsConfig::from_pem_file(&files.certificate, &files.key).await
}

/// Serves until the handle says that it is over.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    router: Router,
    limits: &Limits,
    handle: Handle<SocketAddr>,
) -> io::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let mut server = axum_server::from_tcp(listener)?.handle(handle).first_request_timeout(limits.head);
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(limits.head);
    match tls {
        None => server.serve(service).await,
        Some(config) => {
            let patience = limits.head;
            let accept = |_| RustlsAcceptor::new(config).handshake_timeout(patience);
            server.map(accept).serve(service).await
        }
    }
}

/// Keeps the certificate up to date. Does not end by itself.
pub(crate) async fn renew(files: TlsFiles, config: RustlsConfig) {
    let mut known = state(&files);
    let mut hangup = Hangup::new();
    loop {
        let asked = tokio::select! {
            () = tokio::time::sleep(LOOK) => false,
            () = hangup.wait() => true,
        };
        let found = state(&files);
        if found == known && !asked {
            continue;
        }
        match config.reload_from_pem_file(&files.certificate, &files.key).await {
            Ok(()) => {
                known = found;
                tracing::info!(certificate = %files.certificate.display(), "the certificate was read again");
            }
            Err(error) => {
                tracing::error!(%error, "the changed certificate cannot be used; the former one stays");
            }
        }
    }
}

/// What changes with a file.
fn state(files: &TlsFiles) -> [Option<(SystemTime, u64)>; 2] {
    let state = |path: &Path| {
        let found = std::fs::metadata(path).ok()?;
        Some((found.modified().ok()?, found.len()))
    };
    [state(&files.certificate), state(&files.key)]
}

/// The signal with which administrators ask for files to be read again.
struct Hangup {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Hangup {
    fn new() -> Self {
        Self { signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok() }
    }

    async fn wait(&mut self) {
        let heard = match &mut self.signal {
            Some(signal) => signal.recv().await,
            None => None,
        };
        if heard.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
impl Hangup {
    fn new() -> Self {
        Self {}
    }

    async fn wait(&mut self) {
        std::future::pending().await
    }
}
