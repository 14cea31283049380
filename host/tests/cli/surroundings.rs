//! What surrounds a connector: no environment, no arguments, no input, nobody to listen to.

use crate::network::{outcome_of, probe};

#[test]
fn environment_arguments_and_input_are_empty() {
    let place = probe("surroundings: true", "");
    let input = place.write("input", "from the terminal\n");
    place
        .raito(&["run", "--format", "json"])
        .env("RAITO_TEST_TOLD", "something")
        .env("DATABASE_PASSWORD", "hunter22")
        .input(input)
        .finish()
        .succeeded();
    let outcome = outcome_of(&place, "surroundings");
    println!("surroundings: {outcome}");
    assert_eq!(outcome, "got environment [] arguments [] input \"\" true");
}

#[test]
fn listening_and_datagrams_are_denied_whatever_is_granted() {
    for sandbox in ["", "sandbox:\n  network: [\"127.0.0.1:9\", \"localhost:9\"]"] {
        let place = probe("listen: true", sandbox);
        let outcome = place.run(&[]).failed(
            22,
            "p: identity store: denied: listening for connections (and 1 more)",
            "no grant",
        );
        println!("listen: {}", outcome.stderr.lines().next().unwrap());
        place.assert_nothing_imported();
    }
}
