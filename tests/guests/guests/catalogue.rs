//! A catalogue: tags for the data objects and users of the guest `company`.

use raito_connector::prelude::*;
use raito_connector::{TagAssignment, TagAssignments, Tagged, Tags};

struct Catalogue {
    word: String,
}

impl Connector for Catalogue {
    fn describe() -> ConnectorInfo {
        ConnectorInfo::new("catalogue", "2.0.0", "Tags from a catalogue.")
            .parameter(Parameter::new("word", "The value of the tags.").default("personal"))
            .tag_source("catalogue")
    }

    fn open(parameters: &Parameters) -> Result<Self> {
        Ok(Catalogue { word: parameters.optional("word").unwrap_or("personal").to_owned() })
    }
}

impl Tags for Catalogue {
    fn sync(&mut self, tags: &mut TagAssignments<'_>) -> Result<Vec<String>> {
        log::warn("the catalogue is old");
        for on in [Tagged::DataObject("hr.salaries".into()), Tagged::User("u1".into())] {
            tags.push(TagAssignment {
                on,
                key: "class".into(),
                value: self.word.clone(),
                source: "catalogue".into(),
            })?;
        }
        Ok(vec!["catalogue".into()])
    }
}

raito_connector::export!(Catalogue: tags);
