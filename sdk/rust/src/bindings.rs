//! Everything that is generated from the contract in `wit/`, in one place.
//!
//! The contract has one world per exported interface. Each is generated on its own, so that a connector
//! exports exactly the interfaces that it implements; all of them share the types of [`imports`]. The macros
//! that `wit-bindgen` makes for the exports are called by [`export!`](crate::export) alone.
#![expect(missing_docs, reason = "generated from the contract, which documents every item")]
#![expect(clippy::pedantic, reason = "generated code")]

/// What the host offers to connectors.
pub mod imports {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "host-imports",
        generate_all,
    });
}

/// TLS, terminated by the host: certificates and cryptography stay out of the sandbox.
pub mod tls {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "wasi:tls/imports",
        features: ["tls"],
        with: {
            "wasi:io/error@0.2.12": wasip2::io::error,
            "wasi:io/poll@0.2.12": wasip2::io::poll,
            "wasi:io/streams@0.2.12": wasip2::io::streams,
            "wasi:tls/types@0.2.0-draft": generate,
        },
    });
}

macro_rules! exported {
    ($module:ident, $world:literal, { $($interface:literal: $path:ident),* }) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "../../wit",
                world: $world,
                pub_export_macro: true,
                with: {
                    $($interface: crate::bindings::imports::raito::connector::$path,)*
                },
            });
        }
    };
}

exported!(info, "info-connector", {});
exported!(identity_store, "identity-store-connector", {
    "raito:connector/types@0.1.0": types,
    "raito:connector/identities@0.1.0": identities
});
exported!(data_source, "data-source-connector", {
    "raito:connector/types@0.1.0": types,
    "raito:connector/data-objects@0.1.0": data_objects
});
exported!(access, "access-connector", {
    "raito:connector/types@0.1.0": types,
    "raito:connector/filters@0.1.0": filters,
    "raito:connector/access-controls@0.1.0": access_controls
});
exported!(data_usage, "data-usage-connector", {
    "raito:connector/types@0.1.0": types,
    "raito:connector/filters@0.1.0": filters,
    "raito:connector/access-controls@0.1.0": access_controls,
    "raito:connector/statements@0.1.0": statements
});
exported!(tags, "tags-connector", {
    "raito:connector/types@0.1.0": types,
    "raito:connector/tag-assignments@0.1.0": tag_assignments
});
exported!(data_object_enricher, "data-object-enricher-connector", {
    "raito:connector/types@0.1.0": types,
    "raito:connector/data-objects@0.1.0": data_objects
});
exported!(resource_provider, "resource-provider-connector", {
    "raito:connector/types@0.1.0": types
});
