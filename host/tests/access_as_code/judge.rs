//! What the server says: who may do what, in all databases, and who is a member of what.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{Holder, membership, right};
use crate::site::Site;

/// The beginning of the marks of access files with the default prefix.
const MARK: &str = "raito[R_]:";

/// Roles that are neither the server's nor the connector's, the objects that do not belong to the server, and every
/// privilege that a role has on them: role, kind, schema, name, detail, privilege.
const RIGHTS: &str = "WITH subject AS (SELECT oid, rolname FROM pg_roles WHERE NOT rolsuper AND rolname !~ '^(pg_|keeper$)'), \
    nsp AS (SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'), \
    rel AS (SELECT c.oid, nspname, relname, relkind FROM pg_class c JOIN nsp ON nsp.oid = relnamespace), \
    word (kinds, word) AS (VALUES ('rvm', 'SELECT'), ('rvm', 'INSERT'), ('rvm', 'UPDATE'), ('rvm', 'DELETE'), \
      ('rvm', 'TRUNCATE'), ('rvm', 'REFERENCES'), ('rvm', 'TRIGGER'), ('S', 'USAGE'), ('S', 'SELECT'), ('S', 'UPDATE')) \
    SELECT rolname, 'database', '', '', '', w FROM subject s, unnest('{CONNECT,TEMPORARY,CREATE}'::text[]) w \
    WHERE has_database_privilege(s.oid, current_database(), w) UNION ALL \
    SELECT rolname, 'schema', nspname, '', '', w FROM subject s, nsp, unnest('{USAGE,CREATE}'::text[]) w \
    WHERE has_schema_privilege(s.oid, nsp.oid, w) UNION ALL \
    SELECT rolname, CASE relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized-view' \
      ELSE 'sequence' END, nspname, relname, '', word FROM subject s, rel JOIN word ON strpos(kinds, relkind::text) > 0 \
    WHERE CASE relkind WHEN 'S' THEN has_sequence_privilege(s.oid, rel.oid, word) \
      ELSE has_table_privilege(s.oid, rel.oid, word) END UNION ALL \
    SELECT rolname, 'column', nspname, relname, attname, w FROM subject s, rel JOIN pg_attribute a ON attrelid = rel.oid, \
      unnest('{SELECT,INSERT,UPDATE,REFERENCES}'::text[]) w \
    WHERE relkind IN ('r', 'v', 'm') AND attnum > 0 AND has_column_privilege(s.oid, rel.oid, attnum, w) UNION ALL \
    SELECT rolname, CASE prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, nspname, proname, \
      oidvectortypes(proargtypes), 'EXECUTE' FROM subject s, pg_proc p JOIN nsp ON nsp.oid = pronamespace \
    WHERE has_function_privilege(s.oid, p.oid, 'EXECUTE')";

/// Pairs of roles where the first is a member of the second, and whether it is an immediate one.
const MEMBERSHIPS: &str = "SELECT m.rolname, r.rolname, \
      EXISTS (SELECT FROM pg_auth_members a WHERE a.roleid = r.oid AND a.member = m.oid)::text \
    FROM pg_roles m, pg_roles r WHERE m.oid <> r.oid AND NOT m.rolsuper AND m.rolname !~ '^(pg_|keeper$)' AND r.rolname !~ '^pg_' \
      AND pg_has_role(m.oid, r.oid, 'USAGE')";

/// The roles of access controls by their names, with the id in the mark.
pub(crate) fn managed(site: &Site) -> BTreeMap<String, String> {
    let rows = site.server.rows(
        "postgres",
        "SELECT rolname, shobj_description(oid, 'pg_authid') FROM pg_roles WHERE NOT rolcanlogin AND \
         shobj_description(oid, 'pg_authid') IS NOT NULL",
    );
    rows.into_iter()
        .filter_map(|row| {
            let [name, comment] = row.try_into().ok()?;
            let (name, comment) = (name?, comment?);
            let id = comment.rsplit('\n').next()?.strip_prefix(MARK)?;
            Some((name, unescaped(without_digest(id))))
        })
        .collect()
}

fn without_digest(id: &str) -> &str {
    match id.rsplit_once('#') {
        Some((id, digest)) if digest.len() == 16 => id,
        _ => id,
    }
}

fn unescaped(id: &str) -> String {
    let mut text = id.to_owned();
    for (escape, plain) in [("%0D", "\r"), ("%0A", "\n"), ("%23", "#"), ("%5D", "]"), ("%25", "%")] {
        text = text.replace(escape, plain);
    }
    text
}

/// Everybody there is.
pub(crate) fn holders(site: &Site, managed: &BTreeMap<String, String>) -> BTreeSet<Holder> {
    let query = "SELECT rolname FROM pg_roles WHERE NOT rolsuper AND rolname !~ '^(pg_|keeper$)'";
    site.texts("postgres", query).iter().map(|role| holder(role, managed)).collect()
}

fn holder(role: &str, managed: &BTreeMap<String, String>) -> Holder {
    match managed.get(role) {
        Some(id) => Holder::Control(id.clone()),
        None => Holder::Role(role.to_owned()),
    }
}

/// Everything that everybody may do and is a member of, as lines.
pub(crate) fn lines(site: &Site, managed: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for database in &site.databases {
        for row in site.server.rows(database, RIGHTS) {
            let [role, kind, schema, name, detail, word] = row.try_into().unwrap();
            let texts = [kind, schema, name, detail].map(Option::unwrap_or_default);
            let [kind, schema, name, detail] = &texts;
            let holder = holder(&role.unwrap(), managed);
            lines.insert(right(&holder, [database, kind, schema, name, detail], &word.unwrap()));
        }
    }
    for row in site.server.rows("postgres", MEMBERSHIPS) {
        let [member, of, immediate] = row.try_into().unwrap();
        let (member, of) = (holder(&member.unwrap(), managed), holder(&of.unwrap(), managed));
        lines.insert(membership(&member, &of, "a"));
        if immediate.as_deref() == Some("true") && matches!(of, Holder::Control(_)) {
            lines.insert(membership(&member, &of, "an immediate"));
        }
    }
    lines
}
