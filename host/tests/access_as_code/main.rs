//! Access as code against a real PostgreSQL server: the real binary, the connector as it is shipped, and access files as
//! people write them.
//!
//! What an apply must lead to is worked out by [`facts`] from a model of the access file, and asked of the server in
//! its own words (`has_table_privilege` and its like, in [`judge`]); neither shares anything with the connector.
//!
//! - [`sequences`]: random sequences of access files, with changes made by hand in between. `RAITO_TEST_CASES` is the number of
//!   sequences (default 8), `RAITO_TEST_SEED` what they are made from (default: another one each time; it is printed
//!   when a sequence fails).
//! - [`sessions`], [`killed`]: what others notice of an apply, and what is left of one that is killed.
//! - the other files: the commands, one subject each.
//!
//! The connector is found in the folder that the environment variable `RAITO_TEST_CONNECTORS` names; `cargo xtask test`
//! compiles it and sets the variable.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test should stop where it fails")]

mod by_hand;
mod company;
mod document;
mod drifting;
mod facts;
mod foreign;
mod judge;
mod killed;
mod names;
#[path = "../postgres_end_to_end/place.rs"]
#[expect(dead_code, reason = "what runs against Raito Cloud need is needed there alone")]
mod place;
mod planning;
mod reports;
mod restoring;
mod revokes;
mod sequences;
mod sessions;
mod site;
mod world;
