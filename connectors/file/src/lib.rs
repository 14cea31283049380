//! The connector `file`: identities, metadata, access controls and usage from exported CSV, JSON and YAML files.
//!
//! For sources that cannot be reached, only exported from. It reads files in one granted folder, writes nothing,
//! and uses no network; access controls cannot be applied. What the files look like is in
//! `docs/connectors/file.md`.
//!
//! The way of a record: [`folder`] finds the file of a subject, `records` reads it in its format, `fields` takes
//! the fields with the same rules for all formats, the module of the subject ([`identities`], [`data_objects`],
//! [`metadata`], [`access`], [`usage`]) makes the record of the contract and checks it against the others, and a
//! closure hands it to the host's sink. So everything but this file also runs outside of a sandbox.

pub mod access;
pub mod data_objects;
mod fields;
pub mod folder;
pub mod identities;
mod index;
pub mod metadata;
mod names;
mod place;
mod records;
pub mod usage;
mod value;

use raito_connector::prelude::*;

use crate::fields::TAG_SOURCE;
use crate::folder::{FOLDER_PARAMETER, Folder};
use crate::names::SEPARATOR_PARAMETER;

/// Where the folder is unless the target says otherwise.
const DEFAULT_FOLDER: &str = "/data";
/// What stands between the parts of full names unless the target says otherwise.
const DEFAULT_SEPARATOR: &str = ".";

/// What is said to whoever wants to change the target through this connector.
const READ_ONLY: &str = "the connector `file` reads exported files and cannot apply access controls";

/// The connector.
pub struct File {
    folder: Folder,
}

impl Connector for File {
    fn describe() -> ConnectorInfo {
        let description = "Reads users, groups, data objects, access controls and usage from exported CSV, JSON and YAML files.";
        let folder = Parameter::new(
            FOLDER_PARAMETER,
            "Folder with the files, as the connector sees it: the `guest` path of a read grant under \
             `sandbox.filesystem`.",
        );
        let separator = Parameter::new(
            SEPARATOR_PARAMETER,
            "Text between the parts of the full names of data objects, for example `.` or `/`.",
        );
        ConnectorInfo::new("file", env!("CARGO_PKG_VERSION"), description)
            .parameter(folder.default(DEFAULT_FOLDER))
            .parameter(separator.default(DEFAULT_SEPARATOR))
            .tag_source(TAG_SOURCE)
    }

    fn open(parameters: &Parameters) -> Result<Self> {
        let folder = parameters.optional(FOLDER_PARAMETER).unwrap_or(DEFAULT_FOLDER);
        let separator = parameters.optional(SEPARATOR_PARAMETER).unwrap_or(DEFAULT_SEPARATOR);
        Ok(File { folder: Folder::open(folder, separator)? })
    }
}

impl IdentityStore for File {
    fn metadata(&mut self) -> Result<IdentityStoreMetadata> {
        Ok(IdentityStoreMetadata {
            store_type: "file".to_owned(),
            icon: String::new(),
            can_be_linked: true,
            can_be_master: true,
        })
    }

    fn sync(&mut self, users: &mut Users<'_>, groups: &mut Groups<'_>) -> Result<()> {
        identities::read(&self.folder, |group| groups.push(group), |user| users.push(user))
    }
}

impl DataSource for File {
    fn metadata(&mut self) -> Result<DataSourceMetadata> {
        metadata::read(&self.folder)
    }

    fn sync(&mut self, scope: &SyncScope, objects: &mut DataObjects<'_>) -> Result<()> {
        let objects = std::cell::RefCell::new(objects);
        data_objects::read(
            &self.folder,
            scope,
            |root| objects.borrow_mut().set_root(root),
            |object| objects.borrow_mut().push(object),
        )
    }
}

impl Access for File {
    fn capabilities() -> AccessCapabilities {
        AccessCapabilities { apply: false, partial_apply: false }
    }

    fn read(&mut self, controls: &mut AccessControls<'_>) -> Result<()> {
        access::read(&self.folder, |control| controls.push(control))
    }

    fn plan(
        &mut self,
        _options: &ApplyOptions,
        _desired: &mut DesiredAccessControls<'_>,
        _plans: &mut Plans<'_>,
    ) -> Result<()> {
        Err(Error::unsupported(READ_ONLY))
    }

    fn apply(
        &mut self,
        _options: &ApplyOptions,
        _desired: &mut DesiredAccessControls<'_>,
        _feedback: &mut Feedback<'_>,
    ) -> Result<()> {
        Err(Error::unsupported(READ_ONLY))
    }
}

impl DataUsage for File {
    fn sync(&mut self, known: &KnownPeriod, statements: &mut Statements<'_>) -> Result<()> {
        usage::read(&self.folder, known, |statement| statements.push(statement))
    }
}

raito_connector::export!(File: identity_store, data_source, access, data_usage);
