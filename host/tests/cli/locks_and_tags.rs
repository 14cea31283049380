//! The operator's locks and tag rules, and the exact form of the files that Raito Cloud imports. With
//! `delete-temp-files: false` these files stay in the folder of the configuration.

use serde_json::{Value, json};

use crate::five_steps::company;
use crate::place::Place;

/// The access controls of a run with these keys in the target: `hr-prod`, then `hr-test`, which is incomplete.
fn access_controls(keys: &str) -> [Value; 2] {
    let place = Place::with_targets(&[company(&format!("delete-temp-files: false\n{keys}"))]);
    place.run(&[]).succeeded();
    serde_json::from_str(&place.read_matching("-fromTarget-access-")).unwrap()
}

/// The members that say that something is locked, in both access controls.
fn locked(keys: &str) -> [Vec<String>; 2] {
    access_controls(keys).map(|control| {
        let members = control.as_object().unwrap().iter();
        let set = members.filter(|(_, value)| **value == Value::Bool(true));
        // Of these, two are so without any rule: what the guest says about the control itself.
        set.map(|(name, _)| name.clone())
            .filter(|name| !["deleteLocked", "incomplete"].contains(&name.as_str()))
            .collect()
    })
}

#[test]
fn each_lock_rule_reaches_the_access_controls_it_names() {
    let (none, who) = (Vec::<String>::new(), vec!["whoLocked".to_owned()]);
    for (keys, expected) in [
        ("", [none.clone(), none.clone()]),
        ("lock-all-who: true", [who.clone(), who.clone()]),
        ("lock-who-by-name: hr-p.+,other", [who.clone(), none.clone()]),
        ("lock-who-by-name: hr", [none.clone(), none.clone()]),
        ("lock-who-by-tag: \"stage:test\"", [none.clone(), who.clone()]),
        ("lock-who-when-incomplete: true", [none.clone(), who]),
        ("lock-inheritance-by-name: hr-prod", [vec!["inheritanceLocked".into()], none.clone()]),
        ("lock-what-by-tag: \"stage:.*\"", [vec!["whatLocked".into()], vec!["whatLocked".into()]]),
        ("lock-names-when-incomplete: true", [none.clone(), vec!["nameLocked".into()]]),
        ("lock-all-owners: true", [vec!["ownersLocked".into()], vec!["ownersLocked".into()]]),
        ("fully-lock-by-name: hr-test", [none.clone(), vec!["notInternalizable".into()]]),
        ("fully-lock-all: true", [vec!["notInternalizable".into()], vec!["notInternalizable".into()]]),
    ] {
        assert_eq!(locked(keys), expected, "{keys}");
    }
}

#[test]
fn flags_and_environment_lock_like_the_file() {
    let target = company("delete-temp-files: false");
    let place = Place::with_targets(&[target]);
    place
        .raito(&["run", "--lock-who-by-name", "hr-prod"])
        .env("RAITO_LOCK_ALL_WHAT", "true")
        .finish()
        .succeeded();
    let [prod, test]: [Value; 2] = serde_json::from_str(&place.read_matching("-fromTarget-access-")).unwrap();
    assert_eq!((&prod["whoLocked"], &prod["whatLocked"]), (&json!(true), &json!(true)));
    assert_eq!((&test["whoLocked"], &test["whatLocked"]), (&Value::Null, &json!(true)));
}

#[test]
fn a_pattern_that_is_none_is_an_error_of_the_configuration() {
    let place = Place::with_targets(&[company("lock-who-by-name: \"((\"")]);
    let outcome = place.run(&[]).failed(3, "lock pattern `((`", "regular expressions");
    assert_eq!(outcome.steps("company").last().unwrap(), "access-from-target failed");
    assert_eq!(place.status()["dataSources"][0]["externalAccessControls"], 0);
}

#[test]
fn files_have_the_layout_and_the_escapes_of_raitos_connectors() {
    let place =
        Place::with_targets(&[company("data-source-id: company\nusers: 2\ndelete-temp-files: false")]);
    place.run(&[]).succeeded();
    assert_eq!(
        place.read_matching("company-fromTarget-groups-"),
        "[\n\n{\"externalId\":\"everyone\",\"name\":\"everyone\",\"displayName\":\"Everyone\",\
         \"description\":\"All people \\u003cof the company\\u003e \\u0026 friends\",\
         \"parentGroupExternalIds\":null,\"tags\":null}\n]"
    );
    let user = |number: u32| {
        format!(
            "{{\"externalId\":\"u{number}\",\"name\":\"Person {number}\",\"userName\":\"person{number}\",\
             \"email\":\"person{number}@example.com\",\"groupExternalIds\":[\"everyone\"],\
             \"tags\":[{{\"key\":\"kind\",\"value\":\"robot\",\"source\":\"company\"}}],\"isMachine\":null}}"
        )
    };
    assert_eq!(
        place.read_matching("company-fromTarget-users-"),
        format!("[\n\n{},\n\n{}\n]", user(1), user(2))
    );
    let objects = place.read_matching("company-fromTarget-dataObjects-");
    assert_eq!(
        objects.lines().nth(2).unwrap(),
        "{\"externalId\":\"company\",\"name\":\"Company\",\"fullName\":\"company\",\"type\":\"datasource\",\
         \"description\":\"The filing room\",\"parentExternalId\":\"\",\"tags\":null},"
    );
    assert!(objects.lines().nth(4).unwrap().contains("\"parentExternalId\":\"company\""), "{objects}");
    let controls = place.read_matching("company-fromTarget-access-");
    assert_eq!(
        controls.lines().nth(2).unwrap(),
        "{\"externalId\":\"hr-prod\",\"name\":\"hr-prod\",\"namingHint\":\"hr-prod\",\"type\":\"key\",\
         \"access\":null,\"action\":\"grant\",\"policy\":\"\",\"who\":{\"users\":[\"person1\"],\
         \"groups\":[\"everyone\"],\"accessProviders\":null,\"recipients\":null},\"notInternalizable\":false,\
         \"deleteLocked\":true,\"deleteLockedReason\":\"keys are never thrown away\",\"actualName\":\"hr-prod\",\
         \"what\":[{\"dataObject\":{\"fullName\":\"hr.salaries\",\"type\":\"folder\"},\"permissions\":[\"OPEN\"]}],\
         \"tags\":[{\"key\":\"stage\",\"value\":\"prod\",\"source\":\"company\"}]},"
    );
    let statements = place.read_matching("company-fromTarget-usage-");
    assert_eq!(
        statements.lines().nth(1).unwrap(),
        "{\"externalId\":\"s0\",\"accessedDataObjects\":[{\"globalPermission\":\"read\",\"dataObject\":\
         {\"fullName\":\"hr.salaries\",\"type\":\"folder\"}}],\"user\":\"person1\",\"success\":true,\
         \"query\":\"open hr.salaries\",\"startTime\":1760000000,\"endTime\":1760000001,\"rows\":1},"
    );
    assert_eq!(place.read_matching("company-toTarget-accessFeedback-"), "[\n]");
}

#[cfg(unix)]
#[test]
fn files_that_say_who_has_access_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::with_targets(&[company("delete-temp-files: false")]);
    place.run(&[]).succeeded();
    let mut seen = 0;
    for entry in std::fs::read_dir(place.path()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().contains("Target-") {
            seen += 1;
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.file_name());
        }
    }
    assert_eq!(seen, 7);
}

#[test]
fn temporary_files_are_gone_after_the_run() {
    let place = Place::with_targets(&[company("")]);
    place.raito(&["run"]).env("TMPDIR", place.path()).finish().succeeded();
    let mut names: Vec<_> =
        std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [".raito", "raito.yml"]);
}

#[test]
fn tags_name_access_controls_and_owners_and_mark_machines() {
    let place = Place::with_targets(&[company(
        "delete-temp-files: false\n\
         tag-key-and-value-for-user-is-machine: kind:robot\n\
         tag-overwrite-key-for-data-object-owners: keeper\n\
         tag-overwrite-key-for-access-provider-owners: stage\n\
         tag-overwrite-key-for-access-provider-name: stage",
    )]);
    place.run(&[]).succeeded();
    let users: Vec<Value> = serde_json::from_str(&place.read_matching("-fromTarget-users-")).unwrap();
    assert!(users.iter().all(|user| user["isMachine"] == true), "{users:?}");
    let objects: Vec<Value> = serde_json::from_str(&place.read_matching("-fromTarget-dataObjects-")).unwrap();
    let owners = json!({ "key": "raito_owner", "value": "person1", "source": "company" });
    assert!(objects[1]["tags"].as_array().unwrap().contains(&owners), "{objects:?}");
    let [control, _]: [Value; 2] = serde_json::from_str(&place.read_matching("-fromTarget-access-")).unwrap();
    assert_eq!(control["name"], "prod");
    assert_eq!((&control["nameLocked"], &control["ownersLocked"]), (&json!(true), &json!(true)));
    let owners = json!({ "key": "raito_owner", "value": "prod", "source": "company" });
    assert!(control["tags"].as_array().unwrap().contains(&owners), "{control}");
}
