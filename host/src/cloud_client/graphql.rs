//! GraphQL: documents out, data in.
//!
//! Documents whose input types have known names are sent with variables. The others carry their arguments
//! as literals, escaped here; operation names and shape are those that the API has always seen.

use std::fmt::Write as _;

use reqwest::{Method, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::repeat::Repeat;
use super::{CloudClient, CloudError, error};

/// One document and what goes with it.
pub(super) struct Operation<'a> {
    /// What it is for, in error messages.
    pub(super) what: &'static str,
    /// The operation's name, if the document gives it one.
    pub(super) name: Option<&'a str>,
    /// The document.
    pub(super) document: String,
    /// The variables, if the document declares any.
    pub(super) variables: Option<Value>,
    /// Whether it may be sent again.
    pub(super) repeat: Repeat,
}

impl Operation<'_> {
    /// A document without name that declares variables and begins or adds something.
    pub(super) fn with_variables(what: &'static str, document: &str, variables: Value) -> Self {
        let (document, variables) = (document.to_owned(), Some(variables));
        Self { what, name: None, document, variables, repeat: Repeat::Never }
    }

    /// A document without name and variables that only reads.
    pub(super) fn reading(what: &'static str, document: String) -> Self {
        Self { what, name: None, document, variables: None, repeat: Repeat::Safe }
    }

    /// Doing it twice is doing it once.
    pub(super) fn repeatable(self) -> Self {
        Self { repeat: Repeat::Safe, ..self }
    }

    fn body(self) -> Value {
        let mut body = json!({ "query": self.document });
        if let Some(name) = self.name {
            body["operationName"] = name.into();
            body["variables"] = json!({});
        }
        if let Some(variables) = self.variables {
            body["variables"] = variables;
        }
        body
    }
}

#[derive(Deserialize)]
struct Answer {
    data: Option<Value>,
    #[serde(default, deserialize_with = "null_as_default")]
    errors: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default, deserialize_with = "null_as_default")]
    message: String,
}

impl CloudClient {
    /// Sends a document and reads its data. Any error makes the whole call fail.
    pub(super) async fn graphql<T: DeserializeOwned>(
        &self,
        operation: Operation<'_>,
    ) -> Result<T, CloudError> {
        let (what, repeat) = (operation.what, operation.repeat);
        let request = self
            .bare(Method::POST, self.address("query")?)
            .header(header::CONTENT_TYPE, "application/json")
            .body(operation.body().to_string());
        let text = self.call(what, repeat, request).await?;
        let bad = |error: serde_json::Error| CloudError::BadAnswer {
            what,
            reason: error::excerpt(&error.to_string()),
        };
        let answer: Answer = serde_json::from_str(&text).map_err(bad)?;
        if !answer.errors.is_empty() {
            let messages = answer.errors.into_iter().map(|error| error.message).collect();
            return Err(CloudError::Graphql { what, messages });
        }
        serde_json::from_value(answer.data.unwrap_or_default()).map_err(bad)
    }
}

/// Reads `null` like an absent member.
pub(super) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A GraphQL string literal. Its escapes are those of JSON.
pub(super) fn string(text: &str) -> String {
    Value::from(text).to_string()
}

/// A GraphQL list of string literals.
pub(super) fn strings(texts: &[String]) -> String {
    let mut list = String::from("[");
    for (index, text) in texts.iter().enumerate() {
        let separator = if index > 0 { ", " } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(list, "{separator}{}", string(text));
    }
    list.push(']');
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_escaped() {
        assert_eq!(string("a\"b\\c\nd\u{1}é"), r#""a\"b\\c\nd\u0001é""#);
        assert_eq!(strings(&[]), "[]");
        assert_eq!(strings(&["a".into(), "\"".into()]), r#"["a", "\""]"#);
    }
}
