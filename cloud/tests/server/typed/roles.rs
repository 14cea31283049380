//! Roles, and who holds them.

use raito_cloud::Role;
use serde_json::{Value, json};

use super::*;

fn assignees(page: &Value) -> Vec<Value> {
    nodes(page, "to").into_iter().map(|to| to["id"].clone()).collect()
}

#[tokio::test]
async fn roles_have_the_ids_that_configurations_use() -> Result<(), Failure> {
    let site = Site::start().await?;
    let page = ask::<Roles>(&site.client, json!({ "order": [{ "name": "asc" }] })).await?;
    let ids = ["AccessCreatorRole", "CreatorRole", "AdminRole", "IntegratorRole", "ObserverRole", "OwnerRole"];
    assert_eq!(nodes(&page, "id"), ids.map(|id| json!(id)));
    let page = ask::<Roles>(&site.client, json!({ "filter": { "isGlobal": false } })).await?;
    assert_eq!(nodes(&page, "id"), ["OwnerRole"]);
    let first = ask::<Roles>(&site.client, json!({ "limit": 4, "order": [{ "name": "desc" }] })).await?;
    assert_eq!(first["pageInfo"]["hasNextPage"], true);
    let after = first["edges"][3]["cursor"].clone();
    let order = json!([{ "name": "desc" }]);
    let second = ask::<Roles>(&site.client, json!({ "limit": 4, "after": after, "order": order })).await?;
    assert_eq!(nodes(&second, "id"), ["CreatorRole", "AccessCreatorRole"]);
    assert_eq!(ask::<OneRole>(&site.client, json!({ "id": "CreatorRole" })).await?["name"], "Access Manager");
    assert!(refused::<OneRole>(&site.client, json!({ "id": "Admin" })).await?.contains("no role `Admin`"));
    Ok(())
}

#[tokio::test]
async fn global_roles_are_given_taken_and_replaced() -> Result<(), Failure> {
    let site = Site::start().await?;
    let (admin, nobody) = admin_and_nobody(&site).await?;
    let id = myself(&nobody).await?;
    let give = json!({ "role": "CreatorRole", "to": [id] });
    expect::<GiveGlobal>(&nobody, give.clone(), "PermissionDeniedError").await?;
    assert_eq!(expect::<GiveGlobal>(&admin, give.clone(), "Role").await?["id"], "CreatorRole");
    expect::<GiveGlobal>(&admin, give.clone(), "Role").await?;
    let of = |role: &str| json!({ "filter": { "role": role, "user": id } });
    let page = ask::<Assignments>(&admin, of("CreatorRole")).await?;
    assert_eq!((assignees(&page), nodes(&page, "on")), (vec![json!(id)], vec![Value::Null]));
    expect::<TakeGlobal>(&admin, give, "Role").await?;
    assert_eq!(ask::<Assignments>(&admin, of("CreatorRole")).await?["edges"], json!([]));
    for (role, to, kind) in [
        ("NoRole", &id, "NotFoundError"),
        ("OwnerRole", &id, "InvalidInputError"),
        ("AdminRole", &"nobody".to_owned(), "NotFoundError"),
    ] {
        expect::<GiveGlobal>(&admin, json!({ "role": role, "to": [to] }), kind).await?;
    }
    let set = json!({ "user": id, "roles": ["ObserverRole", "IntegratorRole"] });
    expect::<SetGlobal>(&nobody, set.clone(), "PermissionDeniedError").await?;
    expect::<SetGlobal>(&admin, set, "SetGlobalRolesForUser").await?;
    let filter = json!({ "id": id, "filter": { "onlyGlobal": true }, "order": [{ "roleName": "desc" }] });
    let roles = expect::<RolesOfPerson>(&admin, filter, "User").await?;
    let roles: Vec<Value> = nodes(&roles["roleAssignments"], "role").iter().map(|role| role["id"].clone()).collect();
    assert_eq!(roles, ["ObserverRole", "IntegratorRole"]);
    // Held from now on, with the token at hand.
    nobody.create_job().await?;
    // The role first, as one client sends it: no such user.
    let slip = json!({ "user": "ObserverRole", "roles": [id] });
    expect::<SetGlobal>(&admin, slip, "NotFoundError").await?;
    expect::<RolesOfPerson>(&admin, json!({ "id": "none" }), "NotFoundError").await?;
    Ok(())
}

#[tokio::test]
async fn a_role_of_a_group_is_held_by_its_members() -> Result<(), Failure> {
    let site = Site::start().await?;
    let (admin, member) = admin_and_nobody(&site).await?;
    let users = json!([{ "externalId": "u", "name": "Nobody", "userName": "nobody", "email": "nobody@acme.example",
        "groupExternalIds": ["inner"], "tags": null, "isMachine": null }]);
    let group = |id: &str, parents: Value| json!({ "externalId": id, "name": id, "displayName": id,
        "description": "", "parentGroupExternalIds": parents, "tags": null });
    site.import_identities(&users, &json!([group("inner", json!(["outer"])), group("outer", json!([]))]), true, true)
        .await?;
    let page = ask::<Groups>(&admin, json!({ "filter": { "search": "outer" } })).await?;
    let outer = nodes(&page, "id")[0].clone();
    assert!(member.create_job().await.is_err());
    expect::<GiveGlobal>(&admin, json!({ "role": "IntegratorRole", "to": [outer] }), "Role").await?;
    member.create_job().await?;
    let user = myself(&member).await?;
    let filter = |inherited: bool| json!({ "filter": { "user": user, "inherited": inherited } });
    assert_eq!(assignees(&ask::<Assignments>(&admin, filter(true)).await?), [outer]);
    assert_eq!(assignees(&ask::<Assignments>(&admin, filter(false)).await?), [Value::Null; 0]);
    Ok(())
}

#[tokio::test]
async fn ownership_is_inherited_and_gives_rights() -> Result<(), Failure> {
    let site = Site::start().await?;
    let (admin, owner) = admin_and_nobody(&site).await?;
    let id = myself(&owner).await?;
    let objects = json!([
        { "externalId": "db", "name": "db", "fullName": "db", "type": "database", "description": "",
          "parentExternalId": "", "tags": null },
        { "externalId": "t", "name": "t", "fullName": "db.t", "type": "table", "description": "",
          "parentExternalId": "db", "tags": null }]);
    site.import_objects(&objects, true).await?;
    let page = ask::<Objects>(&owner, json!({})).await?;
    let (db, table) = (text(&nodes(&page, "id")[0])?, text(&nodes(&page, "id")[1])?);
    let create = json!({ "input": { "name": "Mine", "action": "Grant" } });
    let manager = site.client_with("manager", &[Role::AccessCreator]).await?;
    let created =
        expect::<NewControl>(&manager, create, "AccessProviderWithOptionalAccessRequests").await?;
    let control = text(&created["accessProvider"]["id"])?;

    // Each kind of resource: denied, not found, wrong role, given, replaced, taken.
    macro_rules! everywhere {
        ($give:ident, $set:ident, $take:ident, $resource:expr) => {{
            let ask_for = |role: &str, resource: &str, to: &str| json!({ "role": role, "resource": resource, "to": [to] });
            let good = ask_for("OwnerRole", $resource, &id);
            expect::<$give>(&owner, good.clone(), "PermissionDeniedError").await?;
            expect::<$give>(&admin, ask_for("OwnerRole", "none", &id), "NotFoundError").await?;
            expect::<$give>(&admin, ask_for("OwnerRole", $resource, "none"), "NotFoundError").await?;
            expect::<$give>(&admin, ask_for("AdminRole", $resource, &id), "InvalidInputError").await?;
            expect::<$give>(&admin, good.clone(), "Role").await?;
            // As an owner one may.
            expect::<$set>(&owner, good.clone(), "Role").await?;
            expect::<$take>(&owner, ask_for("OwnerRole", "none", &id), "NotFoundError").await?;
        }};
    }
    everywhere!(GiveOnObject, SetOnObject, TakeFromObject, &table);
    everywhere!(GiveOnStore, SetOnStore, TakeFromStore, &site.identity_store);
    everywhere!(GiveOnAccess, SetOnAccess, TakeFromAccess, &control);
    let take = |resource: &str| json!({ "role": "OwnerRole", "resource": resource, "to": [id] });
    expect::<TakeFromObject>(&owner, take(&table), "Role").await?;
    expect::<TakeFromStore>(&owner, take(&site.identity_store), "Role").await?;
    expect::<TakeFromAccess>(&owner, take(&control), "PermissionDeniedError").await?;
    everywhere!(GiveOnSource, SetOnSource, TakeFromSource, "warehouse");

    // The owner of the data source owns what is in it.
    let with = |id: &str, filter: Value| json!({ "id": id, "filter": filter });
    let page = ask::<OwnersOfObject>(&admin, with(&table, json!({}))).await?["roleAssignments"].clone();
    assert_eq!((assignees(&page), &page["edges"][0]["node"]["on"]["id"]), (vec![json!(id)], &json!("warehouse")));
    let direct = json!({ "inherited": false, "excludeDelegated": true, "excludeDelegations": true });
    let page = ask::<OwnersOfObject>(&admin, with(&table, direct.clone())).await?["roleAssignments"].clone();
    assert_eq!(page["edges"], json!([]));
    let store = expect::<OwnersOfStore>(&admin, with(&site.identity_store, json!({ "inheritedOnly": true })), "IdentityStore").await?;
    assert_eq!(assignees(&store["roleAssignments"]), [json!(id)]);
    expect::<GiveOnObject>(&owner, json!({ "role": "OwnerRole", "resource": db, "to": [id] }), "Role").await?;
    let page = ask::<OwnersOfObject>(&admin, with(&table, json!({}))).await?["roleAssignments"].clone();
    assert_eq!(page["edges"].as_array().map(Vec::len), Some(2));
    let found = ask::<Objects>(&owner, json!({ "filter": { "asOwner": true } })).await?;
    assert_eq!(nodes(&found, "id"), [json!(db), json!(table)]);
    let found = ask::<Objects>(&admin, json!({ "filter": { "asOwner": true } })).await?;
    assert_eq!(found["edges"], json!([]));

    let access = expect::<OwnersOfAccess>(&admin, with(&control, json!({ "role": "OwnerRole" })), "AccessProvider").await?;
    assert_eq!(assignees(&access["roleAssignments"]), [json!(id)]);
    let source = expect::<OwnersOfSource>(&admin, with("warehouse", direct), "DataSource").await?;
    assert_eq!(assignees(&source["roleAssignments"]), [json!(id)]);
    for missing in [
        expect::<OwnersOfSource>(&admin, json!({ "id": "none" }), "NotFoundError").await,
        expect::<OwnersOfStore>(&admin, json!({ "id": "none" }), "NotFoundError").await,
        expect::<OwnersOfAccess>(&admin, json!({ "id": "none" }), "NotFoundError").await,
    ] {
        missing?;
    }
    assert!(refused::<OwnersOfObject>(&admin, json!({ "id": "none" })).await?.contains("no data object"));
    Ok(())
}
