//! What the catalogue of a server says, as the records that ought to arrive.
//!
//! Access lists are read as the server prints them: `grantee=letters/grantor`, the grantee in quotes where it has to
//! be, missing for everybody. A missing list stands for the default: everybody may connect to a database, make temporary
//! tables in it, and call a routine.

use std::collections::{BTreeMap, BTreeSet};

use raito_test_servers::Postgres;

use crate::records::{AccessControl, DataObject, Records, User, What};

/// Not the system's own.
const SCHEMAS: &str = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'";

/// Carried by what Raito made.
pub(crate) const MARK: &str = "raito:%";

const LETTERS: [(char, &str); 14] = [
    ('r', "SELECT"),
    ('a', "INSERT"),
    ('w', "UPDATE"),
    ('d', "DELETE"),
    ('D', "TRUNCATE"),
    ('x', "REFERENCES"),
    ('t', "TRIGGER"),
    ('m', "MAINTAIN"),
    ('U', "USAGE"),
    ('C', "CREATE"),
    ('c', "CONNECT"),
    ('T', "TEMPORARY"),
    ('X', "EXECUTE"),
    ('*', ""),
];

/// One database of a server.
pub(crate) struct Catalogue<'a> {
    pub(crate) server: &'a Postgres,
    pub(crate) database: &'a str,
}

/// A full name.
pub(crate) fn path(parts: &[&str]) -> String {
    let part = |part: &&str| {
        if part.is_empty() || part.contains(['.', '"', '(', ')']) || part.trim() != *part {
            format!("\"{}\"", part.replace('"', "\"\""))
        } else {
            (*part).to_owned()
        }
    };
    parts.iter().map(part).collect::<Vec<_>>().join(".")
}

/// Grantee and privileges of an entry of an access list.
fn acl_entry(entry: &str) -> (String, BTreeSet<String>) {
    let (grantee, rest) = match entry.strip_prefix('"') {
        Some(quoted) => {
            let mut end = 0;
            loop {
                end += quoted[end..].find('"').unwrap();
                if !quoted[end + 1..].starts_with('"') {
                    break (quoted[..end].replace("\"\"", "\""), &quoted[end + 1..]);
                }
                end += 2;
            }
        }
        None => {
            entry.split_once('=').map(|(grantee, _)| (grantee.to_owned(), &entry[grantee.len()..])).unwrap()
        }
    };
    let (letters, _) = rest.strip_prefix('=').unwrap().split_once('/').unwrap();
    let word = |letter: char| LETTERS.iter().find(|(known, _)| *known == letter).unwrap().1.to_owned();
    (grantee, letters.chars().map(word).filter(|word| !word.is_empty()).collect())
}

impl Catalogue<'_> {
    /// The rows of a query; NULL is the empty text.
    pub(crate) fn rows<const N: usize>(&self, query: &str) -> Vec<[String; N]> {
        let rows = self.server.rows(self.database, query);
        rows.into_iter()
            .map(|row| row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().try_into().unwrap())
            .collect()
    }

    /// The one value of a query.
    #[track_caller]
    pub(crate) fn value(&self, query: &str) -> String {
        let rows = self.rows::<1>(query);
        assert_eq!(rows.len(), 1, "{query}");
        rows[0][0].clone()
    }

    fn names(&self, query: &str) -> BTreeSet<String> {
        self.rows(query).into_iter().map(|[name]| name).collect()
    }

    pub(crate) fn users(&self) -> Records<User> {
        let rows =
            self.rows("SELECT usename, usesuper, usebypassrls, valuntil FROM pg_user ORDER BY usename");
        let users = rows.into_iter().map(|[name, superuser, bypasses, until]| {
            let tags = [
                ("superuser", superuser == "t", "true"),
                ("bypasses-row-security", bypasses == "t", "true"),
                ("password-valid-until", !until.is_empty(), until.as_str()),
            ];
            let user = User {
                account: name.clone(),
                email: name.contains('@').then(|| name.clone()),
                machine: Some(name.starts_with("svc_") || name == "raito"),
                tags: tags
                    .into_iter()
                    .filter(|(_, present, _)| *present)
                    .map(|(key, _, value)| (key.to_owned(), value.to_owned()))
                    .collect(),
                name,
            };
            (user.name.clone(), user)
        });
        users.collect()
    }

    /// Data objects by full name.
    pub(crate) fn data_objects(&self) -> Records<DataObject> {
        let relations = [
            ("pg_tables", "schemaname, tablename", "table"),
            ("pg_views", "schemaname, viewname", "view"),
            ("pg_matviews", "schemaname, matviewname", "materialized-view"),
            ("pg_sequences", "schemaname, sequencename", "sequence"),
            ("information_schema.foreign_tables", "foreign_table_schema, foreign_table_name", "foreign-table"),
        ]
        .map(|(view, names, kind)| {
            format!(
                "SELECT '{kind}', n.nspname, r.name, NULL, obj_description(format('%I.%I', n.nspname, r.name)::regclass), \
                 NULL FROM (SELECT {names} FROM {view}) r (nsp, name) JOIN pg_namespace n ON n.nspname = r.nsp \
                 WHERE {SCHEMAS}"
            )
        });
        let rows: Vec<[String; 6]> = self.rows(&format!(
            "SELECT 'database', NULL, NULL, NULL, shobj_description(oid, 'pg_database'), NULL FROM pg_database \
             WHERE datname = current_database() \
             UNION ALL SELECT 'schema', n.nspname, NULL, NULL, obj_description(n.oid), NULL FROM pg_namespace n \
             WHERE {SCHEMAS} \
             UNION ALL {} \
             UNION ALL SELECT CASE prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, n.nspname, proname, \
             oidvectortypes(proargtypes), obj_description(p.oid, 'pg_proc'), NULL \
             FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE {SCHEMAS} \
             UNION ALL SELECT 'column', n.nspname, relname, attname, col_description(c.oid, attnum), \
             format_type(atttypid, atttypmod) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
             JOIN pg_attribute ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped \
             WHERE relkind NOT IN ('S', 'i', 'I', 't', 'c') AND {SCHEMAS}",
            relations.join(" UNION ALL ")
        ));
        let mut objects = Records::new();
        for [kind, schema, name, detail, description, data_type] in rows {
            let full_name = self.full_name(&kind, &schema, &name, &detail);
            let (own_name, parent) = match kind.as_str() {
                "database" => (self.database.to_owned(), String::new()),
                "schema" => (schema, path(&[self.database])),
                "column" => (detail, path(&[self.database, &schema, &name])),
                _ => (name, path(&[self.database, &schema])),
            };
            let data_type = (kind == "column").then_some(data_type);
            let object = DataObject {
                full_name: full_name.clone(),
                name: own_name,
                kind,
                description,
                parent,
                data_type,
            };
            assert!(objects.insert(full_name.clone(), object).is_none(), "{full_name}");
        }
        objects
    }

    fn full_name(&self, kind: &str, schema: &str, name: &str, detail: &str) -> String {
        match kind {
            "database" => path(&[self.database]),
            "schema" => path(&[self.database, schema]),
            "column" => path(&[self.database, schema, name, detail]),
            "function" | "procedure" => format!("{}({detail})", path(&[self.database, schema, name])),
            _ => path(&[self.database, schema, name]),
        }
    }

    /// What is granted to each role but the owner, and to everybody under the empty name, and what each role owns.
    fn granted(&self) -> BTreeMap<String, What> {
        let rows: Vec<[String; 6]> = self.rows(&format!(
            "SELECT 'database', '', '', '', pg_get_userbyid(datdba), array_to_json(datacl::text[])::text \
             FROM pg_database WHERE datname = current_database() \
             UNION ALL SELECT 'schema', n.nspname, '', '', pg_get_userbyid(nspowner), array_to_json(nspacl::text[])::text \
             FROM pg_namespace n WHERE {SCHEMAS} \
             UNION ALL SELECT CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized-view' \
             WHEN 'f' THEN 'foreign-table' WHEN 'S' THEN 'sequence' ELSE 'table' END, n.nspname, relname, '', \
             pg_get_userbyid(relowner), array_to_json(relacl::text[])::text \
             FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind NOT IN ('i', 'I', 't', 'c') AND {SCHEMAS} \
             UNION ALL SELECT CASE prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, n.nspname, proname, \
             oidvectortypes(proargtypes), pg_get_userbyid(proowner), array_to_json(proacl::text[])::text \
             FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace WHERE {SCHEMAS} \
             UNION ALL SELECT 'column', n.nspname, relname, attname, pg_get_userbyid(relowner), \
             array_to_json(attacl::text[])::text FROM pg_attribute JOIN pg_class c ON c.oid = attrelid \
             JOIN pg_namespace n ON n.oid = relnamespace WHERE attacl IS NOT NULL AND {SCHEMAS}"
        ));
        let mut by_grantee: BTreeMap<String, What> = BTreeMap::new();
        for [kind, schema, name, detail, owner, acl] in rows {
            let item = format!("{kind} {}", self.full_name(&kind, &schema, &name, &detail));
            let entries: Vec<String> = match (acl.as_str(), kind.as_str()) {
                ("", "database") => vec!["=Tc/".into()],
                ("", "function" | "procedure") => vec!["=X/".into()],
                ("", _) => Vec::new(),
                (acl, _) => serde_json::from_str(acl).unwrap(),
            };
            for entry in entries {
                let (grantee, privileges) = acl_entry(&entry);
                if grantee != owner {
                    by_grantee
                        .entry(grantee)
                        .or_default()
                        .entry(item.clone())
                        .or_default()
                        .extend(privileges);
                }
            }
            if kind != "column" {
                by_grantee.entry(owner).or_default().entry(item).or_default().insert("OWNERSHIP".into());
            }
        }
        by_grantee
    }

    /// What is granted to a role, one line for each object, in order.
    pub(crate) fn granted_to(&self, role: &str) -> Vec<String> {
        let what = self.granted().remove(role).unwrap_or_default();
        what.into_iter().map(|(item, permissions)| format!("{item}: {}", words(&permissions))).collect()
    }

    /// Who has what a role has, and whether some have it through a user.
    fn holders(&self) -> BTreeMap<String, (BTreeSet<String>, bool)> {
        let rows: Vec<[String; 4]> = self.rows(
            "WITH RECURSIVE h (role, member, depth) AS (SELECT roleid, member, 1 FROM pg_auth_members \
             UNION SELECT h.role, m.member, h.depth + 1 FROM h JOIN pg_auth_members m ON m.roleid = h.member \
             JOIN pg_roles u ON u.oid = h.member WHERE u.rolcanlogin) \
             SELECT pg_get_userbyid(role), rolname, rolcanlogin, min(depth) > 1 FROM h JOIN pg_roles r ON r.oid = member \
             GROUP BY 1, 2, 3",
        );
        let mut holders: BTreeMap<String, (BTreeSet<String>, bool)> = BTreeMap::new();
        for [role, member, login, indirect] in rows {
            let (who, through_user) = holders.entry(role).or_default();
            who.insert(holder(&member, login == "t"));
            *through_user |= indirect == "t";
        }
        // A role that the server brought along and that leads to nobody is no access control.
        let held: BTreeSet<String> = holders
            .iter()
            .filter(|(_, (who, _))| who.iter().any(|member| !member.contains(" role:pg_")))
            .map(|(role, _)| holder(role, false))
            .collect();
        for (who, _) in holders.values_mut() {
            who.retain(|member| !member.contains(" role:pg_") || held.contains(member));
        }
        holders
    }

    /// Access controls by external id. What Raito made is left out: Raito says what it is, not the server.
    pub(crate) fn access_controls(&self) -> Records<AccessControl> {
        let holders = self.holders();
        let mut granted = self.granted();
        let who_of = |role: &str, login: bool| {
            let mut who = BTreeSet::from([holder(role, login)]);
            who.extend(holders.get(role).filter(|_| login).into_iter().flat_map(|(who, _)| who.clone()));
            who
        };
        let roles: Vec<[String; 4]> = self.rows(
            "SELECT rolname, rolcanlogin, rolsuper, rolname LIKE 'pg\\_%' FROM pg_roles \
             WHERE coalesce(shobj_description(oid, 'pg_authid'), '') NOT LIKE 'raito:%'",
        );
        let is_user = |name: &str| roles.iter().any(|[role, login, ..]| role == name && login == "t");
        let everybody: BTreeSet<String> =
            roles.iter().filter(|role| role[1] == "t").map(|[name, ..]| holder(name, true)).collect();

        let mut controls = Records::new();
        let what = granted.remove("").unwrap_or_default();
        let to_everybody = locked("granted to everybody (PUBLIC)", "aclSet", "PUBLIC");
        let to_everybody =
            AccessControl { name: "Grants to PUBLIC".into(), who: everybody.clone(), what, ..to_everybody };
        controls.insert("grants:PUBLIC".into(), to_everybody);
        for [role, login, superuser, predefined] in &roles {
            let what = granted.remove(role).unwrap_or_default();
            if login == "t" {
                if !what.is_empty() {
                    let direct = AccessControl {
                        name: format!("Direct grants to {role}"),
                        who: who_of(role, true),
                        what,
                        complete: superuser != "t",
                        ..locked("granted to a user directly, not through a role", "aclSet", role)
                    };
                    controls.insert(format!("grants:{role}"), direct);
                }
                continue;
            }
            let (who, through_user) = holders.get(role).cloned().unwrap_or_default();
            let like = if predefined == "t" {
                if who.is_empty() {
                    continue;
                }
                locked("the server brought this role along", "role", role)
            } else if superuser == "t" {
                locked("a superuser may do everything, whatever is granted", "role", role)
            } else {
                let owns = what.values().any(|permissions| permissions.contains("OWNERSHIP"));
                let locks = [
                    (through_user, "WhoLock", "a member that can log in has members of its own"),
                    (owns, "DeleteLock", "the role owns objects"),
                ];
                let locks = locks.into_iter().filter(|(locked, ..)| *locked);
                AccessControl {
                    not_internalizable: false,
                    locks: locks.map(|(_, part, reason)| (part.to_owned(), reason.to_owned())).collect(),
                    ..locked("", "role", role)
                }
            };
            let complete = superuser != "t" && predefined != "t";
            controls.insert(format!("role:{role}"), AccessControl { complete, who, what, ..like });
        }
        self.default_privileges(&mut controls, &everybody, |role| who_of(role, is_user(role)));
        self.policies(&mut controls, &everybody, |role| who_of(role, is_user(role)));
        controls
    }

    fn default_privileges(
        &self,
        controls: &mut Records<AccessControl>,
        everybody: &BTreeSet<String>,
        who_of: impl Fn(&str) -> BTreeSet<String>,
    ) {
        let rows: Vec<[String; 4]> = self.rows(
            "SELECT pg_get_userbyid(defaclrole), nspname, CASE defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' \
             WHEN 'f' THEN 'ROUTINES' WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' END, array_to_json(defaclacl::text[])::text \
             FROM pg_default_acl LEFT JOIN pg_namespace n ON n.oid = defaclnamespace",
        );
        for [creator, schema, objects, acl] in rows {
            for entry in serde_json::from_str::<Vec<String>>(&acl).unwrap() {
                let (grantee, privileges) = acl_entry(&entry);
                if grantee == creator {
                    continue;
                }
                let (kind, place) = match schema.as_str() {
                    "" => ("database", path(&[self.database])),
                    schema => ("schema", path(&[self.database, schema])),
                };
                let (named, who) = match grantee.as_str() {
                    "" => ("public", everybody.clone()),
                    grantee => (grantee, who_of(grantee)),
                };
                let id = path(&[self.database, &creator, &schema, &objects, named]);
                let permissions =
                    privileges.iter().map(|privilege| format!("{privilege} ON FUTURE {objects}")).collect();
                let control = AccessControl {
                    name: format!(
                        "Default privileges of {creator} on {} in {place} for {named}",
                        objects.to_lowercase()
                    ),
                    who,
                    what: What::from([(format!("{kind} {place}"), permissions)]),
                    ..locked("default privileges belong to the role that creates the objects", "aclSet", &id)
                };
                assert!(controls.insert(format!("default:{id}"), control).is_none(), "{id}");
            }
        }
    }

    fn policies(
        &self,
        controls: &mut Records<AccessControl>,
        everybody: &BTreeSet<String>,
        who_of: impl Fn(&str) -> BTreeSet<String>,
    ) {
        let rows: Vec<[String; 8]> = self.rows(&format!(
            "SELECT p.schemaname, p.tablename, policyname, permissive, array_to_json(p.roles)::text, cmd, qual, with_check \
             FROM pg_policies p JOIN pg_tables t USING (schemaname, tablename) WHERE t.rowsecurity AND NOT EXISTS \
             (SELECT FROM pg_policy o WHERE o.polname = policyname AND obj_description(o.oid, 'pg_policy') LIKE '{MARK}')"
        ));
        for [schema, table, policy, permissive, roles, command, using, check] in rows {
            let roles: Vec<String> = serde_json::from_str(&roles).unwrap();
            let who = if roles.iter().any(|role| role == "public") {
                everybody.clone()
            } else {
                roles.iter().flat_map(|role| who_of(role)).collect()
            };
            let plain = permissive == "PERMISSIVE"
                && ["SELECT", "ALL"].contains(&command.as_str())
                && check.is_empty();
            let control = AccessControl {
                action: "Filtered".into(),
                policy: if using.is_empty() { format!("WITH CHECK {check}") } else { using },
                complete: plain,
                who,
                what: What::from([(
                    format!("table {}", path(&[self.database, &schema, &table])),
                    BTreeSet::new(),
                )]),
                ..locked("a row security policy that was not made by Raito", "policy", &policy)
            };
            let id = path(&[self.database, &schema, &table, &policy]);
            controls.insert(format!("policy:{id}"), control);
        }
    }

    /// Everything that a sync may not change: memberships, comments, row security, policies, owners and access lists,
    /// all as the server prints them, without what belongs to Raito's roles.
    pub(crate) fn everything_else(&self) -> Vec<String> {
        let raitos = self.names(&format!(
            "SELECT rolname FROM pg_roles WHERE shobj_description(oid, 'pg_authid') LIKE '{MARK}'"
        ));
        let own = |name: &str| raitos.contains(name);
        let memberships: Vec<[String; 3]> = self.rows(
            "SELECT pg_get_userbyid(roleid), pg_get_userbyid(member), admin_option FROM pg_auth_members",
        );
        let mut lines: Vec<String> =
            memberships.into_iter().filter(|[role, ..]| !own(role)).map(|row| row.join(" <- ")).collect();
        let roles: Vec<[String; 2]> = self.rows(
            "SELECT rolname, row_to_json(r)::text || coalesce(shobj_description(oid, 'pg_authid'), '') FROM pg_roles r",
        );
        lines.extend(roles.into_iter().filter(|[name, _]| !own(name)).map(|[_, role]| role));
        for (grantee, what) in self.granted() {
            if !own(&grantee) {
                lines.extend(
                    what.into_iter().map(|(item, permissions)| format!("{grantee}: {item} {permissions:?}")),
                );
            }
        }
        lines.extend(self.names(&format!(
            "SELECT row_to_json(p)::text FROM pg_policies p WHERE NOT EXISTS (SELECT FROM pg_policy o \
             WHERE o.polname = policyname AND obj_description(o.oid, 'pg_policy') LIKE '{MARK}')"
        )));
        lines.extend(self.names("SELECT row_to_json(d)::text FROM pg_default_acl d"));
        // Row security of Raito's filters is switched on by them.
        lines.extend(self.names(&format!(
            "SELECT format('row security on %I.%I', schemaname, tablename) FROM pg_tables WHERE rowsecurity AND NOT EXISTS \
             (SELECT FROM pg_policy o WHERE o.polrelid = format('%I.%I', schemaname, tablename)::regclass \
             AND obj_description(o.oid, 'pg_policy') LIKE '{MARK}')"
        )));
        lines.sort();
        lines
    }
}

fn words(permissions: &BTreeSet<String>) -> String {
    permissions.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn holder(name: &str, login: bool) -> String {
    if login { format!("user {name}") } else { format!("access control role:{name}") }
}

/// An access control of nobody on nothing, with all locks.
fn locked(reason: &str, kind: &str, name: &str) -> AccessControl {
    let parts = ["WhoLock", "InheritanceLock", "WhatLock", "NameLock", "DeleteLock"];
    AccessControl {
        name: name.into(),
        naming_hint: name.into(),
        actual_name: name.into(),
        kind: kind.into(),
        action: "Grant".into(),
        policy: String::new(),
        complete: true,
        not_internalizable: true,
        who: BTreeSet::new(),
        what: What::new(),
        locks: parts.map(|part| (part.to_owned(), reason.to_owned())).into(),
    }
}
