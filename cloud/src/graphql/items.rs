//! What can be in a page.

use async_graphql::Union;

use super::access::{AccessProvider, AccessWhatAccessProviderItem, AccessWhatItem, AccessWhoItem};
use super::announced::{
    AccessProviderFilterDetail, AccessProviderInsightsResult, AccessProviderMaskDetail, AccessProviderMatch,
    AccessRequest, AccessRequestNotification, AccessRequestWhatItem, AuditDiffLog, Comment,
    CommentNotification, DataAccessReturnItem, DataObjectAccessibilityInformation, DataObjectInsightsResult,
    DataObjectType, DataSourceShare, DataUsage, DatasourceNotification, GlobalRoleAssignmentNotification,
    GroupedDataAccessReturnItem, GroupedUserAccessReturnItem, Issue, PromiseDetails,
    RoleAssignmentNotification, RoleDelegationNotification, SearchResultItem, StringValue, TaskNotification,
    UserAccessReturnItem, UserInsightsResult, UserSubtask, UserTask,
};
use super::data_objects::DataObject;
use super::identities::{Account, Group, User};
use super::identity_stores::IdentityStore;
use super::job_history::{Job, JobLogMsg, Task};
use super::role_assignments::RoleAssignment;
use super::roles::Role;
use super::sources::DataSource;
use super::tags::Tag;
use super::usage::{QueryHistoryDataObject, QueryHistoryStatement};

/// An element of a list.
#[derive(Union)]
#[graphql(name = "Item")]
pub(crate) enum Item {
    AccessProvider(AccessProvider),
    AccessProviderFilterDetail(AccessProviderFilterDetail),
    AccessProviderInsightsResult(AccessProviderInsightsResult),
    AccessProviderMaskDetail(AccessProviderMaskDetail),
    AccessProviderMatch(AccessProviderMatch),
    AccessRequest(AccessRequest),
    AccessRequestNotification(AccessRequestNotification),
    AccessRequestWhatItem(AccessRequestWhatItem),
    AccessWhatAccessProviderItem(AccessWhatAccessProviderItem),
    AccessWhatItem(AccessWhatItem),
    AccessWhoItem(AccessWhoItem),
    Account(Account),
    AuditDiffLog(AuditDiffLog),
    Comment(Comment),
    CommentNotification(CommentNotification),
    DataAccessReturnItem(DataAccessReturnItem),
    DataObject(DataObject),
    DataObjectAccessibilityInformation(DataObjectAccessibilityInformation),
    DataObjectInsightsResult(DataObjectInsightsResult),
    DataObjectType(DataObjectType),
    DataSource(DataSource),
    DataSourceShare(DataSourceShare),
    DataUsage(DataUsage),
    DatasourceNotification(DatasourceNotification),
    GlobalRoleAssignmentNotification(GlobalRoleAssignmentNotification),
    Group(Group),
    GroupedDataAccessReturnItem(GroupedDataAccessReturnItem),
    GroupedUserAccessReturnItem(GroupedUserAccessReturnItem),
    IdentityStore(IdentityStore),
    Issue(Issue),
    Job(Job),
    JobLogMsg(JobLogMsg),
    PromiseDetails(PromiseDetails),
    QueryHistoryDataObject(QueryHistoryDataObject),
    QueryHistoryStatement(QueryHistoryStatement),
    Role(Role),
    RoleAssignment(RoleAssignment),
    RoleAssignmentNotification(RoleAssignmentNotification),
    RoleDelegationNotification(RoleDelegationNotification),
    SearchResultItem(SearchResultItem),
    StringValue(StringValue),
    Tag(Tag),
    Task(Task),
    TaskNotification(TaskNotification),
    User(User),
    UserAccessReturnItem(UserAccessReturnItem),
    UserInsightsResult(UserInsightsResult),
    UserSubtask(UserSubtask),
    UserTask(UserTask),
}
