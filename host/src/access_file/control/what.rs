//! What-lists: data objects and permissions.

use std::collections::HashMap;

use super::super::check::{Scope, text};
use super::super::finding::{Place, quoted};
use super::super::record::{DataObject, What};
use super::super::tree::{Node, Value, get};
use super::super::vocabulary::{Known, Vocabulary};
use super::{Reader, before, in_line, known};

/// A what-list, each data object once.
#[derive(Default)]
pub(super) struct Objects(Vec<Object>);

struct Object {
    what: What,
    place: Place,
    /// Beside the permissions of `what`.
    places: Vec<Place>,
}

impl Objects {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_records(self) -> Vec<What> {
        self.0.into_iter().map(|object| object.what).collect()
    }

    /// Nothing is to be granted and revoked at once.
    pub(super) fn check_contradictions(&self, deleted: &Objects, scope: &mut Scope<'_>) {
        if deleted.is_empty() {
            return;
        }
        let mut kept = HashMap::new();
        for object in &self.0 {
            for (permission, place) in object.what.permissions.iter().zip(&object.places) {
                kept.insert((&*object.what.data_object.full_name, permission.to_uppercase()), *place);
            }
        }
        for object in &deleted.0 {
            let name = &object.what.data_object.full_name;
            for (permission, place) in object.what.permissions.iter().zip(&object.places) {
                if let Some(first) = kept.get(&(&**name, permission.to_uppercase())) {
                    let message = format!(
                        "{} on {} stands in `what`{} and in `deleteWhat`",
                        quoted(permission),
                        quoted(name),
                        in_line(*first)
                    );
                    scope.error(*place, message, Some("remove one of the two".into()));
                }
            }
        }
    }
}

impl Reader<'_> {
    /// Reads a what-list; repetitions are told and joined.
    pub(super) fn what(&mut self, key: &str) -> Objects {
        let mut objects = Objects::default();
        let Some(Value::List(items)) = self.given(key).map(|entry| &entry.value.value) else {
            return objects;
        };
        let mut seen: HashMap<(&str, &str), usize> = HashMap::new();
        for item in items {
            let Value::Map(entries) = &item.value else { continue };
            let Some(object) = get(entries, "dataObject") else { continue };
            let Value::Map(object_entries) = &object.value.value else { continue };
            let value = |key| get(object_entries, key).map(|entry| &*entry.value);
            let Some((name, name_node)) = value("fullName").and_then(|node| Some((text(node)?, node))) else {
                continue;
            };
            let Some((object_type, type_node)) = value("type").and_then(|node| Some((text(node)?, node)))
            else {
                continue;
            };
            let type_known = self.check_object_type(object_type, type_node.place);
            let index = *seen.entry((name, object_type)).or_insert(objects.0.len());
            if let Some(first) = objects.0.get(index) {
                let message = format!("{} stands twice in `{key}`{}", quoted(name), before(first.place));
                let hint = "write its permissions in one place";
                self.scope.warning(name_node.place, message, Some(hint.into()));
            } else {
                let data_object =
                    DataObject { full_name: name.to_owned(), object_type: object_type.to_owned() };
                objects.0.push(Object {
                    what: What { data_object, permissions: Vec::new() },
                    place: name_node.place,
                    places: Vec::new(),
                });
            }
            let Some(target) = objects.0.get_mut(index) else { continue };
            let permissions = get(entries, "permissions").map(|entry| &*entry.value);
            let vocabulary = self.vocabulary.filter(|_| type_known);
            self.permissions(target, permissions, item.place, vocabulary);
        }
        objects
    }

    /// Whether the type is one of the target; told if not.
    fn check_object_type(&mut self, object_type: &str, place: Place) -> bool {
        let Some(vocabulary) = self.vocabulary else { return true };
        if !vocabulary.has_type(object_type) {
            let hint = known(object_type, vocabulary.object_types());
            self.scope.error(
                place,
                format!("there is no type of data objects {}", quoted(object_type)),
                hint,
            );
            return false;
        }
        let applicable = vocabulary.applicable(self.action);
        if !applicable.is_empty() && !applicable.iter().any(|known| known == object_type) {
            let what = match self.action {
                "mask" => "a mask cannot be put on",
                "filtered" => "a filter cannot be put on",
                _ => "a share cannot hold",
            };
            let names: Vec<_> = applicable.iter().map(|name| quoted(name)).collect();
            let hint = format!("possible types are {}", names.join(", "));
            self.scope.error(place, format!("{what} the type {}", quoted(object_type)), Some(hint));
        }
        true
    }

    fn permissions(
        &mut self,
        target: &mut Object,
        node: Option<&Node>,
        place: Place,
        vocabulary: Option<&Vocabulary>,
    ) {
        let nothing = Vec::new();
        let items = match node.map(|node| &node.value) {
            Some(Value::List(items)) => items,
            // Not a list: told already.
            Some(Value::Map(_) | Value::Broken) => return,
            Some(Value::Scalar { .. }) if node.is_some_and(|node| !node.is_null()) => return,
            _ => &nothing,
        };
        let has_none = matches!(self.action, "mask" | "filtered");
        if items.is_empty() && !has_none && !self.delete {
            let place = node.map_or(place, |node| node.place);
            let name = quoted(&target.what.data_object.full_name);
            let hint = "add `permissions`, such as `permissions: [SELECT]`";
            self.scope.error(place, format!("no permission on {name}"), Some(hint.into()));
        }
        if let (true, Some(first)) = (has_none, items.first()) {
            let message = format!("permissions have no effect with the action `{}`", self.action);
            self.scope.warning(first.place, message, Some("leave `permissions` out".into()));
        }
        let mut seen: HashMap<String, Place> = target
            .what
            .permissions
            .iter()
            .map(|one| one.to_uppercase())
            .zip(target.places.iter().copied())
            .collect();
        for item in items {
            let Some(text) = text(item).filter(|text| !text.trim().is_empty()) else { continue };
            if let Some(first) = seen.get(&text.to_uppercase()) {
                let message = format!("{} stands twice in `permissions`{}", quoted(text), before(*first));
                self.scope.warning(item.place, message, Some("remove one of the two".into()));
                continue;
            }
            seen.insert(text.to_uppercase(), item.place);
            let spelling = match vocabulary {
                Some(vocabulary) if !has_none => {
                    self.permission(vocabulary, &target.what.data_object.object_type, text, item.place)
                }
                _ => text,
            };
            target.what.permissions.push(spelling.to_owned());
            target.places.push(item.place);
        }
    }

    /// The target's spelling of a permission; told if there is none.
    fn permission<'t>(
        &mut self,
        vocabulary: &'t Vocabulary,
        object_type: &str,
        permission: &'t str,
        place: Place,
    ) -> &'t str {
        match vocabulary.permission(object_type, permission) {
            Known::As(spelling) => spelling,
            Known::NotGrantable(spelling) => {
                let message = format!("{} on {} cannot be granted", quoted(spelling), quoted(object_type));
                self.scope.error(place, message, None);
                spelling
            }
            Known::Unknown => {
                let message =
                    format!("there is no permission {} on {}", quoted(permission), quoted(object_type));
                let hint = known(permission, vocabulary.permissions(object_type).into_iter())
                    .or_else(|| Some(format!("nothing can be granted on {}", quoted(object_type))));
                self.scope.error(place, message, hint);
                permission
            }
        }
    }
}
