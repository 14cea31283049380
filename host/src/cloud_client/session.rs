//! A session that is lent to a connector: it sends documents in the name of the account, and sees neither user, password
//! nor token.

use serde_json::Value;

use super::graphql::Operation;
use super::repeat::Repeat;
use super::{CloudClient, CloudError};

const WHAT: &str = "a request of the connector";

impl CloudClient {
    /// Sends a document of a connector and gives the text of its data. `variables` is a JSON object as text, or empty.
    /// Nobody here knows what the document does, so it is never sent a second time.
    pub async fn session_graphql(&self, document: String, variables: &str) -> Result<String, CloudError> {
        let variables = match variables.trim() {
            "" => None,
            text => {
                let value: Value = serde_json::from_str(text)
                    .map_err(|error| CloudError::Invalid { what: WHAT, reason: error.to_string() })?;
                if !value.is_object() {
                    let reason = "the variables are not a JSON object".to_owned();
                    return Err(CloudError::Invalid { what: WHAT, reason });
                }
                Some(value)
            }
        };
        let operation = Operation { what: WHAT, name: None, document, variables, repeat: Repeat::Never };
        let data: Value = self.graphql(operation).await?;
        Ok(data.to_string())
    }
}
