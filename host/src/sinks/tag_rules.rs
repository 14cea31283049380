//! The operator's rules for tags: which tags name owners, give an access control its name, mark a user as a machine.

use crate::config::TagSettings;
use crate::contract::access_controls::{AccessControl, Lock};
use crate::contract::data_objects::DataObject;
use crate::contract::identities::User;
use crate::contract::types::Tag;
use crate::records::OWNER_TAG;

/// The rules of one target.
#[derive(Clone, Debug, Default)]
pub struct TagRules {
    name_key: Option<String>,
    control_owners_key: Option<String>,
    object_owners_key: Option<String>,
    machine: Option<(String, String)>,
}

impl TagRules {
    /// The rules that the settings ask for. A machine rule without exactly one colon and two sides is none.
    pub fn new(settings: &TagSettings) -> Self {
        let key = |key: &Option<String>| key.clone().filter(|key| !key.is_empty());
        let machine = settings.user_is_machine.as_deref().and_then(|rule| rule.split_once(':'));
        TagRules {
            name_key: key(&settings.access_provider_name),
            control_owners_key: key(&settings.access_provider_owners),
            object_owners_key: key(&settings.data_object_owners),
            machine: machine
                .filter(|(key, value)| !key.is_empty() && !value.is_empty() && !value.contains(':'))
                .map(|(key, value)| (key.to_owned(), value.to_owned())),
        }
    }

    /// Marks a user as a machine if a tag says so. Never takes a mark away.
    pub(super) fn user(&self, user: &mut User) {
        if let Some((key, value)) = &self.machine
            && user.tags.iter().any(|tag| same(&tag.key, key) && same(&tag.value, value))
        {
            user.is_machine = Some(true);
        }
    }

    /// Collects the owners of a data object in its owner tag.
    pub(super) fn data_object(&self, object: &mut DataObject) {
        if let Some(key) = &self.object_owners_key {
            owners(&mut object.tags, key);
        }
    }

    /// Names an access control after a tag and collects its owners; both are locked then.
    pub(super) fn access_control(&self, control: &mut AccessControl) {
        if let Some(key) = &self.name_key
            && let Some(tag) = control.tags.iter().find(|tag| same(&tag.key, key) && !tag.value.is_empty())
        {
            control.name.clone_from(&tag.value);
            control.locks.name = Some(Lock { reason: Some(format!("the name comes from the tag {key}")) });
        }
        if let Some(key) = &self.control_owners_key
            && owners(&mut control.tags, key)
        {
            control.locks.owners = Some(Lock { reason: Some(format!("the owners come from the tag {key}")) });
        }
    }
}

fn same(left: &str, right: &str) -> bool {
    left.to_lowercase() == right.to_lowercase()
}

/// Adds the values of the tags with `key` to the owner tag. Says whether there is an owner tag now.
fn owners(tags: &mut Vec<Tag>, key: &str) -> bool {
    let normalised = |value: &str| {
        value.split(',').map(str::trim).filter(|owner| !owner.is_empty()).collect::<Vec<_>>().join(",")
    };
    let mut place = tags.iter().position(|tag| tag.key == OWNER_TAG && !normalised(&tag.value).is_empty());
    if let Some(tag) = place.and_then(|place| tags.get_mut(place)) {
        tag.value = normalised(&tag.value);
    }
    for at in 0..tags.len() {
        let Some((value, source)) = tags
            .get(at)
            .filter(|tag| Some(at) != place && same(&tag.key, key))
            .map(|tag| (normalised(&tag.value), tag.source.clone()))
            .filter(|(value, _)| !value.is_empty())
        else {
            continue;
        };
        if let Some(tag) = place.and_then(|place| tags.get_mut(place)) {
            tag.value.push(',');
            tag.value.push_str(&value);
        } else {
            place = Some(tags.len());
            tags.push(Tag { key: OWNER_TAG.into(), value, source });
        }
    }
    place.is_some()
}

#[cfg(test)]
mod tests {
    use super::owners;
    use crate::contract::types::Tag;

    fn tag(key: &str, value: &str) -> Tag {
        Tag { key: key.into(), value: value.into(), source: "s".into() }
    }

    fn values(tags: &[Tag]) -> Vec<(&str, &str)> {
        tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect()
    }

    #[test]
    fn owner_tags_are_extended() {
        let mut tags = vec![tag("Owner", " ann , bob "), tag("raito_owner", " eve,"), tag("OWNER", "dan")];
        assert!(owners(&mut tags, "owner"));
        assert_eq!(values(&tags)[1], ("raito_owner", "eve,ann,bob,dan"));
        assert_eq!(tags.len(), 3);
    }

    #[test]
    fn an_owner_tag_is_added_where_there_is_none() {
        let mut tags = vec![tag("owner", ",ann"), tag("owner", "bob")];
        assert!(owners(&mut tags, "owner"));
        assert_eq!(values(&tags)[2], ("raito_owner", "ann,bob"));
        let mut tags = vec![tag("owner", " , ")];
        assert!(!owners(&mut tags, "owner"));
    }
}
