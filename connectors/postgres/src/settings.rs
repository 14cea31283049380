//! The parameters of a target: what they are called, what they default to, and what they mean.

use std::fmt;

use raito_connector::{ConnectorInfo, Error, Parameter, Parameters, Result};

use crate::pattern::Patterns;

/// The checked parameters of a target.
#[derive(Clone)]
pub struct Settings {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Role to log in as.
    pub user: String,
    /// Its password, where the server asks for one.
    pub password: Option<String>,
    /// The database to connect to first, which also carries what belongs to the whole cluster.
    pub database: String,
    /// The databases to read and change.
    pub databases: Databases,
    /// Schemas to read, as `schema` or `database.schema`; empty: all.
    pub schemas: Patterns,
    /// Schemas left alone, as `schema` or `database.schema`.
    pub excluded_schemas: Patterns,
    /// Roles left alone, as users, as access controls and as members.
    pub excluded_roles: Patterns,
    /// Roles that are service accounts; empty: the source does not say.
    pub machine_users: Patterns,
    /// Whether columns are left out of the data objects.
    pub skip_columns: bool,
    /// Whether the connection is encrypted.
    pub tls: TlsMode,
}

/// Which databases of the cluster are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Databases {
    /// Every database that can be connected to and is no template.
    All,
    /// These, in this order.
    Named(Vec<String>),
}

/// Whether the connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// The server must offer TLS with a trusted certificate for the host name of the target.
    VerifyFull,
    /// No TLS.
    Disable,
}

/// The password stays out of debug output.
impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Settings")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Adds the parameters to the description of the connector.
    pub(crate) fn describe(info: ConnectorInfo) -> ConnectorInfo {
        info.network("{pg-host}:{pg-port}")
            .parameter(Parameter::new("pg-host", "Host name or address of the server.").mandatory())
            .parameter(Parameter::new("pg-port", "TCP port of the server.").default("5432"))
            .parameter(Parameter::new("pg-user", "Role to log in as.").mandatory())
            .parameter(Parameter::new("pg-password", "Password of the role, where the server asks for one.").secret())
            .parameter(
                Parameter::new("pg-database", "Database to connect to first.").default("postgres"),
            )
            .parameter(Parameter::new(
                "pg-databases",
                "Databases to read and to change, separated by commas; `*` for all that can be connected to and are \
                 no templates. If it is missing, pg-database alone.",
            ))
            .parameter(Parameter::new(
                "pg-schemas",
                "Schemas to read and to change, as `schema` or `database.schema`, separated by commas; `*` stands for \
                 any text. If it is missing, all but the system's own.",
            ))
            .parameter(Parameter::new(
                "pg-excluded-schemas",
                "Schemas to leave alone, written like pg-schemas, which they win over.",
            ))
            .parameter(Parameter::new(
                "pg-excluded-roles",
                "Roles to leave alone, with or without login, separated by commas; `*` stands for any text.",
            ))
            .parameter(Parameter::new(
                "pg-machine-user-pattern",
                "Roles with login that are service accounts, separated by commas; `*` stands for any text, as in \
                 `svc_*`. If it is missing, nothing is said about who is one.",
            ))
            .parameter(
                Parameter::new("pg-skip-columns", "true: leave the columns out of the data objects.").default("false"),
            )
            .parameter(
                Parameter::new(
                    "pg-tls-mode",
                    "verify-full: the server must offer TLS with a trusted certificate for pg-host. disable: no TLS.",
                )
                .default("verify-full"),
            )
    }

    /// Reads and checks them.
    ///
    /// # Errors
    /// The first parameter that is missing or cannot be used.
    pub fn read(parameters: &Parameters) -> Result<Self> {
        let database = parameters.optional("pg-database").unwrap_or("postgres").to_owned();
        let databases = match parameters.list("pg-databases")? {
            names if names.is_empty() => Databases::Named(vec![database.clone()]),
            names if names == ["*"] => Databases::All,
            names if names.iter().any(|name| name == "*") => {
                return Err(Error::bad_parameter("pg-databases", "`*` cannot stand beside names"));
            }
            names => Databases::Named(names),
        };
        let port: u16 = parameters.parsed("pg-port", 5432)?;
        if port == 0 {
            return Err(Error::bad_parameter("pg-port", "must be between 1 and 65535"));
        }
        Ok(Settings {
            host: parameters.required("pg-host")?.to_owned(),
            port,
            user: parameters.required("pg-user")?.to_owned(),
            password: parameters.optional("pg-password").map(str::to_owned),
            database,
            databases,
            schemas: Patterns::new(parameters.list("pg-schemas")?),
            excluded_schemas: Patterns::new(parameters.list("pg-excluded-schemas")?),
            excluded_roles: Patterns::new(parameters.list("pg-excluded-roles")?),
            machine_users: Patterns::new(parameters.list("pg-machine-user-pattern")?),
            skip_columns: parameters.flag("pg-skip-columns", false)?,
            tls: match parameters.optional("pg-tls-mode").unwrap_or("verify-full") {
                "verify-full" => TlsMode::VerifyFull,
                "disable" => TlsMode::Disable,
                _ => return Err(Error::bad_parameter("pg-tls-mode", "must be verify-full or disable")),
            },
        })
    }

    /// Whether a schema is one to read and to change. The system's own never are.
    pub(crate) fn covers_schema(&self, database: &str, schema: &str) -> bool {
        let among = |patterns: &Patterns| {
            patterns.matches(schema) || patterns.matches(&format!("{database}.{schema}"))
        };
        !is_system_schema(schema)
            && (self.schemas.is_empty() || among(&self.schemas))
            && !among(&self.excluded_schemas)
    }

    /// Whether a role is one that the connector may speak about. Predefined roles are; they are only never changed.
    pub(crate) fn covers_role(&self, role: &str) -> bool {
        !self.excluded_roles.matches(role)
    }
}

/// Schemas of the system: the server reserves names that begin with `pg_`.
pub(crate) fn is_system_schema(schema: &str) -> bool {
    schema.starts_with("pg_") || schema == "information_schema"
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

    use raito_connector::{Error, Parameters};

    use super::{Databases, Settings, TlsMode};

    fn read(more: &[(&str, &str)]) -> raito_connector::Result<Settings> {
        let pairs =
            [("pg-host", "db.example.com"), ("pg-user", "raito")].into_iter().chain(more.iter().copied());
        Settings::read(&pairs.collect::<Parameters>())
    }

    #[test]
    fn defaults() {
        let settings = read(&[]).unwrap();
        assert_eq!((settings.port, settings.database.as_str()), (5432, "postgres"));
        assert_eq!(settings.databases, Databases::Named(vec!["postgres".into()]));
        assert_eq!(settings.tls, TlsMode::VerifyFull);
        assert!(!settings.skip_columns);
    }

    #[test]
    fn bad_values_name_their_parameter() {
        for (name, value) in [
            ("pg-port", "0"),
            ("pg-port", "many"),
            ("pg-tls-mode", "prefer"),
            ("pg-skip-columns", "perhaps"),
            ("pg-databases", "sales,*"),
        ] {
            let outcome = read(&[(name, value)]);
            assert!(
                matches!(outcome, Err(Error::BadParameter(problem)) if problem.name == name),
                "{name}={value}"
            );
        }
        assert!(matches!(
            Settings::read(&Parameters::from_iter([("pg-user", "raito")])),
            Err(Error::MissingParameter(problem)) if problem.name == "pg-host"
        ));
    }

    #[test]
    fn schemas_are_named_alone_or_with_their_database() {
        let settings =
            read(&[("pg-schemas", "sales_*, hr.public"), ("pg-excluded-schemas", "sales_tmp")]).unwrap();
        assert!(settings.covers_schema("any", "sales_eu"));
        assert!(!settings.covers_schema("any", "sales_tmp"));
        assert!(settings.covers_schema("hr", "public"));
        assert!(!settings.covers_schema("crm", "public"));
        let all = read(&[]).unwrap();
        assert!(!all.covers_schema("any", "pg_catalog") && !all.covers_schema("any", "information_schema"));
    }

    #[test]
    fn the_password_is_not_printed() {
        let settings = read(&[("pg-password", "correct horse")]).unwrap();
        assert!(!format!("{settings:?}").contains("horse"));
    }
}
