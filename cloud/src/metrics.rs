//! What is counted and measured, for Prometheus.
//!
//! Labels have few values: routes are patterns, operations are fields of the schema, statuses are those of the
//! protocol. What the database knows is read when metrics are asked for, so that it is right with several
//! replicas; it is the same at each of them, so dashboards take the maximum.

use std::collections::HashSet;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use sqlx::Row;
use tokio::sync::Mutex;

use crate::ids;
use crate::jobs::outcome::{Counts, Outcome};
use crate::store::Store;

type Labels = Vec<(&'static str, String)>;
type Number = Gauge<f64, AtomicU64>;
type Seconds = Family<Labels, Histogram, fn() -> Histogram>;

const OTHER: &str = "other";

/// All metrics of a server.
pub(crate) struct Metrics {
    /// Locked while they are written out: some are set only then.
    registry: Mutex<Registry>,
    requests: Seconds,
    operations: Seconds,
    /// The names in the schema: others are not counted by name.
    names: HashSet<String>,
    work: Seconds,
    rows: Family<Labels, Counter>,
    failed_sign_ins: Family<Labels, Counter>,
    jobs: Family<Labels, Gauge>,
    queue: Family<Labels, Gauge>,
    oldest: Number,
    connections: Family<Labels, Gauge>,
    process: Process,
}

#[derive(Default)]
struct Process {
    memory: Gauge,
    files: Gauge,
    cpu: Counter<f64, AtomicU64>,
}

impl Metrics {
    /// `names` are those in the schema.
    pub(crate) fn new(names: Vec<String>) -> Self {
        let mut registry = Registry::default();
        let metrics = Self {
            requests: Family::new_with_constructor(quick),
            operations: Family::new_with_constructor(quick),
            names: names.into_iter().collect(),
            work: Family::new_with_constructor(slow),
            rows: Family::default(),
            failed_sign_ins: Family::default(),
            jobs: Family::default(),
            queue: Family::default(),
            oldest: Number::default(),
            connections: Family::default(),
            process: Process::default(),
            registry: Mutex::default(),
        };
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("raito_build", "The version of the server", build);
        registry.register(
            "raito_http_request_duration_seconds",
            "Requests by method, route and status",
            metrics.requests.clone(),
        );
        registry.register(
            "raito_graphql_operation_duration_seconds",
            "GraphQL requests by their first field and outcome",
            metrics.operations.clone(),
        );
        registry.register(
            "raito_work_duration_seconds",
            "Imports and exports that this process did, by kind and outcome",
            metrics.work.clone(),
        );
        registry.register(
            "raito_import_rows",
            "Rows that imports of this process changed, by kind and change",
            metrics.rows.clone(),
        );
        registry.register(
            "raito_sign_in_refusals",
            "Refused sign-ins, by reason",
            metrics.failed_sign_ins.clone(),
        );
        registry.register("raito_jobs", "Jobs by status, in the database", metrics.jobs.clone());
        registry.register(
            "raito_queue_depth",
            "Pieces of queued work, waiting or claimed, in the database",
            metrics.queue.clone(),
        );
        registry.register(
            "raito_queue_oldest_age_seconds",
            "Age of the oldest piece of waiting work, in the database",
            metrics.oldest.clone(),
        );
        registry.register(
            "raito_database_connections",
            "Connections of this process to the database, by state",
            metrics.connections.clone(),
        );
        let process = &metrics.process;
        registry.register("process_resident_memory_bytes", "Memory of the process", process.memory.clone());
        registry.register("process_open_fds", "Open files of the process", process.files.clone());
        registry.register("process_cpu_seconds", "Processor time of the process", process.cpu.clone());
        Self { registry: Mutex::new(registry), ..metrics }
    }

    /// Notes a request.
    pub(crate) fn request(&self, method: &'static str, route: &str, status: u16, seconds: f64) {
        let labels =
            vec![("method", method.to_owned()), ("route", route.to_owned()), ("status", status.to_string())];
        self.requests.get_or_create(&labels).observe(seconds);
    }

    /// Notes a GraphQL request by the name of its first field.
    pub(crate) fn operation(&self, field: Option<&str>, failed: bool, seconds: f64) {
        let known = field.filter(|field| self.names.contains(*field)).unwrap_or(OTHER);
        let labels = vec![("operation", known.to_owned()), ("outcome", outcome(failed))];
        self.operations.get_or_create(&labels).observe(seconds);
    }

    /// Notes a refused sign-in.
    pub(crate) fn refused_sign_in(&self, reason: &'static str) {
        self.failed_sign_ins.get_or_create(&vec![("reason", reason.to_owned())]).inc();
    }

    /// Notes an ended piece of work.
    pub(crate) fn work(&self, kind: &'static str, outcome: Option<&Outcome>, seconds: f64) {
        let labels = vec![("kind", kind.to_owned()), ("outcome", self::outcome(outcome.is_none()))];
        self.work.get_or_create(&labels).observe(seconds);
        let Some(outcome) = outcome else { return };
        match outcome {
            Outcome::DataSource { objects, .. } => self.changed("data_objects", *objects),
            Outcome::Identity { users, groups, .. } => {
                self.changed("users", *users);
                self.changed("groups", *groups);
            }
            Outcome::AccessProviders { access, .. } => self.changed("access_controls", *access),
            Outcome::Usage { added, .. } => {
                self.changed("statements", Counts { added: *added, ..Counts::default() });
            }
            Outcome::Tags { tags, .. } => self.changed("tags", *tags),
            Outcome::Export { .. } | Outcome::Feedback { .. } => {}
        }
    }

    fn changed(&self, kind: &'static str, counts: Counts) {
        let changes = [("added", counts.added), ("updated", counts.updated), ("removed", counts.removed)];
        for (change, rows) in changes {
            let labels = vec![("kind", kind.to_owned()), ("change", change.to_owned())];
            self.rows.get_or_create(&labels).inc_by(rows);
        }
    }

    /// All metrics as text. What the database does not tell is missing.
    pub(crate) async fn encode(&self, store: &Store) -> String {
        let registry = self.registry.lock().await;
        self.jobs.clear();
        self.queue.clear();
        self.oldest.set(0.0);
        if let Err(error) = self.read(store).await {
            tracing::warn!(%error, "metrics of the database could not be read");
        }
        let (all, idle) = (i64::from(store.pool().size()), store.pool().num_idle());
        let idle = i64::try_from(idle).unwrap_or(i64::MAX);
        for (state, count) in [("idle", idle), ("used", all.saturating_sub(idle))] {
            self.connections.get_or_create(&vec![("state", state.to_owned())]).set(count);
        }
        self.process.read();
        let mut text = String::new();
        if text::encode(&mut text, &registry).is_err() {
            tracing::error!("metrics could not be written");
        }
        text
    }

    async fn read(&self, store: &Store) -> Result<(), sqlx::Error> {
        let jobs =
            sqlx::query("SELECT status, COUNT(*) FROM jobs GROUP BY status").fetch_all(store.pool()).await?;
        for row in jobs {
            self.jobs.get_or_create(&vec![("status", row.try_get(0)?)]).set(row.try_get(1)?);
        }
        let queue = sqlx::query(
            "SELECT CASE WHEN claimed_by IS NULL THEN 'waiting' ELSE 'claimed' END AS state, COUNT(*), MIN(id) \
             FROM work_queue GROUP BY CASE WHEN claimed_by IS NULL THEN 'waiting' ELSE 'claimed' END",
        )
        .fetch_all(store.pool())
        .await?;
        for state in ["waiting", "claimed"] {
            self.queue.get_or_create(&vec![("state", state.to_owned())]).set(0);
        }
        for row in queue {
            let state: String = row.try_get(0)?;
            if state == "waiting" {
                let oldest: String = row.try_get(2)?;
                let age = ids::now().saturating_sub(ids::made_at(&oldest)).max(0);
                self.oldest.set(std::time::Duration::from_millis(age.unsigned_abs()).as_secs_f64());
            }
            self.queue.get_or_create(&vec![("state", state)]).set(row.try_get(1)?);
        }
        Ok(())
    }
}

impl Process {
    /// Asks the system, where it tells.
    fn read(&self) {
        #[cfg(target_os = "linux")]
        if let Ok(process) = procfs::process::Process::myself() {
            if let Ok(stat) = process.stat() {
                let memory = stat.rss.saturating_mul(procfs::page_size());
                self.memory.set(i64::try_from(memory).unwrap_or(i64::MAX));
                let ticks = u32::try_from(stat.utime.saturating_add(stat.stime)).unwrap_or(u32::MAX);
                let second = u32::try_from(procfs::ticks_per_second()).unwrap_or(100);
                let used = f64::from(ticks) / f64::from(second.max(1));
                self.cpu.inc_by((used - self.cpu.get()).max(0.0));
            }
            if let Ok(files) = process.fd_count() {
                self.files.set(i64::try_from(files).unwrap_or(i64::MAX));
            }
        }
    }
}

fn outcome(failed: bool) -> String {
    if failed { "error" } else { "ok" }.to_owned()
}

/// For requests.
fn quick() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0])
}

/// For imports.
fn slow() -> Histogram {
    Histogram::new([0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

    use super::*;

    #[tokio::test]
    async fn labels_that_a_client_chooses_are_few() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &crate::store::Database::Folder).await.unwrap();
        let metrics = Metrics::new(vec!["dataSource".to_owned()]);
        for number in 0..100 {
            metrics.operation(Some(&format!("made_up_{number}")), true, 0.1);
        }
        metrics.operation(Some("dataSource"), false, 0.1);
        metrics.operation(None, true, 0.1);
        let text = metrics.encode(&store).await;
        assert!(!text.contains("made_up"), "{text}");
        let counts: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("raito_graphql_operation_duration_seconds_count"))
            .collect();
        assert_eq!(counts.len(), 2, "{counts:?}");
        assert!(counts.iter().any(|line| line.contains("other") && line.ends_with(" 101")), "{counts:?}");
        assert!(text.ends_with("# EOF\n"));
    }

    #[tokio::test]
    async fn the_queue_is_counted_with_the_age_of_the_oldest() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &crate::store::Database::Folder).await.unwrap();
        let metrics = Metrics::new(Vec::new());
        let text = metrics.encode(&store).await;
        assert!(text.contains("raito_queue_depth{state=\"waiting\"} 0"), "{text}");
        // An id of 1970.
        sqlx::query(
            "INSERT INTO work_queue (id, job_id, job_type, subtask_id, work, attempts) VALUES ('--------xxxxxxxxxxxxx', 'j', 'DS', 's', '', 0)",
        )
        .execute(store.pool())
        .await
        .unwrap();
        let text = metrics.encode(&store).await;
        assert!(text.contains("raito_queue_depth{state=\"waiting\"} 1"), "{text}");
        let age = text.lines().find(|line| line.starts_with("raito_queue_oldest_age_seconds ")).unwrap();
        assert!(age.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap() > 1e9, "{age}");
    }
}
