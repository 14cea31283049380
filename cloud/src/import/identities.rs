//! The import of users and groups of one identity store.
//!
//! A record of the users file is an account. An account belongs to a user: the one with the same e-mail
//! address (in any letter case), or a new one. Users outlive their accounts. Removed groups stay, marked as
//! deleted.

use super::merge::{Members, Merge};
use super::staging::{ContentHash, Rows, Set, Tags, discard};
use super::{WorkError, owners, require_identity_store, resolve, uploaded};
use crate::changes;
use crate::files::Files;
use crate::ids::{new_id, now};
use crate::jobs::lease::Lease;
use crate::jobs::outcome::Outcome;
use crate::records::{Group, User, array};
use crate::store::{Connection, Store};

/// The settings of an identity import.
pub(crate) struct Settings<'s> {
    pub(crate) identity_store: &'s str,
    pub(crate) users_file: &'s str,
    pub(crate) groups_file: &'s str,
    pub(crate) delete_untouched: bool,
    pub(crate) replace_groups: bool,
    pub(crate) tag_sources: &'s [String],
}

const GROUPS: &str = "stage_groups";
const GROUP_TAGS: &str = "stage_group_tags";
const GROUP_MEMBERS: &str = "stage_group_members";
const ACCOUNTS: &str = "stage_accounts";
const ACCOUNT_TAGS: &str = "stage_account_tags";
const ACCOUNT_MEMBERS: &str = "stage_account_members";
const MEMBER_COLUMNS: [&str; 2] = ["member_external_id", "group_external_id"];

/// Imports the two uploaded files.
pub(crate) async fn run(
    store: &Store,
    files: &Files,
    lease: &Lease,
    settings: &Settings<'_>,
) -> Result<(), WorkError> {
    require_identity_store(store, settings.identity_store).await?;
    let mut warnings = Vec::new();
    let mut connection = store.pool().acquire().await?;

    let mut staging = lease.begin_staging(&mut connection).await?;
    stage_groups(store, files, settings, &mut staging, &mut warnings).await?;
    stage_accounts(store, files, settings, &mut staging, &mut warnings).await?;
    staging.commit().await?;

    let mut transaction = lease.begin_merge(&mut connection).await?;
    let members = |stage, kind| Some(Members { stage, kind, replace: settings.replace_groups });
    let groups_merge = Merge {
        table: "groups",
        scope_column: "identity_store_id",
        scope: settings.identity_store,
        stage: GROUPS,
        tags: GROUP_TAGS,
        columns: &["name", "display_name", "description"],
        keeps_deleted: true,
        dates_deletion: false,
        members: members(GROUP_MEMBERS, "group"),
    };
    let groups = groups_merge.run(&mut transaction, settings.delete_untouched).await?;
    assign_users(&mut transaction, settings.identity_store).await?;
    let accounts_merge = Merge {
        table: "accounts",
        scope_column: "identity_store_id",
        scope: settings.identity_store,
        stage: ACCOUNTS,
        tags: ACCOUNT_TAGS,
        columns: &["name", "user_name", "email", "is_machine", "user_id"],
        keeps_deleted: false,
        dates_deletion: false,
        members: members(ACCOUNT_MEMBERS, "account"),
    };
    let users = accounts_merge.run(&mut transaction, settings.delete_untouched).await?;
    mark_machines(&mut transaction).await?;
    for stage in [GROUP_MEMBERS, ACCOUNT_MEMBERS] {
        groups_merge
            .dangling(&mut transaction, stage, "group_external_id", "groups")
            .await?
            .warn(&mut warnings, "groups named as memberships are unknown");
    }
    if !users.is_nothing() || !groups.is_nothing() {
        resolve::accounts_and_groups(&mut transaction, settings.identity_store).await?;
        owners::look_again(&mut transaction, settings.identity_store).await?;
        // A group of any store may be written as its members, and users have the tags that rules ask for.
        changes::mark_all(&mut transaction).await?;
    }
    lease.complete(transaction, &Outcome::Identity { users, groups, warnings }).await?;
    let tables = [GROUPS, GROUP_TAGS, GROUP_MEMBERS, ACCOUNTS, ACCOUNT_TAGS, ACCOUNT_MEMBERS];
    discard(&mut connection, &tables).await;
    Ok(())
}

async fn stage_groups(
    store: &Store,
    files: &Files,
    settings: &Settings<'_>,
    connection: &mut Connection,
    warnings: &mut Vec<String>,
) -> Result<(), WorkError> {
    let mut elements = array::read::<Group>(uploaded(store, files, settings.groups_file).await?);
    let columns =
        [("name", "TEXT NOT NULL"), ("display_name", "TEXT NOT NULL"), ("description", "TEXT NOT NULL")];
    let mut rows = Rows::create(connection, store.dialect(), GROUPS, &columns).await?;
    let mut tags = Tags::create(connection, store.dialect(), GROUP_TAGS).await?;
    let mut members = Set::create(connection, store.dialect(), GROUP_MEMBERS, &MEMBER_COLUMNS).await?;
    while let Some(batch) = elements.recv().await {
        for group in batch.map_err(|source| WorkError::File { what: "group", source })? {
            let hash = ContentHash::default()
                .text(&group.name)
                .text(&group.display_name)
                .text(&group.description)
                .finish();
            if let Some(row) = rows.begin(&group.external_id, hash)? {
                tags.add(connection, &group.external_id, &group.tags).await?;
                for parent in &group.parent_group_external_ids {
                    members.add(connection, &[&group.external_id, parent]).await?;
                }
                row.value(group.name)?.value(group.display_name)?.value(group.description)?;
                rows.end(connection).await?;
            }
        }
    }
    rows.finish(connection, "groups", warnings).await?;
    tags.finish(connection, settings.tag_sources).await?;
    members.finish(connection).await?;
    Ok(())
}

async fn stage_accounts(
    store: &Store,
    files: &Files,
    settings: &Settings<'_>,
    connection: &mut Connection,
    warnings: &mut Vec<String>,
) -> Result<(), WorkError> {
    let mut elements = array::read::<User>(uploaded(store, files, settings.users_file).await?);
    let columns = [
        ("name", "TEXT NOT NULL"),
        ("user_name", "TEXT NOT NULL"),
        ("email", "TEXT NOT NULL"),
        ("email_key", "TEXT NOT NULL"),
        ("is_machine", "BIGINT"),
        ("user_id", "TEXT NOT NULL"),
    ];
    let mut rows = Rows::create(connection, store.dialect(), ACCOUNTS, &columns).await?;
    let mut tags = Tags::create(connection, store.dialect(), ACCOUNT_TAGS).await?;
    let mut members = Set::create(connection, store.dialect(), ACCOUNT_MEMBERS, &MEMBER_COLUMNS).await?;
    while let Some(batch) = elements.recv().await {
        for user in batch.map_err(|source| WorkError::File { what: "user", source })? {
            let machine = user.is_machine.map(i64::from);
            let hash = ContentHash::default()
                .text(&user.name)
                .text(&user.user_name)
                .text(&user.email)
                .optional(machine.map(|machine| if machine == 1 { "1" } else { "0" }))
                .finish();
            if let Some(row) = rows.begin(&user.external_id, hash)? {
                tags.add(connection, &user.external_id, &user.tags).await?;
                for group in &user.group_external_ids {
                    members.add(connection, &[&user.external_id, group]).await?;
                }
                let email_key = user.email.trim().to_lowercase();
                row.value(user.name)?
                    .value(user.user_name)?
                    .value(user.email)?
                    .value(email_key)?
                    .value(machine)?
                    .value(new_id())?;
                rows.end(connection).await?;
            }
        }
    }
    rows.finish(connection, "users", warnings).await?;
    tags.finish(connection, settings.tag_sources).await?;
    members.finish(connection).await?;
    Ok(())
}

/// Gives every staged account its user, and creates the users that are missing. The `user_id` of a staged
/// account is at first the id for a new user.
async fn assign_users(connection: &mut Connection, identity_store: &str) -> Result<(), sqlx::Error> {
    // An account without an e-mail address keeps its user.
    sqlx::query(
        "UPDATE stage_accounts AS s SET user_id = o.user_id FROM accounts AS o WHERE o.identity_store_id = $1 \
         AND o.external_id = s.external_id AND s.email_key = ''",
    )
    .bind(identity_store)
    .persistent(false)
    .execute(&mut *connection)
    .await?;
    // Of several accounts with one new address, one names the user.
    sqlx::query(
        "INSERT INTO users (id, name, email, email_key, user_type, is_raito_user, created_at, modified_at) \
         SELECT s.user_id, s.name, s.email, s.email_key, 'Human', 0, $1, $1 FROM stage_accounts s \
         JOIN (SELECT MIN(id) AS id FROM stage_accounts WHERE email_key <> '' GROUP BY email_key) f ON f.id = s.id \
         WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.email_key = s.email_key)",
    )
    .bind(now())
    .persistent(false)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "UPDATE stage_accounts AS s SET user_id = u.id FROM users AS u WHERE u.email_key = s.email_key",
    )
    .persistent(false)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO users (id, name, email, email_key, user_type, is_raito_user, created_at, modified_at) \
         SELECT s.user_id, s.name, NULL, NULL, 'Human', 0, $1, $1 FROM stage_accounts s \
         WHERE s.email_key = '' AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = s.user_id)",
    )
    .bind(now())
    .persistent(false)
    .execute(connection)
    .await?;
    Ok(())
}

/// A user with a machine account is a machine. No statement changes nothing, also what a person has set.
async fn mark_machines(connection: &mut Connection) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE users SET user_type = 'Machine' WHERE user_type <> 'Machine' AND id IN \
         (SELECT user_id FROM stage_accounts WHERE is_machine = 1)",
    )
    .persistent(false)
    .execute(connection)
    .await?;
    Ok(())
}
