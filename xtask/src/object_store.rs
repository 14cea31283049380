//! The object store that the tests of the server run: `moto_server`, a Python package. Finds it, or installs it into
//! an environment of its own below the target folder.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process;
use crate::workspace::Workspace;

/// How tests are told where the program is.
pub(crate) const VARIABLE: &str = "RAITO_TEST_MOTO_SERVER";

/// The package with what a server of S3 needs.
const PACKAGE: &str = "moto[server,s3]>=5,<6";

/// The program, installing it if it is missing and that is possible.
pub(crate) fn server_program(workspace: &Workspace) -> Result<PathBuf> {
    let named = env::var_os(VARIABLE).map(PathBuf::from);
    if let Some(program) = named.filter(|program| works(program)) {
        return Ok(program);
    }
    let environment = workspace.target.join("moto");
    let own = environment.join("bin").join("moto_server");
    if works(&own) {
        return Ok(own);
    }
    if let Some(program) = process::find_program("moto_server").filter(|program| works(program)) {
        return Ok(program);
    }
    install(&environment).context(
        "the tests need an S3-compatible object store, and there is no `moto_server`: install the Python package \
         `moto[server,s3]` and put the path of its program into RAITO_TEST_MOTO_SERVER",
    )?;
    Ok(own)
}

/// A program of that name may be one whose package lacks the server.
fn works(program: &Path) -> bool {
    program.is_file()
        && process::capture(Command::new(program).arg("--help").stderr(std::process::Stdio::null())).is_ok()
}

fn install(environment: &Path) -> Result<()> {
    let python = process::find_program("python3").context("there is no python3")?;
    eprintln!("installing the Python package `moto`, whose object store the tests run");
    let environment_text: OsString = environment.into();
    let made =
        process::run_aside(Command::new(&python).args(["-m", "venv", "--clear"]).arg(&environment_text));
    if made.is_err() {
        // Debian has the module apart.
        crate::postgres::install_package("python3-venv")?;
        process::run_aside(Command::new(&python).args(["-m", "venv", "--clear"]).arg(&environment_text))?;
    }
    let pip = environment.join("bin").join("pip");
    process::run_aside(Command::new(pip).args(["install", "--quiet", "--disable-pip-version-check", PACKAGE]))
}
