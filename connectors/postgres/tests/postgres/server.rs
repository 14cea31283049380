//! The server of a test as the connector sees it: its parameters and settings.

use raito_connector::Parameters;
use raito_connector_postgres::settings::Settings;
use raito_test_servers::Postgres;

/// A running server. The superuser is `postgres`.
pub(crate) struct Server(Postgres);

impl Server {
    /// Makes a cluster and starts it.
    pub(crate) fn start() -> Self {
        Server(Postgres::start())
    }

    /// The settings of a target that connects as the superuser, with more parameters.
    pub(crate) fn settings(&self, more: &[(&str, &str)]) -> Settings {
        Settings::read(&self.parameters(more)).unwrap()
    }

    /// The parameters of the same.
    pub(crate) fn parameters(&self, more: &[(&str, &str)]) -> Parameters {
        let port = self.0.port().to_string();
        let base = [
            ("pg-host", "127.0.0.1"),
            ("pg-port", port.as_str()),
            ("pg-user", "postgres"),
            ("pg-password", self.0.password()),
            ("pg-tls-mode", "disable"),
        ];
        base.into_iter().chain(more.iter().copied()).collect()
    }

    /// Runs statements as the superuser, outside of the connector.
    pub(crate) fn sql(&self, database: &str, statements: &str) {
        self.0.sql(database, statements);
    }

    /// The rows of a query, each as its columns joined by `|`.
    pub(crate) fn rows(&self, database: &str, query: &str) -> Vec<String> {
        joined(self.0.rows(database, query))
    }

    /// Runs statements as somebody.
    pub(crate) fn query_as(&self, user: &str, password: &str, database: &str, query: &str) -> Vec<String> {
        joined(self.0.rows_as(user, password, database, query))
    }
}

fn joined(rows: Vec<Vec<Option<String>>>) -> Vec<String> {
    rows.into_iter()
        .map(|row| {
            let columns: Vec<_> = row.into_iter().map(|column| column.unwrap_or("NULL".into())).collect();
            columns.join("|")
        })
        .collect()
}
