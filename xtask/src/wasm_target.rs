//! The `wasm32-wasip2` target: finds it, or makes it available, without changing the user's toolchain more than
//! `rustup target add` does.
//!
//! In this order, the first that works:
//!
//! 1. the environment already hands a sysroot to the compiler (somebody evaluated `cargo xtask wasm-env`);
//! 2. the toolchain holds the target's standard library;
//! 3. `rustup target add` brings it, within [`RUSTUP_LIMIT`];
//! 4. a sysroot of our own under `target/wasm-sysroot/`, compiled once per compiler from the standard library's
//!    source as Debian packages it, see [`sysroot`].
//!
//! The outcome reaches the compiler by [`FLAGS_VARIABLE`] alone, which cargo applies to this one target: builds
//! for the host neither see it nor are compiled again because of it.

mod apt;
mod apt_sources;
mod rustc;
mod sysroot;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::{env, fmt};

use anyhow::{Context as _, Result, bail};

use self::rustc::Rustc;
use crate::process;
use crate::workspace::Workspace;

/// The target that connectors are compiled to.
pub(crate) const TARGET: &str = "wasm32-wasip2";

/// How cargo is told of compiler flags for [`TARGET`] alone.
const FLAGS_VARIABLE: &str = "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS";

/// How long `rustup target add` may take: it downloads about 20 MB, and waits long where nothing answers.
const RUSTUP_LIMIT: Duration = Duration::from_secs(90);

/// Whether a sysroot of our own is the last resort, or is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Preference {
    /// What is installed or can be installed comes first.
    #[default]
    Installed,
    /// The sysroot compiled from source, also where the target is installed.
    FromSource,
}

/// An available `wasm32-wasip2`, and where it comes from.
#[derive(Debug)]
pub(crate) enum WasmTarget {
    /// The environment hands over a sysroot already.
    Given,
    /// The toolchain holds it.
    Installed,
    /// `rustup target add` has just installed it.
    Added,
    /// A sysroot of our own, in this folder.
    Sysroot(PathBuf),
}

impl WasmTarget {
    /// Makes the target available; says on standard error what takes long.
    pub(crate) fn make_available(workspace: &Workspace, preference: Preference) -> Result<Self> {
        if env::var(FLAGS_VARIABLE).is_ok_and(|flags| flags.contains("--sysroot")) {
            return Ok(Self::Given);
        }
        let rustc = Rustc::query(&workspace.root)?;
        if preference == Preference::FromSource {
            return sysroot::make(workspace, &rustc).map(Self::Sysroot);
        }
        if rustc.has_std_for(TARGET) {
            return Ok(Self::Installed);
        }
        // One that was built earlier, so that a machine without rustup's server waits for it once only.
        if let Some(folder) = sysroot::built(workspace, &rustc) {
            return Ok(Self::Sysroot(folder));
        }
        let without_rustup = match add_with_rustup(workspace, &rustc) {
            Ok(()) => return Ok(Self::Added),
            Err(error) => error,
        };
        eprintln!("{TARGET}: {without_rustup:#}; building its standard library from source, once");
        let without_source = match sysroot::make(workspace, &rustc) {
            Ok(folder) => return Ok(Self::Sysroot(folder)),
            Err(error) => error,
        };
        bail!(
            "the {TARGET} target of rustc {release} is missing\n  \
             with rustup:   {without_rustup:#}\n  \
             from source:   {without_source:#}\n\
             install it with `rustup target add {TARGET}` where rustup reaches its server; or, on Debian, let `apt-get` \
             reach the distribution's mirror, whose packages rust-src (of {release}) and wasi-libc are enough",
            release = rustc.release,
        )
    }

    /// Prepares a cargo invocation that compiles for [`TARGET`].
    ///
    /// Flags meant for the host (`RUSTFLAGS`) would replace those of the target, and do not suit it anyway.
    pub(crate) fn prepare(&self, command: &mut Command) -> Result<()> {
        command.args(["--target", TARGET]).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        if let Some(flags) = self.flags()? {
            command.env(FLAGS_VARIABLE, flags);
        }
        Ok(())
    }

    /// A line for a shell that sets what cargo needs, or a comment where it needs nothing.
    pub(crate) fn shell_line(&self) -> Result<String> {
        Ok(match self.flags()? {
            Some(flags) => format!("export {FLAGS_VARIABLE}='{}'", flags.replace('\'', r"'\''")),
            None => format!("# {self}: nothing to set"),
        })
    }

    /// The value of [`FLAGS_VARIABLE`], with the user's own flags first.
    fn flags(&self) -> Result<Option<String>> {
        let Self::Sysroot(folder) = self else { return Ok(None) };
        let folder =
            folder.to_str().context("the workspace's path is not UTF-8, which cargo's variables need")?;
        if folder.contains(char::is_whitespace) {
            // Cargo splits the variable at blanks and knows no quotes.
            bail!(
                "the path {folder} holds a blank, which cannot be handed to the compiler: move the workspace"
            );
        }
        let own = env::var(FLAGS_VARIABLE).unwrap_or_default();
        Ok(Some(format!("{own} --sysroot {folder}").trim_start().to_owned()))
    }
}

impl fmt::Display for WasmTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given => write!(formatter, "{TARGET} is given by {FLAGS_VARIABLE}"),
            Self::Installed => write!(formatter, "{TARGET} is installed in the toolchain"),
            Self::Added => write!(formatter, "{TARGET} was installed by rustup"),
            Self::Sysroot(folder) => {
                write!(formatter, "{TARGET} was compiled from source, in {}", folder.display())
            }
        }
    }
}

/// Has rustup install the target into the toolchain that is in use, and looks whether it really did.
fn add_with_rustup(workspace: &Workspace, rustc: &Rustc) -> Result<()> {
    let rustup = process::find_program("rustup").context("rustup is not installed")?;
    let mut command = Command::new(rustup);
    command.current_dir(&workspace.root).args(["target", "add", TARGET]);
    eprintln!("{TARGET}: asking rustup for it");
    process::run_within(&mut command, RUSTUP_LIMIT)?;
    if !rustc.has_std_for(TARGET) {
        bail!("`rustup target add {TARGET}` ended well, but the toolchain in use still lacks it");
    }
    Ok(())
}
