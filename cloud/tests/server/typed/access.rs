//! Access controls, as far as documents and refusals go.

use raito_cloud::Role;
use serde_json::json;

use super::*;

#[tokio::test]
async fn an_access_control_goes_through_its_life() -> Result<(), Failure> {
    let site = Site::start().await?;
    let (_, nobody) = admin_and_nobody(&site).await?;
    let creator = site.client_with("creator", &[Role::AccessCreator]).await?;
    let table = json!([{ "externalId": "t", "name": "t", "fullName": "t", "type": "table", "description": "",
        "parentExternalId": "", "tags": null }]);
    site.import_objects(&table, true).await?;
    let input = json!({ "input": { "name": "Readers", "action": "Grant", "whoType": "Static", "whatType": "Static",
        "dataSources": [{ "dataSource": "warehouse" }], "whoItems": [{ "user": myself(&nobody).await? }],
        "whatDataObjects": [{ "globalPermissions": ["READ"], "dataObjectByName": [{ "fullname": "t", "datasource": "warehouse" }] }],
        "locks": [{ "lockKey": "NameLock", "details": { "reason": "Locked by a test", "lockType": "UserOnly" } }] } });
    expect::<NewControl>(&nobody, input.clone(), "PermissionDeniedError").await?;
    expect::<NewControl>(&creator, json!({ "input": { "name": "" } }), "InvalidInputError").await?;
    let made = expect::<NewControl>(&creator, input, "AccessProviderWithOptionalAccessRequests").await?;
    let id = text(&made["accessProvider"]["id"])?;
    assert_eq!(made["accessProvider"]["locks"][0]["details"]["reason"], "Locked by a test");
    // Whoever created it owns it, and may do with it what others need a role for.
    let owners = expect::<OwnersOfAccess>(&creator, json!({ "id": id }), "AccessProvider").await?;
    assert_eq!(nodes(&owners["roleAssignments"], "to")[0]["id"], json!(myself(&creator).await?));
    let who = expect::<Who>(&creator, json!({ "id": id }), "AccessProvider").await?;
    assert_eq!(nodes(&who["list"], "item")[0]["id"], json!(myself(&nobody).await?));
    let denied = expect::<Who>(&nobody, json!({ "id": id }), "AccessProvider").await?;
    assert_eq!(denied["list"]["__typename"], "PermissionDeniedError");
    let what = expect::<What>(&nobody, json!({ "id": id }), "AccessProvider").await?;
    assert_eq!(nodes(&what["list"], "globalPermissions")[0], json!(["READ"]));
    expect::<WhatControls>(&nobody, json!({ "id": id }), "AccessProvider").await?;
    expect::<RuleScope>(&nobody, json!({ "id": id }), "AccessProvider").await?;
    expect::<OneControl>(&nobody, json!({ "id": id }), "AccessProvider").await?;
    let page = expect::<Controls>(&nobody, json!({ "filter": { "search": "READ" } }), "PagedResult").await?;
    assert_eq!(nodes(&page, "id"), [json!(id)]);

    let change = json!({ "id": id, "input": { "description": "why" }, "override": true });
    expect::<ChangeControl>(&nobody, change.clone(), "PermissionDeniedError").await?;
    expect::<ChangeControl>(&creator, change, "AccessProviderWithOptionalAccessRequests").await?;
    expect::<Deactivate>(&nobody, json!({ "id": id }), "PermissionDeniedError").await?;
    assert_eq!(expect::<Deactivate>(&creator, json!({ "id": id }), "AccessProvider").await?["state"], "Inactive");
    expect::<Activate>(&nobody, json!({ "id": id }), "PermissionDeniedError").await?;
    assert_eq!(expect::<Activate>(&creator, json!({ "id": id }), "AccessProvider").await?["state"], "Active");
    expect::<DropControl>(&nobody, json!({ "id": id, "override": true }), "PermissionDeniedError").await?;
    expect::<DropControl>(&creator, json!({ "id": id, "override": true }), "AccessProvider").await?;

    let manager = site.client_with("manager", &[Role::AccessManager]).await?;
    let none = json!({ "id": "none" });
    for missing in [
        expect::<OneControl>(&manager, none.clone(), "NotFoundError").await,
        expect::<Who>(&manager, none.clone(), "NotFoundError").await,
        expect::<What>(&manager, none.clone(), "NotFoundError").await,
        expect::<WhatControls>(&manager, none.clone(), "NotFoundError").await,
        expect::<RuleScope>(&manager, none.clone(), "NotFoundError").await,
        expect::<Activate>(&manager, none.clone(), "NotFoundError").await,
        expect::<Deactivate>(&manager, none.clone(), "NotFoundError").await,
        expect::<DropControl>(&manager, none.clone(), "NotFoundError").await,
        expect::<ChangeControl>(&manager, json!({ "id": "none", "input": {} }), "NotFoundError").await,
    ] {
        missing?;
    }
    Ok(())
}
