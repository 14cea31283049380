//! Default privileges: what is granted on objects that a creator makes later.

use raito_connector::{AccessControl, DataObjectReference, Result, WhatItem};
use tokio_postgres::types::Type;

use super::{locked, named};
use crate::cluster::{Cluster, PUBLIC};
use crate::metadata::ACL_SET;
use crate::names;
use crate::session::{Session, get};
use crate::settings::Settings;
use crate::vocabulary::{FUTURE_OBJECTS, Kind, future_permission};

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
        "SELECT d.defaclrole, coalesce(n.nspname::text, ''), d.defaclobjtype::text, a.grantee, \
         array_agg(DISTINCT a.privilege_type ORDER BY a.privilege_type) \
         FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace \
         CROSS JOIN LATERAL aclexplode(d.defaclacl) a \
         WHERE (n.oid IS NULL OR n.oid = ANY ($1)) AND a.grantee <> d.defaclrole \
         GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
        &[(&schemas, Type::OID_ARRAY)],
        |row| {
            let (creator, schema, objects, grantee): (u32, &str, &str, u32) =
                (get(row, 0)?, get(row, 1)?, get(row, 2)?, get(row, 3)?);
            let privileges: Vec<&str> = get(row, 4)?;
            let creator = cluster.name(creator).unwrap_or_default();
            let grantee_name =
                if grantee == PUBLIC { "public" } else { cluster.name(grantee).unwrap_or_default() };
            let known = FUTURE_OBJECTS.iter().find(|(code, ..)| *code == objects);
            // A kind of objects that later servers may add has no permissions that the metadata declares.
            let Some((_, objects, _)) = known else { return Ok(()) };
            if !settings.covers_role(creator) || !settings.covers_role(grantee_name) {
                return Ok(());
            }
            let (kind, full_name) = if schema.is_empty() {
                (Kind::Database, names::path([database.as_str()]))
            } else {
                (Kind::Schema, names::path([database.as_str(), schema]))
            };
            let id = names::path([&database, creator, schema, objects, grantee_name]);
            let holders = cluster.beneficiaries(&[grantee], settings);
            take(AccessControl {
                external_id: format!("default:{id}"),
                name: format!(
                    "Default privileges of {creator} on {} in {full_name} for {grantee_name}",
                    objects.to_lowercase()
                ),
                incomplete: holders.left_out,
                who: Some(holders.who()),
                what: vec![WhatItem {
                    object: DataObjectReference { full_name, object_type: kind.name().into() },
                    permissions: privileges.iter().map(|one| future_permission(one, objects)).collect(),
                }],
                locks: locked("default privileges belong to the role that creates the objects"),
                ..named(&id, ACL_SET)
            })
        },
    )
}
