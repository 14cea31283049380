//! A PostgreSQL server.
//!
//! The superuser is `postgres`; everybody signs in with a password (SCRAM). `pg_stat_statements` is loaded, and
//! becomes visible in a database by `CREATE EXTENSION`. Up to 30 connections.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use tempfile::TempDir;
use tokio_postgres::{Config, NoTls, SimpleQueryMessage};

use crate::Certificate;

const SUPERUSER: &str = "postgres";
const PASSWORD: &str = "correct horse battery staple";

/// Somebody else may take a free port before the server does: then it tries another one.
const ATTEMPTS: usize = 5;

const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
max_connections = 30
shared_preload_libraries = 'pg_stat_statements'
";

/// A running server.
pub struct Postgres {
    programs: PathBuf,
    folder: Folder,
    port: u16,
}

/// Where the cluster is.
enum Folder {
    /// It goes with the server, which stops when this type is dropped.
    Own(TempDir),
    /// It stays, and so does the server until it is stopped.
    Kept(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Folder::Own(folder) => folder.path(),
            Folder::Kept(folder) => folder,
        }
    }
}

/// The server refused a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The SQLSTATE, such as `42501`; empty if it was not the server that ended the session.
    pub state: String,
    /// For people.
    pub message: String,
}

impl Postgres {
    /// Makes a cluster and starts a server without TLS.
    pub fn start() -> Self {
        Postgres::start_in_new_folder(None)
    }

    /// Makes a cluster and starts a server that offers TLS with this certificate, and lets nobody in without it: the
    /// queries of this type neither.
    pub fn start_with_tls(certificate: &Certificate) -> Self {
        Postgres::start_in_new_folder(Some(certificate))
    }

    /// The server of a folder that stays: the one that runs, or a new one. Nobody else may do the same meanwhile.
    pub(crate) fn run_in(folder: &Path) -> Self {
        let mut server = Postgres { programs: programs(), folder: Folder::Kept(folder.to_owned()), port: 0 };
        let data = folder.join("data");
        // Written last, so that what was cut off is not taken for complete.
        let complete = folder.join("complete");
        if !complete.is_file() {
            if folder.is_dir() {
                fs::remove_dir_all(folder).unwrap();
            }
            fs::create_dir(folder).unwrap();
            server.make_cluster(None);
            fs::write(complete, "").unwrap();
        }
        let running = server.run("pg_ctl", |command| {
            command.args(["status", "--pgdata"]).arg(&data);
        });
        // The fourth line is the port, written early by a server that starts.
        let port = fs::read_to_string(data.join("postmaster.pid")).ok();
        let port = port.and_then(|lines| lines.lines().nth(3).and_then(|line| line.parse().ok()));
        match port {
            Some(port) if running.success() => server.port = port,
            _ => server.start_cluster(),
        }
        server
    }

    /// Stops a server in a folder that stays.
    pub(crate) fn stop(&self) {
        self.run("pg_ctl", |command| {
            command.args(["stop", "--mode=fast", "--pgdata"]).arg(self.folder.path().join("data"));
        });
    }

    fn start_in_new_folder(certificate: Option<&Certificate>) -> Self {
        let folder = tempfile::Builder::new().prefix("raito-pg").tempdir().unwrap();
        let mut server = Postgres { programs: programs(), folder: Folder::Own(folder), port: 0 };
        server.make_cluster(certificate);
        server.start_cluster();
        server
    }

    fn make_cluster(&self, certificate: Option<&Certificate>) {
        let server = self;
        let owner = unprivileged();
        let own = |path: &Path| {
            if let Some((user, group)) = owner {
                chown(path, Some(user), Some(group)).unwrap();
            }
        };
        own(server.folder.path());
        let path = |name: &str| server.folder.path().join(name);
        let data = path("data");
        fs::write(path("password"), PASSWORD).unwrap();
        own(&path("password"));
        let made = server.run("initdb", |command| {
            command.args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]);
            command.arg(format!("--username={SUPERUSER}")).arg("--pwfile").arg(path("password"));
            command.arg("--pgdata").arg(&data);
        });
        assert!(made.success(), "initdb did not succeed: {made}");

        let mut settings = SETTINGS.to_owned();
        if let Folder::Kept(_) = self.folder {
            settings.push_str("max_connections = 200\n");
        }
        if let Some(Certificate { certificate, key }) = certificate {
            fs::write(data.join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 scram-sha-256\n").unwrap();
            settings.push_str("ssl = on\nssl_cert_file = 'server.crt'\nssl_key_file = 'server.key'\n");
            for (name, content) in [("server.crt", certificate), ("server.key", key)] {
                fs::write(data.join(name), content).unwrap();
                fs::set_permissions(data.join(name), fs::Permissions::from_mode(0o600)).unwrap();
                own(&data.join(name));
            }
        }
        let file = data.join("postgresql.conf");
        fs::write(&file, fs::read_to_string(&file).unwrap() + &settings).unwrap();
    }

    fn start_cluster(&mut self) {
        let server = self;
        let data = server.folder.path().join("data");
        for _ in 0..ATTEMPTS {
            server.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let started = server.run("pg_ctl", |command| {
                command.args(["start", "--wait", "--pgdata"]).arg(&data);
                command.arg("--log").arg(server.folder.path().join("log"));
                command.arg("--options").arg(format!("-p {}", server.port));
            });
            if started.success() {
                return;
            }
        }
        let log = fs::read_to_string(server.folder.path().join("log")).unwrap_or_default();
        panic!("the server did not start:\n{log}");
    }

    fn run(&self, program: &str, arguments: impl FnOnce(&mut Command)) -> ExitStatus {
        let mut command = Command::new(self.programs.join(program));
        arguments(&mut command);
        command
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some((user, group)) = unprivileged() {
            command.uid(user).gid(group);
        }
        command.status().unwrap()
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The password of the superuser.
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Runs statements as the superuser. Several of them are one transaction.
    pub fn sql(&self, database: &str, statements: &str) {
        self.rows(database, statements);
    }

    /// The rows of a query of the superuser.
    pub fn rows(&self, database: &str, query: &str) -> Vec<Vec<Option<String>>> {
        self.rows_as(SUPERUSER, PASSWORD, database, query)
    }

    /// The rows of somebody's query, which must succeed.
    pub fn rows_as(
        &self,
        user: &str,
        password: &str,
        database: &str,
        query: &str,
    ) -> Vec<Vec<Option<String>>> {
        match self.try_rows_as(user, password, database, query) {
            Ok(rows) => rows,
            Err(refused) => panic!("{user}: {query}: {refused:?}"),
        }
    }

    /// The rows of somebody's query, in a session of its own without TLS.
    pub fn try_rows_as(
        &self,
        user: &str,
        password: &str,
        database: &str,
        query: &str,
    ) -> Result<Vec<Vec<Option<String>>>, Refused> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
            let mut config = Config::new();
            config.user(user).password(password).dbname(database);
            let (client, connection) = config.connect_raw(stream, NoTls).await?;
            let driver = tokio::spawn(connection);
            let messages = client.simple_query(query).await;
            drop(client);
            driver.await.unwrap()?;
            let rows = messages?.into_iter().filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => {
                    Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
                }
                _ => None,
            });
            Ok(rows.collect())
        })
    }
}

impl From<tokio_postgres::Error> for Refused {
    fn from(error: tokio_postgres::Error) -> Self {
        let state = error.code().map_or_else(String::new, |state| state.code().to_owned());
        let message =
            error.as_db_error().map_or_else(|| error.to_string(), |refusal| refusal.message().to_owned());
        Refused { state, message }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Folder::Own(folder) = &self.folder
            && folder.path().join("data").is_dir()
        {
            self.run("pg_ctl", |command| {
                command.args(["stop", "--mode=immediate", "--pgdata"]).arg(folder.path().join("data"));
            });
        }
    }
}

/// The folder with the server's programs.
fn programs() -> PathBuf {
    let named = env::var_os("RAITO_TEST_PG_BIN").map(PathBuf::from);
    let on_path =
        env::var_os("PATH").map(|path| env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    let mut debian: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|folders| folders.flatten().map(|folder| folder.path().join("bin")).collect())
        .unwrap_or_default();
    debian.sort();
    let complete = |folder: &PathBuf| {
        ["initdb", "pg_ctl", "postgres"].iter().all(|program| folder.join(program).is_file())
    };
    let Some(found) = named.into_iter().chain(on_path).chain(debian.into_iter().rev()).find(complete) else {
        panic!(
            "these tests need PostgreSQL's server programs (Debian: the package postgresql): put their folder into \
             RAITO_TEST_PG_BIN"
        );
    };
    found
}

/// The server refuses to run as root; then it runs as another user of the machine.
pub(crate) fn unprivileged() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| {
        let output = Command::new("id").args(arguments).stderr(Stdio::null()).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse::<u32>().ok()
    };
    if id(&["-u"])? != 0 {
        return None;
    }
    [SUPERUSER, "nobody"].into_iter().find_map(|user| Some((id(&["-u", user])?, id(&["-g", user])?)))
}
