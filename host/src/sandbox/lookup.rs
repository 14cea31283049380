//! `wasi:sockets/ip-name-lookup`, in place of WASI's own: only granted names are looked up.

use std::net::IpAddr;
use std::sync::Arc;

use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress, Network};
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use super::instance::State;

const INTERFACE: &str = "wasi:sockets/ip-name-lookup@0.2.12";

/// A look-up under way, or what is left of its answer.
struct Lookup(Answer);

enum Answer {
    Pending(tokio::task::JoinHandle<Result<Vec<IpAddr>, ErrorCode>>),
    Ready(Result<std::vec::IntoIter<IpAddr>, ErrorCode>),
}

#[wasmtime_wasi::async_trait]
impl Pollable for Lookup {
    async fn ready(&mut self) {
        if let Answer::Pending(task) = &mut self.0 {
            let outcome = task.await.unwrap_or(Err(ErrorCode::TemporaryResolverFailure));
            self.0 = Answer::Ready(outcome.map(Vec::into_iter));
        }
    }
}

/// Puts the gated look-up in the place of the one that asks for any name.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    linker.allow_shadowing(true);
    let mut interface = linker.instance(INTERFACE)?;
    interface.resource("resolve-address-stream", ResourceType::host::<Lookup>(), |mut store, rep| {
        store.data_mut().table().delete(Resource::<Lookup>::new_own(rep))?;
        Ok(())
    })?;
    interface.func_wrap("resolve-addresses", resolve_addresses)?;
    interface.func_wrap("[method]resolve-address-stream.resolve-next-address", next_address)?;
    interface.func_wrap(
        "[method]resolve-address-stream.subscribe",
        |mut store: StoreContextMut<'_, State>,
         (lookup,): (Resource<Lookup>,)|
         -> Result<(Resource<DynPollable>,)> { Ok((subscribe(store.data_mut().table(), lookup)?,)) },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

fn resolve_addresses(
    mut store: StoreContextMut<'_, State>,
    (network, name): (Resource<Network>, String),
) -> Result<(Result<Resource<Lookup>, ErrorCode>,)> {
    let state = store.data_mut();
    state.table().get(&network)?;
    let gate = Arc::clone(state.gate());
    let Some(host) = gate.granted_host(&name) else {
        return Ok((Err(ErrorCode::AccessDenied),));
    };
    let task = tokio::spawn(async move {
        match gate.resolve(&host).await {
            Ok(Some(addresses)) => Ok(addresses),
            Ok(None) => Err(ErrorCode::AccessDenied),
            Err(_) => Err(ErrorCode::NameUnresolvable),
        }
    });
    Ok((Ok(state.table().push(Lookup(Answer::Pending(task)))?),))
}

type NextAddress = Result<Option<IpAddress>, ErrorCode>;

fn next_address(
    mut store: StoreContextMut<'_, State>,
    (lookup,): (Resource<Lookup>,),
) -> Result<(NextAddress,)> {
    let lookup = store.data_mut().table().get_mut(&lookup)?;
    Ok((match &mut lookup.0 {
        Answer::Pending(_) => Err(ErrorCode::WouldBlock),
        Answer::Ready(Ok(addresses)) => Ok(addresses.next().map(IpAddress::from)),
        Answer::Ready(Err(code)) => Err(*code),
    },))
}
