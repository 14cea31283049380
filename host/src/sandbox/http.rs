//! HTTP on behalf of connectors: the host and port must be granted, the host is looked up and connected to here, and
//! a redirect comes back to the connector like any other answer.
//!
//! The operator's proxy settings play no part: a proxy would be a way around the gate.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::network::NetworkGate;
use crate::config::sandbox::HostPattern;

/// Longest wait for a connection or for the head of an answer; a connector may ask for less.
const PATIENCE: Duration = Duration::from_mins(2);

type Processed = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Answer = Result<(http::Response<WasiBody>, Processed), Error>;

/// Sends the requests of one instance.
pub(super) struct GatedHttp {
    pub(super) gate: Arc<NetworkGate>,
    pub(super) tls: Arc<ClientConfig>,
}

trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

impl WasiHttpHooks for GatedHttp {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Processed,
    ) -> Box<dyn Future<Output = Answer> + Send> {
        let (gate, tls) = (Arc::clone(&self.gate), Arc::clone(&self.tls));
        Box::new(async move { send(&gate, tls, request, options.unwrap_or_default()).await })
    }
}

async fn send(
    gate: &NetworkGate,
    tls: Arc<ClientConfig>,
    request: http::Request<WasiBody>,
    options: RequestOptions,
) -> Answer {
    let mut request = request.map(|body| RequestBody { body: Some(body) });
    let https = request.uri().scheme() == Some(&http::uri::Scheme::HTTPS);
    let authority = request.uri().authority().ok_or(Error::HttpRequestUriInvalid)?;
    if authority.as_str().contains('@') {
        return Err(Error::HttpRequestUriInvalid);
    }
    let port = authority.port_u16().unwrap_or(if https { 443 } else { 80 });
    let host = gate.granted(authority.host(), port).ok_or(Error::HttpRequestDenied)?;

    let connect = options.connect_timeout.unwrap_or(PATIENCE).min(PATIENCE);
    let stream = timeout(connect, connect_to(gate, &host, port, https.then_some(tls)))
        .await
        .map_err(|_| Error::ConnectionTimeout)??;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(Error::Hyper)?;
    let connection = tokio::spawn(connection);

    // A request to a server, other than one to a proxy, names only the path.
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = http::Uri::try_from(path).map_err(|_| Error::HttpRequestUriInvalid)?;
    let first_byte = options.first_byte_timeout.unwrap_or(PATIENCE).min(PATIENCE);
    let response = timeout(first_byte, sender.send_request(request))
        .await
        .map_err(|_| Error::ConnectionReadTimeout)?
        .map_err(Error::Hyper)?;
    let processed = async move {
        // The sender lives as long as the answer: without it the connection would end before the body.
        let _sender = sender;
        match connection.await {
            Ok(outcome) => outcome.map_err(Error::Hyper),
            Err(_) => Err(Error::ConnectionTerminated),
        }
    };
    Ok((response.map(|body| body.map_err(Error::Hyper).boxed_unsync()), Box::new(processed)))
}

/// The body of a request, which is taken from the connector to its end even if nobody wants it: because the request is
/// denied, because a GET has none, because the server answered early. Without that, the connector would see its body
/// break off, sooner or later than the answer or the error that it should see, as it happens.
struct RequestBody {
    /// Gone only while it is being dropped.
    body: Option<WasiBody>,
}

impl Body for RequestBody {
    type Data = <WasiBody as Body>::Data;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let (Some(mut body), Ok(runtime)) = (self.body.take(), tokio::runtime::Handle::try_current()) {
            // Ends with the connector's instance at the latest, which holds the other end.
            runtime.spawn(async move { while let Some(Ok(_)) = body.frame().await {} });
        }
    }
}

async fn connect_to(
    gate: &NetworkGate,
    host: &HostPattern,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
) -> Result<Box<dyn Transport>, Error> {
    let addresses = gate
        .resolve(host)
        .await
        .map_err(|error| Error::DnsError { rcode: Some(error.to_string()), info_code: None })?
        .ok_or(Error::DestinationIpProhibited)?;
    let mut last = Error::DestinationNotFound;
    for address in addresses {
        let address = SocketAddr::new(address, port);
        if !gate.allows(address, wasmtime_wasi::sockets::SocketAddrUse::TcpConnect) {
            return Err(Error::DestinationIpProhibited);
        }
        match TcpStream::connect(address).await {
            Ok(stream) => return secure(stream, host, tls).await,
            Err(error) => last = Error::Connect(error),
        }
    }
    Err(last)
}

async fn secure(
    stream: TcpStream,
    host: &HostPattern,
    tls: Option<Arc<ClientConfig>>,
) -> Result<Box<dyn Transport>, Error> {
    let Some(config) = tls else { return Ok(Box::new(stream)) };
    let name = match host {
        HostPattern::Ip(address) => ServerName::from(*address),
        HostPattern::Exact(name) | HostPattern::Wildcard(name) => {
            ServerName::try_from(name.clone()).map_err(|_| Error::HttpRequestUriInvalid)?
        }
    };
    let stream = TlsConnector::from(config).connect(name, stream).await.map_err(Error::Tls)?;
    Ok(Box::new(stream))
}
