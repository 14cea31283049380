//! Imports of data objects, and of tags.

use serde_json::{Value, json};

use crate::Failure;
use crate::client::Site;

fn object(id: &str, parent: &str) -> Value {
    json!({ "externalId": id, "name": id, "fullName": format!("db.{id}"), "type": "table", "description": "",
        "parentExternalId": parent, "tags": null })
}

fn counts(state: &Value) -> [i64; 3] {
    ["dataObjectsAdded", "dataObjectsUpdated", "dataObjectsRemoved"]
        .map(|name| state["result"][name].as_i64().unwrap_or(-1))
}

#[tokio::test]
async fn counts_follow_add_change_remove_and_revive() -> Result<(), Failure> {
    let site = Site::start().await?;
    // Children before parents.
    let all = json!([object("b", "a"), object("a", ""), object("c", "a")]);
    assert_eq!(counts(&site.import_objects(&all, true).await?), [3, 0, 0]);
    assert_eq!(counts(&site.import_objects(&all, true).await?), [0, 0, 0]);
    let mut described = object("b", "a");
    described["description"] = json!("new");
    let fewer = json!([object("a", ""), described]);
    assert_eq!(counts(&site.import_objects(&fewer, false).await?), [0, 1, 0]);
    assert_eq!(counts(&site.import_objects(&fewer, true).await?), [0, 0, 1]);
    assert_eq!(counts(&site.import_objects(&fewer, true).await?), [0, 0, 0]);
    let answer = site.client.query("{dataObjects(filter: {includeDeleted: true, search: \".C\"}){edges{node{... on DataObject{id deleted}}}}}", &Value::Null).await?;
    let node = answer["dataObjects"]["edges"][0]["node"].clone();
    assert_eq!(node["deleted"], true);
    assert_eq!(counts(&site.import_objects(&all, true).await?), [1, 1, 0]);
    let answer = site.client.query("{dataObjects(filter: {fullNames: [\"db.c\"], dataSources: [\"warehouse\"]}){edges{node{... on DataObject{id deleted}}}}}", &Value::Null).await?;
    assert_eq!(answer["dataObjects"]["edges"][0]["node"], json!({ "id": node["id"], "deleted": false }));
    Ok(())
}

#[tokio::test]
async fn unfinished_arrays_nulls_and_strangers_are_accepted() -> Result<(), Failure> {
    let site = Site::start().await?;
    let text = "[\n\n{\"externalId\":\"a\",\"name\":\"a\",\"fullName\":\"a\",\"type\":\"table\",\"strange\":[1],\"dataType\":null}\n,\n\n{\"externalId\":\"b\",\"description\":null,\"tags\":[]}";
    assert_eq!(counts(&site.import_objects_text(text, true, "[]").await?), [2, 0, 0]);
    // Cut within an element: nothing is imported and nothing removed.
    let failed = site.import_objects_text("[{\"externalId\":\"a\"},{\"extern", true, "[]").await;
    let failed = failed.err().ok_or("a cut file was imported")?;
    assert!(failed.to_string().contains("ends within element 1"), "{failed}");
    assert_eq!(counts(&site.import_objects_text(text, true, "[]").await?), [0, 0, 0]);
    Ok(())
}

#[tokio::test]
async fn unknown_parents_and_duplicates_are_named() -> Result<(), Failure> {
    let site = Site::start().await?;
    let state =
        site.import_objects(&json!([object("a", "lost"), object("a", ""), object("b", "a")]), true).await?;
    assert_eq!(counts(&state), [2, 0, 0]);
    let warnings = state["result"]["warnings"].to_string();
    assert!(warnings.contains("unknown: lost"), "{warnings}");
    assert!(warnings.contains("occurred before: a"), "{warnings}");
    Ok(())
}

#[tokio::test]
async fn more_objects_than_one_statement_holds_are_paged_back() -> Result<(), Failure> {
    let site = Site::start().await?;
    let many: Vec<Value> = (0..3000)
        .map(|number| object(&format!("o{number:04}"), "root"))
        .chain([object("root", "")])
        .collect();
    assert_eq!(counts(&site.import_objects(&Value::Array(many), true).await?), [3001, 0, 0]);
    for order in ["", ", order: [{name: desc}]"] {
        let (mut after, mut seen) = (Value::Null, std::collections::HashSet::new());
        loop {
            let query = format!(
                "query($after: String){{dataObjects(after: $after, limit: 700{order}){{pageInfo{{hasNextPage}} edges{{cursor node{{... on DataObject{{fullName}}}}}}}}}}"
            );
            let page = site.client.query(&query, &json!({ "after": after })).await?["dataObjects"].clone();
            for edge in page["edges"].as_array().into_iter().flatten() {
                assert!(seen.insert(edge["node"]["fullName"].to_string()), "twice: {edge}");
                after = edge["cursor"].clone();
            }
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(seen.len(), 3001);
    }
    Ok(())
}

#[tokio::test]
async fn tags_of_other_sources_stay() -> Result<(), Failure> {
    let site = Site::start().await?;
    let tagged = |tags: Value| {
        let mut one = object("a", "");
        one["tags"] = tags;
        json!([one, object("b", "a")]).to_string()
    };
    let tag = |source: &str, value: &str| json!({ "key": "k", "value": value, "source": source });
    let text = tagged(json!([tag("catalogue", "1"), tag("connector", "1")]));
    assert_eq!(counts(&site.import_objects_text(&text, true, "[]").await?), [2, 0, 0]);
    // The file speaks for the connector only: its tag changes, the other one stays.
    let text = tagged(json!([tag("connector", "2")]));
    assert_eq!(counts(&site.import_objects_text(&text, true, "[\"connector\"]").await?), [0, 1, 0]);
    assert_eq!(counts(&site.import_objects_text(&text, true, "[\"connector\"]").await?), [0, 0, 0]);
    let answer = site.client.query("{dataObjects(filter: {fullNames: [\"db.a\"]}){edges{node{... on DataObject{tags{source stringValue}}}}}}", &Value::Null).await?;
    assert_eq!(
        answer["dataObjects"]["edges"][0]["node"]["tags"],
        json!([{ "source": "catalogue", "stringValue": "1" }, { "source": "connector", "stringValue": "2" }])
    );
    Ok(())
}

#[tokio::test]
async fn a_catalogue_tags_objects_and_users() -> Result<(), Failure> {
    let site = Site::start().await?;
    site.import_objects(&json!([object("a", "")]), true).await?;
    site.import_identities(
        &json!([{ "externalId": "u1", "name": "U", "userName": "u" }]),
        &json!([]),
        true,
        true,
    )
    .await?;
    let file = json!([
        { "dataObjectFullName": "db.a", "key": "pii", "stringValue": "yes", "source": "cat" },
        { "userId": "u1", "key": "team", "stringValue": "blue", "source": "cat" },
        { "dataObjectFullName": "db.lost", "key": "pii", "stringValue": "yes", "source": "cat" },
    ]);
    let import = async |file: Value| {
        let job = site.client.create_job().await?;
        let key = site.client.upload(file.to_string().as_bytes()).await?;
        let input = json!({ "jobId": job, "importSettings": { "dataSource": "warehouse", "identitySource": site.identity_store,
            "fileKey": key, "tagSourcesScope": ["cat"] } });
        let answer = site.client.query("mutation ($input:TagImportRequest!){importTagsRequest(input: $input){subtask{status,subtaskId}}}", &json!({ "input": input })).await?;
        let subtask = crate::client::text(&answer["importTagsRequest"]["subtask"]["subtaskId"])?;
        let state = site.client.wait(&job, "TAG", &subtask).await?;
        Ok::<_, Failure>(state["result"].clone())
    };
    let first = import(file.clone()).await?;
    assert_eq!((first["tagsAdded"].as_i64(), first["tagsRemoved"].as_i64()), (Some(2), Some(0)));
    assert!(first["warnings"].to_string().contains("db.lost"), "{first}");
    let again = import(file).await?;
    assert_eq!((again["tagsAdded"].as_i64(), again["tagsRemoved"].as_i64()), (Some(0), Some(0)));
    let none = import(json!([])).await?;
    assert_eq!((none["tagsAdded"].as_i64(), none["tagsRemoved"].as_i64()), (Some(0), Some(2)));
    Ok(())
}
