//! Which relations a statement names, and whether it reads or writes them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use sqlparser::ast::{
    CopySource, FromTable, Ident, ObjectName, Query, Statement, TableFactor, TableObject, Visit as _, Visitor,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};

/// Statements longer than this are not taken apart.
const MAX_BYTES: usize = 64 * 1024;

/// Binary operators in a statement. The parser makes a tree as deep as a chain of them is long, and the sandbox's stack
/// is small.
const MAX_OPERATORS: usize = 400;

/// Words that statements begin with that read or write data.
const DATA_STATEMENTS: [&str; 10] =
    ["SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "COPY", "TABLE", "VALUES"];

/// A relation as a statement names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    pub(super) schema: Option<String>,
    pub(super) name: String,
}

/// What a statement does with a relation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) reads: bool,
    pub(super) writes: bool,
}

/// Whether a statement reads or writes data, going by its first word; the others change settings, transactions or
/// definitions.
pub(super) fn is_data_statement(statement: &str) -> bool {
    let mut text =
        statement.trim_start_matches(|character: char| character.is_whitespace() || character == '(');
    while let Some(comment) = text.strip_prefix("/*") {
        text = comment.split_once("*/").map_or("", |(_, after)| after).trim_start();
    }
    let word = text.split(|character: char| !character.is_ascii_alphabetic()).next().unwrap_or_default();
    DATA_STATEMENTS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// The relations that a statement names. Common table expressions are no relations.
pub(super) fn relations(statement: &str) -> Result<BTreeMap<Named, Use>, String> {
    if statement.len() > MAX_BYTES {
        return Err("the statement is too long to be taken apart".into());
    }
    let unreadable = |error: &dyn std::fmt::Display| format!("the statement cannot be parsed: {error}");
    let mut tokens =
        Tokenizer::new(&PostgreSqlDialect {}, statement).tokenize().map_err(|error| unreadable(&error))?;
    // The server has put `$1` into the place of every constant, also where its own grammar wants one, as in
    // `extract($1 FROM at)` and `date $2`.
    for token in &mut tokens {
        if matches!(token, Token::Placeholder(_)) {
            *token = Token::SingleQuotedString(String::new());
        }
    }
    if tokens.iter().filter(|token| is_operator(token)).count() > MAX_OPERATORS {
        return Err("the statement has too many operators to be taken apart".into());
    }
    let statements = Parser::new(&PostgreSqlDialect {})
        .with_tokens(tokens)
        .parse_statements()
        .map_err(|error| unreadable(&error))?;
    let mut collected = Collected::default();
    for statement in &statements {
        let _: ControlFlow<()> = statement.visit(&mut collected);
    }
    Ok(collected.uses())
}

fn is_operator(token: &Token) -> bool {
    use sqlparser::keywords::Keyword;
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::UNION
                | Keyword::EXCEPT
                | Keyword::INTERSECT
                | Keyword::JOIN
        ),
        Token::Plus | Token::Minus | Token::Mul | Token::Div | Token::StringConcat | Token::DoubleColon => {
            true
        }
        _ => false,
    }
}

#[derive(Default)]
struct Collected {
    /// How often each relation is named.
    named: BTreeMap<Named, usize>,
    /// How often as what is written to.
    written: BTreeMap<Named, usize>,
    common: BTreeSet<String>,
}

impl Collected {
    fn writes(&mut self, name: &ObjectName) {
        if let Some(named) = named(name) {
            *self.written.entry(named).or_default() += 1;
        }
    }

    fn writes_factor(&mut self, factor: &TableFactor) {
        if let TableFactor::Table { name, .. } = factor {
            self.writes(name);
        }
    }

    fn uses(self) -> BTreeMap<Named, Use> {
        let Collected { named, written, common } = self;
        let uses = named.into_iter().map(|(relation, times)| {
            let written = written.get(&relation).copied().unwrap_or_default();
            (relation, Use { reads: times > written, writes: written > 0 })
        });
        uses.filter(|(relation, _)| relation.schema.is_some() || !common.contains(&relation.name)).collect()
    }
}

impl Visitor for Collected {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        if let Some(named) = named(relation) {
            *self.named.entry(named).or_default() += 1;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let common = query.with.iter().flat_map(|with| &with.cte_tables);
        self.common.extend(common.map(|one| folded(&one.alias.name)));
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        match statement {
            Statement::Insert(insert) => {
                if let TableObject::TableName(name) = &insert.table {
                    self.writes(name);
                }
            }
            Statement::Update(update) => self.writes_factor(&update.table.relation),
            Statement::Delete(delete) => {
                let (FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables)) = &delete.from;
                for table in tables {
                    self.writes_factor(&table.relation);
                }
            }
            Statement::Truncate(truncate) => {
                for table in &truncate.table_names {
                    self.writes(&table.name);
                }
            }
            Statement::Merge(merge) => self.writes_factor(&merge.table),
            Statement::Copy { source: CopySource::Table { table_name, .. }, to, .. } => {
                if let Some(named) = named(table_name) {
                    *self.named.entry(named.clone()).or_default() += 1;
                    if !to {
                        *self.written.entry(named).or_default() += 1;
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn named(name: &ObjectName) -> Option<Named> {
    let mut parts = name.0.iter().rev().map(|part| part.as_ident().map(folded));
    let name = parts.next()??;
    Some(Named { schema: parts.next().flatten(), name })
}

/// The server folds identifiers without quotes to lower case.
fn folded(identifier: &Ident) -> String {
    if identifier.quote_style.is_some() { identifier.value.clone() } else { identifier.value.to_lowercase() }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

    use super::{is_data_statement, relations};

    #[track_caller]
    fn found(statement: &str) -> String {
        let relations = relations(statement).unwrap();
        let texts = relations.into_iter().map(|(relation, uses)| {
            let schema = relation.schema.map(|schema| schema + ".").unwrap_or_default();
            let read = if uses.reads { "r" } else { "" };
            let write = if uses.writes { "w" } else { "" };
            format!("{schema}{}:{read}{write}", relation.name)
        });
        texts.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn relations_are_read_or_written() {
        for (statement, expected) in [
            (
                "SELECT * FROM Orders o JOIN sales.\"Lines\" USING (id) WHERE x IN (SELECT y FROM z)",
                "orders:r z:r sales.Lines:r",
            ),
            ("INSERT INTO a (x) SELECT x FROM b ON CONFLICT DO NOTHING", "a:w b:r"),
            ("INSERT INTO a SELECT * FROM a", "a:rw"),
            ("UPDATE a SET x = $1 FROM b WHERE a.id = b.id RETURNING a.id", "a:w b:r"),
            ("DELETE FROM a USING b WHERE a.id = b.id", "a:w b:r"),
            ("TRUNCATE a, s.b", "a:w s.b:w"),
            ("WITH c AS (SELECT * FROM a) SELECT * FROM c", "a:r"),
            ("WITH moved AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM moved", "a:w b:w"),
            ("COPY a (x) FROM STDIN", "a:w"),
            ("COPY a TO STDOUT", "a:r"),
            ("MERGE INTO a USING b ON a.id = b.id WHEN MATCHED THEN DELETE", "a:w b:r"),
            ("SELECT extract(year FROM t) FROM a WHERE b IS DISTINCT FROM c", "a:r"),
            ("SELECT $1", ""),
            (
                "SELECT extract($1 FROM at), at + interval $2 FROM a WHERE at > date $3 LIMIT $4 OFFSET $5",
                "a:r",
            ),
            ("SELECT 1 FROM a WHERE id IN ($1 /*, ... */) AND at = $2::date FETCH FIRST $3 ROWS ONLY", "a:r"),
        ] {
            assert_eq!(found(statement), expected, "{statement}");
        }
    }

    #[test]
    fn what_cannot_be_taken_apart_says_so() {
        assert!(relations("SELECT FROM WHERE (").is_err());
        assert!(relations(&format!("SELECT {}", "1 + ".repeat(500))).is_err());
        assert!(relations(&"x".repeat(70_000)).is_err());
    }

    #[test]
    fn other_statements_are_told_by_their_first_word() {
        for statement in ["SELECT 1", " (select 1)", "/* app */ with x as (select 1) table x"] {
            assert!(is_data_statement(statement), "{statement}");
        }
        for statement in ["BEGIN", "SET search_path = x", "SHOW all", "selection", "", "/* unclosed"] {
            assert!(!is_data_statement(statement), "{statement}");
        }
    }
}
