//! One PostgreSQL server for all tests that run at the same time, in whatever processes they do.
//!
//! Test runners may give every test a process of its own, and a server for each would cost more than the test. The
//! first one who needs the server starts it and the last one stops it; what `initdb` made stays in the folder, which
//! belongs into the build folder of the tests. Two locks, which the system releases however a process ends, say who
//! is there: `state` is held while somebody starts or stops, `users` is shared by everyone who uses the server.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Postgres;

/// An empty database of its own on the shared server; both go when they are no longer needed.
pub struct Database {
    // In the order in which they go.
    server: SharedPostgres,
    name: String,
}

struct SharedPostgres {
    server: Option<Postgres>,
    folder: PathBuf,
    users: File,
}

impl Database {
    /// Creates a database. `build` is the folder for temporary files of the build: `CARGO_TARGET_TMPDIR`.
    pub fn create(build: &str) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = format!("test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let database = Database { server: SharedPostgres::join(build), name };
        let name = &database.name;
        // A process of this number may have been killed. No template that somebody else may be looking at is used.
        database.query("postgres", &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        database.query("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0"));
        database
    }

    /// The address to connect to, with the password.
    pub fn address(&self) -> String {
        let server = self.server.postgres();
        let password = server.password().replace(' ', "%20");
        format!("postgres://postgres:{password}@127.0.0.1:{}/{}?sslmode=disable", server.port(), self.name)
    }

    /// Runs statements in the database. Several of them are one transaction.
    pub fn sql(&self, statements: &str) {
        self.query(&self.name, statements);
    }

    /// The rows of a query.
    pub fn rows(&self, query: &str) -> Vec<Vec<Option<String>>> {
        self.query(&self.name, query)
    }

    /// On a thread of its own: a test may be in the middle of asynchronous work.
    fn query(&self, database: &str, query: &str) -> Vec<Vec<Option<String>>> {
        let server = self.server.postgres();
        std::thread::scope(|scope| scope.spawn(|| server.rows(database, query)).join().unwrap())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.query("postgres", &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

impl SharedPostgres {
    fn join(build: &str) -> Self {
        let folder = place(Path::new(build)).join("raito-shared-postgres");
        fs::create_dir_all(&folder).unwrap();
        let state = open(&folder, "state");
        state.lock().unwrap();
        let users = open(&folder, "users");
        users.lock_shared().unwrap();
        // Its port is known if it runs, also when those who started it were killed.
        let server = Postgres::run_in(&folder.join("cluster"));
        SharedPostgres { server: Some(server), folder, users }
    }

    fn postgres(&self) -> &Postgres {
        self.server.as_ref().unwrap()
    }
}

impl Drop for SharedPostgres {
    fn drop(&mut self) {
        let state = open(&self.folder, "state");
        state.lock().unwrap();
        self.users.unlock().unwrap();
        if self.users.try_lock().is_ok() {
            self.server.take().unwrap().stop();
        }
    }
}

fn open(folder: &Path, name: &str) -> File {
    OpenOptions::new().create(true).truncate(false).write(true).open(folder.join(name)).unwrap()
}

/// The folder, or the one for temporary files if the server, which does not run as root, could not enter it.
fn place(build: &Path) -> PathBuf {
    let enterable =
        |folder: &Path| fs::metadata(folder).is_ok_and(|found| found.permissions().mode() & 0o001 != 0);
    if crate::postgres::unprivileged().is_none() || build.ancestors().all(enterable) {
        return build.to_owned();
    }
    std::env::temp_dir()
}
