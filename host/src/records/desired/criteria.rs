//! Filter criteria: a tree in the file, a list of nodes in the contract.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::contract::filters::{Comparison, ComparisonOperator, FilterCriteria, Node, Operand};

/// A node; exactly one member is set.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CriteriaRecord {
    literal: Option<bool>,
    comparison: Option<ComparisonRecord>,
    aggregator: Option<AggregatorRecord>,
    unary_expression: Option<Box<UnaryRecord>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct ComparisonRecord {
    operator: String,
    left_operand: OperandRecord,
    right_operand: OperandRecord,
}

#[derive(Deserialize, Serialize)]
struct AggregatorRecord {
    operator: String,
    operands: Vec<CriteriaRecord>,
}

#[derive(Deserialize, Serialize)]
struct UnaryRecord {
    operator: String,
    expression: CriteriaRecord,
}

#[derive(Deserialize, Serialize)]
struct OperandRecord {
    reference: Option<ReferenceRecord>,
    literal: Option<LiteralRecord>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReferenceRecord {
    entity_type: String,
    entity_id: String,
}

#[derive(Deserialize, Serialize)]
struct LiteralRecord {
    bool: Option<bool>,
    int: Option<i64>,
    float: Option<f64>,
    string: Option<String>,
    timestamp: Option<String>,
}

/// Puts the nodes of the tree in a list, the root first, children after their parents.
pub(super) fn flatten(root: CriteriaRecord) -> Result<FilterCriteria, String> {
    let mut nodes = Vec::new();
    add(root, &mut nodes)?;
    Ok(FilterCriteria { nodes })
}

fn add(record: CriteriaRecord, nodes: &mut Vec<Node>) -> Result<u32, String> {
    let position = nodes.len();
    // Holds the place until the children are known.
    nodes.push(Node::Literal(false));
    let node = match record {
        CriteriaRecord {
            literal: Some(value),
            comparison: None,
            aggregator: None,
            unary_expression: None,
        } => Node::Literal(value),
        CriteriaRecord {
            literal: None,
            comparison: Some(comparison),
            aggregator: None,
            unary_expression: None,
        } => Node::Comparison(Comparison {
            operator: operator(&comparison.operator)?,
            left: operand(comparison.left_operand)?,
            right: operand(comparison.right_operand)?,
        }),
        CriteriaRecord {
            literal: None,
            comparison: None,
            aggregator: Some(aggregator),
            unary_expression: None,
        } => {
            let children = aggregator
                .operands
                .into_iter()
                .map(|child| add(child, nodes))
                .collect::<Result<Vec<_>, _>>()?;
            match aggregator.operator.to_ascii_lowercase().as_str() {
                "and" => Node::AllOf(children),
                "or" => Node::AnyOf(children),
                other => return Err(format!("the filter operator {other:?} is neither And nor Or")),
            }
        }
        CriteriaRecord {
            literal: None,
            comparison: None,
            aggregator: None,
            unary_expression: Some(unary),
        } => {
            if !unary.operator.eq_ignore_ascii_case("not") {
                return Err(format!("the filter operator {:?} is not Not", unary.operator));
            }
            Node::Not(add(unary.expression, nodes)?)
        }
        _ => return Err("a node of the filter criteria must have exactly one member".into()),
    };
    if let Some(place) = nodes.get_mut(position) {
        *place = node;
    }
    u32::try_from(position).map_err(|_| "the filter criteria are too large".into())
}

fn operator(word: &str) -> Result<ComparisonOperator, String> {
    Ok(match word.to_ascii_lowercase().as_str() {
        "equal" => ComparisonOperator::Equal,
        "notequal" => ComparisonOperator::NotEqual,
        "lessthan" => ComparisonOperator::LessThan,
        "lessthanorequal" => ComparisonOperator::LessThanOrEqual,
        "greaterthan" => ComparisonOperator::GreaterThan,
        "greaterthanorequal" => ComparisonOperator::GreaterThanOrEqual,
        _ => return Err(format!("{word:?} is no comparison operator")),
    })
}

fn operand(record: OperandRecord) -> Result<Operand, String> {
    match record {
        OperandRecord { reference: Some(reference), literal: None } => match reference.entity_type.as_str() {
            "DataObject" => Ok(Operand::DataObject(reference.entity_id)),
            "ColumnReferenceByName" => Ok(Operand::Column(reference.entity_id)),
            other => Err(format!("a filter cannot refer to a {other:?}")),
        },
        OperandRecord { reference: None, literal: Some(literal) } => match literal {
            LiteralRecord { bool: Some(value), int: None, float: None, string: None, timestamp: None } => {
                Ok(Operand::Boolean(value))
            }
            LiteralRecord { bool: None, int: Some(value), float: None, string: None, timestamp: None } => {
                Ok(Operand::Integer(value))
            }
            LiteralRecord { bool: None, int: None, float: Some(value), string: None, timestamp: None } => {
                Ok(Operand::Decimal(value))
            }
            LiteralRecord { bool: None, int: None, float: None, string: Some(value), timestamp: None } => {
                Ok(Operand::Text(value))
            }
            LiteralRecord { bool: None, int: None, float: None, string: None, timestamp: Some(text) } => {
                let moment = OffsetDateTime::parse(&text, &Rfc3339)
                    .map_err(|error| format!("{text:?} is no RFC 3339 time: {error}"))?;
                u64::try_from(moment.unix_timestamp_nanos() / 1_000_000)
                    .map(Operand::Moment)
                    .map_err(|_| format!("{text:?} lies before 1970"))
            }
            _ => Err("a literal of the filter criteria must have exactly one member".into()),
        },
        _ => Err("an operand of the filter criteria must be either a reference or a literal".into()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

    use super::flatten;
    use crate::contract::filters::{Node, Operand};

    #[test]
    fn children_come_after_their_parents() {
        let record = serde_json::from_str(
            r#"{"aggregator":{"operator":"And","operands":[
                {"unaryExpression":{"operator":"not","expression":{"literal":true}}},
                {"comparison":{"operator":"lessthan","leftOperand":{"reference":
                    {"entityType":"ColumnReferenceByName","entityId":"state"}},
                    "rightOperand":{"literal":{"timestamp":"1970-01-01T00:00:01Z"}}}}]}}"#,
        )
        .unwrap();
        let nodes = flatten(record).unwrap().nodes;
        assert!(matches!(&nodes[0], Node::AllOf(children) if children == &[1, 3]));
        assert!(matches!(nodes[1], Node::Not(2)));
        assert!(matches!(nodes[2], Node::Literal(true)));
        assert!(
            matches!(&nodes[3], Node::Comparison(comparison) if matches!(comparison.right, Operand::Moment(1000)))
        );
    }

    #[test]
    fn a_node_with_two_members_is_refused() {
        let record =
            serde_json::from_str(r#"{"literal":true,"aggregator":{"operator":"Or","operands":[]}}"#).unwrap();
        assert!(flatten(record).is_err());
    }
}
