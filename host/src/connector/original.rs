//! Connector names of Raito's own CLI: `<group>/<repository>` or `<group>/<repository>/<service>`.
//!
//! There they name a program that is downloaded. Here a connector is a WebAssembly component on this machine, so such a
//! name stands for
//!
//! 1. the file `<group>/<plugin name>.wasm` in one of the connector folders, if somebody has put one there; the plugin
//!    name is the repository, or repository and service with a dash between them;
//! 2. else the connector of this project that does the same, see [`OURS`].

/// The connectors of Raito's own CLI that this project has a connector for. Their parameters have the same names.
const OURS: [(&str, &str); 2] =
    [("raito-io/cli-plugin-postgres", "postgres"), ("raito-io/cli-plugin-file", "file")];

/// A name of this form, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct OriginalName<'a> {
    /// `<group>/<plugin name>`, the file below a connector folder without its extension.
    pub file: String,
    /// The connector of this project.
    pub ours: Option<&'a str>,
}

/// Takes a name apart; none if it has another form.
pub fn original_name(name: &str) -> Option<OriginalName<'static>> {
    let parts: Vec<_> = name.split('/').collect();
    let (group, plugin) = match parts.as_slice() {
        [group, repository] => (*group, (*repository).to_owned()),
        [group, repository, service] => (*group, format!("{repository}-{service}")),
        _ => return None,
    };
    if !parts.iter().all(|part| is_part(part)) {
        return None;
    }
    let ours = OURS.into_iter().find(|(theirs, _)| *theirs == name).map(|(_, ours)| ours);
    Some(OriginalName { file: format!("{group}/{plugin}"), ours })
}

/// Letters, digits and dashes, beginning with a letter and not ending with a dash.
fn is_part(part: &str) -> bool {
    part.len() >= 2
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && part.starts_with(|first: char| first.is_ascii_alphabetic())
        && !part.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::original_name;

    #[test]
    fn names_of_the_other_cli_are_told_from_paths_and_plain_names() {
        let file = |name| original_name(name).map(|name| (name.file, name.ours));
        let ours = Some(("raito-io/cli-plugin-postgres".to_owned(), Some("postgres")));
        assert_eq!(file("raito-io/cli-plugin-postgres"), ours);
        let service = Some(("raito-io/cli-plugin-gcp-bigquery".to_owned(), None));
        assert_eq!(file("raito-io/cli-plugin-gcp/bigquery"), service);
        for other in ["postgres", "./a/b", "a/b", "../up/it", "a1/b2/c3/d4", "raito-/x1", "x1/1x"] {
            assert_eq!(file(other), None, "{other}");
        }
    }
}
