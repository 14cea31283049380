//! Triggers as a command line sees them: a WebSocket on the address that it was given.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use raito_cloud::Role;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::Failure;
use crate::client::{Client, Site, text};

/// Nothing takes nearly as long, unless it never comes.
const GUARD: Duration = Duration::from_mins(1);
const URL: &str = "query CliTriggerWebSocket { cliTriggerUrl { ... on CliTriggerUrl { url } \
                   ... on PermissionDeniedError { err: message } } }";
const TRIGGER: &str = "mutation($input: SyncTriggerInput!){triggerSync(input: $input){__typename \
                       ... on SyncTriggerRequest{id listening} ... on BaseError{message}}}";
const CREATE: &str = "mutation($input: AccessProviderInput!){createAccessProvider(input: $input, enableAdditionalAccessRequests: false){__typename ... on AccessProviderWithOptionalAccessRequests{accessProvider{id}} ... on BaseError{message}}}";

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

async fn address(client: &Client) -> Result<String, Failure> {
    text(&client.query(URL, &Value::Null).await?["cliTriggerUrl"]["url"])
}

/// Opens a connection with this header; gives the status of a refusal.
async fn open(url: &str, authorization: Option<&str>) -> Result<Result<Socket, u16>, Failure> {
    let mut request = url.into_client_request()?;
    if let Some(value) = authorization {
        request.headers_mut().insert("authorization", value.parse()?);
    }
    match connect_async(request).await {
        Ok((socket, _)) => Ok(Ok(Socket(socket))),
        Err(Error::Http(answer)) => Ok(Err(answer.status().as_u16())),
        Err(error) => Err(error.into()),
    }
}

/// Listens for these data sources.
async fn listen(client: &Client, sources: &Value) -> Result<Socket, Failure> {
    let opened = open(&address(client).await?, Some(&format!("token {}", client.token))).await?;
    let mut socket = opened.map_err(|status| format!("the handshake was answered with {status}"))?;
    socket.beat(sources).await?;
    Ok(socket)
}

impl Socket {
    async fn beat(&mut self, sources: &Value) -> Result<(), Failure> {
        let heartbeat = json!({ "message": "heartbeat", "datasources": sources });
        Ok(self.0.send(Message::text(heartbeat.to_string())).await?)
    }

    /// The next message that is not for the connection itself.
    async fn next(&mut self) -> Result<Message, Failure> {
        loop {
            let message =
                tokio::time::timeout(GUARD, self.0.next()).await?.ok_or("the connection has ended")??;
            if !message.is_ping() && !message.is_pong() {
                return Ok(message);
            }
        }
    }

    async fn event(&mut self) -> Result<Value, Failure> {
        match self.next().await? {
            Message::Text(text) => Ok(serde_json::from_str(&text)?),
            other => Err(format!("no event: {other:?}").into()),
        }
    }

    /// The code with which the server ends the connection.
    async fn end(&mut self) -> Result<u16, Failure> {
        match self.next().await? {
            Message::Close(Some(frame)) => Ok(frame.code.into()),
            other => Err(format!("no end: {other:?}").into()),
        }
    }
}

fn changed() -> Value {
    json!({ "apUpdate": { "domain": "acme", "dataSourceNames": ["warehouse"] } })
}

async fn change(manager: &Client, name: &str) -> Result<(), Failure> {
    let input = json!({ "name": name, "action": "Grant", "dataSources": [{ "dataSource": "warehouse" }] });
    let made = manager.query(CREATE, &json!({ "input": input })).await?;
    text(&made["createAccessProvider"]["accessProvider"]["id"]).map_err(|_| made.to_string())?;
    Ok(())
}

async fn trigger(client: &Client, input: Value) -> Result<Value, Failure> {
    Ok(client.query(TRIGGER, &json!({ "input": input })).await?["triggerSync"].clone())
}

/// Asks for something and expects it next: what was not told until now is not told.
async fn nothing_before_a_mark(client: &Client, socket: &mut Socket) -> Result<(), Failure> {
    // Longer than changes take to settle, and than the server takes to look.
    tokio::time::sleep(Duration::from_secs(3)).await;
    trigger(client, json!({ "dataSource": "warehouse", "usageSync": true })).await?;
    let event = socket.event().await?;
    assert!(event["syncTrigger"]["usageSync"] == true, "{event}");
    Ok(())
}

#[tokio::test]
async fn changes_are_told_together_and_once() -> Result<(), Failure> {
    let site = Site::start().await?;
    let manager = site.client_with("mia", &[Role::AccessManager]).await?;
    let mut other = listen(&site.client, &json!(["elsewhere"])).await?;
    let mut socket = listen(&site.client, &json!(["elsewhere", "", "warehouse"])).await?;
    for name in ["one", "two", "three"] {
        change(&manager, name).await?;
    }
    assert_eq!(socket.event().await?, changed());
    nothing_before_a_mark(&site.client, &mut socket).await?;
    change(&manager, "four").await?;
    assert_eq!(socket.event().await?, changed());
    // Nobody else was told anything until the server says goodbye.
    site.server.shutdown().await;
    assert_eq!((socket.end().await?, other.end().await?), (1001, 1001));
    Ok(())
}

#[tokio::test]
async fn what_changed_before_is_told_unless_it_was_fetched() -> Result<(), Failure> {
    let site = Site::start().await?;
    let manager = site.client_with("mia", &[Role::AccessManager]).await?;
    change(&manager, "one").await?;
    let mut socket = listen(&site.client, &json!(["warehouse"])).await?;
    assert_eq!(socket.event().await?, changed());
    drop(socket);

    change(&manager, "two").await?;
    site.export(&json!({})).await?;
    let mut socket = listen(&site.client, &json!(["warehouse"])).await?;
    nothing_before_a_mark(&site.client, &mut socket).await
}

#[tokio::test]
async fn a_synchronisation_that_somebody_asks_for_reaches_who_listens() -> Result<(), Failure> {
    let site = Site::start().await?;
    let admin = site.client_with("ada", &[Role::Admin]).await?;
    let asked = trigger(
        &admin,
        json!({ "dataSource": "warehouse", "dataSourceSync": true, "dataObjectParent": "db.schema",
            "dataObjectExcludes": ["old"] }),
    )
    .await?;
    assert_eq!((&asked["__typename"], &asked["listening"]), (&json!("SyncTriggerRequest"), &json!(false)));
    // It waits for somebody who listens.
    let mut socket = listen(&site.client, &json!(["warehouse"])).await?;
    let event = json!({ "syncTrigger": { "domain": "acme", "dataSource": "warehouse", "identityStore": null,
        "identityStoreSync": false, "dataSourceSync": true, "accessSync": false, "usageSync": false,
        "resourceProviderSync": false, "dataObjectParent": "db.schema", "dataObjectExcludes": ["old"] } });
    assert_eq!(socket.event().await?, event);

    let mut identities = listen(&site.client, &Value::Null).await?;
    // Its heartbeat has arrived when it gets what everybody gets.
    let everybody = loop {
        let asked =
            trigger(&admin, json!({ "identityStore": site.identity_store, "identityStoreSync": true }))
                .await?;
        assert_eq!(asked["listening"], true, "{asked}");
        if let Ok(event) = tokio::time::timeout(Duration::from_secs(2), identities.event()).await {
            break event?;
        }
    };
    assert_eq!(everybody["syncTrigger"]["identityStore"], json!(site.identity_store), "{everybody}");
    assert_eq!(socket.event().await?, everybody);

    for (input, kind, why) in [
        (json!({ "dataSource": "nowhere", "usageSync": true }), "NotFoundError", "no data source `nowhere`"),
        (json!({ "identityStore": "nowhere", "usageSync": true }), "NotFoundError", "no identity store"),
        (json!({ "dataSource": "warehouse" }), "InvalidInputError", "nothing is to be synchronised"),
        (json!({ "dataSourceSync": true, "dataObjectParent": "x" }), "InvalidInputError", "need dataSource"),
        (
            json!({ "dataSource": "warehouse", "dataSourceSync": true, "dataObjectExcludes": vec!["long"; 10_000] }),
            "InvalidInputError",
            "32768 bytes",
        ),
    ] {
        let refused = trigger(&admin, input).await?;
        assert_eq!(refused["__typename"], kind, "{refused}");
        assert!(text(&refused["message"])?.contains(why), "{refused}");
    }
    let observer = site.client_with("olga", &[Role::Observer, Role::AccessManager]).await?;
    for input in [json!({ "dataSource": "warehouse", "usageSync": true }), json!({ "usageSync": true })] {
        assert_eq!(trigger(&observer, input).await?["__typename"], "PermissionDeniedError");
    }
    Ok(())
}

#[tokio::test]
async fn only_those_who_may_synchronise_listen_and_only_at_their_own_address() -> Result<(), Failure> {
    let site = Site::start().await?;
    let token = format!("token {}", site.client.token);
    let url = address(&site.client).await?;
    let (front, secret) = url.rsplit_once('/').ok_or("no path")?;
    assert!(secret.len() >= 40, "{url}");
    let refused = async |url: &str, header: Option<&str>| Ok::<_, Failure>(open(url, header).await?.err());
    assert_eq!(refused(&url, None).await?, Some(401));
    assert_eq!(refused(&url, Some("token wrong")).await?, Some(401));
    assert_eq!(refused(&format!("{front}/{}", "a".repeat(43)), Some(&token)).await?, Some(404));
    assert_eq!(refused(&url.replace("/acme/", "/other/"), Some(&token)).await?, Some(404));
    let observer = site.client_with("olga", &[Role::Observer]).await?;
    assert_eq!(refused(&url, Some(&format!("token {}", observer.token))).await?, Some(403));
    let second = site.client_with("sam", &[Role::Integrator]).await?;
    assert_eq!(refused(&url, Some(&format!("token {}", second.token))).await?, Some(404));
    assert_eq!(refused(&url, Some(&token)).await?, None);

    // Whoever loses the role is not listened to any more.
    let mut socket = listen(&second, &json!(["warehouse"])).await?;
    site.client_with("sam", &[Role::Observer]).await?;
    socket.beat(&json!(["warehouse"])).await?;
    assert_eq!(socket.end().await?, 1008);
    // Nor is whoever says something else.
    let mut socket = listen(&site.client, &json!(["warehouse"])).await?;
    socket.0.send(Message::text("hello")).await?;
    assert_eq!(socket.end().await?, 1003);
    Ok(())
}
