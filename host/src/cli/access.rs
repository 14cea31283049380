//! The flags of `raito access` and `raito apply-access`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Format, SandboxArgs, TargetArgs};
use crate::config::Overrides;

/// What to do with an access file.
#[derive(Debug, Subcommand)]
pub enum AccessCommand {
    /// Check access files, without a connection to anything
    Validate(ValidateArgs),
    /// Show what applying would change; exit code 2 if it would change something
    Plan(PlanArgs),
    /// Make the targets match the access files, or carry out a saved plan
    Apply(ApplyArgs),
    /// Show what was changed by hand since it was applied; exit code 2 if something was
    Drift(DriftArgs),
    /// Write access controls that stand in a target into a new access file
    Adopt(AdoptArgs),
    /// Print the JSON Schema of access files, for editors
    Schema(SchemaArgs),
}

/// Which targets, and which access file.
#[derive(Debug, Args)]
pub struct AccessTargetArgs {
    /// Access file, or a folder of them [default: access-file of the target, else access.yml]
    #[arg(short = 'a', long, value_name = "PATH")]
    pub access_file: Option<String>,
    /// Put before each name that is made in the target; also says whose it is [default: R_]
    #[arg(long, value_name = "PREFIX")]
    pub access_prefix: Option<String>,
    /// Which targets, and the one of single-target mode.
    #[command(flatten, next_help_heading = "Targets")]
    pub target: TargetArgs,
    /// What the connector of single-target mode may do.
    #[command(flatten, next_help_heading = "Sandbox, with --connector-name")]
    pub sandbox: SandboxArgs,
}

/// Arguments of `access validate`.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// How to print what was found
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Which targets, and which access file.
    #[command(flatten)]
    pub of: AccessTargetArgs,
}

/// What a plan shows.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Show exactly what would be sent to the target
    #[arg(long)]
    pub statements: bool,
    /// Mark changes that concern more people than this
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    pub risk_people: u64,
}

/// Arguments of `access plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// What it shows.
    #[command(flatten)]
    pub show: ShowArgs,
    /// Save the plan, to be carried out with `access apply FILE`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    pub format: ReportFormat,
    /// Which targets, and which access file.
    #[command(flatten)]
    pub of: AccessTargetArgs,
}

/// Arguments of `access apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// A saved plan; without one, a plan is made and shown, and has to be confirmed
    #[arg(value_name = "PLAN")]
    pub plan: Option<PathBuf>,
    /// What it shows.
    #[command(flatten)]
    pub show: ShowArgs,
    /// Apply without asking
    #[arg(short = 'y', long)]
    pub yes: bool,
    /// Refuse if more access controls than this would be removed or lose something: a number or a percentage [default:
    /// 30%, though three in any case]
    #[arg(long, value_name = "LIMIT")]
    pub max_removals: Option<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Which targets, and which access file.
    #[command(flatten)]
    pub of: AccessTargetArgs,
}

/// Arguments of `access drift`.
#[derive(Debug, Args)]
pub struct DriftArgs {
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    pub format: ReportFormat,
    /// Which targets, and which access file.
    #[command(flatten)]
    pub of: AccessTargetArgs,
}

/// Arguments of `access adopt`.
#[derive(Debug, Args)]
pub struct AdoptArgs {
    /// Names of the access controls to adopt, as regular expressions separated by commas [default: all that can be]
    #[arg(long, value_name = "PATTERNS")]
    pub names: Option<String>,
    /// The file to write; must not exist [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Which targets.
    #[command(flatten)]
    pub of: AccessTargetArgs,
}

/// Arguments of `access schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Which target's connector to ask for its types and permissions; without one the schema is that of all connectors
    #[command(flatten)]
    pub of: AccessTargetArgs,
}

/// Arguments of `apply-access`.
#[derive(Debug, Args)]
pub struct ApplyAccessArgs {
    /// Name of the target in the configuration file
    pub target: String,
    /// A saved access file, for instance from a backup
    pub file: PathBuf,
    /// Only access controls whose names match: regular expressions, separated by commas
    #[arg(long, value_name = "PATTERNS", env = "RAITO_FILTER_ACCESS")]
    pub filter_access: Option<String>,
    /// Apply without asking
    #[arg(short = 'y', long)]
    pub yes: bool,
    /// Folder in which connectors are looked up by name; may be repeated
    #[arg(long, value_name = "FOLDER")]
    pub connector_path: Vec<PathBuf>,
}

/// How plans and drift are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
    /// For a comment of a pull request
    Markdown,
}

impl AccessCommand {
    fn of(&self) -> &AccessTargetArgs {
        match self {
            AccessCommand::Validate(arguments) => &arguments.of,
            AccessCommand::Plan(arguments) => &arguments.of,
            AccessCommand::Apply(arguments) => &arguments.of,
            AccessCommand::Drift(arguments) => &arguments.of,
            AccessCommand::Adopt(arguments) => &arguments.of,
            AccessCommand::Schema(arguments) => &arguments.of,
        }
    }

    /// Puts all flags into the highest layer of the configuration.
    pub(super) fn collect(&self, overrides: &mut Overrides) {
        let of = self.of();
        of.target.collect(overrides);
        of.sandbox.collect(overrides);
        let max_removals = match self {
            AccessCommand::Apply(arguments) => arguments.max_removals.as_ref(),
            _ => None,
        };
        for (key, value) in [
            ("access-file", of.access_file.as_ref()),
            ("access-prefix", of.access_prefix.as_ref()),
            ("max-removals", max_removals),
        ] {
            if let Some(value) = value {
                overrides.set(key, value.as_str());
            }
        }
    }
}
