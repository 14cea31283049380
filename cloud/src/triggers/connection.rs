//! One trigger connection, from its upgrade to its end.
//!
//! A connection ends when the client says so, when nothing was heard of it for too long, when a message cannot be
//! written, when its user may no longer synchronise, or when the server stops; then with code 1001, upon which clients
//! connect again.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};

use super::Triggers;
use super::event::Heartbeat;
use super::hub::Frame;
use crate::auth::{self, Permission, tokens};

/// Clients send a heartbeat every five minutes.
const SILENCE: Duration = Duration::from_mins(12);
/// Keeps proxies from ending a connection on which nothing moves.
const PING: Duration = Duration::from_secs(45);
/// How long a client may take to accept a message.
const WRITING: Duration = Duration::from_secs(10);
/// How long a client may take to answer the end of the connection.
const CLOSING: Duration = Duration::from_secs(2);

/// Holds a conversation to its end.
pub(crate) async fn serve(triggers: Arc<Triggers>, mut socket: WebSocket, user_id: String) {
    let close = match triggers.register() {
        None => Some(frame(close_code::AGAIN, "too many connections")),
        Some((id, mut frames)) => {
            tracing::debug!(connection = id, user = user_id, "a command line listens for triggers");
            let close = converse(&triggers, &mut socket, &id, &user_id, &mut frames).await;
            // What is still on its way was not written: whoever waits for it hears so now.
            drop(frames);
            if let Err(error) = triggers.unregister(&id).await {
                tracing::warn!(%error, "the end of a trigger connection could not be stored");
            }
            close
        }
    };
    if close.is_some()
        && timeout(WRITING, socket.send(Message::Close(close))).await.is_ok_and(|sent| sent.is_ok())
    {
        // The client's answer ends the connection in order.
        let _ = timeout(CLOSING, async { while let Some(Ok(_)) = socket.recv().await {} }).await;
    }
}

/// Talks until the connection ends; gives what is to be said at the end, if anything can be.
async fn converse(
    triggers: &Triggers,
    socket: &mut WebSocket,
    id: &str,
    user_id: &str,
    frames: &mut mpsc::Receiver<Frame>,
) -> Option<CloseFrame> {
    let mut stop = triggers.stop.clone();
    let mut silent_at = Instant::now() + SILENCE;
    let mut pings = interval_at(Instant::now() + PING, PING);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stopped(&mut stop) => return Some(frame(close_code::AWAY, "the server stops")),
            () = sleep_until(silent_at) => return Some(frame(close_code::POLICY, "no heartbeat")),
            _ = pings.tick() => {
                if !write(socket, Message::Ping(axum::body::Bytes::new())).await {
                    return None;
                }
            }
            Some(message) = frames.recv() => {
                if !write(socket, Message::text(message.text)).await {
                    return None;
                }
                let _ = message.written.send(());
            }
            received = socket.recv() => {
                let text = match received {
                    None | Some(Err(_) | Ok(Message::Close(_))) => return None,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => message.into_text().ok(),
                };
                let Some(sources) = text.and_then(|text| Heartbeat::read(&text)) else {
                    return Some(frame(close_code::UNSUPPORTED, "only heartbeats are understood"));
                };
                match allowed(triggers, user_id).await {
                    Ok(true) => {}
                    Ok(false) => return Some(frame(close_code::POLICY, "permission denied")),
                    Err(error) => {
                        tracing::error!(%error, "the user of a trigger connection could not be read");
                        return Some(frame(close_code::ERROR, "the server failed"));
                    }
                }
                if let Err(error) = triggers.heartbeat(id, sources).await {
                    tracing::error!(%error, "a heartbeat could not be stored");
                    return Some(frame(close_code::ERROR, "the server failed"));
                }
                silent_at = Instant::now() + SILENCE;
            }
        }
    }
}

/// Waits until the server stops.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// A connection outlives the token that opened it, but not the role of its user.
async fn allowed(triggers: &Triggers, user_id: &str) -> Result<bool, sqlx::Error> {
    let principal = tokens::user(&triggers.store, user_id).await?;
    Ok(principal.is_some_and(|principal| auth::authorize(&principal, Permission::Synchronize).is_ok()))
}

async fn write(socket: &mut WebSocket, message: Message) -> bool {
    timeout(WRITING, socket.send(message)).await.is_ok_and(|sent| sent.is_ok())
}

fn frame(code: u16, reason: &'static str) -> CloseFrame {
    CloseFrame { code, reason: reason.into() }
}
