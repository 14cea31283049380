//! The messages on a trigger connection, as the command line knows them.
//!
//! ```text
//! client ► {"message": "heartbeat", "datasources": ["<id>", …] | null}
//! server ► {"apUpdate": {"domain": "<domain>", "dataSourceNames": ["<id>", …]}}      ids, despite the name
//! server ► {"syncTrigger": {"domain": "<domain>", "dataSource": "<id>" | null, "identityStore": "<id>" | null,
//!           "identityStoreSync": …, "dataSourceSync": …, "accessSync": …, "usageSync": …, "resourceProviderSync": …,
//!           "dataObjectParent": "<full name>" | null, "dataObjectExcludes": ["<name>", …] | null}}
//! ```

use serde::{Deserialize, Serialize};
use serde_json::json;

/// The largest message that the command line accepts, in bytes.
pub(crate) const LARGEST: usize = 32 * 1024;

/// What a client says.
#[derive(Debug, Deserialize)]
pub(crate) struct Heartbeat {
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) datasources: Option<Vec<String>>,
}

impl Heartbeat {
    /// The data sources of a message; none if it is no heartbeat.
    pub(crate) fn read(text: &str) -> Option<Vec<String>> {
        let heartbeat: Self = serde_json::from_str(text).ok()?;
        let mut sources = heartbeat.datasources.unwrap_or_default();
        // Targets without a data source are among them.
        sources.retain(|id| !id.is_empty());
        (heartbeat.message == "heartbeat").then_some(sources)
    }
}

/// A synchronisation that somebody asked for.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SyncTrigger {
    pub(crate) domain: String,
    pub(crate) data_source: Option<String>,
    pub(crate) identity_store: Option<String>,
    pub(crate) identity_store_sync: bool,
    pub(crate) data_source_sync: bool,
    pub(crate) access_sync: bool,
    pub(crate) usage_sync: bool,
    pub(crate) resource_provider_sync: bool,
    pub(crate) data_object_parent: Option<String>,
    pub(crate) data_object_excludes: Option<Vec<String>>,
}

impl SyncTrigger {
    /// The message.
    pub(crate) fn message(&self) -> String {
        json!({ "syncTrigger": self }).to_string()
    }
}

/// The messages that tell of changed access controls: as many as are needed to keep each within [`LARGEST`], with the
/// data sources of each.
pub(crate) fn access_updates(domain: &str, sources: &[String]) -> Vec<(String, Vec<String>)> {
    let message = |sources: &[String]| {
        json!({ "apUpdate": { "domain": domain, "dataSourceNames": sources } }).to_string()
    };
    let empty = message(&[]).len();
    let mut messages = Vec::new();
    let (mut part, mut length) = (Vec::new(), empty);
    for source in sources {
        // With its quotes, its escapes and a comma.
        let more = json!(source).to_string().len() + 1;
        if !part.is_empty() && length + more > LARGEST {
            messages.push((message(&part), std::mem::take(&mut part)));
            length = empty;
        }
        length += more;
        part.push(source.clone());
    }
    if !part.is_empty() {
        messages.push((message(&part), part));
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heartbeats_are_read_and_nothing_else() {
        assert_eq!(
            Heartbeat::read(r#"{"message":"heartbeat","datasources":["a","","b"]}"#),
            Some(vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!(Heartbeat::read(r#"{"message":"heartbeat","datasources":null}"#), Some(Vec::new()));
        for other in
            ["", "heartbeat", r#"{"message":"hello"}"#, r#"{"message":"heartbeat","datasources":"a"}"#]
        {
            assert_eq!(Heartbeat::read(other), None, "{other}");
        }
    }

    #[test]
    fn messages_stay_within_what_the_command_line_accepts() {
        let sources: Vec<String> = (0..5000).map(|n| format!("source \"{n}\"")).collect();
        let messages = access_updates("acme", &sources);
        assert!(messages.len() > 1);
        assert!(messages.iter().all(|(text, _)| text.len() <= LARGEST));
        assert!(messages.iter().all(|(text, _)| text.len() > LARGEST - 100 || text.contains("4999")));
        let told: Vec<String> = messages.into_iter().flat_map(|(_, sources)| sources).collect();
        assert_eq!(told, sources);
        let (one, _) = &access_updates("acme", &["a".to_owned()])[0];
        assert_eq!(one, r#"{"apUpdate":{"dataSourceNames":["a"],"domain":"acme"}}"#);
        assert!(access_updates("acme", &[]).is_empty());
    }
}
