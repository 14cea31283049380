//! The documents, compiled against the published schema.

type Time = String;
type Duration = i64;

macro_rules! operations {
    ($path:tt: $($name:ident),+ $(,)?) => {$(
        #[derive(graphql_client::GraphQLQuery)]
        #[graphql(
            schema_path = "../docs/schema/raito-cloud.graphql",
            query_path = $path,
            response_derives = "Debug",
            variables_derives = "Deserialize",
            skip_serializing_none
        )]
        pub(super) struct $name;
    )+};
}

operations!("tests/server/typed/people.graphql":
    Myself, PersonById, PersonByEmail, People, NewPerson, ChangePerson, DropPerson, Invite, Uninvite, Password);
operations!("tests/server/typed/sources.graphql":
    Source, Sources, StoresOfSource, MasksOfSource, NewSource, ChangeSource, DropSource, LinkStore, UnlinkStore,
    Object, Objects);
operations!("tests/server/typed/stores.graphql":
    Store, Stores, NewStore, ChangeStore, DropStore, Master, OneGroup, Groups);
operations!("tests/server/typed/categories.graphql":
    OneCategory, Categories, NewCategory, ChangeCategory, DropCategory);
operations!("tests/server/typed/roles.graphql":
    OneRole, Roles, Assignments, OwnersOfStore, OwnersOfSource, OwnersOfObject, OwnersOfAccess, RolesOfPerson,
    GiveGlobal, TakeGlobal, SetGlobal, GiveOnStore, TakeFromStore, SetOnStore, GiveOnObject, TakeFromObject,
    SetOnObject, GiveOnSource, TakeFromSource, SetOnSource, GiveOnAccess, TakeFromAccess, SetOnAccess);
operations!("tests/server/typed/access.graphql":
    OneControl, Controls, NewControl, ChangeControl, DropControl, Activate, Deactivate, Who, What, WhatControls,
    RuleScope);
operations!("tests/server/typed/jobs.graphql": OneJob, Jobs);
