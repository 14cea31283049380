//! What access controls say about each other: names and ids that stand once, and inheritance.
//!
//! An entry of `inheritFrom` is `ID:<id>`, the name of an access control of the files, or else the name of something in
//! the target. [`Links::spelling`] gives what the spool says for it; connectors find `ID:<id>` without regard to
//! letter case, so two ids that differ by it alone must not be referred to.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::control::Control;
use super::finding::{Place, Report, nearest, quoted};
use super::index::{Action, Index};

mod cycles;

/// Comparisons that are spent on suggestions; beyond these a mistake is told without one.
const COMPARISONS: usize = 1_000_000;

/// The access controls and their references while files are read.
#[derive(Default)]
pub(super) struct Links {
    pub(super) index: Index,
    /// Positions by name.
    names: HashMap<Arc<str>, u32>,
    /// The first of each name in lower case.
    lower_names: HashMap<String, u32>,
    /// Positions by the name in the target.
    actual_names: HashMap<String, u32>,
    references: Vec<Link>,
    /// Of the references, each once.
    texts: HashSet<Arc<str>>,
    compared: usize,
}

/// An entry of `inheritFrom`.
struct Link {
    /// Position of the access control that it stands in.
    at: u32,
    text: Arc<str>,
    place: Place,
    /// It stands in `deletedWho`.
    deleted: bool,
}

/// What an entry of `inheritFrom` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// An access control of the files, by its id or name.
    Control(u32),
    /// An access control of the files, by its name in the target.
    ByActualName(u32),
    /// Two access controls of the files.
    Ambiguous(u32, u32),
    UnknownId,
    /// Something in the target.
    Foreign,
}

impl Links {
    /// Takes an access control in, and tells if another has its name or id.
    pub(super) fn add(&mut self, control: &Control, report: &mut Report) {
        let record = &control.record;
        let (name, id) = (record.name.as_str(), record.id.as_str());
        let told = self.check_name(name, control.place, report);
        let id_place = control.id.unwrap_or(control.place);
        let id_told = !told && self.check_id(control, id_place, report);
        let action = match record.action.as_str() {
            "mask" => Action::Mask,
            "filtered" => Action::Filter,
            "deny" => Action::Denial,
            _ => Action::Other,
        };
        if told || id_told {
            return;
        }
        let who = &record.who;
        let others = !who.groups.is_empty()
            || !who.recipients.is_empty()
            || record.who_locked
            || record.inheritance_locked;
        let at = self.index.add(id, name, control.place, (action, record.delete), &who.users, others);
        let name = self.index.controls.last().map(|control| Arc::clone(&control.name)).unwrap_or_default();
        self.lower_names.entry(name.to_lowercase()).or_insert(at);
        self.names.insert(name, at);
        if let Some(actual) = &record.actual_name {
            self.add_actual_name(actual, at, control.place, report);
        }
        for (deleted, links) in [(false, &control.inherits), (true, &control.disinherits)] {
            for (text, place) in links {
                let text = self.intern(text);
                self.references.push(Link { at, text, place: *place, deleted });
            }
        }
    }

    /// Two access controls of one name in the target would work on the same thing. Names of masks and filters may
    /// stand once for each table.
    fn add_actual_name(&mut self, actual: &str, at: u32, place: Place, report: &mut Report) {
        let Some(control) = self.control(at).filter(|control| control.action == Action::Other) else {
            return;
        };
        let name = Arc::clone(&control.name);
        match self.actual_names.get(actual).and_then(|other| self.control(*other)) {
            None => {
                self.actual_names.insert(actual.to_owned(), at);
            }
            Some(other) => {
                let message = format!(
                    "another access control has the `actualName` {}: {}",
                    quoted(actual),
                    report.name_of(other.place)
                );
                report.warning(
                    place,
                    Some(&name),
                    message,
                    Some("both would change the same in the target".into()),
                );
            }
        }
    }

    fn intern(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&text));
        text
    }

    /// Tells whether the name stands already.
    fn check_name(&mut self, name: &str, place: Place, report: &mut Report) -> bool {
        let Some(other) = self.lower_names.get(&name.to_lowercase()).and_then(|at| self.control(*at)) else {
            return false;
        };
        if let Some(same) = self.names.get(name).and_then(|at| self.control(*at)) {
            let message = format!("another access control has this name: {}", report.name_of(same.place));
            report.error(place, Some(name), message, Some("give one of the two another name".into()));
            return true;
        }
        let message = format!(
            "the name differs from {} by letter case alone: {}",
            quoted(&other.name),
            report.name_of(other.place)
        );
        report.warning(place, Some(name), message, Some("targets may take the two for one".into()));
        false
    }

    /// Tells whether the id stands already.
    fn check_id(&self, control: &Control, place: Place, report: &mut Report) -> bool {
        let (id, name) = (&control.record.id, &control.record.name);
        let Some((_, other)) = self.index.find(id) else { return false };
        if *other.id != **id {
            // Of default ids this has been said of the name.
            if control.id.is_some() || other.id != other.name {
                let message = format!(
                    "the id {} differs from {} by letter case alone: {}",
                    quoted(id),
                    quoted(&other.id),
                    report.name_of(other.place)
                );
                report.warning(place, Some(name), message, Some("give one of the two another id".into()));
            }
            return false;
        }
        let message =
            format!("another access control has the id {}: {}", quoted(id), report.name_of(other.place));
        let hint = if control.id.is_some() {
            "give one of the two another id"
        } else {
            "give it an `id` of its own; without one its name is its id"
        };
        report.error(place, Some(name), message, Some(hint.into()));
        true
    }

    /// Resolves inheritance, once all files are read.
    pub(super) fn finish(&mut self, report: &mut Report) {
        let references = std::mem::take(&mut self.references);
        let mut inherits: Vec<Vec<(u32, Place)>> = Vec::new();
        inherits.resize_with(self.index.len(), Vec::new);
        let mut warned: HashMap<Arc<str>, Option<String>> = HashMap::new();
        // The references of one access control so far; they follow each other, those of `deletedWho` last.
        let mut own: Vec<(Option<u32>, &Link)> = Vec::new();
        for link in &references {
            if own.first().is_some_and(|(_, other)| other.at != link.at) {
                own.clear();
            }
            let parent = self.check(link, &mut warned, report);
            let same = own
                .iter()
                .find(|(known, other)| other.text == link.text || known.is_some() && *known == parent);
            if let Some((_, first)) = same {
                let name = self.control(link.at).map(|control| &*control.name);
                let hint = Some("remove one of the two".into());
                if link.deleted && !first.deleted {
                    let line = first.place.position.map_or(0, |position| position.line);
                    let message = format!(
                        "{} stands in `who.inheritFrom` (line {line}) and in `deletedWho.inheritFrom`",
                        quoted(&link.text)
                    );
                    report.error(link.place, name, message, hint);
                } else {
                    let message = format!("{} is named twice in `inheritFrom`", quoted(&link.text));
                    report.warning(link.place, name, message, hint);
                }
            } else if let Some((parents, parent)) = inherits.get_mut(link.at as usize).zip(parent)
                && !link.deleted
            {
                parents.push((parent, link.place));
            }
            // What stands in the target alone has members that are not known here.
            if let (None, false, Some(control)) =
                (parent, link.deleted, self.index.controls.get_mut(link.at as usize))
            {
                control.others = true;
            }
            own.push((parent, link));
        }
        cycles::check(&self.index, &inherits, report);
        for (control, parents) in self.index.controls.iter_mut().zip(inherits) {
            control.inherits = parents.into_iter().map(|(parent, _)| parent).collect();
        }
    }

    /// What the spool says for an entry of `inheritFrom`.
    pub(super) fn spelling(&self, text: &str) -> String {
        match self.meaning(text) {
            Meaning::Control(at) => self.control(at).map(|control| format!("ID:{}", control.id)),
            _ => None,
        }
        .unwrap_or_else(|| text.to_owned())
    }

    fn control(&self, at: u32) -> Option<&super::index::Control> {
        self.index.controls.get(at as usize)
    }

    fn meaning(&self, text: &str) -> Meaning {
        let at = match id_of(text) {
            Some(id) => match self.index.find(id) {
                Some((at, _)) => at,
                None => return Meaning::UnknownId,
            },
            None => match self.names.get(text) {
                Some(at) => *at,
                None => {
                    return self
                        .actual_names
                        .get(text)
                        .map_or(Meaning::Foreign, |at| Meaning::ByActualName(*at));
                }
            },
        };
        let same = self.control(at).and_then(|control| self.index.ids.get(&control.id.to_lowercase()));
        match same.map(Vec::as_slice) {
            Some([first, second, ..]) => Meaning::Ambiguous(*first, *second),
            _ => Meaning::Control(at),
        }
    }

    /// Judges an entry of `inheritFrom`; gives the access control that it means.
    fn check(
        &mut self,
        link: &Link,
        warned: &mut HashMap<Arc<str>, Option<String>>,
        report: &mut Report,
    ) -> Option<u32> {
        let name = self.control(link.at).map(|control| Arc::clone(&control.name));
        let name = name.as_deref();
        let text = &link.text;
        let parent = match self.meaning(text) {
            Meaning::Control(at) | Meaning::ByActualName(at) => at,
            Meaning::Ambiguous(first, second) => {
                let (first, second) = (self.control(first)?, self.control(second)?);
                let message = format!(
                    "{} could be {} or {}: letter case does not count in references",
                    quoted(text),
                    quoted(&first.id),
                    quoted(&second.id)
                );
                report.error(link.place, name, message, Some("give one of them another `id`".into()));
                return None;
            }
            Meaning::UnknownId => {
                let id = id_of(text).unwrap_or_default();
                let hint = self
                    .nearest_id(id)
                    .map(|near| format!("did you mean {}?", quoted(&format!("ID:{near}"))));
                let message = format!("there is no access control with the id {}", quoted(id));
                report.error(link.place, name, message, hint);
                return None;
            }
            Meaning::Foreign => {
                if !warned.contains_key(text) {
                    let near = self.near_name(text);
                    warned.insert(Arc::clone(text), near);
                }
                if let Some(Some(near)) = warned.get(text) {
                    let message = format!(
                        "{} is no access control of the files and taken for a name in the target",
                        quoted(text)
                    );
                    report.warning(
                        link.place,
                        name,
                        message,
                        Some(format!("did you mean {}?", quoted(near))),
                    );
                }
                return None;
            }
        };
        let child = self.control(link.at)?;
        let inherited = self.control(parent)?;
        if link.deleted || child.delete {
            return Some(parent);
        }
        let refused = match inherited.action {
            _ if inherited.delete => "which is to be deleted",
            Action::Mask => "which is a mask",
            Action::Filter => "which is a filter",
            Action::Denial => "which denies access",
            Action::Other => return Some(parent),
        };
        let message = format!(
            "it cannot inherit from {}, {refused}: {}",
            quoted(&inherited.name),
            report.name_of(inherited.place)
        );
        report.error(link.place, name, message, Some("remove the entry".into()));
        None
    }

    fn nearest_id(&mut self, id: &str) -> Option<String> {
        self.compared += self.index.len();
        if self.compared > COMPARISONS || id.is_empty() {
            return None;
        }
        nearest(id, self.index.ids()).map(str::to_owned)
    }

    /// What somebody may have meant who wrote the name of something in the target.
    fn near_name(&mut self, text: &str) -> Option<String> {
        if let Some((_, control)) = self.index.find(text) {
            return Some(format!("ID:{}", control.id))
                .filter(|_| control.id != control.name)
                .or_else(|| Some(control.name.to_string()));
        }
        self.compared += self.index.len();
        if self.compared > COMPARISONS {
            return None;
        }
        let near = nearest(text, self.lower_names.keys().map(String::as_str))?;
        self.lower_names.get(near).and_then(|at| self.control(*at)).map(|control| control.name.to_string())
    }
}

/// The id of `ID:<id>`.
fn id_of(text: &str) -> Option<&str> {
    let (start, id) = text.split_at_checked(3)?;
    start.eq_ignore_ascii_case("ID:").then_some(id)
}
