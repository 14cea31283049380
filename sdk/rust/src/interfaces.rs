//! One trait for each interface that a connector can export.

use crate::{
    AccessCapabilities, AccessControls, ApplyOptions, ConnectorInfo, DataObjectSource, DataObjects,
    DataSourceMetadata, DesiredAccessControls, Feedback, Groups, IdentityStoreMetadata, KnownPeriod,
    Parameters, Plans, ResourceCounts, Result, Statements, SyncScope, TagAssignments, TargetIds, Users,
};

/// What every connector is: a description, and a value made from the parameters of a target.
pub trait Connector: Sized {
    /// What the connector says about itself. No parameter, file or network is there when it is called.
    fn describe() -> ConnectorInfo;

    /// Makes the connector for one call. Check the parameters here; connect where the call needs it, or here
    /// if every call does.
    fn open(parameters: &Parameters) -> Result<Self>;
}

/// Users and groups.
pub trait IdentityStore: Connector {
    /// What the store is.
    fn metadata(&mut self) -> Result<IdentityStoreMetadata>;
    /// Reads every user and every group.
    fn sync(&mut self, users: &mut Users<'_>, groups: &mut Groups<'_>) -> Result<()>;
}

/// Data objects.
pub trait DataSource: Connector {
    /// What the data source is.
    fn metadata(&mut self) -> Result<DataSourceMetadata>;
    /// Reads the data objects of `scope`.
    fn sync(&mut self, scope: &SyncScope, objects: &mut DataObjects<'_>) -> Result<()>;
}

/// Access controls, from the target and to it.
pub trait Access: Connector {
    /// What it can do beyond reading.
    fn capabilities() -> AccessCapabilities;
    /// Reads the access controls that stand in the target.
    fn read(&mut self, controls: &mut AccessControls<'_>) -> Result<()>;
    /// Works out what `apply` would do, and touches nothing.
    fn plan(
        &mut self,
        options: &ApplyOptions,
        desired: &mut DesiredAccessControls<'_>,
        plans: &mut Plans<'_>,
    ) -> Result<()>;
    /// Makes the target match, with one feedback for each access control.
    fn apply(
        &mut self,
        options: &ApplyOptions,
        desired: &mut DesiredAccessControls<'_>,
        feedback: &mut Feedback<'_>,
    ) -> Result<()>;
}

/// Statements.
pub trait DataUsage: Connector {
    /// Reads statements, normally those after `known.last`.
    fn sync(&mut self, known: &KnownPeriod, statements: &mut Statements<'_>) -> Result<()>;
}

/// Tags from a catalogue.
pub trait Tags: Connector {
    /// Reads the tags; returns the tag sources that the delivery is authoritative for.
    fn sync(&mut self, tags: &mut TagAssignments<'_>) -> Result<Vec<String>>;
}

/// Additions to the data objects of another connector.
pub trait DataObjectEnricher: Connector {
    /// Writes every object exactly once; returns how many it changed.
    fn enrich(&mut self, objects: &mut DataObjectSource<'_>, enriched: &mut DataObjects<'_>) -> Result<u64>;
}

/// Raito's own resources, through [`cloud_session`](crate::cloud_session).
pub trait ResourceProvider: Connector {
    /// Creates, updates and deletes resources.
    fn update(&mut self, target: &TargetIds) -> Result<ResourceCounts>;
}
