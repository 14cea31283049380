//! A client that asks as the command line does.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::served::{PASSWORD, USER};
use crate::{DOMAIN, Failure};

const POLL: Duration = Duration::from_millis(20);

/// A signed-in client.
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

fn text(value: &Value) -> Result<String, Failure> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("not a text: {value}").into())
}

impl Client {
    /// Signs in as the administrator.
    pub(crate) async fn sign_in(base: &str) -> Result<Self, Failure> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build()?;
        let organisation: Value = http.get(format!("{base}admin/org/{DOMAIN}")).send().await?.json().await?;
        let body = json!({ "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": organisation["ClientAppId"],
            "AuthParameters": { "USERNAME": USER, "PASSWORD": PASSWORD } });
        let answer = http
            .post(base)
            .header("Content-Type", "application/x-amz-json-1.1")
            .header("X-Amz-Target", "AWSCognitoIdentityProviderService.InitiateAuth")
            .body(body.to_string())
            .send()
            .await?;
        let answer: Value = serde_json::from_str(&answer.error_for_status()?.text().await?)?;
        let token = text(&answer["AuthenticationResult"]["IdToken"])?;
        Ok(Self { http, base: base.to_owned(), token })
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .header("Authorization", format!("token {}", self.token))
            .header("Raito-Domain", DOMAIN)
    }

    /// Sends a document and gives its data. An error of any kind fails.
    pub(crate) async fn graphql(&self, document: &str, variables: &Value) -> Result<Value, Failure> {
        let body = json!({ "query": document, "variables": variables });
        let answer = self
            .request(reqwest::Method::POST, "query")
            .header("Content-Type", "application/json")
            .body(body.to_string())
            .send()
            .await?
            .error_for_status()?;
        let answer: Value = serde_json::from_str(&answer.text().await?)?;
        if answer["errors"].as_array().is_some_and(|errors| !errors.is_empty()) {
            return Err(format!("{document}: {}", answer["errors"]).into());
        }
        Ok(answer["data"].clone())
    }

    /// Makes a data source. Gives its id and that of its identity store.
    pub(crate) async fn data_source(&self, name: &str) -> Result<(String, String), Failure> {
        let made = self
            .graphql(
                "mutation ($input:DataSourceInput!){createDataSource(input: $input){... on DataSource{id,identityStores{id}}}}",
                &json!({ "input": { "name": name } }),
            )
            .await?;
        let made = &made["createDataSource"];
        Ok((text(&made["id"])?, text(&made["identityStores"][0]["id"])?))
    }

    /// Uploads a file; gives its key.
    pub(crate) async fn upload(&self, file: &Path) -> Result<String, Failure> {
        let mut hash = Sha256::new();
        let length = std::io::copy(&mut std::fs::File::open(file)?, &mut hash)?;
        let signed = self
            .request(reqwest::Method::GET, "file/upload/signed-url")
            .query(&[("contentLength", length.to_string()), ("sha256", STANDARD.encode(hash.finalize()))])
            .send()
            .await?
            .error_for_status()?;
        let signed: Value = serde_json::from_str(&signed.text().await?)?;
        let body = reqwest::Body::from(tokio::fs::File::open(file).await?);
        let put = self.http.put(text(&signed["URL"])?).header("Content-Length", length).body(body);
        put.send().await?.error_for_status()?;
        text(&signed["Key"])
    }

    /// Asks for an import and waits for its end.
    pub(crate) async fn import(
        &self,
        field: &str,
        job_type: &str,
        keys: &[String],
        mut settings: Value,
    ) -> Result<(), Failure> {
        match job_type {
            "IS" => {
                settings["usersFileKey"] = json!(keys[0]);
                settings["groupsFileKey"] = json!(keys[1]);
            }
            "DU" => settings["fileKeys"] = json!(keys),
            _ => settings["fileKey"] = json!(keys[0]),
        }
        let input = json!({ "dataSourceId": settings["dataSource"], "identityStoreId": settings["identityStore"],
            "eventTime": "2026-01-02T03:04:05Z" });
        let job = self
            .graphql(
                "mutation ($input:JobInput!){createJob(input: $input){jobId}}",
                &json!({ "input": input }),
            )
            .await?;
        let job = text(&job["createJob"]["jobId"])?;
        let request = match job_type {
            "DS" => "DataSourceImportRequest",
            "IS" => "IdentityStoreImportRequest",
            _ => "DataUsageImportRequest",
        };
        let document =
            format!("mutation ($input:{request}!){{{field}(input: $input){{subtask{{subtaskId}}}}}}");
        let input = json!({ "input": { "jobId": job, "importSettings": settings } });
        let subtask = self.graphql(&document, &input).await?;
        let subtask = text(&subtask[field]["subtask"]["subtaskId"])?;
        let document = format!(
            "{{jobSubtask(jobId: \"{job}\", jobType: \"{job_type}\", subtaskId: \"{subtask}\"){{status errors}}}}"
        );
        loop {
            let state = self.graphql(&document, &Value::Null).await?["jobSubtask"].clone();
            match state["status"].as_str() {
                Some("COMPLETED") => return Ok(()),
                Some("FAILED" | "TIMED_OUT") => return Err(format!("{field}: {}", state["errors"]).into()),
                _ => tokio::time::sleep(POLL).await,
            }
        }
    }
}
