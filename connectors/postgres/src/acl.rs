//! Access lists of a database's objects, as the parts of a query.
//!
//! A missing access list means the server's default, not nothing: everybody may connect to a database and call a
//! function.

use crate::objects::{ARGUMENTS, RELATION_KIND};

/// Three common table expressions over the schemas in the parameter `$1`:
///
/// - `relation (oid, nspname, relname, owner, kind, acl)`: what is in `pg_class`;
/// - `object (kind, nsp, name, detail, owner, acl)`: the database, schemas, relations and routines;
/// - `entry (grantee, grantor, owner, kind, nsp, name, detail, privilege, grantable)`: what is granted to others than the
///   owner, on objects and on columns. The detail is the column, or the input types of a routine.
///
/// Access lists are put together with nothing: the server keeps a long one compressed, and would unpack it anew for each
/// entry.
///
/// Names are cast to `text`: the branches of a UNION take the type of the first one, and `name` cuts at 63 bytes.
pub(crate) fn entries() -> String {
    format!(
        "WITH relation AS (\
           SELECT c.oid, n.nspname, c.relname, c.relowner AS owner, {RELATION_KIND} AS kind, \
             coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's'::\"char\" ELSE 'r' END, c.relowner)) AS acl \
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
           WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.oid = ANY ($1)), \
         object AS (\
           SELECT 'database'::text AS kind, ''::text AS nsp, ''::text AS name, ''::text AS detail, d.datdba AS owner, \
             coalesce(d.datacl, acldefault('d', d.datdba)) AS acl \
           FROM pg_database d WHERE d.datname = current_database() \
           UNION ALL \
           SELECT 'schema', n.nspname::text, '', '', n.nspowner, coalesce(n.nspacl, acldefault('n', n.nspowner)) \
           FROM pg_namespace n WHERE n.oid = ANY ($1) \
           UNION ALL \
           SELECT kind, nspname::text, relname::text, '', owner, acl FROM relation \
           UNION ALL \
           SELECT CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, n.nspname::text, p.proname::text, \
             {ARGUMENTS}, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner)) \
           FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.oid = ANY ($1)), \
         entry AS (\
           SELECT a.grantee, a.grantor, o.owner, o.kind, o.nsp, o.name, o.detail, a.privilege_type AS privilege, \
             a.is_grantable AS grantable \
           FROM object o CROSS JOIN LATERAL aclexplode(o.acl || '{{}}'::aclitem[]) a WHERE a.grantee <> o.owner \
           UNION ALL \
           SELECT a.grantee, a.grantor, r.owner, 'column', r.nspname::text, r.relname::text, c.attname::text, \
             a.privilege_type, a.is_grantable \
           FROM relation r JOIN pg_attribute c ON c.attrelid = r.oid CROSS JOIN LATERAL aclexplode(c.attacl || '{{}}'::aclitem[]) a \
           WHERE c.attacl IS NOT NULL AND NOT c.attisdropped AND a.grantee <> r.owner) "
    )
}
