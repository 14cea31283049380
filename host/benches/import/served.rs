//! The server, as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::floor::Database;
use crate::{DOMAIN, Failure};

/// The first administrator.
pub(crate) const USER: &str = "admin@acme.example";
/// The administrator's password.
pub(crate) const PASSWORD: &str = "Correct-Horse-7";

/// A running server.
pub(crate) struct Served {
    child: Child,
    /// Where it listens, with a slash at the end.
    pub(crate) url: String,
}

impl Served {
    /// Starts one and waits until it listens. Its files go into the folder.
    pub(crate) fn start(database: &Database, folder: &Path) -> Result<Self, Failure> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_raito"));
        command.args([
            "cloud",
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--domain",
            DOMAIN,
            "--admin-email",
            USER,
        ]);
        match database {
            Database::File(folder) => {
                command.arg("--data-dir").arg(folder);
            }
            Database::Postgres(address) => {
                command.arg("--data-dir").arg(folder).env("RAITO_CLOUD_DATABASE", address);
            }
        }
        command.env("RAITO_CLOUD_ADMIN_PASSWORD", PASSWORD).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut served = Served { child: command.spawn()?, url: String::new() };
        let mut lines = BufReader::new(served.child.stderr.take().ok_or("no pipe")?).lines();
        while served.url.is_empty() {
            let line = lines.next().ok_or("the server ended")??;
            if let Some((_, url)) = line.split_once("listens on ") {
                url.trim().clone_into(&mut served.url);
            }
        }
        // Somebody must read on, or the server would wait for the pipe one day.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(served)
    }

    /// The most memory that it had resident, in KiB.
    pub(crate) fn peak_memory(&self) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).ok_or("no VmHWM")?;
        Ok(line.split_whitespace().nth(1).ok_or("no VmHWM")?.parse()?)
    }

    /// Asks it to end, and waits.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
