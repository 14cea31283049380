//! From a real PostgreSQL server through the connector in its sandbox into a self-hosted cloud, and back: the real
//! binary, the connector as it is shipped, a server and a cloud of the test's own.
//!
//! What arrives is compared with what the catalogue says. [`catalogue`] reads it in other ways than the connector does:
//! access lists as the text that the server prints, objects from the server's own views.
//!
//! The connector is found in the folder that the environment variable `RAITO_TEST_CONNECTORS` names; `cargo xtask test`
//! compiles it and sets the variable.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test should stop where it fails")]

mod arrived;
mod catalogue;
mod cloud;
mod failures;
mod place;
mod records;
mod site;
mod sync;
mod tls;
