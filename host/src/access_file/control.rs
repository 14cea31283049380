//! From the tree of an access provider to its record, with everything that can be judged without the others.
//!
//! A tree that breaks a table is told of, and read as far as it can be, so that one run tells everything.

use std::collections::HashMap;

use super::check::{Scope, flag, text, to_json};
use super::finding::{Place, Report, quoted, suggestion};
use super::format::{ACTIONS, CONTROL, CRITERIA, OWNER, Shape};
use super::record::{Record, Who};
use super::tree::{Entry, Node, Value, get};
use super::vocabulary::Vocabulary;

mod what;

/// An access provider, and what the others need to know about it.
pub(super) struct Control {
    pub(super) record: Record,
    /// Where it stands: its name.
    pub(super) place: Place,
    /// The place of its id, where one is given.
    pub(super) id: Option<Place>,
    /// What it inherits from, as written.
    pub(super) inherits: Vec<(String, Place)>,
    /// What is no longer to inherit.
    pub(super) disinherits: Vec<(String, Place)>,
}

/// Reads an access provider. None: it has no name that it could be known by; this has been told.
pub(super) fn read(node: &Node, vocabulary: Option<&Vocabulary>, report: &mut Report) -> Option<Control> {
    let entries = match &node.value {
        Value::Map(entries) => entries.as_slice(),
        _ => &[],
    };
    let name = filled(entries, "name");
    let mut reader = Reader {
        scope: Scope { report, control: name.map(|(name, _)| name) },
        entries,
        vocabulary,
        action: "grant",
        delete: get(entries, "delete").and_then(|entry| flag(&entry.value)).unwrap_or_default(),
    };
    reader.scope.map(node, &CONTROL, "an element of `accessProviders`");
    let (record, inherits, disinherits) = reader.record();
    let (name, place) = name?;
    let id = filled(entries, "id");
    let record = Record { id: id.map_or(name, |(id, _)| id).to_owned(), name: name.to_owned(), ..record };
    Some(Control { record, place, id: id.map(|(_, place)| place), inherits, disinherits })
}

/// The text of a key that is not empty, and its place.
fn filled<'a>(entries: &'a [Entry], key: &str) -> Option<(&'a str, Place)> {
    let value = &get(entries, key)?.value;
    text(value).filter(|text| !text.trim().is_empty()).map(|text| (text, value.place))
}

/// Texts and their places.
type Places = Vec<(String, Place)>;

/// The lists of a who-list, in the order of [`LISTS`].
#[derive(Default)]
struct Lists([Places; 4]);

const LISTS: [&str; 4] = ["users", "groups", "inheritFrom", "recipients"];

impl Lists {
    /// The record, and the places of what is inherited.
    fn split(self) -> (Who, Places) {
        let texts = |list: Places| list.into_iter().map(|(text, _)| text).collect();
        let [users, groups, inherits, recipients] = self.0;
        let who = Who {
            users: texts(users),
            groups: texts(groups),
            inherit_from: texts(inherits.clone()),
            recipients: texts(recipients),
        };
        (who, inherits)
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(Vec::is_empty)
    }
}

struct Reader<'a> {
    scope: Scope<'a>,
    entries: &'a [Entry],
    vocabulary: Option<&'a Vocabulary>,
    /// In lower case; `purpose` is `grant`.
    action: &'static str,
    delete: bool,
}

impl<'a> Reader<'a> {
    fn record(&mut self) -> (Record, Places, Places) {
        self.read_action();
        self.check_type();
        self.check_condition();
        let who = self.who("who");
        let deleted_who = self.who("deletedWho");
        self.check_contradictions(&who, &deleted_who);
        let what = self.what("what");
        let deleted_what = self.what("deleteWhat");
        what.check_contradictions(&deleted_what, &mut self.scope);
        self.check_emptiness(who.is_empty(), what.is_empty());
        if let Some(entry) = self.given("owners") {
            let hint = "owners are kept by Raito Cloud; remove it";
            self.scope.warning(entry.place, "`owners` has no effect on a target", Some(hint.into()));
        }
        if self.delete
            && self.flag("deleteLocked")
            && let Some(entry) = self.given("delete")
        {
            let message = "`delete` has no effect, because `deleteLocked` forbids it";
            self.scope.warning(entry.place, message, Some("remove one of the two".into()));
        }
        let (who, inherits) = who.split();
        let (deleted_who, disinherits) = deleted_who.split();
        let record = Record {
            action: self.action.to_owned(),
            description: self.text("description"),
            naming_hint: self.text("namingHint").filter(|hint| !hint.is_empty()),
            control_type: self.text("type"),
            external_id: self.text("externalId").filter(|id| !id.is_empty()),
            actual_name: self.text("actualName").filter(|name| !name.is_empty()),
            who,
            what: what.into_records(),
            policy_rule: self.text("policyRule"),
            filter_criteria: self
                .given("filterCriteria")
                .and_then(|entry| to_json(&entry.value, Shape::Map(&CRITERIA))),
            common_data_object: self.text("commonDataObject"),
            deleted_who,
            delete_what: deleted_what.into_records(),
            delete: self.delete,
            who_locked: self.flag("whoLocked"),
            inheritance_locked: self.flag("inheritanceLocked"),
            what_locked: self.flag("whatLocked"),
            delete_locked: self.flag("deleteLocked"),
            owners: self.given("owners").and_then(|entry| to_json(&entry.value, Shape::List(&OWNER))),
            ..Record::default()
        };
        (record, inherits, disinherits)
    }

    fn flag(&self, key: &str) -> bool {
        self.given(key).and_then(|entry| flag(&entry.value)).unwrap_or_default()
    }

    /// What has no effect at all is most likely unfinished.
    fn check_emptiness(&mut self, no_who: bool, no_what: bool) {
        let Some(name) = get(self.entries, "name").filter(|_| !self.delete) else { return };
        let place = name.value.place;
        let about_objects = matches!(self.action, "mask" | "filtered");
        if about_objects && no_what {
            let hint = "name its data object under `what`";
            self.scope.warning(place, "it is put on no data object", Some(hint.into()));
        } else if no_who && no_what {
            let hint = "add `who` and `what`";
            self.scope.warning(place, "it names nobody and nothing", Some(hint.into()));
        }
    }

    /// An entry that has a value.
    fn given(&self, key: &str) -> Option<&'a Entry> {
        get(self.entries, key).filter(|entry| !entry.value.is_null())
    }

    fn text(&self, key: &str) -> Option<String> {
        self.given(key).and_then(|entry| text(&entry.value)).map(str::to_owned)
    }

    fn read_action(&mut self) {
        let Some(entry) = self.given("action") else { return };
        let Some(text) = text(&entry.value) else { return };
        let Some(action) = ACTIONS.iter().find(|action| action.eq_ignore_ascii_case(text)) else { return };
        self.action = if *action == "purpose" { "grant" } else { action };
        if self.vocabulary.is_some_and(|vocabulary| !vocabulary.supports(self.action)) {
            let what = match self.action {
                "mask" => "masks",
                "filtered" => "row filters",
                _ => "shares",
            };
            let message = format!("the target has no {what}");
            self.scope.error(entry.value.place, message, Some("remove this access provider".into()));
        }
    }

    fn check_type(&mut self) {
        let Some((entry, vocabulary)) = self.given("type").zip(self.vocabulary) else { return };
        let Some(name) = text(&entry.value) else { return };
        let place = entry.value.place;
        if self.action == "mask" {
            // A source without a list of its masks takes what it is given.
            if vocabulary.mask_types().next().is_some() && !vocabulary.mask_types().any(|known| known == name)
            {
                let hint = known(name, vocabulary.mask_types());
                self.scope.error(place, format!("there is no type of masks {}", quoted(name)), hint);
            }
            return;
        }
        match vocabulary.can_be_created(name) {
            Some(true) => {}
            Some(false) => {
                let exists = ["externalId", "actualName"].iter().any(|key| self.given(key).is_some());
                if !exists && !self.delete {
                    let message = format!("access controls of the type {} cannot be made", quoted(name));
                    self.scope.warning(place, message, None);
                }
            }
            None => {
                let hint = known(name, vocabulary.control_types());
                self.scope.error(
                    place,
                    format!("there is no type of access controls {}", quoted(name)),
                    hint,
                );
            }
        }
    }

    /// A filter has a condition, and nothing else has.
    fn check_condition(&mut self) {
        let rule = self.given("policyRule");
        let criteria = self.given("filterCriteria");
        if self.action != "filtered" {
            for entry in rule.into_iter().chain(criteria) {
                let message = format!("`{}` has no meaning with the action `{}`", entry.key, self.action);
                self.scope.error(entry.place, message, Some("write `action: filtered`, or remove it".into()));
            }
            return;
        }
        if let Some(entry) = rule
            && text(&entry.value).is_some_and(|rule| rule.trim().is_empty())
        {
            self.scope.error(entry.value.place, "`policyRule` is empty", None);
        }
        match (rule, criteria) {
            (None, None) if !self.delete => {
                if let Some(entry) = get(self.entries, "action") {
                    let hint = "add `policyRule` or `filterCriteria`";
                    self.scope.error(entry.place, "a filter needs a condition", Some(hint.into()));
                }
            }
            (Some(_), Some(entry)) => {
                let message = "a filter has either `policyRule` or `filterCriteria`, not both";
                self.scope.error(entry.place, message, Some("remove one of the two".into()));
            }
            _ => {}
        }
    }

    /// Reads a who-list; repetitions are told and left out.
    fn who(&mut self, key: &str) -> Lists {
        let mut lists = Lists::default();
        let Some(Value::Map(entries)) = self.given(key).map(|entry| &entry.value.value) else { return lists };
        for (name, list) in LISTS.iter().zip(&mut lists.0) {
            let Some(entry) = get(entries, name) else { continue };
            if *name == "recipients" && self.action != "share" && !entry.value.is_null() {
                let message = "`recipients` has an effect with the action `share` alone";
                self.scope.warning(entry.place, message, Some("name people under `users`".into()));
            }
            let Value::List(items) = &entry.value.value else { continue };
            let mut seen: HashMap<&str, Place> = HashMap::new();
            for item in items {
                let Some(text) = text(item).filter(|text| !text.trim().is_empty()) else { continue };
                match seen.get(text) {
                    None => {
                        seen.insert(text, item.place);
                        list.push((text.to_owned(), item.place));
                    }
                    Some(first) => {
                        let message = format!("{} stands twice in `{name}`{}", quoted(text), before(*first));
                        self.scope.warning(item.place, message, Some("remove one of the two".into()));
                    }
                }
            }
        }
        lists
    }

    /// Nobody is to have and to lose the same. References can be spelled in several ways; the links see to them.
    fn check_contradictions(&mut self, who: &Lists, deleted: &Lists) {
        let lists = LISTS.iter().zip(&who.0).zip(&deleted.0).filter(|((name, _), _)| **name != "inheritFrom");
        for ((name, kept), lost) in lists {
            let kept: HashMap<&str, Place> =
                kept.iter().map(|(text, place)| (text.as_str(), *place)).collect();
            for (text, place) in lost {
                if let Some(first) = kept.get(text.as_str()) {
                    let message = format!(
                        "{} stands in `who.{name}`{} and in `deletedWho.{name}`",
                        quoted(text),
                        in_line(*first)
                    );
                    self.scope.error(*place, message, Some("remove one of the two".into()));
                }
            }
        }
    }
}

/// `, first in line 12`.
fn before(place: Place) -> String {
    place.position.map(|position| format!(", first in line {}", position.line)).unwrap_or_default()
}

fn in_line(place: Place) -> String {
    place.position.map(|position| format!(" (line {})", position.line)).unwrap_or_default()
}

/// The nearest known name, or the first of them.
fn known<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<_> = names.collect();
    suggestion(name, names.iter().copied()).or_else(|| {
        let listed: Vec<_> = names.iter().take(LISTED).map(|name| quoted(name)).collect();
        if listed.is_empty() { None } else { Some(format!("known here are {}", listed.join(", "))) }
    })
}

/// How many known names a hint lists.
const LISTED: usize = 20;
