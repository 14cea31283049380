//! Exports `info` and takes part in no step.

use raito_connector::prelude::*;

struct OnlyInfo;

impl Connector for OnlyInfo {
    fn describe() -> ConnectorInfo {
        ConnectorInfo::new("only-info", "0.1.0", "Takes part in nothing.")
    }

    fn open(_: &Parameters) -> Result<Self> {
        Ok(OnlyInfo)
    }
}

raito_connector::export!(OnlyInfo:);
