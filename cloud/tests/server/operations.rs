//! What an operator relies on: health, metrics, limits, TLS, stopping, setting up, backups.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use raito_cloud::{
    BackupReport, CloudError, Database, InitConfig, Limits, Location, Operations, Role, Server, ServerConfig,
    TlsFiles, backup, init, restore, status,
};
use raito_test_servers::Authority;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Failure;
use crate::client::{Client, DOMAIN, Site, client_id, http, initiate_auth, password_auth};

const ADMIN: &str = "admin@acme.example";
const PASSWORD: &str = "Correct-horse-1";

fn config(folder: &Path, operations: Operations) -> ServerConfig {
    ServerConfig {
        data_dir: folder.to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        domain: Some(DOMAIN.to_owned()),
        admin_email: ADMIN.to_owned(),
        admin_password: Some(PASSWORD.to_owned()),
        may_generate_password: false,
        operations,
        ..ServerConfig::default()
    }
}

fn host(url: &str) -> &str {
    url.trim_start_matches("http://").trim_end_matches('/')
}

async fn json_of(url: &str) -> Result<(u16, Value), Failure> {
    let answer = http()?.get(url).send().await?;
    Ok((answer.status().as_u16(), answer.json().await?))
}

/// The value of a metric with all these labels.
fn metric(text: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let line = text.lines().find(|line| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
            && labels.iter().all(|label| line.contains(label))
    })?;
    line.rsplit_once(' ')?.1.parse().ok()
}

#[tokio::test]
async fn the_server_says_how_it_is() -> Result<(), Failure> {
    let site = Site::start().await?;
    let base = site.server.url();
    assert_eq!(json_of(&format!("{base}health")).await?, (200, json!({ "status": "ok" })));
    let ready = json_of(&format!("{base}ready")).await?;
    let checks = json!({ "database": "ok", "schema": "ok", "storage": "ok", "server": "ok" });
    assert_eq!(ready, (200, json!({ "ready": true, "checks": checks })));
    Ok(())
}

#[tokio::test]
async fn a_server_whose_files_cannot_be_written_is_not_ready() -> Result<(), Failure> {
    let site = Site::start().await?;
    let files = site.place.path().join("files");
    std::fs::remove_dir(&files)?;
    std::fs::write(&files, "in the way")?;
    let (status, answer) = json_of(&format!("{}ready", site.server.url())).await?;
    assert_eq!(status, 503);
    assert_eq!(answer["ready"], json!(false));
    assert_eq!(answer["checks"]["storage"], "cannot be written");
    assert_eq!(answer["checks"]["database"], "ok");
    assert!(!answer.to_string().contains("files"), "no paths: {answer}");
    Ok(())
}

#[tokio::test]
async fn metrics_tell_what_happened() -> Result<(), Failure> {
    let site = Site::start().await?;
    site.import_objects(&json!([{ "externalId": "a", "fullName": "a", "type": "table" }]), true).await?;
    let url = format!("{}metrics", site.server.url());
    let answer = http()?.get(&url).send().await?.error_for_status()?;
    assert!(answer.headers()["content-type"].to_str()?.starts_with("application/openmetrics-text"));
    let found = answer.text().await?;
    let value = |name: &str, labels: &[&str]| metric(&found, name, labels);
    let query = ["route=\"/query\"", "status=\"200\"", "method=\"POST\""];
    assert!(
        value("raito_http_request_duration_seconds_count", &query).is_some_and(|count| count >= 3.0),
        "{found}"
    );
    assert!(found.contains("route=\"/file/upload/{key}/{secret}\""), "routes, not paths: {found}");
    let operation = ["operation=\"importDataSourceRequest\"", "outcome=\"ok\""];
    assert_eq!(value("raito_graphql_operation_duration_seconds_count", &operation), Some(1.0));
    assert_eq!(value("raito_import_rows_total", &["kind=\"data_objects\"", "change=\"added\""]), Some(1.0));
    let work = ["kind=\"data_source\"", "outcome=\"ok\""];
    assert_eq!(value("raito_work_duration_seconds_count", &work), Some(1.0));
    assert_eq!(value("raito_jobs", &["status=\"STARTED\""]), Some(1.0));
    assert_eq!(value("raito_queue_depth", &["state=\"waiting\""]), Some(0.0));
    assert!(value("raito_database_connections", &["state=\"idle\""]).is_some());
    assert!(value("raito_build_info", &[]).is_some());
    if cfg!(target_os = "linux") {
        assert!(value("process_resident_memory_bytes", &[]).is_some_and(|bytes| bytes > 1e6), "{found}");
        assert!(value("process_open_fds", &[]).is_some_and(|files| files > 3.0));
    }
    // Somebody behind a proxy of this machine is not somebody of this machine.
    let proxied = http()?.get(&url).header("X-Forwarded-For", "9.9.9.9").send().await?;
    assert_eq!(proxied.status(), 404);
    Ok(())
}

#[tokio::test]
async fn metrics_may_have_an_address_of_their_own() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let free = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address: SocketAddr = free.local_addr()?;
    drop(free);
    let operations = Operations { metrics_listen: Some(address), ..Operations::default() };
    let server = Server::start(config(folder.path(), operations)).await?;
    let found = http()?.get(format!("http://{address}/metrics")).send().await?.text().await?;
    assert!(found.ends_with("# EOF\n"), "{found}");
    assert_eq!(http()?.get(format!("{}metrics", server.url())).send().await?.status(), 404);
    assert_eq!(http()?.get(format!("http://{address}/ready")).send().await?.status(), 404);
    server.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn guessing_passwords_is_slowed_down() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let limits = Limits { failed_sign_ins: 3, ..Limits::default() };
    let operations =
        Operations { limits, trusted_proxies: vec!["127.0.0.1".parse()?], ..Operations::default() };
    let server = Server::start(config(folder.path(), operations)).await?;
    let (http, base) = (http()?, server.url());
    for _ in 0..5 {
        assert_eq!(password_auth(&http, base, ADMIN, PASSWORD).await?.0, 200, "successes do not count");
    }
    for _ in 0..3 {
        let (status, answer) = password_auth(&http, base, ADMIN, "Wrong-horse-1").await?;
        assert_eq!((status, &answer["__type"]), (400, &json!("NotAuthorizedException")));
    }
    let client_id = client_id(&http, base).await?;
    let body = json!({ "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": client_id,
        "AuthParameters": { "USERNAME": ADMIN, "PASSWORD": PASSWORD } });
    let (status, answer) = initiate_auth(&http, base, &body).await?;
    assert_eq!((status, &answer["__type"]), (429, &json!("TooManyRequestsException")));
    let answer = |from: &'static str| {
        http.post(base)
            .header("X-Amz-Target", "AWSCognitoIdentityProviderService.InitiateAuth")
            .header("X-Forwarded-For", from)
            .body(body.to_string())
            .send()
    };
    // The proxy is trusted: others are not held to account.
    assert_eq!(answer("10.1.1.1").await?.status(), 200);
    let refused = answer("127.0.0.1").await?;
    assert_eq!(refused.status(), 429);
    let wait: u64 = refused.headers()["retry-after"].to_str()?.parse()?;
    assert!((1..=21).contains(&wait), "{wait}");
    server.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn slow_and_many_requests_end() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let limits = Limits {
        requests: 1,
        head: Duration::from_millis(300),
        pause: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = Server::start(config(folder.path(), Operations { limits, ..Operations::default() })).await?;
    let host = host(server.url()).to_owned();
    // A head that never ends.
    let mut slow = TcpStream::connect(&host).await?;
    slow.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nx-slow: ").await?;
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(30), slow.read_to_end(&mut rest)).await??;
    // A body that never ends takes the only place, until it is cut off.
    let mut slow = TcpStream::connect(&host).await?;
    slow.write_all(b"POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: AWSCognitoIdentityProviderService.InitiateAuth\r\ncontent-length: 100\r\n\r\n{").await?;
    let organisation = format!("{}admin/org/{DOMAIN}", server.url());
    let mut seen = Vec::new();
    for _ in 0..200 {
        let answer = http()?.get(&organisation).send().await?;
        let status = answer.status().as_u16();
        if status == 503 {
            assert_eq!(answer.headers()["retry-after"], "1");
            assert_eq!(json_of(&format!("{}health", server.url())).await?.0, 200, "probes get through");
        }
        if seen.last() != Some(&status) {
            seen.push(status);
        }
        if seen.ends_with(&[503, 200]) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(seen.ends_with(&[503, 200]), "{seen:?}");
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(30), slow.read_to_string(&mut answer)).await??;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    server.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn documents_that_ask_for_too_much_are_refused() -> Result<(), Failure> {
    let site = Site::start().await?;
    let document = |count: usize| {
        let fields: Vec<_> =
            (0..count).map(|n| format!("a{n}: SupportedCLIVersion {{ supportedVersions }}")).collect();
        format!("{{ {} }}", fields.join(" "))
    };
    let refused = site.client.query(&document(3000), &Value::Null).await.err().ok_or("answered")?;
    assert!(refused.to_string().to_lowercase().contains("complex"), "{refused}");
    site.client.query(&document(300), &Value::Null).await?;
    Ok(())
}

#[tokio::test]
async fn requests_have_ids() -> Result<(), Failure> {
    let site = Site::start().await?;
    let url = format!("{}health", site.server.url());
    let given = http()?.get(&url).header("X-Request-Id", "mine-1").send().await?;
    assert_eq!(given.headers()["x-request-id"], "mine-1");
    let made = http()?.get(&url).send().await?;
    assert_eq!(made.headers()["x-request-id"].len(), 21);
    Ok(())
}

#[tokio::test]
async fn a_stopping_server_says_so_first_and_ends_what_runs() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let operations = Operations {
        shutdown_delay: Duration::from_secs(2),
        shutdown_grace: Duration::from_secs(20),
        ..Operations::default()
    };
    let server = Server::start(config(folder.path(), operations)).await?;
    let base = server.url().to_owned();
    // A request that is at work when the server is told to stop.
    let mut running = TcpStream::connect(host(&base)).await?;
    let body = format!("{{\"AuthFlow\": \"none\", \"ClientId\": \"{}\"}}", client_id(&http()?, &base).await?);
    let head = format!(
        "POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: AWSCognitoIdentityProviderService.InitiateAuth\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    running.write_all(head.as_bytes()).await?;
    let (first, rest) = body.split_at(5);
    running.write_all(first.as_bytes()).await?;
    let stopping = tokio::spawn(server.shutdown());
    let mut answer = json!(null);
    for _ in 0..100 {
        let (status, found) = json_of(&format!("{base}ready")).await?;
        if status == 503 {
            answer = found;
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(answer["checks"]["server"], "stopping", "{answer}");
    // From here on no new connection is taken.
    while TcpStream::connect(host(&base)).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.write_all(rest.as_bytes()).await?;
    let mut text = String::new();
    running.read_to_string(&mut text).await?;
    assert!(text.starts_with("HTTP/1.1 400") && text.contains("InvalidParameterException"), "{text}");
    stopping.await?;
    Ok(())
}

#[tokio::test]
async fn tls_is_spoken_and_a_renewed_certificate_is_taken() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let (old, new) = (Authority::new(), Authority::new());
    let write = |authority: &Authority| -> Result<(), Failure> {
        let issued = authority.certificate("localhost");
        std::fs::write(folder.path().join("cert.pem"), &issued.certificate)?;
        std::fs::write(folder.path().join("key.pem"), &issued.key)?;
        Ok(())
    };
    let client = |authority: &Authority| -> Result<reqwest::Client, Failure> {
        http()?;
        let root = reqwest::Certificate::from_pem(authority.pem().as_bytes())?;
        Ok(reqwest::Client::builder().no_proxy().tls_certs_only([root]).pool_max_idle_per_host(0).build()?)
    };
    let tls = TlsFiles { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    let missing = Operations { tls: Some(tls.clone()), ..Operations::default() };
    let refused = Server::start(config(&folder.path().join("data"), missing.clone())).await.err();
    assert!(matches!(refused, Some(CloudError::Certificate { .. })), "{refused:?}");

    write(&old)?;
    let server = Server::start(config(&folder.path().join("data"), missing)).await?;
    let url = format!("{}health", server.url().replace("127.0.0.1", "localhost"));
    assert!(url.starts_with("https://"), "{url}");
    assert_eq!(client(&old)?.get(&url).send().await?.status(), 200);
    assert!(client(&new)?.get(&url).send().await.is_err());
    // A certificate without its key changes nothing.
    std::fs::write(folder.path().join("cert.pem"), new.certificate("localhost").certificate)?;
    assert_eq!(client(&old)?.get(&url).send().await?.status(), 200);
    write(&new)?;
    let mut taken = false;
    for _ in 0..600 {
        if client(&new)?.get(&url).send().await.is_ok() {
            taken = true;
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(taken, "the renewed certificate is not used");
    assert!(client(&old)?.get(&url).send().await.is_err());
    server.shutdown().await;
    Ok(())
}

/// Where the server of a site keeps what it has.
fn location_of(site: &Site) -> Result<Location, Failure> {
    Ok(Location { data_dir: site.place.path().to_owned(), database: site.place.database()?, storage: None })
}

fn location(folder: &Path) -> Location {
    Location { data_dir: folder.to_owned(), database: Database::Folder, storage: None }
}

#[tokio::test]
async fn a_cloud_is_set_up_once() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let wanted = InitConfig {
        location: location(&data),
        domain: "Acme-Data".to_owned(),
        admin_email: ADMIN.to_owned(),
        admin_password: Some(PASSWORD.to_owned()),
    };
    let weak = InitConfig { admin_password: Some("weak".to_owned()), ..wanted.clone() };
    assert!(matches!(init(weak).await, Err(CloudError::Invalid { .. })));
    assert!(!data.exists(), "nothing is left of a refused set-up");
    let admin = init(wanted.clone()).await?;
    assert_eq!((admin.email.as_str(), admin.password), (ADMIN, None));
    let again = init(wanted).await.err().ok_or("set up twice")?;
    assert!(matches!(&again, CloudError::Initialised { domain } if domain == "acme-data"), "{again}");
    // The domain is known from then on.
    let server = Server::start(ServerConfig {
        domain: None,
        admin_password: None,
        ..config(&data, Operations::default())
    })
    .await?;
    assert!(server.first_admin().is_none());
    let organisation = json_of(&format!("{}admin/org/acme-data", server.url())).await?;
    assert_eq!(organisation.0, 200);
    server.shutdown().await;
    for entry in std::fs::read_dir(&data)? {
        let path = entry?.path();
        if path.is_file() {
            let bytes = std::fs::read(&path)?;
            let found = bytes.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes());
            assert!(!found, "the password is in {}", path.display());
        }
    }
    Ok(())
}

/// A site with something of everything: rows of several kinds, a log, and an import that waits.
async fn filled() -> Result<(Site, String), Failure> {
    let site = Site::start().await?;
    site.client_with("manager", &[Role::AccessManager]).await?;
    site.import_identities(
        &json!([{ "externalId": "u", "name": "Zoë", "userName": "u\n\"x\"", "email": "u@acme.example" }]),
        &json!([{ "externalId": "g", "name": "g" }]),
        true,
        true,
    )
    .await?;
    let objects: Vec<Value> = (0..3000)
        .map(|n| json!({ "externalId": format!("o{n}"), "fullName": format!("o{n}"), "type": "table" }))
        .collect();
    site.import_objects(&Value::Array(objects), true).await?;
    site.import_access(&json!([{ "externalId": "r", "name": "r", "action": "grant" }]), true).await?;
    let log = site.client.upload(b"the log of a task").await?;
    let job = site.client.create_job().await?;
    site.client
        .query(
            "mutation ($input:LogFileToTaskInput!){addLogFileToTask(input: $input){jobId,jobType}}",
            &json!({ "input": { "jobId": job, "jobType": "DS", "fileKey": log } }),
        )
        .await?;
    Ok((site, log))
}

#[tokio::test]
async fn a_backup_of_a_running_server_is_restored_as_it_was() -> Result<(), Failure> {
    let (site, log) = filled().await?;
    let place = tempfile::tempdir()?;
    let archive = place.path().join("backup.tar");
    let made = backup(&location_of(&site)?, &archive).await?;
    let before = status(site.place.path(), &site.place.database()?).await?;
    assert!(made.rows > 3000 && made.files >= 1, "{made:?}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&archive)?.permissions().mode() & 0o777, 0o600);
    }
    assert!(backup(&location_of(&site)?, &archive).await.is_err(), "a backup is not overwritten");

    let target = place.path().join("restored");
    let taken = restore(&location(&target), &archive, false).await?;
    assert_eq!(taken, BackupReport { domain: DOMAIN.to_owned(), ..made.clone() });
    assert_eq!(status(&target, &Database::Folder).await?, before);
    assert_eq!(std::fs::read(target.join("files").join(&log))?, b"the log of a task");
    // It works, with the same users; who had signed in has to do it again.
    let (server, credentials) = Server::start_embedded(&target, DOMAIN).await?;
    let client = Client::sign_in(server.url(), &credentials).await?;
    let old = Client { base: server.url().to_owned(), ..site.client.clone() };
    assert!(old.create_job().await.is_err());
    client.create_job().await?;
    let password = "Correct-horse-1";
    assert_eq!(password_auth(&http()?, server.url(), "manager@acme.example", password).await?.0, 200);

    // A folder in use, and one with data.
    assert!(matches!(restore(&location(&target), &archive, true).await, Err(CloudError::InUse { .. })));
    server.shutdown().await;
    assert!(matches!(restore(&location(&target), &archive, false).await, Err(CloudError::NotEmpty { .. })));
    let replaced = restore(&location(&target), &archive, true).await?;
    assert_eq!(replaced, taken);
    assert_eq!(status(&target, &Database::Folder).await?, before);
    // A backup of what was restored is the same rows.
    let second = place.path().join("second.tar");
    assert_eq!(backup(&location(&target), &second).await?.rows, made.rows);
    assert_eq!(tables(&second)?, tables(&archive)?);
    Ok(())
}

/// The rows of an archive, sorted, by table.
fn tables(archive: &Path) -> Result<BTreeMap<String, Vec<String>>, Failure> {
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut archive = tar::Archive::new(std::fs::File::open(archive)?);
    for entry in archive.entries()? {
        let entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        if let Some((table, _)) = name.strip_prefix("tables/").and_then(|rest| rest.split_once('/')) {
            let text = std::io::read_to_string(entry)?;
            tables.entry(table.to_owned()).or_default().extend(text.lines().map(str::to_owned));
        }
    }
    for rows in tables.values_mut() {
        rows.sort();
    }
    Ok(tables)
}

#[tokio::test]
async fn a_damaged_backup_changes_nothing() -> Result<(), Failure> {
    let (site, _) = filled().await?;
    let place = tempfile::tempdir()?;
    let archive = place.path().join("backup.tar");
    backup(&location_of(&site)?, &archive).await?;
    let whole = std::fs::read(&archive)?;
    let (target, damaged) = (place.path().join("target"), place.path().join("damaged.tar"));
    let position = whole.windows(5).position(|part| part == b"o1234").ok_or("no such object")?;
    let mut changed = whole.clone();
    changed[position] = b'x';
    let cut = whole[..whole.len() / 2].to_vec();
    for (content, reason) in [(changed, "SHA-256 differs"), (cut, ""), (b"no archive".to_vec(), "")] {
        std::fs::write(&damaged, content)?;
        let refused = restore(&location(&target), &damaged, true).await.err().ok_or("restored")?;
        assert!(matches!(&refused, CloudError::Archive { path, .. } if *path == damaged), "{refused}");
        assert!(refused.to_string().contains(reason), "{refused}");
        assert!(!target.exists(), "nothing was touched");
    }

    // An archive that is consistent and still does not fit fails half-way, and the target stays as it was.
    restore(&location(&target), &archive, false).await?;
    let before = status(&target, &Database::Folder).await?;
    let wrong = place.path().join("wrong.tar");
    rewrite(&archive, &wrong)?;
    let refused = restore(&location(&target), &wrong, true).await.err().ok_or("restored")?;
    assert!(refused.to_string().contains("usage_statements"), "{refused}");
    assert_eq!(status(&target, &Database::Folder).await?, before);
    Ok(())
}

/// Copies an archive whose manifest announces rows that are not there.
fn rewrite(from: &Path, to: &Path) -> Result<(), Failure> {
    let mut source = tar::Archive::new(std::fs::File::open(from)?);
    let mut target = tar::Builder::new(std::fs::File::create(to)?);
    for entry in source.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content)?;
        if name == "manifest.json" {
            let mut manifest: Value = serde_json::from_slice(&content)?;
            let tables = manifest["tables"].as_array_mut().ok_or("no tables")?;
            let statements = tables.iter_mut().find(|table| table["name"] == "usage_statements");
            statements.ok_or("no statements")?["rows"] = json!(7);
            content = manifest.to_string().into_bytes();
        }
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(content.len())?);
        header.set_mode(0o600);
        target.append_data(&mut header, name, content.as_slice())?;
    }
    target.finish()?;
    Ok(())
}
