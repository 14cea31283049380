//! Identity stores and groups.

use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn a_store_is_created_changed_and_deleted() -> Result<(), Failure> {
    let site = Site::start().await?;
    let (admin, nobody) = admin_and_nobody(&site).await?;
    let input = json!({ "input": { "name": "Okta", "description": "people" } });
    expect::<NewStore>(&nobody, input.clone(), "PermissionDeniedError").await?;
    let created = expect::<NewStore>(&admin, input.clone(), "IdentityStore").await?;
    let id = text(&created["id"])?;
    assert_eq!((&created["native"], &created["master"]), (&json!(false), &json!(false)));
    assert_eq!(expect::<NewStore>(&admin, input, "AlreadyExistsError").await?["id"], json!(id));
    expect::<NewStore>(&admin, json!({ "input": {} }), "InvalidInputError").await?;
    let other = expect::<NewStore>(&admin, json!({ "input": { "name": "Entra" } }), "IdentityStore").await?;
    let taken = json!({ "id": other["id"], "input": { "name": "Okta" } });
    assert_eq!(expect::<ChangeStore>(&admin, taken, "AlreadyExistsError").await?["id"], json!(id));
    let rename = json!({ "id": id, "input": { "name": "Okta 2" } });
    expect::<ChangeStore>(&nobody, rename.clone(), "PermissionDeniedError").await?;
    assert_eq!(expect::<ChangeStore>(&admin, rename, "IdentityStore").await?["description"], "people");
    expect::<ChangeStore>(&admin, json!({ "id": "none", "input": {} }), "NotFoundError").await?;
    let master = json!({ "id": id, "master": true });
    expect::<Master>(&nobody, master.clone(), "PermissionDeniedError").await?;
    assert_eq!(expect::<Master>(&admin, master, "IdentityStore").await?["master"], true);
    expect::<Master>(&admin, json!({ "id": "none", "master": true }), "NotFoundError").await?;
    for (arguments, expected) in [
        (json!({ "filter": { "master": true } }), vec!["Okta 2"]),
        (json!({ "filter": { "native": true } }), vec!["warehouse"]),
        (json!({ "search": "ent" }), vec!["Entra"]),
        (json!({ "filter": { "owners": [myself(&admin).await?] }, "order": [{ "name": "desc" }] }), vec!["Okta 2", "Entra"]),
        (json!({ "filter": { "canBeLinked": true } }), vec![]),
    ] {
        assert_eq!(nodes(&expect::<Stores>(&nobody, arguments, "PagedResult").await?, "name"), expected);
    }
    expect::<DropStore>(&admin, json!({ "id": site.identity_store }), "PermissionDeniedError").await?;
    expect::<DropStore>(&nobody, json!({ "id": id }), "PermissionDeniedError").await?;
    expect::<DropStore>(&admin, json!({ "id": id }), "DeleteIdentityStore").await?;
    expect::<Store>(&admin, json!({ "id": id }), "NotFoundError").await?;
    expect::<DropStore>(&admin, json!({ "id": id }), "NotFoundError").await?;
    Ok(())
}

#[tokio::test]
async fn every_filter_of_groups_holds() -> Result<(), Failure> {
    let site = Site::start().await?;
    let (admin, nobody) = admin_and_nobody(&site).await?;
    let user = |id: &str, email: &str, groups: Value| json!({ "externalId": id, "name": id, "userName": id,
        "email": email, "groupExternalIds": groups, "tags": null, "isMachine": null });
    let group = |id: &str, parents: Value| json!({ "externalId": id, "name": id, "displayName": format!("The {id}"),
        "description": "", "parentGroupExternalIds": parents, "tags": null });
    let users = json!([
        user("nobody", "nobody@acme.example", json!(["inner"])), user("stranger", "", json!(["lonely"]))]);
    let groups = json!([group("inner", json!(["outer"])), group("outer", json!([])), group("lonely", json!([])),
        group("gone", json!([]))]);
    site.import_identities(&users, &groups, true, true).await?;
    let groups = json!([group("inner", json!(["outer"])), group("outer", json!([])), group("lonely", json!([]))]);
    site.import_identities(&users, &groups, true, true).await?;
    let me = myself(&nobody).await?;
    let answer = nobody.query("query($id: ID!){user(id: $id){... on User{accounts{id}}}}", &json!({ "id": me })).await?;
    let account = answer["user"]["accounts"][0]["id"].clone();
    let page = ask::<Groups>(&nobody, json!({ "filter": { "search": "the OUT" } })).await?;
    let outer = nodes(&page, "id")[0].clone();
    let store = expect::<NewStore>(&admin, json!({ "input": { "name": "Okta" } }), "IdentityStore").await?["id"].clone();
    for (filter, expected) in [
        (json!({}), vec!["inner", "lonely", "outer"]),
        (json!({ "includeDeleted": true }), vec!["gone", "inner", "lonely", "outer"]),
        (json!({ "dataSources": ["warehouse"] }), vec!["inner", "lonely", "outer"]),
        (json!({ "identityStores": [store] }), vec![]),
        (json!({ "identityStores": [store], "includeMasterIdentityStores": true }), vec![]),
        (json!({ "user": me }), vec!["inner"]),
        (json!({ "user": me, "includeAncestors": true }), vec!["inner", "outer"]),
        (json!({ "account": account, "exclude": [outer], "includeAncestors": true }), vec!["inner"]),
        (json!({ "containsARaitoUser": true }), vec!["inner", "outer"]),
        (json!({ "containsARaitoUser": false }), vec!["lonely"]),
        (json!({ "accessProvider": "none" }), vec![]),
    ] {
        let page = ask::<Groups>(&nobody, json!({ "filter": filter, "order": [{ "name": "asc" }] })).await?;
        assert_eq!(nodes(&page, "name"), expected, "{filter}");
    }
    // The groups of a master store can be used everywhere.
    expect::<Master>(&admin, json!({ "id": site.identity_store, "master": true }), "IdentityStore").await?;
    let filter = json!({ "filter": { "identityStores": [store], "includeMasterIdentityStores": true } });
    assert_eq!(nodes(&ask::<Groups>(&nobody, filter).await?, "name").len(), 3);
    let found = ask::<OneGroup>(&nobody, json!({ "id": outer })).await?;
    assert_eq!((&found["displayName"], &found["identityStore"]["id"]), (&json!("The outer"), &json!(site.identity_store)));
    assert!(refused::<OneGroup>(&nobody, json!({ "id": "none" })).await?.contains("no group `none`"));
    Ok(())
}
