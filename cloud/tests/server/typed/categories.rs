//! Grant categories.

use raito_cloud::Role;
use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn a_category_is_created_changed_used_and_deleted() -> Result<(), Failure> {
    let site = Site::start().await?;
    let (admin, nobody) = admin_and_nobody(&site).await?;
    let all = ask::<Categories>(&nobody, json!({})).await?;
    assert_eq!((&all[0]["id"], &all[0]["isDefault"]), (&json!("default"), &json!(true)));
    assert_eq!((&all[1]["name"], &all[1]["isSystem"]), (&json!("Direct Access"), &json!(true)));
    assert_eq!((&all[2]["id"], &all[2]["isSystem"]), (&json!("purpose"), &json!(false)));
    let input = json!({ "input": { "name": "Project", "icon": "flag", "canCreate": false, "multiDataSource": false,
        "defaultTypePerDataSource": [{ "DataSource": "warehouse", "Type": "role" }], "nameRegEx": "P_[A-Z]+",
        "nameRegExMsg": "start with P_", "locksOnCreate": ["NameLock"], "allowedWhatItems": { "dataObject": false },
        "allowedWhoItems": { "user": true, "group": false, "inheritance": false, "self": true, "categories": ["default"] } } });
    expect::<NewCategory>(&nobody, input.clone(), "PermissionDeniedError").await?;
    let created = expect::<NewCategory>(&admin, input.clone(), "GrantCategory").await?;
    let id = text(&created["id"])?;
    assert_eq!(created["allowedWhoItems"], json!({ "user": true, "group": false, "inheritance": false, "self": true,
        "categories": ["default"] }));
    assert_eq!(created["defaultTypePerDataSource"], json!([{ "DataSource": "warehouse", "Type": "role" }]));
    assert_eq!((&created["locksOnCreate"], &created["isSystem"]), (&json!(["NameLock"]), &json!(false)));
    expect::<NewCategory>(&admin, input, "InvalidInputError").await?;
    for (bad, kind) in [
        (json!({ "name": "" }), "InvalidInputError"),
        (json!({ "name": "A", "nameRegEx": "(" }), "InvalidInputError"),
        (json!({ "name": "A", "defaultTypePerDataSource": [{ "DataSource": "none", "Type": "x" }] }), "NotFoundError"),
    ] {
        expect::<NewCategory>(&admin, json!({ "input": bad }), kind).await?;
    }
    // A null list is left as it is, an empty one empties.
    let change = json!({ "id": id, "input": { "description": "why", "locksOnCreate": null } });
    expect::<ChangeCategory>(&nobody, change.clone(), "PermissionDeniedError").await?;
    let changed = expect::<ChangeCategory>(&admin, change, "GrantCategory").await?;
    assert_eq!((&changed["description"], &changed["locksOnCreate"]), (&json!("why"), &json!(["NameLock"])));
    let change = json!({ "id": id, "input": { "locksOnCreate": [], "nameRegEx": "" } });
    let changed = expect::<ChangeCategory>(&admin, change, "GrantCategory").await?;
    assert_eq!((&changed["locksOnCreate"], &changed["nameRegEx"]), (&json!([]), &Value::Null));
    let system = json!({ "id": "direct-access", "input": { "name": "Mine" } });
    expect::<ChangeCategory>(&admin, system, "PermissionDeniedError").await?;
    expect::<ChangeCategory>(&admin, json!({ "id": "none", "input": {} }), "NotFoundError").await?;

    let manager = site.client_with("manager", &[Role::AccessManager]).await?;
    let grant = json!({ "input": { "name": "G", "action": "Grant", "category": id } });
    let made = expect::<NewControl>(&manager, grant, "AccessProviderWithOptionalAccessRequests").await?;
    assert_eq!(made["accessProvider"]["category"]["name"], "Project");
    expect::<DropCategory>(&admin, json!({ "id": id }), "InvalidInputError").await?;
    let control = json!({ "id": made["accessProvider"]["id"] });
    expect::<DropControl>(&manager, control, "AccessProvider").await?;
    expect::<DropCategory>(&nobody, json!({ "id": id }), "PermissionDeniedError").await?;
    expect::<DropCategory>(&admin, json!({ "id": id }), "DeleteGrantCategory").await?;
    expect::<OneCategory>(&admin, json!({ "id": id }), "NotFoundError").await?;
    expect::<DropCategory>(&admin, json!({ "id": id }), "NotFoundError").await?;
    expect::<DropCategory>(&admin, json!({ "id": "purpose" }), "DeleteGrantCategory").await?;
    for kept in ["default", "direct-access"] {
        expect::<DropCategory>(&admin, json!({ "id": kept }), "PermissionDeniedError").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_name_follows_the_pattern_of_its_category() -> Result<(), Failure> {
    let site = Site::start().await?;
    let (admin, _) = admin_and_nobody(&site).await?;
    let manager = site.client_with("manager", &[Role::AccessManager]).await?;
    let input = json!({ "input": { "name": "Strict", "nameRegEx": "P_[A-Z]+", "nameRegExMsg": "start with P_" } });
    let category = expect::<NewCategory>(&admin, input, "GrantCategory").await?["id"].clone();
    let named = |name: &str| json!({ "input": { "name": name, "action": "Grant", "category": category } });
    let refused = expect::<NewControl>(&manager, named("xP_A"), "InvalidInputError").await?;
    assert!(text(&refused["message"])?.contains("start with P_"));
    expect::<NewControl>(&manager, named("P_A"), "AccessProviderWithOptionalAccessRequests").await?;
    Ok(())
}
