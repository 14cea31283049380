//! Data sources and identity stores: what `add-target` looks up and makes, and who is signed in.
//!
//! An answer that is one of the API's error types has none of the members that are asked for. It is told as a refusal.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::graphql::{Operation, null_as_default};
use super::{CloudClient, CloudError};

/// A data source.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataSourceInfo {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default, deserialize_with = "null_as_default")]
    pub name: String,
    #[serde(default, deserialize_with = "null_as_default")]
    identity_stores: Vec<LinkedStore>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct LinkedStore {
    id: String,
    #[serde(default, deserialize_with = "null_as_default")]
    native: bool,
}

impl DataSourceInfo {
    /// The identity store that belongs to the data source itself.
    pub fn native_store(&self) -> Option<&str> {
        self.identity_stores.iter().find(|store| store.native).map(|store| store.id.as_str())
    }
}

/// An identity store.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct IdentityStoreInfo {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default, deserialize_with = "null_as_default")]
    pub name: String,
}

const DATA_SOURCE: &str = "... on DataSource{name,id,identityStores{id,native}}";
const IDENTITY_STORE: &str = "... on IdentityStore{name,id}";

impl CloudClient {
    /// Asks who is signed in; not every user has an address.
    pub async fn current_user(&self) -> Result<Option<String>, CloudError> {
        let data: Value =
            self.graphql(self.look_up("the connection test", "{currentUser{email}}", None)).await?;
        Ok(data["currentUser"]["email"].as_str().map(str::to_owned))
    }

    /// Asks for the data sources: the first page, as the API gives it.
    pub async fn data_sources(&self) -> Result<Vec<DataSourceInfo>, CloudError> {
        let what = "the list of data sources";
        let document = format!("{{dataSources{{... on PagedResult{{edges{{node{{{DATA_SOURCE}}}}}}}}}}}");
        let mut data: Value = self.graphql(self.look_up(what, &document, None)).await?;
        nodes(what, data["dataSources"].take())
    }

    /// Asks for one data source; none if there is none.
    pub async fn data_source(&self, id: &str) -> Result<Option<DataSourceInfo>, CloudError> {
        let what = "the data source";
        let document = format!("query ($id:ID!){{dataSource(id: $id){{{DATA_SOURCE}}}}}");
        let mut data: Value = self.graphql(self.look_up(what, &document, Some(json!({ "id": id })))).await?;
        one(what, data["dataSource"].take())
    }

    /// Makes a data source.
    pub async fn create_data_source(&self, name: &str) -> Result<DataSourceInfo, CloudError> {
        let what = "creating the data source";
        let document =
            format!("mutation ($input:DataSourceInput!){{createDataSource(input: $input){{{DATA_SOURCE}}}}}");
        let variables = json!({ "input": { "name": name } });
        let mut data: Value = self.graphql(Operation::with_variables(what, &document, variables)).await?;
        one(what, data["createDataSource"].take())?.ok_or_else(|| refused(what))
    }

    /// Asks for the identity stores that belong to no data source: the first page.
    pub async fn identity_stores(&self) -> Result<Vec<IdentityStoreInfo>, CloudError> {
        let what = "the list of identity stores";
        let document = format!(
            "{{identityStores(filter: {{native: false}}){{... on PagedResult{{edges{{node{{{IDENTITY_STORE}}}}}}}}}}}"
        );
        let mut data: Value = self.graphql(self.look_up(what, &document, None)).await?;
        nodes(what, data["identityStores"].take())
    }

    /// Asks for one identity store; none if there is none.
    pub async fn identity_store(&self, id: &str) -> Result<Option<IdentityStoreInfo>, CloudError> {
        let what = "the identity store";
        let document = format!("query ($id:ID!){{identityStore(id: $id){{{IDENTITY_STORE}}}}}");
        let mut data: Value = self.graphql(self.look_up(what, &document, Some(json!({ "id": id })))).await?;
        one(what, data["identityStore"].take())
    }

    /// Makes an identity store.
    pub async fn create_identity_store(&self, name: &str) -> Result<IdentityStoreInfo, CloudError> {
        let what = "creating the identity store";
        let document = format!(
            "mutation ($input:IdentityStoreInput!){{createIdentityStore(input: $input){{{IDENTITY_STORE}}}}}"
        );
        let variables = json!({ "input": { "name": name } });
        let mut data: Value = self.graphql(Operation::with_variables(what, &document, variables)).await?;
        one(what, data["createIdentityStore"].take())?.ok_or_else(|| refused(what))
    }

    #[expect(clippy::unused_self, reason = "it reads better at its callers")]
    fn look_up<'o>(&self, what: &'static str, document: &str, variables: Option<Value>) -> Operation<'o> {
        Operation { variables, ..Operation::reading(what, document.to_owned()) }
    }
}

/// An object; none if it has none of the members that were asked for.
fn one<T: DeserializeOwned>(what: &'static str, node: Value) -> Result<Option<T>, CloudError> {
    if node.get("id").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Ok(None);
    }
    serde_json::from_value(node)
        .map(Some)
        .map_err(|error| CloudError::BadAnswer { what, reason: error.to_string() })
}

/// The objects of a page.
fn nodes<T: DeserializeOwned>(what: &'static str, mut page: Value) -> Result<Vec<T>, CloudError> {
    let Some(edges) = page["edges"].as_array_mut() else { return Err(refused(what)) };
    let nodes = edges.iter_mut().map(|edge| one(what, edge["node"].take()));
    nodes.filter_map(Result::transpose).collect()
}

fn refused(what: &'static str) -> CloudError {
    CloudError::Graphql {
        what,
        messages: vec!["the API user may not do that, or there is one of this name".to_owned()],
    }
}
