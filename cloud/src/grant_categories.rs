//! Grant categories: what grants of a kind may look like.
//!
//! The default category always exists; imported grants and those without a choice are in it. System categories
//! belong to the server and do not change. A new organisation also has a category for purposes, to keep or not.

use serde::{Deserialize, Serialize};
use sqlx::Row;

use crate::ids::now;
use crate::jobs::to_json;
use crate::store::{Connection, Store};

/// The id of the default category.
pub(crate) const DEFAULT: &str = "default";
/// The id of the category of the grants that stand for single users and groups of sources without roles.
pub(crate) const DIRECT_ACCESS: &str = "direct-access";
/// The id of the category that a new organisation starts with, and may change or delete.
const PURPOSE: &str = "purpose";

/// The settings of a category, as they are stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Settings {
    /// People may create grants of it.
    pub(crate) can_create: bool,
    /// Grants of it may be requested.
    pub(crate) can_request_access: bool,
    pub(crate) description_mandatory: bool,
    pub(crate) allow_duplicate_names: bool,
    pub(crate) multi_data_source: bool,
    /// Data source and type of access controls.
    pub(crate) default_types: Vec<(String, String)>,
    pub(crate) who: WhoItems,
    /// Data objects may be in the what-list. Otherwise a grant only has other grants.
    pub(crate) what_data_objects: bool,
    pub(crate) name_pattern: Option<String>,
    pub(crate) name_pattern_message: Option<String>,
    pub(crate) naming_hint_pattern: Option<String>,
    pub(crate) naming_hint_pattern_message: Option<String>,
    /// The parts of a new grant that are locked.
    pub(crate) locks_on_create: Vec<String>,
}

/// Who may be in a who-list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct WhoItems {
    pub(crate) user: bool,
    pub(crate) group: bool,
    /// Other grants, of every category.
    pub(crate) inheritance: bool,
    /// Other grants of the same category.
    pub(crate) own_category: bool,
    /// Other grants of these categories.
    pub(crate) categories: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            can_create: true,
            can_request_access: false,
            description_mandatory: false,
            allow_duplicate_names: true,
            multi_data_source: true,
            default_types: Vec::new(),
            who: WhoItems::default(),
            what_data_objects: true,
            name_pattern: None,
            name_pattern_message: None,
            naming_hint_pattern: None,
            naming_hint_pattern_message: None,
            locks_on_create: Vec::new(),
        }
    }
}

impl Default for WhoItems {
    fn default() -> Self {
        Self { user: true, group: true, inheritance: true, own_category: true, categories: Vec::new() }
    }
}

/// A category.
pub(crate) struct Category {
    pub(crate) name: String,
    pub(crate) settings: Settings,
}

/// The category with this id.
pub(crate) async fn find(connection: &mut Connection, id: &str) -> Result<Option<Category>, sqlx::Error> {
    let row = sqlx::query("SELECT name, settings FROM grant_categories WHERE id = $1")
        .bind(id)
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Category {
        name: row.try_get(0)?,
        settings: serde_json::from_str(row.try_get(1)?).unwrap_or_default(),
    }))
}

/// Makes sure that the categories exist that always do, and gives a new organisation those that it starts with.
pub(crate) async fn ensure(store: &Store) -> Result<(), sqlx::Error> {
    let direct = Settings {
        can_create: false,
        who: WhoItems { inheritance: false, own_category: false, ..WhoItems::default() },
        ..Settings::default()
    };
    let new = find(&mut *store.pool().acquire().await?, DEFAULT).await?.is_none();
    // The default category comes last: until it is there, the organisation is new.
    for (id, name, description, system, settings) in [
        (PURPOSE, "Purpose", "What access is needed for", 0, &Settings::default()),
        (DIRECT_ACCESS, "Direct Access", "Access of one user or group, given in the data source", 1, &direct),
        (DEFAULT, "Grant", "Who gets access to what", 0, &Settings::default()),
    ] {
        if id == PURPOSE && !new {
            continue;
        }
        sqlx::query(
            "INSERT INTO grant_categories (id, name, description, icon, is_system, is_default, settings, created_at, \
             modified_at) VALUES ($1, $2, $3, '', $4, $5, $6, $7, $7) ON CONFLICT (id) DO NOTHING",
        )
        .bind(id)
        .bind(name)
        .bind(description)
        .bind(i64::from(system))
        .bind(i64::from(id == DEFAULT))
        .bind(to_json(settings))
        .bind(now())
        .execute(store.pool())
        .await?;
    }
    Ok(())
}
