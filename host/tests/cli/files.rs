//! What a connector sees of the file system: the granted folders, under their guest paths, and nothing else.

use std::fs;

use crate::network::{outcome_of, probe};
use crate::place::Place;

/// Puts a granted folder and a secret beside it into the place.
fn fill(place: &Place) {
    place.write("granted/report.txt", "content");
    place.write("secret.txt", "secret");
    #[cfg(unix)]
    for (target, link) in [("../secret.txt", "out"), ("..", "up"), ("/etc", "etc"), ("report.txt", "inside")]
    {
        std::os::unix::fs::symlink(target, place.path().join("granted").join(link)).unwrap();
    }
}

fn grant(access: &str) -> String {
    format!("sandbox:\n  filesystem:\n    - {{ host: ./granted, guest: /data, access: {access} }}")
}

/// Attempts to read. Every one must find nothing.
#[test]
fn nothing_outside_of_the_granted_folder_can_be_read() {
    const OUTSIDE: [&str; 14] = [
        "/etc/passwd",
        "../..",
        "..",
        ".",
        "/",
        "raito.yml",
        "/proc/self/environ",
        "/dev/null",
        "/data/../secret.txt",
        "/data/../../../../../../etc/passwd",
        "/data/out",
        "/data/up/secret.txt",
        "/data/etc/passwd",
        "//etc/passwd",
    ];
    let none = probe(&format!("read: {}", OUTSIDE.join(",")), "");
    fill(&none);
    none.run(&[]).succeeded();
    let some = probe(
        &format!("read: \"{},/data/report.txt,/data/inside,/data/./report.txt\"", OUTSIDE.join(",")),
        &grant("read"),
    );
    fill(&some);
    some.run(&[]).succeeded();
    for path in OUTSIDE {
        let attempt = format!("read {path}");
        for (place, granted) in [(&none, "nothing"), (&some, "/data")] {
            let outcome = outcome_of(place, &attempt);
            println!("{attempt:45} granted {granted:8} {outcome}");
            assert!(outcome.starts_with("refused: "), "{attempt} with {granted}: {outcome}");
        }
    }
    assert_eq!(outcome_of(&some, "read /data/report.txt"), "got content");
    assert_eq!(outcome_of(&some, "read /data/./report.txt"), "got content");
    #[cfg(unix)]
    assert_eq!(outcome_of(&some, "read /data/inside"), "got content");
}

#[test]
fn a_read_grant_lets_nothing_be_changed() {
    let place = probe("write: \"/data/report.txt,/data/new.txt,/data/out,/data/up/new.txt\"", &grant("read"));
    fill(&place);
    place.run(&[]).succeeded();
    for path in ["/data/report.txt", "/data/new.txt", "/data/out", "/data/up/new.txt"] {
        for operation in ["write", "link", "remove"] {
            let outcome = outcome_of(&place, &format!("{operation} {path}"));
            println!("{operation:7} {path:20} granted /data to read  {outcome}");
            assert!(outcome.starts_with("refused: "), "{operation} {path}: {outcome}");
        }
    }
    assert_eq!(
        (place.read("granted/report.txt"), place.read("secret.txt")),
        ("content".into(), "secret".into())
    );
    let mut names: Vec<_> =
        fs::read_dir(place.path().join("granted")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(
        names,
        if cfg!(unix) { vec!["etc", "inside", "out", "report.txt", "up"] } else { vec!["report.txt"] }
    );
}

#[test]
fn a_write_grant_ends_at_its_folder() {
    let place = probe(
        "write: \"/data/new.txt,/data/out,/data/up/new.txt,/data/../new.txt,/new.txt\"",
        &grant("write"),
    );
    fill(&place);
    place.run(&[]).succeeded();
    assert_eq!(outcome_of(&place, "write /data/new.txt"), "got /data/new.txt");
    assert_eq!(outcome_of(&place, "remove /data/new.txt"), "got /data/new.txt");
    #[cfg(unix)]
    assert_eq!(place.read("granted/new.txt.link"), "written", "what was linked before it was removed");
    assert!(!place.path().join("granted/new.txt").exists());
    for path in ["/data/up/new.txt", "/data/../new.txt", "/new.txt"] {
        for operation in ["write", "link", "remove"] {
            let outcome = outcome_of(&place, &format!("{operation} {path}"));
            println!("{operation:7} {path:20} granted /data to write {outcome}");
            assert!(outcome.starts_with("refused: "), "{operation} {path}: {outcome}");
        }
    }
    // The link itself may be removed, for it lies in the folder; what it names may not be touched.
    assert!(outcome_of(&place, "write /data/out").starts_with("refused: "));
    assert_eq!(place.read("secret.txt"), "secret");
    assert!(!place.path().join("new.txt").exists());
}
