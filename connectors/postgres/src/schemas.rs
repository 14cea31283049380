//! The schemas of a database that a target covers.

use raito_connector::Result;

use crate::session::{Session, get};
use crate::settings::Settings;

/// A schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schema {
    pub(crate) oid: u32,
    pub(crate) name: String,
    pub(crate) comment: String,
}

/// The schemas of the session's database that the target covers, ordered by name.
pub(crate) fn covered(session: &mut Session, settings: &Settings) -> Result<Vec<Schema>> {
    let database = session.database().to_owned();
    let mut schemas = Vec::new();
    session.for_each(
        "SELECT oid, nspname::text, coalesce(obj_description(oid, 'pg_namespace'), '') FROM pg_namespace \
         ORDER BY nspname COLLATE \"C\"",
        &[],
        |row| {
            let schema = Schema { oid: get(row, 0)?, name: get(row, 1)?, comment: get(row, 2)? };
            if settings.covers_schema(&database, &schema.name) {
                schemas.push(schema);
            }
            Ok(())
        },
    )?;
    Ok(schemas)
}

/// The same, as the object ids that catalogue queries take.
pub(crate) fn covered_oids(session: &mut Session, settings: &Settings) -> Result<Vec<u32>> {
    Ok(covered(session, settings)?.into_iter().map(|schema| schema.oid).collect())
}
