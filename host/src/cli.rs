//! The command line: what may be written, and nothing about what it does.
//!
//! [`parse`] gives a [`Cli`]; [`Cli::overrides`] turns its flags into the highest layer of the
//! configuration. Usage errors end with [`USAGE_EXIT_CODE`], help and version with 0 ([`exit_code`]).
//!
//! Flags are those of Raito's own CLI as far as they are supported. Those that are not are parsed too, so that
//! the configuration can refuse them by name; they do not appear in the help. Flags that nobody knows are
//! refused.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use crate::cloud_client::version;
use crate::config::Overrides;

mod access;
mod add_target;
mod cloud;
mod flags;
mod run;

#[cfg(test)]
mod tests;

pub use access::{
    AccessCommand, AccessTargetArgs, AdoptArgs, ApplyAccessArgs, ApplyArgs, DriftArgs, PlanArgs,
    ReportFormat, SchemaArgs, ShowArgs, ValidateArgs,
};
pub use add_target::AddTargetArgs;
pub use cloud::{
    BackupFileArgs, CloudCommand, InitArgs, LogFormat, PASSWORD_VARIABLE, PlaceArgs, RestoreArgs, ServeArgs,
    StatusArgs,
};
pub use run::{
    BackupArgs, ConnectionArgs, LockArgs, LogForwardingArgs, RunArgs, SandboxArgs, ScheduleArgs, StepArgs,
    SyncArgs, TagArgs, TargetArgs, TargetKeys,
};

/// The exit code of a wrong command line: that of a wrong configuration.
pub const USAGE_EXIT_CODE: u8 = 3;

/// Synchronises identities, metadata, access controls and usage with Raito Cloud through sandboxed connectors.
#[derive(Debug, Parser)]
#[command(
    name = "raito",
    version = format!("version {}", version::text()),
    disable_version_flag = true,
    subcommand_required = true,
    arg_required_else_help = true,
    propagate_version = false
)]
pub struct Cli {
    /// Flags that every command takes.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Print the version and end.
    #[arg(short = 'v', long = "version", action = clap::ArgAction::Version)]
    version: Option<bool>,
}

/// Flags that every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Configuration file, YAML or JSON [default: raito.yml here or in ~/.raito]
    #[arg(long, global = true, value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// Append structured log lines to this file
    #[arg(long, global = true, value_name = "FILE")]
    pub log_file: Option<String>,
    /// Write structured log lines instead of the friendly display
    #[arg(
        long,
        global = true,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = flags::truth
    )]
    pub log_output: Option<bool>,
    /// Include debug messages in the log
    #[arg(
        long,
        global = true,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = flags::truth
    )]
    pub debug: Option<bool>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Synchronise all targets, once or at scheduled times
    Run(Box<RunArgs>),
    /// Access as code: make targets match access files
    #[command(subcommand, arg_required_else_help = true)]
    Access(Box<AccessCommand>),
    /// Apply a saved access file to a target again, past Raito Cloud
    ApplyAccess(ApplyAccessArgs),
    /// Extend raito.yml by a target
    AddTarget(Box<AddTargetArgs>),
    /// Print what a connector says about itself
    Info(InfoArgs),
    /// Print the completion script of a shell
    Completion(CompletionArgs),
    /// The self-hosted Raito Cloud
    #[command(subcommand, arg_required_else_help = true)]
    Cloud(CloudCommand),
}

/// Arguments of `info`.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// The connector: a path to a .wasm file or a name in the connector folders
    pub connector: String,
    /// Folder in which connectors are looked up by name; may be repeated
    #[arg(long, value_name = "FOLDER")]
    pub connector_path: Vec<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Arguments of `completion`.
#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: CompletionShell,
}

/// Shells for which there is a completion script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "they are names")]
pub enum CompletionShell {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

impl Cli {
    /// The flags as the highest layer of the configuration.
    pub fn overrides(&self) -> Overrides {
        let mut overrides = Overrides::default();
        let Cli { global, command, version: _ } = self;
        if let Some(file) = &global.log_file {
            overrides.set("log-file", file.as_str());
        }
        for (key, flag) in [("log-output", global.log_output), ("debug", global.debug)] {
            if let Some(flag) = flag {
                overrides.set(key, flag.to_string());
            }
        }
        match command {
            Command::Run(run) => run.collect(&mut overrides),
            Command::Access(access) => access.collect(&mut overrides),
            Command::ApplyAccess(arguments) => {
                overrides.connector_path.clone_from(&arguments.connector_path);
            }
            Command::AddTarget(arguments) => arguments.collect(&mut overrides),
            Command::Info(info) => overrides.connector_path.clone_from(&info.connector_path),
            Command::Completion(_) | Command::Cloud(_) => {}
        }
        overrides
    }
}

/// Reads a command line, the program's name first.
///
/// # Errors
/// A wrong command line, or one that asks for help or the version: print it and end with its
/// [`exit_code`].
pub fn parse<I, T>(words: I) -> Result<Cli, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let mut command = Cli::command();
    let matches = command.try_get_matches_from_mut(words)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// The completion script of a shell.
pub fn completion(shell: CompletionShell) -> Vec<u8> {
    let shell = match shell {
        CompletionShell::Bash => clap_complete::Shell::Bash,
        CompletionShell::Zsh => clap_complete::Shell::Zsh,
        CompletionShell::Fish => clap_complete::Shell::Fish,
        CompletionShell::Powershell => clap_complete::Shell::PowerShell,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "raito", &mut script);
    script
}

/// The exit code for what [`parse`] gave as an error.
pub fn exit_code(error: &clap::Error) -> u8 {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => 0,
        _ => USAGE_EXIT_CODE,
    }
}
