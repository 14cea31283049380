//! What is given to create or change an access control. A list that is missing or null leaves what is there;
//! an empty list empties it.

use async_graphql::{Enum, ID, InputObject};

use super::access::{AccessProviderAction, AccessProviderLock, AccessWhoItemType};
use super::filter_criteria::DataComparisonExpressionInput;
use super::scalars::Time;

#[derive(InputObject)]
pub(super) struct AccessProviderInput {
    pub(super) name: Option<String>,
    pub(super) naming_hint: Option<String>,
    pub(super) action: Option<AccessProviderAction>,
    pub(super) description: Option<String>,
    pub(super) source: Option<String>,
    pub(super) who_items: Option<Vec<WhoItemInput>>,
    pub(super) policy_rule: Option<String>,
    pub(super) filter_criteria: Option<DataComparisonExpressionInput>,
    pub(super) data_sources: Option<Vec<AccessProviderDataSourceInput>>,
    pub(super) what_data_objects: Option<Vec<AccessProviderWhatInputDo>>,
    pub(super) locks: Option<Vec<AccessProviderLockDataInput>>,
    /// True: managed in the data source.
    pub(super) external: Option<bool>,
}

#[derive(InputObject)]
pub(super) struct AccessProviderDataSourceInput {
    pub(super) data_source: ID,
    #[graphql(name = "type")]
    pub(super) kind: Option<String>,
}

/// Exactly one of the first four.
#[derive(InputObject)]
pub(super) struct WhoItemInput {
    pub(super) user: Option<ID>,
    pub(super) group: Option<ID>,
    pub(super) access_provider: Option<ID>,
    pub(super) recipient: Option<ID>,
    pub(super) expires_at: Option<Time>,
    /// Seconds from now.
    pub(super) expires_after: Option<i64>,
    #[graphql(name = "type")]
    pub(super) item_type: Option<AccessWhoItemType>,
    pub(super) promise_duration: Option<i64>,
}

#[derive(InputObject)]
#[graphql(name = "AccessProviderWhatInputDO")]
pub(super) struct AccessProviderWhatInputDo {
    pub(super) permissions: Option<Vec<Option<String>>>,
    pub(super) global_permissions: Option<Vec<Option<String>>>,
    pub(super) data_objects: Option<Vec<Option<ID>>>,
    pub(super) data_object_by_name: Option<Vec<AccessProviderWhatDoByNameInput>>,
}

#[derive(InputObject)]
pub(super) struct AccessProviderWhatDoByNameInput {
    pub(super) fullname: String,
    pub(super) datasource: ID,
}

#[derive(InputObject)]
pub(super) struct AccessProviderLockDataInput {
    pub(super) lock_key: AccessProviderLock,
    pub(super) details: Option<AccessProviderLockDetailsInput>,
}

#[derive(InputObject)]
pub(super) struct AccessProviderLockDetailsInput {
    pub(super) reason: Option<String>,
    pub(super) lock_type: Option<AccessProviderLockType>,
}

/// How strong a lock is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(rename_items = "PascalCase")]
pub(super) enum AccessProviderLockType {
    /// Nobody may change the part here; it is what the data source says.
    ImportExport,
    /// Only programs may change the part.
    UserOnly,
}

impl AccessProviderLockType {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::ImportExport => "ImportExport",
            Self::UserOnly => "UserOnly",
        }
    }
}
