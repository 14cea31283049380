//! Targets do not stand in each other's way.

use crate::five_steps::{EVERYTHING, company};
use crate::place::{Place, guest};

fn broken(name: &str, fault: &str) -> String {
    format!("name: {name}\nconnector-name: {}\nfault: {fault}", guest("broken").display())
}

#[test]
fn a_target_that_fails_does_not_stop_the_next() {
    let place = Place::with_targets(&[broken("first", "authentication"), company("")]);
    let outcome = place.run(&[]).failed(
        12,
        "first: identity store: the target refused the sign-in: no such password",
        "password",
    );
    assert_eq!(outcome.steps("first"), ["identity-store failed"]);
    assert_eq!(outcome.steps("company"), EVERYTHING);
    assert!(outcome.target("company")["failure"].is_null());
    let status = place.status();
    let source = |name: &str| {
        let sources = status["dataSources"].as_array().unwrap();
        sources.iter().find(|source| source["name"] == name).unwrap().clone()
    };
    assert_eq!((&source("company")["users"], &source("company")["statements"]), (&3.into(), &5.into()));
    assert_eq!(source("first")["users"], 0);
    assert_eq!(source("first")["lastSync"]["status"], "FAILED");
}

#[test]
fn different_failures_have_a_code_of_their_own() {
    let place = Place::with_targets(&[broken("a", "authentication"), broken("b", "panic"), company("")]);
    let outcome = place.run(&[]);
    let outcome = outcome.failed(9, "a: identity store: the target refused the sign-in", "password").failed(
        9,
        "b: identity store: the connector broke off",
        "--debug",
    );
    assert_eq!(outcome.steps("company"), EVERYTHING);
    let place = Place::with_targets(&[broken("a", "connection"), broken("b", "rate-limited")]);
    place.run(&[]).failed(13, "a: identity store: the target cannot be reached", "").failed(
        13,
        "b: identity store: the target asks to slow down",
        "1m 30s",
    );
}

#[test]
fn a_target_that_cannot_even_be_loaded_does_not_stop_the_next() {
    let place = Place::with_targets(&["name: gone\nconnector-name: gone".to_owned(), company("")]);
    let outcome = place.run(&[]).failed(20, "gone: the connector `gone` was not found", "");
    assert_eq!(outcome.steps("company"), EVERYTHING);
    assert!(outcome.target("gone")["jobId"].is_null());
}
