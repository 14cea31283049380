//! A connector: a component that was found, checked, compiled and linked, and what it exports and imports.

mod file;
mod load;
mod locate;
mod original;

pub use load::{Connector, Export, LoadError};
pub use locate::locate;
pub use original::original_name;
