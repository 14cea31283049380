//! Access controls are gone through in rounds, and only a few of them are held.

use std::cell::Cell;

use raito_connector::{DesiredAccessControl, Result};
use raito_connector_postgres::target;

use crate::desired::{item, options, role, who};
use crate::server::Server;

const CONTROLS: usize = 300;
const TABLES: usize = 60;
const PERMISSIONS: usize = 8;

/// Makes each access control when it is asked for.
struct Made<'a> {
    handed: &'a Cell<usize>,
    rounds: usize,
}

impl Iterator for Made<'_> {
    type Item = Result<DesiredAccessControl>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.handed.get();
        if at == CONTROLS {
            return None;
        }
        self.handed.set(at + 1);
        let what = (0..PERMISSIONS)
            .map(|one| {
                item("table", &format!("postgres.public.t{}", (at * 7 + one) % TABLES), &["SELECT", "INSERT"])
            })
            .collect();
        // By id the order is another one than that of the source.
        Some(Ok(role(&format!("id{at}"), "The same name", who(&["ann"], &[]), what)))
    }
}

impl target::Source for Made<'_> {
    fn restart(&mut self) -> Result<()> {
        self.handed.set(0);
        self.rounds += 1;
        Ok(())
    }
}

#[test]
fn only_a_few_access_controls_are_held() {
    let server = Server::start();
    server.sql("postgres", "CREATE ROLE ann LOGIN");
    let tables: Vec<String> = (0..TABLES).map(|at| format!("CREATE TABLE t{at} (id int)")).collect();
    server.sql("postgres", &tables.join(";"));
    let settings = server.settings(&[]);
    let handed = Cell::new(0);
    let fresh = || {
        handed.set(0);
        Made { handed: &handed, rounds: 0 }
    };
    let plan = |expected: usize| {
        let mut source = fresh();
        let (mut taken, mut held, mut operations) = (0, 0, 0);
        target::plan(&settings, &options("R_"), &mut source, |plan| {
            // The order is the one of the source.
            assert_eq!(plan.id, format!("id{taken}"));
            assert!(plan.errors.is_empty(), "{:?}", plan.errors);
            held = held.max(handed.get() - taken);
            taken += 1;
            operations += plan.operations.len();
            Ok(())
        })
        .unwrap();
        assert_eq!((taken, source.rounds, operations), (CONTROLS, 1, expected));
        assert!(held <= 128, "{held} access controls were held");
    };
    // Role, mark, database, schema, tables, member, record.
    let all = CONTROLS * (PERMISSIONS + 6);
    plan(all);
    let mut source = fresh();
    let mut operations = 0;
    target::apply(&settings, &options("R_"), &mut source, |outcome| {
        assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
        operations += outcome.operations as usize;
        Ok(())
    })
    .unwrap();
    assert_eq!(operations, all);
    // One to look; then roles, privileges, memberships, records.
    assert_eq!(source.rounds, 5);
    // What stands is more than the server hands over at once.
    plan(0);
    server.sql("postgres", "REVOKE SELECT ON t17 FROM r_the_same_name__8");
    let lost = server.rows("postgres", "SELECT 1 FROM pg_roles WHERE rolname = 'r_the_same_name__8' AND NOT has_table_privilege(oid, 't17', 'INSERT')");
    plan(usize::from(lost.is_empty()));
}
