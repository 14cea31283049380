//! What is given to create or change an access control. A list that is missing or null leaves what is there;
//! an empty list empties it.

use async_graphql::{Enum, ID, InputObject};

use super::access_enums::{AccessProviderAction, AccessProviderLock, AccessWhoItemType, WhoAndWhatType};
use super::access_rules::{WhatAbacRuleInput, WhoAbacRuleInput};
use super::filter_criteria::DataComparisonExpressionInput;
use super::scalars::{Duration, Time};

/// An access control, or what is to change of one.
#[derive(InputObject)]
pub(super) struct AccessProviderInput {
    pub(super) name: Option<String>,
    pub(super) naming_hint: Option<String>,
    pub(super) action: Option<AccessProviderAction>,
    pub(super) description: Option<String>,
    /// The grant category; the default one if missing.
    pub(super) category: Option<ID>,
    /// Where it comes from, a free text.
    pub(super) source: Option<String>,
    pub(super) who_type: Option<WhoAndWhatType>,
    pub(super) who_abac_rule: Option<WhoAbacRuleInput>,
    pub(super) who_items: Option<Vec<WhoItemInput>>,
    pub(super) what_type: Option<WhoAndWhatType>,
    pub(super) what_abac_rule: Option<WhatAbacRuleInput>,
    pub(super) policy_rule: Option<String>,
    pub(super) filter_criteria: Option<DataComparisonExpressionInput>,
    pub(super) data_sources: Option<Vec<AccessProviderDataSourceInput>>,
    pub(super) common_what_data_object_id: Option<ID>,
    pub(super) what_data_objects: Option<Vec<AccessProviderWhatInputDo>>,
    /// Access controls whose who-lists this one is in.
    pub(super) what_access_providers: Option<Vec<AccessProviderWhatInputAp>>,
    pub(super) locks: Option<Vec<AccessProviderLockDataInput>>,
    /// True: managed in the data source.
    pub(super) external: Option<bool>,
}

/// A data source that an access control is in.
#[derive(InputObject)]
pub(super) struct AccessProviderDataSourceInput {
    pub(super) data_source: ID,
    #[graphql(name = "type")]
    pub(super) kind: Option<String>,
}

/// Exactly one of the first five.
#[derive(InputObject)]
pub(super) struct WhoItemInput {
    pub(super) user: Option<ID>,
    pub(super) group: Option<ID>,
    pub(super) access_provider: Option<ID>,
    pub(super) data_source: Option<ID>,
    pub(super) recipient: Option<ID>,
    pub(super) expires_at: Option<Time>,
    /// Seconds from now.
    pub(super) expires_after: Option<Duration>,
    #[graphql(name = "type")]
    pub(super) item_type: Option<AccessWhoItemType>,
    /// Seconds of access after a request; only with `WhoPromise`.
    pub(super) promise_duration: Option<Duration>,
}

/// Data objects with permissions.
#[derive(InputObject)]
#[graphql(name = "AccessProviderWhatInputDO")]
pub(super) struct AccessProviderWhatInputDo {
    pub(super) permissions: Option<Vec<Option<String>>>,
    pub(super) global_permissions: Option<Vec<Option<String>>>,
    pub(super) data_objects: Option<Vec<Option<ID>>>,
    pub(super) data_object_by_name: Option<Vec<AccessProviderWhatDoByNameInput>>,
    pub(super) expires_at: Option<Time>,
}

/// A data object by its name.
#[derive(InputObject)]
pub(super) struct AccessProviderWhatDoByNameInput {
    pub(super) fullname: String,
    pub(super) datasource: ID,
}

/// An access control whose who-list this one is in.
#[derive(InputObject)]
#[graphql(name = "AccessProviderWhatInputAP")]
pub(super) struct AccessProviderWhatInputAp {
    pub(super) access_provider: ID,
    pub(super) expires_at: Option<Time>,
}

/// A lock.
#[derive(InputObject)]
pub(super) struct AccessProviderLockDataInput {
    pub(super) lock_key: AccessProviderLock,
    pub(super) details: Option<AccessProviderLockDetailsInput>,
}

/// Why and how a part is locked.
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
