//! What stands in the target now, as far as a plan needs it.
//!
//! Held in memory: the cluster's roles, what is granted to the roles at hand, and Raito's policies. It grows with the
//! access controls to apply, not with the catalogue.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use raito_connector::Result;
use tokio_postgres::types::Type;

use super::object::Object;
use crate::acl;
use crate::cluster::{self, Cluster};
use crate::objects::ARGUMENTS;
use crate::ownership_mark::Mark;
use crate::schemas::{self, Schema};
use crate::session::{Session, get};
use crate::settings::Settings;
use crate::vocabulary::Kind;

/// Privileges on an object, each with those who granted it.
pub(crate) type Grants = BTreeMap<Object, BTreeMap<String, BTreeSet<String>>>;

/// A policy with Raito's mark.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) session: usize,
    pub(crate) schema: String,
    pub(crate) table: String,
    pub(crate) name: String,
    pub(crate) mark: Mark,
    /// It is what such a mark is put on: permissive, and for SELECT.
    pub(crate) as_made: bool,
    /// The roles that it is for, by name; `None` stands for PUBLIC.
    pub(crate) roles: BTreeSet<Option<String>>,
}

/// The target: a session for each database, and what was read through them.
pub(crate) struct State {
    /// The first session is the one of `pg-database`, which also carries what belongs to the whole cluster.
    pub(crate) sessions: Vec<Session>,
    /// For each session whether its database is one that the target covers, and the schemas that it covers there.
    pub(crate) covered: Vec<Option<Vec<Schema>>>,
    pub(crate) cluster: Cluster,
    /// The connector's own role.
    pub(crate) own_role: String,
}

impl State {
    /// Connects to every database of the target and reads what belongs to the cluster.
    pub(crate) fn open(settings: &Settings, mut first: Session) -> Result<Self> {
        let own = first.query("SELECT current_user::text", &[])?;
        let own_role = own.first().map_or(Ok(String::new()), |row| get(row, 0))?;
        let cluster = Cluster::read(&mut first)?;
        let databases = cluster::databases(&mut first, settings)?;
        let mut sessions = vec![first];
        for database in &databases {
            if *database != settings.database {
                sessions.push(Session::open(settings, database)?);
            }
        }
        let mut covered = Vec::with_capacity(sessions.len());
        for session in &mut sessions {
            let is_covered = databases.iter().any(|database| database == session.database());
            covered.push(if is_covered { Some(schemas::covered(session, settings)?) } else { None });
        }
        Ok(State { sessions, covered, cluster, own_role })
    }

    /// The sessions of databases that the target covers, each with the object ids of its schemas.
    pub(crate) fn databases(&mut self) -> impl Iterator<Item = (usize, &mut Session, Vec<u32>)> {
        self.sessions.iter_mut().zip(&self.covered).enumerate().filter_map(|(at, (session, schemas))| {
            let schemas = schemas.as_ref()?;
            Some((at, session, schemas.iter().map(|schema| schema.oid).collect()))
        })
    }

    /// The session of a database that the target covers.
    pub(crate) fn session_of(&self, database: &str) -> Option<usize> {
        let at = self.sessions.iter().position(|session| session.database() == database)?;
        self.covered.get(at)?.as_ref().map(|_| at)
    }

    /// Whether the target covers a schema that is there.
    pub(crate) fn covers_schema(&self, session: usize, name: &str) -> bool {
        let schemas = self.covered.get(session).and_then(Option::as_ref);
        schemas.is_some_and(|schemas| schemas.iter().any(|schema| schema.name == name))
    }

    /// Whether the server keeps one row for each grantor of a membership.
    pub(crate) fn memberships_by_grantor(&self) -> bool {
        self.sessions.first().is_some_and(|session| session.version() >= 160_000)
    }

    /// What is granted to each of these roles, by name.
    pub(crate) fn grants(&mut self, roles: &BTreeSet<String>) -> Result<HashMap<String, Grants>> {
        let mut all: HashMap<String, Grants> = HashMap::new();
        let oids: Vec<u32> =
            roles.iter().filter_map(|name| self.cluster.roles.get(name)).map(|role| role.oid).collect();
        if oids.is_empty() {
            return Ok(all);
        }
        let statement = format!(
            "{} SELECT e.kind, e.nsp, e.name, e.detail, e.privilege, r.rolname::text, g.rolname::text, \
             e.grantor = e.owner FROM entry e JOIN pg_roles r ON r.oid = e.grantee \
             JOIN pg_roles g ON g.oid = e.grantor WHERE e.grantee = ANY ($2)",
            acl::entries()
        );
        for (at, session, schemas) in self.databases() {
            session.for_each(
                &statement,
                &[(&schemas, Type::OID_ARRAY), (&oids, Type::OID_ARRAY)],
                |row| {
                    let Some(kind) = Kind::from_name(get(row, 0)?) else { return Ok(()) };
                    let object = Object {
                        session: at,
                        kind,
                        schema: get(row, 1)?,
                        name: get(row, 2)?,
                        detail: get(row, 3)?,
                    };
                    let grants = all.entry(get(row, 5)?).or_default().entry(object).or_default();
                    let grantors = grants.entry(get(row, 4)?).or_default();
                    // The owner's grants are taken back without saying whose they are.
                    if !get::<bool>(row, 7)? {
                        grantors.insert(get(row, 6)?);
                    }
                    Ok(())
                },
            )?;
        }
        Ok(all)
    }

    /// Those of the objects that stand in the catalogue, each with its owner.
    pub(crate) fn find(&mut self, objects: &BTreeSet<Object>) -> Result<HashMap<Object, String>> {
        let mut found = HashMap::new();
        for (at, session, schemas) in self.databases() {
            let wanted: Vec<&Object> = objects.iter().filter(|object| object.session == at).collect();
            if wanted.is_empty() {
                continue;
            }
            let column =
                |part: fn(&Object) -> &str| -> Vec<&str> { wanted.iter().map(|&one| part(one)).collect() };
            let kinds: Vec<&str> = column(|object| object.kind.name());
            let (nsps, names, details) = (
                column(|object| &object.schema),
                column(|object| &object.name),
                column(|object| &object.detail),
            );
            let statement = format!(
                "{}, known AS (SELECT kind, nsp, name, detail, owner FROM object UNION ALL \
                 SELECT 'column', r.nspname::text, r.relname::text, c.attname::text, r.owner \
                 FROM relation r JOIN pg_attribute c ON c.attrelid = r.oid \
                 WHERE c.attnum > 0 AND NOT c.attisdropped AND r.kind <> 'sequence') \
                 SELECT k.kind, k.nsp, k.name, k.detail, o.rolname::text FROM known k \
                 JOIN unnest($2::text[], $3::text[], $4::text[], $5::text[]) w (kind, nsp, name, detail) \
                 USING (kind, nsp, name, detail) JOIN pg_roles o ON o.oid = k.owner",
                acl::entries()
            );
            session.for_each(
                &statement,
                &[
                    (&schemas, Type::OID_ARRAY),
                    (&kinds, Type::TEXT_ARRAY),
                    (&nsps, Type::TEXT_ARRAY),
                    (&names, Type::TEXT_ARRAY),
                    (&details, Type::TEXT_ARRAY),
                ],
                |row| {
                    let Some(kind) = Kind::from_name(get(row, 0)?) else { return Ok(()) };
                    let object = Object {
                        session: at,
                        kind,
                        schema: get(row, 1)?,
                        name: get(row, 2)?,
                        detail: get(row, 3)?,
                    };
                    found.insert(object, get(row, 4)?);
                    Ok(())
                },
            )?;
        }
        Ok(found)
    }

    /// What stands below a database or a schema and knows the privilege.
    pub(crate) fn below(&mut self, parent: &Object, privilege: &str) -> Result<Vec<(Object, &'static str)>> {
        let mut found = Vec::new();
        let statement = format!(
            "SELECT kind, nsp, name, detail FROM (SELECT {} AS kind, n.nspname::text AS nsp, c.relname::text AS name, \
             '' AS detail FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.oid = ANY ($1) UNION ALL \
             SELECT CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, n.nspname::text, p.proname::text, \
             {ARGUMENTS} FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.oid = ANY ($1) \
             UNION ALL SELECT 'schema', n.nspname::text, '', '' FROM pg_namespace n WHERE n.oid = ANY ($1)) o \
             WHERE $2 = '' OR (nsp = $2 AND kind <> 'schema')",
            crate::objects::RELATION_KIND
        );
        for (at, session, schemas) in self.databases().filter(|(at, ..)| *at == parent.session) {
            session.for_each(
                &statement,
                &[(&schemas, Type::OID_ARRAY), (&parent.schema, Type::TEXT)],
                |row| {
                    let known = Kind::from_name(get(row, 0)?);
                    if let Some((kind, word)) =
                        known.and_then(|kind| Some((kind, kind.privilege(privilege)?)))
                    {
                        let object = Object {
                            session: at,
                            kind,
                            schema: get(row, 1)?,
                            name: get(row, 2)?,
                            detail: get(row, 3)?,
                        };
                        found.push((object, word));
                    }
                    Ok(())
                },
            )?;
        }
        Ok(found)
    }

    /// How many objects each of these roles owns, and in which databases something else depends on it. An empty name
    /// stands for what belongs to the whole cluster.
    pub(crate) fn dependencies(&mut self, roles: &BTreeSet<String>) -> Result<HashMap<String, Dependencies>> {
        let names: Vec<&String> = roles.iter().collect();
        let mut all: HashMap<String, Dependencies> = HashMap::new();
        let Some(first) = self.sessions.first_mut().filter(|_| !names.is_empty()) else { return Ok(all) };
        first.for_each(
            "SELECT r.rolname::text, coalesce(b.datname::text, ''), count(*) FILTER (WHERE d.deptype = 'o') \
             FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid LEFT JOIN pg_database b ON b.oid = d.dbid \
             WHERE d.refclassid = 'pg_authid'::regclass AND r.rolname = ANY ($1::text[]) GROUP BY 1, 2",
            &[(&names, Type::TEXT_ARRAY)],
            |row| {
                let dependencies = all.entry(get(row, 0)?).or_default();
                dependencies.databases.insert(get(row, 1)?);
                dependencies.owned += get::<i64>(row, 2)?;
                Ok(())
            },
        )?;
        Ok(all)
    }

    /// Raito's policies in the schemas that the target covers.
    pub(crate) fn policies(&mut self) -> Result<Vec<Policy>> {
        let mut policies = Vec::new();
        for (at, session, schemas) in self.databases() {
            session.for_each(
                "SELECT n.nspname::text, c.relname::text, p.polname::text, obj_description(p.oid, 'pg_policy'), \
                 p.polpermissive AND p.polcmd = 'r' AND p.polqual IS NOT NULL, \
                 (SELECT array_agg(r.rolname::text) FROM unnest(p.polroles) AS o (oid) \
                  LEFT JOIN pg_roles r ON r.oid = o.oid) \
                 FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.oid = ANY ($1)",
                &[(&schemas, Type::OID_ARRAY)],
                |row| {
                    let comment: Option<&str> = get(row, 3)?;
                    let Some(mark) = comment.and_then(Mark::parse) else { return Ok(()) };
                    policies.push(Policy {
                        session: at,
                        schema: get(row, 0)?,
                        table: get(row, 1)?,
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

    /// Whether row security is on for a table, and how many policies it has. None if there is no such table.
    pub(crate) fn row_security(
        &mut self,
        session: usize,
        schema: &str,
        table: &str,
    ) -> Result<Option<(bool, i64)>> {
        let Some(session) = self.sessions.get_mut(session) else { return Ok(None) };
        let rows = session.query(
            "SELECT c.relrowsecurity, (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid) FROM pg_class c \
             JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p') AND n.nspname = $1::text AND c.relname = $2::text",
            &[(&schema, Type::TEXT), (&table, Type::TEXT)],
        )?;
        rows.first().map(|row| Ok((get(row, 0)?, get(row, 1)?))).transpose()
    }
}

/// What stands in the way of dropping a role.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dependencies {
    pub(crate) owned: i64,
    pub(crate) databases: BTreeSet<String>,
}
