//! What is granted to the roles of a plan, in one database, one role after the other.
//!
//! The server sorts once and hands the rows over in parts, so that only the grants of one role and one part are held
//! here. The cursor can be set back to its beginning, and goes on showing what stood when it was declared.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use raito_connector::Result;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::databases::Databases;
use super::object::Object;
use crate::acl;
use crate::session::{Session, get};
use crate::vocabulary::Kind;

/// Rows that are fetched at once.
const PART: usize = 1000;

/// Privileges on objects.
pub(super) type Grants = BTreeMap<Object, BTreeMap<&'static str, Held>>;

/// A privilege that a role has on an object.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    /// Those who granted it: object ids of roles, and [`OWNER`].
    pub(super) grantors: BTreeSet<u32>,
    /// Those of them who granted it so that it can be passed on.
    pub(super) passed_on: BTreeSet<u32>,
}

/// Stands for the owner of the object as the one who granted: no role has this id.
pub(super) const OWNER: u32 = 0;

/// The grants of one database, on their way.
pub(super) struct Cursor {
    rows: VecDeque<Row>,
    ended: bool,
    /// Something was fetched since the beginning.
    moved: bool,
}

impl Cursor {
    /// Declares it, for these roles in this order.
    pub(super) fn declare(session: &mut Session, schemas: &[u32], roles: &[u32]) -> Result<Self> {
        if roles.is_empty() {
            return Ok(Cursor { rows: VecDeque::new(), ended: true, moved: false });
        }
        let entries = acl::entries();
        // All rows will be fetched: a plan that is quick with the first ones is the wrong one.
        session.execute("SET LOCAL cursor_tuple_fraction = 1")?;
        session.query(
            &format!(
                "DECLARE standing SCROLL CURSOR FOR {entries} \
                 SELECT w.place, e.kind, e.nsp, e.name, e.detail, e.privilege, e.grantor, e.grantor = e.owner, \
                 e.grantable \
                 FROM unnest($2) WITH ORDINALITY AS w (oid, place) JOIN entry e ON e.grantee = w.oid \
                 ORDER BY w.place"
            ),
            &[(&schemas, Type::OID_ARRAY), (&roles, Type::OID_ARRAY)],
        )?;
        Ok(Cursor { rows: VecDeque::new(), ended: false, moved: false })
    }

    fn rewind(&mut self, session: &mut Session) -> Result<()> {
        if self.moved {
            session.execute("MOVE ABSOLUTE 0 IN standing")?;
            *self = Cursor { rows: VecDeque::new(), ended: false, moved: false };
        }
        Ok(())
    }

    /// Adds what is granted to the role at a place, which is behind those asked for before.
    fn take(&mut self, place: i64, at: usize, session: &mut Session, grants: &mut Grants) -> Result<()> {
        loop {
            while let Some(row) = self.rows.front() {
                let of: i64 = get(row, 0)?;
                if of > place {
                    return Ok(());
                }
                if of == place {
                    add(row, at, grants)?;
                }
                self.rows.pop_front();
            }
            if self.ended {
                return Ok(());
            }
            self.moved = true;
            self.rows = session.query(&format!("FETCH {PART} FROM standing"), &[])?.into();
            self.ended = self.rows.len() < PART;
        }
    }
}

fn add(row: &Row, at: usize, grants: &mut Grants) -> Result<()> {
    // A kind or a privilege of a later server has no name here, and stays as it is.
    let Some(kind) = Kind::from_name(get(row, 1)?) else { return Ok(()) };
    let Some(word) = kind.privilege(get(row, 5)?) else { return Ok(()) };
    let object = Object { session: at, kind, schema: get(row, 2)?, name: get(row, 3)?, detail: get(row, 4)? };
    let grantor = if get(row, 7)? { OWNER } else { get(row, 6)? };
    let held = grants.entry(object).or_default().entry(word).or_default();
    held.grantors.insert(grantor);
    if get(row, 8)? {
        held.passed_on.insert(grantor);
    }
    Ok(())
}

impl Databases {
    /// Begins a round: grants are asked for from the first role on.
    pub(super) fn rewind(&mut self) -> Result<()> {
        for (_, session, cursor) in self.cursors() {
            cursor.rewind(session)?;
        }
        Ok(())
    }

    /// What is granted in the open databases to the role at a place, from 1, in the list that they were opened with.
    /// Places ascend in a round.
    pub(super) fn standing(&mut self, place: i64) -> Result<Grants> {
        let mut grants = Grants::new();
        for (at, session, cursor) in self.cursors() {
            cursor.take(place, at, session, &mut grants)?;
        }
        Ok(grants)
    }
}
