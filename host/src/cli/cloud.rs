//! What may be written after `raito cloud`.
//!
//! Passwords are no arguments, because arguments are visible to every user of the machine.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::TypedValueParser as _;
use clap::{Args, Subcommand, ValueEnum};
use raito_cloud::StorageAddress;

use super::{Format, flags};

/// The environment variable with the administrator's password.
pub const PASSWORD_VARIABLE: &str = "RAITO_CLOUD_ADMIN_PASSWORD";

const PASSWORD_HELP: &str =
    "The environment variable RAITO_CLOUD_ADMIN_PASSWORD gives the administrator's password.";

/// What to do with the self-hosted cloud.
#[derive(Debug, Subcommand)]
pub enum CloudCommand {
    /// Set it up: organisation, first administrator, database, storage
    Init(InitArgs),
    /// Serve it until interrupted
    Serve(Box<ServeArgs>),
    /// Print what it holds
    Status(StatusArgs),
    /// Write everything that it holds into one file, also while it is served
    Backup(BackupFileArgs),
    /// Take a backup back, into an empty place
    Restore(RestoreArgs),
}

/// Where a cloud keeps what it holds.
#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// Folder for all data
    #[arg(long, value_name = "FOLDER", env = "RAITO_CLOUD_DATA_DIR", default_value = ".raito")]
    pub data_dir: PathBuf,
    /// Database: `sqlite`, a file in the folder, or postgres://USER:PASSWORD@HOST:PORT/DATABASE, which several servers
    /// may share; better given by the environment variable, because arguments are visible to every user of the machine
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "RAITO_CLOUD_DATABASE",
        default_value = "sqlite",
        hide_env_values = true
    )]
    pub database: String,
    /// Where uploaded files are kept: <s3://BUCKET/PREFIX> or <file:///FOLDER> [default: a folder in the data folder]
    #[arg(long, value_name = "ADDRESS", env = "RAITO_CLOUD_STORAGE")]
    pub storage: Option<StorageAddress>,
}

/// Arguments of `cloud init`.
#[derive(Debug, Args)]
#[command(after_help = PASSWORD_HELP)]
pub struct InitArgs {
    /// Where everything is kept.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Domain of the organisation; asked for on a terminal
    #[arg(long, env = "RAITO_CLOUD_DOMAIN", value_parser = clap::builder::NonEmptyStringValueParser::new().try_map(flags::domain))]
    pub domain: Option<String>,
    /// E-mail address of the administrator; asked for on a terminal
    #[arg(long, value_name = "EMAIL", env = "RAITO_CLOUD_ADMIN_EMAIL")]
    pub admin_email: Option<String>,
    /// File with the administrator's password in its first line
    #[arg(long, value_name = "FILE", conflicts_with = "generate_password")]
    pub admin_password_file: Option<PathBuf>,
    /// Make up the administrator's password and show it once
    #[arg(long)]
    pub generate_password: bool,
}

/// Arguments of `cloud serve`.
#[derive(Debug, Args)]
#[command(after_help = PASSWORD_HELP)]
pub struct ServeArgs {
    /// Where everything is kept.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS", env = "RAITO_CLOUD_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Address under which clients reach the server, if it is another one: that of a reverse proxy
    #[arg(long, value_name = "URL", env = "RAITO_CLOUD_PUBLIC_URL", value_parser = public_url)]
    pub public_url: Option<String>,
    /// Domain of the organisation [default: the one that was set up, else local]
    #[arg(long, env = "RAITO_CLOUD_DOMAIN", value_parser = clap::builder::NonEmptyStringValueParser::new().try_map(flags::domain))]
    pub domain: Option<String>,
    /// E-mail address of the administrator, for the first start of a cloud that was not set up by `init`
    #[arg(long, value_name = "EMAIL", env = "RAITO_CLOUD_ADMIN_EMAIL")]
    pub admin_email: Option<String>,
    /// Pass uploads and downloads through the server instead of sending clients to the object store
    #[arg(long, env = "RAITO_CLOUD_STORAGE_PROXY", action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new(), num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    pub storage_proxy: bool,
    /// PEM file with the certificate for TLS; read again when it changes
    #[arg(long, value_name = "FILE", env = "RAITO_CLOUD_TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// PEM file with the key of the certificate
    #[arg(long, value_name = "FILE", env = "RAITO_CLOUD_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Serve /metrics on this address [default: on the main address, for programs of this machine]
    #[arg(long, value_name = "ADDRESS", env = "RAITO_CLOUD_METRICS_LISTEN")]
    pub metrics_listen: Option<SocketAddr>,
    /// Reverse proxy whose X-Forwarded-For is believed; may be repeated
    #[arg(long, value_name = "ADDRESS", env = "RAITO_CLOUD_TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxy: Vec<IpAddr>,
    /// Time without a sign of life after which a job is given up as timed out
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = time)]
    pub job_timeout: Duration,
    /// Time after which other servers on the database take over the work of one that has vanished
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    pub lease: Duration,
    /// Requests at work at the same time; more are answered with 503
    #[arg(long, value_name = "COUNT", default_value = "512", value_parser = at_least_one::<usize>)]
    pub max_requests: usize,
    /// Failed sign-ins from one address in a minute; more are answered with 429
    #[arg(long, value_name = "COUNT", default_value = "20", value_parser = at_least_one::<u32>)]
    pub max_failed_sign_ins: u32,
    /// How long to go on serving after /ready has said that the server stops
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = time)]
    pub shutdown_delay: Duration,
    /// How long running requests may take after that
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    pub shutdown_grace: Duration,
    /// How to write log lines; json writes all of them, one object a line
    #[arg(long, value_enum, value_name = "FORMAT", env = "RAITO_CLOUD_LOG_FORMAT", default_value_t)]
    pub log_format: LogFormat,
}

/// Arguments of `cloud status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Database: `sqlite`, a file in the folder, or postgres://USER:PASSWORD@HOST:PORT/DATABASE
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "RAITO_CLOUD_DATABASE",
        default_value = "sqlite",
        hide_env_values = true
    )]
    pub database: String,
    /// Folder for all data
    #[arg(long, value_name = "FOLDER", env = "RAITO_CLOUD_DATA_DIR", default_value = ".raito")]
    pub data_dir: PathBuf,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Arguments of `cloud backup`.
#[derive(Debug, Args)]
pub struct BackupFileArgs {
    /// The file to write; there must be none yet
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where everything is kept.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// How to print what was backed up
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Arguments of `cloud restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The backup
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where everything is kept.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Replace what is there
    #[arg(long)]
    pub force: bool,
    /// How to print what was restored
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// How the server writes its log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

fn time(word: &str) -> Result<Duration, String> {
    humantime::parse_duration(word).map_err(|error| format!("{error}; write 30s or 2m"))
}

fn at_least_one<N: std::str::FromStr + From<u8> + PartialOrd>(word: &str) -> Result<N, String> {
    match word.parse::<N>() {
        Ok(number) if number >= N::from(1) => Ok(number),
        _ => Err("must be a number from 1".to_owned()),
    }
}

fn public_url(word: &str) -> Result<String, String> {
    let url = url::Url::parse(word).map_err(|error| error.to_string())?;
    let plain = matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
    if plain && url.has_host() && url.username().is_empty() && url.password().is_none() {
        Ok(word.to_owned())
    } else {
        Err("must be http:// or https://, a host, and no more than a path".to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use crate::cli::{CloudCommand, Command, parse};

    fn refusal(line: &str) -> String {
        parse(std::iter::once("raito").chain(line.split(' '))).unwrap_err().to_string()
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (line, reason) in [
            ("cloud serve --storage data", "s3://BUCKET/PREFIX"),
            ("cloud serve --tls-cert a.pem", "--tls-key"),
            ("cloud serve --public-url raito.acme.example", "relative URL"),
            ("cloud serve --public-url https://u:p@acme.example", "must be http://"),
            ("cloud serve --max-requests 0", "from 1"),
            ("cloud serve --shutdown-grace soon", "write 30s"),
            ("cloud serve --trusted-proxy proxy", "invalid IP address"),
            ("cloud serve --log-format xml", "json"),
            ("cloud init --generate-password --admin-password-file f", "cannot be used with"),
            ("cloud backup", "<FILE>"),
        ] {
            let text = refusal(line);
            assert!(text.contains(reason), "{line}: {text}");
        }
    }

    #[test]
    fn serve_takes_its_settings() {
        let line = "raito cloud serve --storage s3://acme/raito --storage-proxy --metrics-listen 0.0.0.0:9090 \
                    --trusted-proxy 10.0.0.1,10.0.0.2 --shutdown-delay 5s --tls-cert c --tls-key k";
        let Command::Cloud(CloudCommand::Serve(serve)) = parse(line.split_whitespace()).unwrap().command
        else {
            unreachable!()
        };
        assert_eq!(serve.place.storage.unwrap().to_string(), "s3://acme/raito");
        assert!(serve.storage_proxy);
        assert_eq!(serve.trusted_proxy.len(), 2);
        assert_eq!(serve.shutdown_delay.as_secs(), 5);
    }
}
