//! x
pub mod cli;
pub mod cloud_client;
pub mod config;
pub mod secret;
