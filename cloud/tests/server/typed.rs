//! The server through a client that is generated from the published schema: every operation, what it answers, and
//! how it refuses. A document that the schema does not allow does not compile; an answer that the generated types
//! cannot hold fails.

mod access;
mod categories;
mod documents;
mod people;
mod roles;
mod sources;
mod stores;

use graphql_client::GraphQLQuery;
use raito_cloud::Role;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Failure;
use crate::client::{Client, Site, text};
use documents::*;

/// Asks, reads the answer into the generated types, and returns the value of the root field as it came.
async fn ask<Q: GraphQLQuery>(client: &Client, variables: Value) -> Result<Value, Failure>
where
    Q::Variables: DeserializeOwned,
    Q::ResponseData: DeserializeOwned,
{
    // A document without variables has a type for them that knows nothing but null.
    let variables = match variables {
        Value::Object(members) if members.is_empty() => {
            serde_json::from_value(Value::Null).or_else(|_| serde_json::from_value(json!({})))
        }
        given => serde_json::from_value(given),
    }?;
    let body = Q::build_query(variables);
    let answer = client.post(serde_json::to_string(&body)?).await?;
    if let Some(errors) = answer.get("errors") {
        return Err(errors.to_string().into());
    }
    serde_json::from_value::<Q::ResponseData>(answer["data"].clone())?;
    let field = answer["data"].as_object().and_then(|data| data.values().next());
    field.cloned().ok_or_else(|| "an empty answer".into())
}

/// Asks, and fails unless the root field is of this type.
async fn expect<Q: GraphQLQuery>(client: &Client, variables: Value, kind: &str) -> Result<Value, Failure>
where
    Q::Variables: DeserializeOwned,
    Q::ResponseData: DeserializeOwned,
{
    let answer = ask::<Q>(client, variables).await?;
    if answer["__typename"] == kind { Ok(answer) } else { Err(format!("not a {kind}: {answer}").into()) }
}

/// Asks for what is refused by a GraphQL error, and returns it.
async fn refused<Q: GraphQLQuery>(client: &Client, variables: Value) -> Result<String, Failure>
where
    Q::Variables: DeserializeOwned,
    Q::ResponseData: DeserializeOwned,
{
    match ask::<Q>(client, variables).await {
        Ok(answer) => Err(format!("not refused: {answer}").into()),
        Err(error) => Ok(error.to_string()),
    }
}

/// The values of a member of all nodes of a page.
fn nodes(page: &Value, member: &str) -> Vec<Value> {
    page["edges"].as_array().into_iter().flatten().map(|edge| edge["node"][member].clone()).collect()
}

/// An administrator, and somebody without a role.
async fn admin_and_nobody(site: &Site) -> Result<(Client, Client), Failure> {
    Ok((site.client_with("admin", &[Role::Admin]).await?, site.client_with("nobody", &[]).await?))
}

/// The caller's id.
async fn myself(client: &Client) -> Result<String, Failure> {
    text(&ask::<Myself>(client, json!({})).await?["id"])
}

#[tokio::test]
async fn jobs_show_what_became_of_a_synchronisation() -> Result<(), Failure> {
    let site = Site::start().await?;
    let (admin, nobody) = admin_and_nobody(&site).await?;
    let job = site.client.create_job().await?;
    let event = json!({ "jobId": job, "jobType": "DS", "dataSourceId": "warehouse", "identityStoreId": null,
        "status": "COMPLETED", "eventTime": "2026-01-02T03:04:05Z", "errors": null, "warnings": ["slow"],
        "result": [{ "objectType": "data objects", "added": 3, "updated": 2, "removed": 1, "failed": 0 }] });
    let document = "mutation ($input:TaskEventInput!){addTaskEvent(input: $input){jobId}}";
    site.client.query(document, &json!({ "input": event })).await?;
    let found = ask::<OneJob>(&admin, json!({ "id": job })).await?;
    assert_eq!(found["dataSource"]["id"], "warehouse");
    let task = &found["tasks"][0];
    assert_eq!((&task["status"], &task["warnings"][0]), (&json!("COMPLETED"), &json!("slow")));
    assert_eq!(task["result"][0]["added"], 3);
    assert_eq!(nodes(&found["log"], "status"), ["STARTED", "COMPLETED"]);
    let filter = json!({ "filter": { "dataSource": "warehouse", "statuses": ["STARTED"] } });
    let page = expect::<Jobs>(&admin, filter, "PagedResult").await?;
    assert_eq!(nodes(&page, "jobId"), [json!(job)]);
    expect::<Jobs>(&nobody, json!({}), "PermissionDeniedError").await?;
    assert!(refused::<OneJob>(&nobody, json!({ "id": job })).await?.contains("permission denied"));
    assert!(refused::<OneJob>(&admin, json!({ "id": "none" })).await?.contains("no job `none`"));
    // An owner of the data source sees its jobs without a role.
    let owner = json!({ "role": "OwnerRole", "resource": "warehouse", "to": [myself(&nobody).await?] });
    expect::<GiveOnSource>(&admin, owner, "Role").await?;
    let filter = json!({ "filter": { "dataSource": "warehouse" } });
    assert_eq!(nodes(&expect::<Jobs>(&nobody, filter, "PagedResult").await?, "jobId"), [json!(job)]);
    Ok(())
}
