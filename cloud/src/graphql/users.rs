//! Creating, changing and deleting users; who can sign in.
//!
//! A user without sign-in is a record of a person or service that access controls refer to. This server sends no
//! mail: who is invited has no password until one is set. The last administrator cannot be removed.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject, Union};
use sqlx::Row;

use super::errors::{
    InvalidEmailError, InvalidInputError, NotFoundError, PermissionDeniedError, Refused, answer,
};
use super::identities::{UserResult, UserType, user};
use super::scalars::Time;
use super::{cloud, demand, internal};
use crate::auth::{Permission, Principal, password, roles, tokens, users};
use crate::ids::{new_id, now};
use crate::sources;
use crate::store::Connection;

/// Why the last administrator stays.
pub(super) const LAST_ADMIN: &str =
    "this is the last user with the role Admin who can sign in: give the role to another first";

/// Members that are left out stay as they are. For the last four, null takes away what is stored.
#[derive(InputObject)]
struct UserInput {
    name: Option<String>,
    email: Option<String>,
    #[graphql(name = "type")]
    user_type: Option<UserType>,
    slack_user_id: MaybeUndefined<String>,
    /// Who stands in for the user.
    delegate_to: MaybeUndefined<ID>,
    delegation_start: MaybeUndefined<Time>,
    delegation_end: MaybeUndefined<Time>,
}

impl UserInput {
    /// Whether it only concerns what users decide for themselves.
    fn is_own_business(&self) -> bool {
        self.name.is_none() && self.email.is_none() && self.user_type.is_none()
    }
}

/// A user is gone.
#[derive(SimpleObject)]
struct UserDelete {
    success: bool,
}

/// A user is gone, or why not.
#[derive(Union)]
enum UserDeleteResult {
    Done(UserDelete),
    PermissionDenied(PermissionDeniedError),
    NotFound(NotFoundError),
    InvalidInput(InvalidInputError),
}

/// Who cannot be what is asked.
enum Unfit {
    Email(InvalidEmailError),
    Refused(Refused),
}

impl<E: Into<Refused>> From<E> for Unfit {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

fn unfit_email<T>(email: &str, message: String) -> Result<T, Unfit> {
    Err(Unfit::Email(InvalidEmailError { email: email.to_owned(), message }))
}

#[derive(Default)]
pub(super) struct UserMutation;

#[Object]
impl UserMutation {
    /// Creates a user who cannot sign in.
    async fn create_user(
        &self,
        context: &Context<'_>,
        input: UserInput,
    ) -> async_graphql::Result<UserResult> {
        finish(context, create(context, &input).await).await
    }

    /// Changes a user. Users may change their own stand-in.
    async fn update_user(
        &self,
        context: &Context<'_>,
        id: ID,
        input: UserInput,
    ) -> async_graphql::Result<UserResult> {
        finish(context, update(context, &id, &input).await).await
    }

    /// Deletes a user with its accounts, which the next import brings back under a new user.
    async fn delete_user(&self, context: &Context<'_>, id: ID) -> async_graphql::Result<UserDeleteResult> {
        answer(delete(context, &id).await.map(|()| UserDelete { success: true }))
    }

    /// Lets a user sign in. No mail is sent, with or without `noPassword`: set a password.
    async fn invite_as_raito_user(
        &self,
        context: &Context<'_>,
        id: ID,
        no_password: Option<bool>,
    ) -> async_graphql::Result<UserResult> {
        // There is nobody to send one to: either way a password is set by `setPassword`.
        let _ = no_password;
        finish(context, invite(context, &id).await).await
    }

    /// Ends the sign-in of a user, and with it the global roles. Accounts, history and ownership stay.
    async fn remove_as_raito_user(&self, context: &Context<'_>, id: ID) -> async_graphql::Result<UserResult> {
        finish(context, remove(context, &id).await).await
    }

    /// Sets a password: at least eight characters, among them a lower-case and an upper-case letter, a digit and
    /// a special character. Users may set their own. The user is signed out everywhere.
    async fn set_password(
        &self,
        context: &Context<'_>,
        id: ID,
        password: String,
    ) -> async_graphql::Result<UserResult> {
        finish(context, set_password(context, &id, password).await).await
    }
}

async fn finish(context: &Context<'_>, done: Result<String, Unfit>) -> async_graphql::Result<UserResult> {
    match done {
        Ok(id) => {
            let found = user(&cloud(context)?.store, &id).await.map_err(internal)?;
            answer(found.ok_or_else(|| Refused::not_found("user", &id)))
        }
        Err(Unfit::Email(error)) => Ok(UserResult::InvalidEmail(error)),
        Err(Unfit::Refused(refused)) => answer(Err::<UserResult, _>(refused)),
    }
}

/// An address as it is stored.
fn checked_email(email: &str) -> Result<String, Unfit> {
    let email = email.trim();
    if users::is_email(email) {
        Ok(email.to_owned())
    } else {
        unfit_email(email, format!("`{email}` is not an e-mail address"))
    }
}

/// The address must not be that of another user.
async fn check_unused(connection: &mut Connection, email: &str, owner: &str) -> Result<(), Unfit> {
    let used = sqlx::query("SELECT 1 FROM users WHERE email_key = $1 AND id <> $2")
        .bind(email.to_lowercase())
        .bind(owner)
        .fetch_optional(connection)
        .await?;
    match used {
        Some(_) => unfit_email(email, format!("`{email}` is the address of another user")),
        None => Ok(()),
    }
}

async fn create(context: &Context<'_>, input: &UserInput) -> Result<String, Unfit> {
    demand(context, Permission::ManageUsers)?;
    let email = input.email.as_deref().map(checked_email).transpose()?;
    let name = input.name.as_deref().map(str::trim).filter(|name| !name.is_empty()).or(email.as_deref());
    let Some(name) = name else {
        return Err(Refused::invalid("a user needs a name or an e-mail address").into());
    };
    let id = new_id();
    let mut transaction = cloud(context)?.store.begin().await?;
    if let Some(email) = &email {
        check_unused(&mut transaction, email, &id).await?;
    }
    sqlx::query(
        "INSERT INTO users (id, name, email, email_key, user_type, is_raito_user, created_at, modified_at) \
         VALUES ($1, $2, $3, $4, $5, 0, $6, $6)",
    )
    .bind(&id)
    .bind(name)
    .bind(email.clone())
    .bind(email.as_ref().map(|email| email.to_lowercase()))
    .bind(input.user_type.unwrap_or(UserType::Human).word())
    .bind(now())
    .execute(&mut *transaction)
    .await?;
    write_own_business(&mut transaction, &id, input).await?;
    transaction.commit().await?;
    Ok(id)
}

async fn update(context: &Context<'_>, id: &str, input: &UserInput) -> Result<String, Unfit> {
    let caller = context.data::<Principal>()?;
    if caller.user_id != id || !input.is_own_business() {
        demand(context, Permission::ManageUsers)?;
    }
    let email = input.email.as_deref().map(checked_email).transpose()?;
    if input.name.as_ref().is_some_and(|name| name.trim().is_empty()) {
        return Err(Refused::invalid("name is empty").into());
    }
    let mut transaction = cloud(context)?.store.begin().await?;
    require(&mut transaction, id).await?;
    if let Some(email) = &email {
        check_unused(&mut transaction, email, id).await?;
    }
    sqlx::query(
        "UPDATE users SET name = COALESCE($2, name), email = COALESCE($3, email), email_key = COALESCE($4, email_key), \
         user_type = COALESCE($5, user_type), modified_at = $6 WHERE id = $1",
    )
    .bind(id)
    .bind(input.name.as_ref().map(|name| name.trim().to_owned()))
    .bind(email.clone())
    .bind(email.as_ref().map(|email| email.to_lowercase()))
    .bind(input.user_type.map(UserType::word))
    .bind(now())
    .execute(&mut *transaction)
    .await?;
    write_own_business(&mut transaction, id, input).await?;
    transaction.commit().await?;
    Ok(id.to_owned())
}

/// Stand-in and Slack account.
async fn write_own_business(connection: &mut Connection, id: &str, input: &UserInput) -> Result<(), Unfit> {
    if let MaybeUndefined::Value(delegate) = &input.delegate_to {
        if delegate.as_str() == id {
            return Err(Refused::invalid("delegateTo: nobody can stand in for themselves").into());
        }
        require(connection, delegate).await?;
    }
    let text = |value: &MaybeUndefined<String>| value.as_opt_ref().map(Option::<&String>::cloned);
    let moment = |value: &MaybeUndefined<Time>| value.as_opt_ref().map(|value| value.map(|time| time.0));
    if let Some(slack) = text(&input.slack_user_id) {
        sqlx::query("UPDATE users SET slack_user_id = $2 WHERE id = $1")
            .bind(id)
            .bind(slack)
            .execute(&mut *connection)
            .await?;
    }
    if let Some(delegate) = input.delegate_to.as_opt_ref() {
        sqlx::query("UPDATE users SET delegate_to = $2 WHERE id = $1")
            .bind(id)
            .bind(delegate.map(|delegate| delegate.to_string()))
            .execute(&mut *connection)
            .await?;
    }
    if let Some(start) = moment(&input.delegation_start) {
        sqlx::query("UPDATE users SET delegation_start = $2 WHERE id = $1")
            .bind(id)
            .bind(start)
            .execute(&mut *connection)
            .await?;
    }
    if let Some(end) = moment(&input.delegation_end) {
        sqlx::query("UPDATE users SET delegation_end = $2 WHERE id = $1")
            .bind(id)
            .bind(end)
            .execute(&mut *connection)
            .await?;
    }
    let backwards = sqlx::query(
        "SELECT 1 FROM users WHERE id = $1 AND delegation_start IS NOT NULL AND delegation_end <= delegation_start",
    )
    .bind(id)
    .fetch_optional(connection)
    .await?;
    match backwards {
        Some(_) => Err(Refused::invalid("delegationEnd is not after delegationStart").into()),
        None => Ok(()),
    }
}

async fn require(connection: &mut Connection, id: &str) -> Result<(), Refused> {
    let row = sqlx::query("SELECT 1 FROM users WHERE id = $1").bind(id).fetch_optional(connection).await?;
    row.map(|_| ()).ok_or_else(|| Refused::not_found("user", id))
}

/// Refuses a change after which nobody could manage users. Without an administrator before, there is nothing to
/// protect.
pub(super) async fn keep_an_admin(connection: &mut Connection, before: bool) -> Result<(), Refused> {
    if before && !roles::has_admin(connection).await? {
        return Err(Refused::denied(LAST_ADMIN));
    }
    Ok(())
}

async fn delete(context: &Context<'_>, id: &str) -> Result<(), Refused> {
    demand(context, Permission::ManageUsers)?;
    let mut transaction = cloud(context)?.store.begin().await?;
    require(&mut transaction, id).await?;
    let before = roles::has_admin(&mut transaction).await?;
    tokens::revoke_all(&mut transaction, id).await?;
    sources::forget_members(&mut transaction, "user", "SELECT id FROM users WHERE id = $1", id).await?;
    for statement in [
        "DELETE FROM tags WHERE object_id = $1 OR object_id IN (SELECT id FROM accounts WHERE user_id = $1)",
        "DELETE FROM accounts WHERE user_id = $1",
        "DELETE FROM role_assignments WHERE assignee_id = $1",
        "UPDATE users SET delegate_to = NULL, delegation_start = NULL, delegation_end = NULL WHERE delegate_to = $1",
        "DELETE FROM users WHERE id = $1",
    ] {
        sqlx::query(statement).bind(id).execute(&mut *transaction).await?;
    }
    keep_an_admin(&mut transaction, before).await?;
    transaction.commit().await?;
    Ok(())
}

async fn invite(context: &Context<'_>, id: &str) -> Result<String, Unfit> {
    demand(context, Permission::ManageUsers)?;
    let mut transaction = cloud(context)?.store.begin().await?;
    let row = sqlx::query("SELECT email FROM users WHERE id = $1")
        .bind(id)
        .fetch_optional(&mut *transaction)
        .await?;
    let Some(row) = row else { return Err(Refused::not_found("user", id).into()) };
    if row.try_get::<Option<String>, _>(0)?.is_none() {
        return unfit_email("", "a user without an e-mail address cannot sign in".to_owned());
    }
    sqlx::query("UPDATE users SET is_raito_user = 1, modified_at = $2 WHERE id = $1")
        .bind(id)
        .bind(now())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(id.to_owned())
}

async fn remove(context: &Context<'_>, id: &str) -> Result<String, Unfit> {
    demand(context, Permission::ManageUsers)?;
    let mut transaction = cloud(context)?.store.begin().await?;
    require(&mut transaction, id).await?;
    let before = roles::has_admin(&mut transaction).await?;
    sqlx::query("UPDATE users SET is_raito_user = 0, password_hash = NULL, modified_at = $2 WHERE id = $1")
        .bind(id)
        .bind(now())
        .execute(&mut *transaction)
        .await?;
    tokens::revoke_all(&mut transaction, id).await?;
    // Whoever is invited again later does not come back as an administrator by surprise.
    users::set_global_roles(&mut transaction, id, &[]).await?;
    keep_an_admin(&mut transaction, before).await?;
    transaction.commit().await?;
    Ok(id.to_owned())
}

async fn set_password(context: &Context<'_>, id: &str, password: String) -> Result<String, Unfit> {
    if context.data::<Principal>()?.user_id != id {
        demand(context, Permission::ManageUsers)?;
    }
    if !password::strong_enough(&password) {
        return Err(Refused::invalid(
            "a password needs eight characters, among them a lower-case and an upper-case letter, a digit and a \
             special character",
        )
        .into());
    }
    let hash = password::hash(password).await.map_err(|error| {
        tracing::error!(%error, "a password could not be hashed");
        async_graphql::Error::new("the server failed; its log has the cause")
    })?;
    let mut transaction = cloud(context)?.store.begin().await?;
    require(&mut transaction, id).await?;
    sqlx::query("UPDATE users SET password_hash = $2, modified_at = $3 WHERE id = $1")
        .bind(id)
        .bind(hash)
        .bind(now())
        .execute(&mut *transaction)
        .await?;
    tokens::revoke_all(&mut transaction, id).await?;
    transaction.commit().await?;
    Ok(id.to_owned())
}
