//! The grant category of an access control, and the rules that it makes.

use regex::Regex;
use sqlx::Row;

use super::access_change::{Refusal, invalid};
use crate::grant_categories;
use crate::store::Connection;

/// What a category says about its grants.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub(super) struct Category {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) allow_duplicate_names: bool,
    pub(super) multi_data_source: bool,
    pub(super) description_mandatory: bool,
    pub(super) users: bool,
    pub(super) groups: bool,
    /// Whether every access control may be a member.
    pub(super) inheritance: bool,
    /// Whether those of the same category may.
    pub(super) own: bool,
    /// Whose access controls may, beside.
    pub(super) categories: Vec<String>,
    pub(super) data_objects: bool,
    /// What the name and the naming hint must match as a whole, and what is said otherwise.
    pub(super) patterns: [(&'static str, Option<String>, Option<String>); 2],
    pub(super) locks_on_create: Vec<String>,
}

impl Category {
    /// The id of the category that everything is in that names no other.
    pub(super) const DEFAULT: &'static str = grant_categories::DEFAULT;

    /// The category with this id.
    pub(super) async fn find(connection: &mut Connection, id: &str) -> Result<Option<Self>, sqlx::Error> {
        let Some(found) = grant_categories::find(connection, id).await? else { return Ok(None) };
        let settings = found.settings;
        Ok(Some(Self {
            id: id.to_owned(),
            name: found.name,
            allow_duplicate_names: settings.allow_duplicate_names,
            multi_data_source: settings.multi_data_source,
            description_mandatory: settings.description_mandatory,
            users: settings.who.user,
            groups: settings.who.group,
            inheritance: settings.who.inheritance,
            own: settings.who.own_category,
            categories: settings.who.categories,
            data_objects: settings.what_data_objects,
            patterns: [
                ("name", settings.name_pattern, settings.name_pattern_message),
                ("namingHint", settings.naming_hint_pattern, settings.naming_hint_pattern_message),
            ],
            locks_on_create: settings.locks_on_create,
        }))
    }

    /// The category with this id; refused when there is none.
    pub(super) async fn load(connection: &mut Connection, id: &str) -> Result<Self, Refusal> {
        match Self::find(connection, id).await? {
            Some(category) => Ok(category),
            None => invalid(format!("category: there is no grant category `{id}`")),
        }
    }

    /// Refuses an access control that breaks a rule of the category.
    #[expect(clippy::too_many_arguments, reason = "they are what the rules are about")]
    pub(super) async fn check(
        &self,
        connection: &mut Connection,
        id: &str,
        name: &str,
        naming_hint: &str,
        description: &str,
        data_sources: i64,
        data_objects: i64,
    ) -> Result<(), Refusal> {
        let category = &self.name;
        for ((field, pattern, message), text) in self.patterns.iter().zip([name, naming_hint]) {
            let Some(pattern) = pattern.as_ref().filter(|_| !text.is_empty()) else { continue };
            // It was checked when it was stored.
            let fits = Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|pattern| pattern.is_match(text));
            if !fits {
                let says = message.as_ref().map(|message| format!(" ({message})")).unwrap_or_default();
                return invalid(format!("{field}: the category `{category}` asks for `{pattern}`{says}"));
            }
        }
        if self.description_mandatory && description.trim().is_empty() {
            return invalid(format!("description is missing: the category `{category}` asks for one"));
        }
        if !self.multi_data_source && data_sources > 1 {
            return invalid(format!(
                "dataSources: those of the category `{category}` are in one data source only"
            ));
        }
        if !self.data_objects && data_objects > 0 {
            return invalid(format!(
                "whatDataObjects: those of the category `{category}` have no data objects"
            ));
        }
        if !self.allow_duplicate_names {
            let other = sqlx::query(
                "SELECT id FROM access_providers WHERE name = $1 AND category_id = $2 AND id <> $3 \
                 AND state <> 'Deleted' AND action IN ('Grant', 'Purpose') LIMIT 1",
            )
            .bind(name)
            .bind(self.id.as_str())
            .bind(id)
            .fetch_optional(&mut *connection)
            .await?;
            if other.is_some() {
                return invalid(format!("name: the category `{category}` has a `{name}` already"));
            }
        }
        let members = sqlx::query(
            "SELECT DISTINCT w.kind, p.category_id FROM access_provider_who w \
             LEFT JOIN access_providers p ON p.id = w.item AND w.kind = 'accessProvider' WHERE w.access_provider_id = $1",
        )
        .bind(id)
        .fetch_all(connection)
        .await?;
        for member in members {
            let of: Option<String> = member.try_get(1)?;
            let allowed = match member.try_get::<String, _>(0)?.as_str() {
                "user" | "accountName" => self.users,
                "group" | "groupName" => self.groups,
                "accessProvider" => {
                    self.inheritance
                        || of.is_some_and(|of| (self.own && of == self.id) || self.categories.contains(&of))
                }
                _ => true,
            };
            if !allowed {
                let kind: String = member.try_get(0)?;
                return invalid(format!("whoItems: the category `{category}` does not allow a {kind}"));
            }
        }
        Ok(())
    }
}
