//! The real binary, run as a user runs it: in a folder of its own, with `raito.yml`, flags and environment, and the
//! guests of `tests/guests` as connectors. What counts is what a user sees: exit code, standard output and standard
//! error, and what arrived in the embedded cloud.
//!
//! The guests are found in the folder that the environment variable `RAITO_TEST_GUESTS` names; `cargo xtask test`
//! compiles them and sets it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test should stop where it fails")]
#![expect(
    clippy::print_stdout,
    reason = "the attempts of hostile connectors and their outcomes are worth reading"
)]

mod access_faults;
mod add_target;
mod bad_configuration;
mod bad_connectors;
mod behind_a_gateway;
mod cloud_operations;
mod continuous;
mod deployment;
mod faults;
mod files;
mod five_steps;
mod gateway;
mod killed;
mod kinds;
mod locks_and_tags;
mod logging;
mod network;
mod options;
mod own_cloud;
mod place;
mod proxy;
mod served;
mod servers;
mod several_targets;
mod surroundings;
mod transcript;
mod wire_faults;
