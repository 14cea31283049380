//! A small company: a schema with two tables, and people.

use serde_json::Value;

use crate::document::write_providers;
use crate::site::Site;

/// The one database.
pub(crate) const SHOP: &str = "shop";

/// Starts it.
pub(crate) fn start() -> Site {
    let site = Site::start(&[SHOP]);
    site.server.sql(
        SHOP,
        "CREATE SCHEMA sales; CREATE TABLE sales.orders (id int, amount int, note text); \
         CREATE TABLE sales.customers (id int, name text); INSERT INTO sales.orders VALUES (1, 10, 'first'); \
         CREATE ROLE ann LOGIN PASSWORD 'ann-secret'; CREATE ROLE bob LOGIN PASSWORD 'bob-secret'; \
         CREATE ROLE carl LOGIN PASSWORD 'carl-secret'",
    );
    site
}

/// An access control that lets users read a table.
pub(crate) fn reader(name: &str, users: &[&str], table: &str) -> Value {
    serde_json::json!({
        "name": name,
        "who": { "users": users },
        "what": [ { "dataObject": { "fullName": format!("shop.sales.{table}"), "type": "table" },
                    "permissions": ["SELECT"] } ],
    })
}

impl Site {
    /// Writes `access.yml`.
    pub(crate) fn file(&self, providers: &[Value]) {
        write_providers(self, "access.yml", providers);
    }

    /// Applies `access.yml`.
    #[track_caller]
    pub(crate) fn apply(&self, providers: &[Value]) {
        self.file(providers);
        self.access(&["apply", "--yes", "--max-removals", "100%"]).succeeded();
    }

    /// Whether somebody may read a table.
    pub(crate) fn can_read(&self, user: &str, table: &str) -> bool {
        let query = format!("SELECT has_table_privilege('{user}', 'sales.{table}', 'SELECT')");
        self.texts(SHOP, &query) == ["t"]
    }

    /// The names of the roles that begin with a text.
    pub(crate) fn roles(&self, start: &str) -> Vec<String> {
        let query = format!(
            "SELECT rolname FROM pg_roles WHERE starts_with(rolname, '{start}') ORDER BY rolname COLLATE \"C\""
        );
        self.texts(SHOP, &query)
    }
}
