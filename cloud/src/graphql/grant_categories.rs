//! Grant categories.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject, Union};
use regex::Regex;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::access_enums::AccessProviderLock;
use super::errors::{InvalidInputError, NotFoundError, PermissionDeniedError, Refused, answer};
use super::identities::texts;
use super::scalars::Time;
use super::sources;
use super::{allow, cloud, demand, internal};
use crate::auth::Permission;
use crate::grant_categories::{Settings, WhoItems};
use crate::ids::{new_id, now};
use crate::jobs::to_json;
use crate::store::sql::Sql;
use crate::store::{Connection, Store};

/// The columns of a category, `o` in the statement.
pub(super) const COLUMNS: &str = "o.id, o.name, o.description, o.icon, o.is_system, o.is_default, o.settings, o.created_at, \
    o.modified_at";

/// A kind of grants.
#[derive(Clone, SimpleObject)]
pub(crate) struct GrantCategory {
    id: ID,
    created_at: Time,
    modified_at: Time,
    /// Belongs to the server: cannot be changed or deleted.
    is_system: bool,
    name: String,
    description: String,
    icon: String,
    /// The one of grants without a choice: cannot be deleted.
    is_default: bool,
    can_create: bool,
    can_request_access: bool,
    description_mandatory: bool,
    allow_duplicate_names: bool,
    multi_data_source: bool,
    default_type_per_data_source: Vec<GrantCategoryTypeForDataSource>,
    allowed_who_items: GrantCategoryAllowedWhoItems,
    allowed_what_items: GrantCategoryAllowedWhatItems,
    #[graphql(name = "nameRegEx")]
    name_regex: Option<String>,
    #[graphql(name = "nameRegExMsg")]
    name_regex_message: Option<String>,
    #[graphql(name = "namingHintRegEx")]
    naming_hint_regex: Option<String>,
    #[graphql(name = "namingHintRegExMsg")]
    naming_hint_regex_message: Option<String>,
    locks_on_create: Vec<AccessProviderLock>,
}

/// The type that a grant has in a data source, unless another is chosen.
#[derive(Clone, SimpleObject)]
struct GrantCategoryTypeForDataSource {
    #[graphql(name = "DataSource")]
    data_source: ID,
    #[graphql(name = "Type")]
    kind: String,
}

/// Who may be in a who-list.
#[derive(Clone, SimpleObject)]
struct GrantCategoryAllowedWhoItems {
    user: bool,
    group: bool,
    /// Other grants of every category.
    inheritance: bool,
    /// Other grants of the same category.
    #[graphql(name = "self")]
    own_category: bool,
    /// Other grants of these categories.
    categories: Vec<ID>,
}

/// What may be in a what-list.
#[derive(Clone, SimpleObject)]
struct GrantCategoryAllowedWhatItems {
    data_object: bool,
}

/// A category, or why there is none.
#[derive(Union)]
#[expect(clippy::large_enum_variant, reason = "one value per request")]
enum GrantCategoryResult {
    GrantCategory(GrantCategory),
    PermissionDenied(PermissionDeniedError),
    NotFound(NotFoundError),
    InvalidInput(InvalidInputError),
}

/// A category is gone.
#[derive(SimpleObject)]
struct DeleteGrantCategory {
    success: bool,
}

/// A category is gone, or why not.
#[derive(Union)]
enum DeleteGrantCategoryResult {
    Done(DeleteGrantCategory),
    PermissionDenied(PermissionDeniedError),
    NotFound(NotFoundError),
    InvalidInput(InvalidInputError),
}

/// Members that are left out or null stay as they are.
#[derive(InputObject)]
struct GrantCategoryInput {
    name: Option<String>,
    description: Option<String>,
    icon: Option<String>,
    can_create: Option<bool>,
    can_request_access: Option<bool>,
    description_mandatory: Option<bool>,
    allow_duplicate_names: Option<bool>,
    multi_data_source: Option<bool>,
    default_type_per_data_source: Option<Vec<GrantCategoryTypeForDataSourceInput>>,
    allowed_who_items: Option<GrantCategoryAllowedWhoItemsInput>,
    allowed_what_items: Option<GrantCategoryAllowedWhatItemsInput>,
    /// What a name must match as a whole; empty: nothing.
    #[graphql(name = "nameRegEx")]
    name_regex: Option<String>,
    /// What is said to those whose name does not.
    #[graphql(name = "nameRegExMsg")]
    name_regex_message: Option<String>,
    #[graphql(name = "namingHintRegEx")]
    naming_hint_regex: Option<String>,
    #[graphql(name = "namingHintRegExMsg")]
    naming_hint_regex_message: Option<String>,
    locks_on_create: Option<Vec<AccessProviderLock>>,
}

#[derive(InputObject)]
struct GrantCategoryTypeForDataSourceInput {
    #[graphql(name = "DataSource")]
    data_source: ID,
    #[graphql(name = "Type")]
    kind: String,
}

#[derive(InputObject)]
struct GrantCategoryAllowedWhoItemsInput {
    user: bool,
    group: bool,
    inheritance: bool,
    #[graphql(name = "self")]
    own_category: bool,
    /// Null: those that are set stay.
    categories: Option<Vec<ID>>,
}

#[derive(InputObject)]
struct GrantCategoryAllowedWhatItemsInput {
    data_object: bool,
}

impl GrantCategory {
    /// Reads a row whose columns start at `first`.
    pub(super) fn read(row: &AnyRow, first: usize) -> Result<Self, sqlx::Error> {
        let settings: Settings = serde_json::from_str(row.try_get(first + 6)?).unwrap_or_default();
        let who = settings.who;
        let default_type_per_data_source = settings
            .default_types
            .into_iter()
            .map(|(source, kind)| GrantCategoryTypeForDataSource { data_source: source.into(), kind })
            .collect();
        Ok(Self {
            id: row.try_get::<String, _>(first)?.into(),
            name: row.try_get(first + 1)?,
            description: row.try_get(first + 2)?,
            icon: row.try_get(first + 3)?,
            is_system: row.try_get::<i64, _>(first + 4)? == 1,
            is_default: row.try_get::<i64, _>(first + 5)? == 1,
            created_at: Time(row.try_get(first + 7)?),
            modified_at: Time(row.try_get(first + 8)?),
            can_create: settings.can_create,
            can_request_access: settings.can_request_access,
            description_mandatory: settings.description_mandatory,
            allow_duplicate_names: settings.allow_duplicate_names,
            multi_data_source: settings.multi_data_source,
            default_type_per_data_source,
            allowed_who_items: GrantCategoryAllowedWhoItems {
                user: who.user,
                group: who.group,
                inheritance: who.inheritance,
                own_category: who.own_category,
                categories: who.categories.into_iter().map(Into::into).collect(),
            },
            allowed_what_items: GrantCategoryAllowedWhatItems { data_object: settings.what_data_objects },
            name_regex: settings.name_pattern,
            name_regex_message: settings.name_pattern_message,
            naming_hint_regex: settings.naming_hint_pattern,
            naming_hint_regex_message: settings.naming_hint_pattern_message,
            locks_on_create: settings
                .locks_on_create
                .iter()
                .filter_map(|word| AccessProviderLock::from_word(word))
                .collect(),
        })
    }
}

/// The category with this id.
pub(super) async fn grant_category(store: &Store, id: &str) -> Result<Option<GrantCategory>, sqlx::Error> {
    let mut sql = Sql::new("SELECT ");
    sql.push(COLUMNS).push(" FROM grant_categories o WHERE o.id = ").bind(id)?;
    sql.rows(store.pool()).await?.first().map(|row| GrantCategory::read(row, 0)).transpose()
}

async fn require(store: &Store, id: &str) -> Result<GrantCategory, Refused> {
    grant_category(store, id).await?.ok_or_else(|| Refused::not_found("grant category", id))
}

async fn find(context: &Context<'_>, id: &str) -> Result<GrantCategory, Refused> {
    demand(context, Permission::ViewAccessControls)?;
    require(&cloud(context)?.store, id).await
}

#[derive(Default)]
pub(super) struct GrantCategoryQuery;

#[Object]
impl GrantCategoryQuery {
    /// A grant category.
    async fn grant_category(
        &self,
        context: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<GrantCategoryResult> {
        answer(find(context, &id).await)
    }

    /// All grant categories, the default one first.
    async fn grant_categories(&self, context: &Context<'_>) -> async_graphql::Result<Vec<GrantCategory>> {
        allow(context, Permission::ViewAccessControls)?;
        let mut sql = Sql::new("SELECT ");
        sql.push(COLUMNS).push(" FROM grant_categories o ORDER BY o.is_default DESC, o.name, o.id");
        let rows = sql.rows(cloud(context)?.store.pool()).await.map_err(internal)?;
        rows.iter().map(|row| GrantCategory::read(row, 0).map_err(internal)).collect()
    }
}

#[derive(Default)]
pub(super) struct GrantCategoryMutation;

#[Object]
impl GrantCategoryMutation {
    /// Creates a grant category.
    async fn create_grant_category(
        &self,
        context: &Context<'_>,
        input: GrantCategoryInput,
    ) -> async_graphql::Result<GrantCategoryResult> {
        answer(create(context, &input).await)
    }

    /// Changes a grant category. Grants that do not comply any more stay, and must comply when they are changed.
    async fn update_grant_category(
        &self,
        context: &Context<'_>,
        id: ID,
        input: GrantCategoryInput,
    ) -> async_graphql::Result<GrantCategoryResult> {
        answer(update(context, &id, &input).await)
    }

    /// Deletes a grant category without grants.
    async fn delete_grant_category(
        &self,
        context: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<DeleteGrantCategoryResult> {
        answer(delete(context, &id).await.map(|()| DeleteGrantCategory { success: true }))
    }
}

async fn create(context: &Context<'_>, input: &GrantCategoryInput) -> Result<GrantCategory, Refused> {
    demand(context, Permission::ManageGrantCategories)?;
    let store = &cloud(context)?.store;
    let name = input.name.as_deref().map(str::trim).unwrap_or_default();
    let mut settings = Settings::default();
    input.apply(store, &mut settings).await?;
    let id = new_id();
    let mut transaction = store.begin().await?;
    check_name(&mut transaction, name, &id).await?;
    sqlx::query(
        "INSERT INTO grant_categories (id, name, description, icon, is_system, is_default, settings, created_at, \
         modified_at) VALUES ($1, $2, $3, $4, 0, 0, $5, $6, $6)",
    )
    .bind(&id)
    .bind(name)
    .bind(input.description.clone().unwrap_or_default())
    .bind(input.icon.clone().unwrap_or_default())
    .bind(to_json(&settings))
    .bind(now())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    require(store, &id).await
}

async fn update(
    context: &Context<'_>,
    id: &str,
    input: &GrantCategoryInput,
) -> Result<GrantCategory, Refused> {
    demand(context, Permission::ManageGrantCategories)?;
    let store = &cloud(context)?.store;
    let found = require(store, id).await?;
    if found.is_system {
        return Err(Refused::denied("a system category cannot be changed"));
    }
    let mut transaction = store.begin().await?;
    let row = sqlx::query("SELECT settings FROM grant_categories WHERE id = $1")
        .bind(id)
        .fetch_one(&mut *transaction)
        .await?;
    let mut settings: Settings = serde_json::from_str(row.try_get(0)?).unwrap_or_default();
    input.apply(store, &mut settings).await?;
    if found.is_default && !(settings.what_data_objects && settings.multi_data_source) {
        // What is imported goes there, whatever it is.
        return Err(Refused::invalid(
            "the default category must allow data objects and several data sources",
        ));
    }
    if let Some(name) = &input.name {
        check_name(&mut transaction, name.trim(), id).await?;
    }
    sqlx::query(
        "UPDATE grant_categories SET name = COALESCE($2, name), description = COALESCE($3, description), \
         icon = COALESCE($4, icon), settings = $5, modified_at = $6 WHERE id = $1",
    )
    .bind(id)
    .bind(input.name.as_ref().map(|name| name.trim().to_owned()))
    .bind(input.description.clone())
    .bind(input.icon.clone())
    .bind(to_json(&settings))
    .bind(now())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    require(store, id).await
}

async fn delete(context: &Context<'_>, id: &str) -> Result<(), Refused> {
    demand(context, Permission::ManageGrantCategories)?;
    let store = &cloud(context)?.store;
    let found = require(store, id).await?;
    if found.is_system || found.is_default {
        return Err(Refused::denied("the default category and system categories cannot be deleted"));
    }
    let mut transaction = store.begin().await?;
    if is_used(&mut transaction, id).await? {
        return Err(Refused::invalid("there are grants of this category: give them another one first"));
    }
    sqlx::query("DELETE FROM grant_categories WHERE id = $1").bind(id).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Whether there are grants of a category; one that is being deleted counts until the target has confirmed.
async fn is_used(connection: &mut Connection, id: &str) -> Result<bool, sqlx::Error> {
    let row = sqlx::query("SELECT 1 FROM access_providers WHERE category_id = $1 LIMIT 1")
        .bind(id)
        .fetch_optional(connection)
        .await?;
    Ok(row.is_some())
}

async fn check_name(connection: &mut Connection, name: &str, id: &str) -> Result<(), Refused> {
    if name.is_empty() {
        return Err(Refused::invalid("name is missing"));
    }
    let used = sqlx::query("SELECT 1 FROM grant_categories WHERE name = $1 AND id <> $2")
        .bind(name)
        .bind(id)
        .fetch_optional(connection)
        .await?;
    match used {
        Some(_) => Err(Refused::invalid(format!("there is a grant category `{name}` already"))),
        None => Ok(()),
    }
}

/// A pattern as it is stored; an empty one is none.
fn pattern(field: &str, text: &str) -> Result<Option<String>, Refused> {
    if text.is_empty() {
        return Ok(None);
    }
    Regex::new(text)
        .map(|_| Some(text.to_owned()))
        .map_err(|error| Refused::invalid(format!("{field} is not a regular expression: {error}")))
}

impl GrantCategoryInput {
    /// Changes the settings that are given.
    async fn apply(&self, store: &Store, settings: &mut Settings) -> Result<(), Refused> {
        for (given, setting) in [
            (self.can_create, &mut settings.can_create),
            (self.can_request_access, &mut settings.can_request_access),
            (self.description_mandatory, &mut settings.description_mandatory),
            (self.allow_duplicate_names, &mut settings.allow_duplicate_names),
            (self.multi_data_source, &mut settings.multi_data_source),
            (
                self.allowed_what_items.as_ref().map(|items| items.data_object),
                &mut settings.what_data_objects,
            ),
        ] {
            *setting = given.unwrap_or(*setting);
        }
        if let Some(types) = &self.default_type_per_data_source {
            for default in types {
                sources::require(store, &default.data_source).await?;
            }
            settings.default_types =
                types.iter().map(|default| (default.data_source.to_string(), default.kind.clone())).collect();
        }
        if let Some(who) = &self.allowed_who_items {
            let categories = match &who.categories {
                Some(categories) => {
                    for category in categories {
                        require(store, category).await?;
                    }
                    texts(categories)
                }
                None => std::mem::take(&mut settings.who.categories),
            };
            settings.who = WhoItems {
                user: who.user,
                group: who.group,
                inheritance: who.inheritance,
                own_category: who.own_category,
                categories,
            };
        }
        for (field, given, setting) in [
            ("nameRegEx", &self.name_regex, &mut settings.name_pattern),
            ("namingHintRegEx", &self.naming_hint_regex, &mut settings.naming_hint_pattern),
        ] {
            if let Some(text) = given {
                *setting = pattern(field, text)?;
            }
        }
        for (given, setting) in [
            (&self.name_regex_message, &mut settings.name_pattern_message),
            (&self.naming_hint_regex_message, &mut settings.naming_hint_pattern_message),
        ] {
            if let Some(text) = given {
                *setting = Some(text.clone()).filter(|text| !text.is_empty());
            }
        }
        if let Some(locks) = &self.locks_on_create {
            settings.locks_on_create = locks.iter().map(|lock| lock.word().to_owned()).collect();
        }
        Ok(())
    }
}
