//! Imports the session with Raito Cloud, which this host does not offer.

use raito_connector::{
    Connector, ConnectorInfo, Parameters, ResourceCounts, ResourceProvider, Result, TargetIds, cloud_session,
};

struct Session;

impl Connector for Session {
    fn describe() -> ConnectorInfo {
        ConnectorInfo::new("session", "0.1.0", "Wants the session.")
    }

    fn open(_: &Parameters) -> Result<Self> {
        Ok(Session)
    }
}

impl ResourceProvider for Session {
    fn update(&mut self, _: &TargetIds) -> Result<ResourceCounts> {
        let added = cloud_session::graphql("{currentUser{email}}", "").map_or(0, |_| 1);
        Ok(ResourceCounts { added, updated: 0, deleted: 0, failed: 0 })
    }
}

raito_connector::export!(Session: resource_provider);
