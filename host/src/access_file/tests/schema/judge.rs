//! Judges a value by a JSON Schema: the keywords that the schema of access files uses, and no others.

use regex::Regex;
use serde_json::{Map, Value};

/// What is wrong with a value, by its JSON pointer.
pub(super) fn errors(schema: &Value, value: &Value) -> Vec<String> {
    let mut errors = Vec::new();
    Judge { root: schema }.judge(schema, value, "", &mut errors);
    errors
}

struct Judge<'a> {
    root: &'a Value,
}

impl Judge<'_> {
    fn fits(&self, schema: &Value, value: &Value) -> bool {
        let mut errors = Vec::new();
        self.judge(schema, value, "", &mut errors);
        errors.is_empty()
    }

    fn judge(&self, schema: &Value, value: &Value, at: &str, errors: &mut Vec<String>) {
        let keywords = match schema {
            Value::Bool(true) => return,
            Value::Bool(false) => return errors.push(format!("{at}: not allowed")),
            Value::Object(keywords) => keywords,
            _ => panic!("no schema: {schema}"),
        };
        for (keyword, argument) in keywords {
            if !self.keyword(keywords, keyword, argument, value, at, errors) {
                errors.push(format!("{at}: {keyword} {argument}"));
            }
        }
    }

    /// Whether the value fits a keyword; what is wrong below it is pushed.
    fn keyword(
        &self,
        keywords: &Map<String, Value>,
        keyword: &str,
        argument: &Value,
        value: &Value,
        at: &str,
        errors: &mut Vec<String>,
    ) -> bool {
        let all = |argument: &Value| argument.as_array().unwrap().clone();
        match keyword {
            "$schema" | "$defs" | "title" | "description" | "format" | "then" | "else" => true,
            "$ref" => {
                let target = self.root.pointer(argument.as_str().unwrap().trim_start_matches('#')).unwrap();
                self.judge(target, value, at, errors);
                true
            }
            "type" => match argument {
                Value::String(name) => is_of(name, value),
                names => all(names).iter().any(|name| is_of(name.as_str().unwrap(), value)),
            },
            "enum" => all(argument).contains(value),
            "const" => argument == value,
            "pattern" => {
                let pattern = Regex::new(argument.as_str().unwrap()).unwrap();
                value.as_str().is_none_or(|text| pattern.is_match(text))
            }
            // Beyond 53 bits numbers of JSON Schema are vague; the limits are those of 64.
            "minimum" | "maximum" => value.as_number().is_none_or(|number| !number.is_f64()),
            "minItems" => {
                value.as_array().is_none_or(|items| items.len() as u64 >= argument.as_u64().unwrap())
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    self.judge(argument, item, &format!("{at}/{index}"), errors);
                }
                true
            }
            "required" => value.as_object().is_none_or(|members| {
                all(argument).iter().all(|name| members.contains_key(name.as_str().unwrap()))
            }),
            "properties" => {
                for (name, schema) in argument.as_object().unwrap() {
                    if let Some(member) = value.get(name) {
                        self.judge(schema, member, &format!("{at}/{name}"), errors);
                    }
                }
                true
            }
            "patternProperties" => {
                assert_eq!(argument, &serde_json::json!({ "^x-": true }));
                true
            }
            "additionalProperties" => {
                assert_eq!(argument, &Value::Bool(false));
                let known = |name: &String| {
                    keywords["properties"].get(name).is_some()
                        || keywords.contains_key("patternProperties") && name.starts_with("x-")
                };
                value.as_object().is_none_or(|members| members.keys().all(known))
            }
            "allOf" => {
                for schema in all(argument) {
                    self.judge(&schema, value, at, errors);
                }
                true
            }
            "anyOf" => all(argument).iter().any(|schema| self.fits(schema, value)),
            "oneOf" => all(argument).iter().filter(|schema| self.fits(schema, value)).count() == 1,
            "not" => !self.fits(argument, value),
            "if" => {
                let branch = if self.fits(argument, value) { "then" } else { "else" };
                if let Some(schema) = keywords.get(branch) {
                    self.judge(schema, value, at, errors);
                }
                true
            }
            other => panic!("the keyword {other} is not known here"),
        }
    }
}

fn is_of(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("there is no type {other}"),
    }
}
