//! Write a connector for Raito in Rust.
//!
//! A connector is a WebAssembly component that reads identities, metadata, access controls and usage from a
//! target system, and applies access controls to it. It runs in a sandbox: it reaches the hosts and folders
//! that the operator granted and nothing else.
//!
//! A complete connector:
//!
//! ```
//! use raito_connector::prelude::*;
//!
//! /// Reads the employees of one company from its parameters.
//! struct Directory {
//!     names: Vec<String>,
//! }
//!
//! impl Connector for Directory {
//!     fn describe() -> ConnectorInfo {
//!         ConnectorInfo::new("directory", env!("CARGO_PKG_VERSION"), "Employees from a list of names.")
//!             .parameter(Parameter::new("names", "Names of the employees, separated by commas.").mandatory())
//!     }
//!
//!     fn open(parameters: &Parameters) -> Result<Self> {
//!         Ok(Directory { names: parameters.list("names")? })
//!     }
//! }
//!
//! impl IdentityStore for Directory {
//!     fn metadata(&mut self) -> Result<IdentityStoreMetadata> {
//!         Ok(IdentityStoreMetadata {
//!             store_type: "directory".into(),
//!             icon: String::new(),
//!             can_be_linked: true,
//!             can_be_master: false,
//!         })
//!     }
//!
//!     fn sync(&mut self, users: &mut Users<'_>, _groups: &mut Groups<'_>) -> Result<()> {
//!         for name in &self.names {
//!             users.push(User {
//!                 external_id: name.clone(),
//!                 name: name.clone(),
//!                 user_name: name.to_lowercase(),
//!                 email: String::new(),
//!                 group_external_ids: vec![],
//!                 tags: vec![],
//!                 is_machine: Some(false),
//!             })?;
//!         }
//!         Ok(())
//!     }
//! }
//!
//! raito_connector::export!(Directory: identity_store);
//! # fn main() {}
//! ```
//!
//! Compile it as a `cdylib` for `wasm32-wasip2`; the file that comes out is the connector. Which steps it takes
//! part in is read off its exports: the names after the colon in [`export!`] are all that is said about it.
//!
//! | name in `export!` | trait | step |
//! |---|---|---|
//! | `identity_store` | [`IdentityStore`] | users and groups |
//! | `data_source` | [`DataSource`] | data objects |
//! | `access` | [`Access`] | access controls, both directions |
//! | `data_usage` | [`DataUsage`] | statements |
//! | `tags` | [`Tags`] | tags from a catalogue |
//! | `data_object_enricher` | [`DataObjectEnricher`] | additions to data objects |
//! | `resource_provider` | [`ResourceProvider`] | Raito's own resources |
//!
//! The other modules: [`net`] (TCP and TLS), [`http`] (with the feature of that name), [`log`], [`naming`] (target
//! names from display names).

pub mod bindings;
mod description;
mod error;
mod export;
#[cfg(feature = "http")]
pub mod http;
mod interfaces;
pub mod log;
pub mod naming;
pub mod net;
mod parameters;
mod sinks;
mod sources;

pub use crate::bindings::imports::raito::connector::{
    access_controls::{
        AccessControl, AccessControlFeedback, AccessControlPlan, Action, ApplyLocks, Change,
        DataObjectReference, DesiredAccessControl, Lock, Locks, Operation, Owner, WhatItem, Who,
    },
    cloud_session,
    data_objects::{DataObject, RootObject},
    filters::{Comparison, ComparisonOperator, FilterCriteria, Node, Operand},
    identities::{Group, User},
    statements::{AccessedObject, Statement},
    tag_assignments::{TagAssignment, Tagged},
    types::{Error, GlobalPermission, ParameterProblem, RateLimit, RecordProblem, SinkError, Tag, Timestamp},
};
pub use crate::bindings::{
    access::exports::raito::connector::access::{AccessCapabilities, ApplyOptions},
    data_source::exports::raito::connector::data_source::{
        AccessControlType, ActionType, DataObjectType, DataOrigin, DataSourceMetadata, Feature,
        FilterMetadata, MaskMetadata, MaskType, Permission, ShareMetadata, ShareProperties, SyncScope,
        UsageLevel, UsageMetadata,
    },
    data_usage::exports::raito::connector::data_usage::KnownPeriod,
    identity_store::exports::raito::connector::identity_store::IdentityStoreMetadata,
    info::exports::raito::connector::info::{ConnectorInfo, Parameter},
    resource_provider::exports::raito::connector::resource_provider::{ResourceCounts, TargetIds},
};
pub use crate::error::Result;
#[doc(hidden)]
pub use crate::export::{Adapter, Exported, exported};
pub use crate::interfaces::{
    Access, Connector, DataObjectEnricher, DataSource, DataUsage, IdentityStore, ResourceProvider, Tags,
};
pub use crate::parameters::Parameters;
pub use crate::sinks::{
    AccessControls, DataObjects, Feedback, Groups, Plans, Sink, Statements, TagAssignments, Users,
};
pub use crate::sources::{DataObjectSource, DesiredAccessControls};

/// Everything that a connector normally uses.
pub mod prelude {
    pub use crate::{
        Access, AccessCapabilities, AccessControl, AccessControlFeedback, AccessControlPlan,
        AccessControlType, AccessControls, AccessedObject, Action, ApplyOptions, Change, Connector,
        ConnectorInfo, DataObject, DataObjectReference, DataObjectType, DataObjects, DataSource,
        DataSourceMetadata, DataUsage, DesiredAccessControl, DesiredAccessControls, Error, Feedback,
        FilterMetadata, GlobalPermission, Group, Groups, IdentityStore, IdentityStoreMetadata, KnownPeriod,
        Lock, Locks, Operation, Parameter, Parameters, Permission, Plans, Result, RootObject, Statement,
        Statements, SyncScope, Tag, User, Users, WhatItem, Who,
    };
}

/// Compiles the connector of the project's front page.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct FrontPage;
