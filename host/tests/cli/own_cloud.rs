//! `raito cloud serve` as a process of its own: runs sign in to it as they would to Raito Cloud.

use serde_json::json;

use crate::five_steps::{EVERYTHING, company};
use crate::place::{Outcome, Place, Raito};
use crate::served::{PASSWORD, Served, configure};
use crate::servers::closed_port;

fn raito(place: &Place, secret: &str) -> Raito {
    place.raito(&["run", "--format", "json"]).env("SECRET", secret)
}

pub(crate) fn run(place: &Place, secret: &str) -> Outcome {
    let outcome = raito(place, secret).finish();
    for text in [&outcome.stdout, &outcome.stderr, &place.read("raito.log")] {
        assert!(!text.contains(secret), "the secret was shown: {text}");
        assert!(!text.contains("eyJ"), "a token was shown: {text}");
    }
    outcome
}

#[test]
fn a_run_signs_in_and_a_wrong_secret_is_refused() {
    let place = Place::new();
    let served = Served::start(&place);
    let (source, store) = served.data_source("Company");
    configure(&place, &served.url, (&source, &store), "");

    let outcome = run(&place, "Wrong-Horse-8");
    let outcome = outcome.failed(4, "company: sign-in failed for admin@acme.example", "api-secret");
    assert_eq!(outcome.target("company")["failure"]["kind"], "cloud-sign-in");
    assert!(outcome.target("company")["jobId"].is_null());

    assert_eq!(run(&place, PASSWORD).succeeded().steps("company"), EVERYTHING);
    let again = run(&place, PASSWORD).succeeded();
    assert!(again.steps("company").iter().all(|line| line.ends_with(" 0/0/0/0")), "{again:?}");
    assert_eq!(run(&place, "Wrong-Horse-8").code, 4);

    let (code, words) = served.stop();
    assert!(code == Some(0) && words.ends_with("stopping\n"), "{code:?}: {words}");
    assert!(!words.contains("Wrong-Horse-8") && words.contains("a sign-in was refused"), "{words}");
    let status =
        place.raito(&["cloud", "status", "--format", "json", "--data-dir", "served"]).finish().succeeded();
    let found = &status.json()["dataSources"][0];
    assert_eq!((&found["users"], &found["statements"]), (&json!(3), &json!(5)));
    assert_eq!(place.holds(PASSWORD), None, "the password lies in a file");
}

#[test]
fn access_controls_made_in_the_cloud_are_applied_and_failures_told() {
    let place = Place::new();
    let served = Served::start(&place);
    let (source, store) = served.data_source("Company");
    configure(&place, &served.url, (&source, &store), "");
    run(&place, PASSWORD).succeeded();
    for name in ["readers", "writers"] {
        let made = served.graphql(
            "mutation($input: AccessProviderInput!){createAccessProvider(input: $input, enableAdditionalAccessRequests: false)\
             {__typename ... on AccessProviderWithOptionalAccessRequests{accessProvider{id}} ... on BaseError{message}}}",
            &json!({ "input": { "name": name, "namingHint": name, "action": "Grant", "whoItems": [],
                "whatDataObjects": [{ "globalPermissions": ["READ"], "permissions": [],
                    "dataObjectByName": [{ "fullname": "hr.salaries", "datasource": source }] }],
                "dataSources": [{ "dataSource": source, "type": "key" }] } }),
        );
        assert!(made["createAccessProvider"]["accessProvider"]["id"].is_string(), "{made}");
    }
    configure(&place, &served.url, (&source, &store), "failing: writers");
    let outcome = run(&place, PASSWORD).failed(
        31,
        "company: 1 access controls could not be applied: writers: the lock is rusty",
        "the others were applied",
    );
    let steps = outcome.steps("company");
    assert_eq!(steps[3], "access-to-target access controls 0/1/0/1");
    let applied = outcome.target("company")["steps"][2]["results"][0].clone();
    assert_eq!(applied["total"], 2, "{applied:#}");
    assert_eq!(steps[5], "data-usage statements 0/0/0/0", "everything else was done");

    configure(&place, &served.url, (&source, &store), "");
    let outcome = run(&place, PASSWORD).succeeded();
    assert!(outcome.steps("company")[3].ends_with("/0/0"), "{outcome:?}");
}

#[test]
fn a_cloud_that_is_not_reached_has_a_code_of_its_own() {
    let place = Place::new();
    let url = format!("http://127.0.0.1:{}/", closed_port());
    configure(&place, &url, ("a", "b"), "");
    let outcome = run(&place, PASSWORD).failed(5, "cannot reach 127.0.0.1:", "raito-url-override");
    assert_eq!(outcome.target("company")["failure"]["kind"], "cloud");
}

#[test]
fn a_data_folder_belongs_to_one_process() {
    let place = Place::with_targets(&[company("")]);
    let served = Served::start(&place);
    place.run(&["--embedded-data-dir", "served"]).failed(
        5,
        "served is used by another process",
        "`embedded-data-dir`",
    );
    place
        .raito(&["cloud", "serve", "--listen", "127.0.0.1:0", "--data-dir", "served", "--domain", "acme"])
        .finish()
        .failed(5, "served is used by another process", "--data-dir");
    // Looking is no use.
    place.raito(&["cloud", "status", "--data-dir", "served"]).finish().succeeded();
    assert_eq!(served.stop().0, Some(0));
    place.run(&["--embedded-data-dir", "served"]).failed(
        5,
        "the data folder belongs to the domain `acme`",
        "`embedded-data-dir`",
    );
}
