//! Attribute rules as they are given. In a rule that is stored and given out, `operand` of `Not` is called
//! `expression`; see [`crate::rules`].

use async_graphql::{Enum, ID, InputObject};

use super::access_enums::AccessWhoItemType;
use super::filter_criteria::{BinaryExpressionAggregatorOperator, BinaryExpressionUnaryExpressionOperator};
use super::scalars::Duration;
use crate::rules::{
    Aggregator, Comparison, Connective, Literal, Not, Operand, Operator, Rule, Subject, Unary, WhatRule,
    WhoRule,
};

/// Who, by attributes.
#[derive(InputObject)]
pub(super) struct WhoAbacRuleInput {
    rule: AbacComparisonExpressionInput,
    #[graphql(name = "type")]
    item_type: AccessWhoItemType,
    promise_duration: Option<Duration>,
}

/// What, by attributes.
#[derive(InputObject)]
pub(super) struct WhatAbacRuleInput {
    /// Types of data objects.
    do_types: Option<Vec<String>>,
    permissions: Option<Vec<String>>,
    global_permissions: Option<Vec<String>>,
    /// Data objects; only what is below them is looked at.
    pub(super) scope: Option<Vec<ID>>,
    rule: AbacComparisonExpressionInput,
}

/// A node with exactly one member.
#[derive(InputObject)]
struct AbacComparisonExpressionInput {
    literal: Option<bool>,
    comparison: Option<AbacComparisonExpressionComparisonInput>,
    aggregator: Option<AbacComparisonExpressionAggregatorInput>,
    unary_expression: Option<AbacComparisonExpressionUnaryExpressionInput>,
}

#[derive(InputObject)]
struct AbacComparisonExpressionComparisonInput {
    operator: AbacComparisonExpressionComparisonOperator,
    left_operand: String,
    right_operand: AbacComparisonExpressionOperandInput,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(rename_items = "PascalCase")]
enum AbacComparisonExpressionComparisonOperator {
    HasTag,
    ContainsTag,
    PropertyEquals,
    PropertyIn,
    PropertyStartsWith,
    PropertyEndsWith,
    PropertyContains,
}

#[derive(InputObject)]
struct AbacComparisonExpressionOperandInput {
    literal: Option<AbacComparisonExpressionLiteral>,
}

#[derive(InputObject)]
struct AbacComparisonExpressionLiteral {
    bool: Option<bool>,
    string: Option<String>,
    string_list: Option<Vec<String>>,
}

#[derive(InputObject)]
struct AbacComparisonExpressionAggregatorInput {
    operator: BinaryExpressionAggregatorOperator,
    operands: Option<Vec<AbacComparisonExpressionInput>>,
}

#[derive(InputObject)]
struct AbacComparisonExpressionUnaryExpressionInput {
    operator: BinaryExpressionUnaryExpressionOperator,
    operand: Box<AbacComparisonExpressionInput>,
}

impl WhoAbacRuleInput {
    /// The rule as it is stored, or what is wrong with it.
    pub(super) fn to_stored(&self) -> Result<WhoRule, String> {
        let rule = self.rule.to_rule().and_then(|rule| rule.check(Subject::Users).map(|()| rule));
        if self.promise_duration.is_some() && self.item_type == AccessWhoItemType::WhoGrant {
            return Err("whoAbacRule.promiseDuration goes with the type WhoPromise only".to_owned());
        }
        Ok(WhoRule {
            rule: rule.map_err(|why| format!("whoAbacRule.rule: {why}"))?,
            kind: self.item_type.word().to_owned(),
            promise_duration: self.promise_duration.map(|Duration(seconds)| seconds),
        })
    }
}

impl WhatAbacRuleInput {
    /// The rule as it is stored, or what is wrong with it. Whether the scope is known is not looked at.
    pub(super) fn to_stored(&self) -> Result<WhatRule, String> {
        let rule = self.rule.to_rule().and_then(|rule| rule.check(Subject::Objects).map(|()| rule));
        let global: Vec<String> =
            self.global_permissions.iter().flatten().map(|word| word.to_uppercase()).collect();
        if let Some(word) = global.iter().find(|word| !["READ", "WRITE", "ADMIN"].contains(&word.as_str())) {
            return Err(format!("whatAbacRule.globalPermissions: `{word}` is not one of READ, WRITE, ADMIN"));
        }
        Ok(WhatRule {
            rule: rule.map_err(|why| format!("whatAbacRule.rule: {why}"))?,
            do_types: self.do_types.clone().unwrap_or_default(),
            permissions: self.permissions.clone().unwrap_or_default(),
            global_permissions: global,
            scope: self.scope.iter().flatten().map(|id| id.to_string()).collect(),
        })
    }
}

impl AbacComparisonExpressionInput {
    fn to_rule(&self) -> Result<Rule, String> {
        let mut given = Vec::new();
        given.extend(self.literal.map(Rule::Literal));
        if let Some(comparison) = &self.comparison {
            given.push(Rule::Comparison(comparison.to_rule()?));
        }
        if let Some(aggregator) = &self.aggregator {
            let operands = aggregator.operands.iter().flatten().map(Self::to_rule);
            let operator = match aggregator.operator {
                BinaryExpressionAggregatorOperator::And => Connective::And,
                BinaryExpressionAggregatorOperator::Or => Connective::Or,
            };
            let operands = operands.collect::<Result<_, _>>()?;
            given.push(Rule::Aggregator(Aggregator { operator, operands }));
        }
        if let Some(unary) = &self.unary_expression {
            let BinaryExpressionUnaryExpressionOperator::Not = unary.operator;
            let expression = Box::new(unary.operand.to_rule()?);
            given.push(Rule::UnaryExpression(Unary { operator: Not::Not, expression }));
        }
        match (given.pop(), given.is_empty()) {
            (Some(rule), true) => Ok(rule),
            _ => Err("a node has exactly one of literal, comparison, aggregator, unaryExpression".to_owned()),
        }
    }
}

impl AbacComparisonExpressionComparisonInput {
    fn to_rule(&self) -> Result<Comparison, String> {
        use AbacComparisonExpressionComparisonOperator as Given;
        let operator = match self.operator {
            Given::HasTag => Operator::HasTag,
            Given::ContainsTag => Operator::ContainsTag,
            Given::PropertyEquals => Operator::PropertyEquals,
            Given::PropertyIn => Operator::PropertyIn,
            Given::PropertyStartsWith => Operator::PropertyStartsWith,
            Given::PropertyEndsWith => Operator::PropertyEndsWith,
            Given::PropertyContains => Operator::PropertyContains,
        };
        let literal = match &self.right_operand.literal {
            Some(AbacComparisonExpressionLiteral { bool: Some(value), string: None, string_list: None }) => {
                Literal::Bool(*value)
            }
            Some(AbacComparisonExpressionLiteral { bool: None, string: Some(value), string_list: None }) => {
                Literal::String(value.clone())
            }
            Some(AbacComparisonExpressionLiteral { bool: None, string: None, string_list: Some(values) }) => {
                Literal::StringList(values.clone())
            }
            _ => return Err("rightOperand.literal has exactly one of bool, string, stringList".to_owned()),
        };
        let left_operand = self.left_operand.clone();
        Ok(Comparison { operator, left_operand, right_operand: Operand { literal } })
    }
}
