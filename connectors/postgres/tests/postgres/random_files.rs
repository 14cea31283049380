//! Random access files, one after the other: after each the catalogue is what the file says, and the plan is empty.
//!
//! What is judged is what the server's own functions say (`has_table_privilege` and its like), which know nothing of
//! how the connector reads and writes access lists.

use std::collections::{BTreeMap, BTreeSet};

use raito_connector::{DesiredAccessControl, WhatItem};

use crate::desired::{converge, filter, item, role, shop, who};
use crate::server::Server;

/// Numbers that look random, and are the same in every run (the generator `SplitMix64`).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn shuffle<T>(&mut self, all: &mut [T]) {
        for at in 1..all.len() {
            all.swap(at, self.below(at + 1));
        }
    }
}

const USERS: [&str; 3] = ["ann", "bob", "We\"ird User"];
const IDS: [&str; 6] = ["a", "b", "c", "d#0", "e", "f"];
const PRIVILEGES: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];
/// Database, schema, table, columns; every table of two schemas in two databases.
const TABLES: [(&str, &str, &str, [&str; 2]); 5] = [
    ("postgres", "sales", "orders", ["id", "region"]),
    ("postgres", "sales", "Big \"Orders\"", ["id", "Ünï.Col"]),
    ("postgres", "Odd.Schema", "orders", ["id", "ID"]),
    ("H.R", "public", "staff", ["id", "name"]),
    ("H.R", "public", "表", ["id", "x"]),
];

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn path(parts: &[&str]) -> String {
    parts.iter().map(|part| quoted(part)).collect::<Vec<_>>().join(".")
}

fn what(dice: &mut Dice) -> Vec<WhatItem> {
    let mut what = Vec::new();
    for _ in 0..dice.below(5) {
        let (database, schema, table, columns) = dice.pick(&TABLES);
        let privileges: Vec<&str> = (0..=dice.below(2)).map(|_| *dice.pick(&PRIVILEGES)).collect();
        what.push(match dice.below(8) {
            0 => item("schema", &path(&[database, schema]), &privileges),
            1 => item("database", &path(&[database]), &privileges[..1]),
            2..=4 => {
                let readable: Vec<&str> = privileges.into_iter().filter(|word| *word != "DELETE").collect();
                let column = *dice.pick(columns);
                item("column", &path(&[database, schema, table, column]), &readable)
            }
            _ => item("table", &path(&[database, schema, table]), &privileges),
        });
    }
    what
}

/// A file: roles that inherit from each other in a random order, and filters.
fn file(dice: &mut Dice) -> Vec<DesiredAccessControl> {
    let mut order: Vec<&str> = IDS.to_vec();
    dice.shuffle(&mut order);
    order.truncate(dice.below(IDS.len() + 1));
    let mut desired = Vec::new();
    for (at, id) in order.iter().enumerate() {
        let users: Vec<&str> = USERS.into_iter().filter(|_| dice.one_in(2)).collect();
        let members: Vec<String> =
            order[..at].iter().filter(|_| dice.one_in(3)).map(|id| format!("ID:{id}")).collect();
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        let mut control = role(id, id, who(&users, &members), what(dice));
        control.naming_hint = ["Team", "team", "Other", id][dice.below(4)].into();
        desired.push(control);
    }
    for (database, schema, table, columns) in TABLES {
        if !order.is_empty() && dice.one_in(4) {
            let member = format!("ID:{}", dice.pick(&order));
            let rule = format!("{{{}}} IS NOT NULL", dice.pick(&columns));
            let id = format!("filter {schema}.{table}");
            desired.push(filter(
                &id,
                &rule,
                who(&[*dice.pick(&USERS)], &[&member]),
                &path(&[database, schema, table]),
            ));
        }
    }
    dice.shuffle(&mut desired);
    desired
}

/// Privileges of the roles of a file on columns, by what the file says: `id|table|column|privilege`.
fn said(desired: &[DesiredAccessControl]) -> BTreeSet<String> {
    let roles: Vec<&DesiredAccessControl> = desired.iter().filter(|one| one.policy_rule.is_none()).collect();
    let mut all = BTreeSet::new();
    for holder in &roles {
        // A role has what those have that it is a member of.
        let mut of = BTreeSet::from([holder.id.as_str()]);
        for _ in &roles {
            for other in &roles {
                let members = &other.who.access_controls;
                if members.iter().any(|member| of.contains(&member[3..])) {
                    of.insert(&other.id);
                }
            }
        }
        for item in roles.iter().filter(|role| of.contains(role.id.as_str())).flat_map(|role| &role.what) {
            for (database, schema, table, columns) in TABLES {
                for column in columns {
                    let here = [vec![database], vec![database, schema], vec![database, schema, table]];
                    let of_column = vec![database, schema, table, column];
                    let covers =
                        here.iter().chain([&of_column]).any(|parts| path(parts) == item.object.full_name);
                    for privilege in
                        item.permissions.iter().filter(|privilege| covers && *privilege != "DELETE")
                    {
                        all.insert(format!("{}|{table}|{column}|{privilege}", holder.id));
                    }
                }
            }
        }
    }
    all
}

/// The same, by what the server says.
fn stands(server: &Server, names: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for database in ["postgres", "H.R"] {
        let mut questions = vec!["SELECT '' WHERE false".to_owned()];
        for (id, name) in names {
            for (_, schema, table, columns) in TABLES.iter().filter(|one| one.0 == database) {
                for (column, privilege) in
                    columns.iter().flat_map(|one| ["SELECT", "INSERT", "UPDATE"].map(|two| (one, two)))
                {
                    let relation = path(&[schema, table]);
                    questions.push(format!(
                        "SELECT '{id}|{table}|{column}|{privilege}' WHERE has_column_privilege('{name}', '{relation}', '{column}', '{privilege}')"
                    ));
                }
            }
        }
        all.extend(server.rows(database, &questions.join(" UNION ALL ")));
    }
    all
}

fn go(seed: u64, files: usize) {
    let (server, _) = shop();
    server.sql("postgres", "CREATE DATABASE \"H.R\"");
    server.sql("postgres", "CREATE TABLE sales.\"Big \"\"Orders\"\"\" (id int, \"Ünï.Col\" int); CREATE TABLE \"Odd.Schema\".orders (id int, \"ID\" int)");
    server.sql("H.R", "CREATE TABLE staff (id int, name text); CREATE TABLE 表 (id int, x int)");
    let settings = server.settings(&[("pg-databases", "postgres,H.R")]);
    let others =
        "SELECT rolname, shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname !~ '^r_' ORDER BY 1";
    let before = server.rows("postgres", others);
    let mut dice = Dice(seed);
    for _ in 0..files {
        let desired = file(&mut dice);
        let (plans, feedback) = converge(&server, &settings, "R_", &desired);
        assert!(plans.values().all(|plan| plan.errors.is_empty()), "{plans:#?}");
        let names = desired
            .iter()
            .filter(|one| one.policy_rule.is_none())
            .map(|one| (one.id.clone(), feedback[&one.id].actual_name.clone()))
            .collect();
        assert_eq!(stands(&server, &names), said(&desired), "{desired:#?}");
        assert_eq!(server.rows("postgres", others), before);
    }
    converge(&server, &settings, "R_", &[]);
    assert_eq!(server.rows("postgres", "SELECT count(*) FROM pg_roles WHERE rolname ~ '^r_'"), ["0"]);
}

#[test]
fn any_file_can_follow_any_other() {
    go(1, 12);
}

#[test]
fn any_file_can_follow_any_other_and_once_more() {
    go(4, 12);
}
