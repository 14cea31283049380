//! Raito connector for PostgreSQL.

mod acl;
mod cluster;
pub mod identities;
pub mod metadata;
mod names;
pub mod objects;
mod ownership_mark;
pub mod pattern;
mod quote;
pub mod read;
mod schemas;
pub mod session;
pub mod settings;
pub mod target;
mod vocabulary;
