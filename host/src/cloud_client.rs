//! The client of Raito Cloud: sign-in, jobs, uploads, imports, exports.
//!
//! A [`CloudClient`] acts for one account, that is one organisation and one user. Clients for other accounts
//! are made with [`CloudClient::for_account`] and share connections, organisation look-ups and tokens.
//!
//! | part | where |
//! |---|---|
//! | organisation look-up, sign-in, tokens | [`auth`] |
//! | GraphQL: sending, escaping, errors | [`graphql`] |
//! | jobs, tasks, subtasks, waiting | [`jobs`] |
//! | uploads and downloads | [`transfer`] |
//! | imports, export, usage look-up | [`imports`] |
//! | metadata of data source and identity store | [`metadata`] |
//! | triggers: the connection on which the cloud says what to do | [`trigger`] |
//! | sending, sending again, how long to wait | `repeat` |
//! | a session lent to a connector | [`session`] |
//! | what `add-target` asks for | [`sources`] |
//! | what this build calls itself, and whether it is supported | [`version`] |
//!
//! Requests to the API carry `Authorization: token …` (the ID token), `Raito-Domain` as configured, and
//! `User-Agent`. Signed uploads and downloads carry none of them. No error carries an address with its
//! query, because that is where signatures are, and none carries a token or password.
//!
//! Trust: the certificates of the operating system, as for any other program on the machine, so that a
//! company's own authority works; `SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured. Proxies are taken from the
//! environment, except for addresses of this machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, header};
use url::Url;

use crate::secret::Secret;

pub mod auth;
pub mod error;
pub mod graphql;
pub mod imports;
pub mod jobs;
pub mod metadata;
mod repeat;
pub mod session;
pub mod sources;
pub mod transfer;
pub mod trigger;
pub mod version;

#[cfg(test)]
mod tests;

pub use auth::cognito_endpoint;
pub use error::CloudError;
pub use imports::{AccessFilter, DataSourceUsage, IdentityImport, TagImport};
pub use jobs::{
    JobRef, JobType, PollInterval, Status, Subtask, SubtaskEvent, SubtaskResult, TaskEvent, TaskResult,
};
pub use metadata::{DataSourceMetadata, IdentityStoreMetadata};
pub use sources::{DataSourceInfo, IdentityStoreInfo};
pub use transfer::UploadFile;
pub use trigger::{SyncTrigger, TriggerEvent, TriggerSocket};
pub use version::{VersionSupport, user_agent};

/// Where Raito Cloud is unless something else is configured.
pub const DEFAULT_BASE: &str = "https://api.raito.cloud/";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// The organisation and the user to act for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The domain of the organisation, as configured.
    pub domain: String,
    /// Name and password; not needed if authentication is skipped.
    pub credentials: Option<(String, Secret)>,
}

/// How to reach the cloud.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// The base of all API addresses, with a slash at the end.
    pub base: Url,
    /// The address of the identity provider. By default a self-hosted server signs its users in itself, and Amazon
    /// those of Raito's own cloud.
    pub identity_provider: Option<Url>,
    /// Send no `Authorization` header.
    pub skip_authentication: bool,
    /// Hand over local paths instead of uploading.
    pub skip_file_upload: bool,
    /// Waits between attempts and polls.
    pub timing: Timing,
}

impl ClientOptions {
    /// Options for Raito Cloud itself, or for another base.
    ///
    /// # Errors
    /// An address is wrong.
    pub fn new(base: Option<Url>, identity_provider: Option<Url>) -> Result<Self, CloudError> {
        let parse =
            |text: &str| Url::parse(text).map_err(|error| CloudError::Setup { reason: error.to_string() });
        Ok(Self {
            base: base.map_or_else(|| parse(DEFAULT_BASE), Ok)?,
            identity_provider,
            skip_authentication: false,
            skip_file_upload: false,
            timing: Timing::default(),
        })
    }
}

/// Waits between attempts and polls.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Between polls for an import.
    pub import_poll: Duration,
    /// Between polls for an export.
    pub export_poll: Duration,
    /// The first and the longest wait between polls of a self-hosted server, which answers on the spot.
    pub self_hosted_poll: (Duration, Duration),
    /// After the first and after the second failed upload.
    pub upload_retry: [Duration; 2],
    /// After the first and after the second failed sign-in request.
    pub sign_in_retry: [Duration; 2],
    /// After the first and after the second failed request of another kind.
    pub request_retry: [Duration; 2],
    /// When the server asks for patience without saying how much, and the least in any case.
    pub throttle_wait: Duration,
    /// The most patience for one request.
    pub throttle_limit: Duration,
    /// How long a server may say nothing, and an upload may stand still.
    pub idle: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self {
            import_poll: ms(5000),
            export_poll: ms(1000),
            self_hosted_poll: (ms(20), ms(500)),
            upload_retry: [ms(200), ms(400)],
            sign_in_retry: [ms(200), ms(400)],
            request_retry: [ms(500), ms(2000)],
            throttle_wait: ms(1000),
            throttle_limit: Duration::from_mins(2),
            idle: Duration::from_mins(2),
        }
    }
}

/// A client for one account. Clones share everything.
#[derive(Debug, Clone)]
pub struct CloudClient {
    shared: Arc<Shared>,
    account: Arc<Account>,
}

/// The clients for both kinds of hosts.
#[derive(Debug)]
struct Clients {
    /// With the proxies of the environment.
    outside: reqwest::Client,
    /// Without proxies, for this machine.
    inside: reqwest::Client,
}

impl Clients {
    /// `idle` is the time after which a server that says nothing has failed.
    fn new(idle: Option<Duration>) -> Result<Self, CloudError> {
        let builder = || {
            let builder = reqwest::Client::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .redirect(without_bodies())
                .tls_backend_preconfigured(tls()?);
            Ok::<_, CloudError>(match idle {
                Some(idle) => builder.read_timeout(idle),
                None => builder,
            })
        };
        let setup = |error: reqwest::Error| CloudError::Setup { reason: error::text(error) };
        Ok(Clients {
            outside: builder()?.build().map_err(setup)?,
            inside: builder()?.no_proxy().build().map_err(setup)?,
        })
    }

    /// A request without any header of ours.
    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        if is_this_machine(&url) {
            self.inside.request(method, url)
        } else {
            self.outside.request(method, url)
        }
    }
}

#[derive(Debug)]
struct Shared {
    options: ClientOptions,
    /// For everything but uploads.
    plain: Clients,
    /// For uploads, which keep the time themselves: while the file goes out, no answer is expected.
    uploads: Clients,
    /// Whether the API turned out to be a self-hosted server.
    self_hosted: AtomicBool,
    sign_in: auth::SignIn,
}

impl CloudClient {
    /// A client with connections and caches of its own. Nothing is sent yet.
    ///
    /// # Errors
    /// The HTTP client cannot be set up.
    pub fn new(options: ClientOptions, account: Account) -> Result<Self, CloudError> {
        let shared = Shared {
            plain: Clients::new(Some(options.timing.idle))?,
            uploads: Clients::new(None)?,
            options,
            self_hosted: AtomicBool::new(false),
            sign_in: auth::SignIn::default(),
        };
        Ok(Self { shared: Arc::new(shared), account: Arc::new(account) })
    }

    /// A client for another account that shares everything else.
    #[must_use]
    pub fn for_account(&self, account: Account) -> Self {
        Self { shared: Arc::clone(&self.shared), account: Arc::new(account) }
    }

    /// The account it acts for.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Whether files are handed over as paths instead of being uploaded.
    pub fn hands_over_paths(&self) -> bool {
        self.shared.options.skip_file_upload
    }

    /// A request without any header of ours.
    fn bare(&self, method: Method, url: Url) -> RequestBuilder {
        self.shared.plain.request(method, url)
    }

    /// The address of an API path.
    fn address(&self, path: &str) -> Result<Url, CloudError> {
        let joined = self.shared.options.base.join(path);
        joined.map_err(|error| CloudError::Setup { reason: error.to_string() })
    }

    /// Remembers whether an answer of the API came from a self-hosted server, which says so.
    fn notice_server(&self, response: &Response) {
        let server = response.headers().get(header::SERVER);
        if server.is_some_and(|name| name.as_bytes().starts_with(b"raito-cloud/")) {
            self.shared.self_hosted.store(true, Ordering::Relaxed);
        }
    }
}

/// Whether an address is one of this machine.
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Sends a request.
async fn send(what: &'static str, request: RequestBuilder) -> Result<Response, CloudError> {
    request.send().await.map_err(|error| CloudError::unreachable(what, error))
}

/// Makes an error of a status from 300 on.
async fn success(what: &'static str, response: Response) -> Result<Response, CloudError> {
    let status = response.status();
    if status.as_u16() < 300 {
        return Ok(response);
    }
    let body = response.text().await.unwrap_or_default();
    Err(CloudError::Status { what, status: status.as_u16(), body: error::excerpt(&body) })
}

/// Redirects are followed as long as they do not repeat the body of a request: passwords and data go where they were sent,
/// and nowhere else.
fn without_bodies() -> reqwest::redirect::Policy {
    reqwest::redirect::Policy::custom(|attempt| match attempt.status().as_u16() {
        307 | 308 => attempt.stop(),
        _ if attempt.previous().len() > 10 => attempt.error("too many redirects"),
        _ => attempt.follow(),
    })
}

/// The operating system's trust, with ring as the only implementation of the algorithms.
fn tls() -> Result<rustls::ClientConfig, CloudError> {
    let mut roots = rustls::RootCertStore::empty();
    // Single broken certificates are common in system stores. With none at all, plain HTTP must still work;
    // a TLS connection then fails with its own error.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| CloudError::Setup { reason: error.to_string() })?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
