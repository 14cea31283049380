//! What a run is for: everything, or what somebody asked for.
//!
//! | | full | access controls have changed | somebody asked |
//! |---|---|---|---|
//! | folder of backups | `full` | `webhook` | `manual` |
//! | targets | all | those of the data sources that were named | those of the data source and the identity store, if named |
//! | data source, identity store, usage, resource providers | as configured | not | as asked, whatever is configured |
//! | access | as configured | as configured; to the target only, and only what differs if the connector can do that | as asked |
//! | tags | as configured | as configured | as configured |
//! | version check | yes | no | no |

use std::borrow::Cow;

use crate::cloud_client::{SyncTrigger, TriggerEvent};
use crate::config::TargetSettings;

/// What a run is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunKind {
    /// Everything that is configured.
    Full,
    /// Access controls of these data sources have changed.
    Access(Vec<String>),
    /// Somebody asked for this.
    Sync(SyncTrigger),
}

impl From<TriggerEvent> for RunKind {
    fn from(event: TriggerEvent) -> Self {
        match event {
            TriggerEvent::AccessUpdate(sources) => RunKind::Access(sources),
            TriggerEvent::Sync(trigger) => RunKind::Sync(trigger),
        }
    }
}

/// What the steps must know about the kind of run.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// Why steps are skipped that are not skipped for another reason.
    pub(super) skipped_because: &'static str,
    /// Access controls go to the target and are not read from it.
    pub(super) only_to_target: bool,
    /// Only access controls that differ from what was applied, if the connector can do that.
    pub(super) out_of_sync: bool,
    /// Full name of the data object below which to read.
    pub(super) object_parent: Option<String>,
    /// Names below it to leave out.
    pub(super) object_excludes: Vec<String>,
}

impl RunKind {
    /// The word for it in backups and summaries.
    pub fn name(&self) -> &'static str {
        match self {
            RunKind::Full => "full",
            RunKind::Access(_) => "webhook",
            RunKind::Sync(_) => "manual",
        }
    }

    /// For people.
    pub fn describe(&self) -> &'static str {
        match self {
            RunKind::Full => "a full run begins",
            RunKind::Access(_) => "access controls have changed: a run begins",
            RunKind::Sync(_) => "a synchronisation was asked for: a run begins",
        }
    }

    /// Whether a target takes part.
    pub(super) fn concerns(&self, target: &TargetSettings) -> bool {
        match self {
            RunKind::Full => true,
            RunKind::Access(sources) => {
                target.data_source_id.as_ref().is_some_and(|source| sources.contains(source))
            }
            RunKind::Sync(trigger) => {
                let matches =
                    |wanted: &Option<String>, has: &Option<String>| wanted.is_none() || wanted == has;
                matches(&trigger.data_source, &target.data_source_id)
                    && matches(&trigger.identity_store, &target.identity_store_id)
            }
        }
    }

    /// The settings of a target for this run.
    pub(super) fn adjust<'t>(&self, target: &'t TargetSettings) -> Cow<'t, TargetSettings> {
        let mut adjusted = match self {
            RunKind::Full => return Cow::Borrowed(target),
            RunKind::Access(_) | RunKind::Sync(_) => target.clone(),
        };
        let skip = &mut adjusted.skip;
        match self {
            RunKind::Full => {}
            RunKind::Access(_) => {
                for step in [
                    &mut skip.data_source,
                    &mut skip.identity_store,
                    &mut skip.data_usage,
                    &mut skip.resource_provider,
                ] {
                    *step = true;
                }
            }
            RunKind::Sync(trigger) => {
                skip.data_source = !trigger.data_source_sync;
                skip.identity_store = !trigger.identity_store_sync;
                skip.data_access = !trigger.access_sync;
                skip.data_usage = !trigger.usage_sync;
                skip.resource_provider = !trigger.resource_provider_sync;
                if is_partial(trigger) {
                    // The rest was not looked at, so it is not gone.
                    adjusted.delete_untouched = false;
                }
            }
        }
        Cow::Owned(adjusted)
    }

    /// What the steps must know.
    pub(super) fn scope(&self) -> Scope {
        match self {
            RunKind::Full => Scope { skipped_because: "by configuration", ..Scope::default() },
            RunKind::Access(_) => Scope {
                skipped_because: "only changed access controls are applied",
                only_to_target: true,
                out_of_sync: true,
                ..Scope::default()
            },
            RunKind::Sync(trigger) => Scope {
                skipped_because: "not asked for",
                object_parent: trigger.data_object_parent.clone(),
                object_excludes: trigger.data_object_excludes.clone(),
                ..Scope::default()
            },
        }
    }
}

fn is_partial(trigger: &SyncTrigger) -> bool {
    trigger.data_object_parent.is_some() || !trigger.data_object_excludes.is_empty()
}
