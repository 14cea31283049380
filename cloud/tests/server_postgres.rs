//! The tests of `tests/server` on PostgreSQL. They go by the name of their crate, see `tests/server/engine.rs`.

include!("server/suite.inc");
