//! Access controls: import from the target, changes here, export, feedback.

use raito_cloud::Role;
use serde_json::{Value, json};

use crate::Failure;
use crate::client::{Client, Site, text};

const METADATA: &str = "mutation ($id:ID!$input:DataSourceMetaDataInput!){setDataSourceMetaData(id: $id, input :$input){... on DataSource{id},... on BaseError{message}}}";
const CREATE: &str = "mutation($input: AccessProviderInput!){createAccessProvider(input: $input, enableAdditionalAccessRequests: false){__typename ... on AccessProviderWithOptionalAccessRequests{accessProvider{id}} ... on BaseError{message}}}";
const UPDATE: &str = "mutation($id: ID!, $input: AccessProviderInput!){updateAccessProvider(id: $id, input: $input, enableAdditionalAccessRequests: false, overrideLocks: true){__typename ... on BaseError{message}}}";
const DELETE: &str = "mutation($id: ID!){deleteAccessProvider(id: $id, overrideLocks: true){__typename ... on AccessProvider{state} ... on BaseError{message}}}";

/// A site with two users, a group, two tables and metadata.
async fn filled() -> Result<(Site, Client), Failure> {
    let site = Site::start().await?;
    let input = json!({ "supportsApInheritance": true, "dataObjectTypes": [{ "name": "table", "permissions": [
        { "permission": "SELECT", "globalPermissions": ["read", "write", "admin"] },
        { "permission": "INSERT", "globalPermissions": ["write", "admin"] }] }] });
    site.client.query(METADATA, &json!({ "id": "warehouse", "input": input })).await?;
    let user = |id: &str| json!({ "externalId": id, "name": id, "userName": format!("{id}_name"), "email": format!("{id}@acme.example"), "groupExternalIds": ["g1"] });
    let groups = json!([{ "externalId": "g1", "name": "g1_name", "displayName": "G", "description": "" }]);
    site.import_identities(&json!([user("anna"), user("ben")]), &groups, true, true).await?;
    let table = |id: &str| json!({ "externalId": id, "name": id, "fullName": format!("db.{id}"), "type": "table", "parentExternalId": "" });
    site.import_objects(&json!([table("a"), table("b")]), true).await?;
    let manager = site.client_with("mia", &[Role::AccessManager]).await?;
    Ok((site, manager))
}

async fn id_of(client: &Client, list: &str, search: &str) -> Result<String, Failure> {
    let kind = if list == "users" { "User" } else { "Group" };
    let argument = if list == "users" {
        format!("search: \"{search}\"")
    } else {
        format!("filter: {{search: \"{search}\"}}")
    };
    let answer = client
        .query(&format!("{{{list}({argument}){{edges{{node{{... on {kind}{{id}}}}}}}}}}"), &Value::Null)
        .await?;
    text(&answer[list]["edges"][0]["node"]["id"])
}

async fn create(client: &Client, input: Value) -> Result<String, Failure> {
    let answer = client.query(CREATE, &json!({ "input": input })).await?;
    text(&answer["createAccessProvider"]["accessProvider"]["id"]).map_err(|_| answer.to_string().into())
}

fn by_name(table: &str, global: &[&str], permissions: &[&str]) -> Value {
    json!({ "globalPermissions": global, "permissions": permissions, "dataObjectByName": [{ "fullname": format!("db.{table}"), "datasource": "warehouse" }] })
}

#[tokio::test]
async fn what_is_created_here_reaches_the_file_and_its_feedback_settles_it() -> Result<(), Failure> {
    let (site, manager) = filled().await?;
    let anna = id_of(&manager, "users", "anna").await?;
    let group = id_of(&manager, "groups", "g1").await?;
    let readers = create(&manager, json!({ "name": "Readers", "namingHint": "readers", "action": "Grant",
        "whoItems": [{ "user": anna }, { "group": group }], "whatDataObjects": [by_name("a", &["WRITE"], &["TRUNCATE"])],
        "dataSources": [{ "dataSource": "warehouse", "type": "role" }] })).await?;
    let leads = create(&manager, json!({ "name": "Leads", "whoItems": [{ "accessProvider": readers }], "whatDataObjects": [by_name("b", &["READ"], &[])] })).await?;
    let filter = create(&manager, json!({ "name": "Own rows", "action": "Filtered", "whatDataObjects": [by_name("b", &[], &[])],
        "filterCriteria": { "unaryExpression": { "operator": "Not", "operand": { "comparison": { "operator": "Equal",
            "leftOperand": { "reference": { "entityType": "ColumnReferenceByName", "entityId": "owner" } }, "rightOperand": { "literal": { "str": "x" } } } } } } })).await?;

    let file = site.export(&json!({})).await?;
    let list = file["accessProviders"].as_array().ok_or("no list")?;
    let ids: Vec<&str> = list.iter().filter_map(|entry| entry["id"].as_str()).collect();
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    assert_eq!(ids, sorted);
    let entry = |id: &str| list.iter().find(|entry| entry["id"] == id).cloned().ok_or("not in the file");
    let first = entry(&readers)?;
    assert_eq!(first["who"], json!({ "users": ["anna_name"], "groups": ["g1_name"] }));
    assert_eq!(
        first["what"],
        json!([{ "dataObject": { "fullName": "db.a", "type": "table" }, "permissions": ["INSERT", "SELECT", "TRUNCATE"] }])
    );
    assert_eq!(
        (&first["type"], &first["action"], &first["delete"], &first["actualName"]),
        (&json!("role"), &json!("grant"), &json!(false), &Value::Null)
    );
    assert_eq!(entry(&leads)?["who"], json!({ "inheritFrom": [format!("ID:{readers}")] }));
    let filtered = entry(&filter)?;
    assert_eq!(filtered["policyRule"], Value::Null);
    assert_eq!(
        filtered["filterCriteria"]["unaryExpression"]["expression"]["comparison"]["rightOperand"]["literal"],
        json!({ "string": "x" })
    );
    assert!(
        file["fileBuildTime"]
            .as_i64()
            .zip(file["lastCalculated"].as_i64())
            .is_some_and(|(build, calculated)| build / 1000 == calculated)
    );

    let feedback = |id: &str, name: &str, errors: Value| json!({ "externalId": id, "access": [{ "accessId": id, "actualName": name, "externalId": name, "type": "role", "errors": errors, "warnings": null }] });
    let state = site
        .feedback(&json!([
            feedback(&readers, "READERS", Value::Null),
            feedback(&leads, "LEADS", json!(["no"])),
            feedback("nobody", "X", Value::Null)
        ]))
        .await?;
    assert_eq!(state["result"]["accessNamesAdded"], 2);
    assert!(state["result"]["warnings"].to_string().contains("nobody"));
    let status = async |id: &str| {
        let answer = manager.query("query($id: ID!){accessProvider(id: $id){... on AccessProvider{syncData{actualName syncStatus errors}}}}", &json!({ "id": id })).await?;
        Ok::<_, Failure>(answer["accessProvider"]["syncData"][0].clone())
    };
    assert_eq!(
        status(&readers).await?,
        json!({ "actualName": "READERS", "syncStatus": "SYNCED", "errors": [] })
    );
    assert_eq!(
        status(&leads).await?,
        json!({ "actualName": "LEADS", "syncStatus": "FAILED", "errors": ["no"] })
    );

    // Only what is not in step, and the one that is there already is named as the target names it.
    let partial = site.export(&json!({ "status": { "outOfSync": true } })).await?;
    let left: Vec<&str> = partial["accessProviders"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["id"].as_str())
        .collect();
    assert_eq!(left, [leads.as_str(), filter.as_str()]);
    assert_eq!(partial["accessProviders"][0]["who"], json!({ "inheritFrom": ["READERS"] }));

    // The target reports it back: managed here, so neither added nor counted.
    let found = json!([{ "externalId": "READERS", "name": "READERS", "type": "role", "action": "grant", "actualName": "READERS", "who": { "users": ["x"] }, "what": [] },
        { "externalId": "OTHER", "name": "OTHER", "action": "grant", "actualName": "OTHER", "who": null, "what": [] }]);
    let state = site.import_access(&found, true).await?;
    assert_eq!(state["result"]["accessAdded"], 1);

    // Removing somebody and an object shows as removal, until it is confirmed.
    manager.query(UPDATE, &json!({ "id": readers, "input": { "whoItems": [{ "user": anna }], "whatDataObjects": [by_name("a", &["READ"], &[])] } })).await?;
    let file = site.export(&json!({})).await?;
    let changed = file["accessProviders"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|entry| entry["id"] == json!(readers))
        .cloned()
        .ok_or("gone")?;
    assert_eq!(changed["deletedWho"], json!({ "groups": ["g1_name"] }));
    assert_eq!(
        changed["deleteWhat"],
        json!([{ "dataObject": { "fullName": "db.a", "type": "table" }, "permissions": ["INSERT", "TRUNCATE"] }])
    );
    assert_eq!(changed["actualName"], "READERS");
    site.feedback(&json!([feedback(&readers, "READERS", Value::Null)])).await?;
    let file = site.export(&json!({})).await?;
    let settled = file["accessProviders"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|entry| entry["id"] == json!(readers))
        .cloned()
        .ok_or("gone")?;
    assert_eq!((&settled["deletedWho"], &settled["deleteWhat"]), (&Value::Null, &json!([])));

    // Deletion is handed out until the target confirms.
    assert_eq!(
        manager.query(DELETE, &json!({ "id": readers })).await?["deleteAccessProvider"]["state"],
        "Deleted"
    );
    let file = site.export(&json!({})).await?;
    let deleted = file["accessProviders"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|entry| entry["id"] == json!(readers))
        .cloned()
        .ok_or("gone")?;
    assert_eq!(deleted["delete"], true);
    site.feedback(&json!([feedback(&readers, "READERS", Value::Null)])).await?;
    let file = site.export(&json!({})).await?;
    assert!(!file.to_string().contains(&readers));
    Ok(())
}

#[tokio::test]
async fn a_word_on_an_object_reaches_everything_below_it() -> Result<(), Failure> {
    let (site, manager) = filled().await?;
    let words = |name: &str, words: &[&str]| json!({ "permission": name, "globalPermissions": words });
    let (all, write) = (["read", "write", "admin"], ["write", "admin"]);
    let input = json!({ "dataObjectTypes": [
        { "name": "schema", "permissions": [words("USAGE", &all)] },
        { "name": "table", "permissions": [words("SELECT", &all), words("INSERT", &write),
            { "permission": "OWN", "globalPermissions": ["admin"], "cannotBeGranted": true }] },
        { "name": "column", "permissions": [words("SELECT", &all), words("UPDATE", &write)] }] });
    site.client.query(METADATA, &json!({ "id": "warehouse", "input": input })).await?;
    let object = |id: &str, parent: &str, kind: &str| json!({ "externalId": id, "name": id, "fullName": format!("db.{id}"), "type": kind, "parentExternalId": parent });
    let column = |id: &str| object(&format!("{id}.c"), id, "column");
    let objects = [object("s", "", "schema"), object("s.t", "s", "table"), column("s.t"), column("a")];
    // One that is gone, and two that are each other's parents.
    let odd = [object("s.gone", "s", "table"), object("x", "y", "schema"), object("y", "x", "schema")];
    site.import_objects(&json!([&objects[..], &odd].concat()), false).await?;
    site.import_objects(&json!([&objects[..], &odd[1..]].concat()), true).await?;

    let writers =
        create(&manager, json!({ "name": "Writers", "whatDataObjects": [by_name("s", &["WRITE"], &[])] }))
            .await?;
    let odd =
        create(&manager, json!({ "name": "Odd", "whatDataObjects": [by_name("x", &["READ"], &[])] })).await?;
    let entry = async |id: &str, filter: Value| {
        let file = site.export(&filter).await?;
        let list = file["accessProviders"].as_array().cloned().unwrap_or_default();
        Ok::<_, Failure>(list.into_iter().find(|entry| entry["id"] == id).unwrap_or_default())
    };
    let item = |name: &str, kind: &str, permissions: &[&str]| json!({ "dataObject": { "fullName": format!("db.{name}"), "type": kind }, "permissions": permissions });
    let first = entry(&writers, json!({})).await?;
    assert_eq!(
        first["what"],
        json!([
            item("s", "schema", &["USAGE"]),
            item("s.t", "table", &["INSERT", "SELECT"]),
            item("s.t.c", "column", &["UPDATE"])
        ])
    );
    assert_eq!(first["deleteWhat"], json!([]));
    assert_eq!(
        entry(&odd, json!({})).await?["what"],
        json!([item("x", "schema", &["USAGE"])]),
        "a circle ends"
    );

    // In step until something appears below the schema.
    let feedback = json!([{ "externalId": writers, "access": [{ "actualName": "W", "errors": null, "warnings": null }] }]);
    site.feedback(&feedback).await?;
    let out_of_sync = json!({ "status": { "outOfSync": true } });
    assert_eq!(entry(&writers, out_of_sync.clone()).await?, Value::Null);
    site.import_objects(&json!([object("s.new", "s", "table")]), false).await?;
    let grown = entry(&writers, out_of_sync.clone()).await?;
    assert_eq!(grown["what"][1], item("s.new", "table", &["INSERT", "SELECT"]));
    site.feedback(&feedback).await?;

    // What a weaker word no longer stands for is taken away.
    manager
        .query(
            UPDATE,
            &json!({ "id": writers, "input": { "whatDataObjects": [by_name("s", &["READ"], &[])] } }),
        )
        .await?;
    let weaker = entry(&writers, out_of_sync).await?;
    assert_eq!(
        weaker["what"],
        json!([
            item("s", "schema", &["USAGE"]),
            item("s.new", "table", &["SELECT"]),
            item("s.t", "table", &["SELECT"])
        ])
    );
    assert_eq!(
        weaker["deleteWhat"],
        json!([
            item("s.new", "table", &["INSERT"]),
            item("s.t", "table", &["INSERT"]),
            item("s.t.c", "column", &["UPDATE"])
        ])
    );
    Ok(())
}

#[tokio::test]
async fn feedback_settles_who_owns_a_name_in_the_target() -> Result<(), Failure> {
    let (site, manager) = filled().await?;
    let one = create(&manager, json!({ "name": "One" })).await?;
    let two = create(&manager, json!({ "name": "Two" })).await?;
    for id in [&one, &two] {
        let input = json!({ "dataSources": [{ "dataSource": "warehouse" }] });
        manager.query(UPDATE, &json!({ "id": id, "input": input })).await?;
    }
    site.export(&json!({})).await?;
    // Found in the target before the feedback told that it is ours.
    let found = json!([{ "externalId": "A", "name": "A", "action": "grant", "actualName": "A", "who": null, "what": [] }]);
    assert_eq!(site.import_access(&found, false).await?["result"]["accessAdded"], 1);
    let feedback = |id: &str, name: &str| json!({ "externalId": id, "access": [{ "actualName": name, "externalId": name, "errors": null }] });
    let names = async |list: Value| {
        let state = site.feedback(&list).await?;
        let answer = manager.query("{accessProviders{... on PagedResult{edges{node{... on AccessProvider{name external syncData{externalId}}}}}}}", &Value::Null).await?;
        let mut found: Vec<String> = answer["accessProviders"]["edges"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|edge| {
                let node = &edge["node"];
                format!("{} {} {}", node["name"], node["external"], node["syncData"][0]["externalId"])
                    .replace('"', "")
            })
            .collect();
        found.sort_unstable();
        Ok::<_, Failure>((
            found,
            state["result"]["accessNamesAdded"].clone(),
            state["result"]["warnings"].to_string(),
        ))
    };
    let (found, added, warnings) = names(json!([feedback(&one, "A"), feedback(&two, "B")])).await?;
    assert_eq!(
        (found, added, warnings.as_str()),
        (vec!["One false A".to_owned(), "Two false B".to_owned()], json!(2), "[]")
    );
    // Two of ours may exchange names, but neither loses its name to the other.
    let (found, _, warnings) = names(json!([feedback(&one, "B"), feedback(&two, "A")])).await?;
    assert_eq!((found, warnings.as_str()), (vec!["One false B".to_owned(), "Two false A".to_owned()], "[]"));
    let (found, _, warnings) = names(json!([feedback(&one, "A"), feedback(&one, "C")])).await?;
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(warnings.contains("belong to another") && warnings.contains("occurred before"), "{warnings}");
    Ok(())
}

#[tokio::test]
async fn what_the_target_has_is_imported_with_exact_counts() -> Result<(), Failure> {
    let (site, manager) = filled().await?;
    let role = |id: &str, who: Value| {
        json!({ "externalId": id, "name": id, "namingHint": id, "type": "role", "action": "Grant", "policy": "", "who": who,
        "notInternalizable": false, "whoLocked": true, "whoLockedReason": "because", "actualName": id,
        "what": [{ "dataObject": { "fullName": "db.a", "type": "table" }, "permissions": ["SELECT"] }, { "dataObject": null, "permissions": null }],
        "tags": [{ "key": "raito_owner", "value": "email:anna@acme.example", "source": "x" }] })
    };
    let counts = |state: &Value| {
        ["accessAdded", "accessUpdated", "accessRemoved"]
            .map(|name| state["result"][name].as_i64().unwrap_or(-1))
    };
    let all = json!([
        role("r2", json!({ "accessProviders": ["r1", "lost"], "users": ["stranger"] })),
        role("r1", json!({ "users": ["anna_name"], "groups": ["g1_name"] }))
    ]);
    let first = site.import_access(&all, true).await?;
    assert_eq!(counts(&first), [2, 0, 0]);
    let warnings = first["result"]["warnings"].to_string();
    assert!(warnings.contains("lost") && warnings.contains("stranger"), "{warnings}");
    assert_eq!(counts(&site.import_access(&all, true).await?), [0, 0, 0]);
    let answer = manager.query("{accessProviders(filter: {dataSource: \"warehouse\", external: true, search: \"R1\"}){... on PagedResult{edges{node{... on AccessProvider{ \
        id name external action complete locks{lockKey details{reason}} tags{key stringValue} \
        whoList{... on PagedResult{edges{node{... on AccessWhoItem{item{__typename ... on User{email} ... on Group{name}}}}}}} \
        whatDataObjects{... on PagedResult{edges{node{... on AccessWhatItem{permissions dataObject{fullName}}}}}}}}}}}}", &Value::Null).await?;
    let node = &answer["accessProviders"]["edges"][0]["node"];
    assert_eq!(node["locks"], json!([{ "lockKey": "WhoLock", "details": { "reason": "because" } }]));
    assert_eq!(node["tags"], json!([{ "key": "raito_owner", "stringValue": "email:anna@acme.example" }]));
    assert_eq!(
        node["whoList"]["edges"],
        json!([{ "node": { "item": { "__typename": "Group", "name": "g1_name" } } }, { "node": { "item": { "__typename": "User", "email": "anna@acme.example" } } }])
    );
    assert_eq!(
        node["whatDataObjects"]["edges"],
        json!([{ "node": { "permissions": ["SELECT"], "dataObject": { "fullName": "db.a" } } }])
    );
    // An unknown who-list keeps the old one, the rest changes.
    let mut vague = role("r1", Value::Null);
    vague["name"] = json!("renamed");
    assert_eq!(counts(&site.import_access(&json!([vague]), false).await?), [0, 1, 0]);
    let answer = manager.query("{accessProviders(filter: {search: \"renamed\"}){... on PagedResult{edges{node{... on AccessProvider{whoList{... on PagedResult{edges{cursor}}}}}}}}}", &Value::Null).await?;
    assert_eq!(
        answer["accessProviders"]["edges"][0]["node"]["whoList"]["edges"].as_array().map(Vec::len),
        Some(2)
    );
    assert_eq!(counts(&site.import_access(&json!([]), true).await?), [0, 0, 2]);
    Ok(())
}

#[tokio::test]
async fn inputs_that_make_no_sense_are_refused_and_change_nothing() -> Result<(), Failure> {
    let (site, manager) = filled().await?;
    let one =
        create(&manager, json!({ "name": "One", "whatDataObjects": [by_name("a", &["READ"], &[])] })).await?;
    let two = create(&manager, json!({ "name": "Two", "whoItems": [{ "accessProvider": one }] })).await?;
    for (input, reason) in [
        (json!({ "name": "  " }), "name is empty"),
        (
            json!({ "name": "X", "whatDataObjects": [by_name("lost", &["READ"], &[])] }),
            "no data object `db.lost`",
        ),
        (json!({ "name": "X", "whatDataObjects": [by_name("a", &["EVERYTHING"], &[])] }), "not one of READ"),
        (json!({ "name": "X", "whoItems": [{ "user": "nobody" }] }), "there is no user `nobody`"),
        (json!({ "name": "X", "whoItems": [{}] }), "exactly one of"),
        (json!({ "name": "X", "whoItems": [{ "accessProvider": two }] }), "member of itself"),
        (json!({ "name": "X", "dataSources": [{ "dataSource": "lost" }] }), "no data source `lost`"),
    ] {
        let answer = manager.query(UPDATE, &json!({ "id": one, "input": input })).await?;
        let answer = &answer["updateAccessProvider"];
        assert_eq!(answer["__typename"], "InvalidInputError", "{answer}");
        assert!(answer["message"].as_str().is_some_and(|message| message.contains(reason)), "{answer}");
    }
    let answer = manager
        .query("query($id: ID!){accessProvider(id: $id){... on AccessProvider{name}}}", &json!({ "id": one }))
        .await?;
    assert_eq!(answer["accessProvider"]["name"], "One");
    let missing = manager.query(UPDATE, &json!({ "id": "nothing", "input": {} })).await?;
    assert_eq!(missing["updateAccessProvider"]["__typename"], "NotFoundError");
    let denied = site.client.query(CREATE, &json!({ "input": { "name": "X" } })).await?;
    assert_eq!(denied["createAccessProvider"]["__typename"], "PermissionDeniedError");
    // A null list leaves what is there, an empty one empties it.
    let what = async || {
        let answer = manager.query("query($id: ID!){accessProvider(id: $id){... on AccessProvider{whatDataObjects{... on PagedResult{edges{cursor}}}}}}", &json!({ "id": one })).await?;
        Ok::<_, Failure>(answer["accessProvider"]["whatDataObjects"]["edges"].as_array().map(Vec::len))
    };
    manager.query(UPDATE, &json!({ "id": one, "input": { "whatDataObjects": null } })).await?;
    assert_eq!(what().await?, Some(1));
    manager.query(UPDATE, &json!({ "id": one, "input": { "whatDataObjects": [] } })).await?;
    assert_eq!(what().await?, Some(0));
    // What no target has is gone at once.
    manager.query(DELETE, &json!({ "id": two })).await?;
    let answer =
        manager.query("query($id: ID!){accessProvider(id: $id){__typename}}", &json!({ "id": two })).await?;
    assert_eq!(answer["accessProvider"]["__typename"], "NotFoundError");
    Ok(())
}
