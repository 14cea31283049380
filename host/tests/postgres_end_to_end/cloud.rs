//! `raito cloud serve` as a process of its own, and a client of the administrator.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStderr};

use serde_json::{Value, json};

use crate::place::{Place, signal};

pub(crate) const ADMINISTRATOR: &str = "admin@acme.example";
pub(crate) const SECRET: &str = "Correct-Horse-7";

/// Small, so that lists take several pages.
const PAGE: usize = 7;

/// A running cloud.
pub(crate) struct Cloud {
    child: Child,
    stderr: BufReader<ChildStderr>,
    pub(crate) url: String,
    token: String,
}

impl Cloud {
    /// Starts it with its data in the folder `cloud` of the place.
    pub(crate) fn start(place: &Place) -> Self {
        let mut command = place.raito(&["cloud", "serve", "--listen", "127.0.0.1:0", "--data-dir", "cloud"]);
        command.args(["--domain", "acme", "--admin-email", ADMINISTRATOR]);
        let mut child = command.env("RAITO_CLOUD_ADMIN_PASSWORD", SECRET).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        // From here on dropping it ends the process.
        let mut cloud = Cloud { child, stderr, url: String::new(), token: String::new() };
        while cloud.url.is_empty() {
            let mut line = String::new();
            assert_ne!(cloud.stderr.read_line(&mut line).unwrap(), 0, "the cloud ended");
            if let Some((_, url)) = line.trim_end().split_once("listens on ") {
                url.clone_into(&mut cloud.url);
            }
        }
        cloud.token = cloud.sign_in();
        cloud
    }

    fn sign_in(&self) -> String {
        let organisation = self.request("GET /admin/org/acme HTTP/1.1", "");
        let answer = self.request(
            "POST / HTTP/1.1\r\ncontent-type: application/x-amz-json-1.1\r\n\
             x-amz-target: AWSCognitoIdentityProviderService.InitiateAuth",
            &json!({ "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": organisation["ClientAppId"],
                "AuthParameters": { "USERNAME": ADMINISTRATOR, "PASSWORD": SECRET } })
            .to_string(),
        );
        text(&answer["AuthenticationResult"]["IdToken"])
    }

    /// Asks it to end, as a service manager would.
    pub(crate) fn stop(mut self) {
        signal("TERM", self.child.id());
        let mut words = String::new();
        self.stderr.read_to_string(&mut words).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{words}");
    }

    /// Sends a request as plain as it can be, and gives the answer as JSON.
    fn request(&self, head: &str, body: &str) -> Value {
        let host = self.url.trim_start_matches("http://").trim_end_matches('/');
        let mut stream = TcpStream::connect(host).unwrap();
        let length = body.len();
        let request =
            format!("{head}\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    /// Runs a GraphQL document that must not fail.
    #[track_caller]
    pub(crate) fn graphql(&self, document: &str, variables: &Value) -> Value {
        let head = format!(
            "POST /query HTTP/1.1\r\ncontent-type: application/json\r\nraito-domain: acme\r\nauthorization: token {}",
            self.token
        );
        let answer = self.request(&head, &json!({ "query": document, "variables": variables }).to_string());
        assert!(answer["errors"].is_null() && answer["data"].is_object(), "{answer}");
        answer["data"].clone()
    }

    /// All nodes of a paged list. The document takes `$after` and `$limit`; `list` is the pointer to the page.
    #[track_caller]
    pub(crate) fn list(&self, document: &str, list: &str, variables: &Value) -> Vec<Value> {
        let mut nodes = Vec::new();
        let mut variables = variables.clone();
        variables["limit"] = json!(PAGE);
        loop {
            let answer = self.graphql(document, &variables);
            let page = answer.pointer(list).unwrap_or_else(|| panic!("no {list} in {answer}"));
            let edges = page["edges"].as_array().unwrap_or_else(|| panic!("no page: {page}"));
            assert!(edges.len() <= PAGE);
            nodes.extend(edges.iter().map(|edge| edge["node"].clone()));
            if page["pageInfo"]["hasNextPage"] == false {
                return nodes;
            }
            variables["after"] = edges.last().unwrap()["cursor"].clone();
        }
    }

    /// Makes a data source. Gives its id and that of its identity store.
    pub(crate) fn create_data_source(&self, name: &str) -> (String, String) {
        let made = self.graphql(
            "mutation ($input:DataSourceInput!){createDataSource(input: $input){... on DataSource{id,identityStores{id}}}}",
            &json!({ "input": { "name": name } }),
        );
        let made = &made["createDataSource"];
        assert_eq!(made["identityStores"].as_array().map(Vec::len), Some(1), "{made}");
        (text(&made["id"]), text(&made["identityStores"][0]["id"]))
    }

    /// Makes an access control. Gives its id.
    #[track_caller]
    pub(crate) fn create_access_control(&self, input: &Value) -> String {
        let made = self.graphql(
            "mutation($input: AccessProviderInput!){createAccessProvider(input: $input, enableAdditionalAccessRequests: false)\
             {... on AccessProviderWithOptionalAccessRequests{accessProvider{id}} ... on BaseError{message}}}",
            &json!({ "input": input }),
        );
        text(&made["createAccessProvider"]["accessProvider"]["id"])
    }

    /// Changes an access control.
    #[track_caller]
    pub(crate) fn update_access_control(&self, id: &str, input: &Value) {
        let made = self.graphql(
            "mutation($id: ID!, $input: AccessProviderInput!){updateAccessProvider(id: $id, input: $input, \
             enableAdditionalAccessRequests: false, overrideLocks: false){__typename ... on BaseError{message}}}",
            &json!({ "id": id, "input": input }),
        );
        let made = &made["updateAccessProvider"];
        assert_eq!(made["__typename"], "AccessProviderWithOptionalAccessRequests", "{made}");
    }

    /// Deletes an access control.
    #[track_caller]
    pub(crate) fn delete_access_control(&self, id: &str) {
        let made = self.graphql(
            "mutation($id: ID!){deleteAccessProvider(id: $id, overrideLocks: false)\
             {__typename ... on AccessProvider{state} ... on BaseError{message}}}",
            &json!({ "id": id }),
        );
        assert_eq!(made["deleteAccessProvider"]["state"], "Deleted", "{made}");
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        // Whatever failed in between, it does not outlive its test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A JSON text.
#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}
