//! Building the description of a connector.

use crate::{ConnectorInfo, Parameter};

impl ConnectorInfo {
    /// A connector without parameters, tags or network needs. `version` follows semantic versioning.
    pub fn new(name: impl Into<String>, version: impl Into<String>, description: impl Into<String>) -> Self {
        ConnectorInfo {
            name: name.into(),
            version: version.into(),
            description: description.into(),
            parameters: Vec::new(),
            tag_source: String::new(),
            network: Vec::new(),
        }
    }

    /// Declares a parameter. Targets may only have declared ones.
    #[must_use]
    pub fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Names a network grant that targets normally need, as a template over parameters: `{host}:{port}`.
    #[must_use]
    pub fn network(mut self, grant: impl Into<String>) -> Self {
        self.network.push(grant.into());
        self
    }

    /// Names the source of the tags that this connector delivers.
    #[must_use]
    pub fn tag_source(mut self, source: impl Into<String>) -> Self {
        self.tag_source = source.into();
        self
    }
}

impl Parameter {
    /// An optional, public parameter without a default.
    pub fn new(name: impl Into<String>, description: impl Into<String>) -> Self {
        Parameter {
            name: name.into(),
            description: description.into(),
            mandatory: false,
            secret: false,
            default: None,
        }
    }

    /// The step does not start without it.
    #[must_use]
    pub fn mandatory(mut self) -> Self {
        self.mandatory = true;
        self
    }

    /// Its value never reaches a log, an error or a backup.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The value taken when it is missing, for people to read; [`Parameters`](crate::Parameters) takes the
    /// default from its caller.
    #[must_use]
    pub fn default(mut self, value: impl Into<String>) -> Self {
        self.default = Some(value.into());
        self
    }
}
