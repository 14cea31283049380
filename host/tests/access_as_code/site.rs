//! A server, a folder with a configuration, and the program run in it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use raito_test_servers::Postgres;

use crate::names::identifier;
use crate::place::{Outcome, Place, connector, finish};

/// The target in the configuration.
pub(crate) const TARGET: &str = "warehouse";

/// A server with databases, and a target that covers them. The server ends with it.
pub(crate) struct Site {
    place: Place,
    pub(crate) server: Postgres,
    /// The first one is the one to connect to.
    pub(crate) databases: Vec<String>,
}

impl Site {
    /// The target signs in as the superuser.
    pub(crate) fn start(databases: &[&str]) -> Self {
        let server = Postgres::start();
        for database in databases {
            server.sql("postgres", &format!("CREATE DATABASE {}", identifier(database)));
        }
        let site = Site {
            place: Place::new(),
            server,
            databases: databases.iter().map(|&name| name.to_owned()).collect(),
        };
        site.configure("", "postgres");
        site
    }

    /// Writes the configuration again, with these lines at the top. The user has the superuser's password.
    pub(crate) fn configure(&self, top: &str, user: &str) {
        let quoted = |text: &str| serde_json::to_string(text).unwrap();
        let text = format!(
            "{top}\ntargets:\n  - name: {TARGET}\n    connector-name: {}\n    pg-host: 127.0.0.1\n    pg-port: {port}\n    \
             pg-user: {user}\n    pg-password: \"{{{{PG_PASSWORD}}}}\"\n    pg-database: {}\n    pg-databases: {}\n    \
             pg-tls-mode: disable\n    sandbox: {{ network: [\"127.0.0.1:{port}\"] }}\n",
            connector().display(),
            quoted(&self.databases[0]),
            quoted(&self.databases.join(",")),
            port = self.server.port(),
        );
        self.write("raito.yml", &text);
    }

    /// The folder.
    pub(crate) fn folder(&self) -> PathBuf {
        self.place.raito(&[]).get_current_dir().unwrap().to_owned()
    }

    /// Writes a file below the folder.
    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.folder().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// `raito` with these arguments, ready to run.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.raito(arguments);
        command.env("PG_PASSWORD", self.server.password());
        command
    }

    /// Runs `raito access` to its end. No password may be shown.
    #[track_caller]
    pub(crate) fn access(&self, arguments: &[&str]) -> Outcome {
        self.run(&[&["access"], arguments].concat())
    }

    /// Runs `raito` to its end. No password may be shown.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        let outcome = finish(self.command(arguments));
        for text in [&outcome.stdout, &outcome.stderr] {
            assert!(!text.contains(self.server.password()), "the password was shown: {text}");
        }
        outcome
    }

    /// One column of a query of the superuser.
    pub(crate) fn texts(&self, database: &str, query: &str) -> Vec<String> {
        let rows = self.server.rows(database, query);
        rows.into_iter().map(|row| row.into_iter().next().flatten().unwrap_or_default()).collect()
    }
}
