//! Paths, folders, and what one file says about another.

use std::os::unix::fs::symlink;

use super::{Folder, told};

const A: &str = "accessProviders: [{ name: A, description: x, who: { users: [ann] } }]\n";

#[test]
fn a_folder_is_read_in_the_order_of_its_paths() {
    let folder = Folder::new(&[
        ("b.yaml", "accessProviders: [{ name: B, who: { inheritFrom: [C] } }]"),
        ("a/z.json", "{\"accessProviders\": [{\"name\": \"C\", \"who\": {\"users\": [\"cy\"]}}]}"),
        ("a.yml", A),
        (".hidden.yml", "nonsense"),
        (".git/x.yml", "nonsense"),
        ("README.md", "nonsense"),
        ("access-file.schema.json", "{}"),
    ]);
    let (file, controls) = folder.load_all().unwrap();
    let names: Vec<_> = controls.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["C", "A", "B"]);
    let paths: Vec<_> = file
        .files
        .iter()
        .map(|path| path.strip_prefix(folder.path()).unwrap().display().to_string())
        .collect();
    assert_eq!(paths, ["a/z.json", "a.yml", "b.yaml"]);
    assert_eq!(controls[2].who.access_controls, ["ID:C"]);
    assert_eq!(file.index.place("B").unwrap().path, folder.path().join("b.yaml"));
    assert_eq!(file.index.people("B").len(), 1);
}

#[test]
fn errors_of_all_files_come_at_once_and_in_order() {
    let (errors, _) = told(
        &[
            ("a.yml", A),
            ("b.yml", "accessProviders: [{ name: A, description: x }, { nam: B }]\n"),
            ("c.yml", "accessProviders:\n  - name: 'C\n"),
            ("d.yml", "accessProviders:\n  - { name: D, who: { inheritFrom: ['ID:E'] } }\n"),
            ("e.yml", "accessProviders:\n  - { name: F, id: A }\n"),
        ],
        None,
    );
    assert_eq!(
        errors,
        [
            "b.yml:1:27: another access control has this name: a.yml:1:27 (access control `A`) | give one of the two another name",
            "b.yml:1:48: an access provider needs the key `name` | add `name: …`",
            "b.yml:1:50: unknown key `nam` in an access provider | did you mean `name`?",
            "c.yml:2:11: not valid YAML: unclosed quote | close the quote",
            "d.yml:2:37: there is no access control with the id `E` (access control `D`) | did you mean `ID:A`?",
            "e.yml:2:20: another access control has the id `A`: a.yml:1:27 (access control `F`) | give one of the two another id",
        ]
    );
}

#[test]
fn paths_that_cannot_be_used_are_refused() {
    let folder = Folder::new(&[("notes.txt", A), ("empty/.keep", "")]);
    let path = folder.path();
    for (name, expected) in [
        ("none.yml", "there is no such file or folder"),
        ("notes.txt", "not the ending of an access file"),
        ("empty", "the folder holds no access file"),
        ("", "the folder holds no access file"),
    ] {
        let findings = folder.load(&path.join(name), None).unwrap_err();
        assert_eq!(findings.total, 1);
        assert_eq!(findings.shown[0].to_string(), format!("{}: {expected}", path.join(name).display()));
        assert!(findings.shown[0].hint.is_some(), "{expected}");
    }
    assert_eq!(
        folder.load(std::path::Path::new("/dev/null"), None).unwrap_err().shown[0].message,
        "neither a file nor a folder"
    );
}

#[test]
fn a_spool_that_cannot_be_written_is_an_error() {
    let folder = Folder::new(&[("a.yml", A)]);
    let findings = super::load(&folder.path(), None, &folder.path().join("none/spool.json")).unwrap_err();
    assert!(findings.shown[0].message.contains("cannot be written"), "{findings}");
}

#[test]
fn links_to_files_in_the_folder_count_and_others_are_told() {
    let folder = Folder::new(&[("..data/access.yml", A), ("sub/b.yml", "accessProviders: []\n")]);
    let path = folder.path();
    symlink("..data/access.yml", path.join("access.yml")).unwrap();
    symlink("access.yml", path.join("again.yml")).unwrap();
    symlink("sub", path.join("folder")).unwrap();
    symlink("sub/b.yml", path.join("b.yml")).unwrap();
    symlink("nowhere", path.join("notes.txt")).unwrap();
    let (file, controls) = folder.load_all().unwrap();
    assert_eq!(controls.len(), 1);
    assert_eq!(file.files, [path.join("access.yml"), path.join("sub/b.yml")]);
    let mut warnings: Vec<_> = file
        .warnings
        .iter()
        .map(|one| one.to_string().replace(&format!("{}/", path.display()), ""))
        .collect();
    warnings.sort();
    assert_eq!(
        warnings,
        [
            "again.yml: left out: what it links to is read already",
            "b.yml: left out: what it links to is read already",
            "folder: left out: links to folders are not followed",
        ]
    );
}

#[test]
fn what_cannot_be_read_is_never_taken_for_removed() {
    let outside = tempfile::NamedTempFile::with_suffix(".yml").unwrap();
    for (target, cause) in [
        (std::path::Path::new("nowhere"), "a link that leads nowhere"),
        (outside.path(), "a link out of the folder"),
    ] {
        let folder = Folder::new(&[("a.yml", A)]);
        symlink(target, folder.path().join("link.yml")).unwrap();
        let findings = folder.load_all().unwrap_err();
        assert!(findings.to_string().contains(cause), "{findings}");
    }
    let folder = Folder::new(&[("a\n::warning::x\u{1b}[31m.yml", A)]);
    let findings = folder.load_all().unwrap_err().to_string();
    assert!(findings.contains("the name holds control characters"), "{findings}");
    assert!(!findings.contains("\n::warning") && !findings.contains('\u{1b}'), "{findings}");
}

#[test]
fn what_is_told_is_bounded() {
    let mut text = String::from("accessProviders:\n");
    for _ in 0..250 {
        text.push_str("  - nam: x\n");
    }
    let findings = Folder::new(&[("a.yml", &text)]).load_all().unwrap_err();
    assert_eq!((findings.shown.len(), findings.total), (super::super::SHOWN, 500));
    assert!(findings.to_string().ends_with("… and 400 more"), "{findings}");
}
