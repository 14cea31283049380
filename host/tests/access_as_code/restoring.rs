//! `raito apply-access`, and the copies that are kept of what was applied.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::company::{self, SHOP, reader, state};
use crate::site::{Site, TARGET};

#[test]
fn what_was_applied_is_kept_and_can_be_applied_again() {
    let site = company::start();
    copies_are_kept(&site);
    a_saved_file_is_applied_again(&site);
}

/// All files and folders below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(below(&path));
        }
        found.push(path);
    }
    found
}

/// Folders of runs are named by the second.
fn wait_for_the_next_second() {
    std::thread::sleep(std::time::Duration::from_millis(1_050));
}

fn copies_are_kept(site: &Site) {
    site.configure("file-backup-location: kept\nmaximum-backups-per-target: 2", "postgres");
    for user in ["ann", "bob", "carl"] {
        site.apply(&[reader("Readers", &[user], "orders")]);
        wait_for_the_next_second();
    }
    // Nothing is applied, so there is nothing to be kept.
    site.access(&["apply", "--yes"]).succeeded();
    let folder = site.folder().join("kept").join(format!("{TARGET}-access"));
    let runs: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(runs.len(), 2, "{runs:?}");
    let mut users = Vec::new();
    for path in below(&site.folder().join("kept")) {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        if path.is_dir() {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(site.server.password()), "{}", path.display());
        if path.to_str().unwrap().contains("toTarget-access-") {
            users.extend(["ann", "bob", "carl"].into_iter().filter(|user| text.contains(user)));
        }
    }
    users.sort_unstable();
    assert_eq!(users, ["bob", "carl"]);
    // What was a copy for the time of the run is gone.
    let left: Vec<_> = below(&site.folder())
        .into_iter()
        .filter(|path| path.to_str().unwrap().contains("toTarget"))
        .collect();
    assert!(left.iter().all(|path| path.starts_with(site.folder().join("kept"))), "{left:?}");
    site.apply(&[]);
}

fn a_saved_file_is_applied_again(site: &Site) {
    let provider = |id: &str, name: &str, user: &str| {
        let mut provider = reader(name, &[user], "orders");
        provider["id"] = json!(id);
        provider["namingHint"] = json!(name);
        provider["action"] = json!("grant");
        provider["delete"] = json!(false);
        provider
    };
    let saved = json!({ "lastCalculated": 1_705_920_489,
                        "accessProviders": [provider("1", "sales_ann", "ann"), provider("2", "sales_bob", "bob"), provider("3", "other", "carl")] });
    site.write("saved.json", &saved.to_string());
    let before = state(site);
    let filter = ["apply-access", TARGET, "saved.json", "--filter-access", "sales_.*"];
    let asked = site.run(&filter).failed(35, "nobody can be asked here", "--yes");
    assert!(asked.stdout.contains("- sales_ann") && !asked.stdout.contains("- other"), "{asked:?}");
    let none = site.run(&["apply-access", TARGET, "saved.json", "--filter-access", "nothing"]).succeeded();
    assert!(none.stdout.contains("No access control is to be applied"), "{none:?}");
    site.run(&["apply-access", "elsewhere", "saved.json", "--yes"]).failed(3, "elsewhere", "");
    assert_eq!(state(site), before);

    let outcome = site.run(&[&filter[..], &["--yes"]].concat()).succeeded();
    assert!(
        outcome.stdout.contains("past Raito Cloud")
            && outcome.stdout.contains("2 of 2 access controls changed"),
        "{outcome:?}"
    );
    assert_eq!(
        (site.can_read("ann", "orders"), site.can_read("bob", "orders"), site.can_read("carl", "orders")),
        (true, true, false)
    );
    assert_eq!(site.roles("sales_"), ["sales_ann", "sales_bob"]);
    // It carries Raito Cloud's mark, so an access file leaves it alone.
    let marks = site.texts(SHOP, "SELECT shobj_description('sales_ann'::regrole, 'pg_authid')");
    assert_eq!(marks, ["raito:1"]);
    site.apply(&[reader("Readers", &["carl"], "customers")]);
    assert_eq!(site.roles("sales_"), ["sales_ann", "sales_bob"]);
    // The file is still there, and a copy of what was applied, too.
    assert!(site.folder().join("saved.json").is_file());
    let copies = below(&site.folder().join("kept").join(format!("{TARGET}-apply-access")));
    let filtered =
        copies.iter().find(|path| path.to_str().unwrap().contains("toTarget-filteredAccess")).unwrap();
    let text = fs::read_to_string(filtered).unwrap();
    assert!(text.contains("sales_ann") && !text.contains("\"other\""), "{text}");

    let mut bad =
        json!({ "accessProviders": [provider("1", "sales_ann", "bob"), provider("4", "bad", "nobody")] });
    site.write("saved.json", &bad.to_string());
    // An access file would make everything a second time, as Raito Cloud's.
    site.run(&["apply-access", TARGET, "saved.json", "--yes"]).failed(
        32,
        "was not made by Raito Cloud",
        "raito access apply --access-file",
    );
    bad["fileBuildTime"] = json!(1_711_140_795_865_u64);
    site.write("saved.json", &bad.to_string());
    // One that cannot be applied does not stop the others, here.
    let outcome = site.run(&["apply-access", TARGET, "saved.json", "--yes"]);
    let outcome = outcome.failed(31, "1 access control could not be applied", "");
    assert!(outcome.stderr.contains("there is no user \"nobody\""), "{outcome:?}");
    assert!(!site.can_read("ann", "orders") && site.can_read("bob", "orders"));
}
