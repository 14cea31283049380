//! Names that need care, everywhere a name can stand.

use raito_connector::DesiredAccessControl;

use crate::desired::{apply, catalogue, converge, filter, item, role, who};
use crate::server::Server;

/// Each is at most 63 bytes, which is all that the server keeps of a name.
fn odd_names() -> Vec<String> {
    vec![
        "MixedCase".into(),
        "mixedcase".into(),
        "two words".into(),
        "quo\"te".into(),
        "it's; DROP ROLE ann --".into(),
        "dot.in.it".into(),
        "f(x)".into(),
        "back\\slash".into(),
        "Ünïcödé".into(),
        "表".repeat(21),
        "x".repeat(63),
        "$1 {a} %".into(),
        " spaced ".into(),
    ]
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(name: &str) -> String {
    format!("E'{}'", name.replace('\\', "\\\\").replace('\'', "''"))
}

/// Every part in quotes.
fn path(parts: &[&str]) -> String {
    parts.iter().map(|part| identifier(part)).collect::<Vec<_>>().join(".")
}

#[test]
fn any_name_that_the_server_takes_can_be_applied() {
    let server = Server::start();
    let mut desired: Vec<DesiredAccessControl> = Vec::new();
    let everybody: Vec<String> =
        odd_names().iter().map(|name| format!("u{name}").chars().take(21).collect()).collect();
    for user in &everybody {
        server.sql("postgres", &format!("CREATE ROLE {} LOGIN", identifier(user)));
    }
    for (at, name) in odd_names().iter().enumerate() {
        let quoted = identifier(name);
        for statement in [
            format!("CREATE ROLE {quoted}"),
            format!("CREATE SCHEMA {quoted}"),
            format!("CREATE TABLE {quoted}.{quoted} ({quoted} int, other int)"),
            format!("CREATE SEQUENCE {quoted}.seq"),
            format!("CREATE FUNCTION {quoted}.{quoted}(int) RETURNS int LANGUAGE sql AS 'SELECT 1'"),
        ] {
            server.sql("postgres", &statement);
        }
        let user = everybody[at].as_str();
        let what = vec![
            item("table", &path(&["postgres", name, name]), &["INSERT"]),
            item("column", &path(&["postgres", name, name, name]), &["SELECT"]),
            item("sequence", &path(&["postgres", name, "seq"]), &["USAGE"]),
            item("function", &format!("{}(integer)", path(&["postgres", name, name])), &["EXECUTE"]),
            item("schema", &path(&["postgres", name]), &["CREATE", "DELETE"]),
        ];
        desired.push(role(&format!("r{name}"), name, who(&[user], &[name]), what));
        let mut rule =
            filter(&format!("f{name}"), "", who(&[user], &[name]), &path(&["postgres", name, name]));
        rule.policy_rule = Some("{other} > 0".into());
        desired.push(rule);
    }
    let settings = server.settings(&[]);
    let (plans, feedback) = converge(&server, &settings, "R_", &desired);
    for (id, plan) in &plans {
        assert!(plan.errors.is_empty(), "{id}: {:?}", plan.errors);
    }
    for (at, name) in odd_names().iter().enumerate() {
        let granted = literal(&feedback[&format!("r{name}")].actual_name);
        let (table, column, user) = (literal(&path(&[name, name])), literal(name), literal(&everybody[at]));
        let checks = format!(
            "SELECT has_table_privilege({granted}, {table}, 'INSERT'), has_table_privilege({granted}, {table}, 'DELETE'), \
             has_table_privilege({granted}, {table}, 'SELECT'), has_column_privilege({granted}, {table}, {column}, 'SELECT'), \
             has_column_privilege({granted}, {table}, 'other', 'SELECT'), pg_has_role({user}, {granted}, 'USAGE'), \
             pg_has_role({column}, {granted}, 'USAGE'), has_schema_privilege({granted}, {column}, 'CREATE')"
        );
        assert_eq!(server.rows("postgres", &checks), ["t|t|f|t|f|t|t|t"], "{name}");
    }

    // Half of it goes, the rest goes with the file; what was there before is what is left.
    for control in &mut desired {
        control.what.truncate(1);
        control.who.access_controls.clear();
    }
    converge(&server, &settings, "R_", &desired);
    converge(&server, &settings, "R_", &[]);
    let rest = "SELECT count(*) FROM pg_roles r WHERE EXISTS \
                (SELECT FROM pg_shdepend d WHERE d.refobjid = r.oid AND d.deptype = 'a') OR rolname ~ '^r_'";
    assert_eq!(server.rows("postgres", rest), ["0"]);
}

#[test]
fn a_name_that_is_too_long_is_not_cut_to_another_one() {
    let server = Server::start();
    let name = "x".repeat(63);
    server.sql("postgres", &format!("CREATE ROLE {name} LOGIN; CREATE ROLE r{}", &name[1..]));
    server.sql("postgres", &format!("CREATE TABLE {name} (id int)"));
    let before = catalogue(&server);
    let longer = format!("{name}x");
    let table = [item("table", &format!("postgres.public.{longer}"), &["SELECT"])];
    let wrong = [
        role("t", "t", who(&[], &[]), table.to_vec()),
        role("u", "u", who(&[&longer], &[&format!("r{longer}")]), vec![]),
        filter("f", "true", who(&[], &[]), &format!("postgres.public.{longer}")),
    ];
    let options = raito_connector::ApplyOptions { all_or_nothing: true, ..crate::desired::options("") };
    let feedback = crate::desired::apply_with(&server.settings(&[]), &options, &wrong);
    assert_eq!(
        (feedback["t"].errors.len(), feedback["u"].errors.len(), feedback["f"].errors.len()),
        (1, 2, 1)
    );
    assert_eq!(catalogue(&server), before);
    assert!(apply(&server.settings(&[]), "", &[]).is_empty());
}
