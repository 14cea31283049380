//! The reference, `docs/access-file.md`.

use std::path::Path;

use super::super::format::{CONTROL, CRITERIA, FILE, OBJECT, OWNER, WHAT, WHO};
use super::Folder;

fn reference() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/access-file.md")).unwrap()
}

#[test]
fn its_example_is_loaded() {
    let reference = reference();
    let (_, example) = reference.split_once("```yaml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let folder = Folder::new(&[("a.yml", example)]);
    let (file, controls) = folder.load_all().unwrap_or_else(|findings| panic!("{findings}"));
    assert_eq!(file.warnings, []);
    assert_eq!(controls.len(), 4);
    assert_eq!(controls[0].who.access_controls, ["ID:sales-managers"]);
    assert_eq!(file.index.people("Sales readers").len(), 3);
    assert_eq!(controls[3].filter_criteria.as_ref().unwrap().nodes.len(), 4);
}

#[test]
fn it_names_every_key() {
    let reference = reference();
    for table in [&FILE, &CONTROL, &WHO, &WHAT, &OBJECT, &OWNER, &CRITERIA] {
        for name in table.names() {
            let found = reference.split('`').skip(1).step_by(2).any(|code| {
                code == name || code.trim_matches(['{', '}', ' ']).split(", ").any(|part| part == name)
            });
            assert!(found, "docs/access-file.md does not name `{name}`");
        }
    }
}
