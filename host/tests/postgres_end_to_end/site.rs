//! A server with a company in it, a cloud, and a configuration that joins them.

use raito_test_servers::Postgres;

use crate::arrived::Arrived;
use crate::catalogue::Catalogue;
use crate::cloud::{ADMINISTRATOR, Cloud, SECRET};
use crate::place::{Outcome, Place, connector, finish};

/// The target in the configuration.
pub(crate) const TARGET: &str = "company-db";

/// Of the role that Raito logs in with, as `people.sql` sets it.
pub(crate) const PASSWORD: &str = "raito-secret";

/// All of it. The server and the cloud end with it.
pub(crate) struct Site {
    pub(crate) place: Place,
    pub(crate) server: Postgres,
    pub(crate) cloud: Cloud,
    pub(crate) data_source: String,
    pub(crate) identity_store: String,
}

impl Site {
    pub(crate) fn start() -> Self {
        let place = Place::new();
        let server = Postgres::start();
        load_company(&server);
        let cloud = Cloud::start(&place);
        let (data_source, identity_store) = cloud.create_data_source("Company");
        let text = format!(
            "domain: acme\napi-user: {ADMINISTRATOR}\napi-secret: \"{{{{API_SECRET}}}}\"\nraito-url-override: \"{}\"\n\
             delete-temp-files: false\ntargets:\n  - name: {TARGET}\n    connector-name: {}\n    \
             data-source-id: \"{data_source}\"\n    identity-store-id: \"{identity_store}\"\n    \
             pg-host: 127.0.0.1\n    pg-port: {port}\n    pg-user: raito\n    pg-password: \"{{{{PG_PASSWORD}}}}\"\n    \
             pg-database: company\n    pg-machine-user-pattern: svc_*,raito\n    pg-tls-mode: disable\n    \
             sandbox:\n      network: [\"127.0.0.1:{port}\"]\n",
            cloud.url,
            connector().display(),
            port = server.port(),
        );
        place.write("raito.yml", &text);
        Site { place, server, cloud, data_source, identity_store }
    }

    /// Runs everything. No secret may be shown or left behind.
    #[track_caller]
    pub(crate) fn run(&self) -> Outcome {
        let mut command = self.place.raito(&["run", "--format", "json"]);
        command.env("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", &self.cloud.url);
        command.env("API_SECRET", SECRET).env("PG_PASSWORD", PASSWORD);
        let outcome = finish(command).succeeded();
        for text in [&outcome.stdout, &outcome.stderr] {
            assert!(!text.contains(SECRET) && !text.contains(PASSWORD), "a secret was shown: {text}");
        }
        outcome
    }

    pub(crate) fn catalogue(&self) -> Catalogue<'_> {
        Catalogue { server: &self.server, database: "company" }
    }

    pub(crate) fn arrived(&self) -> Arrived<'_> {
        Arrived { cloud: &self.cloud, data_source: &self.data_source, identity_store: &self.identity_store }
    }

    /// What stands in the database that the target does not name.
    pub(crate) fn archive(&self) -> Vec<String> {
        Catalogue { server: &self.server, database: "archive" }.everything_else()
    }

    /// Whether a role may do something, by the server's own word.
    pub(crate) fn may(&self, question: &str) -> bool {
        self.catalogue().value(&format!("SELECT {question}")) == "t"
    }

    /// The rows that somebody sees, as text; or the SQLSTATE of the refusal.
    pub(crate) fn sees(&self, user: &str, query: &str) -> Result<Vec<String>, String> {
        let rows = self.server.try_rows_as(user, &format!("{user}-secret"), "company", query);
        rows.map(|rows| {
            rows.into_iter().map(|row| row.into_iter().flatten().collect::<Vec<_>>().join("|")).collect()
        })
        .map_err(|refused| refused.state)
    }
}

/// Loads the roles and both databases.
fn load_company(server: &Postgres) {
    server.sql("postgres", include_str!("people.sql"));
    for database in ["company", "archive"] {
        server.sql("postgres", &format!("CREATE DATABASE {database}"));
    }
    server.sql("company", include_str!("company.sql"));
    server.sql("archive", include_str!("archive.sql"));
}
