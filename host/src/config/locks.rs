//! Locks: which parts of an access control found in a target become read-only in Raito Cloud.
//!
//! [`LockSettings`] holds the options as they were given. [`LockRules`] decides for one access control,
//! part by part; the first rule that applies wins:
//!
//! 1. the switch for all,
//! 2. a name pattern that matches the name,
//! 3. a tag pattern that matches `key:value` of any tag,
//! 4. the when-incomplete switch, if the access control is incomplete.
//!
//! A pattern list is one text; its elements are separated by commas, trimmed, and freed of duplicates. A
//! pattern is a regular expression that has to match the whole candidate, with three consequences of how
//! it is anchored that users have come to rely on:
//!
//! | rule | effect |
//! |---|---|
//! | `^` is put before the pattern unless the *candidate* starts with `^`, `$` after it unless the *candidate* ends with `$` | a candidate such as `^x` is matched without the anchor |
//! | the pattern is not grouped | `a\|b` matches what starts with `a` or ends with `b` |
//! | a pattern is compiled when it is first needed | a wrong pattern after a match is never noticed |

mod syntax;

use std::sync::OnceLock;

use regex::Regex;
use thiserror::Error;

/// The options for one lockable part, as given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartLock {
    /// Lock this part of every access control.
    pub all: bool,
    /// Pattern list for the name of the access control.
    pub by_name: String,
    /// Pattern list for `key:value` of its tags.
    pub by_tag: String,
    /// Lock this part when the connector could not read the access control completely.
    pub when_incomplete: bool,
}

/// All lock options of one target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LockSettings {
    /// Who has the access.
    pub who: PartLock,
    /// Which access controls it inherits from.
    pub inheritance: PartLock,
    /// What the access is to.
    pub what: PartLock,
    /// Its name.
    pub names: PartLock,
    /// Whether it may be deleted.
    pub delete: PartLock,
    /// Its owners; there is a switch for all and nothing else.
    pub all_owners: bool,
    /// Everything: the access control cannot be managed from Raito Cloud at all.
    pub fully: PartLock,
    /// Older spelling of the name patterns of `fully`.
    pub make_not_internalizable: String,
}

/// A pattern that is no regular expression.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("lock pattern `{pattern}` is not a regular expression: {reason}")]
pub struct PatternError {
    /// The pattern as given.
    pub pattern: String,
    /// What the regular expression parser found.
    pub reason: String,
}

/// What is locked in one access control.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LockDecision {
    /// `whoLocked`
    pub who: bool,
    /// `inheritanceLocked`
    pub inheritance: bool,
    /// `whatLocked`
    pub what: bool,
    /// `nameLocked`
    pub name: bool,
    /// `deleteLocked`
    pub delete: bool,
    /// `ownersLocked`
    pub owners: bool,
    /// `notInternalizable`
    pub not_internalizable: bool,
}

/// [`LockSettings`] made ready to be asked once per access control. Patterns are compiled once, when
/// first needed.
#[derive(Debug)]
pub struct LockRules {
    who: PartRules,
    inheritance: PartRules,
    what: PartRules,
    names: PartRules,
    delete: PartRules,
    all_owners: bool,
    fully: PartRules,
}

impl LockRules {
    /// Splits the pattern lists. Nothing is compiled yet.
    pub fn new(settings: &LockSettings) -> Self {
        let mut fully = PartRules::new(&settings.fully);
        fully.names.append(&settings.make_not_internalizable);
        Self {
            who: PartRules::new(&settings.who),
            inheritance: PartRules::new(&settings.inheritance),
            what: PartRules::new(&settings.what),
            names: PartRules::new(&settings.names),
            delete: PartRules::new(&settings.delete),
            all_owners: settings.all_owners,
            fully,
        }
    }

    /// Decides for one access control: its name as the connector reported it, its tags as key and value,
    /// and whether the connector marked it as incomplete.
    ///
    /// # Errors
    /// A pattern that had to be looked at is no regular expression.
    pub fn decide<'a>(
        &self,
        name: &str,
        tags: impl Iterator<Item = (&'a str, &'a str)>,
        incomplete: bool,
    ) -> Result<LockDecision, PatternError> {
        let tags: Vec<String> = if self.looks_at_tags() {
            tags.map(|(key, value)| format!("{key}:{value}")).collect()
        } else {
            Vec::new()
        };
        let locked = |part: &PartRules| part.locks(name, &tags, incomplete);
        Ok(LockDecision {
            who: locked(&self.who)?,
            inheritance: locked(&self.inheritance)?,
            what: locked(&self.what)?,
            name: locked(&self.names)?,
            delete: locked(&self.delete)?,
            owners: self.all_owners,
            not_internalizable: locked(&self.fully)?,
        })
    }

    fn looks_at_tags(&self) -> bool {
        [&self.who, &self.inheritance, &self.what, &self.names, &self.delete, &self.fully]
            .iter()
            .any(|part| !part.all && !part.tags.patterns.is_empty())
    }
}

/// The rules of one part.
#[derive(Debug)]
struct PartRules {
    all: bool,
    names: PatternList,
    tags: PatternList,
    when_incomplete: bool,
}

impl PartRules {
    fn new(lock: &PartLock) -> Self {
        Self {
            all: lock.all,
            names: PatternList::new(&lock.by_name),
            tags: PatternList::new(&lock.by_tag),
            when_incomplete: lock.when_incomplete,
        }
    }

    fn locks(&self, name: &str, tags: &[String], incomplete: bool) -> Result<bool, PatternError> {
        if self.all || self.names.matches(name)? {
            return Ok(true);
        }
        for tag in tags {
            if self.tags.matches(tag)? {
                return Ok(true);
            }
        }
        Ok(self.when_incomplete && incomplete)
    }
}

/// A comma-separated list of patterns.
#[derive(Debug, Default)]
pub struct PatternList {
    patterns: Vec<Pattern>,
}

impl PatternList {
    /// Splits a list. An empty text is an empty list; an empty element of a longer list is a pattern that
    /// matches the empty candidate alone.
    pub fn new(list: &str) -> Self {
        let mut patterns = Self::default();
        patterns.append(list);
        patterns
    }

    fn append(&mut self, list: &str) {
        if list.is_empty() {
            return;
        }
        for text in list.split(',').map(str::trim) {
            if !self.patterns.iter().any(|known| known.text == text) {
                self.patterns.push(Pattern::new(text));
            }
        }
    }

    /// Whether any pattern matches, tried in the order given.
    ///
    /// # Errors
    /// A pattern that comes before the first match is no regular expression.
    pub fn matches(&self, candidate: &str) -> Result<bool, PatternError> {
        for pattern in &self.patterns {
            if pattern.matches(candidate)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// One pattern with its compiled forms: which anchors are added depends on the candidate.
#[derive(Debug)]
struct Pattern {
    text: String,
    /// Indexed by "anchored at the start" + 2 × "anchored at the end".
    compiled: [OnceLock<Regex>; 4],
}

impl Pattern {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned(), compiled: Default::default() }
    }

    fn matches(&self, candidate: &str) -> Result<bool, PatternError> {
        let start = !candidate.starts_with('^');
        let end = !candidate.ends_with('$');
        let [free, at_start, at_end, both] = &self.compiled;
        let cell = match (start, end) {
            (false, false) => free,
            (true, false) => at_start,
            (false, true) => at_end,
            (true, true) => both,
        };
        let regex = if let Some(regex) = cell.get() {
            regex
        } else {
            let anchored =
                format!("{}{}{}", if start { "^" } else { "" }, self.text, if end { "$" } else { "" });
            let regex = Regex::new(&syntax::translate(&anchored)).map_err(|error| PatternError {
                pattern: self.text.clone(),
                reason: last_line(&error.to_string()),
            })?;
            cell.get_or_init(|| regex)
        };
        Ok(regex.is_match(candidate))
    }
}

/// The parser's message is a drawing over several lines whose last one says what is wrong.
fn last_line(message: &str) -> String {
    let line = message.lines().last().unwrap_or_default().trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(list: &str, candidate: &str) -> Result<bool, PatternError> {
        PatternList::new(list).matches(candidate)
    }

    #[test]
    fn documented_examples() {
        for (list, candidate, expected) in [
            (".+-prod,.+-dev", "test-prod", true),
            (".+-prod,.+-dev", "-dev", false),
            (".+-prod,.+-dev", "test_dev", false),
            (".+-prod,.+-dev", "test-staging", false),
            ("t(.)+st", "teeeest", true),
            ("t(.)+st", "pretestpost", false),
            ("(?i)test", "TEST", true),
            ("test", "TEST", false),
            ("a|b", "ab", true),
            ("a|b", "ax", true),
            ("a|b", "xb", true),
            ("a|b", "xa", false),
            ("key1:value1,key2:.+", "key2:x", true),
            ("key1:value1,key2:.+", "key2:", false),
            ("key1:value1,key2:.+", "key1:value2", false),
            // The comma breaks the repetition: `a{2` and `3}` are literal texts.
            ("a{2,3}", "aa", false),
            ("a{2,3}", "a{2", true),
            ("a{2,3}", "3}", true),
            ("a{2}", "aa", true),
            (r"[{}]\{\p{Lu}\x{41}", "}{ZA", true),
            (r"\d+", "٣", false),
        ] {
            assert_eq!(matches(list, candidate), Ok(expected), "{list} on {candidate}");
        }
        assert!(matches("((", "anything").is_err());
    }

    #[test]
    fn anchors_depend_on_the_candidate() {
        assert_eq!(matches("b", "^ab"), Ok(true), "no `^` is added before a candidate with `^`");
        assert_eq!(matches("b", "ab"), Ok(false));
        assert_eq!(matches("a", "ab$"), Ok(true), "no `$` is added after a candidate with `$`");
        assert_eq!(matches("a", "ab"), Ok(false));
    }

    #[test]
    fn a_wrong_pattern_is_noticed_only_when_reached() {
        assert_eq!(matches("ok,((", "ok"), Ok(true));
        let error = matches("ok,((", "other");
        assert!(error.is_err_and(|error| error.pattern == "((" && !error.reason.contains('\n')));
        assert_eq!(PatternList::new("((").patterns.len(), 1, "splitting compiles nothing");
    }

    #[test]
    fn empty_elements_match_the_empty_name_alone() {
        assert_eq!(matches("", ""), Ok(false), "an empty option is an empty list");
        assert_eq!(matches("a,,b", ""), Ok(true));
        assert_eq!(matches("a,,b", "c"), Ok(false));
        assert_eq!(PatternList::new(" a , a,b,a").patterns.len(), 2, "trimmed, duplicates removed");
    }

    #[test]
    fn first_rule_wins_for_each_part() -> Result<(), PatternError> {
        let settings = LockSettings {
            who: PartLock { all: true, by_name: "((".into(), ..PartLock::default() },
            inheritance: PartLock { by_name: "sales.*".into(), ..PartLock::default() },
            what: PartLock { by_tag: "env:prod".into(), ..PartLock::default() },
            names: PartLock { when_incomplete: true, ..PartLock::default() },
            delete: PartLock { by_name: "none".into(), ..PartLock::default() },
            all_owners: true,
            fully: PartLock { by_name: "x".into(), ..PartLock::default() },
            make_not_internalizable: "sales_admin".into(),
        };
        let rules = LockRules::new(&settings);
        let tags = [("team", "a"), ("env", "prod")];
        assert_eq!(
            rules.decide("sales_admin", tags.into_iter(), true)?,
            LockDecision {
                who: true,
                inheritance: true,
                what: true,
                name: true,
                delete: false,
                owners: true,
                not_internalizable: true,
            }
        );
        assert_eq!(
            rules.decide("hr", std::iter::empty(), false)?,
            LockDecision { who: true, owners: true, ..LockDecision::default() }
        );
        Ok(())
    }
}
