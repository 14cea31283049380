//! The right to do a piece of work.
//!
//! A lease ends unless it is renewed, so that the work of a server that has vanished is done by another one. A
//! server that was only slow may then still be at it. Therefore whatever ends the work checks, in the transaction
//! that changes the stored rows, that the lease is still its own, and holds the row of the queue until that
//! transaction is through: nobody can take the work over in between. What loses its lease changes nothing.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::{Any, Connection as _, Executor as _, Transaction};

use super::Status;
use super::outcome::Outcome;
use super::queue::{Claim, Work};
use crate::import::WorkError;
use crate::store::{Connection, Exclusive, Store};

/// A claimed piece of work, and how long the claim holds without being renewed.
#[derive(Debug)]
pub(crate) struct Lease {
    store: Store,
    claim: Claim,
    length: Duration,
    /// What the work brought, once that is stored.
    outcome: Mutex<Option<Outcome>>,
}

impl Lease {
    /// Starts with a claim that was just made.
    pub(crate) fn new(store: Store, claim: Claim, length: Duration) -> Self {
        Self { store, claim, length, outcome: Mutex::default() }
    }

    /// The claim.
    pub(crate) fn claim(&self) -> &Claim {
        &self.claim
    }

    /// What is to be done.
    pub(crate) fn work(&self) -> &Work {
        &self.claim.work
    }

    /// What the work brought; none while it is not stored.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts a transaction that fills temporary tables.
    pub(crate) async fn begin_staging<'c>(
        &self,
        connection: &'c mut Connection,
    ) -> Result<Transaction<'c, Any>, sqlx::Error> {
        let mut transaction = connection.begin().await?;
        if let Some(setting) = self.store.dialect().before_staging() {
            transaction.execute(setting).await?;
        }
        Ok(transaction)
    }

    /// Starts the transaction that does the work, on the connection with the temporary tables. It must end with
    /// [`Lease::complete`].
    pub(crate) async fn begin_merge<'c>(
        &self,
        connection: &'c mut Connection,
    ) -> Result<Transaction<'c, Any>, WorkError> {
        let dialect = self.store.dialect();
        let mut transaction = connection.begin_with(dialect.begin_write()).await?;
        let first = [dialect.before_merge(), dialect.exclude(self.work().exclusive())];
        for statement in first.into_iter().flatten() {
            transaction.execute(statement).await?;
        }
        self.check(&mut transaction).await?;
        Ok(transaction)
    }

    /// Ends the work and the transaction that did it.
    pub(crate) async fn complete(
        &self,
        mut transaction: Transaction<'_, Any>,
        outcome: &Outcome,
    ) -> Result<(), WorkError> {
        let place = self.claim.place();
        place.end(&mut transaction, &self.claim.queue_id, Ok(outcome)).await?;
        transaction.commit().await?;
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome.clone());
        Ok(())
    }

    /// Ends work that consists of nothing but its outcome.
    pub(crate) async fn complete_alone(&self, outcome: &Outcome) -> Result<(), WorkError> {
        let mut transaction = self.store.begin_exclusive(Exclusive::Rows).await?;
        self.check(&mut transaction).await?;
        self.complete(transaction, outcome).await
    }

    /// Ends work that failed.
    pub(crate) async fn fail(&self, errors: Vec<String>) -> Result<(), WorkError> {
        let mut transaction = self.store.begin_exclusive(Exclusive::Rows).await?;
        self.check(&mut transaction).await?;
        self.claim.place().end(&mut transaction, &self.claim.queue_id, Err(errors)).await?;
        Ok(transaction.commit().await?)
    }

    /// Gives work back, to be done from the start by whoever comes next. An orderly stop is not an attempt.
    pub(crate) async fn release(&self, attempted: bool) -> Result<(), WorkError> {
        let mut transaction = self.store.begin_exclusive(Exclusive::Rows).await?;
        self.check(&mut transaction).await?;
        sqlx::query(
            "UPDATE work_queue SET claimed_by = NULL, lease_until = NULL, attempts = attempts - $1 WHERE id = $2",
        )
        .bind(i64::from(!attempted))
        .bind(&self.claim.queue_id)
        .execute(&mut *transaction)
        .await?;
        super::report::touch(&mut transaction, &self.claim.job_id).await?;
        self.claim.place().note(&mut transaction, Status::Queued, &[], None).await?;
        Ok(transaction.commit().await?)
    }

    /// Renews the lease again and again; returns when it is lost. It waits while the transaction that ends the work
    /// holds the row: nobody else gets at it then.
    pub(crate) async fn keep(&self) {
        if !self.store.dialect().is_shared() {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(self.length / 4).await;
            let renewed = async {
                let mut connection = self.store.pool().acquire().await?;
                self.check(&mut connection).await
            };
            match renewed.await {
                Ok(()) => {}
                Err(WorkError::Lost) => return,
                // The end of the work will show whether it was too long.
                Err(error) => tracing::warn!(error = error.chain(), "a lease could not be renewed"),
            }
        }
    }

    /// Makes sure that the lease is still this one, and renews it.
    async fn check(&self, connection: &mut Connection) -> Result<(), WorkError> {
        let end = self.store.dialect().lease_end(self.store.clock().await?, self.length);
        let done = sqlx::query(
            "UPDATE work_queue SET lease_until = $1 WHERE id = $2 AND claimed_by = $3 AND attempts = $4",
        )
        .bind(end)
        .bind(&self.claim.queue_id)
        .bind(&self.claim.worker)
        .bind(self.claim.attempt)
        .execute(connection)
        .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(WorkError::Lost) }
    }
}
