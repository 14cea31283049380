//! What the work of a subtask brought.

use serde::{Deserialize, Serialize};

/// The outcome of a completed subtask; stored as JSON with the kind as tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub(crate) enum Outcome {
    /// Data objects were imported.
    DataSource {
        /// Data objects.
        objects: Counts,
        /// For people.
        warnings: Vec<String>,
    },
    /// Users and groups were imported.
    Identity {
        /// Accounts.
        users: Counts,
        /// Groups.
        groups: Counts,
        /// For people.
        warnings: Vec<String>,
    },
    /// Access providers were imported from the target.
    AccessProviders {
        /// Access providers.
        access: Counts,
        /// For people.
        warnings: Vec<String>,
    },
    /// Usage statements were imported.
    Usage {
        /// (user, data object, permission) triples that were seen.
        edges: u64,
        /// New statements.
        added: u64,
        /// Statements that could not be read.
        failed: u64,
        /// Statements that were known already.
        skipped: u64,
        /// For people.
        warnings: Vec<String>,
    },
    /// Tags were imported.
    Tags {
        /// Tags.
        tags: Counts,
        /// For people.
        warnings: Vec<String>,
    },
    /// The access file was written.
    Export {
        /// The stored file.
        file_key: String,
        /// The secret that the address of the file carries.
        secret: String,
        /// For people.
        warnings: Vec<String>,
    },
    /// The feedback of the connector was stored.
    Feedback {
        /// Access providers that have a name in the target now and had none or another one.
        names_added: u64,
        /// For people.
        warnings: Vec<String>,
    },
}

/// Exact numbers of rows; unchanged rows are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) added: u64,
    pub(crate) updated: u64,
    pub(crate) removed: u64,
}

impl Counts {
    /// Whether nothing changed.
    pub(crate) fn is_nothing(self) -> bool {
        self == Self::default()
    }
}
