//! The condition of a row filter, as SQL: from a rule in the server's own words, or from criteria.
//!
//! A rule names columns as `{column}`. It is SQL by nature, and is handed on as such; what it cannot do is end
//! the condition that it stands in: its parentheses must balance, and it holds neither a comment nor a semicolon.

use raito_connector::{Comparison, ComparisonOperator, DesiredAccessControl, FilterCriteria, Node, Operand};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer, Whitespace};

use crate::quote::{identifier, literal};

/// Nodes below each other.
const MAX_DEPTH: usize = 64;

/// The condition of a filter.
pub(super) fn of(control: &DesiredAccessControl) -> Result<String, String> {
    match (&control.policy_rule, &control.filter_criteria) {
        (Some(rule), _) if !rule.trim().is_empty() => from_rule(rule),
        (_, Some(criteria)) => node(criteria, 0, 0),
        _ => Err("the filter has neither a rule nor criteria".into()),
    }
}

fn from_rule(rule: &str) -> Result<String, String> {
    let condition = with_columns(rule)?;
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, &condition)
        .tokenize()
        .map_err(|error| format!("the policy rule cannot be read: {error}"))?;
    let mut open = 0_usize;
    for token in &tokens {
        match token {
            Token::LParen => open += 1,
            Token::RParen if open == 0 => return Err("the policy rule closes a parenthesis too many".into()),
            Token::RParen => open -= 1,
            Token::SemiColon => return Err("the policy rule holds a semicolon".into()),
            Token::Whitespace(Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_)) => {
                return Err("the policy rule holds a comment".into());
            }
            _ => {}
        }
    }
    if open == 0 { Ok(condition) } else { Err("the policy rule leaves a parenthesis open".into()) }
}

/// Puts quoted columns in the place of `{column}`, outside of string literals.
fn with_columns(rule: &str) -> Result<String, String> {
    let mut condition = String::with_capacity(rule.len());
    let mut rest = rule.trim();
    let mut quote = None;
    while let Some(character) = rest.chars().next() {
        let after = rest.get(character.len_utf8()..).unwrap_or_default();
        if quote.is_none() && character == '{' {
            let (column, more) =
                after.split_once('}').ok_or("the policy rule opens `{` and does not close it")?;
            condition.push_str(&identifier(column.trim()));
            rest = more;
            continue;
        }
        if character == '\'' || character == '"' {
            quote = match quote {
                None => Some(character),
                Some(open) if open == character => None,
                open => open,
            };
        }
        condition.push(character);
        rest = after;
    }
    Ok(condition)
}

fn node(criteria: &FilterCriteria, at: usize, depth: usize) -> Result<String, String> {
    if depth > MAX_DEPTH {
        return Err("the filter criteria are nested too deeply".into());
    }
    let below = |child: &u32| match usize::try_from(*child) {
        Ok(child) if child > at => node(criteria, child, depth + 1),
        _ => Err("the filter criteria name a node that does not come after its parent".to_owned()),
    };
    let joined = |children: &[u32], word: &str| {
        let parts: Vec<String> = children.iter().map(below).collect::<Result<_, _>>()?;
        Ok(format!("({})", parts.join(word)))
    };
    match criteria.nodes.get(at) {
        None => Err("the filter criteria name a node that is not there".into()),
        Some(Node::Literal(value)) => Ok(value.to_string()),
        Some(Node::Comparison(comparison)) => compared(comparison),
        Some(Node::AllOf(children) | Node::AnyOf(children)) if children.is_empty() => {
            Err("the filter criteria hold an aggregate of nothing".into())
        }
        Some(Node::AllOf(children)) => joined(children, " AND "),
        Some(Node::AnyOf(children)) => joined(children, " OR "),
        Some(Node::Not(child)) => Ok(format!("(NOT {})", below(child)?)),
    }
}

fn compared(comparison: &Comparison) -> Result<String, String> {
    let operator = match comparison.operator {
        ComparisonOperator::Equal => "=",
        ComparisonOperator::NotEqual => "<>",
        ComparisonOperator::LessThan => "<",
        ComparisonOperator::LessThanOrEqual => "<=",
        ComparisonOperator::GreaterThan => ">",
        ComparisonOperator::GreaterThanOrEqual => ">=",
    };
    Ok(format!("({} {operator} {})", operand(&comparison.left)?, operand(&comparison.right)?))
}

fn operand(operand: &Operand) -> Result<String, String> {
    Ok(match operand {
        Operand::DataObject(id) => {
            return Err(format!("the filter criteria name the data object {id:?}: name the column instead"));
        }
        Operand::Column(column) => identifier(column),
        Operand::Boolean(value) => value.to_string(),
        Operand::Integer(value) => format!("({value})"),
        Operand::Decimal(value) if value.is_finite() => format!("({value:?})"),
        Operand::Decimal(_) => return Err("the filter criteria hold a number that is none".into()),
        Operand::Text(value) => literal(value),
        Operand::Moment(milliseconds) => {
            format!("to_timestamp({}.{:03})", milliseconds / 1000, milliseconds % 1000)
        }
    })
}

#[cfg(test)]
mod tests {
    use raito_connector::{Comparison, ComparisonOperator, FilterCriteria, Node, Operand};

    use super::{from_rule, node};

    #[test]
    fn columns_of_a_rule_are_quoted() {
        assert_eq!(from_rule("{Region} = 'E{U}'").as_deref(), Ok("\"Region\" = 'E{U}'"));
        assert_eq!(from_rule("{a\"b} IS NULL").as_deref(), Ok("\"a\"\"b\" IS NULL"));
        assert_eq!(from_rule("a IN (1, 2) AND b = ')'").as_deref(), Ok("a IN (1, 2) AND b = ')'"));
    }

    #[test]
    fn a_rule_cannot_leave_its_condition() {
        for rule in [
            "true) WITH CHECK (true",
            "true; DROP TABLE t",
            "true -- ",
            "true /* ",
            "(true",
            "{a",
            "name = 'x",
            "$$ = x",
        ] {
            assert!(from_rule(rule).is_err(), "{rule}");
        }
    }

    #[test]
    fn criteria_become_sql() {
        let comparison = |left, right| {
            Node::Comparison(Comparison { operator: ComparisonOperator::GreaterThanOrEqual, left, right })
        };
        let criteria = FilterCriteria {
            nodes: vec![
                Node::AllOf(vec![1, 2]),
                comparison(Operand::Column("Amount".into()), Operand::Integer(-5)),
                Node::Not(3),
                comparison(Operand::Column("note".into()), Operand::Text("it's".into())),
            ],
        };
        assert_eq!(
            node(&criteria, 0, 0).as_deref(),
            Ok("((\"Amount\" >= (-5)) AND (NOT (\"note\" >= 'it''s')))")
        );
    }

    #[test]
    fn criteria_that_lead_nowhere_are_refused() {
        for nodes in [vec![], vec![Node::Not(0)], vec![Node::Not(7)], vec![Node::AllOf(vec![])]] {
            assert!(node(&FilterCriteria { nodes }, 0, 0).is_err());
        }
    }
}
