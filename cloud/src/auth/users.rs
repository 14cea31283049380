//! Users who can sign in.

use sqlx::Row;

use super::{Role, password, roles, tokens};
use crate::CloudError;
use crate::ids::{new_id, now};
use crate::store::{Connection, Store};

/// What is needed to let somebody sign in.
#[derive(Clone)]
pub struct NewUser {
    /// The name to sign in with; an e-mail address.
    pub email: String,
    /// The password in plain text; only its hash is kept.
    pub password: String,
    /// The roles, which replace those that a user of this address has.
    pub roles: Vec<Role>,
    /// Whether this is a service rather than a person.
    pub machine: bool,
}

impl std::fmt::Debug for NewUser {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("NewUser")
            .field("email", &self.email)
            .field("roles", &self.roles)
            .field("machine", &self.machine)
            .finish_non_exhaustive()
    }
}

/// Creates the user, or gives the user of that e-mail address the password and the roles. Returns the id.
pub(crate) async fn put(store: &Store, user: NewUser) -> Result<String, CloudError> {
    let email = checked_email(&user)?;
    let hash = password::hash(user.password.clone()).await?;
    let mut transaction = store.begin().await?;
    let id = write(&mut transaction, &user, &email, hash).await?;
    transaction.commit().await?;
    Ok(id)
}

/// Does the same unless there is an administrator already; None then. Several servers may ask at the same time.
pub(crate) async fn put_first(store: &Store, user: NewUser) -> Result<Option<String>, CloudError> {
    let email = checked_email(&user)?;
    let hash = password::hash(user.password.clone()).await?;
    let mut transaction = store.begin().await?;
    if any(&mut transaction).await? {
        return Ok(None);
    }
    let id = write(&mut transaction, &user, &email, hash).await?;
    transaction.commit().await?;
    Ok(Some(id))
}

fn checked_email(user: &NewUser) -> Result<String, CloudError> {
    let email = user.email.trim().to_owned();
    if !is_email(&email) {
        let email = email.escape_debug();
        return Err(CloudError::Invalid { reason: format!("`{email}` is not an e-mail address") });
    }
    Ok(email)
}

async fn write(
    connection: &mut Connection,
    user: &NewUser,
    email: &str,
    hash: String,
) -> Result<String, CloudError> {
    let user_type = if user.machine { "Machine" } else { "Human" };
    let id: String = sqlx::query(
        "INSERT INTO users (id, name, email, email_key, user_type, is_raito_user, password_hash, created_at, modified_at) \
         VALUES ($1, $2, $2, $3, $4, 1, $5, $6, $6) \
         ON CONFLICT (email_key) DO UPDATE SET is_raito_user = 1, user_type = excluded.user_type, \
         password_hash = excluded.password_hash, modified_at = excluded.modified_at RETURNING id",
    )
    .bind(new_id())
    .bind(email)
    .bind(email.to_lowercase())
    .bind(user_type)
    .bind(hash)
    .bind(now())
    .fetch_one(&mut *connection)
    .await?
    .try_get(0)?;
    // Whoever knew the old password is signed out.
    tokens::revoke_all(&mut *connection, &id).await?;
    set_global_roles(&mut *connection, &id, &user.roles).await?;
    Ok(id)
}

/// Whether a text has the form of an e-mail address: the rest is for whoever sends mail to find out.
pub(crate) fn is_email(text: &str) -> bool {
    let complete = text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    complete && !text.contains(char::is_whitespace)
}

/// Replaces the global roles that a user holds itself. Those held already keep their id.
pub(crate) async fn set_global_roles(
    connection: &mut Connection,
    user: &str,
    wanted: &[Role],
) -> Result<(), sqlx::Error> {
    for role in Role::ALL {
        if wanted.contains(&role) {
            roles::assign(connection, role.id(), None, ("user", user)).await?;
        } else {
            roles::unassign(connection, role.id(), None, user).await?;
        }
    }
    Ok(())
}

/// The id of the user with this e-mail address and password, if they may sign in.
pub(crate) async fn sign_in(
    store: &Store,
    email: &str,
    password: String,
) -> Result<Option<String>, sqlx::Error> {
    let row = sqlx::query("SELECT id, password_hash FROM users WHERE email_key = $1 AND is_raito_user = 1")
        .bind(email.trim().to_lowercase())
        .fetch_optional(store.pool())
        .await?;
    let (id, stored) = match &row {
        Some(row) => (Some(row.try_get::<String, _>(0)?), row.try_get::<Option<String>, _>(1)?),
        None => (None, None),
    };
    Ok(if password::verify(password, stored).await { id } else { None })
}

/// Whether anybody can sign in.
pub(crate) async fn any(connection: &mut Connection) -> Result<bool, sqlx::Error> {
    // A machine credential of an embedded server does not count as somebody who administers.
    roles::has_admin(connection).await
}
