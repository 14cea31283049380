//! The criteria of a row filter. Input and access file have two names that differ: `operand` and `str` here
//! are `expression` and `string` there. Stored in the form of the file.

use async_graphql::{Enum, ID, InputObject};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::scalars::Time;

/// A node with exactly one member.
#[derive(InputObject)]
pub(super) struct DataComparisonExpressionInput {
    literal: Option<bool>,
    comparison: Option<DataComparisonExpressionComparisonInput>,
    aggregator: Option<DataComparisonExpressionAggregatorInput>,
    unary_expression: Option<DataComparisonExpressionUnaryExpressionInput>,
}

#[derive(InputObject)]
struct DataComparisonExpressionComparisonInput {
    operator: DataComparisonExpressionComparisonOperator,
    left_operand: DataComparisonExpressionOperandInput,
    right_operand: DataComparisonExpressionOperandInput,
}

#[derive(InputObject)]
struct DataComparisonExpressionOperandInput {
    reference: Option<DataComparisonExpressionReferenceInput>,
    literal: Option<DataComparisonExpressionLiteral>,
}

#[derive(InputObject)]
struct DataComparisonExpressionReferenceInput {
    entity_type: DataComparisonExpressionEntityType,
    entity_id: ID,
}

#[derive(InputObject)]
struct DataComparisonExpressionLiteral {
    bool: Option<bool>,
    int: Option<i64>,
    float: Option<f64>,
    str: Option<String>,
    timestamp: Option<Time>,
}

#[derive(InputObject)]
struct DataComparisonExpressionAggregatorInput {
    operator: BinaryExpressionAggregatorOperator,
    operands: Option<Vec<DataComparisonExpressionInput>>,
}

#[derive(InputObject)]
struct DataComparisonExpressionUnaryExpressionInput {
    operator: BinaryExpressionUnaryExpressionOperator,
    operand: Box<DataComparisonExpressionInput>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(rename_items = "PascalCase")]
enum DataComparisonExpressionComparisonOperator {
    Equal,
    NotEqual,
    LessThan,
    LessThanOrEqual,
    GreaterThan,
    GreaterThanOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(rename_items = "PascalCase")]
enum DataComparisonExpressionEntityType {
    DataObject,
    ColumnReferenceByName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(rename_items = "PascalCase")]
pub(super) enum BinaryExpressionAggregatorOperator {
    And,
    Or,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(rename_items = "PascalCase")]
pub(super) enum BinaryExpressionUnaryExpressionOperator {
    Not,
}

impl DataComparisonExpressionInput {
    /// The form of the access file, or what is wrong.
    pub(super) fn to_file(&self) -> Result<Value, String> {
        let mut members = serde_json::Map::new();
        if let Some(literal) = self.literal {
            members.insert("literal".to_owned(), literal.into());
        }
        if let Some(comparison) = &self.comparison {
            // The names of operators are those of the variants.
            let value = json!({
                "operator": format!("{:?}", comparison.operator),
                "leftOperand": comparison.left_operand.to_file()?,
                "rightOperand": comparison.right_operand.to_file()?,
            });
            members.insert("comparison".to_owned(), value);
        }
        if let Some(aggregator) = &self.aggregator {
            let operands =
                aggregator.operands.iter().flatten().map(Self::to_file).collect::<Result<Vec<_>, _>>()?;
            if operands.is_empty() {
                return Err("an aggregator of filter criteria needs operands".to_owned());
            }
            let value = json!({ "operator": format!("{:?}", aggregator.operator), "operands": operands });
            members.insert("aggregator".to_owned(), value);
        }
        if let Some(unary) = &self.unary_expression {
            let value = json!({ "operator": format!("{:?}", unary.operator), "expression": unary.operand.to_file()? });
            members.insert("unaryExpression".to_owned(), value);
        }
        one(members, "a node of filter criteria")
    }
}

impl DataComparisonExpressionOperandInput {
    fn to_file(&self) -> Result<Value, String> {
        let mut members = serde_json::Map::new();
        if let Some(reference) = &self.reference {
            let value = json!({
                "entityType": format!("{:?}", reference.entity_type),
                "entityId": reference.entity_id.as_str(),
            });
            members.insert("reference".to_owned(), value);
        }
        if let Some(literal) = &self.literal {
            members.insert("literal".to_owned(), literal.to_file()?);
        }
        one(members, "an operand of filter criteria")
    }
}

impl DataComparisonExpressionLiteral {
    fn to_file(&self) -> Result<Value, String> {
        let mut members = serde_json::Map::new();
        let timestamp = self.timestamp.and_then(|Time(moment)| {
            let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(moment) * 1_000_000).ok()?;
            moment.format(&Rfc3339).ok()
        });
        for (name, value) in [
            ("bool", self.bool.map(Value::from)),
            ("int", self.int.map(Value::from)),
            ("float", self.float.map(Value::from)),
            ("string", self.str.clone().map(Value::from)),
            ("timestamp", timestamp.map(Value::from)),
        ] {
            if let Some(value) = value {
                members.insert(name.to_owned(), value);
            }
        }
        one(members, "a literal of filter criteria")
    }
}

fn one(members: serde_json::Map<String, Value>, what: &str) -> Result<Value, String> {
    if members.len() == 1 {
        Ok(Value::Object(members))
    } else {
        Err(format!("{what} has exactly one member"))
    }
}
