//! The flags of `raito add-target`.

use std::path::PathBuf;

use clap::Args;

use crate::config::Overrides;
use crate::secret::Secret;

/// Arguments of `add-target`. What is missing is asked for on a terminal.
#[derive(Debug, Args)]
#[command(
    after_help = "Connector parameters stand behind `--`: --name=value. A value such as {{DB_PASSWORD}} stands \
                        for the environment variable of that name."
)]
pub struct AddTargetArgs {
    /// Name of the target
    #[arg(short = 'n', long, env = "RAITO_NAME", hide_env_values = true)]
    pub name: Option<String>,
    /// The connector: a path to a .wasm file or a name in the connector folders
    #[arg(short = 'c', long, value_name = "CONNECTOR", env = "RAITO_CONNECTOR_NAME", hide_env_values = true)]
    pub connector_name: Option<String>,
    /// Existing data source in Raito Cloud
    #[arg(short = 'd', long, value_name = "ID", env = "RAITO_DATA_SOURCE_ID", hide_env_values = true)]
    pub data_source_id: Option<String>,
    /// Make a data source with this name
    #[arg(long, value_name = "NAME", conflicts_with = "data_source_id")]
    pub new_data_source: Option<String>,
    /// Existing identity store in Raito Cloud [default: the one of the data source]
    #[arg(long, value_name = "ID", env = "RAITO_IDENTITY_STORE_ID", hide_env_values = true)]
    pub identity_store_id: Option<String>,
    /// Make an identity store with this name, for a connector that has nothing else
    #[arg(long, value_name = "NAME", conflicts_with = "identity_store_id")]
    pub new_identity_store: Option<String>,
    /// Grant the network access that the connector asks for
    #[arg(long)]
    pub grant_network: bool,
    /// Domain of the organisation
    #[arg(long)]
    pub domain: Option<String>,
    /// E-mail address of the API user
    #[arg(short = 'u', long)]
    pub api_user: Option<String>,
    /// Password of the API user; better given as `RAITO_API_SECRET`, for arguments are visible to others
    #[arg(short = 's', long)]
    pub api_secret: Option<Secret>,
    /// Another address of the API
    #[arg(long, hide = true)]
    pub raito_url_override: Option<String>,
    /// Folder in which connectors are looked up by name; may be repeated
    #[arg(long, value_name = "FOLDER")]
    pub connector_path: Vec<PathBuf>,
    /// Parameters of the connector: --name=value or --name value
    #[arg(last = true, allow_hyphen_values = true, value_name = "PARAMETERS")]
    pub parameters: Vec<Secret>,
}

impl AddTargetArgs {
    /// Puts what belongs to the top level into the highest layer of the configuration.
    pub(super) fn collect(&self, overrides: &mut Overrides) {
        for (key, value) in [
            ("domain", &self.domain),
            ("api-user", &self.api_user),
            ("raito-url-override", &self.raito_url_override),
        ] {
            if let Some(value) = value {
                overrides.set(key, value.as_str());
            }
        }
        if let Some(secret) = &self.api_secret {
            overrides.set("api-secret", secret.clone());
        }
        overrides.connector_path.clone_from(&self.connector_path);
    }
}
