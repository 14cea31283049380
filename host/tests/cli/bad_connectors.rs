//! Files that are no connectors, and connectors that do not fit.

use crate::place::{Place, guest};

/// A place whose one target has this connector.
fn with_connector(name: &str) -> Place {
    Place::with_targets(&[format!("name: t\nconnector-name: {name}")])
}

#[test]
fn what_is_no_component_is_refused_by_what_it_is() {
    let component = std::fs::read(guest("company")).unwrap();
    let mut damaged = component.clone();
    damaged[component.len() / 2..].fill(0xff);
    for (content, cause) in [
        (&b"(component)\n"[..], "is not a WebAssembly component, but text"),
        (b"\0asm\x01\0\0\0", "is not a WebAssembly component, but a WebAssembly core module"),
        (b"", "is not a WebAssembly component, but an empty file"),
        (b"\x7fELF\x02\x01\x01", "is not a WebAssembly component, but machine code"),
        (b"\0asm\x0d\0\x02\0", "is not a WebAssembly component, but WebAssembly of an unknown version"),
        (&component[..component.len() / 2], "is not a valid WebAssembly component: "),
        (&damaged, "is not a valid WebAssembly component: "),
    ] {
        let place = with_connector("./x.wasm");
        place.write("x.wasm", content);
        let outcome = place.run(&[]).failed(20, cause, "wasm32-wasip2");
        assert_eq!(outcome.stderr.lines().count(), 2, "{outcome:?}");
        assert_eq!(outcome.target("t")["failure"]["kind"], "connector-load");
        place.assert_nothing_imported();
        place.raito(&["info", "./x.wasm"]).finish().failed(20, cause, "wasm32-wasip2");
    }
}

#[test]
fn a_connector_that_is_not_there_is_named_with_the_places() {
    with_connector("nowhere").run(&[]).failed(
        20,
        "the connector `nowhere` was not found",
        ".raito/connectors/nowhere.wasm",
    );
    with_connector("./nowhere.wasm").run(&[]).failed(20, "`./nowhere.wasm` was not found", "nowhere.wasm");
    with_connector("some/where").run(&[]).failed(
        20,
        "the connector `some/where` of Raito's own CLI has no counterpart here",
        ".wasm file",
    );
    with_connector("../up/and/away").run(&[]).failed(20, "was not found", "up/and/away");
}

#[test]
fn a_connector_without_any_step_lacks_an_export() {
    let place = with_connector(&guest("only-info").display().to_string());
    place.run(&[]).failed(
        21,
        "only-info.wasm does not export an interface that takes part",
        "`identity-store`",
    );
    place.assert_nothing_imported();
    place.raito(&["info", &guest("only-info").display().to_string()]).finish().succeeded();
}

#[test]
fn an_import_that_is_not_offered_is_named_before_anything_runs() {
    // A session with Raito Cloud is for connectors that manage its resources. This one hides that it does.
    let mut component = std::fs::read(guest("session")).unwrap();
    let (name, other) =
        (b"raito:connector/resource-provider@0.1.0", b"raito:connector/resource-provided@0.1.0");
    for at in 0..component.len() - name.len() {
        if component[at..].starts_with(name) {
            component[at..at + name.len()].copy_from_slice(other);
        }
    }
    let place = with_connector("./x.wasm");
    place.write("x.wasm", component);
    place.run(&[]).failed(20, "raito:connector/cloud-session@0.1.0", "newer version");
    place.assert_nothing_imported();
}

#[test]
fn connectors_of_raitos_own_cli_are_ours_where_there_is_one() {
    with_connector("raito-io/cli-plugin-snowflake").run(&[]).failed(
        20,
        "`raito-io/cli-plugin-snowflake` of Raito's own CLI has no counterpart here",
        "raito-io/cli-plugin-snowflake.wasm",
    );
    with_connector("raito-io/cli-plugin-postgres").run(&[]).failed(20, "was not found", "postgres.wasm");
    let connector = std::fs::read(guest("company")).unwrap();
    for file in ["postgres.wasm", "raito-io/cli-plugin-postgres.wasm"] {
        let place = with_connector("raito-io/cli-plugin-postgres\nconnector-version: v0.4.2");
        place.write(&format!("raito/connectors/{file}"), &connector);
        let outcome = place.run(&[]).succeeded();
        let told = "warning: t: `connector-version` 0.4.2 is a version of another program";
        assert!(outcome.stderr.contains(told), "{outcome:?}");
    }
}

#[test]
fn a_version_that_the_connector_does_not_have_is_refused() {
    let connector = guest("company").display().to_string();
    with_connector(&format!("{connector}\nconnector-version: 1.2.4")).run(&[]).failed(
        20,
        "is version 1.2.3, and `connector-version` asks for 1.2.4",
        "latest",
    );
    with_connector(&format!("{connector}\nconnector-version: v1.2.3")).run(&[]).succeeded();
}
