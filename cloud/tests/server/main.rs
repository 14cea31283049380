//! The server as its clients see it: over HTTP, with the documents that the command line sends.

mod access;
mod client;
mod data_objects;
mod identities;
mod lifecycle;
mod operations;
mod sign_in;
mod storage;
mod transport;
mod usage;

/// What a test can fail with.
type Failure = Box<dyn std::error::Error + Send + Sync>;
