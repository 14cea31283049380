//! What belongs to the whole cluster: databases, roles and memberships.
//!
//! All of it is held in memory. A role with login can itself have members, who then have what it has. Raito knows
//! users and access controls, so such a role is followed through: [`Cluster::holders`] gives the users and the roles
//! without login that end up with what a role has.

use std::collections::{BTreeMap, BTreeSet};

use raito_connector::{Error, Result, Who};

use crate::session::{Session, get};
use crate::settings::{Databases, Settings};

/// A role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    /// Stands for the role in the catalogues of every database.
    pub(crate) oid: u32,
    pub(crate) name: String,
    /// A user; otherwise an access control.
    pub(crate) login: bool,
    pub(crate) superuser: bool,
    pub(crate) bypasses_row_security: bool,
    /// When its password ends, in the server's words.
    pub(crate) valid_until: Option<String>,
    pub(crate) comment: Option<String>,
}

impl Role {
    /// One that the server brought along.
    pub(crate) fn predefined(&self) -> bool {
        self.name.starts_with("pg_")
    }
}

/// The object id that stands for everybody.
pub(crate) const PUBLIC: u32 = 0;

/// The roles of a cluster and their memberships.
pub(crate) struct Cluster {
    pub(crate) roles: BTreeMap<String, Role>,
    /// Members of a role, by its name, each with those who granted the membership.
    members: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    /// Those who granted a membership so that the member may give it to others, by role and member.
    handed_on: BTreeMap<(String, String), BTreeSet<String>>,
}

impl Cluster {
    /// Reads it.
    pub(crate) fn read(session: &mut Session) -> Result<Self> {
        let mut roles = BTreeMap::new();
        session.for_each(
            "SELECT oid, rolname::text, rolcanlogin, rolsuper, rolbypassrls, \
             CASE WHEN rolvaliduntil < 'infinity' THEN rolvaliduntil::text END, \
             shobj_description(oid, 'pg_authid') FROM pg_roles",
            &[],
            |row| {
                let role = Role {
                    oid: get(row, 0)?,
                    name: get(row, 1)?,
                    login: get(row, 2)?,
                    superuser: get(row, 3)?,
                    bypasses_row_security: get(row, 4)?,
                    valid_until: get(row, 5)?,
                    comment: get(row, 6)?,
                };
                roles.insert(role.name.clone(), role);
                Ok(())
            },
        )?;
        let mut members: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
        let mut handed_on: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        session.for_each(
            "SELECT r.rolname::text, m.rolname::text, coalesce(g.rolname::text, ''), a.admin_option FROM pg_auth_members a \
             JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member \
             LEFT JOIN pg_roles g ON g.oid = a.grantor",
            &[],
            |row| {
                let (role, member, grantor): (String, String, String) = (get(row, 0)?, get(row, 1)?, get(row, 2)?);
                if get(row, 3)? {
                    let grantors = handed_on.entry((role.clone(), member.clone())).or_default();
                    grantors.insert(grantor.clone());
                }
                members.entry(role).or_default().entry(member).or_default().insert(grantor);
                Ok(())
            },
        )?;
        Ok(Cluster { roles, members, handed_on })
    }

    /// Those who granted a membership so that the member may give it to others.
    pub(crate) fn handed_on(&self, role: &str, member: &str) -> Option<&BTreeSet<String>> {
        self.handed_on.get(&(role.to_owned(), member.to_owned()))
    }

    /// Direct members of a role, each with those who granted the membership.
    pub(crate) fn members(&self, role: &str) -> impl Iterator<Item = (&Role, &BTreeSet<String>)> {
        let members = self.members.get(role);
        members.into_iter().flatten().filter_map(|(name, grantors)| Some((self.roles.get(name)?, grantors)))
    }

    /// The users and the access controls that have what a role has: its members, and through members with login
    /// also theirs. The role itself is not among them.
    pub(crate) fn holders(&self, role: &str, settings: &Settings) -> Holders {
        let mut holders = Holders::default();
        let mut seen = BTreeSet::from([role]);
        let mut open = vec![(role, true)];
        while let Some((of, direct)) = open.pop() {
            for (member, _) in self.members(of) {
                if !seen.insert(&member.name) {
                    continue;
                }
                holders.indirect |= !direct;
                if member.login {
                    open.push((&member.name, false));
                }
                if !settings.covers_role(&member.name) {
                    holders.left_out = true;
                } else if member.login {
                    holders.users.insert(member.name.clone());
                } else {
                    holders.roles.insert(member.name.clone());
                }
            }
        }
        holders
    }

    /// The beneficiaries of something that is granted to these roles, by object id; 0 is PUBLIC, everybody.
    pub(crate) fn beneficiaries(&self, roles: &[u32], settings: &Settings) -> Holders {
        let mut all = Holders::default();
        if roles.contains(&PUBLIC) {
            all.users = self.users(settings);
            return all;
        }
        for role in self.roles.values().filter(|role| roles.contains(&role.oid)) {
            if !settings.covers_role(&role.name) {
                all.left_out = true;
            } else if role.login {
                let Holders { users, roles, indirect, left_out } = self.holders(&role.name, settings);
                all.users.extend(users);
                all.users.insert(role.name.clone());
                all.roles.extend(roles);
                all.indirect |= indirect;
                all.left_out |= left_out;
            } else {
                all.roles.insert(role.name.clone());
            }
        }
        all
    }

    /// The name of a role, by its object id.
    pub(crate) fn name(&self, oid: u32) -> Option<&str> {
        self.roles.values().find(|role| role.oid == oid).map(|role| role.name.as_str())
    }

    /// Everybody who can log in.
    pub(crate) fn users(&self, settings: &Settings) -> BTreeSet<String> {
        let users = self.roles.values().filter(|role| role.login && settings.covers_role(&role.name));
        users.map(|role| role.name.clone()).collect()
    }
}

/// Who has what a role has.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Holders {
    pub(crate) users: BTreeSet<String>,
    pub(crate) roles: BTreeSet<String>,
    /// Some hold it through a member with login.
    pub(crate) indirect: bool,
    /// Some are roles that the target leaves alone.
    pub(crate) left_out: bool,
}

impl Holders {
    /// As the beneficiaries of an access control that is read.
    pub(crate) fn who(self) -> Who {
        Who {
            users: self.users.into_iter().collect(),
            groups: Vec::new(),
            access_controls: self.roles.iter().map(|role| role_id(role)).collect(),
            recipients: Vec::new(),
        }
    }
}

/// The external id of the access control that a role without login is.
pub(crate) fn role_id(role: &str) -> String {
    format!("role:{role}")
}

/// The databases to read, in order. Those that a target names must exist.
pub(crate) fn databases(session: &mut Session, settings: &Settings) -> Result<Vec<String>> {
    let rows = session.query(
        "SELECT datname::text FROM pg_database WHERE datallowconn AND NOT datistemplate \
         ORDER BY datname <> current_database(), datname COLLATE \"C\"",
        &[],
    )?;
    let present: Vec<String> = rows.iter().map(|row| get(row, 0)).collect::<Result<_>>()?;
    match &settings.databases {
        Databases::All => Ok(present),
        Databases::Named(names) => match names.iter().find(|name| !present.contains(name)) {
            None => Ok(names.clone()),
            Some(missing) => {
                let parameter = if *missing == settings.database { "pg-database" } else { "pg-databases" };
                Err(Error::bad_parameter(
                    parameter,
                    format!("there is no database {missing:?} that can be connected to"),
                ))
            }
        },
    }
}

/// A session to a database, where that is not the one at hand.
pub(crate) fn session_to(database: &str, first: Session, settings: &Settings) -> Result<Session> {
    if first.database() == database { Ok(first) } else { Session::open(settings, database) }
}
