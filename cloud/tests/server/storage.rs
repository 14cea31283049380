//! Files in an object store: a real server that speaks its protocol.

use std::sync::OnceLock;

use raito_cloud::{NewUser, Operations, Role, Server, ServerConfig, StorageAddress};
use raito_test_servers::ObjectStore;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::Failure;
use crate::client::{Client, DOMAIN, sha256, text};

const BUCKET: &str = "raito-files";
const USER: &str = "storage@acme.example";
const PASSWORD: &str = "Correct-horse-1";

/// The store that all tests of this process share.
fn object_store() -> &'static ObjectStore {
    static STORE: OnceLock<ObjectStore> = OnceLock::new();
    STORE.get_or_init(|| {
        let store = ObjectStore::start();
        store.create_bucket(BUCKET);
        store
    })
}

fn address(bucket: &str, prefix: &str) -> StorageAddress {
    let settings = [
        ("AWS_ENDPOINT_URL", object_store().endpoint()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test-secret".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
    ];
    StorageAddress::S3 {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        settings: settings.map(|(name, value)| (name.to_owned(), value)).into(),
    }
}

/// A server with its files in the store.
async fn start(folder: &TempDir, prefix: &str, proxy: bool) -> Result<(Server, Client), Failure> {
    let operations =
        Operations { storage: Some(address(BUCKET, prefix)), storage_proxy: proxy, ..Operations::default() };
    let server = Server::start(ServerConfig {
        data_dir: folder.path().to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        domain: Some(DOMAIN.to_owned()),
        admin_email: "admin@acme.example".to_owned(),
        admin_password: None,
        may_generate_password: true,
        operations,
        ..ServerConfig::default()
    })
    .await?;
    server.ensure_data_source("warehouse", Some("test")).await?;
    server
        .put_user(NewUser {
            email: USER.to_owned(),
            password: PASSWORD.to_owned(),
            roles: vec![Role::Integrator],
            machine: true,
        })
        .await?;
    let credentials = raito_cloud::Credentials {
        domain: DOMAIN.to_owned(),
        user: USER.to_owned(),
        secret: PASSWORD.to_owned(),
    };
    let client = Client::sign_in(server.url(), &credentials).await?;
    Ok((server, client))
}

async fn announce(client: &Client, content: &[u8]) -> Result<Value, Failure> {
    let query = [("contentLength", content.len().to_string()), ("sha256", sha256(content))];
    let request = client.request(reqwest::Method::GET, "file/upload/signed-url").query(&query);
    Ok(request.send().await?.error_for_status()?.json().await?)
}

/// Sends a file where the answer says, as the command line does.
async fn send(client: &Client, answer: &Value, content: &[u8]) -> Result<u16, Failure> {
    let mut request = client.http.put(text(&answer["URL"])?).body(content.to_vec());
    for (name, values) in answer["signedHeaders"].as_object().ok_or("no headers")? {
        // The command line's HTTP library derives these itself, and refuses to take them from elsewhere.
        assert!(!["host", "content-length"].contains(&name.to_lowercase().as_str()));
        for value in values.as_array().ok_or("not a list")? {
            request = request.header(name, text(value)?);
        }
    }
    Ok(request.send().await?.status().as_u16())
}

async fn import(client: &Client, key: &str) -> Result<Value, Failure> {
    let settings =
        format!("dataSource: \"warehouse\", deleteUntouched: true, fileKey: \"{key}\", tagSourcesScope: []");
    client.import("importDataSourceRequest", "ImportDataSourceRequest", "DS", &settings).await
}

fn objects(count: usize) -> Vec<u8> {
    let objects: Vec<Value> = (0..count)
        .map(|n| json!({ "externalId": format!("o{n}"), "fullName": format!("o{n}"), "type": "table" }))
        .collect();
    Value::Array(objects).to_string().into_bytes()
}

/// The keys below a prefix.
fn keys(prefix: &str) -> Vec<String> {
    let mut keys = object_store().keys(BUCKET);
    keys.retain(|key| key.starts_with(prefix));
    keys
}

/// Waits until an imported file is removed, which comes after the end of its import.
async fn wait_until_removed(prefix: &str) -> Result<(), Failure> {
    for _ in 0..500 {
        if keys(prefix).is_empty() {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    Err("an imported file is not removed".into())
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_and_downloads_go_straight_to_the_store() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let (server, client) = start(&folder, "direct", false).await?;
    let content = objects(20_000);
    let answer = announce(&client, &content).await?;
    let url = text(&answer["URL"])?;
    assert!(url.starts_with(&object_store().endpoint()), "{url}");
    assert!(url.contains("X-Amz-SignedHeaders=host%3Bx-amz-checksum-sha256"), "{url}");
    assert_eq!(answer["signedHeaders"], json!({ "x-amz-checksum-sha256": [sha256(&content)] }));
    assert_eq!(send(&client, &answer, &content).await?, 200);
    let key = text(&answer["Key"])?;
    assert_eq!(keys("direct/"), [format!("direct/{key}")]);
    let state = import(&client, &key).await?;
    assert_eq!(state["result"]["dataObjectsAdded"], 20_000, "{state}");
    wait_until_removed("direct/").await?;
    assert!(!folder.path().join("files").exists(), "nothing depends on the folder");

    // An export is read by way of this server, which sends the reader on to the store.
    let job = client.create_job().await?;
    let answer = client
        .query(
            "query ($filter:AccessProviderExportRequestFilter!$input:AccessProviderExportRequest!)\
             {exportAccessProvidersRequest(input: $input, filter: $filter){subtask{subtaskId,status}}}",
            &json!({ "input": { "jobId": job, "exportSettings": { "dataSource": "warehouse" } }, "filter": {} }),
        )
        .await?;
    let subtask = text(&answer["exportAccessProvidersRequest"]["subtask"]["subtaskId"])?;
    let result = client.wait(&job, "DA", &subtask).await?;
    let location = text(&result["result"]["fileLocation"])?;
    assert!(location.starts_with(server.url()), "{location}");
    let answer = client.http.get(&location).send().await?.error_for_status()?;
    assert!(answer.url().as_str().starts_with(&object_store().endpoint()), "{}", answer.url());
    let file: Value = serde_json::from_str(&answer.text().await?)?;
    assert_eq!(file["accessProviders"], json!([]));
    server.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_file_is_never_imported() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let (server, client) = start(&folder, "wrong", false).await?;
    let content = objects(10);
    let first = announce(&client, &content).await?;
    assert_eq!(send(&client, &first, &content).await?, 200);
    import(&client, &text(&first["Key"])?).await?;

    // Nothing was sent: there is no such file.
    let missing = announce(&client, &content).await?;
    let failed = import(&client, &text(&missing["Key"])?).await.err().ok_or("imported")?;
    assert!(failed.to_string().contains("there is no uploaded file"), "{failed}");

    // Somebody with rights of their own put something else under the key, of the same length and of another one.
    let other = String::from_utf8(content.clone())?.replace("o9", "x9");
    for (content, wrong) in [(other, "SHA-256"), ("[]".to_owned(), "2 bytes")] {
        let answer = announce(&client, &objects(10)).await?;
        let key = text(&answer["Key"])?;
        object_store().put(BUCKET, &format!("wrong/{key}"), &content);
        let failed = import(&client, &key).await.err().ok_or("imported")?;
        assert!(failed.to_string().contains(wrong), "{failed}");
    }
    let found = raito_cloud::status(folder.path(), &raito_cloud::Database::Folder).await?;
    assert_eq!(found.data_sources.first().and_then(|source| source.data_objects.get("table")), Some(&10));
    server.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_through_the_server_where_they_have_to() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let (server, client) = start(&folder, "proxied", true).await?;
    // Larger than what is held in memory, so that it goes in parts.
    let content = objects(40_000);
    assert!(content.len() > 2 * 1024 * 1024);
    let answer = announce(&client, &content).await?;
    assert!(text(&answer["URL"])?.starts_with(server.url()));
    assert_eq!(answer["signedHeaders"], json!({}));
    let mut wrong = content.clone();
    if let Some(last) = wrong.last_mut() {
        *last = b'}';
    }
    assert_eq!(send(&client, &answer, &wrong).await?, 400);
    assert!(keys("proxied/").is_empty(), "a refused file is not there");
    let answer = announce(&client, &content).await?;
    assert_eq!(send(&client, &answer, &content).await?, 200);
    let state = import(&client, &text(&answer["Key"])?).await?;
    assert_eq!(state["result"]["dataObjectsAdded"], 40_000, "{state}");

    // A file without content comes in chunks and without a length, which stores refuse: it is ours to take.
    let (direct, client) = {
        server.shutdown().await;
        start(&folder, "proxied", false).await?
    };
    let empty = announce(&client, b"").await?;
    assert!(text(&empty["URL"])?.starts_with(direct.url()));
    let chunked = reqwest::Body::wrap_stream(futures::stream::empty::<Result<Vec<u8>, std::io::Error>>());
    let sent = client.http.put(text(&empty["URL"])?).body(chunked).send().await?;
    assert_eq!(sent.status(), 200);
    assert_eq!(keys("proxied/"), [format!("proxied/{}", text(&empty["Key"])?)]);
    direct.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_not_there_is_said_at_the_start() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let operations = Operations { storage: Some(address("no-such-bucket", "")), ..Operations::default() };
    let refused = Server::start(ServerConfig {
        data_dir: folder.path().to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        domain: None,
        admin_email: "admin@acme.example".to_owned(),
        admin_password: None,
        may_generate_password: true,
        operations,
        ..ServerConfig::default()
    })
    .await
    .err()
    .ok_or("it started")?;
    assert!(refused.to_string().contains("s3://no-such-bucket"), "{refused}");
    assert!(refused.hint().is_some_and(|hint| hint.contains("AWS_ENDPOINT_URL")));
    Ok(())
}
