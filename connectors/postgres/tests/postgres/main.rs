//! The connector against a real server. Each test has a server of its own.

#![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

mod apply;
mod desired;
mod failures;
mod identifiers;
mod ownership;
mod random_files;
mod reading;
mod scale;
mod server;
mod transactions;
