//! Several servers on one database, servers that vanish, and databases that do. What needs a database that servers can
//! share is tested on PostgreSQL alone.

use std::time::Duration;

use raito_cloud::Server;
use serde_json::{Value, json};

use crate::Failure;
use crate::client::{Client, Site};
use crate::engine::{Place, on_postgres};

const IMPORT: [&str; 2] = ["importDataSourceRequest", "ImportDataSourceRequest"];
const MANY: usize = 20_000;

fn object(id: &str) -> Value {
    json!({ "externalId": id, "name": id, "fullName": id, "type": "table" })
}

/// Queues an import of these objects alone; returns job and subtask.
async fn queue(client: &Client, source: &str, objects: &Value) -> Result<(String, String), Failure> {
    let key = client.upload(objects.to_string().as_bytes()).await?;
    let job = client.create_job().await?;
    let settings =
        format!("dataSource: \"{source}\", deleteUntouched: true, fileKey: \"{key}\", tagSourcesScope: []");
    let subtask = client.request_import(&job, IMPORT[0], IMPORT[1], &settings).await?;
    Ok((job, subtask))
}

async fn until_begun(client: &Client, job: &str, subtask: &str) -> Result<(), Failure> {
    for _ in 0..6000 {
        if client.subtask(job, "DS", subtask).await?["status"] != "QUEUED" {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Err("the work does not begin".into())
}

async fn alive(place: &Place, source: &str) -> Result<Vec<String>, Failure> {
    place
        .texts(&format!(
            "SELECT external_id FROM data_objects WHERE deleted = 0 AND data_source_id = '{source}'"
        ))
        .await
}

#[tokio::test]
async fn two_servers_do_queued_imports_once_and_in_order() -> Result<(), Failure> {
    if !on_postgres() {
        return Ok(());
    }
    let site = Site::start().await?;
    let second = Server::start(site.place.config()?).await?;
    let other = Client { base: second.url().to_owned(), ..site.client.clone() };
    let sources: Vec<String> = (0..20).map(|number| format!("source{number}")).collect();
    for source in &sources {
        site.server.ensure_data_source(source, None).await?;
    }
    let mut queued = Vec::new();
    for round in 0..10 {
        for (source, client) in sources.iter().zip([&site.client, &other].into_iter().cycle()) {
            let work = queue(client, source, &json!([object(&format!("o{round}"))])).await?;
            queued.push((round, work));
        }
    }
    for (round, (job, subtask)) in &queued {
        let state = other.wait(job, "DS", subtask).await?;
        // One appears and the one before goes: neither twice, nor at the same time, nor in another order.
        assert_eq!(state["result"]["dataObjectsAdded"], 1, "{state}");
        assert_eq!(state["result"]["dataObjectsRemoved"], i32::from(*round > 0), "{state}");
    }
    for source in &sources {
        assert_eq!(alive(&site.place, source).await?, ["o9"]);
    }
    let begun = "SELECT id FROM job_events WHERE status = 'DATA_PROCESSING'";
    assert_eq!(site.place.texts(begun).await?.len(), 200);
    let ended = "SELECT id FROM job_events WHERE status = 'COMPLETED'";
    assert_eq!(site.place.texts(ended).await?.len(), 200);
    // The detail names the worker.
    let workers = "SELECT DISTINCT detail FROM job_events WHERE status = 'DATA_PROCESSING'";
    assert_eq!(site.place.texts(workers).await?.len(), 2, "both have worked");
    for table in ["work_queue", "work_subjects"] {
        site.place.until_none(&format!("SELECT 'x' FROM {table}")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_work_of_a_server_that_vanished_is_done_by_another_one() -> Result<(), Failure> {
    if !on_postgres() {
        return Ok(());
    }
    let Site { place, server, client, .. } = Site::start().await?;
    let objects: Vec<Value> = (0..MANY).map(|number| object(&format!("n{number}"))).collect();
    let (job, subtask) = queue(&client, "warehouse", &Value::Array(objects)).await?;
    until_begun(&client, &job, &subtask).await?;
    let second = Server::start(place.config()?).await?;
    drop(server);
    let client = Client { base: second.url().to_owned(), ..client };
    let state = client.wait(&job, "DS", &subtask).await?;
    assert_eq!(state["result"]["dataObjectsAdded"], MANY, "{state}");
    assert_eq!(alive(&place, "warehouse").await?.len(), MANY);
    let ended = format!("SELECT id FROM job_events WHERE job_id = '{job}' AND status = 'COMPLETED'");
    assert_eq!(place.texts(&ended).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn who_has_lost_the_lease_changes_nothing() -> Result<(), Failure> {
    let site = Site::start().await?;
    site.server.ensure_data_source("other", None).await?;
    let mut attempt = 0;
    let (job, subtask, many) = loop {
        attempt += 1;
        let objects: Vec<Value> = (0..MANY).map(|number| object(&format!("n{attempt}_{number}"))).collect();
        let (job, subtask) = queue(&site.client, "warehouse", &Value::Array(objects)).await?;
        until_begun(&site.client, &job, &subtask).await?;
        let stolen = site
            .place
            .change(&format!(
                "UPDATE work_queue SET claimed_by = 'thief', lease_until = 9000000000000 WHERE subtask_id = '{subtask}'"
            ))
            .await?;
        if stolen == 1 {
            break (job, subtask, format!("n{attempt}_"));
        }
        assert!(attempt < 10, "the import is always through before it can be stolen");
    };
    // When the worker is done with something else, it has given up what was stolen.
    let (next, next_subtask) = queue(&site.client, "other", &json!([object("x")])).await?;
    site.client.wait(&next, "DS", &next_subtask).await?;
    assert!(!alive(&site.place, "warehouse").await?.iter().any(|id| id.starts_with(&many)));
    assert_eq!(site.client.subtask(&job, "DS", &subtask).await?["status"], "DATA_PROCESSING");
    site.place.change("UPDATE work_queue SET lease_until = 0").await?;
    let state = site.client.wait(&job, "DS", &subtask).await?;
    assert_eq!(state["result"]["dataObjectsAdded"], MANY, "{state}");
    assert_eq!(alive(&site.place, "warehouse").await?.len(), MANY);
    Ok(())
}

#[tokio::test]
async fn work_that_is_begun_again_and_again_fails() -> Result<(), Failure> {
    let site = Site::start().await?;
    site.server.ensure_data_source("slow", None).await?;
    // Something else on the same subject is being done, so that this waits.
    site.place
        .change(
            "INSERT INTO work_queue (id, job_id, job_type, subtask_id, work, attempts, claimed_by, lease_until) \
             VALUES ('-', 'j', 'DS', 's', '{}', 1, 'other', 9000000000000)",
        )
        .await?;
    site.place
        .change("INSERT INTO work_subjects (queue_id, subject) VALUES ('-', 'data source slow')")
        .await?;
    let (job, subtask) = queue(&site.client, "slow", &json!([object("x")])).await?;
    let (later, later_subtask) = queue(&site.client, "slow", &json!([object("y")])).await?;
    site.place.change(&format!("UPDATE work_queue SET attempts = 3 WHERE subtask_id = '{subtask}'")).await?;
    // What concerns nothing of this goes on meanwhile.
    let (free, free_subtask) = queue(&site.client, "warehouse", &json!([object("z")])).await?;
    site.client.wait(&free, "DS", &free_subtask).await?;
    for (job, subtask) in [(&job, &subtask), (&later, &later_subtask)] {
        assert_eq!(site.client.subtask(job, "DS", subtask).await?["status"], "QUEUED");
    }
    site.place.change("DELETE FROM work_queue WHERE id = '-'").await?;
    let (wake, wake_subtask) = queue(&site.client, "warehouse", &json!([object("z")])).await?;
    site.client.wait(&wake, "DS", &wake_subtask).await?;
    let failed = site.client.wait(&job, "DS", &subtask).await.err().ok_or("it was done once more")?;
    assert!(failed.to_string().contains("stopped several times"), "{failed}");
    site.client.wait(&later, "DS", &later_subtask).await?;
    Ok(())
}

#[tokio::test]
async fn servers_that_start_at_once_on_a_new_database_agree() -> Result<(), Failure> {
    if !on_postgres() {
        return Ok(());
    }
    let place = Place::new()?;
    let config = place.config()?;
    let started = futures::future::join_all((0..4).map(|_| Server::start(config.clone()))).await;
    let servers = started.into_iter().collect::<Result<Vec<_>, _>>()?;
    let admins = servers.iter().filter(|server| server.first_admin().is_some()).count();
    assert_eq!(admins, 1, "one of them shows the password that counts");
    assert_eq!(place.texts("SELECT id FROM users").await?.len(), 1);
    assert_eq!(place.texts("SELECT key FROM settings WHERE key = 'client_id'").await?.len(), 1);
    for server in servers {
        server.shutdown().await;
    }
    Ok(())
}

#[tokio::test]
async fn lost_connections_are_replaced_and_the_work_goes_on() -> Result<(), Failure> {
    if !on_postgres() {
        return Ok(());
    }
    let site = Site::start().await?;
    let objects: Vec<Value> = (0..MANY).map(|number| object(&format!("n{number}"))).collect();
    let (job, subtask) = queue(&site.client, "warehouse", &Value::Array(objects)).await?;
    until_begun(&site.client, &job, &subtask).await?;
    let cut = "SELECT CAST(pg_terminate_backend(pid) AS TEXT) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(!site.place.texts(cut).await?.is_empty());
    let state = site.client.wait(&job, "DS", &subtask).await?;
    assert_eq!(state["result"]["dataObjectsAdded"], MANY, "{state}");
    assert!(!site.place.texts(cut).await?.is_empty());
    site.client.create_job().await?;
    Ok(())
}
