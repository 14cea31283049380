//! `raito` loads connectors as sandboxed WebAssembly components, reads identities, metadata, access controls and
//! usage through them, streams these to Raito Cloud, and has them apply access controls.
//!
//! The place to start reading is [`run`]: a run, top to bottom. The modules below it, in the order of the flow:
//!
//! - [`access`]: access as code, from files in a repository to the target;
//! - [`access_file`]: these files, checked and merged;
//! - [`cli`]: the command line, parsed and nothing more;
//! - [`config`]: `raito.yml`, environment and flags become settings;
//! - [`target`]: a target with its connector, ready to be called;
//! - [`connector`]: a component is found, checked, compiled and linked;
//! - [`sandbox`]: what it can reach, and how its calls end;
//! - [`contract`]: the typed interface between host and connector;
//! - [`sinks`]: records on their way from the connector into files;
//! - [`records`]: the formats of these files;
//! - [`cloud_client`]: Raito Cloud's protocol.

pub mod access;
pub mod access_file;
pub mod add_target;
mod backup;
pub mod cli;
pub mod cloud_admin;
pub mod cloud_client;
pub mod cloud_status;
pub mod config;
pub mod connector;
pub mod continuous;
pub mod contract;
pub mod failure;
pub mod info;
pub mod interrupt;
pub mod log;
pub mod progress;
pub mod records;
pub mod run;
pub mod sandbox;
pub mod schedule;
pub mod secret;
pub mod server_log;
pub mod signals;
pub mod sinks;
pub mod summary;
pub mod target;
pub mod triggers;
