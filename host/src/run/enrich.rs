//! Enrichers: further connectors, one after the other, each of which gets the data objects that the one before wrote.
//!
//! An enricher writes every object exactly once, changed or not; whether it did is told from the number of objects and
//! the sum of their ids' hashes, so that memory does not grow with them. Its file is named after the first with
//! `-enriched<index>`. It reports no step of its own: what goes wrong in it is a failure of the data source step.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmtime::component::Resource;

use super::task::Task;
use crate::config::{EnricherSettings, TargetSettings};
use crate::failure::{Failure, FailureKind};
use crate::sinks::spool::{Layout, Spool, SpoolFile};
use crate::sinks::{
    DataObjectRules, DataObjectSink, DataObjectSource, Progress, RecordWriter, TagRules, Tally,
};
use crate::target::{LoadedTarget, spool_failure};

/// Has the enrichers of the target go over the objects of a file. Gives the last file, and the sources of the tags that
/// enrichers deliver. `rules` are those of the target; the rules for tags count for what the last one writes.
pub(super) async fn run(
    task: &Task<'_>,
    mut file: SpoolFile,
    mut tally: Tally,
    rules: &DataObjectRules,
) -> Result<(SpoolFile, Vec<String>), Failure> {
    let target = &task.target.loaded;
    let (first, enrichers) = (file.path.clone(), &target.settings.enrichers);
    let mut sources = Vec::new();
    for (index, enricher) in enrichers.iter().enumerate() {
        let last = index + 1 == enrichers.len();
        let tags = if last { rules.tags.clone() } else { TagRules::default() };
        let rules = DataObjectRules { tags, ..rules.clone() };
        let settings = settings(target.settings, enricher);
        let named = |failure: Failure| failure.of(&format!("enricher `{}`", enricher.name));
        let loaded = LoadedTarget::load_enricher(target.run, &settings, target.sandbox, target.display);
        let loaded = loaded.await.map_err(named)?;
        let path = enriched_path(&first, index);
        target.files.add(path.clone());
        let enriched = enrich(task, &loaded, &file.path, &path, rules).await.map_err(named)?;
        task.add_warnings(loaded.tell_warnings());
        if enriched.1 != tally {
            let message = format!(
                "{} objects were handed over and {} written, and each must be written exactly once",
                tally.count(),
                enriched.1.count()
            );
            let failure = Failure::new(FailureKind::Record, message)
                .hint("nothing was imported by this step; tell the enricher's author");
            return Err(named(failure));
        }
        (file, tally) = enriched;
        sources.extend(Some(loaded.info.tag_source).filter(|source| !source.is_empty()));
    }
    Ok((file, sources))
}

/// One enricher's turn.
async fn enrich(
    task: &Task<'_>,
    loaded: &LoadedTarget<'_>,
    from: &Path,
    to: &Path,
    rules: DataObjectRules,
) -> Result<(SpoolFile, Tally), Failure> {
    let Some(guest) = loaded.connector.data_object_enricher().cloned() else {
        return Err(Failure::unexpected("the enricher was loaded without its interface"));
    };
    let progress = Arc::new(Progress::default());
    let spool = Spool::create(to, Layout::RECORDS)
        .map_err(|error| Failure::unexpected(format!("a temporary file cannot be made: {error}")))?;
    let enriched = DataObjectSink::enriched(RecordWriter::new(spool, Arc::clone(&progress)), rules);
    let source = DataObjectSource::new(from.to_owned());
    let title = format!("{}: enriching by {}", task.target.title(task.step), loaded.info.name);
    let (changed, files, tally) = loaded
        .call(&title, &progress, async move |store, instance| {
            let source = store.data_mut().table().push(source)?;
            let enriched = store.data_mut().table().push(enriched)?;
            let outcome = guest
                .load(&mut *store, instance)?
                .call_enrich(
                    &mut *store,
                    Resource::new_borrow(source.rep()),
                    Resource::new_borrow(enriched.rep()),
                )
                .await?;
            store.data_mut().table().delete(source)?;
            let (writer, tally) = store.data_mut().table().delete(enriched)?.into_parts();
            Ok(outcome.map(|changed| (changed, writer.finish(), tally)))
        })
        .await?;
    tracing::debug!(target: "raito", changed, objects = tally.count(), "data objects were enriched");
    let file = files.map_err(|error| spool_failure(&error))?.into_iter().next();
    file.map(|file| (file, tally)).ok_or_else(|| Failure::unexpected("the enricher left no file"))
}

/// An enricher as something that can be loaded: with the account and the files of its target, and a connector, a sandbox
/// and parameters of its own.
fn settings(target: &TargetSettings, enricher: &EnricherSettings) -> TargetSettings {
    TargetSettings {
        name: format!("{}/{}", target.name, enricher.name),
        connector_name: enricher.connector_name.clone(),
        connector_version: enricher.connector_version.clone(),
        enrichers: Vec::new(),
        sandbox: enricher.sandbox.clone(),
        parameters: enricher.parameters.clone(),
        line: enricher.line,
        ..target.clone()
    }
}

/// The name of what the enricher of this index writes.
fn enriched_path(first: &Path, index: usize) -> PathBuf {
    let stem = first.file_stem().unwrap_or_default().to_string_lossy();
    first.with_file_name(format!("{stem}-enriched{index}.json"))
}
