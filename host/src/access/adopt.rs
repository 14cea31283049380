//! `raito access adopt`: access controls that stand in a target become an access file.
//!
//! Each entry names the access control that it stands for (`externalId`), so that the first plan finds it and makes it
//! managed instead of making another. What the connector locks completely is left out, and said.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::sandbox;
use crate::access_file::Vocabulary;
use crate::cli::AdoptArgs;
use crate::config::Settings;
use crate::config::locks::PatternList;
use crate::failure::{Failure, FailureKind};
use crate::progress::Display;
use crate::records::list;
use crate::records::plan::{Beneficiaries, WhatRecord};
use crate::sandbox::escaped;
use crate::target::LoadedTarget;

/// An access control as it was read. See [`crate::records::access_control`].
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Standing {
    external_id: String,
    name: String,
    actual_name: String,
    #[serde(rename = "type")]
    control_type: Option<String>,
    action: String,
    #[serde(default)]
    policy: String,
    who: Option<StandingWho>,
    what: Option<Vec<StandingWhat>>,
    common_what_data_object: Option<String>,
    #[serde(default)]
    not_internalizable: bool,
    #[serde(default)]
    incomplete: bool,
    #[serde(default)]
    who_locked: bool,
    #[serde(default)]
    inheritance_locked: bool,
    #[serde(default)]
    what_locked: bool,
    #[serde(default)]
    delete_locked: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StandingWho {
    users: Option<Vec<String>>,
    groups: Option<Vec<String>>,
    access_providers: Option<Vec<String>>,
    recipients: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StandingWhat {
    data_object: crate::records::plan::DataObjectRecord,
    permissions: Option<Vec<String>>,
}

impl Standing {
    /// Whether every name in it is one that an access file can hold.
    fn can_be_written(&self) -> bool {
        let who = self.who.iter().flat_map(|who| [&who.users, &who.groups, &who.recipients]);
        let objects = self.what.iter().flatten().map(|item| &item.data_object.full_name);
        let mut names = who.flatten().flatten().chain(objects).chain([&self.name]);
        names.all(|name| !name.chars().any(char::is_control))
    }
}

/// An access provider of the file that is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Adopted {
    name: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    control_type: Option<String>,
    external_id: String,
    action: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    policy_rule: String,
    who: Beneficiaries,
    what: Vec<WhatRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    common_data_object: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    who_locked: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    inheritance_locked: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    what_locked: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    delete_locked: bool,
}

/// Writes the access controls of one target into an access file.
///
/// # Errors
/// There is not exactly one target, it cannot be read, or the file cannot be written or is there already.
pub async fn adopt(
    settings: &Settings,
    arguments: &AdoptArgs,
    display: &Display,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let selected = settings.selected()?;
    let [target] = selected.as_slice() else {
        let message = "an access file is written for one target at a time";
        return Err(Failure::new(FailureKind::Configuration, message).hint("name it with --only-targets"));
    };
    let target = target.settings.as_ref().map_err(|errors| Failure::from(errors.clone()))?;
    let named = |failure: Failure| failure.of(&target.name);
    let sandbox = sandbox()?;
    let loaded = LoadedTarget::load(settings, target, &sandbox, display).await.map_err(named)?;
    let files = loaded.read_access_controls(&format!("{}: reading", target.name)).await.map_err(named)?;
    loaded.tell_warnings();
    let Some(read) = files.first() else { return Err(Failure::unexpected("nothing was read")) };

    let failed = |error: io::Error| {
        let failure =
            Failure::new(FailureKind::Configuration, format!("the access file cannot be written: {error}"));
        failure.hint("give another path with --out")
    };
    let vocabulary = loaded.metadata(&format!("{}: asking what it is", target.name)).await.map_err(named)?;
    let vocabulary = vocabulary.map(|metadata| Vocabulary::from_metadata(&metadata));
    let adoption = Adoption {
        chosen: choose(&read.path, arguments.names.as_deref(), display)?,
        vocabulary: vocabulary.as_ref(),
        display,
    };
    let chosen = &adoption.chosen;
    let count = chosen.values().filter(|choice| choice.name.is_some()).count();
    match &arguments.out {
        None => write(out, &read.path, &adoption).map_err(failed)?,
        Some(path) => {
            let folder =
                path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
            write(&mut file, &read.path, &adoption).map_err(failed)?;
            file.persist_noclobber(path).map_err(|error| failed(error.error))?;
        }
    }
    let subject = super::risk::counted(count, "access control", "access controls");
    display.line(&format!("{}: {subject} adopted; see `raito access plan` before you apply", target.name));
    Ok(())
}

/// What is known after the first look, by external id.
type Chosen = HashMap<String, Choice>;

struct Choice {
    /// Its name in the file; none if it is left out.
    name: Option<String>,
    actual_name: String,
}

/// What the entries of the file are made with.
struct Adoption<'a> {
    chosen: Chosen,
    vocabulary: Option<&'a Vocabulary>,
    display: &'a Display,
}

fn choose(read: &Path, patterns: Option<&str>, display: &Display) -> Result<Chosen, Failure> {
    let patterns = patterns.map(PatternList::new);
    let (mut chosen, mut names, mut left_out) = (Chosen::new(), HashSet::new(), 0_u64);
    let mut wrong = None;
    let outcome = list::read(read, |control: Standing| {
        let wanted = match patterns.as_ref().map(|patterns| patterns.matches(&control.name)).transpose() {
            Ok(wanted) => wanted.unwrap_or(true),
            Err(error) => {
                let text = error.to_string();
                wrong = Some(error);
                return Err(io::Error::other(text));
            }
        };
        let why_not = if control.not_internalizable {
            Some("the connector locks it completely")
        } else if !control.can_be_written() {
            Some("it has a name with control characters, which no access file can hold")
        } else if control.who.is_none() {
            Some("the connector cannot tell who has it")
        } else {
            None
        };
        let name = match why_not {
            _ if !wanted => None,
            Some(why) => {
                if patterns.is_some() {
                    display.warning(&format!("{} is left out: {why}", escaped(&control.name)));
                }
                left_out += 1;
                None
            }
            None => {
                if control.incomplete {
                    display.warning(&format!(
                        "{}: the connector could not make sense of all of it; look at its plan",
                        control.name
                    ));
                }
                // A name stands once in an access file.
                let mut name = control.name.clone();
                let mut number = 1;
                while !names.insert(name.clone()) {
                    number += 1;
                    name = format!("{} ({number})", control.name);
                }
                Some(name)
            }
        };
        chosen.insert(control.external_id, Choice { name, actual_name: control.actual_name });
        Ok(())
    });
    if let Some(error) = wrong {
        return Err(Failure::new(FailureKind::Configuration, error.to_string()).hint("correct --names"));
    }
    outcome.map_err(|error| Failure::unexpected(format!("what was read cannot be used: {error}")))?;
    if left_out > 0 && patterns.is_none() {
        let subject = super::risk::counted(left_out, "access control is", "access controls are");
        display.warning(&format!(
            "{subject} left out that cannot be managed by a file: those that the connector locks, or whose holders are not known"
        ));
    }
    Ok(chosen)
}

fn write(out: &mut (dyn Write + Send), read: &Path, adoption: &Adoption<'_>) -> io::Result<()> {
    writeln!(out, "# Adopted from what stood in the target. See `raito access plan` before you apply.")?;
    writeln!(out, "accessProviders:")?;
    let mut any = false;
    list::read(read, |control: Standing| {
        let Some(name) = adoption.chosen.get(&control.external_id).and_then(|choice| choice.name.as_ref())
        else {
            return Ok(());
        };
        any = true;
        let entry = adopted(name, control, adoption);
        let yaml = serde_saphyr::to_string(&[entry]).map_err(io::Error::other)?;
        out.write_all(yaml.as_bytes())
    })?;
    if !any {
        writeln!(out, "  []")?;
    }
    out.flush()
}

fn adopted(name: &str, control: Standing, adoption: &Adoption<'_>) -> Adopted {
    let chosen = &adoption.chosen;
    let who = control.who.unwrap_or_default();
    // Those of the file by their name in the file, others by what they are called in the target.
    let inherit_from = who.access_providers.unwrap_or_default().into_iter().map(|id| match chosen.get(&id) {
        Some(choice) => choice.name.as_ref().unwrap_or(&choice.actual_name).clone(),
        None => id,
    });
    let mut left_out = 0_u64;
    let what = control.what.unwrap_or_default().into_iter().filter_map(|item| {
        let object_type = &item.data_object.object_type;
        let (gone, permissions): (Vec<_>, Vec<_>) =
            item.permissions.unwrap_or_default().into_iter().partition(|word| {
                adoption.vocabulary.is_some_and(|known| known.is_not_grantable(object_type, word))
            });
        left_out += u64::from(!gone.is_empty());
        let is_kept = gone.is_empty() || !permissions.is_empty();
        is_kept.then_some(WhatRecord { data_object: item.data_object, permissions })
    });
    let what = what.collect();
    if left_out > 0 {
        let objects = super::risk::counted(left_out, "data object", "data objects");
        adoption.display.warning(&format!(
            "{name}: what it has on {objects} and cannot be granted, such as ownership, is left out and stays as it is"
        ));
    }
    Adopted {
        name: name.to_owned(),
        control_type: control.control_type,
        external_id: control.external_id,
        action: control.action,
        policy_rule: control.policy,
        who: Beneficiaries {
            users: who.users.unwrap_or_default(),
            groups: who.groups.unwrap_or_default(),
            inherit_from: inherit_from.collect(),
            recipients: who.recipients.unwrap_or_default(),
        },
        what,
        common_data_object: control.common_what_data_object,
        who_locked: control.who_locked,
        inheritance_locked: control.inheritance_locked,
        what_locked: control.what_locked,
        delete_locked: control.delete_locked,
    }
}
