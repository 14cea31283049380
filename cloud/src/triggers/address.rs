//! The addresses under which command lines listen.
//!
//! `ws(s)://<server>/triggers/<domain>/<secret>`. The secret cannot be guessed and belongs to the user who was given it;
//! it lives a week from its last use, because a command line may come back to it. It does not replace the token.

use std::time::Duration;

use crate::ids::{fingerprint, new_secret, now};
use crate::store::Store;

const LIFE: Duration = Duration::from_hours(7 * 24);

/// Makes an address on this server for a user.
pub(crate) async fn make(
    store: &Store,
    base_url: &str,
    domain: &str,
    user_id: &str,
) -> Result<String, sqlx::Error> {
    let secret = new_secret();
    sqlx::query("DELETE FROM trigger_addresses WHERE expires_at < $1")
        .bind(now())
        .execute(store.pool())
        .await?;
    sqlx::query("INSERT INTO trigger_addresses (hash, user_id, expires_at) VALUES ($1, $2, $3)")
        .bind(fingerprint(&secret))
        .bind(user_id)
        .bind(expiry())
        .execute(store.pool())
        .await?;
    // http becomes ws, https becomes wss.
    let socket =
        base_url.strip_prefix("http").map_or_else(|| base_url.to_owned(), |rest| format!("ws{rest}"));
    Ok(format!("{socket}triggers/{domain}/{secret}"))
}

/// Whether an address is one of this user, who uses it now.
pub(crate) async fn accept(store: &Store, secret: &str, user_id: &str) -> Result<bool, sqlx::Error> {
    let found = sqlx::query(
        "UPDATE trigger_addresses SET expires_at = $1 WHERE hash = $2 AND user_id = $3 AND expires_at > $4",
    )
    .bind(expiry())
    .bind(fingerprint(secret))
    .bind(user_id)
    .bind(now())
    .execute(store.pool())
    .await?;
    Ok(found.rows_affected() == 1)
}

fn expiry() -> i64 {
    now().saturating_add(i64::try_from(LIFE.as_millis()).unwrap_or(i64::MAX))
}
