//! One instance of a connector: what it was granted, its limits, and how a call into it ends.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use wasmtime::component::{Instance as ComponentInstance, InstancePre, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_config::{WasiConfig, WasiConfigVariables};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use wasmtime_wasi_tls::{WasiTlsCtx, WasiTlsCtxBuilder, WasiTlsCtxView, WasiTlsView};

use super::http::GatedHttp;
use super::limits::{LimitHit, Limits};
use super::log::{ConnectorLog, Output};
use super::network::{Denial, NetworkGate};
use super::session::Session;
use super::tls::{self, GatedTls};
use crate::config::sandbox::{FilesystemAccess, SandboxSettings};
use crate::contract::types;

/// Bytes that the arguments of one call of the guest into the host may take.
const CALL_BYTES: usize = 16 << 20;
/// Handles that a guest may hold.
const HANDLES: usize = 65_536;

/// What an instance may do, and what it is told.
#[derive(Clone)]
pub struct Grants {
    /// The `sandbox` block.
    pub sandbox: SandboxSettings,
    /// The target's parameters for the connector.
    pub parameters: Vec<(String, String)>,
    /// Where its log lines go.
    pub log: ConnectorLog,
    /// Its session with Raito Cloud. It reaches connectors that export `resource-provider`.
    pub session: Session,
    tls: Arc<ClientConfig>,
}

impl Grants {
    /// # Errors
    /// If the `ca-file` cannot be used.
    pub fn new(
        sandbox: SandboxSettings,
        parameters: Vec<(String, String)>,
        log: ConnectorLog,
    ) -> Result<Self, String> {
        let tls = tls::client_config(sandbox.ca_file.as_deref())?;
        Ok(Grants { sandbox, parameters, log, session: Session::default(), tls })
    }
}

/// Why a call into a connector did not give a result.
#[derive(Debug)]
pub enum CallError {
    /// A granted folder cannot be opened.
    Folder {
        /// The folder on the host.
        path: std::path::PathBuf,
        /// Why not.
        why: String,
    },
    /// The connector asked for something that it was not granted.
    Denied(Vec<Denial>),
    /// A limit of the sandbox was reached.
    Limit(LimitHit),
    /// The time of the step ran out.
    TimedOut(Duration),
    /// The connector failed in a way that it cannot report: a trap.
    Trapped(String),
    /// The connector returned an error.
    Connector(types::Error),
}

/// What belongs to one instance while it lives.
pub struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    http_hooks: GatedHttp,
    tls: WasiTlsCtx,
    config: WasiConfigVariables,
    log: ConnectorLog,
    session: Session,
    gate: Arc<NetworkGate>,
    limits: Limits,
}

impl State {
    fn new(grants: &Grants) -> Result<Self, CallError> {
        let gate = Arc::new(NetworkGate::new(grants.sandbox.network.clone()));
        let mut wasi = WasiCtx::builder();
        wasi.stdout(Output(grants.log.clone()))
            .stderr(Output(grants.log.clone()))
            // Off unless said otherwise; what a socket then reaches is for the check below.
            .allow_tcp(true)
            .allow_udp(false)
            .allow_ip_name_lookup(false);
        wasi.socket_addr_check({
            let gate = Arc::clone(&gate);
            move |address, purpose| {
                let allowed = gate.allows(address, purpose);
                Box::pin(async move { allowed })
            }
        });
        for grant in &grants.sandbox.filesystem {
            let access = match grant.access {
                FilesystemAccess::Read => FsPerms::ReadOnly,
                FilesystemAccess::Write => FsPerms::ReadWrite,
            };
            wasi.preopened_dir(&grant.host, &grant.guest, access)
                .map_err(|error| CallError::Folder { path: grant.host.clone(), why: error.to_string() })?;
        }
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        let mut config = WasiConfigVariables::new();
        for (name, value) in &grants.parameters {
            config.insert(name, value);
        }
        Ok(State {
            table,
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            http_hooks: GatedHttp { gate: Arc::clone(&gate), tls: Arc::clone(&grants.tls) },
            tls: WasiTlsCtxBuilder::new()
                .provider(Box::new(GatedTls { gate: Arc::clone(&gate), config: Arc::clone(&grants.tls) }))
                .build(),
            config,
            log: grants.log.clone(),
            session: grants.session.clone(),
            gate,
            limits: Limits::new(grants.sandbox.memory),
        })
    }

    /// The resources of the instance.
    pub fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }

    pub(super) fn gate(&self) -> &Arc<NetworkGate> {
        &self.gate
    }

    pub(super) fn log(&mut self) -> &mut ConnectorLog {
        &mut self.log
    }

    pub(super) fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    pub(super) fn config(&mut self) -> WasiConfig<'_> {
        WasiConfig::from(&self.config)
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.http_hooks }
    }
}

impl WasiTlsView for State {
    fn tls(&mut self) -> WasiTlsCtxView<'_> {
        WasiTlsCtxView { ctx: &mut self.tls, table: &mut self.table }
    }
}

/// A connector about to be called once.
pub struct Instance {
    store: Store<State>,
    pre: InstancePre<State>,
    timeout: Duration,
}

impl Instance {
    /// Prepares an instance with these grants. No code of the connector runs yet.
    ///
    /// # Errors
    /// If a granted folder cannot be opened.
    pub fn new(engine: &Engine, pre: &InstancePre<State>, grants: &Grants) -> Result<Self, CallError> {
        let mut store = Store::new(engine, State::new(grants)?);
        store.limiter(|state| &mut state.limits);
        store.set_hostcall_fuel(CALL_BYTES);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        Ok(Instance { store, pre: pre.clone(), timeout: grants.sandbox.timeout })
    }

    /// Makes the call, on a thread of its own, until it ends or its time runs out.
    ///
    /// # Errors
    /// A denial or a reached limit wins over whatever the connector returned.
    pub async fn call<T, F>(self, work: F) -> Result<T, CallError>
    where
        T: Send + 'static,
        F: AsyncFnOnce(&mut Store<State>, &ComponentInstance) -> wasmtime::Result<Result<T, types::Error>>,
        F: Send + 'static,
    {
        let runtime = tokio::runtime::Handle::current();
        let thread = tokio::task::spawn_blocking(move || runtime.block_on(self.run(work)));
        thread.await.unwrap_or_else(|error| Err(CallError::Trapped(format!("the host failed: {error}"))))
    }

    async fn run<T, F>(mut self, work: F) -> Result<T, CallError>
    where
        F: AsyncFnOnce(&mut Store<State>, &ComponentInstance) -> wasmtime::Result<Result<T, types::Error>>,
    {
        let (store, pre) = (&mut self.store, &self.pre);
        let gate = Arc::clone(store.data().gate());
        let call = tokio::time::timeout(self.timeout, async {
            let instance = pre.instantiate_async(&mut *store).await?;
            work(store, &instance).await
        });
        let outcome = tokio::select! {
            outcome = call => Some(outcome),
            // A connector that was denied something is not given the chance to go on without it.
            () = gate.denied() => None,
        };
        let state = self.store.data();
        let denials = state.gate.denials();
        if !denials.is_empty() {
            return Err(CallError::Denied(denials));
        }
        if let Some(limit) = state.limits.hit() {
            return Err(CallError::Limit(limit));
        }
        match outcome {
            None | Some(Err(_)) => Err(CallError::TimedOut(self.timeout)),
            Some(Ok(Err(trap))) if too_much_at_once(&trap) => {
                Err(CallError::Limit(LimitHit::Call(CALL_BYTES as u64)))
            }
            Some(Ok(Err(trap))) => Err(CallError::Trapped(describe(&trap))),
            Some(Ok(Ok(Err(error)))) => Err(CallError::Connector(error)),
            Some(Ok(Ok(Ok(result)))) => Ok(result),
        }
    }
}

/// Whether a call was ended because its arguments are larger than [`CALL_BYTES`]. The engine's error has no public
/// type, only a text; a guest of the tests sees to it that this is still the text.
fn too_much_at_once(trap: &wasmtime::Error) -> bool {
    trap.root_cause().to_string().contains("fuel allocated for hostcalls has been exhausted")
}

/// The cause of a trap, without the frames of the guest, which have no names in a stripped component.
fn describe(trap: &wasmtime::Error) -> String {
    match trap.downcast_ref::<wasmtime::Trap>() {
        Some(wasmtime::Trap::UnreachableCodeReached) => {
            "it ran into code that must not be reached, which is how a panic ends; \
             its last words are in the log at the level debug"
                .to_owned()
        }
        Some(code) => code.to_string(),
        None => trap.root_cause().to_string(),
    }
}
