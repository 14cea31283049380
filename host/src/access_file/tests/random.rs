//! Documents made at random: good ones arrive as they were meant, and none makes the reader panic.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::Folder;
use super::target::vocabulary;
use crate::contract::access_controls::DesiredAccessControl;

/// A text that names something, with everything that YAML and JSON find special.
fn name() -> impl Strategy<Value = String> {
    let character =
        select("abcXYZ019 .:#'\"\\{}[]*&!|>%@`-?,éß😀\u{2028}\u{feff}=~<".chars().collect::<Vec<_>>());
    proptest::collection::vec(character, 1..8).prop_map(|characters| {
        let text: String = characters.into_iter().collect();
        // An entry of `inheritFrom` that begins like a reference is one.
        format!("n{}", text.trim_end().trim_end_matches('\u{2028}'))
    })
}

#[derive(Clone, Debug)]
struct Meant {
    name: String,
    id: Option<String>,
    description: Option<String>,
    users: BTreeSet<String>,
    inherits: Vec<(Index, bool)>,
    what: Vec<(BTreeSet<String>, bool)>,
    flow: bool,
}

fn meant() -> impl Strategy<Value = Meant> {
    let names = || proptest::collection::btree_set(name(), 0..4);
    let filled = proptest::collection::btree_set("[A-Z]{1,6}", 1..4);
    (
        (name(), proptest::option::of(name()), proptest::option::of("\\PC{0,20}")),
        names(),
        proptest::collection::vec((any::<Index>(), any::<bool>()), 0..3),
        proptest::collection::vec((filled, any::<bool>()), 0..3),
        any::<bool>(),
    )
        .prop_map(|((name, id, description), users, inherits, what, flow)| Meant {
            name,
            id,
            description,
            users,
            inherits,
            what,
            flow,
        })
}

fn quote(text: &str) -> String {
    // A JSON text is a YAML text in double quotes.
    serde_json::to_string(text).unwrap()
}

fn list<'a>(texts: impl IntoIterator<Item = &'a String>) -> String {
    texts.into_iter().map(|text| quote(text)).collect::<Vec<_>>().join(", ")
}

impl Meant {
    fn id(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.name)
    }

    /// What is written for it, and the references that it becomes. It inherits from those after it only.
    fn write(&self, at: usize, all: &[Meant]) -> (String, Vec<String>) {
        let later = all.get(at + 1..).unwrap_or_default();
        let (mut written, mut resolved) = (Vec::new(), Vec::new());
        for (index, by_id) in self.inherits.iter().filter(|_| !later.is_empty()) {
            let parent = &later[index.index(later.len())];
            let reference = format!("ID:{}", parent.id());
            if !resolved.contains(&reference) {
                written.push(if *by_id {
                    reference.to_uppercase().replace("SS", "ß")
                } else {
                    parent.name.clone()
                });
                // Only references whose letter case can be undone are changed.
                if *by_id && written.last().is_some_and(|one| one.to_lowercase() != reference.to_lowercase())
                {
                    written.pop();
                    written.push(reference.clone());
                }
                resolved.push(reference);
            }
        }
        let what: Vec<String> = self
            .what
            .iter()
            .enumerate()
            .map(|(object, (permissions, _))| {
                format!(
                    "{{dataObject: {{fullName: {}, type: table}}, permissions: [{}]}}",
                    quote(&format!("{object}.{}", self.name)),
                    list(permissions)
                )
            })
            .collect();
        let mut keys = vec![format!("name: {}", quote(&self.name))];
        keys.extend(self.id.iter().map(|id| format!("id: {}", quote(id))));
        keys.extend(self.description.iter().map(|text| format!("description: {}", quote(text))));
        keys.push(format!("who: {{users: [{}], inheritFrom: [{}]}}", list(&self.users), list(&written)));
        keys.push(format!("what: [{}]", what.join(", ")));
        let text = if self.flow {
            format!("  - {{ {} }}\n", keys.join(", "))
        } else {
            format!("  - {}\n", keys.join("\n    "))
        };
        (text, resolved)
    }
}

/// Leaves out what would be refused: names and ids that stand twice.
fn distinct(all: Vec<Meant>) -> Vec<Meant> {
    let (mut names, mut ids) = (BTreeSet::new(), BTreeSet::new());
    all.into_iter()
        .filter(|one| names.insert(one.name.to_lowercase()) && ids.insert(one.id().to_lowercase()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_is_meant_arrives(all in proptest::collection::vec(meant(), 1..8), cut in any::<Index>()) {
        let all = distinct(all);
        let cut = cut.index(all.len() + 1);
        let mut files = [String::from("accessProviders:\n"), String::from("accessProviders:\n")];
        let mut references = Vec::new();
        for (at, one) in all.iter().enumerate() {
            let (text, resolved) = one.write(at, &all);
            files[usize::from(at >= cut)].write_str(&text).unwrap();
            references.push(resolved);
        }
        let folder = Folder::new(&[("a.yml", &files[0]), ("b.yml", &files[1])]);
        let (file, controls) = folder.load_all().map_err(|findings| TestCaseError::fail(findings.to_string()))?;
        prop_assert_eq!(controls.len(), all.len());
        for ((meant, control), references) in all.iter().zip(&controls).zip(&references) {
            prop_assert_eq!(&control.id, meant.id());
            prop_assert_eq!(&control.name, &meant.name);
            prop_assert_eq!(&control.description, meant.description.as_deref().unwrap_or_default());
            prop_assert_eq!(&control.who.users, &meant.users.iter().cloned().collect::<Vec<_>>());
            prop_assert_eq!(&control.who.access_controls, references);
            let permissions = |control: &DesiredAccessControl| -> Vec<Vec<String>> {
                control.what.iter().map(|item| item.permissions.clone()).collect()
            };
            let expected: Vec<Vec<String>> =
                meant.what.iter().map(|(permissions, _)| permissions.iter().cloned().collect()).collect();
            prop_assert_eq!(permissions(control), expected);
            prop_assert_eq!(file.index.name(&control.id), Some(&*control.name));
            prop_assert!(file.index.people(&control.id).len() >= meant.users.len());
        }
    }

    #[test]
    fn mutated_documents_never_make_it_panic(
        json in any::<bool>(),
        edits in proptest::collection::vec((any::<Index>(), 0_usize..6, select(PIECES)), 1..6),
    ) {
        let mut text: Vec<char> = if json { JSON } else { super::good::SALES }.chars().collect();
        for (at, removed, piece) in edits {
            let at = at.index(text.len() + 1);
            let end = text.len().min(at + removed);
            text.splice(at..end, piece.chars());
        }
        let text: String = text.into_iter().collect();
        let folder = Folder::new(&[("a.yml", &text)]);
        // A file that is taken must be one that the rest of the program can read; `load_all` sees to it.
        if let Err(findings) = folder.load_all() {
            prop_assert!(findings.total > 0 && !findings.shown.is_empty());
        }
        let _judged = folder.load(&folder.path(), Some(&vocabulary()));
    }
}

const JSON: &str = r#"{"accessProviders": [{"name": "A", "action": "filtered", "filterCriteria": {"aggregator":
    {"operator": "And", "operands": [{"literal": true}, {"comparison": {"operator": "Equal", "leftOperand":
    {"literal": {"int": 1}}, "rightOperand": {"literal": {"float": 1.5}}}}]}}, "what": [{"dataObject":
    {"fullName": "d.t", "type": "table"}}]}, {"name": "B", "who": {"users": ["a"], "inheritFrom": ["ID:b2"]}},
    {"name": "B2", "delete": true, "deletedWho": null}], "fileBuildTime": 1}"#;

const PIECES: &[&str] = &[
    "",
    " ",
    "\n",
    "\n  - ",
    "\t",
    ":",
    ": ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\"",
    "'",
    "&a ",
    "*a",
    "*readers",
    "<<: ",
    "!!str ",
    "!x ",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "# ",
    "|",
    ">",
    "? ",
    "~",
    "null",
    "true",
    "1e999",
    ".nan",
    "\0",
    "\u{feff}",
    "\u{2028}",
    "😀",
    "who",
    "name: ",
    "ID:",
    "delete: true",
    "accessProviders:\n",
];
