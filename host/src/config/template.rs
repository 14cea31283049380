//! Environment templates: a value `{{NAME}}` stands for the environment variable of that name.
//!
//! The whole value, but for blanks around it, must be the template; there is no mixture with other text. The
//! name is looked up as written first and without surrounding blanks second. A variable that is set but
//! empty gives the empty text; one that is not set is an error.

use super::Environment;

/// A template names a variable that is not set.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MissingVariable(pub(super) String);

/// The name between the braces, if `text` is a template.
fn variable(text: &str) -> Option<&str> {
    text.trim().strip_prefix("{{")?.strip_suffix("}}")
}

/// Whether `text` is a template.
pub(super) fn is_template(text: &str) -> bool {
    variable(text).is_some()
}

/// What `text` stands for: itself, unless it is a template.
pub(super) fn expand(text: &str, environment: &Environment<'_>) -> Result<String, MissingVariable> {
    let Some(name) = variable(text) else { return Ok(text.to_owned()) };
    environment(name)
        .or_else(|| environment(name.trim()))
        .ok_or_else(|| MissingVariable(name.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_values_are_templates() {
        let environment = |name: &str| match name {
            "USER" => Some("sync".to_owned()),
            "EMPTY" => Some(String::new()),
            " odd " => Some("blanks".to_owned()),
            _ => None,
        };
        for (text, expected) in [
            ("{{USER}}", Ok("sync")),
            ("  {{USER}} ", Ok("sync")),
            ("{{ USER }}", Ok("sync")),
            ("{{ odd }}", Ok("blanks")),
            ("{{EMPTY}}", Ok("")),
            ("x{{USER}}", Ok("x{{USER}}")),
            ("{{USER}}x", Ok("{{USER}}x")),
            ("{{}", Ok("{{}")),
            ("{{ GONE }}", Err(MissingVariable("GONE".to_owned()))),
        ] {
            assert_eq!(expand(text, &environment), expected.map(str::to_owned), "{text}");
        }
    }
}
