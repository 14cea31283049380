//! A PostgreSQL server of a test's own: in a temporary folder, on loopback, stopped when the test ends.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use raito_connector::Parameters;
use raito_connector_postgres::settings::Settings;
use tempfile::TempDir;
use tokio_postgres::{Config, NoTls, SimpleQueryMessage};

const PASSWORD: &str = "correct horse battery staple";

/// A running server. The superuser is `postgres`.
pub(crate) struct Server {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
}

impl Server {
    /// Makes a cluster and starts it.
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("raito-pg").tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Server { programs: programs(), folder, port };
        let path = server.folder.path();
        fs::write(path.join("password"), PASSWORD).unwrap();
        if let Some((user, group)) = unprivileged() {
            chown(path, Some(user), Some(group)).unwrap();
            chown(path.join("password"), Some(user), Some(group)).unwrap();
        }
        let data = path.join("data");
        server.run("initdb", |command| {
            command.args([
                "--username=postgres",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ]);
            command.arg("--pwfile").arg(path.join("password")).arg("--pgdata").arg(&data);
        });
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\nfsync = off\n\
             shared_preload_libraries = 'pg_stat_statements'\nmax_connections = 20\n"
        );
        let file = data.join("postgresql.conf");
        fs::write(&file, fs::read_to_string(&file).unwrap() + &settings).unwrap();
        server.run("pg_ctl", |command| {
            command.arg("start").arg("--wait").arg("--pgdata").arg(&data);
            command.arg("--log").arg(path.join("log"));
        });
        server
    }

    fn run(&self, program: &str, arguments: impl FnOnce(&mut Command)) {
        let mut command = Command::new(self.programs.join(program));
        arguments(&mut command);
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        if let Some((user, group)) = unprivileged() {
            command.uid(user).gid(group);
        }
        let status = command.status().unwrap();
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        assert!(status.success(), "{program} did not succeed: {status}\n{log}");
    }

    /// The settings of a target that connects as the superuser, with more parameters.
    pub(crate) fn settings(&self, more: &[(&str, &str)]) -> Settings {
        Settings::read(&self.parameters(more)).unwrap()
    }

    /// The parameters of the same.
    pub(crate) fn parameters(&self, more: &[(&str, &str)]) -> Parameters {
        let port = self.port.to_string();
        let base = [
            ("pg-host", "127.0.0.1"),
            ("pg-port", port.as_str()),
            ("pg-user", "postgres"),
            ("pg-password", PASSWORD),
            ("pg-tls-mode", "disable"),
        ];
        base.into_iter().chain(more.iter().copied()).collect()
    }

    /// Runs statements as the superuser, outside of the connector.
    pub(crate) fn sql(&self, database: &str, statements: &str) {
        self.query_as("postgres", PASSWORD, database, statements);
    }

    /// The rows of a query, each as its columns joined by `|`.
    pub(crate) fn rows(&self, database: &str, query: &str) -> Vec<String> {
        self.query_as("postgres", PASSWORD, database, query)
    }

    /// Runs statements as somebody.
    pub(crate) fn query_as(&self, user: &str, password: &str, database: &str, query: &str) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
            let mut config = Config::new();
            config.user(user).password(password).dbname(database);
            let (client, connection) = config.connect_raw(stream, NoTls).await.unwrap();
            let driver = tokio::spawn(connection);
            let messages = match client.simple_query(query).await {
                Ok(messages) => messages,
                Err(error) => panic!("{query}: {error:?}"),
            };
            drop(client);
            driver.await.unwrap().unwrap();
            messages
                .into_iter()
                .filter_map(|message| match message {
                    SimpleQueryMessage::Row(row) => {
                        let columns = (0..row.len()).map(|column| row.get(column).unwrap_or("NULL"));
                        Some(columns.collect::<Vec<_>>().join("|"))
                    }
                    _ => None,
                })
                .collect()
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut command = Command::new(self.programs.join("pg_ctl"));
        command.args(["stop", "--mode=immediate", "--pgdata"]).arg(self.folder.path().join("data"));
        command
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some((user, group)) = unprivileged() {
            command.uid(user).gid(group);
        }
        let _ = command.status();
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
    let found =
        named.into_iter().chain(on_path).chain(debian.into_iter().rev()).find(|folder| {
            ["initdb", "pg_ctl", "postgres"].iter().all(|program| folder.join(program).is_file())
        });
    let Some(found) = found else {
        panic!(
            "these tests need PostgreSQL's server programs (Debian: the package postgresql): put their folder into \
             RAITO_TEST_PG_BIN"
        );
    };
    found
}

/// The server refuses to run as root; then it runs as another user of the machine.
fn unprivileged() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| {
        let output = Command::new("id").args(arguments).stderr(Stdio::null()).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse::<u32>().ok()
    };
    if id(&["-u"])? != 0 {
        return None;
    }
    ["postgres", "nobody"].into_iter().find_map(|user| Some((id(&["-u", user])?, id(&["-g", user])?)))
}
