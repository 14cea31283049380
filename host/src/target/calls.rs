//! The calls that more than one part of the program makes: what the data source is, and access controls in both
//! directions.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use wasmtime::component::Resource;

use super::{LoadedTarget, spool_failure};
use crate::config::LockRules;
use crate::contract::exports::access::{AccessCapabilities, ApplyOptions, GuestIndices};
use crate::contract::exports::data_source::DataSourceMetadata;
use crate::failure::{Failure, FailureKind};
use crate::records::desired::Header;
use crate::sinks::spool::{Layout, SpoolFile};
use crate::sinks::{
    AccessControlSink, AccessControlSource, FeedbackReport, FeedbackSink, PlanSink, Progress, TagRules,
};

/// What became of access controls that were applied.
pub(crate) struct Applied {
    /// The feedback file.
    pub(crate) files: Vec<SpoolFile>,
    /// What the feedback says, made fit to be shown.
    pub(crate) report: FeedbackReport,
    /// What the access file says about itself.
    pub(crate) header: Header,
}

impl LoadedTarget<'_> {
    /// What the connector can do with access controls beyond reading. A connector without that interface can do nothing.
    pub(crate) async fn capabilities(&self, title: &str) -> Result<AccessCapabilities, Failure> {
        let Some(guest) = self.connector.access().cloned() else {
            return Ok(AccessCapabilities { apply: false, partial_apply: false });
        };
        self.call(title, &Arc::default(), async move |store, instance| {
            Ok(Ok(guest.load(&mut *store, instance)?.call_capabilities(store).await?))
        })
        .await
    }

    /// What the data source is. None if the connector is for none.
    pub(crate) async fn metadata(&self, title: &str) -> Result<Option<DataSourceMetadata>, Failure> {
        let Some(guest) = self.connector.data_source().cloned() else { return Ok(None) };
        self.call(title, &Arc::default(), async move |store, instance| {
            Ok(guest.load(&mut *store, instance)?.call_metadata(store).await?.map(Some))
        })
        .await
    }

    /// Reads the access controls that stand in the target.
    pub(crate) async fn read_access_controls(&self, title: &str) -> Result<Vec<SpoolFile>, Failure> {
        let guest = self.access()?;
        let progress = Arc::new(Progress::default());
        let controls = AccessControlSink::new(
            self.writer("fromTarget-access", Layout::RECORDS, &progress)?,
            LockRules::new(&self.settings.locks),
            TagRules::new(&self.settings.tags),
        );
        let files = self.call(title, &progress, async move |store, instance| {
            let controls = store.data_mut().table().push(controls)?;
            let outcome = guest
                .load(&mut *store, instance)?
                .call_read(&mut *store, Resource::new_borrow(controls.rep()))
                .await?;
            let files = store.data_mut().table().delete(controls)?.into_writer().finish();
            Ok(outcome.map(|()| files))
        });
        files.await?.map_err(|error| spool_failure(&error))
    }

    /// Has the connector work out what applying an access file would do.
    pub(crate) async fn plan_access_controls(
        &self,
        title: &str,
        options: ApplyOptions,
        file: PathBuf,
        progress: &Arc<Progress>,
        plans: PlanSink,
    ) -> Result<PlanSink, Failure> {
        let guest = self.access()?;
        let source = AccessControlSource::new(file);
        let reading = source.reading();
        let called = self.call(title, progress, async move |store, instance| {
            let source = store.data_mut().table().push(source)?;
            let plans = store.data_mut().table().push(plans)?;
            let outcome = guest
                .load(&mut *store, instance)?
                .call_plan(
                    &mut *store,
                    &options,
                    Resource::new_borrow(source.rep()),
                    Resource::new_borrow(plans.rep()),
                )
                .await?;
            store.data_mut().table().delete(source)?;
            let plans = store.data_mut().table().delete(plans)?;
            Ok(outcome.map(|()| plans))
        });
        let called = called.await;
        let broken = reading.lock().unwrap_or_else(PoisonError::into_inner).error.clone();
        match (called, broken) {
            (Err(_), Some(why)) => Err(Failure::new(FailureKind::AccessFile, why)),
            (called, _) => called,
        }
    }

    /// Has the connector apply an access file. `broken` is the kind of failure that a file which cannot be read means.
    pub(crate) async fn apply_access_controls(
        &self,
        title: &str,
        options: ApplyOptions,
        file: PathBuf,
        broken: FailureKind,
    ) -> Result<Applied, Failure> {
        let guest = self.access()?;
        let progress = Arc::new(Progress::default());
        let feedback =
            FeedbackSink::new(self.writer("toTarget-accessFeedback", Layout::FEEDBACK, &progress)?);
        let source = AccessControlSource::new(file);
        let reading = source.reading();
        let called = self.call(title, &progress, async move |store, instance| {
            let source = store.data_mut().table().push(source)?;
            let feedback = store.data_mut().table().push(feedback)?;
            let outcome = guest
                .load(&mut *store, instance)?
                .call_apply(
                    &mut *store,
                    &options,
                    Resource::new_borrow(source.rep()),
                    Resource::new_borrow(feedback.rep()),
                )
                .await?;
            store.data_mut().table().delete(source)?;
            let (writer, report) = store.data_mut().table().delete(feedback)?.into_parts();
            Ok(outcome.map(|()| (writer.finish(), report)))
        });
        let called = called.await;
        let read = reading.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let (Err(_), Some(why)) = (&called, read.error) {
            return Err(Failure::new(broken, why));
        }
        let (files, mut report) = called?;
        for text in &mut report.changed {
            *text = self.log.clean(text);
        }
        for error in &mut report.errors {
            error.name = self.log.clean(&error.name);
            error.message = self.log.clean(&error.message);
        }
        let files = files.map_err(|error| spool_failure(&error))?;
        Ok(Applied { files, report, header: read.header })
    }

    fn access(&self) -> Result<GuestIndices, Failure> {
        self.connector.access().cloned().ok_or_else(|| {
            let message = format!("the connector `{}` does not deal with access controls", self.info.name);
            Failure::new(FailureKind::ConnectorExport, message)
                .hint("leave the target out with --only-targets, or give it another connector")
        })
    }
}
