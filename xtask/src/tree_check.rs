//! What a machine can check cheaply about the files of this workspace, beyond the compiler and clippy:
//!
//! - a `.rs` file opens with `//!`, has at most [`MOST_LINES`] lines, and is not called `mod.rs`;
//! - a link in a Markdown file to another file leads to one that exists;
//! - licences, sources and duplicates of the dependencies are as `deny.toml` wants them, where cargo-deny is there.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::process;
use crate::workspace::Workspace;

/// Past this a file holds more than one subject.
const MOST_LINES: usize = 600;

/// Which checks of cargo-deny run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Dependencies {
    /// Those that need no network.
    #[default]
    Offline,
    /// Known vulnerabilities too, from a database that is fetched.
    Advisories,
}

/// Checks everything; every finding is printed as `file:line: what is wrong`.
pub(crate) fn run(workspace: &Workspace, dependencies: Dependencies) -> Result<()> {
    let mut findings = Vec::new();
    for file in files(&workspace.root, &workspace.target)? {
        let check = match file.extension().and_then(OsStr::to_str) {
            Some("rs") => check_source,
            Some("md") => check_links,
            _ => continue,
        };
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let shown = file.strip_prefix(&workspace.root).unwrap_or(&file);
        for (line, what) in check(&file, &text) {
            findings.push(format!("{}:{line}: {what}", shown.display()));
        }
    }
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("the tree is not as it should be, see above (places: {})", findings.len());
    }
    check_dependencies(workspace, dependencies)
}

/// Every file below a folder, in order, without hidden folders and what is built.
fn files(folder: &Path, target: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut pending = vec![folder.to_path_buf()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if path.is_symlink() || hidden || path == target || path.ends_with("target") {
                continue;
            }
            if path.is_dir() {
                pending.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// What is wrong with a source file, with the line it is said of.
fn check_source(file: &Path, text: &str) -> Vec<(usize, String)> {
    let mut findings = Vec::new();
    if file.file_name().is_some_and(|name| name == "mod.rs") {
        findings.push((1, "a module `foo` is `foo.rs`, not `foo/mod.rs`".to_owned()));
    }
    if !text.starts_with("//!") {
        findings.push((1, "the file does not open with `//!`, its purpose".to_owned()));
    }
    let lines = text.lines().count();
    if lines > MOST_LINES {
        findings.push((lines, format!("{lines} lines are more than one subject takes ({MOST_LINES})")));
    }
    findings
}

/// The links of a Markdown file that lead to no file, with their lines.
fn check_links(file: &Path, text: &str) -> Vec<(usize, String)> {
    let folder = file.parent().unwrap_or(file);
    let mut findings = Vec::new();
    let mut in_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
            continue;
        }
        for link in if in_code { Vec::new() } else { links(line) } {
            let path = link.split(['#', '?']).next().unwrap_or_default();
            let elsewhere = link.contains("://") || link.starts_with("mailto:") || path.is_empty();
            if !elsewhere && !folder.join(path).exists() {
                findings.push((index + 1, format!("the link leads to {path}, which does not exist")));
            }
        }
    }
    findings
}

/// Where the links in one line of Markdown lead: `[text](target "title")`, `[text](<target>)` and the definition
/// `[label]: target`. Code in backquotes holds none.
fn links(line: &str) -> Vec<&str> {
    let definition = line.trim_start().strip_prefix('[').and_then(|rest| rest.split_once("]: "));
    let definition = definition.map(|(_label, target)| target);
    let inline = line.split('`').step_by(2).flat_map(|text| text.split("](").skip(1));
    let inline = inline.filter_map(|rest| rest.split_once(')')).map(|(target, _rest)| target);
    definition.into_iter().chain(inline).filter_map(without_title).collect()
}

fn without_title(target: &str) -> Option<&str> {
    match target.trim().strip_prefix('<') {
        Some(bracketed) => bracketed.split('>').next(),
        None => target.split_whitespace().next(),
    }
}

fn check_dependencies(workspace: &Workspace, dependencies: Dependencies) -> Result<()> {
    if process::find_program("cargo-deny").is_none() {
        eprintln!("left out: the dependencies' licences and sources, since cargo-deny is not installed");
        return Ok(());
    }
    let mut command = workspace.cargo();
    command.args(["deny", "check", "bans", "licenses", "sources"]);
    if dependencies == Dependencies::Advisories {
        command.arg("advisories");
    }
    process::run_aside(&mut command)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use anyhow::Result;

    use super::{MOST_LINES, check_links, check_source, files, links};

    #[test]
    fn a_source_file_has_a_purpose_a_size_and_a_name() {
        assert!(check_source(Path::new("a.rs"), "//! Purpose.\n").is_empty());
        assert_eq!(check_source(Path::new("a.rs"), "use std::fs;\n").len(), 1);
        assert_eq!(check_source(Path::new("a/mod.rs"), "//! Purpose.\n").len(), 1);
        let longest = format!("//! Purpose.\n{}", "\n".repeat(MOST_LINES - 1));
        assert!(check_source(Path::new("a.rs"), &longest).is_empty());
        assert_eq!(check_source(Path::new("a.rs"), &format!("{longest}\n")).len(), 1);
    }

    #[test]
    fn links_in_all_their_forms() {
        assert_eq!(links("see [a](a.md) and [b](<b c.md> \"title\")"), ["a.md", "b c.md"]);
        assert_eq!(links("[label]: docs/a.md \"title\""), ["docs/a.md"]);
        assert_eq!(links("`[code](not.md)` but [text](is.md#part)"), ["is.md#part"]);
        assert!(links("- [ ] a (bracketed) word, and [empty]()").is_empty());
    }

    #[test]
    fn only_links_to_missing_files_are_found() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("xtask-links-{}", std::process::id()));
        fs::create_dir_all(folder.join("docs"))?;
        fs::write(folder.join("docs/there.md"), "")?;
        let text = "[a](docs/there.md#part) [b](https://example.com/x) [c](#here)\n\
                    ```\n[d](in-code.md)\n```\n[e](docs/gone.md)\n";
        let findings = check_links(&folder.join("README.md"), text);
        assert_eq!(findings, [(5, "the link leads to docs/gone.md, which does not exist".to_owned())]);
        fs::remove_dir_all(&folder)?;
        Ok(())
    }

    #[test]
    fn built_and_hidden_folders_are_not_looked_into() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("xtask-files-{}", std::process::id()));
        for part in ["src", "target/debug", ".git"] {
            fs::create_dir_all(folder.join(part))?;
            fs::write(folder.join(part).join("a.rs"), "")?;
        }
        assert_eq!(files(&folder, &folder.join("target"))?, [folder.join("src/a.rs")]);
        fs::remove_dir_all(&folder)?;
        Ok(())
    }
}
