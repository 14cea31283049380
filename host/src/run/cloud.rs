//! The Raito Cloud of a run: somebody's, or the one in this process.

use std::path::Path;

use raito_cloud::{Credentials, Server};
use url::Url;

use crate::cloud_client::{Account, ClientOptions, CloudClient, cognito_endpoint};
use crate::config::{Settings, TargetSettings};
use crate::failure::{Failure, FailureKind};
use crate::secret::Secret;

/// The organisation of the embedded cloud.
const EMBEDDED_DOMAIN: &str = "local";

/// Where the run reports to.
pub struct Cloud {
    options: ClientOptions,
    embedded: Option<(Server, Credentials)>,
    /// Shares connections and tokens between the clients of all targets.
    client: std::sync::OnceLock<CloudClient>,
}

/// Ids in the cloud that a target works on.
#[derive(Clone, Debug, Default)]
pub(super) struct TargetIds {
    pub(super) data_source: Option<String>,
    pub(super) identity_store: Option<String>,
}

impl Cloud {
    /// Starts the embedded cloud if the settings ask for it. Nothing is sent to another one yet.
    ///
    /// # Errors
    /// The embedded cloud cannot be started, or an address is wrong.
    pub async fn open(settings: &Settings) -> Result<Self, Failure> {
        let (options, embedded) = if settings.embedded {
            let (server, credentials) = start(&settings.embedded_data_dir).await?;
            let url = Url::parse(server.url()).map_err(|error| Failure::unexpected(error.to_string()))?;
            (ClientOptions::new(Some(url.clone()), Some(url))?, Some((server, credentials)))
        } else {
            let identity_provider = cognito_endpoint(&|name| std::env::var(name).ok())?;
            let mut options = ClientOptions::new(settings.raito_url_override.clone(), identity_provider)?;
            options.skip_authentication = settings.skip_authentication;
            options.skip_file_upload = settings.skip_file_upload;
            (options, None)
        };
        Ok(Cloud { options, embedded, client: std::sync::OnceLock::new() })
    }

    /// The client for a target.
    pub(crate) fn client(&self, target: &TargetSettings) -> Result<CloudClient, Failure> {
        let account = match &self.embedded {
            Some((_, credentials)) => Account {
                domain: credentials.domain.clone(),
                credentials: Some((credentials.user.clone(), Secret::new(credentials.secret.clone()))),
            },
            None => Account {
                domain: target.domain.clone().unwrap_or_default(),
                credentials: target.api_user.clone().zip(target.api_secret.clone()),
            },
        };
        if let Some(client) = self.client.get() {
            return Ok(client.for_account(account));
        }
        let client = CloudClient::new(self.options.clone(), account)?;
        Ok(self.client.get_or_init(|| client).clone())
    }

    /// The ids that a target works on. The embedded cloud makes what the target names on first use.
    pub(super) async fn ids(&self, target: &TargetSettings) -> Result<TargetIds, Failure> {
        let Some((server, _)) = &self.embedded else {
            return Ok(TargetIds {
                data_source: target.data_source_id.clone(),
                identity_store: target.identity_store_id.clone(),
            });
        };
        let failed = |error: raito_cloud::CloudError| Failure::new(FailureKind::Cloud, error.to_string());
        let source = match &target.data_source_id {
            Some(id) => server.ensure_data_source(id, None).await,
            None => server.ensure_data_source_named(&target.name).await,
        };
        let source = source.map_err(failed)?;
        let identity_store = match &target.identity_store_id {
            None => source.identity_store_id,
            Some(id) => {
                let id = server.ensure_identity_store(id, None).await.map_err(failed)?;
                server.link_identity_store(&source.data_source_id, &id).await.map_err(failed)?;
                id
            }
        };
        Ok(TargetIds { data_source: Some(source.data_source_id), identity_store: Some(identity_store) })
    }

    /// Ends the embedded cloud, which finishes what it is doing.
    pub async fn close(self) {
        if let Some((server, _)) = self.embedded {
            server.shutdown().await;
        }
    }
}

async fn start(data_dir: &Path) -> Result<(Server, Credentials), Failure> {
    Server::start_embedded(data_dir, EMBEDDED_DOMAIN).await.map_err(|error| {
        Failure::new(FailureKind::Cloud, format!("the embedded cloud cannot be started: {error}"))
            .hint("see that nobody else uses its folder, or name another with `embedded-data-dir`")
    })
}
