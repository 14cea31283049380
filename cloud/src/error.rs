//! What can go wrong when a server is opened, started or asked for its status.

use std::path::PathBuf;

/// A failure of the server as a whole. Failures of one request are answered to the client instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloudError {
    /// Another process has this data folder open.
    #[error("the data folder {} is used by another process", folder.display())]
    InUse {
        /// The data folder.
        folder: PathBuf,
    },
    /// There is no store in the folder.
    #[error("the folder {} holds no Raito Cloud", folder.display())]
    NoStore {
        /// The data folder.
        folder: PathBuf,
    },
    /// The organisation's domain is not acceptable.
    #[error(
        "`{domain}` is not a domain: two or more of a-z, 0-9 and `-`, starting with a letter and not ending with a dash"
    )]
    Domain {
        /// The text given.
        domain: String,
    },
    /// The store belongs to another organisation.
    #[error("the data folder belongs to the domain `{found}`, not to `{wanted}`")]
    OtherDomain {
        /// The domain that the store was created for.
        found: String,
        /// The domain asked for.
        wanted: String,
    },
    /// An input of a call makes no sense.
    #[error("{reason}")]
    Invalid {
        /// Why.
        reason: String,
    },
    /// The listening socket could not be opened.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: std::net::SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// Certificate and key cannot be used.
    #[error("the certificate {} and the key {} cannot be used", certificate.display(), key.display())]
    Certificate {
        /// The file with the certificate.
        certificate: PathBuf,
        /// The file with its key.
        key: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file is not a backup that can be restored. Nothing has been changed.
    #[error("{} cannot be restored: {reason}", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// There is something where a backup was to be restored to.
    #[error("there is data already in {}", folder.display())]
    NotEmpty {
        /// The data folder.
        folder: PathBuf,
    },
    /// There is no administrator, and no password for one.
    #[error("this Raito Cloud has not been set up")]
    NotInitialised,
    /// A server was set up here already.
    #[error("this Raito Cloud has been set up already, for the domain `{domain}`")]
    Initialised {
        /// The domain of its organisation.
        domain: String,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, an infinitive.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The storage of files cannot be used.
    #[error("files cannot be kept in {address}")]
    Storage {
        /// The storage.
        address: crate::StorageAddress,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database could not be opened. The address is left out: it may hold a password.
    #[error("cannot open the database: {source}")]
    Connect {
        /// The cause.
        source: sqlx::Error,
    },
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// The schema of the database could not be brought up to date.
    #[error("the database schema cannot be brought up to date")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A password could not be hashed.
    #[error("a password could not be hashed: {reason}")]
    Password {
        /// The reason given by the hash function.
        reason: String,
    },
}

impl CloudError {
    /// What a person can do about it, where there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InUse { folder } => Some(format!(
                "stop the other `raito` that runs on {}, or choose another data folder",
                folder.display()
            )),
            Self::NoStore { .. } => Some("run a synchronisation or `raito cloud serve` first".to_owned()),
            Self::OtherDomain { found, .. } => {
                Some(format!("use the domain `{found}`, or another data folder"))
            }
            Self::Storage { address: crate::StorageAddress::S3 { .. }, .. } => Some(
                "see that the bucket exists and that AWS_ENDPOINT_URL, AWS_REGION and the credentials (AWS_ACCESS_KEY_ID \
                 and AWS_SECRET_ACCESS_KEY, or a role that may read, write and delete in it) are right"
                    .to_owned(),
            ),
            Self::NotEmpty { .. } => Some(
                "choose an empty place, or replace what is there with --force after a backup of it".to_owned(),
            ),
            Self::NotInitialised => Some(
                "call `raito cloud init` once, or give the administrator's password with RAITO_CLOUD_ADMIN_PASSWORD"
                    .to_owned(),
            ),
            Self::Initialised { .. } => {
                Some("start it with `raito cloud serve`, or choose another data folder".to_owned())
            }
            Self::Certificate { .. } => {
                Some("both must be PEM files, the key without a password, and belong together".to_owned())
            }
            Self::Connect { .. } => Some(
                "see that the database is there, that its server runs and lets this user in, and that the address is \
                 right"
                    .to_owned(),
            ),
            Self::Listen { .. } => Some("choose another address or port".to_owned()),
            _ => None,
        }
    }
}

/// A message with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
