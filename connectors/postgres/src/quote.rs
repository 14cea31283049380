//! Text that goes into statements. DDL takes no parameters, so this file is what stands between a name and an
//! injection: identifiers are always quoted, literals always escaped, and what the server would change silently is
//! refused.

/// The server cuts longer names silently.
const MAX_NAME_BYTES: usize = 63;

/// Why a text cannot be an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadName {
    Empty,
    TooLong,
    Nul,
    Reserved,
}

impl BadName {
    /// A message for people about the name.
    pub(crate) fn about(self, name: &str) -> String {
        let why = match self {
            BadName::Empty => "is empty",
            BadName::TooLong => "is longer than 63 bytes, which the server would cut",
            BadName::Nul => "holds a NUL character",
            BadName::Reserved => "begins with pg_, which the server keeps for its own",
        };
        format!("the name {:?} {why}", name.chars().take(80).collect::<String>())
    }
}

/// Checks the name of something that is to be created.
pub(crate) fn check_new_name(name: &str) -> Result<(), BadName> {
    if name.starts_with("pg_") { Err(BadName::Reserved) } else { check_name(name) }
}

/// Checks the name of something that stands in the catalogue.
pub(crate) fn check_name(name: &str) -> Result<(), BadName> {
    if name.is_empty() {
        Err(BadName::Empty)
    } else if name.contains('\0') {
        Err(BadName::Nul)
    } else if name.len() > MAX_NAME_BYTES {
        Err(BadName::TooLong)
    } else {
        Ok(())
    }
}

/// A quoted identifier. NUL cannot reach the server in any text, so it is dropped here as a last resort; names
/// are checked where they come in.
pub(crate) fn identifier(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 2);
    text.push('"');
    for character in name.chars().filter(|character| *character != '\0') {
        if character == '"' {
            text.push('"');
        }
        text.push(character);
    }
    text.push('"');
    text
}

/// A quoted, qualified identifier.
pub(crate) fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", identifier(schema), identifier(name))
}

/// A string literal, whatever `standard_conforming_strings` is.
pub(crate) fn literal(value: &str) -> String {
    let doubled = value.replace('\0', "").replace('\'', "''");
    if doubled.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

#[cfg(test)]
mod tests {
    use super::{BadName, check_name, check_new_name, identifier, literal, qualified};

    #[test]
    fn identifiers_are_always_quoted() {
        assert_eq!(identifier("orders"), "\"orders\"");
        assert_eq!(identifier("We\"ird; DROP ROLE x"), "\"We\"\"ird; DROP ROLE x\"");
        assert_eq!(qualified("a.b", "Ünï"), "\"a.b\".\"Ünï\"");
    }

    #[test]
    fn literals_cannot_be_left() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("\\'; DROP"), "E'\\\\''; DROP'");
    }

    #[test]
    fn names_that_the_server_would_change_are_refused() {
        assert_eq!(check_name(""), Err(BadName::Empty));
        assert_eq!(check_name("a\0b"), Err(BadName::Nul));
        assert_eq!(check_name(&"ü".repeat(32)), Err(BadName::TooLong));
        assert_eq!(check_name(&"x".repeat(63)), Ok(()));
        assert_eq!(check_new_name("pg_reader"), Err(BadName::Reserved));
        assert_eq!(check_name("pg_read_all_data"), Ok(()));
    }
}
