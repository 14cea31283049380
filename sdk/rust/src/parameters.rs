//! The parameters of the target, read through `wasi:config`.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use crate::bindings::imports::wasi::config::store;
use crate::{Error, Result};

/// The parameters of the target that this instance serves. Names are lower case; an empty value counts as a
/// missing one.
pub struct Parameters {
    values: BTreeMap<String, String>,
}

impl Parameters {
    /// Reads all of them from the host.
    pub(crate) fn read() -> Result<Self> {
        let values = store::get_all().map_err(|error| match error {
            store::Error::Upstream(why) | store::Error::Io(why) => {
                Error::other(format!("the parameters cannot be read: {why}"))
            }
        })?;
        Ok(Self::from_iter(values))
    }

    /// The value of a parameter that must be there.
    pub fn required(&self, name: &str) -> Result<&str> {
        self.optional(name).ok_or_else(|| Error::missing_parameter(name, "must be set"))
    }

    /// The value of a parameter, if it is there and not empty.
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of a parameter, parsed; `default` if it is missing.
    pub fn parsed<T>(&self, name: &str, default: T) -> Result<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        match self.optional(name) {
            None => Ok(default),
            Some(text) => {
                text.trim().parse().map_err(|why: T::Err| Error::bad_parameter(name, why.to_string()))
            }
        }
    }

    /// A yes or no: `true`, `false`, `1`, `0`, `t`, `f`, in lower case, upper case or with an initial capital.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool> {
        match self.optional(name).map(str::trim) {
            None => Ok(default),
            Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
            Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
            Some(_) => Err(Error::bad_parameter(name, "must be true or false")),
        }
    }

    /// A comma-separated list: elements are trimmed, empty ones and repetitions dropped. A missing parameter is
    /// an empty list. Commas cannot be escaped.
    pub fn list(&self, name: &str) -> Result<Vec<String>> {
        let mut elements = Vec::new();
        for element in self.optional(name).unwrap_or_default().split(',').map(str::trim) {
            if !element.is_empty() && !elements.iter().any(|known| known == element) {
                elements.push(element.to_owned());
            }
        }
        Ok(elements)
    }
}

/// For tests of a connector: parameters without a host.
impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Parameters {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Parameters { values: pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::Parameters;
    use crate::Error;

    #[test]
    fn an_empty_value_is_a_missing_one() {
        let parameters = Parameters::from_iter([("host", "")]);
        assert!(
            matches!(parameters.required("host"), Err(Error::MissingParameter(problem)) if problem.name == "host")
        );
        assert_eq!(parameters.parsed("port", 5432).ok(), Some(5432));
    }

    #[test]
    fn values_that_do_not_parse_name_the_parameter() {
        let parameters = Parameters::from_iter([("port", "many"), ("tls", "yes")]);
        assert!(
            matches!(parameters.parsed("port", 1_u16), Err(Error::BadParameter(problem)) if problem.name == "port")
        );
        assert!(
            matches!(parameters.flag("tls", true), Err(Error::BadParameter(problem)) if problem.name == "tls")
        );
    }

    #[test]
    fn lists_are_trimmed_and_free_of_repetitions() {
        let parameters = Parameters::from_iter([("schemas", " sales , hr,, sales")]);
        assert_eq!(parameters.list("schemas").ok(), Some(vec!["sales".to_owned(), "hr".to_owned()]));
    }
}
