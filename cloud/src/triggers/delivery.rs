//! Finds what is to be told, and tells it to the connections of this server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Row;
use tokio::time::{Instant, timeout};

use super::event::access_updates;
use super::hub::{TOUCH, Triggers};
use crate::ids::now;
use crate::store::Store;
use crate::store::sql::Sql;

/// How often the database is asked.
const POLL: Duration = Duration::from_secs(1);
/// How long after the last change of a data source its changes are told, so that several are told together.
const SETTLED: Duration = Duration::from_secs(1);
/// How long at most after the first one, however many follow.
const LONGEST: Duration = Duration::from_secs(5);
/// How long a claim holds if its server dies. Longer than it takes to write.
const CLAIM: Duration = Duration::from_mins(1);
/// How often what is over is removed.
const TIDY: Duration = Duration::from_mins(5);
/// How long a synchronisation that somebody asked for waits for a listener.
const WAITS: Duration = Duration::from_mins(15);
/// How long a stopping server waits for its connections to end.
const GOODBYE: Duration = Duration::from_secs(5);
/// Most values in one list of a statement.
const LIST: usize = 500;

/// Says that the access controls of a data source are being fetched: what had changed until now need not be told.
pub(crate) async fn taken(store: &Store, source: &str) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM access_changes WHERE data_source_id = $1")
        .bind(source)
        .execute(store.pool())
        .await?;
    Ok(())
}

impl Triggers {
    /// Delivers until the server stops and its connections have ended.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut stop = self.stop.clone();
        let (mut touch, mut tidy) = (Instant::now(), Instant::now());
        while !*stop.borrow() {
            let work = async {
                if tidy <= Instant::now() {
                    tidy = Instant::now() + TIDY;
                    self.tidy().await?;
                }
                if self.is_empty() {
                    return Ok(());
                }
                if touch <= Instant::now() {
                    touch = Instant::now() + TOUCH;
                    self.touch().await?;
                }
                self.deliver().await
            };
            if let Err(error) = work.await {
                tracing::error!(%error, "triggers could not be delivered");
            }
            tokio::select! {
                () = self.bell.notified() => {}
                () = tokio::time::sleep(POLL) => {}
                _ = stop.changed() => {}
            }
        }
        let ended = async {
            while !self.is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = timeout(GOODBYE, ended).await;
    }

    /// Removes what nobody waits for any more.
    async fn tidy(&self) -> Result<(), sqlx::Error> {
        self.forget_the_dead().await?;
        sqlx::query("DELETE FROM sync_triggers WHERE requested_at < $1")
            .bind(now() - millis(WAITS))
            .execute(self.store.pool())
            .await?;
        sqlx::query("DELETE FROM trigger_claims WHERE claimed_until < $1")
            .bind(now())
            .execute(self.store.pool())
            .await?;
        Ok(())
    }

    async fn deliver(&self) -> Result<(), sqlx::Error> {
        self.deliver_requests().await?;
        self.deliver_changes().await
    }

    /// What people asked for, in the order in which they did.
    async fn deliver_requests(&self) -> Result<(), sqlx::Error> {
        let rows = sqlx::query(
            "SELECT id, connection_id, data_source_id, event FROM sync_triggers WHERE claimed_until < $1 ORDER BY id",
        )
        .bind(now())
        .fetch_all(self.store.pool())
        .await?;
        for row in rows {
            let id: String = row.try_get(0)?;
            let connection =
                match (row.try_get::<Option<String>, _>(1)?, row.try_get::<Option<String>, _>(2)?) {
                    (Some(connection), _) => Some(connection).filter(|connection| self.holds(connection)),
                    (None, Some(source)) => self.listener_for(&source),
                    (None, None) => None,
                };
            let Some(connection) = connection else { continue };
            let claimed = sqlx::query(
                "UPDATE sync_triggers SET claimed_by = $1, claimed_until = $2 WHERE id = $3 AND claimed_until < $4",
            )
            .bind(&self.server_id)
            .bind(now() + millis(CLAIM))
            .bind(&id)
            .bind(now())
            .execute(self.store.pool())
            .await?;
            if claimed.rows_affected() != 1 {
                continue;
            }
            let statement = if self.write(&connection, row.try_get(3)?).await {
                "DELETE FROM sync_triggers WHERE id = $1 AND claimed_by = $2"
            } else {
                "UPDATE sync_triggers SET claimed_until = 0 WHERE id = $1 AND claimed_by = $2"
            };
            sqlx::query(statement).bind(id).bind(&self.server_id).execute(self.store.pool()).await?;
        }
        Ok(())
    }

    /// Changes of access controls, once they have settled.
    async fn deliver_changes(&self) -> Result<(), sqlx::Error> {
        let rows = sqlx::query(
            "SELECT data_source_id, MIN(at), MAX(at) FROM access_changes GROUP BY data_source_id ORDER BY data_source_id",
        )
        .fetch_all(self.store.pool())
        .await?;
        let now = now();
        let mut by_connection: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in rows {
            let (source, first, last): (String, i64, i64) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let settled = now - last >= millis(SETTLED) || now - first >= millis(LONGEST);
            if let Some(connection) = self.listener_for(&source).filter(|_| settled) {
                by_connection.entry(connection).or_default().push(source);
            }
        }
        for (connection, sources) in by_connection {
            let mut claimed = Vec::with_capacity(sources.len());
            for source in sources {
                if self.claim(&source).await? {
                    claimed.push(source);
                }
            }
            let outcome = self.tell_changes(&connection, &claimed).await;
            for source in &claimed {
                sqlx::query("DELETE FROM trigger_claims WHERE data_source_id = $1 AND claimed_by = $2")
                    .bind(source)
                    .bind(&self.server_id)
                    .execute(self.store.pool())
                    .await?;
            }
            outcome?;
        }
        Ok(())
    }

    async fn claim(&self, source: &str) -> Result<bool, sqlx::Error> {
        let claimed = sqlx::query(
            "INSERT INTO trigger_claims (data_source_id, claimed_by, claimed_until) VALUES ($1, $2, $3) \
             ON CONFLICT (data_source_id) DO UPDATE SET claimed_by = excluded.claimed_by, \
             claimed_until = excluded.claimed_until WHERE trigger_claims.claimed_until < $4",
        )
        .bind(source)
        .bind(&self.server_id)
        .bind(now() + millis(CLAIM))
        .bind(now())
        .execute(self.store.pool())
        .await?;
        Ok(claimed.rows_affected() == 1)
    }

    /// Tells one connection of the changes of claimed data sources, and removes what it was told.
    async fn tell_changes(&self, connection: &str, claimed: &[String]) -> Result<(), sqlx::Error> {
        // Exactly what is there now: a change that comes while this is told is told afterwards. Another server may
        // have told everything before the claim.
        let mut pending: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for source in claimed {
            let rows = sqlx::query("SELECT id FROM access_changes WHERE data_source_id = $1")
                .bind(source)
                .fetch_all(self.store.pool())
                .await?;
            let ids: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
            pending.insert(source.clone(), ids?);
        }
        pending.retain(|_, ids| !ids.is_empty());
        let sources: Vec<String> = pending.keys().cloned().collect();
        for (text, sources) in access_updates(&self.domain, &sources) {
            if !self.write(connection, text).await {
                return Ok(());
            }
            for ids in sources.iter().filter_map(|source| pending.get(source)) {
                for ids in ids.chunks(LIST) {
                    let mut sql = Sql::new("DELETE FROM access_changes WHERE id IN ");
                    sql.bind_list(ids)?;
                    sql.rows(self.store.pool()).await?;
                }
            }
        }
        Ok(())
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]
mod tests {
    use tokio::sync::{mpsc, watch};

    use super::super::hub::Frame;
    use super::*;
    use crate::changes;
    use crate::store::Database;

    /// A server with a connection that listens for `a`.
    struct Served {
        triggers: Arc<Triggers>,
        frames: mpsc::Receiver<Frame>,
        _stop: watch::Sender<bool>,
    }

    async fn served(store: &Store) -> Served {
        let (stop, stopped) = watch::channel(false);
        let triggers = Arc::new(Triggers::new(store.clone(), "acme".to_owned(), stopped));
        let (id, frames) = triggers.register().unwrap();
        triggers.heartbeat(&id, vec!["a".to_owned()]).await.unwrap();
        Served { triggers, frames, _stop: stop }
    }

    async fn change(store: &Store) {
        changes::announce(&mut store.pool().acquire().await.unwrap(), &["a".to_owned()]).await.unwrap();
        sqlx::query("UPDATE access_changes SET at = at - 2000").execute(store.pool()).await.unwrap();
    }

    async fn left(store: &Store) -> i64 {
        let row = sqlx::query("SELECT COUNT(*) FROM access_changes").fetch_one(store.pool()).await.unwrap();
        row.try_get(0).unwrap()
    }

    #[tokio::test]
    async fn of_several_servers_one_tells_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &Database::default()).await.unwrap();
        let (mut one, mut two) = (served(&store).await, served(&store).await);
        for _ in 0..20 {
            change(&store).await;
            change(&store).await;
            let delivered = async {
                let (first, second) = tokio::join!(one.triggers.deliver(), two.triggers.deliver());
                first.unwrap();
                second.unwrap();
            };
            let mut told = 0;
            tokio::pin!(delivered);
            loop {
                let frame = tokio::select! {
                    biased;
                    Some(frame) = one.frames.recv() => frame,
                    Some(frame) = two.frames.recv() => frame,
                    () = &mut delivered => break,
                };
                told += 1;
                frame.written.send(()).unwrap();
            }
            assert_eq!((told, left(&store).await), (1, 0));
        }
    }

    #[tokio::test]
    async fn what_was_not_written_is_told_by_another() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &Database::default()).await.unwrap();
        let (mut one, mut two) = (served(&store).await, served(&store).await);
        change(&store).await;
        let delivery = tokio::spawn({
            let triggers = Arc::clone(&one.triggers);
            async move { triggers.deliver().await }
        });
        // The connection takes the message and breaks.
        drop(one.frames.recv().await.unwrap());
        one.frames.close();
        delivery.await.unwrap().unwrap();
        assert_eq!(left(&store).await, 1);

        let delivery = tokio::spawn({
            let triggers = Arc::clone(&two.triggers);
            async move { triggers.deliver().await }
        });
        let frame = two.frames.recv().await.unwrap();
        assert_eq!(left(&store).await, 1, "it is removed when it was written, not before");
        frame.written.send(()).unwrap();
        delivery.await.unwrap().unwrap();
        assert_eq!(left(&store).await, 0);
    }
}
