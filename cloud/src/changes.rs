//! Tells others that access controls have changed.
//!
//! Whoever changes an access control, or something that alters what it means in a target, calls [`announce`]
//! in the same transaction: there is a row in the table `access_changes` if and only if the change is there.
//!
//! ```text
//! access_changes
//!   id              TEXT    grows with time (see src/ids.rs)
//!   data_source_id  TEXT    a data source whose targets should fetch their access controls
//!   at              BIGINT  epoch milliseconds
//! ```
//!
//! Several rows for one data source are normal. The one reader is [`crate::triggers`]: it removes exactly those rows
//! that it has told a command line of, because a transaction that takes long makes its rows visible after others with
//! greater ids.

use std::time::Duration;

use crate::ids::{new_id, now};
use crate::store::Connection;

/// How long changes are kept.
const KEPT: Duration = Duration::from_hours(24);

/// Notes a change that concerns these data sources.
pub(crate) async fn announce(connection: &mut Connection, data_sources: &[String]) -> Result<(), sqlx::Error> {
    for data_source in data_sources {
        sqlx::query("INSERT INTO access_changes (id, data_source_id, at) VALUES ($1, $2, $3)")
            .bind(new_id())
            .bind(data_source.as_str())
            .bind(now())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Removes what nobody listens for: a run that is not triggered comes sooner.
pub(crate) async fn forget(connection: &mut Connection) -> Result<(), sqlx::Error> {
    let kept = i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX);
    sqlx::query("DELETE FROM access_changes WHERE at < $1")
        .bind(now().saturating_sub(kept))
        .execute(connection)
        .await?;
    Ok(())
}
