//! Real servers that tests start for themselves: in a temporary folder, on loopback, stopped when the test ends.
//!
//! What cannot be started ends the test, with what the server had to say.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a server that does not start fails the test")]
#![expect(clippy::missing_panics_doc, reason = "everything here panics for this one reason")]

mod certificates;
mod object_store;
mod postgres;
mod shared;

pub use self::certificates::{Authority, Certificate};
pub use self::object_store::ObjectStore;
pub use self::postgres::{Postgres, Refused};
pub use self::shared::Database;
