//! Reads the system's own apt sources, to learn which mirror of the distribution this machine uses.
//!
//! Two formats (`man sources.list`): one-line `.list` files
//!
//! ```text
//! deb [ option=value … ] uri suite component …
//! ```
//!
//! and deb822 `.sources` files, stanzas of fields parted by empty lines:
//!
//! ```text
//! Types: deb
//! URIs: uri …
//! Suites: suite …
//! Components: component …
//! ```
//!
//! Options are not taken over: what is fetched is verified by the distribution's own keyring and nothing else.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, mem};

/// One suite of one archive that apt is told to take binary packages from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    uri: String,
    suite: String,
    components: Vec<String>,
}

/// The addresses that the system takes its distribution from, in the order of its files, each once.
///
/// That is every archive with the component `main` of the suite named `codename`; where there is none, of a suite
/// that names a release by its role. Security updates and most third-party archives name their suites otherwise.
pub(crate) fn mirrors(apt_folder: &Path, codename: &str) -> Vec<String> {
    let mut files = vec![apt_folder.join("sources.list")];
    if let Ok(entries) = fs::read_dir(apt_folder.join("sources.list.d")) {
        let mut parts: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        parts.sort();
        files.append(&mut parts);
    }
    let mut sources = Vec::new();
    for file in files {
        // Apt reads no other endings; an unreadable file (they may hold passwords) is no reason to stop.
        let parse = match file.extension().and_then(|ending| ending.to_str()) {
            Some("list") => parse_one_line,
            Some("sources") => parse_deb822,
            _ => continue,
        };
        sources.append(&mut fs::read_to_string(&file).map(|text| parse(&text)).unwrap_or_default());
    }
    let named = mirrors_of(&sources, &[codename]);
    if named.is_empty() {
        mirrors_of(&sources, &["stable", "oldstable", "testing", "unstable"])
    } else {
        named
    }
}

fn mirrors_of(sources: &[Source], suites: &[&str]) -> Vec<String> {
    let mut mirrors = Vec::new();
    for Source { uri, suite, components } in sources {
        let wanted =
            suites.contains(&suite.as_str()) && components.iter().any(|component| component == "main");
        if wanted && !uri.starts_with("cdrom:") && !mirrors.contains(uri) {
            mirrors.push(uri.clone());
        }
    }
    mirrors
}

fn parse_one_line(text: &str) -> Vec<Source> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Source> {
    let line = line.split('#').next()?.trim();
    let rest = line.strip_prefix("deb")?;
    if !rest.starts_with([' ', '\t', '[']) {
        return None;
    }
    let rest = rest.trim_start();
    let rest = match rest.strip_prefix('[') {
        Some(options) => options.split_once(']')?.1,
        None => rest,
    };
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some(Source { uri: words.next()?, suite: words.next()?, components: words.collect() })
}

fn parse_deb822(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut fields = BTreeMap::<String, String>::new();
    let mut last_name = None;
    for line in text.lines().chain([""]) {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            sources.append(&mut stanza(&mem::take(&mut fields)));
            last_name = None;
        } else if line.starts_with([' ', '\t']) {
            if let Some(value) = last_name.as_ref().and_then(|name| fields.get_mut(name)) {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            let name = name.trim().to_ascii_lowercase();
            fields.insert(name.clone(), value.trim().to_owned());
            last_name = Some(name);
        }
    }
    sources
}

fn stanza(fields: &BTreeMap<String, String>) -> Vec<Source> {
    let words = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default().split_whitespace();
    let off = ["no", "false", "without", "off", "disable"];
    if words("enabled").any(|value| off.contains(&value)) || !words("types").any(|kind| kind == "deb") {
        return Vec::new();
    }
    let components: Vec<_> = words("components").map(str::to_owned).collect();
    let mut sources = Vec::new();
    for uri in words("uris") {
        for suite in words("suites") {
            sources.push(Source {
                uri: uri.to_owned(),
                suite: suite.to_owned(),
                components: components.clone(),
            });
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use std::fs;

    use anyhow::Result;

    use super::{Source, mirrors, parse_deb822, parse_one_line};

    fn source(uri: &str, suite: &str, components: &[&str]) -> Source {
        let components = components.iter().map(ToString::to_string).collect();
        Source { uri: uri.into(), suite: suite.into(), components }
    }

    #[test]
    fn one_line_sources_with_options_and_comments() {
        let text = "# deb http://off.example/debian bookworm main\n\
                    deb-src http://src.example/debian bookworm main\n\
                    deb http://a.example/debian bookworm main contrib # the mirror\n\
                    \tdeb [arch=amd64 signed-by=/k.gpg] http://b.example/debian\tbookworm main\n\
                    deb[trusted=yes] http://c.example/ ./\n\
                    debian is not a type\n\
                    deb http://incomplete.example/\n";
        let expected = [
            source("http://a.example/debian", "bookworm", &["main", "contrib"]),
            source("http://b.example/debian", "bookworm", &["main"]),
            source("http://c.example/", "./", &[]),
        ];
        assert_eq!(parse_one_line(text), expected);
    }

    #[test]
    fn deb822_stanzas_with_continued_fields_and_comments() {
        let text = "Types: deb deb-src\n# not the end of the stanza\nURIs: http://a.example/debian\n \
                    http://b.example/debian\nsuites: bookworm\n\tbookworm-updates\nComponents: main\n\n\
                    Types: deb\nEnabled: no\nURIs: http://off.example/\nSuites: bookworm\nComponents: main\n\n\n\
                    Types: deb-src\nURIs: http://src.example/\nSuites: bookworm\nComponents: main\n";
        let expected = [
            source("http://a.example/debian", "bookworm", &["main"]),
            source("http://a.example/debian", "bookworm-updates", &["main"]),
            source("http://b.example/debian", "bookworm", &["main"]),
            source("http://b.example/debian", "bookworm-updates", &["main"]),
        ];
        assert_eq!(parse_deb822(text), expected);
    }

    #[test]
    fn only_the_distribution_itself_is_a_mirror() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("xtask-apt-{}", std::process::id()));
        let parts = folder.join("sources.list.d");
        fs::create_dir_all(&parts)?;
        fs::write(
            folder.join("sources.list"),
            "deb cdrom:[x]/ bookworm main\ndeb http://a.example/ bookworm main\n",
        )?;
        fs::write(
            parts.join("debian.sources"),
            "Types: deb\nURIs: http://b.example/ http://a.example/\nSuites: bookworm\nComponents: main\n\n\
             Types: deb\nURIs: http://security.example/\nSuites: bookworm-security\nComponents: main\n",
        )?;
        fs::write(
            parts.join("tool.list"),
            "deb http://tool.example/ bookworm stable\ndeb http://c.example/ stable main\n",
        )?;
        fs::write(parts.join("old.list.save"), "deb http://saved.example/ bookworm main\n")?;
        assert_eq!(mirrors(&folder, "bookworm"), ["http://a.example/", "http://b.example/"]);
        assert_eq!(mirrors(&folder, "trixie"), ["http://c.example/"]);
        fs::remove_dir_all(&folder)?;
        Ok(())
    }
}
