//! Who is granted what, in one database, ordered by grantee.
//!
//! An owner's own rights are not listed one by one; the owner has [`OWNERSHIP`].

use raito_connector::{DataObjectReference, Result, WhatItem};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::acl;
use crate::names;
use crate::schemas;
use crate::session::{Rows, Session, get};
use crate::settings::Settings;
use crate::vocabulary::OWNERSHIP;

/// The grants of one database, on their way.
pub(super) struct GrantCursor {
    session: Session,
    schemas: Vec<u32>,
    rows: Rows,
    head: Option<Row>,
}

impl GrantCursor {
    /// Starts reading.
    pub(super) fn open(mut session: Session, settings: &Settings) -> Result<Self> {
        let schemas = schemas::covered_oids(&mut session, settings)?;
        let mut rows = session.rows(&statement(), &[(&schemas, Type::OID_ARRAY)])?;
        let head = session.next(&mut rows)?;
        Ok(GrantCursor { session, schemas, rows, head })
    }

    /// Takes what is granted to a role. Roles must be asked for in the order of their object ids; those in between
    /// are passed over.
    pub(super) fn take(&mut self, grantee: u32, what: &mut Vec<WhatItem>) -> Result<()> {
        while let Some(row) = &self.head {
            let of: u32 = get(row, 0)?;
            if of > grantee {
                break;
            }
            if of == grantee {
                what.push(item(self.session.database(), row)?);
            }
            self.head = self.session.next(&mut self.rows)?;
        }
        Ok(())
    }

    /// Gives the session back, with the schemas that the target covers.
    pub(super) fn finish(mut self) -> Result<(Session, Vec<u32>)> {
        while self.head.take().is_some() {
            self.head = self.session.next(&mut self.rows)?;
        }
        Ok((self.session, self.schemas))
    }
}

fn item(database: &str, row: &Row) -> Result<WhatItem> {
    let (kind, schema, name, detail): (&str, &str, &str, &str) =
        (get(row, 1)?, get(row, 2)?, get(row, 3)?, get(row, 4)?);
    let full_name = match kind {
        "database" => names::path([database]),
        "schema" => names::path([database, schema]),
        "column" => names::path([database, schema, name, detail]),
        "function" | "procedure" => names::routine_path(database, schema, name, detail),
        _ => names::path([database, schema, name]),
    };
    Ok(WhatItem {
        object: DataObjectReference { full_name, object_type: kind.to_owned() },
        permissions: get(row, 5)?,
    })
}

fn statement() -> String {
    let entries = acl::entries();
    format!(
        "{entries}, held AS (\
           SELECT grantee, kind, nsp, name, detail, privilege FROM entry \
           UNION ALL SELECT owner, kind, nsp, name, detail, '{OWNERSHIP}' FROM object) \
         SELECT grantee, kind, nsp, name, detail, array_agg(DISTINCT privilege ORDER BY privilege) FROM held \
         GROUP BY grantee, kind, nsp, name, detail \
         ORDER BY grantee, nsp COLLATE \"C\", name COLLATE \"C\", detail COLLATE \"C\", kind"
    )
}
