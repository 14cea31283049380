//! What went wrong, for people and for scripts: a kind with an exit code of its own, one line, and a hint.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | everything was done |
//! | 1 | something unexpected: a fault of this program or of the machine |
//! | 3 | configuration: flags, `raito.yml`, environment |
//! | 4 | Raito Cloud: sign-in refused |
//! | 5 | Raito Cloud: not reachable, or it refused or failed a request |
//! | 9 | several targets failed, for different reasons |
//! | 11 | a parameter of a target is missing, unknown or wrong |
//! | 12 | the target system refused the credentials |
//! | 13 | the target system cannot be reached |
//! | 14 | the credentials do not allow what has to be done in the target system |
//! | 15 | the connector failed in another way |
//! | 20 | a connector cannot be loaded: not found, not a component, unknown import, other contract |
//! | 21 | a connector lacks an export that is needed |
//! | 22 | denied by the sandbox: the connector asked for something that was not granted |
//! | 23 | a limit of the sandbox was reached: memory, time, or what one call may hand over |
//! | 30 | the connector delivered a record that breaks the rules of its format |
//! | 31 | some access controls could not be applied to the target; the error says whether anything was changed |
//! | 32 | the access file is not valid, or cannot be read |
//! | 33 | refused: applying would take away more than `max-removals` allows |
//! | 34 | refused: the target has changed since the plan was made |
//! | 35 | not confirmed: nothing was applied |
//!
//! 2 is no failure: `access plan` found changes to make, `access drift` changes made by hand. 130 and 143 say that the
//! program was interrupted or terminated. 10 is left free: it says that a running program makes room for a newer one, as
//! it does with Raito's container runner.

use std::fmt::Write as _;

use serde::Serialize;

use crate::access_file::Findings;
use crate::cloud_client::CloudError;
use crate::config::ConfigErrors;
use crate::config::sandbox::{NetworkGrant, SandboxSettings};
use crate::connector::LoadError;
use crate::contract::types;
use crate::sandbox::network::DenialReason;
use crate::sandbox::{CallError, Denial, LimitHit, escaped};
use crate::sinks::Refusal;

/// The kinds of failures. The discriminants are the exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum FailureKind {
    /// A fault of this program or of the machine.
    Unexpected = 1,
    /// Flags, `raito.yml`, environment.
    Configuration = 3,
    /// Raito Cloud refused the sign-in.
    CloudSignIn = 4,
    /// Raito Cloud cannot be reached, refused or failed a request.
    Cloud = 5,
    /// Several targets failed for different reasons.
    Several = 9,
    /// A parameter of a target.
    Parameter = 11,
    /// The target system refused the credentials.
    TargetAuthentication = 12,
    /// The target system cannot be reached.
    TargetConnection = 13,
    /// The credentials do not suffice in the target system.
    TargetPermission = 14,
    /// The connector failed in another way.
    Connector = 15,
    /// A connector cannot be loaded.
    ConnectorLoad = 20,
    /// A connector lacks an export.
    ConnectorExport = 21,
    /// Denied by the sandbox.
    Denied = 22,
    /// A limit of the sandbox.
    Limit = 23,
    /// A record breaks a rule.
    Record = 30,
    /// Some access controls could not be applied.
    AccessControls = 31,
    /// The access file is not valid.
    AccessFile = 32,
    /// Applying would take away more than is allowed.
    Removals = 33,
    /// The target has changed since the plan was made.
    Moved = 34,
    /// Nobody confirmed.
    NotConfirmed = 35,
}

impl FailureKind {
    /// The exit code.
    pub fn exit_code(self) -> u8 {
        self as u8
    }
}

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// One line.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure without a hint.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Failure { kind, message: message.into(), hint: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says which target it is about.
    #[must_use]
    pub fn of(mut self, target: &str) -> Self {
        self.message =
            self.message.lines().map(|line| format!("{target}: {line}")).collect::<Vec<_>>().join("\n");
        self
    }

    /// How people are told: a line for each thing that is wrong, and one for the hint.
    pub fn report(&self, target: Option<&str>) -> String {
        let place = target.map(|target| format!("{target}: ")).unwrap_or_default();
        let mut lines: Vec<_> = self.message.lines().map(|line| format!("error: {place}{line}")).collect();
        lines.extend(self.hint.iter().map(|hint| format!("  hint: {hint}")));
        lines.join("\n")
    }

    /// A fault of this program or of the machine.
    pub fn unexpected(message: impl Into<String>) -> Self {
        Failure::new(FailureKind::Unexpected, message)
    }
}

impl From<CloudError> for Failure {
    fn from(error: CloudError) -> Self {
        let kind = match &error {
            CloudError::SignIn { .. }
            | CloudError::NoCredentials { .. }
            | CloudError::Denied { .. }
            | CloudError::Status { status: 401 | 403, .. } => FailureKind::CloudSignIn,
            CloudError::File { .. } => FailureKind::Unexpected,
            _ => FailureKind::Cloud,
        };
        // Much of it is text from the other side of a connection.
        Failure { kind, message: escaped(&error.to_string()), hint: error.hint().map(str::to_owned) }
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        let kind = match error {
            LoadError::MissingExport { .. } => FailureKind::ConnectorExport,
            _ => FailureKind::ConnectorLoad,
        };
        Failure { kind, message: error.to_string(), hint: Some(error.hint()) }
    }
}

impl From<ConfigErrors> for Failure {
    /// The first error with its hint, and how many more there are with theirs below.
    fn from(errors: ConfigErrors) -> Self {
        let hint = errors.0.first().and_then(crate::config::ConfigError::hint);
        let mut message = String::new();
        for (at, error) in errors.0.iter().enumerate() {
            if at > 0 {
                message.push('\n');
            }
            let _ = write!(message, "{error}");
            if let (true, Some(hint)) = (at + 1 < errors.0.len(), error.hint()) {
                let _ = write!(message, " ({hint})");
            }
        }
        let hint = if errors.0.len() > 1 {
            errors.0.last().and_then(crate::config::ConfigError::hint)
        } else {
            hint
        };
        Failure { kind: FailureKind::Configuration, message, hint }
    }
}

impl From<Findings> for Failure {
    fn from(findings: Findings) -> Self {
        let mut lines: Vec<String> = findings
            .shown
            .iter()
            .map(|finding| match &finding.hint {
                Some(hint) => format!("{finding} ({hint})"),
                None => finding.to_string(),
            })
            .collect();
        if let more @ 1.. = findings.total.saturating_sub(findings.shown.len()) {
            lines.push(format!("and {more} more errors in the access files"));
        }
        Failure::new(FailureKind::AccessFile, lines.join("\n"))
    }
}

/// What is known about the target when a call into its connector fails.
pub struct CallContext<'a> {
    /// The target's sandbox.
    pub sandbox: &'a SandboxSettings,
    /// The network grants that the connector says it needs, with the target's parameters filled in.
    pub wanted_grants: &'a [String],
    /// The target was given by flags, not by a configuration file.
    pub from_flags: bool,
    /// Makes text of the connector fit to be shown.
    pub clean: &'a dyn Fn(&str) -> String,
}

impl CallContext<'_> {
    /// The failure that an unsuccessful call means.
    pub fn failure(&self, error: CallError) -> Failure {
        match error {
            CallError::Folder { path, why } => Failure::new(
                FailureKind::Configuration,
                format!("the granted folder {} cannot be opened: {why}", path.display()),
            )
            .hint("correct `host` under `sandbox: filesystem:`, or make the folder"),
            CallError::Denied(denials) => self.denied(&denials),
            CallError::Limit(LimitHit::Memory(bytes)) => Failure::new(
                FailureKind::Limit,
                format!("the connector wanted more than {} MiB of memory", bytes >> 20),
            )
            .hint("raise `sandbox: memory:` of the target"),
            CallError::Limit(LimitHit::TableEntries) => {
                Failure::new(FailureKind::Limit, "the connector wanted more table entries than are allowed")
                    .hint("this limit cannot be raised; tell the connector's author")
            }
            CallError::Limit(LimitHit::Call(bytes)) => Failure::new(
                FailureKind::Limit,
                format!("the connector handed over more than {} MiB in one call", bytes >> 20),
            )
            .hint("this limit cannot be raised; the connector must hand over smaller batches"),
            CallError::TimedOut(time) => Failure::new(
                FailureKind::Limit,
                format!("the step took longer than {}", humantime::format_duration(time)),
            )
            .hint("raise `sandbox: timeout:` of the target"),
            CallError::Trapped(why) => Failure::new(
                FailureKind::Connector,
                format!("the connector broke off: {}", (self.clean)(&why)),
            )
            .hint("run it with --debug --log-output to see what it said last, and tell its author"),
            CallError::Connector(error) => self.reported(&error),
        }
    }

    /// The failure that a refused record means.
    pub fn refused(&self, refusal: &Refusal) -> Failure {
        match refusal {
            Refusal::Record(problem) => Failure::new(
                FailureKind::Record,
                format!(
                    "record {} (id {:?}) is not valid: {} {}",
                    problem.position + 1,
                    (self.clean)(&problem.id),
                    problem.field,
                    (self.clean)(&problem.message)
                ),
            )
            .hint("nothing was imported by this step; tell the connector's author, or correct the source"),
            Refusal::RootId(id) => Failure::new(
                FailureKind::Configuration,
                format!(
                    "`data-source-id` is {:?}, which is also the id of an object in the target",
                    (self.clean)(id)
                ),
            )
            .hint(
                "the data source and what is in it need ids of their own: give the target another \
                 `data-source-id`, such as the id that Raito Cloud shows for the data source",
            ),
            Refusal::Pattern(why) => Failure::new(FailureKind::Configuration, why.clone())
                .hint("lock patterns are regular expressions, separated by commas"),
            Refusal::Spool(why) => Failure::unexpected(format!("a temporary file cannot be written: {why}"))
                .hint("check the free disk space"),
        }
    }

    fn denied(&self, denials: &[Denial]) -> Failure {
        let Some(denial) = denials.first() else {
            return Failure::new(FailureKind::Denied, "the sandbox denied something");
        };
        let asked = (self.clean)(&denial.asked);
        let failure = |why: String| Failure::new(FailureKind::Denied, why);
        let mut failure = match &denial.reason {
            DenialReason::NotGranted { grant } => {
                let failure =
                    failure(format!("denied: the connector asked for {asked}, which is not granted"));
                match grant {
                    Some(grant) => failure.hint(self.add_grant(grant)),
                    None => failure.hint("no grant can open this; tell the connector's author"),
                }
            }
            DenialReason::Address { address, class } if class.is_never_allowed() => {
                failure(format!("denied: {asked} leads to {address}, which is {class}"))
                    .hint("no grant can open such an address")
            }
            DenialReason::Address { address, class } => {
                failure(format!("denied: {asked} leads to {address}, which is {class}")).hint(format!(
                    "if that is right, grant it as private: `- {{ host: \"{}\", private: true }}`",
                    self.with_port(&asked)
                ))
            }
            DenialReason::Never => failure(format!("denied: {asked}")).hint("no grant can open this"),
        };
        if denials.len() > 1 {
            let _ = write!(failure.message, " (and {} more)", denials.len() - 1);
        }
        failure
    }

    fn add_grant(&self, grant: &str) -> String {
        let grant = match grant.strip_suffix(":PORT") {
            Some(host) => self.with_port(host),
            None => grant.to_owned(),
        };
        if self.from_flags {
            return format!("if it may, add the flag `--sandbox-network {grant}`");
        }
        match self.sandbox.line {
            Some(line) => {
                format!("if it may, add `- \"{grant}\"` to `network` of the sandbox block in line {line}")
            }
            None => format!("if it may, add to the target: `sandbox: {{ network: [\"{grant}\"] }}`"),
        }
    }

    /// A host as a grant. A look-up knows no port; the connector's own description usually does.
    fn with_port(&self, host: &str) -> String {
        let mut wanted = self.wanted_grants.iter().filter_map(|wanted| NetworkGrant::parse(wanted).ok());
        match wanted.find(|wanted| wanted.matches(host, wanted.port)) {
            Some(wanted) => format!("{host}:{}", wanted.port),
            None => format!("{host}:PORT"),
        }
    }

    fn reported(&self, error: &types::Error) -> Failure {
        let clean = self.clean;
        match error {
            types::Error::BadParameter(problem) => Failure::new(
                FailureKind::Parameter,
                format!(
                    "the parameter `{}` cannot be used: {}",
                    clean(&problem.name),
                    clean(&problem.message)
                ),
            )
            .hint("see `raito info` of the connector"),
            types::Error::MissingParameter(problem) => Failure::new(
                FailureKind::Parameter,
                format!("the parameter `{}` is missing: {}", clean(&problem.name), clean(&problem.message)),
            )
            .hint("see `raito info` of the connector"),
            types::Error::Authentication(why) => Failure::new(
                FailureKind::TargetAuthentication,
                format!("the target refused the sign-in: {}", clean(why)),
            )
            .hint("check the user and the password of the target"),
            types::Error::Permission(why) => Failure::new(
                FailureKind::TargetPermission,
                format!("the target does not allow it: {}", clean(why)),
            )
            .hint("give the target's user the rights that the connector's guide names"),
            types::Error::Connection(why) => Failure::new(
                FailureKind::TargetConnection,
                format!("the target cannot be reached: {}", clean(why)),
            )
            .hint("check host, port and network, and whether the target is running"),
            types::Error::RateLimited(limit) => {
                let wait = limit
                    .retry_after_ms
                    .map(std::time::Duration::from_millis)
                    .map(|wait| format!("in {}", humantime::format_duration(wait)));
                Failure::new(
                    FailureKind::TargetConnection,
                    format!("the target asks to slow down: {}", clean(&limit.message)),
                )
                .hint(format!("try again {}", wait.as_deref().unwrap_or("later")))
            }
            types::Error::Unsupported(why) => {
                Failure::new(FailureKind::Connector, format!("not supported: {}", clean(why)))
            }
            types::Error::Other(why) => Failure::new(FailureKind::Connector, clean(why)),
        }
    }
}
