//! Objects of the catalogue: whether those that access controls name exist, and what stands below a schema.
//!
//! Names are looked up many at a time through the catalogue's own indexes, so that the effort follows the number of
//! names and not the size of the catalogue.

use std::collections::HashMap;
use std::rc::Rc;

use raito_connector::Result;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::databases::Databases;
use super::object::Object;
use crate::objects::{ARGUMENTS, RELATION_KIND};
use crate::session::get;
use crate::vocabulary::Kind;

/// Objects that are remembered below schemas and databases.
const REMEMBERED: usize = 100_000;

/// Objects, each with the object id of its owner.
type Owned = [(Object, u32)];

/// What stands below schemas and databases, as far as it has been asked for.
#[derive(Default)]
pub(super) struct Below {
    of: HashMap<(usize, String), Rc<Owned>>,
    objects: usize,
}

impl Databases {
    /// Those of the objects that stand in an open database, each with the object id of its owner.
    pub(super) fn find(&mut self, objects: &[&Object]) -> Result<HashMap<Object, u32>> {
        let mut found = HashMap::with_capacity(objects.len());
        let open: Vec<usize> = self.cursors().map(|(at, ..)| at).collect();
        for (at, session, schemas) in self.covered_schemas().filter(|(at, ..)| open.contains(at)) {
            let schemas: HashMap<&str, u32> =
                schemas.iter().map(|schema| (schema.name.as_str(), schema.oid)).collect();
            let wanted: Vec<&Object> =
                objects.iter().copied().filter(|object| object.session == at).collect();
            if wanted.is_empty() {
                continue;
            }
            let column =
                |part: fn(&Object) -> &str| -> Vec<&str> { wanted.iter().map(|&one| part(one)).collect() };
            let kinds: Vec<&str> = column(|object| object.kind.name());
            let (names, details) = (column(|object| &object.name), column(|object| &object.detail));
            // No object has the id 0.
            let oid = |object: &&Object| schemas.get(object.schema.as_str()).copied().unwrap_or_default();
            let nsps: Vec<u32> = wanted.iter().map(oid).collect();
            session.for_each(
                &by_name(),
                &[
                    (&kinds, Type::TEXT_ARRAY),
                    (&nsps, Type::OID_ARRAY),
                    (&names, Type::TEXT_ARRAY),
                    (&details, Type::TEXT_ARRAY),
                ],
                |row| {
                    let place: i64 = get(row, 0)?;
                    let object = usize::try_from(place - 1).ok().and_then(|place| wanted.get(place));
                    if let Some(&object) = object {
                        found.insert(object.clone(), get(row, 1)?);
                    }
                    Ok(())
                },
            )?;
        }
        Ok(found)
    }

    /// What stands below a database or a schema.
    pub(super) fn below(&mut self, parent: &Object) -> Result<Rc<Owned>> {
        let key = (parent.session, parent.schema.clone());
        if let Some(known) = self.below.of.get(&key) {
            return Ok(Rc::clone(known));
        }
        let mut objects = Vec::new();
        let statement = format!(
            "SELECT kind, nsp, name, detail, owner FROM (SELECT {RELATION_KIND} AS kind, n.nspname::text AS nsp, \
             c.relname::text AS name, '' AS detail, c.relowner AS owner \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.oid = ANY ($1) UNION ALL \
             SELECT CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, n.nspname::text, p.proname::text, \
             {ARGUMENTS}, p.proowner FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.oid = ANY ($1) \
             UNION ALL SELECT 'schema', n.nspname::text, '', '', n.nspowner FROM pg_namespace n WHERE n.oid = ANY ($1)) o \
             WHERE $2 = '' OR (nsp = $2 AND kind <> 'schema')"
        );
        for (at, session, schemas) in self.covered().filter(|(at, ..)| *at == parent.session) {
            session.for_each(
                &statement,
                &[(&schemas, Type::OID_ARRAY), (&parent.schema, Type::TEXT)],
                |row| {
                    objects.extend(object(at, row)?);
                    Ok(())
                },
            )?;
        }
        if self.below.objects + objects.len() > REMEMBERED {
            self.below = Below::default();
        }
        self.below.objects += objects.len();
        let objects: Rc<Owned> = objects.into();
        self.below.of.insert(key, Rc::clone(&objects));
        Ok(objects)
    }
}

fn object(at: usize, row: &Row) -> Result<Option<(Object, u32)>> {
    let Some(kind) = Kind::from_name(get(row, 0)?) else { return Ok(None) };
    let object = Object { session: at, kind, schema: get(row, 1)?, name: get(row, 2)?, detail: get(row, 3)? };
    Ok(Some((object, get(row, 4)?)))
}

/// Place and owner of those of the objects that exist, by their kinds `$1`, schemas `$2`, names `$3` and details `$4`.
/// Names are compared as text: a longer one is not cut to that of another object.
fn by_name() -> String {
    let relation = "JOIN pg_class c ON c.relname = w.name AND c.relnamespace = w.nsp \
         AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')";
    format!(
        "WITH w AS NOT MATERIALIZED (SELECT * FROM unnest($1, $2, $3, $4) \
           WITH ORDINALITY AS w (kind, nsp, name, detail, place)) \
         SELECT w.place, d.datdba FROM w JOIN pg_database d ON d.datname = current_database() WHERE w.kind = 'database' \
         UNION ALL SELECT w.place, n.nspowner FROM w JOIN pg_namespace n ON n.oid = w.nsp WHERE w.kind = 'schema' \
         UNION ALL SELECT w.place, c.relowner FROM w {relation} WHERE w.kind = {RELATION_KIND} \
         UNION ALL SELECT w.place, c.relowner FROM w {relation} \
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = w.detail AND a.attnum > 0 AND NOT a.attisdropped \
           WHERE w.kind = 'column' AND c.relkind <> 'S' \
         UNION ALL SELECT w.place, p.proowner FROM w \
           JOIN pg_proc p ON p.proname = w.name AND p.pronamespace = w.nsp \
           WHERE w.kind IN ('function', 'procedure') \
           AND w.kind = CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END AND w.detail = {ARGUMENTS}"
    )
}
