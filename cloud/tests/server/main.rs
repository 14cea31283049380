// The server as its clients see it: over HTTP, with the documents that the command line sends.
//
// `tests/server_postgres.rs` includes this file, so that every test runs on both engines; what is included cannot
// begin with documentation of the crate.

mod access;
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
mod usage;

/// What a test can fail with.
type Failure = Box<dyn std::error::Error + Send + Sync>;
