//! The kinds of data objects and the privileges on them: the one list that reading, applying and the description of
//! the data source are made from.
//!
//! No privilege reaches a statement that does not stand here.

use raito_connector::GlobalPermission::{self, Admin, Read, Write};

/// A kind of data object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Database,
    Schema,
    Table,
    View,
    MaterializedView,
    ForeignTable,
    Sequence,
    Function,
    Procedure,
    Column,
}

/// A privilege: its name, what it means globally, and what it is.
pub(crate) struct Privilege {
    pub(crate) name: &'static str,
    pub(crate) global: GlobalPermission,
    pub(crate) description: &'static str,
}

const fn privilege(name: &'static str, global: GlobalPermission, description: &'static str) -> Privilege {
    Privilege { name, global, description }
}

const DATABASE: &[Privilege] = &[
    privilege("CONNECT", Read, "Connect to the database."),
    privilege("TEMPORARY", Write, "Create temporary tables."),
    privilege("CREATE", Admin, "Create schemas, publications and trusted extensions."),
];
const SCHEMA: &[Privilege] = &[
    privilege("USAGE", Read, "Look up the objects in the schema."),
    privilege("CREATE", Admin, "Create objects in the schema."),
];
const RELATION: &[Privilege] = &[
    privilege("SELECT", Read, "Read rows."),
    privilege("INSERT", Write, "Add rows."),
    privilege("UPDATE", Write, "Change rows."),
    privilege("DELETE", Write, "Delete rows."),
    privilege("TRUNCATE", Write, "Delete all rows at once."),
    privilege("REFERENCES", Admin, "Create foreign keys to it."),
    privilege("TRIGGER", Admin, "Create triggers on it."),
    privilege(
        "MAINTAIN",
        Admin,
        "Vacuum, analyse, cluster, refresh and reindex it (PostgreSQL 17 and later).",
    ),
];
const SEQUENCE: &[Privilege] = &[
    privilege("USAGE", Read, "Take the next value, and read the one taken last."),
    privilege("SELECT", Read, "Read the value taken last."),
    privilege("UPDATE", Write, "Take the next value, and set the value."),
];
const ROUTINE: &[Privilege] = &[privilege("EXECUTE", Read, "Call it.")];
const COLUMN: &[Privilege] = &[
    privilege("SELECT", Read, "Read the column."),
    privilege("INSERT", Write, "Set the column in new rows."),
    privilege("UPDATE", Write, "Change the column."),
    privilege("REFERENCES", Admin, "Create foreign keys to the column."),
];

impl Kind {
    /// All of them, parents before children.
    pub(crate) const ALL: [Kind; 10] = [
        Kind::Database,
        Kind::Schema,
        Kind::Table,
        Kind::View,
        Kind::MaterializedView,
        Kind::ForeignTable,
        Kind::Sequence,
        Kind::Function,
        Kind::Procedure,
        Kind::Column,
    ];

    /// Its name as a type of data objects.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Database => "database",
            Kind::Schema => "schema",
            Kind::Table => "table",
            Kind::View => "view",
            Kind::MaterializedView => "materialized-view",
            Kind::ForeignTable => "foreign-table",
            Kind::Sequence => "sequence",
            Kind::Function => "function",
            Kind::Procedure => "procedure",
            Kind::Column => "column",
        }
    }

    /// Its name for people.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Kind::Database => "Database",
            Kind::Schema => "Schema",
            Kind::Table => "Table",
            Kind::View => "View",
            Kind::MaterializedView => "Materialized view",
            Kind::ForeignTable => "Foreign table",
            Kind::Sequence => "Sequence",
            Kind::Function => "Function",
            Kind::Procedure => "Procedure",
            Kind::Column => "Column",
        }
    }

    /// The kind of that name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether rows can be read from it.
    pub(crate) fn is_relation(self) -> bool {
        matches!(self, Kind::Table | Kind::View | Kind::MaterializedView | Kind::ForeignTable)
    }

    /// Kinds that can stand directly below it.
    pub(crate) fn children(self) -> &'static [Kind] {
        match self {
            Kind::Database => &[Kind::Schema],
            Kind::Schema => &[
                Kind::Table,
                Kind::View,
                Kind::MaterializedView,
                Kind::ForeignTable,
                Kind::Sequence,
                Kind::Function,
                Kind::Procedure,
            ],
            Kind::Table | Kind::View | Kind::MaterializedView | Kind::ForeignTable => &[Kind::Column],
            Kind::Sequence | Kind::Function | Kind::Procedure | Kind::Column => &[],
        }
    }

    /// The privileges on it.
    pub(crate) fn privileges(self) -> &'static [Privilege] {
        match self {
            Kind::Database => DATABASE,
            Kind::Schema => SCHEMA,
            Kind::Table | Kind::View | Kind::MaterializedView | Kind::ForeignTable => RELATION,
            Kind::Sequence => SEQUENCE,
            Kind::Function | Kind::Procedure => ROUTINE,
            Kind::Column => COLUMN,
        }
    }

    /// The privilege of that name, as it stands in the list: the only way from a text to a word in a statement.
    pub(crate) fn privilege(self, name: &str) -> Option<&'static str> {
        self.privileges()
            .iter()
            .map(|privilege| privilege.name)
            .find(|known| known.eq_ignore_ascii_case(name))
    }
}

/// That a role owns a data object. The owner may do everything with it, whatever is granted.
pub(crate) const OWNERSHIP: &str = "OWNERSHIP";

/// What default privileges are about: the word in the catalogue, the word in a permission's name, and the privileges.
pub(crate) const FUTURE_OBJECTS: [(&str, &str, &[Privilege]); 5] = [
    ("r", "TABLES", RELATION),
    ("S", "SEQUENCES", SEQUENCE),
    ("f", "ROUTINES", ROUTINE),
    ("T", "TYPES", &[privilege("USAGE", Read, "")]),
    ("n", "SCHEMAS", SCHEMA),
];

/// The permission that a default privilege is: `SELECT ON FUTURE TABLES`.
pub(crate) fn future_permission(privilege: &str, objects: &str) -> String {
    format!("{privilege} ON FUTURE {objects}")
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn names_lead_back_to_their_kind() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
        }
    }

    #[test]
    fn only_known_privileges_are_words() {
        assert_eq!(Kind::Table.privilege("select"), Some("SELECT"));
        assert_eq!(Kind::Table.privilege("SELECT ON ALL TABLES"), None);
        assert_eq!(Kind::Column.privilege("DELETE"), None);
    }
}
