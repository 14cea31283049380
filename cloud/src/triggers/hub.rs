//! The connections of this server, and who listens on all servers.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::Row;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::ids::{new_id, now};
use crate::store::Store;

/// How often a server says that it still holds its connections.
pub(super) const TOUCH: Duration = Duration::from_secs(20);
/// After this time without a word from its server, a connection does not exist any more.
const GONE: Duration = Duration::from_secs(60);
/// Most connections of one server.
const MOST: usize = 4096;
/// Messages on their way to one connection.
const WAITING: usize = 16;

/// A message on its way to a client; answered once it was written.
pub(crate) struct Frame {
    pub(crate) text: String,
    pub(crate) written: oneshot::Sender<()>,
}

/// A connection of this server.
struct Listener {
    data_sources: HashSet<String>,
    frames: mpsc::Sender<Frame>,
}

/// What all trigger connections of a server share.
pub(crate) struct Triggers {
    pub(crate) store: Store,
    pub(crate) domain: String,
    /// This server among those on the database; new at every start.
    pub(super) server_id: String,
    /// Rung when there may be something to deliver.
    pub(super) bell: Notify,
    /// True when the server stops.
    pub(crate) stop: watch::Receiver<bool>,
    /// By connection id, which grows with time.
    listeners: Mutex<HashMap<String, Listener>>,
}

impl Triggers {
    pub(crate) fn new(store: Store, domain: String, stop: watch::Receiver<bool>) -> Self {
        Self { store, domain, server_id: new_id(), bell: Notify::new(), stop, listeners: Mutex::default() }
    }

    /// Has pending messages looked for now.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Listener>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a new connection, unless there are too many. Gives its id and what is to be written to it.
    pub(super) fn register(&self) -> Option<(String, mpsc::Receiver<Frame>)> {
        let (frames, receiver) = mpsc::channel(WAITING);
        let mut listeners = self.lock();
        if listeners.len() >= MOST {
            return None;
        }
        let id = new_id();
        listeners.insert(id.clone(), Listener { data_sources: HashSet::new(), frames });
        Some((id, receiver))
    }

    /// Remembers what a connection listens for.
    pub(super) async fn heartbeat(&self, connection: &str, sources: Vec<String>) -> Result<(), sqlx::Error> {
        let sources: HashSet<String> = sources.into_iter().collect();
        let mut transaction = self.store.begin().await?;
        sqlx::query("DELETE FROM trigger_listeners WHERE connection_id = $1")
            .bind(connection)
            .execute(&mut *transaction)
            .await?;
        for source in sources.iter().map(String::as_str).chain([""]) {
            sqlx::query(
                "INSERT INTO trigger_listeners (connection_id, data_source_id, server_id, seen_at) \
                 VALUES ($1, $2, $3, $4)",
            )
            .bind(connection)
            .bind(source)
            .bind(&self.server_id)
            .bind(now())
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        if let Some(listener) = self.lock().get_mut(connection) {
            listener.data_sources = sources;
        }
        self.ring();
        Ok(())
    }

    /// Forgets a connection that has ended.
    pub(super) async fn unregister(&self, connection: &str) -> Result<(), sqlx::Error> {
        self.lock().remove(connection);
        sqlx::query("DELETE FROM trigger_listeners WHERE connection_id = $1")
            .bind(connection)
            .execute(self.store.pool())
            .await?;
        Ok(())
    }

    /// Whether this server has any connection.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// The connection of this server that a message about a data source goes to: the newest, because an older one may
    /// be dead and not know it yet.
    pub(super) fn listener_for(&self, source: &str) -> Option<String> {
        self.lock()
            .iter()
            .filter(|(_, listener)| listener.data_sources.contains(source))
            .map(|(id, _)| id)
            .max()
            .cloned()
    }

    /// Whether this server has a connection of this id.
    pub(super) fn holds(&self, connection: &str) -> bool {
        self.lock().contains_key(connection)
    }

    /// Hands a message to a connection; true once it was written.
    pub(super) async fn write(&self, connection: &str, text: String) -> bool {
        let Some(frames) = self.lock().get(connection).map(|listener| listener.frames.clone()) else {
            return false;
        };
        let (written, done) = oneshot::channel();
        // A connection that takes no more is at its end: its own writing has a time limit.
        frames.send(Frame { text, written }).await.is_ok() && done.await.is_ok()
    }

    /// Says that the connections of this server are still there, and removes those of servers that are not.
    pub(super) async fn touch(&self) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE trigger_listeners SET seen_at = $1 WHERE server_id = $2")
            .bind(now())
            .bind(&self.server_id)
            .execute(self.store.pool())
            .await?;
        sqlx::query("DELETE FROM trigger_listeners WHERE seen_at < $1")
            .bind(alive_since())
            .execute(self.store.pool())
            .await?;
        Ok(())
    }
}

/// The connections on all servers that listen for a data source; for the empty text, all connections.
pub(crate) async fn listeners(store: &Store, source: &str) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query("SELECT connection_id FROM trigger_listeners WHERE data_source_id = $1 AND seen_at >= $2")
        .bind(source)
        .bind(alive_since())
        .fetch_all(store.pool())
        .await?
        .iter()
        .map(|row| row.try_get(0))
        .collect()
}

fn alive_since() -> i64 {
    now().saturating_sub(i64::try_from(GONE.as_millis()).unwrap_or(i64::MAX))
}
