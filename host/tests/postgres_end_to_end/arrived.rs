//! What has arrived in the cloud, read page by page.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cloud::{Cloud, text};
use crate::records::{AccessControl, DataObject, Records, User, What};

/// A data source of a cloud.
pub(crate) struct Arrived<'a> {
    pub(crate) cloud: &'a Cloud,
    pub(crate) data_source: &'a str,
    pub(crate) identity_store: &'a str,
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Statement {
    pub user: String,
    pub query: String,
    pub rows: i64,
    /// Since when it was counted, in seconds of the epoch.
    pub start: i64,
    /// `<permission> <type> <full name>`.
    pub objects: BTreeSet<String>,
}

impl Arrived<'_> {
    /// Users by external id.
    pub(crate) fn users(&self) -> Records<User> {
        let nodes = self.cloud.list(
            "query($after: String, $limit: Int, $stores: [ID!]){users(after: $after, limit: $limit, filter: {identityStores: $stores}){\
             pageInfo{hasNextPage} edges{cursor node{... on User{name type accounts{externalId name userName email isMachine \
             tags{key stringValue source}}}}}}}",
            "/users",
            &json!({ "stores": [self.identity_store] }),
        );
        let mut users = Records::new();
        for node in nodes {
            assert_eq!(node["accounts"].as_array().map(Vec::len), Some(1), "{node}");
            let account = &node["accounts"][0];
            assert_eq!(node["name"], account["name"]);
            assert_eq!(node["type"] == "Machine", account["isMachine"] == true, "{node}");
            let tags = account["tags"].as_array().unwrap().iter().map(|tag| {
                assert_eq!(tag["source"], "PostgreSQL");
                (text(&tag["key"]), text(&tag["stringValue"]))
            });
            let user = User {
                name: text(&account["name"]),
                account: text(&account["userName"]),
                email: account["email"].as_str().map(str::to_owned),
                machine: account["isMachine"].as_bool(),
                tags: tags.collect(),
            };
            assert!(users.insert(text(&account["externalId"]), user).is_none(), "twice: {node}");
        }
        users
    }

    /// The id of the user with this account.
    #[track_caller]
    pub(crate) fn user_id(&self, name: &str) -> String {
        let found = self.cloud.graphql(
            "query($name: String){users(search: $name){edges{node{... on User{id name}}}}}",
            &json!({ "name": name }),
        );
        let edges = found["users"]["edges"].as_array().unwrap();
        text(&edges.iter().find(|edge| edge["node"]["name"] == name).unwrap()["node"]["id"])
    }

    /// Data objects by full name.
    pub(crate) fn data_objects(&self) -> Records<DataObject> {
        let nodes = self.cloud.list(
            "query($after: String, $limit: Int, $sources: [ID!]){dataObjects(after: $after, limit: $limit, \
             order: [{fullName: asc}], filter: {dataSources: $sources}){pageInfo{hasNextPage} edges{cursor node{... on DataObject{\
             name fullName type dataType deleted description externalId parent{fullName type}}}}}}",
            "/dataObjects",
            &json!({ "sources": [self.data_source] }),
        );
        let mut objects = Records::new();
        for node in nodes {
            assert_eq!(node["deleted"], false, "{node}");
            assert_eq!(node["externalId"], node["fullName"], "{node}");
            let parent = &node["parent"];
            let at_the_top = parent.is_null() || parent["type"] == "datasource";
            let object = DataObject {
                full_name: text(&node["fullName"]),
                name: text(&node["name"]),
                kind: text(&node["type"]),
                description: text(&node["description"]),
                parent: if at_the_top { String::new() } else { text(&parent["fullName"]) },
                data_type: node["dataType"].as_str().map(str::to_owned),
            };
            let id = object.full_name.clone();
            assert!(objects.insert(id, object).is_none(), "twice: {node}");
        }
        objects
    }

    /// Access controls of the target, by external id.
    pub(crate) fn access_controls(&self) -> Records<AccessControl> {
        let mut controls = Records::new();
        for node in self.nodes(true) {
            assert_eq!(node["syncData"].as_array().map(Vec::len), Some(1), "{node}");
            let sync = &node["syncData"][0];
            assert_eq!((&sync["syncStatus"], &sync["errors"]), (&json!("SYNCED"), &json!([])), "{node}");
            assert_eq!((&node["state"], &node["tags"]), (&json!("Active"), &json!([])), "{node}");
            let id = text(&node["id"]);
            let locks = node["locks"].as_array().unwrap().iter();
            let control = AccessControl {
                name: text(&node["name"]),
                naming_hint: text(&node["namingHint"]),
                actual_name: text(&sync["actualName"]),
                kind: text(&sync["accessProviderType"]["type"]),
                action: text(&node["action"]),
                policy: node["policyRule"].as_str().unwrap_or_default().to_owned(),
                complete: node["complete"].as_bool().unwrap(),
                not_internalizable: node["notInternalizable"].as_bool().unwrap(),
                who: self.who(&id),
                what: self.what(&id),
                locks: locks
                    .map(|lock| (text(&lock["lockKey"]), text(&lock["details"]["reason"])))
                    .collect::<BTreeMap<_, _>>(),
            };
            assert!(controls.insert(text(&sync["externalId"]), control).is_none(), "twice: {node}");
        }
        controls
    }

    /// The id of the access control of the target with this external id.
    #[track_caller]
    pub(crate) fn access_control_id(&self, external_id: &str) -> String {
        let nodes = self.nodes(true);
        text(&nodes.iter().find(|node| node["syncData"][0]["externalId"] == external_id).unwrap()["id"])
    }

    /// Access controls managed in the target, or in the cloud.
    pub(crate) fn nodes(&self, external: bool) -> Vec<Value> {
        self.cloud.list(
            "query($after: String, $limit: Int, $source: ID, $external: Boolean){accessProviders(after: $after, limit: $limit, \
             filter: {dataSource: $source, external: $external}){... on PagedResult{pageInfo{hasNextPage} edges{cursor node{\
             ... on AccessProvider{id name namingHint action state external policyRule complete notInternalizable \
             locks{lockKey details{reason}} tags{key} syncData{accessProviderType{type} actualName externalId syncStatus errors}}}}}}}",
            "/accessProviders",
            &json!({ "source": self.data_source, "external": external }),
        )
    }

    fn who(&self, id: &str) -> BTreeSet<String> {
        let nodes = self.cloud.list(
            "query($id: ID!, $after: String, $limit: Int){accessProvider(id: $id){... on AccessProvider{\
             whoList(after: $after, limit: $limit){... on PagedResult{pageInfo{hasNextPage} edges{cursor node{\
             ... on AccessWhoItem{type item{__typename ... on User{accounts{userName}} \
             ... on AccessProvider{syncData{externalId}} ... on NotFoundError{message}}}}}}}}}}",
            "/accessProvider/whoList",
            &json!({ "id": id }),
        );
        let count = nodes.len();
        let who: BTreeSet<String> = nodes
            .iter()
            .map(|node| {
                assert_eq!(node["type"], "WhoGrant");
                let item = &node["item"];
                match text(&item["__typename"]).as_str() {
                    "User" => format!("user {}", text(&item["accounts"][0]["userName"])),
                    "AccessProvider" => {
                        format!("access control {}", text(&item["syncData"][0]["externalId"]))
                    }
                    _ => format!("unknown: {item}"),
                }
            })
            .collect();
        assert_eq!(who.len(), count, "somebody is there twice: {nodes:?}");
        who
    }

    fn what(&self, id: &str) -> What {
        let nodes = self.cloud.list(
            "query($id: ID!, $after: String, $limit: Int){accessProvider(id: $id){... on AccessProvider{\
             whatDataObjects(after: $after, limit: $limit){... on PagedResult{pageInfo{hasNextPage} edges{cursor node{\
             ... on AccessWhatItem{permissions globalPermissions fullName type dataObject{fullName type}}}}}}}}}",
            "/accessProvider/whatDataObjects",
            &json!({ "id": id }),
        );
        let mut what = What::new();
        for node in nodes {
            let object = &node["dataObject"];
            assert_eq!((&object["fullName"], &object["type"]), (&node["fullName"], &node["type"]), "{node}");
            assert_eq!(node["globalPermissions"], json!([]), "{node}");
            let permissions = node["permissions"].as_array().unwrap().iter().map(text).collect();
            let item = format!("{} {}", text(&node["type"]), text(&node["fullName"]));
            assert!(what.insert(item, permissions).is_none(), "twice: {node}");
        }
        what
    }

    /// Statements, in order.
    pub(crate) fn statements(&self) -> BTreeSet<Statement> {
        let nodes = self.cloud.list(
            "query($source: ID!, $after: String, $limit: Int){queryHistory(dataSource: $source, after: $after, limit: $limit){\
             ... on PagedResult{pageInfo{hasNextPage} edges{cursor node{... on QueryHistoryStatement{\
             userName userId role success status query startTime rows error dataObjects{fullName type globalPermission}}}}}}}",
            "/queryHistory",
            &json!({ "source": self.data_source }),
        );
        let count = nodes.len();
        let statements: BTreeSet<Statement> = nodes
            .iter()
            .map(|node| {
                assert_eq!((&node["success"], &node["error"]), (&json!(true), &json!("")), "{node}");
                assert_eq!((&node["role"], &node["status"]), (&json!(""), &json!("")), "{node}");
                assert!(node["userId"].is_string(), "{node}");
                let start = OffsetDateTime::parse(&text(&node["startTime"]), &Rfc3339).unwrap();
                let objects = node["dataObjects"].as_array().unwrap().iter().map(|object| {
                    let [permission, kind, name] =
                        ["globalPermission", "type", "fullName"].map(|key| text(&object[key]).clone());
                    format!("{} {kind} {name}", permission.to_lowercase())
                });
                Statement {
                    user: text(&node["userName"]),
                    query: text(&node["query"]),
                    rows: node["rows"].as_i64().unwrap(),
                    start: start.unix_timestamp(),
                    objects: objects.collect(),
                }
            })
            .collect();
        assert_eq!(statements.len(), count, "a statement is there twice: {nodes:#?}");
        statements
    }
}
