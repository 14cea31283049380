//! A file that exists while Raito Cloud can reach this program with triggers: what a container's probe looks for.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The file, if there is to be one. It goes at the end.
#[derive(Debug)]
pub struct Liveness {
    path: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many connections there should be.
    wanted: usize,
    /// Those that there are.
    connected: HashSet<usize>,
    exists: bool,
}

impl Liveness {
    /// Removes what an earlier program may have left.
    pub fn new(path: Option<PathBuf>) -> Self {
        if let Some(path) = &path {
            remove(path);
        }
        Liveness { path, state: Mutex::default() }
    }

    /// Begins anew: there should be this many connections, and there is none.
    pub fn expect(&self, connections: usize) {
        self.change(|state| *state = State { wanted: connections, exists: state.exists, ..State::default() });
    }

    /// A connection has come or gone.
    pub fn set(&self, connection: usize, connected: bool) {
        self.change(|state| {
            if connected {
                state.connected.insert(connection);
            } else {
                state.connected.remove(&connection);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let Some(path) = &self.path else { return };
        let alive = state.wanted > 0 && state.connected.len() >= state.wanted;
        if alive && !state.exists {
            match create(path) {
                Ok(()) => state.exists = true,
                Err(error) => tracing::warn!(
                    target: "raito",
                    "the liveness file {} cannot be made: {error}",
                    path.display()
                ),
            }
        } else if !alive && state.exists {
            remove(path);
            state.exists = false;
        }
    }
}

impl Drop for Liveness {
    fn drop(&mut self) {
        self.expect(0);
    }
}

fn create(path: &Path) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn remove(path: &Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(target: "raito", "the liveness file {} cannot be removed: {error}", path.display());
        }
        _ => {}
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_there_while_all_connections_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alive");
        std::fs::write(&path, "left behind").unwrap();
        let liveness = Liveness::new(Some(path.clone()));
        assert!(!path.exists());
        liveness.expect(2);
        liveness.set(0, true);
        assert!(!path.exists());
        liveness.set(1, true);
        assert!(path.exists());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        liveness.set(0, false);
        assert!(!path.exists());
        liveness.set(0, true);
        assert!(path.exists());
        liveness.expect(1);
        assert!(!path.exists());
        liveness.set(0, true);
        drop(liveness);
        assert!(!path.exists());
    }
}
