//! Data sources and data objects.

use raito_cloud::Role;
use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn a_data_source_is_created_changed_linked_and_deleted() -> Result<(), Failure> {
    let site = Site::start().await?;
    let (admin, nobody) = admin_and_nobody(&site).await?;
    let input = json!({ "input": { "name": "Lake", "description": "files", "syncMethod": "CLOUD_MANUAL_TRIGGER",
        "parent": "warehouse", "canRequestAccess": true, "canRequestAccessToTypes": ["table"] } });
    expect::<NewSource>(&nobody, input.clone(), "PermissionDeniedError").await?;
    expect::<NewSource>(&admin, json!({ "input": { "name": " " } }), "InvalidInputError").await?;
    expect::<NewSource>(&admin, json!({ "input": { "name": "x", "parent": "none" } }), "NotFoundError").await?;
    let created = expect::<NewSource>(&admin, input, "DataSource").await?;
    let id = text(&created["id"])?;
    assert_eq!((&created["syncMethod"], &created["parent"]["id"]), (&json!("CLOUD_MANUAL_TRIGGER"), &json!("warehouse")));
    let stores = expect::<StoresOfSource>(&nobody, json!({ "id": id }), "DataSource").await?["identityStores"].clone();
    assert_eq!(stores.as_array().map(Vec::len), Some(1));
    assert_eq!(stores[0]["native"], true);
    let owners = expect::<OwnersOfSource>(&admin, json!({ "id": id }), "DataSource").await?["roleAssignments"].clone();
    assert_eq!(nodes(&owners, "to")[0]["id"], json!(myself(&admin).await?));

    let rename = json!({ "id": id, "input": { "name": "Lakehouse" } });
    expect::<ChangeSource>(&nobody, rename.clone(), "PermissionDeniedError").await?;
    let renamed = expect::<ChangeSource>(&admin, rename, "DataSource").await?;
    assert_eq!((&renamed["name"], &renamed["description"]), (&json!("Lakehouse"), &json!("files")));
    let circle = json!({ "id": "warehouse", "input": { "parent": id } });
    expect::<ChangeSource>(&admin, circle, "InvalidInputError").await?;
    expect::<ChangeSource>(&admin, json!({ "id": "none", "input": {} }), "NotFoundError").await?;

    let store = expect::<NewStore>(&admin, json!({ "input": { "name": "Okta" } }), "IdentityStore").await?;
    let link = json!({ "source": id, "store": store["id"] });
    expect::<LinkStore>(&nobody, link.clone(), "PermissionDeniedError").await?;
    expect::<LinkStore>(&admin, json!({ "source": id, "store": "none" }), "NotFoundError").await?;
    expect::<LinkStore>(&admin, json!({ "source": "none", "store": "none" }), "NotFoundError").await?;
    let foreign = json!({ "source": id, "store": site.identity_store });
    expect::<LinkStore>(&admin, foreign, "PermissionDeniedError").await?;
    expect::<LinkStore>(&admin, link.clone(), "DataSource").await?;
    let both = expect::<StoresOfSource>(&admin, json!({ "id": id }), "DataSource").await?["identityStores"].clone();
    assert_eq!(both[1]["id"], store["id"]);
    expect::<UnlinkStore>(&admin, link, "DataSource").await?;
    let native = json!({ "source": id, "store": stores[0]["id"] });
    expect::<UnlinkStore>(&admin, native, "PermissionDeniedError").await?;

    let search = json!({ "search": "LAKE", "filter": { "parent": "warehouse" }, "order": [{ "name": "desc" }] });
    assert_eq!(nodes(&expect::<Sources>(&nobody, search, "PagedResult").await?, "id"), [json!(id)]);
    let filter = json!({ "filter": { "supportedFeatures": ["RowFiltering"], "owners": null } });
    assert_eq!(expect::<Sources>(&nobody, filter, "PagedResult").await?["edges"], json!([]));
    expect::<DropSource>(&admin, json!({ "id": "warehouse" }), "InvalidInputError").await?;
    expect::<DropSource>(&nobody, json!({ "id": id }), "PermissionDeniedError").await?;
    // The only owner may delete it, also without a role.
    let give = json!({ "role": "OwnerRole", "resource": id, "to": [myself(&nobody).await?] });
    expect::<SetOnSource>(&admin, give, "Role").await?;
    expect::<DropSource>(&nobody, json!({ "id": id }), "DeleteDataSource").await?;
    expect::<Source>(&admin, json!({ "id": id }), "NotFoundError").await?;
    expect::<Store>(&admin, json!({ "id": stores[0]["id"] }), "NotFoundError").await?;
    expect::<DropSource>(&admin, json!({ "id": id }), "NotFoundError").await?;
    Ok(())
}

#[tokio::test]
async fn masks_are_those_that_the_connector_announced() -> Result<(), Failure> {
    let site = Site::start().await?;
    let none = expect::<MasksOfSource>(&site.client, json!({ "id": "warehouse" }), "DataSource").await?;
    assert_eq!(none["maskingMetadata"], Value::Null);
    let metadata = json!({ "supportsApInheritance": true, "supportedFeatures": ["columnMasking"], "maskingMetadata": {
        "defaultMaskExternalName": "hash", "maskTypes": [{ "displayName": "Hash", "externalId": "hash",
        "dataTypes": ["text"] }] } });
    let document = "mutation ($id:ID!$input:DataSourceMetaDataInput!){setDataSourceMetaData(id: $id, input :$input)\
                    {... on DataSource{id}}}";
    site.client.query(document, &json!({ "id": "warehouse", "input": metadata })).await?;
    let masks = expect::<MasksOfSource>(&site.client, json!({ "id": "warehouse" }), "DataSource").await?;
    assert_eq!(masks["maskingMetadata"], json!({ "defaultMaskExternalName": "hash", "maskTypes": [
        { "externalId": "hash", "displayName": "Hash", "description": "", "dataTypes": ["text"] }] }));
    let filter = json!({ "filter": { "supportedFeatures": ["ColumnMasking"], "incompleteDataWarning": true } });
    let page = expect::<Sources>(&site.client, filter, "PagedResult").await?;
    assert_eq!(nodes(&page, "id"), ["warehouse"]);
    expect::<MasksOfSource>(&site.client, json!({ "id": "none" }), "NotFoundError").await?;
    Ok(())
}

fn object(id: &str, parent: &str, kind: &str, tag: Option<&str>) -> Value {
    let tags = tag.map(|value| json!([{ "key": "level", "value": value, "source": "test" }]));
    json!({ "externalId": id, "name": id, "fullName": if parent.is_empty() { id.to_owned() } else { format!("{parent}/{id}") },
        "type": kind, "description": "", "parentExternalId": parent, "tags": tags,
        "dataType": (kind == "column").then_some("text") })
}

#[tokio::test]
async fn every_filter_of_objects_holds() -> Result<(), Failure> {
    let site = Site::start().await?;
    let (admin, nobody) = admin_and_nobody(&site).await?;
    let manager = site.client_with("manager", &[Role::AccessManager]).await?;
    let lake = expect::<NewSource>(&admin, json!({ "input": { "name": "Lake" } }), "DataSource").await?;
    site.import_objects(
        &json!([
            object("warehouse", "", "datasource", None),
            object("db", "warehouse", "database", None),
            object("t1", "db", "table", Some("high")),
            object("t2", "db", "table", None),
            object("c1", "t1", "column", Some("high")),
            object("c2", "t2", "column", None),
            object("gone", "db", "table", None),
        ]),
        true,
    )
    .await?;
    let kept = json!([
        object("warehouse", "", "datasource", None), object("db", "warehouse", "database", None),
        object("t1", "db", "table", Some("high")), object("t2", "db", "table", None),
        object("c1", "t1", "column", Some("high")), object("c2", "t2", "column", None)]);
    site.import_objects(&kept, true).await?;
    let all = ask::<Objects>(&nobody, json!({ "filter": { "includeDeleted": true, "includeDataSource": true } })).await?;
    let id = |full_name: &str| {
        let node = all["edges"].as_array().into_iter().flatten().find(|edge| edge["node"]["fullName"] == full_name);
        node.map(|edge| edge["node"]["id"].clone()).unwrap_or_default()
    };
    let (root, db, t1, t2) = (id("warehouse"), id("warehouse/db"), id("db/t1"), id("db/t2"));
    let give = json!({ "role": "OwnerRole", "resource": t2, "to": [myself(&nobody).await?] });
    expect::<GiveOnObject>(&admin, give, "Role").await?;
    let control = json!({ "input": { "name": "Use", "action": "Grant", "dataSources": [{ "dataSource": "warehouse" }],
        "whatDataObjects": [{ "dataObjects": [t1], "globalPermissions": ["READ"] }],
        "whoItems": [{ "user": myself(&nobody).await? }] } });
    expect::<NewControl>(&manager, control, "AccessProviderWithOptionalAccessRequests").await?;
    let change = json!({ "id": "warehouse", "input": { "canRequestAccess": true, "canRequestAccessToTypes": ["table"] } });
    expect::<ChangeSource>(&admin, change, "DataSource").await?;

    for (filter, expected) in [
        (json!({}), vec!["db/t1", "db/t2", "t1/c1", "t2/c2", "warehouse/db"]),
        (json!({ "dataSources": [lake["id"]] }), vec![]),
        (json!({ "dataSources": [] }), vec![]),
        (json!({ "dataSources": ["warehouse", lake["id"]], "types": ["table"] }), vec!["db/t1", "db/t2"]),
        (json!({ "includeDataSource": true, "types": ["datasource"] }), vec!["warehouse"]),
        (json!({ "fullNames": ["warehouse"], "dataSources": ["warehouse"], "includeDataSource": true }), vec!["warehouse"]),
        (json!({ "fullNames": ["warehouse"], "dataSources": ["warehouse"], "includeDataSource": false }), vec![]),
        (json!({ "parents": [root] }), vec!["warehouse/db"]),
        (json!({ "parents": ["warehouse"] }), vec!["warehouse/db"]),
        (json!({ "parents": [t1, t2] }), vec!["t1/c1", "t2/c2"]),
        (json!({ "parents": [db], "includeDeleted": true }), vec!["db/gone", "db/t1", "db/t2"]),
        (json!({ "ancestors": [db] }), vec!["db/t1", "db/t2", "t1/c1", "t2/c2"]),
        (json!({ "ancestors": [t1], "types": ["column"] }), vec!["t1/c1"]),
        (json!({ "search": "B/T" }), vec!["db/t1", "db/t2"]),
        (json!({ "search": "%" }), vec![]),
        (json!({ "dataTypes": ["text"] }), vec!["t1/c1", "t2/c2"]),
        (json!({ "exclude": [t1], "types": ["table"] }), vec!["db/t2"]),
        (json!({ "hasTags": [{ "key": "level", "stringValue": "high" }] }), vec!["db/t1", "t1/c1"]),
        (json!({ "hasTags": [{ "stringValue": "low" }] }), vec![]),
        (json!({ "asOwner": true }), vec!["db/t2", "t2/c2"]),
        (json!({ "owners": [myself(&nobody).await?], "types": ["column"] }), vec!["t2/c2"]),
        (json!({ "owners": [myself(&admin).await?] }), vec![]),
        (json!({ "canUse": true }), vec!["db/t1", "t1/c1"]),
        (json!({ "canRequestAccess": true }), vec!["db/t1", "db/t2"]),
        (json!({ "canRequestAccess": false, "search": "c" }), vec!["t1/c1", "t2/c2"]),
        (json!({ "supportedDataSourceFeatures": ["DataSharing"] }), vec![]),
    ] {
        let page = ask::<Objects>(&nobody, json!({ "filter": filter })).await?;
        assert_eq!(nodes(&page, "fullName"), expected, "{filter}");
    }
    for (order, expected) in [
        (json!([{ "name": "desc" }]), ["t2", "t1", "db", "c2", "c1"]),
        (json!([{ "type": "asc" }, { "name": "asc" }]), ["c1", "c2", "db", "t1", "t2"]),
    ] {
        let page = ask::<Objects>(&nobody, json!({ "order": order })).await?;
        let names: Vec<String> = nodes(&page, "fullName")
            .iter()
            .filter_map(|name| name.as_str()?.rsplit('/').next().map(str::to_owned))
            .collect();
        assert_eq!(names, expected);
    }
    let found = ask::<Object>(&nobody, json!({ "id": t1 })).await?;
    assert_eq!((&found["dataSource"]["id"], &found["parent"]["id"]), (&json!("warehouse"), &db));
    assert!(refused::<Object>(&nobody, json!({ "id": "none" })).await?.contains("no data object `none`"));
    assert!(refused::<Objects>(&nobody, json!({ "after": "?" })).await?.contains("not a cursor"));
    Ok(())
}
