//! The program: parses, resolves, calls the library, and turns the outcome into output and an exit code.
//!
//! Results go to standard output, everything else to standard error. The exit codes stand in [`raito::failure`].

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use raito::access::Answer;
use raito::add_target::{DEFAULT_FILE, Surroundings};
use raito::cli::{
    self, AccessCommand, AddTargetArgs, ApplyAccessArgs, BackupFileArgs, Cli, CloudCommand, Command, Format,
    GlobalArgs, InfoArgs, LogFormat, RestoreArgs, ServeArgs, StatusArgs,
};
use raito::cloud_admin;
use raito::config::{self, Inputs, Purpose, Settings};
use raito::failure::{Failure, FailureKind};
use raito::interrupt;
use raito::progress::Display;
use raito::run::RunKind;
use raito::signals::{Ending, Signals};
use raito::summary::RunSummary;
use raito::{continuous, triggers};

// Records are made of many small texts: more than half of the time went into the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing can be told to somebody who closed the stream.
            let _ = error.print();
            return ExitCode::from(cli::exit_code(&error));
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Failure::unexpected(format!("the program cannot start: {error}"))),
    };
    let code = runtime.block_on(async {
        match &cli.command {
            Command::Run(arguments) => Box::pin(run(&cli, arguments.format)).await,
            Command::Access(command) => access(&cli, command).await,
            Command::ApplyAccess(arguments) => outcome(apply_access(&cli, arguments).await),
            Command::AddTarget(arguments) => outcome(add_target(&cli, arguments).await),
            Command::Info(arguments) => outcome(info(&cli, arguments).await),
            Command::Completion(arguments) => {
                print(&String::from_utf8_lossy(&cli::completion(arguments.shell)));
                ExitCode::SUCCESS
            }
            Command::Cloud(CloudCommand::Init(arguments)) => {
                outcome(cloud_admin::init(arguments).await.map(|text| print(&text)))
            }
            Command::Cloud(CloudCommand::Serve(arguments)) => outcome(serve(&cli.global, arguments).await),
            Command::Cloud(CloudCommand::Backup(arguments)) => outcome(backup(arguments).await),
            Command::Cloud(CloudCommand::Restore(arguments)) => outcome(restore(arguments).await),
            Command::Cloud(CloudCommand::Status(arguments)) => outcome(status(arguments).await),
        }
    });
    // A connector that still runs after an interrupt is not waited for.
    runtime.shutdown_background();
    code
}

async fn run(cli: &Cli, format: Format) -> ExitCode {
    let signals = Signals::listen()
        .map_err(|error| Failure::unexpected(format!("signals cannot be listened to: {error}")));
    let ready = signals.and_then(|signals| Ok((signals, ready(cli, Purpose::Sync)?)));
    let (mut signals, (settings, display)) = match ready {
        Ok(ready) => ready,
        Err(failure) => return fail(&failure),
    };
    if settings.continuous.schedule.is_some() {
        return Box::pin(run_continuously(cli, format, settings, display, signals)).await;
    }
    let (interrupter, interrupt) = interrupt::interrupt();
    let run = raito::run::run(&settings, &RunKind::Full, &interrupt, &display);
    tokio::pin!(run);
    let summary = tokio::select! {
        summary = &mut run => summary,
        ending = signals.next_of_one_run() => {
            // What was begun is dropped: temporary files go, and an import that has not begun will not. The cloud is told
            // as far as it can be reached.
            interrupter.raise();
            tokio::select! {
                _ = run => {}
                _ = signals.next_of_one_run() => {}
            }
            display.finish();
            tell("interrupted");
            return ExitCode::from(ending.at_once());
        }
    };
    if let Some(failure) = &summary.failure {
        display.failure(None, failure);
    }
    display.finish();
    print(&match format {
        Format::Text => text(&summary),
        Format::Json => json(&summary),
    });
    ExitCode::from(summary.exit_code())
}

async fn run_continuously(
    cli: &Cli,
    format: Format,
    settings: Settings,
    display: Display,
    mut signals: Signals,
) -> ExitCode {
    let display = Arc::new(display);
    let (finisher, finish) = interrupt::interrupt();
    let (interrupter, interrupt) = interrupt::interrupt();
    let surroundings = continuous::Surroundings {
        display: Arc::clone(&display),
        reload: &|| self::settings(cli, Purpose::Sync),
        report: &|kind, summary| match format {
            Format::Text => print(&text(summary)),
            // One line for each run, so that whoever reads along knows where one ends.
            Format::Json => print(&line(&RunLine { run: kind.name(), summary })),
        },
        finish,
        interrupt,
        timing: triggers::Timing::default(),
    };
    let work = continuous::run(settings, surroundings);
    tokio::pin!(work);
    let (outcome, code) = tokio::select! {
        outcome = &mut work => (outcome, 0),
        ending = signals.next() => {
            tell("ending; a run that is under way finishes first, a second signal ends it");
            finisher.raise();
            tokio::select! {
                outcome = &mut work => (outcome, ending.finished()),
                ending = signals.next() => {
                    interrupter.raise();
                    tokio::select! {
                        outcome = work => (outcome, ending.at_once()),
                        _ = signals.next() => (Ok(()), ending.at_once()),
                    }
                }
            }
        }
    };
    display.finish();
    match outcome {
        Ok(()) => ExitCode::from(code),
        Err(failure) => fail(&failure),
    }
}

/// A run of continuous mode on one line.
#[derive(serde::Serialize)]
struct RunLine<'a> {
    run: &'static str,
    #[serde(flatten)]
    summary: &'a RunSummary,
}

fn line(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).map(|text| text + "\n").unwrap_or_default()
}

fn text(summary: &RunSummary) -> String {
    if summary.targets.is_empty() { String::new() } else { format!("{}\n", summary.table()) }
}

/// Exit code of a plan with changes, and of drift.
const CHANGES: u8 = 2;

async fn access(cli: &Cli, command: &AccessCommand) -> ExitCode {
    // What only reads files needs neither Raito Cloud nor the secrets of targets.
    let purpose = match command {
        AccessCommand::Validate(_) | AccessCommand::Schema(_) => Purpose::Offline,
        _ => Purpose::Targets,
    };
    let (settings, display) = match ready(cli, purpose) {
        Ok(ready) => ready,
        Err(failure) => return fail(&failure),
    };
    // Colours go where a terminal shows them.
    let mut out = Reader(anstream::stdout());
    let (settings, display) = (&settings, &display);
    let work = async {
        match command {
            AccessCommand::Validate(arguments) => {
                raito::access::validate(settings, arguments, display, &mut out).await.map(|()| false)
            }
            AccessCommand::Plan(arguments) => {
                raito::access::plan(settings, arguments, display, &mut out).await
            }
            AccessCommand::Apply(arguments) => {
                raito::access::apply(settings, arguments, display, &mut out, ask).await.map(|()| false)
            }
            AccessCommand::Drift(arguments) => {
                raito::access::drift(settings, arguments, display, &mut out).await
            }
            AccessCommand::Adopt(arguments) => {
                raito::access::adopt(settings, arguments, display, &mut out).await.map(|()| false)
            }
            AccessCommand::Schema(_) => {
                raito::access::schema(settings, display, &mut out).await.map(|()| false)
            }
        }
    };
    let outcome = tokio::select! {
        outcome = work => outcome,
        code = interrupted() => {
            display.finish();
            tell(match command {
                AccessCommand::Apply(_) => "interrupted: see `raito access plan` for what is left to do",
                _ => "interrupted",
            });
            return ExitCode::from(code);
        }
    };
    display.finish();
    match outcome {
        Ok(changes) => ExitCode::from(if changes { CHANGES } else { 0 }),
        Err(failure) => {
            display.failure(None, &failure);
            ExitCode::from(failure.kind.exit_code())
        }
    }
}

async fn apply_access(cli: &Cli, arguments: &ApplyAccessArgs) -> Result<(), Failure> {
    let (settings, display) = ready(cli, Purpose::Targets)?;
    let mut out = Reader(anstream::stdout());
    let outcome = raito::access::restore(&settings, arguments, &display, &mut out, ask).await;
    display.finish();
    outcome
}

/// Asks on the terminal, where there is one. Whoever interrupts the program instead of answering is heard.
async fn ask(question: &str) -> Answer {
    if !io::stdin().is_terminal() {
        return Answer::Nobody;
    }
    let _ = write!(io::stderr(), "{question}");
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map(|_| answer)
    });
    match answer.await {
        Ok(Ok(answer)) if answer.trim().eq_ignore_ascii_case("yes") => Answer::Yes,
        _ => Answer::No,
    }
}

/// Settings, with the log begun and the warnings shown.
fn ready(cli: &Cli, purpose: Purpose) -> Result<(Settings, Display), Failure> {
    let settings = settings(cli, purpose)?;
    raito::log::start(&settings.log).map_err(|error| {
        Failure::new(FailureKind::Configuration, format!("the log file cannot be opened: {error}"))
            .hint("check `log-file`")
    })?;
    let display = Display::new(settings.log.output);
    for warning in &settings.warnings {
        display.warning(&warning.to_string());
    }
    Ok((settings, display))
}

async fn add_target(cli: &Cli, arguments: &AddTargetArgs) -> Result<(), Failure> {
    let working_dir = working_dir()?;
    let home = std::env::home_dir();
    // A file that was named and is not there yet is made.
    let given = cli.global.config_file.as_deref();
    let file = match given {
        Some(path) if !working_dir.join(path).exists() => None,
        _ => config::find(given, &working_dir, home.as_deref())?,
    };
    let path = file.as_ref().map(|file| file.path.as_path()).or(given);
    let flags = cli.overrides();
    let display = Display::new(false);
    let surroundings = Surroundings {
        file: file.as_ref(),
        path: path.unwrap_or(Path::new(DEFAULT_FILE)),
        environment: &|name| std::env::var(name).ok(),
        flags: &flags,
        working_dir: &working_dir,
    };
    let told = raito::add_target::add_target(&surroundings, arguments, &display).await;
    display.finish();
    print(&told?);
    Ok(())
}

async fn info(cli: &Cli, arguments: &InfoArgs) -> Result<(), Failure> {
    let settings = settings(cli, Purpose::Offline)?;
    let base = std::env::current_dir().unwrap_or_default();
    let report = raito::info::inspect(&arguments.connector, &base, &settings.connector_path).await?;
    print(&match arguments.format {
        Format::Text => report.text(),
        Format::Json => json(&report),
    });
    Ok(())
}

async fn serve(global: &GlobalArgs, arguments: &ServeArgs) -> Result<(), Failure> {
    raito::server_log::start(global, arguments.log_format).map_err(|error| {
        Failure::new(FailureKind::Configuration, format!("the log file cannot be opened: {error}"))
            .hint("check `--log-file`")
    })?;
    // Programs that read the log get nothing but the log.
    let say = |text: &str| match arguments.log_format {
        LogFormat::Text => tell(text),
        LogFormat::Json => tracing::info!(target: "raito", "{text}"),
    };
    let mut server = cloud_admin::start(arguments).await?;
    if let Some(admin) = server.first_admin() {
        say(&format!("first start: created the administrator {}", admin.email));
        if let Some(password) = &admin.password {
            tell(&format!("its password, shown this once: {password}"));
        }
    }
    say(&format!("Raito Cloud for the domain `{}` listens on {}", server.domain(), server.url()));
    tokio::select! {
        _ = interrupted() => {}
        () = server.ended() => return Err(Failure::unexpected("the server has ended; its log has the cause")),
    }
    say("stopping");
    tokio::select! {
        () = server.shutdown() => {}
        // Whoever asks twice does not want to wait. Work at hand is done again by the next start.
        _ = interrupted() => say("stopped at once"),
    }
    Ok(())
}

async fn backup(arguments: &BackupFileArgs) -> Result<(), Failure> {
    let report = raito_cloud::backup(&cloud_admin::location(&arguments.place)?, &arguments.file)
        .await
        .map_err(|error| cloud_admin::failed(&error, "choose a file that is not there yet"))?;
    print(&match arguments.format {
        Format::Text => cloud_admin::report("backed up to", &arguments.file, &report),
        Format::Json => json(&report),
    });
    Ok(())
}

async fn restore(arguments: &RestoreArgs) -> Result<(), Failure> {
    let place = cloud_admin::location(&arguments.place)?;
    let report = raito_cloud::restore(&place, &arguments.file, arguments.force)
        .await
        .map_err(|error| cloud_admin::failed(&error, "nothing was changed; see the cause"))?;
    print(&match arguments.format {
        Format::Text => cloud_admin::report("restored from", &arguments.file, &report),
        Format::Json => json(&report),
    });
    Ok(())
}

/// Waits for an interrupt or, where there is one, the signal with which service managers end a program; gives the exit
/// code that shells expect for it.
async fn interrupted() -> u8 {
    if let Ok(mut signals) = Signals::listen() {
        signals.next_of_one_run().await.at_once()
    } else {
        let _ = tokio::signal::ctrl_c().await;
        Ending::Interrupted.at_once()
    }
}

/// The text is not repeated in an error: it may hold a password.
async fn status(arguments: &StatusArgs) -> Result<(), Failure> {
    let database = cloud_admin::database(&arguments.database)?;
    let status = raito_cloud::status(&arguments.data_dir, &database).await.map_err(|error| {
        Failure::new(FailureKind::Cloud, error.to_string())
            .hint("give the folder with --data-dir, or the database with --database")
    })?;
    print(&match arguments.format {
        Format::Text => raito::cloud_status::text(&status),
        Format::Json => json(&status),
    });
    Ok(())
}

fn working_dir() -> Result<PathBuf, Failure> {
    std::env::current_dir()
        .map_err(|error| Failure::unexpected(format!("the working folder cannot be found: {error}")))
}

fn settings(cli: &Cli, purpose: Purpose) -> Result<Settings, Failure> {
    let working_dir = working_dir()?;
    let home = std::env::home_dir();
    let file = config::find(cli.global.config_file.as_deref(), &working_dir, home.as_deref())?;
    let inputs = Inputs {
        file: file.as_ref(),
        environment: &|name| std::env::var(name).ok(),
        flags: &cli.overrides(),
        working_dir: &working_dir,
        purpose,
    };
    Ok(config::resolve(&inputs)?)
}

fn outcome(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

fn fail(failure: &Failure) -> ExitCode {
    tell(&failure.report(None));
    ExitCode::from(failure.kind.exit_code())
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).map(|text| text + "\n").unwrap_or_default()
}

/// Standard output for what is printed piece by piece. A reader that went away, as `head` does, is no error of ours.
struct Reader<W>(W);

impl<W: Write> Write for Reader<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            outcome => outcome,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            outcome => outcome,
        }
    }
}

/// Prints a result. A reader that went away, as `head` does, is no error of ours.
fn print(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

fn tell(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
