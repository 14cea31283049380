//! The self-hosted Raito Cloud: a server that clients of Raito Cloud can use unchanged, as a library.
//!
//! # What it does
//!
//! A client signs in, creates a job, uploads files of records and asks for their import; it asks for the
//! access controls to apply, and reports what became of them. People and programs read what arrived and
//! change access controls. All of it is kept in a
//! database and a storage of files, by default both in one data folder.
//!
//! # How a request goes
//!
//! ```text
//! POST /             sign-in (as AWS Cognito)      http/sign_in.rs ─► auth: users, passwords, tokens
//! GET file/upload/…  a signed address              http/files.rs   ─► files.rs: tickets, the storage of files
//! PUT that address   the file, checked on the way        "
//! POST query         GraphQL                       http/query.rs   ─► graphql.rs and its modules
//!                      reads                                       ─► store.rs (the database)
//!                      imports, exports: queued                    ─► jobs/queue.rs
//!                                                                       │
//!                    the worker, one piece at a time               ◄────┘ jobs/worker.rs
//!                      file ─► staging tables ─► merge             import.rs and its modules
//!                      stored access controls ─► access file       export.rs and its modules
//! ```
//!
//! # What holds
//!
//! * [`auth`] decides in one function who may do what; nothing else looks at roles.
//! * An import is one transaction, and may be repeated; its counts are exact.
//! * Memory does not grow with the size of a file.
//! * The engine behind the database is named in [`store`] and its `dialect` only.
//! * Secrets are stored as hashes and never logged: passwords as Argon2id, tokens and signed addresses as SHA-256.
//!
//! # Operations
//!
//! [`Operations`] says where files go, who may connect how, and how the server ends. Every request passes
//! `http/metrics.rs` (its id, its line in the log, its metrics) and `http/limits.rs`; `http/listener.rs` speaks TLS.
//! [`init`] sets a server up, [`backup`] and [`restore`] move all that it holds.

mod auth;
mod backup;
mod changes;
mod error;
mod export;
mod files;
mod grant_categories;
mod graphql;
mod http;
mod ids;
mod import;
mod jobs;
mod lock;
mod metadata;
mod metrics;
mod operations;
mod records;
mod retention;
mod rules;
mod server;
mod sources;
mod status;
mod store;
mod triggers;

pub use auth::Role;
pub use auth::users::NewUser;
pub use backup::{BackupReport, Location, backup, restore};
pub use error::CloudError;
pub use files::StorageAddress;
#[doc(hidden)]
pub use graphql::sdl;
pub use operations::{Limits, Operations, TlsFiles};
pub use server::{
    Credentials, DEFAULT_DOMAIN, DEFAULT_JOB_TIMEOUT, DEFAULT_LEASE, FirstAdmin, InitConfig, Server,
    ServerConfig, init,
};
pub use sources::DataSourceIds;
pub use status::{DataSourceStatus, LastSync, Status, status};
pub use store::{Database, DatabaseAddressError, PostgresAddress};
