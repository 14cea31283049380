//! Creating, changing and deleting access controls.
//!
//! Changing one that was imported makes it managed here, unless that is locked. Every change raises the
//! version, which makes the next export hand it to the target, and is announced (see [`crate::changes`]).

use async_graphql::{Context, ID, Object, SimpleObject, Union};

use super::access::{AccessProvider, AccessProviderResult, access_provider, not_found};
use super::access_change::{self as change, Editor, Refusal, invalid};
use super::access_input::{AccessProviderInput, WhoItemInput};
use super::errors::{InvalidInputError, NotFoundError, PermissionDeniedError};
use super::{cloud, internal, permit, permit_on};
use crate::auth::roles::{self, Resource, ResourceKind};
use crate::auth::{Permission, Principal};

/// An access control.
#[derive(SimpleObject)]
struct AccessProviderWithOptionalAccessRequests {
    access_provider: AccessProvider,
}

/// An access control, or why it was refused. Without access requests it is never an `AccessProvider` alone.
#[derive(Union)]
enum AccessProviderWithOptionalAccessRequestsResult {
    Done(AccessProviderWithOptionalAccessRequests),
    AccessProvider(AccessProvider),
    PermissionDenied(PermissionDeniedError),
    NotFound(NotFoundError),
    InvalidInput(InvalidInputError),
}

const NO_ACCESS_REQUESTS: &str =
    "enableAdditionalAccessRequests: there are no access requests, leave it false";

/// What is done with an access control.
enum Change<'i> {
    Create(&'i AccessProviderInput),
    Update { id: &'i str, input: &'i AccessProviderInput, override_locks: bool },
    Delete { id: &'i str, override_locks: bool },
    State { id: &'i str, active: bool },
    AddWho { id: &'i str, items: &'i [WhoItemInput] },
    RemoveWho { id: &'i str, items: &'i [ID] },
}

impl Change<'_> {
    /// Refused when the caller may not do it, neither by a role nor as an owner.
    async fn permit(
        &self,
        context: &Context<'_>,
        permission: Permission,
    ) -> async_graphql::Result<Result<(), PermissionDeniedError>> {
        let id = match self {
            Self::Create(_) => return Ok(permit(context, permission)?.map(|_| ())),
            Self::Update { id, .. }
            | Self::Delete { id, .. }
            | Self::State { id, .. }
            | Self::AddWho { id, .. }
            | Self::RemoveWho { id, .. } => *id,
        };
        let resource = Resource::new(ResourceKind::AccessProvider, id);
        Ok(permit_on(context, permission, &resource).await?.map(|_| ()))
    }
}

/// Does a change in one transaction; returns the id.
async fn perform(context: &Context<'_>, what: Change<'_>) -> async_graphql::Result<Result<String, Refusal>> {
    let store = &cloud(context)?.store;
    let mut transaction = store.begin().await.map_err(internal)?;
    let mut editor = Editor { connection: &mut transaction, dialect: store.dialect() };
    let done = match what {
        Change::Create(input) => match change::create(&mut editor, input).await {
            Ok(id) => {
                let creator = &context.data::<Principal>()?.user_id;
                roles::own(editor.connection, ResourceKind::AccessProvider, &id, creator)
                    .await
                    .map_err(internal)?;
                Ok(id)
            }
            refused => refused,
        },
        Change::Update { id, input, override_locks } => {
            change::update(&mut editor, id, input, override_locks).await.map(|()| id.to_owned())
        }
        Change::Delete { id, override_locks } => {
            change::delete(&mut editor, id, override_locks).await.map(|()| id.to_owned())
        }
        Change::State { id, active } => {
            change::set_state(&mut editor, id, active).await.map(|()| id.to_owned())
        }
        Change::AddWho { id, items } => change::add_who(&mut editor, id, items).await.map(|()| id.to_owned()),
        Change::RemoveWho { id, items } => {
            let items: Vec<String> = items.iter().map(|id| id.to_string()).collect();
            change::remove_who(&mut editor, id, &items).await.map(|()| id.to_owned())
        }
    };
    if done.is_ok() {
        transaction.commit().await.map_err(internal)?;
    }
    Ok(done)
}

async fn plain(
    context: &Context<'_>,
    permission: Permission,
    what: Change<'_>,
) -> async_graphql::Result<AccessProviderResult> {
    if let Err(denied) = what.permit(context, permission).await? {
        return Ok(AccessProviderResult::PermissionDenied(denied));
    }
    Ok(match perform(context, what).await? {
        Ok(id) => match access_provider(&cloud(context)?.store, &id).await.map_err(internal)? {
            Some(found) => AccessProviderResult::AccessProvider(found),
            None => AccessProviderResult::NotFound(not_found(&id)),
        },
        Err(Refusal::NotFound(error)) => AccessProviderResult::NotFound(error),
        Err(Refusal::Invalid(message)) => AccessProviderResult::InvalidInput(InvalidInputError { message }),
        Err(Refusal::Failed(error)) => return Err(internal(error)),
    })
}

async fn with_requests(
    context: &Context<'_>,
    permission: Permission,
    enable_additional_access_requests: bool,
    what: Change<'_>,
) -> async_graphql::Result<AccessProviderWithOptionalAccessRequestsResult> {
    use AccessProviderWithOptionalAccessRequestsResult as Answer;
    if let Err(denied) = what.permit(context, permission).await? {
        return Ok(Answer::PermissionDenied(denied));
    }
    let done = if enable_additional_access_requests {
        invalid(NO_ACCESS_REQUESTS)
    } else {
        perform(context, what).await?
    };
    Ok(match done {
        Ok(id) => match access_provider(&cloud(context)?.store, &id).await.map_err(internal)? {
            Some(access_provider) => {
                Answer::Done(AccessProviderWithOptionalAccessRequests { access_provider })
            }
            None => Answer::NotFound(not_found(&id)),
        },
        Err(Refusal::NotFound(error)) => Answer::NotFound(error),
        Err(Refusal::Invalid(message)) => Answer::InvalidInput(InvalidInputError { message }),
        Err(Refusal::Failed(error)) => return Err(internal(error)),
    })
}

#[derive(Default)]
pub(super) struct AccessMutation;

#[Object]
impl AccessMutation {
    /// Creates an access control.
    async fn create_access_provider(
        &self,
        context: &Context<'_>,
        input: AccessProviderInput,
        #[graphql(default)] enable_additional_access_requests: bool,
    ) -> async_graphql::Result<AccessProviderWithOptionalAccessRequestsResult> {
        let what = Change::Create(&input);
        with_requests(context, Permission::CreateAccessControls, enable_additional_access_requests, what)
            .await
    }

    /// Changes an access control.
    async fn update_access_provider(
        &self,
        context: &Context<'_>,
        id: ID,
        input: AccessProviderInput,
        #[graphql(default)] enable_additional_access_requests: bool,
        override_locks: Option<bool>,
    ) -> async_graphql::Result<AccessProviderWithOptionalAccessRequestsResult> {
        let override_locks = override_locks.unwrap_or_default();
        let what = Change::Update { id: &id, input: &input, override_locks };
        with_requests(context, Permission::ManageAccessControls, enable_additional_access_requests, what)
            .await
    }

    /// Deletes an access control: at once if no target has it, else when the target has confirmed.
    async fn delete_access_provider(
        &self,
        context: &Context<'_>,
        id: ID,
        override_locks: Option<bool>,
    ) -> async_graphql::Result<AccessProviderResult> {
        let before = access_provider(&cloud(context)?.store, &id).await.map_err(internal)?;
        let what = Change::Delete { id: &id, override_locks: override_locks.unwrap_or_default() };
        let done = plain(context, Permission::ManageAccessControls, what).await?;
        Ok(match (done, before) {
            // One that is gone already is answered as it was.
            (AccessProviderResult::NotFound(_), Some(found)) if !found.is_deleted() => {
                AccessProviderResult::AccessProvider(found.deleted())
            }
            (done, _) => done,
        })
    }

    /// Puts an access control into force.
    async fn activate_access_provider(
        &self,
        context: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<AccessProviderResult> {
        plain(context, Permission::ManageAccessControls, Change::State { id: &id, active: true }).await
    }

    /// Takes an access control out of force: it stays here and leaves the targets.
    async fn deactivate_access_provider(
        &self,
        context: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<AccessProviderResult> {
        plain(context, Permission::ManageAccessControls, Change::State { id: &id, active: false }).await
    }

    /// Adds to a who-list. What is there already gets the new times.
    async fn add_who_to_access_provider(
        &self,
        context: &Context<'_>,
        id: ID,
        to_add: Vec<WhoItemInput>,
    ) -> async_graphql::Result<AccessProviderResult> {
        let what = Change::AddWho { id: &id, items: &to_add };
        plain(context, Permission::ManageAccessControls, what).await
    }

    /// Removes from a who-list, by the ids of the users, groups, access controls, data sources and recipients.
    async fn remove_who_from_access_provider(
        &self,
        context: &Context<'_>,
        id: ID,
        to_remove: Vec<ID>,
    ) -> async_graphql::Result<AccessProviderResult> {
        let what = Change::RemoveWho { id: &id, items: &to_remove };
        plain(context, Permission::ManageAccessControls, what).await
    }
}
