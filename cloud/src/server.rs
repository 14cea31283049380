//! Starting and stopping the server.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::auth::users::{self, NewUser};
use crate::auth::{Role, password};
use crate::backup::Location;
use crate::files::{Files, StorageAddress};
use crate::http::health::Readiness;
use crate::http::limits::{Gate, SignInGuard};
use crate::http::{self, App, listener};
use crate::ids::{new_id, new_secret};
use crate::jobs::sightings::Sightings;
use crate::jobs::{queue, worker::Worker};
use crate::lock::{self, DataLock};
use crate::metrics::Metrics;
use crate::operations::{Limits, Operations};
use crate::retention::Retention;
use crate::sources::{self, DataSourceIds};
use crate::store::{Database, Store};
use crate::triggers::Triggers;
use crate::{CloudError, grant_categories, graphql};

/// How a server is set up.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The folder of the files, and of the database unless it is elsewhere; created if need be.
    pub data_dir: PathBuf,
    /// The database. One that is not in the folder may be shared by several servers, which then need the same files.
    pub database: Database,
    /// Where to listen; port 0 chooses a free one.
    pub listen: SocketAddr,
    /// The domain of the organisation: what clients configure as `domain`. If missing, the one that the data
    /// belongs to, or [`DEFAULT_DOMAIN`] for new data.
    pub domain: Option<String>,
    /// The address under which clients reach the server, if that is not the one it listens on: behind a
    /// reverse proxy, which also does TLS.
    pub public_url: Option<String>,
    /// The e-mail address of the first administrator.
    pub admin_email: String,
    /// The password of the first administrator; made up if missing.
    pub admin_password: Option<String>,
    /// Whether a password may be made up, and shown by the caller. If not, a cloud that was not set up is refused.
    pub may_generate_password: bool,
    /// How the server is operated.
    pub operations: Operations,
    /// After which time without any sign of life a job is given up, see [`DEFAULT_JOB_TIMEOUT`].
    pub job_timeout: Duration,
    /// After which time other servers on the same database take over the work of one that has vanished, see
    /// [`DEFAULT_LEASE`].
    pub lease: Duration,
}

impl Default for ServerConfig {
    /// On loopback, with everything in the folder `.raito`.
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from(".raito"),
            database: Database::Folder,
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            domain: None,
            public_url: None,
            admin_email: "admin@local.local".to_owned(),
            admin_password: None,
            may_generate_password: true,
            operations: Operations::default(),
            job_timeout: DEFAULT_JOB_TIMEOUT,
            lease: DEFAULT_LEASE,
        }
    }
}

/// A day: a connector may read usage for very long before it has something to say.
pub const DEFAULT_JOB_TIMEOUT: Duration = Duration::from_hours(24);
/// Half a minute; a living server renews its claim four times as often.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(30);

/// The domain of the organisation where nobody has chosen one.
pub const DEFAULT_DOMAIN: &str = "local";

/// The administrator that the first start creates. Shown once: only a hash of the password is kept.
#[derive(Clone)]
pub struct FirstAdmin {
    /// The name to sign in with.
    pub email: String,
    /// The password, if it was made up.
    pub password: Option<String>,
}

impl std::fmt::Debug for FirstAdmin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FirstAdmin").field("email", &self.email).finish_non_exhaustive()
    }
}

/// What the process that embeds a server signs in with.
#[derive(Clone)]
pub struct Credentials {
    /// The domain of the organisation.
    pub domain: String,
    /// The user.
    pub user: String,
    /// The password; a new one at every start.
    pub secret: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("domain", &self.domain)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// A running server. Dropping it stops it at once; work at hand is then done again by the next start.
pub struct Server {
    store: Store,
    app: Arc<App>,
    url: String,
    first_admin: Option<FirstAdmin>,
    stop: watch::Sender<bool>,
    handle: Handle<SocketAddr>,
    delay: Duration,
    grace: Duration,
    http: JoinHandle<()>,
    /// Serves metrics on an address of their own, renews the certificate.
    aside: Vec<JoinHandle<()>>,
    worker: JoinHandle<()>,
    retention: JoinHandle<()>,
    triggers: JoinHandle<()>,
    /// Held until everything else has ended.
    _lock: Option<DataLock>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Server").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Server {
    /// Opens the store and starts to serve. The first start creates an administrator, see [`Server::first_admin`].
    pub async fn start(config: ServerConfig) -> Result<Self, CloudError> {
        let mut server = Self::launch(&config).await?;
        server.first_admin = create_admin(&server.store, config.admin_email, config.admin_password).await?;
        Ok(server)
    }

    /// Starts a server on loopback for this process alone, with a credential made for it (role Integrator).
    pub async fn start_embedded(data_dir: &Path, domain: &str) -> Result<(Self, Credentials), CloudError> {
        Self::start_embedded_with(ServerConfig {
            data_dir: data_dir.to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            domain: Some(domain.to_owned()),
            ..ServerConfig::default()
        })
        .await
    }

    /// The same with a database and limits of the caller's choice. There is no administrator.
    pub async fn start_embedded_with(config: ServerConfig) -> Result<(Self, Credentials), CloudError> {
        let server = Self::launch(&config).await?;
        let credentials = Credentials {
            user: format!("raito-run@{}.invalid", server.domain()),
            domain: server.domain().to_owned(),
            secret: new_secret(),
        };
        server
            .put_user(NewUser {
                email: credentials.user.clone(),
                password: credentials.secret.clone(),
                roles: vec![Role::Integrator],
                machine: true,
            })
            .await?;
        Ok((server, credentials))
    }

    async fn launch(config: &ServerConfig) -> Result<Self, CloudError> {
        let operations = config.operations.clone();
        let wanted = config.domain.as_deref().map(checked_domain).transpose()?;
        for (name, time) in [("time-out of jobs", config.job_timeout), ("lease", config.lease)] {
            if time < Duration::from_millis(100) {
                return Err(CloudError::Invalid { reason: format!("the {name} is too short") });
            }
        }
        let (data_dir, listen) = (&config.data_dir, config.listen);
        lock::create(data_dir)?;
        let lock = (config.database == Database::Folder).then(|| DataLock::take(data_dir)).transpose()?;
        let store = Store::open(data_dir, &config.database).await?;
        // Before anything is written that `init` would find.
        if config.admin_password.is_none()
            && !config.may_generate_password
            && !users::any(&mut *store.pool().acquire().await?).await?
        {
            return Err(CloudError::NotInitialised);
        }
        let domain = store.setting_or("domain", wanted.as_deref().unwrap_or(DEFAULT_DOMAIN)).await?;
        if let Some(wanted) = wanted.filter(|wanted| *wanted != domain) {
            return Err(CloudError::OtherDomain { found: domain, wanted });
        }
        let client_id = store.setting_or("client_id", &new_id()).await?;
        grant_categories::ensure(&store).await?;
        if lock.is_some() {
            queue::release_all(&store).await?;
        }
        let storage =
            operations.storage.clone().unwrap_or_else(|| StorageAddress::Folder(data_dir.join("files")));
        let files = Files::open(&storage, !operations.storage_proxy).await?;
        if lock.is_some() {
            files.storage().remove_unfinished()?;
        }
        let tls = match &operations.tls {
            Some(files) => Some(listener::tls(files).await.map_err(|source| CloudError::Certificate {
                certificate: files.certificate.clone(),
                key: files.key.clone(),
                source,
            })?),
            None => None,
        };
        let (listener, address) = bind(listen)?;
        let metrics_listener = operations.metrics_listen.map(bind).transpose()?;
        let protocol = if tls.is_some() { "https" } else { "http" };
        let mut url = config.public_url.clone().unwrap_or_else(|| format!("{protocol}://{address}/"));
        if !url.ends_with('/') {
            url.push('/');
        }
        let bell = Arc::new(Notify::new());
        let sightings = Sightings::default();
        let (stop, stopped) = watch::channel(false);
        let triggers = Arc::new(Triggers::new(store.clone(), domain.clone(), stopped.clone()));
        let schema = graphql::schema(graphql::Cloud {
            store: store.clone(),
            bell: Arc::clone(&bell),
            sightings: sightings.clone(),
            base_url: url.clone(),
            triggers: Arc::clone(&triggers),
        });
        let metrics = Arc::new(Metrics::new(schema.names()));
        let limits = operations.limits;
        let app = Arc::new(App {
            store: store.clone(),
            files: files.clone(),
            schema,
            domain,
            client_id,
            base_url: url.clone(),
            triggers: Arc::clone(&triggers),
            readiness: Readiness::default(),
            metrics: Arc::clone(&metrics),
            metrics_elsewhere: metrics_listener.is_some(),
            gate: Gate::new(limits.requests),
            sign_ins: SignInGuard::new(limits.failed_sign_ins),
            limits: limits.clone(),
            trusted_proxies: operations.trusted_proxies.iter().map(IpAddr::to_canonical).collect(),
        });
        let retention = Retention {
            store: store.clone(),
            files: files.clone(),
            sightings,
            job_timeout: config.job_timeout,
            stop: stopped.clone(),
        };
        let retention = tokio::spawn(retention.run());
        let worker =
            Worker { store: store.clone(), files, metrics, bell, stop: stopped, lease: config.lease };
        let worker = tokio::spawn(worker.run());
        let triggers = tokio::spawn(triggers.run());
        let handle = Handle::new();
        let mut aside = Vec::new();
        if let Some((listener, _)) = metrics_listener {
            let router = http::metrics::router(Arc::clone(&app));
            aside.push(tokio::spawn(serve(listener, None, router, limits.clone(), Handle::new())));
        }
        if let (Some(files), Some(config)) = (operations.tls, &tls) {
            aside.push(tokio::spawn(listener::renew(files, config.clone())));
        }
        let router = http::router(Arc::clone(&app));
        let http = tokio::spawn(serve(listener, tls, router, limits, handle.clone()));
        Ok(Self {
            store,
            app,
            url,
            first_admin: None,
            stop,
            handle,
            delay: operations.shutdown_delay,
            grace: operations.shutdown_grace,
            http,
            aside,
            worker,
            retention,
            triggers,
            _lock: lock,
        })
    }

    /// The base address, with a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The domain of the organisation.
    pub fn domain(&self) -> &str {
        &self.app.domain
    }

    /// The administrator, if this start created it.
    pub fn first_admin(&self) -> Option<&FirstAdmin> {
        self.first_admin.as_ref()
    }

    /// Creates a user who can sign in, or gives an existing one a new password and new roles. Returns the id.
    pub async fn put_user(&self, user: NewUser) -> Result<String, CloudError> {
        users::put(&self.store, user).await
    }

    /// Makes sure that there is a data source with this id or this name, and its native identity store. A new
    /// one gets the text as its id and its name, so that ids in configuration files stay what they are.
    pub async fn ensure_data_source(
        &self,
        id_or_name: &str,
        source_type: Option<&str>,
    ) -> Result<DataSourceIds, CloudError> {
        sources::ensure_data_source(&self.store, id_or_name, id_or_name, source_type).await
    }

    /// Makes sure that there is a data source of this name. A new one gets an id that no object in it can have.
    pub async fn ensure_data_source_named(&self, name: &str) -> Result<DataSourceIds, CloudError> {
        sources::ensure_data_source(&self.store, name, &new_id(), None).await
    }

    /// Makes sure that there is an identity store with this id or this name; returns its id.
    pub async fn ensure_identity_store(
        &self,
        id_or_name: &str,
        store_type: Option<&str>,
    ) -> Result<String, CloudError> {
        sources::ensure_identity_store(&self.store, id_or_name, store_type).await
    }

    /// Links an identity store to a data source, so that its accounts and groups can be used there.
    pub async fn link_identity_store(
        &self,
        data_source: &str,
        identity_store: &str,
    ) -> Result<(), CloudError> {
        Ok(sources::link(&self.store, data_source, identity_store).await?)
    }

    /// Says that it is no longer ready, goes on for the delay that was set, then stops accepting requests, ends
    /// those at hand within the grace period, and lets the running import finish; one that takes too long goes
    /// back to the queue and is done by the next start.
    pub async fn shutdown(mut self) {
        self.app.readiness.stop();
        let _ = self.stop.send(true);
        tokio::time::sleep(self.delay).await;
        self.handle.graceful_shutdown(Some(self.grace));
        let _ = (&mut self.http).await;
        let _ = (&mut self.triggers).await;
        let _ = (&mut self.worker).await;
        let _ = (&mut self.retention).await;
        self.store.close().await;
    }

    /// Waits until the server ends by itself, which it only does when its socket fails.
    pub async fn ended(&mut self) {
        let _ = (&mut self.http).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.http.abort();
        self.worker.abort();
        self.aside.iter().for_each(JoinHandle::abort);
        self.retention.abort();
        self.triggers.abort();
    }
}

/// A listening socket and its address.
fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), CloudError> {
    let failed = |source| CloudError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

async fn serve(
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    router: Router,
    limits: Limits,
    handle: Handle<SocketAddr>,
) {
    if let Err(error) = listener::serve(listener, tls, router, &limits, handle).await {
        tracing::error!(%error, "the server has stopped");
    }
}

/// How a server is set up before its first start.
#[derive(Clone)]
pub struct InitConfig {
    /// Where it will keep what it holds.
    pub location: Location,
    /// The domain of the organisation.
    pub domain: String,
    /// The e-mail address of the first administrator.
    pub admin_email: String,
    /// The password of the first administrator; made up if missing.
    pub admin_password: Option<String>,
}

impl std::fmt::Debug for InitConfig {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("InitConfig")
            .field("location", &self.location)
            .field("domain", &self.domain)
            .field("admin_email", &self.admin_email)
            .finish_non_exhaustive()
    }
}

/// Sets up a server: its database, its storage, its organisation and its first administrator. Refused where this was
/// done already. The storage is tried before anything is written to the database.
pub async fn init(config: InitConfig) -> Result<FirstAdmin, CloudError> {
    let domain = checked_domain(&config.domain)?;
    check_password(config.admin_password.as_deref())?;
    lock::create(&config.location.data_dir)?;
    let _lock = config.location.lock()?;
    Files::open(&config.location.storage(), false).await?;
    let store = Store::open(&config.location.data_dir, &config.location.database).await?;
    let outcome = async {
        let found = store.setting_or("domain", &domain).await?;
        if users::any(&mut *store.pool().acquire().await?).await? {
            return Err(CloudError::Initialised { domain: found });
        }
        if found != domain {
            return Err(CloudError::OtherDomain { found, wanted: domain });
        }
        // Somebody else may have been faster.
        create_admin(&store, config.admin_email, config.admin_password)
            .await?
            .ok_or(CloudError::Initialised { domain: found })
    }
    .await;
    store.close().await;
    outcome
}

/// Creates the first administrator unless there is one, who holds every role: there is nobody else yet who could
/// synchronise or manage access.
async fn create_admin(
    store: &Store,
    email: String,
    chosen: Option<String>,
) -> Result<Option<FirstAdmin>, CloudError> {
    let mut connection = store.pool().acquire().await?;
    if users::any(&mut connection).await? {
        return Ok(None);
    }
    drop(connection);
    check_password(chosen.as_deref())?;
    let generated = chosen.is_none().then(new_secret);
    let password = chosen.or_else(|| generated.clone()).unwrap_or_default();
    let admin = NewUser { email: email.clone(), password, roles: Role::ALL.to_vec(), machine: false };
    Ok(users::put_first(store, admin).await?.map(|_| FirstAdmin { email, password: generated }))
}

fn check_password(chosen: Option<&str>) -> Result<(), CloudError> {
    if chosen.is_some_and(|chosen| !password::strong_enough(chosen)) {
        return Err(CloudError::Invalid {
            reason: "a password needs eight characters, among them a lower-case and an upper-case letter, \
                     a digit and a special character"
                .to_owned(),
        });
    }
    Ok(())
}

/// The domain in lower case.
fn checked_domain(domain: &str) -> Result<String, CloudError> {
    let lower = domain.to_lowercase();
    let bytes = lower.as_bytes();
    let plain = bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
    let ends = bytes.first().is_some_and(u8::is_ascii_lowercase) && bytes.last().is_some_and(|b| *b != b'-');
    if plain && ends && bytes.len() >= 2 {
        Ok(lower)
    } else {
        Err(CloudError::Domain { domain: domain.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::checked_domain;

    #[test]
    fn domains_follow_the_rule() {
        for good in ["acme", "a1", "Acme-Data", "a--b"] {
            assert!(checked_domain(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "1a", "a-", "-a", "a.b", "a b", "ä1"] {
            assert!(checked_domain(bad).is_err(), "{bad}");
        }
    }
}
