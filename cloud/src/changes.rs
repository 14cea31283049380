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

use sqlx::Row as _;

use crate::ids::{new_id, now};
use crate::store::Connection;

/// How long changes are kept.
const KEPT: Duration = Duration::from_hours(24);

/// Notes a change that concerns these data sources.
pub(crate) async fn announce(
    connection: &mut Connection,
    data_sources: &[String],
) -> Result<(), sqlx::Error> {
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

/// Notes that an access control has changed: for its data sources, and for those of every access control that
/// its members reach, which may have to be looked at again because they name the members themselves.
pub(crate) async fn touched(connection: &mut Connection, access_provider: &str) -> Result<(), sqlx::Error> {
    let rows = sqlx::query(
        "WITH RECURSIVE reached (id) AS (SELECT id FROM access_providers WHERE id = $1 UNION SELECT w.access_provider_id FROM access_provider_who w \
         JOIN reached r ON r.id = w.item WHERE w.kind = 'accessProvider') \
         SELECT DISTINCT y.data_source_id FROM reached r \
         JOIN access_provider_sync y ON y.access_provider_id = r.id ORDER BY y.data_source_id",
    )
    .bind(access_provider)
    .fetch_all(&mut *connection)
    .await?;
    let data_sources: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    mark(connection, &data_sources).await?;
    announce(connection, &data_sources).await
}

/// Marks data sources whose access controls may resolve to something else than before: they will be looked
/// through by [`crate::export::refresh_stale`].
pub(crate) async fn mark(connection: &mut Connection, data_sources: &[String]) -> Result<(), sqlx::Error> {
    for data_source in data_sources {
        sqlx::query(
            "INSERT INTO access_stale (data_source_id, mark) VALUES ($1, $2) \
             ON CONFLICT (data_source_id) DO UPDATE SET mark = excluded.mark",
        )
        .bind(data_source.as_str())
        .bind(new_id())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Marks every data source: users and their tags concern all of them.
pub(crate) async fn mark_all(connection: &mut Connection) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO access_stale (data_source_id, mark) SELECT id, $1 FROM data_sources WHERE true \
         ON CONFLICT (data_source_id) DO UPDATE SET mark = excluded.mark",
    )
    .bind(new_id())
    .execute(connection)
    .await?;
    Ok(())
}
