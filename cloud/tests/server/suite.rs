// The modules of the tests of the server. `main.rs` and `../server_postgres.rs` include this file, so that every test
// runs on both engines; what is included cannot begin with documentation of the crate.

mod access;
mod access_controls;
mod client;
mod data_objects;
mod engine;
mod identities;
mod life;
mod lifecycle;
mod operations;
mod replicas;
mod sign_in;
mod storage;
mod transport;
mod triggers;
mod typed;
mod usage;

/// What a test can fail with.
type Failure = Box<dyn std::error::Error + Send + Sync>;
