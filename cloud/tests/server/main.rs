//! The server as its clients see it: over HTTP, with the documents that the command line sends. On `SQLite`.

include!("suite.inc");
