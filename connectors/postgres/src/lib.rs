//! Raito connector for PostgreSQL.

mod cluster;
pub mod identities;
mod metadata;
mod names;
pub mod pattern;
mod quote;
pub mod session;
pub mod settings;
mod vocabulary;
