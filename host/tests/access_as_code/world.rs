//! What access files are about in these tests: users, roles of others, and objects of every kind, under any names.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::names::{distinct, identifier, odd};
use crate::site::Site;

/// The databases. The first one lets nobody in who is not allowed to, the second is as a new one is.
pub(crate) const DATABASES: [&str; 2] = ["Main.DB \"é\"", "second"];

/// A name with a line break.
const UNNAMEABLE: &str = "line\nbreak";

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Database,
    Schema,
    Table,
    View,
    MaterializedView,
    Sequence,
    Function,
    Procedure,
    Column,
}

const RELATION: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"];

impl Kind {
    /// As access files and the judge call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Database => "database",
            Kind::Schema => "schema",
            Kind::Table => "table",
            Kind::View => "view",
            Kind::MaterializedView => "materialized-view",
            Kind::Sequence => "sequence",
            Kind::Function => "function",
            Kind::Procedure => "procedure",
            Kind::Column => "column",
        }
    }

    /// The privileges that the server knows on it.
    pub(crate) fn privileges(self) -> &'static [&'static str] {
        match self {
            Kind::Database => &["CONNECT", "TEMPORARY", "CREATE"],
            Kind::Schema => &["USAGE", "CREATE"],
            Kind::Table | Kind::View | Kind::MaterializedView => RELATION,
            Kind::Sequence => &["USAGE", "SELECT", "UPDATE"],
            Kind::Function | Kind::Procedure => &["EXECUTE"],
            Kind::Column => &["SELECT", "INSERT", "UPDATE", "REFERENCES"],
        }
    }

    /// The permissions that an access file may give on it: on databases and schemas also those of what stands below.
    pub(crate) fn permissions(self) -> &'static [&'static str] {
        match self {
            Kind::Database => &["CONNECT", "TEMPORARY", "CREATE", "SELECT", "USAGE", "EXECUTE"],
            Kind::Schema => &["USAGE", "CREATE", "SELECT", "INSERT", "UPDATE", "EXECUTE", "DELETE"],
            other => other.privileges(),
        }
    }
}

/// An object. What does not apply to its kind is empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Object {
    /// Position among [`DATABASES`].
    pub(crate) database: usize,
    pub(crate) kind: Kind,
    pub(crate) schema: String,
    pub(crate) name: String,
    /// The column, or the input types of a routine.
    pub(crate) detail: String,
}

impl Object {
    pub(crate) fn new(database: usize, kind: Kind, path: [&str; 3]) -> Self {
        let [schema, name, detail] = path.map(str::to_owned);
        Object { database, kind, schema, name, detail }
    }

    /// As it is named in access files: parts are quoted where they must be, or all of them.
    pub(crate) fn full_name(&self, quote_all: bool) -> String {
        let mut parts = vec![DATABASES[self.database]];
        parts.extend(Some(&*self.schema).filter(|part| !part.is_empty()));
        parts.extend(Some(&*self.name).filter(|part| !part.is_empty()));
        parts.extend(Some(&*self.detail).filter(|_| self.kind == Kind::Column));
        let quoted = parts.into_iter().map(|part| {
            let plain = !part.contains(['.', '"', '(', ')']) && part.trim() == part;
            if plain && !quote_all { part.to_owned() } else { identifier(part) }
        });
        let path = quoted.collect::<Vec<_>>().join(".");
        if matches!(self.kind, Kind::Function | Kind::Procedure) {
            format!("{path}({})", self.detail)
        } else {
            path
        }
    }

    /// What stands in GRANT and REVOKE: `SELECT ON TABLE "s"."t"`.
    pub(crate) fn clause(&self, privilege: &str) -> String {
        let path = format!("{}.{}", identifier(&self.schema), identifier(&self.name));
        match self.kind {
            Kind::Database => format!("{privilege} ON DATABASE {}", identifier(DATABASES[self.database])),
            Kind::Schema => format!("{privilege} ON SCHEMA {}", identifier(&self.schema)),
            Kind::Table | Kind::View | Kind::MaterializedView => format!("{privilege} ON TABLE {path}"),
            Kind::Sequence => format!("{privilege} ON SEQUENCE {path}"),
            Kind::Function | Kind::Procedure => format!("{privilege} ON ROUTINE {path}({})", self.detail),
            Kind::Column => format!("{privilege} ({}) ON TABLE {path}", identifier(&self.detail)),
        }
    }

    /// Whether it stands below a database or a schema.
    pub(crate) fn is_below(&self, other: &Object) -> bool {
        self.database == other.database
            && self.kind != Kind::Column
            && match other.kind {
                Kind::Database => self.kind != Kind::Database,
                Kind::Schema => {
                    !matches!(self.kind, Kind::Database | Kind::Schema) && self.schema == other.schema
                }
                _ => false,
            }
    }
}

/// Who owns everything where the target does not sign in as the superuser. It may make roles, and nothing else.
pub(crate) const KEEPER: &str = "keeper";

/// The names of a world.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) users: Vec<String>,
    /// A role that somebody else made: it may be a member of access controls, and has rights of its own.
    pub(crate) stranger: String,
    /// A role that owns a table.
    pub(crate) owner: String,
    schemas: Vec<String>,
    relations: Vec<String>,
    columns: Vec<String>,
    /// Everything that permissions can be given on.
    pub(crate) objects: Vec<Object>,
    /// The target signs in as the superuser. If not, nothing belongs to others: their rights could not be changed.
    pub(crate) superuser: bool,
}

/// Any world.
pub(crate) fn any() -> impl Strategy<Value = World> {
    let names = |count: usize| proptest::collection::vec(odd(), count..=count);
    let parts = (names(7), names(3), names(8), names(3), proptest::bool::ANY);
    parts.prop_map(|(roles, schemas, relations, columns, superuser)| {
        let mut roles = distinct(roles, false);
        let (owner, stranger) = (roles.pop().unwrap(), roles.pop().unwrap());
        let (schemas, relations, columns) =
            (distinct(schemas, false), distinct(relations, false), distinct(columns, false));
        let objects = objects(&schemas, &relations, &columns);
        World { users: roles, stranger, owner, schemas, relations, columns, objects, superuser }
    })
}

/// The first schema holds something of everything; the third is in the second database.
fn objects(schemas: &[String], relations: &[String], columns: &[String]) -> Vec<Object> {
    use Kind::{Column, Database, Function, MaterializedView, Procedure, Schema, Sequence, Table, View};
    let mut objects = Vec::new();
    for database in 0..DATABASES.len() {
        objects.push(Object::new(database, Database, ["", "", ""]));
        objects.push(Object::new(database, Schema, ["public", "", ""]));
    }
    for (at, schema) in schemas.iter().enumerate() {
        let database = usize::from(at == 2);
        objects.push(Object::new(database, Schema, [schema, "", ""]));
        let mut add = |kind, name: usize, detail: &str| {
            objects.push(Object::new(database, kind, [schema, &relations[name], detail]));
            if matches!(kind, Table | View | MaterializedView) {
                for column in columns {
                    objects.push(Object::new(database, Column, [schema, &relations[name], column]));
                }
            }
        };
        add(Table, 0, "");
        add(Function, 5, "integer, text");
        if at != 1 {
            add(Sequence, 4, "");
        }
        if at == 0 {
            add(Table, 1, "");
            add(View, 2, "");
            add(MaterializedView, 3, "");
            add(Function, 5, "");
            add(Procedure, 6, "character varying[]");
            // Access files cannot hold the name, but what they give on the schema and the database is given here too.
            objects.push(Object::new(0, Table, [schema, UNNAMEABLE, ""]));
            objects.push(Object::new(0, Column, [schema, UNNAMEABLE, "a\nb"]));
        }
    }
    objects
}

/// Statements that take away everything that was made before, in one database.
const CLEAR: &str = "DO $$ DECLARE one record; BEGIN \
    EXECUTE format('ALTER DATABASE %I OWNER TO postgres', current_database()); \
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()); \
    REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA public TO PUBLIC; \
    FOR one IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('public', 'information_schema') \
    LOOP EXECUTE format('DROP SCHEMA %I CASCADE', one.nspname); END LOOP; \
    FOR one IN SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> 'postgres' \
    LOOP EXECUTE format('DROP OWNED BY %I CASCADE', one.rolname); END LOOP; END $$";

const CLEAR_ROLES: &str = "DO $$ DECLARE one record; BEGIN \
    FOR one IN SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> 'postgres' \
    LOOP EXECUTE format('DROP ROLE %I', one.rolname); END LOOP; END $$";

impl World {
    /// Makes it, in the place of the one before.
    pub(crate) fn make(&self, site: &Site) {
        for database in DATABASES {
            site.server.sql(database, CLEAR);
        }
        let mut first = vec![CLEAR_ROLES.to_owned()];
        first.extend(self.users.iter().map(|user| format!("CREATE ROLE {} LOGIN", identifier(user))));
        first.extend([&self.stranger, &self.owner].map(|role| format!("CREATE ROLE {}", identifier(role))));
        first.push(format!("CREATE ROLE {} LOGIN", identifier(UNNAMEABLE)));
        first.push(format!("COMMENT ON ROLE {} IS 'raito[R_]:not\na mark'", identifier(UNNAMEABLE)));
        first.push(format!("GRANT CONNECT, TEMPORARY ON DATABASE {} TO PUBLIC", identifier(DATABASES[1])));
        first.push(format!("GRANT {} TO {}", identifier(&self.stranger), identifier(&self.users[0])));
        let (keeper, password) = (if self.superuser { "postgres" } else { KEEPER }, site.server.password());
        if !self.superuser {
            first.push(format!("CREATE ROLE {KEEPER} LOGIN CREATEROLE PASSWORD '{password}'"));
            let owned = DATABASES
                .map(|database| format!("ALTER DATABASE {} OWNER TO {KEEPER}", identifier(database)));
            first.extend(owned);
        }
        site.server.sql(DATABASES[0], &first.join(";\n"));
        site.configure("", keeper);
        for (at, database) in DATABASES.iter().enumerate() {
            site.server.rows_as(keeper, password, database, &self.definitions(at).join(";\n"));
        }
        let owner = identifier(&self.owner);
        let (schema, table) = (identifier(&self.schemas[0]), identifier(&self.relations[1]));
        let new_owner = if self.superuser { &owner } else { KEEPER };
        let own = [
            format!("ALTER TABLE {schema}.{table} OWNER TO {new_owner}"),
            format!("GRANT USAGE ON SCHEMA {schema} TO {owner}"),
            format!("REVOKE EXECUTE ON FUNCTION {schema}.{}() FROM PUBLIC", identifier(&self.relations[5])),
            format!("ALTER TABLE {schema}.{table} ENABLE ROW LEVEL SECURITY"),
            format!("CREATE POLICY theirs ON {schema}.{table} FOR SELECT USING (true)"),
            format!("ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON SEQUENCES TO {owner}"),
        ];
        site.server.sql(DATABASES[0], &own.join(";\n"));
    }

    fn definitions(&self, database: usize) -> Vec<String> {
        let columns: Vec<String> = self.columns.iter().map(|name| identifier(name)).collect();
        let typed: Vec<String> = columns.iter().map(|column| format!("{column} int")).collect();
        let listed: Vec<String> =
            columns.iter().enumerate().map(|(at, column)| format!("{at} AS {column}")).collect();
        let here = self.objects.iter().filter(|object| object.database == database);
        here.filter_map(|object| {
            let schema = identifier(&object.schema);
            let path = format!("{schema}.{}", identifier(&object.name));
            Some(match object.kind {
                Kind::Schema if object.schema == "public" => return None,
                Kind::Schema => format!("CREATE SCHEMA {schema}"),
                Kind::Table if object.name == UNNAMEABLE => format!("CREATE TABLE {path} (\"a\nb\" int)"),
                Kind::Table => format!("CREATE TABLE {path} ({})", typed.join(", ")),
                Kind::View => format!("CREATE VIEW {path} AS SELECT {}", listed.join(", ")),
                Kind::MaterializedView => {
                    format!("CREATE MATERIALIZED VIEW {path} AS SELECT {}", listed.join(", "))
                }
                Kind::Sequence => format!("CREATE SEQUENCE {path}"),
                Kind::Function => {
                    format!(
                        "CREATE FUNCTION {path}({}) RETURNS int LANGUAGE sql AS 'SELECT 1'",
                        object.detail
                    )
                }
                Kind::Procedure => {
                    format!("CREATE PROCEDURE {path}({}) LANGUAGE sql AS 'SELECT 1'", object.detail)
                }
                Kind::Database | Kind::Column => return None,
            })
        })
        .collect()
    }

    /// The table that the owner owns, where the target signs in as the superuser.
    pub(crate) fn owned(&self) -> &Object {
        let named = |object: &&Object| object.kind == Kind::Table && object.name == self.relations[1];
        self.objects.iter().find(named).unwrap()
    }

    /// The table that somebody adds to the first schema later.
    pub(crate) fn added(&self) -> Object {
        Object::new(0, Kind::Table, [&self.schemas[0], &self.relations[7], ""])
    }

    /// Adds it to the objects, with its one column.
    pub(crate) fn add(&mut self) {
        let table = self.added();
        if !self.objects.contains(&table) {
            let column = Object { kind: Kind::Column, detail: "added".into(), ..table.clone() };
            self.objects.extend([table, column]);
        }
    }

    /// The objects that access files can name.
    pub(crate) fn nameable(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(|object| object.name != UNNAMEABLE)
    }

    /// The first schema.
    pub(crate) fn first_schema(&self) -> &str {
        &self.schemas[0]
    }

    /// Roles that are not made from an access file.
    pub(crate) fn others(&self) -> BTreeSet<String> {
        let mut others: BTreeSet<String> = self.users.iter().cloned().collect();
        others.extend([self.stranger.clone(), self.owner.clone(), UNNAMEABLE.into()]);
        others
    }
}
