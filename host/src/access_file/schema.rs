//! The JSON Schema of access files, made from the tables of [`super::format`].
//!
//! It says what an editor can say while somebody writes: keys, types, words, and which keys an action needs. References
//! between access controls are left to the reader. Texts may be unquoted numbers and the like, as for the reader.

use serde_json::{Map, Value, json};

use super::format::{ACTIONS, CONTROL, CRITERIA, FILE, Key, OBJECT, OWNER, Shape, Table, WHAT, WHO};
use super::vocabulary::Vocabulary;

/// Not blank, no control characters.
const NAME: &str =
    r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$";

/// The JSON Schema of access files (draft 2020-12). With a `vocabulary` it knows the target's types and permissions.
pub fn schema(vocabulary: Option<&Vocabulary>) -> Value {
    let mut definitions = Map::new();
    for table in [&CONTROL, &WHO, &WHAT, &OBJECT, &OWNER] {
        define(table, &mut definitions);
    }
    define(&CRITERIA, &mut definitions);
    let mut file = map(&FILE, &mut definitions);
    if let Some(control) = definitions.get_mut(CONTROL.name) {
        add(control, "allOf", conditions(vocabulary));
    }
    if let Some(vocabulary) = vocabulary {
        narrow(&mut definitions, vocabulary);
    }
    add(&mut file, "$defs", Value::Object(definitions));
    add(&mut file, "$schema", json!("https://json-schema.org/draft/2020-12/schema"));
    add(&mut file, "title", json!("Raito access file"));
    file
}

fn add(schema: &mut Value, key: &str, value: Value) {
    if let Value::Object(members) = schema {
        members.insert(key.to_owned(), value);
    }
}

/// Adds the schema of a table to the definitions, with those that it needs.
fn define(table: &'static Table, definitions: &mut Map<String, Value>) {
    if definitions.contains_key(table.name) {
        return;
    }
    // Holds the place, because tables may hold themselves.
    definitions.insert(table.name.to_owned(), Value::Null);
    let schema = map(table, definitions);
    definitions.insert(table.name.to_owned(), schema);
}

fn map(table: &'static Table, definitions: &mut Map<String, Value>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for key in table.keys.iter().filter(|key| !matches!(key.shape, Shape::Moved(_))) {
        properties.insert(key.name.to_owned(), value(key, definitions));
        if key.presence.is_required() {
            required.push(key.name);
        }
    }
    let mut schema = json!({
        "description": table.about,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        add(&mut schema, "required", json!(required));
    }
    if table.extensible {
        add(&mut schema, "patternProperties", json!({ "^x-": true }));
    }
    if table.one_of {
        let one =
            |name: &str| json!({ "required": [name], "properties": { name: { "not": { "type": "null" } } } });
        add(&mut schema, "oneOf", table.names().map(one).collect());
    }
    schema
}

/// The schema of a key's value.
fn value(key: &'static Key, definitions: &mut Map<String, Value>) -> Value {
    let schema = shape(key.shape, definitions);
    let mut schema = if key.presence.allows_null() { or_null(schema) } else { schema };
    add(&mut schema, "description", json!(key.about));
    schema
}

fn or_null(mut schema: Value) -> Value {
    match schema.get("type").cloned() {
        Some(Value::Array(mut types)) => {
            types.push(json!("null"));
            add(&mut schema, "type", Value::Array(types));
        }
        Some(one) => add(&mut schema, "type", json!([one, "null"])),
        None => return json!({ "anyOf": [schema, { "type": "null" }] }),
    }
    schema
}

fn shape(shape: Shape, definitions: &mut Map<String, Value>) -> Value {
    let mut reference = |table: &'static Table| {
        define(table, definitions);
        json!({ "$ref": format!("#/$defs/{}", table.name) })
    };
    let texts = json!(["string", "number", "boolean"]);
    let name = || json!({ "type": texts, "pattern": NAME });
    match shape {
        Shape::Name => name(),
        Shape::MaybeName => json!({ "anyOf": [{ "const": "" }, name()] }),
        Shape::Text => json!({ "type": texts }),
        Shape::Timestamp => json!({ "type": "string", "format": "date-time" }),
        Shape::Word(words) => any_case(words.iter().copied()),
        Shape::ExactWord(words) => json!({ "enum": words }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Integer => json!({ "type": "integer", "minimum": i64::MIN, "maximum": i64::MAX }),
        Shape::Number => json!({ "type": "number" }),
        Shape::Names => json!({ "type": "array", "items": name() }),
        Shape::Map(table) => reference(table),
        Shape::List(table) => json!({ "type": "array", "items": reference(table) }),
        Shape::FilledList(table) => json!({ "type": "array", "items": reference(table), "minItems": 1 }),
        Shape::Moved(_) => json!(false),
    }
}

/// Words in any letter case. The first branch is what editors offer.
fn any_case<'a>(words: impl Iterator<Item = &'a str>) -> Value {
    let words: Vec<&str> = words.collect();
    json!({ "anyOf": [{ "enum": words }, { "type": "string", "pattern": any_case_pattern(words.iter().copied()) }] })
}

/// `^(?:[Aa][Nn][Dd]|[Oo][Rr])$`: expressions in JSON Schema have no flags.
fn any_case_pattern<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut pattern = String::from("^(?:");
    for (at, word) in words.enumerate() {
        if at > 0 {
            pattern.push('|');
        }
        for character in word.chars() {
            let (upper, lower) = (character.to_ascii_uppercase(), character.to_ascii_lowercase());
            if upper != lower {
                pattern.extend(['[', upper, lower, ']']);
            } else if character.is_ascii_punctuation() {
                pattern.extend(['\\', character]);
            } else {
                pattern.push(character);
            }
        }
    }
    pattern.push_str(")$");
    pattern
}

/// What an action asks for: `[{ if: { … }, then: { … } }, …]`.
fn conditions(vocabulary: Option<&Vocabulary>) -> Value {
    let action = |words: &[&str]| json!({ "properties": { "action": { "pattern": any_case_pattern(words.iter().copied()) } }, "required": ["action"] });
    let given =
        |key: &str| json!({ "required": [key], "properties": { key: { "not": { "type": "null" } } } });
    let deleted = json!({ "properties": { "delete": { "const": true } }, "required": ["delete"] });
    let conditions = json!([given("policyRule"), given("filterCriteria")]);
    let without_permissions = action(&["mask", "filtered"]);
    let filled = json!({ "items": { "required": ["permissions"], "properties": { "permissions": { "type": "array", "minItems": 1 } } } });
    let mut rules = vec![
        json!({ "if": action(&["filtered"]), "else": { "not": { "anyOf": conditions } } }),
        json!({
            "if": { "allOf": [action(&["filtered"]), { "not": deleted }] },
            "then": { "oneOf": conditions },
        }),
        json!({
            "if": action(&["filtered"]),
            "then": { "properties": { "policyRule": { "type": ["string", "number", "boolean", "null"], "pattern": r"\S" } } },
        }),
        json!({
            "if": { "not": { "anyOf": [without_permissions, deleted] } },
            "then": { "properties": { "what": filled, "deleteWhat": filled } },
        }),
    ];
    if let Some(vocabulary) = vocabulary {
        let masks: Vec<&str> = vocabulary.mask_types().collect();
        let mask_types = if masks.is_empty() { json!(true) } else { json!({ "enum": with_null(masks) }) };
        let types = with_null(vocabulary.control_types().collect());
        rules.push(json!({
            "if": action(&["mask"]),
            "then": { "properties": { "type": mask_types } },
            "else": { "properties": { "type": { "enum": types } } },
        }));
    }
    Value::Array(rules)
}

fn with_null(names: Vec<&str>) -> Vec<Value> {
    names.into_iter().map(Value::from).chain([Value::Null]).collect()
}

/// Puts the words of a target into the definitions.
fn narrow(definitions: &mut Map<String, Value>, vocabulary: &Vocabulary) {
    let mut put = |table: &Table, key: &str, schema: Value| {
        let about = table.key(key).map(|key| key.about);
        if let Some(Value::Object(properties)) =
            definitions.get_mut(table.name).and_then(|definition| definition.get_mut("properties"))
        {
            let mut schema = schema;
            add(&mut schema, "description", json!(about));
            properties.insert(key.to_owned(), schema);
        }
    };
    let actions = ACTIONS.iter().copied().filter(|action| vocabulary.supports(action));
    put(&CONTROL, "action", any_case(actions));
    put(&OBJECT, "type", json!({ "enum": vocabulary.object_types().collect::<Vec<_>>() }));
    let of_type = |name: &str| {
        let permissions = any_case(vocabulary.permissions(name).into_iter());
        json!({
            "if": {
                "properties": { "dataObject": { "properties": { "type": { "const": name } }, "required": ["type"] } },
                "required": ["dataObject"],
            },
            "then": { "properties": { "permissions": { "items": permissions } } },
        })
    };
    let rules: Vec<Value> = vocabulary.object_types().map(of_type).collect();
    if let Some(what) = definitions.get_mut(WHAT.name) {
        add(what, "allOf", Value::Array(rules));
    }
}
