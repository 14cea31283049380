//! Imports of users and groups.

use serde_json::{Value, json};

use crate::Failure;
use crate::client::Site;

fn user(id: &str, email: &str, groups: &[&str]) -> Value {
    json!({ "externalId": id, "name": format!("Name {id}"), "userName": format!("{id}_name"), "email": email,
        "groupExternalIds": groups, "tags": null, "isMachine": null })
}

fn group(id: &str, parents: &[&str]) -> Value {
    json!({ "externalId": id, "name": format!("{id}_group"), "displayName": id, "description": "",
        "parentGroupExternalIds": parents, "tags": null })
}

fn counts(state: &Value) -> [i64; 6] {
    ["usersAdded", "usersUpdated", "usersRemoved", "groupsAdded", "groupsUpdated", "groupsRemoved"]
        .map(|name| state["result"][name].as_i64().unwrap_or(-1))
}

#[tokio::test]
async fn counts_follow_what_changed() -> Result<(), Failure> {
    let site = Site::start().await?;
    let users = json!([
        user("u1", "Anna@acme.example", &["g1"]),
        user("u2", "ben@acme.example", &[]),
        user("u3", "", &["g1", "g2"])
    ]);
    let groups = json!([group("g2", &["g1"]), group("g1", &[])]);
    let first = site.import_identities(&users, &groups, true, true).await?;
    assert_eq!(counts(&first), [3, 0, 0, 2, 0, 0], "{first}");
    assert_eq!(first["result"]["warnings"], json!([]));
    let again = site.import_identities(&users, &groups, true, true).await?;
    assert_eq!(counts(&again), [0; 6]);
    // u1 leaves a group, u2 has another name, u3 and g2 go, u4 comes.
    let mut renamed = user("u2", "ben@acme.example", &[]);
    renamed["name"] = json!("Benjamin");
    let users = json!([user("u1", "Anna@acme.example", &[]), renamed, user("u4", "", &[])]);
    let changed = site.import_identities(&users, &json!([group("g1", &[])]), true, true).await?;
    assert_eq!(counts(&changed), [1, 2, 1, 0, 0, 1]);
    // A group that comes back counts as added.
    let back = site.import_identities(&users, &groups, true, true).await?;
    assert_eq!(counts(&back), [0, 0, 0, 1, 0, 0]);
    Ok(())
}

#[tokio::test]
async fn untouched_rows_and_memberships_can_be_kept() -> Result<(), Failure> {
    let site = Site::start().await?;
    let groups = json!([group("g1", &[]), group("g2", &[])]);
    site.import_identities(&json!([user("u1", "", &["g1"]), user("u2", "", &[])]), &groups, true, true)
        .await?;
    let kept = site.import_identities(&json!([user("u1", "", &["g2"])]), &json!([]), false, false).await?;
    assert_eq!(counts(&kept), [0, 1, 0, 0, 0, 0]);
    let answer = site
        .client
        .query("{users(search: \"name u\", order: [{name: asc}]){edges{node{... on User{name accounts{userName groups{name}}}}}}}", &Value::Null)
        .await?;
    let edges = &answer["users"]["edges"];
    assert_eq!(
        edges[0]["node"]["accounts"][0]["groups"],
        json!([{ "name": "g1_group" }, { "name": "g2_group" }])
    );
    assert_eq!(edges[1]["node"]["name"], "Name u2");
    // Now the file is authoritative.
    let replaced = site.import_identities(&json!([user("u1", "", &["g2"])]), &groups, false, true).await?;
    assert_eq!(counts(&replaced), [0, 1, 0, 0, 0, 0]);
    Ok(())
}

#[tokio::test]
async fn accounts_join_users_by_email_in_any_case() -> Result<(), Failure> {
    let site = Site::start().await?;
    let mut machine = user("u2", "ANNA@acme.example", &[]);
    machine["isMachine"] = json!(true);
    let users =
        json!([user("u1", "anna@Acme.example", &[]), machine, user("u3", "", &[]), user("u4", "", &[])]);
    site.import_identities(&users, &json!([]), true, true).await?;
    let people = site
        .client
        .query("{users{edges{node{... on User{email type accounts{externalId}}}}}}", &Value::Null)
        .await?;
    let nodes: Vec<&Value> =
        people["users"]["edges"].as_array().into_iter().flatten().map(|edge| &edge["node"]).collect();
    // The embedding process, Anna with two accounts, and two without an address.
    assert_eq!(nodes.len(), 4, "{people}");
    let anna = nodes
        .iter()
        .find(|node| node["accounts"].as_array().is_some_and(|accounts| accounts.len() == 2))
        .ok_or("no Anna")?;
    assert_eq!(anna["type"], "Machine");
    // Users stay when their accounts go.
    site.import_identities(&json!([]), &json!([]), true, true).await?;
    let people = site.client.query("{users{edges{node{... on User{id}}}}}", &Value::Null).await?;
    assert_eq!(people["users"]["edges"].as_array().map(Vec::len), Some(4));
    Ok(())
}

#[tokio::test]
async fn duplicates_and_unknown_groups_are_warned_about() -> Result<(), Failure> {
    let site = Site::start().await?;
    let users = json!([user("u1", "", &["nowhere"]), user("u1", "", &[]), user("", "", &[])]);
    let state = site.import_identities(&users, &json!([]), true, true).await?;
    assert_eq!(counts(&state), [1, 0, 0, 0, 0, 0]);
    let warnings = state["result"]["warnings"].to_string();
    for part in ["external id occurred before: u1", "have no external id", "unknown: nowhere"] {
        assert!(warnings.contains(part), "{part}: {warnings}");
    }
    Ok(())
}
