//! `wasi:sockets/udp-create-socket`, in place of WASI's own: there are no UDP sockets. WASI's refuses them too, but the
//! connector alone would learn of it; here the attempt becomes a denial and fails the step.

use wasmtime::component::{Linker, Resource};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::p2::UdpSocket;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};

use super::instance::State;
use super::network::DenialReason;

const INTERFACE: &str = "wasi:sockets/udp-create-socket@0.2.12";

type Created = Result<Resource<UdpSocket>, ErrorCode>;

/// Puts the refusal in the place of the function that makes sockets.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    linker.allow_shadowing(true);
    linker.instance(INTERFACE)?.func_wrap(
        "create-udp-socket",
        |mut store: StoreContextMut<'_, State>, (_,): (IpAddressFamily,)| -> Result<(Created,)> {
            store.data_mut().gate().deny("a UDP socket", DenialReason::Never);
            Ok((Err(ErrorCode::AccessDenied),))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}
