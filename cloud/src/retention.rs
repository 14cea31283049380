//! What is kept for a while only, and who clears it away.
//!
//! * Tokens that have ended.
//! * Uploaded, shared and logged files that have had their time, and their addresses ([`Files::sweep`]).
//!
//! The same task gives up jobs that show no sign of life ([`crate::jobs::sweeper`]), and looks for access controls with
//! something that has expired ([`export::sweep`]). Each server on a database does all
//! of it; doing it twice does no harm.

use std::time::Duration;

use tokio::sync::watch;

use crate::export;
use crate::files::Files;
use crate::ids::now;
use crate::jobs::sightings::Sightings;
use crate::jobs::sweeper;
use crate::store::Store;

/// The longest time between two rounds.
const ROUND: Duration = Duration::from_mins(1);

/// What the clearing works with.
pub(crate) struct Retention {
    pub(crate) store: Store,
    pub(crate) files: Files,
    /// Which jobs were asked about.
    pub(crate) sightings: Sightings,
    /// After which time without a sign of life jobs are given up.
    pub(crate) job_timeout: Duration,
    /// True when the server stops.
    pub(crate) stop: watch::Receiver<bool>,
}

impl Retention {
    /// Clears away until the server stops; at once for the first time.
    pub(crate) async fn run(mut self) {
        // A question about a job must be known well before the job is given up.
        let round = (self.job_timeout / 4).min(ROUND);
        while !*self.stop.borrow() {
            if let Err(error) = self.clear().await {
                tracing::warn!(%error, "what is no longer needed could not be cleared away");
            }
            if let Err(error) = export::sweep(&self.store).await {
                tracing::warn!(error = error.chain(), "access controls could not be looked through");
            }
            tokio::select! {
                _ = self.stop.changed() => {}
                () = tokio::time::sleep(round) => {}
            }
        }
    }

    async fn clear(&self) -> Result<(), sqlx::Error> {
        self.sightings.write(&self.store).await?;
        sweeper::sweep(&self.store, self.job_timeout).await?;
        self.files.sweep(&self.store).await?;
        let now = now();
        // A statement that deletes nothing would wait for imports all the same.
        let ended = "SELECT 1 FROM tokens WHERE expires_at < $1 LIMIT 1";
        if sqlx::query(ended).bind(now).fetch_optional(self.store.pool()).await?.is_some() {
            sqlx::query("DELETE FROM tokens WHERE expires_at < $1")
                .bind(now)
                .execute(self.store.pool())
                .await?;
        }
        Ok(())
    }
}
