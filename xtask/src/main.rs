//! `cargo xtask`: what building, trying and checking this workspace takes beyond what cargo does.
//!
//! It is compiled before everything else, so it stays small: few and small crates, no asynchronous code. Each
//! command is a module; this file reads the command line.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool that talks to its user")]

mod components;
mod object_store;
mod postgres;
mod process;
mod test_run;
mod tree_check;
mod wasm_target;
mod workspace;

use std::env;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};
use lexopt::{Arg, Parser, ValueExt as _};

use crate::test_run::TestRun;
use crate::tree_check::Dependencies;
use crate::wasm_target::{Preference, WasmTarget};
use crate::workspace::Workspace;

const HELP: &str = r#"Usage: cargo xtask <command> [options]

  quickstart [ARGUMENTS]
      Build the file connector and `raito`, then `raito run` on examples/quickstart.
      Arguments are handed on to `raito run`.
  test [--no-lint] [ARGUMENTS]
      Make everything ready that the tests need, check the tree, formatting and clippy,
      then run every test. Arguments, such as a filter, are handed on to the test runner
      (cargo-nextest where it is installed, else `cargo test`).
  check [--advisories]
      Check the tree alone: sizes and heads of sources, links, dependencies' licences;
      with --advisories also known vulnerabilities, which needs a network.
  bench [pipeline|import|plan] [ARGUMENTS]
      Run a benchmark: of the pipeline from a connector into files (the default), of the
      import into the self-hosted cloud, or of planning access controls for a real
      PostgreSQL. Arguments are handed on to it.
  build-connectors [--only NAME]...
      Compile connectors into target/connectors/<name>.wasm.
  build-guests
      Compile the guests of the tests into target/guests/<name>.wasm.
  wasm-target [--from-source]
      Make the wasm32-wasip2 target available, and say how. --from-source compiles its
      standard library as where rustup has none, also when the target is installed.
  wasm-env [--from-source]
      Print the line that sets the environment for calling cargo with
      --target wasm32-wasip2 by hand: eval "$(cargo xtask wasm-env)"

The commands that compile WebAssembly make the target available by themselves.
"#;

/// The configuration that the quick start runs.
const QUICKSTART: &str = "examples/quickstart/raito.yml";

fn main() -> ExitCode {
    match dispatch() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> Result<ExitCode> {
    let mut arguments = Parser::from_env();
    let command = match arguments.next()? {
        Some(Arg::Value(value)) => value.string()?,
        None | Some(Arg::Short('h') | Arg::Long("help")) => {
            print!("{HELP}");
            return Ok(ExitCode::SUCCESS);
        }
        Some(other) => return Err(other.unexpected().into()),
    };
    let workspace = Workspace::find();
    match command.as_str() {
        "quickstart" => return quickstart(&workspace, arguments.raw_args()?),
        "test" => return test_options(arguments)?.start(&workspace),
        "bench" => return bench(&workspace, arguments.raw_args()?),
        "check" => {
            let advisories = flag(&mut arguments, "advisories")?;
            let dependencies = if advisories { Dependencies::Advisories } else { Dependencies::Offline };
            tree_check::run(&workspace, dependencies)?;
        }
        "build-connectors" => {
            let mut only = Vec::new();
            while let Some(argument) = arguments.next()? {
                match argument {
                    Arg::Long("only") => only.push(arguments.value()?.string()?),
                    other => return Err(other.unexpected().into()),
                }
            }
            let target = WasmTarget::make_available(&workspace, Preference::default())?;
            components::build_connectors(&workspace, &target, &only)?;
        }
        "build-guests" => {
            no_more(&mut arguments)?;
            let target = WasmTarget::make_available(&workspace, Preference::default())?;
            components::build_guests(&workspace, &target)?;
        }
        "wasm-target" => println!("{}", wasm_target(&workspace, &mut arguments)?),
        "wasm-env" => println!("{}", wasm_target(&workspace, &mut arguments)?.shell_line()?),
        unknown => bail!("there is no command `{unknown}`; `cargo xtask --help` lists them"),
    }
    Ok(ExitCode::SUCCESS)
}

fn quickstart(workspace: &Workspace, arguments: impl Iterator<Item = OsString>) -> Result<ExitCode> {
    let target = WasmTarget::make_available(workspace, Preference::default())?;
    let connectors = components::build_connectors(workspace, &target, &["file".to_owned()])?;
    process::run_aside(workspace.cargo().args(["build", "--package", "raito", "--bin", "raito"]))?;
    let program = workspace.target.join("debug").join(format!("raito{}", env::consts::EXE_SUFFIX));
    let mut raito = Command::new(program);
    raito.current_dir(&workspace.root).env("RAITO_CONNECTOR_PATH", connectors);
    process::become_command(raito.args(["run", "--config-file", QUICKSTART]).args(arguments))
}

fn bench(workspace: &Workspace, arguments: impl Iterator<Item = OsString>) -> Result<ExitCode> {
    const NAMES: [&str; 3] = ["pipeline", "import", "plan"];
    let mut arguments = arguments.peekable();
    let named = arguments.next_if(|argument| NAMES.iter().any(|name| argument == name));
    let name = named.as_ref().and_then(|name| name.to_str()).unwrap_or("pipeline");
    let mut cargo = workspace.cargo();
    match name {
        "import" => {}
        "plan" => {
            let target = WasmTarget::make_available(workspace, Preference::default())?;
            let connectors = components::build_connectors(workspace, &target, &["postgres".to_owned()])?;
            cargo.env(test_run::CONNECTORS_VARIABLE, connectors);
        }
        _ => {
            let target = WasmTarget::make_available(workspace, Preference::default())?;
            cargo.env(test_run::GUESTS_VARIABLE, components::build_guests(workspace, &target)?);
        }
    }
    cargo.args(["bench", "--package", "raito", "--bench", name, "--"]);
    process::become_command(cargo.args(arguments))
}

/// Our own option may stand before the runner's arguments; all the rest is theirs.
fn test_options(mut arguments: Parser) -> Result<TestRun> {
    let mut rest = arguments.raw_args()?;
    let no_lint = rest.next_if(|argument| argument == "--no-lint").is_some();
    Ok(TestRun { no_lint, runner_arguments: rest.collect() })
}

fn wasm_target(workspace: &Workspace, arguments: &mut Parser) -> Result<WasmTarget> {
    let from_source = flag(arguments, "from-source")?;
    let preference = if from_source { Preference::FromSource } else { Preference::Installed };
    WasmTarget::make_available(workspace, preference)
}

/// Whether the only option that a command knows is given.
fn flag(arguments: &mut Parser, name: &str) -> Result<bool> {
    let mut given = false;
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long(long) if long == name => given = true,
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(given)
}

fn no_more(arguments: &mut Parser) -> Result<()> {
    match arguments.next()? {
        Some(argument) => Err(argument.unexpected().into()),
        None => Ok(()),
    }
}
