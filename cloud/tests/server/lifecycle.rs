//! Starting, stopping, crashing, looking from outside.

use raito_cloud::{CloudError, Database, Server, status};
use serde_json::{Value, json};

use crate::Failure;
use crate::client::{DOMAIN, Site};

#[tokio::test]
async fn a_folder_is_open_once() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let (server, _) = Server::start_embedded(folder.path(), DOMAIN).await?;
    let refused = Server::start_embedded(folder.path(), DOMAIN).await.err().ok_or("opened twice")?;
    assert!(matches!(&refused, CloudError::InUse { folder: used } if used == folder.path()), "{refused}");
    assert!(refused.hint().is_some());
    server.shutdown().await;
    let (server, _) = Server::start_embedded(folder.path(), DOMAIN).await?;
    server.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn given_ids_are_kept_and_found_again() -> Result<(), Failure> {
    let site = Site::start().await?;
    let again = site.server.ensure_data_source("warehouse", None).await?;
    assert_eq!(
        (again.data_source_id.as_str(), &again.identity_store_id),
        ("warehouse", &site.identity_store)
    );
    let other = site.server.ensure_identity_store("ldap", Some("ldap")).await?;
    assert_eq!(other, "ldap");
    assert_eq!(site.server.ensure_identity_store("ldap", None).await?, "ldap");
    assert!(site.server.ensure_data_source("a\"b", None).await.is_err());
    Ok(())
}

#[tokio::test]
async fn the_status_tells_what_is_there_while_the_server_runs() -> Result<(), Failure> {
    let site = Site::start().await?;
    site.import_identities(
        &json!([{ "externalId": "u", "userName": "u" }]),
        &json!([{ "externalId": "g", "name": "g" }]),
        true,
        true,
    )
    .await?;
    site.import_objects(&json!([{ "externalId": "a", "type": "table", "fullName": "a" }, { "externalId": "b", "type": "view", "fullName": "b" }]), true).await?;
    site.import_access(&json!([{ "externalId": "r", "name": "r", "action": "grant" }]), true).await?;
    let database = site.place.database()?;
    let found = serde_json::to_value(status(site.place.path(), &database).await?)?;
    let source = &found["dataSources"][0];
    assert_eq!(source["dataObjects"], json!({ "table": 1, "view": 1 }));
    assert_eq!(
        (&source["users"], &source["groups"], &source["externalAccessControls"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(source["lastSync"]["status"], "STARTED");
    site.server.shutdown().await;
    let closed = serde_json::to_value(status(site.place.path(), &database).await?)?;
    assert_eq!(closed, found);
    let nowhere = tempfile::tempdir()?;
    assert!(matches!(status(nowhere.path(), &Database::Folder).await, Err(CloudError::NoStore { .. })));
    Ok(())
}

#[tokio::test]
async fn an_import_that_was_cut_off_is_done_by_the_next_start() -> Result<(), Failure> {
    let site = Site::start().await?;
    site.import_objects(&json!([{ "externalId": "old", "fullName": "old", "type": "table" }]), true).await?;
    let many: Vec<Value> = (0..20_000).map(|number| json!({ "externalId": format!("n{number}"), "fullName": format!("n{number}"), "type": "table" })).collect();
    let key = site.client.upload(Value::Array(many).to_string().as_bytes()).await?;
    let job = site.client.create_job().await?;
    let settings =
        format!("dataSource: \"warehouse\", deleteUntouched: true, fileKey: \"{key}\", tagSourcesScope: []");
    let subtask = site
        .client
        .request_import(&job, "importDataSourceRequest", "ImportDataSourceRequest", &settings)
        .await?;
    // The import has begun; whether it is staging or merging, it must not show.
    let mut state = Value::Null;
    for _ in 0..1000 {
        state = site.client.subtask(&job, "DS", &subtask).await?["status"].clone();
        if state != "QUEUED" {
            break;
        }
    }
    assert_eq!(state, "DATA_PROCESSING");
    let Site { place, server, .. } = site;
    drop(server);
    let objects = async || {
        let found = status(place.path(), &place.database()?).await?;
        let source = found.data_sources.first().and_then(|source| source.data_objects.get("table").copied());
        Ok::<_, Failure>(source)
    };
    let again = async || loop {
        // The connections of the dropped server close in the background.
        match Site::start_again(&place).await {
            Err(error) if error.to_string().contains("used by another process") => {
                tokio::task::yield_now().await;
            }
            started => return started,
        }
    };
    let between = again().await?;
    let before = objects().await?;
    assert!(matches!(before, Some(1 | 20_000)), "half-imported: {before:?}");
    drop(between);
    let (_server, client) = again().await?;
    let state = client.wait(&job, "DS", &subtask).await?;
    assert_eq!(state["result"]["dataObjectsAdded"], 20_000, "{state}");
    assert_eq!(state["result"]["dataObjectsRemoved"], 1);
    assert_eq!(objects().await?, Some(20_000));
    Ok(())
}
