//! What is none of an access file's business: everything in the catalogue that does not carry its mark.

use crate::site::Site;

/// Roles with the mark of access files with the default prefix.
const MANAGED: &str = "managed AS (SELECT oid FROM pg_authid WHERE NOT rolcanlogin AND \
    regexp_replace(shobj_description(oid, 'pg_authid'), '.*\\n', '') LIKE 'raito[R\\_]:%')";

/// Roles, their comments and settings, memberships in roles of others, and databases.
const OF_CLUSTER: &str = "SELECT 'role ' || to_jsonb(a)::text || coalesce(shobj_description(oid, 'pg_authid'), '') \
    FROM pg_authid a WHERE oid NOT IN (SELECT oid FROM managed) UNION ALL \
    SELECT 'setting ' || to_jsonb(s)::text FROM pg_db_role_setting s UNION ALL \
    SELECT 'membership ' || to_jsonb(a)::text FROM pg_auth_members a WHERE roleid NOT IN (SELECT oid FROM managed) \
      AND member NOT IN (SELECT oid FROM managed) UNION ALL \
    SELECT 'database ' || (to_jsonb(d) - 'datacl' - 'datfrozenxid' - 'datminmxid')::text || \
      coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database d UNION ALL \
    SELECT 'right ' || datname || to_jsonb(e)::text \
    FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) e WHERE grantee NOT IN (SELECT oid FROM managed)";

/// What one database holds, with the rights of others on it.
const OF_DATABASE: &str = "SELECT 'object ' || o.kind || o.oid || o.name || o.owner FROM object o UNION ALL \
    SELECT 'right ' || o.kind || o.oid || to_jsonb(e)::text FROM object o, aclexplode(coalesce(o.acl, acldefault(o.letter, o.owner))) e \
    WHERE e.grantee NOT IN (SELECT oid FROM managed) UNION ALL \
    SELECT 'column ' || attrelid || attname || to_jsonb(e)::text FROM pg_attribute, aclexplode(attacl) e \
    WHERE e.grantee NOT IN (SELECT oid FROM managed) UNION ALL \
    SELECT 'security ' || oid || relrowsecurity || relforcerowsecurity FROM pg_class UNION ALL \
    SELECT 'policy ' || to_jsonb(p)::text FROM pg_policies p UNION ALL \
    SELECT 'defaults ' || to_jsonb(d)::text FROM pg_default_acl d UNION ALL \
    SELECT 'comment ' || to_jsonb(d)::text FROM pg_description d WHERE objoid >= 16384";

const OBJECTS: &str = "object AS (\
    SELECT oid, 'schema ' AS kind, nspname::text AS name, nspowner AS owner, 'n'::\"char\" AS letter, nspacl AS acl \
    FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp' UNION ALL \
    SELECT oid, 'relation ', relname, relowner, CASE relkind WHEN 'S' THEN 's'::\"char\" ELSE 'r' END, relacl \
    FROM pg_class WHERE oid >= 16384 UNION ALL \
    SELECT oid, 'routine ', proname, proowner, 'f', proacl FROM pg_proc WHERE oid >= 16384 UNION ALL \
    SELECT oid, 'type ', typname, typowner, 'T', typacl FROM pg_type WHERE oid >= 16384)";

/// All of it, in all databases of the target, as sorted lines. The policies among it are everybody's.
pub(crate) fn lines(site: &Site) -> Vec<String> {
    let mut lines = site.texts("postgres", &format!("WITH {MANAGED} {OF_CLUSTER}"));
    for database in &site.databases {
        let here = site.texts(database, &format!("WITH {MANAGED}, {OBJECTS} {OF_DATABASE}"));
        lines.extend(here.into_iter().map(|line| format!("{database}: {line}")));
    }
    lines.sort();
    lines
}
