//! What goes wrong while connecting: each with the variant that helps the person who reads it.

use raito_connector::Error;
use raito_connector_postgres::session::Session;
use raito_connector_postgres::{identities, objects};

use crate::server::Server;

#[test]
fn failures_to_connect_are_typed() {
    let server = Server::start();
    let open = |more: &[(&str, &str)]| {
        let settings = server.settings(more);
        Session::open(&settings, &settings.database).map(|_| ())
    };
    assert!(matches!(open(&[]), Ok(())));
    assert!(matches!(open(&[("pg-password", "wrong")]), Err(Error::Authentication(_))));
    assert!(matches!(open(&[("pg-user", "nobody")]), Err(Error::Authentication(_))));
    assert!(
        matches!(open(&[("pg-password", "")]), Err(Error::MissingParameter(problem)) if problem.name == "pg-password")
    );
    assert!(
        matches!(open(&[("pg-database", "nowhere")]), Err(Error::BadParameter(problem)) if problem.name == "pg-database")
    );
    assert!(matches!(open(&[("pg-port", "1")]), Err(Error::Connection(_))));
    // The server has no TLS, which is the default of the connector.
    let without_tls = open(&[("pg-tls-mode", "verify-full")]);
    assert!(
        matches!(&without_tls, Err(Error::Connection(why)) if why.contains("pg-tls-mode")),
        "{without_tls:?}"
    );
    let refused = open(&[("pg-password", "wrong secret")]);
    assert!(!format!("{refused:?}").contains("wrong secret"));

    let missing = server.settings(&[("pg-databases", "postgres,nowhere")]);
    let scope = raito_connector::SyncScope { parent: None, excludes: vec![] };
    let outcome = objects::objects(&missing, &scope, |_| Ok(()));
    assert!(matches!(outcome, Err(Error::BadParameter(problem)) if problem.name == "pg-databases"));

    // A sink's refusal ends the step.
    let settings = server.settings(&[]);
    let refused = identities::users(&settings, |_| Err(Error::other("enough")));
    assert!(matches!(refused, Err(Error::Other(why)) if why == "enough"));
}
