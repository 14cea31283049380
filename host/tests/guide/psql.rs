//! The little of `psql` that the guide uses, so that the tests need PostgreSQL's server and not its client:
//! `--file`, `--command`, `--dbname`, and rows as `--no-align --tuples-only` prints them. In files, `\connect` too.

use std::fs;
use std::path::Path;

use raito_test_servers::Postgres;

/// Runs a command line; gives what it prints.
pub(crate) fn run(server: &Postgres, folder: &Path, line: &str) -> String {
    let (mut database, mut file, mut statement) = ("postgres".to_owned(), None, None);
    let mut bare = 0;
    for word in words(line).into_iter().skip(1) {
        match word.split_once('=') {
            Some(("--dbname", name)) => name.clone_into(&mut database),
            Some(("--file", path)) => file = Some(folder.join(path)),
            Some(("--command", text)) => statement = Some(text.to_owned()),
            None if word == "--quiet" => {}
            None if word == "--no-align" || word == "--tuples-only" => bare += 1,
            _ => panic!("{word} of {line}"),
        }
    }
    if let Some(path) = file {
        script(server, database.clone(), &fs::read_to_string(path).unwrap());
    }
    let rows = statement.map(|statement| server.rows(&database, &statement)).unwrap_or_default();
    assert!(rows.is_empty() || bare == 2, "rows as a table are not drawn here: {line}");
    let row = |row: Vec<Option<String>>| {
        row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join("|") + "\n"
    };
    rows.into_iter().map(row).collect()
}

/// Each statement is one of its own: some cannot stand in a transaction.
fn script(server: &Postgres, mut database: String, text: &str) {
    let mut statement = String::new();
    for line in text.lines().filter(|line| !line.starts_with("--")) {
        if let Some(name) = line.strip_prefix("\\connect ") {
            name.clone_into(&mut database);
            continue;
        }
        statement.push_str(line);
        statement.push('\n');
        if line.ends_with(';') {
            server.sql(&database, &std::mem::take(&mut statement));
        }
    }
    assert_eq!(statement.trim(), "", "a statement without an end");
}

/// The words of a command line, without the quotes around them.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for one in line.chars() {
        match quote {
            Some(end) if one == end => quote = None,
            None if one == '"' || one == '\'' => quote = Some(one),
            None if one == ' ' => words.push(std::mem::take(&mut word)),
            _ => word.push(one),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}
