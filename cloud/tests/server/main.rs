//! The server as its clients see it: over HTTP, with the documents that the command line sends.

mod access;
mod client;
mod data_objects;
mod identities;
mod lifecycle;
mod sign_in;
mod transport;
mod triggers;
mod usage;

/// What a test can fail with.
type Failure = Box<dyn std::error::Error + Send + Sync>;
