//! Types of list elements that this server does not answer yet.
//!
//! Documents of clients spell out what they want of every type that can be in a list; a type that the schema
//! did not know would make the whole document invalid. These types are therefore in the schema, with the fields
//! that are certain, and have no value: no resolver can return one by mistake.

#![expect(unreachable_code, reason = "what derives a resolver also calls it, with a value that cannot be")]

use async_graphql::{ID, Object};

use super::scalars::Time;

macro_rules! announced {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone)]
        pub(crate) enum $name {}

        $(#[$doc])*
        #[Object]
        impl $name {
            $(
                $(#[$field_doc])*
                async fn $field(&self) -> $kind { match *self {} }
            )+
        }
    )+};
}

announced! {
    /// A row filter of a data object.
    AccessProviderFilterDetail {
        /// The id of the access control.
        id: ID,
    }
    /// How an access control is used.
    AccessProviderInsightsResult {
        /// The id of the access control.
        id: ID,
    }
    /// A mask of a data object.
    AccessProviderMaskDetail {
        /// The id of the access control.
        id: ID,
    }
    /// An access control that covers what was asked for.
    AccessProviderMatch {
        /// The id of the access control.
        id: ID,
    }
    /// Somebody asks for access.
    AccessRequest {
        /// The id.
        id: ID,
        /// When it was made.
        created_at: Time,
    }
    /// Something happened to an access request.
    AccessRequestNotification {
        /// The id.
        id: ID,
        /// For people.
        message: String,
    }
    /// What is asked for.
    AccessRequestWhatItem {
        /// The id.
        id: ID,
    }
    /// A change of an access control.
    AuditDiffLog {
        /// The id.
        id: ID,
    }
    /// What somebody says about an access request.
    Comment {
        /// The id.
        id: ID,
        /// The text.
        message: String,
    }
    /// Somebody was mentioned in a comment.
    CommentNotification {
        /// The id.
        id: ID,
        /// For people.
        message: String,
    }
    /// Access of a user to a data object.
    DataAccessReturnItem {
        /// The id.
        id: ID,
    }
    /// Who can reach a data object.
    DataObjectAccessibilityInformation {
        /// The id of the data object.
        id: ID,
    }
    /// How a data object is used.
    DataObjectInsightsResult {
        /// The id of the data object.
        id: ID,
    }
    /// A type of data objects.
    DataObjectType {
        /// The name.
        name: String,
    }
    /// A share of a data source.
    DataSourceShare {
        /// The id.
        id: ID,
    }
    /// How much something is used.
    DataUsage {
        /// The id.
        id: ID,
    }
    /// Something happened to a data source.
    DatasourceNotification {
        /// The id.
        id: ID,
        /// For people.
        message: String,
    }
    /// Somebody was given a global role, or lost it.
    GlobalRoleAssignmentNotification {
        /// The id.
        id: ID,
        /// For people.
        message: String,
    }
    /// Access to data objects, by group.
    GroupedDataAccessReturnItem {
        /// The id.
        id: ID,
    }
    /// Access of users, by group.
    GroupedUserAccessReturnItem {
        /// The id.
        id: ID,
    }
    /// Something needs attention.
    Issue {
        /// The id.
        id: ID,
        /// For people.
        message: String,
    }
    /// Access on request.
    PromiseDetails {
        /// The id.
        id: ID,
    }
    /// Somebody was made an owner, or is one no more.
    RoleAssignmentNotification {
        /// The id.
        id: ID,
        /// For people.
        message: String,
    }
    /// Somebody stands in for somebody.
    RoleDelegationNotification {
        /// The id.
        id: ID,
        /// For people.
        message: String,
    }
    /// Something that was found.
    SearchResultItem {
        /// The id.
        id: ID,
    }
    /// A text.
    StringValue {
        /// The text.
        value: String,
    }
    /// Something is to be done.
    TaskNotification {
        /// The id.
        id: ID,
        /// For people.
        message: String,
    }
    /// Access of a user.
    UserAccessReturnItem {
        /// The id.
        id: ID,
    }
    /// How a user uses access.
    UserInsightsResult {
        /// The id of the user.
        id: ID,
    }
    /// A part of what somebody is to do.
    UserSubtask {
        /// The id.
        id: ID,
    }
    /// What somebody is to do.
    UserTask {
        /// The id.
        id: ID,
    }
}
