//! A sysroot with the standard library for `wasm32-wasip2`, compiled by the compiler in use from the source of the
//! same release.
//!
//! ```text
//! target/wasm-sysroot/<release>-<commit>/lib/rustlib/
//!     wasm32-wasip2/lib/*.rlib                 the standard library
//!     wasm32-wasip2/lib/self-contained/        start-up objects and C library, from wasi-libc
//!     <host> -> the toolchain's own            its linker, and its libraries for build scripts
//! ```
//!
//! A folder under its final name is complete: it is put together elsewhere and renamed. It holds for one compiler,
//! which its name tells, since no compiler reads another's libraries.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::rustc::{self, Rustc};
use super::{TARGET, apt};
use crate::process;
use crate::workspace::Workspace;

/// What the toolchain's own copy of the target takes from wasi-libc.
const SELF_CONTAINED: [&str; 3] = ["crt1-command.o", "crt1-reactor.o", "libc.a"];

/// The sysroot for this compiler, if it was built before.
pub(super) fn built(workspace: &Workspace, rustc: &Rustc) -> Option<PathBuf> {
    let folder = folder(workspace, rustc);
    // The link breaks when the toolchain has moved.
    let complete =
        rustc::holds_std(&libraries(&folder)) && folder.join("lib/rustlib").join(&rustc.host).is_dir();
    complete.then_some(folder)
}

/// The sysroot for this compiler, built now unless it was before. Takes about a minute, and network access to the
/// distribution's mirror and the crate registry.
pub(super) fn make(workspace: &Workspace, rustc: &Rustc) -> Result<PathBuf> {
    let parent = workspace.target.join("wasm-sysroot");
    fs::create_dir_all(&parent).with_context(|| format!("cannot create {}", parent.display()))?;
    // Whoever comes second waits for the first, and then finds the work done.
    let lock = File::create(parent.join("lock")).context("cannot create the lock of the sysroot's folder")?;
    lock.lock().context("cannot lock the sysroot's folder")?;
    if let Some(folder) = built(workspace, rustc) {
        return Ok(folder);
    }
    let work = parent.join("work");
    remove(&work)?;
    let done = build(workspace, rustc, &work);
    let removed = remove(&work);
    done.and_then(|folder| removed.map(|()| folder))
}

fn build(workspace: &Workspace, rustc: &Rustc, work: &Path) -> Result<PathBuf> {
    let packages = work.join("packages");
    fs::create_dir_all(&packages)?;
    apt::unpack_sources(&rustc.release, &packages)?;

    let source = packages.join(format!("usr/src/rustc-{}/library", rustc.release));
    let build = work.join("build");
    eprintln!("compiling the standard library of {} for {TARGET}", rustc.release);
    process::run_aside(
        workspace
            .cargo()
            .current_dir(&source)
            .args([
                "build",
                "--quiet",
                "--locked",
                "--release",
                "--target",
                TARGET,
                "--features",
                "panic-unwind",
            ])
            .args(["--manifest-path", "sysroot/Cargo.toml"])
            .arg("--target-dir")
            .arg(&build)
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            // As the library's own build does: its crates use what only they may, and serve link-time optimisation.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", "-Zforce-unstable-if-unmarked -Cembed-bitcode=yes"),
    )?;

    let sysroot = work.join("sysroot");
    let libraries = libraries(&sysroot);
    let self_contained = libraries.join("self-contained");
    fs::create_dir_all(&self_contained)?;
    for entry in fs::read_dir(build.join(TARGET).join("release/deps"))? {
        let path = entry?.path();
        if let (Some("rlib"), Some(name)) =
            (path.extension().and_then(|ending| ending.to_str()), path.file_name())
        {
            copy(&path, &libraries.join(name))?;
        }
    }
    for name in SELF_CONTAINED {
        copy(&packages.join("usr/lib").join(TARGET).join(name), &self_contained.join(name))?;
    }
    link_folder(
        &rustc.sysroot.join("lib/rustlib").join(&rustc.host),
        &sysroot.join("lib/rustlib").join(&rustc.host),
    )?;

    let folder = folder(workspace, rustc);
    remove(&folder)?;
    fs::rename(&sysroot, &folder).with_context(|| format!("cannot rename {}", sysroot.display()))?;
    Ok(folder)
}

fn folder(workspace: &Workspace, rustc: &Rustc) -> PathBuf {
    let commit = rustc.commit.get(..9).unwrap_or(&rustc.commit);
    workspace.target.join("wasm-sysroot").join(format!("{}-{commit}", rustc.release))
}

fn libraries(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib").join(TARGET).join("lib")
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

#[cfg(unix)]
fn link_folder(original: &Path, link: &Path) -> Result<()> {
    std::os::unix::fs::symlink(original, link)
        .with_context(|| format!("cannot link to {}", original.display()))
}

#[cfg(not(unix))]
fn link_folder(_original: &Path, _link: &Path) -> Result<()> {
    anyhow::bail!("a sysroot can be put together on Unix alone")
}
