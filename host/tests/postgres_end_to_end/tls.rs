//! A server that offers TLS: its certificate is checked against the `ca-file` and against the name.

use raito_test_servers::{Authority, Postgres};

use crate::place::{Outcome, Place, connector, finish};

/// Runs a target that asks for TLS, with this much of a sandbox block besides the grant.
fn run(server: &Postgres, host: &str, authority: &Authority, sandbox: &str) -> Outcome {
    let place = Place::new();
    place.write("ca.pem", authority.pem());
    let (port, password) = (server.port(), server.password());
    place.write(
        "raito.yml",
        &format!(
            "embedded: true\ntargets:\n  - name: encrypted\n    connector-name: {}\n    data-source-id: encrypted\n    \
             identity-store-id: people\n    pg-host: {host}\n    pg-port: {port}\n    pg-user: postgres\n    \
             pg-password: {password}\n    pg-tls-mode: verify-full\n    sandbox:\n      network: [\"{host}:{port}\"]\n{sandbox}",
            connector().display()
        ),
    );
    finish(place.raito(&["run", "--format", "json"]))
}

#[test]
fn certificates_are_checked() {
    let authority = Authority::new();
    let server = Postgres::start_with_tls(&authority.certificate("localhost"));
    let trusting = "      ca-file: ca.pem\n";

    // Nobody gets in without TLS, so a run that succeeds was encrypted.
    let outcome = run(&server, "localhost", &authority, trusting).succeeded();
    assert_eq!(outcome.steps("encrypted")[1], "identity-store: users 1/0/0/0");

    // A certificate that nobody vouches for, one of another authority, one for another name.
    run(&server, "localhost", &authority, "").failed(13, "certificate", "");
    run(&server, "localhost", &Authority::new(), trusting).failed(13, "certificate", "");
    run(&server, "127.0.0.1", &authority, trusting).failed(13, "certificate", "");
}
