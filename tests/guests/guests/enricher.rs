//! Adds a tag to every data object, or goes wrong in the way that it is told.

use raito_connector::prelude::*;
use raito_connector::{DataObjectEnricher, DataObjectSource, log};

struct Enricher {
    word: String,
    fault: String,
}

impl Connector for Enricher {
    fn describe() -> ConnectorInfo {
        ConnectorInfo::new("enricher", "0.3.0", "Adds a tag to every data object.")
            .parameter(Parameter::new("word", "The value of the tag.").mandatory())
            .parameter(Parameter::new("fault", "drop, twice, other, root or warn."))
            .tag_source("enricher")
    }

    fn open(parameters: &Parameters) -> Result<Self> {
        let word = parameters.required("word")?.to_owned();
        Ok(Enricher { word, fault: parameters.optional("fault").unwrap_or_default().to_owned() })
    }
}

impl DataObjectEnricher for Enricher {
    fn enrich(&mut self, objects: &mut DataObjectSource<'_>, enriched: &mut DataObjects<'_>) -> Result<u64> {
        if self.fault == "root" {
            let root = RootObject { name: "x".into(), full_name: "x".into(), description: String::new() };
            enriched.set_root(&root)?;
        }
        if self.fault == "warn" {
            log::warn("the dictionary is old");
        }
        let mut changed = 0;
        for object in objects {
            let mut object = object?;
            if object.external_id == "hr" {
                match self.fault.as_str() {
                    "drop" => continue,
                    "twice" => enriched.push(object.clone())?,
                    "other" => object.external_id = "finance".into(),
                    _ => {}
                }
            }
            object.tags.push(Tag {
                key: "keeper".into(),
                value: self.word.clone(),
                source: "enricher".into(),
            });
            changed += 1;
            enriched.push(object)?;
        }
        Ok(changed)
    }
}

raito_connector::export!(Enricher: data_object_enricher);
