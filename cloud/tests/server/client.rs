//! A client that speaks like the command line, and a server to speak to.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use raito_cloud::{Credentials, NewUser, Role, Server, ServerConfig};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Failure;
use crate::engine::Place;

pub(crate) const DOMAIN: &str = "acme";
const POLLS: usize = 6000;
const POLL: Duration = Duration::from_millis(20);

/// A server with a data source `warehouse`, and a signed-in client.
pub(crate) struct Site {
    // Before the place that it is in.
    pub(crate) server: Server,
    pub(crate) client: Client,
    /// The native identity store of the data source.
    pub(crate) identity_store: String,
    pub(crate) place: Place,
}

impl Site {
    pub(crate) async fn start() -> Result<Self, Failure> {
        let place = Place::new()?;
        let config = place.config()?;
        Self::start_with(place, config).await
    }

    pub(crate) async fn start_with(place: Place, config: ServerConfig) -> Result<Self, Failure> {
        let (server, credentials) = Server::start_embedded_with(config).await?;
        let ids = server.ensure_data_source("warehouse", Some("test")).await?;
        let client = Client::sign_in(server.url(), &credentials).await?;
        Ok(Self { server, client, identity_store: ids.identity_store_id, place })
    }

    /// A server on a place that was used before.
    pub(crate) async fn start_again(place: &Place) -> Result<(Server, Client), Failure> {
        let (server, credentials) = Server::start_embedded_with(place.config()?).await?;
        let client = Client::sign_in(server.url(), &credentials).await?;
        Ok((server, client))
    }

    /// A client with these roles.
    pub(crate) async fn client_with(&self, name: &str, roles: &[Role]) -> Result<Client, Failure> {
        let credentials = Credentials {
            domain: DOMAIN.to_owned(),
            user: format!("{name}@acme.example"),
            secret: "Correct-horse-1".to_owned(),
        };
        let user = NewUser {
            email: credentials.user.clone(),
            password: credentials.secret.clone(),
            roles: roles.to_vec(),
            machine: false,
        };
        self.server.put_user(user).await?;
        Client::sign_in(self.server.url(), &credentials).await
    }

    pub(crate) async fn import_objects(
        &self,
        objects: &Value,
        delete_untouched: bool,
    ) -> Result<Value, Failure> {
        self.import_objects_text(&objects.to_string(), delete_untouched, "[]").await
    }

    pub(crate) async fn import_objects_text(
        &self,
        text: &str,
        delete_untouched: bool,
        scope: &str,
    ) -> Result<Value, Failure> {
        let key = self.client.upload(text.as_bytes()).await?;
        let settings = format!(
            "dataSource: \"warehouse\", deleteUntouched: {delete_untouched}, fileKey: \"{key}\", tagSourcesScope: {scope}"
        );
        self.client.import("importDataSourceRequest", "ImportDataSourceRequest", "DS", &settings).await
    }

    pub(crate) async fn import_identities(
        &self,
        users: &Value,
        groups: &Value,
        delete_untouched: bool,
        replace_groups: bool,
    ) -> Result<Value, Failure> {
        let users = self.client.upload(users.to_string().as_bytes()).await?;
        let groups = self.client.upload(groups.to_string().as_bytes()).await?;
        let settings = format!(
            "identityStore: \"{}\", deleteUntouched: {delete_untouched}, replaceGroups: {replace_groups}, \
             usersFileKey: \"{users}\", groupsFileKey: \"{groups}\", tagSourcesScope: []",
            self.identity_store
        );
        self.client.import("importIdentityRequest", "ImportIdentityRequest", "IS", &settings).await
    }

    pub(crate) async fn import_access(
        &self,
        access: &Value,
        delete_untouched: bool,
    ) -> Result<Value, Failure> {
        let key = self.client.upload(access.to_string().as_bytes()).await?;
        let settings =
            format!("dataSource: \"warehouse\", deleteUntouched: {delete_untouched}, fileKey: \"{key}\"");
        self.client
            .import("importAccessProvidersRequest", "ImportAccessProvidersRequest", "DA", &settings)
            .await
    }

    pub(crate) async fn feedback(&self, feedback: &Value) -> Result<Value, Failure> {
        let key = self.client.upload(feedback.to_string().as_bytes()).await?;
        let settings = format!("dataSource: \"warehouse\", fileKey: \"{key}\"");
        self.client
            .import("importAccessProvidersSyncFeedback", "ImportAccessProvidersSyncFeedback", "DA", &settings)
            .await
    }

    /// The access file.
    pub(crate) async fn export(&self, filter: &Value) -> Result<Value, Failure> {
        let job = self.client.create_job().await?;
        let answer = self
            .client
            .query(
                "query ($filter:AccessProviderExportRequestFilter!$input:AccessProviderExportRequest!)\
                 {exportAccessProvidersRequest(input: $input, filter: $filter){subtask{subtaskId,status}}}",
                &json!({ "input": { "jobId": job, "exportSettings": { "dataSource": "warehouse" } }, "filter": filter }),
            )
            .await?;
        let subtask = text(&answer["exportAccessProvidersRequest"]["subtask"]["subtaskId"])?;
        let result = self.client.wait(&job, "DA", &subtask).await?;
        let location = text(&result["result"]["fileLocation"])?;
        // Without any header: the address alone must do.
        let file = self.client.http.get(location).send().await?.error_for_status()?.text().await?;
        let mut file: Value = serde_json::from_str(&file)?;
        file["warnings"] = result["result"]["warnings"].clone();
        Ok(file)
    }
}

pub(crate) fn text(value: &Value) -> Result<String, Failure> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("not a text: {value}").into())
}

/// A signed-in client.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) token: String,
}

/// A client without TLS needs no provider, but reqwest asks for one.
pub(crate) fn http() -> Result<reqwest::Client, Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(1)).build()?)
}

impl Client {
    pub(crate) async fn sign_in(base: &str, credentials: &Credentials) -> Result<Self, Failure> {
        let http = http()?;
        let (status, answer) = password_auth(&http, base, &credentials.user, &credentials.secret).await?;
        if status != 200 {
            return Err(format!("sign-in answered {status}: {answer}").into());
        }
        let token = text(&answer["AuthenticationResult"]["IdToken"])?;
        Ok(Self { http, base: base.to_owned(), token })
    }

    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .header("Authorization", format!("token {}", self.token))
            .header("Raito-Domain", DOMAIN)
    }

    /// Sends a body as it is; returns the whole answer.
    pub(crate) async fn post(&self, body: String) -> Result<Value, Failure> {
        let answer = self
            .request(reqwest::Method::POST, "query")
            .header("Content-Type", "application/json")
            .body(body)
            .send()
            .await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            return Err(format!("{status}: {text}").into());
        }
        Ok(serde_json::from_str(&text)?)
    }

    /// Like the sender with variables: any error fails.
    pub(crate) async fn query(&self, query: &str, variables: &Value) -> Result<Value, Failure> {
        let answer = self.post(json!({ "query": query, "variables": variables }).to_string()).await?;
        match answer.get("errors") {
            Some(errors) => Err(errors.to_string().into()),
            None => Ok(answer["data"].clone()),
        }
    }

    pub(crate) async fn create_job(&self) -> Result<String, Failure> {
        let input = json!({ "dataSourceId": "warehouse", "identityStoreId": null,
            "eventTime": "2026-01-02T03:04:05.123456789+01:00" });
        let answer = self
            .query("mutation ($input:JobInput!){createJob(input: $input){jobId}}", &json!({ "input": input }))
            .await?;
        text(&answer["createJob"]["jobId"])
    }

    pub(crate) async fn signed_url(&self, length: usize, sha256: &str) -> Result<(String, String), Failure> {
        let answer = self
            .request(reqwest::Method::GET, "file/upload/signed-url")
            .query(&[("contentLength", length.to_string().as_str()), ("sha256", sha256)])
            .send()
            .await?
            .error_for_status()?
            .json::<Value>()
            .await?;
        Ok((text(&answer["URL"])?, text(&answer["Key"])?))
    }

    /// Uploads a file; returns its key.
    pub(crate) async fn upload(&self, content: &[u8]) -> Result<String, Failure> {
        let (url, key) = self.signed_url(content.len(), &sha256(content)).await?;
        self.http.put(url).body(content.to_vec()).send().await?.error_for_status()?;
        Ok(key)
    }

    /// Asks for an import with the pasted literals and the stray characters of the command line, and waits.
    pub(crate) async fn import(
        &self,
        field: &str,
        operation: &str,
        job_type: &str,
        settings: &str,
    ) -> Result<Value, Failure> {
        let job = self.create_job().await?;
        self.import_in(&job, field, operation, job_type, settings).await
    }

    pub(crate) async fn import_in(
        &self,
        job: &str,
        field: &str,
        operation: &str,
        job_type: &str,
        settings: &str,
    ) -> Result<Value, Failure> {
        let subtask = self.request_import(job, field, operation, settings).await?;
        self.wait(job, job_type, &subtask).await
    }

    /// Only asks; returns the subtask.
    pub(crate) async fn request_import(
        &self,
        job: &str,
        field: &str,
        operation: &str,
        settings: &str,
    ) -> Result<String, Failure> {
        let query = format!(
            "mutation {operation} {{ {field}(input: {{ jobId: \"{job}\", importSettings: {{ {settings} }} }}) \
             {{ subtask {{ subtaskId status }} }} }}"
        );
        let mut body = json!({ "operationName": operation, "variables": {}, "query": query }).to_string();
        body.push_str(if operation.ends_with("Feedback") { "\"\\n\t" } else { "\"" });
        let answer = self.post(body).await?;
        if let Some(errors) = answer.get("errors") {
            return Err(errors.to_string().into());
        }
        let subtask = &answer["data"][field]["subtask"];
        assert_eq!(subtask["status"], "QUEUED");
        text(&subtask["subtaskId"])
    }

    pub(crate) async fn subtask(&self, job: &str, job_type: &str, subtask: &str) -> Result<Value, Failure> {
        let query = format!(
            "query jobSubtask {{ jobSubtask(jobId: \"{job}\", jobType: \"{job_type}\", subtaskId: \"{subtask}\") {{ \
             jobId jobType subtaskId status lastUpdate errors result {{ __typename \
             ... on DataSourceImportResult {{ dataObjectsAdded dataObjectsRemoved dataObjectsUpdated warnings }} \
             ... on IdentityStoreImportResult {{ groupsAdded groupsRemoved groupsUpdated usersAdded usersRemoved usersUpdated warnings }} \
             ... on AccessProviderImportResult {{ accessAdded accessRemoved accessUpdated warnings }} \
             ... on DataUsageImportResult {{ edgesCreatedOrUpdated edgesRemoved statementsAdded statementsFailed statementsSkipped warnings }} \
             ... on AccessProviderExportResult {{ fileKey fileLocation warnings }} \
             ... on AccessProviderSyncFeedbackResult {{ accessNamesAdded warnings }} \
             ... on TagImportResult {{ tagsAdded tagsRemoved warnings }} }} }} }}"
        );
        let answer = self.query(&query, &Value::Null).await?;
        Ok(answer["jobSubtask"].clone())
    }

    /// Waits until a subtask has ended.
    pub(crate) async fn wait(&self, job: &str, job_type: &str, subtask: &str) -> Result<Value, Failure> {
        for _ in 0..POLLS {
            let state = self.subtask(job, job_type, subtask).await?;
            match state["status"].as_str() {
                Some("COMPLETED") => return Ok(state),
                Some("FAILED") => return Err(state["errors"].to_string().into()),
                _ => tokio::time::sleep(POLL).await,
            }
        }
        Err("the subtask did not end".into())
    }
}

pub(crate) fn sha256(content: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(content))
}

/// `InitiateAuth` with a password; returns status and body.
pub(crate) async fn password_auth(
    http: &reqwest::Client,
    base: &str,
    user: &str,
    secret: &str,
) -> Result<(u16, Value), Failure> {
    let client_id = client_id(http, base).await?;
    initiate_auth(
        http,
        base,
        &json!({ "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": client_id,
        "AuthParameters": { "USERNAME": user, "PASSWORD": secret } }),
    )
    .await
}

pub(crate) async fn client_id(http: &reqwest::Client, base: &str) -> Result<String, Failure> {
    let organisation: Value =
        http.get(format!("{base}admin/org/{DOMAIN}")).send().await?.error_for_status()?.json().await?;
    text(&organisation["ClientAppId"])
}

pub(crate) async fn initiate_auth(
    http: &reqwest::Client,
    base: &str,
    body: &Value,
) -> Result<(u16, Value), Failure> {
    let answer = http
        .post(base)
        .header("Content-Type", "application/x-amz-json-1.1")
        .header("X-Amz-Target", "AWSCognitoIdentityProviderService.InitiateAuth")
        .body(body.to_string())
        .send()
        .await?;
    let status = answer.status().as_u16();
    Ok((status, serde_json::from_str(&answer.text().await?)?))
}
