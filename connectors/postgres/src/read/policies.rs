//! Row security policies, as filters.
//!
//! Only those of tables where row security is switched on: the others have no effect. What Raito cannot say about a
//! policy (that it narrows others, that it is about writing) makes it incomplete.

use raito_connector::{AccessControl, Action, DataObjectReference, Result, WhatItem};
use tokio_postgres::types::Type;

use super::{locked, made_by_file, made_by_raito, named, unlocked};
use crate::cluster::Cluster;
use crate::metadata::POLICY;
use crate::names;
use crate::session::{Session, get};
use crate::settings::Settings;
use crate::vocabulary::Kind;

/// The external id of a policy.
pub(crate) fn policy_id(database: &str, schema: &str, table: &str, policy: &str) -> String {
    format!("policy:{}", names::path([database, schema, table, policy]))
}

/// Reads those of the session's database.
pub(super) fn read(
    session: &mut Session,
    schemas: &[u32],
    cluster: &Cluster,
    settings: &Settings,
    take: &mut impl FnMut(AccessControl) -> Result<()>,
) -> Result<()> {
    let database = session.database().to_owned();
    session.for_each(
        "SELECT n.nspname::text, c.relname::text, p.polname::text, p.polpermissive, p.polcmd::text, p.polroles, \
         pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid), \
         obj_description(p.oid, 'pg_policy') \
         FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relrowsecurity AND n.oid = ANY ($1) ORDER BY c.oid, p.polname COLLATE \"C\"",
        &[(&schemas, Type::OID_ARRAY)],
        |row| {
            let (schema, table, policy): (&str, &str, &str) = (get(row, 0)?, get(row, 1)?, get(row, 2)?);
            let (permissive, command, roles): (bool, &str, Vec<u32>) = (get(row, 3)?, get(row, 4)?, get(row, 5)?);
            let (using, check): (Option<&str>, Option<&str>) = (get(row, 6)?, get(row, 7)?);
            let holders = cluster.beneficiaries(&roles, settings);
            let plain = permissive && matches!(command, "r" | "*") && check.is_none();
            take(AccessControl {
                external_id: policy_id(&database, schema, table, policy),
                action: Action::Filtered,
                policy: match (using, check) {
                    (Some(using), _) => using.to_owned(),
                    (None, Some(check)) => format!("WITH CHECK {check}"),
                    (None, None) => String::new(),
                },
                incomplete: !plain || holders.left_out,
                who: Some(holders.who()),
                what: vec![WhatItem {
                    object: DataObjectReference {
                        full_name: names::path([&database, schema, table]),
                        object_type: Kind::Table.name().into(),
                    },
                    permissions: Vec::new(),
                }],
                locks: match get(row, 8)? {
                    comment if !made_by_raito(comment) => {
                        locked("a row security policy that was not made by Raito")
                    }
                    comment => made_by_file(comment)
                        .map_or_else(unlocked, |file| locked(&format!("managed by {file}"))),
                },
                ..named(policy, POLICY)
            })
        },
    )
}
