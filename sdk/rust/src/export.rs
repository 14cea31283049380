//! From the traits to the exports of the component.

use std::marker::PhantomData;

use crate::bindings::imports::raito::connector::{
    access_controls::{AccessControlSink, AccessControlSource, FeedbackSink, PlanSink},
    data_objects::{self, DataObjectSink},
    identities::{GroupSink, UserSink},
    statements::StatementSink,
    tag_assignments::TagSink,
};
use crate::bindings::{
    access::exports::raito::connector::access,
    data_object_enricher::exports::raito::connector::data_object_enricher,
    data_source::exports::raito::connector::data_source, data_usage::exports::raito::connector::data_usage,
    identity_store::exports::raito::connector::identity_store, info::exports::raito::connector::info,
    resource_provider::exports::raito::connector::resource_provider, tags::exports::raito::connector::tags,
};
use crate::sources::{DataObjectSource, DesiredAccessControls};
use crate::{
    Access, AccessCapabilities, ApplyOptions, Connector, ConnectorInfo, DataObjectEnricher, DataSource,
    DataSourceMetadata, DataUsage, IdentityStore, IdentityStoreMetadata, KnownPeriod, Parameters,
    ResourceCounts, ResourceProvider, Result, Sink, SyncScope, Tags, TargetIds,
};

/// Exports a connector. After the colon stand the interfaces that the type implements:
///
/// ```text
/// raito_connector::export!(Postgres: identity_store, data_source, access, data_usage);
/// ```
///
/// A name whose trait is missing does not compile. The interface `info` is always exported.
#[macro_export]
macro_rules! export {
    ($connector:ty: $($interface:ident),* $(,)?) => {
        #[doc(hidden)]
        #[cfg(target_family = "wasm")]
        type RaitoConnectorExport = $crate::Adapter<$connector>;
        #[cfg(target_family = "wasm")]
        $crate::bindings::info::export!(RaitoConnectorExport with_types_in $crate::bindings::info);
        $(
            #[cfg(target_family = "wasm")]
            $crate::bindings::$interface::export!(RaitoConnectorExport with_types_in $crate::bindings::$interface);
        )*
        // Elsewhere, as in unit tests, there is nothing to export to; the traits are checked all the same.
        #[cfg(not(target_family = "wasm"))]
        const _: () = {
            const fn implemented<C: $crate::Connector>() {}
            implemented::<$connector>();
            $(<$crate::Adapter<$connector> as $crate::Exported<$crate::exported::$interface>>::CHECKED;)*
        };
    };
}

/// Says that a connector implements the trait behind a name in [`export!`].
#[doc(hidden)]
pub trait Exported<Interface> {
    /// Nothing; naming it is the check.
    const CHECKED: () = ();
}

/// The names in [`export!`] as types.
#[doc(hidden)]
pub mod exported {
    #![expect(non_camel_case_types, reason = "they are the names of the modules")]
    macro_rules! names {
        ($($name:ident: $interface:ident),*) => {
            $(
                pub struct $name;
                impl<C: crate::$interface> super::Exported<$name> for super::Adapter<C> {}
            )*
        };
    }
    names!(
        identity_store: IdentityStore,
        data_source: DataSource,
        access: Access,
        data_usage: DataUsage,
        tags: Tags,
        data_object_enricher: DataObjectEnricher,
        resource_provider: ResourceProvider
    );
}

/// Carries the traits of a connector over to the generated ones.
pub struct Adapter<C>(PhantomData<C>);

fn open<C: Connector>() -> Result<C> {
    C::open(&Parameters::read()?)
}

impl<C: Connector> info::Guest for Adapter<C> {
    fn describe() -> ConnectorInfo {
        C::describe()
    }
}

impl<C: IdentityStore> identity_store::Guest for Adapter<C> {
    fn metadata() -> Result<IdentityStoreMetadata> {
        open::<C>()?.metadata()
    }

    fn sync(users: &UserSink, groups: &GroupSink) -> Result<()> {
        let (mut users, mut groups) = (Sink::new(users), Sink::new(groups));
        open::<C>()?.sync(&mut users, &mut groups)?;
        users.flush()?;
        groups.flush()
    }
}

impl<C: DataSource> data_source::Guest for Adapter<C> {
    fn metadata() -> Result<DataSourceMetadata> {
        open::<C>()?.metadata()
    }

    fn sync(scope: SyncScope, objects: &DataObjectSink) -> Result<()> {
        let mut objects = Sink::new(objects);
        open::<C>()?.sync(&scope, &mut objects)?;
        objects.flush()
    }
}

impl<C: Access> access::Guest for Adapter<C> {
    fn capabilities() -> AccessCapabilities {
        C::capabilities()
    }

    fn read(controls: &AccessControlSink) -> Result<()> {
        let mut controls = Sink::new(controls);
        open::<C>()?.read(&mut controls)?;
        controls.flush()
    }

    fn plan(options: ApplyOptions, desired: &AccessControlSource, plans: &PlanSink) -> Result<()> {
        let mut plans = Sink::new(plans);
        open::<C>()?.plan(&options, &mut DesiredAccessControls::new(desired), &mut plans)?;
        plans.flush()
    }

    fn apply(options: ApplyOptions, desired: &AccessControlSource, feedback: &FeedbackSink) -> Result<()> {
        let mut feedback = Sink::new(feedback);
        open::<C>()?.apply(&options, &mut DesiredAccessControls::new(desired), &mut feedback)?;
        feedback.flush()
    }
}

impl<C: DataUsage> data_usage::Guest for Adapter<C> {
    fn sync(known: KnownPeriod, statements: &StatementSink) -> Result<()> {
        let mut statements = Sink::new(statements);
        open::<C>()?.sync(&known, &mut statements)?;
        statements.flush()
    }
}

impl<C: Tags> tags::Guest for Adapter<C> {
    fn sync(tags: &TagSink) -> Result<Vec<String>> {
        let mut tags = Sink::new(tags);
        let sources = open::<C>()?.sync(&mut tags)?;
        tags.flush()?;
        Ok(sources)
    }
}

impl<C: DataObjectEnricher> data_object_enricher::Guest for Adapter<C> {
    fn enrich(objects: &data_objects::DataObjectSource, enriched: &DataObjectSink) -> Result<u64> {
        let mut enriched = Sink::new(enriched);
        let changed = open::<C>()?.enrich(&mut DataObjectSource::new(objects), &mut enriched)?;
        enriched.flush()?;
        Ok(changed)
    }
}

impl<C: ResourceProvider> resource_provider::Guest for Adapter<C> {
    fn update(target: TargetIds) -> Result<ResourceCounts> {
        open::<C>()?.update(&target)
    }
}
