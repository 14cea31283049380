//! The guide as steps. What is done with a block stands before it in a comment, which readers do not see:
//!
//! ```text
//! guide     = { step } ;
//! step      = "<!-- guide: " directive " -->" [ block ]             the block that follows
//!           | "<!-- guide: " directive NEWLINE text NEWLINE "-->"   a text that readers do not see
//! directive = "run" [ ", exit " code ]     commands, each after `$ `, with what they print below; the last one ends so
//!           | "file " path                 the block is written there
//!           | "same " path                 the block is the content of that file of this repository
//!           | "workflow " event branch     the steps of GitHub's workflow for an event
//!           | "comment" | "log"            what the workflow wrote, or printed, last
//!           | "not run, " reason
//! ```
//!
//! A block of commands, of YAML or of SQL without a directive is an error: nothing in the guide goes untried.

/// The languages whose blocks are tried.
const TRIED: [&str; 5] = ["console", "yaml", "sql", "bash", "sh"];

/// The guide, line by line.
pub(crate) struct Document {
    lines: Vec<String>,
}

/// One step.
#[derive(Debug)]
pub(crate) struct Step {
    /// The line of the directive, counted from 1.
    pub line: usize,
    pub directive: String,
    /// The lines of its block, as a range of those of the document.
    pub body: std::ops::Range<usize>,
    /// Readers see the block.
    pub visible: bool,
}

impl Document {
    pub(crate) fn new(text: &str) -> Self {
        Document { lines: text.lines().map(str::to_owned).collect() }
    }

    pub(crate) fn body(&self, step: &Step) -> String {
        self.lines[step.body.clone()].iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    pub(crate) fn steps(&self) -> Vec<Step> {
        let (mut steps, mut at) = (Vec::new(), 0);
        let mut told: Option<(usize, String)> = None;
        while at < self.lines.len() {
            let line = self.lines[at].as_str();
            if let Some(directive) = line.strip_prefix("<!-- guide: ") {
                // One that has no block of its own stands before something else.
                steps.extend(told.take().map(Step::alone));
                if let Some(directive) = directive.strip_suffix(" -->") {
                    told = Some((at + 1, directive.to_owned()));
                } else {
                    let end = self.end(at + 1, "-->");
                    let directive = directive.to_owned();
                    steps.push(Step { line: at + 1, directive, body: at + 1..end, visible: false });
                    at = end;
                }
            } else if line.starts_with("```") {
                let ticks = line.chars().take_while(|one| *one == '`').count();
                let language = &line[ticks..];
                let end = self.end(at + 1, &line[..ticks]);
                match told.take() {
                    Some((line, directive)) => {
                        steps.push(Step { line, directive, body: at + 1..end, visible: true });
                    }
                    None => assert!(!TRIED.contains(&language), "line {}: nothing tries this block", at + 1),
                }
                at = end;
            } else if !line.is_empty() {
                steps.extend(told.take().map(Step::alone));
            }
            at += 1;
        }
        steps.extend(told.map(Step::alone));
        steps
    }

    fn end(&self, from: usize, mark: &str) -> usize {
        let found = self.lines[from..].iter().position(|line| line == mark);
        found.unwrap_or_else(|| panic!("line {from}: no end")) + from
    }

    /// The document with other bodies.
    pub(crate) fn with(&self, bodies: &[(std::ops::Range<usize>, String)]) -> String {
        let (mut text, mut at) = (String::new(), 0);
        for (range, body) in bodies {
            for line in &self.lines[at..range.start] {
                text.push_str(line);
                text.push('\n');
            }
            text.push_str(body);
            at = range.end;
        }
        for line in &self.lines[at..] {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

impl Step {
    fn alone((line, directive): (usize, String)) -> Self {
        Step { line, directive, body: 0..0, visible: false }
    }
}
