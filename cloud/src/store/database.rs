//! Which database a server uses.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use sqlx::any::AnyConnectOptions;
use sqlx::postgres::PgConnectOptions;

/// The parameters of an address that have an effect. Others are refused.
const PARAMETERS: [&str; 13] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// The database of a server: a file in its data folder, or one that several servers share.
///
/// Neither [`fmt::Debug`] nor [`fmt::Display`] shows a password.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Database {
    /// An `SQLite` file in the data folder, for one process.
    #[default]
    Folder,
    /// A database of a PostgreSQL server.
    Postgres(PostgresAddress),
}

/// Where a PostgreSQL database is, and who asks.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresAddress {
    /// With the password.
    full: String,
    /// Without password and parameters.
    shown: String,
}

/// Why a text is not the address of a database. The text itself is not repeated: it may hold a password.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct DatabaseAddressError {
    reason: String,
}

impl DatabaseAddressError {
    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        "write `sqlite`, or postgres://USER:PASSWORD@HOST:PORT/DATABASE with special characters percent-encoded"
    }
}

impl FromStr for Database {
    type Err = DatabaseAddressError;

    /// `sqlite` is the file in the data folder; anything else is a URL.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = |reason: String| Err(DatabaseAddressError { reason });
        if text == "sqlite" {
            return Ok(Self::Folder);
        }
        let Ok(options) = AnyConnectOptions::from_str(text) else {
            return refused("the database address is not a URL".to_owned());
        };
        let url = options.database_url;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return refused(format!("databases of the kind `{}` are not supported", url.scheme()));
        }
        for (key, _) in url.query_pairs() {
            if !PARAMETERS.contains(&key.as_ref()) && !(key.starts_with("options[") && key.ends_with(']')) {
                return refused(format!("the database address has the unknown parameter `{key}`"));
            }
        }
        if let Err(error) = PgConnectOptions::from_str(text) {
            return refused(format!("the database address cannot be used: {error}"));
        }
        let mut shown = format!("{}://", url.scheme());
        if !url.username().is_empty() {
            shown.push_str(url.username());
            shown.push('@');
        }
        shown.push_str(url.host_str().unwrap_or_default());
        if let Some(port) = url.port() {
            let _ = write!(shown, ":{port}");
        }
        shown.push_str(url.path());
        Ok(Self::Postgres(PostgresAddress { full: text.to_owned(), shown }))
    }
}

impl fmt::Display for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Folder => "sqlite",
            Self::Postgres(address) => &address.shown,
        })
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Debug for PostgresAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

impl PostgresAddress {
    /// The address to connect to, with the password.
    pub(crate) fn full(&self) -> &str {
        &self.full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_and_shown_without_their_password() -> Result<(), DatabaseAddressError> {
        let address: Database =
            "postgres://raito:s%40cret@db.example:5433/cloud?sslmode=verify-full".parse()?;
        for shown in [address.to_string(), format!("{address:?}")] {
            assert_eq!(shown, "postgres://raito@db.example:5433/cloud");
        }
        assert!(matches!(&address, Database::Postgres(found) if found.full().contains("s%40cret")));
        assert_eq!("sqlite".parse::<Database>()?, Database::Folder);
        Ok(())
    }

    #[test]
    fn what_has_no_effect_is_refused_and_not_repeated() {
        for (text, reason) in [
            ("raito:secret", "`raito`"),
            ("secret", "not a URL"),
            ("mysql://u:secret@h/d", "`mysql`"),
            ("postgres://u:secret@h/d?ssl=true", "`ssl`"),
            ("postgres://u:secret@h/d?sslmode=maybe", "maybe"),
            ("sqlite://secret", "`sqlite`"),
        ] {
            let refused = text.parse::<Database>().err().map(|error| error.to_string()).unwrap_or_default();
            assert!(refused.contains(reason) && !refused.contains("secret"), "{text}: {refused}");
        }
    }
}
