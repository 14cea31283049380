//! Synchronisations that people ask for.

use super::event::SyncTrigger;
use super::hub::{Triggers, listeners};
use crate::ids::{new_id, now};

impl Triggers {
    /// Stores what somebody asked for, to be told to whom it concerns: with a data source, to one connection that
    /// listens for it, also if that comes only later; without, to everybody who listens now, because a connection
    /// does not say which identity stores are behind it. Gives the id, and whether anybody listens now.
    pub(crate) async fn request(
        &self,
        trigger: &SyncTrigger,
        user_id: &str,
    ) -> Result<(String, bool), sqlx::Error> {
        let listening = listeners(&self.store, trigger.data_source.as_deref().unwrap_or_default()).await?;
        let id = new_id();
        let connections: Vec<Option<&String>> = match &trigger.data_source {
            Some(_) => vec![None],
            None => listening.iter().map(Some).collect(),
        };
        let mut transaction = self.store.begin().await?;
        for (at, connection) in connections.into_iter().enumerate() {
            sqlx::query(
                "INSERT INTO sync_triggers (id, connection_id, data_source_id, event, requested_by, requested_at, \
                 claimed_by, claimed_until) VALUES ($1, $2, $3, $4, $5, $6, '', 0)",
            )
            .bind(if at == 0 { id.clone() } else { new_id() })
            .bind(connection.cloned())
            .bind(trigger.data_source.clone())
            .bind(trigger.message())
            .bind(user_id)
            .bind(now())
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        self.ring();
        Ok((id, !listening.is_empty()))
    }
}
