//! A small company: a schema with two tables, and people.

use serde_json::Value;

use crate::document::write_providers;
use crate::site::Site;

/// The database.
pub(crate) const SHOP: &str = "shop";

/// Starts it.
pub(crate) fn start() -> Site {
    start_with(&[SHOP])
}

/// Starts it, with further databases that the target covers.
pub(crate) fn start_with(databases: &[&str]) -> Site {
    let site = Site::start(databases);
    site.server.sql(
        SHOP,
        "CREATE SCHEMA sales; CREATE TABLE sales.orders (id int, amount int, note text); \
         CREATE TABLE sales.customers (id int, name text); INSERT INTO sales.orders VALUES (1, 10, 'first'); \
         CREATE ROLE ann LOGIN PASSWORD 'ann-secret'; CREATE ROLE bob LOGIN PASSWORD 'bob-secret'; \
         CREATE ROLE carl LOGIN PASSWORD 'carl-secret'",
    );
    site
}

/// All roles with their comments, memberships and rights, by name.
pub(crate) fn state(site: &Site) -> Vec<String> {
    let lists = "SELECT 'database' AS kind, datname AS name, datacl AS acl FROM pg_database WHERE datname = current_database() \
         UNION ALL SELECT 'schema', nspname, nspacl FROM pg_namespace WHERE oid >= 16384 \
         UNION ALL SELECT 'relation', relname, relacl FROM pg_class WHERE oid >= 16384 \
         UNION ALL SELECT 'column of ' || attrelid::regclass, attname, attacl FROM pg_attribute WHERE attrelid >= 16384";
    // What an owner has is left out: the server writes it down with the first grant to another.
    site.texts(
        SHOP,
        &format!(
            "SELECT 'role ' || rolname || coalesce(': ' || shobj_description(oid, 'pg_authid'), '') FROM pg_roles \
             WHERE rolname !~ '^pg_' UNION ALL \
             SELECT member::regrole || ' is a member of ' || roleid::regrole FROM pg_auth_members WHERE member >= 16384 UNION ALL \
             SELECT kind || ' ' || name || ': ' || item FROM ({lists}) l, unnest(acl) AS item WHERE item::text !~ '^postgres=' \
             ORDER BY 1"
        ),
    )
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
