//! Whether the process lives, and whether it can serve.
//!
//! `GET /health` says that the process answers. `GET /ready` says whether it can do its work: the database answers,
//! its schema is the one of this version or a later one, files can be written, and the server is not stopping. The
//! answer names what is wrong and nothing else; causes go to the log. It is kept for some seconds, so that
//! nobody can make the server look more often.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use sqlx::Row;
use tokio::sync::Mutex;

use super::App;
use crate::store;

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(5);
/// How long it is kept that an object store is well: each look writes an object, which costs money.
const STORE_KEPT: Duration = Duration::from_mins(1);
/// How long one check may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known about readiness.
#[derive(Default)]
pub(crate) struct Readiness {
    stopping: AtomicBool,
    last: Mutex<Last>,
}

/// When what was found last.
#[derive(Default)]
struct Last {
    all: Option<(Instant, Checks)>,
    storage: Option<(Instant, Option<&'static str>)>,
}

/// The outcome of the checks: null when all is well, else what is wrong.
#[derive(Clone, Copy)]
struct Checks {
    database: Option<&'static str>,
    schema: Option<&'static str>,
    storage: Option<&'static str>,
}

impl Readiness {
    /// From now on the server is not ready.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}

pub(super) async fn health() -> Response {
    answer(StatusCode::OK, &json!({ "status": "ok" }))
}

pub(super) async fn ready(State(app): State<Arc<App>>) -> Response {
    let stopping = app.readiness.stopping.load(Ordering::Relaxed);
    let checks = {
        let mut last = app.readiness.last.lock().await;
        match last.all {
            Some((at, checks)) if at.elapsed() < KEPT => checks,
            _ => {
                let (database, schema) = check_database(&app).await;
                let storage = match last.storage {
                    Some((at, None)) if app.files.storage().is_remote() && at.elapsed() < STORE_KEPT => None,
                    _ => {
                        let storage = check_storage(&app).await;
                        last.storage = Some((Instant::now(), storage));
                        storage
                    }
                };
                let checks = Checks { database, schema, storage };
                last.all = Some((Instant::now(), checks));
                checks
            }
        }
    };
    let named = [
        ("database", checks.database),
        ("schema", checks.schema),
        ("storage", checks.storage),
        ("server", stopping.then_some("stopping")),
    ];
    let ready = named.iter().all(|(_, wrong)| wrong.is_none());
    let checks: Map<String, Value> =
        named.iter().map(|(name, wrong)| ((*name).to_owned(), wrong.unwrap_or("ok").into())).collect();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer(status, &json!({ "ready": ready, "checks": checks }))
}

/// What is wrong with the database, and with its schema.
async fn check_database(app: &App) -> (Option<&'static str>, Option<&'static str>) {
    let schema = async {
        let row =
            sqlx::query("SELECT MAX(version) FROM _sqlx_migrations").fetch_one(app.store.pool()).await?;
        row.try_get::<Option<i64>, _>(0)
    };
    match tokio::time::timeout(PATIENCE, schema).await {
        Ok(Ok(version)) if version >= Some(store::schema_version()) => (None, None),
        Ok(Ok(_)) => (None, Some("older than this version of the server")),
        Ok(Err(error)) => {
            tracing::error!(%error, "not ready: the database failed");
            (Some("failed"), Some("unknown"))
        }
        Err(_) => (Some("does not answer"), Some("unknown")),
    }
}

/// What is wrong with the storage of files.
async fn check_storage(app: &App) -> Option<&'static str> {
    match tokio::time::timeout(PATIENCE, app.files.storage().check()).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => {
            tracing::error!(%error, "not ready: files cannot be written");
            Some("cannot be written")
        }
        Err(_) => Some("does not answer"),
    }
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let headers = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (status, headers, Json(body)).into_response()
}
