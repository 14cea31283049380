//! Connectors of other kinds: catalogues, managers of resources, enrichers.

use serde_json::Value;

use crate::five_steps::{EVERYTHING, company};
use crate::gateway::Gateway;
use crate::own_cloud::run;
use crate::place::{Place, guest};
use crate::served::{PASSWORD, Served, configure};

/// A configuration for a server with a target that has another connector than the company.
fn with_connector(place: &Place, gateway: &Gateway, ids: &(String, String), name: &str, more: &str) {
    configure(place, &gateway.url(), (&ids.0, &ids.1), more);
    let text = place.read("raito.yml");
    place.write(
        "raito.yml",
        text.replace(&guest("company").display().to_string(), &guest(name).display().to_string()),
    );
}

fn variables(gateway: &Gateway, name: &str) -> Value {
    let found = gateway.seen().into_iter().rev().find(|request| request.name() == name);
    let body: Value = serde_json::from_str(&found.unwrap_or_else(|| panic!("no {name}")).body).unwrap();
    body["variables"]["input"].clone()
}

#[test]
fn a_catalogue_has_a_tag_step_alone() {
    let place = Place::new();
    let served = Served::start(&place);
    let ids = served.data_source("Company");
    let gateway = Gateway::new(&served.url, |_| None);
    with_connector(&place, &gateway, &ids, "catalogue", "word: it's");
    place.raito(&["info", &guest("catalogue").display().to_string()]).finish().succeeded();
    let outcome = run(&place, PASSWORD).succeeded();
    assert_eq!(outcome.steps("company"), ["tags tags 0/0/0/0"]);
    assert_eq!(outcome.target("company")["steps"][0]["results"][0]["total"], 2);
    let import = variables(&gateway, "importTagsRequest");
    let settings = &import["importSettings"];
    assert_eq!(
        (settings["dataSource"].as_str(), settings["identitySource"].as_str()),
        (Some(ids.0.as_str()), Some(ids.1.as_str()))
    );
    assert_eq!(settings["tagSourcesScope"], serde_json::json!(["catalogue"]));
    let names = gateway.names();
    let task: Vec<_> = names.iter().filter(|name| name.contains(" TAG")).map(String::as_str).collect();
    let task: Vec<_> = task.into_iter().filter(|name| !name.contains("QUEUED")).collect();
    assert_eq!(
        task,
        [
            "addTaskEvent TAG STARTED",
            "addTaskEvent TAG DATA_UPLOAD",
            "addTaskEvent TAG COMPLETED",
            "addLogFileToTask TAG"
        ]
    );
    assert!(!names.iter().any(|name| name.starts_with("addTaskEvent DS")), "{names:?}");
    // What the connector warned about goes with the next event, and no further.
    assert_eq!(
        variables(&gateway, "addTaskEvent TAG DATA_UPLOAD")["warnings"],
        serde_json::json!(["the catalogue is old"])
    );
    assert!(variables(&gateway, "addTaskEvent TAG COMPLETED")["warnings"].is_null());

    let skipped =
        place.raito(&["run", "--format", "json", "--skip-tag-sync"]).env("SECRET", PASSWORD).finish();
    assert_eq!(skipped.succeeded().steps("company"), ["tags skipped by configuration"]);
}

#[test]
fn the_file_of_tags_is_that_of_raitos_own_connectors() {
    let place = Place::with_targets(&[format!(
        "name: t\nconnector-name: {}\ndelete-temp-files: false",
        guest("catalogue").display()
    )]);
    place.run(&[]);
    assert_eq!(
        place.read_matching("fromTarget-tags"),
        "[\n\n{\"dataObjectFullName\":\"hr.salaries\",\"key\":\"class\",\"stringValue\":\"personal\",\"source\":\"catalogue\"},\
         \n\n{\"userId\":\"u1\",\"key\":\"class\",\"stringValue\":\"personal\",\"source\":\"catalogue\"}\n]"
    );
}

#[test]
fn a_resource_provider_gets_a_session_without_credentials() {
    let place = Place::new();
    let served = Served::start(&place);
    let ids = served.data_source("Company");
    let gateway = Gateway::new(&served.url, |_| None);
    with_connector(&place, &gateway, &ids, "session", "");
    let outcome = run(&place, PASSWORD).succeeded();
    assert_eq!(outcome.steps("company"), ["resource-provider Resource objects 1/2/3/0"]);
    let names = gateway.names();
    let task: Vec<_> = names.iter().filter(|name| name.contains(" RP")).map(String::as_str).collect();
    assert_eq!(
        task,
        [
            "addTaskEvent RP STARTED",
            "addTaskEvent RP DATA_PROCESSING",
            "addTaskEvent RP COMPLETED",
            "addLogFileToTask RP"
        ]
    );
    assert!(names.contains(&"currentUser".to_owned()), "{names:?}");
    let log = place.holds("[info] session: data source ").unwrap();
    assert!(std::fs::read_to_string(log).unwrap().contains("admin@acme.example"));

    with_connector(&place, &gateway, &ids, "session", "document: \"{nothingOfTheKind}\"");
    let outcome = run(&place, PASSWORD).succeeded();
    assert_eq!(outcome.steps("company"), ["resource-provider Resource objects 0/0/0/1"]);
    with_connector(&place, &gateway, &ids, "session", "variables: \"[1]\"");
    run(&place, PASSWORD).failed(13, "the variables are not a JSON object", "");
    let flag = "--skip-resource-provider-sync";
    let skipped = place.raito(&["run", "--format", "json", flag]).env("SECRET", PASSWORD).finish();
    assert_eq!(skipped.succeeded().steps("company"), ["resource-provider skipped by configuration"]);
}

/// Targets and enrichers: the company with what stands under `data-object-enrichers`.
fn enriched(top: &str, own: &str) -> Place {
    let place = Place::new();
    let enricher = guest("enricher").display().to_string();
    let fill = |text: &str| text.replace("ENRICHER", &enricher);
    place.configure(
        &fill(top),
        &[company(&format!(
            "delete-temp-files: false\ntag-overwrite-key-for-data-object-owners: keeper\n{}",
            fill(own)
        ))],
    );
    place
}

#[test]
fn enrichers_add_to_data_objects_one_after_the_other() {
    let place = enriched(
        "data-object-enrichers:\n  - {name: first, connector-name: ENRICHER, connector-version: 0.3.0, word: top}\n",
        "data-object-enrichers:\n  - {name: second, connector-name: ENRICHER, word: ann}\n  - {name: first, word: bob, fault: warn}",
    );
    let outcome = place.run(&[]).succeeded();
    assert_eq!(outcome.steps("company"), EVERYTHING);
    assert!(outcome.stderr.contains("the dictionary is old"), "{outcome:?}");
    let last = place.read_matching("-enriched1.json");
    let objects: Value = serde_json::from_str(&last).unwrap();
    let objects = objects.as_array().unwrap();
    let ids: Vec<_> = objects.iter().map(|object| object["fullName"].as_str().unwrap()).collect();
    assert_eq!(ids, ["company", "hr", "hr.salaries"]);
    let tags: Vec<_> =
        objects[1]["tags"].as_array().unwrap().iter().map(|tag| tag["value"].as_str().unwrap()).collect();
    // The rule for owners sees what the enrichers added.
    assert_eq!(tags, ["person1", "ann", "bob", "person1,ann,bob"]);
    assert!(last.ends_with("\n]"));
    assert!(!place.read_matching("-enriched0.json").contains("raito_owner"));
}

#[test]
fn an_enricher_that_loses_or_doubles_objects_fails_the_step() {
    for fault in ["drop", "twice", "other"] {
        let list = format!(
            "data-object-enrichers:\n  - {{name: e, connector-name: ENRICHER, word: x, fault: {fault}}}"
        );
        let place = enriched("", &list);
        let outcome = place.run(&[]).failed(30, "enricher `e`: 3 objects were handed over", "author");
        assert_eq!(outcome.steps("company"), ["data-source failed"], "{fault}");
        place.assert_nothing_imported();
    }
    let list = "data-object-enrichers:\n  - {name: e, connector-name: ENRICHER, word: x, fault: root}";
    assert_eq!(enriched("", list).run(&[]).steps("company"), ["data-source failed"]);
    let list = "data-object-enrichers:\n  - {name: e, connector-name: ENRICHER}";
    enriched("", list).run(&[]).failed(11, "enricher `e`: the parameter `word` is missing", "word");
    let list =
        format!("data-object-enrichers:\n  - {{name: e, connector-name: {}}}", guest("company").display());
    enriched("", &list).run(&[]).failed(
        21,
        "does not export `data-object-enricher`",
        "data-object-enrichers",
    );
    let alone =
        Place::with_targets(&[format!("name: t\nconnector-name: {}\nword: x", guest("enricher").display())]);
    alone.run(&[]).failed(21, "does not export an interface that takes part", "`identity-store`");
}

#[test]
fn a_data_source_with_the_id_of_one_of_its_objects_is_explained() {
    let place = Place::with_targets(&[company("data-source-id: hr")]);
    place.run(&[]).failed(
        3,
        "`data-source-id` is \"hr\", which is also the id of an object",
        "another `data-source-id`",
    );
    place.assert_nothing_imported();
}
