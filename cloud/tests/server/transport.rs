//! Uploads, and the shape of requests and answers.

use serde_json::{Value, json};

use crate::Failure;
use crate::client::{Site, sha256};

#[tokio::test]
async fn a_file_with_another_hash_or_length_is_refused_and_not_kept() -> Result<(), Failure> {
    let site = Site::start().await?;
    for (length, hash, content) in
        [(3, sha256(b"abc"), "abd"), (3, sha256(b"abcd"), "abcd"), (5, sha256(b"abc"), "abc")]
    {
        let (url, key) = site.client.signed_url(length, &hash).await?;
        let answer = site.client.http.put(&url).body(content).send().await?;
        assert_eq!(answer.status(), 400, "{content}");
        let files = site.place.path().join("files");
        assert_eq!(std::fs::read_dir(files)?.count(), 0);
        // The address has been used.
        assert_eq!(site.client.http.put(&url).body("abc").send().await?.status(), 403);
        let settings = format!("dataSource: \"warehouse\", deleteUntouched: true, fileKey: \"{key}\"");
        let failed = site
            .client
            .import("importAccessProvidersRequest", "ImportAccessProvidersRequest", "DA", &settings)
            .await
            .err()
            .ok_or("the import went on")?;
        assert!(failed.to_string().contains("there is no uploaded file"), "{failed}");
    }
    Ok(())
}

#[tokio::test]
async fn upload_addresses_are_single_use_and_not_guessable() -> Result<(), Failure> {
    let site = Site::start().await?;
    let (url, _) = site.client.signed_url(2, &sha256(b"[]")).await?;
    let (start, secret) = url.rsplit_once('/').ok_or("no secret")?;
    assert!(secret.len() >= 40);
    let guessed = format!("{start}/{}", "x".repeat(secret.len()));
    assert_eq!(site.client.http.put(guessed).body("[]").send().await?.status(), 403);
    assert_eq!(site.client.http.put(&url).body("[]").send().await?.status(), 200);
    assert_eq!(site.client.http.put(&url).body("[]").send().await?.status(), 403);
    let elsewhere = format!("{}file/download/{}", site.server.url(), "x".repeat(43));
    assert_eq!(site.client.http.get(elsewhere).send().await?.status(), 404);
    Ok(())
}

#[tokio::test]
async fn announcements_must_make_sense() -> Result<(), Failure> {
    let site = Site::start().await?;
    let hexadecimal = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert!(site.client.signed_url(0, hexadecimal).await.is_err());
    assert!(site.client.signed_url(0, &sha256(b"")).await.is_ok());
    Ok(())
}

#[tokio::test]
async fn the_job_events_of_a_run_are_accepted_as_sent() -> Result<(), Failure> {
    let site = Site::start().await?;
    let client = &site.client;
    let job = client.create_job().await?;
    let input = json!({ "dataSourceId": "warehouse", "identityStoreId": null, "status": "IN_PROGRESS",
        "eventTime": "2026-01-02T03:04:05Z", "errors": null });
    let answer = client
        .query(
            "mutation ($id:String!$input:JobInput!){updateJob(id: $id, input: $input){jobId}}",
            &json!({ "id": job, "input": input }),
        )
        .await?;
    // Nothing that was not asked for.
    assert_eq!(answer, json!({ "updateJob": { "jobId": job } }));
    let input = json!({ "jobId": job, "jobType": "DS", "dataSourceId": "warehouse", "identityStoreId": null,
        "status": "COMPLETED", "eventTime": "2026-01-02T03:04:05Z", "errors": null, "warnings": ["w"],
        "result": [{ "objectType": "data objects", "added": 1, "updated": 0, "removed": 0, "failed": 0 }] });
    client
        .query(
            "mutation ($input:TaskEventInput!){addTaskEvent(input: $input){jobId}}",
            &json!({ "input": input }),
        )
        .await?;
    let input = json!({ "jobId": job, "jobType": "DA", "subtaskId": "AccessSync", "dataSourceId": "warehouse",
        "identityStoreId": null, "status": "COMPLETED", "eventTime": "2026-01-02T03:04:05Z", "receivedDate": 1_711_140_795_865_i64 });
    client
        .query(
            "mutation ($input:SubtaskInput!){addSubtaskEvent(input: $input){jobId}}",
            &json!({ "input": input }),
        )
        .await?;
    assert_eq!(client.subtask(&job, "DA", "AccessSync").await?["status"], "COMPLETED");
    let key = client.upload(b"log").await?;
    let input = json!({ "jobId": job, "jobType": "DS", "fileKey": key });
    let answer = client
        .query(
            "mutation ($input:LogFileToTaskInput!){addLogFileToTask(input: $input){jobId,jobType}}",
            &json!({ "input": input }),
        )
        .await?;
    assert_eq!(answer, json!({ "addLogFileToTask": { "jobId": job, "jobType": "DS" } }));
    let answer = client
        .query(
            "mutation ($input:EndOfTargetsSyncInput!){endOfTargetsSync(input: $input){... on EndOfTargetsSync{success},... on PermissionDeniedError{message}}}",
            &json!({ "input": { "jobIds": [job] } }),
        )
        .await?;
    assert_eq!(answer, json!({ "endOfTargetsSync": { "success": true } }));
    Ok(())
}

#[tokio::test]
async fn the_look_ups_of_the_command_line_are_answered() -> Result<(), Failure> {
    let site = Site::start().await?;
    let client = &site.client;
    let versions = client
        .query(
            "{SupportedCLIVersion{supportedVersions,deprecatedVersions{deprecatedVersions,msg}}}",
            &Value::Null,
        )
        .await?;
    assert_eq!(versions["SupportedCLIVersion"]["deprecatedVersions"], Value::Null);
    let sources = client
        .query(
            "{dataSources{... on PagedResult{edges{node{... on DataSource{name,id,identityStores{id,native}}}}}}}",
            &Value::Null,
        )
        .await?;
    let node = &sources["dataSources"]["edges"][0]["node"];
    assert_eq!(
        node,
        &json!({ "name": "warehouse", "id": "warehouse",
        "identityStores": [{ "id": site.identity_store, "native": true }] })
    );
    let usage = client
        .post(json!({ "variables": {}, "query": "query {dataSource(id:\"warehouse\") { ... on DataSource {id usageLastUsed usageFirstUsed }}}" }).to_string())
        .await?;
    assert_eq!(
        usage,
        json!({ "data": { "dataSource": { "id": "warehouse", "usageLastUsed": null, "usageFirstUsed": null } } })
    );
    let one = client
        .query(
            "query ($id:ID!){identityStore(id: $id){... on IdentityStore{name,id}}}",
            &json!({ "id": site.identity_store }),
        )
        .await?;
    assert_eq!(one["identityStore"]["id"], json!(site.identity_store));
    let stores = client
        .query("{identityStores(filter: {native: false}){... on PagedResult{edges{node{... on IdentityStore{name,id}}}}}}", &Value::Null)
        .await?;
    assert_eq!(stores["identityStores"]["edges"], json!([]));
    // Creating needs another role; the error member is not selected, so the object is empty.
    let refused = client
        .query(
            "mutation ($input:DataSourceInput!){createDataSource(input: $input){... on DataSource{name,id,identityStores{id,native}}}}",
            &json!({ "input": { "name": "New" } }),
        )
        .await?;
    assert_eq!(refused["createDataSource"].get("id"), None);
    Ok(())
}

#[tokio::test]
async fn metadata_is_checked_and_stored() -> Result<(), Failure> {
    let site = Site::start().await?;
    let document = "mutation ($id:ID!$input:DataSourceMetaDataInput!){setDataSourceMetaData(id: $id, input :$input)\
                    {... on DataSource{id},... on BaseError{message}}}";
    let good = json!({ "type": "postgres", "supportsApInheritance": true, "dataObjectTypes": [{ "name": "table",
        "permissions": [{ "permission": "SELECT", "globalPermissions": ["read"], "description": "Read" }] }] });
    let answer = site.client.query(document, &json!({ "id": "warehouse", "input": good })).await?;
    assert_eq!(answer, json!({ "setDataSourceMetaData": { "id": "warehouse" } }));
    let bad = json!({ "supportsApInheritance": false, "usageMetaInfo": { "defaultLevel": "x",
        "levels": [{ "name": "table", "dataObjectTypes": ["table"] }] } });
    let answer = site.client.query(document, &json!({ "id": "warehouse", "input": bad })).await?;
    assert!(
        answer["setDataSourceMetaData"]["message"].as_str().is_some_and(|text| text.contains("`x`")),
        "{answer}"
    );
    let answer = site
        .client
        .post(
            json!({ "operationName": "SetMetaData", "variables": {}, "query": format!(
            "mutation SetMetaData {{ setIdentityStoreMetaData(id: \"{}\", input: {{ type: \"test\", icon: \"\", \
             canBeLinked: false, canBeMaster: true, }}) {{ ... on IdentityStore {{ id }} }} }}", site.identity_store) })
            .to_string()
                + "\"",
        )
        .await?;
    assert_eq!(answer["data"]["setIdentityStoreMetaData"]["id"], json!(site.identity_store));
    Ok(())
}
