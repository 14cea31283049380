//! Triggers: the address under which to listen, the connection, and the messages on it.
//!
//! The connection is a WebSocket on a request of the same HTTP client as everything else, so certificates, proxies
//! and redirects follow the same rules. The handshake carries the token and no other header of ours.
//!
//! ```text
//! to Raito Cloud     {"message": "heartbeat", "datasources": ["<id>", …] | null}
//! from Raito Cloud   {"apUpdate": {"domain": …, "dataSourceNames": ["<id>", …]},      ids, despite the name
//!                     "syncTrigger": {"domain": …, "dataSource": …, "identityStore": …, "identityStoreSync": …,
//!                     "dataSourceSync": …, "accessSync": …, "usageSync": …, "resourceProviderSync": …,
//!                     "dataObjectParent": …, "dataObjectExcludes": …}}
//! ```
//!
//! Each of the two members may be missing; others are left aside.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use reqwest::{Method, StatusCode, Upgraded, header};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use url::Url;

use super::graphql::{Operation, null_as_default};
use super::repeat::authorization;
use super::{CloudClient, CloudError, error, is_this_machine};

/// The service sends at most 32 KiB at once.
const LARGEST_MESSAGE: usize = 1024 * 1024;
/// How long the other side may take for the handshake, and for accepting a message.
const PATIENCE: Duration = Duration::from_secs(30);
const WHAT: &str = "the trigger connection";

/// Something that Raito Cloud wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TriggerEvent {
    /// Access controls of these data sources have changed.
    AccessUpdate(Vec<String>),
    /// Somebody wants targets synchronised.
    Sync(SyncTrigger),
}

/// What somebody wants synchronised. It takes the place of what targets skip by configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SyncTrigger {
    /// Only targets of this data source.
    pub data_source: Option<String>,
    /// Only targets of this identity store.
    pub identity_store: Option<String>,
    /// Users and groups.
    #[serde(deserialize_with = "null_as_default")]
    pub identity_store_sync: bool,
    /// Data objects.
    #[serde(deserialize_with = "null_as_default")]
    pub data_source_sync: bool,
    /// Access controls, in both directions.
    #[serde(deserialize_with = "null_as_default")]
    pub access_sync: bool,
    /// Usage.
    #[serde(deserialize_with = "null_as_default")]
    pub usage_sync: bool,
    /// Resource providers.
    #[serde(deserialize_with = "null_as_default")]
    pub resource_provider_sync: bool,
    /// Full name of the data object below which to read.
    pub data_object_parent: Option<String>,
    /// Names below it to leave out.
    #[serde(deserialize_with = "null_as_default")]
    pub data_object_excludes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Frame {
    ap_update: Option<AccessUpdate>,
    sync_trigger: Option<SyncTrigger>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct AccessUpdate {
    #[serde(deserialize_with = "null_as_default")]
    data_source_names: Vec<String>,
}

/// Reads a message.
///
/// # Errors
/// It is not the JSON that is expected.
pub fn read_events(text: &str) -> Result<Vec<TriggerEvent>, CloudError> {
    let frame: Frame = serde_json::from_str(text).map_err(|problem| CloudError::BadAnswer {
        what: WHAT,
        reason: error::excerpt(&problem.to_string()),
    })?;
    let access = frame.ap_update.map(|update| TriggerEvent::AccessUpdate(update.data_source_names));
    let sync = frame.sync_trigger.map(|mut trigger| {
        // An empty id is none, as everywhere in the protocol.
        for text in [&mut trigger.data_source, &mut trigger.identity_store, &mut trigger.data_object_parent] {
            text.take_if(|text| text.is_empty());
        }
        TriggerEvent::Sync(trigger)
    });
    Ok(access.into_iter().chain(sync).collect())
}

/// An open connection.
#[derive(Debug)]
pub struct TriggerSocket {
    socket: WebSocketStream<Upgraded>,
}

impl CloudClient {
    /// Where to listen; nothing if there are no triggers.
    ///
    /// # Errors
    /// The request fails, or the user may not listen.
    pub async fn trigger_address(&self) -> Result<Option<Url>, CloudError> {
        let document = "query CliTriggerWebSocket { cliTriggerUrl { ... on CliTriggerUrl { url } \
                        ... on PermissionDeniedError { err: message } } }";
        let what = "the trigger address";
        let data: Value = self.graphql(Operation::reading(what, document.to_owned())).await?;
        let answer = &data["cliTriggerUrl"];
        if let Some(reason) = answer["err"].as_str() {
            return Err(CloudError::Denied { what, reason: error::excerpt(reason) });
        }
        let Some(text) = answer["url"].as_str().filter(|text| !text.is_empty()) else { return Ok(None) };
        let bad = |reason: &str| CloudError::BadAnswer { what, reason: reason.to_owned() };
        let mut url = Url::parse(text).map_err(|_| bad("not an address"))?;
        let scheme = match url.scheme() {
            "wss" | "https" => "https",
            "ws" | "http" => "http",
            _ => return Err(bad("not the address of a WebSocket")),
        };
        // The token goes there: it must not be easier to read on the way than it was on the way to the API.
        if scheme == "http" && self.shared.options.base.scheme() == "https" && !is_this_machine(&url) {
            return Err(bad("an address without TLS, while the API has it"));
        }
        url.set_scheme(scheme).map_err(|()| bad("not the address of a WebSocket"))?;
        Ok(Some(url))
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// It cannot be opened, or was refused.
    pub async fn listen(&self, address: &Url) -> Result<TriggerSocket, CloudError> {
        let handshake = async {
            let key = generate_key();
            let mut request = self
                .bare(Method::GET, address.clone())
                .header(header::CONNECTION, "Upgrade")
                .header(header::UPGRADE, "websocket")
                .header(header::SEC_WEBSOCKET_VERSION, "13")
                .header(header::SEC_WEBSOCKET_KEY, &key);
            let mut used = None;
            if !self.shared.options.skip_authentication {
                let token = self.token().await?;
                request = request.header(header::AUTHORIZATION, authorization(&token)?);
                used = Some(token);
            }
            let response = super::send(WHAT, request).await?;
            // It may have been revoked: the next attempt signs in anew.
            if let (StatusCode::UNAUTHORIZED, Some(token)) = (response.status(), used) {
                self.forget(&token).await;
            }
            let response = super::success(WHAT, response).await?;
            let accepted = response.headers().get(header::SEC_WEBSOCKET_ACCEPT);
            if response.status() != StatusCode::SWITCHING_PROTOCOLS
                || accepted
                    .is_none_or(|value| value.as_bytes() != derive_accept_key(key.as_bytes()).as_bytes())
            {
                let reason = "the address is not that of a WebSocket".to_owned();
                return Err(CloudError::BadAnswer { what: WHAT, reason });
            }
            response.upgrade().await.map_err(|error| CloudError::unreachable(WHAT, error))
        };
        let stream = match timeout(PATIENCE, handshake).await {
            Ok(stream) => stream?,
            Err(_) => return Err(broken(address, "no answer to the handshake")),
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(8 * 1024)
            .max_message_size(Some(LARGEST_MESSAGE))
            .max_frame_size(Some(LARGEST_MESSAGE));
        let socket = WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await;
        Ok(TriggerSocket { socket })
    }
}

fn broken(address: &Url, reason: &str) -> CloudError {
    let host = address.host_str().unwrap_or("the server").to_owned();
    CloudError::Unreachable { what: WHAT, host, reason: reason.to_owned() }
}

/// The message that says who listens.
pub fn heartbeat(data_sources: &[String]) -> String {
    // The service has always seen null for none.
    let sources = if data_sources.is_empty() { Value::Null } else { json!(data_sources) };
    json!({ "message": "heartbeat", "datasources": sources }).to_string()
}

impl TriggerSocket {
    /// Sends a text; false if that was not possible.
    pub async fn send(&mut self, text: &str) -> bool {
        timeout(PATIENCE, self.socket.send(Message::text(text))).await.is_ok_and(|sent| sent.is_ok())
    }

    /// The next text; none at the end of the connection. May be dropped while it waits.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            return match self.socket.next().await? {
                Ok(message @ (Message::Text(_) | Message::Binary(_))) => {
                    message.into_text().ok().map(|text| text.to_string())
                }
                // Pings are answered by the next write or read.
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => continue,
                Ok(Message::Close(_)) | Err(_) => None,
            };
        }
    }

    /// Says that the connection ends. What was under way can still be read with [`Self::next`].
    pub async fn close(&mut self) {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "Closing websocket".into() };
        let _ = timeout(PATIENCE, self.socket.close(Some(frame))).await;
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_as_the_service_writes_them() {
        let both = r#"{"apUpdate":{"domain":"acme","dataSourceNames":["a","b"]},"other":1,
            "syncTrigger":{"domain":"acme","dataSource":"a","identityStore":"","accessSync":true,"usageSync":null,
            "dataObjectParent":null,"dataObjectExcludes":["x"]}}"#;
        let sync = SyncTrigger {
            data_source: Some("a".into()),
            access_sync: true,
            data_object_excludes: vec!["x".into()],
            ..SyncTrigger::default()
        };
        let access = TriggerEvent::AccessUpdate(vec!["a".into(), "b".into()]);
        assert_eq!(read_events(both).unwrap(), [access, TriggerEvent::Sync(sync)]);
        assert_eq!(read_events("{}").unwrap(), []);
        assert_eq!(
            read_events(r#"{"apUpdate":{"dataSourceNames":null},"syncTrigger":null}"#).unwrap(),
            [TriggerEvent::AccessUpdate(Vec::new())]
        );
        for bad in ["", "hello", "[]", r#"{"apUpdate":3}"#] {
            assert!(read_events(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn heartbeats_say_null_for_none() {
        assert_eq!(heartbeat(&[]), r#"{"datasources":null,"message":"heartbeat"}"#);
        assert_eq!(heartbeat(&["a".into()]), r#"{"datasources":["a"],"message":"heartbeat"}"#);
    }
}
