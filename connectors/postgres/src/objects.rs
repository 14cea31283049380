//! Data objects: databases, schemas, relations, routines and columns.
//!
//! They come from the catalogues, which show everything, not from `information_schema`, which hides what the
//! connector's role has no right on. Parents come before children, and rows are passed on as they arrive.

use raito_connector::{DataObject, Error, Result, SyncScope};
use tokio_postgres::types::Type;

use crate::cluster;
use crate::names::{self, Path};
use crate::schemas::{self, Schema};
use crate::session::{Session, get};
use crate::settings::Settings;
use crate::vocabulary::Kind;

/// The kind of a row of `pg_class`, as an SQL expression.
pub(crate) const RELATION_KIND: &str = "CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized-view' \
     WHEN 'f' THEN 'foreign-table' WHEN 'S' THEN 'sequence' ELSE 'table' END";

/// The input types of a row of `pg_proc`, as an SQL expression: with its name they identify a routine.
pub(crate) const ARGUMENTS: &str = "coalesce((SELECT string_agg(format_type(t.oid, NULL), ', ' ORDER BY t.place) \
     FROM unnest(p.proargtypes) WITH ORDINALITY AS t (oid, place)), '')";

/// Reads the data objects of `scope`.
pub fn objects(
    settings: &Settings,
    scope: &SyncScope,
    mut take: impl FnMut(DataObject) -> Result<()>,
) -> Result<()> {
    let part = Part::new(scope)?;
    let mut first = Some(Session::open(settings, &settings.database)?);
    let databases = match &mut first {
        Some(session) => cluster::databases(session, settings)?,
        None => Vec::new(),
    };
    for database in databases {
        if !part.leads_to(&[&database]) {
            continue;
        }
        let mut session = match first.take() {
            Some(session) => cluster::session_to(&database, session, settings)?,
            None => Session::open(settings, &database)?,
        };
        of_database(&mut session, settings, &part, &mut take)?;
    }
    Ok(())
}

fn of_database(
    session: &mut Session,
    settings: &Settings,
    part: &Part,
    take: &mut impl FnMut(DataObject) -> Result<()>,
) -> Result<()> {
    let database = session.database().to_owned();
    if part.holds(&[&database]) {
        let rows = session.query(
            "SELECT coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database \
             WHERE datname = current_database()",
            &[],
        )?;
        let comment = rows.first().map_or(Ok(String::new()), |row| get(row, 0))?;
        take(object(Kind::Database, &[&database], comment))?;
    }
    let mut covered = schemas::covered(session, settings)?;
    covered.retain(|schema| part.leads_to(&[&database, &schema.name]));
    for Schema { name, comment, .. } in &covered {
        if part.holds(&[&database, name]) {
            take(object(Kind::Schema, &[&database, name], comment.clone()))?;
        }
    }
    let oids: Vec<u32> = covered.iter().map(|schema| schema.oid).collect();
    relations(session, &database, &oids, part, take)?;
    routines(session, &database, &oids, part, take)?;
    if settings.skip_columns { Ok(()) } else { columns(session, &database, &oids, part, take) }
}

fn relations(
    session: &mut Session,
    database: &str,
    schemas: &[u32],
    part: &Part,
    take: &mut impl FnMut(DataObject) -> Result<()>,
) -> Result<()> {
    session.for_each(
        &format!(
            "SELECT n.nspname::text, c.relname::text, {RELATION_KIND}, coalesce(obj_description(c.oid, 'pg_class'), '') \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.oid = ANY ($1) ORDER BY c.oid"
        ),
        &[(&schemas, Type::OID_ARRAY)],
        |row| {
            let (schema, name, kind): (&str, &str, &str) = (get(row, 0)?, get(row, 1)?, get(row, 2)?);
            let path = [database, schema, name];
            let Some(kind) = Kind::from_name(kind).filter(|_| part.holds(&path)) else { return Ok(()) };
            take(object(kind, &path, get(row, 3)?))
        },
    )
}

fn routines(
    session: &mut Session,
    database: &str,
    schemas: &[u32],
    part: &Part,
    take: &mut impl FnMut(DataObject) -> Result<()>,
) -> Result<()> {
    session.for_each(
        &format!(
            "SELECT n.nspname::text, p.proname::text, {ARGUMENTS}, p.prokind = 'p', \
             coalesce(obj_description(p.oid, 'pg_proc'), '') \
             FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.oid = ANY ($1) ORDER BY p.oid"
        ),
        &[(&schemas, Type::OID_ARRAY)],
        |row| {
            let (schema, name, arguments): (&str, &str, &str) = (get(row, 0)?, get(row, 1)?, get(row, 2)?);
            if !part.holds(&[database, schema, &routine_part(name, arguments)]) {
                return Ok(());
            }
            let full_name = names::routine_path(database, schema, name, arguments);
            let kind = if get(row, 3)? { Kind::Procedure } else { Kind::Function };
            let like = object(kind, &[database, schema, name], get(row, 4)?);
            take(DataObject { external_id: full_name.clone(), full_name, ..like })
        },
    )
}

fn columns(
    session: &mut Session,
    database: &str,
    schemas: &[u32],
    part: &Part,
    take: &mut impl FnMut(DataObject) -> Result<()>,
) -> Result<()> {
    session.for_each(
        "SELECT n.nspname::text, c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), \
         coalesce(col_description(a.attrelid, a.attnum), '') \
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.oid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped \
         ORDER BY a.attrelid, a.attnum",
        &[(&schemas, Type::OID_ARRAY)],
        |row| {
            let path = [database, get(row, 0)?, get(row, 1)?, get(row, 2)?];
            if !part.holds(&path) {
                return Ok(());
            }
            take(DataObject { data_type: Some(get(row, 3)?), ..object(Kind::Column, &path, get(row, 4)?) })
        },
    )
}

fn object(kind: Kind, path: &[&str], description: String) -> DataObject {
    let full_name = names::path(path.iter().copied());
    let (name, parent) = path.split_last().map_or((String::new(), String::new()), |(name, parent)| {
        ((*name).to_owned(), names::path(parent.iter().copied()))
    });
    DataObject {
        external_id: full_name.clone(),
        name,
        full_name,
        object_type: kind.name().into(),
        description,
        parent_external_id: parent,
        tags: Vec::new(),
        data_type: None,
        share_provider_identifier: None,
        share_identifier: None,
    }
}

/// The last part of a routine's path, which no relation can have.
fn routine_part(name: &str, arguments: &str) -> String {
    format!("{name}\0({arguments})")
}

/// The part of the data source to read: what stands below the parent, without the excluded branches.
struct Part {
    parent: Vec<String>,
    excludes: Vec<Vec<String>>,
}

impl Part {
    fn new(scope: &SyncScope) -> Result<Self> {
        Ok(Part {
            parent: scope.parent.as_deref().map(parts).transpose()?.unwrap_or_default(),
            excludes: scope.excludes.iter().map(|name| parts(name)).collect::<Result<_>>()?,
        })
    }

    /// Whether the object is to be delivered.
    fn holds(&self, path: &[&str]) -> bool {
        path.len() > self.parent.len() && self.leads_to(path)
    }

    /// Whether the object, or one below it, is to be delivered.
    fn leads_to(&self, path: &[&str]) -> bool {
        let on_the_way = self.parent.iter().zip(path).all(|(one, other)| one == other);
        let below = path.get(self.parent.len()..).unwrap_or_default();
        let starts_with = |exclude: &Vec<String>| {
            exclude.len() <= below.len() && exclude.iter().zip(below).all(|(one, other)| one == other)
        };
        on_the_way && !self.excludes.iter().any(starts_with)
    }
}

fn parts(name: &str) -> Result<Vec<String>> {
    let Some(Path { mut parts, arguments }) = Path::parse(name) else {
        return Err(Error::other(format!("{name:?} is not the full name of a data object")));
    };
    if let (Some(arguments), Some(last)) = (arguments, parts.last_mut()) {
        *last = routine_part(last, &arguments);
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

    use raito_connector::SyncScope;

    use super::Part;

    fn part(parent: Option<&str>, excludes: &[&str]) -> Part {
        let excludes = excludes.iter().map(|&name| name.to_owned()).collect();
        Part::new(&SyncScope { parent: parent.map(str::to_owned), excludes }).unwrap()
    }

    #[test]
    fn a_parent_is_not_delivered_but_led_through() {
        let part = part(Some("sales.public"), &["orders.note"]);
        assert!(part.leads_to(&["sales"]) && !part.holds(&["sales"]));
        assert!(part.leads_to(&["sales", "public"]) && !part.holds(&["sales", "public"]));
        assert!(part.holds(&["sales", "public", "orders"]));
        assert!(part.holds(&["sales", "public", "orders", "id"]));
        assert!(!part.holds(&["sales", "public", "orders", "note"]));
        assert!(!part.leads_to(&["hr"]) && !part.leads_to(&["sales", "eu"]));
    }

    #[test]
    fn excludes_take_everything_below_and_compare_whole_parts() {
        let part = part(None, &["sales.tmp", "sales.public.f(integer)"]);
        assert!(!part.holds(&["sales", "tmp"]) && !part.holds(&["sales", "tmp", "t"]));
        assert!(part.holds(&["sales", "tmp2"]));
        assert!(part.holds(&["sales", "public", "f"]));
        assert!(!part.holds(&["sales", "public", "f\0(integer)"]));
    }

    #[test]
    fn other_texts_are_refused() {
        assert!(Part::new(&SyncScope { parent: Some("a..b".into()), excludes: vec![] }).is_err());
    }
}
