//! What people do in the target besides, between two applies.

use std::collections::BTreeMap;

use proptest::prelude::{Strategy, any as arbitrary};
use proptest::sample::Index;

use crate::facts::{Facts, Holder};
use crate::judge;
use crate::names::identifier;
use crate::site::Site;
use crate::world::{DATABASES, KEEPER, Object, World};

/// Roles without a mark, called as if they were made from an access file.
const SQUATTERS: [&str; 3] = ["r_orders", "r_sales_readers", "r_x"];

/// One of the things that people do.
#[derive(Clone, Copy, Debug)]
enum Deed {
    /// Gives a right to an access control.
    Grant,
    /// Takes one from it.
    Revoke,
    /// Gives it everything on all tables of a schema.
    GrantAll,
    /// The owner of a table gives something to it.
    OwnerGrants,
    /// Makes somebody a member of it.
    Join,
    /// Takes everybody out of it.
    Leave,
    /// Drops its role.
    Drop,
    /// Gives its role another name.
    Rename,
    /// Makes a role with the prefix.
    Squat,
    /// Gives a right to somebody else, or to everybody.
    GrantToOther,
    /// Makes an access control a member of somebody else's role.
    JoinOther,
    /// Makes a table.
    AddTable,
}

use Deed::{
    AddTable, Drop, Grant, GrantAll, GrantToOther, Join, JoinOther, Leave, OwnerGrants, Rename, Revoke, Squat,
};

const DEEDS: &[Deed] = &[
    Grant,
    Grant,
    Grant,
    Revoke,
    Revoke,
    Revoke,
    GrantAll,
    OwnerGrants,
    Join,
    Join,
    Leave,
    Drop,
    Rename,
    Squat,
    GrantToOther,
    GrantToOther,
    JoinOther,
    AddTable,
];

/// A deed, and to what it is done.
#[derive(Clone, Debug)]
pub(crate) struct Hand {
    deed: Deed,
    control: Index,
    object: Index,
    privilege: Index,
    role: Index,
}

/// Any deed.
pub(crate) fn any() -> impl Strategy<Value = Hand> {
    let indices = (arbitrary::<Index>(), arbitrary::<Index>(), arbitrary::<Index>(), arbitrary::<Index>());
    (proptest::sample::select(DEEDS), indices).prop_map(|(deed, (control, object, privilege, role))| Hand {
        deed,
        control,
        object,
        privilege,
        role,
    })
}

impl Hand {
    /// Does it, and keeps the facts about others and the world true. Gives what was done, if anything could be.
    pub(crate) fn act(&self, site: &Site, world: &mut World, facts: &mut Facts) -> Option<String> {
        let (database, statement) = self.statement(&judge::managed(site), site, world, facts)?;
        site.server.sql(DATABASES[database], &statement);
        Some(statement)
    }

    fn statement(
        &self,
        managed: &BTreeMap<String, String>,
        site: &Site,
        world: &mut World,
        facts: &mut Facts,
    ) -> Option<(usize, String)> {
        let managed: Vec<(&String, &String)> = managed.iter().collect();
        let control = (!managed.is_empty()).then(|| *self.control.get(&managed));
        let role = control.map(|(role, _)| identifier(role));
        let object: Object = self.object.get(&world.objects).clone();
        let privilege = *self.privilege.get(object.kind.privileges());
        let clause = object.clause(privilege);
        let owner = identifier(&world.owner);
        let is_free = |name: &str| {
            !site.texts("postgres", "SELECT rolname FROM pg_roles").iter().any(|one| one == name)
        };
        Some(match self.deed {
            Grant => (object.database, format!("GRANT {clause} TO {}", role?)),
            Revoke => (object.database, format!("REVOKE {clause} FROM {}", role?)),
            GrantAll => {
                let schema = identifier(world.first_schema());
                (0, format!("GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {}", role?))
            }
            OwnerGrants if !world.superuser => return None,
            OwnerGrants => {
                let clause = world.owned().clause("SELECT, DELETE");
                (0, format!("SET ROLE {owner}; GRANT {clause} TO {}; RESET ROLE", role?))
            }
            Join => {
                let others: Vec<String> =
                    world.others().into_iter().filter(|name| *name != world.owner).collect();
                (0, format!("GRANT {} TO {}", role?, identifier(self.role.get::<String>(&others))))
            }
            Leave => {
                let users: Vec<String> = world.users.iter().map(|user| identifier(user)).collect();
                (0, format!("REVOKE {} FROM {}", role?, users.join(", ")))
            }
            Drop => {
                let role = role?;
                let holder = Holder::Control(control?.1.clone());
                facts.memberships.retain(|(member, _)| *member != holder);
                site.server.sql(DATABASES[1], &format!("DROP OWNED BY {role}"));
                (0, format!("DROP OWNED BY {role}; DROP ROLE {role}"))
            }
            Rename => {
                let name = format!("by hand {}", self.role.index(3));
                (
                    0,
                    format!(
                        "ALTER ROLE {} RENAME TO {}",
                        role.filter(|_| is_free(&name))?,
                        identifier(&name)
                    ),
                )
            }
            Squat => {
                let name = *self.role.get(&SQUATTERS);
                is_free(name).then(|| (0, format!("CREATE ROLE {}", identifier(name))))?
            }
            GrantToOther => {
                let mut others: Vec<Holder> = world.others().into_iter().map(Holder::Role).collect();
                others.push(Holder::Public);
                let holder = self.role.get(&others).clone();
                let to = match &holder {
                    Holder::Role(name) => identifier(name),
                    _ => "PUBLIC".into(),
                };
                facts.give(holder, &object, privilege);
                (object.database, format!("GRANT {clause} TO {to}"))
            }
            JoinOther => {
                let holder = Holder::Control(control?.1.clone());
                facts.memberships.insert((holder, Holder::Role(world.owner.clone())));
                (0, format!("GRANT {owner} TO {}", role?))
            }
            AddTable => {
                let table = world.added();
                if world.objects.contains(&table) {
                    return None;
                }
                world.add();
                let (schema, name) = (identifier(&table.schema), identifier(&table.name));
                let keep = if world.superuser {
                    String::new()
                } else {
                    format!("; ALTER TABLE {schema}.{name} OWNER TO {KEEPER}")
                };
                (0, format!("CREATE TABLE {schema}.{name} (added int){keep}"))
            }
        })
    }
}
