//! Row security as it stands: the policies of an owner, and the tables that filters go to.
//!
//! All of it is held in memory; it follows the number of filters.

use std::collections::{BTreeSet, HashMap};

use raito_connector::Result;
use tokio_postgres::types::Type;

use super::databases::Databases;
use crate::ownership_mark::Mark;
use crate::session::get;

/// A table, by its session, schema and name.
pub(super) type Table = (usize, String, String);

/// A policy with a mark.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) table: Table,
    pub(super) name: String,
    pub(super) mark: Mark,
    /// It is what such a mark is put on: permissive, and for SELECT.
    pub(super) as_made: bool,
    /// The roles that it is for, by name; `None` stands for PUBLIC.
    pub(super) roles: BTreeSet<Option<String>>,
}

/// A table that policies can be put on.
#[derive(Clone, Debug)]
pub(super) struct Secured {
    /// Row security is on.
    pub(super) enabled: bool,
    /// The names of its policies.
    pub(super) policies: BTreeSet<String>,
}

/// Tables that are looked up at once.
const PART: usize = 1000;

impl Databases {
    /// The policies whose mark carries a prefix, in the schemas that the target covers.
    pub(super) fn policies(&mut self, prefix: &str) -> Result<Vec<Policy>> {
        let mut policies = Vec::new();
        for (at, session, schemas) in self.covered() {
            session.for_each(
                "SELECT n.nspname::text, c.relname::text, p.polname::text, obj_description(p.oid, 'pg_policy'), \
                 p.polpermissive AND p.polcmd = 'r' AND p.polqual IS NOT NULL, \
                 (SELECT array_agg(r.rolname::text) FROM unnest(p.polroles) AS o (oid) \
                  LEFT JOIN pg_roles r ON r.oid = o.oid) \
                 FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.oid = ANY ($1) ORDER BY 1, 2, 3",
                &[(&schemas, Type::OID_ARRAY)],
                |row| {
                    let comment: Option<&str> = get(row, 3)?;
                    let mark = comment.and_then(Mark::parse).filter(|mark| mark.prefix == prefix);
                    let Some(mark) = mark else { return Ok(()) };
                    policies.push(Policy {
                        table: (at, get(row, 0)?, get(row, 1)?),
                        name: get(row, 2)?,
                        mark,
                        as_made: get(row, 4)?,
                        roles: get::<Vec<Option<String>>>(row, 5)?.into_iter().collect(),
                    });
                    Ok(())
                },
            )?;
        }
        Ok(policies)
    }

    /// Those of the tables that exist.
    pub(super) fn secured(&mut self, tables: &BTreeSet<Table>) -> Result<HashMap<Table, Secured>> {
        let mut secured = HashMap::new();
        for (at, session, schemas) in self.covered() {
            let here: Vec<&Table> = tables.iter().filter(|table| table.0 == at).collect();
            for part in here.chunks(PART) {
                let (nsps, names): (Vec<&str>, Vec<&str>) =
                    part.iter().map(|(_, schema, table)| (schema.as_str(), table.as_str())).unzip();
                session.for_each(
                    "SELECT n.nspname::text, c.relname::text, c.relrowsecurity, \
                     array(SELECT p.polname::text FROM pg_policy p WHERE p.polrelid = c.oid) \
                     FROM unnest($2, $3) AS w (nsp, name) \
                     JOIN pg_namespace n ON n.nspname = w.nsp AND n.oid = ANY ($1) \
                     JOIN pg_class c ON c.relname = w.name AND c.relnamespace = n.oid AND c.relkind IN ('r', 'p')",
                    &[(&schemas, Type::OID_ARRAY), (&nsps, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY)],
                    |row| {
                        let policies = get::<Vec<String>>(row, 3)?.into_iter().collect();
                        let table = (at, get(row, 0)?, get(row, 1)?);
                        secured.insert(table, Secured { enabled: get(row, 2)?, policies });
                        Ok(())
                    },
                )?;
            }
        }
        Ok(secured)
    }
}
