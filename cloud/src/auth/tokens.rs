//! Identity and refresh tokens: random, opaque to clients, stored as fingerprints, with an end.

use sqlx::Row;

use super::{Principal, roles};
use crate::ids::{fingerprint, new_secret, now};
use crate::store::{Connection, Store};

/// How long an identity token is accepted, in seconds.
pub(crate) const ID_TOKEN_SECONDS: i64 = 3600;
const REFRESH_TOKEN_SECONDS: i64 = 30 * 24 * 3600;

/// Which of the two tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// Goes with every request.
    Id,
    /// Buys a new identity token.
    Refresh,
}

impl TokenKind {
    fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Refresh => "refresh",
        }
    }

    fn seconds(self) -> i64 {
        match self {
            Self::Id => ID_TOKEN_SECONDS,
            Self::Refresh => REFRESH_TOKEN_SECONDS,
        }
    }
}

/// Makes a token for a user; forgets the ones that have ended.
pub(crate) async fn issue(store: &Store, user_id: &str, kind: TokenKind) -> Result<String, sqlx::Error> {
    let token = new_secret();
    let now = now();
    sqlx::query("DELETE FROM tokens WHERE expires_at < $1").bind(now).execute(store.pool()).await?;
    sqlx::query("INSERT INTO tokens (hash, kind, user_id, expires_at) VALUES ($1, $2, $3, $4)")
        .bind(fingerprint(&token))
        .bind(kind.name())
        .bind(user_id)
        .bind(now + kind.seconds() * 1000)
        .execute(store.pool())
        .await?;
    Ok(token)
}

/// The user behind a valid token who may still sign in.
pub(crate) async fn holder(
    store: &Store,
    token: &str,
    kind: TokenKind,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query(
        "SELECT u.id FROM tokens t JOIN users u ON u.id = t.user_id \
         WHERE t.hash = $1 AND t.kind = $2 AND t.expires_at > $3 AND u.is_raito_user = 1",
    )
    .bind(fingerprint(token))
    .bind(kind.name())
    .bind(now())
    .fetch_optional(store.pool())
    .await?
    .map(|row| row.try_get(0))
    .transpose()
}

/// The caller behind an identity token, with roles as they are now.
pub(crate) async fn principal(store: &Store, token: &str) -> Result<Option<Principal>, sqlx::Error> {
    let Some(user_id) = holder(store, token, TokenKind::Id).await? else { return Ok(None) };
    Ok(Some(with_roles(store, user_id).await?))
}

/// A user as a caller, if they may still sign in: for connections that outlive their token.
pub(crate) async fn user(store: &Store, user_id: &str) -> Result<Option<Principal>, sqlx::Error> {
    let found = sqlx::query("SELECT id FROM users WHERE id = $1 AND is_raito_user = 1")
        .bind(user_id)
        .fetch_optional(store.pool())
        .await?;
    match found {
        Some(row) => Ok(Some(with_roles(store, row.try_get(0)?).await?)),
        None => Ok(None),
    }
}

async fn with_roles(store: &Store, user_id: String) -> Result<Principal, sqlx::Error> {
    let roles = roles::global(store, &user_id).await?;
    Ok(Principal { user_id, roles })
}

/// Signs a user out everywhere.
pub(crate) async fn revoke_all(connection: &mut Connection, user_id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM tokens WHERE user_id = $1").bind(user_id).execute(connection).await?;
    Ok(())
}
