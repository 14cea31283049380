//! A plan: the access file of a target beside what stands in it.
//!
//! The connector compares; what it finds lies in a file, one record for each access control that would change. The
//! plan keeps totals, and for each access control its id and its name in the target. Everything else is read from the
//! file when it is needed.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::document::SavedTarget;
use super::risk::{Assessor, Risk};
use crate::access_file::{self, AccessFile, Vocabulary};
use crate::contract::exports::access::ApplyOptions;
use crate::failure::{Failure, FailureKind};
use crate::records::desired;
use crate::records::list;
use crate::records::plan::PlanRecord;
use crate::sandbox::escaped;
use crate::sinks::spool::Layout;
use crate::sinks::{FeedbackError, PlanSink, PlanTotals, Progress};
use crate::target::{LoadedTarget, spool_failure};

/// What applying would do to one target.
pub(super) struct TargetPlan<'a> {
    pub(super) loaded: LoadedTarget<'a>,
    /// The access file or folder.
    path: PathBuf,
    /// The same, checked.
    pub(super) file: AccessFile,
    /// The same, merged and resolved, as it is handed to the connector.
    pub(super) desired: PathBuf,
    pub(super) totals: PlanTotals,
    /// SHA-256 of what would be done.
    pub(super) fingerprint: [u8; 32],
    records: PathBuf,
    vocabulary: Option<Vocabulary>,
    administering: HashSet<String>,
    actual_names: HashMap<String, String>,
    many: u64,
    /// Where access controls stood when a plan was saved; none if it is made from the access file.
    places: Option<HashMap<String, String>>,
}

/// One access control of a plan, for those who show it.
pub(super) struct Change<'a> {
    pub(super) record: &'a PlanRecord,
    pub(super) risks: &'a [Risk],
    /// Where it stands in the access file; not if it does not any more.
    pub(super) place: Option<String>,
}

impl<'a> TargetPlan<'a> {
    /// Reads the access file and compares it with the target. `many` is how many people are more than usual.
    pub(super) async fn make(loaded: LoadedTarget<'a>, path: &Path, many: u64) -> Result<Self, Failure> {
        let name = &loaded.settings.name;
        let capabilities = loaded.capabilities(&format!("{name}: asking what it can do")).await?;
        if !capabilities.apply {
            let message =
                format!("the connector `{}` only reads, so nothing can be applied", loaded.info.name);
            return Err(Failure::new(FailureKind::ConnectorExport, message)
                .hint("leave the target out with --only-targets"));
        }
        let vocabulary = loaded.metadata(&format!("{name}: asking what it is")).await?;
        let vocabulary = vocabulary.map(|metadata| Vocabulary::from_metadata(&metadata));
        let desired = loaded.files.path("toTarget-access", "json");
        let file = access_file::load(path, vocabulary.as_ref(), &desired)?;
        super::tell_findings(&file, loaded.display);
        let mut administering = HashSet::new();
        if let Some(vocabulary) = &vocabulary {
            let read = desired::read(&desired, |control| {
                let mut items = control.what.iter();
                if items.any(|item| {
                    let mut words = item.permissions.iter();
                    words.any(|word| vocabulary.is_admin(&item.object.object_type, word))
                }) {
                    administering.insert(control.id);
                }
                Ok(())
            });
            read.map_err(Failure::unexpected)?;
            // Who becomes a member of a source gets what it is a source of.
            administering =
                administering.iter().flat_map(|id| file.index.sources(id)).map(str::to_owned).collect();
        }
        let mut plan = TargetPlan {
            loaded,
            path: path.to_owned(),
            file,
            desired,
            totals: PlanTotals::default(),
            fingerprint: [0; 32],
            records: PathBuf::new(),
            vocabulary,
            administering,
            actual_names: HashMap::new(),
            many,
            places: None,
        };
        let compared = plan.compare("plan").await?;
        (plan.records, plan.fingerprint) = (compared.records, compared.fingerprint);
        (plan.totals, plan.actual_names) = (compared.totals, compared.actual_names);
        Ok(plan)
    }

    /// The same, for those who show it: what was planned stands in a saved plan, and the access controls where they stood.
    pub(super) fn saved(mut self, path: &Path, saved: &SavedTarget) -> Self {
        path.clone_into(&mut self.path);
        self.file.files = vec![path.to_owned()];
        let places = saved.changes.iter();
        self.places =
            Some(places.filter_map(|(id, change)| Some((id.clone(), change.place.clone()?))).collect());
        self
    }

    /// How the connector is asked: the access file is the whole truth for its prefix, and is applied wholly or not at all.
    pub(super) fn options(&self) -> ApplyOptions {
        ApplyOptions {
            prefix: self.loaded.settings.access.prefix.clone(),
            authoritative: true,
            all_or_nothing: true,
        }
    }

    /// What is compared, for people: `access/ (2 files, 12 access controls)`.
    pub(super) fn subject(&self) -> String {
        let controls = super::risk::counted(self.file.controls, "access control", "access controls");
        match self.file.files.as_slice() {
            [file] => format!("{} ({controls})", super::shown(file)),
            files => format!("{} ({} files, {controls})", super::shown(&self.path), files.len()),
        }
    }

    /// Compares the same access file with what stands in the target now.
    pub(super) async fn compare(&self, part: &str) -> Result<Compared, Failure> {
        let progress = Arc::new(Progress::default());
        let writer = self.loaded.writer(part, Layout::FEEDBACK, &progress)?;
        let sink = PlanSink::new(writer, self.loaded.log.clone());
        let title = format!("{}: planning", self.loaded.settings.name);
        let sink = self
            .loaded
            .plan_access_controls(&title, self.options(), self.desired.clone(), &progress, sink)
            .await?;
        self.loaded.tell_warnings();
        let (writer, totals, actual_names) = sink.into_parts();
        let file = writer.finish().map_err(|error| spool_failure(&error))?.pop();
        let file = file.ok_or_else(|| Failure::unexpected("the plan was not written"))?;
        Ok(Compared { records: file.path, fingerprint: file.sha256, totals, actual_names })
    }

    /// Hands each access control that would change, or about which there is something to say, to `each`.
    pub(super) fn changes(
        &self,
        mut each: impl FnMut(&Change<'_>) -> std::io::Result<()>,
    ) -> Result<(), Failure> {
        let assessor = Assessor {
            index: &self.file.index,
            vocabulary: self.vocabulary.as_ref(),
            administering: &self.administering,
            actual_names: &self.actual_names,
            many: self.many,
        };
        list::read(&self.records, |record: PlanRecord| {
            let risks = assessor.assess(&record);
            let place = self.place(&record.id);
            each(&Change { record: &record, risks: &risks, place })
        })
        .map_err(|error| Failure::unexpected(format!("the plan cannot be shown: {error}")))
    }

    /// An error of an access control, with its name and place in the access file.
    pub(super) fn told(&self, error: &FeedbackError) -> String {
        let name = self.file.index.name(&error.id).map_or_else(|| error.name.clone(), escaped);
        let place = self.place(&error.id).map(|place| format!(" ({place})")).unwrap_or_default();
        format!("{name}{place}: {}", error.message)
    }

    fn place(&self, id: &str) -> Option<String> {
        if let Some(saved) = &self.places {
            return saved.get(id).cloned();
        }
        let place = self.file.index.place(id)?;
        Some(format!("{}:{}", super::shown(place.path), place.position.line))
    }

    /// The failure that access controls which cannot be applied mean.
    pub(super) fn errors(&self) -> Option<Failure> {
        (self.totals.errors > 0).then(|| {
            let subject = super::risk::counted(self.totals.errors, "access control", "access controls");
            Failure::new(FailureKind::AccessControls, format!("{subject} cannot be applied"))
                .hint("the plan says why; correct the access file or the target")
        })
    }
}

/// The outcome of a comparison.
pub(super) struct Compared {
    pub(super) records: PathBuf,
    pub(super) fingerprint: [u8; 32],
    pub(super) totals: PlanTotals,
    actual_names: HashMap<String, String>,
}
