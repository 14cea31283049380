//! Attribute rules: who or what, said by tags and properties instead of by a list.
//!
//! A rule is a tree of four levels: `Or`, below it `And`, below that comparisons, literals and `Not`, and below
//! `Not` a comparison or a literal. Only a literal can be a rule by itself: always, or never. A rule is stored,
//! and given out as `ruleJson`, in this form:
//!
//! ```json
//! {"aggregator": {"operator": "Or", "operands": [{"aggregator": {"operator": "And", "operands": [
//!   {"comparison": {"operator": "HasTag", "leftOperand": "pii", "rightOperand": {"literal": {"string": "yes"}}}},
//!   {"unaryExpression": {"operator": "Not", "expression": {"literal": false}}}]}}]}}
//! ```
//!
//! A rule is evaluated by the database: it becomes a condition on `users o` or on `data_objects o`.
//!
//! * `HasTag`: a user, or one of its accounts, has the tag; a data object or one above it has the tag.
//! * `ContainsTag`: a data object or one below it has the tag. For a user, who has nothing below, as `HasTag`.
//! * `Property…`: compares a property, byte for byte; see [`Subject::column`] for the names.

use serde::{Deserialize, Serialize};

use crate::store::sql::Sql;

/// A node of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Rule {
    /// Always or never.
    Literal(bool),
    /// A tag or a property.
    Comparison(Comparison),
    /// Several rules together.
    Aggregator(Aggregator),
    /// The opposite.
    UnaryExpression(Unary),
}

/// Compares a tag or a property with a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Comparison {
    pub(crate) operator: Operator,
    /// The key of a tag, or the name of a property.
    pub(crate) left_operand: String,
    pub(crate) right_operand: Operand,
}

/// How to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Operator {
    HasTag,
    ContainsTag,
    PropertyEquals,
    PropertyIn,
    PropertyStartsWith,
    PropertyEndsWith,
    PropertyContains,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Operand {
    pub(crate) literal: Literal,
}

/// A value itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Literal {
    Bool(bool),
    String(String),
    StringList(Vec<String>),
}

/// Several rules together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Aggregator {
    pub(crate) operator: Connective,
    pub(crate) operands: Vec<Rule>,
}

/// All of them, or any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Connective {
    And,
    Or,
}

/// The opposite of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unary {
    pub(crate) operator: Not,
    pub(crate) expression: Box<Rule>,
}

/// The only operator with one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Not {
    Not,
}

/// A rule for who, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WhoRule {
    pub(crate) rule: Rule,
    /// `WhoGrant` or `WhoPromise`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) promise_duration: Option<i64>,
}

/// A rule for what, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WhatRule {
    pub(crate) rule: Rule,
    /// Types of data objects; all if empty.
    pub(crate) do_types: Vec<String>,
    pub(crate) permissions: Vec<String>,
    /// In capitals.
    pub(crate) global_permissions: Vec<String>,
    /// Ids of data objects, below which the rule looks; everything in the data sources if empty.
    pub(crate) scope: Vec<String>,
}

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The condition is on `users o`.
    Users,
    /// The condition is on `data_objects o`.
    Objects,
}

impl Subject {
    /// The properties that a rule can ask for, as columns; true marks those that are true or false.
    fn column(self, property: &str) -> Option<(&'static str, bool)> {
        let known: &[(&str, &'static str, bool)] = match self {
            Self::Users => &[
                ("name", "o.name", false),
                ("email", "COALESCE(o.email, '')", false),
                ("type", "o.user_type", false),
                ("isRaitoUser", "o.is_raito_user", true),
            ],
            Self::Objects => &[
                ("name", "o.name", false),
                ("fullName", "o.full_name", false),
                ("type", "o.type", false),
                ("dataType", "COALESCE(o.data_type, '')", false),
                ("description", "o.description", false),
                ("externalId", "o.external_id", false),
            ],
        };
        known
            .iter()
            .find(|(name, ..)| name.eq_ignore_ascii_case(property))
            .map(|(_, column, logical)| (*column, *logical))
    }

    fn properties(self) -> &'static str {
        match self {
            Self::Users => "name, email, type, isRaitoUser",
            Self::Objects => "name, fullName, type, dataType, description, externalId",
        }
    }
}

impl Rule {
    /// Refuses a rule with other levels, or a comparison that makes no sense.
    pub(crate) fn check(&self, subject: Subject) -> Result<(), String> {
        let operands = match self {
            Self::Literal(_) => return Ok(()),
            Self::Aggregator(Aggregator { operator: Connective::Or, operands }) => operands,
            _ => return Err("level 1 of the rule must be an aggregator `Or` or a literal".to_owned()),
        };
        some(operands, 1)?;
        for operand in operands {
            let Self::Aggregator(Aggregator { operator: Connective::And, operands }) = operand else {
                return Err("level 2 of the rule must be aggregators `And`".to_owned());
            };
            some(operands, 2)?;
            for operand in operands {
                match operand {
                    Self::Literal(_) => {}
                    Self::Comparison(comparison) => comparison.check(subject)?,
                    Self::UnaryExpression(unary) => match &*unary.expression {
                        Self::Literal(_) => {}
                        Self::Comparison(comparison) => comparison.check(subject)?,
                        _ => return Err("level 4 of the rule must be a comparison or a literal".to_owned()),
                    },
                    Self::Aggregator(_) => {
                        return Err("level 3 of the rule must be comparisons, literals or `Not`".to_owned());
                    }
                }
            }
        }
        Ok(())
    }

    /// Appends the rule as a condition.
    pub(crate) fn push(&self, sql: &mut Sql, subject: Subject) -> Result<(), sqlx::Error> {
        match self {
            Self::Literal(holds) => {
                sql.push(if *holds { "1 = 1" } else { "1 = 0" });
            }
            Self::Comparison(comparison) => comparison.push(sql, subject)?,
            Self::Aggregator(aggregator) => {
                let (between, neutral) = match aggregator.operator {
                    Connective::And => (" AND ", "1 = 1"),
                    Connective::Or => (" OR ", "1 = 0"),
                };
                sql.push("(").push(neutral_of(&aggregator.operands, neutral));
                for (index, operand) in aggregator.operands.iter().enumerate() {
                    if index > 0 {
                        sql.push(between);
                    }
                    operand.push(sql, subject)?;
                }
                sql.push(")");
            }
            Self::UnaryExpression(unary) => {
                sql.push("NOT (");
                unary.expression.push(sql, subject)?;
                sql.push(")");
            }
        }
        Ok(())
    }
}

/// An aggregator without operands has the value that changes nothing.
fn neutral_of(operands: &[Rule], neutral: &'static str) -> &'static str {
    if operands.is_empty() { neutral } else { "" }
}

fn some(operands: &[Rule], level: u8) -> Result<(), String> {
    if operands.is_empty() {
        return Err(format!("the aggregator on level {level} of the rule has no operands"));
    }
    Ok(())
}

impl Comparison {
    fn check(&self, subject: Subject) -> Result<(), String> {
        let literal = &self.right_operand.literal;
        let (name, text) = (&self.left_operand, matches!(literal, Literal::String(text) if !text.is_empty()));
        if matches!(self.operator, Operator::HasTag | Operator::ContainsTag) {
            return if name.is_empty() {
                Err(format!("leftOperand of {:?} is the key of a tag and is empty", self.operator))
            } else {
                Ok(())
            };
        }
        let Some((_, logical)) = subject.column(name) else {
            return Err(format!("`{name}` is not one of the properties {}", subject.properties()));
        };
        let fits = match self.operator {
            Operator::PropertyEquals => logical == matches!(literal, Literal::Bool(_)) && !is_list(literal),
            Operator::PropertyIn => !logical && is_list(literal),
            _ => !logical && text,
        };
        if fits {
            Ok(())
        } else {
            Err(format!("rightOperand of {:?} does not fit the property `{name}`", self.operator))
        }
    }

    fn push(&self, sql: &mut Sql, subject: Subject) -> Result<(), sqlx::Error> {
        let literal = &self.right_operand.literal;
        match self.operator {
            Operator::HasTag if subject == Subject::Objects => {
                sql.push(
                    "o.id IN (WITH RECURSIVE tagged (id, external_id, source) AS (\
                     SELECT x.id, x.external_id, x.data_source_id FROM tags t JOIN data_objects x ON x.id = t.object_id \
                     WHERE x.deleted = 0 AND ",
                );
                self.push_tag(sql)?;
                sql.push(
                    " UNION SELECT c.id, c.external_id, c.data_source_id FROM tagged g JOIN data_objects c \
                     ON c.data_source_id = g.source AND c.parent_external_id = g.external_id WHERE c.deleted = 0) \
                     SELECT id FROM tagged)",
                );
            }
            Operator::ContainsTag if subject == Subject::Objects => {
                sql.push(
                    "o.id IN (WITH RECURSIVE holding (id, parent, source) AS (\
                     SELECT x.id, x.parent_external_id, x.data_source_id FROM tags t \
                     JOIN data_objects x ON x.id = t.object_id WHERE x.deleted = 0 AND ",
                );
                self.push_tag(sql)?;
                sql.push(
                    " UNION SELECT p.id, p.parent_external_id, p.data_source_id FROM holding h JOIN data_objects p \
                     ON p.data_source_id = h.source AND p.external_id = h.parent WHERE p.deleted = 0) \
                     SELECT id FROM holding)",
                );
            }
            Operator::HasTag | Operator::ContainsTag => {
                sql.push("o.id IN (SELECT t.object_id FROM tags t WHERE ");
                self.push_tag(sql)?;
                sql.push(" UNION SELECT a.user_id FROM tags t JOIN accounts a ON a.id = t.object_id WHERE ");
                self.push_tag(sql)?;
                sql.push(")");
            }
            _ => {
                let Some((column, _)) = subject.column(&self.left_operand) else {
                    sql.push("1 = 0");
                    return Ok(());
                };
                match (self.operator, literal) {
                    (_, Literal::Bool(wanted)) => {
                        sql.push(column).push(" = ").bind(i64::from(*wanted))?;
                    }
                    (_, Literal::StringList(values)) => {
                        sql.push(column).push(" IN ").bind_list(values)?;
                    }
                    (Operator::PropertyStartsWith, Literal::String(text)) => {
                        sql.push("SUBSTR(").push(column).push(", 1, ").bind(characters(text))?;
                        sql.push(") = ").bind(text.as_str())?;
                    }
                    (Operator::PropertyEndsWith, Literal::String(text)) => {
                        let length = characters(text);
                        sql.push("(LENGTH(").push(column).push(") >= ").bind(length)?;
                        sql.push(" AND SUBSTR(").push(column).push(", LENGTH(").push(column).push(") + 1 - ");
                        sql.bind(length)?.push(") = ").bind(text.as_str())?.push(")");
                    }
                    (Operator::PropertyContains, Literal::String(text)) => {
                        sql.push("REPLACE(").push(column).push(", ").bind(text.as_str())?;
                        sql.push(", '') <> ").push(column);
                    }
                    (_, Literal::String(text)) => {
                        sql.push(column).push(" = ").bind(text.as_str())?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Appends the condition that the tag `t` is the one asked for.
    fn push_tag(&self, sql: &mut Sql) -> Result<(), sqlx::Error> {
        sql.push("t.key = ").bind(self.left_operand.as_str())?.push(" AND t.value ");
        match &self.right_operand.literal {
            Literal::Bool(value) => sql.push("= ").bind(if *value { "true" } else { "false" })?,
            Literal::String(value) => sql.push("= ").bind(value.as_str())?,
            Literal::StringList(values) => sql.push("IN ").bind_list(values)?,
        };
        Ok(())
    }
}

fn is_list(literal: &Literal) -> bool {
    matches!(literal, Literal::StringList(_))
}

/// What the database counts as the length of a text.
fn characters(text: &str) -> i32 {
    i32::try_from(text.chars().count()).unwrap_or(i32::MAX)
}

impl WhatRule {
    /// Appends the condition on `data_objects o` for the objects of an access control: not deleted, below the
    /// scope, of the types, and as the rule says.
    pub(crate) fn push(&self, sql: &mut Sql, access_provider: &str) -> Result<(), sqlx::Error> {
        sql.push(
            "o.deleted = 0 AND o.type <> 'datasource' AND o.data_source_id IN (SELECT s.data_source_id \
             FROM access_provider_sync s WHERE s.leaving = 0 AND s.access_provider_id = ",
        );
        sql.bind(access_provider)?.push(")");
        if !self.scope.is_empty() {
            sql.push(
                " AND o.id IN (WITH RECURSIVE below (id, external_id, source) AS (\
                 SELECT c.id, c.external_id, c.data_source_id FROM data_objects x JOIN data_objects c \
                 ON c.data_source_id = x.data_source_id AND c.parent_external_id = x.external_id \
                 WHERE c.deleted = 0 AND x.id IN ",
            );
            sql.bind_list(&self.scope)?.push(
                " UNION SELECT c.id, c.external_id, c.data_source_id FROM below b JOIN data_objects c \
                 ON c.data_source_id = b.source AND c.parent_external_id = b.external_id WHERE c.deleted = 0) \
                 SELECT id FROM below)",
            );
        }
        if !self.do_types.is_empty() {
            sql.push(" AND o.type IN ").bind_list(&self.do_types)?;
        }
        sql.push(" AND ");
        self.rule.push(sql, Subject::Objects)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

    use super::*;

    fn rule(json: &serde_json::Value) -> Rule {
        serde_json::from_value(json.clone()).unwrap()
    }

    fn two_levels(leaf: &serde_json::Value) -> serde_json::Value {
        serde_json::json!({ "aggregator": { "operator": "Or", "operands": [
            { "aggregator": { "operator": "And", "operands": [leaf] } }] } })
    }

    fn leaf(operator: &str, left: &str, right: &serde_json::Value) -> serde_json::Value {
        serde_json::json!({ "comparison": { "operator": operator, "leftOperand": left,
            "rightOperand": { "literal": right } } })
    }

    #[test]
    fn a_rule_is_given_back_as_it_was_given() {
        let text = serde_json::json!({ "string": "yes" });
        let not = serde_json::json!({ "unaryExpression": { "operator": "Not", "expression": leaf("HasTag", "pii", &text) } });
        let json = two_levels(&not);
        assert_eq!(serde_json::to_value(rule(&json)).unwrap(), json);
        assert_eq!(rule(&json).check(Subject::Users), Ok(()));
        let always = serde_json::json!({ "literal": true });
        assert_eq!(serde_json::to_value(rule(&always)).unwrap(), always);
        assert_eq!(rule(&always).check(Subject::Objects), Ok(()));
    }

    #[test]
    fn other_levels_and_strange_comparisons_are_refused() {
        let text = serde_json::json!({ "string": "x" });
        let refused = |json: &serde_json::Value| rule(json).check(Subject::Objects).unwrap_err();
        assert!(refused(&leaf("HasTag", "a", &text)).contains("level 1"));
        assert!(
            refused(&two_levels(&two_levels(&serde_json::json!({ "literal": true })))).contains("level 3")
        );
        assert!(refused(&two_levels(&leaf("PropertyEquals", "colour", &text))).contains("colour"));
        assert!(refused(&two_levels(&leaf("PropertyIn", "name", &text))).contains("does not fit"));
        let empty = serde_json::json!({ "aggregator": { "operator": "Or", "operands": [] } });
        assert!(refused(&empty).contains("no operands"));
    }
}
