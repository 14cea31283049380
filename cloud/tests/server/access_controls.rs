//! Access controls in full: rules, promises and expiry, locks and who manages a part, several data sources.

use raito_cloud::Role;
use serde_json::{Value, json};

use crate::Failure;
use crate::access::{CREATE, DELETE, METADATA, UPDATE, by_name, create, filled, id_of};
use crate::client::{Client, Site, text};

/// How often a state is asked for before a test gives up.
const LOOKS: usize = 400;

async fn refused(client: &Client, input: Value, reason: &str) -> Result<(), Failure> {
    let answer = client.query(CREATE, &json!({ "input": input })).await?["createAccessProvider"].clone();
    assert_eq!(answer["__typename"], "InvalidInputError", "{answer}");
    assert!(answer["message"].as_str().is_some_and(|message| message.contains(reason)), "{reason}: {answer}");
    Ok(())
}

async fn update(client: &Client, id: &str, input: Value) -> Result<(), Failure> {
    let answer = client.query(UPDATE, &json!({ "id": id, "input": input })).await?;
    let answer = &answer["updateAccessProvider"];
    if answer["message"].is_null() { Ok(()) } else { Err(answer.to_string().into()) }
}

async fn read(client: &Client, id: &str, fields: &str) -> Result<Value, Failure> {
    let query = format!("query($id: ID!){{accessProvider(id: $id){{... on AccessProvider{{{fields}}}}}}}");
    Ok(client.query(&query, &json!({ "id": id })).await?["accessProvider"].clone())
}

async fn entry(site: &Site, id: &str, filter: &Value) -> Result<Value, Failure> {
    let file = site.export(filter).await?;
    let list = file["accessProviders"].as_array().cloned().unwrap_or_default();
    Ok(list.into_iter().find(|entry| entry["id"] == id).unwrap_or_default())
}

fn feedback(id: &str, name: &str) -> Value {
    json!({ "externalId": id, "access": [{ "accessId": id, "actualName": name, "externalId": name, "type": null, "errors": null, "warnings": null }] })
}

/// Waits until an access control has this state in its first data source.
async fn reaches(client: &Client, id: &str, status: &str) -> Result<(), Failure> {
    let mut seen = Value::Null;
    for _ in 0..LOOKS {
        seen = read(client, id, "syncData{syncStatus}").await?["syncData"][0]["syncStatus"].clone();
        if seen == status {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    Err(format!("the status stayed {seen}").into())
}

fn rule(leaf: &Value) -> Value {
    json!({ "aggregator": { "operator": "Or", "operands": [{ "aggregator": { "operator": "And", "operands": [leaf] } }] } })
}

fn has_tag(operator: &str, key: &str, value: &str) -> Value {
    json!({ "comparison": { "operator": operator, "leftOperand": key, "rightOperand": { "literal": { "string": value } } } })
}

/// A schema `s` with tables `t` and `u`, a column of each; `t` is tagged, and so are Anna's account and one column.
async fn tagged(site: &Site) -> Result<(), Failure> {
    let tag = |key: &str, value: &str| json!([{ "key": key, "value": value, "source": "test" }]);
    let object = |id: &str, parent: &str, kind: &str, tags: Value| json!({ "externalId": id, "name": id, "fullName": format!("db.{id}"), "type": kind, "parentExternalId": parent, "tags": tags });
    let objects = json!([
        object("s", "", "schema", Value::Null),
        object("s.t", "s", "table", tag("domain", "sales")),
        object("s.u", "s", "table", Value::Null),
        object("s.t.c", "s.t", "column", Value::Null),
        object("s.u.c", "s.u", "column", tag("pii", "yes")),
    ]);
    site.import_objects(&objects, false).await?;
    let user = |id: &str, tags: Value| json!({ "externalId": id, "name": id, "userName": format!("{id}_name"), "email": format!("{id}@acme.example"), "groupExternalIds": ["g1"], "tags": tags });
    let groups = json!([{ "externalId": "g1", "name": "g1_name", "displayName": "G", "description": "" }]);
    let users = json!([user("anna", tag("team", "blue")), user("ben", Value::Null)]);
    site.import_identities(&users, &groups, true, true).await?;
    Ok(())
}

async fn object_id(client: &Client, name: &str) -> Result<String, Failure> {
    let query = format!(
        "{{dataObjects(filter: {{fullNames: [\"{name}\"]}}){{edges{{node{{... on DataObject{{id}}}}}}}}}}"
    );
    text(&client.query(&query, &Value::Null).await?["dataObjects"]["edges"][0]["node"]["id"])
}

#[tokio::test]
async fn rules_find_users_and_objects_and_are_given_back() -> Result<(), Failure> {
    let (site, manager) = filled().await?;
    tagged(&site).await?;
    let scope = object_id(&manager, "db.s").await?;
    let who = rule(&has_tag("HasTag", "team", "blue"));
    let id = create(
        &manager,
        json!({ "name": "Blue", "whoType": "Dynamic", "whatType": "Dynamic",
            "whoAbacRule": { "rule": who, "type": "WhoGrant" },
            "whatAbacRule": { "scope": [scope], "doTypes": ["table", "column"], "globalPermissions": ["read"],
                "permissions": ["TRUNCATE"], "rule": rule(&has_tag("HasTag", "domain", "sales")) } }),
    )
    .await?;
    let node = read(
        &manager,
        &id,
        "whoType whatType whoAbacRule{type promiseDuration ruleJson} whatAbacRule{permissions globalPermissions doTypes ruleJson} \
         whatAbacScope{... on PagedResult{edges{node{... on DataObject{fullName}}}}} \
         whoUsers{... on PagedResult{edges{node{... on AccessWhoItem{type item{... on User{name}}}}}}} \
         whatDataObjects(order: [{name: asc}]){... on PagedResult{edges{node{... on AccessWhatItem{globalPermissions dataObject{fullName}}}}}} \
         whoList{... on PagedResult{edges{cursor}}}",
    )
    .await?;
    assert_eq!((&node["whoType"], &node["whatType"]), (&json!("Dynamic"), &json!("Dynamic")));
    let given: Value = serde_json::from_str(&text(&node["whoAbacRule"]["ruleJson"])?)?;
    assert_eq!(given, who);
    assert_eq!(node["whatAbacRule"]["globalPermissions"], json!(["READ"]));
    assert_eq!(node["whatAbacScope"]["edges"], json!([{ "node": { "fullName": "db.s" } }]));
    assert_eq!(
        node["whoUsers"]["edges"],
        json!([{ "node": { "type": "WhoGrant", "item": { "name": "anna" } } }])
    );
    // The tag of the table counts for its column.
    let names: Vec<&str> = node["whatDataObjects"]["edges"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|edge| edge["node"]["dataObject"]["fullName"].as_str())
        .collect();
    assert_eq!(names, ["db.s.t", "db.s.t.c"]);
    assert_eq!(node["whoList"]["edges"], json!([]));

    let written = entry(&site, &id, &json!({})).await?;
    assert_eq!(written["who"], json!({ "users": ["anna_name"] }));
    assert_eq!(
        written["what"],
        json!([
            { "dataObject": { "fullName": "db.s.t", "type": "table" }, "permissions": ["SELECT", "TRUNCATE"] },
            { "dataObject": { "fullName": "db.s.t.c", "type": "column" }, "permissions": ["TRUNCATE"] }
        ])
    );
    site.feedback(&json!([feedback(&id, "BLUE")])).await?;
    reaches(&manager, &id, "SYNCED").await?;

    // Anna leaves the team: by the import alone the access control is out of step.
    let users = json!([{ "externalId": "anna", "name": "anna", "userName": "anna_name", "email": "anna@acme.example", "tags": [] },
        { "externalId": "ben", "name": "ben", "userName": "ben_name", "email": "ben@acme.example", "tags": [{ "key": "team", "value": "blue", "source": "test" }] }]);
    site.import_identities(&users, &json!([]), false, false).await?;
    reaches(&manager, &id, "OUT_OF_SYNC").await?;
    let written = entry(&site, &id, &json!({ "status": { "outOfSync": true } })).await?;
    assert_eq!(
        (&written["who"], &written["deletedWho"]),
        (&json!({ "users": ["ben_name"] }), &json!({ "users": ["anna_name"] }))
    );

    // `ContainsTag` looks down.
    update(
        &manager,
        &id,
        json!({ "whatAbacRule": { "scope": [scope], "doTypes": ["table"], "permissions": ["SELECT"],
        "rule": rule(&has_tag("ContainsTag", "pii", "yes")) } }),
    )
    .await?;
    let written = entry(&site, &id, &json!({})).await?;
    assert_eq!(
        written["what"],
        json!([{ "dataObject": { "fullName": "db.s.u", "type": "table" }, "permissions": ["SELECT"] }])
    );

    let leaf = has_tag("HasTag", "a", "b");
    for (input, reason) in [
        (json!({ "whoAbacRule": { "rule": leaf, "type": "WhoGrant" } }), "level 1"),
        (json!({ "whoType": "Dynamic" }), "whoAbacRule is missing"),
        (
            json!({ "whoType": "Static", "whoAbacRule": { "rule": rule(&leaf), "type": "WhoGrant" } }),
            "whoType Dynamic only",
        ),
        (json!({ "whatAbacRule": { "scope": ["lost"], "rule": rule(&leaf) } }), "whatAbacRule.scope[0]"),
        (
            json!({ "whoAbacRule": { "type": "WhoGrant", "rule": rule(&has_tag("PropertyEquals", "colour", "x")) } }),
            "not one of the properties",
        ),
    ] {
        let mut input = input;
        input["name"] = json!("Refused");
        refused(&manager, input, reason).await?;
    }
    Ok(())
}

#[tokio::test]
async fn promises_stay_here_and_what_expires_leaves_the_target() -> Result<(), Failure> {
    let (site, manager) = filled().await?;
    let (anna, ben) = (id_of(&manager, "users", "anna").await?, id_of(&manager, "users", "ben").await?);
    let id = create(
        &manager,
        json!({ "name": "Soon over", "whoItems": [
            { "user": anna, "expiresAt": "2099-01-01T00:00:00Z" },
            { "user": ben, "type": "WhoPromise", "promiseDuration": 3600 }],
            "whatDataObjects": [by_name("a", &["READ"], &[])] }),
    )
    .await?;
    let list = read(&manager, &id, "whoList{... on PagedResult{edges{node{... on AccessWhoItem{type expiresAt promiseDuration item{... on User{name}}}}}}}").await?;
    let nodes: Vec<String> = list["whoList"]["edges"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|edge| edge["node"].to_string())
        .collect();
    assert!(nodes.iter().any(|node| node.contains("WhoPromise") && node.contains("3600")), "{nodes:?}");
    assert!(
        nodes.iter().any(|node| node.contains("2099-01-01T00:00:00Z") && node.contains("anna")),
        "{nodes:?}"
    );
    assert_eq!(entry(&site, &id, &json!({})).await?["who"], json!({ "users": ["anna_name"] }));
    site.feedback(&json!([feedback(&id, "SOON")])).await?;

    // The end lies in the past now: nobody has to ask for the removal.
    let moved = json!({ "whoItems": [{ "user": anna, "expiresAt": "2020-01-01T00:00:00Z" }] });
    update(&manager, &id, moved).await?;
    let written = entry(&site, &id, &json!({ "status": { "outOfSync": true } })).await?;
    assert_eq!((&written["who"], &written["deletedWho"]), (&json!({}), &json!({ "users": ["anna_name"] })));

    for (item, reason) in [
        (
            json!({ "user": anna, "expiresAt": "2099-01-01T00:00:00Z", "expiresAfter": 5 }),
            "whoItems[0]: give either",
        ),
        (json!({ "user": anna, "promiseDuration": 5 }), "whoItems[0].promiseDuration"),
        (json!({ "user": anna, "expiresAfter": 0 }), "whoItems[0].expiresAfter"),
        (json!({ "user": "nobody" }), "whoItems[0].user"),
    ] {
        refused(&manager, json!({ "name": "Refused", "whoItems": [item] }), reason).await?;
    }
    Ok(())
}

#[tokio::test]
async fn whoever_locks_a_part_in_the_data_source_keeps_it() -> Result<(), Failure> {
    let (site, manager) = filled().await?;
    let role = |who: &Value, what: &str| {
        json!([{ "externalId": "R", "name": "R", "namingHint": "R", "action": "grant", "actualName": "R", "who": who, "whoLocked": true,
        "what": [{ "dataObject": { "fullName": what, "type": "table" }, "permissions": ["SELECT"] }] }])
    };
    let state = site.import_access(&role(&json!({ "users": ["anna_name"] }), "db.a"), true).await?;
    assert_eq!(state["result"]["accessAdded"], 1);
    let found = manager.query("{accessProviders(filter: {search: \"R\", canEditWho: false}){... on PagedResult{edges{node{... on AccessProvider{id}}}}}}", &Value::Null).await?;
    let id = text(&found["accessProviders"]["edges"][0]["node"]["id"])?;
    // Who cannot be changed here, whatever is overridden; what can, and then it is managed here.
    let ben = id_of(&manager, "users", "ben").await?;
    let refused = update(&manager, &id, json!({ "whoItems": [{ "user": ben }] })).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("WhoLock")));
    update(&manager, &id, json!({ "whatDataObjects": [by_name("b", &[], &["SELECT"])] })).await?;
    assert_eq!(read(&manager, &id, "external").await?["external"], false);
    let written = entry(&site, &id, &json!({})).await?;
    assert_eq!(written["whoLocked"], true);
    assert_eq!(written["what"][0]["dataObject"]["fullName"], "db.b");
    assert_eq!(written["deleteWhat"][0]["dataObject"]["fullName"], "db.a");
    site.feedback(&json!([feedback(&id, "R")])).await?;

    // The data source changes both: only the locked part is imported, and is not pushed back.
    let changed = role(&json!({ "users": ["ben_name"] }), "db.a");
    assert_eq!(site.import_access(&changed, true).await?["result"]["accessUpdated"], 1);
    assert_eq!(site.import_access(&changed, true).await?["result"]["accessUpdated"], 0);
    let node = read(&manager, &id, "whoList{... on PagedResult{edges{node{... on AccessWhoItem{item{... on User{name}}}}}}} whatDataObjects{... on PagedResult{edges{node{... on AccessWhatItem{fullName}}}}} syncData{syncStatus}").await?;
    assert_eq!(node["whoList"]["edges"], json!([{ "node": { "item": { "name": "ben" } } }]));
    assert_eq!(node["whatDataObjects"]["edges"], json!([{ "node": { "fullName": "db.b" } }]));
    assert_eq!(entry(&site, &id, &json!({ "status": { "outOfSync": true } })).await?, Value::Null);
    // A control that is locked as a whole stays where it is.
    let mut whole = changed;
    whole[0]["externalId"] = json!("W");
    whole[0]["actualName"] = json!("W");
    whole[0]["name"] = json!("Whole");
    whole[0]["notInternalizable"] = json!(true);
    site.import_access(&whole, false).await?;
    let found = manager.query("{accessProviders(filter: {search: \"Whole\"}){... on PagedResult{edges{node{... on AccessProvider{id notInternalizable}}}}}}", &Value::Null).await?;
    let whole = text(&found["accessProviders"]["edges"][0]["node"]["id"])?;
    let refused = update(&manager, &whole, json!({ "description": "mine" })).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("stays managed in the data source")));
    Ok(())
}

#[tokio::test]
async fn locks_for_people_are_overridden_by_programs_only() -> Result<(), Failure> {
    let (_site, manager) = filled().await?;
    let lock = |key: &str| json!({ "lockKey": key, "details": { "reason": "Locked by terraform", "lockType": "UserOnly" } });
    let id = create(&manager, json!({ "name": "Locked", "locks": [lock("NameLock"), lock("DeleteLock")] }))
        .await?;
    let locks = read(&manager, &id, "locks{lockKey details{reason}}").await?;
    assert_eq!(locks["locks"].as_array().map(Vec::len), Some(2));
    let plain = UPDATE.replace(", overrideLocks: true", "");
    let answer = manager.query(&plain, &json!({ "id": id, "input": { "name": "Other" } })).await?;
    assert!(
        answer.to_string().contains("Locked by terraform") && answer.to_string().contains("overrideLocks"),
        "{answer}"
    );
    // The same name is no change.
    let same = manager.query(&plain, &json!({ "id": id, "input": { "name": "Locked" } })).await?;
    assert_eq!(same["updateAccessProvider"]["message"], Value::Null);
    update(&manager, &id, json!({ "name": "Other" })).await?;
    update(&manager, &id, json!({ "locks": [lock("WhoLock")] })).await?;
    let locks = read(&manager, &id, "name locks{lockKey}").await?;
    assert_eq!(locks, json!({ "name": "Other", "locks": [{ "lockKey": "WhoLock" }] }));
    Ok(())
}

#[tokio::test]
async fn who_is_added_and_removed_and_reached_through_groups_and_links() -> Result<(), Failure> {
    let (site, manager) = filled().await?;
    let group = id_of(&manager, "groups", "g1").await?;
    let inner = create(&manager, json!({ "name": "Inner" })).await?;
    let outer = create(
        &manager,
        json!({ "name": "Outer", "dataSources": [{ "dataSource": "warehouse" }], "whoItems": [{ "accessProvider": inner }] }),
    )
    .await?;
    let add = "mutation($id: ID!, $items: [WhoItemInput!]!){addWhoToAccessProvider(id: $id, toAdd: $items){... on AccessProvider{name} ... on BaseError{message}}}";
    let added = manager.query(add, &json!({ "id": inner, "items": [{ "group": group }] })).await?;
    assert_eq!(added["addWhoToAccessProvider"]["name"], "Inner");
    let refused = manager.query(add, &json!({ "id": inner, "items": [{ "accessProvider": outer }] })).await?;
    assert!(refused.to_string().contains("member of itself"), "{refused}");
    // Inner is in no data source: its members are written as those of Outer.
    assert_eq!(entry(&site, &outer, &json!({})).await?["who"], json!({ "groups": ["g1_name"] }));
    let holders = read(&manager, &inner, "whatAccessProviders{... on PagedResult{edges{node{... on AccessWhatAccessProviderItem{expiresAt accessProvider{name}}}}}}").await?;
    assert_eq!(
        holders["whatAccessProviders"]["edges"],
        json!([{ "node": { "expiresAt": null, "accessProvider": { "name": "Outer" } } }])
    );
    // Anna is in the group.
    let anna = site.client_with("anna", &[Role::AccessManager]).await?;
    let part = async |direct: bool| {
        let field = format!("entityPartOfWho(direct: {direct})");
        Ok::<_, Failure>(read(&anna, &outer, &field).await?["entityPartOfWho"].clone())
    };
    assert_eq!((part(false).await?, part(true).await?), (json!(true), json!(false)));
    let remove = "mutation($id: ID!, $items: [ID!]!){removeWhoFromAccessProvider(id: $id, toRemove: $items){... on AccessProvider{name} ... on BaseError{message}}}";
    manager.query(remove, &json!({ "id": inner, "items": [group] })).await?;
    assert_eq!(part(false).await?, json!(false));
    // From the other end.
    update(&manager, &inner, json!({ "whatAccessProviders": [] })).await?;
    let list = read(&manager, &outer, "whoList{... on PagedResult{edges{cursor}}}").await?;
    assert_eq!(list["whoList"]["edges"], json!([]));
    Ok(())
}

#[tokio::test]
async fn a_mask_is_in_one_data_source_and_shows_its_type() -> Result<(), Failure> {
    let (site, manager) = filled().await?;
    let input = json!({ "supportsApInheritance": true, "accessProviderTypes": [{ "type": "role", "canBeCreated": true }],
        "maskingMetadata": { "defaultMaskExternalName": "HASH", "maskTypes": [
            { "displayName": "Hash", "externalId": "HASH", "description": "" }, { "displayName": "Null", "externalId": "NULL", "description": "" }] } });
    site.client.query(METADATA, &json!({ "id": "warehouse", "input": input })).await?;
    let what = || json!([by_name("a", &[], &[])]);
    let fields = "action category{id} syncData{accessProviderType{type} maskType{externalId displayName} dataSource{id}}";
    let mask =
        create(&manager, json!({ "name": "Mask", "action": "Mask", "whatDataObjects": what() })).await?;
    assert_eq!(
        read(&manager, &mask, fields).await?,
        json!({ "action": "Mask", "category": null, "syncData": [{ "accessProviderType": null,
            "maskType": { "externalId": "HASH", "displayName": "Hash" }, "dataSource": { "id": "warehouse" } }] })
    );
    let grant = create(&manager, json!({ "name": "Grant", "whatDataObjects": what() })).await?;
    let node = read(&manager, &grant, fields).await?;
    assert_eq!(node["syncData"][0]["accessProviderType"], json!({ "type": "role" }));
    assert_eq!(node["category"], json!({ "id": "default" }));
    for (input, reason) in [
        (json!({ "action": "Mask" }), "exactly one data source"),
        (json!({ "action": "Mask", "whatDataObjects": [by_name("a", &["READ"], &[])] }), "no permissions"),
        (
            json!({ "action": "Mask", "dataSources": [{ "dataSource": "warehouse", "type": "lost" }] }),
            "HASH, NULL",
        ),
        (json!({ "dataSources": [{ "dataSource": "warehouse", "type": "lost" }] }), "no type `lost`"),
        (
            json!({ "action": "Filtered", "whatDataObjects": [by_name("a", &[], &[]), by_name("b", &[], &[])] }),
            "one table",
        ),
        (json!({ "category": "lost" }), "category"),
    ] {
        let mut input = input;
        input["name"] = json!("Refused");
        refused(&manager, input, reason).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_out_of_force_or_deleted_is_taken_away() -> Result<(), Failure> {
    let (site, manager) = filled().await?;
    let id =
        create(&manager, json!({ "name": "Readers", "whatDataObjects": [by_name("a", &["READ"], &[])] }))
            .await?;
    site.export(&json!({})).await?;
    site.feedback(&json!([feedback(&id, "READERS")])).await?;
    let state = async |word: &str| {
        let query = format!(
            "mutation($id: ID!){{{word}AccessProvider(id: $id){{... on AccessProvider{{state}} ... on BaseError{{message}}}}}}"
        );
        Ok::<_, Failure>(
            manager.query(&query, &json!({ "id": id })).await?[format!("{word}AccessProvider")]["state"]
                .clone(),
        )
    };
    assert_eq!(state("deactivate").await?, "Inactive");
    let written = entry(&site, &id, &json!({ "status": { "outOfSync": true } })).await?;
    let granted =
        json!([{ "dataObject": { "fullName": "db.a", "type": "table" }, "permissions": ["SELECT"] }]);
    assert_eq!(
        (&written["delete"], &written["what"], &written["deleteWhat"]),
        (&json!(true), &json!([]), &granted)
    );
    site.feedback(&json!([feedback(&id, "READERS")])).await?;
    assert_eq!(entry(&site, &id, &json!({})).await?, Value::Null);
    // Back in force it is made anew.
    assert_eq!(state("activate").await?, "Active");
    let written = entry(&site, &id, &json!({})).await?;
    assert_eq!(
        (&written["delete"], &written["actualName"], &written["what"]),
        (&json!(false), &Value::Null, &granted)
    );
    // Feedback on that does not end one that was deleted meanwhile.
    manager.query(DELETE, &json!({ "id": id })).await?;
    site.feedback(&json!([feedback(&id, "READERS")])).await?;
    let written = entry(&site, &id, &json!({})).await?;
    assert_eq!((&written["delete"], &written["deleteWhat"]), (&json!(true), &granted));
    site.feedback(&json!([feedback(&id, "READERS")])).await?;
    assert_eq!(read(&manager, &id, "name").await?, json!({}));
    Ok(())
}

#[tokio::test]
async fn what_was_granted_on_an_object_that_is_gone_is_taken_back() -> Result<(), Failure> {
    let (site, manager) = filled().await?;
    let part = json!([{ "externalId": "a.x", "name": "x", "fullName": "db.a.x", "type": "part", "parentExternalId": "a" }]);
    site.import_objects(&part, false).await?;
    let write = |name: &str, permission: &str| json!({ "name": name, "permissions": [{ "permission": permission, "globalPermissions": ["write"] }] });
    let metadata = json!({ "dataObjectTypes": [write("table", "INSERT"), write("part", "FILL")] });
    site.client.query(METADATA, &json!({ "id": "warehouse", "input": metadata })).await?;
    let id = create(&manager, json!({ "name": "All", "whatDataObjects": [by_name("a", &["WRITE"], &[])] }))
        .await?;
    site.export(&json!({})).await?;
    site.feedback(&json!([feedback(&id, "ALL")])).await?;
    let tables = json!([{ "externalId": "a", "name": "a", "fullName": "db.a", "type": "table", "parentExternalId": "" },
        { "externalId": "b", "name": "b", "fullName": "db.b", "type": "table", "parentExternalId": "" }]);
    site.import_objects(&tables, true).await?;
    reaches(&manager, &id, "OUT_OF_SYNC").await?;
    update(&manager, &id, json!({ "whatDataObjects": [] })).await?;
    let written = entry(&site, &id, &json!({})).await?;
    assert_eq!(written["what"], json!([]));
    assert_eq!(
        written["deleteWhat"],
        json!([{ "dataObject": { "fullName": "db.a", "type": "table" }, "permissions": ["INSERT"] },
            { "dataObject": { "fullName": "db.a.x", "type": "part" }, "permissions": ["FILL"] }])
    );
    Ok(())
}

#[tokio::test]
async fn members_that_were_not_known_are_found_later_and_move_with_their_account() -> Result<(), Failure> {
    let (site, manager) = filled().await?;
    let role = json!([{ "externalId": "R", "name": "R", "action": "grant", "actualName": "R", "what": [],
        "who": { "users": ["carl_name"], "groups": ["g2_name"], "accessProviders": ["S"] } }]);
    let warnings = site.import_access(&role, true).await?["result"]["warnings"].to_string();
    assert!(warnings.contains("carl_name") && warnings.contains("g2_name"), "{warnings}");
    let user = |email: &str| json!([{ "externalId": "carl", "name": "Carl", "userName": "carl_name", "email": email }]);
    let groups = json!([{ "externalId": "g2", "name": "g2_name", "displayName": "G", "description": "" }]);
    site.import_identities(&user("carl@acme.example"), &groups, false, false).await?;
    let second = json!([{ "externalId": "S", "name": "S", "action": "grant", "actualName": "S", "what": [], "who": {} }]);
    site.import_access(&second, false).await?;
    let members = async || {
        let found = manager.query("{accessProviders(filter: {search: \"R\"}){... on PagedResult{edges{node{... on AccessProvider{ \
            whoList{... on PagedResult{edges{node{... on AccessWhoItem{item{__typename ... on User{email} ... on Group{name} ... on AccessProvider{name}}}}}}}}}}}}}", &Value::Null).await?;
        let edges = found["accessProviders"]["edges"][0]["node"]["whoList"]["edges"].clone();
        let mut members: Vec<String> =
            edges.as_array().into_iter().flatten().map(|edge| edge["node"]["item"].to_string()).collect();
        members.sort();
        Ok::<_, Failure>(members.join(" "))
    };
    let known = members().await?;
    for part in ["carl@acme.example", "g2_name", "\"AccessProvider\""] {
        assert!(known.contains(part), "{part}: {known}");
    }
    // The account has another address, so it is another person's now.
    site.import_identities(&user("charles@acme.example"), &groups, false, false).await?;
    let moved = members().await?;
    assert!(moved.contains("charles@acme.example") && !moved.contains("carl@"), "{moved}");
    // Made anew in the data source: the same access control under another id.
    let mut anew = role.clone();
    anew[0]["externalId"] = json!("R2");
    let state = site.import_access(&json!([anew[0], second[0]]), true).await?;
    assert_eq!(
        (
            &state["result"]["accessAdded"],
            &state["result"]["accessUpdated"],
            &state["result"]["accessRemoved"]
        ),
        (&json!(0), &json!(1), &json!(0))
    );
    Ok(())
}

#[tokio::test]
async fn a_data_source_is_left_with_the_next_feedback() -> Result<(), Failure> {
    let (site, manager) = filled().await?;
    let lake = site.server.ensure_data_source("lake", Some("test")).await?.data_source_id;
    let id = create(
        &manager,
        json!({ "name": "Both", "dataSources": [{ "dataSource": "warehouse" }, { "dataSource": lake }] }),
    )
    .await?;
    site.export(&json!({})).await?;
    site.feedback(&json!([feedback(&id, "BOTH")])).await?;
    update(&manager, &id, json!({ "dataSources": [{ "dataSource": lake }] })).await?;
    let sources = read(&manager, &id, "syncData{dataSource{id}}").await?;
    assert_eq!(sources["syncData"], json!([{ "dataSource": { "id": lake } }]));
    assert_eq!(entry(&site, &id, &json!({})).await?["delete"], true);
    site.feedback(&json!([feedback(&id, "BOTH")])).await?;
    assert_eq!(entry(&site, &id, &json!({})).await?, Value::Null);
    assert_eq!(read(&manager, &id, "state").await?["state"], "Active");
    Ok(())
}

#[tokio::test]
async fn long_lists_are_paged_to_their_end() -> Result<(), Failure> {
    let (site, manager) = filled().await?;
    let users: Vec<Value> = (0..1200)
        .map(|number| json!({ "externalId": format!("n{number}"), "name": format!("N{number:04}"), "userName": format!("n{number}"), "email": "" }))
        .collect();
    site.import_identities(&Value::Array(users), &json!([]), false, false).await?;
    let names: Vec<String> = (0..1200).map(|number| format!("n{number}")).collect();
    let big = json!([{ "externalId": "BIG", "name": "Big", "action": "grant", "actualName": "BIG", "what": [], "who": { "users": names } }]);
    site.import_access(&big, false).await?;
    let found = manager.query("{accessProviders(filter: {search: \"Big\"}){... on PagedResult{edges{node{... on AccessProvider{id}}}}}}", &Value::Null).await?;
    let id = text(&found["accessProviders"]["edges"][0]["node"]["id"])?;
    for order in ["", ", order: [{name: desc}]"] {
        let (mut after, mut seen) = (Value::Null, std::collections::HashSet::new());
        loop {
            let query = format!(
                "query($id: ID!, $after: String){{accessProvider(id: $id){{... on AccessProvider{{whoList(after: $after, limit: 500{order}){{... on PagedResult{{pageInfo{{hasNextPage}} edges{{cursor node{{... on AccessWhoItem{{item{{... on User{{name}}}}}}}}}}}}}}}}}}}}"
            );
            let page = manager.query(&query, &json!({ "id": id, "after": after })).await?["accessProvider"]["whoList"].clone();
            for edge in page["edges"].as_array().into_iter().flatten() {
                seen.insert(edge["node"]["item"]["name"].to_string());
                after = edge["cursor"].clone();
            }
            if page["pageInfo"]["hasNextPage"] != true {
                break;
            }
        }
        assert_eq!(seen.len(), 1200, "{order}");
    }
    Ok(())
}
