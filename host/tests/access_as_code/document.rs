//! Access files: as data, and written down in the forms that people use.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::site::Site;
use crate::world::Object;

/// An access control of an access file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Control {
    /// What it is known by. It stands in the file where it is not the name.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) users: BTreeSet<String>,
    /// Ids of access controls whose members have this one too.
    pub(crate) inherits: BTreeSet<String>,
    /// Roles of others that have it.
    pub(crate) roles: BTreeSet<String>,
    pub(crate) what: BTreeMap<Object, BTreeSet<&'static str>>,
}

/// How an access file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Yaml,
    Json,
    /// A folder of both, with a folder in it.
    Folder,
}

/// The access controls of a file, by position.
pub(crate) fn rendered(controls: &[Control]) -> Vec<Value> {
    let by_id: BTreeMap<&str, &Control> =
        controls.iter().map(|control| (control.id.as_str(), control)).collect();
    let provider = |(at, control): (usize, &Control)| {
        // References are by name, by id, and by id in other letters.
        let references = control.inherits.iter().filter_map(|id| by_id.get(id.as_str()));
        let inherits = references.enumerate().map(|(number, other)| match (at + number) % 3 {
            0 => other.name.clone(),
            1 => format!("ID:{}", other.id),
            _ => format!("id:{}", other.id.to_ascii_uppercase()),
        });
        let inherits: Vec<String> = inherits.chain(control.roles.iter().cloned()).collect();
        let what = control.what.iter().enumerate().map(|(number, (object, permissions))| {
            let lower = (at + number) % 4 == 3;
            let permissions: Vec<String> = permissions
                .iter()
                .map(|word| if lower { word.to_lowercase() } else { (*word).to_owned() })
                .collect();
            json!({ "dataObject": { "fullName": object.full_name((at + number) % 2 == 1), "type": object.kind.name() },
                    "permissions": permissions })
        });
        let mut provider = json!({
            "name": control.name,
            "who": { "users": control.users, "inheritFrom": inherits },
            "what": what.collect::<Vec<_>>(),
        });
        if control.id != control.name {
            provider["id"] = json!(control.id);
        }
        provider
    };
    controls.iter().enumerate().map(provider).collect()
}

/// Writes an access file in the place of the one before. Gives its path, as seen from the folder of the site.
pub(crate) fn write(site: &Site, controls: &[Control], form: Form) -> &'static str {
    let providers = rendered(controls);
    match form {
        Form::Yaml => write_providers(site, "access.yml", &providers),
        Form::Json => write_providers(site, "access.json", &providers),
        Form::Folder => {
            let (first, second) = providers.split_at(providers.len() / 2);
            write_providers(site, "access/teams/first.yaml", first);
            write_providers(site, "access/second.json", second);
            "access"
        }
    }
}

/// Writes one file, in the form that its name says.
pub(crate) fn write_providers<'a>(site: &Site, path: &'a str, providers: &[Value]) -> &'a str {
    let document = json!({ "accessProviders": providers });
    let text = if Path::new(path).extension().is_some_and(|ending| ending == "json") {
        serde_json::to_string_pretty(&document).unwrap()
    } else {
        serde_saphyr::to_string(&document).unwrap()
    };
    site.write(path, &text);
    path
}
