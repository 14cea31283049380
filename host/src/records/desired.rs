//! The access file: what should stand in the target, as handed out by Raito Cloud.
//!
//! ```json
//! { "lastCalculated": 1705920489, "fileBuildTime": 1711140795865, "accessProviders": [ … ] }
//! ```
//!
//! `lastCalculated` is in seconds and `fileBuildTime` in milliseconds since 1970; either may stand last. The file is
//! JSON if its first character that is no white space is `{`, and YAML otherwise. It is read as a stream:
//! [`read`] gives the access controls one by one, so memory does not grow with the file.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::marker::PhantomData;
use std::path::Path;

use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::contract::access_controls::{
    Action, ApplyLocks, DataObjectReference, DesiredAccessControl, Owner, WhatItem, Who,
};

mod criteria;

/// What the file says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// When the file was made, in milliseconds since 1970. Returned to Raito Cloud as the date of receipt.
    pub file_build_time: Option<i64>,
    /// When its content was worked out, in seconds since 1970.
    pub last_calculated: Option<i64>,
}

/// Reads an access file; each access control goes to `each`, whose refusal ends the reading.
///
/// # Errors
/// A description of what is wrong, with line and column.
pub fn read(
    path: &Path,
    mut each: impl FnMut(DesiredAccessControl) -> Result<(), String>,
) -> Result<Header, String> {
    read_elements(path, |record: Record| {
        let id = record.id.clone();
        record.into_contract().and_then(&mut each).map_err(|error| format!("access provider {id}: {error}"))
    })
}

/// Writes those access providers of a file into another, as JSON, whose names `wants` says.
///
/// # Errors
/// A description of what is wrong with the file, with line and column, or of why the other cannot be written.
pub fn copy(
    path: &Path,
    out: &mut impl Write,
    mut wants: impl FnMut(&str) -> Result<bool, String>,
) -> Result<(), String> {
    let mut separator = "{\"accessProviders\":[\n";
    let header = read_elements(path, |record: Record| {
        if wants(record.name.as_deref().unwrap_or_default())? {
            out.write_all(separator.as_bytes()).map_err(|error| error.to_string())?;
            separator = ",\n";
            serde_json::to_writer(&mut *out, &record).map_err(|error| error.to_string())?;
        }
        Ok(())
    })?;
    let start = if separator == ",\n" { "" } else { separator };
    let calculated = header.last_calculated.map(|time| format!(",\"lastCalculated\":{time}"));
    writeln!(out, "{start}\n]{}}}", calculated.unwrap_or_default()).map_err(|error| error.to_string())
}

fn read_elements<T: DeserializeOwned>(
    path: &Path,
    each: impl FnMut(T) -> Result<(), String>,
) -> Result<Header, String> {
    let file = File::open(path).map_err(|error| format!("the access file cannot be read: {error}"))?;
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let first =
        first_character(&mut reader).map_err(|error| format!("the access file cannot be read: {error}"))?;
    let seed = FileSeed { each, element: PhantomData };
    let outcome = if first == Some(b'{') {
        let mut json = serde_json::Deserializer::from_reader(reader);
        seed.deserialize(&mut json)
            .and_then(|header| json.end().map(|()| header))
            .map_err(|error| error.to_string())
    } else {
        // The file comes from Raito Cloud and is read as a stream: its size is no reason to refuse it.
        let options = serde_saphyr::options! { budget: None, with_snippet: false };
        serde_saphyr::with_deserializer_from_reader_with_options(reader, options, |yaml| {
            seed.deserialize(yaml)
        })
        .map_err(|error| error.to_string())
    };
    outcome.map_err(|error| format!("the access file is not valid: {error}"))
}

fn first_character(reader: &mut impl BufRead) -> std::io::Result<Option<u8>> {
    loop {
        let buffered = reader.fill_buf()?;
        if buffered.is_empty() {
            return Ok(None);
        }
        if let Some(first) = buffered.iter().find(|byte| !byte.is_ascii_whitespace()) {
            return Ok(Some(*first));
        }
        // Leading white space carries no meaning in either language.
        let length = buffered.len();
        reader.consume(length);
    }
}

struct FileSeed<T, F> {
    each: F,
    element: PhantomData<T>,
}

impl<'de, T: DeserializeOwned, F: FnMut(T) -> Result<(), String>> DeserializeSeed<'de> for FileSeed<T, F> {
    type Value = Header;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Header, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: DeserializeOwned, F: FnMut(T) -> Result<(), String>> Visitor<'de> for FileSeed<T, F> {
    type Value = Header;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an access file: a map with the list `accessProviders`")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Header, A::Error> {
        let mut header = Header::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "fileBuildTime" => header.file_build_time = map.next_value()?,
                "lastCalculated" => header.last_calculated = map.next_value()?,
                "accessProviders" => {
                    map.next_value_seed(ListSeed { each: &mut self.each, element: PhantomData })?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(header)
    }
}

struct ListSeed<'a, T, F> {
    each: &'a mut F,
    element: PhantomData<T>,
}

impl<'de, T: DeserializeOwned, F: FnMut(T) -> Result<(), String>> DeserializeSeed<'de>
    for ListSeed<'_, T, F>
{
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: DeserializeOwned, F: FnMut(T) -> Result<(), String>> Visitor<'de> for ListSeed<'_, T, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of access providers")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element::<T>()? {
            (self.each)(element).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

/// An access provider of the file. A member that is `null` is one that is left out.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    id: String,
    name: Option<String>,
    description: Option<String>,
    naming_hint: Option<String>,
    #[serde(rename = "type")]
    control_type: Option<String>,
    external_id: Option<String>,
    action: Option<String>,
    who: Option<WhoRecord>,
    deleted_who: Option<WhoRecord>,
    delete: Option<bool>,
    who_locked: Option<bool>,
    inheritance_locked: Option<bool>,
    what_locked: Option<bool>,
    delete_locked: Option<bool>,
    policy_rule: Option<String>,
    filter_criteria: Option<criteria::CriteriaRecord>,
    actual_name: Option<String>,
    what: Option<Vec<WhatRecord>>,
    delete_what: Option<Vec<WhatRecord>>,
    common_data_object: Option<String>,
    owners: Option<Vec<OwnerRecord>>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct WhoRecord {
    users: Option<Vec<String>>,
    groups: Option<Vec<String>>,
    inherit_from: Option<Vec<String>>,
    recipients: Option<Vec<String>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct WhatRecord {
    data_object: Option<ObjectRecord>,
    permissions: Option<Vec<String>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct ObjectRecord {
    full_name: String,
    #[serde(rename = "type")]
    object_type: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct OwnerRecord {
    email: Option<String>,
    account_name: Option<String>,
    group_name: Option<String>,
}

impl Record {
    fn into_contract(self) -> Result<DesiredAccessControl, String> {
        Ok(DesiredAccessControl {
            action: action(self.action.as_deref().unwrap_or_default())?,
            id: self.id,
            name: self.name.unwrap_or_default(),
            description: self.description.unwrap_or_default(),
            naming_hint: self.naming_hint.unwrap_or_default(),
            control_type: self.control_type,
            external_id: self.external_id.filter(|id| !id.is_empty()),
            actual_name: self.actual_name.filter(|name| !name.is_empty()),
            who: self.who.unwrap_or_default().into(),
            deleted_who: self.deleted_who.unwrap_or_default().into(),
            delete: self.delete.unwrap_or_default(),
            locks: ApplyLocks {
                who: self.who_locked.unwrap_or_default(),
                inheritance: self.inheritance_locked.unwrap_or_default(),
                what: self.what_locked.unwrap_or_default(),
                delete: self.delete_locked.unwrap_or_default(),
            },
            policy_rule: self.policy_rule,
            filter_criteria: self.filter_criteria.map(criteria::flatten).transpose()?,
            what: what(self.what),
            deleted_what: what(self.delete_what),
            common_what_object: self.common_data_object,
            owners: self
                .owners
                .unwrap_or_default()
                .into_iter()
                .map(|owner| Owner {
                    email: owner.email,
                    account_name: owner.account_name,
                    group_name: owner.group_name,
                })
                .collect(),
        })
    }
}

fn action(word: &str) -> Result<Action, String> {
    match word.to_ascii_lowercase().as_str() {
        // A purpose is a grant of a category of its own in today's protocol.
        "grant" | "purpose" => Ok(Action::Grant),
        "deny" => Ok(Action::Deny),
        "mask" => Ok(Action::Mask),
        "filtered" => Ok(Action::Filtered),
        "share" => Ok(Action::Share),
        _ => Err(format!("the action {word:?} cannot be applied to a target")),
    }
}

fn what(items: Option<Vec<WhatRecord>>) -> Vec<WhatItem> {
    items
        .unwrap_or_default()
        .into_iter()
        .filter_map(|item| {
            let object = item.data_object?;
            Some(WhatItem {
                object: DataObjectReference { full_name: object.full_name, object_type: object.object_type },
                permissions: item.permissions.unwrap_or_default(),
            })
        })
        .collect()
}

impl From<WhoRecord> for Who {
    fn from(who: WhoRecord) -> Self {
        Who {
            users: who.users.unwrap_or_default(),
            groups: who.groups.unwrap_or_default(),
            access_controls: who.inherit_from.unwrap_or_default(),
            recipients: who.recipients.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

    use super::{Header, read};
    use crate::contract::access_controls::{Action, DesiredAccessControl};

    fn parse(text: &str) -> Result<(Header, Vec<DesiredAccessControl>), String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut controls = Vec::new();
        let header = read(file.path(), |control| {
            controls.push(control);
            Ok(())
        })?;
        Ok((header, controls))
    }

    #[test]
    fn json_and_yaml_give_the_same() {
        let json = r#" {"accessProviders":[{"id":"a1","name":"Sales","action":"Grant","who":{"users":["ann"],
            "inheritFrom":["ID:a2"]},"what":[{"dataObject":{"fullName":"db.s.t","type":"table","id":"x"},
            "permissions":["SELECT"]}],"type":null,"delete":false}],"lastCalculated":1,"fileBuildTime":1711140795865}"#;
        let yaml = "
lastCalculated: 1
fileBuildTime: 1711140795865
accessProviders:
  - id: a1
    name: Sales
    action: grant
    type: ~
    who:
      users: [ann]
      inheritFrom: ['ID:a2']
    what:
      - dataObject: { fullName: db.s.t, type: table }
        permissions: [SELECT]
";
        for text in [json, yaml] {
            let (header, controls) = parse(text).unwrap();
            assert_eq!(header.file_build_time, Some(1_711_140_795_865));
            assert_eq!(controls.len(), 1, "{text}");
            assert_eq!(controls[0].action, Action::Grant);
            assert_eq!(controls[0].who.users, ["ann"]);
            assert_eq!(controls[0].who.access_controls, ["ID:a2"]);
            assert_eq!(controls[0].what[0].object.full_name, "db.s.t");
            assert_eq!(controls[0].control_type, None);
        }
    }

    #[test]
    fn a_copy_keeps_every_text_as_it_was_written() {
        let text = "lastCalculated: 5\naccessProviders:\n  - { id: 007, name: 2024, action: grant, who: { users: [007, yes] } }\n  \
                    - { id: b, name: other, action: grant }\n";
        for (wanted, count) in [("2024", 1), ("none", 0)] {
            let (source, copy) =
                (tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap());
            std::fs::write(source.path(), text).unwrap();
            super::copy(source.path(), &mut copy.as_file(), |name| Ok(name == wanted)).unwrap();
            let (header, controls) = parse(&std::fs::read_to_string(copy.path()).unwrap()).unwrap();
            assert_eq!((header.last_calculated, controls.len()), (Some(5), count));
            if let [control] = controls.as_slice() {
                assert_eq!(
                    (control.id.as_str(), &control.who.users[..]),
                    ("007", &["007".to_owned(), "yes".to_owned()][..])
                );
            }
        }
    }

    #[test]
    fn plain_scalars_of_yaml_keep_their_text() {
        let (_, controls) =
            parse("accessProviders:\n  - { id: 007, name: yes, action: grant, who: { users: [123] } }\n")
                .unwrap();
        assert_eq!(controls[0].id, "007");
        assert_eq!(controls[0].name, "yes");
        assert_eq!(controls[0].who.users, ["123"]);
    }

    #[test]
    fn errors_name_the_place_and_the_access_provider() {
        let error = parse("{\"accessProviders\":[{\"id\":\"a1\",\"action\":\"promise\"}]}").unwrap_err();
        assert!(error.contains("access provider a1") && error.contains("promise"), "{error}");
        let error = parse("{\"accessProviders\":[{\"id\":\"a1\"").unwrap_err();
        assert!(error.contains("line 1"), "{error}");
    }

    #[test]
    fn an_empty_list_may_be_null() {
        assert_eq!(parse("{\"accessProviders\":null}").unwrap().1.len(), 0);
    }
}
