//! `cargo xtask test`: everything that a fresh machine needs for the tests, then every test.
//!
//! What takes little time comes first, the test runner last: its closing lines are the last ones printed, and its
//! exit code is this program's.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::wasm_target::{Preference, WasmTarget};
use crate::workspace::Workspace;
use crate::{components, object_store, postgres, process, tree_check};

/// How the tests find what was made ready for them: folders, absolute.
pub(crate) const CONNECTORS_VARIABLE: &str = "RAITO_TEST_CONNECTORS";
/// The folder with the guests of the tests.
pub(crate) const GUESTS_VARIABLE: &str = "RAITO_TEST_GUESTS";
/// The folder with `initdb` and PostgreSQL's other server programs.
const POSTGRES_VARIABLE: &str = "RAITO_TEST_PG_BIN";

/// What to leave out, and what to hand on.
#[derive(Debug, Default)]
pub(crate) struct TestRun {
    /// Neither the checks of the tree nor rustfmt and clippy.
    pub(crate) no_lint: bool,
    /// Arguments of the test runner. With any, the documentation's examples are left out: they name other tests.
    pub(crate) runner_arguments: Vec<OsString>,
}

impl TestRun {
    /// Runs it; returns only when something failed before the runner started, or where processes cannot be replaced.
    pub(crate) fn start(self, workspace: &Workspace) -> Result<ExitCode> {
        if !self.no_lint {
            tree_check::run(workspace, tree_check::Dependencies::default())?;
            process::run_aside(workspace.cargo().args(["fmt", "--all", "--check"]))?;
        }
        let target = WasmTarget::make_available(workspace, Preference::default())?;
        let connectors = components::build_connectors(workspace, &target, &[])?;
        let guests = components::build_guests(workspace, &target)?;
        let postgres = postgres::server_programs()?;
        let object_store = object_store::server_program(workspace)?;
        if !self.no_lint {
            let arguments = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
            process::run_aside(workspace.cargo().args(arguments))?;
        }
        let prepare = |command: &mut Command| {
            command.env(CONNECTORS_VARIABLE, &connectors).env(GUESTS_VARIABLE, &guests);
            command.env(POSTGRES_VARIABLE, &postgres).env(object_store::VARIABLE, &object_store);
        };
        if self.runner_arguments.is_empty() {
            let mut examples = workspace.cargo();
            prepare(examples.args(["test", "--doc", "--package", "raito-connector"]));
            process::run_aside(&mut examples)?;
        }
        let mut runner = workspace.cargo();
        match process::find_program("cargo-nextest") {
            Some(_) => runner.args(["nextest", "run", "--workspace"]),
            None => runner.args(["test", "--workspace"]),
        };
        prepare(runner.args(self.runner_arguments));
        process::become_command(&mut runner)
    }
}
