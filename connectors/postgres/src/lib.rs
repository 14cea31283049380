//! Raito connector for PostgreSQL.
//!
//! Reads users, data objects, access controls and usage of a server, and applies access controls to it. The facts are in
//! the modules; this file binds them to the interfaces of the connector. What the modules do is independent of the
//! sandbox: they take the settings of a target and hand records to a function.

mod acl;
mod cluster;
pub mod identities;
pub mod metadata;
mod names;
pub mod objects;
mod ownership_mark;
pub mod pattern;
mod quote;
pub mod read;
mod schemas;
pub mod session;
pub mod settings;
pub mod target;
pub mod usage;
mod vocabulary;

use raito_connector::prelude::*;

use crate::settings::Settings;

/// The connector, made for one call.
pub struct Postgres {
    settings: Settings,
}

impl Connector for Postgres {
    fn describe() -> ConnectorInfo {
        let info = ConnectorInfo::new(
            "postgres",
            env!("CARGO_PKG_VERSION"),
            "PostgreSQL 13 and later: users, data objects, roles, grants, row security and usage; applies roles, \
             memberships, grants and row filters.",
        );
        Settings::describe(info.tag_source(identities::TAG_SOURCE))
    }

    fn open(parameters: &Parameters) -> Result<Self> {
        Ok(Postgres { settings: Settings::read(parameters)? })
    }
}

impl IdentityStore for Postgres {
    fn metadata(&mut self) -> Result<IdentityStoreMetadata> {
        Ok(identities::metadata())
    }

    fn sync(&mut self, users: &mut Users<'_>, _groups: &mut Groups<'_>) -> Result<()> {
        identities::users(&self.settings, |user| users.push(user))
    }
}

impl DataSource for Postgres {
    fn metadata(&mut self) -> Result<DataSourceMetadata> {
        Ok(metadata::metadata())
    }

    fn sync(&mut self, scope: &SyncScope, objects: &mut DataObjects<'_>) -> Result<()> {
        objects::objects(&self.settings, scope, |object| objects.push(object))
    }
}

impl Access for Postgres {
    fn capabilities() -> AccessCapabilities {
        target::capabilities()
    }

    fn read(&mut self, controls: &mut AccessControls<'_>) -> Result<()> {
        read::access_controls(&self.settings, |control| controls.push(control))
    }

    fn plan(
        &mut self,
        options: &ApplyOptions,
        desired: &mut DesiredAccessControls<'_>,
        plans: &mut Plans<'_>,
    ) -> Result<()> {
        target::plan(&self.settings, options, desired, |plan| plans.push(plan))
    }

    fn apply(
        &mut self,
        options: &ApplyOptions,
        desired: &mut DesiredAccessControls<'_>,
        feedback: &mut Feedback<'_>,
    ) -> Result<()> {
        target::apply(&self.settings, options, desired, |outcome| feedback.push(outcome))
    }
}

impl DataUsage for Postgres {
    fn sync(&mut self, _known: &KnownPeriod, statements: &mut Statements<'_>) -> Result<()> {
        usage::statements(&self.settings, |statement| statements.push(statement))
    }
}

raito_connector::export!(Postgres: identity_store, data_source, access, data_usage);
