//! Organisation look-up, sign-in, tokens, roles.

use raito_cloud::{Role, Server, ServerConfig};
use serde_json::{Value, json};

use crate::Failure;
use crate::client::{Client, Site, client_id, http, initiate_auth, password_auth, text};
use crate::engine::Place;

#[tokio::test]
async fn an_unknown_organisation_is_not_found() -> Result<(), Failure> {
    let site = Site::start().await?;
    let http = http()?;
    let answer = http.get(format!("{}admin/org/other", site.server.url())).send().await?;
    assert_eq!(answer.status(), 404);
    let answer = http.get(format!("{}admin/org/acme", site.server.url())).send().await?;
    assert_eq!(answer.status(), 200);
    let server = answer.headers().get("server").ok_or("no server header")?.to_str()?.to_owned();
    assert!(server.starts_with("raito-cloud/"), "{server}");
    Ok(())
}

#[tokio::test]
async fn wrong_password_and_unknown_user_are_one_error() -> Result<(), Failure> {
    let site = Site::start().await?;
    site.client_with("anna", &[Role::Observer]).await?;
    let http = http()?;
    for (user, password) in [("anna@acme.example", "wrong"), ("nobody@acme.example", "wrong")] {
        let (status, answer) = password_auth(&http, site.server.url(), user, password).await?;
        assert_eq!(status, 400);
        assert_eq!(answer["__type"], "NotAuthorizedException");
        assert_eq!(answer["message"], "Incorrect username or password.");
    }
    Ok(())
}

#[tokio::test]
async fn a_refresh_token_buys_a_new_token_under_any_path() -> Result<(), Failure> {
    let site = Site::start().await?;
    site.client_with("anna", &[Role::Observer]).await?;
    let (http, base) = (http()?, site.server.url());
    let (_, answer) = password_auth(&http, base, "Anna@ACME.example", "Correct-horse-1").await?;
    let result = &answer["AuthenticationResult"];
    assert!(result["ExpiresIn"].as_i64().is_some_and(|seconds| seconds > 10));
    let refresh = text(&result["RefreshToken"])?;
    let request = json!({ "AuthFlow": "REFRESH_TOKEN_AUTH", "ClientId": client_id(&http, base).await?,
        "AuthParameters": { "REFRESH_TOKEN": refresh } });
    let (status, answer) = initiate_auth(&http, &format!("{base}cognito/pool/"), &request).await?;
    assert_eq!(status, 200, "{answer}");
    let client = Client {
        http: http.clone(),
        base: base.to_owned(),
        token: text(&answer["AuthenticationResult"]["IdToken"])?,
    };
    let user = client.query("{currentUser{email}}", &Value::Null).await?;
    assert_eq!(user["currentUser"]["email"], "anna@acme.example");
    // The one cannot be used as the other.
    let swapped = Client { token: refresh, ..client };
    assert!(swapped.query("{currentUser{email}}", &Value::Null).await.is_err());
    let wrong = json!({ "AuthFlow": "REFRESH_TOKEN_AUTH", "ClientId": "other", "AuthParameters": {} });
    let (status, answer) = initiate_auth(&http, base, &wrong).await?;
    assert_eq!((status, answer["__type"].as_str()), (400, Some("ResourceNotFoundException")));
    Ok(())
}

#[tokio::test]
async fn requests_need_a_known_token_and_the_right_domain() -> Result<(), Failure> {
    let site = Site::start().await?;
    let query = |token: &str, domain: &str| {
        site.client
            .http
            .post(format!("{}query", site.server.url()))
            .header("Authorization", token)
            .header("Raito-Domain", domain)
            .body("{\"query\":\"{currentUser{email}}\"}")
            .send()
    };
    let good = format!("token {}", site.client.token);
    assert_eq!(query(&good, "ACME").await?.status(), 200);
    assert_eq!(query("token nonsense", "acme").await?.status(), 401);
    assert_eq!(query(&good.replace("token", "Bearer"), "acme").await?.status(), 401);
    assert_eq!(query(&good, "other").await?.status(), 403);
    Ok(())
}

#[tokio::test]
async fn only_an_integrator_may_synchronise() -> Result<(), Failure> {
    let site = Site::start().await?;
    let observer = site.client_with("olga", &[Role::Observer, Role::Admin]).await?;
    let refused = observer.create_job().await.err().ok_or("a job was created")?;
    assert!(refused.to_string().contains("permission denied"), "{refused}");
    assert!(observer.upload(b"[]").await.is_err());
    let denied = observer
        .query(
            "{cliTriggerUrl{... on CliTriggerUrl{url} ... on PermissionDeniedError{err: message}}}",
            &Value::Null,
        )
        .await?;
    assert!(text(&denied["cliTriggerUrl"]["err"])?.contains("permission denied"));
    let ended = site
        .client
        .query(
            "{cliTriggerUrl{... on CliTriggerUrl{url} ... on PermissionDeniedError{err: message}}}",
            &Value::Null,
        )
        .await?;
    assert!(text(&ended["cliTriggerUrl"]["url"])?.starts_with("ws://127.0.0.1:"), "{ended}");
    Ok(())
}

#[tokio::test]
async fn the_first_start_creates_an_administrator_once() -> Result<(), Failure> {
    let place = Place::new()?;
    let config = place.config()?;
    let server = Server::start(config.clone()).await?;
    let admin = server.first_admin().cloned().ok_or("no administrator")?;
    let password = admin.password.ok_or("no password")?;
    let (status, _) = password_auth(&http()?, server.url(), &admin.email, &password).await?;
    assert_eq!(status, 200);
    server.shutdown().await;
    let server = Server::start(config.clone()).await?;
    assert!(server.first_admin().is_none());
    let (status, _) = password_auth(&http()?, server.url(), &admin.email, &password).await?;
    assert_eq!(status, 200);
    server.shutdown().await;
    let other = ServerConfig { domain: Some("other".to_owned()), ..config };
    let refused = Server::start(other).await.err().ok_or("another domain was accepted")?;
    assert!(refused.to_string().contains("`acme`"), "{refused}");
    Ok(())
}
