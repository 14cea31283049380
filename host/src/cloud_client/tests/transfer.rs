//! Uploads and downloads.

use serde_json::json;

use super::super::{ClientOptions, CloudClient, CloudError, UploadFile};
use super::account;
use super::recording_server::RecordingServer;

fn upload_file(content: &str) -> (tempfile::TempDir, UploadFile) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.json");
    std::fs::write(&path, content).unwrap();
    let file = UploadFile { path, length: content.len() as u64, sha256: "a+b/c=".into() };
    (folder, file)
}

fn prepare_upload(server: &RecordingServer) {
    let signed = json!({
        "url": server.base.join("/store/x?signature=s3cr3t").unwrap().as_str(),
        "KEY": "key-1",
        "signedHeaders": {
            "x-amz-checksum-sha256": ["a+b/c="], "x-multi": ["1", "2"], "Host": ["elsewhere"], "Content-Length": ["99"],
        },
    });
    server.answer("/api/file/upload/signed-url", 200, &signed);
}

#[tokio::test]
async fn uploads_are_tried_three_times_from_the_beginning_against_a_recording_server() {
    let server = RecordingServer::start().await;
    prepare_upload(&server);
    server.answer("/store/x", 500, &json!({}));
    server.answer("/store/x", 403, &json!({}));
    server.answer("/store/x", 204, &json!({}));
    let (_folder, file) = upload_file("[1, 2]");
    assert_eq!(server.client().upload(&file).await.unwrap(), "key-1");

    let signed = server.requests_to("/api/file/upload/signed-url");
    assert_eq!(signed.len(), 1);
    assert_eq!(signed[0].line, "GET /api/file/upload/signed-url?contentLength=6&sha256=a%2Bb%2Fc%3D");
    assert_eq!(signed[0].header("authorization"), Some("token id-1"));
    let puts = server.requests_to("/store/x");
    assert_eq!(puts.len(), 3);
    for put in puts {
        assert_eq!(put.line, "PUT /store/x?signature=s3cr3t");
        assert_eq!(put.body, "[1, 2]", "each attempt sends the whole file");
        assert_eq!(put.header("content-length"), Some("6"));
        assert_eq!(put.header("host"), server.base.authority().into());
        assert_eq!(put.header("x-amz-checksum-sha256"), Some("a+b/c="));
        assert_eq!(put.headers.get_all("x-multi").iter().collect::<Vec<_>>(), ["1", "2"]);
        for absent in ["authorization", "content-type", "raito-domain", "transfer-encoding"] {
            assert_eq!(put.header(absent), None, "{absent}");
        }
    }
}

#[tokio::test]
async fn failed_and_skipped_uploads_against_a_recording_server() {
    let server = RecordingServer::start().await;
    prepare_upload(&server);
    server.answer("/store/x", 500, &json!("broken"));
    let (_folder, file) = upload_file("");
    let error = server.client().upload(&file).await.unwrap_err();
    assert!(matches!(&error, CloudError::Upload { attempts: 3, .. }), "{error}");
    assert!(!error.to_string().contains("s3cr3t"), "{error}");
    assert_eq!(server.requests_to("/store/x")[0].header("content-length"), Some("0"));

    let before = server.requests().len();
    let options = ClientOptions { skip_file_upload: true, ..server.options() };
    let client = CloudClient::new(options, account("u")).unwrap();
    assert_eq!(client.upload(&file).await.unwrap(), file.path.to_string_lossy());
    assert_eq!(server.requests().len(), before, "nothing is sent");
}

#[tokio::test]
async fn downloads_carry_no_credentials_and_follow_redirects_against_a_recording_server() {
    let server = RecordingServer::start().await;
    server.answer_with("/files/a", 302, vec![("location", "/files/b".into())], String::new());
    server.answer_with("/files/b", 200, Vec::new(), "accessProviders: []\n".into());
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("access.yaml");
    let client = server.client();
    let location = server.base.join("/files/a?signature=s3cr3t").unwrap();
    assert_eq!(client.download(location.as_str(), &to).await.unwrap(), 20);
    assert_eq!(std::fs::read_to_string(&to).unwrap(), "accessProviders: []\n");
    for request in server.requests() {
        assert_eq!(request.header("authorization"), None);
        assert_eq!(request.header("raito-domain"), None);
    }
    let gone = server.base.join("/gone?signature=s3cr3t").unwrap();
    let error = client.download(gone.as_str(), &to).await.unwrap_err();
    assert!(matches!(error, CloudError::Status { status: 404, .. }) && !error.to_string().contains("s3cr3t"));
    assert!(client.download("not an address", &to).await.is_err());
}
