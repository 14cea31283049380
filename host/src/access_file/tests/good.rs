//! What good files become.

use super::{Folder, warnings};
use crate::contract::access_controls::Action;
use crate::contract::filters::{Node, Operand};

pub(super) const SALES: &str = "\
# A team.
x-readers: &readers [ann, bob]
accessProviders:
  - name: Sales readers
    id: sales
    description: |
      Two
      lines
    who:
      users: *readers
      groups: [staff]
      inheritFrom: [Managers, 'id:MANAGERS', outside_role]
    what:
      - dataObject: { fullName: db.public.orders, type: table, id: x }
        permissions: [SELECT, insert]
  - &managers
    name: Managers
    action: Grant
    type: role
    who: { users: [007, yes, 2026-01-02, ann] }
    what: &objects
      - dataObject: { fullName: db.public, type: schema }
        permissions: [USAGE]
  - <<: *managers
    name: Deputies
    actualName: r_deputies
    who: { users: [cy] }
  - name: Own rows
    action: FILTERED
    policyRule: \"{owner} = current_user\"
    what: [{ dataObject: { fullName: db.public.orders, type: table } }]
    whoLocked: true
    deletedWho: { users: [dan] }
";

pub(super) const CRITERIA: &str = "
accessProviders:
  - name: Recent
    action: filtered
    what: [{ dataObject: { fullName: d.s.t, type: table }, permissions: [] }]
    filterCriteria:
      aggregator:
        operator: and
        operands:
          - unaryExpression: { operator: Not, expression: { literal: false } }
          - comparison:
              operator: greaterThan
              leftOperand: { reference: { entityType: ColumnReferenceByName, entityId: day } }
              rightOperand: { literal: { timestamp: 2026-01-01T00:00:00Z, int: } }
          - comparison:
              operator: Equal
              leftOperand: { literal: { int: 0x10 } }
              rightOperand: { literal: { float: 16 } }
";

#[test]
fn a_file_becomes_what_the_connector_gets() {
    let folder = Folder::new(&[("sales.yml", SALES)]);
    let (file, controls) = folder.load_all().unwrap();
    assert_eq!(file.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(), {
        let path = folder.path().join("sales.yml");
        [format!(
            "{}:12:31: `id:MANAGERS` is named twice in `inheritFrom` (access control `Sales readers`)",
            path.display()
        )]
    });
    let [sales, managers, deputies, rows] = &controls[..] else { panic!("{controls:?}") };
    assert_eq!((&*sales.id, &*sales.name, &*sales.description), ("sales", "Sales readers", "Two\nlines\n"));
    assert_eq!(sales.who.users, ["ann", "bob"]);
    assert_eq!(sales.who.groups, ["staff"]);
    assert_eq!(sales.who.access_controls, ["ID:Managers", "outside_role"]);
    assert_eq!(sales.what[0].object.full_name, "db.public.orders");
    assert_eq!(sales.what[0].permissions, ["SELECT", "insert"]);
    assert_eq!((&*managers.id, managers.action), ("Managers", Action::Grant));
    assert_eq!(managers.who.users, ["007", "yes", "2026-01-02", "ann"]);
    assert_eq!(deputies.what[0].object.object_type, "schema");
    assert_eq!((&*deputies.name, &*deputies.id), ("Deputies", "Deputies"));
    assert_eq!(deputies.actual_name.as_deref(), Some("r_deputies"));
    assert_eq!(deputies.control_type.as_deref(), Some("role"));
    assert_eq!(deputies.who.users, ["cy"]);
    assert_eq!(rows.action, Action::Filtered);
    assert_eq!(rows.policy_rule.as_deref(), Some("{owner} = current_user"));
    assert_eq!((rows.locks.who, rows.locks.what), (true, false));
    assert_eq!(rows.deleted_who.users, ["dan"]);

    assert_eq!(file.index.name("SALES"), Some("Sales readers"));
    assert_eq!(file.index.place("sales").unwrap().position.line, 4);
    // ann and bob; 007, yes and the date through the managers.
    assert_eq!(file.index.people("sales").len(), 5);
    assert_eq!(file.index.people("Deputies").len(), 1);
    assert_eq!(file.index.people("nobody").len(), 0);
}

#[test]
fn json_and_yaml_give_the_same_spool() {
    let json = "\u{feff}{\"lastCalculated\": 1705920489, \"fileBuildTime\": 1711140795865, \"$schema\": \"x\",
        \"accessProviders\": [{\"name\": \"A\", \"type\": null, \"who\": {}, \"deletedWho\": null, \"deleteWhat\": null,
        \"whoLocked\": null, \"delete\": false, \"what\": [{\"dataObject\": {\"fullName\": \"d\\\"\\u00e9\", \"type\": \"t\"},
        \"permissions\": [\"P\"]}]}]}";
    let yaml = "accessProviders:\n- what: [{permissions: [P], dataObject: {type: t, fullName: 'd\"é'}}]\n  name: A\n";
    let spools = [("a.json", json), ("a.yaml", yaml)].map(|one| {
        let folder = Folder::new(&[one]);
        let (_, controls) = folder.load_all().unwrap();
        assert_eq!(controls[0].what[0].object.full_name, "d\"é");
        let spool = folder.0.path().join("spool.json");
        let permissions = std::fs::metadata(&spool).unwrap().permissions();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&permissions) & 0o777, 0o600);
        std::fs::read(spool).unwrap()
    });
    assert_eq!(spools[0], spools[1]);
}

#[test]
fn an_exported_file_of_raito_is_taken() {
    let text = "{\"accessProviders\":[{\"id\":\"a1\",\"name\":\"Sales\",\"description\":\"\",\"namingHint\":\"sales\",
        \"type\":null,\"externalId\":null,\"action\":\"purpose\",\"who\":{\"inheritFrom\":[\"ID:A2\"]},\"deletedWho\":null,
        \"delete\":false,\"whoLocked\":false,\"inheritanceLocked\":null,\"whatLocked\":null,\"deleteLocked\":null,
        \"actualName\":null,\"what\":[],\"deleteWhat\":null,\"owners\":[{\"email\":\"a@b\",\"accountName\":\"a\"}]},
        {\"id\":\"a2\",\"name\":\"Old\",\"action\":\"mask\",\"delete\":true,\"who\":{},\"what\":[]}],
        \"lastCalculated\":1,\"fileBuildTime\":2}";
    // Only that the mask is inherited from is wrong with it.
    let folder = Folder::new(&[("a.json", &text.replace("\"mask\",\"delete\":true", "\"deny\""))]);
    let findings = folder.load_all().unwrap_err();
    assert_eq!(findings.total, 1);
    assert!(findings.shown[0].message.contains("which denies access"), "{findings}");
    let folder = Folder::new(&[("a.json", &text.replace("\"mask\",\"delete\":true", "\"grant\""))]);
    let (file, controls) = folder.load_all().unwrap();
    assert_eq!(controls[0].who.access_controls, ["ID:a2"]);
    assert_eq!(controls[0].action, Action::Grant);
    assert_eq!(controls[0].owners[0].email.as_deref(), Some("a@b"));
    assert!(file.warnings[0].message.contains("`owners` has no effect"), "{:?}", file.warnings);
}

#[test]
fn filter_criteria_arrive_as_a_tree() {
    let (_, controls) = Folder::new(&[("a.yml", CRITERIA)]).load_all().unwrap();
    let nodes = &controls[0].filter_criteria.as_ref().unwrap().nodes;
    assert!(matches!(&nodes[0], Node::AllOf(children) if children.len() == 3));
    assert!(matches!(&nodes[4], Node::Comparison(one) if matches!(one.left, Operand::Integer(16))
        && matches!(one.right, Operand::Decimal(number) if (number - 16.0).abs() < 1e-9)));
}

#[test]
fn an_empty_truth_is_allowed_and_told() {
    for text in ["accessProviders:\n", "accessProviders: []\n", "{\"accessProviders\": null}"] {
        assert_eq!(
            warnings(text),
            [
                "a.yml: there is no access control in it | everything that was made from these files is to be removed"
            ]
        );
    }
}

#[test]
fn anchors_reach_over_elements_and_may_be_redefined() {
    let text = "
accessProviders:
  - &one { name: A, who: &who { users: [ann] } }
  - { name: B, who: *who }
  - { name: C, who: &who { users: [bob] } }
  - { <<: [*one, { name: D, description: x }], who: *who, name: E }
";
    let (_, controls) = Folder::new(&[("a.yml", text)]).load_all().unwrap();
    let users: Vec<_> = controls.iter().map(|one| one.who.users[0].as_str()).collect();
    assert_eq!(users, ["ann", "ann", "bob", "bob"]);
    assert_eq!((&*controls[3].name, &*controls[3].description), ("E", "x"));
}

#[test]
fn the_list_itself_may_be_an_alias_or_merged_in() {
    for text in [
        "x-list: &list [{ name: A, description: d }]\naccessProviders: *list\n",
        "x-all: &all { accessProviders: [{ name: A, description: d }] }\n<<: *all\n",
    ] {
        assert_eq!(Folder::new(&[("a.yml", text)]).load_all().unwrap().1[0].name, "A");
    }
}

#[test]
fn people_are_counted_once_and_through_inheritance() {
    let text = "
accessProviders:
  - { name: Top, who: { users: [ann], inheritFrom: [Left, Right, outside] } }
  - { name: Left, who: { users: [bob], inheritFrom: [Bottom] } }
  - { name: Right, actualName: r, who: { users: [bob, cy], inheritFrom: ['ID:bottom'] } }
  - { name: Bottom, who: { users: [ann, dan] } }
  - { name: ByActualName, who: { users: [eve], inheritFrom: [r] } }
  - { name: Losing, who: { users: [eve] }, deletedWho: { users: [ann], inheritFrom: [Top] } }
";
    let (file, controls) = Folder::new(&[("a.yml", text)]).load_all().unwrap();
    let people =
        ["Top", "Left", "right", "BOTTOM", "ByActualName", "Losing"].map(|id| file.index.people(id).len());
    assert_eq!(people, [4, 3, 4, 2, 5, 1]);
    assert_eq!(controls[4].who.access_controls, ["r"]);
    assert_eq!(controls[5].deleted_who.access_controls, ["ID:Top"]);
    assert_eq!(
        file.index.ids().collect::<Vec<_>>(),
        ["Top", "Left", "Right", "Bottom", "ByActualName", "Losing"]
    );
    assert_eq!(file.index.name("none"), None);
}
