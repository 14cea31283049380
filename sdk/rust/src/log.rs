//! Log lines. They reach the operator under the target's name; warnings are also reported to Raito Cloud with
//! the step. Standard output and standard error are logged too, at the level `debug`.
//!
//! ```no_run
//! raito_connector::log::warn("2 roles were left out: their names are too long");
//! ```

use crate::bindings::imports::wasi::logging::logging;

macro_rules! level {
    ($(#[$doc:meta])* $name:ident, $level:ident) => {
        $(#[$doc])*
        pub fn $name(message: impl AsRef<str>) {
            write(logging::Level::$level, message.as_ref());
        }
    };
}

level!(
    /// Values and flow, of use to the connector's author only.
    trace,
    Trace
);
level!(
    /// Of use to somebody who looks for a fault.
    debug,
    Debug
);
level!(
    /// Of use to somebody who watches a run.
    info,
    Info
);
level!(
    /// Something was left out or looks wrong; the step goes on.
    warn,
    Warn
);
level!(
    /// Something failed.
    error,
    Error
);

/// Outside of the sandbox, in the unit tests of a connector, there is no host to log to.
fn write(level: logging::Level, message: &str) {
    if cfg!(target_family = "wasm") {
        logging::log(level, "", message);
    } else {
        #[expect(clippy::print_stderr, reason = "unit tests have no other log")]
        {
            eprintln!("[{level:?}] {message}");
        }
    }
}
