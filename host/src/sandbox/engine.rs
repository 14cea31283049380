//! The engine that all connectors of a process share, and the linker with what they may import.
//!
//! Compiled code is cached by wasmtime itself, under a key made from the component's bytes and the compiler's
//! settings, in a folder that belongs to the user alone. Compiled code from anywhere else is never loaded.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime::{Cache, CacheConfig, Config, Engine, Result};

use super::instance::State;
use crate::contract;
use crate::failure::Failure;

/// How often running guests come up for air, which is how closely time-outs are kept.
const EPOCH: Duration = Duration::from_millis(10);
/// Stack of a guest's own frames.
const WASM_STACK: usize = 1 << 20;
/// Stack of a call, those of the host's functions included.
const CALL_STACK: usize = 3 << 20;

/// Where compiled code is kept.
#[derive(Clone, Debug)]
pub enum CacheLocation {
    /// In this folder, which is created for the user alone.
    Folder(PathBuf),
    /// Nowhere: every start compiles.
    None,
}

/// The engine, the linker and the clock of the time-outs.
pub struct Sandbox {
    engine: Engine,
    linker: Linker<State>,
    /// With a session with Raito Cloud besides.
    session_linker: Linker<State>,
    stop: Arc<AtomicBool>,
    clock: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// # Errors
    /// If the machine cannot run compiled code, or the cache folder cannot be made.
    pub fn new(cache: &CacheLocation) -> Result<Self> {
        let mut config = Config::new();
        config
            .wasm_component_model(true)
            .epoch_interruption(true)
            .max_wasm_stack(WASM_STACK)
            .async_stack_size(CALL_STACK);
        if let CacheLocation::Folder(folder) = cache {
            private_folder(folder)?;
            if belongs_to_the_user_alone(folder)? {
                let mut settings = CacheConfig::new();
                settings.with_directory(folder);
                config.cache(Some(Cache::new(settings)?));
            } else {
                let folder = folder.display();
                tracing::warn!(target: "raito", "{folder} is not the user's alone: compiled code is not kept there");
            }
        }
        let engine = Engine::new(&config)?;
        let session_linker = linker(&engine, true)?;
        let linker = linker(&engine, false)?;
        let stop = Arc::new(AtomicBool::new(false));
        let clock = std::thread::Builder::new().name("raito-epoch".into()).spawn({
            let (engine, stop) = (engine.weak(), Arc::clone(&stop));
            move || {
                while !stop.load(Ordering::Relaxed)
                    && let Some(engine) = engine.upgrade()
                {
                    engine.increment_epoch();
                    std::thread::sleep(EPOCH);
                }
            }
        })?;
        Ok(Sandbox { engine, linker, session_linker, stop, clock: Some(clock) })
    }

    /// One that several targets share.
    ///
    /// # Errors
    /// As of [`Self::new`].
    pub fn shared(cache: &CacheLocation) -> Result<Arc<Self>, Failure> {
        Sandbox::new(cache)
            .map(Arc::new)
            .map_err(|error| Failure::unexpected(format!("the sandbox cannot be set up: {error}")))
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What components are linked with. Only those that manage resources of Raito Cloud may have a session with it.
    pub fn linker(&self, session: bool) -> &Linker<State> {
        if session { &self.session_linker } else { &self.linker }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(clock) = self.clock.take() {
            // The thread does nothing that could fail.
            drop(clock.join());
        }
    }
}

fn private_folder(folder: &std::path::Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Code is loaded from the folder, so whoever can write into it can run code as the user. A file made in it tells whose the
/// folder must be.
fn belongs_to_the_user_alone(folder: &std::path::Path) -> std::io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let own = tempfile::tempfile_in(folder)?.metadata()?.uid();
        let folder = folder.metadata()?;
        Ok(folder.uid() == own && folder.mode() & 0o022 == 0)
    }
    #[cfg(not(unix))]
    {
        folder.metadata().map(|folder| folder.is_dir())
    }
}

/// The sinks and sources live in the resource table of the instance.
struct HasTable;

impl HasData for HasTable {
    type Data<'a> = &'a mut ResourceTable;
}

fn linker(engine: &Engine, session: bool) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi_tls::p2::add_to_linker(
        &mut linker,
        wasmtime_wasi_tls::p2::LinkOptions::default().tls(true),
    )?;
    wasmtime_wasi_config::add_to_linker(&mut linker, State::config)?;
    super::lookup::add_to_linker(&mut linker)?;
    super::udp::add_to_linker(&mut linker)?;
    super::log::add_to_linker(&mut linker)?;
    contract::identities::add_to_linker::<_, HasTable>(&mut linker, State::table)?;
    contract::data_objects::add_to_linker::<_, HasTable>(&mut linker, State::table)?;
    contract::access_controls::add_to_linker::<_, HasTable>(&mut linker, State::table)?;
    contract::statements::add_to_linker::<_, HasTable>(&mut linker, State::table)?;
    contract::tag_assignments::add_to_linker::<_, HasTable>(&mut linker, State::table)?;
    if session {
        super::session::add_to_linker(&mut linker)?;
    }
    Ok(linker)
}
