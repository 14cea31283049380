//! Everything that is generated from the contract in `wit/`, in one place: the types of the records, the traits
//! of what the host offers, and typed handles on what a connector exports.
//!
//! The exported interfaces are looked up one by one ([`exports`]), because a connector exports only those that it
//! implements. Calls into the guest are asynchronous, so that a time-out can end them wherever they wait; the
//! sinks are not: they are called for every batch.

mod generated {
    #![expect(missing_docs, reason = "generated from the contract, which documents every item")]
    wasmtime::component::bindgen!({
        path: "../wit",
        inline: "
            package raito:host;
            world host {
                import wasi:logging/logging@0.1.0-draft;
                import raito:connector/identities@0.1.0;
                import raito:connector/data-objects@0.1.0;
                import raito:connector/access-controls@0.1.0;
                import raito:connector/statements@0.1.0;
                import raito:connector/tag-assignments@0.1.0;
                import raito:connector/cloud-session@0.1.0;
                export raito:connector/info@0.1.0;
                export raito:connector/identity-store@0.1.0;
                export raito:connector/data-source@0.1.0;
                export raito:connector/access@0.1.0;
                export raito:connector/data-usage@0.1.0;
                export raito:connector/tags@0.1.0;
                export raito:connector/data-object-enricher@0.1.0;
                export raito:connector/resource-provider@0.1.0;
            }
        ",
        world: "raito:host/host",
        imports: {
            "raito:connector/cloud-session.graphql": async | trappable,
            default: trappable,
        },
        exports: { default: async },
        with: {
            "raito:connector/identities.user-sink": crate::sinks::UserSink,
            "raito:connector/identities.group-sink": crate::sinks::GroupSink,
            "raito:connector/data-objects.data-object-sink": crate::sinks::DataObjectSink,
            "raito:connector/data-objects.data-object-source": crate::sinks::DataObjectSource,
            "raito:connector/access-controls.access-control-sink": crate::sinks::AccessControlSink,
            "raito:connector/access-controls.access-control-source": crate::sinks::AccessControlSource,
            "raito:connector/access-controls.feedback-sink": crate::sinks::FeedbackSink,
            "raito:connector/access-controls.plan-sink": crate::sinks::PlanSink,
            "raito:connector/statements.statement-sink": crate::sinks::StatementSink,
            "raito:connector/tag-assignments.tag-sink": crate::sinks::TagSink,
        },
    });
}

pub use generated::exports::raito::connector as exports;
pub use generated::raito::connector::{
    access_controls, cloud_session, data_objects, filters, identities, statements, tag_assignments, types,
};
pub use generated::wasi::logging::logging;
