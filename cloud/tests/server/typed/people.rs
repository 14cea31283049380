//! Users, and who can sign in.

use raito_cloud::Role;
use serde_json::{Value, json};

use super::*;
use crate::client::{http, password_auth};

#[tokio::test]
async fn a_user_is_created_invited_and_taken_back() -> Result<(), Failure> {
    let site = Site::start().await?;
    let (admin, nobody) = admin_and_nobody(&site).await?;
    let unknown = json!({ "email": "new@acme.example" });
    expect::<PersonByEmail>(&admin, unknown, "NotFoundError").await?;
    expect::<PersonByEmail>(&admin, json!({ "email": "no address" }), "InvalidEmailError").await?;
    let input = json!({ "input": { "name": "New", "email": "New@acme.example", "type": "Machine" } });
    expect::<NewPerson>(&nobody, input.clone(), "PermissionDeniedError").await?;
    let created = expect::<NewPerson>(&admin, input.clone(), "User").await?;
    assert_eq!((&created["isRaitoUser"], &created["type"]), (&json!(false), &json!("Machine")));
    expect::<NewPerson>(&admin, input, "InvalidEmailError").await?;
    expect::<NewPerson>(&admin, json!({ "input": {} }), "InvalidInputError").await?;
    let id = text(&created["id"])?;
    let found = expect::<PersonByEmail>(&nobody, json!({ "email": "NEW@acme.example" }), "User").await?;
    assert_eq!(found["id"], json!(id));

    let invited = expect::<Invite>(&admin, json!({ "id": id, "noPassword": false }), "User").await?;
    assert_eq!(invited["isRaitoUser"], true);
    for (who, weak) in [(&admin, "Abcde1!"), (&admin, "abcdefg1!"), (&admin, "Abcdefgh1")] {
        expect::<Password>(who, json!({ "id": id, "password": weak }), "InvalidInputError").await?;
    }
    let strong = json!({ "id": id, "password": "Correct-horse-2" });
    expect::<Password>(&nobody, strong.clone(), "PermissionDeniedError").await?;
    expect::<Password>(&admin, strong, "User").await?;
    let base = site.server.url();
    assert_eq!(password_auth(&http()?, base, "new@acme.example", "Correct-horse-2").await?.0, 200);

    let input = json!({ "id": id, "input": { "name": "Newer" } });
    assert_eq!(expect::<ChangePerson>(&admin, input.clone(), "User").await?["name"], "Newer");
    expect::<ChangePerson>(&nobody, input, "PermissionDeniedError").await?;
    let taken = json!({ "id": id, "input": { "email": "admin@acme.example" } });
    expect::<ChangePerson>(&admin, taken, "InvalidEmailError").await?;
    let able = json!({ "filter": { "isRaitoUser": true, "search": "newe" } });
    assert_eq!(nodes(&ask::<People>(&admin, able).await?, "id"), [json!(id)]);

    expect::<GiveGlobal>(&admin, json!({ "role": "ObserverRole", "to": [id] }), "Role").await?;
    let removed = expect::<Uninvite>(&admin, json!({ "id": id }), "User").await?;
    assert_eq!(removed["isRaitoUser"], false);
    assert_eq!(password_auth(&http()?, base, "new@acme.example", "Correct-horse-2").await?.0, 400);
    let roles = expect::<RolesOfPerson>(&admin, json!({ "id": id }), "User").await?;
    assert_eq!(roles["roleAssignments"]["edges"], json!([]));

    expect::<DropPerson>(&nobody, json!({ "id": id }), "PermissionDeniedError").await?;
    assert_eq!(expect::<DropPerson>(&admin, json!({ "id": id }), "UserDelete").await?["success"], true);
    expect::<PersonById>(&admin, json!({ "id": id }), "NotFoundError").await?;
    for missing in [
        expect::<DropPerson>(&admin, json!({ "id": id }), "NotFoundError").await,
        expect::<Invite>(&admin, json!({ "id": id }), "NotFoundError").await,
        expect::<Uninvite>(&admin, json!({ "id": id }), "NotFoundError").await,
        expect::<ChangePerson>(&admin, json!({ "id": id, "input": {} }), "NotFoundError").await,
        expect::<Password>(&admin, json!({ "id": id, "password": "Correct-horse-2" }), "NotFoundError").await,
    ] {
        missing?;
    }
    Ok(())
}

#[tokio::test]
async fn the_last_administrator_stays() -> Result<(), Failure> {
    let site = Site::start().await?;
    let (admin, _) = admin_and_nobody(&site).await?;
    let id = myself(&admin).await?;
    for kept in [
        expect::<DropPerson>(&admin, json!({ "id": id }), "PermissionDeniedError").await,
        expect::<Uninvite>(&admin, json!({ "id": id }), "PermissionDeniedError").await,
        expect::<TakeGlobal>(&admin, json!({ "role": "AdminRole", "to": [id] }), "PermissionDeniedError").await,
        expect::<SetGlobal>(&admin, json!({ "user": id, "roles": ["ObserverRole"] }), "PermissionDeniedError")
            .await,
    ] {
        assert!(text(&kept?["message"])?.contains("last user with the role Admin"));
    }
    // With a second one, the first may go.
    site.client_with("second", &[Role::Admin]).await?;
    expect::<SetGlobal>(&admin, json!({ "user": id, "roles": ["ObserverRole"] }), "SetGlobalRolesForUser").await?;
    expect::<SetGlobal>(&admin, json!({ "user": id, "roles": [] }), "PermissionDeniedError").await?;
    Ok(())
}

#[tokio::test]
async fn a_stand_in_is_listed_while_it_lasts() -> Result<(), Failure> {
    let site = Site::start().await?;
    let (admin, nobody) = admin_and_nobody(&site).await?;
    let (owner, stand_in) = (myself(&nobody).await?, myself(&admin).await?);
    let assign = json!({ "role": "OwnerRole", "resource": "warehouse", "to": [owner] });
    expect::<SetOnSource>(&admin, assign, "Role").await?;
    let document = "mutation ($id: ID!, $input: UserInput!) { updateUser(id: $id, input: $input) { \
                    ... on User { delegateTo { id } } ... on InvalidInputError { message } } }";
    let change = async |input: Value| nobody.query(document, &json!({ "id": owner, "input": input })).await;
    let done = change(json!({ "delegateTo": stand_in, "delegationStart": "2020-01-01T00:00:00Z" })).await?;
    assert_eq!(done["updateUser"]["delegateTo"]["id"], json!(stand_in));
    let holders = async |filter: Value| -> Result<Vec<Value>, Failure> {
        let answer = ask::<OwnersOfSource>(&admin, json!({ "id": "warehouse", "filter": filter })).await?;
        Ok(nodes(&answer["roleAssignments"], "to").into_iter().map(|to| to["id"].clone()).collect())
    };
    assert_eq!(holders(json!({})).await?, [json!(owner), json!(stand_in)]);
    assert_eq!(holders(json!({ "excludeDelegated": true })).await?, [json!(owner)]);
    let backwards = change(json!({ "delegationEnd": "2019-01-01T00:00:00Z" })).await?;
    assert!(text(&backwards["updateUser"]["message"])?.contains("delegationEnd"));
    change(json!({ "delegationEnd": "2021-01-01T00:00:00Z" })).await?;
    assert_eq!(holders(json!({})).await?, [json!(owner)]);
    assert_eq!(change(json!({ "delegateTo": null })).await?["updateUser"]["delegateTo"], Value::Null);
    Ok(())
}
