//! The sandbox: an engine with limits, and everything that a connector can reach.
//!
//! Nothing is there unless the `sandbox` block of the target grants it. One file for each capability: its state, its
//! implementation, and how it gets into the linker.
//!
//! | capability | file | granted by |
//! |---|---|---|
//! | name look-up | [`lookup`] | `network` |
//! | TCP | [`network`] | `network` |
//! | TLS | [`tls`] | `network` (the server name), `ca-file` |
//! | HTTP | [`http`] | `network`, `ca-file` |
//! | UDP | [`udp`] | nothing |
//! | files | [`instance`] | `filesystem` |
//! | parameters | [`instance`] | the target's keys |
//! | a session with Raito Cloud | [`session`] | exporting `resource-provider` |
//! | log, standard output and error | [`log`] | always, as text |
//! | clocks, random numbers | WASI's own | always |
//! | memory, tables, time | [`limits`], [`instance`] | `memory`, `timeout` |
//!
//! Environment, arguments, standard input, UDP and listening sockets are never there. Every call has an instance
//! of its own, so nothing is shared between targets, steps or calls.

mod engine;
mod http;
mod instance;
mod limits;
mod log;
mod lookup;
pub mod network;
mod session;
mod tls;
mod udp;

pub use engine::{CacheLocation, Sandbox};
pub use instance::{CallError, Grants, Instance, State};
pub use limits::LimitHit;
pub use log::{ConnectorLog, defused, escaped};
pub use network::Denial;
pub use session::Session;
