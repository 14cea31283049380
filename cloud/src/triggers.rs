//! Triggers: tells command lines that listen what there is to do.
//!
//! ```text
//! cliTriggerUrl ──► an address of its own        address.rs
//! WebSocket     ──► a connection                 http/trigger.rs, connection.rs
//!   heartbeat:      which data sources           hub.rs
//!
//! access_changes ──┐  every second, and when rung
//! sync_triggers  ──┴─► claimed, written to a connection, removed      delivery.rs
//! ```
//!
//! What holds, with any number of servers on one database:
//!
//! * A change of access controls is told to one connection that listens for its data source; several changes within
//!   about a second are told together. Whoever fetches the access controls meanwhile has them, and nothing is told.
//! * What is to be told is claimed by one server before, and removed after it was written. If the connection or the
//!   server dies in between, the claim runs out and another delivers. So nothing is lost, and nothing is told twice
//!   unless a server dies between writing and removing.
//! * What nobody listens for waits: changes as long as they are kept (see `changes`), synchronisations that people
//!   asked for a quarter of an hour.

pub(crate) mod address;
pub(crate) mod connection;
mod delivery;
pub(crate) mod event;
mod hub;
pub(crate) mod request;

pub(crate) use delivery::taken;
pub(crate) use hub::Triggers;
