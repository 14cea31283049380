//! What the command line gives.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::secret::Secret;

/// Values from flags, which win over everything else. `Debug` shows no values.
#[derive(Clone, Default)]
pub struct Overrides {
    pub(super) values: BTreeMap<&'static str, Secret>,
    /// Connector folders, relative to the working folder.
    pub connector_path: Vec<PathBuf>,
    /// Network grants of single-target mode.
    pub sandbox_network: Vec<String>,
    /// Filesystem grants of single-target mode.
    pub sandbox_filesystem: Vec<String>,
    /// Memory limit of single-target mode.
    pub sandbox_memory: Option<String>,
    /// Time limit of single-target mode.
    pub sandbox_timeout: Option<String>,
    /// Extra roots of single-target mode.
    pub sandbox_ca_file: Option<PathBuf>,
    /// The words after `--`, connector parameters of single-target mode.
    pub parameters: Vec<Secret>,
}

impl Overrides {
    /// Gives the flag of a key a value.
    pub fn set(&mut self, key: &'static str, value: impl Into<Secret>) {
        self.values.insert(key, value.into());
    }

    /// The value of a key's flag.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(Secret::expose)
    }

    /// The flags that only make sense in single-target mode, and whether each was given.
    pub(super) fn single_target_flags(&self) -> [(&'static str, bool); 6] {
        [
            ("--sandbox-network", !self.sandbox_network.is_empty()),
            ("--sandbox-filesystem", !self.sandbox_filesystem.is_empty()),
            ("--sandbox-memory", self.sandbox_memory.is_some()),
            ("--sandbox-timeout", self.sandbox_timeout.is_some()),
            ("--sandbox-ca-file", self.sandbox_ca_file.is_some()),
            ("connector parameters after --", !self.parameters.is_empty()),
        ]
    }
}

impl fmt::Debug for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overrides")
            .field("keys", &self.values.keys().collect::<Vec<_>>())
            .field("parameters", &self.parameters.len())
            .finish_non_exhaustive()
    }
}
