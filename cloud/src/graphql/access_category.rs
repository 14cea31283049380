//! The grant category of an access control, and the rules that it makes.

use sqlx::Row;

use super::access_change::{Refusal, invalid};
use crate::store::Connection;

/// What a category says about its grants.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub(super) struct Category {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) is_system: bool,
    pub(super) is_default: bool,
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
    pub(super) locks_on_create: Vec<String>,
}

impl Category {
    /// The id of the category that everything is in that names no other.
    pub(super) const DEFAULT: &'static str = "default";

    /// The category with this id.
    pub(super) async fn find(connection: &mut Connection, id: &str) -> Result<Option<Self>, sqlx::Error> {
        let _ = connection;
        Ok((id == Self::DEFAULT).then(Self::built_in))
    }

    /// The category with this id; refused when there is none.
    pub(super) async fn load(connection: &mut Connection, id: &str) -> Result<Self, Refusal> {
        match Self::find(connection, id).await? {
            Some(category) => Ok(category),
            None => invalid(format!("category: there is no grant category `{id}`")),
        }
    }

    /// Everything is allowed: what was imported is in it.
    fn built_in() -> Self {
        Self {
            id: Self::DEFAULT.to_owned(),
            name: "Grant".to_owned(),
            is_system: false,
            is_default: true,
            allow_duplicate_names: true,
            multi_data_source: true,
            description_mandatory: false,
            users: true,
            groups: true,
            inheritance: true,
            own: true,
            categories: Vec::new(),
            data_objects: true,
            locks_on_create: Vec::new(),
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
        let _ = naming_hint;
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
