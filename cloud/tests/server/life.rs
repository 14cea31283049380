//! The states of jobs, tasks and subtasks, what ends those that nobody works on, and what is cleared away.

use std::time::Duration;

use raito_cloud::{Role, Server, ServerConfig};
use serde_json::{Value, json};

use crate::Failure;
use crate::client::{Client, Site, text};
use crate::engine::{Place, on_postgres};

const TIME: &str = "2026-01-02T03:04:05Z";

async fn job_event(client: &Client, job: &str, status: &str) -> Result<(), Failure> {
    let input = json!({ "dataSourceId": "warehouse", "status": status, "eventTime": TIME });
    let document = "mutation ($id:String!$input:JobInput!){updateJob(id: $id, input: $input){jobId}}";
    client.query(document, &json!({ "id": job, "input": input })).await.map(|_| ())
}

async fn task_event(client: &Client, job: &str, status: &str, warning: &str) -> Result<(), Failure> {
    let input =
        json!({ "jobId": job, "jobType": "DA", "status": status, "eventTime": TIME, "warnings": [warning] });
    let document = "mutation ($input:TaskEventInput!){addTaskEvent(input: $input){jobId}}";
    client.query(document, &json!({ "input": input })).await.map(|_| ())
}

async fn subtask_event(client: &Client, job: &str, id: &str, status: &str) -> Result<(), Failure> {
    let input =
        json!({ "jobId": job, "jobType": "DA", "subtaskId": id, "status": status, "eventTime": TIME });
    let document = "mutation ($input:SubtaskInput!){addSubtaskEvent(input: $input){jobId}}";
    client.query(document, &json!({ "input": input })).await.map(|_| ())
}

/// The states of a job, its task and its subtask.
async fn states(place: &Place, job: &str) -> Result<[Vec<String>; 3], Failure> {
    Ok([
        place.texts(&format!("SELECT status FROM jobs WHERE id = '{job}'")).await?,
        place.texts(&format!("SELECT status FROM tasks WHERE job_id = '{job}'")).await?,
        place.texts(&format!("SELECT status FROM subtasks WHERE job_id = '{job}'")).await?,
    ])
}

#[tokio::test]
async fn a_state_never_goes_back() -> Result<(), Failure> {
    let site = Site::start().await?;
    let (client, place) = (&site.client, &site.place);
    let job = client.create_job().await?;
    for status in ["IN_PROGRESS", "STARTED"] {
        job_event(client, &job, status).await?;
        task_event(client, &job, if status == "STARTED" { status } else { "QUEUED" }, "w").await?;
        subtask_event(client, &job, "AccessSync", status).await?;
    }
    assert_eq!(states(place, &job).await?, [["IN_PROGRESS"], ["QUEUED"], ["IN_PROGRESS"]]);
    // Under way, everything may follow everything: a step uploads, is queued, and uploads again.
    task_event(client, &job, "DATA_UPLOAD", "w").await?;
    for (last, late) in [("COMPLETED", "FAILED"), ("FAILED", "IN_PROGRESS"), ("STARTED", "SKIPPED")] {
        for status in [last, late] {
            job_event(client, &job, status).await?;
            task_event(client, &job, status, "late").await?;
            subtask_event(client, &job, "AccessSync", status).await?;
        }
        assert_eq!(states(place, &job).await?, [["COMPLETED"], ["COMPLETED"], ["COMPLETED"]]);
    }
    let warnings = place.texts(&format!("SELECT warnings FROM tasks WHERE job_id = '{job}'")).await?;
    assert_eq!(warnings, [r#"["w","w","late"]"#], "the last is that of the end");
    let events = place.texts(&format!("SELECT status FROM job_events WHERE job_id = '{job}'")).await?;
    assert_eq!(events.len(), 1 + 3 * 2 + 1 + 3 * 6, "late events are in the history");
    Ok(())
}

#[tokio::test]
async fn the_server_alone_reports_on_its_own_work() -> Result<(), Failure> {
    let site = Site::start().await?;
    let job = site.client.create_job().await?;
    let settings = "dataSource: \"nowhere\", deleteUntouched: true, fileKey: \"x\"";
    let subtask = site
        .client
        .request_import(&job, "importAccessProvidersRequest", "ImportAccessProvidersRequest", settings)
        .await?;
    subtask_event(&site.client, &job, &subtask, "COMPLETED").await?;
    let failed = site.client.wait(&job, "DA", &subtask).await.err().ok_or("it is completed")?;
    assert!(failed.to_string().contains("nowhere"), "{failed}");
    Ok(())
}

#[tokio::test]
async fn what_shows_no_sign_of_life_is_given_up_once() -> Result<(), Failure> {
    let place = Place::new()?;
    let config = ServerConfig { job_timeout: Duration::from_secs(20), ..place.config()? };
    let site = Site::start_with(place, config.clone()).await?;
    // Two servers on one database give a job up once.
    let _second = if on_postgres() { Some(Server::start(config).await?) } else { None };
    let (client, place) = (&site.client, &site.place);
    let [silent, ended, asked, working] = [
        client.create_job().await?,
        client.create_job().await?,
        client.create_job().await?,
        client.create_job().await?,
    ];
    for job in [&silent, &ended, &asked] {
        task_event(client, job, "STARTED", "w").await?;
        subtask_event(client, job, "AccessSync", "IN_PROGRESS").await?;
    }
    job_event(client, &ended, "FAILED").await?;
    // Somebody else is at it.
    place
        .change(&format!(
            "INSERT INTO work_queue (id, job_id, job_type, subtask_id, work, attempts, claimed_by, lease_until) \
             VALUES ('q', '{working}', 'DS', 's', '{{}}', 1, 'other', 9000000000000)"
        ))
        .await?;
    place
        .change(&format!(
            "INSERT INTO subtasks (job_id, job_type, subtask_id, status, errors, updated_at, server) \
             VALUES ('{working}', 'DS', 's', 'DATA_PROCESSING', '[]', 0, 1)"
        ))
        .await?;
    let poll = {
        let (client, asked) = (client.clone(), asked.clone());
        tokio::spawn(async move {
            while client.subtask(&asked, "DA", "AccessSync").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
    };
    tokio::time::sleep(Duration::from_millis(200)).await;
    place.change("UPDATE jobs SET last_seen = last_seen - 3600000").await?;
    for job in [&silent, &ended] {
        place
            .until_none(&format!(
                "SELECT job_type FROM subtasks WHERE job_id = '{job}' AND status <> 'TIMED_OUT'"
            ))
            .await?;
    }
    assert_eq!(states(place, &silent).await?, [["TIMED_OUT"], ["TIMED_OUT"], ["TIMED_OUT"]]);
    assert_eq!(states(place, &ended).await?, [["FAILED"], ["TIMED_OUT"], ["TIMED_OUT"]]);
    assert_eq!(states(place, &asked).await?, [["STARTED"], ["STARTED"], ["IN_PROGRESS"]]);
    assert_eq!(states(place, &working).await?[2], ["DATA_PROCESSING"], "queued work is alive");
    for (job, events) in [(&silent, 3), (&ended, 2)] {
        let query = format!("SELECT id FROM job_events WHERE job_id = '{job}' AND status = 'TIMED_OUT'");
        assert_eq!(place.texts(&query).await?.len(), events);
    }
    let given_up = client.subtask(&silent, "DA", "AccessSync").await?;
    assert_eq!(given_up["status"], "TIMED_OUT");
    assert!(given_up["errors"].to_string().contains("no sign of life"), "{given_up}");
    // Late events do not bring it back.
    job_event(client, &silent, "COMPLETED").await?;
    assert_eq!(states(place, &silent).await?[0], ["TIMED_OUT"]);

    // Work that is in no queue will never be done.
    place.change("DELETE FROM work_queue").await?;
    place
        .until_none(&format!(
            "SELECT job_type FROM subtasks WHERE job_id = '{working}' AND status <> 'TIMED_OUT'"
        ))
        .await?;
    poll.abort();
    Ok(())
}

#[tokio::test]
async fn what_has_ended_is_cleared_away() -> Result<(), Failure> {
    let place = Place::new()?;
    let config = ServerConfig { job_timeout: Duration::from_secs(2), ..place.config()? };
    let site = Site::start_with(place, config).await?;
    let (client, place) = (&site.client, &site.place);
    let (unused, log) = (client.upload(b"[]").await?, client.upload(b"log").await?);
    let job = client.create_job().await?;
    let input = json!({ "jobId": job, "jobType": "DS", "fileKey": log });
    let document = "mutation ($input:LogFileToTaskInput!){addLogFileToTask(input: $input){jobId}}";
    client.query(document, &json!({ "input": input })).await?;
    client.signed_url(0, &crate::client::sha256(b"")).await?;
    let somebody = site.client_with("somebody", &[Role::Observer]).await?;
    site.export(&json!({})).await?;
    place.change("UPDATE tokens SET expires_at = 1 WHERE user_id IN (SELECT id FROM users WHERE email_key = 'somebody@acme.example')").await?;
    place.change("UPDATE uploads SET expires_at = 1").await?;
    place.change("UPDATE downloads SET expires_at = 1").await?;
    let remaining = format!(
        "SELECT file_key FROM uploads WHERE file_key <> '{log}' UNION SELECT file_key FROM downloads \
         UNION SELECT hash FROM tokens WHERE expires_at = 1"
    );
    place.until_none(&remaining).await?;
    let files = place.path().join("files");
    assert!(!files.join(&unused).exists());
    assert!(files.join(&log).exists());
    assert_eq!(std::fs::read_dir(files)?.count(), 1, "the export is gone");
    assert!(somebody.query("{users{__typename}}", &Value::Null).await.is_err());
    assert!(client.create_job().await.is_ok());
    Ok(())
}

#[tokio::test]
async fn nul_characters_are_replaced_wherever_they_come_from() -> Result<(), Failure> {
    let site = Site::start().await?;
    let object =
        |id: &str| json!({ "externalId": id, "name": id, "fullName": format!("db.{id}"), "type": "table" });
    let first = site.import_objects(&json!([object("a\0b"), object("c")]), true).await?;
    assert_eq!(first["result"]["dataObjectsAdded"], 2);
    let again = site.import_objects(&json!([object("a\u{fffd}b"), object("c")]), true).await?;
    assert_eq!(again["result"]["dataObjectsUpdated"], 0, "{again}");
    let manager = site.client_with("mia", &[Role::AccessManager]).await?;
    let variable = "mutation($input: AccessProviderInput!){createAccessProvider(input: $input){... on AccessProviderWithOptionalAccessRequests{accessProvider{name description}}}}";
    let literal = "mutation{createAccessProvider(input: {name: \"x\\u0000y\", description: \"\\\\u0000\"}){... on AccessProviderWithOptionalAccessRequests{accessProvider{name description}}}}";
    let input = json!({ "input": { "name": "x\0y", "description": "\\u0000" } });
    for (document, variables) in [(variable, input), (literal, Value::Null)] {
        let made = manager.query(document, &variables).await?;
        let made = &made["createAccessProvider"]["accessProvider"];
        assert_eq!(text(&made["name"])?, "x\u{fffd}y");
        assert_eq!(text(&made["description"])?, "\\u0000");
    }
    let odd = format!("{}file/upload/%00/%00", site.server.url());
    assert_eq!(site.client.http.put(odd).body("").send().await?.status(), 403);
    Ok(())
}
