//! How long lists take at 1,000,000 data objects and 100,000 users.
//!
//! `cargo bench -p raito-cloud --bench lists -- [--objects N] [--users N]`
//!
//! A store of that size is written straight into the database of a stopped server; then the server answers each
//! query over HTTP, one at a time, and the median and the 95th percentile are printed in milliseconds. A page that
//! ends early because nothing was found in time counts like every other: it is what a client waits for.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use raito_cloud::{Credentials, NewUser, Role, Server};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

type Failure = Box<dyn Error>;

const DOMAIN: &str = "acme";
const EMAIL: &str = "bench@acme.example";
const PASSWORD: &str = "Correct-horse-1";
/// How often each query is asked.
const ROUNDS: usize = 60;

fn main() -> Result<(), Failure> {
    let (mut objects, mut users) = (1_000_000_u64, 100_000_u64);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let target = match argument.as_str() {
            "--objects" => &mut objects,
            "--users" => &mut users,
            // Given by cargo to every benchmark.
            "--bench" => continue,
            other => return Err(format!("unknown argument {other}").into()),
        };
        *target = arguments.next().ok_or("a number is missing")?.replace('_', "").parse()?;
    }
    tokio::runtime::Runtime::new()?.block_on(run(objects, users))
}

async fn run(objects: u64, users: u64) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let server = start(folder.path()).await?;
    let user = server
        .put_user(NewUser {
            email: EMAIL.to_owned(),
            password: PASSWORD.to_owned(),
            roles: vec![Role::Admin, Role::AccessManager],
            machine: true,
        })
        .await?;
    let store = server.ensure_data_source_named("warehouse").await?;
    server.shutdown().await;
    let begun = Instant::now();
    fill(folder.path(), &store.data_source_id, &store.identity_store_id, (objects, users), &user).await?;
    print(&format!("{objects} objects and {users} users written in {:.0} s", begun.elapsed().as_secs_f64()))?;
    let server = start(folder.path()).await?;
    let client = Client::sign_in(server.url()).await?;
    for (name, field, arguments) in queries(&store.data_source_id, objects) {
        let mut times = Vec::with_capacity(ROUNDS);
        let mut found = 0;
        for _ in 0..ROUNDS {
            let (time, edges) = client.page(field, &arguments).await?;
            times.push(time);
            found = edges;
        }
        times.sort();
        let at =
            |share: usize| times.get(ROUNDS * share / 100).copied().unwrap_or_default().as_secs_f64() * 1e3;
        print(&format!("{:>7.1} {:>7.1} ms  {found:>3} edges  {name}", at(50), at(95)))?;
    }
    server.shutdown().await;
    Ok(())
}

async fn start(folder: &Path) -> Result<Server, Failure> {
    Ok(Server::start_embedded(folder, DOMAIN).await?.0)
}

/// The name, the root field and its arguments.
fn queries(source: &str, objects: u64) -> Vec<(&'static str, &'static str, String)> {
    let in_source = format!("dataSources: [\"{source}\"]");
    let mut queries = vec![
        ("objects", "dataObjects", String::new()),
        ("objects by name, descending", "dataObjects", "order: [{ name: desc }]".to_owned()),
        ("objects by type", "dataObjects", "order: [{ type: asc }]".to_owned()),
    ];
    for (name, filter) in [
        ("objects of a source", in_source.clone()),
        ("objects, common search", format!("{in_source}, search: \"T7.\"")),
        ("objects, search without a match", format!("{in_source}, search: \"nothing like it\"")),
        ("objects of a rare type", format!("{in_source}, types: [\"schema\"]")),
        ("objects of a type of one percent", format!("{in_source}, types: [\"table\"]")),
        ("one object by name", format!("{in_source}, fullNames: [\"s7.t7.c7\"]")),
        ("children", "parents: [\"o-t-0000000707\"]".to_owned()),
        ("descendants of a schema", "ancestors: [\"o-s-0000000007\"]".to_owned()),
        ("descendants of a table", "ancestors: [\"o-t-0000000707\"]".to_owned()),
        ("tagged objects", "hasTags: [{ key: \"pii\", stringValue: \"yes\" }]".to_owned()),
        ("objects with a tag that one has", "hasTags: [{ key: \"single\" }]".to_owned()),
        ("objects that the caller owns", "asOwner: true".to_owned()),
        (
            "objects of a type, found by search",
            format!("{in_source}, types: [\"table\"], search: \"s99.t9\""),
        ),
    ] {
        queries.push((name, "dataObjects", format!("filter: {{ {filter} }}")));
    }
    for (name, field, arguments) in [
        ("users", "users", ""),
        ("users by name, descending", "users", "order: [{ name: desc }]"),
        ("users, search for one", "users", "search: \"user 0099\""),
        ("users, search without a match", "users", "search: \"nothing like it\""),
        ("users who can sign in", "users", "filter: { isRaitoUser: true }"),
        ("groups by name", "groups", "order: [{ name: asc }]"),
        ("groups of a user", "groups", "filter: { user: \"u-0000000042\", includeAncestors: true }"),
        ("groups, search", "groups", "filter: { search: \"group 9\" }"),
        ("role assignments", "roleAssignments", ""),
        ("owners of an object", "roleAssignments", "filter: { resource: \"o-t-0000000707\" }"),
    ] {
        queries.push((name, field, arguments.to_owned()));
    }
    if objects >= 100_000 {
        let far = base64_cursor("s5.t5.c5", "o-c-0000000000");
        queries.push(("objects, far into the list", "dataObjects", format!("after: \"{far}\"")));
    }
    queries
}

fn base64_cursor(key: &str, id: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json!([key, id]).to_string())
}

/// A hundred schemas; as many tables in each as needed, of a hundred columns each.
async fn fill(
    folder: &Path,
    source: &str,
    store: &str,
    (objects, users): (u64, u64),
    caller: &str,
) -> Result<(), Failure> {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("raito.db"))
        .journal_mode(SqliteJournalMode::Wal)
        .pragma("cache_size", "-200000");
    let mut connection: SqliteConnection = options.connect().await?;
    let tables = objects / 100;
    let numbers = |count: u64| {
        format!("WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count}) ")
    };
    let object = |id: &str, parent: &str, name: &str, full_name: &str, kind: &str| {
        format!(
            "INSERT INTO data_objects (id, data_source_id, external_id, parent_external_id, name, full_name, type, \
             description, data_type, deleted, content_hash) SELECT {id}, '{source}', {full_name}, {parent}, {name}, \
             {full_name}, '{kind}', 'A description of an ordinary length', 'text', 0, i FROM n"
        )
    };
    let schema = "'s' || (i / 1)";
    let table = "'s' || (i % 100) || '.t' || (i / 100)";
    let column = "'s' || ((i / 100) % 100) || '.t' || (i / 10000) || '.c' || (i % 100)";
    let table_of_column = "'s' || ((i / 100) % 100) || '.t' || (i / 10000)";
    for statement in [
        numbers(100) + &object("printf('o-s-%010d', i)", "''", schema, schema, "schema"),
        numbers(tables)
            + &object("printf('o-t-%010d', i)", "'s' || (i % 100)", "'t' || (i / 100)", table, "table"),
        numbers(objects)
            + &object("printf('o-c-%010d', i)", table_of_column, "'c' || (i % 100)", column, "column"),
        numbers(users)
            + "INSERT INTO users (id, name, email, email_key, user_type, is_raito_user, created_at, modified_at) \
               SELECT printf('u-%010d', i), printf('User %06d', i), printf('user%06d@acme.example', i), \
               printf('user%06d@acme.example', i), 'Human', 0, 0, 0 FROM n",
        numbers(users)
            + &format!(
                "INSERT INTO accounts (id, identity_store_id, external_id, name, user_name, email, user_id, content_hash) \
                 SELECT printf('a-%010d', i), '{store}', printf('a%d', i), printf('User %06d', i), printf('user%06d', i), '', \
                 printf('u-%010d', i), i FROM n"
            ),
        numbers(users / 50)
            + &format!(
                "INSERT INTO groups (id, identity_store_id, external_id, name, display_name, description, deleted, \
                 content_hash) SELECT printf('g-%010d', i), '{store}', printf('g%d', i), printf('Group %d', i), \
                 printf('Group %d', i), '', 0, i FROM n"
            ),
        numbers(users)
            + &format!(
                "INSERT INTO group_members (identity_store_id, member_kind, member_external_id, group_external_id) \
                 SELECT '{store}', 'account', printf('a%d', i), printf('g%d', i / 50) FROM n"
            ),
        numbers(objects / 100)
            + "INSERT INTO tags (object_id, source, key, value) \
               SELECT printf('o-c-%010d', i * 100), 'bench', 'pii', 'yes' FROM n",
        "INSERT INTO tags (object_id, source, key, value) VALUES ('o-t-0000000707', 'bench', 'single', 'x')"
            .to_owned(),
        numbers(tables)
            + "INSERT INTO role_assignments (id, role, resource_kind, resource_id, assignee_kind, assignee_id) \
               SELECT printf('r-%010d', i), 'OwnerRole', 'dataObject', printf('o-t-%010d', i), 'user', \
               printf('u-%010d', i % 1000) FROM n",
        format!(
            "INSERT INTO role_assignments (id, role, resource_kind, resource_id, assignee_kind, assignee_id) \
             VALUES ('r-mine', 'OwnerRole', 'dataObject', 'o-s-0000000042', 'user', '{caller}')"
        ),
    ] {
        connection.execute(AssertSqlSafe(statement)).await?;
    }
    connection.close().await?;
    Ok(())
}

struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    async fn sign_in(base: &str) -> Result<Self, Failure> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(1)).build()?;
        let credentials =
            Credentials { domain: DOMAIN.to_owned(), user: EMAIL.to_owned(), secret: PASSWORD.to_owned() };
        let organisation: Value = http.get(format!("{base}admin/org/{DOMAIN}")).send().await?.json().await?;
        let body = json!({ "AuthFlow": "USER_PASSWORD_AUTH", "ClientId": organisation["ClientAppId"],
            "AuthParameters": { "USERNAME": credentials.user, "PASSWORD": credentials.secret } });
        let answer = http
            .post(base)
            .header("X-Amz-Target", "AWSCognitoIdentityProviderService.InitiateAuth")
            .body(body.to_string())
            .send()
            .await?
            .text()
            .await?;
        let answer: Value = serde_json::from_str(&answer)?;
        let token = answer["AuthenticationResult"]["IdToken"].as_str().ok_or("no token")?.to_owned();
        Ok(Self { http, base: base.to_owned(), token })
    }

    /// Asks for a page of 25; returns the time and the number of edges.
    async fn page(&self, field: &str, arguments: &str) -> Result<(Duration, usize), Failure> {
        let node = match field {
            "users" => "... on User { id name email accounts { userName identityStore { name } } }",
            "groups" => "... on Group { id name identityStore { id name } }",
            "roleAssignments" => "... on RoleAssignment { id role { id } to { ... on User { id name } } }",
            _ => {
                "... on DataObject { id name fullName dataSource { id } parent { id } tags { key stringValue } }"
            }
        };
        let query = format!(
            "{{ {field}(limit: 25, {arguments}) {{ pageInfo {{ hasNextPage }} edges {{ cursor node {{ {node} }} }} }} }}"
        );
        let request = self
            .http
            .post(format!("{}query", self.base))
            .header("Authorization", format!("token {}", self.token))
            .header("Raito-Domain", DOMAIN)
            .body(json!({ "query": query }).to_string());
        let begun = Instant::now();
        let answer: Value = request.send().await?.json().await?;
        let time = begun.elapsed();
        if answer.get("errors").is_some() {
            return Err(format!("{field}({arguments}): {answer}").into());
        }
        let edges = answer["data"][field]["edges"].as_array().into_iter().flatten();
        Ok((time, edges.filter(|edge| !edge["node"].is_null()).count()))
    }
}

fn print(line: &str) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}
