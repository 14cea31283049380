//! Owners that tags name.
//!
//! The value of a tag `raito_owner` is a list with commas: account names of the identity stores of the data source,
//! and `email:` with an address. Those people own the data object or access control that has the tag. A person who is
//! no longer named loses the ownership that the tag gave; owners that somebody chose here stay, unless a tag named them as
//! well. Words that nobody is known by are looked up again when identities are imported.

use sqlx::{AssertSqlSafe, Row};

use super::staging::{create, drop_table};
use crate::records::OWNER_TAG;
use crate::store::Connection;

/// The words in the values of owner tags.
const WORDS: &str = "stage_owner_words";
/// Who owned what by a tag before the import.
const BEFORE: &str = "stage_owners_before";
/// Who does after it.
const AFTER: &str = "stage_owners_after";

/// How many values are split at once.
const PAGE: i64 = 500;

/// What is owned.
#[derive(Clone, Copy)]
pub(super) enum Owned {
    DataObjects,
    AccessProviders,
}

impl Owned {
    /// The `resource_kind` of an assignment.
    fn word(self) -> &'static str {
        match self {
            Self::DataObjects => "dataObject",
            Self::AccessProviders => "accessProvider",
        }
    }

    /// The table and the column with what is in data source `$1`.
    fn table(self) -> (&'static str, &'static str) {
        match self {
            Self::DataObjects => ("data_objects", "id"),
            Self::AccessProviders => ("access_provider_sync", "access_provider_id"),
        }
    }
}

/// Notes whom tags name before an import changes them.
pub(super) async fn note(
    connection: &mut Connection,
    owned: Owned,
    data_source: &str,
) -> Result<(), sqlx::Error> {
    find(connection, owned, data_source, BEFORE).await
}

/// Gives and takes ownership after the import, compared with what was noted.
pub(super) async fn settle(
    connection: &mut Connection,
    owned: Owned,
    data_source: &str,
) -> Result<(), sqlx::Error> {
    find(connection, owned, data_source, AFTER).await?;
    let taken = format!(
        "DELETE FROM role_assignments WHERE role = 'OwnerRole' AND resource_kind = $1 AND EXISTS (SELECT 1 \
         FROM {BEFORE} b WHERE b.resource_id = role_assignments.resource_id AND b.user_id = role_assignments.assignee_id \
         AND NOT EXISTS (SELECT 1 FROM {AFTER} a WHERE a.resource_id = b.resource_id AND a.user_id = b.user_id))"
    );
    // Without anything noted there is nothing to take, and no need to look through all assignments.
    let noted = sqlx::query(AssertSqlSafe(format!("SELECT 1 FROM {BEFORE} LIMIT 1")))
        .fetch_optional(&mut *connection)
        .await?;
    if noted.is_some() {
        sqlx::query(AssertSqlSafe(taken)).bind(owned.word()).execute(&mut *connection).await?;
    }
    give(connection, owned).await?;
    for table in [WORDS, BEFORE, AFTER] {
        drop_table(connection, table).await?;
    }
    Ok(())
}

/// Gives ownership to those who have become known in an identity store.
pub(super) async fn look_again(connection: &mut Connection, identity_store: &str) -> Result<(), sqlx::Error> {
    let sources = sqlx::query(
        "SELECT data_source_id FROM data_source_identity_stores WHERE identity_store_id = $1 ORDER BY data_source_id",
    )
    .bind(identity_store)
    .fetch_all(&mut *connection)
    .await?;
    for source in sources {
        let source: String = source.try_get(0)?;
        for owned in [Owned::DataObjects, Owned::AccessProviders] {
            find(connection, owned, &source, AFTER).await?;
            give(connection, owned).await?;
        }
    }
    for table in [WORDS, AFTER] {
        drop_table(connection, table).await?;
    }
    Ok(())
}

async fn give(connection: &mut Connection, owned: Owned) -> Result<(), sqlx::Error> {
    let given = format!(
        "INSERT INTO role_assignments (id, role, resource_kind, resource_id, assignee_kind, assignee_id) \
         SELECT a.resource_id || '.OwnerRole.' || a.user_id, 'OwnerRole', $1, a.resource_id, 'user', a.user_id \
         FROM {AFTER} a WHERE true ON CONFLICT DO NOTHING"
    );
    sqlx::query(AssertSqlSafe(given)).bind(owned.word()).execute(connection).await?;
    Ok(())
}

/// Fills a table with the people whom tags name.
async fn find(
    connection: &mut Connection,
    owned: Owned,
    data_source: &str,
    into: &str,
) -> Result<(), sqlx::Error> {
    split(connection).await?;
    create(
        connection,
        into,
        "resource_id TEXT NOT NULL, user_id TEXT NOT NULL, PRIMARY KEY (resource_id, user_id)",
    )
    .await?;
    let (table, id) = owned.table();
    let named = format!(
        "FROM tags t JOIN {table} o ON o.{id} = t.object_id AND o.data_source_id = $1 JOIN {WORDS} w ON w.value = t.value"
    );
    for statement in [
        format!(
            "INSERT INTO {into} (resource_id, user_id) SELECT t.object_id, u.id {named} AND w.email = 1 \
             JOIN users u ON u.email_key = w.word WHERE t.key = '{OWNER_TAG}' ON CONFLICT DO NOTHING"
        ),
        format!(
            "INSERT INTO {into} (resource_id, user_id) SELECT t.object_id, a.user_id {named} AND w.email = 0 \
             JOIN accounts a ON a.user_name = w.word AND a.identity_store_id IN (SELECT identity_store_id \
             FROM data_source_identity_stores WHERE data_source_id = $1) WHERE t.key = '{OWNER_TAG}' \
             ON CONFLICT DO NOTHING"
        ),
    ] {
        sqlx::query(AssertSqlSafe(statement))
            .bind(data_source)
            .persistent(false)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Splits the values of owner tags, of which there are few different ones.
async fn split(connection: &mut Connection) -> Result<(), sqlx::Error> {
    create(
        connection,
        WORDS,
        "value TEXT NOT NULL, word TEXT NOT NULL, email BIGINT NOT NULL, PRIMARY KEY (value, word, email)",
    )
    .await?;
    let mut after = String::new();
    loop {
        let rows = sqlx::query(
            "SELECT DISTINCT value FROM tags WHERE key = $1 AND value > $2 ORDER BY value LIMIT $3",
        )
        .bind(OWNER_TAG)
        .bind(after.as_str())
        .bind(PAGE)
        .fetch_all(&mut *connection)
        .await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.try_get(0)?;
        for row in rows {
            let value: String = row.try_get(0)?;
            for word in value.split(',').map(str::trim).filter(|word| !word.is_empty()) {
                let (word, email) = match word.strip_prefix("email:") {
                    Some(address) => (address.trim().to_lowercase(), 1_i64),
                    None => (word.to_owned(), 0),
                };
                let statement = format!(
                    "INSERT INTO {WORDS} (value, word, email) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
                );
                sqlx::query(AssertSqlSafe(statement))
                    .bind(value.as_str())
                    .bind(word)
                    .bind(email)
                    .execute(&mut *connection)
                    .await?;
            }
        }
    }
}
