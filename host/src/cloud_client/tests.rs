//! The client against a stand-in that records every request and gives prepared answers.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod recording_server;
mod repeat;
mod transfer;

use serde_json::{Value, json};

use self::recording_server::{Recorded, RecordingServer};
use super::*;

fn account(user: &str) -> Account {
    Account { domain: "Acme".into(), credentials: Some((user.into(), Secret::new("hunter2"))) }
}

fn tokens(id: &str, refresh: Option<&str>, expires: u64) -> Value {
    json!({ "AuthenticationResult": { "IdToken": id, "RefreshToken": refresh, "ExpiresIn": expires, "AccessToken": "no" } })
}

fn job() -> JobRef {
    JobRef { job_id: "j1".into(), data_source_id: Some("ds".into()), identity_store_id: Some(String::new()) }
}

fn queued() -> Value {
    json!({ "subtaskId": "ImportSync", "status": "QUEUED" })
}

#[tokio::test]
async fn sign_in_and_headers_against_a_recording_server() {
    let server = RecordingServer::start().await;
    server.data(&json!({ "createJob": { "jobId": "j1" } }));
    let client = server.client();
    assert_eq!(client.create_job(Some("ds"), Some("")).await.unwrap(), "j1");
    client.create_job(None, Some("is")).await.unwrap();

    let requests = server.requests();
    let lines: Vec<_> = requests.iter().map(|request| request.line.as_str()).collect();
    assert_eq!(
        lines,
        ["GET /api/admin/org/acme", "POST /cognito/", "POST /api/query", "POST /api/query"],
        "one look-up and one sign-in serve both calls"
    );
    assert_eq!(requests[0].header("authorization"), None);
    let sign_in = &requests[1];
    assert_eq!(sign_in.header("content-type"), Some("application/x-amz-json-1.1"));
    assert_eq!(sign_in.header("x-amz-target"), Some("AWSCognitoIdentityProviderService.InitiateAuth"));
    assert_eq!(
        sign_in.json(),
        json!({
            "AuthFlow": "USER_PASSWORD_AUTH",
            "ClientId": "client-1",
            "AuthParameters": { "USERNAME": "sync@acme", "PASSWORD": "hunter2" },
        })
    );
    let call = &requests[2];
    assert_eq!(call.header("authorization"), Some("token id-1"));
    assert_eq!(call.header("raito-domain"), Some("Acme"), "spelled as configured");
    assert_eq!(call.header("user-agent"), Some(user_agent().as_str()));
    assert_eq!(call.header("content-type"), Some("application/json"));
    assert!(call.header("accept-encoding").unwrap().contains("gzip"));
    let body = call.json();
    assert_eq!(body["query"], "mutation ($input:JobInput!){createJob(input: $input){jobId}}");
    assert_eq!(body.get("operationName"), None);
    assert_eq!(body["variables"]["input"]["dataSourceId"], "ds");
    assert_eq!(body["variables"]["input"]["identityStoreId"], Value::Null, "empty ids are null");
    assert!(body["variables"]["input"]["eventTime"].as_str().unwrap().contains('T'));
}

#[tokio::test]
async fn tokens_are_refreshed_then_renewed_against_a_recording_server() {
    let server = RecordingServer::start().await;
    server.data(&json!({ "updateJob": { "jobId": "j1" } }));
    server.forget("/cognito/");
    // Below the margin: each token has ended when it arrives.
    server.answer("/cognito/", 200, &tokens("id-1", Some("refresh-1"), 9));
    server.answer("/cognito/", 200, &tokens("id-2", None, 9));
    server.answer("/cognito/", 400, &json!({ "__type": "NotAuthorizedException", "message": "expired" }));
    server.answer("/cognito/", 200, &tokens("id-3", Some("refresh-3"), 3600));
    let client = server.client();
    for _ in 0..4 {
        client.update_job(&job(), Status::InProgress, &[]).await.unwrap();
    }
    let flows: Vec<_> = server
        .requests_to("/cognito/")
        .iter()
        .map(|request| {
            let body = request.json();
            (body["AuthFlow"].as_str().unwrap().to_owned(), body["AuthParameters"]["REFRESH_TOKEN"].clone())
        })
        .collect();
    let (password, refresh) = ("USER_PASSWORD_AUTH".to_owned(), "REFRESH_TOKEN_AUTH".to_owned());
    assert_eq!(
        flows,
        [
            (password.clone(), Value::Null),
            (refresh.clone(), "refresh-1".into()),
            (refresh, "refresh-1".into()),
            (password, Value::Null),
        ],
        "the old refresh token is kept; a refused one leads to the password"
    );
    let used: Vec<_> = server
        .requests_to("/api/query")
        .iter()
        .map(|request| request.header("authorization").unwrap().to_owned())
        .collect();
    assert_eq!(used, ["token id-1", "token id-2", "token id-3", "token id-3"]);
}

#[tokio::test]
async fn accounts_have_their_own_tokens_against_a_recording_server() {
    let server = RecordingServer::start().await;
    server.data(&json!({ "createJob": { "jobId": "j1" } }));
    let client = server.client();
    client.create_job(None, None).await.unwrap();
    let other = client.for_account(account("other@acme"));
    other.create_job(None, None).await.unwrap();
    client.create_job(None, None).await.unwrap();
    let users: Vec<_> = server
        .requests_to("/cognito/")
        .iter()
        .map(|request| request.json()["AuthParameters"]["USERNAME"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(users, ["sync@acme", "other@acme"]);
    assert_eq!(server.requests_to("/api/admin/org/acme").len(), 1, "the look-up is shared");
}

#[tokio::test]
async fn sign_in_retries_and_refusals_against_a_recording_server() {
    let server = RecordingServer::start().await;
    server.data(&json!({ "createJob": { "jobId": "j1" } }));
    server.forget("/cognito/");
    server.answer("/cognito/", 500, &json!({}));
    server.answer("/cognito/", 400, &json!({ "__type": "x#TooManyRequestsException", "message": "slow" }));
    server.answer("/cognito/", 200, &tokens("id-1", Some("r"), 3600));
    server.client().create_job(None, None).await.unwrap();
    assert_eq!(server.requests_to("/cognito/").len(), 3);

    for (answer, kind, count) in [
        (
            json!({ "__type": "NotAuthorizedException", "message": "Incorrect username or password." }),
            "NotAuthorizedException",
            4,
        ),
        (json!({ "__type": "TooManyRequestsException" }), "TooManyRequestsException", 7),
    ] {
        server.forget("/cognito/");
        server.answer("/cognito/", 400, &answer);
        let error = server.client().create_job(None, None).await.unwrap_err();
        assert!(matches!(&error, CloudError::SignIn { kind: found, .. } if found == kind), "{error}");
        assert!(error.hint().is_some() && !error.to_string().contains("hunter2"), "{error}");
        assert_eq!(server.requests_to("/cognito/").len(), count, "{kind}");
    }
    server.forget("/cognito/");
    server.answer("/cognito/", 200, &json!({ "ChallengeName": "NEW_PASSWORD_REQUIRED" }));
    let error = server.client().create_job(None, None).await.unwrap_err();
    assert!(error.to_string().contains("NEW_PASSWORD_REQUIRED"), "{error}");
}

#[tokio::test]
async fn nothing_is_signed_in_when_authentication_is_skipped_against_a_recording_server() {
    let server = RecordingServer::start().await;
    server.data(&json!({ "createJob": { "jobId": "j1" } }));
    let options = ClientOptions { skip_authentication: true, ..server.options() };
    let account = Account { domain: "acme".into(), credentials: None };
    CloudClient::new(options, account).unwrap().create_job(None, None).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].header("authorization"), None);
    assert_eq!(requests[0].header("raito-domain"), Some("acme"));
}

#[tokio::test]
async fn job_events_against_a_recording_server() {
    let server = RecordingServer::start().await;
    let client = server.client();
    server.data(&json!({ "updateJob": null }));
    client.update_job(&job(), Status::Failed, &["a \"b\" <c>".into()]).await.unwrap();
    client
        .add_task_event(
            &job(),
            &TaskEvent {
                job_type: JobType::IdentityStore,
                status: Status::Completed,
                errors: &[],
                warnings: &["w".into()],
                result: &[TaskResult {
                    object_type: "users".into(),
                    added: 1,
                    updated: 2,
                    removed: 3,
                    failed: 4,
                }],
            },
        )
        .await
        .unwrap();
    let event = SubtaskEvent {
        job_type: JobType::DataAccess,
        subtask_id: "AccessSync",
        status: Status::InProgress,
        received_date: Some(1_700_000_000_000),
    };
    client.add_subtask_event(&job(), &event).await.unwrap();
    server.forget("/api/query");
    server.data(&json!({ "endOfTargetsSync": { "success": true } }));
    assert!(client.end_of_targets_sync(&["j1".into()]).await.unwrap());
    server.forget("/api/query");
    server.data(&json!({ "endOfTargetsSync": { "message": "not allowed" } }));
    let error = client.end_of_targets_sync(&["j1".into()]).await.unwrap_err();
    assert!(error.to_string().contains("not allowed"));

    let bodies: Vec<_> = server.requests_to("/api/query").iter().map(Recorded::json).collect();
    let variables = |index: usize| {
        let mut variables = bodies[index]["variables"].clone();
        if let Some(input) = variables["input"].as_object_mut() {
            input.remove("eventTime");
        }
        variables
    };
    assert_eq!(
        bodies[0]["query"],
        "mutation ($id:String!$input:JobInput!){updateJob(id: $id, input: $input){jobId}}"
    );
    assert_eq!(
        variables(0),
        json!({ "id": "j1", "input": { "dataSourceId": "ds", "identityStoreId": null, "status": "FAILED", "errors": ["a \"b\" <c>"] } })
    );
    assert_eq!(bodies[1]["query"], "mutation ($input:TaskEventInput!){addTaskEvent(input: $input){jobId}}");
    assert_eq!(
        variables(1)["input"],
        json!({
            "jobId": "j1", "jobType": "IS", "dataSourceId": "ds", "identityStoreId": null, "status": "COMPLETED",
            "errors": null, "warnings": ["w"],
            "result": [{ "objectType": "users", "added": 1, "updated": 2, "removed": 3, "failed": 4 }],
        })
    );
    assert_eq!(bodies[2]["query"], "mutation ($input:SubtaskInput!){addSubtaskEvent(input: $input){jobId}}");
    assert_eq!(
        variables(2)["input"],
        json!({
            "jobId": "j1", "jobType": "DA", "subtaskId": "AccessSync", "dataSourceId": "ds",
            "identityStoreId": null, "status": "IN_PROGRESS", "receivedDate": 1_700_000_000_000_i64,
        })
    );
    assert_eq!(
        bodies[3]["query"],
        "mutation ($input:EndOfTargetsSyncInput!){endOfTargetsSync(input: $input)\
         {... on EndOfTargetsSync{success},... on PermissionDeniedError{message}}}"
    );
    assert_eq!(variables(3), json!({ "input": { "jobIds": ["j1"] } }));
}

#[tokio::test]
async fn imports_against_a_recording_server() {
    let server = RecordingServer::start().await;
    for field in [
        "importDataSourceRequest",
        "importIdentityRequest",
        "importAccessProvidersRequest",
        "importAccessProvidersSyncFeedback",
        "importDataUsageRequest",
        "exportAccessProvidersRequest",
        "exportAccessProvidersRequest",
    ] {
        server.data(&json!({ field: { "subtask": queued() } }));
    }
    let client = server.client();
    let subtask =
        client.import_data_source("j1", "d\"s", true, "k\\", &["t1".into(), "t2".into()]).await.unwrap();
    assert_eq!(subtask, Subtask { subtask_id: "ImportSync".into(), status: Status::Queued });
    let identity = IdentityImport {
        identity_store: "is",
        delete_untouched: false,
        replace_groups: true,
        users_file_key: "u",
        groups_file_key: "g",
        tag_sources: &[],
    };
    client.import_identity("j1", &identity).await.unwrap();
    client.import_access_providers("j1", "ds", true, "k").await.unwrap();
    client.import_access_providers_sync_feedback("j1", "ds", "k").await.unwrap();
    client.import_data_usage("j1", "ds", &["a".into(), "b".into()]).await.unwrap();
    client.export_access_providers("j1", "ds", AccessFilter::All).await.unwrap();
    client.export_access_providers("j1", "ds", AccessFilter::OutOfSync).await.unwrap();

    let bodies: Vec<_> = server.requests_to("/api/query").iter().map(Recorded::json).collect();
    for (index, name, document) in [
        (
            0,
            "ImportDataSourceRequest",
            r#"mutation ImportDataSourceRequest { importDataSourceRequest(input: { jobId: "j1", importSettings: { dataSource: "d\"s", deleteUntouched: true, fileKey: "k\\", tagSourcesScope: ["t1", "t2"] } }) { subtask { subtaskId status } } }"#,
        ),
        (
            1,
            "ImportIdentityRequest",
            r#"mutation ImportIdentityRequest { importIdentityRequest(input: { jobId: "j1", importSettings: { identityStore: "is", deleteUntouched: false, replaceGroups: true, usersFileKey: "u", groupsFileKey: "g", tagSourcesScope: [] } }) { subtask { subtaskId status } } }"#,
        ),
        (
            2,
            "ImportAccessProvidersRequest",
            r#"mutation ImportAccessProvidersRequest { importAccessProvidersRequest(input: { jobId: "j1", importSettings: { dataSource: "ds", deleteUntouched: true, fileKey: "k" } }) { subtask { subtaskId status } } }"#,
        ),
        (
            3,
            "ImportAccessProvidersSyncFeedback",
            r#"mutation ImportAccessProvidersSyncFeedback { importAccessProvidersSyncFeedback(input: { jobId: "j1", importSettings: { dataSource: "ds", fileKey: "k" } }) { subtask { subtaskId status } } }"#,
        ),
    ] {
        assert_eq!(bodies[index], json!({ "operationName": name, "variables": {}, "query": document }));
    }
    assert_eq!(
        bodies[4],
        json!({
            "query": "mutation ($request:DataUsageImportRequest!){importDataUsageRequest(input: $request){subtask{subtaskId,status}}}",
            "variables": { "request": { "jobId": "j1", "importSettings": { "dataSource": "ds", "fileKeys": ["a", "b"] } } },
        })
    );
    let export = |filter: Value| {
        json!({
            "query": "query ($filter:AccessProviderExportRequestFilter!$input:AccessProviderExportRequest!)\
                      {exportAccessProvidersRequest(input: $input, filter: $filter){subtask{subtaskId,status}}}",
            "variables": { "filter": filter, "input": { "jobId": "j1", "exportSettings": { "dataSource": "ds" } } },
        })
    };
    assert_eq!(bodies[5], export(json!({})));
    assert_eq!(bodies[6], export(json!({ "status": { "outOfSync": true } })));
}

#[tokio::test]
async fn metadata_against_a_recording_server() {
    let server = RecordingServer::start().await;
    server.data(&json!({ "setDataSourceMetaData": { "id": "ds" } }));
    server.data(&json!({ "setDataSourceMetaData": { "message": "no such data source" } }));
    server.data(&json!({ "setIdentityStoreMetaData": { "id": "is" } }));
    server.data(&json!({ "setIdentityStoreMetaData": {} }));
    let client = server.client();
    let metadata = DataSourceMetadata { kind: "postgres".into(), ..DataSourceMetadata::default() };
    client.set_data_source_metadata("ds", &metadata).await.unwrap();
    let error = client.set_data_source_metadata("ds", &metadata).await.unwrap_err();
    assert!(error.to_string().contains("no such data source"));
    let identity = IdentityStoreMetadata { kind: "p\"g".into(), can_be_master: true, ..Default::default() };
    client.set_identity_store_metadata("is", &identity).await.unwrap();
    let error = client.set_identity_store_metadata("is", &identity).await.unwrap_err();
    assert!(error.to_string().contains("identity store `is`"), "{error}");

    let bodies: Vec<_> = server.requests_to("/api/query").iter().map(Recorded::json).collect();
    assert_eq!(
        bodies[0],
        json!({
            "query": "mutation ($id:ID!$input:DataSourceMetaDataInput!){setDataSourceMetaData(id: $id, input :$input)\
                      {... on DataSource{id},... on BaseError{message}}}",
            "variables": { "id": "ds", "input": { "type": "postgres", "supportsApInheritance": false } },
        })
    );
    assert_eq!(bodies[2]["operationName"], "SetMetaData");
    assert_eq!(
        bodies[2]["query"],
        r#"mutation SetMetaData { setIdentityStoreMetaData(id: "is", input: { type: "p\"g", icon: "", canBeLinked: false, canBeMaster: true }) { ... on IdentityStore { id } } }"#
    );
}

#[tokio::test]
async fn usage_look_up_against_a_recording_server() {
    let server = RecordingServer::start().await;
    server.data(&json!({ "dataSource": { "id": "ds", "usageLastUsed": "2026-01-02T03:04:05Z", "usageFirstUsed": "never" } }));
    let usage = server.client().data_source_usage("ds").await.unwrap();
    assert_eq!(usage.last_used.map(time::OffsetDateTime::unix_timestamp), Some(1_767_323_045));
    assert_eq!(usage.first_used, None);
    assert_eq!(
        server.requests_to("/api/query")[0].query(),
        r#"query {dataSource(id:"ds") { ... on DataSource {id usageLastUsed usageFirstUsed }}}"#
    );
}

#[tokio::test]
async fn graphql_errors_against_a_recording_server() {
    let server = RecordingServer::start().await;
    server.answer(
        "/api/query",
        200,
        &json!({ "data": null, "errors": [{ "message": "a" }, { "message": "b" }] }),
    );
    server.answer("/api/query", 503, &json!("down\n\nfor now"));
    server.answer_with("/api/query", 200, Vec::new(), "<html>".into());
    let client = server.client();
    let error = client.create_job(None, None).await.unwrap_err();
    assert_eq!(
        error,
        CloudError::Graphql { what: "creating the job", messages: vec!["a".into(), "b".into()] }
    );
    let error = client.create_job(None, None).await.unwrap_err();
    assert!(matches!(error, CloudError::Status { status: 503, .. }), "{error}");
    let error = client.create_job(None, None).await.unwrap_err();
    assert!(matches!(error, CloudError::BadAnswer { .. }), "{error}");
}

#[tokio::test]
async fn polling_tolerates_five_failures_against_a_recording_server() {
    let subtask = Subtask { subtask_id: "ImportSync".into(), status: Status::Queued };
    let running = json!({ "data": { "jobSubtask": { "status": "SOMETHING_NEW", "errors": null, "result": null, "lastUpdate": null } } });
    let done = json!({ "data": { "jobSubtask": {
        "status": "COMPLETED", "errors": [], "lastUpdate": "2026-01-02T03:04:05Z",
        "result": { "__typename": "DataSourceImportResult", "dataObjectsAdded": 3, "dataObjectsRemoved": null, "dataObjectsUpdated": 1 },
    } } });

    let server = RecordingServer::start().await;
    let wait = |client: CloudClient| {
        let subtask = subtask.clone();
        async move { client.wait_for_subtask("j1", JobType::DataSource, &subtask, PollInterval::Import).await }
    };
    // An unknown status is waited for; failures add up over the whole wait.
    for _ in 0..2 {
        server.answer("/api/query", 500, &json!({}));
        server.answer("/api/query", 200, &running);
    }
    for _ in 0..3 {
        server.answer("/api/query", 200, &json!({ "errors": [{ "message": "busy" }] }));
    }
    server.answer("/api/query", 200, &done);
    let result = wait(server.client()).await.unwrap();
    assert_eq!(
        result,
        Some(SubtaskResult::DataSource {
            data_objects_added: 3,
            data_objects_removed: 0,
            data_objects_updated: 1,
            warnings: Vec::new(),
        })
    );
    let document = server.requests_to("/api/query")[0].query();
    assert!(
        document.starts_with(r#"query jobSubtask{jobSubtask(jobId: "j1", jobType: "DS", subtaskId: "ImportSync"){jobId jobType subtaskId status lastUpdate errors result{__typename ... on DataSourceImportResult{"#),
        "{document}"
    );

    server.forget("/api/query");
    server.answer("/api/query", 500, &json!({}));
    let error = wait(server.client()).await.unwrap_err();
    assert!(matches!(error, CloudError::LostTrack { failures: 6, .. }), "{error}");
}

#[tokio::test]
async fn ends_of_subtasks_against_a_recording_server() {
    let state = |status: &str, errors: Value| json!({ "jobSubtask": { "status": status, "errors": errors, "result": null, "lastUpdate": null } });
    let server = RecordingServer::start().await;
    server.data(&state("FAILED", json!(["x", "y"])));
    server.data(&state("TIMED_OUT", Value::Null));
    server.data(
        &json!({ "jobSubtask": { "status": "COMPLETED", "result": { "__typename": "TagImportResult" } } }),
    );
    let client = server.client();
    let over = Subtask { subtask_id: "s".into(), status: Status::Completed };
    let wait = || client.wait_for_subtask("j1", JobType::Tag, &over, PollInterval::Export);
    assert_eq!(wait().await, Err(CloudError::JobFailed { errors: vec!["x".into(), "y".into()] }));
    assert_eq!(wait().await, Err(CloudError::TimedOut));
    assert_eq!(wait().await, Ok(Some(SubtaskResult::Other)), "an unknown result is no error");
    assert_eq!(server.requests_to("/api/query").len(), 3, "one query each, although the status is final");
}

#[tokio::test]
async fn a_self_hosted_server_is_polled_faster_against_a_recording_server() {
    let server = RecordingServer::start().await;
    let answer = json!({ "data": { "jobSubtask": { "status": "STARTED" } } }).to_string();
    server.answer_with("/api/query", 200, vec![("server", "raito-cloud/0.1.0".into())], answer);
    let timing = Timing {
        self_hosted_poll: (Duration::from_millis(20), Duration::from_millis(500)),
        import_poll: Duration::from_secs(5),
        ..server.options().timing
    };
    let client = CloudClient::new(ClientOptions { timing, ..server.options() }, account("u")).unwrap();
    let mut own = timing.self_hosted_poll.0;
    assert_eq!(client.poll_wait(PollInterval::Import, &mut own), Duration::from_secs(5));
    client.job_subtask("j1", JobType::DataSource, "s").await.unwrap();
    let waits: Vec<_> =
        (0..7).map(|_| client.poll_wait(PollInterval::Import, &mut own).as_millis()).collect();
    assert_eq!(waits, [20, 40, 80, 160, 320, 500, 500]);
}

#[tokio::test]
async fn version_support_against_a_recording_server() {
    let server = RecordingServer::start().await;
    server.data(&json!({ "SupportedCLIVersion": {
        "supportedVersions": ">=0.70.0",
        "deprecatedVersions": { "deprecatedVersions": ">=0.50 <0.70", "msg": "please upgrade" },
    } }));
    let client = server.client();
    assert_eq!(client.check_version_of("0.72.0").await, Ok(VersionSupport::Supported));
    assert_eq!(
        client.check_version_of("0.60.0").await,
        Ok(VersionSupport::Deprecated { message: "please upgrade".into(), supported: ">=0.70.0".into() })
    );
    let error = client.check_version_of("0.40.0").await.unwrap_err();
    assert!(matches!(error, CloudError::UnsupportedVersion { .. }) && error.hint().is_some());
    assert_eq!(
        server.requests_to("/api/query")[0].json(),
        json!({ "query": "{SupportedCLIVersion{supportedVersions,deprecatedVersions{deprecatedVersions,msg}}}" })
    );
    server.forget("/api/query");
    server.data(&json!({ "SupportedCLIVersion": { "supportedVersions": "", "deprecatedVersions": null } }));
    assert!(matches!(client.check_version_of("1.0.0").await, Err(CloudError::BadAnswer { .. })));
}

#[tokio::test]
async fn unreachable_servers_are_named_without_their_query() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let base = Url::parse(&format!("http://{address}/")).unwrap();
    let client =
        CloudClient::new(ClientOptions::new(Some(base.clone()), None).unwrap(), account("u")).unwrap();
    let error = client.create_job(None, None).await.unwrap_err();
    assert!(
        error.to_string().starts_with(&format!("cannot reach {address} for the organisation look-up: ")),
        "{error}"
    );
    let location = base.join("x?signature=s3cr3t").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let error = client.download(location.as_str(), &folder.path().join("x")).await.unwrap_err();
    assert!(!error.to_string().contains("s3cr3t"), "{error}");
}

#[test]
fn the_identity_provider_comes_from_the_environment() {
    let with = |pairs: &'static [(&str, &str)]| {
        cognito_endpoint(&move |name: &str| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
        .map(|url| url.map(|url| url.to_string()))
    };
    assert_eq!(with(&[]), Ok(None));
    assert_eq!(with(&[("AWS_ENDPOINT_URL", "http://a")]), Ok(Some("http://a/".into())));
    assert_eq!(
        with(&[
            ("AWS_ENDPOINT_URL", "http://a"),
            ("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", "http://b/x")
        ]),
        Ok(Some("http://b/x".into()))
    );
    assert!(with(&[("AWS_ENDPOINT_URL", "nonsense")]).is_err());
}
