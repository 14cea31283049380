//! The self-hosted cloud as its operator handles it: set up, served, backed up.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use raito_cloud::{
    BackupReport, CloudError, DEFAULT_DOMAIN, Database, DatabaseAddressError, InitConfig, Limits, Location,
    Operations, Server, ServerConfig, TlsFiles,
};

use crate::cli::{InitArgs, LogFormat, PASSWORD_VARIABLE, PlaceArgs, ServeArgs};
use crate::config::values;
use crate::failure::{Failure, FailureKind};

/// How often somebody may mistype what is asked for.
const ATTEMPTS: usize = 3;

/// Where a cloud keeps what it holds.
///
/// # Errors
/// The address of the database makes no sense.
pub fn location(place: &PlaceArgs) -> Result<Location, Failure> {
    Ok(Location {
        data_dir: place.data_dir.clone(),
        database: database(&place.database)?,
        storage: place.storage.clone(),
    })
}

/// Reads the address of a database.
///
/// # Errors
/// It makes no sense.
pub fn database(address: &str) -> Result<Database, Failure> {
    address.parse().map_err(|error: DatabaseAddressError| {
        Failure::new(FailureKind::Configuration, format!("--database: {error}")).hint(error.hint())
    })
}

/// A failure of the cloud with its causes, and with what to do.
pub fn failed(error: &CloudError, otherwise: &str) -> Failure {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    Failure::new(FailureKind::Cloud, text).hint(error.hint().unwrap_or_else(|| otherwise.to_owned()))
}

/// Starts a server. `log` says how its log is written: a password that is made up is for people, not for a log.
///
/// # Errors
/// It cannot be started.
pub async fn start(arguments: &ServeArgs) -> Result<Server, Failure> {
    let domain = arguments.domain.clone();
    let tls = arguments.tls_cert.clone().zip(arguments.tls_key.clone());
    let config = ServerConfig {
        data_dir: arguments.place.data_dir.clone(),
        listen: arguments.listen,
        public_url: arguments.public_url.clone(),
        admin_email: arguments
            .admin_email
            .clone()
            .unwrap_or_else(|| format!("admin@{}.local", domain.as_deref().unwrap_or(DEFAULT_DOMAIN))),
        admin_password: password_of_environment(),
        may_generate_password: arguments.log_format == LogFormat::Text,
        domain,
        database: database(&arguments.place.database)?,
        job_timeout: arguments.job_timeout,
        lease: arguments.lease,
        operations: Operations {
            storage: arguments.place.storage.clone(),
            storage_proxy: arguments.storage_proxy,
            tls: tls.map(|(certificate, key)| TlsFiles { certificate, key }),
            metrics_listen: arguments.metrics_listen,
            trusted_proxies: arguments.trusted_proxy.clone(),
            limits: Limits {
                requests: arguments.max_requests,
                failed_sign_ins: arguments.max_failed_sign_ins,
                ..Limits::default()
            },
            shutdown_delay: arguments.shutdown_delay,
            shutdown_grace: arguments.shutdown_grace,
        },
    };
    Server::start(config).await.map_err(|error| {
        let failure = failed(
            &error,
            "see that nobody else uses the folder or the address, or name others with --data-dir and --listen",
        );
        let message = format!("the server cannot be started: {}", failure.message);
        let hint = match &error {
            CloudError::InUse { .. } | CloudError::Listen { .. } => Some(
                "see that nobody else uses the folder or the address, or name others with --data-dir and --listen"
                    .to_owned(),
            ),
            _ => failure.hint,
        };
        Failure { message, hint, ..failure }
    })
}

/// Sets up a cloud; gives the text that tells what was done.
///
/// # Errors
/// Something is missing or wrong, or it was set up already.
pub async fn init(arguments: &InitArgs) -> Result<String, Failure> {
    let domain = match &arguments.domain {
        Some(domain) => domain.clone(),
        None => ask("Domain of the organisation", "--domain", |domain| {
            values::is_domain(domain)
                .then_some(())
                .ok_or("letters, digits and dashes, beginning with a letter")
        })?,
    };
    let admin_email = match &arguments.admin_email {
        Some(email) => email.clone(),
        None => ask("E-mail address of the administrator", "--admin-email", |email| {
            email.contains('@').then_some(()).ok_or("an e-mail address has an @")
        })?,
    };
    let admin_password = password(arguments)?;
    let config = InitConfig { location: location(&arguments.place)?, domain, admin_email, admin_password };
    let domain = config.domain.to_lowercase();
    let admin =
        raito_cloud::init(config).await.map_err(|error| failed(&error, "correct it and try again"))?;
    let mut text = format!(
        "Raito Cloud for the domain `{domain}` is set up in {}.\nAdministrator: {}\n",
        arguments.place.data_dir.display(),
        admin.email
    );
    if let Some(password) = &admin.password {
        let _ = writeln!(text, "Password, shown this once: {password}");
    }
    text.push_str(
        "\nStart it with `raito cloud serve` and the same --data-dir and --storage.\n\
         It listens on this machine alone, in plain HTTP. For others to reach it, either let it speak TLS itself\n\
         (--tls-cert and --tls-key, with --listen 0.0.0.0:8443), or put a reverse proxy before it\n\
         (--public-url https://raito.example.com/ and --trusted-proxy with the proxy's address).\n",
    );
    Ok(text)
}

/// What a backup holds, for people.
pub fn report(done: &str, file: &Path, report: &BackupReport) -> String {
    let BackupReport { domain, tables, rows, files } = report;
    format!("{done} {}: domain `{domain}`, {rows} rows in {tables} tables, {files} files\n", file.display())
}

fn password_of_environment() -> Option<String> {
    std::env::var(PASSWORD_VARIABLE).ok().filter(|password| !password.is_empty())
}

/// The chosen password; none if one is to be made up.
fn password(arguments: &InitArgs) -> Result<Option<String>, Failure> {
    if arguments.generate_password {
        return Ok(None);
    }
    if let Some(file) = &arguments.admin_password_file {
        let text = std::fs::read_to_string(file).map_err(|error| {
            wrong(format!("the password file {} cannot be read: {error}", file.display()))
        })?;
        let password = text.lines().next().unwrap_or_default();
        if password.is_empty() {
            return Err(wrong(format!("the first line of {} is empty", file.display())));
        }
        return Ok(Some(password.to_owned()));
    }
    if let Some(password) = password_of_environment() {
        return Ok(Some(password));
    }
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    for _ in 0..ATTEMPTS {
        let first = hidden("Password of the administrator (empty: make one up): ")?;
        if first.is_empty() {
            return Ok(None);
        }
        if hidden("The same again: ")? == first {
            return Ok(Some(first));
        }
        let _ = writeln!(io::stderr(), "the two differ");
    }
    Err(wrong("no password was given".to_owned()))
}

fn hidden(question: &str) -> Result<String, Failure> {
    rpassword::prompt_password(question)
        .map_err(|error| wrong(format!("the password cannot be read: {error}")))
}

/// Asks on the terminal; without one, says which flag to give.
fn ask(
    question: &str,
    flag: &str,
    check: impl Fn(&str) -> Result<(), &'static str>,
) -> Result<String, Failure> {
    let missing =
        || wrong(format!("{flag} is missing")).hint(format!("give {flag}, or call it on a terminal"));
    if !io::stdin().is_terminal() {
        return Err(missing());
    }
    for _ in 0..ATTEMPTS {
        let _ = write!(io::stderr(), "{question}: ");
        let mut answer = String::new();
        let read = io::stdin().read_line(&mut answer);
        if !matches!(read, Ok(1..)) {
            break;
        }
        match check(answer.trim()) {
            Ok(()) => return Ok(answer.trim().to_owned()),
            Err(reason) => {
                let _ = writeln!(io::stderr(), "{reason}");
            }
        }
    }
    Err(missing())
}

fn wrong(message: String) -> Failure {
    Failure::new(FailureKind::Configuration, message)
}
