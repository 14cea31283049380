//! `cargo xtask`: what building, trying and checking this workspace takes beyond what cargo does.
//!
//! It is compiled before everything else, so it stays small: two small crates, no asynchronous code. Each command
//! is a module; this file reads the command line.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool that talks to its user")]

mod process;
mod wasm_target;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};
use lexopt::{Arg, Parser, ValueExt as _};

use crate::wasm_target::{Preference, WasmTarget};
use crate::workspace::Workspace;

const HELP: &str = "\
Usage: cargo xtask <command> [options]

  wasm-target [--from-source]
      Make the wasm32-wasip2 target available, and say how. --from-source compiles its
      standard library as where rustup has none, also when the target is installed.
  wasm-env [--from-source]
      Print the line that sets the environment for calling cargo with
      --target wasm32-wasip2 by hand: eval \"$(cargo xtask wasm-env)\"
";

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
        "wasm-target" => println!("{}", WasmTarget::make_available(&workspace, preference(&mut arguments)?)?),
        "wasm-env" => {
            println!("{}", WasmTarget::make_available(&workspace, preference(&mut arguments)?)?.shell_line()?);
        }
        unknown => bail!("there is no command `{unknown}`; `cargo xtask --help` lists them"),
    }
    Ok(ExitCode::SUCCESS)
}

fn preference(arguments: &mut Parser) -> Result<Preference> {
    let mut preference = Preference::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("from-source") => preference = Preference::FromSource,
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(preference)
}
