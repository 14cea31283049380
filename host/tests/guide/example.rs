//! The example: GitLab's pipeline, GitHub's workflow where the guide does not go, and the hook of pre-commit.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::machine::{Machine, PASSWORD, repository};
use crate::workflow;

/// The example, checked out, with the port of the machine's server.
fn check_out(machine: &Machine) -> PathBuf {
    let folder = machine.path("home/access");
    let from = repository().join("examples/access-as-code");
    let copied = machine.bash(&machine.path("home"), &[], &format!("cp -r '{}' access", from.display()));
    assert_eq!(copied.code, 0, "{}", copied.output);
    let file = folder.join("raito.yml");
    fs::write(&file, machine.localized(&fs::read_to_string(&file).unwrap())).unwrap();
    folder
}

fn may(machine: &Machine, question: &str) -> bool {
    machine.server.rows("shop", &format!("SELECT {question}"))[0][0].as_deref() == Some("t")
}

#[test]
fn gitlab_plans_applies_and_finds_drift() {
    let machine = Machine::start();
    machine.set_up();
    let folder = check_out(&machine);
    let job = |name: &str, code: i32| {
        let outcome = workflow::gitlab(&machine, &folder, name);
        assert_eq!(outcome.code, code, "{name}: {}", outcome.output);
        outcome.output
    };

    job("validate", 0);
    let plan = job("plan", 0);
    assert!(
        plan.starts_with("### Access plan for shop\n") && plan.contains("➕ **create** Invoice clerks"),
        "{plan}"
    );
    assert!(!may(&machine, "EXISTS (SELECT FROM pg_roles WHERE rolname = 'r_invoice_clerks')"));

    job("plan of main", 0);
    assert!(job("apply", 0).ends_with("the target matches its access file\n"));
    assert!(may(&machine, "has_table_privilege('bob', 'finance.invoices', 'SELECT')"));
    assert!(may(&machine, "has_column_privilege('bob', 'sales.customers', 'name', 'SELECT')"));
    assert!(!may(&machine, "has_column_privilege('bob', 'sales.customers', 'email', 'SELECT')"));
    assert!(may(&machine, "has_table_privilege('dave', 'sales.orders', 'SELECT, UPDATE')"));
    job("plan of main", 0);
    assert!(job("apply", 0).ends_with("matches its access file, nothing was changed\n"));

    job("drift", 0);
    machine.server.sql("postgres", "GRANT r_invoice_clerks TO ann");
    assert!(job("drift", 2).contains("who   + ann"));

    // A plan that cannot be made fails, and is kept with its reason.
    fs::write(folder.join("access/sales.yml"), "accessProviders: [{ name: x, hwo: {} }]").unwrap();
    assert!(job("plan", 32).contains("access/sales.yml:1:30: unknown key `hwo`"));
}

#[test]
fn github_keeps_one_comment_and_one_issue() {
    let machine = Machine::start();
    machine.set_up();
    let folder = check_out(&machine);
    let [comment, issue] = ["github/comment", "github/issue"].map(|name| machine.path(name));
    let read = |path: &Path| fs::read_to_string(path).unwrap();

    workflow::github(&machine, &folder, "pull_request");
    assert!(read(&comment).starts_with("<!-- raito access plan -->\n### Access plan for shop\n"));
    assert!(read(&comment).contains("3 to create"));
    workflow::github(&machine, &folder, "workflow_dispatch");
    workflow::github(&machine, &folder, "pull_request");
    assert!(read(&comment).contains("nothing to change, 3 unchanged"));

    machine.server.sql("postgres", "GRANT r_invoice_clerks TO ann");
    workflow::github(&machine, &folder, "schedule");
    machine.server.sql("postgres", "REVOKE r_sales_readers FROM carol");
    workflow::github(&machine, &folder, "schedule");
    assert!(read(&issue).contains("+ who  ann") && read(&issue).contains("- who  carol"));
    workflow::github(&machine, &folder, "push");
    workflow::github(&machine, &folder, "schedule");
    assert!(!issue.exists());
}

#[test]
fn the_least_rights_of_the_guide_are_the_least() {
    let machine = Machine::start();
    machine.set_up();
    let folder = check_out(&machine);
    let apply = || {
        let variables = [("PG_USER", "raito"), ("PG_PASSWORD", PASSWORD)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        machine.bash(&folder, &variables, "raito access apply --yes")
    };
    for (taken, given, told) in [
        ("ALTER ROLE raito NOCREATEROLE", "ALTER ROLE raito CREATEROLE", "permission denied to create role"),
        (
            "REVOKE shop_owner FROM raito; GRANT CONNECT ON DATABASE shop TO raito WITH GRANT OPTION",
            "GRANT shop_owner TO raito; REVOKE GRANT OPTION FOR CONNECT ON DATABASE shop FROM raito",
            "permission denied for schema",
        ),
        (
            "ALTER DATABASE shop OWNER TO postgres",
            "ALTER DATABASE shop OWNER TO shop_owner",
            "no privileges were granted for \"shop\"",
        ),
        ("ALTER ROLE raito NOINHERIT", "ALTER ROLE raito INHERIT", "no privileges were granted for"),
    ] {
        machine.server.sql("shop", taken);
        let outcome = apply();
        assert!(outcome.code == 31 && outcome.output.contains(told), "{taken}: {outcome:?}");
        assert!(outcome.output.contains("nothing was changed"), "{taken}: {outcome:?}");
        machine.server.sql("shop", given);
    }
    assert_eq!(apply().code, 0);
}

#[test]
fn the_hook_of_pre_commit_checks_access_files() {
    let machine = Machine::start();
    let folder = check_out(&machine);
    let hooks = workflow::parse(&repository().join(".pre-commit-hooks.yaml"));
    let used = workflow::parse(&folder.join(".pre-commit-config.yaml"));
    let (hook, used) = (&hooks[0], &used["repos"][0]["hooks"][0]);
    assert_eq!(hook["id"], used["id"]);
    assert_eq!(hook["pass_filenames"], false);
    for files in [hook, used].map(|hook| Regex::new(hook["files"].as_str().unwrap()).unwrap()) {
        for name in ["raito.yml", "access/sales.yml"] {
            assert!(files.is_match(name), "{files} {name}");
        }
        assert!(!files.is_match("README.md"), "{files}");
    }
    let entry = hook["entry"].as_str().unwrap();
    let outcome = machine.bash(&folder, &[], entry);
    assert_eq!(outcome.code, 0, "{}", outcome.output);
    fs::write(folder.join("access/sales.yml"), "accessProviders: [{}]").unwrap();
    assert_eq!(machine.bash(&folder, &[], entry).code, 32);
}
