//! What a run sends, seen by a gateway; and what it makes of a server that has a bad day.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::five_steps::EVERYTHING;
use crate::gateway::{Gateway, Seen};
use crate::own_cloud::run;
use crate::place::{Place, guest};
use crate::served::{PASSWORD, Served, configure};

/// A server, a place, and a configuration that leads to the server through a gateway.
fn behind(
    interfere: impl Fn(&Seen) -> Option<(String, String)> + Send + Sync + 'static,
) -> (Place, Served, Gateway) {
    behind_with("", interfere)
}

fn behind_with(
    more: &str,
    interfere: impl Fn(&Seen) -> Option<(String, String)> + Send + Sync + 'static,
) -> (Place, Served, Gateway) {
    let place = Place::new();
    let served = Served::start(&place);
    let (source, store) = served.data_source("Company");
    let gateway = Gateway::new(&served.url, interfere);
    configure(&place, &gateway.url(), (&source, &store), more);
    (place, served, gateway)
}

fn status(line: &str) -> (String, String) {
    (format!("{line}\r\n"), "busy".to_owned())
}

/// The requests that say something about one step, in order.
fn of_step(gateway: &Gateway, step: &str) -> Vec<String> {
    let mut names = gateway.names();
    names.retain(|name| name.split(' ').nth(1) == Some(step) || name.ends_with(&format!("task={step}")));
    for name in &mut names {
        if let Some((path, _)) = name.split_once('?') {
            *name = path.to_owned();
        }
    }
    names
}

#[test]
fn the_log_of_each_step_is_handed_in_after_its_end() {
    let (place, _served, gateway) = behind(|_| None);
    run(&place, PASSWORD).succeeded();
    for step in ["DS", "IS", "DA", "DU"] {
        let names = of_step(&gateway, step);
        let end: Vec<_> = names.iter().rev().take(3).rev().map(String::as_str).collect();
        let expected = [
            format!("addTaskEvent {step} COMPLETED"),
            "GET /file/upload/logs/signed-url".to_owned(),
            format!("addLogFileToTask {step}"),
        ];
        assert_eq!(end, expected, "{names:?}");
    }
    let log = place.holds("data source of the target \"company\"").unwrap();
    let log = std::fs::read_to_string(log).unwrap();
    for line in log.lines() {
        let mut words = line.splitn(4, ' ');
        let [time, level, logger, message] = std::array::from_fn(|_| words.next().unwrap_or_default());
        assert_eq!((time.len(), &time[10..11]), ("2026-01-02T03:04:05.678+0000".len(), "T"), "{line}");
        assert!(["[error]", "[warn]", "[info]", "[debug]", "[trace]"].contains(&level), "{line}");
        assert!(logger.starts_with("raito-cli-") && logger.ends_with(':') && !message.is_empty(), "{line}");
    }
    assert!(log.contains("connector company 1.2.3") && log.contains("task event: task=\"DS\""), "{log}");
    assert!(!log.contains(PASSWORD) && !log.contains("eyJ"), "{log}");
}

#[test]
fn the_log_of_a_failed_step_comes_before_the_news_of_its_failure() {
    let (place, _served, gateway) = behind(|request| {
        (request.name() == "importIdentityRequest").then(|| status("500 Internal Server Error"))
    });
    let outcome = run(&place, PASSWORD);
    let outcome =
        outcome.failed(5, "the import of users and groups was answered with HTTP status 500", "later");
    assert_eq!(outcome.steps("company")[1], "identity-store failed");
    let names = of_step(&gateway, "IS");
    let end: Vec<_> = names.iter().rev().take(3).rev().map(String::as_str).collect();
    assert_eq!(end, ["GET /file/upload/logs/signed-url", "addLogFileToTask IS", "addTaskEvent IS FAILED"]);
    let imports = gateway.names().iter().filter(|name| *name == "importIdentityRequest").count();
    assert_eq!(imports, 1, "an import that may have begun is not begun again");
    assert!(place.holds("[error] raito-cli-").is_some(), "the failure stands in the log");
    let event =
        gateway.seen().into_iter().find(|request| request.name() == "addTaskEvent IS FAILED").unwrap();
    let body: Value = serde_json::from_str(&event.body).unwrap();
    assert_eq!(body["variables"]["input"]["errors"].as_array().unwrap().len(), 1);
    assert!(body["variables"]["input"]["result"].is_null());
}

#[test]
fn logs_are_kept_here_where_they_are_not_wanted_there() {
    let (place, _served, gateway) = behind(|_| None);
    let with = |flags: &[&str]| {
        let before = gateway.names().len();
        let arguments = [&["run"], flags].concat();
        place.raito(&arguments).env("SECRET", PASSWORD).finish().succeeded();
        let names = gateway.names();
        names[before..]
            .iter()
            .filter(|name| name.starts_with("addLogFileToTask"))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(with(&["--disable-log-forwarding"]), [] as [&str; 0]);
    let some =
        with(&["--disable-log-forwarding-data-usage-sync", "--disable-log-forwarding-data-access-sync"]);
    assert_eq!(some, ["addLogFileToTask DS", "addLogFileToTask IS"]);
    let some = with(&["--skip-data-source-sync"]);
    assert_eq!(some, ["addLogFileToTask IS", "addLogFileToTask DA", "addLogFileToTask DU"]);
}

#[test]
fn a_log_that_is_not_taken_is_a_warning_and_stays_here() {
    let (place, _served, _proxy) =
        behind(|request| (request.name() == "addLogFileToTask DU").then(|| status("403 Forbidden")));
    let outcome = run(&place, PASSWORD).succeeded();
    let warning = outcome.stderr.lines().find(|line| line.starts_with("warning: ")).unwrap();
    assert!(
        warning.contains("company: data usage: the log was not handed in: the log of the task"),
        "{warning}"
    );
    let (_, kept) = warning.split_once("it is in ").unwrap();
    assert!(std::fs::read_to_string(kept).unwrap().contains("task event"), "{warning}");
    std::fs::remove_file(kept).unwrap();
}

#[test]
fn a_token_that_is_refused_in_the_middle_leads_to_one_new_sign_in() {
    let first: Mutex<Option<String>> = Mutex::new(None);
    let (place, _served, gateway) = behind(move |request| {
        // From the import of users on, the first token does not count.
        static REVOKED: AtomicUsize = AtomicUsize::new(0);
        if request.authorization.is_empty() {
            return None;
        }
        let mut first = first.lock().unwrap();
        let first = first.get_or_insert_with(|| request.authorization.clone());
        if request.name() == "importIdentityRequest" {
            REVOKED.store(1, Ordering::SeqCst);
        }
        let refused = REVOKED.load(Ordering::SeqCst) == 1 && request.authorization == *first;
        refused.then(|| status("401 Unauthorized"))
    });
    assert_eq!(run(&place, PASSWORD).succeeded().steps("company"), EVERYTHING);
    let seen = gateway.seen();
    let sign_ins = seen.iter().filter(|request| request.line == "POST /").count();
    assert_eq!(sign_ins, 2);
    let imports = seen.iter().filter(|request| request.name() == "importIdentityRequest").count();
    assert_eq!(imports, 2, "once refused, once done");
}

#[test]
fn a_busy_server_is_given_the_time_that_it_asks_for() {
    let refusals = AtomicUsize::new(0);
    let (place, _served, gateway) = behind(move |request| {
        let busy =
            request.name() == "importDataSourceRequest" && refusals.fetch_add(1, Ordering::SeqCst) == 0;
        busy.then(|| ("429 Too Many Requests\r\nretry-after: 1\r\n".to_owned(), "busy".to_owned()))
    });
    assert_eq!(run(&place, PASSWORD).succeeded().steps("company"), EVERYTHING);
    let imports = gateway.names().iter().filter(|name| *name == "importDataSourceRequest").count();
    assert_eq!(imports, 2);
}

#[test]
fn too_much_patience_is_not_had_and_a_job_is_not_made_twice() {
    let (place, _served, gateway) = behind(|request| {
        (request.name() == "createJob")
            .then(|| ("429 Too Many Requests\r\nretry-after: 3600\r\n".to_owned(), "busy".to_owned()))
    });
    run(&place, PASSWORD).failed(5, "creating the job was answered with HTTP status 429", "wait a while");
    assert_eq!(gateway.names().iter().filter(|name| *name == "createJob").count(), 1);
}

#[test]
fn what_only_reads_is_asked_again_when_an_answer_is_cut_off() {
    let cut = AtomicUsize::new(0);
    let (place, _served, gateway) = behind(move |request| {
        let first = request.name() == "dataSource" && cut.fetch_add(1, Ordering::SeqCst) == 0;
        // More is announced than comes.
        first.then(|| ("200 OK\r\ncontent-length: 500\r\n".to_owned(), "{".to_owned()))
    });
    assert_eq!(run(&place, PASSWORD).succeeded().steps("company"), EVERYTHING);
    assert_eq!(gateway.names().iter().filter(|name| *name == "dataSource").count(), 2);
}

#[test]
fn usage_is_cut_into_files_that_go_into_one_import() {
    let (place, _served, gateway) = behind_with("maximum-file-size: 1kb", |_| None);
    assert_eq!(run(&place, PASSWORD).succeeded().steps("company"), EVERYTHING);
    let seen = gateway.seen();
    let import = seen.iter().find(|request| request.name() == "importDataUsageRequest").unwrap();
    let body: Value = serde_json::from_str(&import.body).unwrap();
    let keys = body["variables"]["request"]["importSettings"]["fileKeys"].as_array().unwrap();
    assert!(keys.len() > 1, "{body}");
    let events = of_step(&gateway, "DU").iter().filter(|name| *name == "addTaskEvent DU DATA_UPLOAD").count();
    assert_eq!(events, keys.len());
}

#[test]
fn a_step_that_the_connector_lacks_has_a_log_and_one_without_id_has_none() {
    let place = Place::new();
    let served = Served::start(&place);
    let (source, _) = served.data_source("Company");
    let gateway = Gateway::new(&served.url, |_| None);
    configure(&place, &gateway.url(), (&source, ""), "");
    let synthetic = guest("synthetic").display().to_string();
    let text = place.read("raito.yml").replace(&guest("company").display().to_string(), &synthetic);
    place.write("raito.yml", text.replace("identity-store-id: \"\"", "count: 3"));
    run(&place, PASSWORD).succeeded();
    let names = gateway.names();
    assert!(names.contains(&"addTaskEvent DA SKIPPED".to_owned()), "{names:?}");
    assert!(names.contains(&"addLogFileToTask DA".to_owned()), "{names:?}");
    assert!(names.contains(&"addTaskEvent IS SKIPPED".to_owned()), "{names:?}");
    assert!(!names.contains(&"addLogFileToTask IS".to_owned()), "{names:?}");
}
