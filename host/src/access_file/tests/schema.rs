//! The published schema: the committed file is the current one, and schema and reader agree.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::super::format::{CONTROL, CRITERIA, FILE, Shape, Table};
use super::bad::BAD;
use super::target::vocabulary;
use super::{errors, good, told};
use crate::access_file::schema;

mod judge;

fn published() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema/access-file.schema.json")
}

#[test]
fn the_published_schema_is_the_current_one() {
    let current = serde_json::to_string_pretty(&schema(None)).unwrap() + "\n";
    if std::env::var_os("RAITO_WRITE_SCHEMA").is_some() {
        std::fs::write(published(), &current).unwrap();
    }
    let committed = std::fs::read_to_string(published()).unwrap_or_default();
    assert!(
        committed == current,
        "docs/schema/access-file.schema.json is not current; run this test with RAITO_WRITE_SCHEMA=1"
    );
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

#[test]
fn schema_and_reader_agree_on_documents() {
    let schema = schema(None);
    let mut refused = 0;
    for (text, seen, _) in BAD {
        // What is not seen by the schema is about several access controls, or no valid YAML.
        let Some(seen) = *seen else { continue };
        let judged = judge::errors(&schema, &yaml(text));
        assert_eq!(!judged.is_empty(), seen, "{text}\n{judged:?}");
        refused += usize::from(seen);
    }
    assert!(refused > 20);
    for text in GOOD {
        assert_eq!(errors(text), [""; 0], "{text}");
        let judged = judge::errors(&schema, &yaml(text));
        assert!(judged.is_empty(), "{text}\n{judged:?}");
    }
}

const GOOD: &[&str] = &[
    good::SALES,
    good::CRITERIA,
    "accessProviders:\n",
    "{\"accessProviders\": [], \"lastCalculated\": null, \"fileBuildTime\": 1, \"x-a\": {\"b\": 1}, \"$schema\": \"s\"}",
    "accessProviders: [{ name: 1, id: true, action: SHARE, who: , what: , type: , delete: false, deletedWho: }]",
    "accessProviders: [{ name: A, action: Filtered, delete: true }, { name: B, action: MASK, what: [{ dataObject: { fullName: t, type: t } }] }]",
    "accessProviders: [{ name: A, delete: true, what: [{ dataObject: { fullName: t, type: t } }], externalId: '' }]",
    "accessProviders: [{ name: A, owners: [{ email: a }], namingHint: '', policyRule: , filterCriteria: }]",
];

#[test]
fn every_key_is_known_to_the_schema_with_its_description() {
    fn visit(table: &'static Table, schema: &Value, seen: &mut Vec<&'static str>) {
        if seen.contains(&table.name) {
            return;
        }
        seen.push(table.name);
        let place = if table.name == FILE.name { schema } else { &schema["$defs"][table.name] };
        let properties = place["properties"].as_object().unwrap();
        let mut names: Vec<_> = table.names().collect();
        names.sort_unstable();
        let mut known: Vec<_> = properties.keys().collect();
        known.sort_unstable();
        assert_eq!(names, known, "{}", table.name);
        for key in table.keys {
            if let Shape::Map(below) | Shape::List(below) | Shape::FilledList(below) = key.shape {
                visit(below, schema, seen);
            }
            if !matches!(key.shape, Shape::Moved(_)) {
                assert!(!properties[key.name]["description"].as_str().unwrap().is_empty(), "{}", key.name);
            }
            let required = place["required"].as_array().is_some_and(|names| names.contains(&json!(key.name)));
            assert_eq!(required, key.presence.is_required(), "{}", key.name);
        }
    }
    let mut seen = Vec::new();
    visit(&FILE, &schema(None), &mut seen);
    assert!(seen.contains(&CONTROL.name) && seen.contains(&CRITERIA.name));
    assert_eq!(seen.len(), 13);
}

#[test]
fn a_schema_for_a_target_knows_its_words() {
    let vocabulary = vocabulary();
    let schema = schema(Some(&vocabulary));
    for (text, good) in [
        (
            "{ name: A, type: role, what: [{ dataObject: { fullName: s, type: schema }, permissions: [select, USAGE] }] }",
            true,
        ),
        (
            "{ name: A, type: , what: [{ dataObject: { fullName: s, type: sequence }, permissions: [X] }] }",
            false,
        ),
        ("{ name: A, what: [{ dataObject: { fullName: s, type: tabel }, permissions: [SELECT] }] }", false),
        ("{ name: A, what: [{ dataObject: { fullName: s, type: table }, permissions: [USAGE] }] }", false),
        (
            "{ name: A, what: [{ dataObject: { fullName: s, type: table }, permissions: [OWNERSHIP] }] }",
            false,
        ),
        ("{ name: A, type: rol, description: x }", false),
        ("{ name: A, action: mask, what: [{ dataObject: { fullName: s, type: column } }] }", false),
        (
            "{ name: A, action: filtered, policyRule: x, what: [{ dataObject: { fullName: s, type: table } }] }",
            true,
        ),
    ] {
        let text = format!("accessProviders: [{text}]");
        assert_eq!(told(&[("a.yml", &text)], Some(&vocabulary)).0.is_empty(), good, "reader: {text}");
        assert_eq!(judge::errors(&schema, &yaml(&text)).is_empty(), good, "schema: {text}");
    }
}
