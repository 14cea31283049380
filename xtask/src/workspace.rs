//! Where things are: the workspace's folder and cargo's target folder.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folders that every command works with, both absolute.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// The folder that cargo builds into, and that everything else that is generated goes into.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Finds the workspace that this program was started in.
    ///
    /// The manifest's folder is asked for at run time, as `cargo run` states it: a clone that was moved or
    /// copied together with its `target/` still finds itself.
    pub(crate) fn find() -> Self {
        let manifest_folder = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest_folder.parent().map_or_else(|| manifest_folder.clone(), Path::to_path_buf);
        let target = env::var_os("CARGO_TARGET_DIR")
            .filter(|folder| !folder.is_empty())
            .map_or_else(|| root.join("target"), |folder| root.join(folder));
        Self { root, target }
    }

    /// A cargo invocation in the workspace's folder, by the same toolchain that runs this program.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        command
    }
}
