//! Imports of usage statements.

use raito_cloud::Role;
use serde_json::{Value, json};

use crate::Failure;
use crate::client::{Site, text};

async fn import(site: &Site, files: &[Value]) -> Result<Value, Failure> {
    let mut keys = Vec::new();
    for file in files {
        keys.push(site.client.upload(file.to_string().as_bytes()).await?);
    }
    let job = site.client.create_job().await?;
    let request = json!({ "jobId": job, "importSettings": { "dataSource": "warehouse", "fileKeys": keys } });
    let answer = site
        .client
        .query(
            "mutation ($request:DataUsageImportRequest!){importDataUsageRequest(input: $request){subtask{subtaskId,status}}}",
            &json!({ "request": request }),
        )
        .await?;
    let subtask = text(&answer["importDataUsageRequest"]["subtask"]["subtaskId"])?;
    Ok(site.client.wait(&job, "DU", &subtask).await?["result"].clone())
}

#[tokio::test]
async fn statements_are_imported_once_and_times_normalised() -> Result<(), Failure> {
    let site = Site::start().await?;
    let statement = |id: &str, start: i64, end: i64| {
        json!({ "externalId": id, "user": "anna", "success": true, "query": "select 1", "startTime": start, "endTime": end,
            "accessedDataObjects": [{ "globalPermission": "read", "dataObject": { "fullName": "db.a", "type": "table" } }] })
    };
    let one = json!([statement("s1", 1_705_920_489, 1_705_920_490), { "success": false, "query": "" }]);
    let two = json!([
        statement("s2", 1_711_140_795_865, 1_711_140_795_900),
        statement("s1", 1_705_920_489, 1_705_920_490)
    ]);
    let first = import(&site, &[one.clone(), two.clone()]).await?;
    let numbers = |result: &Value| {
        ["statementsAdded", "statementsSkipped", "statementsFailed", "edgesCreatedOrUpdated"]
            .map(|name| result[name].as_i64().unwrap_or(-1))
    };
    assert_eq!(numbers(&first), [2, 1, 1, 1], "{first}");
    assert_eq!(numbers(&import(&site, &[two]).await?), [0, 2, 0, 0]);
    let source = site
        .client
        .query(
            "{dataSource(id: \"warehouse\"){... on DataSource{usageFirstUsed usageLastUsed}}}",
            &Value::Null,
        )
        .await?;
    assert_eq!(
        source["dataSource"],
        json!({ "usageFirstUsed": "2024-01-22T10:48:09Z", "usageLastUsed": "2024-03-22T20:53:15.9Z" })
    );
    // The machine that synchronises does not see usage; an observer does.
    let document = "{queryHistory(dataSource: \"warehouse\", limit: 1){... on PagedResult{pageInfo{hasNextPage} \
                    edges{node{... on QueryHistoryStatement{externalId userName dataObjects{fullName globalPermission}}}}} \
                    ... on PermissionDeniedError{message}}}";
    assert!(site.client.query(document, &Value::Null).await?["queryHistory"]["message"].is_string());
    let observer = site.client_with("olga", &[Role::Observer]).await?;
    let page = observer.query(document, &Value::Null).await?["queryHistory"].clone();
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
    assert_eq!(
        page["edges"][0]["node"]["dataObjects"],
        json!([{ "fullName": "db.a", "globalPermission": "read" }])
    );
    Ok(())
}
