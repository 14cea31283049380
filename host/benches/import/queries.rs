//! Lists with filters, asked for in random places over HTTP.

use std::time::Instant;

use raito_test_guests::{object, user};
use rand::Rng as _;
use serde_json::{Value, json};

use crate::client::Client;
use crate::{Counts, Failure};

/// Times that each list is asked for.
const TIMES: usize = 200;
/// Pages that are turned in one walk.
const PAGES: usize = 20;

const OBJECTS: &str = "query ($filter: DataObjectFilterInput, $order: [DataObjectOrderByInput!], $after: String) \
    { dataObjects(limit: 25, filter: $filter, order: $order, after: $after) \
    { pageInfo { hasNextPage } edges { cursor node { ... on DataObject { id name fullName type description } } } } }";
const GROUPS: &str = "query ($filter: GroupFilterInput) { groups(limit: 25, filter: $filter) \
    { pageInfo { hasNextPage } edges { cursor node { ... on Group { id name displayName } } } } }";
const USERS: &str = "query ($search: String) { users(limit: 25, search: $search) \
    { pageInfo { hasNextPage } edges { cursor node { ... on User { id name email } } } } }";
const BY_EMAIL: &str = "query ($email: String!) { userByEmail(email: $email) { ... on User { id name } } }";

/// Asks and prints.
pub(crate) async fn measure(client: &Client, source: &str, counts: &Counts) -> Result<(), Failure> {
    println!("  {:<52} {:>8} {:>8} {:>8}", "list, 25 a page", "p50 ms", "p95 ms", "most ms");
    let objects = |filter: Value, order: Value| (OBJECTS, json!({ "filter": filter, "order": order }));
    let mut random = rand::rng();
    let mut pick = |count: u64| random.random_range(0..count.max(1));
    let by_name = json!([{ "fullName": "asc" }]);
    let mut lists: Vec<(&str, Vec<(&str, Value)>)> = Vec::new();
    let mut add = |what, one: &mut dyn FnMut() -> (&'static str, Value)| {
        lists.push((what, (0..TIMES).map(|_| one()).collect()));
    };
    add("data objects of a source", &mut || objects(json!({ "dataSources": [source] }), by_name.clone()));
    add("data objects of a type, by name", &mut || {
        objects(json!({ "dataSources": [source], "types": ["table"] }), json!([{ "name": "desc" }]))
    });
    add("data objects by full name", &mut || {
        let name = object(pick(counts.objects)).full_name;
        objects(
            json!({ "dataSources": [source], "fullNames": [name], "includeDataSource": true }),
            Value::Null,
        )
    });
    add("data objects, search for a common part", &mut || {
        objects(
            json!({ "dataSources": [source], "search": format!("orders_{:03}", pick(100)) }),
            by_name.clone(),
        )
    });
    add("data objects, search for a rare part", &mut || {
        let number = pick(counts.objects);
        objects(json!({ "dataSources": [source], "search": format!("_{number:06}") }), by_name.clone())
    });
    add("data objects, search for what is not there", &mut || {
        objects(
            json!({ "dataSources": [source], "search": format!("nowhere{}", pick(1000)) }),
            by_name.clone(),
        )
    });
    add("groups, search", &mut || {
        (GROUPS, json!({ "filter": { "search": format!("team-{:05}", pick(512)) } }))
    });
    add("users, search", &mut || (USERS, json!({ "search": format!("family{}", pick(counts.users)) })));
    add("user by e-mail address", &mut || (BY_EMAIL, json!({ "email": user(pick(counts.users)).email })));
    for (what, requests) in lists {
        let mut times = Vec::with_capacity(requests.len());
        for (document, variables) in requests {
            let start = Instant::now();
            client.graphql(document, &variables).await?;
            times.push(start.elapsed().as_secs_f64() * 1000.0);
        }
        report(what, times);
    }
    let mut times = Vec::new();
    for _ in 0..TIMES / PAGES {
        let start_at = object(pick(counts.objects)).full_name;
        let (_, schema) = start_at.split_once("schema_").unwrap_or_default();
        let search = format!("schema_{}", &schema[..5.min(schema.len())]);
        let mut after = Value::Null;
        for _ in 0..PAGES {
            let variables = json!({ "filter": { "dataSources": [source], "search": search },
                "order": by_name, "after": after });
            let start = Instant::now();
            let page = client.graphql(OBJECTS, &variables).await?["dataObjects"].clone();
            times.push(start.elapsed().as_secs_f64() * 1000.0);
            after = page["edges"]
                .as_array()
                .and_then(|edges| edges.last())
                .map_or(Value::Null, |edge| edge["cursor"].clone());
        }
    }
    report("data objects of a search, page after page", times);
    Ok(())
}

fn report(what: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let at = |part: usize| {
        times.get((times.len() * part / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default()
    };
    println!("  {what:<52} {:>8.1} {:>8.1} {:>8.1}", at(50), at(95), at(100));
}
