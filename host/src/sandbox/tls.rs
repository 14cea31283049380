//! TLS on behalf of connectors: `wasi:tls` and the roots that HTTP uses too.
//!
//! Certificates are checked against the system's roots and those of `ca-file`, and against the name that the
//! connector says it talks to; that name must be one that the grants name. There is no way for a connector to
//! turn the check off.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use wasmtime_wasi_tls::{Error, TlsProvider, TlsStream, TlsTransport};

use super::network::NetworkGate;

/// The configuration for connections of connectors.
///
/// # Errors
/// If `ca_file` cannot be read or holds no certificate.
pub(super) fn client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    // A machine without a certificate store can still reach what `ca-file` vouches for.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let problem = |why: String| format!("the ca-file {} cannot be used: {why}", path.display());
        let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .map_err(|error| problem(error.to_string()))?;
        if certificates.is_empty() {
            return Err(problem("it holds no PEM certificate".into()));
        }
        for certificate in certificates {
            roots.add(certificate).map_err(|error| problem(error.to_string()))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Makes TLS connections for one instance.
pub(super) struct GatedTls {
    pub(super) gate: Arc<NetworkGate>,
    pub(super) config: Arc<ClientConfig>,
}

struct Stream(tokio_rustls::client::TlsStream<Box<dyn TlsTransport>>);

impl TlsStream for Stream {}

impl tokio::io::AsyncRead for Stream {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl tokio::io::AsyncWrite for Stream {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::pin::Pin::new(&mut self.0).poll_write(context, buffer)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_shutdown(context)
    }
}

type Connecting = std::pin::Pin<Box<dyn Future<Output = Result<Box<dyn TlsStream>, Error>> + Send>>;

impl TlsProvider for GatedTls {
    fn connect(&self, server_name: String, transport: Box<dyn TlsTransport>) -> Connecting {
        let granted = self.gate.granted_host(&server_name).is_some();
        let config = Arc::clone(&self.config);
        Box::pin(async move {
            if !granted {
                return Err(Error::msg("the sandbox does not allow this server name"));
            }
            let name = ServerName::try_from(server_name).map_err(|_| Error::msg("not a server name"))?;
            let stream = TlsConnector::from(config).connect(name, transport).await?;
            Ok(Box::new(Stream(stream)) as Box<dyn TlsStream>)
        })
    }
}
