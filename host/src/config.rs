//! Configuration: `raito.yml`, the environment and the command line become [`Settings`].
//!
//! For each key the highest of these that has a value counts:
//!
//! 1. the flag on the command line,
//! 2. the environment variable `RAITO_` + the key in capitals with `_` for `-`, unless it is empty,
//! 3. the top level of the configuration file,
//! 4. the default.
//!
//! A target of the file overrides the top level, except that skip options add up. Keys do not differ by
//! letter case. Nothing is ignored silently: a key that is not known, and an option of Raito's own CLI
//! that this version lacks, is an error that names its place. What is wrong inside a target is the error
//! of that target; the others still run.
//!
//! [`resolve`] is pure; [`find`] looks for the file.

mod access;
mod continuous;
mod document;
mod enrichers;
mod error;
mod file;
mod keys;
pub mod locks;
mod overrides;
mod parameters;
mod resolve;
pub mod sandbox;
mod settings;
mod source;
mod target;
mod template;
pub(crate) mod values;

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use keys::flags as flag_keys;

pub use access::{AccessSettings, BackupSettings, MaxRemovals};
pub use continuous::ContinuousSettings;
pub use enrichers::EnricherSettings;
pub use error::{ConfigError, ConfigErrors, ConfigWarning, Origin, Problem};
pub use file::{ConfigFile, find};
pub use locks::{LockDecision, LockRules, LockSettings, PartLock, PatternError};
pub use overrides::Overrides;
pub use parameters::Parameters;
pub use resolve::{Inputs, Purpose, resolve};
pub use sandbox::{FilesystemAccess, FilesystemGrant, HostPattern, NetworkGrant, SandboxSettings};
pub use settings::{LogForwarding, LogSettings, Settings, SkipSettings, TagSettings, Target, TargetSettings};

/// Whether a key of a target is one of the client's own, rather than a parameter of its connector.
pub(crate) fn is_own_key(name: &str) -> bool {
    keys::of_target().any(|key| key == name)
}

/// Looks up an environment variable by name.
pub type Environment<'a> = dyn Fn(&str) -> Option<String> + 'a;
