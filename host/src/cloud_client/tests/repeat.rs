//! What is sent again, what is not, and how long anybody is waited for.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use url::Url;

use super::super::{ClientOptions, CloudClient, CloudError, Timing, UploadFile};
use super::recording_server::RecordingServer;
use super::{account, job, tokens};
use crate::cloud_client::{JobType, Status};

#[tokio::test]
async fn a_refused_token_is_replaced_once_for_all_who_use_it() {
    let server = RecordingServer::start().await;
    server.data(&json!({ "updateJob": null }));
    let client = server.client();
    client.update_job(&job(), Status::InProgress, &[]).await.unwrap();
    // All four carry the first token, and all are refused before anybody signs in anew.
    server.forget("/api/query");
    for _ in 0..4 {
        server.answer("/api/query", 401, &json!({}));
    }
    server.data(&json!({ "updateJob": null }));
    server.forget("/cognito/");
    server.answer("/cognito/", 200, &tokens("id-2", Some("refresh-2"), 3600));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let client = client.clone();
        calls.spawn(async move { client.update_job(&job(), Status::InProgress, &[]).await });
    }
    for outcome in calls.join_all().await {
        // One that was refused with the new token too is not tried a third time.
        assert!(
            outcome.is_ok() || matches!(outcome, Err(CloudError::Status { status: 401, .. })),
            "{outcome:?}"
        );
    }
    let sign_ins = server.requests_to("/cognito/");
    assert!(sign_ins.iter().all(|request| request.json()["AuthFlow"] == "USER_PASSWORD_AUTH"));
    assert!((2..=5).contains(&sign_ins.len()), "{}", sign_ins.len());

    server.forget("/api/query");
    server.answer("/api/query", 401, &json!({}));
    let before = server.requests_to("/api/query").len();
    let error = client.create_job(None, None).await.unwrap_err();
    assert!(matches!(error, CloudError::Status { status: 401, .. }), "{error}");
    assert_eq!(server.requests_to("/api/query").len(), before + 2, "tried once more, and no further");
}

#[tokio::test]
async fn only_what_may_be_done_twice_is_sent_again_after_a_fault() {
    let server = RecordingServer::start().await;
    let client = server.client();
    server.answer("/api/query", 502, &json!({}));
    assert!(client.create_job(None, None).await.is_err());
    assert!(client.import_data_usage("j", "ds", &[]).await.is_err());
    assert!(client.session_graphql("{x}".into(), "").await.is_err());
    assert_eq!(server.requests_to("/api/query").len(), 3);
    assert!(client.update_job(&job(), Status::Failed, &[]).await.is_err());
    assert_eq!(server.requests_to("/api/query").len(), 6, "three attempts");
    server.forget("/api/query");
    server.answer("/api/query", 503, &json!({}));
    server.answer("/api/query", 500, &json!({}));
    server.data(&json!({ "currentUser": { "email": "a@b" } }));
    assert_eq!(client.current_user().await.unwrap().as_deref(), Some("a@b"));
    server.forget("/api/query");
    server.answer("/api/query", 400, &json!({}));
    let before = server.requests_to("/api/query").len();
    assert!(client.current_user().await.is_err());
    assert_eq!(server.requests_to("/api/query").len(), before + 1, "a wrong request stays wrong");
}

#[tokio::test]
async fn patience_is_what_the_server_asks_for_within_limits() {
    let server = RecordingServer::start().await;
    let busy = |after: &str| {
        server.answer_with("/api/query", 429, vec![("retry-after", after.to_owned())], String::new());
    };
    busy("0");
    busy("Wed, 21 Oct 2015 07:28:00 GMT");
    server.data(&json!({ "createJob": { "jobId": "j1" } }));
    assert_eq!(
        server.client().create_job(None, None).await.unwrap(),
        "j1",
        "nothing was executed, so a job too"
    );
    server.forget("/api/query");
    busy("121");
    let before = server.requests_to("/api/query").len();
    let error = server.client().create_job(None, None).await.unwrap_err();
    assert!(matches!(error, CloudError::Status { status: 429, .. }) && error.hint().is_some(), "{error}");
    assert_eq!(server.requests_to("/api/query").len(), before + 1);
    server.forget("/api/query");
    busy("0");
    assert!(server.client().create_job(None, None).await.is_err(), "not for ever either");
}

/// An address that takes connections and says nothing; and whoever holds them.
async fn silent() -> (Url, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let holder = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            // A little is taken, so that an upload begins.
            let mut some = [0; 1024];
            let _ = stream.read(&mut some).await;
            held.push(stream);
        }
    });
    (url, holder)
}

#[tokio::test]
async fn a_server_that_says_nothing_has_failed_after_a_while() {
    let (url, holder) = silent().await;
    let server = RecordingServer::start().await;
    let timing = Timing { idle: Duration::from_millis(50), ..server.options().timing };
    let options = ClientOptions { timing, ..ClientOptions::new(Some(url.clone()), None).unwrap() };
    let client = CloudClient::new(options, account("u")).unwrap();
    let error = client.create_job(None, None).await.unwrap_err();
    assert!(matches!(&error, CloudError::Unreachable { what: "the organisation look-up", .. }), "{error}");

    let options = ClientOptions { timing, ..server.options() };
    let client = CloudClient::new(options, account("u")).unwrap();
    let signed = json!({ "URL": url.as_str(), "Key": "k" });
    server.answer("/api/file/upload/logs/signed-url", 200, &signed);
    let file = tempfile::NamedTempFile::new().unwrap();
    let length = 64 << 20;
    file.as_file().set_len(length).unwrap();
    let upload = UploadFile { path: file.path().to_owned(), length, sha256: "x".into() };
    let error = client.upload_log(JobType::Tag, &upload).await.unwrap_err();
    assert!(error.to_string().contains("nothing was taken for 50ms"), "{error}");
    let line = &server.requests_to("/api/file/upload/logs/signed-url")[0].line;
    assert!(line.ends_with("?contentLength=67108864&sha256=x&task=TAG"), "{line}");
    holder.abort();
}

#[tokio::test]
async fn tags_logs_and_look_ups_are_spelled_as_the_api_knows_them() {
    use crate::cloud_client::TagImport;
    let server = RecordingServer::start().await;
    server.data(&json!({ "importTagsRequest": { "subtask": { "subtaskId": "s", "status": "QUEUED" } } }));
    server.data(&json!({ "addLogFileToTask": { "jobId": "j1", "jobType": "DS" } }));
    server.data(&json!({ "dataSource": {} }));
    server.data(&json!({ "createIdentityStore": {} }));
    let stores = json!([{ "id": "a", "native": false }, { "id": "b", "native": true }]);
    server.data(&json!({ "dataSources": { "edges": [{ "node": { "id": "ds", "name": null, "identityStores": stores } }, { "node": {} }] } }));
    let client = server.client();
    let import = TagImport { data_source: "ds", identity_store: "", file_key: "k", tag_sources: &[] };
    client.import_tags("j1", &import).await.unwrap();
    client.add_log_file_to_task(&job(), JobType::DataSource, "k2").await.unwrap();
    assert_eq!(client.data_source("x").await.unwrap(), None);
    let error = client.create_identity_store("n").await.unwrap_err();
    assert!(error.to_string().contains("may not do that"), "{error}");
    let sources = client.data_sources().await.unwrap();
    assert_eq!((sources.len(), sources[0].native_store()), (1, Some("b")));
    let bodies: Vec<_> = server.requests_to("/api/query").iter().map(super::Recorded::json).collect();
    assert_eq!(
        bodies[0],
        json!({
            "query": "mutation ($input:TagImportRequest!){importTagsRequest(input: $input){subtask{status,subtaskId}}}",
            "variables": { "input": { "jobId": "j1", "importSettings": {
                "dataSource": "ds", "identitySource": "", "fileKey": "k", "tagSourcesScope": null } } },
        })
    );
    assert_eq!(
        bodies[1],
        json!({
            "query": "mutation ($input:LogFileToTaskInput!){addLogFileToTask(input: $input){jobId,jobType}}",
            "variables": { "input": { "jobId": "j1", "jobType": "DS", "fileKey": "k2" } },
        })
    );
    assert_eq!(
        bodies[3]["query"],
        "mutation ($input:IdentityStoreInput!){createIdentityStore(input: $input){... on IdentityStore{name,id}}}"
    );
    assert_eq!(
        bodies[4]["query"],
        "{dataSources{... on PagedResult{edges{node{... on DataSource{name,id,identityStores{id,native}}}}}}}"
    );
}
