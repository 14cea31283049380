//! Names in the target, made from display names.
//!
//! A [`NameGenerator`] turns naming hints into names that the target allows and that are unique among those it
//! has made. It gives the same names each time only if the access controls come in the same order each time:
//! ascending by id.
//!
//! Translation of `prefix + hint`:
//!
//! 1. where one letter case is allowed and there is a split character: it is put between each lower-case
//!    letter and an upper-case one that follows;
//! 2. where one letter case is allowed: everything is converted to it;
//! 3. where both are allowed and there is no split character: camel case;
//! 4. each run of characters that are not allowed becomes one split character, or nothing;
//! 5. characters other than letters and digits are dropped at the start; runs of the split character become one;
//!    characters other than letters and digits are dropped at the end.
//!
//! The translation is cut to six bytes less than the longest name, so that a suffix fits: the second holder
//! of a name gets `__0`, the third `__1`, in hexadecimal (with `_` as the split character). An access control
//! that already has such a name in the target keeps it.

use std::collections::HashMap;

use crate::{Error, Result, log};

/// Bytes kept free for a suffix: two split characters and four hexadecimal digits.
const SUFFIX: usize = 6;

/// Which names a target allows.
#[derive(Clone, Debug)]
pub struct NameConstraints {
    /// `A` to `Z` are allowed.
    pub upper_case: bool,
    /// `a` to `z` are allowed.
    pub lower_case: bool,
    /// `0` to `9` are allowed. They must be: suffixes need them.
    pub numbers: bool,
    /// Further characters that are allowed. The first `_`, `-` or `#` among them separates words.
    pub special: Vec<char>,
    /// Bytes in a name, at least 8.
    pub max_length: usize,
}

impl NameConstraints {
    fn split(&self) -> Option<char> {
        self.special.iter().copied().find(|character| matches!(character, '_' | '-' | '#'))
    }

    fn alphanumeric(&self, character: char) -> bool {
        (self.upper_case && character.is_ascii_uppercase())
            || (self.lower_case && character.is_ascii_lowercase())
            || (self.numbers && character.is_ascii_digit())
    }

    /// Turns any text into a name of allowed characters, without a limit on its length.
    pub fn translate(&self, text: &str) -> String {
        let split = self.split();
        let one_case = self.upper_case != self.lower_case;
        let mut text = text.to_owned();
        if let (true, Some(split)) = (one_case, split) {
            let mut split_text = String::with_capacity(text.len() + 8);
            let mut after_lower = false;
            for character in text.chars() {
                if after_lower && character.is_ascii_uppercase() {
                    split_text.push(split);
                }
                after_lower = character.is_ascii_lowercase();
                split_text.push(character);
            }
            text = split_text;
        }
        if one_case {
            text = if self.upper_case { text.to_uppercase() } else { text.to_lowercase() };
        } else if split.is_none() {
            text = camel_case(&text);
        }

        let mut name = String::with_capacity(text.len());
        let mut in_refused_run = false;
        for character in text.chars() {
            let allowed = self.alphanumeric(character) || self.special.contains(&character);
            if allowed {
                name.push(character);
            } else if let (false, Some(split)) = (in_refused_run, split) {
                name.push(split);
            }
            in_refused_run = !allowed;
        }
        let name = name.trim_start_matches(|character| !self.alphanumeric(character));
        let mut single = String::with_capacity(name.len());
        for character in name.chars() {
            if Some(character) != split || !single.ends_with(character) {
                single.push(character);
            }
        }
        single.trim_end_matches(|character| !self.alphanumeric(character)).to_owned()
    }
}

fn camel_case(text: &str) -> String {
    let mut camel = String::with_capacity(text.len());
    let mut raise = false;
    for character in text.trim().chars() {
        if character.is_alphabetic() {
            if raise {
                camel.extend(character.to_uppercase());
            } else {
                camel.push(character);
            }
            raise = false;
        } else {
            raise = true;
            if character.is_numeric() {
                camel.push(character);
            }
        }
    }
    camel
}

/// Makes unique names. One generator serves one kind of thing in one call.
pub struct NameGenerator {
    constraints: NameConstraints,
    split: char,
    prefix: String,
    /// Next suffix for each base name.
    counters: HashMap<String, u32>,
}

impl NameGenerator {
    /// # Errors
    /// If no unique names can be made under the constraints: without letters, numbers, a split character, or
    /// with a maximum length below 8.
    pub fn new(constraints: NameConstraints, prefix: impl Into<String>) -> Result<Self> {
        let refused = |why: &str| Err(Error::other(format!("no unique names can be made: {why}")));
        let Some(split) = constraints.split() else {
            return refused("none of `_`, `-`, `#` is allowed");
        };
        if !constraints.numbers {
            return refused("numbers are not allowed");
        }
        if !constraints.upper_case && !constraints.lower_case {
            return refused("letters are not allowed");
        }
        if constraints.max_length < SUFFIX + 2 {
            return refused("names must be allowed 8 bytes at least");
        }
        Ok(NameGenerator { constraints, split, prefix: prefix.into(), counters: HashMap::new() })
    }

    /// The name for an access control: from its naming hint, or from its name where the hint is empty.
    /// `actual_name` is the name that it has in the target already.
    pub fn generate(&mut self, naming_hint: &str, name: &str, actual_name: Option<&str>) -> String {
        let hint = if naming_hint.is_empty() { name } else { naming_hint };
        if let Some(actual) =
            actual_name.filter(|actual| *actual == hint && !self.counters.contains_key(*actual))
        {
            self.counters.insert(actual.to_owned(), 0);
            return actual.to_owned();
        }
        let mut base = self.constraints.translate(&format!("{}{hint}", self.prefix));
        let mut length = base.len().min(self.constraints.max_length - SUFFIX);
        while !base.is_char_boundary(length) {
            length -= 1;
        }
        base.truncate(length);

        if let Some(suffix) = actual_name.and_then(|actual| self.suffix(&base, actual)) {
            let counter = self.counters.entry(base.clone()).or_insert(suffix);
            *counter = suffix.max(*counter);
        }
        let split = self.split;
        match self.counters.get_mut(&base) {
            None => {
                self.counters.insert(base.clone(), 0);
                base
            }
            Some(counter) => {
                let number = *counter;
                *counter += 1;
                if self.constraints.upper_case {
                    format!("{base}{split}{split}{number:X}")
                } else {
                    format!("{base}{split}{split}{number:x}")
                }
            }
        }
    }

    /// The number in a name that was made from `base` before.
    fn suffix(&self, base: &str, actual: &str) -> Option<u32> {
        let separator: String = [self.split; 2].iter().collect();
        let mut parts = actual.split(separator.as_str());
        let (first, second, more) = (parts.next()?, parts.next()?, parts.next());
        if more.is_some() {
            log::warn(format!(
                "the name {actual:?} in the target has more than one suffix, which is ignored"
            ));
            return None;
        }
        if first != base {
            return None;
        }
        let number = i16::from_str_radix(second, 16).ok().and_then(|number| u32::try_from(number).ok());
        if number.is_none() {
            log::warn(format!(
                "the suffix of the name {actual:?} in the target is not a number, and is ignored"
            ));
        }
        number
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should stop where it fails")]

    use super::{NameConstraints, NameGenerator};

    fn constraints(classes: &str, special: &str, max_length: usize) -> NameConstraints {
        NameConstraints {
            upper_case: classes.contains('U'),
            lower_case: classes.contains('l'),
            numbers: classes.contains('9'),
            special: special.chars().collect(),
            max_length,
        }
    }

    #[track_caller]
    fn generated(mut generator: NameGenerator, cases: &[(&str, Option<&str>, &str)]) {
        for (hint, actual, expected) in cases {
            assert_eq!(generator.generate(hint, "", *actual), *expected, "{hint:?} with {actual:?}");
        }
    }

    #[test]
    fn translations() {
        for (classes, special, text, expected) in [
            ("U", "_", "FirstStringWithUpperAndLowerCasing", "FIRST_STRING_WITH_UPPER_AND_LOWER_CASING"),
            ("U9", "_", "A7tringW1th4Numbers2", "A7TRING_W1TH4NUMBERS2"),
            ("l", "", "SNAKE_CASE_STRING", "snakecasestring"),
            ("Ul", "", "second_snake_case_string", "secondSnakeCaseString"),
            ("Ul9", "$-_", "Hello World 2", "Hello-World-2"),
            ("Ul9", "$-_", "a__b--c", "a__b-c"),
            ("Ul9", "$-_", "$x$", "x"),
            ("U9", "_", "HTTPServerName", "HTTPSERVER_NAME"),
            ("U9", "_", "a__b--c", "A_B_C"),
            ("U9", "_", "Team.Data-Ops", "TEAM_DATA_OPS"),
            ("U9", "_", "éclair", "CLAIR"),
        ] {
            assert_eq!(constraints(classes, special, 64).translate(text), expected, "{text:?}");
        }
    }

    #[test]
    fn short_names_get_room_for_suffixes() {
        let mut generator = NameGenerator::new(constraints("U9", "_", 16), "").unwrap();
        assert_eq!(generator.generate("lowerCaseNamingHint", "", None), "LOWER_CASE");
        assert_eq!(generator.generate("lowerCaseNaming2", "", None), "LOWER_CASE__0");
        assert_eq!(generator.generate("lowerCaseNaming3", "", None), "LOWER_CASE__1");
        assert_eq!(generator.generate("UPPER_CASE_HINT", "", Some("UPPER_CASE__3")), "UPPER_CASE__3");
        assert_eq!(generator.generate("", "UPPER_CASE_HINT2", None), "UPPER_CASE__4");
        assert_eq!(generator.generate("ABCDEFGHI_KLM", "", None), "ABCDEFGHI_");
        assert_eq!(generator.generate("ABCDEFGHI_KLM", "", None), "ABCDEFGHI___0");
        assert_eq!(generator.generate("###", "", None), "");
        assert_eq!(generator.generate("", "", None), "__0");
    }

    #[test]
    fn names_in_the_target_are_kept() {
        let fresh = || NameGenerator::new(constraints("U9", "_-@#$", 32), "").unwrap();
        generated(
            fresh(),
            &[
                ("the_first_access_provider", None, "THE_FIRST_ACCESS_PROVIDER"),
                ("and_the_last_access_provider", None, "AND_THE_LAST_ACCESS_PROVID"),
            ],
        );
        generated(
            fresh(),
            &[
                ("My Role!", Some("My Role!"), "My Role!"),
                ("My Role!", None, "MY_ROLE"),
                ("MY_ROLE", Some("MY_ROLE__1F"), "MY_ROLE__1F"),
            ],
        );
        generated(fresh(), &[("x", Some("X__8000"), "X"), ("x2", Some("X2__7FFF"), "X2__7FFF")]);
        generated(
            fresh(),
            &[
                ("THE_SAME_NAME", Some("THE_SAME_NAME__0"), "THE_SAME_NAME__0"),
                ("THE_SAME_NAME", Some("THE_SAME_NAME__2"), "THE_SAME_NAME__2"),
                ("THE_SAME_NAME", Some("THE_SAME_NAME__4"), "THE_SAME_NAME__4"),
                ("THE_SAME_NAME", None, "THE_SAME_NAME__5"),
            ],
        );
        generated(fresh(), &[("THE_NAME_HINT_TO_USE", Some("ORIGINAL_NAME__3"), "THE_NAME_HINT_TO_USE")]);
        generated(
            fresh(),
            &[("THE_NAME_HINT_TO_USE", Some("THE_NAME_HINT_TO_USE__RTE"), "THE_NAME_HINT_TO_USE")],
        );
    }

    #[test]
    fn prefixes_are_translated_with_the_hint_and_suffixes_are_hexadecimal() {
        let mut generator = NameGenerator::new(constraints("U9", "_-@#$", 32), "prefix_").unwrap();
        assert_eq!(generator.generate("the_first_access_provider", "", None), "PREFIX_THE_FIRST_ACCESS_PR");

        let mut generator = NameGenerator::new(constraints("l9", "-", 32), "r-").unwrap();
        let names: Vec<_> = (0..13).map(|_| generator.generate("DataScience Team", "", None)).collect();
        assert_eq!(names[0], "r-data-science-team");
        assert_eq!(names[1], "r-data-science-team--0");
        assert_eq!(names[10], "r-data-science-team--9");
        assert_eq!(names[12], "r-data-science-team--b");
    }

    #[test]
    fn constraints_without_room_for_unique_names_are_refused() {
        for constraints in [
            constraints("U9", "", 32),
            constraints("U", "_", 32),
            constraints("9", "_", 32),
            constraints("U9", "_", 7),
        ] {
            assert!(NameGenerator::new(constraints, "").is_err());
        }
    }
}
