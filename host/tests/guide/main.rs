//! The guide to access as code and its example, run as they stand: the real binary, the connector as it is shipped, a
//! PostgreSQL of the test's own, Git with a repository that is pushed to, and the steps of the workflows.
//!
//! The guide is changed by what it is about: an output that differs from the one in it fails the test. With
//! `RAITO_GUIDE_UPDATE=1` the outputs are written into the guide instead; read the difference before it is committed.
//!
//! The connector is found in the folder that the environment variable `RAITO_TEST_CONNECTORS` names; `cargo xtask test`
//! compiles it and sets the variable.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test should stop where it fails")]

mod document;
mod example;
mod machine;
mod psql;
mod story;
mod workflow;
