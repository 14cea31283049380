//! An object that privileges are granted on: from a full name to the words of a statement.

use crate::names::{self, Path};
use crate::quote::{identifier, qualified};
use crate::vocabulary::Kind;

/// An object of one database, as the catalogue names it. The order puts parents before children.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Object {
    /// Position among the target's sessions.
    pub(crate) session: usize,
    pub(crate) kind: Kind,
    pub(crate) schema: String,
    pub(crate) name: String,
    /// The column, or the input types of a routine.
    pub(crate) detail: String,
}

impl Object {
    /// The object that a full name stands for, and its database. None if it does not fit the kind.
    pub(crate) fn parse(kind: Kind, full_name: &str) -> Option<(String, Self)> {
        let Path { parts, arguments } = Path::parse(full_name)?;
        let mut parts = parts.into_iter();
        let database = parts.next()?;
        let mut object =
            Object { session: 0, kind, schema: String::new(), name: String::new(), detail: String::new() };
        if kind != Kind::Database {
            object.schema = parts.next()?;
        }
        if !matches!(kind, Kind::Database | Kind::Schema) {
            object.name = parts.next()?;
        }
        if kind == Kind::Column {
            object.detail = parts.next()?;
        }
        if matches!(kind, Kind::Function | Kind::Procedure) {
            object.detail = arguments?;
        } else if arguments.is_some() {
            return None;
        }
        parts.next().is_none().then_some((database, object))
    }

    /// The database of the same session.
    pub(crate) fn database(&self) -> Self {
        Object {
            session: self.session,
            kind: Kind::Database,
            schema: String::new(),
            name: String::new(),
            detail: String::new(),
        }
    }

    /// The schema that holds it.
    pub(crate) fn in_schema(&self) -> Self {
        Object { kind: Kind::Schema, schema: self.schema.clone(), ..self.database() }
    }

    /// The full name in a database.
    pub(crate) fn full_name(&self, database: &str) -> String {
        match self.kind {
            Kind::Database => names::path([database]),
            Kind::Schema => names::path([database, &self.schema]),
            Kind::Column => names::path([database, &self.schema, &self.name, &self.detail]),
            Kind::Function | Kind::Procedure => {
                names::routine_path(database, &self.schema, &self.name, &self.detail)
            }
            _ => names::path([database, &self.schema, &self.name]),
        }
    }

    /// `SELECT, INSERT ON TABLE "s"."t"`: what stands between GRANT or REVOKE and the role. The object must have been
    /// found in the catalogue: the input types of a routine stand here as they are.
    pub(crate) fn clause(&self, database: &str, privileges: &[&str]) -> String {
        let on = match self.kind {
            Kind::Database => format!("DATABASE {}", identifier(database)),
            Kind::Schema => format!("SCHEMA {}", identifier(&self.schema)),
            Kind::Sequence => format!("SEQUENCE {}", qualified(&self.schema, &self.name)),
            Kind::Function | Kind::Procedure => {
                format!("ROUTINE {}({})", qualified(&self.schema, &self.name), self.detail)
            }
            Kind::Table | Kind::View | Kind::MaterializedView | Kind::ForeignTable | Kind::Column => {
                format!("TABLE {}", qualified(&self.schema, &self.name))
            }
        };
        let words: Vec<String> = match self.kind {
            Kind::Column => {
                privileges.iter().map(|word| format!("{word} ({})", identifier(&self.detail))).collect()
            }
            _ => privileges.iter().map(|&word| word.to_owned()).collect(),
        };
        format!("{} ON {on}", words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

    use super::Object;
    use crate::vocabulary::Kind;

    #[test]
    fn full_names_become_clauses() {
        for (kind, full_name, clause) in [
            (Kind::Database, "Sales", "P ON DATABASE \"Sales\""),
            (Kind::Schema, "d.\"a.b\"", "P ON SCHEMA \"a.b\""),
            (Kind::View, "d.s.\"We\"\"ird\"", "P ON TABLE \"s\".\"We\"\"ird\""),
            (Kind::Sequence, "d.s.q", "P ON SEQUENCE \"s\".\"q\""),
            (Kind::Procedure, "d.s.f(integer, text)", "P ON ROUTINE \"s\".\"f\"(integer, text)"),
            (Kind::Column, "d.s.t.\"c(\"", "P (\"c(\") ON TABLE \"s\".\"t\""),
        ] {
            let (database, object) = Object::parse(kind, full_name).unwrap();
            assert_eq!(object.clause(&database, &["P"]), clause);
            assert_eq!(object.full_name(&database), full_name);
        }
    }

    #[test]
    fn names_of_another_kind_are_refused() {
        for (kind, full_name) in [
            (Kind::Table, "d.s"),
            (Kind::Table, "d.s.t.c"),
            (Kind::Table, "d.s.f(integer)"),
            (Kind::Function, "d.s.f"),
            (Kind::Database, "d.s"),
        ] {
            assert!(Object::parse(kind, full_name).is_none(), "{full_name}");
        }
    }
}
