//! A target of the configuration with its connector: loaded, described, checked and granted, ready to be called.
//!
//! Everything that talks to a target begins here: the steps of a run, and access as code.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::TempDir;
use wasmtime::Store;
use wasmtime::component::Instance as ComponentInstance;

use crate::config::{Settings, TargetSettings};
use crate::connector::{Connector, LoadError, locate, original_name};
use crate::contract::exports::info::ConnectorInfo;
use crate::contract::types;
use crate::failure::{CallContext, Failure, FailureKind};
use crate::progress::Display;
use crate::sandbox::{ConnectorLog, Grants, Instance, Sandbox, Session, State};
use crate::secret::is_secret_name;
use crate::sinks::spool::{Layout, Spool, numbered};
use crate::sinks::{Progress, RecordWriter};

mod calls;
mod parameters;

pub(crate) use calls::Applied;
pub use parameters::describe;

/// A target whose connector can be called.
pub(crate) struct LoadedTarget<'a> {
    /// What counts for the whole run.
    pub(crate) run: &'a Settings,
    pub(crate) settings: &'a TargetSettings,
    pub(crate) sandbox: &'a Arc<Sandbox>,
    pub(crate) connector: Connector,
    pub(crate) info: ConnectorInfo,
    pub(crate) grants: Grants,
    pub(crate) log: ConnectorLog,
    pub(crate) display: &'a Display,
    pub(crate) files: Files,
    wanted_grants: Vec<String>,
}

impl<'a> LoadedTarget<'a> {
    /// Finds the connector, compiles it, asks what it is, and compares that with the target's parameters.
    ///
    /// # Errors
    /// The connector cannot be loaded, or the target does not fit it.
    pub(crate) async fn load(
        settings: &'a Settings,
        target: &'a TargetSettings,
        sandbox: &'a Arc<Sandbox>,
        display: &'a Display,
    ) -> Result<Self, Failure> {
        LoadedTarget::load_as(Connector::expect_step, settings, target, sandbox, display).await
    }

    /// Likewise for an enricher, whose settings are those of its target but for the connector.
    ///
    /// # Errors
    /// The connector cannot be loaded, is no enricher, or its settings do not fit it.
    pub(crate) async fn load_enricher(
        settings: &'a Settings,
        enricher: &'a TargetSettings,
        sandbox: &'a Arc<Sandbox>,
        display: &'a Display,
    ) -> Result<Self, Failure> {
        LoadedTarget::load_as(Connector::expect_enricher, settings, enricher, sandbox, display).await
    }

    /// `expect` says whether the connector is of the kind that is wanted.
    async fn load_as(
        expect: fn(&Connector) -> Result<(), LoadError>,
        settings: &'a Settings,
        target: &'a TargetSettings,
        sandbox: &'a Arc<Sandbox>,
        display: &'a Display,
    ) -> Result<Self, Failure> {
        let path = locate(&target.connector_name, &settings.base_dir, &settings.connector_path)?;
        let what = format!("{}: loading the connector", target.name);
        // Compiling takes seconds, in which an interrupt must be heard.
        let compiling = tokio::task::spawn_blocking({
            let sandbox = Arc::clone(sandbox);
            move || Connector::load(&sandbox, &path)
        });
        let compiled = display.during(&what, None, compiling).await;
        let connector = compiled.map_err(|error| Failure::unexpected(error.to_string()))??;
        expect(&connector)?;
        let info = describe(sandbox, &connector).await?;
        check_version(target, &info, display)?;
        let given = parameters::of_connector(&target.parameters);
        parameters::check(&info, &given)?;
        let secret = |name: &str| {
            is_secret_name(name) || info.parameters.iter().any(|known| known.secret && known.name == name)
        };
        let secrets: Vec<_> =
            given.iter().filter(|(name, _)| secret(name)).map(|(_, value)| value.clone()).collect();
        let log = ConnectorLog::new(&target.name, secrets);
        let wanted_grants = parameters::wanted_grants(&info, &given);
        let grants =
            Grants::new(target.sandbox.clone(), given.into_iter().collect(), log.clone()).map_err(|why| {
                Failure::new(FailureKind::Configuration, why)
                    .hint("correct `sandbox: ca-file:` of the target")
            })?;
        let files = Files::new(target, &settings.base_dir).map_err(|error| {
            Failure::unexpected(format!("no folder for temporary files can be made: {error}"))
        })?;
        Ok(LoadedTarget {
            run: settings,
            settings: target,
            sandbox,
            connector,
            info,
            grants,
            log,
            display,
            files,
            wanted_grants,
        })
    }

    /// Calls the connector in an instance of its own. `title` says what is going on, while it does.
    pub(crate) async fn call<T, F>(
        &self,
        title: &str,
        progress: &Arc<Progress>,
        work: F,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: AsyncFnOnce(&mut Store<State>, &ComponentInstance) -> wasmtime::Result<Result<T, types::Error>>,
        F: Send + 'static,
    {
        self.call_with(title, progress, Session::default(), work).await
    }

    /// Likewise, and lends it a session with Raito Cloud.
    pub(crate) async fn call_with<T, F>(
        &self,
        title: &str,
        progress: &Arc<Progress>,
        session: Session,
        work: F,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: AsyncFnOnce(&mut Store<State>, &ComponentInstance) -> wasmtime::Result<Result<T, types::Error>>,
        F: Send + 'static,
    {
        let explain = |error| self.with_call_context(|context| context.failure(error));
        tracing::debug!(target: "raito", "{title}");
        let mut grants = self.grants.clone();
        grants.session = session;
        let instance =
            Instance::new(self.sandbox.engine(), self.connector.linked(), &grants).map_err(explain)?;
        self.log.begin_call();
        let outcome = self.display.during(title, Some(progress), instance.call(work)).await;
        if let Some(refusal) = progress.refusal() {
            return Err(self.with_call_context(|context| context.refused(&refusal)));
        }
        outcome.map_err(explain)
    }

    /// A writer of records into a new temporary file.
    pub(crate) fn writer(
        &self,
        part: &str,
        layout: Layout,
        progress: &Arc<Progress>,
    ) -> Result<RecordWriter, Failure> {
        let spool = Spool::create(&self.files.path(part, "json"), layout)
            .map_err(|error| Failure::unexpected(format!("a temporary file cannot be made: {error}")))?;
        Ok(RecordWriter::new(spool, Arc::clone(progress)))
    }

    /// Hands what is known about the target to whoever explains a failed call.
    pub(crate) fn with_call_context<T>(&self, explain: impl FnOnce(&CallContext<'_>) -> T) -> T {
        explain(&CallContext {
            sandbox: &self.settings.sandbox,
            wanted_grants: &self.wanted_grants,
            // A target of a file stands in a line of it.
            from_flags: self.settings.line.is_none(),
            clean: &|text| self.log.clean(text),
        })
    }

    /// Shows the warnings of the connector since they were shown last, and gives them.
    pub(crate) fn tell_warnings(&self) -> Vec<String> {
        let warnings = self.log.take_warnings();
        for warning in &warnings {
            self.display.connector_warning(&self.settings.name, warning);
        }
        warnings
    }
}

/// Compares the version that the target asks for with that of the connector. A version of a connector of Raito's own CLI
/// says nothing about ours; whoever asks for one is told so.
fn check_version(target: &TargetSettings, info: &ConnectorInfo, display: &Display) -> Result<(), Failure> {
    let Some(wanted) = &target.connector_version else { return Ok(()) };
    if info.version == wanted.to_string() {
        return Ok(());
    }
    let (name, found) = (&target.connector_name, &info.version);
    if original_name(name).is_some() {
        display.warning(&format!(
            "{}: `connector-version` {wanted} is a version of another program; the connector found for `{name}` is \
             version {found}",
            target.name
        ));
        return Ok(());
    }
    let message =
        format!("the connector `{name}` is version {found}, and `connector-version` asks for {wanted}");
    Err(Failure::new(FailureKind::ConnectorLoad, message)
        .hint("put that version where the connector is looked for, or write `connector-version: latest`"))
}

/// The failure that a file which could not be ended means: a fault of this machine, not of the connector.
pub(crate) fn spool_failure(error: &std::io::Error) -> Failure {
    Failure::unexpected(format!("a temporary file cannot be written: {error}"))
        .hint("check the free disk space")
}

/// Where the files of a target are while something is done with it.
pub(crate) struct Files {
    folder: PathBuf,
    /// Removes the folder with its files at the end; none if they are to be kept.
    _temporary: Option<TempDir>,
    name: String,
    /// Every path that was given out.
    given: Mutex<Vec<PathBuf>>,
}

impl Files {
    fn new(settings: &TargetSettings, base: &std::path::Path) -> std::io::Result<Self> {
        let name = settings.name.chars().filter(char::is_ascii_alphanumeric).collect();
        let given = Mutex::default();
        if settings.delete_temp_files {
            let temporary = tempfile::Builder::new().prefix("raito-").tempdir()?;
            Ok(Files { folder: temporary.path().into(), _temporary: Some(temporary), name, given })
        } else {
            Ok(Files { folder: base.into(), _temporary: None, name, given })
        }
    }

    /// A path for a file: the target's name, what it holds and the time.
    pub(crate) fn path(&self, part: &str, extension: &str) -> PathBuf {
        let now = time::OffsetDateTime::now_local().unwrap_or_else(|_| time::OffsetDateTime::now_utc());
        let format = time::macros::format_description!(
            "[year]-[month]-[day]T[hour]-[minute]-[second].[subsecond digits:3]"
        );
        let time = now.format(format).unwrap_or_default();
        let path = self.folder.join(format!("{}-{part}-{time}.{extension}", self.name));
        self.given.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
        path
    }

    /// Adds a path that somebody else made.
    pub(crate) fn add(&self, path: PathBuf) {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).push(path);
    }

    /// The files that were written. One that was split has a counter in each of its names.
    pub(crate) fn written(&self) -> Vec<PathBuf> {
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let mut written = Vec::new();
        for path in given.iter() {
            if path.exists() {
                written.push(path.clone());
            }
            written.extend((0..).map(|part| numbered(path, part)).take_while(|part| part.exists()));
        }
        written
    }
}
